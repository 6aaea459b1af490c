/* The engine's face: the table of an instance and what it refers to, whatever the
 * precision and the instruction set. The mathematics is in engine/; engine.c picks the
 * instance. */
#ifndef CWMIX_ENGINE_H
#define CWMIX_ENGINE_H

#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "shape.h"

/* The vector instances are written in GNU C's vector types; elsewhere the plain one
 * serves. GCC on Windows misaligns wide spills (PR 54412): 16-byte vectors only there. */
#if defined(__GNUC__)
#define CWMIX_HAVE_VECTORS 1
#if (defined(__x86_64__) || defined(__i386__)) && (!defined(_WIN32) || defined(__clang__))
#define CWMIX_HAVE_AVX2 1
#define CWMIX_HAVE_AVX512 1
#endif
#endif

#define LOG_TWO_PI 1.8378770664093454836
#define LOG_TWO 0.69314718055994530942
#define LOG2_E 1.4426950408889634074

enum quantity { LOG_DENSITY, LOG_POSTERIOR, LOG_WEIGHT, LOG_COMPONENT };

/* Rows of a column-major matrix of doubles: `count` of them from `first`, taken through
 * `index` (0-based) where it is given. `weights` (or NULL for ones) has a number a row
 * of x. */
struct rows {
  const double *x;
  ptrdiff_t stride; /* distance between the columns of x */
  const double *weights;
  const int *index;
  ptrdiff_t first, count;
};

/* Which components of a row take part in its gradient: those with a posterior of at
 * least `threshold`, and the others by an unbiased draw that depends on the seed and
 * on the row's place. Threshold 0: all of them. */
struct sampling {
  double threshold;
  uint64_t seed;
};

/* What a gradient gives at each row of x besides, where not NULL: `log_density` (n),
 * which it overwrites, and a_i times the gradient of log p(x_i) in x_i (n x d), which it
 * adds to `dx`. */
struct at_points {
  double *log_density, *dx;
};

/* What passing flow `which`, from 0, gives at each row, n x d where not said otherwise;
 * overwrites.
 *   FORWARD   u = F(x) and `log_det` (n) = log |det dF/dx|, of rows x
 *   INVERSE   x = F^-1(u) and the log determinant of that, of rows u
 *   PULLBACK  of rows x and the derivatives dx of a function g(x): those of g(F^-1(u)) in
 *             u and, F^-1 changing with them, in the flow's parameters */
enum direction { FORWARD, INVERSE, PULLBACK };

struct passage {
  double *to, *log_det; /* log_det: not for PULLBACK */
  const double *dx;     /* PULLBACK only */
  ptrdiff_t which;
};

/* Derivatives of a sum over n base points in log w_k(z_i), n x k, and in the nodes mu_k +
 * L_k z_i, n x k x d. */
struct derivatives {
  const double *log_weight, *node;
};

/* What Adam carries from step to step: parameters, moments and the average (layout.size
 * each), and the number of steps done. */
struct adam_state {
  double *parameters, *first, *second;
  double *average; /* of the parameters after each step so far */
  double step;
};

/* The numbers of one step: gradients are scaled, parameters kept by the factor `keep`,
 * the moments are divided by 1 - beta^step. */
struct adam_pace {
  double scale, keep, beta1, beta2, epsilon;
  double rate, unbias; /* learning rate / (1 - beta1^step), 1 / (1 - beta2^step) */
};

/* A dense layer and its way back: y = W x + b, dx = W' dy, dw = dy x'. All column-major:
 * w and dw n_out x n_in, x and dx n_in x n, y and dy n_out x n, bias n_out. */
struct dense {
  double *y, *dx, *dw;
  const double *w, *bias, *x, *dy;
  ptrdiff_t n_out, n_in, n;
};

/* The kernels one at a time, for tests. `math` applies "exp", "log", "tanh",
 * "logistic" or, in double, "exp2" (of numbers below 0) and "root" to n numbers and
 * returns 0 for another name; `dense` overwrites the outputs of a layer. */
struct kernels {
  int (*math)(double *out, const char *function, const double *x, ptrdiff_t n);
  size_t (*dense_bytes)(const struct dense *layer);
  void (*dense)(const struct dense *layer, void *work);
};

/* One instance. All functions are pure and thread-safe; a `model` is a prepared model,
 * `work` is scratch of the stated size, both aligned for double. A tile may have any
 * number of rows; the stated number suits it. */
