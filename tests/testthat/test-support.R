test_that("to the working scale and back is where one came from", {
  y <- matrix(c(seq(-30, 30, by = 0.5), 0))
  for (support in example_supports()) {
    if (support[1, 1] > 1e5) next # the grid of doubles is too coarse there
    there <- to_working(from_working(y, support), support)
    # near a bound x keeps only what the spacing of doubles there allows: compare where it is fine
    fine <- abs(y) < 8
    expect_equal(there$y[fine], y[fine], tolerance = 1e-11)
    expect_true(all(there$inside[fine]))
  }
})

test_that("from the working scale and back is where one came from", {
  for (support in example_supports()) {
    width <- if (all(is.finite(support))) diff(as.vector(support)) else 10
    from <- if (is.finite(support[1])) support[1] else support[2] - width
    x <- matrix(from + width * seq(0.01, 0.99, by = 0.01))
    expect_equal(from_working(to_working(x, support)$y, support), x, tolerance = 1e-14)
  }
})

test_that("the Jacobian is the derivative of the transform", {
  for (support in example_supports()[1:5]) {
    x <- from_working(matrix(seq(-3, 3, by = 0.25)), support)
    h <- 1e-5 * pmin(abs(x - support[1]), abs(support[2] - x))
    slope <- (to_working(x + h, support)$y - to_working(x - h, support)$y) / (2 * h)
    expect_equal(exp(to_working(x, support)$log_jacobian), as.vector(slope), tolerance = 1e-8)
  }
})

test_that("the slope of the way to the data's scale is its derivative", {
  for (support in example_supports()[1:5]) {
    y <- matrix(seq(-3, 3, by = 0.25))
    x <- from_working(y, support)
    h <- 1e-5
    slope <- (from_working(y + h, support) - from_working(y - h, support)) / (2 * h)
    expect_equal(inside_slope(x, support), slope, tolerance = 1e-9)
    # and the reciprocal of the Jacobian the other way
    expect_equal(
      log(inside_slope(x, support)[, 1]), -to_working(x, support)$log_jacobian,
      tolerance = 1e-12
    )
  }
  support <- rbind(c(0, Inf), c(-Inf, Inf), c(0, 1), c(-Inf, 2))
  x <- rbind(c(0.5, -1, 0.2, -8), c(2, 3, 0.9, 1))
  expect_equal(
    inside_slope(x, support), cbind(x[, 1], 1, x[, 3] * (1 - x[, 3]), 2 - x[, 4]),
    tolerance = 1e-15
  )
  # a width whose square is no number
  expect_equal(inside_slope(matrix(1e200), bounds(0, 4e200)), matrix(0.75e200), tolerance = 1e-14)
})

test_that("columns are transformed one by one and their Jacobians multiply", {
  support <- rbind(c(0, Inf), c(-Inf, Inf), c(0, 1))
  x <- matrix(c(0.5, 2, -1, 3, 0.2, 0.9), 2)
  working <- to_working(x, support)
  expect_equal(working$y, cbind(log(x[, 1]), x[, 2], qlogis(x[, 3])), tolerance = 1e-15)
  expect_equal(
    working$log_jacobian, -log(x[, 1]) - log(x[, 3] * (1 - x[, 3])),
    tolerance = 1e-15
  )
})

test_that("a lognormal and a logit-normal are what they should be", {
  x <- c(1e-8, 0.1, 1, 3, 1e8)
  model <- cwmix_model(0.3, sd = 0.8, classifier = 1, support = c(0, Inf))
  expect_equal(predict(model, x, log = TRUE), dlnorm(x, 0.3, 0.8, log = TRUE), tolerance = 1e-12)
  u <- c(1e-8, 0.3, 0.5, 0.999)
  model <- cwmix_model(0.3, sd = 0.8, classifier = 1, support = c(0, 1))
  expect_equal(
    predict(model, u, log = TRUE), dnorm(qlogis(u), 0.3, 0.8, log = TRUE) - log(u) - log1p(-u),
    tolerance = 1e-9 # 1 - u loses digits before the logarithm sees it
  )
  # mirrored: the support (-Inf, 0) of -x
  model <- cwmix_model(-0.3, sd = 0.8, classifier = 1, support = c(-Inf, 0))
  expect_equal(predict(model, -x, log = TRUE), dlnorm(x, 0.3, 0.8, log = TRUE), tolerance = 1e-12)
})

