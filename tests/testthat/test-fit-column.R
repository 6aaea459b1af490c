# The penalised mean log likelihood of coefficients, by splines built here: cubic B-splines on 30
# segments from 0.12 of the range before the values to as far beyond; the integral is the
# trapezoidal rule on a quarter of a segment.
reference_column <- function(t, weights = rep(1, length(t)), price) {
  w <- weights / sum(weights)
  n <- 1 / sum(w^2)
  range <- range(t)
  margin <- 0.12 * (range[2] - range[1])
  width <- (range[2] - range[1] + 2 * margin) / 30
  knots <- range[1] - margin + width * (-3:33)
  grid <- range[1] - margin + width / 4 * (0:120)
  # a basis is 0 at the last knot itself
  basis <- function(at) splines::splineDesign(knots, at, 4, outer.ok = TRUE)
  at_grid <- basis(replace(grid, 121, grid[121] - 1e-9 * width))
  at_values <- basis(t)
  list(
    grid = grid, basis = at_grid, value = function(coefficients) {
      log_density <- drop(at_grid %*% coefficients)
      rule <- width / 4 * c(0.5, rep(1, 119), 0.5)
      mass <- sum(rule * exp(log_density))
      third <- diff(diff(diff(coefficients)))
      sum(w * (at_values %*% coefficients)) - log(mass) - price / n * sum(third^2) / 2
    }
  )
}

# Coefficients of a fitted shape: those whose spline is the log density at the knots.
coefficients_of <- function(reference, shape) {
  qr.coef(qr(reference$basis), shape$log_density)
}

test_that("an estimate maximises the penalised likelihood", {
  t <- with_fixed_seed(1, c(rnorm(60), rnorm(40, 4, 0.5)))
  w <- with_fixed_seed(2, runif(100, 0.2, 2))
  for (weights in list(NULL, w)) {
    for (price in c(0.01, 1, 1000)) {
      shape <- fit_shape(t, weights, price)
      expect_identical(shape$price, price)
      reference <- reference_column(t, weights %||% rep(1, 100), price)
      expect_equal(shape_knots_of(shape), reference$grid)
      at <- coefficients_of(reference, shape)
      expect_equal(drop(reference$basis %*% at), shape$log_density, tolerance = 1e-8)
      best <- reference$value(at)
      # steps of Newton's end where one gains less than 1e-6
      slope <- vapply(seq_along(at), function(j) {
        step <- replace(0 * at, j, 1e-4)
        (reference$value(at + step) - reference$value(at - step)) / 2e-4
      }, 0)
      expect_lte(max(abs(slope)), 1e-3)
      for (j in seq_along(at)) {
        for (step in c(-0.3, 0.3)) {
          expect_lt(reference$value(at + replace(0 * at, j, step)), best)
        }
      }
    }
  }
})

test_that("the highest price gives the normal of the values' moments", {
  skewed <- with_fixed_seed(1, rexp(80))
  wide <- with_fixed_seed(1, rnorm(2000))
  # far beyond what is tried, so that nothing but a quadratic is left
  for (case in list(
    list(t = skewed), list(t = skewed, w = with_fixed_seed(2, runif(80))), list(t = wide)
  )) {
    t <- case$t
    a <- (case$w %||% rep(1, length(t))) / sum(case$w %||% length(t))
    mean <- sum(a * t)
    sd <- sqrt(sum(a * (t - mean)^2))
    shape <- fit_shape(t, case$w, 1e7)
    knots <- shape_knots_of(shape)
    # where the grid leaves out next to nothing
    if (identical(t, wide)) {
      at <- mean + sd * (-3:3)
      expect_equal(
        log_linear_density(shape, at), dnorm(at, mean, sd, log = TRUE),
        tolerance = 0.01
      )
    }
    bend <- diff(shape$log_density, differences = 2) / shape$step^2
    expect_equal(bend, rep(mean(bend), length(bend)), tolerance = 1e-2)
    # its moments are the values'
    p <- exp(shape$log_density) / sum(exp(shape$log_density))
    expect_equal(sum(p * knots), mean, tolerance = 1e-2)
    expect_equal(sqrt(sum(p * (knots - mean)^2)), sd, tolerance = 1e-2)
    expect_equal(shape$df, 2, tolerance = 0.05)
  }
})

test_that("weights are repeats, and only their ratios count", {
  t <- with_fixed_seed(1, rnorm(40))
  w <- rep(1:4, 10)
  same <- c("start", "step", "log_density")
  # as many rows as n, which divides the price: (sum w)^2 / sum w^2 of weights, the sum of repeats
  kish <- sum(w)^2 / sum(w^2)
  weighted <- fit_shape(t, w, 10)
  repeated <- fit_shape(rep(t, w), NULL, 10 * sum(w) / kish)
  expect_equal(weighted[same], repeated[same], tolerance = 1e-6)
  expect_equal(fit_shape(t, 7 * w)[same], fit_shape(t, w)[same])
  expect_equal(fit_shape(t, rep(3, 40)), fit_shape(t))
  # none is absent
  inside <- which(t > min(t) & t < max(t))[1:5]
  expect_equal(
    fit_shape(t, replace(rep(1, 40), inside, 0), 1)[same], fit_shape(t[-inside], NULL, 1)[same],
    tolerance = 1e-6
  )
})

