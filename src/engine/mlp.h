/* Dense networks over panels: every layer but the last is followed by the activation.
 * The features of layer l of a panel stand in padded(width) x PANEL reals. */
struct layer {
  ptrdiff_t n_in, n_out;
  real *forward;  /* pack() of W, for y = W x + b */
  real *backward; /* pack() of W', for dx = W' dy */
  real *bias;     /* padded */
};

struct mlp {
  ptrdiff_t n_layers, widest; /* widest: largest padded width, the input's included */
  enum activation activation;
  struct layer *layers;
  real *zero; /* as many zeros as `widest`: the bias of the backward product */
};

/* Takes the pieces of `mlp` from the arena; mlp_prepare() fills them. */
static void mlp_layout(struct mlp *mlp, struct arena *arena, const struct shape *shape) {
  mlp->n_layers = shape->n_layers;
  mlp->activation = shape->activation;
  mlp->widest = padded(shape->d);
  mlp->layers = arena_take(arena, (size_t)shape->n_layers * sizeof(struct layer));
  for (ptrdiff_t l = 0; l < shape->n_layers; l++) {
    struct layer layer = {shape->widths[l], shape->widths[l + 1], NULL, NULL, NULL};
    layer.forward = arena_reals(arena, padded(layer.n_out) * layer.n_in);
    layer.backward = arena_reals(arena, padded(layer.n_in) * layer.n_out);
    layer.bias = arena_reals(arena, padded(layer.n_out));
    if (padded(layer.n_out) > mlp->widest) mlp->widest = padded(layer.n_out);
    if (mlp->layers) mlp->layers[l] = layer;
  }
  mlp->zero = arena_reals(arena, mlp->widest);
}

/* Packs weights and biases, in the order of the flat parameters. */
static void mlp_prepare(struct mlp *mlp, const double *weights, const double *biases) {
  for (ptrdiff_t l = 0; l < mlp->n_layers; l++) {
    struct layer *layer = mlp->layers + l;
    pack(layer->forward, weights, layer->n_out, layer->n_in, 1, layer->n_out);
    pack(layer->backward, weights, layer->n_in, layer->n_out, layer->n_out, 1);
    for (ptrdiff_t o = 0; o < padded(layer->n_out); o++)
      layer->bias[o] = o < layer->n_out ? (real)biases[o] : 0;
    weights += layer->n_out * layer->n_in;
    biases += layer->n_out;
  }
  for (ptrdiff_t i = 0; i < mlp->widest; i++) mlp->zero[i] = 0;
}

/* y = activation(y) over n reals; for SiLU also the slope, where it is asked for: it is
 * not a function of the value. */
static void activate(real *y, real *slope, enum activation activation, ptrdiff_t n) {
  const vec one = vec_splat(1), zero = vec_splat(0);
  switch (activation) {
    case ACTIVATION_TANH:
      for (ptrdiff_t i = 0; i < n; i += LANES)
        vec_store(y + i, vec_tanh(vec_load(y + i)));
      break;
    case ACTIVATION_RELU:
      for (ptrdiff_t i = 0; i < n; i += LANES)
        vec_store(y + i, vec_max(vec_load(y + i), zero));
      break;
    case ACTIVATION_SILU:
      for (ptrdiff_t i = 0; i < n; i += LANES) {
        const vec a = vec_load(y + i), s = vec_logistic(a);
        vec_store(y + i, a * s);
        if (slope) vec_store(slope + i, s * (one + a * (one - s)));
      }
      break;
  }
}

/* dy *= activation'(.), from the stored value y (tanh, ReLU) or slope (SiLU); the result
 * overwrites y. */
static void activate_backward(real *y, const real *slope, const real *dy,
                              enum activation activation, ptrdiff_t n) {
  const vec one = vec_splat(1), zero = vec_splat(0);
  for (ptrdiff_t i = 0; i < n; i += LANES) {
    const vec value = vec_load(y + i), d = vec_load(dy + i);
    vec result = zero;
    switch (activation) {
      case ACTIVATION_TANH: result = d * (one - value * value); break;
      case ACTIVATION_RELU: result = vec_select(vec_greater(value, zero), d, zero); break;
      case ACTIVATION_SILU: result = d * vec_load(slope + i); break;
    }
    vec_store(y + i, result);
  }
}

/* The values of every layer for `n_panels` panels, kept for the way back. */
struct activations {
  ptrdiff_t n_panels;
  real **value; /* n_layers + 1: inputs, hidden values, outputs */
  real **slope; /* n_layers + 1, of the hidden layers, for SiLU only */
};

