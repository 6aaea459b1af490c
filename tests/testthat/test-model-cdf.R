test_that("all quantities are those of the slow reference", {
  for (case in cdf_models()) {
    x <- c(-3, -0.5, 0.01, 0.2, 0.5, 0.9, 1.5, 4, 20)
    inside <- reference_cdf_form(x, case$components, case$alpha)$density > 0
    expect_identical(predict(case$model, x[!inside]), double(sum(!inside)))
    x <- x[inside]
    expected <- reference_cdf_form(x, case$components, case$alpha)
    for (type in names(expected)) {
      expect_close(predict(case$model, x, type = type), expected[[type]], 1e-12)
      logs <- predict(case$model, x, type = type, log = TRUE)
      expect_close(logs, log(expected[[type]]), 1e-12, floor = 1)
    }
    class <- max.col(expected$posterior, ties.method = "first")
    expect_identical(predict(case$model, x, type = "class"), class)
  }
})

test_that("with normal components the two forms are one", {
  pair <- normal_pair()
  x <- c(-300, -40, -10, -3, -1, 0, 0.3, 2, 8, 50, 400)
  # All but the second component at 8, where the R function gives u^2 = 1.
  finite <- c(density = 11L, posterior = 13L, weights = 13L, component = 22L)
  for (type in c("density", "posterior", "weights", "component")) {
    logs <- predict(pair$base, x, type = type, log = TRUE)
    # 1 - u^2 has few digits where u is near 1, and u none beyond 38 standard deviations.
    some <- if (type %in% c("density", "component")) seq_along(x) else 3:9
    take <- function(y) if (is.matrix(y)) y[some, ] else y[some]
    known <- is.finite(take(logs))
    expect_identical(sum(known), finite[[type]])
    found <- take(predict(pair$cdf, x, type = type, log = TRUE))
    expect_close(found[known], take(logs)[known], 1e-12, floor = 1)
  }
  draws <- lapply(pair, simulate, 500, seed = 1, component = TRUE)
  expect_equal(draws$cdf, draws$base, tolerance = 1e-13)
  residuals <- lapply(pair, function(model) with_fixed_seed(2, residuals(model, draws$base)))
  expect_equal(residuals$cdf, residuals$base, tolerance = 1e-12)
  for (lower in c(TRUE, FALSE)) {
    p <- lapply(pair, function(model) pcwmix(x, model, lower, log.p = TRUE))
    expect_close(p$cdf, p$base, 1e-12)
    log_p <- -c(5000, 800, 40, 1, 0.1, 1e-10, 1e-200)
    q <- lapply(pair, function(model) qcwmix(log_p, model, lower, log.p = TRUE))
    expect_close(q$cdf, q$base, 1e-10)
  }
  for (f in list(mean, vcov, entropy, function(x) quantile(x, 0.3, f = function(x) x^2))) {
    values <- lapply(pair, function(model) with_fixed_seed(3, f(model)))
    expect_equal(values$cdf, values$base, tolerance = 1e-10)
  }
})

test_that("a network on (0, 1) is the R function that evaluates it", {
  network <- cdf_models()$network$model$classifier
  components <- list(gamma = list(shape = c(2, 5)))
  by_network <- cwmix_model(components = components, classifier = network)
  alpha <- function(u) predict(network, u)
  by_function <- cwmix_model(components = components, classifier = alpha)
  x <- c(0.1, 1, 3, 10)
  expect_equal(predict(by_network, x), predict(by_function, x), tolerance = 1e-12)
  expect_equal(pcwmix(x, by_network), pcwmix(x, by_function), tolerance = 1e-11)
  expect_equal(
    simulate(by_network, 20, seed = 1), simulate(by_function, 20, seed = 1),
    tolerance = 1e-12
  )
})

test_that("every density integrates to one, up to each point to its distribution function", {
  for (case in cdf_models()) {
    area <- function(to) {
      edges <- c(-Inf, seq(-5, 1, by = 0.5), 3, 10, Inf)
      edges <- c(edges[edges < to], to)
      sum(mapply(function(a, b) {
        integrate(function(x) predict(case$model, x), a, b, rel.tol = 1e-9)$value
      }, edges[-length(edges)], edges[-1]))
    }
    expect_equal(area(Inf), 1, tolerance = 1e-8)
    q <- c(-1, 0.2, 0.7, 2, 6)
    expect_equal(pcwmix(q, case$model), vapply(q, area, 0), tolerance = 1e-8)
  }
})

