/* The way back of the sum over components at base points, formula (19): from derivatives
 * in the weights w_k(z) and the nodes x_k = mu_k + L_k z to those in the parameters. */

struct expectation_work {
  struct classifier_work classifier;
  real *dz; /* as the network's inputs; not asked for, as z does not depend on anything */
  real *mlp; /* sums of gradients: mlp_gradient_add() */
};

static struct expectation_work expectation_layout(struct arena *arena,
                                                  const struct shape *shape) {
  struct expectation_work work;
  work.classifier = classifier_layout(arena, shape, 1);
  work.dz = arena_reals(arena, padded(shape->d) / LANES * work.classifier.rows.stride);
  work.mlp = arena_reals(arena, mlp_gradient_size(shape));
  return work;
}

static size_t expectation_bytes(const struct shape *shape) {
  struct arena arena = arena_open(NULL);
  expectation_layout(&arena, shape);
  return arena_size(&arena);
}

static ptrdiff_t expectation_rows(void) { return CLASSIFIER_ROWS; }

/* Adds sum_i dx_ik to dmean_k and, by dL_jl = sum_i dx_ikj z_il, to the gradient of the
 * factors: dlog L_jj = dL_jj L_jj. */
static void nodes_backward(double *dmean, double *dscale, const struct affine *map,
                           const struct rows *rows, const double *dnode) {
  const ptrdiff_t d = map->d, n_k = map->k, stride = rows->stride;
  for (ptrdiff_t k = 0; k < n_k; k++)
    for (ptrdiff_t j = 0; j < d; j++) {
      const double *dx = dnode + (k + n_k * j) * stride + rows->first;
      double sum = 0;
      for (ptrdiff_t i = 0; i < rows->count; i++) sum += dx[i];
      dmean[k + n_k * j] += sum;
      for (ptrdiff_t l = map->full ? 0 : j; l <= j; l++) {
        const double *z = rows->x + l * stride + rows->first;
        double product = 0;
        for (ptrdiff_t i = 0; i < rows->count; i++) product += dx[i] * z[i];
        if (l == j) product /= (double)map->reciprocal[k * padded(d) + j];
        dscale[map->full ? j + d * (l + d * k) : k + n_k * j] += product;
      }
    }
}

/* The logits of one base point become their derivatives, given those of log w:
 *   dlogit_j = c_j - w_j sum_k c_k
 * c_k stands at c[k * stride]. */
static void weights_backward(real *logits, ptrdiff_t step, real normaliser,
                             const double *c, ptrdiff_t stride, ptrdiff_t n_k) {
  double total = 0;
  for (ptrdiff_t k = 0; k < n_k; k++) total += c[k * stride];
  const vec top = vec_splat(normaliser), minus = vec_splat((real)-total);
  for (ptrdiff_t j = 0; j < n_k; j += LANES) {
    real *block = logits + j / LANES * step;
    vec_store(block, minus * vec_exp(vec_load(block) - top));
  }
  for (ptrdiff_t k = 0; k < n_k; k++) logits[feature_at(k, step)] += (real)c[k * stride];
}

/* Of constant weights: dlog pi_j = sum_i c_ij - pi_j sum_k c_ik. */
static void constant_backward(double *dbias, const struct model *model,
                              const struct rows *rows, const double *c) {
  const ptrdiff_t n_k = model->shape.k, stride = rows->stride;
  double total = 0;
  for (ptrdiff_t k = 0; k < n_k; k++) {
    double sum = 0;
    for (ptrdiff_t i = 0; i < rows->count; i++) sum += c[rows->first + i + k * stride];
    dbias[k] += sum;
    total += sum;
  }
  for (ptrdiff_t k = 0; k < n_k; k++)
    dbias[k] -= exp((double)model->log_weight[k]) * total;
}

static void expectation_tile(double *gradient, const void *block, const struct rows *rows,
                             const struct derivatives *given, void *scratch) {
  const struct model *model = arena_first(block);
  const struct shape *shape = &model->shape;
  struct arena arena = arena_open(scratch);
  struct expectation_work work = expectation_layout(&arena, shape);
  struct activations *a = &work.classifier.rows;
  double *biases = gradient + model->at.biases;
  nodes_backward(gradient, gradient + model->at.scale, &model->map, rows, given->node);
  if (model->log_weight) {
    constant_backward(biases, model, rows, given->log_weight);
    return;
  }
  zero_reals(work.mlp, mlp_gradient_size(shape));
  for (ptrdiff_t begin = 0; begin < rows->count; begin += CLASSIFIER_ROWS) {
    const ptrdiff_t left = rows->count - begin;
    const ptrdiff_t count = left < CLASSIFIER_ROWS ? left : CLASSIFIER_ROWS;
    classifier_forward(&work.classifier, model, rows, begin, count);
    for (ptrdiff_t i = 0; i < count; i++)
      weights_backward(
          a->value[shape->n_layers] + i * LANES, a->stride, work.classifier.normaliser[i],
          given->log_weight + row_of(rows, begin + i), rows->stride, shape->k);
    mlp_backward(work.mlp, work.dz, a, &model->mlp, count);
  }
  mlp_gradient_add(gradient + model->at.weights, biases, work.mlp, shape);
}
