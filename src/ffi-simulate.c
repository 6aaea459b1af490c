/* Draws on R's generator, and latent residuals. It is asked row by row, d normals and
 * then the uniform, so that the first rows do not depend on n. */
#include "ffi.h"
#include <Rmath.h>
#include <limits.h>

/* list(z, u): n x d standard normals and n uniforms. */
SEXP ffi_base_draws(SEXP n, SEXP d) {
  static const char *const fields[] = {"z", "u"};
  const int rows = ffi_int(n, "n", 0, INT_MAX), columns = ffi_int(d, "d", 0, INT_MAX);
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

/* The columns of y, points on the working scale, within their bounds (d x 2). */
SEXP ffi_inside(SEXP y, SEXP support) {
  const R_xlen_t n = Rf_nrows(y), d = Rf_ncols(y);
  const double *bounds = ffi_doubles(support, 2 * d, "support");
  ffi_doubles(y, ffi_length(n, d, 1), "y");
  SEXP x = PROTECT(Rf_duplicate(y));
  for (R_xlen_t j = 0; j < d; j++)
    place_inside(REAL(x) + j * n, n, bounds[j], bounds[d + j]);
  UNPROTECT(1);
  return x;
}

/* The stream of base draws and the two blocks it fills in turn: while the team works at
 * one, the main thread asks the generator for the other. */
struct stream {
  double *buffers[2];
  ptrdiff_t block_rows, chunk_rows;
  struct block next; /* the block to fill, and when filled, to draw */
};

/* A block stays in the second-level cache; a chunk, after which interrupts are heard,
 * takes a fraction of a second. */
#define BLOCK_DOUBLES 32768
#define CHUNK_WORK 1e9

static ptrdiff_t smaller(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }

static struct stream stream_open(ptrdiff_t n, ptrdiff_t d) {
  /* Only the blocks after the first are filled beside the team. */
  struct stream stream = {.block_rows = smaller(BLOCK_DOUBLES / (d + 1), n / 8)};
  if (stream.block_rows < 1024) stream.block_rows = 1024;
  stream.block_rows = smaller(stream.block_rows, n);
  for (int b = 0; b < 2; b++)
    stream.buffers[b] =
        (double *)(void *)R_alloc((size_t)(stream.block_rows * (d + 1)), sizeof(double));
  return stream;
}

static void fill(void *context) {
  struct stream *stream = context;
  const ptrdiff_t d = stream->next.components->d;
  double *const buffer = stream->buffers[0], *base = buffer;
  stream->next.base = buffer;
  for (ptrdiff_t i = 0; i < stream->next.count; i++) {
    for (ptrdiff_t j = 0; j < d; j++) *base++ = norm_rand();
    *base++ = unif_rand();
  }
  stream->buffers[0] = stream->buffers[1];
  stream->buffers[1] = buffer;
}

/* The rows from stream->next.first up to `end`. The first block is filled before there
 * are threads: a generator that jumps out may be asked for one block, not for more. */
static void draw_chunk(struct draws *out, struct stream *stream, struct tiles *tiles,
                       ptrdiff_t end) {
  stream->next.count = smaller(stream->block_rows, end - stream->next.first);
  fill(stream);
  struct team team;
  team_open(&team, tiles->members);
  while (stream->next.count > 0) {
    const struct block block = stream->next;
    stream->next.first += block.count;
    stream->next.count = smaller(stream->block_rows, end - stream->next.first);
    tiles_draw(out, tiles, &block, stream->next.count > 0 ? fill : NULL, stream, &team);
  }
  team_close(&team);
}

/* n x d draws of the mixture with the classifier of `model` and the maps x = mu_k +
 * L_k z of `mean` and `scale` (see ffi.h); then columns go to their bounds (`support`,
 * d x 2). With `keep` the attributes
 * "component" and "z" say where they came from. `ahead`: whether the generator cannot
 * fail, so that it may run beside the team. */
SEXP ffi_draw(SEXP model, SEXP mean, SEXP scale, SEXP support, SEXP n, SEXP keep,
              SEXP ahead, SEXP threads) {
  const struct shape shape = ffi_shape(model);
  struct components components = ffi_components(mean, scale, shape.d, shape.k);
  components.support = ffi_doubles(support, 2 * shape.d, "support");
  const int rows = ffi_int(n, "n", 1, INT_MAX), kept = ffi_flag(keep, "keep");
  SEXP x = PROTECT(Rf_allocMatrix(REALSXP, rows, (int)shape.d));
  struct draws out = {.x = REAL(x), .stride = rows};
  if (kept) {
    SEXP component = PROTECT(Rf_allocVector(INTSXP, rows));
    SEXP z = PROTECT(Rf_allocMatrix(REALSXP, rows, (int)shape.d));
    Rf_setAttrib(x, Rf_install("component"), component);
    Rf_setAttrib(x, Rf_install("z"), z);
    out.component = INTEGER(component);
    out.z = REAL(z);
    UNPROTECT(2);
  }
  struct stream stream = stream_open(rows, shape.d);
  stream.next.components = &components;
  const double *parameters = ffi_parameters(model);
  if (shape.n_layers == 0) {
    double *cumulated = (double *)(void *)R_alloc((size_t)shape.k, sizeof(double));
    choose_cumulate(cumulated, parameters + shape_layout(&shape).biases, shape.k);
    stream.next.cumulated = cumulated;
  }
  struct tiles tiles;
  ffi_plan(&tiles, &job_draw, 0, &shape, rows, threads);
  tiles_load(&tiles, parameters);
  const double blocks = CHUNK_WORK / (tiles.row_work * (double)stream.block_rows);
  const int can_fill_ahead = ffi_flag(ahead, "ahead") && blocks > 1;
  const ptrdiff_t chunk = stream.block_rows * (can_fill_ahead ? (ptrdiff_t)blocks : 1);
  while (stream.next.first < rows) {
    GetRNGstate();
    draw_chunk(&out, &stream, &tiles, smaller(stream.next.first + chunk, rows));
    PutRNGstate();
    R_CheckUserInterrupt();
  }
  UNPROTECT(1);
  return x;
}

/* z_k at the rows of y, n x d, k drawn by the uniforms u from the posterior; NaN where
 * nothing has density. `mean` and `scale`: see ffi.h. */
SEXP ffi_residuals(SEXP model, SEXP mean, SEXP scale, SEXP y, SEXP u, SEXP threads) {
  const struct shape shape = ffi_shape(model);
  const struct components components = ffi_components(mean, scale, shape.d, shape.k);
  const struct rows rows = ffi_rows(y, R_NilValue, shape.d);
  const double *uniform = ffi_doubles(u, rows.count, "u");
  SEXP out = PROTECT(Rf_allocMatrix(REALSXP, (int)rows.count, (int)shape.d));
  double *z = REAL(out);
  struct session session;
  session_open(&session, &job_residuals, 0, &shape, ffi_parameters(model), rows.count,
               threads);
  tiles_residuals(z, &session.tiles, &rows, uniform, &components, &session.team);
  session_close(&session);
  UNPROTECT(1);
  return out;
}
