test_that("the evidence is the mean weight, its error that of the mean", {
  log_weights <- with_fixed_seed(1, rnorm(500, sd = 0.3))
  w <- exp(log_weights)
  evidence <- log_evidence(log_weights)
  expect_equal(evidence[["estimate"]], log(mean(w)))
  expect_equal(evidence[["se"]], sd(w) / mean(w) / sqrt(500))
  # neither overflows
  moved <- log_evidence(log_weights + 1e4)
  expect_equal(moved, evidence + c(1e4, 0))
})

test_that("the effective size is between one and all", {
  expect_equal(effective_size(rep(0.3, 7)), 7)
  expect_equal(effective_size(c(1, 0, 0)), 1)
  expect_equal(effective_size(c(1, 1, 0)), 2)
})

test_that("weights are those of the draws", {
  fit <- fit_vi(bounded_target(), 3)
  x <- fit$importance$draws
  expect_identical(dim(x), c(300L, 2L))
  expect_close(
    fit$importance$log_weights, bounded_target()$log_density(x) - predict(fit, x, log = TRUE),
    tolerance = 1e-9, floor = 1
  )
  w <- exp(fit$importance$log_weights)
  expect_equal(fit$ess, sum(w)^2 / sum(w^2))
  expect_equal(fit$log_evidence, log_evidence(fit$importance$log_weights))
})

test_that("Pareto smoothing is loo's", {
  skip_if_not_installed("loo")
  log_weights <- with_fixed_seed(1, rt(1000, 3))
  smoothed <- smoothed_weights(log_weights)
  expected <- suppressWarnings(loo::psis(log_weights, r_eff = NA))
  expect_equal(smoothed$k, expected$diagnostics$pareto_k)
  expect_equal(
    smoothed$log_weights, as.vector(weights(expected, normalize = FALSE)),
    tolerance = 1e-12
  )
  expect_equal(pareto_k(log_weights), smoothed$k)
})

test_that("weights that do not differ have no tail", {
  log_weights <- 3 + with_fixed_seed(1, runif(300, 0, 1e-9))
  expect_identical(smoothed_weights(log_weights), list(log_weights = log_weights, k = -Inf))
})

test_that("weights of zero stay zero beside those that are smoothed", {
  skip_if_not_installed("loo")
  log_weights <- with_fixed_seed(1, rnorm(500))
  expected <- smoothed_weights(log_weights)
  smoothed <- smoothed_weights(c(-Inf, log_weights, -Inf))
  expect_identical(smoothed$log_weights, c(-Inf, expected$log_weights, -Inf))
  expect_identical(smoothed$k, expected$k)
})

test_that("a target that is zero where a draw falls leaves a fit with its diagnostics", {
  # that neither steps nor evaluations meet
  target <- line_target()
  target$log_density <- function(x) {
    value <- line_target()$log_density(x)
    if (nrow(x) == 300) replace(value, 5, -Inf) else value
  }
  fit <- fit_vi(target)
  expect_identical(sum(fit$importance$log_weights == -Inf), 1L)
  expect_lt(fit$ess, 300)
  expect_false(is.na(fit$log_evidence[["estimate"]]))
})

test_that("heavy tails of the target are told by Pareto k", {
  skip_if_not_installed("loo")
  heavy <- list(
    log_density = function(x) dt(x[, 1], 1, log = TRUE),
    gradient = function(x) -2 * x / (1 + x^2), d = 1
  )
  expect_warning(
    fit <- fit_vi(heavy, 1, control = quick_vi_control(steps = 100, draws = 4000), judged = TRUE),
    "The fit should not be trusted: Pareto k of the importance weights is [0-9.]+, above 0.7",
    class = "cwmix_poor_fit"
  )
  expect_gt(fit$pareto_k, 0.7)
})

test_that("modes that are missed are told by the evidence of the search", {
  control <- quick_vi_control(steps = 800, draws = 1000, learning_rate = 0.05, searches = 20)
  expect_warning(
    fit <- fit_vi(ring_target(), 1, control = control, judged = TRUE), "it misses a mode",
    class = "cwmix_poor_fit"
  )
  expect_lt(fit$log_evidence[["estimate"]], -0.5)
  expect_lt(abs(fit$search_evidence[["estimate"]]), 0.2)
})

