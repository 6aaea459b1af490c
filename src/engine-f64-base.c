/* Double precision in 16-byte vectors: SSE2, NEON, or what the compiler makes of them. */
#include "engine.h"

#ifdef CWMIX_HAVE_VECTORS
#define REAL_IS_DOUBLE 1
#define LANES 2
#define INSTANCE engine_f64_base
#define INSTANCE_NAME "base"
#include "engine/instance.h"
#else
typedef int engine_f64_base_is_empty;
#endif