struct engine {
  const char *name;

  /* Converts, inverts and packs the parameters for the tiles. */
  size_t (*model_bytes)(const struct shape *shape);
  void (*model_prepare)(void *model, const double *parameters, const struct shape *shape);

  /* A quantity of the paper's formula (16), or (12) behind a flow, on the log scale, for
   * a tile without an index: out[row + j * stride], j < 1 for LOG_DENSITY and j < k
   * otherwise. Overwrites. */
  ptrdiff_t (*density_rows)(const struct shape *shape);
  size_t (*density_bytes)(const struct shape *shape);
  void (*density_tile)(double *out, ptrdiff_t stride, const void *model,
                       enum quantity quantity, const struct rows *rows, void *work);

  /* log w(z) for a tile of base points: out[row + j * stride], j < k. Overwrites. Same
   * tile and scratch as density_tile. */
  void (*classifier_tile)(double *out, ptrdiff_t stride, const void *model,
                          const struct rows *rows, void *work);

  /* The component (0-based) whose interval of cumulated weights w(z), of a network, holds
   * u. `base` has rows of d + 1 numbers: z, then u. In double alone, as EM and Adam: NULL
   * in instances of float. */
  ptrdiff_t (*draw_rows)(void);
  size_t (*draw_bytes)(const struct shape *shape);
  void (*draw_tile)(int *component, const void *model, const double *base,
                    ptrdiff_t count, void *work);

  /* Adds the gradient of sum a_i log p(x_i), a the rows' weights, or an unbiased
   * estimate of it (see struct sampling), to `gradient` (layout.size doubles) and the
   * sum itself to `score` (one), and gives what `at` asks for. gradient_rows is the
   * least that is worth a tile. */
  ptrdiff_t (*gradient_rows)(const struct shape *shape);
  size_t (*gradient_bytes)(const struct shape *shape);
  void (*gradient_tile)(double *gradient, double *score, const struct at_points *at,
                        const void *model, const struct rows *rows,
                        const struct sampling *sampling, void *work);

  /* Adds the gradient of a sum over base points z, rows without an index, of a function
   * of their weights and nodes (formula 19) to `gradient`, by the chain rule from the
   * derivatives given. expectation_rows is the least that is worth a tile. In double
   * alone. */
  ptrdiff_t (*expectation_rows)(void);
  size_t (*expectation_bytes)(const struct shape *shape);
  void (*expectation_tile)(double *gradient, const void *model, const struct rows *rows,
                           const struct derivatives *given, void *work);

  /* A tile, without an index, through a flow: see struct passage. The gradient, where
   * asked for, is added to. flow_rows suits a tile. */
  ptrdiff_t (*flow_rows)(const struct shape *shape);
  size_t (*flow_bytes)(const struct shape *shape);
  void (*flow_tile)(const struct passage *out, double *gradient, const void *model,
                    enum direction direction, const struct rows *rows, void *work);

  /* E step of a tile of any number of rows, without an index; em_rows is what that number
   * should be a multiple of. Adds to statistics (k x em_statistics) and to `score`. The
   * model is prepared by em_prepare. */
  size_t (*em_model_bytes)(const struct shape *shape);
  void (*em_prepare)(void *model, const double *parameters, const struct shape *shape);
  ptrdiff_t (*em_rows)(void);
  size_t (*em_bytes)(const struct shape *shape);
  void (*em_tile)(double *statistics, double *score, const void *model,
                  const struct rows *rows, void *work);
  /* log p of such a tile, of the same model; overwrites log_density[row]. */
  size_t (*em_density_bytes)(const struct shape *shape);
  void (*em_density_tile)(double *log_density, const void *model, const struct rows *rows,
                          void *work);

  /* The arithmetic of adam_step() for n numbers from where the pointers of `state`
   * point; in double alone. */
  double (*sum_of_squares)(const double *x, ptrdiff_t n);
  void (*adam_update)(const struct adam_state *state, const double *gradient, ptrdiff_t n,
                      const struct adam_pace *pace);

  struct kernels kernels;
};

/* The instance in use for a precision. Main thread only: engine_use() changes it (by
 * name: "plain", "base", "avx2", "avx512"); it returns 0 where the machine lacks it. */
const struct engine *engine_get(int single);
int engine_use(const char *name);
const char *engine_name(void);
int engine_list(const char **names); /* at most 8 names, best last; returns how many */

#endif
