/* Log densities and their parts, the classifier, the gradient. */
#include "ffi.h"

/* Quantity 0: log p, a vector; 1: log posterior, 2: log weights, 3: log component
 * densities, n x K matrices. */
SEXP ffi_density(SEXP model, SEXP y, SEXP quantity, SEXP single, SEXP threads) {
  const struct shape shape = ffi_shape(model);
  const struct rows rows = ffi_rows(y, R_NilValue, shape.d);
  const int what = ffi_int(quantity, "quantity", LOG_DENSITY, LOG_COMPONENT);
  SEXP out = PROTECT(what == LOG_DENSITY
                         ? Rf_allocVector(REALSXP, rows.count)
                         : Rf_allocMatrix(REALSXP, (int)rows.count, (int)shape.k));
  double *values = REAL(out);
  const int in_single = ffi_flag(single, "single");
  /* Without a network and a flow the E step of EM knows it in a fraction of the time. */
  const int constant = what == LOG_DENSITY && !in_single && shape.n_layers == 0 &&
                       shape.flow.kind == FLOW_NONE;
  struct session session;
  session_open(&session, constant ? &job_constant_density : &job_density, in_single,
               &shape, ffi_parameters(model), rows.count, threads);
  if (constant)
    tiles_constant_density(values, &session.tiles, &rows, &session.team);
  else
    tiles_density(values, &session.tiles, (enum quantity)what, &rows, &session.team);
  session_close(&session);
  UNPROTECT(1);
  return out;
}

/* log w(z), n x K. */
SEXP ffi_classifier(SEXP model, SEXP z, SEXP single, SEXP threads) {
  const struct shape shape = ffi_shape(model);
  const struct rows rows = ffi_rows(z, R_NilValue, shape.d);
  SEXP out = PROTECT(Rf_allocMatrix(REALSXP, (int)rows.count, (int)shape.k));
  double *values = REAL(out);
  struct session session;
  session_open(&session, &job_classifier, ffi_flag(single, "single"), &shape,
               ffi_parameters(model), rows.count, threads);
  tiles_classifier(values, &session.tiles, &rows, &session.team);
  session_close(&session);
  UNPROTECT(1);
  return out;
}

/* list(value, gradient) of the weighted sum of log densities; the gradient is flat. With
 * `at_points` also log_density (n) and dx (n x d), see struct at_points. `sampling` as in
 * ffi_sampling(). */
SEXP ffi_gradient(SEXP model, SEXP y, SEXP weights, SEXP at_points, SEXP sampling,
                  SEXP single, SEXP threads) {
  static const char *const fields[] = {"value", "gradient", "log_density", "dx"};
  const struct shape shape = ffi_shape(model);
  const struct rows rows = ffi_rows(y, weights, shape.d);
  const struct sampling draw = ffi_sampling(sampling);
  const int asked = ffi_flag(at_points, "at_points");
  SEXP out = PROTECT(ffi_list(asked ? 4 : 2, fields));
  struct at_points at = {NULL, NULL};
  if (asked) {
    SET_VECTOR_ELT(out, 2, Rf_allocVector(REALSXP, rows.count));
    SET_VECTOR_ELT(out, 3, Rf_allocMatrix(REALSXP, (int)rows.count, (int)shape.d));
    at.log_density = REAL(VECTOR_ELT(out, 2));
    at.dx = REAL(VECTOR_ELT(out, 3));
    memset(at.dx, 0, (size_t)(rows.count * shape.d) * sizeof(double));
  }
  SET_VECTOR_ELT(out, 0, Rf_allocVector(REALSXP, 1));
  SET_VECTOR_ELT(out, 1, Rf_allocVector(REALSXP, shape_layout(&shape).size));
  double *value = REAL(VECTOR_ELT(out, 0)), *gradient = REAL(VECTOR_ELT(out, 1));
  struct session session;
  session_open(&session, &job_gradient, ffi_flag(single, "single"), &shape,
               ffi_parameters(model), rows.count, threads);
  *value = tiles_gradient(gradient, &at, &session.tiles, &rows, &draw, &session.team);
  session_close(&session);
  UNPROTECT(1);
  return out;
}
