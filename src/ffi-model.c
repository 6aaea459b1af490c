#include "ffi.h"

SEXP ffi_element_or_null(SEXP list, const char *name) {
  SEXP names = Rf_getAttrib(list, R_NamesSymbol);
  if (TYPEOF(list) == VECSXP && TYPEOF(names) == STRSXP)
    for (R_xlen_t i = 0; i < Rf_xlength(list); i++)
      if (strcmp(CHAR(STRING_ELT(names, i)), name) == 0) return VECTOR_ELT(list, i);
  return R_NilValue;
}

SEXP ffi_element(SEXP list, const char *name) {
  SEXP element = ffi_element_or_null(list, name);
  if (element == R_NilValue) Rf_error("Internal error: no element `%s`.", name);
  return element;
}

const double *ffi_doubles(SEXP x, R_xlen_t n, const char *what) {
  if (TYPEOF(x) != REALSXP || Rf_xlength(x) != n)
    Rf_error("Internal error: `%s` must be %lld doubles.", what, (long long)n);
  return REAL_RO(x);
}

const double *ffi_doubles_or_null(SEXP x, R_xlen_t n, const char *what) {
  return x == R_NilValue ? NULL : ffi_doubles(x, n, what);
}

int ffi_int(SEXP x, const char *what) {
  if ((TYPEOF(x) != INTSXP && TYPEOF(x) != LGLSXP) || Rf_xlength(x) != 1)
    Rf_error("Internal error: `%s` must be one integer.", what);
  return Rf_asInteger(x);
}

/* The networks' widths must fit the columns: see engine/flow.h. */
static struct flow_shape flow_shape(SEXP flow, ptrdiff_t d, ptrdiff_t k) {
  SEXP widths = ffi_element(flow, "widths");
  const int activation = ffi_int(ffi_element(flow, "activation"), "activation");
  struct flow_shape shape = {
      .kind = (enum flow_kind)ffi_int(ffi_element(flow, "kind"), "kind"),
      .count = ffi_int(ffi_element(flow, "count"), "count"),
      .fixed = ffi_int(ffi_element(flow, "fixed"), "fixed"),
      .activation = (enum activation)activation,
      .couplings = ffi_int(ffi_element(flow, "layers"), "layers"),
      .bins = ffi_int(ffi_element(flow, "bins"), "bins"),
      .bound = *ffi_doubles(ffi_element(flow, "bound"), 1, "bound")};
  const int spline = shape.kind == FLOW_SPLINE;
  if ((!spline && shape.kind != FLOW_REALNVP) || activation < 0 ||
      activation > ACTIVATION_SILU || shape.couplings < 1 ||
      (shape.count != 1 && (shape.count != k || shape.fixed)) ||
      (spline && (shape.bins < 2 || !(shape.bound > 0))) || TYPEOF(widths) != INTSXP ||
      !Rf_isMatrix(widths) || Rf_ncols(widths) != 2 || Rf_nrows(widths) < 2)
    Rf_error("Internal error: not a flow.");
  shape.n_layers = Rf_nrows(widths) - 1;
  for (int parity = 0; parity < 2; parity++) {
    const int *w = INTEGER(widths) + parity * (shape.n_layers + 1);
    const ptrdiff_t left = d == 1 ? 0 : (d + 1 - parity) / 2;
    const ptrdiff_t each = spline ? 3 * shape.bins - 1 : 2;
    if (w[0] != left || w[shape.n_layers] != each * (d - left))
      Rf_error("Internal error: the networks do not fit the flow.");
    for (ptrdiff_t l = 1; l < shape.n_layers; l++)
      if (w[l] < 1) Rf_error("Internal error: a layer of no width.");
    shape.widths[parity] = w;
  }
  return shape;
}

struct shape ffi_shape(SEXP model) {
  SEXP widths = ffi_element(model, "widths");
  const int activation = ffi_int(ffi_element(model, "activation"), "activation");
  if (TYPEOF(widths) != INTSXP || activation < 0 || activation > ACTIVATION_SILU)
    Rf_error("Internal error: not a model.");
  struct shape shape = {.d = ffi_int(ffi_element(model, "d"), "d"),
                        .k = ffi_int(ffi_element(model, "K"), "K"),
                        .full = ffi_int(ffi_element(model, "full"), "full"),
                        .activation = (enum activation)activation,
                        .n_layers = Rf_xlength(widths) > 0 ? Rf_xlength(widths) - 1 : 0,
                        .widths = INTEGER(widths)};
  if (shape.d < 1 || shape.k < 1) Rf_error("Internal error: a model of no size.");
  for (ptrdiff_t l = 0; l <= shape.n_layers && shape.n_layers > 0; l++)
    if (shape.widths[l] < 1) Rf_error("Internal error: a layer of no width.");
  if (shape.n_layers > 0 &&
      (shape.widths[0] != shape.d || shape.widths[shape.n_layers] != shape.k))
    Rf_error("Internal error: the network does not fit the model.");
  SEXP flow = ffi_element_or_null(model, "flow");
  if (flow != R_NilValue) shape.flow = flow_shape(flow, shape.d, shape.k);
  ffi_doubles(ffi_element(model, "parameters"), shape_layout(&shape).size, "parameters");
  return shape;
}

struct rows ffi_rows(SEXP x, SEXP weights, ptrdiff_t d) {
  if (TYPEOF(x) != REALSXP || !Rf_isMatrix(x) || Rf_ncols(x) != d)
    Rf_error("Internal error: not a double matrix of %d columns.", (int)d);
  const ptrdiff_t n = Rf_nrows(x);
  struct rows rows = {.x = REAL_RO(x),
                      .stride = n,
                      .weights = ffi_doubles_or_null(weights, n, "weights"),
                      .index = NULL,
                      .first = 0,
                      .count = n};
  return rows;
}

struct maps ffi_maps(SEXP mean, SEXP scale, ptrdiff_t d, ptrdiff_t k) {
  const R_xlen_t size = (R_xlen_t)k * d;
  const int full = Rf_xlength(Rf_getAttrib(scale, R_DimSymbol)) == 3;
  return (struct maps){.mean = ffi_doubles(mean, size, "mean"),
                       .scale = ffi_doubles(scale, full ? size * d : size, "scale"),
                       .full = full,
                       .d = d,
                       .k = k};
}

struct sampling ffi_sampling(SEXP sampling) {
  const double *draw = ffi_doubles(sampling, 3, "sampling");
  if (!(draw[0] >= 0 && draw[1] >= 0 && draw[1] < 1 && draw[2] >= 0 && draw[2] < 1))
    Rf_error("Internal error: `sampling` must be a threshold and two numbers in [0, 1).");
  return (struct sampling){draw[0], (uint64_t)(draw[1] * 0x1p32) << 32 |
                                        (uint64_t)(draw[2] * 0x1p32)};
}

void ffi_plan(struct tiles *tiles, enum job job, int single, const struct shape *shape,
              ptrdiff_t n_rows, SEXP threads) {
  const struct engine *engine = engine_get(single);
  tiles_plan(tiles, job, engine, shape, n_rows, ffi_int(threads, "threads"));
  tiles->block = R_alloc(tiles->bytes, 1);
}

SEXP ffi_list(int n, const char *const *names) {
  SEXP list = PROTECT(Rf_allocVector(VECSXP, n));
  SEXP tags = PROTECT(Rf_allocVector(STRSXP, n));
  for (int i = 0; i < n; i++) SET_STRING_ELT(tags, i, Rf_mkChar(names[i]));
  Rf_setAttrib(list, R_NamesSymbol, tags);
  UNPROTECT(2);
  return list;
}
