/* The component a base draw goes to, over tiles: k with probability w_k(z), by inversion. */
struct draw_work {
  real *z, *u, *buffer, *spare;
  real *cumulated; /* k x PANEL */
};

static struct draw_work draw_layout(struct arena *arena, const struct shape *shape) {
  struct draw_work work;
  struct mlp mlp;
  struct arena counted = arena_open(NULL);
  mlp_layout(&mlp, &counted, shape);
  work.z = arena_reals(arena, shape->d * PANEL);
  work.u = arena_reals(arena, PANEL);
  work.buffer = arena_reals(arena, mlp.widest * PANEL);
  work.spare = arena_reals(arena, mlp.widest * PANEL);
  work.cumulated = arena_reals(arena, shape->k * PANEL);
  return work;
}

static size_t draw_bytes(const struct shape *shape) {
  struct arena arena = arena_open(NULL);
  draw_layout(&arena, shape);
  return arena_size(&arena);
}

/* Handing out a tile costs nothing beside it, and a block of draws has enough to balance. */
static ptrdiff_t draw_rows(void) { return 8 * PANEL; }

/* f(z) of the panel in work->z, k x PANEL. */
static const real *draw_logits(struct draw_work *work, const struct model *model) {
  return mlp_outputs(&model->mlp, work->z, work->buffer, work->spare);
}

/* Rows `begin`... of the tile; beyond the last one, copies of it. */
static void draw_load(struct draw_work *work, const double *base, ptrdiff_t d,
                      ptrdiff_t begin, ptrdiff_t count) {
  for (ptrdiff_t p = 0; p < PANEL; p++) {
    const double *row = base + (begin + p < count ? begin + p : count - 1) * (d + 1);
    for (ptrdiff_t j = 0; j < d; j++) work->z[j * PANEL + p] = (real)row[j];
    work->u[p] = (real)row[d];
  }
}

/* out = the number of components j with c_j < u c_k, c_j = sum_{i <= j} exp(f_i - max f):
 * neither the normaliser's logarithm nor a division is needed. As u < 1, u c_k does not
 * round above c_k: the last need not be counted, and no weight of zero is chosen. */
static void draw_choose(real *out, real *cumulated, const real *logits, const real *u,
                        ptrdiff_t n_k) {
  const vec zero = vec_splat(0), one = vec_splat(1);
  for (ptrdiff_t v = 0; v < PANEL; v += LANES) {
    vec top = vec_load(logits + v);
    for (ptrdiff_t k = 1; k < n_k; k++)
      top = vec_max(vec_load(logits + k * PANEL + v), top);
    vec sum = zero;
    for (ptrdiff_t k = 0; k < n_k; k++) {
      sum += vec_exp(vec_load(logits + k * PANEL + v) - top);
      vec_store(cumulated + k * PANEL + v, sum);
    }
    const vec target = vec_load(u + v) * sum;
    vec below = zero;
    for (ptrdiff_t k = 0; k < n_k - 1; k++)
      below +=
          vec_select(vec_greater(target, vec_load(cumulated + k * PANEL + v)), one, zero);
    vec_store(out + v, below);
  }
}

static void draw_tile(int *component, const void *block, const double *base,
                      ptrdiff_t count, void *scratch) {
  const struct model *model = model_at(block);
  struct arena arena = arena_open(scratch);
  struct draw_work work = draw_layout(&arena, &model->shape);
  for (ptrdiff_t begin = 0; begin < count; begin += PANEL) {
    draw_load(&work, base, model->shape.d, begin, count);
    draw_choose(work.u, work.cumulated, draw_logits(&work, model), work.u,
                model->shape.k);
    for (ptrdiff_t p = 0; p < PANEL && begin + p < count; p++)
      component[begin + p] = (int)work.u[p];
  }
}