test_that("few effective draws are told", {
  narrow <- list(
    log_density = function(x) rowSums(dnorm(x, 0, 1e-3, log = TRUE)),
    gradient = function(x) -x / 1e-6, d = 2
  )
  expect_warning(
    fit <- fit_vi(narrow, 1,
      start = cwmix_model(t(c(0, 0)), sd = t(c(1, 1)), classifier = 1),
      control = quick_vi_control(steps = 0), judged = TRUE
    ),
    "the effective sample size is [12] of 300 draws",
    class = "cwmix_poor_fit"
  )
  expect_lt(fit$ess, 3)
})

test_that("a good fit is not warned of", {
  expect_silent(fit <- fit_vi(bounded_target(), 3, judged = TRUE))
  expect_identical(poor_fit(fit), NULL)
})

test_that("resampling takes every position as often as its weight says, within two", {
  weights <- c(0, with_fixed_seed(1, rexp(1000)^3), 0)
  expected <- length(weights) * weights / sum(weights)
  counts <- with_fixed_seed(2, replicate(200, tabulate(resampled(weights), length(weights))))
  expect_identical(unique(colSums(counts)), 1002)
  expect_lt(max(abs(counts - expected)), 2)
  # unbiased: the variance of a count is at most 1/2
  expect_lt(max(abs(rowMeans(counts) - expected)), 4.5 * sqrt(0.5 / ncol(counts)))
  expect_identical(unique(as.vector(counts[weights == 0, ])), 0L)
})

test_that("draws for posterior are resampled, with the target's moments", {
  skip_if_not_installed("posterior")
  # a fit that is wider than the target: the weights matter
  start <- cwmix_model(t(c(0, 0)), sd = t(c(3, 3)), classifier = 1)
  fit <- fit_vi(normal_target(), 1,
    start = start, names = c("a", "b"), control = quick_vi_control(steps = 0, draws = 20000)
  )
  draws <- with_fixed_seed(1, posterior::as_draws_df(fit))
  expect_s3_class(draws, "draws_df")
  expect_identical(posterior::variables(draws), c("a", "b"))
  expect_identical(posterior::ndraws(draws), 20000L)
  # weights leave about 2000 draws: four standard errors
  expect_close(
    c(mean(draws$a), mean(draws$b)), c(1, -2),
    tolerance = 0.2, floor = 1
  )
  expect_equal(cov(cbind(draws$a, draws$b)), normal_covariance(), tolerance = 0.05)
  # a row is one of the fit's draws
  rows <- paste(draws$a, draws$b)
  all_rows <- paste(fit$importance$draws[, 1], fit$importance$draws[, 2])
  expect_identical(setdiff(rows, all_rows), character())
  expect_lt(length(unique(rows)), 20000)
  expect_identical(with_fixed_seed(1, posterior::as_draws(fit)), draws)
})

test_that("or all of them with smoothed log weights", {
  skip_if_not_installed("posterior")
  skip_if_not_installed("loo")
  fit <- fit_vi(bounded_target(), 2)
  draws <- posterior::as_draws_df(fit, log_weights = TRUE)
  expect_identical(posterior::variables(draws), c("x1", "x2"))
  expect_equal(cbind(draws$x1, draws$x2), unname(fit$importance$draws), ignore_attr = TRUE)
  smoothed <- smoothed_weights(fit$importance$log_weights)$log_weights
  expect_equal(weights(draws, log = TRUE, normalize = FALSE), smoothed, ignore_attr = TRUE)
  w <- weights(draws)
  expect_equal(sum(w), 1)
  expect_equal(sum(w * draws$x1), 1.5, tolerance = 0.1)
})

test_that("bad arguments of draws are refused", {
  skip_if_not_installed("posterior")
  fit <- fit_vi(line_target())
  for (flag in list(NA, 1, "yes", NULL)) {
    expect_error(
      posterior::as_draws_df(fit, log_weights = flag), "`log_weights` must be TRUE or FALSE",
      class = "cwmix_input_error"
    )
  }
  expect_error(posterior::as_draws_df(fit, n = 3), "argument `n`", class = "cwmix_input_error")
})
