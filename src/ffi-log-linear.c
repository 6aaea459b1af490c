/* Log-linear densities, a column's estimate. */
#include "ffi.h"
#include "log-linear.h"

/* From list(start, step, log_density), and the logs of the masses below its knots and of
 * all. */
static struct log_linear read_shape(SEXP shape, SEXP before) {
  SEXP log_density = ffi_element(shape, "log_density");
  const R_xlen_t knots = Rf_xlength(log_density);
  if (knots < 3) Rf_error("Internal error: `shape` must have 3 knots.");
  const struct log_linear out = {
      .start = ffi_number(ffi_element(shape, "start"), "start"),
      .step = ffi_number(ffi_element(shape, "step"), "step"),
      .log_density = ffi_doubles(log_density, knots, "log_density"),
      .before = ffi_doubles(before, knots + 1, "before"),
      .knots = knots};
  if (!(out.step > 0)) Rf_error("Internal error: `step` must be positive.");
  return out;
}

/* list(log_density, log_below) at each t. */
SEXP ffi_log_linear(SEXP shape, SEXP before, SEXP t) {
  static const char *const fields[] = {"log_density", "log_below"};
  const struct log_linear read = read_shape(shape, before);
  const R_xlen_t n = Rf_xlength(t);
  const double *at = ffi_doubles(t, n, "t");
  SEXP out = PROTECT(ffi_list(2, fields));
  SET_VECTOR_ELT(out, 0, Rf_allocVector(REALSXP, n));
  SET_VECTOR_ELT(out, 1, Rf_allocVector(REALSXP, n));
  double *log_density = REAL(VECTOR_ELT(out, 0)), *log_below = REAL(VECTOR_ELT(out, 1));
  for (R_xlen_t i = 0; i < n; i++)
    log_linear_at(log_density + i, log_below + i, &read, at[i]);
  UNPROTECT(1);
  return out;
}

/* The t of each log_p. */
SEXP ffi_log_linear_quantile(SEXP shape, SEXP before, SEXP log_p) {
  const struct log_linear read = read_shape(shape, before);
  const R_xlen_t n = Rf_xlength(log_p);
  const double *of = ffi_doubles(log_p, n, "log_p");
  SEXP out = PROTECT(Rf_allocVector(REALSXP, n));
  double *quantile = REAL(out);
  for (R_xlen_t i = 0; i < n; i++) quantile[i] = log_linear_quantile(&read, of[i]);
  UNPROTECT(1);
  return out;
}
