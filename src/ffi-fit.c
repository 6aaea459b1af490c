/* Some iterations of EM, some steps of Adam. R drives both and holds the state. */
#include "ffi.h"

#include <limits.h>

static SEXP copy_doubles(SEXP x) {
  SEXP copy = Rf_allocVector(REALSXP, Rf_xlength(x));
  memcpy(REAL(copy), REAL(x), (size_t)Rf_xlength(x) * sizeof(double));
  return copy;
}

struct em {
  double *parameters, *log_likelihood, *statistics, *work;
  const double *floor;
  struct pooling pooling;
  double tolerance, total; /* total: the weight of all rows */
  int iterations, converged;
  enum status status;
};

/* E and M steps until the mean log-likelihood gains less than the tolerance (changes by
 * less, with covariances pooled) or all iterations are done. log_likelihood[i] is the
 * value before M step i; the last is that of the parameters returned. Returns the number
 * of M steps done. */
static int em_run(struct em *em, struct session *session, const struct rows *rows) {
  struct tiles *tiles = &session->tiles;
  double *value = em->log_likelihood;
  int i = 0;
  for (;; i++) {
    tiles_load(tiles, em->parameters);
    value[i] = tiles_em(em->statistics, tiles, rows, &session->team) / em->total;
    if (!isfinite(value[i])) em->status = STATUS_NOT_FINITE;
    /* Shrinkage may lower the likelihood before it settles. */
    const double gain = i > 0 ? value[i] - value[i - 1] : INFINITY;
    em->converged = (em->pooling.rows > 0 ? fabs(gain) : gain) < em->tolerance;
    if (em->status != STATUS_OK || em->converged || i == em->iterations) break;
    em->status = em_update(em->parameters, em->statistics, tiles->shape, em->floor,
                           em->total, &em->pooling, em->work);
    if (em->status != STATUS_OK) break;
  }
  return i;
}

static struct pooling read_pooling(SEXP pooling) {
  const struct pooling pool = {ffi_number(ffi_element(pooling, "rows"), "rows"),
                               ffi_flag(ffi_element(pooling, "spherical"), "spherical")};
  if (pool.rows < 0) Rf_error("Internal error: `rows` must not be negative.");
  return pool;
}

/* EM is for constant weights, and for no flow. */
static struct shape read_mixture(SEXP model) {
  const struct shape shape = ffi_shape(model);
  if (shape.n_layers > 0 || shape.flow.kind != FLOW_NONE)
    Rf_error("Internal error: not a Gaussian mixture.");
  return shape;
}

static double total_weight(const struct rows *rows) {
  double total = rows->weights ? 0 : (double)rows->count;
  if (rows->weights)
    for (ptrdiff_t i = 0; i < rows->count; i++) total += rows->weights[i];
  return total;
}

/* list(parameters, log_likelihood, counts, converged, status): counts are the components'
 * total weights at the parameters returned. `pooling` is list(rows, spherical), as in
 * struct pooling. */
