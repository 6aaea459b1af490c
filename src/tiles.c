#include "tiles.h"

static size_t aligned(size_t bytes) { return (bytes + 63) / 64 * 64; }

/* Multiplications for one row, roughly: what decides whether a thread is worth waking. */
static double row_work(const struct shape *shape) {
  double work = (double)shape->d * (shape->full ? (double)shape->d : 2) + 20;
  for (ptrdiff_t l = 0; l < shape->n_layers; l++)
    work += (double)shape->widths[l] * shape->widths[l + 1] + 10 * shape->widths[l + 1];
  return work * (double)shape->k;
}

/* A thread costs some 20 us to start, about this many multiplications. */
#define WORK_PER_THREAD 2e5

static int worthwhile(const struct shape *shape, ptrdiff_t n_rows, ptrdiff_t n_items,
                      int threads) {
  const double most = row_work(shape) * (double)n_rows / WORK_PER_THREAD;
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

/* A slot's rows in one tile, so that it is reduced once. */
static ptrdiff_t em_tile_rows(const struct engine *engine, ptrdiff_t n_rows) {
  const ptrdiff_t rows = engine->em_rows(), share = (n_rows - 1) / TILES_SLOTS + 1;
  return (share + rows - 1) / rows * rows;
}

void tiles_plan(struct tiles *tiles, enum job job, const struct engine *engine,
                const struct shape *shape, ptrdiff_t n_rows, int threads) {
  tiles->engine = engine;
  tiles->shape = shape;
  tiles->job = job;
  tiles->tile_rows = job == JOB_DENSITY ? engine->density_rows()
                     : job == JOB_EM    ? em_tile_rows(engine, n_rows)
                                        : engine->gradient_rows(shape);
  const ptrdiff_t items =
      job == JOB_DENSITY ? n_tiles(tiles, n_rows) : n_slots(tiles, n_rows);
  tiles->members = worthwhile(shape, n_rows, items, threads);
  tiles->slot_size = job == JOB_GRADIENT ? shape_layout(shape).size
                     : job == JOB_EM     ? shape->k * em_statistics(shape)
                                         : 0;
  tiles->slot_size = (tiles->slot_size + 15) / 16 * 16;
  tiles->model_bytes =
      aligned(job == JOB_EM ? engine->em_model_bytes(shape) : engine->model_bytes(shape));
  tiles->slot_bytes = (size_t)tiles->slot_size * sizeof(double);
  tiles->scratch_bytes = aligned(job == JOB_DENSITY ? engine->density_bytes(shape)
                                 : job == JOB_EM    ? engine->em_bytes(shape)
                                                    : engine->gradient_bytes(shape));
  tiles->bytes = tiles->model_bytes +
                 aligned(tiles->slot_bytes * (job == JOB_DENSITY ? 0 : TILES_SLOTS)) +
                 tiles->scratch_bytes * (size_t)tiles->members;
  tiles->block = NULL;
}

static void *model_of(const struct tiles *tiles) { return tiles->block; }

static double *slot_of(const struct tiles *tiles, ptrdiff_t slot) {
  return (double *)(void *)(tiles->block + tiles->model_bytes) + slot * tiles->slot_size;
}

/* The members' scratch stands at the end of the block. */
static void *scratch_of(const struct tiles *tiles, int member) {
  return tiles->block + tiles->bytes - tiles->scratch_bytes * (size_t)(member + 1);
}

void tiles_load(struct tiles *tiles, const double *parameters) {
  const struct engine *engine = tiles->engine;
  (tiles->job == JOB_EM ? engine->em_prepare : engine->model_prepare)(
      model_of(tiles), parameters, tiles->shape);
}

static struct rows tile_of(const struct tiles *tiles, const struct rows *rows,
                           ptrdiff_t tile) {
  struct rows part = *rows;
  const ptrdiff_t begin = tile * tiles->tile_rows, left = rows->count - begin;
  part.first += begin;
  part.count = left < tiles->tile_rows ? left : tiles->tile_rows;
  return part;
}

struct run {
  struct tiles *tiles;
  const struct rows *rows;
  enum quantity quantity;
  double *out;
  const double *u;
  int *component;
};

static void density_body(void *context, ptrdiff_t tile, int member) {
  const struct run *run = context;
  const struct tiles *tiles = run->tiles;
  const struct rows part = tile_of(tiles, run->rows, tile);
  tiles->engine->density_tile(run->out, run->rows->stride, model_of(tiles), run->quantity,
                              &part, scratch_of(tiles, member));
}

static void classifier_body(void *context, ptrdiff_t tile, int member) {
  const struct run *run = context;
  const struct tiles *tiles = run->tiles;
  const struct rows part = tile_of(tiles, run->rows, tile);
  tiles->engine->classifier_tile(run->out, run->rows->stride, model_of(tiles), &part,
                                 scratch_of(tiles, member));
}

static void choose_body(void *context, ptrdiff_t tile, int member) {
  const struct run *run = context;
  const struct tiles *tiles = run->tiles;
  const struct rows part = tile_of(tiles, run->rows, tile);
  tiles->engine->choose_tile(run->component, model_of(tiles), &part, run->u,
                             scratch_of(tiles, member));
}

static void gradient_body(void *context, ptrdiff_t slot, int member) {
  const struct run *run = context;
  struct tiles *tiles = run->tiles;
  memset(slot_of(tiles, slot), 0, tiles->slot_bytes);
  tiles->score[slot] = 0;
  for (ptrdiff_t t = slot; t < n_tiles(tiles, run->rows->count); t += TILES_SLOTS) {
    const struct rows part = tile_of(tiles, run->rows, t);
    tiles->engine->gradient_tile(slot_of(tiles, slot), &tiles->score[slot],
                                 model_of(tiles), &part, scratch_of(tiles, member));
  }
}

static void em_body(void *context, ptrdiff_t slot, int member) {
  const struct run *run = context;
  struct tiles *tiles = run->tiles;
  const struct rows part = tile_of(tiles, run->rows, slot);
  memset(slot_of(tiles, slot), 0, tiles->slot_bytes);
  tiles->score[slot] = 0;
  tiles->engine->em_tile(slot_of(tiles, slot), &tiles->score[slot], model_of(tiles),
                         &part, scratch_of(tiles, member));
}

void tiles_density(double *out, struct tiles *tiles, enum quantity quantity,
                   const struct rows *rows, struct team *team) {
  struct run run = {.tiles = tiles, .rows = rows, .quantity = quantity, .out = out};
  team_for(team, n_tiles(tiles, rows->count), density_body, &run);
}

void tiles_classifier(double *out, struct tiles *tiles, const struct rows *rows,
                      struct team *team) {
  struct run run = {.tiles = tiles, .rows = rows, .out = out};
  team_for(team, n_tiles(tiles, rows->count), classifier_body, &run);
}

void tiles_choose(int *component, struct tiles *tiles, const struct rows *rows,
                  const double *u, struct team *team) {
  struct run run = {.tiles = tiles, .rows = rows, .u = u, .component = component};
  team_for(team, n_tiles(tiles, rows->count), choose_body, &run);
}

/* sum[j] = the sum of the slots' j-th doubles; returns the sum of their scores. */
static double slots_sum(double *sum, const struct tiles *tiles, ptrdiff_t slots,
                        ptrdiff_t n) {
  double score = 0;
  for (ptrdiff_t s = 0; s < slots; s++) score += tiles->score[s];
  for (ptrdiff_t j = 0; j < n; j++) {
    sum[j] = 0;
    for (ptrdiff_t s = 0; s < slots; s++) sum[j] += slot_of(tiles, s)[j];
  }
  return score;
}

double tiles_gradient(double *gradient, struct tiles *tiles, const struct rows *rows,
                      struct team *team) {
  struct run run = {.tiles = tiles, .rows = rows};
  const ptrdiff_t slots = n_slots(tiles, rows->count);
  team_for(team, slots, gradient_body, &run);
  return slots_sum(gradient, tiles, slots, shape_layout(tiles->shape).size);
}

double tiles_em(double *statistics, struct tiles *tiles, const struct rows *rows,
                struct team *team) {
  struct run run = {.tiles = tiles, .rows = rows};
  const ptrdiff_t slots = n_slots(tiles, rows->count);
  team_for(team, slots, em_body, &run);
  return slots_sum(statistics, tiles, slots,
                   tiles->shape->k * em_statistics(tiles->shape));
}
