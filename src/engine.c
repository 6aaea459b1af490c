/* The instances of the engine and the choice among them. */
#include "engine.h"

extern const struct engine engine_f32_plain, engine_f64_plain;
#ifdef CWMIX_HAVE_VECTORS
extern const struct engine engine_f32_base, engine_f64_base;
#endif
#ifdef CWMIX_HAVE_AVX2
extern const struct engine engine_f32_avx2, engine_f64_avx2;
#endif
#ifdef CWMIX_HAVE_AVX512
extern const struct engine engine_f32_avx512, engine_f64_avx512;
#endif

struct pair {
  const struct engine *single, *dbl;
};

static const struct pair plain = {&engine_f32_plain, &engine_f64_plain};
#ifdef CWMIX_HAVE_VECTORS
static const struct pair base = {&engine_f32_base, &engine_f64_base};
#endif
#ifdef CWMIX_HAVE_AVX2
static const struct pair avx2 = {&engine_f32_avx2, &engine_f64_avx2};
#endif
#ifdef CWMIX_HAVE_AVX512
static const struct pair avx512 = {&engine_f32_avx512, &engine_f64_avx512};
#endif

static const struct pair *in_use = NULL;

/* What this machine can run, best last. */
static int available(const struct pair **pairs) {
  int n = 0;
  pairs[n++] = &plain;
#ifdef CWMIX_HAVE_VECTORS
  pairs[n++] = &base;
#endif
#ifdef CWMIX_HAVE_AVX2
  /* Both compilers' run-times also ask whether the system saves the wide registers. */
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) pairs[n++] = &avx2;
#endif
#ifdef CWMIX_HAVE_AVX512
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq"))
    pairs[n++] = &avx512;
#endif
  return n;
}

int engine_list(const char **names) {
  const struct pair *pairs[8];
  const int n = available(pairs);
  for (int i = 0; i < n; i++) names[i] = pairs[i]->single->name;
  return n;
}

int engine_use(const char *name) {
  const struct pair *pairs[8];
  for (int i = available(pairs) - 1; i >= 0; i--)
    if (strcmp(pairs[i]->single->name, name) == 0) {
      in_use = pairs[i];
      return 1;
    }
  return 0;
}

static const struct pair *current(void) {
  if (!in_use) {
    const struct pair *pairs[8];
    in_use = pairs[available(pairs) - 1];
  }
  return in_use;
}

const struct engine *engine_get(int single) {
  return single ? current()->single : current()->dbl;
}

const char *engine_name(void) { return current()->single->name; }
