/* The shapes of models and where their parameters stand. */
#ifndef CWMIX_SHAPE_H
#define CWMIX_SHAPE_H

#include <stddef.h>

enum activation { ACTIVATION_TANH, ACTIVATION_RELU, ACTIVATION_SILU };

/* A flow F that points pass before the components, or one F_k before each of them, all of
 * one shape, or none: see engine/flow.h. The two networks' shapes take turns: `widths` of
 * couplings 0, 2, ... and of 1, 3, ... */
enum flow_kind { FLOW_NONE, FLOW_REALNVP, FLOW_SPLINE };

struct flow_shape {
  enum flow_kind kind;
  ptrdiff_t count; /* 1: shared by all components; k: one each */
  int fixed; /* u = F(x) is N(0, I): the parameters of one component, all zero, stay */
  enum activation activation;
  ptrdiff_t couplings, n_layers;
  const int *widths[2]; /* n_layers + 1 each */
  ptrdiff_t bins;       /* of a spline, and where it ends: on [-bound, bound] */
  double bound;
};

/* The shape of a model. A constant classifier has no layers; otherwise `widths` holds
 * n_layers + 1 numbers: d, the hidden widths, k. */
struct shape {
  ptrdiff_t d, k;
  int full;
  enum activation activation;
  ptrdiff_t n_layers;
  const int *widths;
  struct flow_shape flow;
};

/* Where a model's unconstrained parameters stand in their one flat vector of doubles:
 *   mean     k x d
 *   scale    k x d of log s, or d x d x k of Cholesky factors (strict lower part, log of
 *            the diagonal, zero above)
 *   weights  a layer after the other, out x in
 *   biases   a layer after the other; the log weights of a constant classifier
 *   flow     weights of the flow's networks, a coupling after the other, and a flow after
 *            the other, then biases
 * all in R's column-major order. */
struct layout {
  ptrdiff_t scale, weights, biases, flow_weights, flow_biases, size;
};

static inline struct layout shape_layout(const struct shape *shape) {
  struct layout at;
  at.scale = shape->k * shape->d;
  at.weights = at.scale + shape->k * shape->d * (shape->full ? shape->d : 1);
  at.biases = at.weights;
  ptrdiff_t n_biases = shape->n_layers == 0 ? shape->k : 0;
  for (ptrdiff_t l = 0; l < shape->n_layers; l++) {
    at.biases += (ptrdiff_t)shape->widths[l] * shape->widths[l + 1];
    n_biases += shape->widths[l + 1];
  }
  at.flow_weights = at.biases + n_biases;
  at.flow_biases = at.size = at.flow_weights;
  const struct flow_shape *flow = &shape->flow;
  for (ptrdiff_t c = 0; flow->kind != FLOW_NONE && c < flow->couplings; c++)
    for (ptrdiff_t l = 0; l < flow->n_layers; l++) {
      const ptrdiff_t n_in = flow->widths[c % 2][l], n_out = flow->widths[c % 2][l + 1];
      at.flow_biases += flow->count * n_in * n_out;
      at.size += flow->count * (n_in + 1) * n_out;
    }
  return at;
}

/* Sufficient statistics of EM for one component: total weight, then the weighted sums of
 * u = x - mu_k (d) and of u u' (d, or the lower triangle by rows). */
static inline ptrdiff_t em_statistics(const struct shape *shape) {
  ptrdiff_t d = shape->d;
  return 1 + d + (shape->full ? d * (d + 1) / 2 : d);
}

#endif
