/* The E step of Gaussian mixtures, in one pass over the points and in double alone.
 *
 *   joint_k = log2 pi_k N(x; mu_k, Sigma_k) = constant_k - |z_k|^2,
 *   z_k = sqrt(log2(e) / 2) L_k^-1 (x - mu_k),
 *   e_k = 2^(joint_k - top), top the largest joint_k,
 *   log p(x) = log(2) (top + log2 sum e), v_k = e_k / sum e.
 *
 * Points are worked on by blocks, feature by feature: [j * EM_POINTS + p]. For a
 * component the parameters stay in registers while its points pass, four vectors side by
 * side: an addition waits some four cycles for the one before it in its sum, so that four
 * sums take the time of one, and a parameter is spread over a vector once for all four.
 * They are written out, a0 to a3, as an array of vectors would go through memory. Sums
 * stay apart lane by lane until the tile ends. */
#define EM_GROUP (4 * LANES)
#define EM_POINTS 128

/* sqrt(log2(e) / 2): in this unit |z|^2 is in bits. */
#define EM_UNIT 0.84932180028801904272

struct em_model {
  ptrdiff_t d, k;
  int full;
  ptrdiff_t width; /* d, even for full covariances: a last feature of zeros is harmless */
  real *constant;  /* k */
  real *mean;      /* k x width by rows */
  real *inverse;   /* k x width by rows: EM_UNIT / L_jj */
  real *factor;    /* width x width by rows a component: L_jl / L_jj */
};

static ptrdiff_t em_width(const struct shape *shape) {
  return shape->full ? (shape->d + 1) / 2 * 2 : shape->d;
}

static struct em_model *em_model_layout(struct arena *arena, const struct shape *shape) {
  struct em_model local, *model = arena_take(arena, sizeof(struct em_model));
  local.d = shape->d;
  local.k = shape->k;
  local.full = shape->full;
  local.width = em_width(shape);
  const ptrdiff_t n = local.k * local.width;
  local.constant = arena_reals(arena, local.k);
  local.mean = arena_reals(arena, n);
  local.inverse = arena_reals(arena, n);
  local.factor = shape->full ? arena_reals(arena, n * local.width) : NULL;
  if (model) *model = local;
  return model;
}

static size_t em_model_bytes(const struct shape *shape) {
  struct arena arena = arena_open(NULL);
  em_model_layout(&arena, shape);
  return arena_size(&arena);
}

/* log2(e) (log pi_k + log 2 pi^(-d/2) / det L_k), the log weights normalised. */
static void em_constants(struct em_model *model, const double *log_pi,
                         const double *scale) {
  const ptrdiff_t d = model->d, n_k = model->k;
  const double normaliser = log_normaliser(log_pi, n_k);
  for (ptrdiff_t k = 0; k < n_k; k++) {
    double constant = log_pi[k] - normaliser;
    constant -= 0.5 * (double)d * LOG_TWO_PI;
    for (ptrdiff_t j = 0; j < d; j++)
      constant -= model->full ? scale[j + d * (j + d * k)] : scale[k + n_k * j];
    model->constant[k] = (real)(constant * LOG2_E);
  }
}

static void em_prepare(void *block, const double *parameters, const struct shape *shape) {
  struct arena arena = arena_open(block);
  struct em_model *model = em_model_layout(&arena, shape);
  const struct layout at = shape_layout(shape);
  const double *scale = parameters + at.scale;
  const ptrdiff_t d = model->d, n_k = model->k, width = model->width;
  em_constants(model, parameters + at.biases, scale);
  for (ptrdiff_t k = 0; k < n_k; k++)
    for (ptrdiff_t j = 0; j < width; j++) {
      real *mean = model->mean + k * width + j, *inverse = model->inverse + k * width + j;
      *mean = j < d ? (real)parameters[k + n_k * j] : 0;
      *inverse = 0;
      if (j < d) {
        const double log_s =
            model->full ? scale[j + d * (j + d * k)] : scale[k + n_k * j];
        *inverse = (real)exp(-log_s);
      }
      if (model->full)
        for (ptrdiff_t l = 0; l < j; l++)
          model->factor[(k * width + j) * width + l] =
              j < d ? (real)scale[j + d * (l + d * k)] * *inverse : 0;
      *inverse *= (real)EM_UNIT;
    }
}

