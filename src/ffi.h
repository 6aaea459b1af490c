/* Every entry point callable from R, and what they share. The ffi-*.c files are the only
 * ones that include R's headers. R has checked the values; here lengths and types are
 * checked, so that a mistake in the package is an error and not a crash.
 *
 * A `model` is list(parameters, d, K, full, activation, widths): see engine.h for the
 * order of the parameters; activation is 0 (tanh), 1 (ReLU), 2 (SiLU); widths is
 * integer() for constant weights. An element `flow`, where there is one that is not NULL,
 * is list(kind, layers, bins, bound, activation, fixed, count, widths): kind 1 (Real-NVP)
 * or 2 (spline), count 1 (a flow for all components) or K (one each), widths a matrix of
 * two columns, for the networks of couplings 0, 2, ... and of 1, 3, ...
 *
 * Points are rows of double matrices. `threads` is the most to use. */
#ifndef CWMIX_FFI_H
#define CWMIX_FFI_H

#define R_NO_REMAP
#include <R.h>
#include <Rinternals.h>

#include "tiles.h"

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

/* ffi-flow.c: of flow `which`, from 0. */
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
SEXP ffi_adam(SEXP model, SEXP state, SEXP gradient, SEXP rate, SEXP log_floor,
              SEXP options);
SEXP ffi_steps(SEXP model, SEXP state, SEXP x, SEXP weights, SEXP rows, SEXP batch,
               SEXP rates, SEXP log_floor, SEXP options, SEXP sampling, SEXP single,
               SEXP threads);

/* ffi-model.c: reading arguments. */
SEXP ffi_element(SEXP list, const char *name);
SEXP ffi_element_or_null(SEXP list, const char *name);
struct shape ffi_shape(SEXP model);
const double *ffi_doubles(SEXP x, R_xlen_t n, const char *what);
const double *ffi_doubles_or_null(SEXP x, R_xlen_t n, const char *what);
int ffi_int(SEXP x, const char *what);
/* The rows of a matrix with `d` columns, all of them. */
struct rows ffi_rows(SEXP x, SEXP weights, ptrdiff_t d);
/* x = mu_k + L_k z with mu `mean` (K x d), L `scale`: standard deviations (K x d), or
 * factors (d x d x K). No bounds of columns. */
struct maps ffi_maps(SEXP mean, SEXP scale, ptrdiff_t d, ptrdiff_t k);
/* From c(threshold, two numbers in [0, 1) that seed). */
struct sampling ffi_sampling(SEXP sampling);
/* Plans a job and gives it an R_alloc block. */
void ffi_plan(struct tiles *tiles, enum job job, int single, const struct shape *shape,
              ptrdiff_t n_rows, SEXP threads);
/* A list of n elements named after `names`; the elements are set by the caller. */
SEXP ffi_list(int n, const char *const *names);

#endif
