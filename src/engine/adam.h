/* Adam's arithmetic, in double whatever the precision of the gradient. */

static double sum_of_squares(const double *x, ptrdiff_t n) {
  vec a = vec_splat(0), b = a, c = a, d = a;
  ptrdiff_t j = 0;
  for (; j + 4 * LANES <= n; j += 4 * LANES) {
    const vec x0 = vec_load(x + j), x1 = vec_load(x + j + LANES);
    const vec x2 = vec_load(x + j + 2 * LANES), x3 = vec_load(x + j + 3 * LANES);
    a += x0 * x0, b += x1 * x1, c += x2 * x2, d += x3 * x3;
  }
  double sum = vec_sum((a + b) + (c + d));
  for (; j < n; j++) sum += x[j] * x[j];
  return sum;
}

/* sqrt(x) for x >= 0 as x / sqrt(x): the exponent halved by a shift gives the inverse
 * root to 4 percent, and each Newton step squares the error. Error 5e-16 for normal x;
 * 0 gives 0. */
static inline vec vec_root(vec x) {
  const mask magic = vec_bits(vec_splat(0x1.6eb50c7b537a9p+511)); /* 0x5fe6eb50c7b537a9 */
  vec y = vec_from_bits(magic - (vec_bits(x) >> 1));
  const vec half = vec_splat(0.5) * x;
  for (int i = 0; i < 4; i++) y = y * (vec_splat(1.5) - half * y * y);
  return x * y;
}

/* See adam_step(). */
static void adam_update(const struct adam_state *state, const double *gradient,
                        ptrdiff_t n, const struct adam_pace *pace) {
  double *p = state->parameters, *first = state->first, *second = state->second;
  const vec scale = vec_splat(pace->scale), keep = vec_splat(pace->keep);
  const vec new1 = vec_splat(1 - pace->beta1), new2 = vec_splat(1 - pace->beta2);
  const vec rate = vec_splat(pace->rate), unbias = vec_splat(pace->unbias);
  const vec epsilon = vec_splat(pace->epsilon);
  ptrdiff_t j = 0;
  for (; j + LANES <= n; j += LANES) {
    const vec g = scale * vec_load(gradient + j);
    const vec m = vec_load(first + j) + new1 * (g - vec_load(first + j));
    const vec v = vec_load(second + j) + new2 * (g * g - vec_load(second + j));
    vec_store(first + j, m);
    vec_store(second + j, v);
    vec_store(p + j,
              keep * vec_load(p + j) + rate * m / (vec_root(unbias * v) + epsilon));
  }
  for (; j < n; j++) {
    const double g = pace->scale * gradient[j];
    first[j] += (1 - pace->beta1) * (g - first[j]);
    second[j] += (1 - pace->beta2) * (g * g - second[j]);
    p[j] = pace->keep * p[j] +
           pace->rate * first[j] / (sqrt(pace->unbias * second[j]) + pace->epsilon);
  }
}
