/* Single precision for AVX-512. */
#include "engine.h"

#ifdef CWMIX_HAVE_AVX512
#define REAL_IS_DOUBLE 0
#define LANES 16
#define INSTANCE engine_f32_avx512
#define INSTANCE_NAME "avx512"
#include "engine/target-avx512.h"
#include "engine/instance.h"
#include "engine/target-end.h"
#else
typedef int engine_f32_avx512_is_empty;
#endif