SEXP ffi_em(SEXP model, SEXP x, SEXP weights, SEXP floor, SEXP pooling, SEXP iterations,
            SEXP tolerance, SEXP threads) {
  static const char *const fields[] = {"parameters", "log_likelihood", "counts",
                                       "converged", "status"};
  const struct shape shape = read_mixture(model);
  const struct rows rows = ffi_rows(x, weights, shape.d);
  const int most = ffi_int(iterations, "iterations", 0, INT_MAX);
  const ptrdiff_t size = em_statistics(&shape);
  SEXP out = PROTECT(ffi_list(5, fields));
  SET_VECTOR_ELT(out, 0, copy_doubles(ffi_element(model, "parameters")));
  SET_VECTOR_ELT(out, 2, Rf_allocVector(REALSXP, shape.k));
  struct em em = {
      .parameters = REAL(VECTOR_ELT(out, 0)),
      .log_likelihood = (double *)R_alloc((size_t)most + 1, sizeof(double)),
      .statistics = (double *)R_alloc((size_t)(shape.k * size), sizeof(double)),
      .work = (double *)R_alloc((size_t)em_update_doubles(&shape), sizeof(double)),
      .floor = ffi_doubles(floor, shape.d, "floor"),
      .pooling = read_pooling(pooling),
      .tolerance = ffi_number(tolerance, "tolerance"),
      .total = total_weight(&rows),
      .iterations = most,
      .status = STATUS_OK};
  struct session session;
  session_open(&session, &job_em, 0, &shape, NULL, rows.count, threads);
  const int done = em_run(&em, &session, &rows);
  session_close(&session);

  double *counts = REAL(VECTOR_ELT(out, 2));
  for (ptrdiff_t k = 0; k < shape.k; k++) counts[k] = em.statistics[k * size];
  SET_VECTOR_ELT(out, 1, Rf_allocVector(REALSXP, done + 1));
  memcpy(REAL(VECTOR_ELT(out, 1)), em.log_likelihood,
         ((size_t)done + 1) * sizeof(double));
  SET_VECTOR_ELT(out, 3, Rf_ScalarLogical(em.converged));
  SET_VECTOR_ELT(out, 4, Rf_ScalarInteger((int)em.status));
  UNPROTECT(1);
  return out;
}

struct ascent {
  struct adam_state state;
  struct adam_options options;
  double *gradient, *scores;
  const double *rates;
  struct sampling sampling;
};

/* One step a rate, each over the next `batch` of the indices in `rows`. Returns the
 * number of steps done: fewer where a score or gradient is not finite, and then the
 * parameters are those before. */
static R_xlen_t ascent_run(struct ascent *ascent, struct session *session,
                           const struct rows *rows, ptrdiff_t batch, R_xlen_t n_steps) {
  const struct at_points none = {NULL, NULL};
  struct tiles *tiles = &session->tiles;
  R_xlen_t i = 0;
  for (; i < n_steps; i++) {
    struct rows part = *rows;
    part.first = i * batch;
    part.count = rows->count - part.first < batch ? rows->count - part.first : batch;
    tiles_load(tiles, ascent->state.parameters);
    const double score = tiles_gradient(ascent->gradient, &none, tiles, &part,
                                        &ascent->sampling, &session->team);
    if (!isfinite(score)) break;
    ascent->scores[i] = score / (double)part.count;
    if (adam_step(&ascent->state, ascent->gradient, 1 / (double)part.count,
                  ascent->rates[i], tiles->shape, &ascent->options) != STATUS_OK)
      break;
  }
  return i;
}

/* Copies the optimiser's state, list(parameters, first, second, average, step), to the
 * first four elements of `out` and reads it from there. */
static struct adam_state read_state(SEXP out, SEXP state, R_xlen_t size) {
  static const char *const fields[] = {"parameters", "first", "second", "average"};
  for (int i = 0; i < 4; i++) {
    ffi_doubles(ffi_element(state, fields[i]), size, fields[i]);
    SET_VECTOR_ELT(out, i, copy_doubles(ffi_element(state, fields[i])));
  }
  return (struct adam_state){.parameters = REAL(VECTOR_ELT(out, 0)),
                             .first = REAL(VECTOR_ELT(out, 1)),
                             .second = REAL(VECTOR_ELT(out, 2)),
                             .average = REAL(VECTOR_ELT(out, 3)),
                             .step = *ffi_doubles(ffi_element(state, "step"), 1, "step")};
}

/* From list(beta1, beta2, epsilon, decay, clip, recency, log_floor): see struct
 * adam_options. */
static struct adam_options read_options(SEXP options, const struct shape *shape) {
  const SEXP log_floor = ffi_element(options, "log_floor");
  return (struct adam_options){
      .beta1 = ffi_number(ffi_element(options, "beta1"), "beta1"),
      .beta2 = ffi_number(ffi_element(options, "beta2"), "beta2"),
      .epsilon = ffi_number(ffi_element(options, "epsilon"), "epsilon"),
      .weight_decay = ffi_number(ffi_element(options, "decay"), "decay"),
      .clip = ffi_number(ffi_element(options, "clip"), "clip"),
      .recency = ffi_number(ffi_element(options, "recency"), "recency"),
      .log_floor = ffi_doubles(log_floor, shape->d, "log_floor")};
}

