/* The M step of EM for Gaussian mixtures, with a floor under the standard deviations. */
#include "engine.h"

ptrdiff_t em_update_doubles(const struct shape *shape) {
  return (3 * shape->d + 1) * shape->d;
}

/* Replaces the lower triangle of a (d x d by rows) by its Cholesky factor; 0 if a pivot
 * is not positive. */
static int cholesky(double *a, ptrdiff_t d) {
  for (ptrdiff_t j = 0; j < d; j++)
    for (ptrdiff_t i = j; i < d; i++) {
      double sum = a[i * d + j];
      for (ptrdiff_t l = 0; l < j; l++) sum -= a[i * d + l] * a[j * d + l];
      if (i > j) {
        a[i * d + j] = sum / a[j * d + j];
      } else if (sum > 0) {
        a[j * d + j] = sqrt(sum);
      } else {
        return 0;
      }
    }
  return 1;
}

/* One Jacobi rotation: a <- R' a R with a_pq = 0, vectors <- vectors R. */
static void rotate(double *a, double *vectors, ptrdiff_t d, ptrdiff_t p, ptrdiff_t q) {
  const double theta = (a[q * d + q] - a[p * d + p]) / (2 * a[p * d + q]);
  const double t = (theta >= 0 ? 1 : -1) / (fabs(theta) + sqrt(theta * theta + 1));
  const double c = 1 / sqrt(t * t + 1), s = t * c;
  for (ptrdiff_t i = 0; i < d; i++) {
    const double ip = a[i * d + p], iq = a[i * d + q];
    a[i * d + p] = c * ip - s * iq;
    a[i * d + q] = s * ip + c * iq;
  }
  for (ptrdiff_t i = 0; i < d; i++) {
    const double pi = a[p * d + i], qi = a[q * d + i];
    a[p * d + i] = c * pi - s * qi;
    a[q * d + i] = s * pi + c * qi;
    const double vp = vectors[i * d + p], vq = vectors[i * d + q];
    vectors[i * d + p] = c * vp - s * vq;
    vectors[i * d + q] = s * vp + c * vq;
  }
}

/* Eigenvalues of the symmetric a onto its diagonal, eigenvectors into the columns of
 * `vectors`: cyclic Jacobi; 30 sweeps are many times what it needs. */
static void eigen(double *a, double *vectors, ptrdiff_t d) {
  for (ptrdiff_t i = 0; i < d * d; i++) vectors[i] = i % (d + 1) == 0;
  for (int sweep = 0; sweep < 30; sweep++) {
    double off = 0, on = 0;
    for (ptrdiff_t i = 0; i < d; i++)
      for (ptrdiff_t j = 0; j < d; j++)
        *(i == j ? &on : &off) += a[i * d + j] * a[i * d + j];
    if (off <= 1e-30 * on) return;
    for (ptrdiff_t p = 0; p < d; p++)
      for (ptrdiff_t q = p + 1; q < d; q++)
        if (a[p * d + q] != 0) rotate(a, vectors, d, p, q);
  }
}

/* The maximiser among covariances with no standard deviation below the floor: in units
 * of the floor, eigenvalues below one become one. `b` and `vectors` are scratch, d x
 * d. */
static void raise_eigenvalues(double *cov, const double *floor, ptrdiff_t d, double *b,
                              double *vectors) {
  for (ptrdiff_t j = 0; j < d; j++)
    if (!(floor[j] > 0)) return;
  for (ptrdiff_t i = 0; i < d; i++)
    for (ptrdiff_t j = 0; j < d; j++)
      b[i * d + j] = cov[i * d + j] / (floor[i] * floor[j]) - (i == j);
  if (cholesky(b, d)) return; /* every eigenvalue is above one */
  for (ptrdiff_t i = 0; i < d; i++)
    for (ptrdiff_t j = 0; j < d; j++)
      b[i * d + j] = cov[i * d + j] / (floor[i] * floor[j]);
  eigen(b, vectors, d);
  for (ptrdiff_t i = 0; i < d; i++)
    for (ptrdiff_t j = 0; j < d; j++) {
      double sum = 0;
      for (ptrdiff_t l = 0; l < d; l++) {
        const double value = b[l * d + l] > 1 ? b[l * d + l] : 1;
        sum += vectors[i * d + l] * value * vectors[j * d + l];
      }
      cov[i * d + j] = sum * floor[i] * floor[j];
    }
}

static void update_diagonal(double *log_s, const double *m, const double *second,
                            double weight, const double *floor,
                            const struct shape *shape) {
  for (ptrdiff_t j = 0; j < shape->d; j++) {
    const double variance = second[j] / weight - m[j] * m[j];
    const double least = floor[j] * floor[j];
    log_s[shape->k * j] = 0.5 * log(variance > least ? variance : least);
  }
}

static int update_full(double *factor, const double *m, const double *second,
                       double weight, const double *floor, ptrdiff_t d, double *work) {
  double *cov = work, *b = work + d * d, *vectors = work + 2 * d * d;
  for (ptrdiff_t i = 0; i < d; i++)
    for (ptrdiff_t j = 0; j <= i; j++) {
      cov[i * d + j] = *second++ / weight - m[i] * m[j];
      cov[j * d + i] = cov[i * d + j];
    }
  raise_eigenvalues(cov, floor, d, b, vectors);
  if (!cholesky(cov, d)) return 0;
  for (ptrdiff_t i = 0; i < d; i++)
    for (ptrdiff_t j = 0; j <= i; j++)
      factor[i + d * j] = i == j ? log(cov[i * d + i]) : cov[i * d + j];
  return 1;
}

enum status em_update(double *parameters, const double *statistics,
                      const struct shape *shape, const double *floor, double total,
                      double *work) {
  const struct layout at = shape_layout(shape);
  const ptrdiff_t d = shape->d, n_k = shape->k, size = em_statistics(shape);
  for (ptrdiff_t k = 0; k < n_k; k++) {
    const double *s = statistics + k * size, weight = s[0];
    double *mean = parameters + k, *scale = parameters + at.scale;
    parameters[at.biases + k] = log(weight / total);
    if (weight <= total * 1e-10) continue;
    double *m = work, *matrices = work + d; /* m: the mean's step */
    for (ptrdiff_t j = 0; j < d; j++) m[j] = s[1 + j] / weight;
    if (!shape->full)
      update_diagonal(scale + k, m, s + 1 + d, weight, floor, shape);
    else if (!update_full(scale + d * d * k, m, s + 1 + d, weight, floor, d, matrices))
      return STATUS_NOT_POSITIVE_DEFINITE;
    for (ptrdiff_t j = 0; j < d; j++) mean[n_k * j] += m[j];
  }
  return STATUS_OK;
}
