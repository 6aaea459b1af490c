univariate <- function(support = NULL) {
  classifier <- cwmix_classifier(
    list(matrix(c(1, -2, 0.5), 3), matrix(c(2, -1, 0.3, -0.7, 1.1, 0.4), 2)),
    list(c(0.2, -0.1, 0.5), c(0, 0.3)), "tanh"
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
    q <- switch(paste(support, collapse = " "),
      "0 Inf" = c(0.3, 2, 20),
      "-Inf 3" = c(0, 2, 2.9),
      "0 1" = c(0.2, 0.6, 0.95),
      c(-1, 0.5, 3)
    )
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
  jump <- function(z) cbind(z < 0.3, z >= 0.3) + 0
  step <- cwmix_model(c(-1, 1), sd = c(1, 1), classifier = jump)
  # Component 1 has x = z - 1 where z < 0.3, component 2 x = z + 1 where z >= 0.3.
  expect_silent(p <- pcwmix(c(-2, -0.7, 0, 1.3, 2), step))
  expect_equal(p, pnorm(c(-1, 0.3, 0.3, 0.3, 1)), tolerance = 1e-8)
})

test_that("logarithms of probabilities hold far in either tail", {
  normal <- cwmix_model(3, sd = 2, classifier = 1)
  q <- 3 + 2 * c(-1e5, -100, -40, -36, -5, 0, 2, 7, 30)
  for (lower in c(TRUE, FALSE)) {
    # Of the mirrored points, for the upper tail.
    at <- if (lower) q else 6 - q
    truth <- pnorm(at, 3, 2, lower, log.p = TRUE)
    expect_equal(pcwmix(at, normal, lower, log.p = TRUE), truth, tolerance = 1e-13)
    # Relative to each: the smallest is -1e-197.
    expect_lt(max(abs(pcwmix(at, normal, lower, log.p = TRUE) / truth - 1)), 1e-12)
    expect_equal(qcwmix(truth, normal, lower, log.p = TRUE), at, tolerance = 1e-12)
  }
  expect_equal(qcwmix(-800, normal, log.p = TRUE), 3 - 2 * 39.8846948383, tolerance = 1e-11)
  expect_equal(qcwmix(c(-Inf, 0), normal, log.p = TRUE), c(-Inf, Inf))
  expect_identical(pcwmix(c(-1e308, 1e308), normal, log.p = TRUE), c(-Inf, 0))
})

test_that("the logarithm far out in a tail is that of the component that reaches there", {
  # The weight of the wide component falls as exp(20 z), that of the narrow one goes to 1.
  switching <- cwmix_classifier(list(matrix(c(20, 0))), list(c(0, 0)))
  model <- cwmix_model(c(0, 0), sd = c(10, 1), classifier = switching)
  q <- -c(100, 300, 500)
  # exp(20 z) phi(z) is exp(200) phi(z - 20)
  wide <- pnorm(q / 10 - 20, log.p = TRUE) + 200
  expect_equal(pcwmix(q, model, log.p = TRUE), wide, tolerance = 1e-13)
  expect_equal(qcwmix(wide, model, log.p = TRUE), q, tolerance = 1e-12)
})

test_that("quantiles of logarithms invert logarithms, with bounds and networks too", {
  log_p <- c(-5000, -800, -40, -1, -0.1, -1e-10, -1e-200)
  for (support in list(NULL, c(0, Inf))) {
    model <- univariate(support)
    for (lower in c(TRUE, FALSE)) {
      q <- qcwmix(log_p, model, lower, log.p = TRUE)
      inside <- is.finite(log(abs(q)))
      expect_lt(max(abs(pcwmix(q, model, lower, log.p = TRUE) / log_p - 1)[inside]), 1e-10)
    }
  }
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
    qcwmix(c(0.5, -1e-20), model)
    qcwmix(1e-20, model, log.p = TRUE)
    qcwmix(0.5, 1)
    rcwmix(-1, model)
    dcwmix(0, model, log = 1)
  })
})

test_that("arguments that are not given are named", {
  model <- cwmix_model(0, sd = 1, classifier = 1)
  expect_error(dcwmix(1), "`object` must be given", class = "cwmix_input_error")
  expect_error(pcwmix(object = model), "`q` must be given", class = "cwmix_input_error")
  expect_error(qcwmix(0.5), "`object` must be given", class = "cwmix_input_error")
  expect_error(rcwmix(object = model), "`n` must be given", class = "cwmix_input_error")
})

