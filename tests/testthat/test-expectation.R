# Expectations, their gradients, and the engine's way back from weights and nodes.

# Scenarios with base points `z` for points.
base_scenarios <- function(...) {
  lapply(scenarios(...), function(s) c(s, list(z = make_base(nrow(s$x), ncol(s$x)))))
}

# The engine's gradient from derivatives in log weights and nodes.
way_back <- function(p, z, log_weight, node, instance = NULL, threads = 1L) {
  model <- engine_model(reference_coef(p), p$activation)
  flat <- in_instance(
    .Call(ffi_expectation_gradient, model, z, log_weight, node, threads),
    instance = instance
  )
  unflatten(flat, reference_coef(p))
}

reference_way_back <- function(p, z, log_weight, node) {
  g <- reference_zero(p)
  for (i in seq_len(nrow(z))) {
    dx <- matrix(node[i, , ], ncol = ncol(z))
    g <- reference_add_nodes(g, z[i, ], p, log_weight[i, ], dx)
  }
  g
}

random_derivatives <- function(n, K, d) {
  with_fixed_seed(1, list(
    log_weight = matrix(rnorm(n * K), n, K), node = array(rnorm(n * K * d), c(n, K, d))
  ))
}

test_that("nodes are the means moved by the factors times the base points", {
  for (s in base_scenarios(hidden = list(NULL), activation = "tanh")) {
    model <- as_model(s$p)
    nodes <- .Call(ffi_nodes, model$mean, model$sd %||% model$cholesky, s$z)
    for (k in seq_len(nrow(model$mean))) {
      expected <- t(apply(s$z, 1, reference_node, s$p, k))
      expect_close(
        matrix(nodes[, k, ], nrow(s$z)), matrix(expected, nrow(s$z)), 1e-13,
        floor = 1, info = s$name
      )
    }
  }
})

test_that("the way back from weights and nodes follows the reference in every instance", {
  for (s in base_scenarios()) {
    given <- random_derivatives(nrow(s$z), nrow(s$p$mean), ncol(s$z))
    expected <- reference_way_back(s$p, s$z, given$log_weight, given$node)
    for (instance in cwmix_info()$instances) {
      expect_close_gradient(
        way_back(s$p, s$z, given$log_weight, given$node, instance), expected, 1e-11,
        info = paste(s$name, instance)
      )
    }
  }
})

test_that("so it does over many tiles, with more components and units than a vector has lanes", {
  # not a multiple of anything a tile may hold
  z <- make_base(701, 2)
  for (covariance in c("diagonal", "full")) {
    for (hidden in list(NULL, c(33, 17))) {
      p <- make_parameters(2, 19, hidden, covariance, "silu", 3)
      given <- random_derivatives(701, 19, 2)
      expected <- reference_way_back(p, z, given$log_weight, given$node)
      for (instance in cwmix_info()$instances) {
        expect_close_gradient(
          way_back(p, z, given$log_weight, given$node, instance), expected, 1e-11,
          info = paste(covariance, length(hidden), instance)
        )
      }
    }
  }
})

test_that("estimate and gradient follow the reference in 1, 2 and 5 dimensions", {
  for (s in base_scenarios(n = c(2, 7, 19))) {
    value <- expectation(as_model(s$p), wave, z = s$z, gradient = wave_gradient)
    expect_close(
      as.numeric(value), reference_expectation(s$z, s$p, wave), 1e-11,
      floor = 1, info = s$name
    )
    expect_close_gradient(
      gradient_of(value), reference_expectation_gradient(s$z, s$p, wave, wave_gradient), 1e-10,
      info = s$name
    )
  }
})

test_that("finite differences confirm every block of the gradient", {
  for (s in base_scenarios(c(1, 3), c(1, 3), list(NULL, integer(0), c(6, 4)), n = 5)) {
    gradient <- gradient_of(expectation(as_model(s$p), wave, z = s$z, gradient = wave_gradient))
    # relu's kinks move with the weights but not past a base point within a step
    expect_gradient_along(
      gradient, s$p, function(p) expectation(as_model(p), wave, z = s$z), 1e-8, s$name
    )
  }
})

