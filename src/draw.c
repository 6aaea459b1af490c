#include "draw.h"

#include <math.h>

/* x_j = mu_kj + sum_{l <= j} L_kjl z_l */
static double placed(const struct maps *maps, const double *z, ptrdiff_t j, ptrdiff_t k) {
  double x = maps->mean[k + maps->k * j];
  if (!maps->full) return x + maps->scale[k + maps->k * j] * z[j];
  const double *row = maps->scale + j + maps->d * maps->d * k;
  for (ptrdiff_t l = 0; l <= j; l++) x += row[maps->d * l] * z[l];
  return x;
}

void draw_inside(double *y, ptrdiff_t n, double lower, double upper) {
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

void draw_place(struct draws *out, ptrdiff_t first, const struct maps *maps,
                const double *base, const int *component, ptrdiff_t count) {
  const ptrdiff_t d = maps->d;
  for (ptrdiff_t j = 0; j < d; j++) {
    double *x = out->x + first + j * out->stride;
    for (ptrdiff_t i = 0; i < count; i++)
      x[i] = placed(maps, base + i * (d + 1), j, component[i]);
    draw_inside(x, count, maps->support[j], maps->support[d + j]);
  }
  if (out->z)
    for (ptrdiff_t j = 0; j < d; j++)
      for (ptrdiff_t i = 0; i < count; i++)
        out->z[first + i + j * out->stride] = base[i * (d + 1) + j];
  if (out->component)
    for (ptrdiff_t i = 0; i < count; i++) out->component[first + i] = component[i] + 1;
}

void draw_nodes(double *x, const struct maps *maps, const double *z, ptrdiff_t n) {
  const ptrdiff_t d = maps->d, n_k = maps->k;
  for (ptrdiff_t j = 0; j < d; j++)
    for (ptrdiff_t k = 0; k < n_k; k++) {
      double *to = x + (k + n_k * j) * n;
      for (ptrdiff_t i = 0; i < n; i++) to[i] = maps->mean[k + n_k * j];
      for (ptrdiff_t l = maps->full ? 0 : j; l <= j; l++) {
        const double scale = maps->scale[maps->full ? j + d * (l + d * k) : k + n_k * j];
        for (ptrdiff_t i = 0; i < n; i++) to[i] += scale * z[i + l * n];
      }
    }
}

/* c_j = sum_{i <= j} exp(log pi_i - max log pi) */
void draw_cumulate(double *cumulated, const double *log_pi, ptrdiff_t k) {
  double top = log_pi[0], sum = 0;
  for (ptrdiff_t j = 1; j < k; j++) top = log_pi[j] > top ? log_pi[j] : top;
  for (ptrdiff_t j = 0; j < k; j++) cumulated[j] = sum += exp(log_pi[j] - top);
}

/* The first j with c_j >= u c_k, by bisection: u < 1, so there is one. */
void draw_constant(int *component, const double *cumulated, const double *base,
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
ptrdiff_t draw_posterior(const double *log_p, ptrdiff_t stride, ptrdiff_t k, double u) {
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
void draw_latent(double *z, const double *x, ptrdiff_t stride, const struct maps *maps,
                 ptrdiff_t k) {
  for (ptrdiff_t j = 0; j < maps->d; j++) {
    double u = x[j * stride] - maps->mean[k + maps->k * j];
    if (!maps->full) {
      z[j * stride] = u / maps->scale[k + maps->k * j];
      continue;
    }
    const double *row = maps->scale + j + maps->d * maps->d * k;
    for (ptrdiff_t l = 0; l < j; l++) u -= row[maps->d * l] * z[l * stride];
    z[j * stride] = u / row[maps->d * j];
  }
}
