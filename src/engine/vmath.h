/* Elementary functions of vectors. Errors are relative, measured by tests/testthat/
 * test-vmath.R; a NaN gives a NaN. */
#if REAL_IS_DOUBLE
#define C(x) vec_splat(x)
#define MANTISSA 52
#define EXPONENT_BIAS 1023
#define ROUNDER 0x1.8p52 /* x + ROUNDER holds round(x) in its low bits */
#define LN2_HIGH 0x1.62e42fefap-1
#define LN2_LOW 0x1.cf79abc9e3b3ap-40
#define EXP_LOWEST -707.0
#define EXP_HIGHEST 709.7
#else
#define C(x) vec_splat((real)(x))
#define MANTISSA 23
#define EXPONENT_BIAS 127
#define ROUNDER 0x1.8p23
#define LN2_HIGH 0x1.62ep-1
#define LN2_LOW 0x1.0bfbe8p-15
#define EXP_LOWEST -87.0
#define EXP_HIGHEST 88.7
#endif

/* Splits x = n log 2 + r, |r| <= log(2) / 2: returns r, n in two's complement in `n`. */
static inline vec exp_reduce(vec x, mask *n) {
  vec shifted = x * C(LOG2_E) + C(ROUNDER);
  vec whole = shifted - C(ROUNDER);
  *n = vec_bits(shifted);
  return (x - whole * C(LN2_HIGH)) - whole * C(LN2_LOW);
}

/* (e^r - 1) / r, |r| <= log(2) / 2. The polynomials here are Chebyshev series of e^r, cut
 * off at degree 11 (float 6), where they are off by 3e-18 (2e-9), and expanded in powers
 * of r; tools/coefficients.R prints them. */
static inline vec exp_series(vec r) {
#if REAL_IS_DOUBLE
  /* By even and odd powers: half the chain of dependent operations. */
  vec r2 = r * r, p = C(0x1.28b40639f7186p-22), q = C(0x1.af785e0a5dff8p-26);
  p = p * r2 + C(0x1.a01991aba6f13p-16);
  q = q * r2 + C(0x1.71dde76a2f6d2p-19);
  p = p * r2 + C(0x1.6c16c187fc3e7p-10);
  q = q * r2 + C(0x1.a01a01b80266p-13);
  p = p * r2 + C(0x1.555555554f0cdp-5);
  q = q * r2 + C(0x1.111111110db74p-7);
  p = p * r2 + C(0x1.000000000001p-1);
  q = q * r2 + C(0x1.5555555555562p-3);
  return q * r2 + (p * r + C(1.0));
#else
  vec p = C(0.00139485808);
  p = p * r + C(0.00837512889);
  p = p * r + C(0.0416662183);
  p = p * r + C(0.166664155);
  p = p * r + C(0.500000011);
  return p * r + C(1.0);
#endif
}

/* e^x. Error 3e-16 (float 2e-7); 0 below -707 (-87), Inf from 709.7 (88.7) on. */
static inline vec vec_exp(vec x) {
  mask n;
  vec r = exp_reduce(x, &n);
  vec p = exp_series(r) * r + C(1.0);
  p = vec_from_bits(vec_bits(p) + (n << MANTISSA));
  /* Beyond the range p is anything, and replaced; a NaN is not below any bound. */
  p = vec_clear(vec_greater(C(EXP_LOWEST), x), p);
  return vec_select(vec_greater(C(EXP_HIGHEST), x), p, x * C((real)INFINITY));
}

