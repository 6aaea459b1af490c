/* The prepared model of formula (16), p(x) = sum_k w_k(z_k) N(x; mu_k, Sigma_k), and
 * points on their way through it. */
struct model {
  struct shape shape;
  struct layout at;
  struct affine map;
  struct mlp mlp;
  struct flow *flows; /* shape.flow.count */
  real *log_weight;   /* log w of a constant classifier, padded k; NULL for a network */
};

/* Whether component k sees a point x at u_k = F_k(x). */
static int has_own_flows(const struct shape *shape) { return shape->flow.count > 1; }

/* The model and everything it points to stand in one block. */
static struct model *model_layout(struct arena *arena, const struct shape *shape) {
  struct model local, *model = arena_take(arena, sizeof(struct model));
  local.shape = *shape;
  local.at = shape_layout(shape);
  affine_layout(&local.map, arena, shape);
  mlp_layout(&local.mlp, arena, shape);
  local.flows = arena_take(arena, (size_t)shape->flow.count * sizeof(struct flow));
  for (ptrdiff_t which = 0; which < shape->flow.count; which++) {
    struct flow flow;
    flow_layout(&flow, arena, shape);
    if (local.flows) local.flows[which] = flow;
  }
  local.log_weight = shape->n_layers == 0 ? arena_reals(arena, padded(shape->k)) : NULL;
  if (model) *model = local;
  return model;
}

static size_t model_bytes(const struct shape *shape) {
  struct arena arena = arena_open(NULL);
  model_layout(&arena, shape);
  return arena_size(&arena);
}

/* The log of sum exp(log_pi): what makes log weights of any numbers. */
static double log_normaliser(const double *log_pi, ptrdiff_t n_k) {
  double top = -INFINITY, sum = 0;
  for (ptrdiff_t k = 0; k < n_k; k++) top = log_pi[k] > top ? log_pi[k] : top;
  for (ptrdiff_t k = 0; k < n_k; k++) sum += exp(log_pi[k] - top);
  return top + log(sum);
}

/* Where the weights and biases of a flow stand in the flat parameters. */
static ptrdiff_t flow_weights_at(const struct model *model, ptrdiff_t which) {
  const struct layout *at = &model->at;
  const ptrdiff_t n = (at->flow_biases - at->flow_weights) / model->shape.flow.count;
  return at->flow_weights + which * n;
}

static ptrdiff_t flow_biases_at(const struct model *model, ptrdiff_t which) {
  const struct layout *at = &model->at;
  const ptrdiff_t n = (at->size - at->flow_biases) / model->shape.flow.count;
  return at->flow_biases + which * n;
}

static void model_prepare(void *block, const double *parameters,
                          const struct shape *shape) {
  struct arena arena = arena_open(block);
  struct model *model = model_layout(&arena, shape);
  const struct layout at = model->at;
  affine_prepare(&model->map, parameters, parameters + at.scale);
  mlp_prepare(&model->mlp, parameters + at.weights, parameters + at.biases);
  for (ptrdiff_t which = 0; which < shape->flow.count; which++)
    flow_prepare(model->flows + which, parameters + flow_weights_at(model, which),
                 parameters + flow_biases_at(model, which));
  if (shape->n_layers > 0) return;
  const double *log_pi = parameters + at.biases;
  const double normaliser = log_normaliser(log_pi, shape->k);
  for (ptrdiff_t k = 0; k < padded(shape->k); k++)
    model->log_weight[k] = k < shape->k ? (real)(log_pi[k] - normaliser) : 0;
}

static inline ptrdiff_t row_of(const struct rows *rows, ptrdiff_t i) {
  i += rows->first;
  return rows->index ? rows->index[i] : i;
}

static inline double row_weight(const struct rows *rows, ptrdiff_t i) {
  return rows->weights ? rows->weights[row_of(rows, i)] : 1;
}

/* Some points, the components that may matter at each, and what the network says there.
 * A row of the network is one point at one component. Rows before `first` are left alone:
 * the gradient keeps some. */
struct pairs {
  ptrdiff_t most_points, n_points, n_rows; /* n_rows: end of the rows in use */
  real *x;                                 /* points x d: see load_points() */
  real *z;                                 /* points x d x padded(k) */
  real *term;             /* points x padded(k): log N_k, then log w_k N_k, then v_k */
  real *log_weight;       /* points x padded(k): log w_k, -Inf where left out */
  real *best, *low;       /* of a point: see pairs_forward() */
  real *total;            /* of a point: see pairs_total() */
  int *point, *component; /* of a row */
  real *normaliser;       /* of a row: log sum exp of its logits */
  real *turned;           /* k x LANES */
  struct activations rows;
};

