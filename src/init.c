/* Registration only. */
#include "ffi.h"
#include <R_ext/Rdynload.h>
#include <R_ext/Visibility.h>

/* By way of void (*)(void), which every function pointer may be cast to without a
 * warning. */
#define ENTRY(name, arity)                                                               \
  { #name, (DL_FUNC)(void (*)(void))name, arity }

static const R_CallMethodDef entries[] = {ENTRY(ffi_info, 0),
                                          ENTRY(ffi_use_instance, 1),
                                          ENTRY(ffi_math, 3),
                                          ENTRY(ffi_product, 5),
                                          ENTRY(ffi_density, 5),
                                          ENTRY(ffi_classifier, 4),
                                          ENTRY(ffi_gradient, 7),
                                          ENTRY(ffi_flow, 6),
                                          ENTRY(ffi_flow_pullback, 5),
                                          ENTRY(ffi_nodes, 3),
                                          ENTRY(ffi_expectation_gradient, 5),
                                          ENTRY(ffi_adam, 5),
                                          ENTRY(ffi_base_draws, 2),
                                          ENTRY(ffi_inside, 2),
                                          ENTRY(ffi_draw, 8),
                                          ENTRY(ffi_residuals, 6),
                                          ENTRY(ffi_em, 8),
                                          ENTRY(ffi_steps, 11),
                                          ENTRY(ffi_log_linear, 3),
                                          ENTRY(ffi_log_linear_quantile, 3),
                                          {NULL, NULL, 0}};

attribute_visible void R_init_cwmix(DllInfo *dll) {
  R_registerRoutines(dll, NULL, entries, NULL, NULL);
  R_useDynamicSymbols(dll, FALSE);
  R_forceSymbols(dll, TRUE);
}
