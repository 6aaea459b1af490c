# The total of each W_k by R's adaptive quadrature between points where the weights change.
reference_totals <- function(w, between) {
  between <- sort(unique(c(-38, between, 38)))
  rowSums(mapply(function(a, b) {
    vapply(seq_len(ncol(w(matrix(0)))), function(k) {
      integrate(function(z) w(matrix(z))[, k] * dnorm(z), a, b, rel.tol = 1e-11, abs.tol = 0)$value
    }, 0)
  }, between[-length(between)], between[-1]))
}

totals <- function(model) {
  below <- weight_integrals(model$classifier)$below
  exp(below[nrow(below), ])
}

# Two tanh units of the given steepness, 2e-4 apart: weight 1 is close to one between them.
spike <- function(steepness, at = 0.3137) {
  cwmix_classifier(
    list(matrix(c(steepness, steepness)), matrix(c(5, -5, -5, 5), 2)),
    list(-steepness * (at + c(-1e-4, 1e-4)), c(-4, 4)), "tanh"
  )
}

test_that("the rule integrates polynomials up to degree 17 exactly", {
  for (degree in 0:17) {
    integral <- if (degree %% 2 == 0) 2 / (degree + 1) else 0
    expect_equal(sum(lobatto$weight * lobatto$node^degree), integral, tolerance = 1e-14)
  }
})

test_that("a jump is integrated to 1e-10 without a warning, wherever it is", {
  set.seed(1)
  for (at in c(0, 0.25, 1 / 3, runif(30, -4, 4))) {
    jump <- function(z) cbind(z <= at, z > at) + 0
    model <- cwmix_model(c(0, 1), sd = c(1, 1), classifier = jump)
    expect_silent(total <- totals(model)[1])
    expect_lt(abs(total - pnorm(at)), 1e-10)
  }
})

test_that("a spike of a steep network is integrated to 1e-10 without a warning", {
  for (steepness in c(10, 1e3, 1e5, 1e6)) {
    for (at in c(-1.7, 0, 0.3137)) {
      classifier <- spike(steepness, at)
      model <- cwmix_model(c(0, 10), sd = c(1, 1), classifier = classifier)
      expect_silent(total <- totals(model))
      widths <- c(1e-4, 10^seq(-3, 1, by = 0.5))
      between <- at + c(0, -widths, widths, 1e-4 + c(-1, 1) * 20 / steepness)
      truth <- reference_totals(function(z) predict(classifier, z), between)
      expect_lt(max(abs(total - truth)), 1e-10)
    }
  }
})

test_that("steep networks of every activation are integrated to 1e-9 without a warning", {
  for (activation in c("tanh", "relu", "silu")) {
    set.seed(3)
    layers <- list(matrix(rnorm(30, 0, 20)), matrix(rnorm(600), 20), matrix(rnorm(60), 3))
    classifier <- cwmix_classifier(layers, list(rnorm(30, 0, 20), rnorm(20), rnorm(3)), activation)
    model <- cwmix_model(c(0, 1, 2), sd = c(1, 1, 1), classifier = classifier)
    expect_silent(total <- totals(model))
    # 40,000 short intervals, none of them chosen by the weights.
    edges <- seq(-9, 9, length.out = 40001)
    direct <- log_integrals(classifier, edges[-40001], edges[-1])
    expect_lt(max(abs(total - colSums(exp(direct)))), 1e-9)
  }
})

test_that("narrow bumps of an R function are found", {
  for (at in c(-2.99, -1.7, -0.002, 0.3137, 1.71, 3.2)) {
    width <- if (abs(at) < 2) 1e-4 else 3e-4
    jump <- function(z) {
      w <- 0.9 * (abs(z[, 1] - at) < width)
      cbind(w, 1 - w)
    }
    smooth <- function(z) {
      w <- 0.9 * exp(-0.5 * ((z[, 1] - at) / width)^2)
      cbind(w, 1 - w)
    }
    model <- function(classifier) cwmix_model(c(0, 1), sd = c(1, 1), classifier = classifier)
    expect_silent(total <- totals(model(jump))[1])
    expect_lt(abs(total - 0.9 * diff(pnorm(at + c(-1, 1) * width))), 1e-11)
    # exp(-(z - at)^2 / (2 width^2)) phi(z) integrates to a normal density
    expect_silent(total <- totals(model(smooth))[1])
    truth <- 0.9 * width * sqrt(2 * pi) * dnorm(at, 0, sqrt(1 + width^2))
    expect_lt(abs(total - truth), 1e-11)
  }
})

