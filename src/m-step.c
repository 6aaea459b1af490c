/* The M step of EM for Gaussian mixtures, with covariances pooled and a floor under the
 * standard deviations. */
#include "optimise.h"

ptrdiff_t em_update_doubles(const struct shape *shape) {
  const ptrdiff_t matrices = shape->full ? 3 * shape->d * shape->d : 0;
  return matrices + 2 * (em_statistics(shape) - 1 - shape->d);
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

/* Covariance of a component about its mean, packed like its second moments, from its
 * statistics: second / weight - m m', m = first / weight. */
static void own_covariance(double *cov, const double *s, const struct shape *shape) {
  const double weight = s[0], *first = s + 1, *second = s + 1 + shape->d;
  for (ptrdiff_t i = 0; i < shape->d; i++)
    for (ptrdiff_t j = shape->full ? 0 : i; j <= i; j++)
      *cov++ = *second++ / weight - first[i] / weight * (first[j] / weight);
}

/* A component of so little weight says nothing of its mean and covariance. */
static int is_empty(double weight, double total) { return weight <= total * 1e-10; }

/* The mean of the components' covariances by weight. `cov` is scratch. */
static void pooled_covariance(double *pooled, const double *statistics,
                              const struct shape *shape, double total, double *cov) {
  const ptrdiff_t size = em_statistics(shape), packed = size - 1 - shape->d;
  double sum = 0;
  for (ptrdiff_t i = 0; i < packed; i++) pooled[i] = 0;
  for (ptrdiff_t k = 0; k < shape->k; k++) {
    const double *s = statistics + k * size;
    if (is_empty(s[0], total)) continue;
    sum += s[0];
    own_covariance(cov, s, shape);
    /* a running mean: of one component it is the covariance to the bit */
    for (ptrdiff_t i = 0; i < packed; i++) pooled[i] += s[0] / sum * (cov[i] - pooled[i]);
  }
}

/* (weight own + rows pooled) / (weight + rows), as Friedman (1989, Regularized
 * discriminant analysis, JASA 84, 165-175) shrinks. An empty component has no covariance
 * of its own; `pooled` is not read where rows is 0. */
static void shrunk_covariance(double *cov, const double *s, const double *pooled,
                              const struct shape *shape, double total, double rows) {
  const ptrdiff_t packed = em_statistics(shape) - 1 - shape->d;
  const double own = is_empty(s[0], total) ? 0 : s[0] / (s[0] + rows);
  if (own > 0)
    own_covariance(cov, s, shape);
  else
    memset(cov, 0, (size_t)packed * sizeof(double));
  for (ptrdiff_t i = 0; i < packed && rows > 0; i++)
    cov[i] = own * cov[i] + (1 - own) * pooled[i];
}

/* Variances below the squared floor are raised to it; a spherical one to the largest, so
 * that it stays spherical. */
static void write_diagonal(double *log_s, const double *cov, const double *floor,
                           const struct shape *shape, int spherical) {
  double mean = 0, highest = 0;
  for (ptrdiff_t j = 0; j < shape->d; j++) {
    mean += cov[j] / (double)shape->d;
    highest = floor[j] > highest ? floor[j] : highest;
  }
  for (ptrdiff_t j = 0; j < shape->d; j++) {
    const double variance = spherical ? mean : cov[j];
    const double least = spherical ? highest * highest : floor[j] * floor[j];
    log_s[shape->k * j] = 0.5 * log(variance > least ? variance : least);
  }
}

static int write_full(double *factor, const double *packed, const double *floor,
                      ptrdiff_t d, double *work) {
  double *cov = work, *b = work + d * d, *vectors = work + 2 * d * d;
  for (ptrdiff_t i = 0; i < d; i++)
    for (ptrdiff_t j = 0; j <= i; j++) cov[i * d + j] = cov[j * d + i] = *packed++;
  raise_eigenvalues(cov, floor, d, b, vectors);
  if (!cholesky(cov, d)) return 0;
  for (ptrdiff_t i = 0; i < d; i++)
    for (ptrdiff_t j = 0; j <= i; j++)
      factor[i + d * j] = i == j ? log(cov[i * d + i]) : cov[i * d + j];
  return 1;
}

enum status em_update(double *parameters, const double *statistics,
                      const struct shape *shape, const double *floor, double total,
                      const struct pooling *pooling, double *work) {
  const struct layout at = shape_layout(shape);
  const ptrdiff_t d = shape->d, n_k = shape->k, size = em_statistics(shape);
  const ptrdiff_t packed = size - 1 - d;
  double *cov = work, *pooled = cov + packed, *matrices = pooled + packed;
  const double rows = pooling->rows;
  if (rows > 0) pooled_covariance(pooled, statistics, shape, total, cov);
  for (ptrdiff_t k = 0; k < n_k; k++) {
    const double *s = statistics + k * size, weight = s[0];
    const int empty = is_empty(weight, total);
    double *mean = parameters + k, *scale = parameters + at.scale;
    parameters[at.biases + k] = log(weight / total);
    if (empty && !(rows > 0)) continue;
    shrunk_covariance(cov, s, pooled, shape, total, rows);
    if (!shape->full)
      write_diagonal(scale + k, cov, floor, shape, pooling->spherical);
    else if (!write_full(scale + d * d * k, cov, floor, d, matrices))
      return STATUS_NOT_POSITIVE_DEFINITE;
    for (ptrdiff_t j = 0; j < d && !empty; j++) mean[n_k * j] += s[1 + j] / weight;
  }
  return STATUS_OK;
}
