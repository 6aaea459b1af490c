/* Blocked products. A matrix of rows by features stands in blocks of LANES features: a
 * block holds its features of all rows, a vector a row, and the next block begins
 * `stride` reals further on. A row is one point on its way through a network. */
#define MR 6

/* Features are padded to whole vectors; a padded weight is zero. */
static inline ptrdiff_t padded(ptrdiff_t n) { return (n + LANES - 1) / LANES * LANES; }

/* Where feature f of the first row stands; rows follow LANES apart. */
static inline ptrdiff_t feature_at(ptrdiff_t f, ptrdiff_t stride) {
  return f / LANES * stride + f % LANES;
}

/* The stride for so many rows: with a block of MR for the last ones, and such that the
 * blocks' starts spread over the sets of a first-level cache (ways of 4096 bytes). */
static ptrdiff_t row_stride(ptrdiff_t n_rows) {
  const ptrdiff_t bytes = LANES * (ptrdiff_t)sizeof(real);
  ptrdiff_t n = n_rows + MR;
  if (n * bytes > 4096) n += (4096 + 512 - n * bytes % 4096) % 4096 / bytes;
  return n * LANES;
}

/* Few outputs would leave most lanes of a block of outputs empty: vectors then run over
 * the inputs instead. */
static inline int is_narrow(ptrdiff_t n_out) { return 8 * n_out <= LANES; }

static ptrdiff_t packed_size(ptrdiff_t n_out, ptrdiff_t n_in) {
  return is_narrow(n_out) ? n_out * padded(n_in) : padded(n_out) * n_in;
}

/* packed[block][i][lane] = w[(block * LANES + lane) * stride_out + i * stride_in], zero
 * beyond n_out; where outputs are few packed[o][i], zero beyond n_in. */
static void pack(real *packed, const double *w, ptrdiff_t n_out, ptrdiff_t n_in,
                 ptrdiff_t stride_out, ptrdiff_t stride_in) {
  if (is_narrow(n_out)) {
    for (ptrdiff_t o = 0; o < n_out; o++)
      for (ptrdiff_t i = 0; i < padded(n_in); i++)
        *packed++ = i < n_in ? (real)w[o * stride_out + i * stride_in] : 0;
    return;
  }
  for (ptrdiff_t o = 0; o < n_out; o += LANES)
    for (ptrdiff_t i = 0; i < n_in; i++)
      for (ptrdiff_t r = 0; r < LANES; r++)
        *packed++ = o + r < n_out ? (real)w[(o + r) * stride_out + i * stride_in] : 0;
}

/* sums[c * MR + r] = bias[c] + sum_i x[r][i] w[c][i] for MR rows and `n_c` (1 or 2)
 * blocks of outputs. What does not change with i is in registers: 2 MR vectors of
 * sums. */
ALWAYS_INLINE void product_block(vec *sums, const real *w, const real *bias,
                                 const real *x, ptrdiff_t stride, ptrdiff_t n_in,
                                 const int n_c) {
  const vec first = vec_load(bias), second = n_c == 2 ? vec_load(bias + LANES) : first;
  vec a0 = first, a1 = first, a2 = first, a3 = first, a4 = first, a5 = first;
  vec b0 = second, b1 = second, b2 = second, b3 = second, b4 = second, b5 = second;
  const real *w2 = n_c == 2 ? w + n_in * LANES : w;
  for (ptrdiff_t begin = 0; begin < n_in; begin += LANES, x += stride) {
    const real *end = x + (n_in - begin < LANES ? n_in - begin : LANES);
    for (const real *xi = x; xi < end; xi++, w += LANES, w2 += LANES) {
      const vec wa = vec_load(w), wb = vec_load(w2);
      vec xr = vec_splat(xi[0]);
      a0 += xr * wa, b0 += xr * wb;
      xr = vec_splat(xi[LANES]);
      a1 += xr * wa, b1 += xr * wb;
      xr = vec_splat(xi[2 * LANES]);
      a2 += xr * wa, b2 += xr * wb;
      xr = vec_splat(xi[3 * LANES]);
      a3 += xr * wa, b3 += xr * wb;
      xr = vec_splat(xi[4 * LANES]);
      a4 += xr * wa, b4 += xr * wb;
      xr = vec_splat(xi[5 * LANES]);
      a5 += xr * wa, b5 += xr * wb;
    }
  }
  const vec all[2 * MR] = {a0, a1, a2, a3, a4, a5, b0, b1, b2, b3, b4, b5};
  memcpy(sums, all, (size_t)(n_c * MR) * sizeof(vec));
}

/* As product_block(), of few outputs: sums[r] = bias + W x[r]. What is padded of x must be
 * finite. */
static inline void narrow_block(vec *sums, const real *w, const real *bias, const real *x,
                                ptrdiff_t stride, ptrdiff_t n_in, ptrdiff_t n_out) {
  const ptrdiff_t width = padded(n_in);
  for (ptrdiff_t r = 0; r < MR; r++) {
    real lanes[LANES];
    vec_store(lanes, vec_load(bias));
    for (ptrdiff_t o = 0; o < n_out; o++) {
      const real *xi = x + r * LANES;
      vec sum = vec_splat(0);
      for (ptrdiff_t i = 0; i < width; i += LANES, xi += stride)
        sum += vec_load(xi) * vec_load(w + o * width + i);
      lanes[o] += vec_sum(sum);
    }
    sums[r] = vec_load(lanes);
  }
}

