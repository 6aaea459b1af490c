/* One instance of the engine. The including file defines REAL_IS_DOUBLE, LANES, INSTANCE
 * (the table's name) and INSTANCE_NAME, and has included engine.h before any target
 * pragma. */
#include "vec.h"

#include "arena.h"
#include "vmath.h"

#include "gemm.h"

#include "mlp.h"

#include "classifier.h"
#include "map-affine.h"
#include "map-realnvp.h"
#include "map-spline.h"

#include "flow.h"

#include "mixture.h"

#include "density.h"
#include "gradient.h"

#include "flow-tiles.h"

#if REAL_IS_DOUBLE
#include "adam.h"
#include "draw.h"
#include "em.h"
#include "expectation.h"
#endif
#include "kernels.h"

const struct engine INSTANCE = {
    .name = INSTANCE_NAME,
    .model_bytes = model_bytes,
    .model_prepare = model_prepare,
    .density_rows = density_rows,
    .density_bytes = density_bytes,
    .density_tile = density_tile,
    .classifier_tile = classifier_tile,
    .gradient_rows = gradient_rows,
    .gradient_bytes = gradient_bytes,
    .gradient_tile = gradient_tile,
    .flow_rows = flow_rows_at_once,
    .flow_bytes = flow_bytes,
    .flow_tile = flow_tile,
#if REAL_IS_DOUBLE
    .draw_rows = draw_rows,
    .draw_bytes = draw_bytes,
    .draw_tile = draw_tile,
    .em_model_bytes = em_model_bytes,
    .em_prepare = em_prepare,
    .em_rows = em_rows,
    .em_bytes = em_bytes,
    .em_tile = em_tile,
    .em_density_bytes = em_density_bytes,
    .em_density_tile = em_density_tile,
    .expectation_rows = expectation_rows,
    .expectation_bytes = expectation_bytes,
    .expectation_tile = expectation_tile,
    .sum_of_squares = sum_of_squares,
    .adam_update = adam_update,
#endif
    .kernels = {.math = math, .dense_bytes = dense_bytes, .dense = dense},
};