# n times the mean log likelihood less the degrees of freedom.
criterion_of <- function(t, shape) {
  sum(reference_spline_log_density(t, shape)) - shape$df
}

# The spline's own log density at the values, of which a shape is the interpolation.
reference_spline_log_density <- function(t, shape) {
  reference <- reference_column(t, price = 1)
  knots <- reference$grid
  spline <- stats::splinefun(knots, shape$log_density)
  mass <- integrate(function(t) exp(spline(t)), knots[1], knots[121], subdivisions = 1000)$value
  spline(t) - log(mass)
}

test_that("the price is the best of Akaike's criterion", {
  samples <- list(
    normal = with_fixed_seed(1, rnorm(150)),
    two = with_fixed_seed(2, rnorm(200, rep(c(0, 6), 100))),
    skewed = with_fixed_seed(3, log(rexp(300)))
  )
  prices <- double()
  for (name in names(samples)) {
    t <- samples[[name]]
    shape <- fit_shape(t)
    prices[name] <- shape$price
    best <- criterion_of(t, shape)
    for (price in shape$price * c(0.1, 10)) {
      other <- fit_shape(t, NULL, price)
      # where this one's tails fall
      if (price <= 1e5 && identical(other$price, price)) {
        expect_gt(best, criterion_of(t, other) - 0.05, label = paste(name, price))
      }
    }
    expect_true(shape$price %in% 10^(5:-4))
  }
  # two groups bend more than one
  expect_lt(prices[["two"]], prices[["normal"]])
})

test_that("values in any units give the same density", {
  for (t in list(with_fixed_seed(1, rnorm(200)), with_fixed_seed(2, rexp(100)))) {
    shape <- fit_shape(t)
    at <- seq(min(t), max(t), length.out = 30)
    for (b in c(1e-8, 0.3, 1e8)) {
      other <- fit_shape(b * t + 3 * b)
      expect_identical(other$price, shape$price)
      expect_equal(other$df, shape$df, tolerance = 1e-5)
      expect_equal(
        log_linear_density(other, b * at + 3 * b), log_linear_density(shape, at) - log(b),
        tolerance = 1e-4
      )
    }
    mirror <- fit_shape(-t)
    expect_equal(
      log_linear_density(mirror, -at), log_linear_density(shape, at),
      tolerance = 1e-3
    )
  }
})

test_that("any values have a proper density or none", {
  difficult <- with_fixed_seed(1, list(
    "two values" = c(0, 1), "twenty values" = rnorm(20), "ties" = rep(c(1, 2, 5), c(50, 30, 1)),
    "one heavy tie" = c(rep(0, 500), rnorm(20)), "huge" = 1e10 + rnorm(50),
    "larger" = 1e300 * rnorm(50), "tiny" = 1e-300 * rnorm(50), "heavy tails" = rcauchy(200),
    "two far apart" = c(rnorm(50), 1e10 + rnorm(50)), "one far off" = c(rnorm(50), 1e6),
    "at an end" = c(rep(0, 50), 1), "uniform" = (1:100) / 100, "equal" = rep(3, 20),
    "nearly equal" = 1e10 + 1e-6 * (0:20), "subnormal" = 1e-320 * (0:20)
  ))
  found <- logical()
  for (name in names(difficult)) {
    t <- difficult[[name]]
    for (weights in list(NULL, seq_along(t))) {
      shape <- fit_shape(t, weights)
      found[name] <- !is.null(shape)
      if (is.null(shape)) next
      expect_true(is_shape(shape), info = name)
      expect_true(is.finite(shape$df) && shape$df > 0, info = name)
      u <- normal_score(shape, t)$u
      expect_true(all(is.finite(u)), info = name)
      expect_lte(max(abs(u)), 9, label = name)
    }
  }
  # what is nothing special has one
  expect_true(all(found[c("twenty values", "huge", "heavy tails", "uniform", "ties")]))
  # what does not differ, or has no squares, none
  expect_false(any(found[c("equal", "nearly equal", "tiny", "larger", "subnormal")]))
})

test_that("an estimate comes near the density of many values", {
  for (name in c("normal", "gamma")) {
    truth <- list(normal = dnorm, gamma = function(t) dgamma(t, 5))[[name]]
    t <- with_fixed_seed(1, if (name == "normal") rnorm(3000) else rgamma(3000, 5))
    shape <- fit_shape(t)
    affinity <- integrate(function(x) sqrt(truth(x) * exp(log_linear_density(shape, x))),
      min(t) - 3, max(t) + 3, subdivisions = 1000
    )$value
    # a few parameters' worth: df / (8 n), twice over
    expect_lte(1 - affinity, 10 / 3000)
  }
})