test_that("with constant weights the model is the mixture of its families", {
  mixture <- cwmix_model(
    components = list(gamma = list(shape = c(2, 7), scale = 0.5), beta = c(shape1 = 2, shape2 = 1)),
    classifier = c(0.2, 0.3, 0.5)
  )
  x <- c(1e-8, 0.3, 0.99, 2, 30)
  by_hand <- function(gamma, beta, ...) {
    0.2 * gamma(x, 2, scale = 0.5, ...) + 0.3 * gamma(x, 7, scale = 0.5, ...) +
      0.5 * beta(x, 2, 1, ...)
  }
  expect_close(predict(mixture, x), by_hand(dgamma, dbeta), 1e-13)
  expect_close(pcwmix(x, mixture), by_hand(pgamma, pbeta), 1e-13)
  upper <- by_hand(pgamma, pbeta, lower.tail = FALSE)
  expect_close(pcwmix(x, mixture, lower.tail = FALSE), upper, 1e-13)
  expect_close(qcwmix(upper, mixture, lower.tail = FALSE)[-1], x[-1], 1e-9)
  expect_close(qcwmix(pcwmix(x, mixture), mixture)[-5], x[-5], 1e-9)
})

test_that("one component is its family, whatever the classifier", {
  p <- c(0, 1e-5, 0.01, 0.2, 0.7, 0.999, 1)
  one <- cwmix_classifier(list(matrix(3)), list(1))
  for (component in list(
    list(cauchy = list(scale = 2)), list(gamma = c(shape = 0.2)), list(unif = c(min = -2, max = 3)),
    list(beta = c(shape1 = 0.4, shape2 = 0.7)), list(f = c(df1 = 3, df2 = 4)),
    list(chisq = c(df = 3, ncp = 2)), list(logis = list()), list(weibull = c(shape = 3))
  )) {
    model <- cwmix_model(components = component, classifier = one)
    q <- do.call(paste0("q", names(component)), c(list(p), component[[1]]))
    expect_close(qcwmix(p, model), q, 1e-9)
    expect_close(pcwmix(q, model), p, 1e-9)
    x <- q[c(3, 4, 5)]
    density <- do.call(paste0("d", names(component)), c(list(x), component[[1]]))
    expect_close(predict(model, x), density, 1e-13)
    # The median of base points is the median, and so on.
    z <- with_fixed_seed(1, as.vector(residuals(model, x)))
    expect_equal(z, qnorm(p[c(3, 4, 5)]), tolerance = 1e-9)
  }
})

test_that("draws are exact", {
  for (case in cdf_models()) {
    x <- simulate(case$model, 4000, seed = 1, component = TRUE)
    expect_gt(ks.test(as.vector(x), function(q) pcwmix(q, case$model))$p.value, 0.01)
    z <- attr(x, "z")
    expect_identical(dim(z), c(4000L, 1L))
    for (k in seq_along(case$components)) {
      rows <- attr(x, "component") == k
      component <- case$components[[k]]
      quantiles <- do.call(paste0("q", component[[1]]), c(list(pnorm(z[rows])), component[-1]))
      expect_equal(x[rows], quantiles, tolerance = 1e-10)
    }
    # The share of a component is the integral of its weight over (0, 1).
    shares <- colMeans(do.call(rbind, lapply(ppoints(2000), case$alpha)))
    counts <- tabulate(attr(x, "component"), length(shares))
    expect_gt(suppressWarnings(chisq.test(counts, p = shares))$p.value, 0.01)
    residual <- with_fixed_seed(2, residuals(case$model, as.vector(x)))
    expect_identical(dim(residual), c(4000L, 1L))
    expect_gt(ks.test(residual, "pnorm")$p.value, 0.01)
  }
})

test_that("the first draws do not depend on how many there are, and the seed is kept", {
  model <- cdf_models()$network$model
  x <- simulate(model, 50, seed = 1)
  expect_identical(simulate(model, 20, seed = 1)[1:20], x[1:20])
  set.seed(4)
  before <- .Random.seed
  simulate(model, 3, seed = 1)
  expect_identical(.Random.seed, before)
  set.seed(1)
  expect_identical(as.vector(simulate(model, 50)), x[1:50])
  set.seed(1)
  expect_identical(rcwmix(50, model), x[1:50])
})

