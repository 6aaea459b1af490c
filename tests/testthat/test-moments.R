# A mixture whose weights are constant, by its parameters.
constant_moments <- function(p) {
  pi <- exp(p$biases[[1]])
  mean <- drop(pi %*% p$mean)
  second <- 0
  for (k in seq_along(pi)) {
    second <- second + pi[k] * (tcrossprod(reference_factor(p, k)) + tcrossprod(p$mean[k, ]))
  }
  list(mean = mean, vcov = second - tcrossprod(mean))
}

# The same weights, but not known to be constant.
as_function <- function(model) {
  pi <- predict(model$classifier, matrix(0, 1, ncol(model$mean)))
  model$classifier <- cwmix_model(
    model$mean,
    sd = model$sd, covariance = if (is.null(model$sd)) covariance_of(model$cholesky),
    classifier = function(z) pi[rep(1, nrow(z)), , drop = FALSE]
  )$classifier
  model
}

seeded <- function(code) with_fixed_seed(1, code)

test_that("means and covariances of constant weights are exact", {
  for (d in c(1, 2, 5)) {
    for (covariance in c("diagonal", "full")) {
      for (K in c(1, 3)) {
        p <- make_parameters(d, K, NULL, covariance)
        model <- as_model(p)
        expected <- constant_moments(p)
        expect_close(as.numeric(mean(model)), expected$mean, 1e-13)
        expect_identical(as.numeric(attr(mean(model), "se")), double(d))
        value <- vcov(model)
        expect_close(value, expected$vcov, 1e-12)
        expect_identical(as.vector(attr(value, "se")), double(d^2))
      }
    }
  }
})

test_that("estimated ones agree with the exact ones within their standard errors", {
  for (covariance in c("diagonal", "full")) {
    model <- make_model(3, 4, NULL, covariance)
    fn <- as_function(model)
    for (points in c("lattice", "random")) {
      value <- seeded(mean(fn, points = points, replicates = 32))
      # linear functions may be exact, but for rounding
      expect_close((value - mean(model)) / pmax(attr(value, "se"), 1e-13), double(3), 5, floor = 1)
      value <- seeded(vcov(fn, points = points, replicates = 32))
      ratio <- (value - vcov(model)) / pmax(attr(value, "se"), 1e-13)
      expect_close(ratio, matrix(0, 3, 3), 5, floor = 1)
      expect_true(isSymmetric(unclass(value), tol = 1e-12))
    }
  }
})

test_that("moments of functional weights are integrals of the density", {
  model <- switching_model()
  moment <- function(f) integrate(function(x) f(x) * predict(model, x), -Inf, Inf)$value
  first <- moment(identity)
  expect_close(as.numeric(seeded(mean(model))), first, 1e-3)
  expect_close(as.numeric(seeded(vcov(model))), moment(function(x) (x - first)^2), 1e-3)
  bounded <- bounded_model(c(0, 1), small_network())
  exact <- integrate(function(x) x * predict(bounded, x), 0, 1)$value
  expect_close(as.numeric(seeded(mean(bounded))), exact, 1e-3)
  # constant weights under bounds have no closed form either
  lognormal <- cwmix_model(0.3, sd = 0.5, classifier = 1, support = c(0, Inf))
  value <- seeded(mean(lognormal))
  expect_close(as.numeric(value), exp(0.3 + 0.5^2 / 2), 1e-3)
  expect_gt(attr(value, "se"), 0)
})

test_that("moments of an average are those of its members by their shares", {
  models <- lapply(make_members(2), as_model)
  average <- make_average(2)
  means <- seeded(vapply(models, function(m) as.numeric(mean(m)), double(2)))
  expect_close(as.numeric(seeded(mean(average))), drop(means %*% member_shares()), 1e-3)
})

test_that("shifts and scales of the density are those of its moments", {
  p <- make_parameters(2, 3, 5, "full", seed = 4)
  a <- c(2, 0.1)
  q <- p
  q$mean <- p$mean * rep(a, each = 3) + rep(c(5, -3), each = 3)
  for (k in 1:3) {
    l <- a * reference_factor(p, k)
    diag(l) <- log(diag(l))
    q$log_cholesky[, , k] <- l
  }
  expect_close(
    as.numeric(seeded(mean(as_model(q)))), as.numeric(seeded(mean(as_model(p)))) * a + c(5, -3),
    1e-12
  )
  value <- lapply(list(p, q), function(p) seeded(vcov(as_model(p))))
  expect_close(value[[2]], value[[1]] * tcrossprod(a), 1e-11)
  expect_close(attr(value[[2]], "se"), attr(value[[1]], "se") * tcrossprod(a), 1e-9)
})

