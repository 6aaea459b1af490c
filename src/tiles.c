#include "tiles.h"

static size_t aligned(size_t bytes) { return (bytes + 63) / 64 * 64; }

/* Multiplications for one row, roughly: what decides whether a thread is worth waking.
 * A normal from the generator counts as 100, and a draw goes through the network once. */
static double row_work(const struct shape *shape, enum job job) {
  double network = 0, flow = 0;
  for (ptrdiff_t c = 0; shape->flow.kind != FLOW_NONE && c < shape->flow.couplings; c++)
    for (ptrdiff_t l = 0; l < shape->flow.n_layers; l++)
      flow +=
          (double)(shape->flow.widths[c % 2][l] + 10) * shape->flow.widths[c % 2][l + 1];
  if (job == JOB_FLOW || job == JOB_PULLBACK) return flow;
  for (ptrdiff_t l = 0; l < shape->n_layers; l++)
    network +=
        (double)shape->widths[l] * shape->widths[l + 1] + 10 * shape->widths[l + 1];
  if (job == JOB_DRAW) return network + 100 * (double)shape->d;
  const double map = (double)shape->d * (shape->full ? (double)shape->d : 2) + 20;
  if (job == JOB_EXPECTATION) return network + map * (double)shape->k;
  return (double)shape->flow.count * flow + (map + network) * (double)shape->k;
}

/* A thread costs some 20 us to start, about this many multiplications. */
#define WORK_PER_THREAD 2e5

/* Sums within a tile are in the engine's precision. */
#define TILE_ROWS_MOST 1024

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

static int is_summed(enum job job) {
  return job == JOB_GRADIENT || job == JOB_EXPECTATION || job == JOB_EM ||
         job == JOB_PULLBACK;
}

/* A slot's rows in one tile, so that it is reduced once. */
static ptrdiff_t em_tile_rows(const struct engine *engine, ptrdiff_t n_rows) {
  const ptrdiff_t rows = engine->em_rows(), share = (n_rows - 1) / TILES_SLOTS + 1;
  return (share + rows - 1) / rows * rows;
}

/* Tiles of equal size, as many to each slot; fewer than slots where they would be smaller
 * than `least`, and then an even number, for pairs of threads. */
static ptrdiff_t gradient_tile_rows(ptrdiff_t least, ptrdiff_t n_rows) {
  const ptrdiff_t most = TILES_SLOTS * TILE_ROWS_MOST;
  ptrdiff_t tiles = n_rows / least;
  if (tiles >= TILES_SLOTS) tiles = TILES_SLOTS * ((n_rows + most - 1) / most);
  if (tiles > 1) tiles -= tiles % 2;
  if (tiles < 1) tiles = 1;
  return n_rows > 0 ? (n_rows + tiles - 1) / tiles : 1;
}

static ptrdiff_t rows_of_tile(enum job job, const struct engine *engine,
                              const struct shape *shape, ptrdiff_t n_rows) {
  switch (job) {
    case JOB_DRAW: return engine->draw_rows();
    case JOB_EM: return em_tile_rows(engine, n_rows);
    case JOB_GRADIENT: return gradient_tile_rows(engine->gradient_rows(shape), n_rows);
    case JOB_EXPECTATION: return gradient_tile_rows(engine->expectation_rows(), n_rows);
    case JOB_FLOW: return engine->flow_rows(shape);
    case JOB_PULLBACK: return gradient_tile_rows(engine->flow_rows(shape), n_rows);
    case JOB_DENSITY:
    case JOB_RESIDUALS: break;
  }
  return engine->density_rows(shape);
}

static size_t component_bytes(const struct tiles *tiles) {
  return aligned((size_t)tiles->tile_rows * sizeof(int));
}

static size_t posterior_bytes(const struct tiles *tiles) {
  return aligned((size_t)(tiles->tile_rows * tiles->shape->k) * sizeof(double));
}

/* A member's: the engine's, and what stands before it. */
static size_t scratch_bytes(const struct tiles *tiles, enum job job) {
  const struct engine *engine = tiles->engine;
  switch (job) {
    case JOB_DENSITY: return aligned(engine->density_bytes(tiles->shape));
    case JOB_RESIDUALS:
      return posterior_bytes(tiles) + aligned(engine->density_bytes(tiles->shape));
    case JOB_DRAW:
      return component_bytes(tiles) + aligned(engine->draw_bytes(tiles->shape));
    case JOB_EM: return aligned(engine->em_bytes(tiles->shape));
    case JOB_EXPECTATION: return aligned(engine->expectation_bytes(tiles->shape));
    case JOB_FLOW:
    case JOB_PULLBACK: return aligned(engine->flow_bytes(tiles->shape));
    case JOB_GRADIENT: break;
  }
  return aligned(engine->gradient_bytes(tiles->shape));
}

