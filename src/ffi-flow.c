/* Points through a flow, back, and the way back of derivatives. */
#include "ffi.h"

static struct shape read_flow(SEXP model) {
  const struct shape shape = ffi_shape(model);
  if (shape.flow.kind == FLOW_NONE) Rf_error("Internal error: a model without a flow.");
  return shape;
}

static ptrdiff_t read_which(SEXP which, const struct shape *shape) {
  const int flow = ffi_int(which, "which");
  if (flow < 0 || flow >= shape->flow.count) Rf_error("Internal error: no such flow.");
  return flow;
}

static void run_flow(const struct passage *out, double *gradient, enum job job,
                     enum direction direction, SEXP model, const struct shape *shape,
                     const struct rows *rows, int single, SEXP threads) {
  struct tiles tiles;
  ffi_plan(&tiles, job, single, shape, rows->count, threads);
  tiles_load(&tiles, REAL(ffi_element(model, "parameters")));
  struct team team;
  team_open(&team, tiles.members);
  tiles_flow(out, gradient, &tiles, direction, rows, &team);
  team_close(&team);
}

/* list(x, log_det): F(y) or F^-1(y), n x d, and the log determinant of that map, n, F
 * being flow `which`. */
SEXP ffi_flow(SEXP model, SEXP y, SEXP inverse, SEXP which, SEXP single, SEXP threads) {
  static const char *const fields[] = {"x", "log_det"};
  const struct shape shape = read_flow(model);
  const struct rows rows = ffi_rows(y, R_NilValue, shape.d);
  SEXP out = PROTECT(ffi_list(2, fields));
  SET_VECTOR_ELT(out, 0, Rf_allocMatrix(REALSXP, (int)rows.count, (int)shape.d));
  SET_VECTOR_ELT(out, 1, Rf_allocVector(REALSXP, rows.count));
  const struct passage to = {.to = REAL(VECTOR_ELT(out, 0)),
                             .log_det = REAL(VECTOR_ELT(out, 1)),
                             .which = read_which(which, &shape)};
  run_flow(&to, NULL, JOB_FLOW, ffi_int(inverse, "inverse") ? INVERSE : FORWARD, model,
           &shape, &rows, ffi_int(single, "single"), threads);
  UNPROTECT(1);
  return out;
}

/* list(dx, gradient): at points y = F^-1(x), F being flow `which`, with the derivatives dy
 * (n x d) of a function of y, those in x, n x d, and in the flow's parameters, in their
 * places of a flat gradient, which is zero elsewhere. */
SEXP ffi_flow_pullback(SEXP model, SEXP y, SEXP dy, SEXP which, SEXP threads) {
  static const char *const fields[] = {"dx", "gradient"};
  const struct shape shape = read_flow(model);
  const struct rows rows = ffi_rows(y, R_NilValue, shape.d);
  SEXP out = PROTECT(ffi_list(2, fields));
  SET_VECTOR_ELT(out, 0, Rf_allocMatrix(REALSXP, (int)rows.count, (int)shape.d));
  SET_VECTOR_ELT(out, 1, Rf_allocVector(REALSXP, shape_layout(&shape).size));
  const struct passage to = {.to = REAL(VECTOR_ELT(out, 0)),
                             .dx = ffi_doubles(dy, rows.count * shape.d, "dy"),
                             .which = read_which(which, &shape)};
  run_flow(&to, REAL(VECTOR_ELT(out, 1)), JOB_PULLBACK, PULLBACK, model, &shape, &rows, 0,
           threads);
  UNPROTECT(1);
  return out;
}
