/* What a fit does between passes over the data, in double: the M step and a step of
 * Adam. */
#ifndef CWMIX_OPTIMISE_H
#define CWMIX_OPTIMISE_H

#include "engine.h"

enum status { STATUS_OK, STATUS_NOT_FINITE, STATUS_NOT_POSITIVE_DEFINITE };

/* What the covariances of a Gaussian mixture have in common: each is shrunk towards their
 * mean by weight, which counts as `rows` rows of weight one (0: free, INFINITY: one
 * covariance for all). Diagonal ones may be spherical; full ones ignore that. */
struct pooling {
  double rows;
  int spherical;
};

/* M step: replaces the parameters of a constant classifier's model by the maximisers
 * given the statistics, with no standard deviation in any direction below `floor` (d, in
 * units of x), the covariances pooled. A component of weight `total` * 1e-10 or less
 * keeps its mean, and its covariance where that is free; elsewhere it takes the mean of
 * the others. STATUS_OK, or STATUS_NOT_POSITIVE_DEFINITE with parameters replaced in
 * part. `work` holds em_update_doubles. */
ptrdiff_t em_update_doubles(const struct shape *shape);
enum status em_update(double *parameters, const double *statistics,
                      const struct shape *shape, const double *floor, double total,
                      const struct pooling *pooling, double *work);

/* `log_floor`: the least log s, or log of L_jj, of each column (d; -Inf for none). */
struct adam_options {
  double beta1, beta2, epsilon, weight_decay, clip;
  double recency; /* step t enters the average by (1 + recency) / (t + recency) */
  const double *log_floor;
};

/* Main thread only. One step of Adam uphill at the given rate along scale * gradient,
 * after clipping its norm, with decoupled weight decay on the network's weights; then
 * the scales are raised to their floor and the average is moved. STATUS_NOT_FINITE, and
 * nothing done, where the gradient's norm is not finite. */
enum status adam_step(struct adam_state *state, const double *gradient, double scale,
                      double rate, const struct shape *shape,
                      const struct adam_options *options);

#endif
