#include "ffi.h"

#include <limits.h>

/* What a model may have at most. Sizes are counted in double before anything is laid out,
 * so that within these limits no sum or product of them overflows: a parameter takes at
 * most some 256 bytes of a prepared model, a narrow layer filled up to whole vectors. */
#define MOST_LAYERS 1000
#define MOST_WIDTH 100000000
#define MOST_BINS 500
#define MOST_PARAMETERS fmin(INT_MAX, (double)(PTRDIFF_MAX / 256))

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

double ffi_number(SEXP x, const char *what) {
  const int is_number = TYPEOF(x) == REALSXP || TYPEOF(x) == INTSXP;
  const double value = is_number && Rf_xlength(x) == 1 ? Rf_asReal(x) : NAN;
  if (isnan(value)) Rf_error("Internal error: `%s` must be one number.", what);
  return value;
}

int ffi_int(SEXP x, const char *what, int least, int most) {
  const int is_int = TYPEOF(x) == INTSXP || TYPEOF(x) == LGLSXP;
  const int value = is_int && Rf_xlength(x) == 1 ? Rf_asInteger(x) : NA_INTEGER;
  if (value == NA_INTEGER) Rf_error("Internal error: `%s` must be one integer.", what);
  if (value < least || value > most)
    Rf_error("Internal error: `%s` must be from %d to %d, not %d.", what, least, most,
             value);
  return value;
}

int ffi_flag(SEXP x, const char *what) { return ffi_int(x, what, 0, 1); }

R_xlen_t ffi_length(ptrdiff_t a, ptrdiff_t b, ptrdiff_t c) {
  const double length = (double)a * (double)b * (double)c;
  if (length > (double)R_XLEN_T_MAX)
    Rf_error("Internal error: %.3g numbers are more than a vector has.", length);
  return (R_xlen_t)a * b * c;
}

static enum activation activation_of(SEXP list) {
  SEXP activation = ffi_element(list, "activation");
  return (enum activation)ffi_int(activation, "activation", 0, ACTIVATION_SILU);
}

/* Those of the layers first, ..., end - 1. */
static void check_widths(const int *widths, ptrdiff_t first, ptrdiff_t end) {
  for (ptrdiff_t l = first; l < end; l++) {
    if (widths[l] < 1) Rf_error("Internal error: a layer of no width.");
    if (widths[l] > MOST_WIDTH)
      Rf_error("Internal error: a layer of width %d, more than %d.", widths[l],
               MOST_WIDTH);
  }
}

static void check_layers(ptrdiff_t n_layers) {
  if (n_layers > MOST_LAYERS)
    Rf_error("Internal error: a network of %lld layers, more than %d.",
             (long long)n_layers, MOST_LAYERS);
}

/* The networks' widths must fit the columns: see engine/flow.h. */
static struct flow_shape flow_shape(SEXP flow, ptrdiff_t d, ptrdiff_t k) {
  SEXP widths = ffi_element(flow, "widths");
  const int kind = ffi_int(ffi_element(flow, "kind"), "kind", FLOW_REALNVP, FLOW_SPLINE);
  const int spline = kind == FLOW_SPLINE;
  struct flow_shape shape = {
      .kind = (enum flow_kind)kind,
      .count = ffi_int(ffi_element(flow, "count"), "count", 1, (int)k),
      .fixed = ffi_flag(ffi_element(flow, "fixed"), "fixed"),
      .activation = activation_of(flow),
      .couplings = ffi_int(ffi_element(flow, "layers"), "layers", 1, MOST_LAYERS),
      .bins = ffi_int(ffi_element(flow, "bins"), "bins", spline ? 2 : 0,
                      spline ? MOST_BINS : 0),
      .bound = ffi_number(ffi_element(flow, "bound"), "bound")};
  if (spline && !(shape.bound > 0 && isfinite(shape.bound)))
    Rf_error("Internal error: `bound` must be above 0.");
  if (shape.count != 1 && shape.count != k)
    Rf_error("Internal error: neither one flow nor one a component.");
  if (shape.fixed && k != 1)
    Rf_error("Internal error: more than the one component N(0, I).");
  if (TYPEOF(widths) != INTSXP || !Rf_isMatrix(widths) || Rf_ncols(widths) != 2 ||
      Rf_nrows(widths) < 2)
    Rf_error("Internal error: not a flow.");
  shape.n_layers = Rf_nrows(widths) - 1;
  check_layers(shape.n_layers);
  for (int parity = 0; parity < 2; parity++) {
    const int *w = INTEGER_RO(widths) + parity * (shape.n_layers + 1);
    const ptrdiff_t left = d == 1 ? 0 : (d + 1 - parity) / 2;
    const double each = spline ? 3 * (double)shape.bins - 1 : 2;
    if (w[0] != left || w[shape.n_layers] != each * (double)(d - left))
      Rf_error("Internal error: the networks do not fit the flow.");
    check_widths(w, 1, shape.n_layers + 1);
    shape.widths[parity] = w;
  }
  return shape;
}

/* Weights and biases of a network; 0 without layers. */
static double network_size(const int *widths, ptrdiff_t n_layers) {
  double size = 0;
  for (ptrdiff_t l = 0; l < n_layers; l++) size += (widths[l] + 1.0) * widths[l + 1];
  return size;
}

