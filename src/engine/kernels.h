/* The kernels one at a time, for tests. */

/* Applies "exp", "log", "tanh", "logistic" or (in double) "exp2" to n numbers; returns 0 for another name. */
static int math(double *out, const char *function, const double *x, ptrdiff_t n) {
  vec (*f)(vec) = strcmp(function, "exp") == 0        ? vec_exp
                  : strcmp(function, "log") == 0      ? vec_log
                  : strcmp(function, "tanh") == 0     ? vec_tanh
                  : strcmp(function, "logistic") == 0 ? vec_logistic
#if REAL_IS_DOUBLE
                  : strcmp(function, "exp2") == 0 ? vec_exp2_down
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
  real *forward, *backward, *bias, *zero, *x, *y, *dx, *dy;
};

static struct dense_work dense_layout(struct arena *arena, const struct dense *layer) {
  const ptrdiff_t out = padded(layer->n_out), in = padded(layer->n_in);
  const ptrdiff_t n_panels = (layer->n + PANEL - 1) / PANEL;
  struct dense_work work;
  work.forward = arena_reals(arena, out * layer->n_in);
  work.backward = arena_reals(arena, in * layer->n_out);
  work.bias = arena_reals(arena, out);
  work.zero = arena_reals(arena, in);
  work.x = arena_reals(arena, n_panels * in * PANEL);
  work.y = arena_reals(arena, out * PANEL);
  work.dx = arena_reals(arena, in * PANEL);
  work.dy = arena_reals(arena, n_panels * out * PANEL);
  return work;
}

static size_t dense_bytes(const struct dense *layer) {
  struct arena arena = arena_open(NULL);
  dense_layout(&arena, layer);
  return arena_size(&arena);
}

/* Copies columns of a feature x point matrix into padded panels, zero beyond them. */
static void to_panels(real *out, const double *x, ptrdiff_t n_features, ptrdiff_t n) {
  for (ptrdiff_t begin = 0; begin < n; begin += PANEL)
    for (ptrdiff_t f = 0; f < padded(n_features); f++)
      for (ptrdiff_t p = begin; p < begin + PANEL; p++)
        *out++ = f < n_features && p < n ? (real)x[f + n_features * p] : 0;
}

static void from_panel(double *out, const real *panel, ptrdiff_t n_features, ptrdiff_t n,
                       ptrdiff_t begin) {
  for (ptrdiff_t p = begin; p < n && p < begin + PANEL; p++)
    for (ptrdiff_t f = 0; f < n_features; f++)
      out[f + n_features * p] = (double)panel[f * PANEL + p - begin];
}

static void dense(const struct dense *layer, void *scratch) {
  const ptrdiff_t n_out = layer->n_out, n_in = layer->n_in, n = layer->n;
  const ptrdiff_t in = padded(n_in) * PANEL, out = padded(n_out) * PANEL;
  struct arena arena = arena_open(scratch);
  struct dense_work work = dense_layout(&arena, layer);
  pack(work.forward, layer->w, n_out, n_in, 1, n_out);
  pack(work.backward, layer->w, n_in, n_out, n_out, 1);
  for (ptrdiff_t o = 0; o < padded(n_out); o++)
    work.bias[o] = o < n_out ? (real)layer->bias[o] : 0;
  for (ptrdiff_t i = 0; i < padded(n_in); i++) work.zero[i] = 0;
  for (ptrdiff_t i = 0; i < n_out * n_in; i++) layer->dw[i] = 0;
  to_panels(work.x, layer->x, n_in, n);
  to_panels(work.dy, layer->dy, n_out, n);
  for (ptrdiff_t g = 0; g * PANEL < n; g++) {
    panel_product(work.y, work.forward, work.bias, work.x + g * in, n_out, n_in);
    from_panel(layer->y, work.y, n_out, n, g * PANEL);
    panel_product(work.dx, work.backward, work.zero, work.dy + g * out, n_in, n_out);
    from_panel(layer->dx, work.dx, n_in, n, g * PANEL);
  }
  panels_outer(layer->dw, work.dy, work.x, (n + PANEL - 1) / PANEL, n_out, n_in);
}
