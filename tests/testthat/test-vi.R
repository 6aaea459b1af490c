test_that("a normal target is reached exactly by one component, the evidence with it", {
  control <- cwmix_vi_control(steps = 600, draws = 1000, searches = 5)
  fit <- fit_vi(normal_target(), 1, covariance = "full", control = control)
  expect_equal(as.vector(mean(fit)), c(1, -2), tolerance = 1e-3)
  expect_equal(vcov(fit), normal_covariance(), tolerance = 1e-3, ignore_attr = TRUE)
  expect_equal(fit$elbo[["estimate"]], 2.5, tolerance = 1e-6)
  expect_equal(fit$log_evidence[["estimate"]], 2.5, tolerance = 1e-5)
  expect_equal(fit$ess, 1000, tolerance = 1e-4)
})

test_that("with diagonal covariances the closest normal has the conditional variances", {
  # of KL(q || p): 1 / diag(solve(covariance)); the bound is lower by half the log of 1 / (1 - r^2)
  control <- cwmix_vi_control(steps = 600, draws = 1000, searches = 5)
  # tails that are lighter than the target's
  fit <- suppressWarnings(
    fit_vi(normal_target(), 1, control = control),
    classes = "cwmix_poor_fit"
  )
  expect_equal(as.vector(fit$sd)^2, 1 / diag(solve(normal_covariance())), tolerance = 0.01)
  r <- stats::cov2cor(normal_covariance())[1, 2]
  expect_lt(abs(fit$elbo[["estimate"]] - 2.5 - log(1 - r^2) / 2), 4 * fit$elbo[["se"]])
})

test_that("the whole gradient gets there too", {
  control <- cwmix_vi_control(steps = 600, draws = 1000, searches = 5, path = FALSE)
  fit <- fit_vi(line_target(), 1, control = control)
  expect_equal(as.vector(mean(fit)), 3, tolerance = 0.02)
  expect_equal(as.vector(fit$sd), 2, tolerance = 0.02)
})

test_that("the ring's modes all have their mass, and the bound is near the evidence", {
  control <- cwmix_vi_control(steps = 400, draws = 1000, searches = 30)
  expect_no_warning(fit <- fit_vi(ring_target(), 12, hidden = 16, control = control, judged = TRUE))
  expect_lt(abs(fit$elbo[["estimate"]]), 0.1)
  expect_lt(abs(fit$log_evidence[["estimate"]]), 0.05)
  expect_close(ring_shares(simulate(fit, 8000, seed = 1)), rep(1 / 8, 8), tolerance = 0.3)
})

test_that("functional weights fit the banana, constant ones of equal number clearly less", {
  control <- cwmix_vi_control(steps = 400, draws = 1000, searches = 30)
  fits <- lapply(list(16, NULL), function(hidden) {
    fit_vi(banana_target(), 6, hidden = hidden, control = control)
  })
  expect_gt(fits[[1]]$elbo[["estimate"]], -0.05)
  expect_lt(fits[[1]]$elbo[["estimate"]], 0.01)
  expect_gt(fits[[1]]$elbo[["estimate"]], fits[[2]]$elbo[["estimate"]] + 0.05)
})

test_that("the evidence of targets in bounded columns is found", {
  control <- quick_vi_control(steps = 200, draws = 2000)
  fit <- fit_vi(bounded_target(), 4, hidden = 8, control = control)
  expect_equal(fit$log_evidence[["estimate"]], -1, tolerance = 0.02)
  expect_equal(fit$elbo[["estimate"]], -1, tolerance = 0.05)
  expect_equal(as.vector(mean(fit)), c(1.5, 2 / 7), tolerance = 0.05)
})

test_that("a fit has the fields that are documented", {
  fit <- fit_vi(bounded_target(), 3)
  expect_s3_class(fit, c("cwmix_vi", "cwmix_normal", "cwmix_density"), exact = TRUE)
  documented <- c(
    "mean", "sd", "cholesky", "classifier", "frame", "proportions", "elbo", "log_evidence",
    "search_evidence", "ess", "pareto_k", "importance", "trace", "best_step", "stopped", "hidden",
    "control", "call", "optimiser"
  )
  expect_setequal(names(fit), documented)
  expect_named(fit$elbo, c("estimate", "se"))
  expect_named(fit$log_evidence, c("estimate", "se"))
  expect_named(fit$importance, c("draws", "log_weights"))
  expect_named(fit$trace, c("step", "elbo", "se", "learning_rate"))
  expect_false(is.unsorted(rev(fit$proportions)))
  expect_equal(sum(fit$proportions), 1)
  expect_identical(fit$call[[1]], quote(cwmix_vi))
})

test_that("proportions are the weights of the components as they are ordered", {
  fit <- fit_vi(banana_target(), 3, control = quick_vi_control(evaluation = 4096))
  drawn <- attr(simulate(fit, 20000, seed = 1, component = TRUE), "component")
  expect_close(tabulate(drawn, 3) / 20000, fit$proportions, tolerance = 0.02, floor = 1)
})

