/* Vectors of LANES reals, and the little that C's operators do not say about them. With
 * one lane (the plain instance) a vector is a scalar and no extension of the language is
 * used. */
#if REAL_IS_DOUBLE
typedef double real;
typedef uint64_t bits;
#else
typedef float real;
typedef uint32_t bits;
#endif

/* For kernels whose last argument must be known to the compiler. */
#if defined(__GNUC__)
#define ALWAYS_INLINE static inline __attribute__((always_inline))
#else
#define ALWAYS_INLINE static inline
#endif

#if LANES > 1
typedef real vec __attribute__((vector_size(LANES * sizeof(real))));
typedef bits mask __attribute__((vector_size(LANES * sizeof(real))));
typedef real vec_memory
    __attribute__((vector_size(LANES * sizeof(real)), aligned(sizeof(real)), may_alias));

static inline vec vec_load(const real *x) { return *(const vec_memory *)x; }
static inline void vec_store(real *x, vec a) { *(vec_memory *)x = a; }
/* Minus zero is exact and folds away; plus zero would cost an addition. */
static inline vec vec_splat(real a) { return a - (vec){0}; }
static inline mask vec_bits(vec a) { return (mask)a; }
static inline vec vec_from_bits(mask a) { return (vec)a; }
static inline mask vec_greater(vec a, vec b) { return (mask)(a > b); }
/* By halves, written out: a loop over the lanes would go through memory. */
static inline real larger(real a, real b) { return a > b ? a : b; }
static inline real vec_highest(vec a) {
#if LANES == 2
  return larger(a[0], a[1]);
#elif LANES == 4
  return larger(larger(a[0], a[1]), larger(a[2], a[3]));
#else
  const real low = larger(larger(a[0], a[1]), larger(a[2], a[3]));
  real high = larger(larger(a[4], a[5]), larger(a[6], a[7]));
#if LANES == 16
  high = larger(high, larger(larger(a[8], a[9]), larger(a[10], a[11])));
  high = larger(high, larger(larger(a[12], a[13]), larger(a[14], a[15])));
#endif
  return larger(low, high);
#endif
}
static inline real vec_sum(vec a) {
#if LANES == 2
  return a[0] + a[1];
#elif LANES == 4
  return (a[0] + a[2]) + (a[1] + a[3]);
#elif LANES == 8
  return ((a[0] + a[4]) + (a[2] + a[6])) + ((a[1] + a[5]) + (a[3] + a[7]));
#else
  return (((a[0] + a[8]) + (a[4] + a[12])) + ((a[2] + a[10]) + (a[6] + a[14]))) +
         (((a[1] + a[9]) + (a[5] + a[13])) + ((a[3] + a[11]) + (a[7] + a[15])));
#endif
}
#else
typedef real vec;
typedef bits mask;

static inline vec vec_load(const real *x) { return *x; }
static inline void vec_store(real *x, vec a) { *x = a; }
static inline vec vec_splat(real a) { return a; }
static inline mask vec_bits(vec a) {
  mask b;
  memcpy(&b, &a, sizeof b);
  return b;
}
static inline vec vec_from_bits(mask a) {
  vec b;
  memcpy(&b, &a, sizeof b);
  return b;
}
static inline mask vec_greater(vec a, vec b) { return a > b ? ~(mask)0 : 0; }
static inline real vec_sum(vec a) { return a; }
static inline real vec_highest(vec a) { return a; }
#endif

/* a where the mask is set, b elsewhere. */
static inline vec vec_select(mask m, vec a, vec b) {
  return vec_from_bits((m & vec_bits(a)) | (~m & vec_bits(b)));
}
/* Zero where the mask is set, a elsewhere. */
static inline vec vec_clear(mask m, vec a) { return vec_from_bits(~m & vec_bits(a)); }
/* The larger; a NaN in `a` stays. */
static inline vec vec_max(vec a, vec b) { return vec_select(vec_greater(b, a), b, a); }
static inline vec vec_min(vec a, vec b) { return vec_select(vec_greater(a, b), b, a); }