/* Sums of a component: as em_statistics(), with the feature of zeros. */
static ptrdiff_t em_lanes(ptrdiff_t width, int full) {
  return 1 + width + (full ? width * (width + 1) / 2 : width);
}

struct em_work {
  real *x;         /* width x EM_POINTS */
  real *share;     /* the weights a, then a / sum e */
  real *top, *sum; /* the largest joint, the sum of e */
  real *e;         /* k x EM_POINTS: joint, then e, then v */
  real *z;         /* full: z, then u = x - mu; width x EM_POINTS */
  real *sums;      /* k x em_lanes vectors */
};

static struct em_work em_layout(struct arena *arena, ptrdiff_t width, ptrdiff_t n_k,
                                int full) {
  struct em_work work;
  work.x = arena_reals(arena, width * EM_POINTS);
  work.share = arena_reals(arena, EM_POINTS);
  work.top = arena_reals(arena, EM_POINTS);
  work.sum = arena_reals(arena, EM_POINTS);
  work.e = arena_reals(arena, n_k * EM_POINTS);
  work.z = full ? arena_reals(arena, width * EM_POINTS) : NULL;
  work.sums = arena_reals(arena, n_k * em_lanes(width, full) * LANES);
  return work;
}

static size_t em_bytes(const struct shape *shape) {
  struct arena arena = arena_open(NULL);
  em_layout(&arena, em_width(shape), shape->k, shape->full);
  return arena_size(&arena);
}

static ptrdiff_t em_rows(void) { return EM_POINTS; }

/* Points `begin`... of the tile and their weights; up to the end of the last group,
 * copies of the last point with weight zero. Returns the number of points, groups
 * complete. */
static ptrdiff_t em_load(struct em_work *work, const struct rows *rows, ptrdiff_t d,
                         ptrdiff_t begin) {
  const ptrdiff_t left =
      rows->count - begin < EM_POINTS ? rows->count - begin : EM_POINTS;
  const ptrdiff_t n = (left + EM_GROUP - 1) / EM_GROUP * EM_GROUP;
  const ptrdiff_t first = rows->first + begin;
  for (ptrdiff_t j = 0; j < d; j++) {
    real *x = work->x + j * EM_POINTS;
    memcpy(x, rows->x + first + j * rows->stride, (size_t)left * sizeof(real));
    for (ptrdiff_t p = left; p < n; p++) x[p] = x[left - 1];
  }
  for (ptrdiff_t p = 0; p < n; p += LANES) {
    vec_store(work->share + p, vec_splat(1));
    vec_store(work->top + p, vec_splat(-INFINITY));
    vec_store(work->sum + p, vec_splat(0));
  }
  if (rows->weights)
    memcpy(work->share, rows->weights + first, (size_t)left * sizeof(real));
  for (ptrdiff_t p = left; p < n; p++) work->share[p] = 0;
  return n;
}

/* joint = constant - square, and the running maximum. */
static inline void em_joint(real *joint, real *top, real constant, vec square) {
  const vec value = vec_splat(constant) - square;
  vec_store(joint, value);
  vec_store(top, vec_max(value, vec_load(top)));
}

