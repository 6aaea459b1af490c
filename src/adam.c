/* Adam (Kingma and Ba 2015) with decoupled weight decay (Loshchilov and Hutter 2019), in
 * double whatever the precision of the gradient. */
#include "engine.h"

static double clip_factor(const double *gradient, ptrdiff_t n, double clip) {
  double square = 0;
  for (ptrdiff_t j = 0; j < n; j++) square += gradient[j] * gradient[j];
  const double norm = sqrt(square);
  return norm > clip ? clip / norm : 1;
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

void adam_step(double *parameters, double *first, double *second, const double *gradient,
               const struct shape *shape, double step, double rate,
               const double *log_floor, const struct adam *options) {
  const struct layout at = shape_layout(shape);
  const double clip = clip_factor(gradient, at.size, options->clip);
  const double correct1 = 1 - pow(options->beta1, step);
  const double correct2 = 1 - pow(options->beta2, step);
  const double keep = 1 - rate * options->weight_decay;
  for (ptrdiff_t j = at.weights; j < at.biases; j++) parameters[j] *= keep;
  for (ptrdiff_t j = 0; j < at.size; j++) {
    const double g = clip * gradient[j];
    first[j] += (1 - options->beta1) * (g - first[j]);
    second[j] += (1 - options->beta2) * (g * g - second[j]);
    parameters[j] +=
        rate * (first[j] / correct1) / (sqrt(second[j] / correct2) + options->epsilon);
  }
  raise_scales(parameters + at.scale, shape, log_floor);
}
