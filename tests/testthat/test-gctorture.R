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
    expect_survives_gc(ffi_gradient, model, y, NULL, FALSE, double(3), FALSE, 2L)
    expect_survives_gc(
      ffi_gradient, model, y, seq_len(21) / 7, TRUE, c(0.1, 0.2, 0.3), TRUE, 2L
    )
  }
})

test_that("flows and models with one survive", {
  y <- make_points(21, 3)
  for (model in list(
    flow_model(make_flow_mixture(make_shape("spline"), 3, 2, 4)),
    flow_model(make_flow_alone(make_shape("realnvp"), 3))
  )) {
    for (single in c(FALSE, TRUE)) {
      expect_survives_gc(ffi_flow, model, y, single, single, 2L)
      expect_survives_gc(ffi_density, model, y, 1L, single, 2L)
      expect_survives_gc(
        ffi_gradient, model, y, seq_len(21) / 7, TRUE, c(0.1, 0.2, 0.3), single, 2L
      )
      expect_survives_gc(
        ffi_steps, model, first_state(model), y, NULL, 0:20, 15L, c(1e-3, 2e-3), rep(-5, 3),
        c(0.9, 0.999, 1e-8, 1e-3, 10, 20), double(3), single, 2L
      )
    }
    expect_survives_gc(ffi_flow_pullback, model, y, y / 2, 2L)
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

test_that("iterations of EM survive", {
  x <- make_points(40, 3)
  floor <- double(3)
  for (model in torture_models()[1:2]) {
    expect_survives_gc(ffi_em, model, x, NULL, floor, c(0, 0), 3L, 1e-9, 2L)
    expect_survives_gc(ffi_em, model, x, seq_len(40) / 7, floor, c(0, 0), 3L, 1e-9, 1L)
    expect_survives_gc(ffi_em, model, x, NULL, floor, c(5, 1), 3L, 1e-9, 1L)
  }
})

test_that("steps of Adam survive", {
  x <- make_points(40, 3)
  options <- c(0.9, 0.999, 1e-8, 1e-3, 10, 20)
  for (model in torture_models()[3:4]) {
    state <- first_state(model)
    for (single in c(FALSE, TRUE)) {
      expect_survives_gc(
        ffi_steps, model, state, x, seq_len(40) / 7, 0:39, 15L, c(1e-3, 2e-3, 3e-3), rep(-5, 3),
        options, c(0.1, 0.2, 0.3), single, 2L
      )
    }
  }
})

test_that("a step along a given gradient survives", {
  options <- c(0.9, 0.999, 1e-8, 1e-3, 10, 20)
  for (model in torture_models()) {
    gradient <- seq_along(model$parameters) / 100
    expect_survives_gc(ffi_adam, model, first_state(model), gradient, 1e-3, rep(-5, 3), options)
  }
})

test_that("steps leave the state they were given as it was", {
  model <- torture_models()[[4]]
  state <- first_state(model)
  before <- unserialize(serialize(list(model, state), NULL))
  x <- make_points(40, 3)
  .Call(
    ffi_steps, model, state, x, NULL, 0:39, 15L, c(1e-3, 2e-3, 3e-3), rep(-5, 3),
    c(0.9, 0.999, 1e-8, 1e-3, 10, 20), double(3), FALSE, 1L
  )
  options <- c(0.9, 0.999, 1e-8, 1e-3, 10, 20)
  gradient <- seq_along(model$parameters) / 100
  .Call(ffi_adam, model, state, gradient, 1e-3, rep(-5, 3), options)
  expect_identical(list(model, state), before)
  em <- torture_models()[[1]]
  before <- unserialize(serialize(em, NULL))
  .Call(ffi_em, em, x, NULL, double(3), c(0, 0), 3L, 1e-9, 1L)
  expect_identical(em, before)
})

test_that("arguments that do not fit are an error, not a crash", {
  model <- torture_models()[[4]]
  y <- make_points(5, 3)
  expect_error(.Call(ffi_density, list(), y, 0L, FALSE, 1L), "Internal error")
  expect_error(.Call(ffi_density, model, y[, 1:2], 0L, FALSE, 1L), "3 columns")
  expect_error(.Call(ffi_density, model, y, 4L, FALSE, 1L), "no such quantity")
  expect_error(.Call(ffi_density, model, y > 0, 0L, FALSE, 1L), "Internal error")
  short <- model
  short$parameters <- short$parameters[-1]
  expect_error(.Call(ffi_density, short, y, 0L, FALSE, 1L), "doubles")
  wrong <- model
  wrong$widths[1] <- 2L
  expect_error(.Call(ffi_density, wrong, y, 0L, FALSE, 1L), "Internal error")
  for (width in c(0L, -1L, NA)) {
    wrong$widths <- replace(model$widths, 2, width)
    expect_error(.Call(ffi_density, wrong, y, 0L, FALSE, 1L), "no width")
  }
  for (field in c("d", "K", "full", "activation")) {
    for (value in list(NULL, NA_integer_, -1L, 99L, "a", 1:2)) {
      wrong <- model
      wrong[field] <- list(value)
      if (field == "full" && is.integer(value) && length(value) == 1) next
      expect_error(.Call(ffi_density, wrong, y, 0L, FALSE, 1L), "Internal error")
    }
  }
  gradient <- function(weights = NULL, at_points = TRUE, sampling = double(3)) {
    .Call(ffi_gradient, model, y, weights, at_points, sampling, FALSE, 1L)
  }
  expect_error(gradient(1), "doubles")
  expect_error(gradient(at_points = NULL), "one integer")
  expect_error(gradient(sampling = double(2)), "doubles")
  expect_error(gradient(sampling = c(-1, 0, 0)), "sampling")
  back <- function(z = y, log_weight = double(20), node = NULL) {
    .Call(ffi_expectation_gradient, model, z, log_weight, node, 1L)
  }
  expect_error(back(y[, 1:2]), "3 columns")
  expect_error(back(log_weight = double(19)), "doubles")
  expect_error(back(log_weight = NULL), "doubles")
  expect_error(back(node = double(59)), "doubles")
  expect_error(.Call(ffi_nodes, matrix(0, 4, 3), matrix(0, 4, 2), y), "doubles")
  expect_error(.Call(ffi_nodes, matrix(0, 4, 2), matrix(0, 4, 3), y), "doubles")
  expect_error(.Call(ffi_nodes, matrix(0, 4, 3), matrix(0, 4, 3), y > 0), "doubles")
  draw <- function(mean = double(12), scale = mean, support = double(6), n = 5L, keep = TRUE) {
    .Call(ffi_draw, model, mean, scale, support, n, keep, TRUE, 1L)
  }
  expect_error(draw(double(11)), "doubles")
  expect_error(draw(scale = double(36)), "doubles")
  expect_error(draw(scale = array(0, c(3, 3, 3))), "doubles")
  expect_error(draw(support = double(5)), "doubles")
  expect_error(.Call(ffi_inside, y, double(5)), "doubles")
  expect_error(draw(keep = NULL), "one integer")
  for (n in c(0L, -1L, NA)) expect_error(draw(n = n), "no draws")
  residual <- function(u) .Call(ffi_residuals, model, double(12), double(12), y, u, 1L)
  expect_error(residual(double(4)), "doubles")
  state <- replace(first_state(model), c("first", "second"), 0)
  steps <- function(state, rows = 0:4, batch = 5L, sampling = double(3)) {
    .Call(
      ffi_steps, model, state, y, NULL, rows, batch, 1e-3, rep(-5, 3),
      c(0.9, 0.999, 1e-8, 0, 1, 20), sampling, FALSE, 1L
    )
  }
  expect_error(steps(state), "doubles")
  state$first <- state$second <- 0 * model$parameters
  expect_error(steps(state, 0:5), "no such row")
  expect_error(steps(state, c(-1L, 0L)), "no such row")
  expect_error(steps(state, NA_integer_), "no such row")
  expect_error(steps(state, integer()), "fewer rows")
  expect_error(steps(state, 0:4, 0L), "fewer rows")
  expect_error(steps(state, sampling = double(2)), "doubles")
  # a threshold below 0 or no number, seeds outside [0, 1)
  for (bad in list(c(-1, 0.1, 0.2), c(0.1, -1, 0), c(0.1, 1, 0), c(NaN, 0, 0))) {
    expect_error(steps(state, sampling = bad), "sampling")
  }
  adam <- function(gradient = state$first, rate = 1e-3, log_floor = rep(-5, 3), at = state) {
    .Call(ffi_adam, model, at, gradient, rate, log_floor, c(0.9, 0.999, 1e-8, 0, 1, 20))
  }
  expect_error(adam(gradient = 1), "doubles")
  expect_error(adam(rate = double(2)), "doubles")
  expect_error(adam(log_floor = double(2)), "doubles")
  expect_error(adam(at = replace(state, "average", 0)), "doubles")
  constant <- torture_models()[[1]]
  em <- function(floor = double(3), pooling = c(0, 0), iterations = 1L) {
    .Call(ffi_em, constant, y, NULL, floor, pooling, iterations, 1e-9, 1L)
  }
  expect_error(em(floor = 0), "doubles")
  expect_error(em(iterations = -5L), "Internal error")
  for (bad in list(NULL, 0, double(3), c(0L, 0L), "a")) {
    expect_error(em(pooling = bad), "`pooling` must be 2 doubles")
  }
  for (bad in c(-1, NaN, NA, -Inf)) {
    expect_error(em(pooling = c(bad, 0)), "`pooling` must not be negative")
  }
  expect_error(.Call(ffi_base_draws, -1L, 2L), "Internal error|negative")
})
