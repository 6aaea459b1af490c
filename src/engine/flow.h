/* Flows u = F(x), compositions of coupling layers (Dinh, Sohl-Dickstein and Bengio 2017).
 * Coupling c leaves the columns of its parity, j % 2 == c % 2, as they are; a network of
 * these gives the parameters of an increasing transform of each other column. In one
 * column nothing is left as it is, and the network is only a bias.
 *
 * Columns stand one after the other, `room` rows each, so that vectors run over rows; the
 * networks' rows are those of gemm.h. */
struct flow {
  struct flow_shape shape;
  ptrdiff_t d;
  struct mlp *nets; /* a coupling each */
};

/* A coupling's network in the terms of mlp.h. */
static struct shape net_shape(const struct flow_shape *flow, ptrdiff_t c) {
  const int *widths = flow->widths[c % 2];
  return (struct shape){.d = widths[0],
                        .k = widths[flow->n_layers],
                        .activation = flow->activation,
                        .n_layers = flow->n_layers,
                        .widths = widths};
}

static int is_moved(const struct flow *flow, ptrdiff_t c, ptrdiff_t j) {
  return flow->d == 1 || j % 2 != c % 2;
}

/* Raw parameters of one transform. */
static ptrdiff_t flow_parameters(const struct flow_shape *flow) {
  return flow->kind == FLOW_SPLINE ? spline_parameters(flow->bins) : REALNVP_PARAMETERS;
}

/* Takes the pieces of `flow` from the arena; flow_prepare() fills them. */
static void flow_layout(struct flow *flow, struct arena *arena,
                        const struct shape *shape) {
  const ptrdiff_t n = shape->flow.kind == FLOW_NONE ? 0 : shape->flow.couplings;
  flow->shape = shape->flow;
  flow->d = shape->d;
  flow->nets = arena_take(arena, (size_t)n * sizeof(struct mlp));
  for (ptrdiff_t c = 0; c < n; c++) {
    const struct shape net = net_shape(&shape->flow, c);
    struct mlp mlp;
    mlp_layout(&mlp, arena, &net);
    if (flow->nets) flow->nets[c] = mlp;
  }
}

static void flow_prepare(struct flow *flow, const double *weights, const double *biases) {
  for (ptrdiff_t c = 0; flow->shape.kind != FLOW_NONE && c < flow->shape.couplings; c++) {
    mlp_prepare(flow->nets + c, weights, biases);
    for (ptrdiff_t l = 0; l < flow->shape.n_layers; l++) {
      weights += flow->nets[c].layers[l].n_in * flow->nets[c].layers[l].n_out;
      biases += flow->nets[c].layers[l].n_out;
    }
  }
}

/* Whose networks' values are kept for the way back: of no coupling, of one of each parity
 * at a time, of all. */
enum kept { KEPT_NONE, KEPT_ONE, KEPT_ALL };

/* Rows on their way through a flow. */
struct flow_rows {
  ptrdiff_t room, sets;
  real *x;       /* couplings + 1 times d columns: before each coupling, after the last */
  real *log_det; /* room */
  real *dx;      /* d columns: derivatives, on the way back */
  real *dlog;    /* room: those in log_det */
  real *raw, *draw; /* parameters of one transform and their derivatives */
  real *dz;         /* as a network's inputs */
  struct spline spline;
  struct activations *nets; /* sets */
};

