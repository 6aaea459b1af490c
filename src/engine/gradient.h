/* The gradient of the weighted sum of log densities over a tile. Sums go to doubles. */
struct gradient_work {
  struct activations activations;       /* panel (panel of points) * k + component */
  real *x, *z, *dx, *total, *weight;    /* z: as activations.value[0], kept */
  real *joint, *normaliser, *posterior; /* a panel of points and component x PANEL */
};

/* A tile's activations should stay in the second-level cache. */
#define GRADIENT_TILE_BYTES (256 * 1024)

static ptrdiff_t gradient_panels(const struct shape *shape) {
  ptrdiff_t features = padded(shape->d);
  for (ptrdiff_t l = 0; l < shape->n_layers; l++)
    features += padded(shape->widths[l + 1]);
  const ptrdiff_t bytes = features * shape->k * PANEL * (ptrdiff_t)sizeof(real);
  const ptrdiff_t n = GRADIENT_TILE_BYTES / bytes;
  return n < 1 ? 1 : n > 8 ? 8 : n;
}

static ptrdiff_t gradient_rows(const struct shape *shape) {
  return gradient_panels(shape) * PANEL;
}

static struct gradient_work gradient_layout(struct arena *arena,
                                            const struct shape *shape) {
  struct gradient_work work;
  struct mlp mlp;
  struct arena counted = arena_open(NULL);
  mlp_layout(&mlp, &counted, shape);
  const ptrdiff_t n_panels = gradient_panels(shape), n = n_panels * shape->k;
  activations_layout(&work.activations, arena, shape, n);
  work.x = arena_reals(arena, shape->d * PANEL);
  work.z = arena_reals(arena, n * padded(shape->d) * PANEL);
  work.dx = arena_reals(arena, mlp.widest * PANEL);
  work.total = arena_reals(arena, PANEL);
  work.weight = arena_reals(arena, PANEL);
  work.joint = arena_reals(arena, n * PANEL);
  work.normaliser = arena_reals(arena, n * PANEL);
  work.posterior = arena_reals(arena, n * PANEL);
  return work;
}

static size_t gradient_bytes(const struct shape *shape) {
  struct arena arena = arena_open(NULL);
  gradient_layout(&arena, shape);
  return arena_size(&arena);
}

/* The rows' weights as a panel: zero beyond the last point. */
static void load_weights(real *weight, const struct rows *rows, ptrdiff_t begin) {
  for (ptrdiff_t p = 0; p < PANEL; p++) {
    const ptrdiff_t i = begin + p;
    weight[p] = i >= rows->count ? 0
                : rows->weights  ? (real)rows->weights[row_of(rows, i)]
                                 : 1;
  }
}

static void add_score(double *score, const real *log_density, const struct rows *rows,
                      ptrdiff_t begin) {
  for (ptrdiff_t p = 0; p < PANEL && begin + p < rows->count; p++) {
    const double a = rows->weights ? rows->weights[row_of(rows, begin + p)] : 1;
    *score += a * (double)log_density[p];
  }
}

/* Map and network of one component for the panel of points in work->x; log w_k + log N_k
 * into work->joint. `g` counts pairs of panel and component. */
static void gradient_forward(struct gradient_work *work, const struct model *model,
                             ptrdiff_t g, ptrdiff_t k) {
  const ptrdiff_t d_size = padded(model->shape.d) * PANEL;
  real *joint = work->joint + g * PANEL, *z = work->z + g * d_size;
  affine_forward(z, joint, &model->map, work->x, k);
  if (model->log_weight) {
    const vec own = vec_splat(model->log_weight[k]);
    for (ptrdiff_t p = 0; p < PANEL; p += LANES)
      vec_store(joint + p, vec_load(joint + p) + own);
    return;
  }
  struct activations *a = &work->activations;
  real own[PANEL];
  memcpy(a->value[0] + g * d_size, z, (size_t)(model->shape.d * PANEL) * sizeof(real));
  for (ptrdiff_t i = model->shape.d * PANEL; i < d_size; i++)
    a->value[0][g * d_size + i] = 0;
  mlp_forward(a, &model->mlp, g);
  const real *logits =
      a->value[model->shape.n_layers] + g * padded(model->shape.k) * PANEL;
  log_weight_own(own, work->normaliser + g * PANEL, logits, k, model->shape.k);
  for (ptrdiff_t p = 0; p < PANEL; p += LANES)
    vec_store(joint + p, vec_load(joint + p) + vec_load(own + p));
}

