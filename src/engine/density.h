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

struct density_work {
  struct pairs pairs;
  real *joint, *share; /* padded k */
};

static struct density_work density_layout(struct arena *arena,
                                          const struct shape *shape) {
  struct density_work work;
  const ptrdiff_t n = points_for(shape, DENSITY_ROWS);
  pairs_layout(&work.pairs, arena, shape, n, n * shape->k, 0);
  work.joint = arena_reals(arena, padded(shape->k));
  work.share = arena_reals(arena, padded(shape->k));
  return work;
}

static size_t density_bytes(const struct shape *shape) {
  struct arena arena = arena_open(NULL);
  density_layout(&arena, shape);
  return arena_size(&arena);
}

/* Large enough that handing out a tile costs nothing beside it, small enough to balance. */
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
  struct density_work work = density_layout(&arena, &model->shape);
  struct pairs *pairs = &work.pairs;

  for (ptrdiff_t begin = 0; begin < rows->count; begin += pairs->n_points) {
    load_points(pairs, rows, model->shape.d, begin);
    pairs_forward(pairs, model, 0, quantity == LOG_DENSITY);
    for (ptrdiff_t i = 0; i < pairs->n_points; i++) {
      const real *log_weight = pairs->log_weight + i * across;
      const real *log_component = pairs->log_component + i * across;
      double *to = out + row_of(rows, begin + i);
      if (quantity == LOG_WEIGHT || quantity == LOG_COMPONENT) {
        write_row(to, stride, quantity == LOG_WEIGHT ? log_weight : log_component, n_k);
        continue;
      }
      /* log v_k = log w_k + log N_k - log p */
      for (ptrdiff_t k = 0; k < across; k++)
        work.joint[k] = log_weight[k] + log_component[k];
      const real total = softmax_across(work.share, work.joint, across);
      if (quantity == LOG_DENSITY) {
        *to = (double)total;
        continue;
      }
      for (ptrdiff_t k = 0; k < n_k; k++)
        to[k * stride] = (double)(work.joint[k] - total);
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
  rows_log_sum_exp(pairs->normaliser, pairs->rows.value[model->shape.n_layers],
                   pairs->rows.stride, 0, pairs->n_points, model->shape.k, pairs->turned);
}

static void classifier_tile(double *out, ptrdiff_t stride, const void *block,
                            const struct rows *rows, void *scratch) {
  const struct model *model = model_at(block);
  const ptrdiff_t n_k = model->shape.k;
  struct arena arena = arena_open(scratch);
  struct density_work work = density_layout(&arena, &model->shape);
  struct pairs *pairs = &work.pairs;
  for (ptrdiff_t begin = 0; begin < rows->count; begin += pairs->n_points) {
    if (model->log_weight)
      load_points(pairs, rows, model->shape.d, begin);
    else
      points_evaluate(pairs, model, rows, begin);
    const real *logits = pairs->rows.value[model->shape.n_layers];
    for (ptrdiff_t i = 0; i < pairs->n_points; i++)
      for (ptrdiff_t k = 0; k < n_k; k++) {
        const real *logit =
            logits + k / LANES * pairs->rows.stride + i * LANES + k % LANES;
        out[row_of(rows, begin + i) + k * stride] =
            (double)(model->log_weight ? model->log_weight[k]
                                       : *logit - pairs->normaliser[i]);
      }
  }
}