static void flow_rows_layout(struct flow_rows *rows, struct arena *arena,
                             const struct shape *shape, ptrdiff_t n, enum kept kept) {
  const struct flow_shape *flow = &shape->flow;
  const ptrdiff_t n_raw = flow_parameters(flow);
  rows->room = padded(n);
  rows->sets = kept == KEPT_ALL ? flow->couplings : 2;
  rows->x = arena_reals(arena, (flow->couplings + 1) * shape->d * rows->room);
  rows->log_det = arena_reals(arena, rows->room);
  rows->dx = arena_reals(arena, shape->d * rows->room);
  rows->dlog = arena_reals(arena, rows->room);
  rows->raw = arena_reals(arena, n_raw * LANES);
  rows->draw = arena_reals(arena, n_raw * LANES);
  rows->dz = arena_reals(arena, padded(shape->d) / LANES * row_stride(rows->room));
  rows->spline = spline_layout(arena, flow->bins, flow->bound);
  rows->nets = arena_take(arena, (size_t)rows->sets * sizeof(struct activations));
  for (ptrdiff_t c = 0; c < rows->sets; c++) {
    const struct shape net = net_shape(flow, c);
    struct activations net_rows;
    activations_layout(&net_rows, arena, &net, rows->room, kept != KEPT_NONE);
    if (rows->nets) rows->nets[c] = net_rows;
  }
}

/* Column j before coupling c. */
static inline real *column_of(const struct flow_rows *rows, const struct flow *flow,
                              ptrdiff_t c, ptrdiff_t j) {
  return rows->x + (c * flow->d + j) * rows->room;
}

/* Features first, ..., end - 1 of a layer become zero: what is padded, which the products
 * multiply by zero. */
static void zero_features(struct activations *a, ptrdiff_t layer, ptrdiff_t first,
                          ptrdiff_t end, ptrdiff_t count) {
  for (ptrdiff_t f = first; f < end; f++)
    for (ptrdiff_t row = 0; row < count; row++)
      a->value[layer][feature_at(f, a->stride) + row * LANES] = 0;
}

/* The network of coupling c at `count` rows of the columns that it leaves, which stand
 * before coupling `at`. */
static struct activations *coupling_network(struct flow_rows *rows,
                                            const struct flow *flow, ptrdiff_t c,
                                            ptrdiff_t at, ptrdiff_t count) {
  struct activations *a = rows->nets + c % rows->sets;
  const ptrdiff_t n_in = flow->shape.widths[c % 2][0];
  zero_features(a, 0, n_in, padded(n_in), count);
  for (ptrdiff_t j = 0, feature = 0; j < flow->d; j++) {
    if (is_moved(flow, c, j)) continue;
    const real *x = column_of(rows, flow, at, j);
    real *to = a->value[0] + feature_at(feature++, a->stride);
    for (ptrdiff_t row = 0; row < count; row++) to[row * LANES] = x[row];
  }
  mlp_forward(a, flow->nets + c, 0, count);
  return a;
}

/* Parameters of a transform, features `first`, ..., of LANES rows from `row` on; rows
 * beyond the last are read as copies of it. */
static inline void load_raw(real *raw, const struct activations *a, ptrdiff_t layer,
                            ptrdiff_t first, ptrdiff_t n_raw, ptrdiff_t row,
                            ptrdiff_t count) {
  for (ptrdiff_t r = 0; r < LANES; r++) {
    const ptrdiff_t from = row + r < count ? row + r : count - 1;
    const real *values = a->value[layer] + from * LANES;
    for (ptrdiff_t i = 0; i < n_raw; i++)
      raw[i * LANES + r] = values[feature_at(first + i, a->stride)];
  }
}

static inline void store_raw(const real *raw, struct activations *a, ptrdiff_t layer,
                             ptrdiff_t first, ptrdiff_t n_raw, ptrdiff_t row,
                             ptrdiff_t count) {
  for (ptrdiff_t r = 0; r < LANES && row + r < count; r++) {
    real *values = a->value[layer] + (row + r) * LANES;
    for (ptrdiff_t i = 0; i < n_raw; i++)
      values[feature_at(first + i, a->stride)] = raw[i * LANES + r];
  }
}

/* One transform of LANES rows, or its inverse; `raw` is loaded. */
static inline vec transform(vec *log_slope, struct flow_rows *rows,
                            const struct flow *flow, enum direction direction, vec x) {
  if (flow->shape.kind == FLOW_REALNVP)
    return direction == INVERSE ? realnvp_inverse(log_slope, x, rows->raw)
                                : realnvp_forward(log_slope, x, rows->raw);
  spline_prepare(&rows->spline, rows->raw);
  return direction == INVERSE ? spline_inverse(log_slope, x, &rows->spline)
                              : spline_forward(log_slope, x, &rows->spline);
}

