/* The classifier w = softmax(f(z)) over rows. The logits stand in blocks: see gemm.h. */

/* Log of the sum over j < k of exp(logits[j]), a number a lane, logits being k x
 * `stride`: from the true maximum; all -Inf gives -Inf. */
static inline vec log_sum_exp(const real *logits, ptrdiff_t stride, ptrdiff_t k) {
  const vec lowest = vec_splat(-(real)INFINITY), zero = vec_splat(0);
  vec top = lowest;
  for (ptrdiff_t j = 0; j < k; j++) top = vec_max(vec_load(logits + j * stride), top);
  const vec shift = vec_select(vec_greater(top, lowest), top, zero);
  vec sum = zero;
  for (ptrdiff_t j = 0; j < k; j++) sum += vec_exp(vec_load(logits + j * stride) - shift);
  return shift + vec_log(sum);
}

/* The log-sum-exp over k < n_k of each of `count` rows; may write up to LANES - 1
 * more. Number k of a row is in block k / LANES: rows are `step` reals apart, blocks
 * `stride`. `turned` is scratch, n_k x LANES. */
static void rows_log_sum_exp(real *out, const real *x, ptrdiff_t step, ptrdiff_t stride,
                             ptrdiff_t count, ptrdiff_t n_k, real *turned) {
  for (ptrdiff_t row = 0; row < count; row += LANES) {
    /* Rows beyond the last are read as copies of it. */
    const ptrdiff_t n = count - row < LANES ? count - row : LANES;
    for (ptrdiff_t r = 0; r < LANES; r++) {
      const real *from = x + (row + (r < n ? r : n - 1)) * step;
      for (ptrdiff_t k = 0; k < n_k; k++)
        turned[k * LANES + r] = from[feature_at(k, stride)];
    }
    vec_store(out + row, log_sum_exp(turned, LANES, n_k));
  }
}

/* The derivative of v log w_own(z) in the logits of one row, where
 * log w_own = logit_own - log sum exp(logits):
 *   dlogit_j = v (delta_{j,own} - w_j)
 * Overwrites the logits; padded ones, -Inf, become zero. */
static inline void softmax_backward(real *logits, ptrdiff_t stride, real normaliser,
                                    real v, ptrdiff_t own, ptrdiff_t k) {
  const vec top = vec_splat(normaliser), minus_v = vec_splat(-v);
  for (ptrdiff_t j = 0; j < k; j += LANES) {
    real *block = logits + j / LANES * stride;
    vec_store(block, minus_v * vec_exp(vec_load(block) - top));
  }
  logits[feature_at(own, stride)] += v;
}
