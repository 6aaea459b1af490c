# What fits without K are for: data as they come, with ties, in many columns, with errors.

test_that("a share of zeros stays at zero, and the rest is where it was", {
  x <- with_fixed_seed(3, c(rep(0, 400), rexp(100, 1 / 3)))
  fit <- fit_stack(x, folds = 5)
  expect_share(fit, x, -0.1, 0.1, errors = 2.5)
  expect_share(fit, x, 3, Inf, errors = 2.5)
  # no row is there, but one row could be
  expect_lte(pcwmix(-1, fit), 2.5 * sqrt(1 / 500 * (1 - 1 / 500) / 500))
  expect_identical(fit$recorded$atoms, "0")
  expect_match(format(fit), "101 distinct values, rows of their own at 0", all = FALSE)
})

test_that("counts have their mean and their share of zeros", {
  x <- with_fixed_seed(1, rnbinom(400, size = 1.5, mu = 4))
  for (support in list(NULL, c(-0.5, Inf), c(0, Inf))) {
    fit <- fit_stack(x, support = support, folds = 5)
    expect_lte(abs(mean(fit) - mean(x)), 2.5 * sd(x) / 20)
    expect_share(fit, x, -Inf, 0.5, errors = 2.5)
    expect_identical(fit$recorded$spacing, 1)
  }
})

test_that("answers on three levels keep their shares", {
  x <- with_fixed_seed(1, cbind(
    sample(1:3, 300, TRUE, c(0.5, 0.2, 0.3)), sample(c(0, 10), 300, TRUE)
  ))
  fit <- fit_stack(x[, 1])
  for (level in 1:3) expect_share(fit, x[, 1], level - 0.5, level + 0.5, errors = 2.5)
  fit <- fit_stack(x)
  draws <- simulate(fit, 4000, seed = 1)
  for (first in 1:3) {
    for (second in c(0, 10)) {
      share <- mean(x[, 1] == first & x[, 2] == second)
      drawn <- mean(abs(draws[, 1] - first) < 0.5 & abs(draws[, 2] - second) < 5)
      expect_lte(abs(drawn - share), 2.5 * sqrt(share * (1 - share) * (1 / 300 + 1 / 4000)))
    }
  }
})

test_that("rows and weights give identical fits", {
  tables <- tied_tables()
  for (name in names(tables)) {
    table <- tables[[name]]
    weighted <- fit_stack(table$x, weights = table$w, folds = 3)
    repeated <- fit_stack(table$rows, folds = 3)
    for (field in c("members", "shares", "candidates", "held_out", "component_folds")) {
      expect_identical(weighted[[field]], repeated[[field]], info = paste(name, field))
    }
    expect_equal(weighted$log_likelihood, repeated$log_likelihood, info = name)
  }
})

# The mean log density of each row under the normal with the moments of the other folds' rows.
normal_by_folds <- function(x, folds, covariance) {
  mean(vapply(seq_len(nrow(x)), function(i) {
    others <- x[folds != folds[i], ]
    moments <- cov.wt(others, method = "ML")
    S <- if (covariance == "full") moments$cov else diag(diag(moments$cov))
    distance <- mahalanobis(x[i, ], moments$center, S)
    -(distance + as.vector(determinant(2 * pi * S)$modulus)) / 2
  }, 0))
}

test_that("there may be few rows for the columns", {
  wide <- with_fixed_seed(1, matrix(rnorm(40 * 30), 40))
  fit <- fit_stack(wide, folds = 5)
  expect_true(all(is.finite(predict(fit, wide, log = TRUE))))
  # independent columns are better told alone than with all their covariances
  expect_gt(fit$held_out[["score"]], normal_by_folds(wide, fit$row_folds, "diagonal"))
  one <- with_fixed_seed(1, matrix(rnorm(100 * 12), 100))
  fit <- without_degenerate(fit_mixture(one, 1, covariance = "full"))
  expect_equal(fit$mean[1, ], colMeans(one), ignore_attr = TRUE)
  expect_equal(tcrossprod(fit$cholesky[, , 1]), cov(one) * 99 / 100, ignore_attr = TRUE)
  stack <- fit_stack(one, covariance = "full", folds = 5)
  # and these better from little than from nothing
  reference <- normal_by_folds(one, stack$row_folds, "full")
  table <- stack$candidates
  alone <- table$covariance == "full" & table$K == 1 & table$scale == "raw"
  expect_equal(stack$candidates$score[alone], reference)
  expect_gt(stack$held_out[["score"]], reference)
})

test_that("one value far off leaves the rest as it was, with a warning", {
  x <- with_fixed_seed(1, rnorm(300))
  expect_warning(fit <- fit_stack(c(x, 1e6), folds = 5), "row 301", class = "cwmix_far_rows")
  expect_equal(fit$held_out[["score"]], -1.4, tolerance = 0.1)
  inside <- (pcwmix(1, fit) - pcwmix(-1, fit))
  expect_lte(abs(inside - mean(abs(x) < 1)), 2.5 * sqrt(0.22 / 300))
  # what the held-out densities point at
  expect_identical(which.min(predict(fit, c(x, 1e6), log = TRUE, rows = "held-out")), 301L)
})