/* The rows before coupling c to those after it, or the way back; adds to log_det. */
static void coupling_pass(struct flow_rows *rows, const struct flow *flow, ptrdiff_t c,
                          enum direction direction, ptrdiff_t count) {
  const ptrdiff_t n_raw = flow_parameters(&flow->shape), layer = flow->shape.n_layers;
  const ptrdiff_t from = direction == INVERSE ? c + 1 : c, to = 2 * c + 1 - from;
  struct activations *a = coupling_network(rows, flow, c, from, count);
  for (ptrdiff_t j = 0, first = 0; j < flow->d; j++) {
    const real *x = column_of(rows, flow, from, j);
    real *y = column_of(rows, flow, to, j);
    if (!is_moved(flow, c, j)) {
      memcpy(y, x, (size_t)rows->room * sizeof(real));
      continue;
    }
    for (ptrdiff_t row = 0; row < count; row += LANES) {
      vec log_slope;
      load_raw(rows->raw, a, layer, first, n_raw, row, count);
      vec_store(y + row, transform(&log_slope, rows, flow, direction, vec_load(x + row)));
      vec_store(rows->log_det + row, vec_load(rows->log_det + row) + log_slope);
    }
    first += n_raw;
  }
}

/* From the first columns to the last, or back. */
static void flow_pass(struct flow_rows *rows, const struct flow *flow,
                      enum direction direction, ptrdiff_t count) {
  const ptrdiff_t n = flow->shape.couplings;
  zero_reals(rows->log_det, rows->room);
  for (ptrdiff_t c = 0; c < n; c++)
    coupling_pass(rows, flow, direction == INVERSE ? n - 1 - c : c, direction, count);
}

/* Gradients of a coupling's network, and of all, one after the other: see
 * mlp_gradient_size(). */
static ptrdiff_t net_gradient_size(const struct flow_shape *flow, ptrdiff_t c) {
  const struct shape net = net_shape(flow, c);
  return mlp_gradient_size(&net);
}

static ptrdiff_t flow_gradient_size(const struct flow_shape *flow) {
  ptrdiff_t size = 0;
  for (ptrdiff_t c = 0; c < flow->couplings; c++) size += net_gradient_size(flow, c);
  return size;
}

/* The way back through the network of coupling c, whose outputs have become their
 * derivatives: adds to `gradient` and to the derivatives of the columns it reads. */
static void coupling_network_backward(real *gradient, struct flow_rows *rows,
                                      const struct flow *flow, ptrdiff_t c,
                                      ptrdiff_t count) {
  struct activations *a = rows->nets + c % rows->sets;
  const ptrdiff_t n_out = flow->shape.widths[c % 2][flow->shape.n_layers];
  zero_features(a, flow->shape.n_layers, n_out, padded(n_out), count);
  mlp_backward(gradient, rows->dz, a, flow->nets + c, count);
  for (ptrdiff_t j = 0, feature = 0; j < flow->d; j++) {
    if (is_moved(flow, c, j)) continue;
    const real *from = rows->dz + feature_at(feature++, a->stride);
    real *dx = rows->dx + j * rows->room;
    for (ptrdiff_t row = 0; row < count; row++) dx[row] += from[row * LANES];
  }
}

static inline vec transform_backward(struct flow_rows *rows, const struct flow *flow,
                                     vec dy, vec dlog, vec x) {
  if (flow->shape.kind == FLOW_REALNVP)
    return realnvp_backward(rows->draw, dy, dlog, x, rows->raw);
  spline_prepare(&rows->spline, rows->raw);
  return spline_backward(rows->draw, dy, dlog, x, &rows->spline, rows->raw);
}