test_that("REINFORCE follows the reference", {
  for (s in base_scenarios(hidden = list(NULL, c(5, 4)), activation = "tanh", n = c(2, 7, 19))) {
    value <- seeded_expectation(
      1, as_model(s$p), wave,
      z = s$z, estimator = "score-function", gradient = TRUE
    )
    x <- reference_draws_at(s$z, given_uniforms(1, nrow(s$z)), s$p)
    expect_close(as.numeric(value), mean(wave(x)), 1e-11, floor = 1, info = s$name)
    expect_close_gradient(
      gradient_of(value), reference_score_gradient(x, s$p, wave), 1e-10,
      info = s$name
    )
    crude <- seeded_expectation(1, as_model(s$p), wave, z = s$z, estimator = "crude")
    expect_identical(as.numeric(crude), as.numeric(value))
    expect_identical(attr(crude, "se"), attr(value, "se"))
  }
})

test_that("Gumbel-softmax follows the reference, and finite differences with the same noise", {
  for (s in base_scenarios(K = c(1, 4), hidden = list(NULL, c(5, 4)), activation = "silu", n = 5)) {
    noise <- given_noise(1, 5, nrow(s$p$mean))
    for (temperature in c(0.2, 1)) {
      relaxed <- function(p, ...) {
        seeded_expectation(
          1, as_model(p), wave,
          z = s$z, estimator = "gumbel-softmax", temperature = temperature, ...
        )
      }
      value <- relaxed(s$p, gradient = wave_gradient)
      x <- reference_relaxed_draws(s$z, s$p, noise, temperature)
      expect_close(as.numeric(value), mean(wave(x)), 1e-11, floor = 1, info = s$name)
      expect_close_gradient(
        gradient_of(value),
        reference_relaxed_gradient(s$z, s$p, wave_gradient, noise, temperature), 1e-10,
        info = s$name
      )
      expect_gradient_along(gradient_of(value), s$p, relaxed, 1e-7, s$name)
    }
  }
})

test_that("Gumbel-softmax is biased by its temperature, hardly so at a low one", {
  model <- moving_model(2)
  exact <- seeded_expectation(1, model, wave, n = 2^15)
  bias <- vapply(c(2, 0.5, 0.1, 0.005), function(temperature) {
    value <- seeded_expectation(
      1, model, wave,
      n = 2^14, points = "random", estimator = "gumbel-softmax", temperature = temperature
    )
    (value - exact) / attr(value, "se")
  }, 0)
  expect_identical(order(abs(bias)), 4:1)
  expect_gt(abs(bias[2]), 20)
  expect_lt(abs(bias[4]), 4)
})

test_that("one has expectation one and no gradient, whatever the estimator", {
  one <- function(x) rep(1, nrow(x))
  for (covariance in c("diagonal", "full")) {
    model <- moving_model(2, covariance)
    for (estimator in c("rao-blackwell", "score-function", "gumbel-softmax")) {
      value <- seeded_expectation(
        1, model, one,
        n = 128, estimator = estimator, gradient = function(x) 0 * x
      )
      expect_close(as.numeric(value), 1, 1e-14)
      expect_close(attr(value, "se"), 0, 1e-15, floor = 1)
      expect_close(max(abs(unlist(gradient_of(value)))), 0, 1e-15, floor = 1)
    }
  }
})

test_that("one component has the normal's moments", {
  p <- make_parameters(3, 1, c(5, 4), "full", seed = 2)
  model <- as_model(p)
  l <- reference_factor(p, 1)
  value <- seeded_expectation(1, model, function(x) cbind(x, x[, 1] * x[, 2], x[, 3]^2), n = 2^14)
  sigma <- tcrossprod(l)
  m <- p$mean[1, ]
  expected <- c(m, sigma[1, 2] + m[1] * m[2], sigma[3, 3] + m[3]^2)
  # a lattice is exact for linear functions, but for rounding
  expect_close(value[1:3], m, 1e-13)
  # of 8 replicates: beyond 6 standard errors once in 2000 times
  expect_close((value - expected)[4:5] / attr(value, "se")[4:5], double(2), 6, floor = 1)
})

test_that("moving and stretching the density moves and stretches an expectation", {
  p <- make_parameters(2, 4, 5, "full", seed = 3)
  z <- make_base(50, 2)
  a <- matrix(c(2, 0.5, 0, 0.7), 2)
  moved <- p
  moved$mean <- p$mean %*% t(a) + rep(c(3, -1), each = 4)
  for (k in 1:4) {
    l <- a %*% reference_factor(p, k)
    diag(l) <- log(diag(l))
    moved$log_cholesky[, , k] <- l
  }
  back <- function(x) t(solve(a, t(x) - c(3, -1)))
  expect_close(
    as.numeric(expectation(as_model(moved), function(x) wave(back(x)), z = z)),
    as.numeric(expectation(as_model(p), wave, z = z)), 1e-12
  )
})

