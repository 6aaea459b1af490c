/* Double precision for AVX-512. */
#include "engine.h"

#ifdef CWMIX_HAVE_AVX512
#define REAL_IS_DOUBLE 1
#define LANES 8
#define INSTANCE engine_f64_avx512
#define INSTANCE_NAME "avx512"
#include "engine/target-avx512.h"
#include "engine/instance.h"
#include "engine/target-end.h"
#else
typedef int engine_f64_avx512_is_empty;
#endif
