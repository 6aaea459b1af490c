test_that("information and the choice of an instance survive", {
  expect_survives_gc(ffi_info)
  expect_survives_gc(ffi_use_instance, .Call(ffi_info)$instance)
})

test_that("functions and products survive", {
  x <- seq(-1, 1, length.out = 50)
  w <- matrix(x[1:35], 7)
  for (single in c(FALSE, TRUE)) {
    expect_survives_gc(ffi_math, "tanh", x, single)
    expect_survives_gc(ffi_product, w, x[1:7], matrix(x, 5), matrix(rev(c(x, x))[1:70], 7), single)
  }
})

test_that("densities and their parts survive", {
  y <- make_points(21, 3)
  for (model in torture_models()) {
    for (single in c(FALSE, TRUE)) expect_survives_gc(ffi_density, model, y, 0L, single, 2L)
  }
  for (quantity in quantities) {
    expect_survives_gc(ffi_density, torture_models()[[4]], y, quantity, FALSE, 1L)
  }
})

test_that("classifiers survive", {
  for (model in torture_models()) {
    for (single in c(FALSE, TRUE)) {
      expect_survives_gc(ffi_classifier, model, make_points(21, 3), single, 2L)
    }
  }
})

test_that("gradients survive", {
  y <- make_points(21, 3)
  for (model in torture_models()) {
    expect_survives_gc(ffi_gradient, model, y, NULL, FALSE, all_components, FALSE, 2L)
    expect_survives_gc(
      ffi_gradient, model, y, seq_len(21) / 7, TRUE, draw_of(0.1, 0.2, 0.3), TRUE, 2L
    )
  }
})

test_that("flows and models with one survive", {
  y <- make_points(21, 3)
  for (model in list(
    flow_model(make_flow_mixture(make_shape("spline"), 3, 2, 4)),
    flow_model(make_flow_alone(make_shape("realnvp"), 3)),
    flow_model(make_own_flows(make_shape("realnvp"), 3, 2, 4))
  )) {
    last <- model$flow$count - 1L
    for (single in c(FALSE, TRUE)) {
      expect_survives_gc(ffi_flow, model, y, single, last, single, 2L)
      expect_survives_gc(ffi_density, model, y, 1L, single, 2L)
      expect_survives_gc(
        ffi_gradient, model, y, seq_len(21) / 7, TRUE, draw_of(0.1, 0.2, 0.3), single, 2L
      )
      expect_survives_gc(
        ffi_steps, model, first_state(model), y, NULL, 0:20, 15L, c(1e-3, 2e-3),
        torture_options(), all_components, single, 2L
      )
    }
    expect_survives_gc(ffi_flow_pullback, model, y, y / 2, last, 2L)
  }
})

test_that("nodes and the way back from them survive", {
  z <- make_points(21, 3)
  scales <- list(matrix(1.5, 4, 3), array(diag(3), c(3, 3, 4)))
  for (scale in scales) expect_survives_gc(ffi_nodes, matrix(0.5, 4, 3), scale, z)
  log_weight <- seq_len(84) / 10
  node <- seq_len(252) / 100
  for (model in torture_models()) {
    expect_survives_gc(ffi_expectation_gradient, model, z, log_weight, node, 2L)
  }
})

test_that("draws survive", {
  with_fixed_seed(1, {
    seed <- .Random.seed
    expected <- .Call(ffi_base_draws, 30L, 2L)
    assign(".Random.seed", seed, globalenv())
    gctorture(TRUE)
    value <- .Call(ffi_base_draws, 30L, 2L)
    gctorture(FALSE)
    expect_identical(value, expected)
  })
  y <- make_points(30, 3)
  u <- with_fixed_seed(2, runif(30))
  mean <- matrix(0.5, 4, 3)
  scales <- list(mean + 1, array(diag(3), c(3, 3, 4)))
  # A seed set within, so that the torture does not change the stream
  support <- rbind(c(-Inf, Inf), c(0, Inf), c(0, 1))
  draw_seeded <- function(...) {
    with_fixed_seed(3, .Call(ffi_draw, ..., support, 30L, TRUE, TRUE, 2L))
  }
  for (i in 1:4) {
    model <- torture_models()[[i]]
    scale <- scales[[i %% 2 + 1]]
    expected <- draw_seeded(model, mean, scale)
    gctorture(TRUE)
    value <- draw_seeded(model, mean, scale)
    gctorture(FALSE)
    expect_identical(value, expected)
    expect_survives_gc(ffi_residuals, model, mean, scale, y, u, 2L)
    expect_survives_gc(ffi_inside, y, support)
  }
})

test_that("log-linear densities survive", {
  shape <- uneven_shape()
  expect_survives_gc(ffi_log_linear, shape, masses_below(shape), c(-9, 0, 9))
  expect_survives_gc(ffi_log_linear_quantile, shape, masses_below(shape), c(-9, -1))
})

test_that("iterations of EM survive", {
  x <- make_points(40, 3)
  floor <- double(3)
  for (model in torture_models()[1:2]) {
    expect_survives_gc(ffi_em, model, x, NULL, floor, pool(), 3L, 1e-9, 2L)
    expect_survives_gc(ffi_em, model, x, seq_len(40) / 7, floor, pool(), 3L, 1e-9, 1L)
    expect_survives_gc(ffi_em, model, x, NULL, floor, pool(5, TRUE), 3L, 1e-9, 1L)
  }
})

test_that("steps of Adam survive", {
  x <- make_points(40, 3)
  for (model in torture_models()[3:4]) {
    state <- first_state(model)
    for (single in c(FALSE, TRUE)) {
      expect_survives_gc(
        ffi_steps, model, state, x, seq_len(40) / 7, 0:39, 15L, c(1e-3, 2e-3, 3e-3),
        torture_options(), draw_of(0.1, 0.2, 0.3), single, 2L
      )
    }
  }
})

test_that("a step along a given gradient survives", {
  for (model in torture_models()) {
    gradient <- seq_along(model$parameters) / 100
    expect_survives_gc(ffi_adam, model, first_state(model), gradient, 1e-3, torture_options())
  }
})

test_that("steps leave the state they were given as it was", {
  model <- torture_models()[[4]]
  state <- first_state(model)
  before <- unserialize(serialize(list(model, state), NULL))
  x <- make_points(40, 3)
  .Call(
    ffi_steps, model, state, x, NULL, 0:39, 15L, c(1e-3, 2e-3, 3e-3), torture_options(),
    all_components, FALSE, 1L
  )
  gradient <- seq_along(model$parameters) / 100
  .Call(ffi_adam, model, state, gradient, 1e-3, torture_options())
  expect_identical(list(model, state), before)
  em <- torture_models()[[1]]
  before <- unserialize(serialize(em, NULL))
  .Call(ffi_em, em, x, NULL, double(3), pool(), 3L, 1e-9, 1L)
  expect_identical(em, before)
})
