/* The kernels one at a time, for tests. */

/* Applies "exp", "log", "tanh" or "logistic" to n numbers; returns 0 for another name. */
static int math(double *out, const char *function, const double *x, ptrdiff_t n) {
  vec (*f)(vec) = strcmp(function, "exp") == 0        ? vec_exp
                  : strcmp(function, "log") == 0      ? vec_log
                  : strcmp(function, "tanh") == 0     ? vec_tanh
                  : strcmp(function, "logistic") == 0 ? vec_logistic
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

struct product_work {
  real *forward, *backward, *bias, *zero, *x, *y, *dx, *dy, *dw;
};

static struct product_work product_layout(struct arena *arena, ptrdiff_t n_out,
                                          ptrdiff_t n_in, ptrdiff_t n) {
  const ptrdiff_t n_panels = (n + PANEL - 1) / PANEL;
  struct product_work work;
  work.forward = arena_reals(arena, padded(n_out) * n_in);
  work.backward = arena_reals(arena, padded(n_in) * n_out);
  work.bias = arena_reals(arena, padded(n_out));
  work.zero = arena_reals(arena, padded(n_in));
  work.x = arena_reals(arena, n_panels * padded(n_in) * PANEL);
  work.y = arena_reals(arena, padded(n_out) * PANEL);
  work.dx = arena_reals(arena, padded(n_in) * PANEL);
  work.dy = arena_reals(arena, n_panels * padded(n_out) * PANEL);
  work.dw = arena_reals(arena, n_out * n_in);
  return work;
}

static size_t product_bytes(ptrdiff_t n_out, ptrdiff_t n_in, ptrdiff_t n) {
  struct arena arena = arena_open(NULL);
  product_layout(&arena, n_out, n_in, n);
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

/* A dense layer and its way back: y = W x + b, dx = W' dy, dw = dy x'; x is n_in x n, y and dy
 * n_out x n. Overwrites. */
static void product(double *y, double *dx, double *dw, const double *w,
                    const double *bias, const double *x, const double *dy,
                    ptrdiff_t n_out, ptrdiff_t n_in, ptrdiff_t n, void *scratch) {
  struct arena arena = arena_open(scratch);
  struct product_work work = product_layout(&arena, n_out, n_in, n);
  const ptrdiff_t in = padded(n_in) * PANEL, out = padded(n_out) * PANEL;
  pack(work.forward, w, n_out, n_in, 1, n_out);
  pack(work.backward, w, n_in, n_out, n_out, 1);
  for (ptrdiff_t o = 0; o < padded(n_out); o++)
    work.bias[o] = o < n_out ? (real)bias[o] : 0;
  for (ptrdiff_t i = 0; i < padded(n_in); i++) work.zero[i] = 0;
  for (ptrdiff_t i = 0; i < n_out * n_in; i++) work.dw[i] = 0;
  to_panels(work.x, x, n_in, n);
  to_panels(work.dy, dy, n_out, n);
  for (ptrdiff_t g = 0; g * PANEL < n; g++) {
    panel_product(work.y, work.forward, work.bias, work.x + g * in, n_out, n_in);
    from_panel(y, work.y, n_out, n, g * PANEL);
    panel_product(work.dx, work.backward, work.zero, work.dy + g * out, n_in, n_out);
    from_panel(dx, work.dx, n_in, n, g * PANEL);
  }
  panels_outer(work.dw, work.dy, work.x, out, in, (n + PANEL - 1) / PANEL, n_out, n_in);
  for (ptrdiff_t i = 0; i < n_out * n_in; i++) dw[i] = (double)work.dw[i];
}
