/* Nodes of base points, and the way back from their derivatives (formula 19). */
#include "ffi.h"

/* x_ik = mu_k + L_k z_i, n x K x d, on the working scale. */
SEXP ffi_nodes(SEXP mean, SEXP scale, SEXP z) {
  const int n = Rf_nrows(z), d = Rf_ncols(z), n_k = Rf_nrows(mean);
  const struct components components = ffi_components(mean, scale, d, n_k);
  const double *base = ffi_doubles(z, ffi_length(n, d, 1), "z");
  ffi_length(n, n_k, d);
  SEXP out = PROTECT(Rf_alloc3DArray(REALSXP, n, n_k, d));
  place_nodes(REAL(out), &components, base, n);
  UNPROTECT(1);
  return out;
}

/* The flat gradient of a sum over the base points z (n x d), given its derivatives in
 * log w_k(z_i) (n x K) and in the nodes (n x K x d). */
SEXP ffi_expectation_gradient(SEXP model, SEXP z, SEXP log_weight, SEXP node,
                              SEXP threads) {
  const struct shape shape = ffi_shape(model);
  const struct rows rows = ffi_rows(z, R_NilValue, shape.d);
  const R_xlen_t n_weights = ffi_length(rows.count, shape.k, 1);
  const R_xlen_t n_nodes = ffi_length(rows.count, shape.k, shape.d);
  const struct derivatives given = {ffi_doubles(log_weight, n_weights, "log_weight"),
                                    ffi_doubles(node, n_nodes, "node")};
  SEXP out = PROTECT(Rf_allocVector(REALSXP, shape_layout(&shape).size));
  double *gradient = REAL(out);
  struct session session;
  session_open(&session, &job_expectation, 0, &shape, ffi_parameters(model), rows.count,
               threads);
  tiles_expectation(gradient, &session.tiles, &rows, &given, &session.team);
  session_close(&session);
  UNPROTECT(1);
  return out;
}
