fits <- function() {
  set.seed(1)
  list(
    cwmix = cwmix(faithful, K = 3, hidden = 4, covariance = "full", control = cwmix_control(epochs = 2)),
    mixture = gaussian_mixture(faithful, K = 2),
    bounded = gaussian_mixture(rivers, K = 1, support = c(0, Inf)),
    model = cwmix_model(c(-1, 1), sd = c(1, 2), classifier = c(0.3, 0.7))
  )
}

test_that("a density prints itself in at most eight lines", {
  for (fit in fits()) expect_lte(length(capture.output(print(fit))), 8)
  expect_snapshot({
    fits()$mixture
    fits()$bounded
    fits()$model
  })
})

test_that("print returns its argument invisibly, and format what is printed", {
  for (fit in fits()) {
    printed <- capture.output(returned <- withVisible(print(fit)))
    expect_identical(returned, list(value = fit, visible = FALSE))
    expect_identical(printed, format(fit))
  }
})

test_that("the summary has means, standard deviations and covariances", {
  fit <- fits()$cwmix
  s <- summary(fit)
  expect_equal(as.matrix(s$components[c("mean.eruptions", "mean.waiting")]), fit$mean, ignore_attr = TRUE)
  for (k in 1:3) {
    expect_equal(s$covariance[, , k], tcrossprod(fit$cholesky[, , k]))
    expect_equal(
      unlist(s$components[k, c("sd.eruptions", "sd.waiting")], use.names = FALSE), sqrt(diag(s$covariance[, , k]))
    )
  }
  expect_equal(sum(s$components$proportion), 1)
  expect_null(summary(fits()$mixture)$covariance)
  expect_snapshot(summary(fits()$mixture))
})

test_that("logLik, AIC, BIC and nobs agree", {
  fit <- fits()$mixture
  expect_equal(as.numeric(logLik(fit)), as.numeric(log_likelihood(fit, faithful)))
  # Two means and two standard deviations a component, and one free weight.
  expect_identical(attr(logLik(fit), "df"), 9L)
  expect_identical(nobs(fit), 272L)
  expect_equal(AIC(fit), -2 * fit$log_likelihood + 2 * 9)
  expect_equal(BIC(fit), -2 * fit$log_likelihood + log(272) * 9)
  expect_error(logLik(fits()$model), "must be a fit", class = "cwmix_input_error")
})

test_that("parameters are counted as the paper counts them", {
  # Table I: K = 49, d = 2, hidden 128, 128, 128, diagonal maps.
  classifier <- cwmix_classifier(
    list(matrix(0, 128, 2), matrix(0, 128, 128), matrix(0, 128, 128), matrix(0, 49, 128)),
    list(double(128), double(128), double(128), double(49))
  )
  model <- cwmix_model(matrix(0, 49, 2), sd = matrix(1, 49, 2), classifier = classifier)
  expect_identical(cwmix:::count_parameters(model), 39925L)
})
