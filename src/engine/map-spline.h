/* Monotone rational-quadratic splines (Gregory and Delbourgo 1982) as in Durkan, Bekasov,
 * Murray and Papamakarios (2019), a row a lane: K bins divide [-B, B] on both axes, and
 * outside the map is the identity. `raw` holds K numbers for the widths of the bins, K
 * for their heights and K - 1 for the slopes at the knots inside, LANES each; zeros give
 * the identity.
 *
 * In a bin of width w, height h and slopes d0, d1 at its ends, with s = h / w,
 * t = (x - left) / w and q = t (1 - t):
 *   N = s t^2 + d0 q        D = s + (d0 + d1 - 2 s) q        y = low + h N / D
 *   M = d1 t^2 + 2 s q + d0 (1 - t)^2                        dy/dx = s^2 M / D^2       */

/* The least width and height, as a share of 2 B, and the least slope. */
#define SPLINE_LEAST 1e-3

static ptrdiff_t spline_parameters(ptrdiff_t bins) { return 3 * bins - 1; }

/* The bins at each lane. */
struct spline {
  ptrdiff_t bins;
  real bound;
  real *share_w, *share_h; /* bins: softmax of the raw numbers */
  real *left, *low;        /* bins: where each begins */
  real *slope;             /* bins + 1 */
};

/* The bin of a lane. */
struct bin {
  vec left, low, w, h, d0, d1;
};

/* Takes nothing for no bins, as a Real-NVP has them. */
static struct spline spline_layout(struct arena *arena, ptrdiff_t bins, double bound) {
  const ptrdiff_t n = bins * LANES;
  struct spline spline = {.bins = bins, .bound = (real)bound};
  spline.share_w = arena_reals(arena, n);
  spline.share_h = arena_reals(arena, n);
  spline.left = arena_reals(arena, n);
  spline.low = arena_reals(arena, n);
  spline.slope = arena_reals(arena, bins > 0 ? n + LANES : 0);
  return spline;
}

static inline vec spline_size(const struct spline *spline, vec share) {
  const real range = 2 * spline->bound;
  return vec_splat(range * (real)SPLINE_LEAST) +
         vec_splat(range * (1 - (real)spline->bins * (real)SPLINE_LEAST)) * share;
}

/* The softmax of `bins` numbers a lane, and where bins of these shares begin. */
static inline void spline_knots(real *share, real *begin, const struct spline *spline,
                                const real *raw) {
  const ptrdiff_t n = spline->bins * LANES;
  vec top = vec_load(raw), sum = vec_splat(0);
  for (ptrdiff_t j = LANES; j < n; j += LANES) top = vec_max(vec_load(raw + j), top);
  for (ptrdiff_t j = 0; j < n; j += LANES) {
    const vec e = vec_exp(vec_load(raw + j) - top);
    sum += e;
    vec_store(share + j, e);
  }
  const vec factor = C(1.0) / sum;
  vec at = vec_splat(-spline->bound);
  for (ptrdiff_t j = 0; j < n; j += LANES) {
    const vec part = factor * vec_load(share + j);
    vec_store(begin + j, at);
    at += spline_size(spline, part);
    vec_store(share + j, part);
  }
}

/* log(e^(1 - least) - 1): the slope at raw zero is one. */
#define SPLINE_SHIFT 0.53974241723695215

/* least + log(1 + e^(raw + shift)) */
static inline vec spline_knot_slope(vec raw) {
  const vec x = raw + C(SPLINE_SHIFT), zero = vec_splat(0);
  const vec above = vec_max(x, zero);
  return C(SPLINE_LEAST) + above + vec_log(C(1.0) + vec_exp(x - above - above));
}

static void spline_prepare(struct spline *spline, const real *raw) {
  const ptrdiff_t n = spline->bins * LANES;
  spline_knots(spline->share_w, spline->left, spline, raw);
  spline_knots(spline->share_h, spline->low, spline, raw + n);
  vec_store(spline->slope, C(1.0));
  for (ptrdiff_t j = LANES; j < n; j += LANES)
    vec_store(spline->slope + j, spline_knot_slope(vec_load(raw + 2 * n + j - LANES)));
  vec_store(spline->slope + n, C(1.0));
}

/* Set where `at` lies in bin j or in a later one. */
static inline mask spline_reaches(const real *begin, ptrdiff_t j, vec at) {
  return ~vec_greater(vec_load(begin + j), at);
}

