/* Points through a flow, back, and the way back of derivatives. */
#include "ffi.h"

static struct shape read_flow(SEXP model) {
  const struct shape shape = ffi_shape(model);
  if (shape.flow.kind == FLOW_NONE) Rf_error("Internal error: a model without a flow.");
  return shape;
}

static ptrdiff_t read_which(SEXP which, const struct shape *shape) {
  return ffi_int(which, "which", 0, (int)shape->flow.count - 1);
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
  const enum direction direction = ffi_flag(inverse, "inverse") ? INVERSE : FORWARD;
  struct session session;
  session_open(&session, &job_flow, ffi_flag(single, "single"), &shape,
               ffi_parameters(model), rows.count, threads);
  tiles_flow(&to, &session.tiles, direction, &rows, &session.team);
  session_close(&session);
  UNPROTECT(1);
  return out;
}

/* list(dx, gradient): at points y = F^-1(x), F being flow `which`, with the derivatives dy
 * (n x d) of a function of y, those in x, n x d, and in the flow's parameters, in their places
 * of a flat gradient, which is zero elsewhere. */
SEXP ffi_flow_pullback(SEXP model, SEXP y, SEXP dy, SEXP which, SEXP threads) {
  static const char *const fields[] = {"dx", "gradient"};
  const struct shape shape = read_flow(model);
  const struct rows rows = ffi_rows(y, R_NilValue, shape.d);
  SEXP out = PROTECT(ffi_list(2, fields));
  SET_VECTOR_ELT(out, 0, Rf_allocMatrix(REALSXP, (int)rows.count, (int)shape.d));
  SET_VECTOR_ELT(out, 1, Rf_allocVector(REALSXP, shape_layout(&shape).size));
  const R_xlen_t size = ffi_length(rows.count, shape.d, 1);
  const struct passage to = {.to = REAL(VECTOR_ELT(out, 0)),
                             .dx = ffi_doubles(dy, size, "dy"),
                             .which = read_which(which, &shape)};
  double *gradient = REAL(VECTOR_ELT(out, 1));
  struct session session;
  session_open(&session, &job_pullback, 0, &shape, ffi_parameters(model), rows.count,
               threads);
  tiles_pullback(&to, gradient, &session.tiles, &rows, &session.team);
  session_close(&session);
  UNPROTECT(1);
  return out;
}