test_that("there is no mass on the bounds or outside", {
  for (support in example_supports()) {
    model <- bounded_model(support)
    finite <- support[is.finite(support)]
    outside <- c(finite, support[1] - c(1e-9, 1, 1e10, Inf), support[2] + c(1e-9, 1, 1e10, Inf))
    outside <- outside[!is.nan(outside) & (outside <= support[1] | outside >= support[2])]
    expect_identical(predict(model, outside), double(length(outside)))
    expect_identical(predict(model, outside, log = TRUE), rep(-Inf, length(outside)))
    expect_identical(predict(model, outside, type = "class"), rep(NA_integer_, length(outside)))
    expect_true(all(is.na(predict(model, outside, type = "posterior"))))
    expect_true(all(is.na(residuals(model, outside))))
    expect_identical(log_likelihood(model, outside), -Inf)
  }
})

test_that("a missing value stays missing next to one that lies outside", {
  model <- cwmix_model(
    matrix(0, 1, 2),
    sd = matrix(1, 1, 2), classifier = 1, support = list(c(0, 1), NULL)
  )
  x <- rbind(c(0.5, NA), c(NA, 0), c(2, NA), c(2, 0), c(0.5, Inf))
  expect_identical(predict(model, x), c(NA, NA, NA, 0, 0))
})

test_that("bounded densities integrate to one, constant weights or a network", {
  for (support in example_supports()) {
    for (classifier in list(c(0.3, 0.7), small_network())) {
      model <- bounded_model(support, classifier)
      # on the working scale, where the integrand is smooth; steep ends on the data's
      mass <- integrate(function(y) {
        x <- from_working(matrix(y), support)
        working <- to_working(x, support)
        predict(model, as.vector(x)) / exp(working$log_jacobian)
      }, -8, 8, rel.tol = 1e-9, subdivisions = 500)$value
      # wide supports: the spacing of doubles around 1e6 is 1e-10
      expect_equal(mass, 1, tolerance = 1e-6)
    }
  }
  # and straight on the data's scale
  model <- bounded_model(c(0, 1), small_network())
  expect_equal(integrate(predict, 0, 1, object = model)$value, 1, tolerance = 1e-4)
  model <- bounded_model(c(0, Inf), small_network())
  expect_equal(integrate(predict, 0, Inf, object = model)$value, 1, tolerance = 1e-4)
})

test_that("draws lie strictly inside, however steep the ends", {
  for (support in example_supports()) {
    for (sd in c(0.5, 40)) {
      model <- cwmix_model(
        c(-0.7, 0.8), sd = c(sd, sd), classifier = c(0.3, 0.7), support = support
      )
      x <- simulate(model, 2000, seed = 1)
      inside <- x > support[1] & x < support[2]
      expect_identical(sum(!inside), 0L, info = paste(toString(support), sd))
    }
  }
})

test_that("a fit's parameters are those of the logs and logits", {
  x <- with_fixed_seed(1, data.frame(a = rexp(200), b = rnorm(200), c = runif(200)))
  support <- list(a = c(0, Inf), c = c(0, 1))
  y <- data.frame(a = log(x$a), b = x$b, c = qlogis(x$c))
  for (covariance in c("diagonal", "full")) {
    bounded <- without_degenerate(
      fit_mixture(x, 3, covariance = covariance, support = support, seed = 2)
    )
    free <- without_degenerate(fit_mixture(y, 3, covariance = covariance, seed = 2))
    # the same problem up to the last digit of the transforms
    expect_equal(coef(bounded), coef(free), tolerance = 1e-8)
    jacobian <- -sum(y$a) - sum(log(x$c) + log1p(-x$c))
    expect_equal(bounded$log_likelihood, free$log_likelihood + jacobian, tolerance = 1e-10)
    expect_equal(
      bounded$trace$log_likelihood[nrow(bounded$trace)], bounded$log_likelihood / 200,
      tolerance = 1e-10
    )
  }
})

