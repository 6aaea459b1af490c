/* The prepared model of formula (16), p(x) = sum_k w_k(z_k) N(x; mu_k, Sigma_k), and
 * panels of its points. */
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
  affine_layout(&local.map, arena, shape);
  mlp_layout(&local.mlp, arena, shape);
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
