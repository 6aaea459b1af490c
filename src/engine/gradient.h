/* The gradient of the weighted sum of log densities over a tile. Rows that matter are
 * kept until there are enough of them for the way back. */

/* Pairs of point and component that pass the network at a time, and the rows that are
 * held with their values in all layers: many, for the products, within half of a
 * second-level cache of 1 MiB (bench/tiles.R). */
#ifndef FORWARD_ROWS
#define FORWARD_ROWS 256
#endif
#ifndef KEPT_BYTES
#define KEPT_BYTES (512 * 1024)
#endif
#define KEPT_ROWS 512

struct gradient_work {
  struct pairs pairs;
  ptrdiff_t most_kept, kept;
  real *weight;      /* of a kept row: its part of the gradient */
  ptrdiff_t *origin; /* of a kept row: its row of the data */
  real *dz;          /* as the network's inputs */
  double *drawn;     /* of a point: see keep_rows() */
  real *map, *mlp;   /* sums of gradients: affine_gradient_add(), mlp_gradient_add() */
  real *bias;        /* of a constant classifier, padded k */
};

/* Rows whose values in all layers take KEPT_BYTES. */
static ptrdiff_t gradient_fit(const struct shape *shape) {
  ptrdiff_t features = 2 * padded(shape->d);
  for (ptrdiff_t l = 1; l <= shape->n_layers; l++) features += padded(shape->widths[l]);
  return KEPT_BYTES / (features * (ptrdiff_t)sizeof(real));
}

/* Points that pass the network at a time, and the least that are worth a tile: it has
 * sums of its own to clear and to hand over, a few operations a parameter, of which a row
 * of the network is one or two. */
static ptrdiff_t mixture_gradient_rows(const struct shape *shape) {
  const ptrdiff_t n = gradient_fit(shape);
  return points_for(shape, n < FORWARD_ROWS ? n : FORWARD_ROWS);
}

static ptrdiff_t gradient_kept(const struct shape *shape) {
  const ptrdiff_t n = gradient_fit(shape), most = n < KEPT_ROWS ? n : KEPT_ROWS;
  const ptrdiff_t least = mixture_gradient_rows(shape) * shape->k;
  return most > least ? most : least;
}

static struct gradient_work gradient_layout(struct arena *arena,
                                            const struct shape *shape) {
  struct gradient_work work;
  const ptrdiff_t points = mixture_gradient_rows(shape);
  work.most_kept = gradient_kept(shape);
  work.kept = 0;
  pairs_layout(&work.pairs, arena, shape, points, work.most_kept, 1);
  work.weight = arena_reals(arena, work.most_kept);
  work.origin = arena_take(arena, (size_t)work.most_kept * sizeof(ptrdiff_t));
  work.dz = arena_reals(arena, padded(shape->d) / LANES * work.pairs.rows.stride);
  work.drawn = arena_take(arena, (size_t)points * sizeof(double));
  work.map = arena_reals(arena, affine_gradient_size(shape));
  work.mlp = arena_reals(arena, mlp_gradient_size(shape));
  work.bias = arena_reals(arena, padded(shape->k));
  return work;
}

static size_t mixture_gradient_bytes(const struct shape *shape) {
  struct arena arena = arena_open(NULL);
  gradient_layout(&arena, shape);
  return arena_size(&arena);
}

/* Adds dx = L^-T (...) of a row, after affine_backward() has left it times L_jj in dz. */
static void add_point(double *dx, ptrdiff_t stride, const struct affine *map,
                      const real *dz, ptrdiff_t step, ptrdiff_t k) {
  const real *reciprocal = map->reciprocal + k * padded(map->d);
  for (ptrdiff_t j = 0; j < map->d; j++)
    dx[j * stride] += (double)(dz[feature_at(j, step)] * reciprocal[j]);
}

/* Gradients of the rows kept so far, to the tile's sums and to their points, whose columns
 * are those of load_points(): the derivative of v log N_k |det dF_k/dx| in the last of a
 * component's own is v. */
static void kept_backward(struct gradient_work *work, const struct model *model,
                          const struct at_points *at, ptrdiff_t x_stride) {
  struct pairs *pairs = &work->pairs;
  struct activations *a = &pairs->rows;
  const ptrdiff_t d = model->shape.d, n_k = model->shape.k, stride = a->stride;
  const int own = has_own_flows(&model->shape);
  if (model->log_weight) {
    zero_reals(work->dz, padded(d) / LANES * stride);
  } else {
    for (ptrdiff_t row = 0; row < work->kept; row++)
      softmax_backward(a->value[model->shape.n_layers] + row * LANES, stride,
                       pairs->normaliser[row], work->weight[row], pairs->component[row],
                       n_k);
    mlp_backward(work->mlp, work->dz, a, &model->mlp, work->kept);
  }
  for (ptrdiff_t row = 0; row < work->kept; row++) {
    const ptrdiff_t k = pairs->component[row];
    real *dz = work->dz + row * LANES;
    affine_backward(work->map, dz, a->value[0] + row * LANES, stride, work->weight[row],
                    &model->map, k);
    if (!at->dx) continue;
    double *dx = at->dx + work->origin[row] + own * k * (d + 1) * x_stride;
    add_point(dx, x_stride, &model->map, dz, stride, k);
    if (own) dx[d * x_stride] += (double)work->weight[row];
  }
  work->kept = 0;
}

/* A uniform number in [0, 1) from a seed and a counter: the finaliser of SplitMix64
 * (Steele, Lea and Flood 2014). Counting on from a counter is starting from its seed. */
