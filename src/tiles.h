/* Spreads a job's tiles over a team. Sums go to a fixed number of slots, tile t to slot t
 * modulo their number, and the slots are added in order: the result has the same bits for
 * any number of threads. Main thread only; nothing here allocates or calls R. */
#ifndef CWMIX_TILES_H
#define CWMIX_TILES_H

#include "engine.h"
#include "team.h"

#define TILES_SLOTS 16

/* A job on its way: fill by tiles_plan(), point `block` to `bytes` bytes, load, then
 * run. */
struct tiles {
  const struct job *job;
  const struct engine *engine;
  const struct shape *shape;
  ptrdiff_t n_rows;    /* the most of a run */
  int members;         /* threads worth having for this job, at most those allowed */
  double row_work;     /* multiplications for one row, roughly */
  ptrdiff_t tile_rows; /* rows of a full tile */
  ptrdiff_t n_sums;    /* doubles that a summed job adds up, and between its slots */
  ptrdiff_t slot_size;
  size_t model_bytes, scratch_bytes, bytes;
  char *block; /* the model, the slots, the members' scratch */
  double score[TILES_SLOTS];
};

/* A tile at work: rows first, ..., first + count - 1 of a run, and where its job may
 * write besides its outputs. */
struct tile {
  const struct tiles *tiles;
  ptrdiff_t first, count;
  double *sums, *score; /* of a summed job: its slot, to be added to; otherwise NULL */
  void *work;           /* the member's scratch */
};

/* What a job needs and does. A `plan` has engine, shape and n_rows, and for
 * scratch_bytes() also tile_rows; `given` is what the run was given. */
struct job {
  double (*row_work)(const struct shape *shape);
  ptrdiff_t (*tile_rows)(const struct tiles *plan);
  size_t (*model_bytes)(const struct tiles *plan);
  size_t (*scratch_bytes)(const struct tiles *plan);
  ptrdiff_t (*n_sums)(const struct shape *shape); /* NULL where nothing is summed */
  void (*load)(void *model, const double *parameters, const struct tiles *tiles);
  void (*tile)(const struct tile *tile, const void *given);
};

void tiles_plan(struct tiles *tiles, const struct job *job, const struct engine *engine,
                const struct shape *shape, ptrdiff_t n_rows, int threads);

/* Loads parameters; before a run, and as often as they change. */
void tiles_load(struct tiles *tiles, const double *parameters);

/* Runs a job that is not summed over `n_rows` rows, at most those planned. Before it joins
 * in, the calling thread runs meanwhile(context), unless NULL; that may call R. */
void tiles_run(struct tiles *tiles, const void *given, ptrdiff_t n_rows,
               void (*meanwhile)(void *context), void *context, struct team *team);

/* Runs a summed job. Overwrites `out` (n_sums) by the sums; returns that of the scores. */
double tiles_sum(double *out, struct tiles *tiles, const void *given, ptrdiff_t n_rows,
                 struct team *team);

/* Up to a whole number of cache lines, so that what follows is aligned. */
static inline size_t whole_lines(size_t bytes) { return (bytes + 63) / 64 * 64; }

#endif