static void em_joint_diagonal(real *joint, real *top, const struct em_model *model,
                              const real *x, ptrdiff_t k, ptrdiff_t n) {
  const ptrdiff_t d = model->d;
  const real *mean = model->mean + k * d, *inverse = model->inverse + k * d;
  for (ptrdiff_t p = 0; p < n; p += EM_GROUP) {
    vec s0 = vec_splat(0), s1 = s0, s2 = s0, s3 = s0;
    for (ptrdiff_t j = 0; j < d; j++) {
      const vec mu = vec_splat(mean[j]), scale = vec_splat(inverse[j]);
      const real *from = x + j * EM_POINTS + p;
      const vec z0 = (vec_load(from) - mu) * scale;
      const vec z1 = (vec_load(from + LANES) - mu) * scale;
      const vec z2 = (vec_load(from + 2 * LANES) - mu) * scale;
      const vec z3 = (vec_load(from + 3 * LANES) - mu) * scale;
      s0 += z0 * z0, s1 += z1 * z1, s2 += z2 * z2, s3 += z3 * z3;
    }
    em_joint(joint + p, top + p, model->constant[k], s0);
    em_joint(joint + p + LANES, top + p + LANES, model->constant[k], s1);
    em_joint(joint + p + 2 * LANES, top + p + 2 * LANES, model->constant[k], s2);
    em_joint(joint + p + 3 * LANES, top + p + 3 * LANES, model->constant[k], s3);
  }
}

/* Two rows j, j + 1 of the substitution for one group of points:
 *   z_j = (x_j - mu_j) / L_jj - sum over l < j of L_jl / L_jj z_l, scaled.
 * The first `z` holds the rows above. */
static inline void em_substitute(real *z, vec square[4], const real *x,
                                 const struct em_model *model, ptrdiff_t k, ptrdiff_t j) {
  const ptrdiff_t width = model->width;
  const real *mean = model->mean + k * width, *inverse = model->inverse + k * width;
  const real *row = model->factor + (k * width + j) * width, *next = row + width;
  real *at = z;
  vec b = vec_splat(mean[j]), c = vec_splat(inverse[j]);
  x += j * EM_POINTS;
  vec a0 = (vec_load(x) - b) * c, a1 = (vec_load(x + LANES) - b) * c;
  vec a2 = (vec_load(x + 2 * LANES) - b) * c, a3 = (vec_load(x + 3 * LANES) - b) * c;
  x += EM_POINTS;
  b = vec_splat(mean[j + 1]), c = vec_splat(inverse[j + 1]);
  vec b0 = (vec_load(x) - b) * c, b1 = (vec_load(x + LANES) - b) * c;
  vec b2 = (vec_load(x + 2 * LANES) - b) * c, b3 = (vec_load(x + 3 * LANES) - b) * c;
  for (ptrdiff_t l = 0; l < j; l++, at += EM_POINTS) {
    const vec z0 = vec_load(at), z1 = vec_load(at + LANES);
    const vec z2 = vec_load(at + 2 * LANES), z3 = vec_load(at + 3 * LANES);
    b = vec_splat(row[l]), c = vec_splat(next[l]);
    a0 -= b * z0, a1 -= b * z1, a2 -= b * z2, a3 -= b * z3;
    b0 -= c * z0, b1 -= c * z1, b2 -= c * z2, b3 -= c * z3;
  }
  c = vec_splat(next[j]);
  b0 -= c * a0, b1 -= c * a1, b2 -= c * a2, b3 -= c * a3;
  square[0] += a0 * a0 + b0 * b0, square[1] += a1 * a1 + b1 * b1;
  square[2] += a2 * a2 + b2 * b2, square[3] += a3 * a3 + b3 * b3;
  if (j + 2 >= width) return;
  vec_store(at, a0), vec_store(at + LANES, a1);
  vec_store(at + 2 * LANES, a2), vec_store(at + 3 * LANES, a3);
  at += EM_POINTS;
  vec_store(at, b0), vec_store(at + LANES, b1);
  vec_store(at + 2 * LANES, b2), vec_store(at + 3 * LANES, b3);
}