void tiles_plan(struct tiles *tiles, enum job job, const struct engine *engine,
                const struct shape *shape, ptrdiff_t n_rows, int threads) {
  tiles->engine = engine;
  tiles->shape = shape;
  tiles->job = job;
  tiles->tile_rows = rows_of_tile(job, engine, shape, n_rows);
  const ptrdiff_t items =
      is_summed(job) ? n_slots(tiles, n_rows) : n_tiles(tiles, n_rows);
  tiles->row_work = row_work(shape, job);
  tiles->members = worthwhile(tiles->row_work * (double)n_rows, items, threads);
  tiles->slot_size = job == JOB_EM    ? shape->k * em_statistics(shape)
                     : is_summed(job) ? shape_layout(shape).size
                                      : 0;
  tiles->slot_size = (tiles->slot_size + 15) / 16 * 16;
  tiles->model_bytes =
      aligned(job == JOB_EM ? engine->em_model_bytes(shape) : engine->model_bytes(shape));
  tiles->slot_bytes = (size_t)tiles->slot_size * sizeof(double);
  tiles->scratch_bytes = scratch_bytes(tiles, job);
  tiles->bytes = tiles->model_bytes +
                 aligned(tiles->slot_bytes * (is_summed(job) ? TILES_SLOTS : 0)) +
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
  const struct at_points *at;
  const struct sampling *sampling;
  const struct derivatives *given;
  const struct passage *passage;
  enum direction direction;
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

static void gradient_body(void *context, ptrdiff_t slot, int member) {
  const struct run *run = context;
  struct tiles *tiles = run->tiles;
  memset(slot_of(tiles, slot), 0, tiles->slot_bytes);
  tiles->score[slot] = 0;
  for (ptrdiff_t t = slot; t < n_tiles(tiles, run->rows->count); t += TILES_SLOTS) {
    const struct rows part = tile_of(tiles, run->rows, t);
    tiles->engine->gradient_tile(slot_of(tiles, slot), &tiles->score[slot], run->at,
                                 model_of(tiles), &part, run->sampling,
                                 scratch_of(tiles, member));
  }
}

static void expectation_body(void *context, ptrdiff_t slot, int member) {
  const struct run *run = context;
  struct tiles *tiles = run->tiles;
  memset(slot_of(tiles, slot), 0, tiles->slot_bytes);
  for (ptrdiff_t t = slot; t < n_tiles(tiles, run->rows->count); t += TILES_SLOTS) {
    const struct rows part = tile_of(tiles, run->rows, t);
    tiles->engine->expectation_tile(slot_of(tiles, slot), model_of(tiles), &part,
                                    run->given, scratch_of(tiles, member));
  }
}

static void flow_body(void *context, ptrdiff_t tile, int member) {
  const struct run *run = context;
  const struct tiles *tiles = run->tiles;
  const struct rows part = tile_of(tiles, run->rows, tile);
  tiles->engine->flow_tile(run->passage, NULL, model_of(tiles), run->direction, &part,
                           scratch_of(tiles, member));
}

static void pullback_body(void *context, ptrdiff_t slot, int member) {
  const struct run *run = context;
  struct tiles *tiles = run->tiles;
  memset(slot_of(tiles, slot), 0, tiles->slot_bytes);
  for (ptrdiff_t t = slot; t < n_tiles(tiles, run->rows->count); t += TILES_SLOTS) {
    const struct rows part = tile_of(tiles, run->rows, t);
    tiles->engine->flow_tile(run->passage, slot_of(tiles, slot), model_of(tiles),
                             run->direction, &part, scratch_of(tiles, member));
  }
}

static void em_body(void *context, ptrdiff_t slot, int member) {
  const struct run *run = context;
  struct tiles *tiles = run->tiles;
  memset(slot_of(tiles, slot), 0, tiles->slot_bytes);
  tiles->score[slot] = 0;
  for (ptrdiff_t t = slot; t < n_tiles(tiles, run->rows->count); t += TILES_SLOTS) {
    const struct rows part = tile_of(tiles, run->rows, t);
    tiles->engine->em_tile(slot_of(tiles, slot), &tiles->score[slot], model_of(tiles),
                           &part, scratch_of(tiles, member));
  }
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

struct draw_run {
  struct draws *out;
  const struct tiles *tiles;
  const struct block *block;
  void (*meanwhile)(void *context);
  void *context;
};

static void draw_body(void *context, ptrdiff_t tile, int member) {
  const struct draw_run *run = context;
  const struct tiles *tiles = run->tiles;
  const struct block *block = run->block;
  const ptrdiff_t d = block->maps->d, begin = tile * tiles->tile_rows;
  const ptrdiff_t left = block->count - begin;
  const ptrdiff_t count = left < tiles->tile_rows ? left : tiles->tile_rows;
  const double *base = block->base + begin * (d + 1);
  /* The components stand before the engine's scratch. */
  int *component = scratch_of(tiles, member);
  char *work = (char *)component + component_bytes(tiles);
  if (block->cumulated)
    draw_constant(component, block->cumulated, base, count, d, block->maps->k);
  else
    tiles->engine->draw_tile(component, model_of(tiles), base, count, work);
  draw_place(run->out, block->first + begin, block->maps, base, component, count);
}

static void draw_meanwhile(void *context) {
  const struct draw_run *run = context;
  run->meanwhile(run->context);
}

void tiles_draw(struct draws *out, struct tiles *tiles, const struct block *block,
                void (*meanwhile)(void *context), void *context, struct team *team) {
  struct draw_run run = {out, tiles, block, meanwhile, context};
  team_for_beside(team, n_tiles(tiles, block->count), draw_body,
                  meanwhile ? draw_meanwhile : NULL, &run);
}

struct residual_run {
  double *z;
  const struct tiles *tiles;
  const struct rows *rows;
  const double *u;
  const struct maps *maps;
};

static void residual_body(void *context, ptrdiff_t tile, int member) {
  const struct residual_run *run = context;
  const struct tiles *tiles = run->tiles;
  const ptrdiff_t stride = run->rows->stride, first = tile * tiles->tile_rows;
  struct rows part = tile_of(tiles, run->rows, tile);
  part.x += first;
  part.first = 0;
  /* The tile's posterior stands before the engine's scratch. */
  double *log_v = scratch_of(tiles, member);
  tiles->engine->density_tile(log_v, tiles->tile_rows, model_of(tiles), LOG_POSTERIOR,
                              &part, (char *)log_v + posterior_bytes(tiles));
  for (ptrdiff_t i = 0; i < part.count; i++) {
    double *z = run->z + first + i;
    const ptrdiff_t k =
        draw_posterior(log_v + i, tiles->tile_rows, run->maps->k, run->u[first + i]);
    if (k >= 0)
      draw_latent(z, part.x + i, stride, run->maps, k);
    else
      for (ptrdiff_t j = 0; j < run->maps->d; j++) z[j * stride] = NAN;
  }
}

void tiles_residuals(double *z, struct tiles *tiles, const struct rows *rows,
                     const double *u, const struct maps *maps, struct team *team) {
  struct residual_run run = {z, tiles, rows, u, maps};
  team_for(team, n_tiles(tiles, rows->count), residual_body, &run);
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

/* out[j] = the sum of the slots' j-th doubles. */
static void slots_sum(double *out, const struct tiles *tiles, ptrdiff_t slots,
                      ptrdiff_t n, struct team *team) {
  struct sum sum = {tiles, out, slots, n};
  team_for(team, (n + SUM_CHUNK - 1) / SUM_CHUNK, sum_body, &sum);
}

static double scores_sum(const struct tiles *tiles, ptrdiff_t slots) {
  double score = 0;
  for (ptrdiff_t s = 0; s < slots; s++) score += tiles->score[s];
  return score;
}

double tiles_gradient(double *gradient, const struct at_points *at, struct tiles *tiles,
                      const struct rows *rows, const struct sampling *sampling,
                      struct team *team) {
  struct run run = {.tiles = tiles, .rows = rows, .at = at, .sampling = sampling};
  const ptrdiff_t slots = n_slots(tiles, rows->count);
  team_for(team, slots, gradient_body, &run);
  slots_sum(gradient, tiles, slots, shape_layout(tiles->shape).size, team);
  return scores_sum(tiles, slots);
}

void tiles_expectation(double *gradient, struct tiles *tiles, const struct rows *rows,
                       const struct derivatives *given, struct team *team) {
  struct run run = {.tiles = tiles, .rows = rows, .given = given};
  const ptrdiff_t slots = n_slots(tiles, rows->count);
  team_for(team, slots, expectation_body, &run);
  slots_sum(gradient, tiles, slots, shape_layout(tiles->shape).size, team);
}

void tiles_flow(const struct passage *out, double *gradient, struct tiles *tiles,
                enum direction direction, const struct rows *rows, struct team *team) {
  struct run run = {.tiles = tiles, .rows = rows, .passage = out, .direction = direction};
  if (!gradient) {
    team_for(team, n_tiles(tiles, rows->count), flow_body, &run);
    return;
  }
  const ptrdiff_t slots = n_slots(tiles, rows->count);
  team_for(team, slots, pullback_body, &run);
  slots_sum(gradient, tiles, slots, shape_layout(tiles->shape).size, team);
}

double tiles_em(double *statistics, struct tiles *tiles, const struct rows *rows,
                struct team *team) {
  struct run run = {.tiles = tiles, .rows = rows};
  const ptrdiff_t slots = n_slots(tiles, rows->count);
  team_for(team, slots, em_body, &run);
  slots_sum(statistics, tiles, slots, tiles->shape->k * em_statistics(tiles->shape),
            team);
  return scores_sum(tiles, slots);
}
