/* Every entry point callable from R, and what they share. The ffi-*.c files are the only
 * ones that include R's headers. R has checked the values; here all is checked that a
 * size or an index comes from, so that no object, however made, is more than an error.
 *
 * A `model` is list(parameters, d, K, full, activation, widths): see shape.h for the
 * order of the parameters; activation is 0 (tanh), 1 (ReLU), 2 (SiLU); widths is
 * integer() for constant weights. An element `flow`, where there is one that is not NULL,
 * is list(kind, layers, bins, bound, activation, fixed, count, widths): kind 1 (Real-NVP,
 * of 0 bins) or 2 (spline), count 1 (a flow for all components) or K (one each), widths a
 * matrix of two columns, for the networks of couplings 0, 2, ... and of 1, 3, ...
 *
 * Points are rows of double matrices. `threads` is the most to use.
 *
 * Draws, nodes and residuals take `mean` (K x d) and `scale` (standard deviations, K x d,
 * or factors, d x d x K) beside the model, or in its place, though the model holds their
 * logarithms: exp(log s) is not s to the last bit, and points are to have the bits that
 * R's own arithmetic gives from what a density shows. */
#ifndef CWMIX_FFI_H
#define CWMIX_FFI_H

#define R_NO_REMAP
#include <R.h>
#include <Rinternals.h>

#include "jobs.h"
#include "optimise.h"

/* ffi-info.c */
SEXP ffi_info(void);
SEXP ffi_use_instance(SEXP name);
SEXP ffi_math(SEXP function, SEXP x, SEXP single);
SEXP ffi_product(SEXP w, SEXP bias, SEXP x, SEXP dy, SEXP single);

/* ffi-density.c */
SEXP ffi_density(SEXP model, SEXP y, SEXP quantity, SEXP single, SEXP threads);
SEXP ffi_classifier(SEXP model, SEXP z, SEXP single, SEXP threads);
SEXP ffi_gradient(SEXP model, SEXP y, SEXP weights, SEXP at_points, SEXP sampling,
                  SEXP single, SEXP threads);

/* ffi-expectation.c */
SEXP ffi_nodes(SEXP mean, SEXP scale, SEXP z);
SEXP ffi_expectation_gradient(SEXP model, SEXP z, SEXP log_weight, SEXP node,
                              SEXP threads);

/* ffi-flow.c */
SEXP ffi_flow(SEXP model, SEXP y, SEXP inverse, SEXP which, SEXP single, SEXP threads);
SEXP ffi_flow_pullback(SEXP model, SEXP y, SEXP dy, SEXP which, SEXP threads);

/* ffi-simulate.c */
SEXP ffi_base_draws(SEXP n, SEXP d);
SEXP ffi_inside(SEXP y, SEXP support);
SEXP ffi_draw(SEXP model, SEXP mean, SEXP scale, SEXP support, SEXP n, SEXP keep,
              SEXP ahead, SEXP threads);
SEXP ffi_residuals(SEXP model, SEXP mean, SEXP scale, SEXP y, SEXP u, SEXP threads);

/* ffi-fit.c */
SEXP ffi_em(SEXP model, SEXP x, SEXP weights, SEXP floor, SEXP pooling, SEXP iterations,
            SEXP tolerance, SEXP threads);
SEXP ffi_adam(SEXP model, SEXP state, SEXP gradient, SEXP rate, SEXP options);
SEXP ffi_steps(SEXP model, SEXP state, SEXP x, SEXP weights, SEXP rows, SEXP batch,
               SEXP rates, SEXP options, SEXP sampling, SEXP single, SEXP threads);

/* ffi-log-linear.c: a shape is list(start, step, log_density), see R/log-linear.R */
SEXP ffi_log_linear(SEXP shape, SEXP before, SEXP t);
SEXP ffi_log_linear_quantile(SEXP shape, SEXP before, SEXP log_p);

/* ffi-model.c: reading arguments. What does not fit is an R error. */
SEXP ffi_element(SEXP list, const char *name);
SEXP ffi_element_or_null(SEXP list, const char *name);
const double *ffi_doubles(SEXP x, R_xlen_t n, const char *what);
const double *ffi_doubles_or_null(SEXP x, R_xlen_t n, const char *what);
/* One number, infinite or not, but no NaN. */
double ffi_number(SEXP x, const char *what);
/* One integer from `least` to `most`; NA is none. */
int ffi_int(SEXP x, const char *what, int least, int most);
/* One TRUE or FALSE. */
int ffi_flag(SEXP x, const char *what);
/* The product of numbers of elements, such as a vector may have. */
R_xlen_t ffi_length(ptrdiff_t a, ptrdiff_t b, ptrdiff_t c);
/* A shape within the limits of ffi-model.c, its model with as many parameters. */
struct shape ffi_shape(SEXP model);
const double *ffi_parameters(SEXP model);
/* The rows of a matrix with `d` columns, all of them. */
struct rows ffi_rows(SEXP x, SEXP weights, ptrdiff_t d);
/* Without bounds of columns. */
struct components ffi_components(SEXP mean, SEXP scale, ptrdiff_t d, ptrdiff_t k);
/* From list(threshold, seed), the seed two numbers in [0, 1). */
struct sampling ffi_sampling(SEXP sampling);
/* A list of n elements named after `names`; the elements are set by the caller. */
SEXP ffi_list(int n, const char *const *names);

/* Plans a job and gives it an R_alloc block. */
void ffi_plan(struct tiles *tiles, const struct job *job, int single,
              const struct shape *shape, ptrdiff_t n_rows, SEXP threads);

/* A job with its team. Opening plans it, loads the parameters (NULL: whoever runs it does,
 * before each run) and wakes the threads. Until it is closed nothing may jump out: see
 * team.h. */
struct session {
  struct tiles tiles;
  struct team team;
};
void session_open(struct session *session, const struct job *job, int single,
                  const struct shape *shape, const double *parameters, ptrdiff_t n_rows,
                  SEXP threads);
void session_close(struct session *session);

#endif
