/* Dense networks over rows: every layer but the last is followed by the activation. */
struct layer {
  ptrdiff_t n_in, n_out;
  real *forward;  /* pack() of W, for y = W x + b */
  real *backward; /* pack() of W', for dx = W' dy */
  real *bias;     /* padded */
};

struct mlp {
  ptrdiff_t n_layers;
  enum activation activation;
  struct layer *layers;
  real *zero; /* as many zeros as the widest layer: the bias of the backward product */
};

static ptrdiff_t widest_layer(const struct shape *shape) {
  ptrdiff_t widest = padded(shape->d);
  for (ptrdiff_t l = 1; l <= shape->n_layers; l++)
    if (padded(shape->widths[l]) > widest) widest = padded(shape->widths[l]);
  return widest;
}

/* Takes the pieces of `mlp` from the arena; mlp_prepare() fills them. */
static void mlp_layout(struct mlp *mlp, struct arena *arena, const struct shape *shape) {
  mlp->n_layers = shape->n_layers;
  mlp->activation = shape->activation;
  mlp->layers = arena_take(arena, (size_t)shape->n_layers * sizeof(struct layer));
  for (ptrdiff_t l = 0; l < shape->n_layers; l++) {
    struct layer layer = {shape->widths[l], shape->widths[l + 1], NULL, NULL, NULL};
    layer.forward = arena_reals(arena, packed_size(layer.n_out, layer.n_in));
    layer.backward = arena_reals(arena, packed_size(layer.n_in, layer.n_out));
    layer.bias = arena_reals(arena, padded(layer.n_out));
    if (mlp->layers) mlp->layers[l] = layer;
  }
  mlp->zero = arena_reals(arena, widest_layer(shape));
}

/* Packs weights and biases, in the order of the flat parameters. Outputs beyond the last
 * are -Inf: they have no part in a softmax. */
static void mlp_prepare(struct mlp *mlp, const double *weights, const double *biases) {
  ptrdiff_t widest = 0;
  for (ptrdiff_t l = 0; l < mlp->n_layers; l++) {
    struct layer *layer = mlp->layers + l;
    const real beyond = l + 1 < mlp->n_layers ? 0 : -(real)INFINITY;
    pack(layer->forward, weights, layer->n_out, layer->n_in, 1, layer->n_out);
    pack(layer->backward, weights, layer->n_in, layer->n_out, layer->n_out, 1);
    for (ptrdiff_t o = 0; o < padded(layer->n_out); o++)
      layer->bias[o] = o < layer->n_out ? (real)biases[o] : beyond;
    weights += layer->n_out * layer->n_in;
    biases += layer->n_out;
    if (padded(layer->n_in) > widest) widest = padded(layer->n_in);
  }
  for (ptrdiff_t i = 0; i < widest; i++) mlp->zero[i] = 0;
}

/* The values of every layer for some rows. Where they are not kept for the way back, two
 * buffers take turns. */
struct activations {
  ptrdiff_t stride;
  real **value; /* n_layers + 1: inputs, hidden values, outputs */
  real **slope; /* n_layers + 1, of the hidden layers, for SiLU on the way back only */
};

static void activations_layout(struct activations *a, struct arena *arena,
                               const struct shape *shape, ptrdiff_t n_rows, int keep) {
  const ptrdiff_t n = shape->n_layers, stride = row_stride(n_rows);
  real *turn[2] = {NULL, NULL};
  a->stride = stride;
  a->value = arena_take(arena, (size_t)(n + 1) * sizeof(real *));
  a->slope = arena_take(arena, (size_t)(n + 1) * sizeof(real *));
  for (int i = 0; i < 2 && !keep; i++)
    turn[i] = arena_reals(arena, widest_layer(shape) / LANES * stride);
  for (ptrdiff_t l = 0; l <= n; l++) {
    const ptrdiff_t width = l == 0 ? shape->d : shape->widths[l];
    const ptrdiff_t size = padded(width) / LANES * stride;
    const int sloped = keep && shape->activation == ACTIVATION_SILU && l > 0 && l < n;
    real *value = keep ? arena_reals(arena, size) : turn[l % 2];
    real *slope = sloped ? arena_reals(arena, size) : NULL;
    if (a->value) a->value[l] = value, a->slope[l] = slope;
  }
}