/* The slope of a transform at LANES rows; `raw` is loaded. */
static inline vec transform_slope(struct flow_rows *rows, const struct flow *flow,
                                  vec x) {
  vec log_slope;
  if (flow->shape.kind == FLOW_REALNVP) return realnvp_slope(rows->raw);
  transform(&log_slope, rows, flow, FORWARD, x);
  return vec_exp(log_slope);
}

/* The way back through coupling c, whose network's values are those of coupling_pass()
 * forward. FORWARD: dx, derivatives in the columns after it, becomes those before it, and
 * `dlog` are those in log_det. PULLBACK, of the inverse: with y = f(x; r), x fixed by y
 * and the parameters r,
 *   dy = dx / f'(x),  dr = -dy df/dr
 * dx, derivatives in the columns before it, becomes those after it. Adds to `gradient`, the
 * network's. */
static void coupling_backward(real *gradient, struct flow_rows *rows,
                              const struct flow *flow, ptrdiff_t c,
                              enum direction direction, ptrdiff_t count) {
  const ptrdiff_t n_raw = flow_parameters(&flow->shape), layer = flow->shape.n_layers;
  struct activations *a = rows->nets + c % rows->sets;
  for (ptrdiff_t j = 0, first = 0; j < flow->d; j++) {
    if (!is_moved(flow, c, j)) continue;
    const real *x = column_of(rows, flow, c, j);
    real *dx = rows->dx + j * rows->room;
    for (ptrdiff_t row = 0; row < count; row += LANES) {
      const vec at = vec_load(x + row), from = vec_load(dx + row);
      load_raw(rows->raw, a, layer, first, n_raw, row, count);
      if (direction == PULLBACK) {
        const vec dy = from / transform_slope(rows, flow, at);
        transform_backward(rows, flow, -dy, vec_splat(0), at);
        vec_store(dx + row, dy);
      } else {
        vec_store(dx + row,
                  transform_backward(rows, flow, from, vec_load(rows->dlog + row), at));
      }
      store_raw(rows->draw, a, layer, first, n_raw, row, count);
    }
    first += n_raw;
  }
  coupling_network_backward(gradient, rows, flow, c, count);
}

/* After flow_pass() forward with all couplings' values kept: `dx` holds derivatives in
 * the last columns and `dlog` those in log_det; dx becomes the derivatives in the first
 * columns, those in the networks are added to `gradient`. */
static void flow_backward(real *gradient, struct flow_rows *rows, const struct flow *flow,
                          ptrdiff_t count) {
  gradient += flow_gradient_size(&flow->shape);
  for (ptrdiff_t c = flow->shape.couplings - 1; c >= 0; c--) {
    gradient -= net_gradient_size(&flow->shape, c);
    coupling_backward(gradient, rows, flow, c, FORWARD, count);
  }
}

/* The way back of the inverse, which undoes coupling 0 last: `dx` holds derivatives in the
 * first columns and becomes those in the last. */
static void flow_pullback(real *gradient, struct flow_rows *rows, const struct flow *flow,
                          ptrdiff_t count) {
  for (ptrdiff_t c = 0; c < flow->shape.couplings; c++) {
    coupling_pass(rows, flow, c, FORWARD, count);
    coupling_backward(gradient, rows, flow, c, PULLBACK, count);
    gradient += net_gradient_size(&flow->shape, c);
  }
}

/* Adds a gradient as flow_backward() leaves it to the flat ones. */
static void flow_gradient_add(double *dweights, double *dbiases, const real *gradient,
                              const struct flow_shape *flow) {
  for (ptrdiff_t c = 0; c < flow->couplings; c++) {
    const struct shape net = net_shape(flow, c);
    mlp_gradient_add(dweights, dbiases, gradient, &net);
    gradient += mlp_gradient_size(&net);
    for (ptrdiff_t l = 0; l < net.n_layers; l++) {
      dweights += net.widths[l] * net.widths[l + 1];
      dbiases += net.widths[l + 1];
    }
  }
}
