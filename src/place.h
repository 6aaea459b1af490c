/* Points from base draws and back, and the component that a draw goes to where that needs
 * no engine. Thread-safe; nothing allocates or calls R. */
#ifndef CWMIX_PLACE_H
#define CWMIX_PLACE_H

#include <stddef.h>

/* The components' maps x = mu_k + L_k z as R holds them, column-major. The engine has
 * the same maps from their logarithms, in vectors and in its own precision
 * (engine/map-affine.h, engine/em.h): a point that is given out has the bits of R's
 * arithmetic instead. */
struct components {
  const double *mean;  /* k x d */
  const double *scale; /* k x d standard deviations; d x d x k Cholesky factors if full */
  int full;
  ptrdiff_t d, k;
  const double *support; /* d x 2 bounds of the columns, infinite where there are none */
};

/* Where draws go: matrices of `stride` rows. */
struct draws {
  double *x, *z;  /* d columns; z may be NULL */
  int *component; /* counted from 1; may be NULL */
  ptrdiff_t stride;
};

/* Base draws come by rows of d + 1 numbers: z, then the uniform u. */

/* A column on the working scale to its bounds: x = lower + e^y, upper - e^-y or, between
 * two, lower + (upper - lower) / (1 + e^-y). Overwrites y; what rounds to a bound becomes
 * the nearest number inside. */
void place_inside(double *y, ptrdiff_t n, double lower, double upper);

/* Writes `count` draws from row `first` on, given their components (counted from 0). */
void place_draws(struct draws *out, ptrdiff_t first, const struct components *components,
                 const double *base, const int *component, ptrdiff_t count);

/* The nodes x_ik = mu_k + L_k z_i of n base points z (n x d), an n x k x d array on the
 * working scale. */
void place_nodes(double *x, const struct components *components, const double *z,
                 ptrdiff_t n);

/* z = L_k^-1 (x - mu_k) of one row of matrices of `stride` rows. */
void place_latent(double *z, const double *x, ptrdiff_t stride,
                  const struct components *components, ptrdiff_t k);

/* For constant weights pi: cumulated (k) from log pi, and components (from 0) from it. */
void choose_cumulate(double *cumulated, const double *log_pi, ptrdiff_t k);
void choose_constant(int *component, const double *cumulated, const double *base,
                     ptrdiff_t count, ptrdiff_t d, ptrdiff_t k);

/* The component (from 0) whose interval of cumulated probabilities holds u, given their
 * logs at log_p[0], log_p[stride], ...; -1 where they are no numbers. */
ptrdiff_t choose_posterior(const double *log_p, ptrdiff_t stride, ptrdiff_t k, double u);

#endif
