/* Tiles of models with a flow, formula (12). With one for all components T_k = A_k after F,
 *   log p(x) = log |det dF/dx| + log sum_k w_k(A_k(u)) N(u; mu_k, Sigma_k),  u = F(x)
 * and with one each T_k = A_k after F_k,
 *   log p(x) = log sum_k w_k(A_k(u_k)) N(u_k; mu_k, Sigma_k) |det dF_k/dx|,  u_k = F_k(x)
 * The tables' functions for all models: those without a flow are handed on. */

/* Rows that pass the flow at a time: as many as FLOW_BYTES of the networks' values hold
 * (bench/flows.R), within these numbers. */
#ifndef FLOW_BYTES
#define FLOW_BYTES (1024 * 1024)
#endif
#define FLOW_ROWS_LEAST 48
#define FLOW_ROWS_MOST 256

static ptrdiff_t flow_rows_at_once(const struct shape *shape) {
  ptrdiff_t features = 0;
  for (ptrdiff_t c = 0; c < shape->flow.couplings; c++)
    for (ptrdiff_t l = 0; l <= shape->flow.n_layers; l++)
      features += padded(shape->flow.widths[c % 2][l]);
  const ptrdiff_t n = FLOW_BYTES / (features * (ptrdiff_t)sizeof(real)) / LANES * LANES;
  return n < FLOW_ROWS_LEAST ? FLOW_ROWS_LEAST : n > FLOW_ROWS_MOST ? FLOW_ROWS_MOST : n;
}

static int has_flow(const struct shape *shape) { return shape->flow.kind != FLOW_NONE; }

/* Loads rows of the data, at most so many, in chunks of nearly equal size; returns how
 * many. */
static ptrdiff_t load_rows(struct flow_rows *to, const struct flow *flow, ptrdiff_t c,
                           const struct rows *rows, ptrdiff_t begin, ptrdiff_t most) {
  const ptrdiff_t left = rows->count - begin, chunks = (left + most - 1) / most;
  const ptrdiff_t count = (left + chunks - 1) / chunks;
  for (ptrdiff_t j = 0; j < flow->d; j++) {
    const double *x = rows->x + j * rows->stride;
    real *column = column_of(to, flow, c, j);
    for (ptrdiff_t i = 0; i < count; i++) column[i] = (real)x[row_of(rows, begin + i)];
    zero_reals(column + count, to->room - count);
  }
  return count;
}

/* Some rows, at most so many, through all flows. `u` becomes count x (d + 1) a flow, the
 * points and log |det dF/dx|: the components' points, see load_points(). Returns their
 * count. */
static ptrdiff_t chunk_forward(double *u, struct flow_rows *through,
                               const struct model *model, const struct rows *rows,
                               ptrdiff_t begin, ptrdiff_t most) {
  const ptrdiff_t d = model->shape.d;
  ptrdiff_t count = 0;
  for (ptrdiff_t which = 0; which < model->shape.flow.count; which++) {
    const struct flow *flow = model->flows + which;
    count = load_rows(through, flow, 0, rows, begin, most);
    flow_pass(through, flow, FORWARD, count);
    for (ptrdiff_t j = 0; j <= d; j++, u += count) {
      const real *column =
          j < d ? column_of(through, flow, flow->shape.couplings, j) : through->log_det;
      for (ptrdiff_t i = 0; i < count; i++) u[i] = (double)column[i];
    }
  }
  return count;
}

static struct rows chunk_points(const double *u, ptrdiff_t count) {
  return (struct rows){.x = u, .stride = count, .count = count};
}

/* Of a chunk's numbers as chunk_forward() leaves them. */
static size_t chunk_bytes(const struct shape *shape) {
  const ptrdiff_t columns = shape->flow.count * (shape->d + 1);
  return (size_t)(flow_rows_at_once(shape) * columns) * sizeof(double);
}

struct flow_density_work {
  struct flow_rows rows;
  double *u;
  void *mixture;
};

static struct flow_density_work flow_density_layout(struct arena *arena,
                                                    const struct shape *shape) {
  struct flow_density_work work;
  flow_rows_layout(&work.rows, arena, shape, flow_rows_at_once(shape), KEPT_NONE);
  work.u = arena_take(arena, chunk_bytes(shape));
  work.mixture = arena_take(arena, mixture_density_bytes(shape));
  return work;
}