test_that("the order of components plays no role", {
  p <- make_parameters(2, 4, 5, seed = 3)
  order <- c(3, 1, 4, 2)
  q <- p
  q$mean <- p$mean[order, ]
  q$log_sd <- p$log_sd[order, ]
  q$weights[[2]] <- p$weights[[2]][order, ]
  q$biases[[2]] <- p$biases[[2]][order]
  z <- make_base(50, 2)
  value <- lapply(list(p, q), function(p) {
    expectation(as_model(p), wave, z = z, gradient = wave_gradient)
  })
  expect_close(as.numeric(value[[2]]), as.numeric(value[[1]]), 1e-13)
  expect_close(gradient_of(value[[2]])$mean, gradient_of(value[[1]])$mean[order, ], 1e-12, 1)
})

test_that("several functions have the estimates and gradients that each has alone", {
  model <- moving_model(2)
  both <- function(x) cbind(wave = wave(x), first = x[, 1])
  slopes <- function(x) array(c(wave_gradient(x), rep(1:0, each = nrow(x))), c(dim(x), 2))
  for (estimator in c("rao-blackwell", "score-function", "gumbel-softmax")) {
    estimate <- function(f, gradient) {
      seeded_expectation(1, model, f, n = 64, estimator = estimator, gradient = gradient)
    }
    value <- estimate(both, slopes)
    alone <- estimate(wave, wave_gradient)
    first <- estimate(function(x) x[, 1], function(x) slopes(x)[, , 2])
    expect_named(value, c("wave", "first"))
    expect_named(attr(value, "se"), c("wave", "first"))
    expect_named(gradient_of(value), c("wave", "first"))
    expect_equal(as.numeric(value), c(alone, first), tolerance = 1e-14)
    expect_equal(unname(attr(value, "se")), c(attr(alone, "se"), attr(first, "se")))
    expect_close(gradient_of(value)$wave, gradient_of(alone), 1e-14, 1)
    expect_close(gradient_of(value)$first, gradient_of(first), 1e-14, 1)
  }
})

test_that("the gradient has the names and shapes of the coefficients", {
  shapes <- function(x) rapply(x, function(e) c(length(e), dim(e)), how = "replace")
  models <- list(
    moving_model(1), moving_model(2, "full"), make_model(2, 3), make_average(2, "mixed")
  )
  for (model in models) {
    for (estimator in c("rao-blackwell", "score-function", "gumbel-softmax")) {
      value <- seeded_expectation(
        1, model, wave,
        n = 32, estimator = estimator, gradient = wave_gradient
      )
      expect_identical(shapes(gradient_of(value)), shapes(coef(model)))
    }
  }
})

test_that("averages have the expectations and gradients of their members by their shares", {
  for (d in c(1, 2)) {
    for (covariance in c("diagonal", "full", "mixed")) {
      ps <- make_members(d, covariance)
      z <- make_base(9, d)
      value <- expectation(make_average(d, covariance), wave, z = z, gradient = wave_gradient)
      each <- vapply(ps, function(p) reference_expectation(z, p, wave), 0)
      expect_close(as.numeric(value), sum(member_shares() * each), 1e-11, floor = 1)
      expected <- Map(function(p, share) {
        g <- reference_expectation_gradient(z, p, wave, wave_gradient)
        rapply(g, function(entry) share * entry, how = "replace")
      }, ps, member_shares())
      expect_close_gradient(gradient_of(value), list(members = expected), 1e-10)
    }
  }
})

test_that("REINFORCE of an average follows its members' log densities", {
  average <- make_average(2)
  x <- with_fixed_seed(1, unname(simulate(average, 40)))
  f <- wave(x)
  value <- seeded_expectation(
    1, average, wave,
    n = 40, points = "random", estimator = "score-function", gradient = TRUE
  )
  baseline <- (sum(f) - f) / 39
  expected <- reference_average_gradient(x, make_members(2), member_shares(), (f - baseline) / 40)
  expect_close_gradient(gradient_of(value), list(members = expected), 1e-9)
})

