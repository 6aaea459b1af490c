/* Which engine runs, and its kernels one at a time. */
#include "ffi.h"

/* list(instance, instances, processors, compiler) */
SEXP ffi_info(void) {
  static const char *const fields[] = {"instance", "instances", "processors", "compiler"};
  const char *names[8];
  const int n = engine_list(names);
  SEXP info = PROTECT(ffi_list(4, fields));
  SET_VECTOR_ELT(info, 0, Rf_mkString(engine_name()));
  SEXP all = Rf_allocVector(STRSXP, n);
  SET_VECTOR_ELT(info, 1, all);
  for (int i = 0; i < n; i++) SET_STRING_ELT(all, i, Rf_mkChar(names[i]));
  SET_VECTOR_ELT(info, 2, Rf_ScalarInteger(team_processors()));
#ifdef __VERSION__
  SET_VECTOR_ELT(info, 3, Rf_mkString(__VERSION__));
#else
  SET_VECTOR_ELT(info, 3, Rf_mkString("unknown"));
#endif
  UNPROTECT(1);
  return info;
}

/* TRUE, or FALSE where this machine has no instance of that name. */
SEXP ffi_use_instance(SEXP name) {
  if (TYPEOF(name) != STRSXP || Rf_xlength(name) != 1)
    Rf_error("Internal error: `name` must be a string.");
  return Rf_ScalarLogical(engine_use(CHAR(STRING_ELT(name, 0))));
}

SEXP ffi_math(SEXP function, SEXP x, SEXP single) {
  const R_xlen_t n = Rf_xlength(x);
  const double *values = ffi_doubles(x, n, "x");
  if (TYPEOF(function) != STRSXP || Rf_xlength(function) != 1)
    Rf_error("Internal error: `function` must be a string.");
  SEXP out = PROTECT(Rf_allocVector(REALSXP, n));
  const struct engine *engine = engine_get(ffi_flag(single, "single"));
  if (!engine->kernels.math(REAL(out), CHAR(STRING_ELT(function, 0)), values, n))
    Rf_error("Internal error: no such function.");
  UNPROTECT(1);
  return out;
}

/* list(y, dx, dw) of a dense layer: w n_out x n_in, x n_in x n, dy n_out x n. */
SEXP ffi_product(SEXP w, SEXP bias, SEXP x, SEXP dy, SEXP single) {
  static const char *const fields[] = {"y", "dx", "dw"};
  const int n_out = Rf_nrows(w), n_in = Rf_ncols(w), n = Rf_ncols(x);
  if (n_out < 1 || n_in < 1 || n < 1) Rf_error("Internal error: an empty matrix.");
  const double *b = ffi_doubles(bias, n_out, "bias");
  ffi_doubles(w, ffi_length(n_out, n_in, 1), "w");
  ffi_doubles(x, ffi_length(n_in, n, 1), "x");
  ffi_doubles(dy, ffi_length(n_out, n, 1), "dy");
  const struct engine *engine = engine_get(ffi_flag(single, "single"));
  SEXP out = PROTECT(ffi_list(3, fields));
  SET_VECTOR_ELT(out, 0, Rf_allocMatrix(REALSXP, n_out, n));
  SET_VECTOR_ELT(out, 1, Rf_allocMatrix(REALSXP, n_in, n));
  SET_VECTOR_ELT(out, 2, Rf_allocMatrix(REALSXP, n_out, n_in));
  const struct dense layer = {.y = REAL(VECTOR_ELT(out, 0)),
                              .dx = REAL(VECTOR_ELT(out, 1)),
                              .dw = REAL(VECTOR_ELT(out, 2)),
                              .w = REAL(w),
                              .bias = b,
                              .x = REAL(x),
                              .dy = REAL(dy),
                              .n_out = n_out,
                              .n_in = n_in,
                              .n = n};
  engine->kernels.dense(&layer, R_alloc(engine->kernels.dense_bytes(&layer), 1));
  UNPROTECT(1);
  return out;
}