test_that("outside of the components there is no density, and nothing else is known but weights", {
  model <- cdf_models()$network$model
  x <- c(-1, 0, Inf, NA)
  expect_identical(predict(model, x), c(0, 0, 0, NA))
  expect_identical(predict(model, x, log = TRUE), c(-Inf, -Inf, -Inf, NA))
  expect_true(all(is.na(predict(model, x, type = "posterior"))))
  expect_true(all(is.na(predict(model, x, type = "class"))))
  expect_true(all(is.na(residuals(model, x))))
  expect_identical(predict(model, x, type = "component")[1:3, ], matrix(0, 3, 2))
  at_zero <- predict(model$classifier, 1e-300)
  expect_equal(predict(model, x, type = "weights")[1:2, ], at_zero[c(1, 1), ], tolerance = 1e-12)
  expect_identical(pcwmix(c(-1, 0, NA, Inf), model), c(0, 0, NA, 1))
  expect_identical(qcwmix(c(0, NA, 1), model), c(0, NA, Inf))
  # A pole at an end of the support
  pole <- cwmix_model(components = list(gamma = list(shape = c(0.5, 2))), classifier = c(0.5, 0.5))
  expect_identical(predict(pole, 0), Inf)
})

test_that("logarithms hold far in the tails of light and heavy families", {
  classifier <- cwmix_classifier(list(matrix(c(2, -2))), list(c(0, 0)))
  model <- cwmix_model(
    components = list(norm = list(), t = list(df = 3)), classifier = classifier
  )
  x <- c(-1e10, -1e5, 1e5, 1e10)
  # There u is 0 or 1, and the normal density is nothing.
  log_weight <- predict(classifier, rep(0:1, each = 2), log = TRUE)[, 2]
  expect_close(predict(model, x, log = TRUE), log_weight + dt(x, 3, log = TRUE), 1e-12)
  expect_close(predict(model, x, type = "component", log = TRUE)[, 1], dnorm(x, log = TRUE), 1e-14)
  log_p <- log_weight[1] + pt(-1e10, 3, log.p = TRUE)
  expect_close(pcwmix(-1e10, model, log.p = TRUE), log_p, 1e-9)
  expect_close(qcwmix(log_p, model, log.p = TRUE), -1e10, 1e-8)
})

test_that("quantiles invert the distribution function, over hundreds of orders of magnitude", {
  classifier <- cwmix_classifier(list(matrix(c(3, -3))), list(c(0, 0)))
  model <- cwmix_model(
    components = list(cauchy = list(), gamma = list(shape = 0.1)), classifier = classifier
  )
  p <- c(1e-200, 1e-100, 1e-10, 0.01, 0.3, 0.6, 0.9, 1 - 1e-10)
  expect_close(pcwmix(qcwmix(p, model), model), p, 1e-10)
  expect_close(pcwmix(qcwmix(p, model, lower.tail = FALSE), model, lower.tail = FALSE), p, 1e-10)
  # A gap between components
  gap <- cwmix_model(
    components = list(unif = list(min = c(0, 2), max = c(1, 3))), classifier = c(0.4, 0.6)
  )
  expect_equal(qcwmix(c(0.2, 0.7), gap), c(0.5, 2.5), tolerance = 1e-12)
  expect_equal(qcwmix(c(0, 1), gap), c(0, 3))
})

test_that("expectations are integrals, by every estimator", {
  model <- cdf_models()$network$model
  by_integral <- function(f) {
    integrate(function(x) f(x) * predict(model, x), 0, Inf, rel.tol = 1e-8)$value
  }
  for (estimator in c("rao-blackwell", "crude", "score-function")) {
    value <- with_fixed_seed(
      1, expectation(model, function(x) log(x), n = 4096, estimator = estimator)
    )
    expect_lte(abs(value - by_integral(log)), 5 * attr(value, "se"))
  }
  with_fixed_seed(1, {
    expect_equal(bare(mean(model)), by_integral(identity), tolerance = 0.01)
    entropy <- by_integral(function(x) -predict(model, x, log = TRUE))
    expect_equal(bare(entropy(model)), entropy, tolerance = 0.01)
    below <- probability(model, function(x) x[, 1] < 2)
    expect_equal(bare(below), pcwmix(2, model), tolerance = 0.01)
    expect_equal(bare(kl_divergence(model, model)), 0)
  })
  expect_equal(bare(quantile(model, 0.3))[[1]], qcwmix(0.3, model))
  # Constant weights, where moments of normals have a closed form
  mixture <- cdf_models()$constant$model
  expect_equal(with_fixed_seed(1, bare(mean(mixture))), 0.2 * 2 * gamma(1 + 1 / 1.5) + 0.3,
    tolerance = 0.01
  )
})

