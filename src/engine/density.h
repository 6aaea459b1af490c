/* Log densities and their parts, and the classifier, over tiles. */

/* Pairs of point and component that pass the network at a time: many, for the products,
 * while two layers of them stay in a second-level cache (bench/tiles.R). */
#ifndef DENSITY_ROWS
#define DENSITY_ROWS 256
#endif

/* At least one point, with all its components. */
static ptrdiff_t points_for(const struct shape *shape, ptrdiff_t n_rows) {
  return shape->k > n_rows ? 1 : n_rows / shape->k;
}

static struct pairs density_layout(struct arena *arena, const struct shape *shape) {
  struct pairs pairs;
  const ptrdiff_t n = points_for(shape, DENSITY_ROWS);
  pairs_layout(&pairs, arena, shape, n, n * shape->k, 0);
  return pairs;
}

static size_t density_bytes(const struct shape *shape) {
  struct arena arena = arena_open(NULL);
  density_layout(&arena, shape);
  return arena_size(&arena);
}

/* Large enough that handing out a tile costs nothing beside it, small enough to
 * balance. */
static ptrdiff_t density_rows(const struct shape *shape) {
  const ptrdiff_t n = points_for(shape, DENSITY_ROWS);
  return n > 32 ? n : 32 / n * n;
}

static void write_row(double *out, ptrdiff_t stride, const real *values, ptrdiff_t n) {
  for (ptrdiff_t j = 0; j < n; j++) out[j * stride] = (double)values[j];
}

static void density_tile(double *out, ptrdiff_t stride, const void *block,
                         enum quantity quantity, const struct rows *rows, void *scratch) {
  const struct model *model = model_at(block);
  const ptrdiff_t n_k = model->shape.k, across = padded(n_k);
  struct arena arena = arena_open(scratch);
  struct pairs pairs = density_layout(&arena, &model->shape);

  for (ptrdiff_t begin = 0; begin < rows->count; begin += pairs.n_points) {
    load_points(&pairs, rows, model->shape.d, begin);
    pairs_forward(&pairs, model, 0, quantity == LOG_DENSITY);
    if (quantity == LOG_DENSITY || quantity == LOG_POSTERIOR) pairs_total(&pairs, n_k);
    for (ptrdiff_t i = 0; i < pairs.n_points; i++) {
      double *to = out + row_of(rows, begin + i);
      real *joint = pairs.log_component + i * across;
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

/* The points of a tile themselves as rows of the network: fills normaliser and logits. */
static void points_evaluate(struct pairs *pairs, const struct model *model,
                            const struct rows *rows, ptrdiff_t begin) {
  const ptrdiff_t d = model->shape.d;
  load_points(pairs, rows, d, begin);
  for (ptrdiff_t i = 0; i < pairs->n_points; i++)
    store_row(&pairs->rows, i, pairs->x + i * d, 1, d);
  mlp_forward(&pairs->rows, &model->mlp, 0, pairs->n_points);
  rows_log_sum_exp(pairs->normaliser, pairs->rows.value[model->shape.n_layers], LANES,
                   pairs->rows.stride, pairs->n_points, model->shape.k, pairs->turned);
}

static void classifier_tile(double *out, ptrdiff_t stride, const void *block,
                            const struct rows *rows, void *scratch) {
  const struct model *model = model_at(block);
  const ptrdiff_t n_k = model->shape.k;
  struct arena arena = arena_open(scratch);
  struct pairs pairs = density_layout(&arena, &model->shape);
  for (ptrdiff_t begin = 0; begin < rows->count; begin += pairs.n_points) {
    if (model->log_weight)
      load_points(&pairs, rows, model->shape.d, begin);
    else
      points_evaluate(&pairs, model, rows, begin);
    const real *logits = pairs.rows.value[model->shape.n_layers];
    for (ptrdiff_t i = 0; i < pairs.n_points; i++)
      for (ptrdiff_t k = 0; k < n_k; k++) {
        const real *logit =
            logits + k / LANES * pairs.rows.stride + i * LANES + k % LANES;
        out[row_of(rows, begin + i) + k * stride] =
            (double)(model->log_weight ? model->log_weight[k]
                                       : *logit - pairs.normaliser[i]);
      }
  }
}