static void em_joint_full(real *joint, real *top, real *z, const struct em_model *model,
                          const real *x, ptrdiff_t k, ptrdiff_t n) {
  const ptrdiff_t width = model->width;
  for (ptrdiff_t p = 0; p < n; p += EM_GROUP) {
    vec square[4] = {vec_splat(0), vec_splat(0), vec_splat(0), vec_splat(0)};
    for (ptrdiff_t j = 0; j < width; j += 2)
      em_substitute(z + p, square, x + p, model, k, j);
    em_joint(joint + p, top + p, model->constant[k], square[0]);
    em_joint(joint + p + LANES, top + p + LANES, model->constant[k], square[1]);
    em_joint(joint + p + 2 * LANES, top + p + 2 * LANES, model->constant[k], square[2]);
    em_joint(joint + p + 3 * LANES, top + p + 3 * LANES, model->constant[k], square[3]);
  }
}

/* joint becomes e; adds it to `sum`. */
static void em_exponential(real *e, real *sum, const real *top, ptrdiff_t n) {
  for (ptrdiff_t p = 0; p < n; p += 2 * LANES) {
    const vec a = vec_exp2_down(vec_load(e + p) - vec_load(top + p));
    const vec b = vec_exp2_down(vec_load(e + p + LANES) - vec_load(top + p + LANES));
    vec_store(e + p, a), vec_store(e + p + LANES, b);
    vec_store(sum + p, vec_load(sum + p) + a);
    vec_store(sum + p + LANES, vec_load(sum + p + LANES) + b);
  }
}

/* Adds a log p to the score's lanes; the weights a become a / sum e. */
static vec em_share(real *share, vec score, const real *top, const real *sum,
                    ptrdiff_t n) {
  for (ptrdiff_t p = 0; p < n; p += LANES) {
    const vec a = vec_load(share + p), s = vec_load(sum + p);
    const vec log_top = vec_load(top + p) * C(LOG_TWO);
    score += a * (log_top + vec_log(s));
    vec_store(share + p, a / s);
  }
  return score;
}

static inline void em_add(real *sums, vec value) {
  vec_store(sums, vec_load(sums) + value);
}

/* e becomes v = a e / sum e, and its sum is added. */
static void em_posterior(real *sums, real *e, const real *share, ptrdiff_t n) {
  vec total = vec_splat(0);
  for (ptrdiff_t p = 0; p < n; p += 2 * LANES) {
    const vec a = vec_load(e + p) * vec_load(share + p);
    const vec b = vec_load(e + p + LANES) * vec_load(share + p + LANES);
    vec_store(e + p, a), vec_store(e + p + LANES, b);
    total += a + b;
  }
  em_add(sums, total);
}

/* Sums of v u and v u^2 for one feature. */
static inline void em_single(real *first, real *second, const real *x, const real *v,
                             real mean, ptrdiff_t n) {
  const vec mu = vec_splat(mean);
  vec sum = vec_splat(0), square = sum;
  for (ptrdiff_t p = 0; p < n; p += LANES) {
    const vec u = vec_load(x + p) - mu, t = vec_load(v + p) * u;
    sum += t, square += t * u;
  }
  em_add(first, sum), em_add(second, square);
}

/* Where the sums of two neighbouring features go: of v u, a vector after the other, of
 * v u^2, and of v u u' unless it is NULL. */
struct em_pair {
  real *first, *square, *square_next, *product;
};

static inline void em_pair(const struct em_pair *to, const real *x, const real *v,
                           const real *mean, ptrdiff_t n) {
  const vec mu = vec_splat(mean[0]), nu = vec_splat(mean[1]);
  vec sum = vec_splat(0), square = sum, sum_next = sum, square_next = sum, product = sum;
  for (ptrdiff_t p = 0; p < n; p += LANES) {
    const vec weight = vec_load(v + p);
    const vec u = vec_load(x + p) - mu, w = vec_load(x + EM_POINTS + p) - nu;
    const vec t = weight * u, s = weight * w;
    sum += t, square += t * u;
    sum_next += s, square_next += s * w;
    if (to->product) product += s * u;
  }
  em_add(to->first, sum), em_add(to->first + LANES, sum_next);
  em_add(to->square, square), em_add(to->square_next, square_next);
  if (to->product) em_add(to->product, product);
}