/* The bin whose beginning, `left` or `low`, is the last not above `at`. */
static inline struct bin spline_bin(const struct spline *spline, const real *begin,
                                    vec at) {
  const vec zero = vec_splat(0);
  struct bin bin = {zero, zero, zero, zero, zero, zero};
  for (ptrdiff_t j = 0; j < spline->bins * LANES; j += LANES) {
    const mask here = j > 0 ? spline_reaches(begin, j, at) : ~vec_bits(zero);
    bin.left = vec_select(here, vec_load(spline->left + j), bin.left);
    bin.low = vec_select(here, vec_load(spline->low + j), bin.low);
    bin.w = vec_select(here, vec_load(spline->share_w + j), bin.w);
    bin.h = vec_select(here, vec_load(spline->share_h + j), bin.h);
    bin.d0 = vec_select(here, vec_load(spline->slope + j), bin.d0);
    bin.d1 = vec_select(here, vec_load(spline->slope + j + LANES), bin.d1);
  }
  bin.w = spline_size(spline, bin.w);
  bin.h = spline_size(spline, bin.h);
  return bin;
}

/* Clipped, so that the arithmetic stays finite; a NaN stays. */
static inline vec spline_clip(const struct spline *spline, vec x) {
  const vec bound = vec_splat(spline->bound);
  return vec_min(vec_max(x, -bound), bound);
}

static inline mask spline_inside(const struct spline *spline, vec x) {
  const vec bound = vec_splat(spline->bound);
  return vec_greater(bound, x) & vec_greater(x, -bound);
}

/* The place t in a bin, which rounding must not carry beyond it: D would lose its sign
 * where slopes are large. */
static inline vec spline_place(vec t) {
  return vec_min(vec_max(t, vec_splat(0)), C(1.0));
}

/* N, D and M of the formulas. */
struct ratio {
  vec n, d, m;
};

static inline struct ratio spline_ratio(const struct bin *bin, vec s, vec t) {
  const vec rest = C(1.0) - t, q = t * rest;
  struct ratio at;
  at.n = s * t * t + bin->d0 * q;
  at.d = s + (bin->d0 + bin->d1 - C(2.0) * s) * q;
  at.m = bin->d1 * t * t + C(2.0) * s * q + bin->d0 * rest * rest;
  return at;
}

static inline vec spline_slope(const struct ratio *at, vec s) {
  const vec part = s / at->d;
  return part * part * at->m;
}

/* After spline_prepare(). */
static inline vec spline_forward(vec *log_slope, vec x, const struct spline *spline) {
  const mask inside = spline_inside(spline, x);
  const vec at = spline_clip(spline, x);
  const struct bin bin = spline_bin(spline, spline->left, at);
  const vec s = bin.h / bin.w;
  const vec t = spline_place((at - bin.left) / bin.w);
  const struct ratio ratio = spline_ratio(&bin, s, t);
  *log_slope = vec_clear(~inside, vec_log(spline_slope(&ratio, s)));
  return vec_select(inside, bin.low + bin.h * (ratio.n / ratio.d), x);
}

/* The root of a vector, a lane at a time. */
static inline vec lanes_root(vec x) {
  real lanes[LANES];
  vec_store(lanes, x);
  for (ptrdiff_t i = 0; i < LANES; i++) lanes[i] = (real)sqrt((double)lanes[i]);
  return vec_load(lanes);
}

/* x of y, and the log of dx/dy; after spline_prepare(). With v = y - low and
 * e = d0 + d1 - 2 s, t solves a t^2 + b t + c = 0:
 *   a = h (s - d0) + v e,  b = h d0 - v e,  c = -s v,  t = 2 c / (-b - sqrt(b^2 - 4 a c))
 * and, where b < 0 (then a > h s), t = (-b + sqrt(b^2 - 4 a c)) / (2 a): no difference of
 * what is nearly equal. */
static inline vec spline_inverse(vec *log_slope, vec y, const struct spline *spline) {
  const mask inside = spline_inside(spline, y);
  const vec at = spline_clip(spline, y), zero = vec_splat(0);
  const struct bin bin = spline_bin(spline, spline->low, at);
  const vec s = bin.h / bin.w, v = at - bin.low;
  const vec e = v * (bin.d0 + bin.d1 - C(2.0) * s);
  const vec a = bin.h * (s - bin.d0) + e, b = bin.h * bin.d0 - e;
  const vec discriminant = vec_max(b * b + C(4.0) * a * s * v, zero);
  const vec root = lanes_root(discriminant);
  const mask falls = vec_greater(zero, b);
  const vec t = spline_place(vec_select(falls, root - b, C(2.0) * s * v) /
                             vec_select(falls, C(2.0) * a, b + root));
  const struct ratio ratio = spline_ratio(&bin, s, t);
  *log_slope = vec_clear(~inside, -vec_log(spline_slope(&ratio, s)));
  return vec_select(inside, bin.left + bin.w * t, y);
}

