#include "log-linear.h"

#include <math.h>

static double slope_of(const struct log_linear *shape, ptrdiff_t i) {
  return (shape->log_density[i + 1] - shape->log_density[i]) / shape->step;
}

/* The log of the mean of exp between two points of a line, its values there. */
static double log_mean_exp(double a, double b) {
  const double apart = fabs(b - a);
  return fmax(a, b) + (apart < 1e-6 ? -apart / 2 : log(-expm1(-apart) / apart));
}

static double log_add(double x, double y) {
  const double top = fmax(x, y);
  return top == -INFINITY ? top : top + log1p(exp(-fabs(x - y)));
}

static double log_complement(double x) {
  return x > -0.7 ? log(-expm1(x)) : log1p(-exp(x));
}

void log_linear_at(double *log_density, double *log_below, const struct log_linear *shape,
                   double t) {
  if (isnan(t)) {
    *log_density = *log_below = t;
    return;
  }
  const ptrdiff_t last = shape->knots - 2;
  const double place = floor((t - shape->start) / shape->step);
  const ptrdiff_t i = place <= 0 ? 0 : place >= (double)last ? last : (ptrdiff_t)place;
  const double beyond = t - shape->start - (double)i * shape->step;
  const double here = shape->log_density[i] + slope_of(shape, i) * beyond;
  *log_density = here;
  if (t <= shape->start) {
    *log_below = here - log(slope_of(shape, 0));
  } else if (t >= shape->start + (double)(last + 1) * shape->step) {
    *log_below = log1p(-fmin(exp(here) / -slope_of(shape, last), 1));
  } else {
    /* log(before + (t - t_i) mean of exp on the way) */
    const double since = log(fmax(beyond, 0)) + log_mean_exp(shape->log_density[i], here);
    /* Rounding may leave the interval from 0 to 1. */
    *log_below = fmin(log_add(shape->before[i], since), 0);
  }
}

/* The last knot with no more than that below it, but the last of all. */
static ptrdiff_t knot_at(const struct log_linear *shape, double log_p) {
  ptrdiff_t low = 0, high = shape->knots - 1;
  while (high - low > 1) {
    const ptrdiff_t middle = (low + high) / 2;
    if (shape->before[middle] <= log_p)
      low = middle;
    else
      high = middle;
  }
  return low;
}

double log_linear_quantile(const struct log_linear *shape, double log_p) {
  const double *before = shape->before;
  if (isnan(log_p)) return log_p;
  if (log_p <= before[0]) return shape->start + (log_p - before[0]) / slope_of(shape, 0);
  const ptrdiff_t i = knot_at(shape, log_p);
  const double slope = slope_of(shape, i);
  /* log((p - before) / density) */
  const double log_more =
      log_p + log_complement(fmin(before[i] - log_p, 0)) - shape->log_density[i];
  double within;
  if (fabs(slope) * shape->step < 1e-9) {
    within = exp(log_more);
  } else {
    /* log(1 + slope (p - before) / density), on the log scale for the steepest */
    const double change = log_more + log(fabs(slope));
    within = slope > 0 ? (fmax(change, 0) + log1p(exp(-fabs(change)))) / slope
                       : log1p(-exp(fmin(change, 0))) / slope;
  }
  return shape->start + (double)i * shape->step + fmin(within, shape->step);
}
