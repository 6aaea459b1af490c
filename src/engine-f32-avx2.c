/* Single precision for AVX2 and FMA. */
#include "engine.h"

#ifdef CWMIX_HAVE_AVX2
#define REAL_IS_DOUBLE 0
#define LANES 8
#define INSTANCE engine_f32_avx2
#define INSTANCE_NAME "avx2"
#include "engine/target-avx2.h"
#include "engine/instance.h"
#include "engine/target-end.h"
#else
typedef int engine_f32_avx2_is_empty;
#endif
