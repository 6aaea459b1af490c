/* Densities of one variable whose log is linear between equidistant knots and beyond the
 * outermost ones: see R/log-linear.R. Thread-safe; nothing allocates or calls R. */
#ifndef CWMIX_LOG_LINEAR_H
#define CWMIX_LOG_LINEAR_H

#include <stddef.h>

struct log_linear {
  double start, step;        /* the first knot, and how far apart they are */
  const double *log_density; /* at the knots; rises at first, falls at last */
  const double *before;      /* log masses below each knot, and of all: knots + 1 */
  ptrdiff_t knots;           /* at least 3 */
};

/* The log density at t, and log P(T <= t), which has full relative precision below the
 * middle. */
void log_linear_at(double *log_density, double *log_below, const struct log_linear *shape,
                   double t);

/* The t with log P(T <= t) = log_p, of at most one half. */
double log_linear_quantile(const struct log_linear *shape, double log_p);

#endif
