/* The component a base draw goes to, over tiles: k with probability w_k(z), by
 * inversion. */

/* Rows that pass the network at a time, a multiple of MR and LANES: between 24 and 192
 * the cost is flat. */
#define DRAW_ROWS 48

struct draw_work {
  struct activations rows;
  real *u, *chosen; /* LANES */
  real *cumulated;  /* k x LANES */
};

static struct draw_work draw_layout(struct arena *arena, const struct shape *shape) {
  struct draw_work work;
  activations_layout(&work.rows, arena, shape, DRAW_ROWS, 0);
  work.u = arena_reals(arena, LANES);
  work.chosen = arena_reals(arena, LANES);
  work.cumulated = arena_reals(arena, shape->k * LANES);
  return work;
}

static size_t draw_bytes(const struct shape *shape) {
  struct arena arena = arena_open(NULL);
  draw_layout(&arena, shape);
  return arena_size(&arena);
}

/* Handing out a tile costs nothing beside it, and a block of draws has enough to
 * balance. */
static ptrdiff_t draw_rows(void) { return 4 * DRAW_ROWS; }

/* The logits of the base draws, a vector a row in value[n_layers]; the last vector's rows
 * beyond `count` are copies of the last one. */
static void draw_network(struct draw_work *work, const struct mlp *mlp,
                         const double *base, ptrdiff_t d, ptrdiff_t count) {
  const ptrdiff_t whole = (count + LANES - 1) / LANES * LANES;
  for (ptrdiff_t i = 0; i < whole; i++) {
    const double *row = base + (i < count ? i : count - 1) * (d + 1);
    real *to = work->rows.value[0] + i * LANES;
    for (ptrdiff_t j = 0; j < d; j++) to[feature_at(j, work->rows.stride)] = (real)row[j];
  }
  mlp_forward(&work->rows, mlp, 0, whole);
}

/* chosen = the number of components j with c_j < u c_k, c_j = sum_{i <= j} exp(f_i -
 * max f), for LANES rows: neither the normaliser's logarithm nor a division is needed.
 * As u < 1, u c_k does not round above c_k: the last need not be counted, and no
 * weight of zero is chosen. `logits` points at the first row's. */
static inline void draw_choose(struct draw_work *work, const real *logits,
                               ptrdiff_t n_k) {
  const vec zero = vec_splat(0), one = vec_splat(1);
  real *cumulated = work->cumulated;
  for (ptrdiff_t k = 0; k < n_k; k++) {
    const real *from = logits + feature_at(k, work->rows.stride);
    for (ptrdiff_t r = 0; r < LANES; r++) cumulated[k * LANES + r] = from[r * LANES];
  }
  vec top = vec_load(cumulated), sum = zero, below = zero;
  for (ptrdiff_t k = 1; k < n_k; k++) top = vec_max(vec_load(cumulated + k * LANES), top);
  for (ptrdiff_t k = 0; k < n_k; k++) {
    sum += vec_exp(vec_load(cumulated + k * LANES) - top);
    vec_store(cumulated + k * LANES, sum);
  }
  const vec target = vec_load(work->u) * sum;
  for (ptrdiff_t k = 0; k < n_k - 1; k++)
    below += vec_select(vec_greater(target, vec_load(cumulated + k * LANES)), one, zero);
  vec_store(work->chosen, below);
}

static void draw_tile(int *component, const void *block, const double *base,
                      ptrdiff_t count, void *scratch) {
  const struct model *model = arena_first(block);
  const ptrdiff_t d = model->shape.d;
  struct arena arena = arena_open(scratch);
  struct draw_work work = draw_layout(&arena, &model->shape);
  const real *logits = work.rows.value[model->shape.n_layers];
  for (ptrdiff_t begin = 0; begin < count; begin += DRAW_ROWS) {
    const ptrdiff_t left = count - begin, n = left < DRAW_ROWS ? left : DRAW_ROWS;
    draw_network(&work, &model->mlp, base + begin * (d + 1), d, n);
    for (ptrdiff_t i = 0; i < n; i += LANES) {
      const ptrdiff_t lanes = n - i < LANES ? n - i : LANES;
      for (ptrdiff_t r = 0; r < LANES; r++)
        work.u[r] = (real)base[(begin + i + (r < lanes ? r : 0)) * (d + 1) + d];
      draw_choose(&work, logits + i * LANES, model->shape.k);
      for (ptrdiff_t r = 0; r < lanes; r++)
        component[begin + i + r] = (int)work.chosen[r];
    }
  }
}