test_that("one pair serves every column, lists go by position or by name", {
  x <- with_fixed_seed(1, data.frame(a = rexp(30), b = rexp(30)))
  fit <- function(support) {
    without_degenerate(fit_mixture(x, 2, support = support, seed = 2))$frame$support
  }
  both <- matrix(c(0, 0, Inf, Inf), 2, dimnames = list(NULL, c("lower", "upper")))
  second <- matrix(c(-Inf, 0, Inf, Inf), 2, dimnames = dimnames(both))
  expect_identical(fit(c(0, Inf)), both)
  expect_identical(fit(list(c(0, Inf), c(0, Inf))), both)
  expect_identical(fit(list(b = c(0, Inf), a = c(0, Inf))), both)
  expect_identical(fit(list(b = c(0, Inf))), second)
  expect_identical(fit(list(NULL, c(0, Inf))), second)
  expect_identical(fit(NULL), matrix(c(-Inf, -Inf, Inf, Inf), 2, dimnames = dimnames(both)))
})

test_that("training points on a bound are an error that names the point", {
  expect_snapshot(error = TRUE, {
    gaussian_mixture(c(0, 0.5, 0.7), K = 1, support = c(0, Inf))
    gaussian_mixture(data.frame(a = 1:3, b = c(0.2, 1, 0.5)), K = 1, support = list(b = c(0, 1)))
  })
})

test_that("the gradient under bounds is that of the working scale", {
  model <- bounded_model(c(0, 1), small_network())
  x <- c(0.1, 0.5, 0.97)
  free <- cwmix_model(model$mean, sd = model$sd, classifier = model$classifier)
  bounded <- log_likelihood(model, x, gradient = TRUE)
  unbounded <- log_likelihood(free, qlogis(x), gradient = TRUE)
  expect_equal(attr(bounded, "gradient"), attr(unbounded, "gradient"), tolerance = 1e-12)
  expect_equal(
    as.vector(bounded), as.vector(unbounded) - sum(log(x) + log1p(-x)),
    tolerance = 1e-12
  )
})

test_that("the log slope of the way to the data's scale is its logarithm", {
  support <- rbind(c(0, Inf), c(-Inf, Inf), c(0, 1), c(-Inf, 2))
  x <- rbind(c(0.5, -1, 0.2, -8), c(2, 3, 0.9, 1))
  working <- to_working(x, support)
  expect_equal(log_inside_slope(working$y, support), rowSums(log(inside_slope(x, support))))
  expect_equal(log_inside_slope(working$y, support), -working$log_jacobian, tolerance = 1e-14)
  # so close to a bound that the point itself says nothing
  expect_equal(log_inside_slope(matrix(c(-40, 40)), bounds(0, 1)), c(-40, -40))
  # of no bounded column
  expect_identical(log_inside_slope(x[, 2, drop = FALSE], bounds(-Inf, Inf)), c(0, 0))
})

test_that("its gradient is the derivative", {
  for (support in example_supports()[1:5]) {
    y <- seq(-3, 3, by = 0.25)
    along <- function(y) sum(log_inside_slope(matrix(y), support))
    expect_close(
      log_inside_slope_gradient(matrix(y), support), matrix(finite_difference(along, y)),
      tolerance = 1e-9, floor = 1
    )
  }
  support <- rbind(c(0, Inf), c(-Inf, Inf), c(0, 1), c(-Inf, 2))
  x <- rbind(c(0.5, -1, 0.2, -8), c(2, 3, 0.9, 1))
  y <- to_working(x, support)$y
  expect_equal(
    log_inside_slope_gradient(y, support), cbind(1, 0, 1 - 2 * x[, 3], c(-1, -1)),
    ignore_attr = TRUE
  )
})