test_that("weights given by an R function have estimates and no gradient", {
  classifier <- cwmix_classifier(list(matrix(c(2, -2))), list(c(0, 0)))
  network <- cwmix_model(c(-1, 1), sd = c(1, 2), classifier = classifier)
  fn <- cwmix_model(c(-1, 1), sd = c(1, 2), classifier = function(z) predict(classifier, z))
  for (estimator in c("rao-blackwell", "crude", "score-function", "gumbel-softmax")) {
    expect_equal(
      seeded_expectation(1, fn, cos, n = 64, estimator = estimator),
      seeded_expectation(1, network, cos, n = 64, estimator = estimator)
    )
  }
  expect_error(
    expectation(fn, cos, gradient = function(x) -sin(x)), "not an R function",
    class = "cwmix_input_error"
  )
})

test_that("bounded columns: estimates at the nodes' images and gradients by the chain rule", {
  support <- list(c(0, 1), c(-Inf, 2), c(1, Inf), NULL)
  bounds <- rbind(c(0, 1), c(-Inf, 2), c(1, Inf), c(-Inf, Inf))
  z <- make_base(7, 4)
  f <- function(x) wave(x / 2)
  df <- function(x) wave_gradient(x / 2) / 2
  inside <- function(y) from_working(y, bounds)
  for (hidden in list(NULL, 5)) {
    p <- make_parameters(4, 3, hidden, "full", seed = 8)
    estimate <- function(p, ...) expectation(as_model(p, support = support), f, z = z, ...)
    value <- estimate(p, gradient = df)
    expect_close(
      as.numeric(value), reference_expectation(z, p, function(y) f(inside(y))), 1e-11,
      floor = 1
    )
    expect_gradient_along(gradient_of(value), p, estimate, 1e-8, "bounded")
    for (estimator in c("gumbel-softmax", "score-function")) {
      bounded <- as_model(p, support = support)
      free <- as_model(p)
      expect_equal(
        seeded_expectation(1, bounded, f, z = z, estimator = estimator),
        seeded_expectation(1, free, function(y) f(inside(y)), z = z, estimator = estimator)
      )
    }
    relaxed <- function(p, ...) {
      seeded_expectation(
        1, as_model(p, support = support), f,
        z = z, estimator = "gumbel-softmax", ...
      )
    }
    expect_gradient_along(gradient_of(relaxed(p, gradient = df)), p, relaxed, 1e-7, "bounded")
  }
})

test_that("central differences stand in for a gradient, with a message", {
  for (model in list(
    moving_model(2), moving_model(3, "full"), make_average(2),
    moving_model(2, support = list(c(0, 1), NULL))
  )) {
    z <- make_base(20, size(model)$d)
    for (estimator in c("rao-blackwell", "gumbel-softmax")) {
      estimate <- function(gradient) {
        seeded_expectation(1, model, wave, z = z, estimator = estimator, gradient = gradient)
      }
      expect_message(by_differences <- estimate(TRUE), class = "cwmix_differences_message")
      expect_no_message(exact <- estimate(wave_gradient))
      expect_identical(as.numeric(by_differences), as.numeric(exact))
      # central differences lose a third of the digits
      expect_close_gradient(gradient_of(by_differences), gradient_of(exact), 1e-8)
    }
  }
  expect_snapshot(invisible(expectation(vector_model(), cos, gradient = TRUE)))
  expect_no_message(
    expectation(vector_model(), cos, estimator = "score-function", gradient = TRUE)
  )
})

test_that("differences of several functions are those of each", {
  model <- moving_model(2)
  z <- make_base(20, 2)
  f <- function(x) cbind(wave(x), x[, 1] * x[, 2])
  value <- suppressMessages(expectation(model, f, z = z, gradient = TRUE))
  product <- expectation(model, function(x) x[, 1] * x[, 2], z = z, gradient = function(x) x[, 2:1])
  expect_length(gradient_of(value), 2)
  expect_close_gradient(gradient_of(value)[[2]], gradient_of(product), 1e-8)
})

