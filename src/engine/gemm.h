/* Blocked products over a panel. Weights are packed in blocks of MR outputs, so that the
 * kernel keeps MR x 2 vectors of sums in registers and reads everything else in order. */
#define MR 6

/* Features are padded to whole blocks; padded features hold zeros or are never read
 * back. */
static inline ptrdiff_t padded(ptrdiff_t n) { return (n + MR - 1) / MR * MR; }

/* packed[block][i][r] = w[(block * MR + r) * stride_out + i * stride_in], zero beyond
 * n_out. */
static void pack(real *packed, const double *w, ptrdiff_t n_out, ptrdiff_t n_in,
                 ptrdiff_t stride_out, ptrdiff_t stride_in) {
  for (ptrdiff_t o = 0; o < n_out; o += MR)
    for (ptrdiff_t i = 0; i < n_in; i++)
      for (ptrdiff_t r = 0; r < MR; r++)
        *packed++ = o + r < n_out ? (real)w[(o + r) * stride_out + i * stride_in] : 0;
}

/* y[o] = bias[o] + sum_i w[o][i] x[i] for one block of MR outputs over a panel. */
static inline void product_block(real *y, const real *w, const real *bias, const real *x,
                                 ptrdiff_t n_in) {
  vec a0 = vec_splat(bias[0]), b0 = a0, a1 = vec_splat(bias[1]), b1 = a1;
  vec a2 = vec_splat(bias[2]), b2 = a2, a3 = vec_splat(bias[3]), b3 = a3;
  vec a4 = vec_splat(bias[4]), b4 = a4, a5 = vec_splat(bias[5]), b5 = a5;
  for (ptrdiff_t i = 0; i < n_in; i++, w += MR, x += PANEL) {
    const vec xa = vec_load(x), xb = vec_load(x + LANES);
    vec wr = vec_splat(w[0]);
    a0 += wr * xa, b0 += wr * xb;
    wr = vec_splat(w[1]);
    a1 += wr * xa, b1 += wr * xb;
    wr = vec_splat(w[2]);
    a2 += wr * xa, b2 += wr * xb;
    wr = vec_splat(w[3]);
    a3 += wr * xa, b3 += wr * xb;
    wr = vec_splat(w[4]);
    a4 += wr * xa, b4 += wr * xb;
    wr = vec_splat(w[5]);
    a5 += wr * xa, b5 += wr * xb;
  }
  vec_store(y, a0), vec_store(y + LANES, b0), y += PANEL;
  vec_store(y, a1), vec_store(y + LANES, b1), y += PANEL;
  vec_store(y, a2), vec_store(y + LANES, b2), y += PANEL;
  vec_store(y, a3), vec_store(y + LANES, b3), y += PANEL;
  vec_store(y, a4), vec_store(y + LANES, b4), y += PANEL;
  vec_store(y, a5), vec_store(y + LANES, b5);
}

/* y (padded(n_out) x PANEL) = bias + W x (n_in x PANEL); `packed` by pack(), bias
 * padded. */
static void panel_product(real *y, const real *packed, const real *bias, const real *x,
                          ptrdiff_t n_out, ptrdiff_t n_in) {
  for (ptrdiff_t o = 0; o < n_out; o += MR)
    product_block(y + o * PANEL, packed + o * n_in, bias + o, x, n_in);
}

/* sums[2 r + c] = the sum over panels of dy[r] x[c], lane by lane, for MR outputs and
 * two inputs; dy and x point at the first of them in the first panel. Overwrites. */
static inline void outer_block(vec *sums, const real *dy, const real *x,
                               ptrdiff_t dy_stride, ptrdiff_t x_stride,
                               ptrdiff_t n_panels) {
  vec a0 = vec_splat(0), a1 = a0, a2 = a0, a3 = a0, a4 = a0, a5 = a0;
  vec b0 = a0, b1 = a0, b2 = a0, b3 = a0, b4 = a0, b5 = a0;
  for (ptrdiff_t g = 0; g < n_panels; g++, dy += dy_stride, x += x_stride) {
    for (int v = 0; v < PANEL; v += LANES) {
      const vec xa = vec_load(x + v), xb = vec_load(x + PANEL + v);
      vec d = vec_load(dy + v);
      a0 += d * xa, b0 += d * xb;
      d = vec_load(dy + PANEL + v);
      a1 += d * xa, b1 += d * xb;
      d = vec_load(dy + 2 * PANEL + v);
      a2 += d * xa, b2 += d * xb;
      d = vec_load(dy + 3 * PANEL + v);
      a3 += d * xa, b3 += d * xb;
      d = vec_load(dy + 4 * PANEL + v);
      a4 += d * xa, b4 += d * xb;
      d = vec_load(dy + 5 * PANEL + v);
      a5 += d * xa, b5 += d * xb;
    }
  }
  const vec all[2 * MR] = {a0, b0, a1, b1, a2, b2, a3, b3, a4, b4, a5, b5};
  memcpy(sums, all, sizeof all);
}

/* dw (n_out x n_in, column-major) += sum over panels of dy x'; dy is padded(n_out) x
 * PANEL and x padded(n_in) x PANEL, a panel after the other. Accumulates in double. */
static void panels_outer(double *dw, const real *dy, const real *x, ptrdiff_t n_panels,
                         ptrdiff_t n_out, ptrdiff_t n_in) {
  const ptrdiff_t dy_stride = padded(n_out) * PANEL, x_stride = padded(n_in) * PANEL;
  for (ptrdiff_t i = 0; i < n_in; i += 2)
    for (ptrdiff_t o = 0; o < n_out; o += MR) {
      vec sums[2 * MR];
      outer_block(sums, dy + o * PANEL, x + i * PANEL, dy_stride, x_stride, n_panels);
      for (ptrdiff_t c = 0; c < 2 && i + c < n_in; c++)
        for (ptrdiff_t r = 0; r < MR && o + r < n_out; r++)
          dw[o + r + n_out * (i + c)] += (double)vec_sum(sums[2 * r + c]);
    }
}