test_that("a classifier without an integral ends in a warning, soon", {
  noise <- function(z) {
    w <- (sin(1e15 * z[, 1]) + 1) / 2
    cbind(w, 1 - w)
  }
  model <- cwmix_model(c(0, 1), sd = c(1, 1), classifier = noise)
  expect_warning(weight_integrals(model$classifier), class = "cwmix_quadrature_warning")
})

test_that("the slope of log odds is bounded over an interval, and closely over a short one", {
  for (activation in c("tanh", "relu", "silu")) {
    set.seed(1)
    layers <- list(matrix(rnorm(8, 0, 3)), matrix(rnorm(48), 6), matrix(rnorm(24), 4))
    # The bias of -Inf rules a component out.
    biases <- list(rnorm(8), rnorm(6), c(rnorm(3), -Inf))
    classifier <- cwmix_classifier(layers, biases, activation)
    for (width in c(2, 0.1, 1e-5)) {
      a <- runif(200, -4, 4)
      bound <- odds_slope(classifier, a, a + width)
      steepest <- vapply(a, function(from) {
        z <- seq(from, from + width, length.out = 101)
        log_weight <- predict(classifier, z, log = TRUE)[, 1:3]
        log_weight[log_weight < -35] <- NA
        odds <- log_weight[, c(1, 1, 2)] - log_weight[, c(2, 3, 3)]
        max(0, abs(diff(odds)), na.rm = TRUE) * 100 / width
      }, 0)
      # Differences of log odds near 10 over steps of 1e-7 have some 1e-8 of rounding.
      expect_lt(max(steepest / bound), 1 + 1e-6)
      if (width == 1e-5) expect_lt(median((bound / steepest)[steepest > 0]), 1.01)
    }
  }
  expect_identical(odds_slope(constant_classifier(c(0.5, 0.5)), c(0, 1), c(1, 2)), c(0, 0))
})

test_that("slopes of activations lie in their range", {
  set.seed(1)
  u <- rnorm(300, 0, 3)
  radius <- rexp(300)
  for (activation in c("tanh", "relu", "silu")) {
    range <- slope_range(activation, u, radius)
    at <- u + radius * runif(300, -1, 1)
    slope <- (activate(activation, at + 1e-6) - activate(activation, at - 1e-6)) / 2e-6
    expect_lt(max(range$low - slope, slope - range$high), 1e-8)
  }
})

test_that("integrals over far half-lines are those of pnorm(), times the weights", {
  t <- c(-1e6, -1000, -50, -37, 37, 60, 1e5)
  log_tail <- pnorm(-abs(t), log.p = TRUE)
  constant <- constant_classifier(c(0.25, 0.75))
  expect_equal(far_integrals(constant, t), log_tail + rep(log(c(0.25, 0.75)), each = 7),
    tolerance = 1e-13, ignore_attr = TRUE
  )
  # w_1 = exp(10 z) / (1 + exp(10 z)) is exp(10 z) there: the normal density moves by 10
  switching <- cwmix_classifier(list(matrix(c(10, 0))), list(c(0, 0)))
  t <- c(-1000, -50, -37)
  moved <- pnorm(t - 10, log.p = TRUE) + 50
  expect_equal(far_integrals(switching, t)[, 1], moved, tolerance = 1e-13)
})

test_that("sums of logarithms are those of their exponentials", {
  x <- rbind(c(-1, -Inf), c(-800, -Inf), c(0.5, -3), c(-2, 700), c(-Inf, 1))
  cumulated <- apply(exp(x), 2, cumsum)
  expect_equal(exp(log_cumulate(x)), cumulated, tolerance = 1e-12)
  expect_equal(exp(log_column_sums(x)), colSums(exp(x)), tolerance = 1e-12)
  expect_identical(log_add(c(-Inf, -Inf, -1e4), c(-Inf, 0, -1e5)), c(-Inf, 0, -1e4))
  complements <- c(log(1e-20), log1p(-exp(-1)), -exp(-50), 0)
  expect_equal(log_complement(c(-1e-20, -1, -50, -1e3)), complements)
})
