/* What tiles are for: a table a job, and the run of each. All are main thread only; none
 * allocates, and only tiles_draw()'s `meanwhile` may call R. */
#ifndef CWMIX_JOBS_H
#define CWMIX_JOBS_H

#include "place.h"
#include "tiles.h"

extern const struct job job_density, job_constant_density, job_classifier, job_gradient,
    job_expectation, job_em, job_draw, job_residuals, job_flow, job_pullback;

/* Base draws that wait for their components, and what turns them into draws. */
struct block {
  const double *base; /* count x (d + 1) by rows: z, then the uniform */
  ptrdiff_t first, count;
  const struct components *components;
  const double *cumulated; /* of constant weights; NULL for a network */
};

/* As the engine's functions of the same names, for any number of rows up to those that
 * the tiles are planned for, and for the job of the same name. */
void tiles_density(double *out, struct tiles *tiles, enum quantity quantity,
                   const struct rows *rows, struct team *team);
/* The log density of a mixture with constant weights without a flow, in double. */
void tiles_constant_density(double *out, struct tiles *tiles, const struct rows *rows,
                            struct team *team);
void tiles_classifier(double *out, struct tiles *tiles, const struct rows *rows,
                      struct team *team);
/* Writes the draws of a block; before it joins in, the calling thread runs
 * meanwhile(context), unless NULL. */
void tiles_draw(struct draws *out, struct tiles *tiles, const struct block *block,
                void (*meanwhile)(void *context), void *context, struct team *team);
/* Latent residuals: for each row the component k whose interval of cumulated posterior
 * probabilities holds u[row], and z = L_k^-1 (x - mu_k); NaN where nothing has
 * density. The matrices have rows->stride rows. */
void tiles_residuals(double *z, struct tiles *tiles, const struct rows *rows,
                     const double *u, const struct components *components,
                     struct team *team);
/* Overwrites the gradient (layout.size doubles); returns the value. */
double tiles_gradient(double *gradient, const struct at_points *at, struct tiles *tiles,
                      const struct rows *rows, const struct sampling *sampling,
                      struct team *team);
/* Overwrites the gradient. */
void tiles_expectation(double *gradient, struct tiles *tiles, const struct rows *rows,
                       const struct derivatives *given, struct team *team);
/* Rows through the flow, FORWARD or INVERSE. */
void tiles_flow(const struct passage *out, struct tiles *tiles, enum direction direction,
                const struct rows *rows, struct team *team);
/* PULLBACK; overwrites the gradient. */
void tiles_pullback(const struct passage *out, double *gradient, struct tiles *tiles,
                    const struct rows *rows, struct team *team);
/* Overwrites the statistics (k x em_statistics); returns the log-likelihood. */
double tiles_em(double *statistics, struct tiles *tiles, const struct rows *rows,
                struct team *team);

#endif
