/* Spreads the engine's tiles over a team. Sums go to a fixed number of slots, tile t to
 * slot t modulo their number, and the slots are added in order: the result has the same
 * bits for any number of threads. Main thread only; nothing here allocates or calls R. */
#ifndef CWMIX_TILES_H
#define CWMIX_TILES_H

#include "engine.h"
#include "team.h"

#define TILES_SLOTS 16

enum job { JOB_DENSITY, JOB_GRADIENT, JOB_EM };

/* What a job needs: fill by tiles_plan(), point `block` to `bytes` bytes, then run. */
struct tiles {
  enum job job;
  const struct engine *engine;
  const struct shape *shape;
  int members;         /* threads worth having for this job, at most those allowed */
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

/* As the engine's functions of the same names, for any number of rows. */
void tiles_density(double *out, struct tiles *tiles, enum quantity quantity,
                   const struct rows *rows, struct team *team);
void tiles_classifier(double *out, struct tiles *tiles, const struct rows *rows,
                      struct team *team);
void tiles_choose(int *component, struct tiles *tiles, const struct rows *rows,
                  const double *u, struct team *team);
/* Overwrites the gradient (layout.size doubles); returns the value. */
double tiles_gradient(double *gradient, struct tiles *tiles, const struct rows *rows,
                      struct team *team);
/* Overwrites the statistics (k x em_statistics); returns the log-likelihood. */
double tiles_em(double *statistics, struct tiles *tiles, const struct rows *rows,
                struct team *team);

#endif
