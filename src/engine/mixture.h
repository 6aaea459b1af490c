/* Formula (16) over tiles: log p(x) = log sum_k w_k(z_k) N(x; mu_k, Sigma_k). */
struct model {
  struct shape shape;
  struct layout at;
  struct affine map;
  struct mlp mlp;
  real *log_weight; /* log w of a constant classifier, k; NULL for a network */
};

/* The model and everything it points to stand in one block. */
static struct model *model_layout(struct arena *arena, const struct shape *shape) {
  struct model local, *model = arena_take(arena, sizeof(struct model));
  local.shape = *shape;
  local.at = shape_layout(shape);
  affine_layout(&local.map, shape, arena);
  mlp_layout(&local.mlp, shape, arena);
  local.log_weight = shape->n_layers == 0 ? arena_reals(arena, shape->k) : NULL;
  if (model) *model = local;
  return model;
}

static size_t model_bytes(const struct shape *shape) {
  struct arena arena = arena_open(NULL);
  model_layout(&arena, shape);
  return arena_size(&arena);
}

/* The block may start anywhere; the model in it starts at the first cache line. */
static const struct model *model_at(const void *block) {
  const size_t skip = (64 - (size_t)((uintptr_t)block % 64)) % 64;
  return (const struct model *)((const char *)block + skip);
}

static void model_prepare(void *block, const double *parameters,
                          const struct shape *shape) {
  struct arena arena = arena_open(block);
  struct model *model = model_layout(&arena, shape);
  const struct layout at = model->at;
  affine_prepare(&model->map, parameters, parameters + at.scale);
  mlp_prepare(&model->mlp, parameters + at.weights, parameters + at.biases);
  if (shape->n_layers > 0) return;
  const double *log_pi = parameters + at.biases;
  double top = -INFINITY, sum = 0;
  for (ptrdiff_t k = 0; k < shape->k; k++) top = log_pi[k] > top ? log_pi[k] : top;
  for (ptrdiff_t k = 0; k < shape->k; k++) sum += exp(log_pi[k] - top);
  for (ptrdiff_t k = 0; k < shape->k; k++)
    model->log_weight[k] = (real)(log_pi[k] - top - log(sum));
}

static inline ptrdiff_t row_of(const struct rows *rows, ptrdiff_t i) {
  i += rows->first;
  return rows->index ? rows->index[i] : i;
}

/* Points `begin`... of the tile as a panel; beyond the last one, copies of it. */
static void load_panel(real *x, const struct rows *rows, ptrdiff_t d, ptrdiff_t begin) {
  for (ptrdiff_t p = 0; p < PANEL; p++) {
    const ptrdiff_t i = begin + p < rows->count ? begin + p : rows->count - 1;
    const double *row = rows->x + row_of(rows, i);
    for (ptrdiff_t j = 0; j < d; j++) x[j * PANEL + p] = (real)row[j * rows->stride];
  }
}

static inline void splat_panel(real *out, real value) {
  for (ptrdiff_t p = 0; p < PANEL; p++) out[p] = value;
}

/* log w_own from the logits of a panel; their normaliser is written too. */
static void log_weight_own(real *log_weight, real *normaliser, const real *logits,
                           ptrdiff_t own, ptrdiff_t k) {
  log_sum_exp(normaliser, logits, k);
  for (ptrdiff_t p = 0; p < PANEL; p += LANES)
    vec_store(log_weight + p,
              vec_load(logits + own * PANEL + p) - vec_load(normaliser + p));
}

/* ---- density ---- */

struct density_work {
  real *x, *z, *buffer, *spare, *normaliser, *total;
  real *log_weight, *log_component; /* k x PANEL */
};

