/* Single precision in 16-byte vectors: SSE2, NEON, or what the compiler makes of them. */
#include "engine.h"

#ifdef CWMIX_HAVE_VECTORS
#define REAL_IS_DOUBLE 0
#define LANES 4
#define INSTANCE engine_f32_base
#define INSTANCE_NAME "base"
#include "engine/instance.h"
#else
typedef int engine_f32_base_is_empty;
#endif
