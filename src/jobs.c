#include "jobs.h"

static struct rows rows_of(const struct tile *tile, const struct rows *rows) {
  struct rows part = *rows;
  part.first += tile->first;
  part.count = tile->count;
  return part;
}

/* Multiplications for one row, roughly: what decides whether a thread is worth waking. */
static double network_work(const struct shape *shape) {
  double work = 0;
  for (ptrdiff_t l = 0; l < shape->n_layers; l++)
    work += (double)shape->widths[l] * shape->widths[l + 1] + 10 * shape->widths[l + 1];
  return work;
}

static double flow_work(const struct shape *shape) {
  const struct flow_shape *flow = &shape->flow;
  double work = 0;
  for (ptrdiff_t c = 0; flow->kind != FLOW_NONE && c < flow->couplings; c++)
    for (ptrdiff_t l = 0; l < flow->n_layers; l++)
      work += (double)(flow->widths[c % 2][l] + 10) * flow->widths[c % 2][l + 1];
  return work;
}

static double affine_work(const struct shape *shape) {
  return (double)shape->d * (shape->full ? (double)shape->d : 2) + 20;
}

static double mixture_work(const struct shape *shape) {
  return (double)shape->flow.count * flow_work(shape) +
         (affine_work(shape) + network_work(shape)) * (double)shape->k;
}

/* Sums within a tile are in the engine's precision. */
#define TILE_ROWS_MOST 1024

/* Tiles of equal size, as many to each slot; fewer than slots where they would be smaller
 * than `least`, and then an even number, for pairs of threads. */
static ptrdiff_t summed_rows(ptrdiff_t least, ptrdiff_t n_rows) {
  const ptrdiff_t most = TILES_SLOTS * TILE_ROWS_MOST;
  ptrdiff_t tiles = n_rows / least;
  if (tiles >= TILES_SLOTS) tiles = TILES_SLOTS * ((n_rows + most - 1) / most);
  if (tiles > 1) tiles -= tiles % 2;
  if (tiles < 1) tiles = 1;
  return n_rows > 0 ? (n_rows + tiles - 1) / tiles : 1;
}

static ptrdiff_t gradient_size(const struct shape *shape) {
  return shape_layout(shape).size;
}

static size_t model_bytes(const struct tiles *plan) {
  return plan->engine->model_bytes(plan->shape);
}

static void model_load(void *model, const double *parameters, const struct tiles *tiles) {
  tiles->engine->model_prepare(model, parameters, tiles->shape);
}

struct density {
  double *out;
  enum quantity quantity;
  const struct rows *rows;
};

static ptrdiff_t density_rows(const struct tiles *plan) {
  return plan->engine->density_rows(plan->shape);
}

static size_t density_bytes(const struct tiles *plan) {
  return plan->engine->density_bytes(plan->shape);
}

static void density_tile(const struct tile *tile, const void *given) {
  const struct density *density = given;
  const struct rows rows = rows_of(tile, density->rows);
  tile->tiles->engine->density_tile(density->out, rows.stride, tile->tiles->block,
                                    density->quantity, &rows, tile->work);
}

static void classifier_tile(const struct tile *tile, const void *given) {
  const struct density *density = given;
  const struct rows rows = rows_of(tile, density->rows);
  tile->tiles->engine->classifier_tile(density->out, rows.stride, tile->tiles->block,
                                       &rows, tile->work);
}

const struct job job_density = {.row_work = mixture_work,
                                .tile_rows = density_rows,
                                .model_bytes = model_bytes,
                                .scratch_bytes = density_bytes,
                                .load = model_load,
                                .tile = density_tile};

const struct job job_classifier = {.row_work = mixture_work,
                                   .tile_rows = density_rows,
                                   .model_bytes = model_bytes,
                                   .scratch_bytes = density_bytes,
                                   .load = model_load,
                                   .tile = classifier_tile};

void tiles_density(double *out, struct tiles *tiles, enum quantity quantity,
                   const struct rows *rows, struct team *team) {
  const struct density density = {out, quantity, rows};
  tiles_run(tiles, &density, rows->count, NULL, NULL, team);
}

void tiles_classifier(double *out, struct tiles *tiles, const struct rows *rows,
                      struct team *team) {
  const struct density density = {.out = out, .rows = rows};
  tiles_run(tiles, &density, rows->count, NULL, NULL, team);
}

struct draw {
  struct draws *out;
  const struct block *block;
};

/* The draw goes through the network once; a normal from the generator counts as 100. */
static double draw_work(const struct shape *shape) {
  return network_work(shape) + 100 * (double)shape->d;
}

static ptrdiff_t draw_rows(const struct tiles *plan) { return plan->engine->draw_rows(); }

/* The components stand before the engine's scratch. */
static size_t component_bytes(const struct tiles *plan) {
  return whole_lines((size_t)plan->tile_rows * sizeof(int));
}

static size_t draw_bytes(const struct tiles *plan) {
  return component_bytes(plan) + plan->engine->draw_bytes(plan->shape);
}