/* Numbers of a point: d, or d + 1 for every component where each has a flow. */
static ptrdiff_t point_size(const struct shape *shape) {
  return has_own_flows(shape) ? (shape->d + 1) * padded(shape->k) : shape->d;
}

static void pairs_layout(struct pairs *pairs, struct arena *arena,
                         const struct shape *shape, ptrdiff_t most_points,
                         ptrdiff_t most_rows, int keep) {
  const ptrdiff_t across = padded(shape->k);
  pairs->most_points = most_points;
  pairs->x = arena_reals(arena, most_points * point_size(shape));
  pairs->z = arena_reals(arena, most_points * shape->d * across);
  pairs->term = arena_reals(arena, most_points * across);
  pairs->log_weight = arena_reals(arena, most_points * across);
  pairs->best = arena_reals(arena, most_points);
  pairs->low = arena_reals(arena, most_points);
  pairs->total = arena_reals(arena, most_points + LANES);
  pairs->point = arena_take(arena, (size_t)most_rows * sizeof(int));
  pairs->component = arena_take(arena, (size_t)most_rows * sizeof(int));
  pairs->normaliser = arena_reals(arena, most_rows + LANES);
  pairs->turned = arena_reals(arena, shape->k * LANES);
  activations_layout(&pairs->rows, arena, shape, most_rows, keep);
}

/* From d + 1 columns for a component after the other to d + 1 numbers for all of them. */
static void load_own_point(real *x, const double *row, ptrdiff_t stride,
                           const struct shape *shape) {
  const ptrdiff_t n = shape->d + 1, across = padded(shape->k);
  for (ptrdiff_t j = 0; j < n; j++)
    for (ptrdiff_t k = 0; k < across; k++)
      x[j * across + k] = k < shape->k ? (real)row[(k * n + j) * stride] : 0;
}

/* The rows have d columns, or where each component has a flow d + 1 columns for it, u_k
 * and log |det dF_k/dx|. */
static void load_points(struct pairs *pairs, const struct rows *rows,
                        const struct shape *shape, ptrdiff_t begin) {
  const ptrdiff_t d = shape->d, left = rows->count - begin, size = point_size(shape);
  const int own = has_own_flows(shape);
  pairs->n_points = left < pairs->most_points ? left : pairs->most_points;
  for (ptrdiff_t i = 0; i < pairs->n_points; i++) {
    const double *row = rows->x + row_of(rows, begin + i);
    if (own) load_own_point(pairs->x + i * size, row, rows->stride, shape);
    for (ptrdiff_t j = 0; j < d && !own; j++)
      pairs->x[i * d + j] = (real)row[j * rows->stride];
  }
}

/* Writes a point's coordinates as a row of the network's inputs; z_j at z[j * step]. */
static inline void store_row(struct activations *rows, ptrdiff_t row, const real *z,
                             ptrdiff_t step, ptrdiff_t d) {
  real *to = rows->value[0] + row * LANES;
  for (ptrdiff_t j = 0; j < d; j += LANES, to += rows->stride) {
    vec_store(to, vec_splat(0));
    for (ptrdiff_t l = 0; l < LANES && j + l < d; l++) to[l] = z[(j + l) * step];
  }
}

/* Rows first, ..., n_rows - 1 through the network: their log w_k. */
static void pairs_evaluate(struct pairs *pairs, const struct model *model,
                           ptrdiff_t first) {
  const ptrdiff_t n_k = model->shape.k, across = padded(n_k), stride = pairs->rows.stride;
  const ptrdiff_t count = pairs->n_rows - first;
  const real *logits = pairs->rows.value[model->shape.n_layers];
  mlp_forward(&pairs->rows, &model->mlp, first, count);
  rows_log_sum_exp(pairs->normaliser + first, logits + first * LANES, LANES, stride,
                   count, n_k, pairs->turned);
  for (ptrdiff_t row = first; row < pairs->n_rows; row++) {
    const ptrdiff_t i = pairs->point[row], k = pairs->component[row];
    const real logit = logits[feature_at(k, stride) + row * LANES];
    const real log_weight = logit - pairs->normaliser[row];
    const real joint = log_weight + pairs->term[i * across + k];
    pairs->log_weight[i * across + k] = log_weight;
    if (joint > pairs->best[i]) pairs->best[i] = joint;
  }
}

