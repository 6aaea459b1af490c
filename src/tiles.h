/* Spreads the engine's tiles over a team. Sums go to a fixed number of slots, tile t
 * to slot t modulo their number, and the slots are added in order: the result has the
 * same bits for any number of threads. Main thread only; nothing here allocates, and
 * only tiles_draw()'s `meanwhile` may call R. */
#ifndef CWMIX_TILES_H
#define CWMIX_TILES_H

#include "draw.h"
#include "engine.h"
#include "team.h"

#define TILES_SLOTS 16

enum job {
  JOB_DENSITY,
  JOB_GRADIENT,
  JOB_EXPECTATION,
  JOB_EM,
  JOB_DRAW,
  JOB_RESIDUALS,
  JOB_FLOW,
  JOB_PULLBACK
};

/* What a job needs: fill by tiles_plan(), point `block` to `bytes` bytes, then run. */
struct tiles {
  enum job job;
  const struct engine *engine;
  const struct shape *shape;
  int members;         /* threads worth having for this job, at most those allowed */
  double row_work;     /* multiplications for one row, roughly */
  ptrdiff_t tile_rows; /* rows of a full tile */
  ptrdiff_t slot_size; /* doubles between slots */
  size_t model_bytes, slot_bytes, scratch_bytes, bytes;
  char *block;
  double score[TILES_SLOTS];
};

void tiles_plan(struct tiles *tiles, enum job job, const struct engine *engine,
                const struct shape *shape, ptrdiff_t n_rows, int threads);

/* Loads parameters; before any of the runs below. */
void tiles_load(struct tiles *tiles, const double *parameters);

/* Base draws that wait for their components, and what turns them into draws. */
struct block {
  const double *base; /* count x (d + 1) by rows: z, then the uniform */
  ptrdiff_t first, count;
  const struct maps *maps;
  const double *cumulated; /* of constant weights; NULL for a network */
};

/* As the engine's functions of the same names, for any number of rows. */
void tiles_density(double *out, struct tiles *tiles, enum quantity quantity,
                   const struct rows *rows, struct team *team);
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
                     const double *u, const struct maps *maps, struct team *team);
/* Overwrites the gradient (layout.size doubles); returns the value. */
double tiles_gradient(double *gradient, const struct at_points *at, struct tiles *tiles,
                      const struct rows *rows, const struct sampling *sampling,
                      struct team *team);
/* Overwrites the gradient. */
void tiles_expectation(double *gradient, struct tiles *tiles, const struct rows *rows,
                       const struct derivatives *given, struct team *team);
/* Rows through the flow: a JOB_PULLBACK where `gradient` is not NULL, which it
 * overwrites, and a JOB_FLOW otherwise. */
void tiles_flow(const struct passage *out, double *gradient, struct tiles *tiles,
                enum direction direction, const struct rows *rows, struct team *team);
/* Overwrites the statistics (k x em_statistics); returns the log-likelihood. */
double tiles_em(double *statistics, struct tiles *tiles, const struct rows *rows,
                struct team *team);

#endif