static void draw_tile(const struct tile *tile, const void *given) {
  const struct draw *draw = given;
  const struct tiles *tiles = tile->tiles;
  const struct block *block = draw->block;
  const struct components *components = block->components;
  const double *base = block->base + tile->first * (components->d + 1);
  int *component = tile->work;
  char *work = (char *)tile->work + component_bytes(tiles);
  if (block->cumulated)
    choose_constant(component, block->cumulated, base, tile->count, components->d,
                    components->k);
  else
    tiles->engine->draw_tile(component, tiles->block, base, tile->count, work);
  place_draws(draw->out, block->first + tile->first, components, base, component,
              tile->count);
}

const struct job job_draw = {.row_work = draw_work,
                             .tile_rows = draw_rows,
                             .model_bytes = model_bytes,
                             .scratch_bytes = draw_bytes,
                             .load = model_load,
                             .tile = draw_tile};

void tiles_draw(struct draws *out, struct tiles *tiles, const struct block *block,
                void (*meanwhile)(void *context), void *context, struct team *team) {
  const struct draw draw = {out, block};
  tiles_run(tiles, &draw, block->count, meanwhile, context, team);
}

struct residuals {
  double *z;
  const struct rows *rows;
  const double *u;
  const struct components *components;
};

/* The tile's posterior stands before the engine's scratch. */
static size_t posterior_bytes(const struct tiles *plan) {
  return whole_lines((size_t)(plan->tile_rows * plan->shape->k) * sizeof(double));
}

static size_t residual_bytes(const struct tiles *plan) {
  return posterior_bytes(plan) + density_bytes(plan);
}

static void residual_tile(const struct tile *tile, const void *given) {
  const struct residuals *residuals = given;
  const struct components *components = residuals->components;
  const struct tiles *tiles = tile->tiles;
  const ptrdiff_t stride = residuals->rows->stride, first = tile->first;
  struct rows rows = rows_of(tile, residuals->rows);
  rows.x += first;
  rows.first = 0;
  double *log_v = tile->work;
  tiles->engine->density_tile(log_v, tiles->tile_rows, tiles->block, LOG_POSTERIOR, &rows,
                              (char *)tile->work + posterior_bytes(tiles));
  for (ptrdiff_t i = 0; i < rows.count; i++) {
    double *z = residuals->z + first + i;
    const ptrdiff_t k = choose_posterior(log_v + i, tiles->tile_rows, components->k,
                                         residuals->u[first + i]);
    if (k >= 0)
      place_latent(z, rows.x + i, stride, components, k);
    else
      for (ptrdiff_t j = 0; j < components->d; j++) z[j * stride] = NAN;
  }
}

const struct job job_residuals = {.row_work = mixture_work,
                                  .tile_rows = density_rows,
                                  .model_bytes = model_bytes,
                                  .scratch_bytes = residual_bytes,
                                  .load = model_load,
                                  .tile = residual_tile};

void tiles_residuals(double *z, struct tiles *tiles, const struct rows *rows,
                     const double *u, const struct components *components,
                     struct team *team) {
  const struct residuals residuals = {z, rows, u, components};
  tiles_run(tiles, &residuals, rows->count, NULL, NULL, team);
}

struct gradient {
  const struct at_points *at;
  const struct rows *rows;
  const struct sampling *sampling;
};

static ptrdiff_t gradient_rows(const struct tiles *plan) {
  return summed_rows(plan->engine->gradient_rows(plan->shape), plan->n_rows);
}

static size_t gradient_bytes(const struct tiles *plan) {
  return plan->engine->gradient_bytes(plan->shape);
}

static void gradient_tile(const struct tile *tile, const void *given) {
  const struct gradient *gradient = given;
  const struct rows rows = rows_of(tile, gradient->rows);
  tile->tiles->engine->gradient_tile(tile->sums, tile->score, gradient->at,
                                     tile->tiles->block, &rows, gradient->sampling,
                                     tile->work);
}

const struct job job_gradient = {.row_work = mixture_work,
                                 .tile_rows = gradient_rows,
                                 .model_bytes = model_bytes,
                                 .scratch_bytes = gradient_bytes,
                                 .n_sums = gradient_size,
                                 .load = model_load,
                                 .tile = gradient_tile};

double tiles_gradient(double *gradient, const struct at_points *at, struct tiles *tiles,
                      const struct rows *rows, const struct sampling *sampling,
                      struct team *team) {
  const struct gradient given = {at, rows, sampling};
  return tiles_sum(gradient, tiles, &given, rows->count, team);
}

struct expectation {
  const struct rows *rows;
  const struct derivatives *derivatives;
};

static double expectation_work(const struct shape *shape) {
  return network_work(shape) + affine_work(shape) * (double)shape->k;
}

static ptrdiff_t expectation_rows(const struct tiles *plan) {
  return summed_rows(plan->engine->expectation_rows(), plan->n_rows);
}

static size_t expectation_bytes(const struct tiles *plan) {
  return plan->engine->expectation_bytes(plan->shape);
}

static void expectation_tile(const struct tile *tile, const void *given) {
  const struct expectation *expectation = given;
  const struct rows rows = rows_of(tile, expectation->rows);
  tile->tiles->engine->expectation_tile(tile->sums, tile->tiles->block, &rows,
                                        expectation->derivatives, tile->work);
}