static uint64_t counted_seed(uint64_t seed, uint64_t counter) {
  return seed + counter * 0x9e3779b97f4a7c15u;
}

static double counted_uniform(uint64_t seed, uint64_t counter) {
  uint64_t x = counted_seed(seed, counter + 1);
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return (double)((x ^ (x >> 31)) >> 11) * 0x1p-53;
}

/* Keeps row `from` with the given weight. */
static void keep_row(struct gradient_work *work, const struct model *model,
                     ptrdiff_t from, ptrdiff_t origin, real weight) {
  struct pairs *pairs = &work->pairs;
  const ptrdiff_t to = work->kept++;
  work->weight[to] = weight;
  work->origin[to] = origin;
  if (to == from) return;
  pairs->point[to] = pairs->point[from];
  pairs->component[to] = pairs->component[from];
  pairs->normaliser[to] = pairs->normaliser[from];
  activations_move(&pairs->rows, &model->shape, to, from);
}

/* Keeps rows from `first` on that take part in the gradient. A row's gradient is
 * proportional to its v: rows with v below the threshold t are drawn with probability
 * v / t and then count as t, which leaves the expectation as it is. (The rows that
 * pairs_forward() has left out are below the rounding of p.) The draws of one point
 * are systematic: one uniform number, a row where the running sum of v / t passes an
 * integer. */
static void keep_rows(struct gradient_work *work, const struct model *model,
                      const struct rows *rows, ptrdiff_t begin, ptrdiff_t first,
                      const struct sampling *sampling) {
  struct pairs *pairs = &work->pairs;
  const ptrdiff_t across = padded(model->shape.k);
  const double t = sampling->threshold;
  for (ptrdiff_t i = 0; i < pairs->n_points && t > 0; i++)
    work->drawn[i] = counted_uniform(sampling->seed, (uint64_t)(rows->first + begin + i));
  for (ptrdiff_t row = first; row < pairs->n_rows; row++) {
    const ptrdiff_t i = pairs->point[row];
    const double a = row_weight(rows, begin + i);
    double v = (double)pairs->term[i * across + pairs->component[row]];
    if (v < t) {
      work->drawn[i] += v / t;
      if (work->drawn[i] < 1) continue;
      work->drawn[i] -= 1;
      v = t;
    }
    keep_row(work, model, row, row_of(rows, begin + i), (real)(a * v));
  }
}

/* The posterior v_k of each loaded point, in place of log_component; adds to the score,
 * and for a constant classifier to its gradient: dlog pi_k = a (v_k - pi_k). */
static void points_posterior(struct gradient_work *work, double *score,
                             double *log_density, const struct model *model,
                             const struct rows *rows, ptrdiff_t begin) {
  struct pairs *pairs = &work->pairs;
  const ptrdiff_t across = padded(model->shape.k);
  pairs_total(pairs, model->shape.k);
  for (ptrdiff_t i = 0; i < pairs->n_points; i++) {
    const double a = row_weight(rows, begin + i);
    *score += a * (double)pairs->total[i];
    if (log_density) log_density[row_of(rows, begin + i)] = (double)pairs->total[i];
    const vec total = vec_splat(pairs->total[i]), weight = vec_splat((real)a);
    for (ptrdiff_t k = 0; k < across; k += LANES) {
      real *joint = pairs->term + i * across + k, *bias = work->bias + k;
      const vec v = vec_exp(vec_load(joint) - total);
      vec_store(joint, v);
      if (!model->log_weight) continue;
      const vec pi = vec_exp(vec_load(model->log_weight + k));
      vec_store(bias, vec_load(bias) + weight * (v - pi));
    }
  }
}

static void mixture_gradient_tile(double *gradient, double *score,
                                  const struct at_points *at, const void *block,
                                  const struct rows *rows,
                                  const struct sampling *sampling, void *scratch) {
  const struct model *model = arena_first(block);
  const struct shape *shape = &model->shape;
  struct arena arena = arena_open(scratch);
  struct gradient_work work = gradient_layout(&arena, shape);
  struct pairs *pairs = &work.pairs;
  zero_reals(work.map, affine_gradient_size(shape));
  zero_reals(work.mlp, mlp_gradient_size(shape));
  zero_reals(work.bias, padded(shape->k));
  for (ptrdiff_t begin = 0; begin < rows->count; begin += pairs->n_points) {
    load_points(pairs, rows, shape, begin);
    if (work.kept + pairs->n_points * shape->k > work.most_kept)
      kept_backward(&work, model, at, rows->stride);
    const ptrdiff_t first = work.kept;
    pairs_map(pairs, model);
    pairs_forward(pairs, model, first, sampling->threshold > 0);
    if (model->log_weight)
      for (ptrdiff_t i = 0; i < pairs->n_points; i++)
        pairs_choose(pairs, shape, i, -(real)INFINITY, NULL);
    points_posterior(&work, score, at->log_density, model, rows, begin);
    keep_rows(&work, model, rows, begin, first, sampling);
  }
  kept_backward(&work, model, at, rows->stride);
  double *biases = gradient + model->at.biases;
  affine_gradient_add(gradient, gradient + model->at.scale, work.map, shape);
  mlp_gradient_add(gradient + model->at.weights, biases, work.mlp, shape);
  for (ptrdiff_t k = 0; k < shape->k && model->log_weight; k++)
    biases[k] += (double)work.bias[k];
}