static struct density_work density_layout(struct arena *arena,
                                          const struct shape *shape) {
  struct density_work work;
  struct mlp mlp;
  struct arena counted = arena_open(NULL);
  mlp_layout(&mlp, shape, &counted);
  work.x = arena_reals(arena, shape->d * PANEL);
  work.z = arena_reals(arena, shape->d * PANEL);
  work.buffer = arena_reals(arena, mlp.widest * PANEL);
  work.spare = arena_reals(arena, mlp.widest * PANEL);
  work.normaliser = arena_reals(arena, PANEL);
  work.total = arena_reals(arena, PANEL);
  work.log_weight = arena_reals(arena, shape->k * PANEL);
  work.log_component = arena_reals(arena, shape->k * PANEL);
  return work;
}

static size_t density_bytes(const struct shape *shape) {
  struct arena arena = arena_open(NULL);
  density_layout(&arena, shape);
  return arena_size(&arena);
}

/* Large enough that handing out a tile costs nothing beside it, small enough to balance. */
static ptrdiff_t density_rows(const struct shape *shape) {
  (void)shape;
  return 8 * PANEL;
}

static void write_panel(double *out, ptrdiff_t stride, const real *values, ptrdiff_t n,
                        const struct rows *rows, ptrdiff_t begin) {
  for (ptrdiff_t j = 0; j < n; j++)
    for (ptrdiff_t p = 0; p < PANEL && begin + p < rows->count; p++)
      out[row_of(rows, begin + p) + j * stride] = (double)values[j * PANEL + p];
}

/* log w_k(z_k) and log N(x; mu_k, Sigma_k) of all components for the panel in work->x. */
static void panel_terms(struct density_work *work, const struct model *model) {
  const ptrdiff_t n_k = model->shape.k;
  for (ptrdiff_t k = 0; k < n_k; k++) {
    real *log_weight = work->log_weight + k * PANEL;
    affine_forward(work->z, work->log_component + k * PANEL, &model->map, work->x, k);
    if (model->log_weight) {
      splat_panel(log_weight, model->log_weight[k]);
    } else {
      const real *logits = mlp_outputs(&model->mlp, work->z, work->buffer, work->spare);
      log_weight_own(log_weight, work->normaliser, logits, k, n_k);
    }
  }
}

static void density_tile(double *out, ptrdiff_t stride, const void *block,
                         enum quantity quantity, const struct rows *rows, void *scratch) {
  const struct model *model = model_at(block);
  const ptrdiff_t n_k = model->shape.k;
  struct arena arena = arena_open(scratch);
  struct density_work work = density_layout(&arena, &model->shape);

  for (ptrdiff_t begin = 0; begin < rows->count; begin += PANEL) {
    load_panel(work.x, rows, model->shape.d, begin);
    panel_terms(&work, model);
    if (quantity == LOG_WEIGHT) {
      write_panel(out, stride, work.log_weight, n_k, rows, begin);
      continue;
    }
    if (quantity == LOG_COMPONENT) {
      write_panel(out, stride, work.log_component, n_k, rows, begin);
      continue;
    }
    /* log v_k = log w_k + log N_k - log p */
    real *joint = work.log_component;
    for (ptrdiff_t i = 0; i < n_k * PANEL; i += LANES)
      vec_store(joint + i, vec_load(joint + i) + vec_load(work.log_weight + i));
    log_sum_exp(work.total, joint, n_k);
    if (quantity == LOG_DENSITY) {
      write_panel(out, stride, work.total, 1, rows, begin);
      continue;
    }
    for (ptrdiff_t k = 0; k < n_k; k++)
      for (ptrdiff_t p = 0; p < PANEL; p += LANES)
        vec_store(joint + k * PANEL + p,
                  vec_load(joint + k * PANEL + p) - vec_load(work.total + p));
    write_panel(out, stride, joint, n_k, rows, begin);
  }
}

/* log w(z) of the panel in work->x, k x PANEL, in work->log_weight. */
static void panel_classifier(struct density_work *work, const struct model *model) {
  const ptrdiff_t n_k = model->shape.k;
  if (model->log_weight) {
    for (ptrdiff_t k = 0; k < n_k; k++)
      splat_panel(work->log_weight + k * PANEL, model->log_weight[k]);
    return;
  }
  const real *logits = mlp_outputs(&model->mlp, work->x, work->buffer, work->spare);
  log_sum_exp(work->normaliser, logits, n_k);
  for (ptrdiff_t k = 0; k < n_k; k++)
    for (ptrdiff_t p = 0; p < PANEL; p += LANES)
      vec_store(work->log_weight + k * PANEL + p,
                vec_load(logits + k * PANEL + p) - vec_load(work->normaliser + p));
}

