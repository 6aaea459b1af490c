/* Affine maps x = mu_k + L_k z, L_k diagonal or lower triangular with a positive
 * diagonal. On the way forward vectors run over components, for one point; on the way
 * back over features, for one row. What is padded is zero. */
struct affine {
  ptrdiff_t d, k;
  int full;
  real *constant; /* padded k: -d/2 log(2 pi) - log det L_k; -Inf beyond the last */
  /* by component: d x padded(k), and lower d x d x padded(k) */
  real *mean, *inverse, *lower; /* mu, 1 / L_jj, and L_jl for l < j (full only) */
  /* by feature: k x padded(d), and rows k x d x padded(d) */
  real *reciprocal, *rows; /* 1 / L_jj, and L_jl, l < j (full only) */
};

/* Takes the pieces of `map` from the arena; affine_prepare() fills them. */
static void affine_layout(struct affine *map, struct arena *arena,
                          const struct shape *shape) {
  const ptrdiff_t d = shape->d, k = shape->k, triangle = shape->full ? d * d : 0;
  map->d = d;
  map->k = k;
  map->full = shape->full;
  map->constant = arena_reals(arena, padded(k));
  map->mean = arena_reals(arena, d * padded(k));
  map->inverse = arena_reals(arena, d * padded(k));
  map->lower = arena_reals(arena, triangle * padded(k));
  map->reciprocal = arena_reals(arena, k * padded(d));
  map->rows = arena_reals(arena, k * (shape->full ? d : 0) * padded(d));
}

/* One component; `mean` and `scale` are laid out as the flat parameters. Returns
 * log det L_k. */
static double affine_prepare_one(struct affine *map, const double *mean,
                                 const double *scale, ptrdiff_t k) {
  const ptrdiff_t d = map->d, n_k = map->k, across = padded(n_k), wide = padded(d);
  double log_det = 0;
  for (ptrdiff_t j = 0; j < d; j++) {
    const double log_s = map->full ? scale[j + d * (j + d * k)] : scale[k + n_k * j];
    log_det += log_s;
    map->mean[j * across + k] = (real)mean[k + n_k * j];
    map->inverse[j * across + k] = (real)exp(-log_s);
    map->reciprocal[k * wide + j] = (real)exp(-log_s);
    for (ptrdiff_t l = 0; map->full && l < j; l++) {
      const real entry = (real)scale[j + d * (l + d * k)];
      map->lower[(j * d + l) * across + k] = entry;
      map->rows[(k * d + j) * wide + l] = entry;
    }
  }
  return log_det;
}

static void zero_reals(real *x, ptrdiff_t n) {
  for (ptrdiff_t i = 0; i < n; i++) x[i] = 0;
}

static void affine_prepare(struct affine *map, const double *mean, const double *scale) {
  const ptrdiff_t d = map->d, n_k = map->k, across = padded(n_k), wide = padded(d);
  const double normal = -0.5 * (double)d * LOG_TWO_PI;
  zero_reals(map->mean, d * across);
  zero_reals(map->inverse, d * across);
  zero_reals(map->reciprocal, n_k * wide);
  if (map->full) {
    zero_reals(map->lower, d * d * across);
    zero_reals(map->rows, n_k * d * wide);
  }
  for (ptrdiff_t k = 0; k < across; k++)
    map->constant[k] = k < n_k ? (real)(normal - affine_prepare_one(map, mean, scale, k))
                               : -(real)INFINITY;
}

/* z = L_k^{-1} (x - mu_k), d x padded(k), and log N(x; mu_k, Sigma_k), padded(k), of one
 * point x for all components. With `own` each has a point of its own, d x padded(k), and
 * then a number, padded(k), that is added to its log density. */