static void em_moments_diagonal(real *sums, const struct em_model *model, const real *x,
                                const real *v, ptrdiff_t k, ptrdiff_t n) {
  const ptrdiff_t d = model->d;
  const real *mean = model->mean + k * d;
  real *first = sums, *second = sums + d * LANES;
  ptrdiff_t j = 0;
  for (; j + 1 < d; j += 2) {
    const struct em_pair to = {first + j * LANES, second + j * LANES,
                               second + (j + 1) * LANES, NULL};
    em_pair(&to, x + j * EM_POINTS, v, mean + j, n);
  }
  if (j < d)
    em_single(first + j * LANES, second + j * LANES, x + j * EM_POINTS, v, mean[j], n);
}

/* u = x - mu for one feature. */
static void em_centre(real *u, const real *x, real mean, ptrdiff_t n) {
  const vec mu = vec_splat(mean);
  for (ptrdiff_t p = 0; p < n; p += LANES) vec_store(u + p, vec_load(x + p) - mu);
}

/* Sums of v u_j u_l and v u_(j+1) u_l for l, ..., l + 3; `row` and `next` take them. */
static void em_products(real *row, real *next, const real *v, const real *u_j,
                        const real *u, ptrdiff_t n) {
  vec a0 = vec_splat(0), a1 = a0, a2 = a0, a3 = a0, b0 = a0, b1 = a0, b2 = a0, b3 = a0;
  for (ptrdiff_t p = 0; p < n; p += LANES, u_j += LANES, u += LANES) {
    const vec weight = vec_load(v + p);
    const vec a = weight * vec_load(u_j), b = weight * vec_load(u_j + EM_POINTS);
    vec c = vec_load(u);
    a0 += a * c, b0 += b * c;
    c = vec_load(u + EM_POINTS);
    a1 += a * c, b1 += b * c;
    c = vec_load(u + 2 * EM_POINTS);
    a2 += a * c, b2 += b * c;
    c = vec_load(u + 3 * EM_POINTS);
    a3 += a * c, b3 += b * c;
  }
  em_add(row, a0), em_add(row + LANES, a1);
  em_add(row + 2 * LANES, a2), em_add(row + 3 * LANES, a3);
  em_add(next, b0), em_add(next + LANES, b1);
  em_add(next + 2 * LANES, b2), em_add(next + 3 * LANES, b3);
}

/* As em_products() for two features l, l + 1 below the diagonal. */
static void em_square(real *row, real *next, const real *v, const real *u_j,
                      const real *u, ptrdiff_t n) {
  vec a0 = vec_splat(0), a1 = a0, b0 = a0, b1 = a0;
  for (ptrdiff_t p = 0; p < n; p += LANES) {
    const vec weight = vec_load(v + p);
    const vec a = weight * vec_load(u_j + p), b = weight * vec_load(u_j + EM_POINTS + p);
    const vec c = vec_load(u + p), e = vec_load(u + EM_POINTS + p);
    a0 += a * c, b0 += b * c;
    a1 += a * e, b1 += b * e;
  }
  em_add(row, a0), em_add(row + LANES, a1);
  em_add(next, b0), em_add(next + LANES, b1);
}

static void em_moments_full(real *sums, real *u, const struct em_model *model,
                            const real *x, const real *v, ptrdiff_t k, ptrdiff_t n) {
  const ptrdiff_t width = model->width;
  const real *mean = model->mean + k * width;
  real *first = sums, *row = sums + width * LANES;
  for (ptrdiff_t j = 0; j < width && width > 2; j++)
    em_centre(u + j * EM_POINTS, x + j * EM_POINTS, mean[j], n);
  for (ptrdiff_t j = 0; j < width; j += 2) {
    real *next = row + (j + 1) * LANES;
    const real *u_j = u + j * EM_POINTS;
    const struct em_pair to = {first + j * LANES, row + j * LANES, next + (j + 1) * LANES,
                               next + j * LANES};
    em_pair(&to, x + j * EM_POINTS, v, mean + j, n);
    ptrdiff_t l = 0;
    for (; l + 4 <= j; l += 4)
      em_products(row + l * LANES, next + l * LANES, v, u_j, u + l * EM_POINTS, n);
    if (l < j) em_square(row + l * LANES, next + l * LANES, v, u_j, u + l * EM_POINTS, n);
    row = next + (j + 2) * LANES;
  }
}

