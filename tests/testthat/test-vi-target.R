test_that("the log density on the working scale has the Jacobian", {
  target <- vi_task_of(bounded_target(), make_parameters(2, 1))$target
  y <- make_points(9, 2)
  x <- cbind(exp(y[, 1]), plogis(y[, 2]))
  expect_close(
    target_log_density(target, y),
    bounded_target()$log_density(x) + log(x[, 1] * x[, 2] * (1 - x[, 2])),
    tolerance = 1e-12, floor = 1
  )
})

test_that("its gradient is the derivative, given or by differences", {
  for (target in list(banana_target(), bounded_target(), normal_target())) {
    y <- make_points(9, 2) / 2
    given <- vi_task_of(target, make_parameters(2, 1))$target
    slopes <- target_gradient(given, y)
    for (i in seq_len(nrow(y))) {
      along <- function(at) target_log_density(given, matrix(at, 1))
      expect_close(slopes[i, ], finite_difference(along, y[i, ]), tolerance = 1e-7, floor = 1)
    }
    given["gradient"] <- list(NULL)
    expect_close(target_gradient(given, y), slopes, tolerance = 1e-7, floor = 1)
  }
})

test_that("functions are never called with one row", {
  for (target in list(line_target(), banana_target())) {
    value <- counting_rows(target$log_density)
    slope <- counting_rows(target$gradient)
    for (gradient in list(slope$f, NULL)) {
      suppressMessages(fit_vi(list(log_density = value$f, d = target$d), gradient = gradient))
    }
    expect_identical(c(value$fewest(), slope$fewest()), c(2, 2))
  }
})

test_that("values may come as a vector, a column, a row or integers", {
  expected <- coef(fit_vi(line_target()))
  shapes <- list(matrix, function(value) matrix(value, 1), function(value) c(a = value))
  for (shape in shapes) {
    target <- line_target()
    target$log_density <- function(x) shape(line_target()$log_density(x))
    target$gradient <- function(x) as.vector(line_target()$gradient(x))
    expect_identical(coef(fit_vi(target)), expected)
  }
  flat <- list(log_density = function(x) integer(nrow(x)), gradient = function(x) 0L * x, d = 1)
  flat$support <- c(0, 1)
  flat$gradient <- function(x) matrix(0L, nrow(x), ncol(x))
  # of 300 draws
  expect_lt(abs(fit_vi(flat, 3)$log_evidence[["estimate"]]), 0.05)
})

test_that("points have the names that were given", {
  named <- function(x) {
    expect_identical(colnames(x), c("rate", "share"))
    bounded_target()$log_density(x)
  }
  slope <- function(x) {
    expect_identical(colnames(x), c("rate", "share"))
    bounded_target()$gradient(x)
  }
  target <- bounded_target()
  target$log_density <- named
  target$gradient <- slope
  target$support <- list(share = c(0, 1), rate = c(0, Inf))
  fit <- fit_vi(target, names = c("rate", "share"))
  expect_identical(colnames(simulate(fit, 2)), c("rate", "share"))
  expect_identical(colnames(fit$importance$draws), c("rate", "share"))
  expect_equal(fit$frame$support, rbind(c(0, Inf), c(0, 1)), ignore_attr = "dimnames")
})

test_that("without a gradient there is a message, and nearly the same fit", {
  control <- quick_vi_control(exact = TRUE)
  expect_message(
    fit <- fit_vi(line_target(), gradient = NULL, control = control),
    "gradient of `log_density` is computed by central differences",
    class = "cwmix_differences_message"
  )
  expect_close(
    unlist(coef(fit)), unlist(coef(fit_vi(line_target(), control = control))),
    tolerance = 1e-3, floor = 1
  )
})

test_that("a wrong gradient is told with the point and both numbers", {
  target <- banana_target()
  target$gradient <- function(x) 2 * banana_target()$gradient(x)
  expect_error(
    fit_vi(target), "at the point \\([-0-9., ]+\\) its element 1 is [-0-9.]+, not [-0-9.]+\\.$",
    class = "cwmix_input_error"
  )
  # in bounded columns the numbers are those of the columns
  bounded <- bounded_target()
  bounded$gradient <- function(x) bounded_target()$gradient(x) + rep(c(100, 0), each = nrow(x))
  error <- tryCatch(fit_vi(bounded), cwmix_input_error = conditionMessage)
  found <- regmatches(error, regexec("is ([-0-9.e+]+), not ([-0-9.e+]+)\\.$", error))
  numbers <- as.numeric(found[[1]][-1])
  expect_equal(numbers[1] - numbers[2], 100, tolerance = 1e-3)
})

test_that("a gradient that is wrong at a kink does no harm", {
  laplace <- list(log_density = function(x) -abs(x[, 1]), gradient = function(x) -sign(x), d = 1)
  expect_s3_class(fit_vi(laplace, 3), "cwmix_vi")
})

test_that("a density of zero within the fit's reach is told", {
  exponential <- list(log_density = function(x) dexp(x[, 1], log = TRUE), d = 1)
  exponential$gradient <- function(x) ifelse(x > 0, -1, 0)
  expect_error(
    fit_vi(exponential, 3), "finite wherever the fit has mass.*Columns with bounds need `support`",
    class = "cwmix_input_error"
  )
  fit <- fit_vi(c(exponential, list(support = c(0, Inf))), 3)
  expect_equal(fit$log_evidence[["estimate"]], 0, tolerance = 0.02)
})

test_that("an error deep in training is the user's own, of his call", {
  calls <- 0
  at <- Inf
  target <- line_target()
  target$log_density <- function(x) {
    calls <<- calls + 1
    if (calls == at) stop("no more")
    line_target()$log_density(x)
  }
  fit_vi(target)
  # the search, a step, an evaluation, the importance sampling
  for (at in calls - c(calls - 5, 10, 1, 0)) {
    calls <- 0
    error <- tryCatch(fit_vi(target), error = identity)
    expect_s3_class(error, "cwmix_input_error")
    expect_match(conditionMessage(error), "`log_density`.*failed: no more\\.$")
    expect_identical(conditionCall(error)[[1]], quote(cwmix_vi))
  }
})

test_that("a right gradient passes where columns differ much in scale", {
  sd <- c(1e-6, 5)
  log_density <- function(x) rowSums(stats::dnorm(x, sd = rep(sd, each = nrow(x)), log = TRUE))
  gradient <- function(x) -x / rep(sd^2, each = nrow(x))
  target <- list(log_density = log_density, gradient = gradient, d = 2)
  fit <- fit_vi(target, 1, control = quick_vi_control(steps = 100), covariance = "full")
  expect_equal(sqrt(diag(vcov(fit))), sd, tolerance = 0.1, ignore_attr = TRUE)
})