/* One step of Adam uphill along a gradient: the new `state`, with the step it stood at
 * where the gradient is not finite. */
SEXP ffi_adam(SEXP model, SEXP state, SEXP gradient, SEXP rate, SEXP options) {
  static const char *const fields[] = {"parameters", "first", "second", "average",
                                       "step"};
  const struct shape shape = ffi_shape(model);
  const ptrdiff_t size = shape_layout(&shape).size;
  SEXP out = PROTECT(ffi_list(5, fields));
  struct adam_state at = read_state(out, state, size);
  const struct adam_options how = read_options(options, &shape);
  adam_step(&at, ffi_doubles(gradient, size, "gradient"), 1, ffi_number(rate, "rate"),
            &shape, &how);
  SET_VECTOR_ELT(out, 4, Rf_ScalarReal(at.step));
  UNPROTECT(1);
  return out;
}

/* Rows of `all` in the order of `index`, from 0: enough for all steps. */
static struct rows read_index(struct rows all, SEXP index, int batch, R_xlen_t n_steps) {
  const R_xlen_t n = Rf_xlength(index);
  if (TYPEOF(index) != INTSXP || n_steps < 1 || n < 1 || (n - 1) / batch < n_steps - 1)
    Rf_error("Internal error: fewer rows than the steps need.");
  const int *rows = INTEGER_RO(index);
  for (R_xlen_t i = 0; i < n; i++)
    if (rows[i] < 0 || rows[i] >= all.count) Rf_error("Internal error: no such row.");
  all.index = rows;
  all.count = n;
  return all;
}

/* list(parameters, first, second, average, step, scores): `state` has the first five;
 * scores are the mean weighted log densities of the batches, each before its step.
 * Fewer scores than rates mean that a score or gradient was not finite. `rows` counts
 * from 0. */
SEXP ffi_steps(SEXP model, SEXP state, SEXP x, SEXP weights, SEXP rows, SEXP batch,
               SEXP rates, SEXP options, SEXP sampling, SEXP single, SEXP threads) {
  static const char *const fields[] = {"parameters", "first", "second",
                                       "average",    "step",  "scores"};
  const struct shape shape = ffi_shape(model);
  const ptrdiff_t size = shape_layout(&shape).size;
  const int n_batch = ffi_int(batch, "batch", 1, INT_MAX);
  const R_xlen_t n_steps = Rf_xlength(rates);
  const struct rows all =
      read_index(ffi_rows(x, weights, shape.d), rows, n_batch, n_steps);

  SEXP out = PROTECT(ffi_list(6, fields));
  struct ascent ascent = {.state = read_state(out, state, size),
                          .options = read_options(options, &shape),
                          .gradient = (double *)R_alloc((size_t)size, sizeof(double)),
                          .scores = (double *)R_alloc((size_t)n_steps, sizeof(double)),
                          .rates = ffi_doubles(rates, n_steps, "rates"),
                          .sampling = ffi_sampling(sampling)};
  const ptrdiff_t most = all.count < n_batch ? all.count : n_batch;
  struct session session;
  session_open(&session, &job_gradient, ffi_flag(single, "single"), &shape, NULL, most,
               threads);
  const R_xlen_t done = ascent_run(&ascent, &session, &all, n_batch, n_steps);
  session_close(&session);

  SET_VECTOR_ELT(out, 4, Rf_ScalarReal(ascent.state.step));
  SET_VECTOR_ELT(out, 5, Rf_allocVector(REALSXP, done));
  memcpy(REAL(VECTOR_ELT(out, 5)), ascent.scores, (size_t)done * sizeof(double));
  UNPROTECT(1);
  return out;
}
