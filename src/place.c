#include "place.h"

#include <math.h>

/* x_j = mu_kj + sum_{l <= j} L_kjl z_l */
static double placed(const struct components *components, const double *z, ptrdiff_t j,
                     ptrdiff_t k) {
  double x = components->mean[k + components->k * j];
  if (!components->full) return x + components->scale[k + components->k * j] * z[j];
  const double *row = components->scale + j + components->d * components->d * k;
  for (ptrdiff_t l = 0; l <= j; l++) x += row[components->d * l] * z[l];
  return x;
}

void place_inside(double *y, ptrdiff_t n, double lower, double upper) {
  if (isinf(lower) && isinf(upper)) return;
  const double least = nextafter(lower, INFINITY), most = nextafter(upper, -INFINITY);
  for (ptrdiff_t i = 0; i < n; i++) {
    double x;
    if (isinf(upper))
      x = lower + exp(y[i]);
    else if (isinf(lower))
      x = upper - exp(-y[i]);
    else /* from the nearer end, so that neither loses its last digits */
    {
      const double e = exp(-fabs(y[i])), part = (upper - lower) * (e / (1 + e));
      x = y[i] < 0 ? lower + part : upper - part;
    }
    x = x < least ? least : x;
    y[i] = x > most ? most : x;
  }
}

void place_draws(struct draws *out, ptrdiff_t first, const struct components *components,
                 const double *base, const int *component, ptrdiff_t count) {
  const ptrdiff_t d = components->d;
  for (ptrdiff_t j = 0; j < d; j++) {
    double *x = out->x + first + j * out->stride;
    for (ptrdiff_t i = 0; i < count; i++)
      x[i] = placed(components, base + i * (d + 1), j, component[i]);
    place_inside(x, count, components->support[j], components->support[d + j]);
  }
  if (out->z)
    for (ptrdiff_t j = 0; j < d; j++)
      for (ptrdiff_t i = 0; i < count; i++)
        out->z[first + i + j * out->stride] = base[i * (d + 1) + j];
  if (out->component)
    for (ptrdiff_t i = 0; i < count; i++) out->component[first + i] = component[i] + 1;
}

void place_nodes(double *x, const struct components *components, const double *z,
                 ptrdiff_t n) {
  const ptrdiff_t d = components->d, n_k = components->k;
  for (ptrdiff_t j = 0; j < d; j++)
    for (ptrdiff_t k = 0; k < n_k; k++) {
      double *to = x + (k + n_k * j) * n;
      for (ptrdiff_t i = 0; i < n; i++) to[i] = components->mean[k + n_k * j];
      for (ptrdiff_t l = components->full ? 0 : j; l <= j; l++) {
        const double scale =
            components->scale[components->full ? j + d * (l + d * k) : k + n_k * j];
        for (ptrdiff_t i = 0; i < n; i++) to[i] += scale * z[i + l * n];
      }
    }
}

/* c_j = sum_{i <= j} exp(log pi_i - max log pi) */
void choose_cumulate(double *cumulated, const double *log_pi, ptrdiff_t k) {
  double top = log_pi[0], sum = 0;
  for (ptrdiff_t j = 1; j < k; j++) top = log_pi[j] > top ? log_pi[j] : top;
  for (ptrdiff_t j = 0; j < k; j++) cumulated[j] = sum += exp(log_pi[j] - top);
}

/* The first j with c_j >= u c_k, by bisection: u < 1, so there is one. */
void choose_constant(int *component, const double *cumulated, const double *base,
                     ptrdiff_t count, ptrdiff_t d, ptrdiff_t k) {
  for (ptrdiff_t i = 0; i < count; i++) {
    const double target = base[i * (d + 1) + d] * cumulated[k - 1];
    ptrdiff_t low = 0;
    for (ptrdiff_t left = k - 1; left > 0;) {
      const ptrdiff_t half = (left + 1) / 2;
      const int beyond = cumulated[low + half - 1] < target;
      low = beyond ? low + half : low;
      left = beyond ? left - half : half - 1;
    }
    component[i] = (int)low;
  }
}

/* Rounding may leave the total a little below u: the last possible one then. */
ptrdiff_t choose_posterior(const double *log_p, ptrdiff_t stride, ptrdiff_t k, double u) {
  double cumulated = 0;
  ptrdiff_t chosen = -1;
  for (ptrdiff_t j = 0; j < k && cumulated < u; j++) {
    const double p = exp(log_p[j * stride]);
    if (p > 0) chosen = j;
    cumulated += p;
  }
  return chosen;
}

/* L_jj z_j = x_j - mu_kj - sum_{l < j} L_kjl z_l */
void place_latent(double *z, const double *x, ptrdiff_t stride,
                  const struct components *components, ptrdiff_t k) {
  for (ptrdiff_t j = 0; j < components->d; j++) {
    double u = x[j * stride] - components->mean[k + components->k * j];
    if (!components->full) {
      z[j * stride] = u / components->scale[k + components->k * j];
      continue;
    }
    const double *row = components->scale + j + components->d * components->d * k;
    for (ptrdiff_t l = 0; l < j; l++) u -= row[components->d * l] * z[l * stride];
    z[j * stride] = u / row[components->d * j];
  }
}
