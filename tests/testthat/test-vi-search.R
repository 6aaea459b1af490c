test_that("the search finds the modes with their spread", {
  target <- vi_task_of(ring_target(), make_parameters(2, 1))$target
  modes <- with_fixed_seed(1, find_modes(target, quick_vi_control(searches = 40)))
  expect_length(modes, 8)
  for (mode in modes) {
    expect_lt(min(sqrt(rowSums((ring_centres() - rep(mode$mean, each = 8))^2))), 1e-3)
    expect_equal(mode$vcov, diag(0.35^2, 2), tolerance = 1e-3)
  }
  expect_identical(find_modes(target, quick_vi_control(searches = 0)), list())
})

test_that("a mode that is flat has the spread as its standard deviation", {
  expect_equal(laplace(diag(c(-4, 0)), 5)$vcov, diag(c(0.25, 25)))
  expect_equal(laplace(diag(c(-4, 3)), 5)$vcov, diag(c(0.25, 25)))
  hessian <- -solve(normal_covariance())
  expect_equal(laplace(hessian, 5)$vcov, normal_covariance())
})

test_that("weights are tempered to the effective size that is asked for", {
  log_weight <- with_fixed_seed(1, rnorm(1000, sd = 4))
  power <- tempering(log_weight, 100)
  expect_equal(effective_size(exp(power * log_weight)), 100, tolerance = 1e-3)
  expect_identical(tempering(log_weight / 100, 100), 1)
  # the top does not matter, nor do weights of zero
  expect_equal(tempering(c(log_weight + 1e4, -Inf), 100), power, tolerance = 1e-5)
  # as even as they can be made
  expect_identical(tempering(c(0, rep(-Inf, 99)), 10), 1e-8)
})

test_that("the start of a search covers all modes, with the evidence", {
  control <- quick_vi_control(steps = 0, draws = 1000, searches = 40)
  fit <- fit_vi(ring_target(), 8, hidden = NULL, control = control)
  shares <- ring_shares(simulate(fit, 4000, seed = 1))
  expect_close(shares, rep(1 / 8, 8), tolerance = 0.3)
  expect_lt(abs(fit$search_evidence[["estimate"]]), 0.1)
  expect_gt(fit$search_evidence[["se"]], 0)
})

test_that("a start without runs of the optimiser works where modes are near", {
  control <- quick_vi_control(steps = 0, draws = 1000, searches = 0)
  fit <- fit_vi(normal_target(), 1, covariance = "full", control = control)
  expect_equal(as.vector(mean(fit)), c(1, -2), tolerance = 0.1)
  expect_equal(fit$log_evidence[["estimate"]], 2.5, tolerance = 0.02)
})

test_that("a wide start has its components where they may find modes", {
  fit <- function(K, ...) {
    fit_vi(ring_target(), K, start = "wide", control = quick_vi_control(steps = 0), ...)
  }
  suppressWarnings(
    {
      expect_equal(as.vector(fit(1)$mean), c(0, 0))
      expect_equal(as.vector(fit(1)$sd), c(5, 5))
      wide <- fit(16, covariance = "full")
    },
    classes = "cwmix_poor_fit"
  )
  expect_equal(wide$cholesky[, , 3], diag(0.7 * 5 / 4, 2))
  expect_equal(sd(wide$mean), 0.7 * 5, tolerance = 0.3)
  expect_null(wide$search_evidence)
})

test_that("the temperature depends on the start unless it is given", {
  # what annealing() is told
  temperature <- function(...) {
    seen <- NULL
    with_replaced("annealing", function(fraction, temperature) {
      seen <<- temperature
      1
    }, fit_vi(line_target(), ...))
    seen
  }
  expect_identical(temperature(), 2)
  expect_identical(temperature(start = "wide"), 10)
  expect_identical(temperature(start = "wide", control = quick_vi_control(temperature = 3)), 3)
})

test_that("from a wide start annealing finds separated modes", {
  both <- list(
    log_density = function(x) log(dnorm(x[, 1], -6) / 2 + dnorm(x[, 1], 6) / 2),
    gradient = function(x) -x + 6 * tanh(6 * x), d = 1
  )
  control <- quick_vi_control(steps = 400, learning_rate = 0.02)
  fit <- fit_vi(both, 4, start = "wide", control = control)
  expect_equal(mean(simulate(fit, 4000, seed = 1) > 0), 0.5, tolerance = 0.1)
  expect_lt(abs(fit$elbo[["estimate"]]), 0.1)
})

