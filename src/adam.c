/* Adam (Kingma and Ba 2015) with decoupled weight decay (Loshchilov and Hutter 2019), in
 * double whatever the precision of the gradient; and the average of its iterates in
 * which later ones count for more (Shamir and Zhang 2013). */
#include "optimise.h"

static void raise_scales(double *scale, const struct shape *shape,
                         const double *log_floor) {
  const ptrdiff_t d = shape->d, n_k = shape->k;
  for (ptrdiff_t k = 0; k < n_k; k++)
    for (ptrdiff_t j = 0; j < d; j++) {
      double *log_s = scale + (shape->full ? j + d * (j + d * k) : k + n_k * j);
      if (*log_s < log_floor[j]) *log_s = log_floor[j];
    }
}

static struct adam_state state_from(const struct adam_state *state, ptrdiff_t begin) {
  struct adam_state part = {state->parameters + begin, state->first + begin,
                            state->second + begin, state->average + begin, state->step};
  return part;
}

static void move_average(struct adam_state *state, ptrdiff_t n, double recency) {
  const double share = (1 + recency) / (state->step + recency);
  for (ptrdiff_t j = 0; j < n; j++)
    state->average[j] += share * (state->parameters[j] - state->average[j]);
}

enum status adam_step(struct adam_state *state, const double *gradient, double scale,
                      double rate, const struct shape *shape,
                      const struct adam_options *options) {
  const struct layout at = shape_layout(shape);
  const struct engine *engine = engine_get(0);
  const double norm = scale * sqrt(engine->sum_of_squares(gradient, at.size));
  if (!isfinite(norm)) return STATUS_NOT_FINITE;
  state->step++;
  struct adam_pace pace = {.scale = norm > options->clip ? scale * options->clip / norm
                                                         : scale,
                           .beta1 = options->beta1,
                           .beta2 = options->beta2,
                           .epsilon = options->epsilon,
                           .rate = rate / (1 - pow(options->beta1, state->step)),
                           .unbias = 1 / (1 - pow(options->beta2, state->step))};
  /* Of the networks, the weights decay and the biases do not. */
  const ptrdiff_t end[5] = {at.weights, at.biases, at.flow_weights, at.flow_biases,
                            at.size};
  for (ptrdiff_t part = 0, begin = 0; part < 5; begin = end[part++]) {
    const struct adam_state from = state_from(state, begin);
    pace.keep = part % 2 == 1 ? 1 - rate * options->weight_decay : 1;
    engine->adam_update(&from, gradient + begin, end[part] - begin, &pace);
  }
  raise_scales(state->parameters + at.scale, shape, options->log_floor);
  move_average(state, at.size, options->recency);
  return STATUS_OK;
}