test_that("functions see points in the columns of the data, may return logicals and integers", {
  set.seed(1)
  fit <- gaussian_mixture(faithful, K = 2)
  seen <- NULL
  value <- expectation(fit, function(x) {
    seen <<- x
    cbind(late = x[, "waiting"] > 70, short = as.integer(x[, "eruptions"] < 3))
  }, n = 64)
  expect_identical(dim(seen), c(128L, 2L))
  expect_identical(dimnames(seen), list(NULL, names(faithful)))
  expect_named(value, c("late", "short"))
  expect_identical(attr(value, "evaluations"), 128)
  expect_close(as.numeric(value), c(0.6, 0.4), 0.2)
  expect_null(dimnames(local({
    expectation(vector_model(), function(x) {
      seen <<- x
      x
    })
    seen
  })))
  # names of points are not names of functions
  value <- expectation(fit, function(x) setNames(x[, 1], seq_len(nrow(x))), n = 64)
  expect_null(names(value))
})

test_that("nodes of weight zero have no part, whatever the function is there", {
  p <- make_parameters(1, 3, NULL, seed = 4)
  p$biases <- list(log(c(0.4, 0, 0.6)))
  p$mean[] <- c(-1, 100, 1)
  z <- make_base(9, 1)
  for (bad in c(Inf, NaN, NA)) {
    f <- function(x) ifelse(x[, 1] > 50, bad, cos(x[, 1]))
    value <- expectation(as_model(p), f, z = z, gradient = function(x) -sin(x))
    expect_close(as.numeric(value), reference_expectation(z, p, function(x) cos(x[, 1])), 1e-13)
    expect_close_gradient(
      gradient_of(value), reference_expectation_gradient(z, p, cos, function(x) -sin(x)), 1e-12
    )
  }
  expect_identical(attr(value, "evaluations"), 18)
})

test_that("an infinite function at a node that counts is an infinite estimate", {
  value <- expectation(vector_model(), function(x) ifelse(x > 0, Inf, 1), n = 64)
  expect_identical(as.numeric(value), Inf)
})

test_that("many points are taken block by block", {
  model <- moving_model(5, K = 50)
  z <- make_base(4000, 5)
  part <- function(rows, ...) {
    expectation(model, function(x) cbind(a = wave(x), b = x[, 1]), z = z[rows, ], ...)
  }
  slopes <- function(x) {
    array(c(wave_gradient(x), rep(c(1, 0, 0, 0, 0), each = nrow(x))), c(dim(x), 2))
  }
  whole <- part(1:4000, gradient = slopes)
  first <- part(1:1000, gradient = slopes)
  rest <- part(1001:4000, gradient = slopes)
  expect_length(row_blocks(4000, 250), 2)
  expect_close(as.numeric(whole), as.numeric((first + 3 * rest) / 4), 1e-13)
  expect_close(
    unlist(gradient_of(whole)), (unlist(gradient_of(first)) + 3 * unlist(gradient_of(rest))) / 4,
    1e-11,
    floor = 1
  )
  expect_identical(attr(whole, "evaluations"), 200000)
  expect_named(whole, c("a", "b"))
})

test_that("the same seed gives the same result, another another", {
  model <- moving_model(2)
  for (points in c("lattice", "random")) {
    for (estimator in c("rao-blackwell", "crude", "score-function", "gumbel-softmax")) {
      estimate <- function(seed) {
        seeded_expectation(seed, model, wave, n = 64, points = points, estimator = estimator)
      }
      expect_identical(estimate(1), estimate(1))
      expect_false(identical(as.numeric(estimate(1)), as.numeric(estimate(2))))
    }
  }
})

test_that("the crude estimate at random points is the mean over simulate()'s draws", {
  for (model in list(moving_model(2, "full"), moving_model(1, support = c(0, Inf)))) {
    f <- function(x) cos(as.matrix(x)[, 1])
    value <- seeded_expectation(1, model, f, n = 200, points = "random", estimator = "crude")
    values <- with_fixed_seed(1, f(simulate(model, 200)))
    expect_equal(as.numeric(value), mean(values), tolerance = 1e-14)
    expect_equal(attr(value, "se"), sd(values) / sqrt(200), tolerance = 1e-13)
  }
})

test_that("estimates agree with integrals", {
  for (model in list(switching_model(), bounded_model(c(0, 1), small_network()))) {
    range <- if (is.finite(model$frame$support[1])) c(0, 1) else c(-Inf, Inf)
    exact <- integrate(function(x) cos(x) * predict(model, x), range[1], range[2])$value
    value <- seeded_expectation(1, model, cos, n = 2^13, replicates = 32)
    expect_close((value - exact) / attr(value, "se"), 0, 4, floor = 1)
    expect_lt(attr(value, "se"), 2e-4)
  }
})

