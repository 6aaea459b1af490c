univariate <- function(support = NULL) {
  classifier <- cwmix_classifier(
    list(matrix(c(1, -2, 0.5), 3), matrix(c(2, -1, 0.3, -0.7, 1.1, 0.4), 2)), list(c(0.2, -0.1, 0.5), c(0, 0.3)), "tanh"
  )
  cwmix_model(c(-1, 2), sd = c(0.5, 1.5), classifier = classifier, support = support)
}

test_that("with constant weights the distribution function is the mixture's of normals", {
  model <- cwmix_model(c(-1, 1), sd = c(1, 2), classifier = c(0.3, 0.7))
  q <- c(-40, -8, -1, 0, 0.5, 3, 12, 60)
  expect_equal(pcwmix(q, model), 0.3 * pnorm(q, -1) + 0.7 * pnorm(q, 1, 2), tolerance = 1e-13)
  expect_equal(
    pcwmix(q, model, lower.tail = FALSE),
    0.3 * pnorm(q, -1, lower.tail = FALSE) + 0.7 * pnorm(q, 1, 2, lower.tail = FALSE),
    tolerance = 1e-13
  )
  expect_equal(pcwmix(q, model, log.p = TRUE), log(pcwmix(q, model)))
})

test_that("upper tails keep their relative accuracy", {
  model <- cwmix_model(c(-1, 1), sd = c(1, 2), classifier = c(0.3, 0.7))
  q <- c(10, 15, 20)
  upper <- 0.3 * pnorm(q, -1, lower.tail = FALSE) + 0.7 * pnorm(q, 1, 2, lower.tail = FALSE)
  # Compared on the log scale: the probabilities are as small as 1e-21.
  expect_equal(pcwmix(q, model, lower.tail = FALSE, log.p = TRUE), log(upper), tolerance = 1e-10)
  expect_equal(qcwmix(upper, model, lower.tail = FALSE), q, tolerance = 1e-8)
})

test_that("the distribution function is the integral of the density", {
  for (support in list(NULL, c(0, Inf), c(-Inf, 3), c(0, 1))) {
    model <- univariate(support)
    lower <- if (is.null(support)) -Inf else support[1]
    q <- switch(paste(support, collapse = " "), "0 Inf" = c(0.3, 2, 20), "-Inf 3" = c(0, 2, 2.9), "0 1" = c(0.2, 0.6, 0.95), c(-1, 0.5, 3))
    area <- vapply(q, function(b) {
      integrate(function(x) dcwmix(x, model), lower, b, rel.tol = 1e-10, subdivisions = 1000)$value
    }, 0)
    expect_equal(pcwmix(q, model), area, tolerance = 1e-8)
  }
})

test_that("quantiles invert the distribution function, to the ends of the support", {
  p <- c(1e-10, 1e-4, 0.1, 0.5, 0.77, 0.999, 1 - 1e-9)
  for (support in list(NULL, c(0, Inf), c(0, 1))) {
    model <- univariate(support)
    expect_equal(pcwmix(qcwmix(p, model), model), p, tolerance = 1e-10)
    ends <- if (is.null(support)) c(-Inf, Inf) else support
    expect_equal(qcwmix(c(0, 1), model), ends)
    expect_equal(pcwmix(ends, model), c(0, 1))
  }
  model <- univariate()
  expect_equal(qcwmix(log(p), model, log.p = TRUE), qcwmix(p, model), tolerance = 1e-10)
  expect_equal(qcwmix(1 - 0.3, model, lower.tail = FALSE), qcwmix(0.3, model), tolerance = 1e-10)
})

test_that("quantiles are the same one at a time", {
  set.seed(1)
  p <- runif(200)
  for (model in list(univariate(), univariate(c(0, Inf)))) {
    q <- vapply(p, qcwmix, 0, object = model)
    expect_equal(pcwmix(q, model), p, tolerance = 1e-10)
    expect_equal(q, qcwmix(p, model), tolerance = 1e-10)
  }
})

test_that("a classifier with a jump is integrated to 1e-8 without a warning", {
  step <- cwmix_model(c(-1, 1), sd = c(1, 1), classifier = function(z) cbind(z < 0.3, z >= 0.3) + 0)
  # Component 1 has x = z - 1 where z < 0.3, component 2 x = z + 1 where z >= 0.3.
  expect_silent(p <- pcwmix(c(-2, -0.7, 0, 1.3, 2), step))
  expect_equal(p, pnorm(c(-1, 0.3, 0.3, 0.3, 1)), tolerance = 1e-8)
})

test_that("draws have the distribution", {
  model <- univariate()
  set.seed(1)
  x <- rcwmix(2000, model)
  # The seed is fixed; under the null p is uniform.
  expect_gt(ks.test(x, pcwmix, object = model)$p.value, 0.01)
})

test_that("missing values and names survive", {
  model <- univariate()
  expect_equal(pcwmix(c(a = NA, b = Inf), model), c(a = NA, b = 1))
  expect_equal(qcwmix(c(a = NA, b = 1), model), c(a = NA, b = Inf))
  expect_equal(dcwmix(c(a = NA, b = 0), model), predict(model, c(a = NA, b = 0)))
  expect_length(pcwmix(double(), model), 0)
  expect_length(qcwmix(double(), model), 0)
})

test_that("bad arguments are refused", {
  model <- univariate()
  plane <- cwmix_model(matrix(0, 1, 2), sd = matrix(1, 1, 2), classifier = 1)
  expect_snapshot(error = TRUE, {
    pcwmix(0, plane)
    pcwmix("a", model)
    pcwmix(0, model, lower.tail = NA)
    qcwmix(1.5, model)
    qcwmix(0.5, 1)
    rcwmix(0, model)
    dcwmix(0, model, log = 1)
  })
})