test_that("draws start a fit by EM on the working scale", {
  none <- quick_vi_control(steps = 0)
  x <- with_fixed_seed(1, cbind(rgamma(500, 3, 2), rbeta(500, 2, 5)))
  # components that one normal on the working scale has
  fit <- fit_vi(bounded_target(), 1, start = x, control = none)
  working <- cbind(log(x[, 1]), qlogis(x[, 2]))
  expect_equal(as.vector(fit$mean), colMeans(working), tolerance = 1e-6)
  expect_equal(as.vector(fit$sd), apply(working, 2, sd), tolerance = 0.01)
  expect_null(fit$search_evidence)
  frame <- data.frame(a = x[, 1], b = x[, 2])
  expect_identical(coef(fit_vi(bounded_target(), 1, start = frame, control = none)), coef(fit))
  # in one column a vector will do
  line <- with_fixed_seed(1, rnorm(200, 3, 2))
  expect_equal(as.vector(fit_vi(line_target(), 1, start = line, control = none)$mean), mean(line))
})

test_that("a start far from where one would search is enough", {
  # a target that is zero around 0
  far <- list(
    log_density = function(x) ifelse(x[, 1] > 50, dnorm(x[, 1], 100, 1, log = TRUE), -Inf),
    gradient = function(x) ifelse(x > 50, 100 - x, NaN), d = 1
  )
  expect_error(fit_vi(far), "finite in the region searched", class = "cwmix_input_error")
  draws <- with_fixed_seed(1, rnorm(100, 100, 1.2))
  for (start in list(draws, fit_mixture(draws, 1), fit_mixture(draws, 2))) {
    fit <- fit_vi(far, if (is.list(start)) nrow(start$mean) else 2, start = start)
    expect_lt(abs(fit$log_evidence[["estimate"]]), 0.05)
  }
  expect_error(
    fit_vi(far, 1, start = draws - 100), "finite in the region of `start`, but at all of 20",
    class = "cwmix_input_error"
  )
})

test_that("a density is the start as it is, with constant weights or a network", {
  none <- quick_vi_control(steps = 0)
  for (covariance in c("diagonal", "full")) {
    for (hidden in list(NULL, integer(0), 4, c(5, 3))) {
      # in the order that fits have
      p <- make_parameters(2, 3, hidden, covariance, "silu")
      model <- as_model(p)
      fit <- suppressWarnings(
        fit_vi(normal_target(),
          3,
          start = model, covariance = covariance, hidden = hidden, activation = "silu",
          control = none
        ),
        classes = "cwmix_poor_fit"
      )
      x <- make_points(20, 2)
      expect_close(
        predict(fit, x, log = TRUE), predict(model, x, log = TRUE),
        tolerance = 1e-10, floor = 1
      )
    }
  }
})

test_that("constant weights start a network that has the same density", {
  model <- as_model(make_parameters(2, 3, NULL))
  fit <- suppressWarnings(
    fit_vi(normal_target(), 3, start = model, control = quick_vi_control(steps = 0)),
    classes = "cwmix_poor_fit"
  )
  expect_length(fit$classifier$weights, 2)
  x <- make_points(20, 2)
  expect_close(
    predict(fit, x, log = TRUE), predict(model, x, log = TRUE),
    tolerance = 1e-10, floor = 1
  )
})

test_that("a fit of any kind is a start, bounds and all", {
  x <- with_fixed_seed(1, cbind(rgamma(500, 3, 2), rbeta(500, 2, 5)))
  starts <- list(
    fit_mixture(x, 2, support = bounded_target()$support),
    fit_network(x, 2, 4, support = bounded_target()$support),
    fit_vi(bounded_target())
  )
  for (start in starts) {
    fit <- fit_vi(bounded_target(), start = start)
    expect_lt(abs(fit$log_evidence[["estimate"]] + 1), 0.05)
  }
})

test_that("spikes of a density without an upper bound are no modes", {
  # the second column is the log standard deviation of the first, which may be as small as it likes
  spike <- list(
    log_density = function(x) dnorm(x[, 1], 0, exp(x[, 2]), log = TRUE) - exp(x[, 2]),
    gradient = function(x) {
      cbind(-x[, 1] * exp(-2 * x[, 2]), x[, 1]^2 * exp(-2 * x[, 2]) - 1 - exp(x[, 2]))
    },
    d = 2
  )
  target <- vi_task_of(spike, make_parameters(2, 1))$target
  modes <- with_fixed_seed(1, find_modes(target, cwmix_vi_control(searches = 20)))
  for (mode in modes) expect_true(is_definite(mode$vcov))
})
