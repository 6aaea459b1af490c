/* Log densities and their parts, the classifier, the gradient. */
#include "ffi.h"

/* Quantity 0: log p, a vector; 1: log posterior, 2: log weights, 3: log component
 * densities, n x K matrices. */
SEXP ffi_density(SEXP model, SEXP y, SEXP quantity, SEXP single, SEXP threads) {
  const struct shape shape = ffi_shape(model);
  const struct rows rows = ffi_rows(y, R_NilValue, shape.d);
  const int what = ffi_int(quantity, "quantity");
  if (what < LOG_DENSITY || what > LOG_COMPONENT)
    Rf_error("Internal error: no such quantity.");
  SEXP out = PROTECT(what == LOG_DENSITY
                         ? Rf_allocVector(REALSXP, rows.count)
                         : Rf_allocMatrix(REALSXP, (int)rows.count, (int)shape.k));
  struct tiles tiles;
  ffi_plan(&tiles, JOB_DENSITY, ffi_int(single, "single"), &shape, rows.count, threads);
  tiles_load(&tiles, REAL(ffi_element(model, "parameters")));
  double *values = REAL(out);
  struct team team;
  team_open(&team, tiles.members);
  tiles_density(values, &tiles, (enum quantity)what, &rows, &team);
  team_close(&team);
  UNPROTECT(1);
  return out;
}

/* log w(z), n x K. */
SEXP ffi_classifier(SEXP model, SEXP z, SEXP single, SEXP threads) {
  const struct shape shape = ffi_shape(model);
  const struct rows rows = ffi_rows(z, R_NilValue, shape.d);
  SEXP out = PROTECT(Rf_allocMatrix(REALSXP, (int)rows.count, (int)shape.k));
  struct tiles tiles;
  ffi_plan(&tiles, JOB_DENSITY, ffi_int(single, "single"), &shape, rows.count, threads);
  tiles_load(&tiles, REAL(ffi_element(model, "parameters")));
  double *values = REAL(out);
  struct team team;
  team_open(&team, tiles.members);
  tiles_classifier(values, &tiles, &rows, &team);
  team_close(&team);
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
  const int asked = ffi_int(at_points, "at_points");
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
  struct tiles tiles;
  ffi_plan(&tiles, JOB_GRADIENT, ffi_int(single, "single"), &shape, rows.count, threads);
  tiles_load(&tiles, REAL(ffi_element(model, "parameters")));
  struct team team;
  team_open(&team, tiles.members);
  *value = tiles_gradient(gradient, &at, &tiles, &rows, &draw, &team);
  team_close(&team);
  UNPROTECT(1);
  return out;
}