static ptrdiff_t density_rows(const struct shape *shape) {
  return has_flow(shape) ? flow_rows_at_once(shape) : mixture_density_rows(shape);
}

static size_t density_bytes(const struct shape *shape) {
  struct arena arena = arena_open(NULL);
  if (!has_flow(shape)) return mixture_density_bytes(shape);
  flow_density_layout(&arena, shape);
  return arena_size(&arena);
}

static void density_tile(double *out, ptrdiff_t stride, const void *block,
                         enum quantity quantity, const struct rows *rows, void *scratch) {
  const struct model *model = arena_first(block);
  const struct shape *shape = &model->shape;
  if (!has_flow(shape)) {
    mixture_density_tile(out, stride, block, quantity, rows, scratch);
    return;
  }
  struct arena arena = arena_open(scratch);
  struct flow_density_work work = flow_density_layout(&arena, shape);
  const ptrdiff_t most = flow_rows_at_once(shape);
  /* Columns that the log determinant of a shared flow is added to. */
  const ptrdiff_t n_out = has_own_flows(shape)        ? 0
                          : quantity == LOG_DENSITY   ? 1
                          : quantity == LOG_COMPONENT ? shape->k
                                                      : 0;
  for (ptrdiff_t begin = 0, count; begin < rows->count; begin += count) {
    count = chunk_forward(work.u, &work.rows, model, rows, begin, most);
    const struct rows points = chunk_points(work.u, count);
    double *to = out + rows->first + begin;
    mixture_density_tile(to, stride, block, quantity, &points, work.mixture);
    for (ptrdiff_t k = 0; k < n_out; k++)
      for (ptrdiff_t i = 0; i < count; i++)
        to[k * stride + i] += work.u[shape->d * count + i];
  }
}

struct flow_gradient_work {
  struct flow_rows rows;
  real *networks; /* sums of gradients, a flow after the other: flow_gradient_add() */
  double *u, *du; /* see chunk_forward(), and derivatives */
  double *log_density, *weight; /* n */
  int *taken;                   /* n: see take_rows() */
  void *mixture;
};

static struct flow_gradient_work flow_gradient_layout(struct arena *arena,
                                                      const struct shape *shape) {
  struct flow_gradient_work work;
  const ptrdiff_t n = flow_rows_at_once(shape);
  flow_rows_layout(&work.rows, arena, shape, n, KEPT_ALL);
  work.networks =
      arena_reals(arena, shape->flow.count * flow_gradient_size(&shape->flow));
  work.u = arena_take(arena, chunk_bytes(shape));
  work.du = arena_take(arena, chunk_bytes(shape));
  work.log_density = arena_take(arena, (size_t)n * sizeof(double));
  work.weight = arena_take(arena, (size_t)n * sizeof(double));
  work.taken = arena_take(arena, (size_t)n * sizeof(int));
  work.mixture = arena_take(arena, mixture_gradient_bytes(shape));
  return work;
}

/* Sums of gradients are to be cleared and handed over once a tile. */
#define FLOW_TILE_LEAST 320

static ptrdiff_t gradient_rows(const struct shape *shape) {
  return has_flow(shape) ? FLOW_TILE_LEAST : mixture_gradient_rows(shape);
}

static size_t gradient_bytes(const struct shape *shape) {
  struct arena arena = arena_open(NULL);
  if (!has_flow(shape)) return mixture_gradient_bytes(shape);
  flow_gradient_layout(&arena, shape);
  return arena_size(&arena);
}

/* Of N(u; 0, I): log densities, and du = -a u. */
static void normal_gradient(struct flow_gradient_work *work, const struct rows *points,
                            ptrdiff_t d) {
  const ptrdiff_t n = points->count;
  for (ptrdiff_t i = 0; i < n; i++) work->log_density[i] = -0.5 * (double)d * LOG_TWO_PI;
  for (ptrdiff_t j = 0; j < d; j++)
    for (ptrdiff_t i = 0; i < n; i++) {
      const double u = points->x[j * n + i];
      work->log_density[i] -= 0.5 * u * u;
      work->du[j * n + i] = -work->weight[i] * u;
    }
}

/* The same of the components, and their gradient. The draws are those of the rows' places
 * in the data. */
