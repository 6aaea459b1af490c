/* Affine maps x = mu_k + L_k z, L_k diagonal or lower triangular with a positive
 * diagonal. */
struct affine {
  ptrdiff_t d, k;
  int full;
  real *mean;     /* k x d by rows */
  real *scale;    /* s by rows, or L_k by rows (d x d) */
  real *inverse;  /* 1 / s or 1 / L_jj, k x d by rows */
  real *constant; /* -d/2 log(2 pi) - log det L_k */
};

/* Takes the pieces of `map` from the arena; affine_prepare() fills them. */
static void affine_layout(struct affine *map, struct arena *arena,
                          const struct shape *shape) {
  map->d = shape->d;
  map->k = shape->k;
  map->full = shape->full;
  map->mean = arena_reals(arena, map->k * map->d);
  map->scale = arena_reals(arena, map->k * map->d * (map->full ? map->d : 1));
  map->inverse = arena_reals(arena, map->k * map->d);
  map->constant = arena_reals(arena, map->k);
}

/* `mean` and `scale` are laid out as the flat parameters. */
static void affine_prepare(struct affine *map, const double *mean, const double *scale) {
  const ptrdiff_t d = map->d, n_k = map->k;
  for (ptrdiff_t k = 0; k < n_k; k++) {
    double constant = -0.5 * (double)d * 1.8378770664093454836; /* log(2 pi) */
    for (ptrdiff_t j = 0; j < d; j++) {
      const double log_s = map->full ? scale[j + d * (j + d * k)] : scale[k + n_k * j];
      constant -= log_s;
      map->mean[k * d + j] = (real)mean[k + n_k * j];
      map->inverse[k * d + j] = (real)exp(-log_s);
      if (map->full) {
        for (ptrdiff_t l = 0; l < j; l++)
          map->scale[(k * d + j) * d + l] = (real)scale[j + d * (l + d * k)];
        map->scale[(k * d + j) * d + j] = (real)exp(log_s);
      } else {
        map->scale[k * d + j] = (real)exp(log_s);
      }
    }
    map->constant[k] = (real)constant;
  }
}

/* z = L_k^{-1} (x - mu_k), and log N(x; mu_k, Sigma_k), for a panel. */
static void affine_forward(real *z, real *log_density, const struct affine *map,
                           const real *x, ptrdiff_t k) {
  const ptrdiff_t d = map->d;
  const vec half = vec_splat((real)0.5);
  for (ptrdiff_t v = 0; v < PANEL; v += LANES) {
    vec square = vec_splat(0);
    for (ptrdiff_t j = 0; j < d; j++) {
      vec u = vec_load(x + j * PANEL + v) - vec_splat(map->mean[k * d + j]);
      if (map->full) {
        const real *row = map->scale + (k * d + j) * d;
        for (ptrdiff_t l = 0; l < j; l++)
          u -= vec_splat(row[l]) * vec_load(z + l * PANEL + v);
      }
      u = u * vec_splat(map->inverse[k * d + j]);
      square += u * u;
      vec_store(z + j * PANEL + v, u);
    }
    vec_store(log_density + v, vec_splat(map->constant[k]) - half * square);
  }
}

/* The gradient of sum over points of g(z) + v log|det dz/dx|, given dz = g'(z), z itself
 * and v.
 *   u = L^{-T} dz;  dmean = -sum u;  dL_jl = -sum u_j z_l (l < j);
 *   dlog L_jj = -sum (u_j z_j L_jj + v)
 * Adds to dmean, dscale (laid out as the parameters). Overwrites dz by u. */
static void affine_backward(double *dmean, double *dscale, real *dz, const real *z,
                            const real *v, const struct affine *map, ptrdiff_t k) {
  const ptrdiff_t d = map->d, n_k = map->k;
  for (ptrdiff_t j = d - 1; j >= 0; j--) {
    const vec inverse = vec_splat(map->inverse[k * d + j]);
    const vec s =
        vec_splat(map->full ? map->scale[(k * d + j) * d + j] : map->scale[k * d + j]);
    vec sum_mean = vec_splat(0), sum_scale = vec_splat(0);
    for (ptrdiff_t p = 0; p < PANEL; p += LANES) {
      vec u = vec_load(dz + j * PANEL + p);
      if (map->full)
        for (ptrdiff_t l = j + 1; l < d; l++)
          u -= vec_splat(map->scale[(k * d + l) * d + j]) * vec_load(dz + l * PANEL + p);
      u = u * inverse;
      vec_store(dz + j * PANEL + p, u);
      sum_mean += u;
      sum_scale += u * s * vec_load(z + j * PANEL + p) + vec_load(v + p);
    }
    dmean[k + n_k * j] -= (double)vec_sum(sum_mean);
    dscale[map->full ? j + d * (j + d * k) : k + n_k * j] -= (double)vec_sum(sum_scale);
  }
  if (!map->full) return;
  for (ptrdiff_t j = 1; j < d; j++)
    for (ptrdiff_t l = 0; l < j; l++) {
      vec sum = vec_splat(0);
      for (ptrdiff_t p = 0; p < PANEL; p += LANES)
        sum += vec_load(dz + j * PANEL + p) * vec_load(z + l * PANEL + p);
      dscale[j + d * (l + d * k)] -= (double)vec_sum(sum);
    }
}
