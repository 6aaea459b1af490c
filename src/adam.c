/* Adam (Kingma and Ba 2015) with decoupled weight decay (Loshchilov and Hutter 2019), in
 * double whatever the precision of the gradient. */
#include "engine.h"

static double norm_of(const double *x, ptrdiff_t n) {
  double square = 0;
  for (ptrdiff_t j = 0; j < n; j++) square += x[j] * x[j];
  return sqrt(square);
}

static void raise_scales(double *scale, const struct shape *shape,
                         const double *log_floor) {
  const ptrdiff_t d = shape->d, n_k = shape->k;
  for (ptrdiff_t k = 0; k < n_k; k++)
    for (ptrdiff_t j = 0; j < d; j++) {
      double *log_s = scale + (shape->full ? j + d * (j + d * k) : k + n_k * j);
      if (*log_s < log_floor[j]) *log_s = log_floor[j];
    }
}

enum status adam_step(struct adam_state *state, const double *gradient, double rate,
                      const struct shape *shape, const struct adam_options *options) {
  const struct layout at = shape_layout(shape);
  double *parameters = state->parameters;
  const double norm = norm_of(gradient, at.size);
  if (!isfinite(norm)) return STATUS_NOT_FINITE;
  state->step++;
  const double clip = norm > options->clip ? options->clip / norm : 1;
  /* Moments start at zero: divided by 1 - beta^step they are unbiased. */
  const double pace = rate / (1 - pow(options->beta1, state->step));
  const double unbias = 1 / (1 - pow(options->beta2, state->step));
  const double keep = 1 - rate * options->weight_decay;
  for (ptrdiff_t j = at.weights; j < at.biases; j++) parameters[j] *= keep;
  for (ptrdiff_t j = 0; j < at.size; j++) {
    const double g = clip * gradient[j];
    double *first = state->first + j, *second = state->second + j;
    *first += (1 - options->beta1) * (g - *first);
    *second += (1 - options->beta2) * (g * g - *second);
    parameters[j] += pace * *first / (sqrt(unbias * *second) + options->epsilon);
  }
  raise_scales(parameters + at.scale, shape, options->log_floor);
  return STATUS_OK;
}
