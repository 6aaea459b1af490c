/* Base draws from R's generator, and the components they choose. */
#include "ffi.h"
#include <Rmath.h>

/* list(z, u): n x d standard normals and n uniforms. The generator is asked row by row, d
 * normals and then the uniform, so that the first rows do not depend on n. */
SEXP ffi_base_draws(SEXP n, SEXP d) {
  static const char *const fields[] = {"z", "u"};
  const int rows = ffi_int(n, "n"), columns = ffi_int(d, "d");
  SEXP out = PROTECT(ffi_list(2, fields));
  SET_VECTOR_ELT(out, 0, Rf_allocMatrix(REALSXP, rows, columns));
  SET_VECTOR_ELT(out, 1, Rf_allocVector(REALSXP, rows));
  double *z = REAL(VECTOR_ELT(out, 0)), *u = REAL(VECTOR_ELT(out, 1));
  GetRNGstate();
  for (R_xlen_t i = 0; i < rows; i++) {
    for (R_xlen_t j = 0; j < columns; j++) z[i + j * rows] = norm_rand();
    u[i] = unif_rand();
  }
  PutRNGstate();
  UNPROTECT(1);
  return out;
}

/* The component, counted from 1, whose interval of cumulated w(z) holds u. */
SEXP ffi_choose(SEXP model, SEXP z, SEXP u, SEXP threads) {
  const struct shape shape = ffi_shape(model);
  const struct rows rows = ffi_rows(z, R_NilValue, shape.d);
  const double *uniform = ffi_doubles(u, rows.count, "u");
  SEXP single = PROTECT(Rf_ScalarLogical(0));
  SEXP out = PROTECT(Rf_allocVector(INTSXP, rows.count));
  struct tiles tiles;
  ffi_plan(&tiles, JOB_DENSITY, single, &shape, rows.count, threads);
  tiles_load(&tiles, REAL(ffi_element(model, "parameters")));
  int *component = INTEGER(out);
  struct team team;
  team_open(&team, tiles.members);
  tiles_choose(component, &tiles, &rows, uniform, &team);
  team_close(&team);
  for (ptrdiff_t i = 0; i < rows.count; i++) component[i]++;
  UNPROTECT(2);
  return out;
}
