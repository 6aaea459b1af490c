test_that("a specified model has the fields of a density and no others of a fit", {
  model <- make_model(2, 3, c(5, 4))
  expect_s3_class(model, c("cwmix_model", "cwmix_normal", "cwmix_density"), exact = TRUE)
  expect_named(model, c("mean", "sd", "cholesky", "classifier", "frame"))
  expect_null(model$nobs)
  expect_identical(dim(make_model(2, 3, NULL, "full")$cholesky), c(2L, 2L, 3L))
})

test_that("covariances are kept as lower triangular factors", {
  covariance <- array(c(4, 2, 2, 3, 1, 0, 0, 9), c(2, 2, 2))
  model <- cwmix_model(matrix(0, 2, 2), covariance = covariance, classifier = c(0.5, 0.5))
  for (k in 1:2) {
    expect_equal(tcrossprod(model$cholesky[, , k]), covariance[, , k], tolerance = 1e-15)
    expect_identical(model$cholesky[1, 2, k], 0)
  }
  one <- cwmix_model(matrix(0, 1, 2), covariance = covariance[, , 1], classifier = 1)
  expect_identical(one$cholesky[, , 1], model$cholesky[, , 1])
})

test_that("vectors stand for one column", {
  by_vector <- cwmix_model(c(-1, 1), sd = c(1, 2), classifier = c(0.3, 0.7))
  by_matrix <- cwmix_model(matrix(c(-1, 1)), sd = matrix(c(1, 2)), classifier = c(0.3, 0.7))
  expect_identical(coef(by_vector), coef(by_matrix))
  expect_type(simulate(by_vector, 3, seed = 1), "double")
  expect_null(dim(simulate(by_vector, 3, seed = 1)))
  expect_identical(dim(simulate(by_matrix, 3, seed = 1)), c(3L, 1L))
})

test_that("a model made of a fit's parts is the fit", {
  for (covariance in c("diagonal", "full")) {
    fit <- fit_network(faithful, covariance = covariance, support = c(0, Inf))
    model <- cwmix_model(
      fit$mean,
      sd = fit$sd, covariance = if (covariance == "full") covariance_of(fit$cholesky),
      classifier = fit$classifier, support = c(0, Inf)
    )
    expect_equal(
      predict(model, faithful, log = TRUE), predict(fit, faithful, log = TRUE),
      tolerance = 1e-10
    )
    expect_equal(coef(model), coef(fit), tolerance = 1e-10)
  }
})