/* a v_k = a exp(joint_k - log p) for the components of one panel of points. */
static void panel_posterior(real *posterior, real *total, const real *joint,
                            const real *weight, ptrdiff_t n_k) {
  log_sum_exp(total, joint, n_k);
  for (ptrdiff_t k = 0; k < n_k; k++)
    for (ptrdiff_t p = 0; p < PANEL; p += LANES) {
      const vec v = vec_exp(vec_load(joint + k * PANEL + p) - vec_load(total + p));
      vec_store(posterior + k * PANEL + p, vec_load(weight + p) * v);
    }
}

/* The constant classifier: dlog pi_k += sum a (v_k - pi_k). */
static void constant_backward(double *dbias, const struct gradient_work *work,
                              const struct model *model, ptrdiff_t n_panels) {
  const ptrdiff_t n_k = model->shape.k;
  for (ptrdiff_t g = 0; g < n_panels * n_k; g += n_k) {
    vec all = vec_splat(0);
    for (ptrdiff_t k = 0; k < n_k; k++) {
      vec sum = vec_splat(0);
      for (ptrdiff_t p = 0; p < PANEL; p += LANES)
        sum += vec_load(work->posterior + (g + k) * PANEL + p);
      dbias[k] += (double)vec_sum(sum);
      all += sum;
    }
    const double total = (double)vec_sum(all);
    for (ptrdiff_t k = 0; k < n_k; k++)
      dbias[k] -= total * exp((double)model->log_weight[k]);
  }
}

static void gradient_backward(double *gradient, struct gradient_work *work,
                              const struct model *model, ptrdiff_t n_panels) {
  const ptrdiff_t n_k = model->shape.k, d = model->shape.d,
                  n_layers = model->shape.n_layers;
  const ptrdiff_t d_size = padded(d) * PANEL, n = n_panels * n_k;
  struct activations *a = &work->activations;
  if (model->log_weight) {
    constant_backward(gradient + model->at.biases, work, model, n_panels);
    memset(a->value[0], 0, (size_t)(n * d_size) * sizeof(real));
  } else {
    a->n_panels = n;
    for (ptrdiff_t g = 0; g < n; g++)
      softmax_backward(a->value[n_layers] + g * padded(n_k) * PANEL,
                       work->normaliser + g * PANEL, work->posterior + g * PANEL, g % n_k,
                       n_k);
    mlp_backward(gradient + model->at.weights, gradient + model->at.biases, a,
                 &model->mlp, work->dx);
  }
  for (ptrdiff_t g = 0; g < n; g++) {
    /* log N adds -v z to dz */
    real *dz = a->value[0] + g * d_size;
    const real *z = work->z + g * d_size, *v = work->posterior + g * PANEL;
    for (ptrdiff_t j = 0; j < d; j++)
      for (ptrdiff_t p = 0; p < PANEL; p += LANES)
        vec_store(dz + j * PANEL + p, vec_load(dz + j * PANEL + p) -
                                          vec_load(v + p) * vec_load(z + j * PANEL + p));
    affine_backward(gradient, gradient + model->at.scale, dz, z, v, &model->map, g % n_k);
  }
}

static void gradient_tile(double *gradient, double *score, const void *block,
                          const struct rows *rows, void *scratch) {
  const struct model *model = model_at(block);
  const ptrdiff_t n_k = model->shape.k;
  struct arena arena = arena_open(scratch);
  struct gradient_work work = gradient_layout(&arena, &model->shape);
  ptrdiff_t n_panels = 0;
  for (ptrdiff_t begin = 0; begin < rows->count; begin += PANEL, n_panels++) {
    const ptrdiff_t g = n_panels * n_k;
    load_panel(work.x, rows, model->shape.d, begin);
    load_weights(work.weight, rows, begin);
    for (ptrdiff_t k = 0; k < n_k; k++) gradient_forward(&work, model, g + k, k);
    panel_posterior(work.posterior + g * PANEL, work.total, work.joint + g * PANEL,
                    work.weight, n_k);
    add_score(score, work.total, rows, begin);
  }
  gradient_backward(gradient, &work, model, n_panels);
}