static void classifier_tile(double *out, ptrdiff_t stride, const void *block,
                            const struct rows *rows, void *scratch) {
  const struct model *model = model_at(block);
  struct arena arena = arena_open(scratch);
  struct density_work work = density_layout(&arena, &model->shape);
  for (ptrdiff_t begin = 0; begin < rows->count; begin += PANEL) {
    load_panel(work.x, rows, model->shape.d, begin);
    panel_classifier(&work, model);
    write_panel(out, stride, work.log_weight, model->shape.k, rows, begin);
  }
}

static void choose_tile(int *component, const void *block, const struct rows *rows,
                        const double *u, void *scratch) {
  const struct model *model = model_at(block);
  const ptrdiff_t n_k = model->shape.k;
  struct arena arena = arena_open(scratch);
  struct density_work work = density_layout(&arena, &model->shape);
  for (ptrdiff_t begin = 0; begin < rows->count; begin += PANEL) {
    load_panel(work.x, rows, model->shape.d, begin);
    panel_classifier(&work, model);
    real *weight = work.log_weight;
    for (ptrdiff_t i = 0; i < n_k * PANEL; i += LANES)
      vec_store(weight + i, vec_exp(vec_load(weight + i)));
    for (ptrdiff_t p = 0; p < PANEL && begin + p < rows->count; p++) {
      const ptrdiff_t row = row_of(rows, begin + p);
      /* Rounding may leave the total a little below u: the last possible one then. */
      double cumulated = 0;
      ptrdiff_t chosen = 0;
      for (ptrdiff_t k = 0; k < n_k && cumulated < u[row]; k++) {
        const double w = (double)weight[k * PANEL + p];
        cumulated += w;
        if (w > 0) chosen = k;
      }
      component[row] = (int)chosen;
    }
  }
}

/* ---- gradient ---- */

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
  mlp_layout(&mlp, shape, &counted);
  const ptrdiff_t n_panels = gradient_panels(shape), n = n_panels * shape->k;
  activations_layout(&work.activations, shape, n, arena);
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

/* Map and network of one component for the panel of points in work->x; log w_k + log N_k into
 * work->joint. `g` counts pairs of panel and component. */
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
static void constant_backward(real *dbias, const struct gradient_work *work,
                              const struct model *model, ptrdiff_t n_panels) {
  const ptrdiff_t n_k = model->shape.k;
  for (ptrdiff_t g = 0; g < n_panels * n_k; g += n_k) {
    vec all = vec_splat(0);
    for (ptrdiff_t k = 0; k < n_k; k++) {
      vec sum = vec_splat(0);
      for (ptrdiff_t p = 0; p < PANEL; p += LANES)
        sum += vec_load(work->posterior + (g + k) * PANEL + p);
      dbias[k] += vec_sum(sum);
      all += sum;
    }
    const real total = vec_sum(all);
    for (ptrdiff_t k = 0; k < n_k; k++)
      dbias[k] -= total * (real)exp((double)model->log_weight[k]);
  }
}

static void gradient_backward(real *gradient, struct gradient_work *work,
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
    mlp_backward(a, gradient + model->at.weights, gradient + model->at.biases,
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

static void gradient_tile(void *gradient, double *score, const void *block,
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

static void gradient_sum(double *sum, const void *gradients, ptrdiff_t n_slots,
                         ptrdiff_t stride, ptrdiff_t n) {
  const real *slots = gradients;
  for (ptrdiff_t j = 0; j < n; j++) {
    double total = 0;
    for (ptrdiff_t s = 0; s < n_slots; s++) total += (double)slots[s * stride + j];
    sum[j] = total;
  }
}
