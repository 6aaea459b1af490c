/* Nodes of base points, and the way back from their derivatives (formula 19). */
#include "ffi.h"

/* x_ik = mu_k + L_k z_i, n x K x d, on the working scale. */
SEXP ffi_nodes(SEXP mean, SEXP scale, SEXP z) {
  const int n = Rf_nrows(z), d = Rf_ncols(z), n_k = Rf_nrows(mean);
  const struct maps maps = ffi_maps(mean, scale, d, n_k);
  const double *base = ffi_doubles(z, (R_xlen_t)n * d, "z");
  SEXP out = PROTECT(Rf_alloc3DArray(REALSXP, n, n_k, d));
  draw_nodes(REAL(out), &maps, base, n);
  UNPROTECT(1);
  return out;
}

/* The flat gradient of a sum over the base points z (n x d), given its derivatives in
 * log w_k(z_i) (n x K) and in the nodes (n x K x d). */
SEXP ffi_expectation_gradient(SEXP model, SEXP z, SEXP log_weight, SEXP node,
                              SEXP threads) {
  const struct shape shape = ffi_shape(model);
  const struct rows rows = ffi_rows(z, R_NilValue, shape.d);
  const R_xlen_t size = (R_xlen_t)rows.count * shape.k;
  const struct derivatives given = {ffi_doubles(log_weight, size, "log_weight"),
                                    ffi_doubles(node, size * shape.d, "node")};
  SEXP out = PROTECT(Rf_allocVector(REALSXP, shape_layout(&shape).size));
  double *gradient = REAL(out);
  struct tiles tiles;
  ffi_plan(&tiles, JOB_EXPECTATION, 0, &shape, rows.count, threads);
  tiles_load(&tiles, REAL(ffi_element(model, "parameters")));
  struct team team;
  team_open(&team, tiles.members);
  tiles_expectation(gradient, &tiles, &rows, &given, &team);
  team_close(&team);
  UNPROTECT(1);
  return out;
}