test_that("values on a bound count as a little inside", {
  insets <- function(x, lower = 0, upper = Inf, steps = NULL) {
    support <- matrix(c(lower, upper), 1, dimnames = list(NULL, c("lower", "upper")))
    bound_insets(cbind(x), support, steps)
  }
  expect_identical(insets(rep(0:4, 3)), matrix(c(0.01, 0), 1))
  expect_identical(insets(rep(0:4, 3), 0, 4), matrix(0.01, 1, 2))
  expect_identical(insets(rep(0:4, 3), -1, 4), matrix(c(0, 0.01), 1))
  expect_null(insets(1:4))
  expect_null(insets(rep(0:4, 3), -Inf))
  # without a grid half of what the next values lie apart
  x <- c(0, 0, 0.3, 0.4, pi / 7, 0.63)
  expect_equal(insets(x)[1], median(diff(unique(x))) / 2)
  # few and far values next to a bound say nothing of it
  amounts <- c(rep(0, 40), 10 + 1:5, 20 + with_fixed_seed(1, runif(100)))
  expect_lt(insets(amounts)[1], 0.02)
  # a grid of nearly all rows, or one that is given
  expect_equal(insets(c(rep(0:4, 50), 0.123))[1], 0.01)
  expect_equal(insets(x, steps = 0.5)[1], 0.005)
  expect_null(insets(c(0, 0, 0)))
  frame <- list(
    support = rbind(c(0, 1), c(-Inf, Inf)), inset = rbind(c(0.1, 0.2), c(0, 0))
  )
  x <- cbind(c(0, 0.05, 1, -1, NA), 0)
  expect_identical(move_inside(x, frame), cbind(c(0.1, 0.05, 0.8, -1, NA), 0))
})

test_that("a fit in cells takes values on closed bounds, and has a density there", {
  x <- with_fixed_seed(1, rbinom(200, 10, 0.1))
  for (fit in list(fit_stack(x, support = c(0, 10)), fit_network(x, support = c(0, 10)))) {
    expect_identical(fit$frame$inset, matrix(c(0.01, 0), 1))
    expect_identical(predict(fit, 0), predict(fit, 0.01))
    expect_gt(predict(fit, 0), 0)
    # no value stood on the other bound, and outside there is nothing
    expect_identical(predict(fit, c(10, -0.1, 10.1)), c(0, 0, 0))
    expect_true(all(is.finite(residuals(fit, x))))
    expect_true(is.finite(fit$log_likelihood))
    expect_equal(fit$log_likelihood, sum(predict(fit, x, log = TRUE)))
    draws <- simulate(fit, 200, seed = 1)
    expect_gt(min(draws), 0)
    expect_lt(max(draws), 10)
    expect_equal(pcwmix(c(0, 10), fit), c(0, 1))
    expect_equal(pcwmix(0.5, fit), mean(x == 0), tolerance = 0.1)
  }
  # a mixture that takes values as they stand has none
  expect_error(
    gaussian_mixture(x, K = 2, support = c(0, 10)), "strictly inside",
    class = "cwmix_input_error"
  )
})

test_that("insets that are none are refused", {
  fit <- fit_stack(rep(0:4, 10), support = c(0, Inf))
  expect_silent(validate_frame(fit$frame))
  bad <- list(
    matrix(c(-0.1, 0), 1), matrix(c(NA, 0), 1), matrix(c(Inf, 0), 1), matrix(c(0.25, 0.25), 1),
    c(0.25, 0), matrix(0, 2, 2), "a", matrix(c(1L, 0L), 1), list(1)
  )
  for (inset in bad) {
    broken <- fit
    broken$frame$inset <- inset
    expect_error(
      predict(broken, 1), "`frame\\$inset` are no distances inside its bounds",
      class = "cwmix_input_error"
    )
  }
  narrow <- fit_stack(rep(0:4, 10), support = c(0, 4))$frame
  narrow$inset[1] <- 4
  expect_error(validate_frame(narrow), class = "cwmix_invalid")
})