const struct job job_expectation = {.row_work = expectation_work,
                                    .tile_rows = expectation_rows,
                                    .model_bytes = model_bytes,
                                    .scratch_bytes = expectation_bytes,
                                    .n_sums = gradient_size,
                                    .load = model_load,
                                    .tile = expectation_tile};

void tiles_expectation(double *gradient, struct tiles *tiles, const struct rows *rows,
                       const struct derivatives *given, struct team *team) {
  const struct expectation expectation = {rows, given};
  tiles_sum(gradient, tiles, &expectation, rows->count, team);
}

struct flow {
  const struct passage *out;
  enum direction direction;
  const struct rows *rows;
};

static ptrdiff_t flow_rows(const struct tiles *plan) {
  return plan->engine->flow_rows(plan->shape);
}

static ptrdiff_t pullback_rows(const struct tiles *plan) {
  return summed_rows(flow_rows(plan), plan->n_rows);
}

static size_t flow_bytes(const struct tiles *plan) {
  return plan->engine->flow_bytes(plan->shape);
}

/* Of a job that is not summed there are no sums: no gradient. */
static void flow_tile(const struct tile *tile, const void *given) {
  const struct flow *flow = given;
  const struct rows rows = rows_of(tile, flow->rows);
  tile->tiles->engine->flow_tile(flow->out, tile->sums, tile->tiles->block,
                                 flow->direction, &rows, tile->work);
}

const struct job job_flow = {.row_work = flow_work,
                             .tile_rows = flow_rows,
                             .model_bytes = model_bytes,
                             .scratch_bytes = flow_bytes,
                             .load = model_load,
                             .tile = flow_tile};

const struct job job_pullback = {.row_work = flow_work,
                                 .tile_rows = pullback_rows,
                                 .model_bytes = model_bytes,
                                 .scratch_bytes = flow_bytes,
                                 .n_sums = gradient_size,
                                 .load = model_load,
                                 .tile = flow_tile};

void tiles_flow(const struct passage *out, struct tiles *tiles, enum direction direction,
                const struct rows *rows, struct team *team) {
  const struct flow flow = {out, direction, rows};
  tiles_run(tiles, &flow, rows->count, NULL, NULL, team);
}

void tiles_pullback(const struct passage *out, double *gradient, struct tiles *tiles,
                    const struct rows *rows, struct team *team) {
  const struct flow flow = {out, PULLBACK, rows};
  tiles_sum(gradient, tiles, &flow, rows->count, team);
}

/* A slot's rows in one tile, so that it is reduced once. */
static ptrdiff_t em_rows(const struct tiles *plan) {
  const ptrdiff_t rows = plan->engine->em_rows();
  const ptrdiff_t share = (plan->n_rows - 1) / TILES_SLOTS + 1;
  return (share + rows - 1) / rows * rows;
}

static size_t em_model_bytes(const struct tiles *plan) {
  return plan->engine->em_model_bytes(plan->shape);
}

static size_t em_bytes(const struct tiles *plan) {
  return plan->engine->em_bytes(plan->shape);
}

static ptrdiff_t em_size(const struct shape *shape) {
  return shape->k * em_statistics(shape);
}

static void em_load(void *model, const double *parameters, const struct tiles *tiles) {
  tiles->engine->em_prepare(model, parameters, tiles->shape);
}

static void em_tile(const struct tile *tile, const void *given) {
  const struct rows rows = rows_of(tile, given);
  tile->tiles->engine->em_tile(tile->sums, tile->score, tile->tiles->block, &rows,
                               tile->work);
}

const struct job job_em = {.row_work = mixture_work,
                           .tile_rows = em_rows,
                           .model_bytes = em_model_bytes,
                           .scratch_bytes = em_bytes,
                           .n_sums = em_size,
                           .load = em_load,
                           .tile = em_tile};

double tiles_em(double *statistics, struct tiles *tiles, const struct rows *rows,
                struct team *team) {
  return tiles_sum(statistics, tiles, rows, rows->count, team);
}

static ptrdiff_t constant_density_rows(const struct tiles *plan) {
  return plan->engine->em_rows();
}

static size_t constant_density_bytes(const struct tiles *plan) {
  return plan->engine->em_density_bytes(plan->shape);
}

static void constant_density_tile(const struct tile *tile, const void *given) {
  const struct density *density = given;
  const struct rows rows = rows_of(tile, density->rows);
  tile->tiles->engine->em_density_tile(density->out, tile->tiles->block, &rows,
                                       tile->work);
}

const struct job job_constant_density = {.row_work = mixture_work,
                                         .tile_rows = constant_density_rows,
                                         .model_bytes = em_model_bytes,
                                         .scratch_bytes = constant_density_bytes,
                                         .load = em_load,
                                         .tile = constant_density_tile};

void tiles_constant_density(double *out, struct tiles *tiles, const struct rows *rows,
                            struct team *team) {
  const struct density density = {.out = out, .rows = rows};
  tiles_run(tiles, &density, rows->count, NULL, NULL, team);
}