test_that("the bound is an expectation of the fit", {
  fit <- fit_vi(banana_target(), 3)
  gap <- function(x) banana_target()$log_density(x) - predict(fit, x, log = TRUE)
  again <- with_fixed_seed(2, expectation(fit, gap, n = 8192))
  error <- sqrt(fit$elbo[["se"]]^2 + attr(again, "se")^2)
  expect_lt(abs(as.numeric(again) - fit$elbo[["estimate"]]), 5 * error)
})

test_that("every classifier, covariance and activation is fitted", {
  for (covariance in c("diagonal", "full")) {
    for (hidden in list(NULL, integer(0), 3, c(4, 3))) {
      fit <- fit_vi(
        bounded_target(), 2,
        hidden = hidden, covariance = covariance, activation = "relu"
      )
      expect_identical(fit$hidden, if (!is.null(hidden)) as.integer(hidden))
      expect_length(fit$classifier$weights, if (is.null(hidden)) 0 else length(hidden) + 1)
      expect_identical(is.null(fit$sd), covariance == "full")
      expect_lt(abs(fit$elbo[["estimate"]] + 1), 0.2)
    }
  }
})

test_that("one component has constant weights whatever the network", {
  fits <- lapply(list(c(32, 32), NULL, integer(0)), function(hidden) {
    fit_vi(line_target(), 1, hidden = hidden)
  })
  for (fit in fits) {
    expect_null(fit$hidden)
    expect_identical(coef(fit), coef(fits[[1]]))
    expect_equal(fit$proportions, 1)
  }
})

test_that("the seed decides, whatever came before", {
  fit <- fit_vi(bounded_target(), 3)
  runif(3)
  expect_identical(fit_vi(bounded_target(), 3), fit)
  expect_false(identical(coef(fit_vi(bounded_target(), 3, seed = 2)), coef(fit)))
})

test_that("exact gradients and drawn ones give nearly the same fit", {
  fits <- lapply(c(TRUE, FALSE), function(exact) {
    control <- quick_vi_control(steps = 200, evaluation = 512, exact = exact)
    suppressWarnings(
      fit_vi(banana_target(), 6, control = control),
      classes = "cwmix_poor_fit"
    )
  })
  expect_equal(fits[[1]]$elbo[["estimate"]], fits[[2]]$elbo[["estimate"]], tolerance = 0.1)
  expect_false(identical(coef(fits[[1]]), coef(fits[[2]])))
})

test_that("a fit has the methods of densities", {
  fits <- list(
    fit_vi(line_target()), fit_vi(bounded_target(), 2, covariance = "full", names = c("a", "b"))
  )
  for (fit in fits) {
    d <- ncol(fit$mean)
    x <- simulate(fit, 40, seed = 1)
    expect_gt(min(predict(fit, x)), 0)
    expect_equal(rowSums(predict(fit, x, type = "posterior")), rep(1, 40), ignore_attr = TRUE)
    expect_identical(dim(with_fixed_seed(1, residuals(fit, as.matrix(x)))), c(40L, d))
    expect_s3_class(summary(fit), "summary.cwmix_density")
    expect_identical(nrow(tidy(fit)), 2L)
    expect_equal(tidy(fit)$proportion, fit$proportions)
    expect_named(
      augment(fit, x)[ncol(fit$mean) + 1:3], c(".density", ".class", ".uncertainty")
    )
    expect_equal(as.vector(mean(fit)), colMeans(as.matrix(simulate(fit, 20000, seed = 1))),
      tolerance = 0.05, ignore_attr = TRUE
    )
    expect_identical(dim(vcov(fit)), c(d, d))
    expect_equal(as.numeric(log_likelihood(fit, x)), sum(predict(fit, x, log = TRUE)))
    expect_lt(abs(as.numeric(with_fixed_seed(1, entropy(fit)))), Inf)
  }
  line <- fits[[1]]
  q <- quantile(line, c(0.1, 0.5, 0.9))
  expect_equal(as.vector(q), qnorm(c(0.1, 0.5, 0.9), 3, 2), tolerance = 0.05)
  expect_equal(pcwmix(as.vector(q), line), c(0.1, 0.5, 0.9), tolerance = 1e-6)
  average <- cwmix_average(list(line, vector_model()))
  expect_equal(
    predict(average, c(0, 1)), (predict(line, c(0, 1)) + predict(vector_model(), c(0, 1))) / 2
  )
  expect_s3_class(compare(list(vi = line, model = vector_model()), c(1, 2, 5)), "cwmix_comparison")
})

test_that("what needs data says that there are none", {
  fit <- fit_vi(line_target())
  for (method in list(logLik, nobs, AIC, BIC)) {
    expect_error(
      method(fit), "`object` must be a fit: a variational fit has seen no data",
      class = "cwmix_input_error"
    )
  }
})

test_that("the example of a density known up to a constant, as users write it", {
  set.seed(1)
  fit <- cwmix_vi(function(x) 7 - x[, "a"]^2 / 2, 1, 1, function(x) -x,
    names = "a", control = quick_vi_control(steps = 300)
  )
  expect_equal(fit$log_evidence[["estimate"]], 7 + log(2 * pi) / 2, tolerance = 1e-3)
  expect_identical(colnames(fit$mean), "a")
})