/* The size of shape_layout(), which must not be asked before this is known. */
static void check_size(const struct shape *shape) {
  const double d = (double)shape->d, k = (double)shape->k;
  const struct flow_shape *flow = &shape->flow;
  double size = k * d * (shape->full ? 1 + d : 2) + (shape->n_layers == 0 ? k : 0) +
                network_size(shape->widths, shape->n_layers);
  for (ptrdiff_t c = 0; flow->kind != FLOW_NONE && c < flow->couplings; c++)
    size += (double)flow->count * network_size(flow->widths[c % 2], flow->n_layers);
  if (size > MOST_PARAMETERS)
    Rf_error("Internal error: a model of %.3g parameters, more than %.0f.", size,
             MOST_PARAMETERS);
}

struct shape ffi_shape(SEXP model) {
  SEXP widths = ffi_element(model, "widths");
  if (TYPEOF(widths) != INTSXP || Rf_xlength(widths) == 1)
    Rf_error("Internal error: not a model.");
  struct shape shape = {.d = ffi_int(ffi_element(model, "d"), "d", 1, MOST_WIDTH),
                        .k = ffi_int(ffi_element(model, "K"), "K", 1, MOST_WIDTH),
                        .full = ffi_flag(ffi_element(model, "full"), "full"),
                        .activation = activation_of(model),
                        .n_layers = Rf_xlength(widths) > 0 ? Rf_xlength(widths) - 1 : 0,
                        .widths = INTEGER_RO(widths)};
  check_layers(shape.n_layers);
  check_widths(shape.widths, 0, shape.n_layers > 0 ? shape.n_layers + 1 : 0);
  if (shape.n_layers > 0 &&
      (shape.widths[0] != shape.d || shape.widths[shape.n_layers] != shape.k))
    Rf_error("Internal error: the network does not fit the model.");
  SEXP flow = ffi_element_or_null(model, "flow");
  if (flow != R_NilValue) shape.flow = flow_shape(flow, shape.d, shape.k);
  check_size(&shape);
  ffi_doubles(ffi_element(model, "parameters"), shape_layout(&shape).size, "parameters");
  return shape;
}

const double *ffi_parameters(SEXP model) {
  return REAL_RO(ffi_element(model, "parameters"));
}

struct rows ffi_rows(SEXP x, SEXP weights, ptrdiff_t d) {
  if (TYPEOF(x) != REALSXP || !Rf_isMatrix(x) || Rf_ncols(x) != d)
    Rf_error("Internal error: not a double matrix of %d columns.", (int)d);
  const ptrdiff_t n = Rf_nrows(x);
  struct rows rows = {.x = ffi_doubles(x, ffi_length(n, d, 1), "x"),
                      .stride = n,
                      .weights = ffi_doubles_or_null(weights, n, "weights"),
                      .index = NULL,
                      .first = 0,
                      .count = n};
  return rows;
}

struct components ffi_components(SEXP mean, SEXP scale, ptrdiff_t d, ptrdiff_t k) {
  const int full = Rf_xlength(Rf_getAttrib(scale, R_DimSymbol)) == 3;
  const R_xlen_t size = ffi_length(k, d, full ? d : 1);
  return (struct components){.mean = ffi_doubles(mean, ffi_length(k, d, 1), "mean"),
                             .scale = ffi_doubles(scale, size, "scale"),
                             .full = full,
                             .d = d,
                             .k = k};
}

struct sampling ffi_sampling(SEXP sampling) {
  const double threshold = ffi_number(ffi_element(sampling, "threshold"), "threshold");
  const double *seed = ffi_doubles(ffi_element(sampling, "seed"), 2, "seed");
  if (!(threshold >= 0)) Rf_error("Internal error: `threshold` must not be negative.");
  for (int i = 0; i < 2; i++)
    if (!(seed[i] >= 0 && seed[i] < 1))
      Rf_error("Internal error: `seed` must be two numbers in [0, 1).");
  return (struct sampling){threshold, (uint64_t)(seed[0] * 0x1p32) << 32 |
                                          (uint64_t)(seed[1] * 0x1p32)};
}

SEXP ffi_list(int n, const char *const *names) {
  SEXP list = PROTECT(Rf_allocVector(VECSXP, n));
  SEXP tags = PROTECT(Rf_allocVector(STRSXP, n));
  for (int i = 0; i < n; i++) SET_STRING_ELT(tags, i, Rf_mkChar(names[i]));
  Rf_setAttrib(list, R_NamesSymbol, tags);
  UNPROTECT(2);
  return list;
}

/* R_alloc() refuses what it cannot have; here the size must not have overflowed. */
void ffi_plan(struct tiles *tiles, const struct job *job, int single,
              const struct shape *shape, ptrdiff_t n_rows, SEXP threads) {
  tiles_plan(tiles, job, engine_get(single), shape, n_rows,
             ffi_int(threads, "threads", INT_MIN, INT_MAX));
  const double bytes =
      (double)tiles->model_bytes + (double)tiles->scratch_bytes * (double)tiles->members;
  if (bytes > (double)(PTRDIFF_MAX / 2))
    Rf_error("Internal error: a model that needs %.3g bytes.", bytes);
  tiles->block = R_alloc(tiles->bytes, 1);
}

void session_open(struct session *session, const struct job *job, int single,
                  const struct shape *shape, const double *parameters, ptrdiff_t n_rows,
                  SEXP threads) {
  ffi_plan(&session->tiles, job, single, shape, n_rows, threads);
  if (parameters) tiles_load(&session->tiles, parameters);
  team_open(&session->team, session->tiles.members);
}

void session_close(struct session *session) { team_close(&session->team); }