test_that("moments are in the columns of the data", {
  fits <- list(
    seeded(gaussian_mixture(faithful, K = 2, covariance = "full")), fit_network(faithful, K = 2),
    fit_network(faithful, K = 2, covariance = "full")
  )
  for (fit in fits) {
    expect_named(mean(fit), names(faithful))
    expect_identical(dimnames(vcov(fit)), list(names(faithful), names(faithful)))
    expect_identical(dimnames(attr(vcov(fit), "se")), dimnames(vcov(fit)))
    expect_named(quantile(fit, 0.5)[1, ], names(faithful))
  }
  # EM's mixture has the moments of the data
  expect_close(as.numeric(mean(fits[[1]])), colMeans(faithful), 1e-6)
  expect_close(vcov(fits[[1]]), cov(faithful) * 271 / 272, 1e-4)
  line <- seeded(gaussian_mixture(faithful$waiting, K = 2))
  expect_null(names(mean(line)))
  expect_identical(dim(vcov(line)), c(1L, 1L))
})

test_that("probabilities are those of pnorm() and pcwmix()", {
  model <- cwmix_model(matrix(c(1, -2), 1), sd = matrix(c(2, 0.5), 1), classifier = 1)
  value <- seeded(probability(model, function(x) x[, 1] < 2 & x[, 2] > -2.3, n = 2^14))
  exact <- pnorm(0.5) * pnorm(0.6)
  expect_close((value - exact) / attr(value, "se"), 0, 5, floor = 1)
  expect_close(as.numeric(value), exact, 2e-3)
  for (model in list(switching_model(), bounded_model(c(0, 1), small_network()))) {
    value <- seeded(probability(model, function(x) x < 0.6, n = 2^14))
    expect_close(as.numeric(value), pcwmix(0.6, model), 2e-3)
  }
  expect_identical(as.numeric(probability(model, function(x) x < Inf)), 1)
  expect_identical(as.numeric(probability(model, function(x) x < 0)), 0)
  # an indicator jumps: random points have the binomial's error, at most
  value <- seeded(probability(model, function(x) x < 0.6, points = "random"))
  expect_lt(attr(value, "se"), 0.5 / sqrt(4096))
})

test_that("the entropy of a normal is known, that of others by quadrature", {
  for (d in c(1, 3)) {
    p <- make_parameters(d, 1, NULL, "full")
    value <- seeded(entropy(as_model(p)))
    exact <- d / 2 * log(2 * pi * exp(1)) + sum(log(diag(reference_factor(p, 1))))
    expect_close((value - exact) / attr(value, "se"), 0, 6, floor = 1)
    expect_close(as.numeric(value), exact, 1e-3)
  }
  for (model in list(switching_model(), bounded_model(c(-1, 4), small_network()))) {
    range <- if (is.finite(model$frame$support[1])) c(-1, 4) else c(-30, 30)
    exact <- -integrate(
      function(x) {
        log_density <- predict(model, x, log = TRUE)
        ifelse(log_density == -Inf, 0, exp(log_density) * log_density)
      },
      range[1], range[2],
      subdivisions = 1000
    )$value
    expect_close(as.numeric(seeded(entropy(model))), exact, 1e-3, floor = 1)
  }
})

test_that("the divergence of a density from itself is zero", {
  for (model in list(
    moving_model(2, "full"), make_average(2), bounded_model(c(0, 1), small_network())
  )) {
    value <- kl_divergence(model, model)
    expect_identical(as.numeric(value), 0)
    expect_identical(as.numeric(attr(value, "se")), 0)
  }
})

test_that("the divergence of normals has its closed form", {
  p <- make_parameters(3, 1, NULL, "full", seed = 1)
  q <- make_parameters(3, 1, NULL, "full", seed = 2)
  of <- function(p) list(m = p$mean[1, ], s = tcrossprod(reference_factor(p, 1)))
  a <- of(p)
  b <- of(q)
  exact <- (sum(diag(solve(b$s, a$s))) + drop((b$m - a$m) %*% solve(b$s, b$m - a$m)) - 3 +
    log(det(b$s) / det(a$s))) / 2
  value <- seeded(kl_divergence(as_model(p), as_model(q), n = 2^14))
  expect_close(as.numeric(value), exact, 1e-3)
  expect_close((value - exact) / attr(value, "se"), 0, 6, floor = 1)
})

test_that("divergences are cross entropies less entropies, and never negative", {
  p <- switching_model()
  q <- cwmix_model(0.5, sd = 3, classifier = 1)
  f <- function(x) -predict(q, x, log = TRUE)
  cross <- seeded(expectation(p, f, n = 4096, replicates = 16))
  own <- seeded(entropy(p))
  value <- seeded(kl_divergence(p, q))
  expect_close(as.numeric(value), cross - own, 1e-12)
  expect_gt(as.numeric(value), 0)
  expect_gt(as.numeric(seeded(kl_divergence(q, p))), 0)
})

