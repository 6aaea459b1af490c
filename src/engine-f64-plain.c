/* Double precision in plain C: one lane, no extension of the language. */
#include "engine.h"

#define REAL_IS_DOUBLE 1
#define LANES 1
#define INSTANCE engine_f64_plain
#define INSTANCE_NAME "plain"
#include "engine/instance.h"