/* The largest of n numbers; n is padded. */
static inline real highest_across(const real *x, ptrdiff_t n) {
  vec top = vec_load(x);
  for (ptrdiff_t k = LANES; k < n; k += LANES) top = vec_max(vec_load(x + k), top);
  return vec_highest(top);
}

/* Makes rows of the components of point i with log N_k not below `low` and, in a second
 * round, below `*high`. A NaN is taken in the first. */
static void pairs_choose(struct pairs *pairs, const struct shape *shape, ptrdiff_t i,
                         real low, const real *high) {
  const ptrdiff_t d = shape->d, n_k = shape->k, across = padded(n_k);
  const real *log_component = pairs->term + i * across;
  for (ptrdiff_t k = 0; k < n_k; k++) {
    if (log_component[k] < low || (high && !(log_component[k] < *high))) continue;
    pairs->point[pairs->n_rows] = (int)i;
    pairs->component[pairs->n_rows] = (int)k;
    store_row(&pairs->rows, pairs->n_rows, pairs->z + i * d * across + k, across, d);
    pairs->n_rows++;
  }
}

/* z_k and log N_k of all components at the loaded points; where each has a flow log N_k
 * |det dF_k/dx|, which then is what N_k stands for. */
static void pairs_map(struct pairs *pairs, const struct model *model) {
  const ptrdiff_t d = model->shape.d, across = padded(model->shape.k);
  const ptrdiff_t size = point_size(&model->shape);
  const int own = has_own_flows(&model->shape);
  for (ptrdiff_t i = 0; i < pairs->n_points; i++) {
    real *z = pairs->z + i * d * across, *term = pairs->term + i * across;
    const real *x = pairs->x + i * size;
    if (own)
      affine_forward(z, term, &model->map, x, 1);
    else
      affine_forward(z, term, &model->map, x, 0);
  }
}

/* Components this close to the largest log N_k are evaluated first, to bound log p by
 * the largest log w_k N_k (bench/tiles.R). */
#ifndef FIRST_REACH
#define FIRST_REACH 2
#endif

/* log w_k of all components at the points of pairs_map(), in rows from `first` on.
 *
 * With `skip` the network is spared the components that cannot matter, and their log
 * w_k is -Inf. Those close to the largest N_k are evaluated and bound log p from
 * below. As w_k <= 1, all others with N_k < p / (2^(MANTISSA + 1) K) together are
 * below the rounding of p. */
static void pairs_forward(struct pairs *pairs, const struct model *model, ptrdiff_t first,
                          int skip) {
  const struct shape *shape = &model->shape;
  const ptrdiff_t n_k = shape->k, across = padded(n_k);
  const real infinity = (real)INFINITY;
  const real never = (real)(log((double)n_k) + (MANTISSA + 1) * LOG_TWO);
  pairs->n_rows = first;
  for (ptrdiff_t i = 0; i < pairs->n_points; i++) {
    const real *log_component = pairs->term + i * across;
    real *log_weight = pairs->log_weight + i * across;
    if (model->log_weight) {
      memcpy(log_weight, model->log_weight, (size_t)across * sizeof(real));
      continue;
    }
    for (ptrdiff_t k = 0; k < across; k += LANES)
      vec_store(log_weight + k, vec_splat(-infinity));
    pairs->best[i] = -infinity;
    pairs->low[i] =
        skip ? highest_across(log_component, across) - FIRST_REACH : -infinity;
    pairs_choose(pairs, shape, i, pairs->low[i], NULL);
  }
  if (model->log_weight) return;
  pairs_evaluate(pairs, model, first);
  if (!skip) return;
  const ptrdiff_t second = pairs->n_rows;
  for (ptrdiff_t i = 0; i < pairs->n_points; i++)
    pairs_choose(pairs, shape, i, pairs->best[i] - never, &pairs->low[i]);
  pairs_evaluate(pairs, model, second);
}

/* After pairs_forward(): log p of each point in `total`, log w_k N_k in `term`. */
static void pairs_total(struct pairs *pairs, ptrdiff_t n_k) {
  const ptrdiff_t across = padded(n_k);
  for (ptrdiff_t i = 0; i < pairs->n_points * across; i += LANES)
    vec_store(pairs->term + i,
              vec_load(pairs->term + i) + vec_load(pairs->log_weight + i));
  rows_log_sum_exp(pairs->total, pairs->term, across, LANES, pairs->n_points, n_k,
                   pairs->turned);
}
