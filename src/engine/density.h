/* Log densities and their parts, and the classifier, over tiles. */

/* Pairs of point and component that pass the network at a time: many, for the products,
 * while two layers of them stay in half of a second-level cache of 1 MiB
 * (bench/tiles.R). */
#ifndef DENSITY_ROWS
#define DENSITY_ROWS 256
#endif
#define DENSITY_BYTES (512 * 1024)

/* As many points as give at most `n_rows` rows, but one at least. */
static ptrdiff_t points_for(const struct shape *shape, ptrdiff_t n_rows) {
  return shape->k > n_rows ? 1 : n_rows / shape->k;
}

static ptrdiff_t density_points(const struct shape *shape) {
  const ptrdiff_t n = DENSITY_BYTES / (2 * widest_layer(shape) * (ptrdiff_t)sizeof(real));
  return points_for(shape, n < DENSITY_ROWS ? n : DENSITY_ROWS);
}

static struct pairs density_layout(struct arena *arena, const struct shape *shape) {
  struct pairs pairs;
  const ptrdiff_t n = density_points(shape);
  pairs_layout(&pairs, arena, shape, n, n * shape->k, 0);
  return pairs;
}

/* Base points that pass the network at a time, a multiple of MR and LANES. */
#define CLASSIFIER_ROWS 48

struct classifier_work {
  struct activations rows;
  real *z, *normaliser, *turned; /* d; of a row; k x LANES */
};

/* `keep`: the values of all layers, for the way back. */
static struct classifier_work classifier_layout(struct arena *arena,
                                                const struct shape *shape, int keep) {
  struct classifier_work work;
  activations_layout(&work.rows, arena, shape, CLASSIFIER_ROWS, keep);
  work.z = arena_reals(arena, shape->d);
  work.normaliser = arena_reals(arena, CLASSIFIER_ROWS);
  work.turned = arena_reals(arena, shape->k * LANES);
  return work;
}

/* What either needs. */
static size_t mixture_density_bytes(const struct shape *shape) {
  struct arena density = arena_open(NULL), classifier = arena_open(NULL);
  density_layout(&density, shape);
  classifier_layout(&classifier, shape, 0);
  return arena_size(density.used > classifier.used ? &density : &classifier);
}

/* Large enough that handing out a tile costs nothing beside it, small enough to
 * balance. */
static ptrdiff_t mixture_density_rows(const struct shape *shape) {
  const ptrdiff_t n = density_points(shape);
  return n > 32 ? n : 32 / n * n;
}

static void write_row(double *out, ptrdiff_t stride, const real *values, ptrdiff_t n) {
  for (ptrdiff_t j = 0; j < n; j++) out[j * stride] = (double)values[j];
}

static void mixture_density_tile(double *out, ptrdiff_t stride, const void *block,
                                 enum quantity quantity, const struct rows *rows,
                                 void *scratch) {
  const struct model *model = arena_first(block);
  const ptrdiff_t n_k = model->shape.k, across = padded(n_k);
  struct arena arena = arena_open(scratch);
  struct pairs pairs = density_layout(&arena, &model->shape);

  for (ptrdiff_t begin = 0; begin < rows->count; begin += pairs.n_points) {
    load_points(&pairs, rows, &model->shape, begin);
    pairs_map(&pairs, model);
    if (quantity != LOG_COMPONENT)
      pairs_forward(&pairs, model, 0, quantity == LOG_DENSITY);
    if (quantity == LOG_DENSITY || quantity == LOG_POSTERIOR) pairs_total(&pairs, n_k);
    for (ptrdiff_t i = 0; i < pairs.n_points; i++) {
      double *to = out + row_of(rows, begin + i);
      real *joint = pairs.term + i * across;
      switch (quantity) {
        case LOG_DENSITY: *to = (double)pairs.total[i]; break;
        case LOG_WEIGHT: write_row(to, stride, pairs.log_weight + i * across, n_k); break;
        case LOG_COMPONENT: write_row(to, stride, joint, n_k); break;
        case LOG_POSTERIOR:
          /* log v_k = log w_k + log N_k - log p */
          for (ptrdiff_t k = 0; k < n_k; k++) joint[k] -= pairs.total[i];
          write_row(to, stride, joint, n_k);
          break;
      }
    }
  }
}

/* Some base points, at most CLASSIFIER_ROWS, through the network: logits, normalisers. */
static void classifier_forward(struct classifier_work *work, const struct model *model,
                               const struct rows *rows, ptrdiff_t begin,
                               ptrdiff_t count) {
  const ptrdiff_t d = model->shape.d;
  const real *logits = work->rows.value[model->shape.n_layers];
  for (ptrdiff_t i = 0; i < count; i++) {
    const double *row = rows->x + row_of(rows, begin + i);
    for (ptrdiff_t j = 0; j < d; j++) work->z[j] = (real)row[j * rows->stride];
    store_row(&work->rows, i, work->z, 1, d);
  }
  mlp_forward(&work->rows, &model->mlp, 0, count);
  rows_log_sum_exp(work->normaliser, logits, LANES, work->rows.stride, count,
                   model->shape.k, work->turned);
}

/* log w_k = logit_k - log sum exp(logits) of some base points, row by row. */
static void classifier_rows(double *out, ptrdiff_t stride, const struct model *model,
                            const struct rows *rows, ptrdiff_t begin, ptrdiff_t count,
                            struct classifier_work *work) {
  const ptrdiff_t n_k = model->shape.k, step = work->rows.stride;
  const real *logits = work->rows.value[model->shape.n_layers];
  classifier_forward(work, model, rows, begin, count);
  for (ptrdiff_t i = 0; i < count; i++)
    for (ptrdiff_t k = 0; k < n_k; k++)
      out[row_of(rows, begin + i) + k * stride] =
          (double)(logits[feature_at(k, step) + i * LANES] - work->normaliser[i]);
}

static void classifier_tile(double *out, ptrdiff_t stride, const void *block,
                            const struct rows *rows, void *scratch) {
  const struct model *model = arena_first(block);
  const ptrdiff_t n_k = model->shape.k;
  struct arena arena = arena_open(scratch);
  struct classifier_work work = classifier_layout(&arena, &model->shape, 0);
  for (ptrdiff_t i = 0; i < rows->count && model->log_weight; i++)
    write_row(out + row_of(rows, i), stride, model->log_weight, n_k);
  for (ptrdiff_t begin = 0; begin < rows->count && !model->log_weight;
       begin += CLASSIFIER_ROWS) {
    const ptrdiff_t left = rows->count - begin;
    classifier_rows(out, stride, model, rows, begin,
                    left < CLASSIFIER_ROWS ? left : CLASSIFIER_ROWS, &work);
  }
}