test_that("summing the component out lowers the variance, function by function", {
  f <- function(x) {
    cbind(
      first = x[, 1], square = x[, 1]^2, wave = wave(x), inside = rowSums(x^2) < 4,
      exp = exp(-rowSums(x^2) / 4)
    )
  }
  for (model in list(moving_model(2), moving_model(2, "full", K = 8), make_average(2))) {
    se <- function(estimator) {
      value <- seeded_expectation(
        1, model, f,
        n = 2^13, points = "random", estimator = estimator
      )
      attr(value, "se")
    }
    # of 8192 points a standard error is known to about 1 percent
    ratio <- se("rao-blackwell") / se("crude")
    expect_lt(max(ratio), 0.95)
  }
})

# The mean difference of vectors in standard errors, along random directions: of 5 normal numbers
# one is beyond 4 once in 3000 times.
expect_mean_zero <- function(differences, info = NULL) {
  along <- with_fixed_seed(2, matrix(rnorm(5 * nrow(differences)), 5)) %*% differences
  z <- rowMeans(along) / (apply(along, 1, sd) / sqrt(ncol(along)))
  expect_close(z, double(5), 4, floor = 1, info = info)
}

test_that("REINFORCE is unbiased: in the mean it is the gradient of the sum over components", {
  for (covariance in c("diagonal", "full")) {
    model <- moving_model(2, covariance)
    gradients <- with_fixed_seed(1, replicate(300, {
      unlist(gradient_of(expectation(
        model, wave,
        n = 20, points = "random", estimator = "score-function", gradient = TRUE
      )))
    }))
    exact <- seeded_expectation(1, model, wave, n = 2^13, gradient = wave_gradient)
    expect_mean_zero(gradients - unlist(gradient_of(exact)), covariance)
  }
})

test_that("on a ring the gradient varies 10 times less than REINFORCE's at as many evaluations", {
  angle <- 2 * pi * (1:8) / 8
  model <- cwmix_model(
    4 * cbind(cos(angle), sin(angle)),
    sd = matrix(0.35, 8, 2), classifier = rep(1 / 8, 8)
  )
  variance <- function(...) {
    estimate <- function() gradient_of(expectation(model, wave, points = "random", ...))
    gradients <- with_fixed_seed(1, replicate(100, unlist(estimate())))
    sum(apply(gradients, 1, var))
  }
  ours <- variance(n = 25, gradient = wave_gradient)
  expect_gt(variance(n = 200, estimator = "score-function", gradient = TRUE) / ours, 10)
})

test_that("at 4096 points a lattice is 5 times as exact for smooth functions", {
  f <- function(x) cbind(cos(rowSums(x) / 2), exp(-rowSums(x^2) / 8), x[, 1]^2, sin(x[, 1] / 2))
  for (model in list(moving_model(1), moving_model(2), moving_model(2, "full"), make_average(2))) {
    exact <- as.numeric(seeded_expectation(1, model, f, n = 2^17))
    error <- function(points) {
      estimates <- with_fixed_seed(
        2, replicate(20, as.numeric(expectation(model, f, n = 4096, points = points)))
      )
      sqrt(rowMeans((estimates - exact)^2))
    }
    expect_gt(min(error("random") / error("lattice")), 5)
  }
})

test_that("standard errors are of the size of errors: their ratios follow Student's t", {
  model <- moving_model(2)
  exact <- as.numeric(seeded_expectation(1, model, wave, n = 2^17))
  ratios <- function(...) {
    ratio <- function() {
      value <- expectation(model, wave, ...)
      (value - exact) / attr(value, "se")
    }
    with_fixed_seed(3, replicate(200, ratio()))
  }
  for (estimator in c("rao-blackwell", "crude")) {
    z <- ratios(n = 400, points = "random", estimator = estimator)
    expect_gt(ks.test(z, pt, df = 399)$p.value, 1e-3)
    z <- ratios(n = 512, replicates = 8, estimator = estimator)
    expect_gt(ks.test(z, pt, df = 7)$p.value, 1e-3)
  }
})

test_that("results say how they came about", {
  model <- moving_model(2)
  evaluations <- c(
    "rao-blackwell" = 256, "crude" = 64, "score-function" = 64, "gumbel-softmax" = 64
  )
  for (estimator in names(evaluations)) {
    value <- expectation(model, wave, n = 64, estimator = estimator)
    expect_s3_class(value, "cwmix_expectation")
    expect_identical(attr(value, "estimator"), estimator)
    expect_equal(attr(value, "evaluations"), evaluations[[estimator]])
    expect_null(gradient_of(value))
  }
})

