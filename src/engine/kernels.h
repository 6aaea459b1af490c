/* The kernels one at a time, for tests. */

/* Applies "exp", "log", "tanh", "logistic" or (in double) "exp2" and "root" to n
 * numbers; returns 0 for another name. */
static int math(double *out, const char *function, const double *x, ptrdiff_t n) {
  vec (*f)(vec) = strcmp(function, "exp") == 0        ? vec_exp
                  : strcmp(function, "log") == 0      ? vec_log
                  : strcmp(function, "tanh") == 0     ? vec_tanh
                  : strcmp(function, "logistic") == 0 ? vec_logistic
#if REAL_IS_DOUBLE
                  : strcmp(function, "exp2") == 0 ? vec_exp2_down
                  : strcmp(function, "root") == 0 ? vec_root
#endif
                                                  : NULL;
  if (!f) return 0;
  for (ptrdiff_t i = 0; i < n; i += LANES) {
    real lanes[LANES];
    for (ptrdiff_t v = 0; v < LANES; v++) lanes[v] = (real)x[i + v < n ? i + v : n - 1];
    vec_store(lanes, f(vec_load(lanes)));
    for (ptrdiff_t v = 0; v < LANES && i + v < n; v++) out[i + v] = (double)lanes[v];
  }
  return 1;
}

struct dense_work {
  ptrdiff_t stride;
  real *forward, *backward, *bias, *zero, *x, *y, *dx, *dy, *dw;
};

static struct dense_work dense_layout(struct arena *arena, const struct dense *layer) {
  const ptrdiff_t out = padded(layer->n_out), in = padded(layer->n_in);
  struct dense_work work;
  work.stride = row_stride(layer->n);
  work.forward = arena_reals(arena, packed_size(layer->n_out, layer->n_in));
  work.backward = arena_reals(arena, packed_size(layer->n_in, layer->n_out));
  work.bias = arena_reals(arena, out);
  work.zero = arena_reals(arena, in);
  work.x = arena_reals(arena, in / LANES * work.stride);
  work.y = arena_reals(arena, out / LANES * work.stride);
  work.dx = arena_reals(arena, in / LANES * work.stride);
  work.dy = arena_reals(arena, out / LANES * work.stride);
  work.dw = arena_reals(arena, layer->n_in * out);
  return work;
}

static size_t dense_bytes(const struct dense *layer) {
  struct arena arena = arena_open(NULL);
  dense_layout(&arena, layer);
  return arena_size(&arena);
}

/* A feature x point matrix as rows in blocks, zero beyond its features; and back. */
static void to_rows(real *out, const double *x, ptrdiff_t n_features, ptrdiff_t n,
                    ptrdiff_t stride) {
  for (ptrdiff_t p = 0; p < n; p++)
    for (ptrdiff_t f = 0; f < padded(n_features); f++)
      out[feature_at(f, stride) + p * LANES] =
          f < n_features ? (real)x[f + n_features * p] : 0;
}

static void from_rows(double *out, const real *rows, ptrdiff_t n_features, ptrdiff_t n,
                      ptrdiff_t stride) {
  for (ptrdiff_t p = 0; p < n; p++)
    for (ptrdiff_t f = 0; f < n_features; f++)
      out[f + n_features * p] = (double)rows[feature_at(f, stride) + p * LANES];
}

static void dense(const struct dense *layer, void *scratch) {
  const ptrdiff_t n_out = layer->n_out, n_in = layer->n_in, n = layer->n;
  struct arena arena = arena_open(scratch);
  const struct dense_work work = dense_layout(&arena, layer);
  pack(work.forward, layer->w, n_out, n_in, 1, n_out);
  pack(work.backward, layer->w, n_in, n_out, n_out, 1);
  for (ptrdiff_t o = 0; o < padded(n_out); o++)
    work.bias[o] = o < n_out ? (real)layer->bias[o] : 0;
  zero_reals(work.zero, padded(n_in));
  zero_reals(work.dw, n_in * padded(n_out));
  to_rows(work.x, layer->x, n_in, n, work.stride);
  to_rows(work.dy, layer->dy, n_out, n, work.stride);
  const struct product y = {work.forward, work.bias, n_out,
                            n_in,         AS_IT_IS,  ACTIVATION_TANH};
  rows_product(work.y, NULL, work.x, &y, 0, n, work.stride);
  from_rows(layer->y, work.y, n_out, n, work.stride);
  const struct product dx = {work.backward, work.zero, n_in,
                             n_out,         AS_IT_IS,  ACTIVATION_TANH};
  rows_product(work.dx, NULL, work.dy, &dx, 0, n, work.stride);
  from_rows(layer->dx, work.dx, n_in, n, work.stride);
  rows_outer(work.dw, work.dy, work.x, work.stride, n, n_out, n_in);
  for (ptrdiff_t i = 0; i < n_in; i++)
    for (ptrdiff_t o = 0; o < n_out; o++)
      layer->dw[o + n_out * i] = (double)work.dw[i * padded(n_out) + o];
}
