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

/* packed[block][i][lane] = w[(block * LANES + lane) * stride_out + i * stride_in], zero
 * beyond n_out. */
static void pack(real *packed, const double *w, ptrdiff_t n_out, ptrdiff_t n_in,
                 ptrdiff_t stride_out, ptrdiff_t stride_in) {
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

/* dw (n_in x padded(n_out) by rows) += sum over rows of x dy'. */
static void rows_outer(real *dw, const real *dy, const real *x, ptrdiff_t stride,
                       ptrdiff_t n_rows, ptrdiff_t n_out, ptrdiff_t n_in) {
  const ptrdiff_t width = padded(n_out);
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