test_that("where the other density is zero the divergence is infinite", {
  p <- cwmix_model(0, sd = 1, classifier = 1)
  q <- cwmix_model(0, sd = 1, classifier = 1, support = c(0, Inf))
  expect_identical(as.numeric(kl_divergence(p, q)), Inf)
  expect_lt(as.numeric(kl_divergence(q, p)), Inf)
})

test_that("quantiles of one column are those of qcwmix()", {
  for (model in list(
    switching_model(), vector_model(), bounded_model(c(0, 1), small_network())
  )) {
    probs <- c(0, 0.025, 0.5, 0.9, 1)
    value <- quantile(model, probs)
    expect_identical(as.numeric(value), qcwmix(probs, model))
    expect_identical(as.numeric(attr(value, "se")), double(5))
    # the nodes' quantiles are near
    nodes <- seeded(quantile(model, probs[2:4], f = function(x) x, n = 2^14))
    expect_close(as.numeric(nodes), qcwmix(probs[2:4], model), 5e-3, floor = 1)
  }
})

test_that("names are those of stats::quantile()", {
  for (probs in list(seq(0, 1, 0.25), c(0.025, 0.5), 1 / 3, c(0.001, 0.9999))) {
    expected <- names(quantile(1:10, probs))
    expect_identical(names(quantile(vector_model(), probs)), expected)
    expect_identical(names(quantile(vector_model(), probs, f = function(x) x)), expected)
    expect_identical(rownames(quantile(moving_model(2), probs, n = 64)), expected)
  }
  expect_length(quantile(vector_model(), double()), 0)
  expect_length(quantile(vector_model(), double(), f = function(x) x), 0)
  expect_identical(dim(quantile(moving_model(2), double(), n = 64)), c(0L, 2L))
})

test_that("quantiles of columns are those of their marginals", {
  p <- make_parameters(3, 4, NULL)
  model <- as_model(p)
  probs <- c(0.05, 0.5, 0.95)
  for (points in c("lattice", "random")) {
    value <- seeded(quantile(model, probs, points = points, n = 2^14))
    expect_identical(dim(value), c(3L, 3L))
    expect_identical(dim(attr(value, "se")), c(3L, 3L))
    for (j in 1:3) {
      marginal <- cwmix_model(p$mean[, j], sd = exp(p$log_sd[, j]), classifier = as_classifier(p))
      exact <- qcwmix(probs, marginal)
      ratio <- (value[, j] - exact) / attr(value, "se")[, j]
      # of 8 replicates: beyond 6 once in 2000 times
      expect_close(ratio, double(3), 6, floor = 1, info = paste(points, j))
    }
  }
})

test_that("quantiles of functions: of one a vector, of several a matrix with their names", {
  model <- moving_model(2)
  one <- seeded(quantile(model, c(0.1, 0.9), f = wave))
  expect_named(one, c("10%", "90%"))
  expect_null(dim(one))
  expect_named(attr(one, "se"), c("10%", "90%"))
  both <- seeded(quantile(model, c(0.1, 0.9), f = function(x) cbind(a = wave(x), b = x[, 1])))
  expect_identical(dimnames(both), list(c("10%", "90%"), c("a", "b")))
  expect_identical(unname(both[, "a"]), as.numeric(one))
  draws <- simulate(model, 20000, seed = 1)
  expect_close(as.numeric(one), quantile(wave(draws), c(0.1, 0.9)), 0.05)
  # monotone functions and quantiles can change places, but for the two sides of a jump
  cubes <- seeded(quantile(model, c(0.1, 0.9), f = function(x) wave(x)^3))
  expect_identical(as.numeric(cubes), as.numeric(one)^3)
  expect_identical(as.numeric(quantile(model, c(0, 1), f = function(x) x[, 1] > 0)), c(0, 1))
})

test_that("weighted quantiles are the smallest values with the probability at or below", {
  with_fixed_seed(1, for (i in 1:50) {
    values <- round(rnorm(12), 1)
    weights <- rexp(12)
    probs <- runif(5)
    expected <- vapply(probs, function(p) {
      reached <- vapply(values, function(v) sum(weights[values <= v]) / sum(weights) >= p, NA)
      min(values[reached])
    }, 0)
    expect_identical(weighted_quantile(values, weights, probs), expected)
  })
  # equal weights: the inverse of the empirical distribution function, of type 1
  x <- c(3, 1, 4, 1, 5, 9, 2, 6, 5, 3)
  expect_identical(
    weighted_quantile(x, rep(0.1, 10), 0:10 / 10), unname(quantile(x, 0:10 / 10, type = 1))
  )
})

