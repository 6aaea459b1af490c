test_that("coef() gives back the parameters of a model", {
  for (s in scenarios(hidden = list(NULL, integer(0), c(5, 4)), activation = "tanh")) {
    expect_close(
      coef(as_model(s$p)), reference_coef(s$p),
      # a covariance's factor is computed, not stored
      tolerance = 1e-12, floor = 1, info = s$name
    )
  }
})

test_that("flat parameters stand in the engine's order and come back in shape", {
  for (s in scenarios(2, 3, list(NULL, c(5, 4)), activation = "tanh", n = 1)) {
    p <- reference_coef(s$p)
    flat <- flatten(p)
    expect_identical(flat, engine_model(p)$parameters)
    scale <- if (is.null(p$log_sd)) p$log_cholesky else p$log_sd
    expect_identical(
      flat, c(p$mean, scale, unlist(p$weights), unlist(p$biases)),
      info = s$name
    )
    expect_identical(unflatten(flat, p), p, info = s$name)
  }
})

test_that("standardising parameters shifts and scales the density, and back", {
  center <- c(3, -20)
  scale <- c(0.1, 50)
  for (s in scenarios(2, 3, list(NULL, c(5, 4)), activation = "tanh", n = 37)) {
    p <- reference_coef(s$p)
    standard <- standardise_parameters(p, center, scale)
    x <- s$x
    z <- (x - rep(center, each = 37)) / rep(scale, each = 37)
    expect_close(
      reference_log_density(z, c(standard, activation = "tanh")) - sum(log(scale)),
      reference_log_density(x, s$p), 1e-10,
      floor = 1, info = s$name
    )
    expect_equal(unstandardise_parameters(standard, center, scale), p, tolerance = 1e-12)
  }
})

test_that("components in another order are the same density", {
  for (s in scenarios(2, 7, list(NULL, integer(0), c(5, 4)), activation = "tanh", n = 7)) {
    ordered <- order_components(reference_coef(s$p), c(3, 1, 7, 2, 6, 4, 5))
    expect_identical(ordered$mean[1, ], s$p$mean[3, ])
    expect_close(
      reference_log_density(s$x, c(ordered, activation = "tanh")),
      reference_log_density(s$x, s$p), 1e-12,
      floor = 1, info = s$name
    )
  }
})

test_that("parameters are counted as the paper counts them", {
  # Table I: K = 49, d = 2, hidden 128, 128, 128, diagonal maps.
  classifier <- cwmix_classifier(
    list(matrix(0, 128, 2), matrix(0, 128, 128), matrix(0, 128, 128), matrix(0, 49, 128)),
    list(double(128), double(128), double(128), double(49))
  )
  model <- cwmix_model(matrix(0, 49, 2), sd = matrix(1, 49, 2), classifier = classifier)
  expect_identical(count_parameters(model), 39925L)
})

test_that("only what is free is counted", {
  count <- function(...) count_parameters(make_model(...))
  # means, scales and two of three constant weights
  expect_identical(count(2, 3), 6L + 6L + 2L)
  expect_identical(count(4, 3, NULL, "full"), 12L + 30L + 2L)
  expect_identical(count(2, 3, integer(0)), 12L + 9L)
})

test_that("parameters carry the columns' names, and no empty ones", {
  model <- cwmix_model(diag(2), sd = diag(2) + 1, classifier = c(0.5, 0.5))
  expect_null(dimnames(coef(model)$mean))
  expect_null(dimnames(coef(model)$log_sd))
  fit <- gaussian_mixture(faithful, K = 2)
  expect_identical(colnames(coef(fit)$log_sd), names(faithful))
})
