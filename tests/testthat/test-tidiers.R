test_that("tidy has a row a component, glance one row", {
  fit <- gaussian_mixture(faithful, K = 2, covariance = "full")
  rows <- tidy(fit)
  expect_named(rows, c(
    "component", "proportion", "mean.eruptions", "mean.waiting", "sd.eruptions", "sd.waiting"
  ))
  expect_equal(rows$proportion, fit$proportions)
  row <- glance(fit)
  expect_identical(nrow(row), 1L)
  expect_equal(row$BIC, BIC(fit))
  expect_identical(row$covariance, "full")
})

test_that("glance of a trained fit has its validation score", {
  set.seed(1)
  fit <- cwmix(faithful, K = 2, hidden = 4, control = cwmix_control(epochs = 2))
  row <- glance(fit)
  expect_equal(row$validation, fit$trace$validation[fit$best_epoch + 1])
})

test_that("glance has a fit's df, and criteria where they mean something", {
  mixture <- glance(fit_mixture(faithful, 2, covariance = "full"))
  expect_identical(mixture$df, 11L)
  expect_equal(mixture$AIC, -2 * mixture$logLik + 22)
  network <- expect_silent(glance(fit_network(faithful, validation = 0)))
  expect_identical(network$df, 63L)
  expect_identical(c(network$AIC, network$BIC), c(NA_real_, NA_real_))
})

test_that("augment adds density, class and uncertainty to every row", {
  fit <- gaussian_mixture(faithful, K = 2)
  data <- faithful
  data$waiting[2] <- NA
  data$other <- "kept"
  out <- augment(fit, data)
  expect_identical(out[names(data)], data)
  expect_equal(out$.density, unname(predict(fit, data)))
  posterior <- predict(fit, data, type = "posterior")
  expect_equal(out$.uncertainty, unname(1 - apply(posterior, 1, max)))
  expect_identical(out$.class, unname(predict(fit, data, type = "class")))
  line <- gaussian_mixture(faithful$waiting, K = 2)
  expect_named(augment(line, c(50, 60)), c("x", ".density", ".class", ".uncertainty"))
})

test_that("bad arguments are refused", {
  fit <- gaussian_mixture(faithful, K = 2)
  expect_error(augment(fit), "`data` must be given", class = "cwmix_input_error")
  expect_error(
    augment(fit, faithful["waiting"]), "`data` must have the columns",
    class = "cwmix_input_error"
  )
  model <- cwmix_model(0, sd = 1, classifier = 1)
  expect_error(glance(model), "`x` must be a fit", class = "cwmix_input_error")
  expect_named(tidy(model), c("component", "mean.x", "sd.x"))
})

test_that("glance of a variational fit has its bound, evidence and diagnostics", {
  fit <- fit_vi(bounded_target(), 3, covariance = "full")
  row <- glance(fit)
  expect_identical(nrow(row), 1L)
  expect_named(row, c(
    "K", "d", "covariance", "elbo", "elbo.std.error", "log_evidence", "log_evidence.std.error",
    "ess", "pareto_k"
  ))
  expect_identical(c(row$K, row$d), 3:2)
  expect_identical(row$covariance, "full")
  expect_identical(row$elbo, fit$elbo[["estimate"]])
  expect_identical(row$log_evidence.std.error, fit$log_evidence[["se"]])
  expect_identical(row$pareto_k, fit$pareto_k)
  expect_error(glance(fit, 3), class = "cwmix_input_error")
})