/* The sums of a block of n points. */
static vec em_block(struct em_work *work, vec score, const struct em_model *model,
                    ptrdiff_t n) {
  const ptrdiff_t n_k = model->k, size = em_lanes(model->width, model->full) * LANES;
  for (ptrdiff_t k = 0; k < n_k; k++) {
    real *joint = work->e + k * EM_POINTS;
    if (model->full)
      em_joint_full(joint, work->top, work->z, model, work->x, k, n);
    else
      em_joint_diagonal(joint, work->top, model, work->x, k, n);
  }
  for (ptrdiff_t k = 0; k < n_k; k++)
    em_exponential(work->e + k * EM_POINTS, work->sum, work->top, n);
  score = em_share(work->share, score, work->top, work->sum, n);
  for (ptrdiff_t k = 0; k < n_k; k++) {
    real *v = work->e + k * EM_POINTS, *sums = work->sums + k * size;
    em_posterior(sums, v, work->share, n);
    if (model->full)
      em_moments_full(sums + LANES, work->z, model, work->x, v, k, n);
    else
      em_moments_diagonal(sums + LANES, model, work->x, v, k, n);
  }
  return score;
}

static void em_tile(double *statistics, double *score, const void *block,
                    const struct rows *rows, void *scratch) {
  const struct em_model *model = arena_first(block);
  const ptrdiff_t d = model->d, n_k = model->k, width = model->width;
  const ptrdiff_t lanes = em_lanes(width, model->full);
  const ptrdiff_t n_second = model->full ? d * (d + 1) / 2 : d;
  struct arena arena = arena_open(scratch);
  struct em_work work = em_layout(&arena, width, n_k, model->full);
  memset(work.sums, 0, (size_t)(n_k * lanes * LANES) * sizeof(real));
  memset(work.x, 0, (size_t)(width * EM_POINTS) * sizeof(real));
  vec total = vec_splat(0);
  for (ptrdiff_t begin = 0; begin < rows->count; begin += EM_POINTS)
    total = em_block(&work, total, model, em_load(&work, rows, d, begin));
  *score += (double)vec_sum(total);
  for (ptrdiff_t k = 0; k < n_k; k++) {
    const real *sums = work.sums + k * lanes * LANES;
    for (ptrdiff_t i = 0; i < 1 + d; i++)
      *statistics++ += (double)vec_sum(vec_load(sums + i * LANES));
    sums += (1 + width) * LANES;
    for (ptrdiff_t i = 0; i < n_second; i++)
      *statistics++ += (double)vec_sum(vec_load(sums + i * LANES));
  }
}

/* The log densities of a tile: the first half of the E step. Components pass in groups, whose
 * joints stay in the first-level cache; at a new top the sum so far is brought down to it:
 *   sum = sum 2^(before - top) + sum over the group of 2^(joint_k - top) */
#define EM_CHUNK 24

struct em_density_work {
  struct em_work em;
  real *before; /* the top before the group */
};

static struct em_density_work em_density_layout(struct arena *arena, ptrdiff_t width,
                                                int full) {
  struct em_density_work work;
  work.em.x = arena_reals(arena, width * EM_POINTS);
  work.em.share = arena_reals(arena, EM_POINTS);
  work.em.top = arena_reals(arena, EM_POINTS);
  work.em.sum = arena_reals(arena, EM_POINTS);
  work.em.e = arena_reals(arena, EM_CHUNK * EM_POINTS);
  work.em.z = full ? arena_reals(arena, width * EM_POINTS) : NULL;
  work.em.sums = NULL;
  work.before = arena_reals(arena, EM_POINTS);
  return work;
}