ALWAYS_INLINE void affine_forward(real *z, real *log_density, const struct affine *map,
                                  const real *x, int own) {
  const ptrdiff_t d = map->d, across = padded(map->k);
  const vec half = vec_splat((real)0.5);
  for (ptrdiff_t k = 0; k < across; k += LANES) {
    vec square = vec_splat(0);
    for (ptrdiff_t j = 0; j < d; j++) {
      const vec from = own ? vec_load(x + j * across + k) : vec_splat(x[j]);
      vec u = from - vec_load(map->mean + j * across + k);
      for (ptrdiff_t l = 0; map->full && l < j; l++)
        u -= vec_load(map->lower + (j * d + l) * across + k) *
             vec_load(z + l * across + k);
      u = u * vec_load(map->inverse + j * across + k);
      square += u * u;
      vec_store(z + j * across + k, u);
    }
    vec density = vec_load(map->constant + k) - half * square;
    if (own) density += vec_load(x + d * across + k);
    vec_store(log_density + k, density);
  }
}

/* Gradients of the map: means and log diagonals, k x padded(d) each, then the factors'
 * rows, k x d x padded(d), of which the strict lower part counts (full only). */
static ptrdiff_t affine_gradient_size(const struct shape *shape) {
  return shape->k * padded(shape->d) * (2 + (shape->full ? shape->d : 0));
}

/* The gradient of g(z) + v log N(z; 0, I) + v log|det dz/dx| for one row, given
 * dz = g'(z), z and v.
 *   u = L^{-T} (dz - v z);  dmean = -u;  dL_jl = -u_j z_l (l < j);
 *   dlog L_jj = -(u_j z_j L_jj + v)
 * Adds to `gradient`. A block of features is `stride` reals from the next in dz and z;
 * dz becomes u_j L_jj. */
static void affine_backward(real *gradient, real *dz, const real *z, ptrdiff_t stride,
                            real v, const struct affine *map, ptrdiff_t k) {
  const ptrdiff_t d = map->d, wide = padded(d), size = map->k * wide;
  const vec weight = vec_splat(v);
  for (ptrdiff_t j = 0, at = 0; j < wide; j += LANES, at += stride)
    vec_store(dz + at, vec_load(dz + at) - weight * vec_load(z + at));
  /* u_j is known once those after it have been taken out of dz_j. */
  for (ptrdiff_t j = d - 1; map->full && j > 0; j--) {
    const real *row = map->rows + (k * d + j) * wide;
    real *drow = gradient + 2 * size + (k * d + j) * wide;
    const vec u = vec_splat(dz[feature_at(j, stride)] * map->reciprocal[k * wide + j]);
    for (ptrdiff_t l = 0, at = 0; l < j; l += LANES, at += stride) {
      vec_store(dz + at, vec_load(dz + at) - u * vec_load(row + l));
      vec_store(drow + l, vec_load(drow + l) - u * vec_load(z + at));
    }
  }
  real *dmean = gradient + k * wide, *dlog = gradient + size + k * wide;
  for (ptrdiff_t j = 0, at = 0; j < wide; j += LANES, at += stride) {
    const vec scaled = vec_load(dz + at);
    vec_store(dmean + j,
              vec_load(dmean + j) - scaled * vec_load(map->reciprocal + k * wide + j));
    vec_store(dlog + j, vec_load(dlog + j) - (scaled * vec_load(z + at) + weight));
  }
}

/* Adds a gradient as affine_backward() leaves it to the flat ones. */
static void affine_gradient_add(double *dmean, double *dscale, const real *gradient,
                                const struct shape *shape) {
  const ptrdiff_t d = shape->d, n_k = shape->k, wide = padded(d), size = n_k * wide;
  for (ptrdiff_t k = 0; k < n_k; k++)
    for (ptrdiff_t j = 0; j < d; j++) {
      const real *row = gradient + 2 * size + (k * d + j) * wide;
      dmean[k + n_k * j] += (double)gradient[k * wide + j];
      dscale[shape->full ? j + d * (j + d * k) : k + n_k * j] +=
          (double)gradient[size + k * wide + j];
      for (ptrdiff_t l = 0; shape->full && l < j; l++)
        dscale[j + d * (l + d * k)] += (double)row[l];
    }
}