test_that("components are given by lists, named vectors and vectors of parameters", {
  model_of <- function(...) {
    cwmix_model(components = list(...), classifier = c(0.2, 0.3, 0.5))
  }
  model <- model_of(
    gamma = list(shape = 2, rate = 3), gamma = list(shape = 5, rate = 3), norm = list()
  )
  expect_identical(
    model, model_of(gamma = list(shape = c(2, 5), rate = 3), norm = list())
  )
  expect_identical(
    model, cwmix_model(mean = NULL, components = model$components, classifier = c(0.2, 0.3, 0.5))
  )
  expect_identical(
    model, model_of(gamma = c(shape = 2L, rate = 3L), gamma = c(shape = 5, rate = 3), norm = list())
  )
  expect_s3_class(model, c("cwmix_model", "cwmix_family", "cwmix_density"), exact = TRUE)
  expect_named(model$components, c("gamma", "gamma", "norm"))
  expect_identical(model$components[[2]], list(shape = 5, rate = 3))
  again <- cwmix_model(components = coef(model)$components, classifier = model$classifier)
  expect_identical(again, model)
})

test_that("the classifier of a model with components serves others, but not normals", {
  for (case in cdf_models()) {
    classifier <- case$model$classifier
    again <- cwmix_model(components = case$model$components, classifier = classifier)
    expect_identical(again, case$model)
    K <- length(case$components)
    normals <- list(norm = list(mean = seq_len(K)))
    of_normals <- cwmix_model(components = normals, classifier = classifier)
    alone <- cwmix_model(components = normals, classifier = function(u) predict(classifier, u))
    expect_close(predict(of_normals, 0:3), predict(alone, 0:3), 1e-13)
    expect_error(
      cwmix_model(seq_len(K), sd = rep(1, K), classifier = classifier), "standardised points z",
      class = "cwmix_input_error"
    )
  }
})

test_that("coefficients, tables and counts are of the families' parameters", {
  model <- cdf_models()$network$model
  expect_named(coef(model), c("components", "weights", "biases"))
  expect_named(coef(cdf_models()[["R function"]]$model), "components")
  expect_identical(
    tidy(model), data.frame(
      component = 1:2, family = c("gamma", "lnorm"), shape = c(2, NA), rate = c(0.5, NA),
      meanlog = c(NA, 1)
    )
  )
  expect_identical(summary(model)$components, tidy(model))
  expect_identical(count_parameters(model), 3L + 3L + 6L + 3L + 2L)
  expect_identical(count_parameters(cdf_models()$constant$model), 2L + 2L)
  points <- augment(model, c(1, -1))
  expect_equal(points$.density, predict(model, c(1, -1)))
  scores <- compare(list(cdf = model, normal = vector_model()), c(0.5, 1, 3))
  expect_identical(scores$df[scores$fit == "cdf"], 17)
})

test_that("families are found from the global environment too, whenever they are needed", {
  names <- c("dtestlaplace", "ptestlaplace", "qtestlaplace")
  on.exit(rm(list = intersect(names, ls(globalenv())), envir = globalenv()))
  assign(names[1], envir = globalenv(), function(x, scale = 1, log = FALSE) {
    value <- -abs(x) / scale - log(2 * scale)
    if (log) value else exp(value)
  })
  # nolint start: object_name_linter.
  assign(names[2], envir = globalenv(), function(q, scale = 1, lower.tail = TRUE, log.p = FALSE) {
    below <- pexp(-q, 1 / scale, FALSE) / 2 + pexp(q, 1 / scale) / 2
    value <- if (lower.tail) below else 1 - below
    if (log.p) log(value) else value
  })
  assign(names[3], envir = globalenv(), function(p, scale = 1, lower.tail = TRUE, log.p = FALSE) {
    if (log.p) p <- exp(p)
    if (!lower.tail) p <- 1 - p
    -sign(p - 0.5) * log(1 - 2 * abs(p - 0.5)) * scale
  })
  # nolint end
  model <- cwmix_model(
    components = list(testlaplace = list(scale = c(1, 3))), classifier = c(0.5, 0.5)
  )
  expect_equal(predict(model, 1), exp(-1) / 4 + exp(-1 / 3) / 12)
  rm(list = names, envir = globalenv())
  expect_error(predict(model, 1), "`dtestlaplace`", class = "cwmix_input_error")
})