/* Row `to` becomes a copy of row `from` in every layer. */
static void activations_move(struct activations *a, const struct shape *shape,
                             ptrdiff_t to, ptrdiff_t from) {
  for (ptrdiff_t l = 0; l <= shape->n_layers; l++) {
    const ptrdiff_t width = l == 0 ? shape->d : shape->widths[l];
    const ptrdiff_t size = padded(width) / LANES * a->stride;
    for (ptrdiff_t b = 0; b < size; b += a->stride)
      vec_store(a->value[l] + b + to * LANES, vec_load(a->value[l] + b + from * LANES));
    for (ptrdiff_t b = 0; b < size && a->slope[l]; b += a->stride)
      vec_store(a->slope[l] + b + to * LANES, vec_load(a->slope[l] + b + from * LANES));
  }
}

/* y = activation(x) of MR rows; for SiLU also the slope, where it is asked for: it is not
 * a function of the value. */
static inline void activate(real *y, real *slope, const vec *x,
                            enum activation activation) {
  const vec one = vec_splat(1), zero = vec_splat(0);
  switch (activation) {
    case ACTIVATION_TANH:
      for (int r = 0; r < MR; r++) vec_store(y + r * LANES, vec_tanh(x[r]));
      break;
    case ACTIVATION_RELU:
      for (int r = 0; r < MR; r++) vec_store(y + r * LANES, vec_max(x[r], zero));
      break;
    case ACTIVATION_SILU:
      for (int r = 0; r < MR; r++) {
        const vec s = vec_logistic(x[r]);
        vec_store(y + r * LANES, x[r] * s);
        if (slope) vec_store(slope + r * LANES, s * (one + x[r] * (one - s)));
      }
      break;
  }
}

/* dx = dy activation'(.) of MR rows, from the value y (tanh, ReLU) or the slope (SiLU);
 * dx overwrites y. */
static inline void activate_backward(real *y, const real *slope, const vec *dy,
                                     enum activation activation) {
  const vec one = vec_splat(1), zero = vec_splat(0);
  for (int r = 0; r < MR; r++) {
    const vec value = vec_load(y + r * LANES);
    vec dx = zero;
    switch (activation) {
      case ACTIVATION_TANH: dx = dy[r] * (one - value * value); break;
      case ACTIVATION_RELU: dx = vec_select(vec_greater(value, zero), dy[r], zero); break;
      case ACTIVATION_SILU: dx = dy[r] * vec_load(slope + r * LANES); break;
    }
    vec_store(y + r * LANES, dx);
  }
}

/* What becomes of a product before it is stored. */
enum finish { AS_IT_IS, ACTIVATE, ACTIVATE_BACKWARD };

static inline void finish_block(real *y, real *slope, const vec *sums, enum finish finish,
                                enum activation activation) {
  switch (finish) {
    case AS_IT_IS:
      for (int r = 0; r < MR; r++) vec_store(y + r * LANES, sums[r]);
      break;
    case ACTIVATE: activate(y, slope, sums, activation); break;
    case ACTIVATE_BACKWARD: activate_backward(y, slope, sums, activation); break;
  }
}

struct product {
  const real *packed, *bias;
  ptrdiff_t n_out, n_in;
  enum finish finish;
  enum activation activation;
};

/* y = finish(W x + bias) for rows first, ..., first + count - 1 and up to MR - 1 more. A
 * pair of blocks of weights stays in the first-level cache while the rows pass. */
static void rows_product(real *y, real *slope, const real *x,
                         const struct product *product, ptrdiff_t first, ptrdiff_t count,
                         ptrdiff_t stride) {
  const ptrdiff_t n_in = product->n_in, width = padded(product->n_out);
  if (is_narrow(product->n_out)) {
    for (ptrdiff_t row = first; row < first + count && product->n_out > 0; row += MR) {
      vec sums[MR];
      narrow_block(sums, product->packed, product->bias, x + row * LANES, stride, n_in,
                   product->n_out);
      finish_block(y + row * LANES, slope ? slope + row * LANES : NULL, sums,
                   product->finish, product->activation);
    }
    return;
  }
  for (ptrdiff_t o = 0; o < width; o += 2 * LANES) {
    const real *w = product->packed + o * n_in, *bias = product->bias + o;
    const int n_c = o + LANES < width ? 2 : 1;
    for (ptrdiff_t row = first; row < first + count; row += MR) {
      vec sums[2 * MR];
      if (n_c == 2)
        product_block(sums, w, bias, x + row * LANES, stride, n_in, 2);
      else
        product_block(sums, w, bias, x + row * LANES, stride, n_in, 1);
      for (int c = 0; c < n_c; c++) {
        const ptrdiff_t at = (o / LANES + c) * stride + row * LANES;
        finish_block(y + at, slope ? slope + at : NULL, sums + c * MR, product->finish,
                     product->activation);
      }
    }
  }
}