/* log x for normal x > 0. Error 3e-16 (float 2e-7), absolute near 1; 0 gives -Inf. */
static inline vec vec_log(vec x) {
  /* x = 2^e m with m in [sqrt(1/2), sqrt(2)); log m = 2 atanh((m - 1) / (m + 1)). */
  const mask one = vec_bits(C(1.0)), root_half = vec_bits(C(0.70710678118654752));
  mask shifted = vec_bits(x) - root_half + one;
  mask exponent = shifted >> MANTISSA;
  vec m = vec_from_bits(vec_bits(x) - (exponent << MANTISSA) + one);
  /* The biased exponent as a real: put it into the mantissa of ROUNDER and subtract. */
  vec e = vec_from_bits(vec_bits(C(ROUNDER)) + exponent) - C(ROUNDER + EXPONENT_BIAS);
  vec s = (m - C(1.0)) / (m + C(1.0));
  vec s2 = s * s;
#if REAL_IS_DOUBLE
  vec p = C(2.0 / 21.0);
  p = p * s2 + C(2.0 / 19.0);
  p = p * s2 + C(2.0 / 17.0);
  p = p * s2 + C(2.0 / 15.0);
  p = p * s2 + C(2.0 / 13.0);
  p = p * s2 + C(2.0 / 11.0);
  p = p * s2 + C(2.0 / 9.0);
#else
  vec p = C(2.0 / 9.0);
#endif
  p = p * s2 + C(2.0 / 7.0);
  p = p * s2 + C(2.0 / 5.0);
  p = p * s2 + C(2.0 / 3.0);
  vec log_m = C(2.0) * s + s * s2 * p;
  vec y = e * C(LN2_HIGH) + (log_m + e * C(LN2_LOW));
  y = vec_select(vec_greater(x, C(0.0)), y, C(-(real)INFINITY));
  return vec_select(vec_greater(C((real)INFINITY), x), y, x);
}

#if REAL_IS_DOUBLE
/* tanh x = -t / (t + 2), t = e^(-2|x|) - 1 without cancellation, with the sign of x.
 * Error 5e-16. */
static inline vec vec_tanh(vec x) {
  const mask sign = vec_bits(C(-0.0));
  mask n;
  vec size = vec_min(vec_from_bits(vec_bits(x) & ~sign), C(20.0));
  vec r = exp_reduce(C(-2.0) * size, &n);
  vec power = vec_from_bits(vec_bits(C(1.0)) + (n << MANTISSA));
  vec t = power * (exp_series(r) * r) + (power - C(1.0));
  return vec_select(sign, x, t / (C(-2.0) - t));
}
#else
/* tanh x = x p(x^2) / q(x^2) of least relative error, 6e-9, on |x| <= 7.95; beyond, it is
 * one but for 2.5e-7. The coefficients have a common factor for which they round well
 * (tools/coefficients.R). Error 3e-7. */
static inline vec vec_tanh(vec x) {
  const mask sign = vec_bits(C(-0.0));
  vec x2 = x * x, x4 = x2 * x2;
  vec p = C(1.98924148e-08) * x4 + (C(2.85162278e-05) * x2 + C(0.00464469846));
  vec q = C(1.11134841e-06) * x4 + (C(0.000443898054) * x2 + C(0.0340119302));
  p = p * x4 + (C(0.174726516) * x2 + C(1.29937637));
  q = q * x4 + (C(0.607851923) * x2 + C(1.29937637));
  vec one = vec_from_bits(vec_bits(C(1.0)) | (vec_bits(x) & sign));
  vec size = vec_from_bits(vec_bits(x) & ~sign);
  return vec_select(vec_greater(size, C(7.95)), one, x * p / q);
}
#endif

#if REAL_IS_DOUBLE
/* 2^x for x <= 0. Error 5e-16; 0 below -1021. */
static inline vec vec_exp2_down(vec x) {
  /* The bias stands in the rounder, so that a shift makes the power. The polynomial is
   * as that of e^r, |r| <= 1/2, of degree 10. */
  const vec rounder = C(ROUNDER + EXPONENT_BIAS);
  vec shifted = x + rounder;
  vec r = x - (shifted - rounder);
  vec r2 = r * r, p = C(0x1.e6228bff026ccp-28), q = C(0x1.b675be272450ap-24);
  p = p * r2 + C(0x1.62bfc2c7ae40dp-20);
  q = q * r2 + C(0x1.ffcb54047bef2p-17);
  p = p * r2 + C(0x1.430913112cb55p-13);
  q = q * r2 + C(0x1.5d87fe9d7afbp-10);
  p = p * r2 + C(0x1.3b2ab6fb9f1a2p-7);
  q = q * r2 + C(0x1.c6b08d703ce41p-5);
  p = p * r2 + C(0x1.ebfbdff82c5adp-3);
  q = q * r2 + C(0x1.62e42fefa3a18p-1);
  p = (p * r2 + q * r) + C(1.0);
  p = p * vec_from_bits(vec_bits(shifted) << MANTISSA);
  return vec_clear(vec_greater(C(-1021.0), x), p);
}
#endif

/* 1 / (1 + e^-x). Error 4e-16 (float 3e-7), 0 below -709.7 (-88.7). */
static inline vec vec_logistic(vec x) { return C(1.0) / (C(1.0) + vec_exp(C(0.0) - x)); }