/* Derivatives in a bin's numbers, all together, of a function of y and of log dy/dx with
 * derivatives dy and dlog:
 *   log dy/dx = 2 log s + log M - 2 log D
 *   dN = dy h / D,  dM = dlog / M,  dD = -(dy h N / D + 2 dlog) / D
 *   ds = dN t^2 + dD (1 - 2 q) + 2 dM q + 2 dlog / s
 *   dh = dy N / D + ds / w,  dw = -(ds s + dt t) / w,  dleft = -dt / w,  dlow = dy */
struct bin_slopes {
  vec x, left, low, w, h, d0, d1;
};

static inline struct bin_slopes bin_backward(vec dy, vec dlog, const struct bin *bin,
                                             vec x) {
  const vec one = C(1.0), two = C(2.0);
  const vec s = bin->h / bin->w, t = spline_place((x - bin->left) / bin->w);
  const vec rest = one - t;
  const vec q = t * rest, e = bin->d0 + bin->d1 - two * s, turn = one - two * t;
  const struct ratio at = spline_ratio(bin, s, t);
  const vec over = one / at.d, n_over = at.n * over;
  const vec dn = dy * bin->h * over, dm = dlog / at.m;
  const vec dd = -(dy * bin->h * n_over + two * dlog) * over;
  const vec ds = dn * t * t + dd * (one - two * q) + two * dm * q + two * dlog / s;
  const vec dt = dn * (two * s * t + bin->d0 * turn) + dd * e * turn +
                 two * dm * (bin->d1 * t + s * turn - bin->d0 * rest);
  struct bin_slopes to;
  to.x = dt / bin->w;
  to.left = -to.x;
  to.low = dy;
  to.w = -(ds * s + dt * t) / bin->w;
  to.h = dy * n_over + ds / bin->w;
  to.d0 = (dn + dd) * q + dm * rest * rest;
  to.d1 = dd * q + dm * t * t;
  return to;
}

/* From the derivatives in where the bin of each lane begins and in its size to those in
 * the raw numbers: a bin begins where those before it end, and sizes are shares p of the
 * range, p = softmax(raw):  draw_j = p_j (dp_j - sum_i p_i dp_i). */
static inline void spline_knots_backward(real *draw, const struct spline *spline,
                                         const real *share, const real *begin, vec at,
                                         vec dbegin, vec dsize) {
  const ptrdiff_t n = spline->bins * LANES;
  const vec range = spline_size(spline, C(1.0)) - spline_size(spline, vec_splat(0));
  const vec zero = vec_splat(0);
  vec sum = zero;
  mask here = ~vec_bits(zero);
  for (ptrdiff_t j = 0; j < n; j += LANES) {
    const mask next =
        j + LANES < n ? spline_reaches(begin, j + LANES, at) : vec_bits(zero);
    const vec dp = range * vec_select(next, dbegin, vec_select(here, dsize, zero));
    sum += vec_load(share + j) * dp;
    vec_store(draw + j, dp);
    here = next;
  }
  for (ptrdiff_t j = 0; j < n; j += LANES)
    vec_store(draw + j, vec_load(share + j) * (vec_load(draw + j) - sum));
}

/* As realnvp_backward(); after spline_prepare(). */
static inline vec spline_backward(real *draw, vec dy, vec dlog, vec x,
                                  const struct spline *spline, const real *raw) {
  const ptrdiff_t n = spline->bins * LANES;
  const vec zero = vec_splat(0);
  const mask inside = spline_inside(spline, x);
  const vec at = spline_clip(spline, x);
  const struct bin bin = spline_bin(spline, spline->left, at);
  const struct bin_slopes to =
      bin_backward(vec_clear(~inside, dy), vec_clear(~inside, dlog), &bin, at);
  spline_knots_backward(draw, spline, spline->share_w, spline->left, at, to.left, to.w);
  spline_knots_backward(draw + n, spline, spline->share_h, spline->left, at, to.low,
                        to.h);
  /* Knot j ends bin j - 1 and begins bin j. */
  mask here = ~vec_bits(zero);
  for (ptrdiff_t j = LANES; j < n; j += LANES) {
    const mask next = spline_reaches(spline->left, j, at);
    const mask after =
        j + LANES < n ? spline_reaches(spline->left, j + LANES, at) : vec_bits(zero);
    const vec d = vec_select(next, vec_clear(after, to.d0), vec_clear(~here, to.d1));
    const vec rate = vec_logistic(vec_load(raw + 2 * n + j - LANES) + C(SPLINE_SHIFT));
    vec_store(draw + 2 * n + j - LANES, d * rate);
    here = next;
  }
  return vec_select(inside, to.x, dy);
}
