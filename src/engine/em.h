/* E step of Gaussian mixtures (a constant classifier) over a tile. */

/* Adds one component's statistics: sums over the tile's points of v, v u_j and v u_j u_l
 * with u = x - mu_k, centred before squaring. */
static void em_component(double *statistics, const real *x, const real *v,
                         const struct affine *map, ptrdiff_t k) {
  const ptrdiff_t d = map->d;
  vec total = vec_splat(0);
  for (ptrdiff_t p = 0; p < PANEL; p += LANES) total += vec_load(v + p);
  *statistics++ += (double)vec_sum(total);
  double *first = statistics, *second = statistics + d;
  for (ptrdiff_t j = 0; j < d; j++) {
    const vec mu_j = vec_splat(map->mean[k * d + j]);
    vec sum = vec_splat(0);
    for (ptrdiff_t p = 0; p < PANEL; p += LANES)
      sum += vec_load(v + p) * (vec_load(x + j * PANEL + p) - mu_j);
    *first++ += (double)vec_sum(sum);
    for (ptrdiff_t l = map->full ? 0 : j; l <= j; l++) {
      const vec mu_l = vec_splat(map->mean[k * d + l]);
      vec product = vec_splat(0);
      for (ptrdiff_t p = 0; p < PANEL; p += LANES)
        product += vec_load(v + p) * (vec_load(x + j * PANEL + p) - mu_j) *
                   (vec_load(x + l * PANEL + p) - mu_l);
      *second++ += (double)vec_sum(product);
    }
  }
}

/* Scratch is gradient_bytes: the E step is the gradient's way forward. */
static void em_tile(double *statistics, double *score, const void *block,
                    const struct rows *rows, void *scratch) {
  const struct model *model = model_at(block);
  const ptrdiff_t n_k = model->shape.k, size = em_statistics(&model->shape);
  struct arena arena = arena_open(scratch);
  struct gradient_work work = gradient_layout(&arena, &model->shape);
  for (ptrdiff_t begin = 0; begin < rows->count; begin += PANEL) {
    load_panel(work.x, rows, model->shape.d, begin);
    load_weights(work.weight, rows, begin);
    for (ptrdiff_t k = 0; k < n_k; k++) gradient_forward(&work, model, k, k);
    panel_posterior(work.posterior, work.total, work.joint, work.weight, n_k);
    add_score(score, work.total, rows, begin);
    for (ptrdiff_t k = 0; k < n_k; k++)
      em_component(statistics + k * size, work.x, work.posterior + k * PANEL, &model->map,
                   k);
  }
}