static void activations_layout(struct activations *a, struct arena *arena,
                               const struct shape *shape, ptrdiff_t n_panels) {
  const ptrdiff_t n = shape->n_layers;
  a->n_panels = n_panels;
  a->value = arena_take(arena, (size_t)(n + 1) * sizeof(real *));
  a->slope = arena_take(arena, (size_t)(n + 1) * sizeof(real *));
  for (ptrdiff_t l = 0; l <= n; l++) {
    const ptrdiff_t width = l == 0 ? shape->d : shape->widths[l];
    const int sloped = shape->activation == ACTIVATION_SILU && l > 0 && l < n;
    real *value = arena_reals(arena, n_panels * padded(width) * PANEL);
    real *slope = sloped ? arena_reals(arena, n_panels * padded(width) * PANEL) : NULL;
    if (a->value) a->value[l] = value, a->slope[l] = slope;
  }
}

/* Fills value[1..] of one panel from value[0]. */
static void mlp_forward(struct activations *a, const struct mlp *mlp, ptrdiff_t panel) {
  const real *x = a->value[0] + panel * padded(mlp->layers[0].n_in) * PANEL;
  for (ptrdiff_t l = 0; l < mlp->n_layers; l++) {
    const struct layer *layer = mlp->layers + l;
    const ptrdiff_t size = padded(layer->n_out) * PANEL;
    real *y = a->value[l + 1] + panel * size;
    panel_product(y, layer->forward, layer->bias, x, layer->n_out, layer->n_in);
    if (l + 1 < mlp->n_layers) {
      real *slope = a->slope[l + 1];
      activate(y, slope ? slope + panel * size : NULL, mlp->activation, size);
    }
    x = y;
  }
}

/* The outputs of one panel without keeping the layers: returns them, in one of two
 * buffers of widest * PANEL reals. */
static const real *mlp_outputs(const struct mlp *mlp, const real *x, real *buffer,
                               real *spare) {
  for (ptrdiff_t l = 0; l < mlp->n_layers; l++) {
    const struct layer *layer = mlp->layers + l;
    panel_product(buffer, layer->forward, layer->bias, x, layer->n_out, layer->n_in);
    if (l + 1 < mlp->n_layers)
      activate(buffer, NULL, mlp->activation, padded(layer->n_out) * PANEL);
    x = buffer;
    buffer = spare;
    spare = (real *)x;
  }
  return x;
}

/* On entry value[n_layers] holds the gradient of the outputs (padded features zero).
 * Adds the gradients of weights and biases to dweights, dbiases; replaces every value by
 * its layer's gradient, value[0] by the inputs'. `dx` is scratch of widest * PANEL
 * reals. */
static void mlp_backward(double *dweights, double *dbiases, struct activations *a,
                         const struct mlp *mlp, real *dx) {
  for (ptrdiff_t l = 0; l < mlp->n_layers; l++) {
    dweights += mlp->layers[l].n_out * mlp->layers[l].n_in;
    dbiases += mlp->layers[l].n_out;
  }
  for (ptrdiff_t l = mlp->n_layers - 1; l >= 0; l--) {
    const struct layer *layer = mlp->layers + l;
    const ptrdiff_t in = padded(layer->n_in) * PANEL, out = padded(layer->n_out) * PANEL;
    const real *dy = a->value[l + 1];
    dweights -= layer->n_out * layer->n_in;
    dbiases -= layer->n_out;

    /* y = W x + b:  dW += dy x',  db += dy,  dx = W' dy */
    panels_outer(dweights, dy, a->value[l], a->n_panels, layer->n_out, layer->n_in);
    for (ptrdiff_t o = 0; o < layer->n_out; o++) {
      vec sum = vec_splat(0);
      for (ptrdiff_t g = 0; g < a->n_panels; g++)
        for (ptrdiff_t v = 0; v < PANEL; v += LANES)
          sum += vec_load(dy + g * out + o * PANEL + v);
      dbiases[o] += (double)vec_sum(sum);
    }
    for (ptrdiff_t g = 0; g < a->n_panels; g++) {
      real *x = a->value[l] + g * in;
      const real *slope = a->slope[l] ? a->slope[l] + g * in : NULL;
      real *target = l == 0 ? x : dx;
      panel_product(target, layer->backward, mlp->zero, dy + g * out, layer->n_in,
                    layer->n_out);
      if (l > 0) activate_backward(x, slope, dx, mlp->activation, in);
    }
  }
}
