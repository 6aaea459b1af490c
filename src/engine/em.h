/* temporary */
static void em_tile(double *statistics, double *score, const void *block,
                    const struct rows *rows, void *scratch) {
  const struct model *model = model_at(block);
  const ptrdiff_t n_k = model->shape.k, d = model->shape.d, across = padded(n_k),
                  size = em_statistics(&model->shape);
  struct arena arena = arena_open(scratch);
  struct gradient_work work = gradient_layout(&arena, &model->shape);
  struct pairs *pairs = &work.pairs;
  for (ptrdiff_t begin = 0; begin < rows->count; begin += pairs->n_points) {
    load_points(pairs, rows, d, begin);
    pairs_forward(pairs, model, 0, 0);
    points_posterior(&work, score, model, rows, begin);
    for (ptrdiff_t i = 0; i < pairs->n_points; i++)
      for (ptrdiff_t k = 0; k < n_k; k++) {
        double a = rows->weights ? rows->weights[row_of(rows, begin + i)] : 1;
        double v = a * (double)pairs->log_component[i * across + k];
        double *s = statistics + k * size;
        *s++ += v;
        for (ptrdiff_t j = 0; j < d; j++)
          *s++ += v * (double)(pairs->x[i * d + j] - model->map.mean[j * across + k]);
        for (ptrdiff_t j = 0; j < d; j++)
          for (ptrdiff_t l = model->shape.full ? 0 : j; l <= j; l++)
            *s++ += v * (double)(pairs->x[i * d + j] - model->map.mean[j * across + k]) *
                    (double)(pairs->x[i * d + l] - model->map.mean[l * across + k]);
      }
  }
}
