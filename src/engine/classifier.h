/* The classifier w = softmax(f(z)) over a panel. Logits are k x PANEL. */

/* Log of the sum over j < k of exp(logits[j]), a number a point: from the true maximum;
 * all -Inf gives -Inf. */
static void log_sum_exp(real *out, const real *logits, ptrdiff_t k) {
  const vec lowest = vec_splat(-(real)INFINITY), zero = vec_splat(0);
  for (ptrdiff_t v = 0; v < PANEL; v += LANES) {
    vec top = lowest;
    for (ptrdiff_t j = 0; j < k; j++)
      top = vec_max(vec_load(logits + j * PANEL + v), top);
    const vec shift = vec_select(vec_greater(top, lowest), top, zero);
    vec sum = zero;
    for (ptrdiff_t j = 0; j < k; j++)
      sum += vec_exp(vec_load(logits + j * PANEL + v) - shift);
    vec_store(out + v, shift + vec_log(sum));
  }
}

/* d sum / d logits of a function whose derivative in log w_own(z) is v, where
 * log w_own = logit_own - log sum exp(logits):
 *   dlogit_j = v (delta_{j,own} - w_j)
 * Overwrites the logits; padded features become zero. */
static void softmax_backward(real *logits, const real *normaliser, const real *v,
                             ptrdiff_t own, ptrdiff_t k) {
  for (ptrdiff_t p = 0; p < PANEL; p += LANES) {
    const vec top = vec_load(normaliser + p), weight = vec_load(v + p);
    for (ptrdiff_t j = 0; j < k; j++) {
      real *logit = logits + j * PANEL + p;
      const vec w = vec_exp(vec_load(logit) - top);
      vec_store(logit, (j == own ? weight : vec_splat(0)) - weight * w);
    }
    for (ptrdiff_t j = k; j < padded(k); j++)
      vec_store(logits + j * PANEL + p, vec_splat(0));
  }
}