static void components_gradient(double *gradient, struct flow_gradient_work *work,
                                const void *block, const struct rows *points,
                                const struct sampling *sampling, ptrdiff_t first) {
  const struct model *model = arena_first(block);
  const ptrdiff_t columns = model->shape.flow.count * (model->shape.d + 1);
  struct sampling draw = *sampling;
  struct rows weighted = *points;
  const struct at_points at = {work->log_density, work->du};
  double ignored = 0;
  draw.seed = counted_seed(sampling->seed, (uint64_t)first);
  weighted.weights = work->weight;
  memset(work->du, 0, (size_t)(points->count * columns) * sizeof(double));
  mixture_gradient_tile(gradient, &ignored, &at, block, &weighted, &draw, work->mixture);
}

/* A flow that is shared has its part in log p apart from the components. */
static void shared_log_det(struct flow_gradient_work *work, ptrdiff_t count,
                           ptrdiff_t d) {
  for (ptrdiff_t i = 0; i < count; i++) {
    work->log_density[i] += work->u[d * count + i];
    work->du[d * count + i] = work->weight[i];
  }
}

/* The rows of a chunk that take part in the gradient of a flow of one component, as
 * indices: those with derivatives `du`, count x (d + 1), which move to the front. The last
 * column is the posterior of what takes part, times weight. */
static struct rows take_rows(double *du, int *taken, const struct rows *chunk,
                             ptrdiff_t d) {
  const ptrdiff_t n = chunk->count;
  ptrdiff_t count = 0;
  for (ptrdiff_t i = 0; i < n; i++) {
    if (du[d * n + i] == 0) continue;
    taken[count] = (int)row_of(chunk, i);
    for (ptrdiff_t j = 0; j <= d; j++) du[j * n + count] = du[j * n + i];
    count++;
  }
  struct rows rows = *chunk;
  rows.index = taken;
  rows.first = 0;
  rows.count = count;
  return rows;
}

/* The way back of rows that have passed a flow, given their derivatives behind it. */
static void passed_backward(real *networks, struct flow_rows *through,
                            const struct at_points *at, const struct flow *flow,
                            const struct rows *rows, const double *du, ptrdiff_t stride) {
  const ptrdiff_t d = flow->d, count = rows->count;
  zero_reals(through->dx, d * through->room);
  zero_reals(through->dlog, through->room);
  for (ptrdiff_t j = 0; j <= d; j++) {
    real *to = j < d ? through->dx + j * through->room : through->dlog;
    for (ptrdiff_t i = 0; i < count; i++) to[i] = (real)du[j * stride + i];
  }
  flow_backward(networks, through, flow, count);
  for (ptrdiff_t j = 0; j < d && at->dx; j++)
    for (ptrdiff_t i = 0; i < count; i++)
      at->dx[j * rows->stride + row_of(rows, i)] +=
          (double)through->dx[j * through->room + i];
}

/* The way back of a chunk through all flows. The networks' values are kept of one flow
 * only, so the rows that take part in another's gradient pass it again: few, as a row
 * belongs to few components. */
static void chunk_backward(struct flow_gradient_work *work, const struct at_points *at,
                           const struct model *model, const struct rows *chunk) {
  const ptrdiff_t d = model->shape.d, count = chunk->count;
  real *networks = work->networks;
  double *du = work->du;
  if (!has_own_flows(&model->shape)) {
    passed_backward(networks, &work->rows, at, model->flows, chunk, du, count);
    return;
  }
  for (ptrdiff_t which = 0; which < model->shape.flow.count; which++) {
    const struct flow *flow = model->flows + which;
    const struct rows rows = take_rows(du, work->taken, chunk, d);
    if (rows.count > 0) {
      load_rows(&work->rows, flow, 0, &rows, 0, rows.count);
      flow_pass(&work->rows, flow, FORWARD, rows.count);
      passed_backward(networks, &work->rows, at, flow, &rows, du, count);
    }
    networks += flow_gradient_size(&flow->shape);
    du += (d + 1) * count;
  }
}

/* The sums of a tile to their places. */
static void networks_add(double *gradient, const struct model *model,
                         const real *networks, ptrdiff_t which) {
  flow_gradient_add(gradient + flow_weights_at(model, which),
                    gradient + flow_biases_at(model, which), networks,
                    &model->shape.flow);
}