test_that("nodes of weight zero have no part in quantiles", {
  p <- make_parameters(1, 3, NULL, seed = 4)
  p$biases <- list(log(c(0.4, 0, 0.6)))
  p$mean[] <- c(-1, 100, 1)
  f <- function(x) ifelse(x > 50, NaN, x)
  value <- seeded(quantile(as_model(p), c(0.1, 1), f = f))
  expect_lt(value[["100%"]], 10)
})

test_that("standard errors of quantiles are of the size of errors", {
  model <- vector_model()
  exact <- qcwmix(0.3, model)
  for (points in c("lattice", "random")) {
    found <- with_fixed_seed(1, replicate(100, {
      value <- quantile(model, 0.3, f = function(x) x, n = 4096, points = points, replicates = 32)
      c(value - exact, attr(value, "se"))
    }))
    # 100 errors show their size to 7 percent
    expect_close(sqrt(mean(found[2, ]^2) / mean(found[1, ]^2)), 1, 0.25, info = points)
    expect_close(sd(found[1, ] / found[2, ]), 1, 0.25, info = points)
  }
})

test_that("the same seed gives the same moments, and seeds are R's", {
  model <- moving_model(2)
  for (f in list(
    mean, vcov, entropy, quantile, function(model) probability(model, function(x) x[, 1] > 0),
    function(model) kl_divergence(model, make_model(2, 3))
  )) {
    expect_identical(with_fixed_seed(1, f(model)), with_fixed_seed(1, f(model)))
    expect_false(identical(with_fixed_seed(1, f(model)), with_fixed_seed(2, f(model))))
  }
})

test_that("what a region or function does wrong is said of the argument", {
  model <- vector_model()
  set.seed(1)
  expect_snapshot(error = TRUE, {
    probability(model, function(x) x)
    probability(model, function(x) TRUE)
    probability(model, function(x) x > NA)
    probability(model, function(x) stop("no region"))
    quantile(model, 0.5, f = function(x) 1)
    quantile(model, 0.5, f = function(x) stop("no f"))
    expectation(model, function(x) stop("no f"))
    expectation(model, function(x) 1:3)
    expectation(model, function(x) letters[1 + 0 * x])
    expectation(model, function(x) x[, 0])
    expectation(model, function(x) x / (x > 0) * 0)
    expectation(model, cos, gradient = function(x) 1)
    expectation(model, cos, gradient = function(x) x / 0)
    expectation(model, cos, gradient = function(x) stop("no slope"))
  })
})

test_that("standard errors of probabilities cover them, though counts of lattices may agree", {
  model <- cwmix_model(cbind(0, 0), sd = cbind(1, 1), classifier = 1)
  covered <- function(threshold) {
    truth <- stats::pnorm(threshold, lower.tail = FALSE)
    inside <- replicate(100, {
      value <- probability(model, function(x) x[, 1] > threshold)
      abs(as.numeric(value) - truth) < stats::qt(0.975, 15) * attr(value, "se")
    })
    mean(inside)
  }
  # at least the 95 percent promised, up to three standard errors of 100 replications
  for (threshold in c(0, 0.3, 1.2, 2)) {
    expect_gt(with_fixed_seed(1, covered(threshold)), 0.88)
  }
})

test_that("what is exact draws nothing", {
  model <- vector_model()
  with_fixed_seed(1, {
    before <- .Random.seed
    mean(model)
    vcov(model)
    quantile(model)
    expect_identical(.Random.seed, before)
  })
})

test_that("extreme quantiles of columns are their bounds, those of functions have no error", {
  model <- moving_model(2)
  both <- seeded(quantile(model, 0:1, n = 64))
  expect_identical(as.numeric(both), c(-Inf, Inf, -Inf, Inf))
  expect_identical(as.numeric(attr(both, "se")), double(4))
  expect_identical(
    as.numeric(attr(seeded(quantile(model, 0:1, f = rowSums, n = 64)), "se")), c(NA_real_, NA_real_)
  )
})

test_that("the entropy of columns with two bounds keeps its digits close to them", {
  # of a logit-normal: that of the normal and the mean log slope, -E|y| - 2 E log(1 + exp(-|y|))
  model <- cwmix_model(0, sd = 20, classifier = 1, support = c(0, 1))
  slope <- function(y) -(abs(y) + 2 * log1p(exp(-abs(y)))) * stats::dnorm(y, sd = 20)
  truth <- log(20) + log(2 * pi * exp(1)) / 2 +
    2 * stats::integrate(slope, 0, Inf, rel.tol = 1e-10)$value
  expect_close(as.numeric(seeded(entropy(model, n = 2^14))), truth, 1e-3)
})
