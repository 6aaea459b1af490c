/* From here to target-end.h functions are compiled for AVX2 and FMA, whatever the
 * flags. */
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#endif