test_that("mixtures of a great many normals have their distribution in no time", {
  K <- 1500
  model <- with_fixed_seed(1, cwmix_model(
    rnorm(K), sd = runif(K, 0.1, 2), classifier = rep(1 / K, K)
  ))
  q <- c(-50, -1, 0, 2, 50)
  tail <- function(q, ...) vapply(q, function(q) mean(pnorm(q, model$mean, model$sd, ...)), 0)
  expect_close(pcwmix(q, model), tail(q), 1e-12)
  expect_close(pcwmix(q, model, lower.tail = FALSE), tail(q, lower.tail = FALSE), 1e-12)
  expect_identical(pcwmix(double(), model), double())
  p <- c(1e-300, 1e-10, 0.2, 0.5, 1 - 1e-10)
  seconds <- system.time(quantiles <- qcwmix(p, model))[["elapsed"]]
  expect_close(pcwmix(quantiles, model), p, 1e-9)
  expect_lt(seconds, 5)
})

# F or the upper tail of an average in one column of normal mixtures with constant weights, as they
# are or behind maps, by pnorm() of every component.
obvious_log_tail <- function(y, object, lower) {
  tail <- function(member, y) {
    if (!is.null(member$maps)) {
      return(tail(member$base, map_forward(member$maps, matrix(y))$u))
    }
    log_p <- pnorm(y, member$mean[, 1], member$sd[, 1], lower, log.p = TRUE)
    reference_log_sum(log_p + constant_log_weights(member))
  }
  vapply(y, function(y) {
    reference_log_sum(log(object$shares) + vapply(object$members, tail, 0, y))
  }, 0)
}

reference_log_sum <- function(x) if (max(x) == -Inf) -Inf else max(x) + log(sum(exp(x - max(x))))

many_mapped <- function() {
  asinh <- function(i) list(kind = "asinh", center = i / 10, scale = 1 + i / 10)
  members <- lapply(1:6, function(i) mapped(make_model(1, 5, NULL, seed = i), asinh(i %/% 2)))
  cwmix_average(c(members, list(make_model(1, 60, NULL, seed = 7))), c(rep(0.1, 6), 0.4))
}

test_that("an average of mixtures behind maps has the tails of all its components", {
  object <- many_mapped()
  y <- c(-1e200, -1e10, -300, -20, seq(-5, 5, length.out = 41), 40, 1e5, 1e250)
  for (lower in c(TRUE, FALSE)) {
    log_p <- obvious_log_tail(y, object, lower)
    expect_close(pcwmix(y, object, lower, log.p = TRUE), log_p, 1e-11, floor = 1)
    expect_close(pcwmix(y, object, lower), exp(log_p), 1e-12)
  }
})

test_that("a great many quantiles invert the tails of all components, however small", {
  object <- many_mapped()
  log_p <- c(-1e4, -690.7755, -100, -log(2), -1e-3, -1e-20, with_fixed_seed(1, -rexp(3000)))
  for (lower in c(TRUE, FALSE)) {
    q <- qcwmix(log_p, object, lower, log.p = TRUE)
    inner <- log_p < -1e-8
    error <- obvious_log_tail(q[inner], object, lower) - log_p[inner]
    expect_lt(max(abs(error) / pmax(1, -log_p[inner])), 1e-11)
    other <- obvious_log_tail(q[!inner], object, !lower)
    expect_close(other, log_complement(log_p[!inner]), 1e-11)
  }
  p <- c(NA, 0, 1, 0.25)
  expect_equal(qcwmix(p, object), c(NA, -Inf, Inf, qcwmix(0.25, object)), tolerance = 1e-12)
})

test_that("quantiles of every kind in one column are as accurate many at a time", {
  p <- with_fixed_seed(1, c(1e-12, 1e-5, runif(3000), 1 - 1e-5))
  for (name in names(kinds())) {
    kind <- kinds()[[name]]
    if (kind$columns > 1) next
    for (lower in c(TRUE, FALSE)) {
      q <- qcwmix(p, kind$object, lower)
      expect_lt(max(abs(pcwmix(q, kind$object, lower) - p)), 1e-10, label = name)
    }
  }
})

test_that("a narrow component between the points of the table is found", {
  object <- cwmix_model(c(0, 0.3, 50), sd = c(1, 1e-7, 1e-9), classifier = c(0.8, 0.1, 0.1))
  p <- seq(0.001, 0.999, length.out = 2999)
  q <- qcwmix(p, object)
  exact <- rowSums(vapply(1:3, function(k) {
    c(0.8, 0.1, 0.1)[k] * pnorm(q, object$mean[k], object$sd[k])
  }, q))
  # A number's last digit is 7e-15 at 50.
  expect_lt(max(abs(exact - p)[q < 10]), 1e-9)
  expect_equal(q[p > 0.901], rep(50, sum(p > 0.901)), tolerance = 1e-8)
})
