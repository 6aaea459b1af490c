/* Blocked products over a panel. Weights are packed in blocks of MR outputs, so that the
 * kernel keeps MR x 2 vectors of sums in registers and reads everything else in order. */
#define MR 6

/* Features are padded to whole blocks; padded features hold zeros or are never read back. */
static inline ptrdiff_t padded(ptrdiff_t n) { return (n + MR - 1) / MR * MR; }

/* packed[block][i][r] = w[(block * MR + r) * stride_out + i * stride_in], zero beyond n_out. */
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

/* y (padded(n_out) x PANEL) = bias + W x (n_in x PANEL); `packed` by pack(), bias padded. */
static void panel_product(real *y, const real *packed, const real *bias, const real *x,
                          ptrdiff_t n_out, ptrdiff_t n_in) {
  for (ptrdiff_t o = 0; o < n_out; o += MR)
    product_block(y + o * PANEL, packed + o * n_in, bias + o, x, n_in);
}

/* dw[o + n_out * i] += sum over panels and points of dy[o] x[i], for one block of MR outputs
 * and two inputs; what lies beyond n_out or n_in is not written. */
static inline void outer_block(real *dw, const real *dy, const real *x,
                               ptrdiff_t dy_stride, ptrdiff_t x_stride,
                               ptrdiff_t n_panels, ptrdiff_t n_out, ptrdiff_t n_in,
                               ptrdiff_t o, ptrdiff_t i) {
  vec a0 = vec_splat(0), a1 = a0, a2 = a0, a3 = a0, a4 = a0, a5 = a0;
  vec b0 = a0, b1 = a0, b2 = a0, b3 = a0, b4 = a0, b5 = a0;
  const real *dy_o = dy + o * PANEL, *x_i = x + i * PANEL;
  for (ptrdiff_t g = 0; g < n_panels; g++, dy_o += dy_stride, x_i += x_stride) {
    for (int v = 0; v < PANEL; v += LANES) {
      const vec xa = vec_load(x_i + v), xb = vec_load(x_i + PANEL + v);
      vec d = vec_load(dy_o + v);
      a0 += d * xa, b0 += d * xb;
      d = vec_load(dy_o + PANEL + v);
      a1 += d * xa, b1 += d * xb;
      d = vec_load(dy_o + 2 * PANEL + v);
      a2 += d * xa, b2 += d * xb;
      d = vec_load(dy_o + 3 * PANEL + v);
      a3 += d * xa, b3 += d * xb;
      d = vec_load(dy_o + 4 * PANEL + v);
      a4 += d * xa, b4 += d * xb;
      d = vec_load(dy_o + 5 * PANEL + v);
      a5 += d * xa, b5 += d * xb;
    }
  }
  const vec a[MR] = {a0, a1, a2, a3, a4, a5}, b[MR] = {b0, b1, b2, b3, b4, b5};
  const ptrdiff_t n = n_out - o < MR ? n_out - o : MR;
  for (ptrdiff_t r = 0; r < n; r++) dw[o + r + n_out * i] += vec_sum(a[r]);
  if (i + 1 < n_in)
    for (ptrdiff_t r = 0; r < n; r++) dw[o + r + n_out * (i + 1)] += vec_sum(b[r]);
}

/* dw (n_out x n_in, column-major) += sum over panels of dy x'. Panel g of dy starts at
 * dy + g * dy_stride, of x at x + g * x_stride; both are padded. Accumulates. */
static void panels_outer(real *dw, const real *dy, const real *x, ptrdiff_t dy_stride,
                         ptrdiff_t x_stride, ptrdiff_t n_panels, ptrdiff_t n_out,
                         ptrdiff_t n_in) {
  for (ptrdiff_t i = 0; i < n_in; i += 2)
    for (ptrdiff_t o = 0; o < n_out; o += MR)
      outer_block(dw, dy, x, dy_stride, x_stride, n_panels, n_out, n_in, o, i);
}