test_that("models of families print themselves, and their classifiers", {
  for (case in cdf_models()) expect_lte(length(format(case$model)), 8)
  expect_snapshot({
    cdf_models()$network$model
    summary(cdf_models()[["R function"]]$model)
    cdf_models()$constant$model
    cdf_models()$network$model$classifier
  })
})

test_that("plots stay where the components are and return the values that predict() gives", {
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  model <- cdf_models()$network$model
  drawn <- plot(model)
  expect_gt(min(drawn$x), 0)
  expect_identical(drawn$y, predict(model, drawn$x))
  drawn <- plot(model, what = "components", newdata = simulate(model, 50, seed = 1))
  expect_equal(rowSums(drawn$y), drawn$sum, tolerance = 1e-12)
  drawn <- plot(model, what = "weights")
  expect_identical(drawn$y, predict(model, drawn$x, type = "weights"))
  drawn <- plot(model, what = "classifier")
  expect_equal(range(drawn$x), c(0, 1), tolerance = 1e-3)
  expect_identical(drawn$y, predict(model$classifier, drawn$x))
  drawn <- plot(model, what = "classifier", xlim = c(0.2, 0.4))
  expect_identical(range(drawn$x), c(0.2, 0.4))
  drawn <- plot(model, what = "residuals", newdata = simulate(model, 50, seed = 1))
  expect_identical(dim(drawn), c(50L, 1L))
})

test_that("log-likelihoods are sums, with weights", {
  model <- cdf_models()$network$model
  x <- c(0.5, 1, 3)
  expect_equal(log_likelihood(model, x), sum(predict(model, x, log = TRUE)))
  expect_equal(
    log_likelihood(model, x, weights = 1:3), sum(1:3 * predict(model, x, log = TRUE))
  )
})

test_that("gradients in the classifier are the engine's, in a family's parameters differences", {
  # In either form the same model: derivatives in the classifier agree to rounding, and those in the
  # parameters of normal families are those of means and standard deviations.
  alpha <- small_network()
  mean <- c(-1, 2)
  sd <- c(1, 0.5)
  cdf <- cwmix_model(components = list(norm = list(mean = mean, sd = sd)), classifier = alpha)
  base <- cwmix_model(mean, sd = sd, classifier = function(z) predict(alpha, pnorm(z)))
  x <- c(-2, -0.3, 0.4, 1.7, 2.6)
  weights <- c(1, 0.5, 2, 0, 1)
  gradient <- attr(log_likelihood(cdf, x, gradient = TRUE, weights = weights), "gradient")
  value <- function(mean, sd) {
    base$mean[] <- mean
    base$sd[] <- sd
    log_likelihood(base, x, weights = weights)
  }
  for (k in 1:2) {
    in_mean <- function(m) value(replace(mean, k, m), sd)
    in_sd <- function(s) value(mean, replace(sd, k, s))
    component <- gradient$components[[k]]
    expect_close(component$mean, finite_difference(in_mean, mean[k]), 1e-7, floor = 1)
    expect_close(component$sd, finite_difference(in_sd, sd[k]), 1e-7, floor = 1)
  }
  for (l in 1:2) {
    in_bias <- function(b) {
      moved <- cdf
      moved$classifier$inner$biases[[l]][1] <- b
      log_likelihood(moved, x, weights = weights)
    }
    expected <- finite_difference(in_bias, alpha$biases[[l]][1])
    expect_close(gradient$biases[[l]][1], expected, 1e-8, floor = 1)
  }
})

test_that("a family at the end of its range has no differences", {
  edge <- cwmix_model(components = list(t = list(df = 3, ncp = 0)), classifier = 1)
  expect_length(attr(log_likelihood(edge, 1, gradient = TRUE), "gradient")$components, 1)
  edge <- cwmix_model(components = list(unif = list(min = 0, max = 1)), classifier = 1)
  expect_error(log_likelihood(edge, 1, gradient = TRUE), "at an end of its range",
    class = "cwmix_input_error"
  )
})
