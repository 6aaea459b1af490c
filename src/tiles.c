#include "tiles.h"

/* A thread costs some 20 us to start, about this many multiplications. */
#define WORK_PER_THREAD 2e5

static int worthwhile(double work, ptrdiff_t n_items, int threads) {
  const double most = work / WORK_PER_THREAD;
  int n = threads < TEAM_MAX ? threads : TEAM_MAX;
  if (n > n_items) n = (int)n_items;
  if (n > most) n = (int)most;
  return n < 1 ? 1 : n;
}

static ptrdiff_t n_tiles(const struct tiles *tiles, ptrdiff_t n_rows) {
  return (n_rows + tiles->tile_rows - 1) / tiles->tile_rows;
}

static ptrdiff_t n_slots(const struct tiles *tiles, ptrdiff_t n_rows) {
  const ptrdiff_t n = n_tiles(tiles, n_rows);
  return n < TILES_SLOTS ? n : TILES_SLOTS;
}

void tiles_plan(struct tiles *tiles, const struct job *job, const struct engine *engine,
                const struct shape *shape, ptrdiff_t n_rows, int threads) {
  tiles->job = job;
  tiles->engine = engine;
  tiles->shape = shape;
  tiles->n_rows = n_rows;
  tiles->tile_rows = job->tile_rows(tiles);
  const ptrdiff_t items = job->n_sums ? n_slots(tiles, n_rows) : n_tiles(tiles, n_rows);
  tiles->row_work = job->row_work(shape);
  tiles->members = worthwhile(tiles->row_work * (double)n_rows, items, threads);
  tiles->n_sums = job->n_sums ? job->n_sums(shape) : 0;
  tiles->slot_size = (tiles->n_sums + 15) / 16 * 16;
  tiles->model_bytes = whole_lines(job->model_bytes(tiles));
  tiles->scratch_bytes = whole_lines(job->scratch_bytes(tiles));
  tiles->bytes = tiles->model_bytes +
                 whole_lines((size_t)tiles->slot_size * TILES_SLOTS * sizeof(double)) +
                 tiles->scratch_bytes * (size_t)tiles->members;
  tiles->block = NULL;
}

static double *slot_of(const struct tiles *tiles, ptrdiff_t slot) {
  return (double *)(void *)(tiles->block + tiles->model_bytes) + slot * tiles->slot_size;
}

/* The members' scratch stands at the end of the block. */
static void *scratch_of(const struct tiles *tiles, int member) {
  return tiles->block + tiles->bytes - tiles->scratch_bytes * (size_t)(member + 1);
}

void tiles_load(struct tiles *tiles, const double *parameters) {
  tiles->job->load(tiles->block, parameters, tiles);
}

struct run {
  struct tiles *tiles;
  ptrdiff_t n_rows;
  const void *given;
  void (*meanwhile)(void *beside);
  void *beside;
};

static struct tile tile_of(const struct run *run, ptrdiff_t i, int member) {
  const ptrdiff_t size = run->tiles->tile_rows, first = i * size;
  const ptrdiff_t left = run->n_rows - first;
  return (struct tile){.tiles = run->tiles,
                       .first = first,
                       .count = left < size ? left : size,
                       .work = scratch_of(run->tiles, member)};
}

static void tile_body(void *context, ptrdiff_t i, int member) {
  const struct run *run = context;
  const struct tile tile = tile_of(run, i, member);
  run->tiles->job->tile(&tile, run->given);
}

static void summed_body(void *context, ptrdiff_t slot, int member) {
  const struct run *run = context;
  struct tiles *tiles = run->tiles;
  double *sums = slot_of(tiles, slot);
  memset(sums, 0, (size_t)tiles->slot_size * sizeof(double));
  tiles->score[slot] = 0;
  for (ptrdiff_t i = slot; i < n_tiles(tiles, run->n_rows); i += TILES_SLOTS) {
    struct tile tile = tile_of(run, i, member);
    tile.sums = sums;
    tile.score = &tiles->score[slot];
    tiles->job->tile(&tile, run->given);
  }
}

static void run_meanwhile(void *context) {
  const struct run *run = context;
  run->meanwhile(run->beside);
}

void tiles_run(struct tiles *tiles, const void *given, ptrdiff_t n_rows,
               void (*meanwhile)(void *context), void *context, struct team *team) {
  struct run run = {tiles, n_rows, given, meanwhile, context};
  team_for_beside(team, n_tiles(tiles, n_rows), tile_body,
                  meanwhile ? run_meanwhile : NULL, &run);
}

struct sum {
  const struct tiles *tiles;
  double *out;
  ptrdiff_t slots, n;
};

#define SUM_CHUNK 4096

static void sum_body(void *context, ptrdiff_t chunk, int member) {
  const struct sum *sum = context;
  const ptrdiff_t begin = chunk * SUM_CHUNK, left = sum->n - begin;
  const ptrdiff_t n = left < SUM_CHUNK ? left : SUM_CHUNK;
  double *out = sum->out + begin;
  (void)member;
  memset(out, 0, (size_t)n * sizeof(double));
  for (ptrdiff_t s = 0; s < sum->slots; s++) {
    const double *from = slot_of(sum->tiles, s) + begin;
    for (ptrdiff_t j = 0; j < n; j++) out[j] += from[j];
  }
}

double tiles_sum(double *out, struct tiles *tiles, const void *given, ptrdiff_t n_rows,
                 struct team *team) {
  const ptrdiff_t slots = n_slots(tiles, n_rows);
  struct run run = {.tiles = tiles, .n_rows = n_rows, .given = given};
  team_for(team, slots, summed_body, &run);
  struct sum sum = {tiles, out, slots, tiles->n_sums};
  team_for(team, (sum.n + SUM_CHUNK - 1) / SUM_CHUNK, sum_body, &sum);
  double score = 0;
  for (ptrdiff_t s = 0; s < slots; s++) score += tiles->score[s];
  return score;
}
