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

static const struct sampling every_component = {0, 0};

/* list(value, gradient) of the weighted sum of log densities; the gradient is flat. */
SEXP ffi_gradient(SEXP model, SEXP y, SEXP weights, SEXP single, SEXP threads) {
  static const char *const fields[] = {"value", "gradient"};
  const struct shape shape = ffi_shape(model);
  const struct rows rows = ffi_rows(y, weights, shape.d);
  SEXP out = PROTECT(ffi_list(2, fields));
  SET_VECTOR_ELT(out, 0, Rf_allocVector(REALSXP, 1));
  SET_VECTOR_ELT(out, 1, Rf_allocVector(REALSXP, shape_layout(&shape).size));
  double *value = REAL(VECTOR_ELT(out, 0)), *gradient = REAL(VECTOR_ELT(out, 1));
  struct tiles tiles;
  ffi_plan(&tiles, JOB_GRADIENT, ffi_int(single, "single"), &shape, rows.count, threads);
  tiles_load(&tiles, REAL(ffi_element(model, "parameters")));
  struct team team;
  team_open(&team, tiles.members);
  *value = tiles_gradient(gradient, &tiles, &rows, &every_component, &team);
  team_close(&team);
  UNPROTECT(1);
  return out;
}