test_that("arithmetic leaves plain numbers with their names", {
  value <- seeded_expectation(1, vector_model(), function(x) cbind(a = x[, 1], b = x[, 1]^2))
  plain <- c(a = value[["a"]], b = value[["b"]])
  expect_identical(value[1:2], plain)
  expect_identical(value["b"], plain["b"])
  expect_identical(-value, -plain)
  expect_identical(value + 1, plain + 1)
  expect_identical(2 * value, 2 * plain)
  expect_identical(value / value, plain / plain)
  expect_identical(value > 0, plain > 0)
  expect_identical(sqrt(value^2), sqrt(plain^2))
  expect_identical(round(value, 1), round(plain, 1))
  expect_identical(sum(value), sum(plain))
  expect_identical(range(value, 3), range(plain, 3))
  expect_identical(max(value, NA, na.rm = TRUE), max(plain))
  expect_identical(as.numeric(value), unname(plain))
  expect_identical(c(value, 1), c(plain, 1))
})

test_that("tidy has a row a function", {
  value <- seeded_expectation(1, vector_model(), function(x) cbind(a = x[, 1], b = x[, 1]^2))
  table <- tidy(value)
  expect_identical(table$term, c("a", "b"))
  expect_identical(table$estimate, as.numeric(value))
  expect_identical(table$std.error, unname(attr(value, "se")))
  expect_identical(tidy(expectation(vector_model(), cos))$term, "f1")
})

test_that("expectations print their standard errors", {
  set.seed(1)
  model <- cwmix_model(c(-1, 1), sd = c(1, 2), classifier = c(0.3, 0.7))
  expect_snapshot({
    expectation(model, cos)
    expectation(model, function(x) cbind(cosine = cos(x[, 1]), square = x[, 1]^2))
    expectation(model, cos, gradient = function(x) -sin(x))
    expectation(model, function(x) outer(cos(x[, 1]), 1:12))
    print(expectation(model, function(x) 1e6 * cos(x)), digits = 3)
  })
})

test_that("the sum over components at given base points leaves the generator alone", {
  model <- moving_model(2)
  z <- make_base(9, 2)
  with_fixed_seed(1, {
    before <- .Random.seed
    expectation(model, wave, z = z, gradient = wave_gradient)
    expect_identical(.Random.seed, before)
    expectation(model, wave, z = z, estimator = "crude")
    expect_false(identical(.Random.seed, before))
  })
})

test_that("user-supplied base points may be a vector in one dimension", {
  z <- make_base(9, 1)
  expect_identical(
    expectation(vector_model(), cos, z = drop(z)), expectation(vector_model(), cos, z = z)
  )
})

test_that("the baseline of REINFORCE is that of other replicates, so that lattices leave no bias", {
  model <- vector_model()
  exact <- seeded_expectation(1, model, wave, n = 2^14, gradient = wave_gradient)
  gradients <- with_fixed_seed(1, replicate(4000, {
    value <- expectation(
      model, wave,
      n = 8, replicates = 2, estimator = "score-function", gradient = TRUE
    )
    gradient_of(value)$mean
  }))
  z <- (rowMeans(gradients[, 1, ]) - gradient_of(exact)$mean) /
    (apply(gradients[, 1, ], 1, stats::sd) / sqrt(4000))
  expect_close(as.numeric(z), c(0, 0), 4, floor = 1)
})

test_that("differences that are no numbers are an error", {
  jump <- function(x) ifelse(x > 2, Inf, x)
  expect_error(
    suppressMessages(expectation(vector_model(), jump, gradient = TRUE)),
    "differences that are finite",
    class = "cwmix_input_error"
  )
})

test_that("a gradient that double precision cannot hold is an error", {
  fit <- kinds("^behind a flow, one column$")[[1]]$object
  fit$flow$scale <- 1e300
  expect_error(
    seeded_expectation(1, fit, sin, gradient = cos), "here they overflow",
    class = "cwmix_input_error"
  )
})

test_that("an infinite estimate has no standard error", {
  value <- seeded_expectation(1, vector_model(), function(x) ifelse(x > 2, Inf, 0))
  expect_identical(as.numeric(value), Inf)
  expect_identical(attr(value, "se"), NA_real_)
})