static size_t em_density_bytes(const struct shape *shape) {
  struct arena arena = arena_open(NULL);
  em_density_layout(&arena, em_width(shape), shape->full);
  return arena_size(&arena);
}

/* Joints that are NaN become -Inf, and the top what it is without them: at a component
 * where z overflows, so that its differences are NaN, a point has no density. */
static void em_mend(struct em_density_work *work, ptrdiff_t count, ptrdiff_t n) {
  for (ptrdiff_t p = 0; p < n; p++) {
    work->em.top[p] = work->before[p];
    for (ptrdiff_t k = 0; k < count; k++) {
      real *joint = work->em.e + k * EM_POINTS + p;
      if (isnan(*joint)) *joint = -INFINITY;
      if (*joint > work->em.top[p]) work->em.top[p] = *joint;
    }
  }
}

/* Adds components first, ..., first + count - 1 to the sums of n points. */
static void em_density_group(struct em_density_work *work, const struct em_model *model,
                             ptrdiff_t first, ptrdiff_t count, ptrdiff_t n, int mend) {
  struct em_work *em = &work->em;
  memcpy(work->before, em->top, (size_t)n * sizeof(real));
  for (ptrdiff_t k = 0; k < count; k++) {
    real *joint = em->e + k * EM_POINTS;
    if (model->full)
      em_joint_full(joint, em->top, em->z, model, em->x, first + k, n);
    else
      em_joint_diagonal(joint, em->top, model, em->x, first + k, n);
  }
  if (mend) em_mend(work, count, n);
  for (ptrdiff_t p = 0; p < n; p += LANES) {
    const vec fall = vec_load(work->before + p) - vec_load(em->top + p);
    vec_store(em->sum + p, vec_load(em->sum + p) * vec_exp2_down(fall));
  }
  for (ptrdiff_t k = 0; k < count; k++)
    em_exponential(em->e + k * EM_POINTS, em->sum, em->top, n);
}

/* log p of n loaded points takes the place of `sum`; returns whether one of them is NaN. */
static int em_density_block(struct em_density_work *work, const struct em_model *model,
                            ptrdiff_t n, int mend) {
  const ptrdiff_t n_k = model->k;
  struct em_work *em = &work->em;
  int lost = 0;
  for (ptrdiff_t p = 0; p < n; p += LANES) {
    /* Finite, so that differences from it are numbers where nothing has density. */
    vec_store(em->top + p, vec_splat(-DBL_MAX));
    vec_store(em->sum + p, vec_splat(0));
  }
  for (ptrdiff_t k = 0; k < n_k; k += EM_CHUNK)
    em_density_group(work, model, k, n_k - k < EM_CHUNK ? n_k - k : EM_CHUNK, n, mend);
  for (ptrdiff_t p = 0; p < n; p += LANES) {
    const vec log_top = vec_load(em->top + p) * C(LOG_TWO);
    vec_store(em->sum + p, log_top + vec_log(vec_load(em->sum + p)));
  }
  for (ptrdiff_t p = 0; p < n; p++) lost |= isnan(em->sum[p]);
  return lost;
}

static void em_density_tile(double *log_density, const void *block,
                            const struct rows *rows, void *scratch) {
  const struct em_model *model = arena_first(block);
  const ptrdiff_t d = model->d, width = model->width;
  struct arena arena = arena_open(scratch);
  struct em_density_work work = em_density_layout(&arena, width, model->full);
  memset(work.em.x, 0, (size_t)(width * EM_POINTS) * sizeof(real));
  for (ptrdiff_t begin = 0; begin < rows->count; begin += EM_POINTS) {
    const ptrdiff_t n = em_load(&work.em, rows, d, begin);
    if (em_density_block(&work, model, n, 0)) em_density_block(&work, model, n, 1);
    const ptrdiff_t left = rows->count - begin < n ? rows->count - begin : n;
    memcpy(log_density + rows->first + begin, work.em.sum, (size_t)left * sizeof(real));
  }
}