test_that("nearly collinear columns keep their distance", {
  for (sd in c(1e-2, 1e-4)) {
    x <- with_fixed_seed(1, {
      a <- rnorm(300)
      data.frame(a = a, b = 2.5 * a + rnorm(300, sd = sd))
    })
    fit <- fit_stack(x)
    draws <- simulate(fit, 5000, seed = 1)
    expect_equal(sd(draws$b - 2.5 * draws$a), sd(x$b - 2.5 * x$a), tolerance = 0.1)
  }
})

test_that("one seed gives one fit on tied data, with any number of threads", {
  x <- with_fixed_seed(1, cbind(rpois(600, 3), round(rnorm(600), 1)))
  fit_at <- function(threads) {
    fit_stack(x, control = cwmix_control(folds = 2, threads = threads, em_iterations = 50))
  }
  without_limits({
    one <- fit_at(1)
    two <- fit_at(2)
  })
  expect_identical(fit_at(1), one)
  two$control <- one$control
  two$call <- one$call
  expect_identical(two, one)
})

test_that("saving and loading keeps a fit", {
  file <- tempfile(fileext = ".rds")
  on.exit(unlink(file))
  x <- with_fixed_seed(1, c(rpois(100, 2), 1e6))
  expect_warning(fit <- fit_stack(x), class = "cwmix_far_rows")
  saveRDS(fit, file)
  again <- readRDS(file)
  expect_identical(again, fit)
  expect_silent(validate_density(again, "again", NULL, fit = TRUE))
  expect_identical(predict(again, x, rows = "held-out"), predict(fit, x, rows = "held-out"))
  expect_identical(format(again), format(fit))
})

test_that("an atom on a bound keeps its share among amounts far from it", {
  x <- with_fixed_seed(1, ifelse(runif(400) < 0.4, 0, exp(rnorm(400, 5, 0.6))))
  fit <- fit_stack(x, support = c(0, Inf), folds = 5)
  expect_lte(abs(pcwmix(1, fit) - mean(x == 0)), 0.02)
  expect_lte(abs(pcwmix(150, fit) - mean(x <= 150)), 2.5 * sqrt(0.25 / 400))
})

test_that("one column of usual shapes is near its density", {
  # Half as much again as there is with this seed. A normal with the values' moments is at 0.13 from
  # the exponential, 0.06 from the uniform.
  shapes <- list(
    exponential = list(draw = rexp, density = dexp, quantile = qexp, bound = 0.0022),
    uniform = list(draw = runif, density = dunif, quantile = qunif, bound = 0.006),
    Cauchy = list(draw = rcauchy, density = dcauchy, quantile = qcauchy, bound = 0.0085),
    lognormal = list(draw = rlnorm, density = dlnorm, quantile = qlnorm, bound = 0.001)
  )
  for (name in names(shapes)) {
    one <- shapes[[name]]
    fit <- fit_stack(with_fixed_seed(1, one$draw(500)), folds = 5)
    # 1 - the integral of sqrt(p q), over quantiles of the truth
    p <- (seq_len(4000) - 0.5) / 4000
    x <- one$quantile(p)
    distance <- 1 - mean(sqrt(predict(fit, x) / one$density(x)))
    expect_gt(distance, 0)
    expect_lte(distance, one$bound, label = name)
  }
})

test_that("members behind maps have no mass beyond the ends that were estimated", {
  x <- with_fixed_seed(1, rexp(500))
  fit <- fit_stack(x, folds = 5)
  mapped <- Filter(function(member) !is.null(member$maps), fit$members)
  expect_gt(length(mapped), 0)
  below <- 0
  for (member in mapped) {
    end <- map_range(member$maps[[1]])[1]
    if (end == -Inf) next
    below <- below + 1
    expect_gt(end, -0.05)
    expect_lt(end, min(x))
    expect_identical(predict(member, c(end - 1e-3, end, end - 10)), c(0, 0, 0))
    expect_identical(pcwmix(end, member), 0)
    expect_gt(min(simulate(member, 1000, seed = 1)), end)
  }
  expect_gt(below, 0)
  expect_lte(pcwmix(-0.05, fit), 0.01)
})

test_that("one column has the same bits at one and two threads, and ends at an interrupt", {
  x <- with_fixed_seed(1, rexp(200))
  fit_at <- function(threads) fit_stack(x, control = cwmix_control(folds = 2, threads = threads))
  without_limits({
    one <- fit_at(1)
    two <- fit_at(2)
  })
  two$control <- one$control
  two$call <- one$call
  expect_identical(two, one)
  for (name in c("fit_shape", "mapped_scale", "add_scores")) {
    seen <- catch_conditions(with_interrupt(name, 2, fit_at(1)))
    expect_length(seen$conditions, 1)
    expect_s3_class(seen$conditions[[1]], c("cwmix_interrupted", "warning"))
    expect_lt(nrow(seen$value$candidates), nrow(one$candidates))
    expect_equal(sum(seen$value$candidates$share), 1)
    expect_true(all(is.finite(predict(seen$value, x, log = TRUE))))
  }
})