/* Fills value[1..] of some rows from value[0]. */
static void mlp_forward(struct activations *a, const struct mlp *mlp, ptrdiff_t first,
                        ptrdiff_t count) {
  for (ptrdiff_t l = 0; l < mlp->n_layers; l++) {
    const struct layer *layer = mlp->layers + l;
    const struct product product = {.packed = layer->forward,
                                    .bias = layer->bias,
                                    .n_out = layer->n_out,
                                    .n_in = layer->n_in,
                                    .finish = l + 1 < mlp->n_layers ? ACTIVATE : AS_IT_IS,
                                    .activation = mlp->activation};
    rows_product(a->value[l + 1], a->slope[l + 1], a->value[l], &product, first, count,
                 a->stride);
  }
}

/* The sum of one block over rows, four at a time: sums of sums do not wait for each
 * other. */
static inline vec rows_sum(const real *x, ptrdiff_t n_rows) {
  vec sum = vec_splat(0);
  const real *end = x + n_rows * LANES;
  for (; x + 4 * LANES <= end; x += 4 * LANES)
    sum += (vec_load(x) + vec_load(x + LANES)) +
           (vec_load(x + 2 * LANES) + vec_load(x + 3 * LANES));
  for (; x < end; x += LANES) sum += vec_load(x);
  return sum;
}

/* Gradients of a network: layer by layer weights (n_in x padded(n_out) by rows) and then
 * biases (padded). */
static ptrdiff_t mlp_gradient_size(const struct shape *shape) {
  ptrdiff_t size = 0;
  for (ptrdiff_t l = 0; l < shape->n_layers; l++)
    size += (shape->widths[l] + 1) * padded(shape->widths[l + 1]);
  return size;
}

/* On entry value[n_layers] holds the gradient of the outputs of rows 0, ..., count - 1
 * (padded features zero). Adds to `gradient`; replaces every value but the inputs by its
 * layer's gradient; the inputs' goes to `dx`. */
static void mlp_backward(real *gradient, real *dx, struct activations *a,
                         const struct mlp *mlp, ptrdiff_t count) {
  const ptrdiff_t stride = a->stride;
  for (ptrdiff_t l = 0; l < mlp->n_layers; l++)
    gradient += (mlp->layers[l].n_in + 1) * padded(mlp->layers[l].n_out);
  for (ptrdiff_t l = mlp->n_layers - 1; l >= 0; l--) {
    const struct layer *layer = mlp->layers + l;
    const ptrdiff_t width = padded(layer->n_out);
    const real *dy = a->value[l + 1];
    gradient -= (layer->n_in + 1) * width;

    /* y = W x + b:  dW += dy x',  db += dy,  dx = W' dy */
    rows_outer(gradient, dy, a->value[l], stride, count, layer->n_out, layer->n_in);
    for (ptrdiff_t o = 0; o < width; o += LANES) {
      real *db = gradient + layer->n_in * width + o;
      vec_store(db, vec_load(db) + rows_sum(dy + o / LANES * stride, count));
    }
    const struct product product = {.packed = layer->backward,
                                    .bias = mlp->zero,
                                    .n_out = layer->n_in,
                                    .n_in = layer->n_out,
                                    .finish = l > 0 ? ACTIVATE_BACKWARD : AS_IT_IS,
                                    .activation = mlp->activation};
    rows_product(l > 0 ? a->value[l] : dx, a->slope[l], dy, &product, 0, count, stride);
  }
}

/* out += x, n numbers; returns their end. The inner loop's length is known, so that
 * compilers make vectors of it. */
static double *add_reals(double *out, const real *x, ptrdiff_t n) {
  ptrdiff_t i = 0;
  for (; i + LANES <= n; i += LANES)
    for (ptrdiff_t l = 0; l < LANES; l++) out[i + l] += (double)x[i + l];
  for (; i < n; i++) out[i] += (double)x[i];
  return out + n;
}

/* Adds a gradient as mlp_backward() leaves it to the flat ones. */
static void mlp_gradient_add(double *dweights, double *dbiases, const real *gradient,
                             const struct shape *shape) {
  for (ptrdiff_t l = 0; l < shape->n_layers; l++) {
    const ptrdiff_t n_in = shape->widths[l], n_out = shape->widths[l + 1];
    for (ptrdiff_t i = 0; i < n_in; i++, gradient += padded(n_out))
      dweights = add_reals(dweights, gradient, n_out);
    dbiases = add_reals(dbiases, gradient, n_out);
    gradient += padded(n_out);
  }
}