static void gradient_tile(double *gradient, double *score, const struct at_points *at,
                          const void *block, const struct rows *rows,
                          const struct sampling *sampling, void *scratch) {
  const struct model *model = arena_first(block);
  const struct shape *shape = &model->shape;
  if (!has_flow(shape)) {
    mixture_gradient_tile(gradient, score, at, block, rows, sampling, scratch);
    return;
  }
  const ptrdiff_t n_flows = shape->flow.count, most = flow_rows_at_once(shape);
  const ptrdiff_t size = flow_gradient_size(&shape->flow);
  struct arena arena = arena_open(scratch);
  struct flow_gradient_work work = flow_gradient_layout(&arena, shape);
  zero_reals(work.networks, n_flows * size);
  for (ptrdiff_t begin = 0, count; begin < rows->count; begin += count) {
    count = chunk_forward(work.u, &work.rows, model, rows, begin, most);
    const struct rows points = chunk_points(work.u, count);
    struct rows chunk = *rows;
    chunk.first += begin;
    chunk.count = count;
    for (ptrdiff_t i = 0; i < count; i++) work.weight[i] = row_weight(&chunk, i);
    if (shape->flow.fixed)
      normal_gradient(&work, &points, shape->d);
    else
      components_gradient(gradient, &work, block, &points, sampling, chunk.first);
    if (!has_own_flows(shape)) shared_log_det(&work, count, shape->d);
    for (ptrdiff_t i = 0; i < count; i++) {
      *score += work.weight[i] * work.log_density[i];
      if (at->log_density) at->log_density[row_of(&chunk, i)] = work.log_density[i];
    }
    chunk_backward(&work, at, model, &chunk);
  }
  for (ptrdiff_t which = 0; which < n_flows; which++)
    networks_add(gradient, model, work.networks + which * size, which);
}

struct flow_tile_work {
  struct flow_rows rows;
  real *networks;
};

static struct flow_tile_work flow_tile_layout(struct arena *arena,
                                              const struct shape *shape) {
  struct flow_tile_work work;
  flow_rows_layout(&work.rows, arena, shape, flow_rows_at_once(shape), KEPT_ONE);
  work.networks = arena_reals(arena, flow_gradient_size(&shape->flow));
  return work;
}

static size_t flow_bytes(const struct shape *shape) {
  struct arena arena = arena_open(NULL);
  flow_tile_layout(&arena, shape);
  return arena_size(&arena);
}

/* Derivatives of the rows' columns, for flow_pullback(). */
static void load_slopes(struct flow_rows *to, const struct rows *rows, const double *dx,
                        ptrdiff_t begin, ptrdiff_t count, ptrdiff_t d) {
  zero_reals(to->dx, d * to->room);
  for (ptrdiff_t j = 0; j < d; j++)
    for (ptrdiff_t i = 0; i < count; i++)
      to->dx[j * to->room + i] = (real)dx[rows->first + begin + i + j * rows->stride];
}

static void flow_tile(const struct passage *out, double *gradient, const void *block,
                      enum direction direction, const struct rows *rows, void *scratch) {
  const struct model *model = arena_first(block);
  const struct flow *flow = model->flows + out->which;
  const ptrdiff_t d = flow->d, last = flow->shape.couplings;
  struct arena arena = arena_open(scratch);
  struct flow_tile_work work = flow_tile_layout(&arena, &model->shape);
  if (gradient) zero_reals(work.networks, flow_gradient_size(&flow->shape));
  for (ptrdiff_t begin = 0, count; begin < rows->count; begin += count) {
    const ptrdiff_t from = direction == INVERSE ? last : 0;
    count =
        load_rows(&work.rows, flow, from, rows, begin, flow_rows_at_once(&model->shape));
    if (direction == PULLBACK) {
      zero_reals(work.rows.log_det, work.rows.room);
      load_slopes(&work.rows, rows, out->dx, begin, count, d);
      flow_pullback(work.networks, &work.rows, flow, count);
    } else {
      flow_pass(&work.rows, flow, direction, count);
    }
    for (ptrdiff_t j = 0; j < d; j++) {
      const real *column = direction == PULLBACK
                               ? work.rows.dx + j * work.rows.room
                               : column_of(&work.rows, flow, last - from, j);
      for (ptrdiff_t i = 0; i < count; i++)
        out->to[rows->first + begin + i + j * rows->stride] = (double)column[i];
    }
    for (ptrdiff_t i = 0; i < count && out->log_det; i++)
      out->log_det[rows->first + begin + i] = (double)work.rows.log_det[i];
  }
  if (gradient) networks_add(gradient, model, work.networks, out->which);
}