/* sums[c * MR + r] = the sum over rows of x_r dy_c, for MR features x_r, each at x[r]
 * in the first row, and `n_c` (1 or 2) blocks of outputs. */
ALWAYS_INLINE void outer_block(vec *sums, const real *dy, const real *const *x,
                               ptrdiff_t stride, ptrdiff_t n_rows, const int n_c) {
  vec a0 = vec_splat(0), a1 = a0, a2 = a0, a3 = a0, a4 = a0, a5 = a0;
  vec b0 = a0, b1 = a0, b2 = a0, b3 = a0, b4 = a0, b5 = a0;
  const real *x0 = x[0], *x1 = x[1], *x2 = x[2], *x3 = x[3], *x4 = x[4], *x5 = x[5];
  const real *dy2 = n_c == 2 ? dy + stride : dy;
  for (ptrdiff_t i = 0; i < n_rows * LANES; i += LANES) {
    const vec da = vec_load(dy + i), db = vec_load(dy2 + i);
    vec xr = vec_splat(x0[i]);
    a0 += xr * da, b0 += xr * db;
    xr = vec_splat(x1[i]);
    a1 += xr * da, b1 += xr * db;
    xr = vec_splat(x2[i]);
    a2 += xr * da, b2 += xr * db;
    xr = vec_splat(x3[i]);
    a3 += xr * da, b3 += xr * db;
    xr = vec_splat(x4[i]);
    a4 += xr * da, b4 += xr * db;
    xr = vec_splat(x5[i]);
    a5 += xr * da, b5 += xr * db;
  }
  const vec all[2 * MR] = {a0, a1, a2, a3, a4, a5, b0, b1, b2, b3, b4, b5};
  memcpy(sums, all, (size_t)(n_c * MR) * sizeof(vec));
}

/* Three streams of rows, a vector each, stay in a first-level cache of 32 KiB
 * (bench/tiles.R). */
#ifndef STREAM_BYTES
#define STREAM_BYTES 8192
#endif
#define OUTER_ROWS (STREAM_BYTES / (LANES * (ptrdiff_t)sizeof(real)))

/* rows_outer() of few outputs, for inputs i to i + 4 LANES - 1 and output o: four blocks
 * of inputs at a time, so that sums do not wait for each other. */
static inline void narrow_outer(real *dw, const real *dy, const real *x, ptrdiff_t stride,
                                ptrdiff_t n_rows, ptrdiff_t width, ptrdiff_t n_in,
                                ptrdiff_t i, ptrdiff_t o) {
  const ptrdiff_t last = padded(n_in) / LANES - 1;
  const real *from[4];
  for (ptrdiff_t b = 0; b < 4; b++) {
    const ptrdiff_t block = i / LANES + b;
    from[b] = x + (block < last ? block : last) * stride;
  }
  vec a0 = vec_splat(0), a1 = a0, a2 = a0, a3 = a0;
  for (ptrdiff_t at = 0; at < n_rows * LANES; at += LANES) {
    const vec d = vec_splat(dy[at + o]);
    a0 += d * vec_load(from[0] + at), a1 += d * vec_load(from[1] + at);
    a2 += d * vec_load(from[2] + at), a3 += d * vec_load(from[3] + at);
  }
  const vec all[4] = {a0, a1, a2, a3};
  real lanes[4 * LANES];
  for (ptrdiff_t b = 0; b < 4; b++) vec_store(lanes + b * LANES, all[b]);
  for (ptrdiff_t r = 0; r < 4 * LANES && i + r < n_in; r++)
    dw[(i + r) * width + o] += lanes[r];
}

/* dw (n_in x padded(n_out) by rows) += sum over rows of x dy'. */
static void rows_outer(real *dw, const real *dy, const real *x, ptrdiff_t stride,
                       ptrdiff_t n_rows, ptrdiff_t n_out, ptrdiff_t n_in) {
  const ptrdiff_t width = padded(n_out);
  if (is_narrow(n_out)) {
    for (ptrdiff_t i = 0; i < n_in; i += 4 * LANES)
      for (ptrdiff_t o = 0; o < n_out; o++)
        narrow_outer(dw, dy, x, stride, n_rows, width, n_in, i, o);
    return;
  }
  for (ptrdiff_t begin = 0; begin < n_rows; begin += OUTER_ROWS) {
    const ptrdiff_t n = n_rows - begin < OUTER_ROWS ? n_rows - begin : OUTER_ROWS;
    for (ptrdiff_t o = 0; o < width; o += 2 * LANES)
      for (ptrdiff_t i = 0; i < n_in; i += MR) {
        const int n_c = o + LANES < width ? 2 : 1;
        const real *features[MR];
        for (ptrdiff_t r = 0; r < MR; r++) {
          const ptrdiff_t f = i + r < n_in ? i + r : n_in - 1;
          features[r] = x + feature_at(f, stride) + begin * LANES;
        }
        const real *from = dy + o / LANES * stride + begin * LANES;
        vec sums[2 * MR];
        if (n_c == 2)
          outer_block(sums, from, features, stride, n, 2);
        else
          outer_block(sums, from, features, stride, n, 1);
        for (ptrdiff_t c = 0; c < n_c; c++)
          for (ptrdiff_t r = 0; r < MR && i + r < n_in; r++) {
            real *to = dw + (i + r) * width + o + c * LANES;
            vec_store(to, vec_load(to) + sums[c * MR + r]);
          }
      }
  }
}
