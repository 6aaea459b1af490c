test_that("log densities follow formula (16)", {
  for (s in scenarios()) {
    model <- as_model(s$p)
    expected <- reference_log_density(s$x, s$p)
    # the absolute error of a logarithm is the relative error of the density
    expect_close(
      predict(model, s$x, log = TRUE), expected, 1e-10,
      floor = 1, info = s$name
    )
    expect_close(
      predict(model, s$x, type = "density"), exp(expected), 1e-10,
      floor = 1e-290, info = s$name
    )
    expect_close(
      as.numeric(log_likelihood(model, s$x)), sum(expected), 1e-10,
      floor = 1, info = s$name
    )
  }
})

test_that("component densities, functional weights and posteriors follow the reference", {
  types <- c(component = "component", weights = "weights", posterior = "posterior")
  for (s in scenarios()) {
    model <- as_model(s$p)
    expected <- reference_log_quantities(s$x, s$p)[types]
    expect_close(
      lapply(types, function(type) predict(model, s$x, type = type, log = TRUE)),
      expected, 1e-10,
      floor = 1, info = s$name
    )
    # below 1e-290 numbers lose their last digits before they underflow
    expect_close(
      lapply(types, function(type) predict(model, s$x, type = type)),
      lapply(expected, exp), 1e-10,
      floor = 1e-290, info = s$name
    )
    expect_identical(
      as.integer(predict(model, s$x, type = "class")),
      max.col(expected$posterior, ties.method = "first"),
      info = s$name
    )
  }
})

test_that("a model of the paper's size and many rows follow the reference", {
  p <- make_parameters(2, 50, c(128, 128, 128), seed = 21)
  x <- make_points(11, 2)
  expect_close(
    predict(as_model(p), x, log = TRUE), reference_log_density(x, p), 1e-10,
    floor = 1
  )
  p <- make_parameters(3, 2, 5, "full", seed = 22)
  x <- make_points(2003, 3)
  expect_close(
    predict(as_model(p), x, log = TRUE), reference_log_density(x, p), 1e-10,
    floor = 1
  )
})

test_that("single precision follows the reference to 1e-5", {
  # A float's rounding is 2^-24 = 6e-8. z has some of them, in units of |x| / s < 20, and 19 to 60
  # more in the sums of each layer, most of which cancel: 170 units in all.
  for (s in scenarios()) {
    model <- as_model(s$p)
    single <- function(type) evaluate(model, points_at(s$x), type, list(single = TRUE))
    expected <- reference_log_quantities(s$x, s$p)
    types <- c(density = "density", component = "component", weights = "weights")
    expect_close(
      lapply(types, single), expected[types], 1e-5,
      floor = 1, info = s$name
    )
    # a posterior is the exponential of a difference of logarithms, whose error is
    # relative to their size, so only its absolute error is bounded
    expect_close(
      exp(single("posterior")), exp(expected$posterior), 1e-5,
      floor = 1, info = s$name
    )
  }
})

test_that("single precision is right far from the origin and in any unit", {
  # x' = shift + unit x, column by column
  places <- list(
    list(shift = c(1e8, -1e8), unit = c(1, 1)), list(shift = c(0, 0), unit = c(1e-30, 1e-30)),
    list(shift = c(0, 0), unit = c(1e30, 1e30)), list(shift = c(3, 1e8), unit = c(1e-5, 1)),
    list(shift = c(1e38, 1e-22), unit = c(1e30, 1e-30))
  )
  types <- c(density = "density", component = "component", weights = "weights")
  for (covariance in c("diagonal", "full")) {
    p <- make_parameters(2, 5, c(8, 6), covariance, seed = 51)
    x <- make_points(67, 2)
    for (place in places) {
      moved <- p
      move <- function(x) x * rep(place$unit, each = nrow(x)) + rep(place$shift, each = nrow(x))
      moved$mean <- move(p$mean)
      model <- if (covariance == "diagonal") {
        moved$log_sd <- p$log_sd + rep(log(place$unit), each = 5)
        as_model(moved)
      } else {
        unit <- diag(place$unit)
        sigma <- vapply(1:5, function(k) {
          unit %*% tcrossprod(reference_factor(p, k)) %*% unit
        }, diag(2))
        cwmix_model(moved$mean, covariance = sigma, classifier = as_classifier(p))
      }
      quantities <- function(precision) {
        c(
          lapply(types, function(t) predict(model, move(x), t, log = TRUE, precision = precision)),
          list(posterior = predict(model, move(x), type = "posterior", precision = precision))
        )
      }
      expect_close(
        quantities("single"), quantities("double"), 1e-5,
        floor = 1, info = paste(covariance, toString(place$shift), toString(place$unit))
      )
    }
  }
})

test_that("all instances of the engine give the same densities", {
  instances <- cwmix_info()$instances
  types <- c(density = "density", weights = "weights", component = "component")
  for (s in scenarios(d = c(1, 5), hidden = list(NULL, integer(0), c(19, 8, 3)))) {
    model <- as_model(s$p)
    for (precision in c("double", "single")) {
      how <- list(single = precision == "single")
      values <- lapply(instances, function(instance) {
        with_engine(
          c(
            lapply(types, function(type) evaluate(model, points_at(s$x), type, how)),
            list(posterior = exp(evaluate(model, points_at(s$x), "posterior", how)))
          ),
          instance
        )
      })
      for (i in seq_along(values)[-1L]) {
        expect_close(
          values[[i]], values[[1L]],
          # single precision: as against the reference
          tolerance = if (precision == "double") 1e-12 else 1e-5, floor = 1,
          info = paste(s$name, precision, instances[i])
        )
      }
    }
  }
})

test_that("a row's density does not depend on the rows around it", {
  p <- make_parameters(2, 7, c(19, 8, 3), "full", seed = 23)
  x <- make_points(301, 2)
  model <- as_model(p)
  whole <- predict(model, x, log = TRUE)
  expect_close(rev(predict(model, x[301:1, ], log = TRUE)), whole, 1e-13, floor = 1)
  for (i in c(1, 2, 64, 65, 300, 301)) {
    expect_close(
      predict(model, x[i, , drop = FALSE], log = TRUE), whole[i], 1e-13,
      floor = 1
    )
  }
})

test_that("the density is the sum of weighted components", {
  for (s in scenarios(hidden = list(NULL, c(5, 4)))) {
    model <- as_model(s$p)
    weights <- predict(model, s$x, type = "weights")
    component <- predict(model, s$x, type = "component")
    density <- predict(model, s$x)
    expect_close(
      rowSums(weights * component), density, 1e-12,
      floor = 1e-290, info = s$name
    )
    expect_close(
      predict(model, s$x, type = "posterior") * density, weights * component,
      tolerance = 1e-11, floor = 1e-250, info = s$name
    )
  }
})

test_that("posteriors sum to one", {
  for (s in scenarios()) {
    v <- predict(as_model(s$p), s$x, type = "posterior")
    expect_close(rowSums(v), rep(1, nrow(s$x)), 1e-12, info = s$name)
  }
})

test_that("one component is the normal density, whatever the network", {
  for (s in scenarios(K = 1, covariance = "diagonal")) {
    mean <- rep(s$p$mean[1L, ], each = nrow(s$x))
    sd <- rep(exp(s$p$log_sd[1L, ]), each = nrow(s$x))
    expect_close(
      predict(as_model(s$p), s$x, log = TRUE),
      rowSums(matrix(dnorm(s$x, mean, sd, log = TRUE), nrow(s$x))),
      tolerance = 1e-12, floor = 1, info = s$name
    )
  }
})

test_that("a vector is the observations of a one-dimensional model", {
  model <- cwmix_model(matrix(2), sd = matrix(3), classifier = 1)
  x <- c(-4, 0, 2, 11.5)
  expect_close(predict(model, x), dnorm(x, 2, 3), 1e-13)
  expect_close(predict(model, matrix(x)), dnorm(x, 2, 3), 1e-13)
})

test_that("constant weights give the Gaussian mixture", {
  for (s in scenarios(hidden = list(NULL), activation = "tanh")) {
    # by inverse and determinant of the covariance, not by its factor
    density <- 0
    for (k in seq_len(nrow(s$p$mean))) {
      sigma <- tcrossprod(reference_factor(s$p, k))
      r <- sweep(s$x, 2L, s$p$mean[k, ])
      density <- density + exp(s$p$biases[[1L]][k]) / sqrt(det(2 * pi * sigma)) *
        exp(-rowSums((r %*% solve(sigma)) * r) / 2)
    }
    expect_close(
      predict(as_model(s$p), s$x), density, 1e-10,
      floor = 1e-290, info = s$name
    )
  }
})

test_that("a network with a last layer of zeros is its biases", {
  for (activation in c("tanh", "relu", "silu")) {
    p <- make_parameters(2, 3, c(5, 4), "full", activation, seed = 24)
    p$weights[[3L]][] <- 0
    p$biases[[3L]] <- log(c(0.5, 0.2, 0.3))
    constant <- p
    constant$weights <- list()
    constant$biases <- p$biases[3L]
    x <- make_points(37, 2)
    expect_close(
      predict(as_model(p), x, log = TRUE), predict(as_model(constant), x, log = TRUE),
      tolerance = 1e-13, floor = 1
    )
  }
})

test_that("components of probability zero are allowed and count for nothing", {
  p <- make_parameters(2, 3, NULL, "full", seed = 25)
  p$biases <- list(log(c(0.4, 0, 0.6)))
  model <- as_model(p)
  x <- make_points(37, 2)
  expect_close(
    predict(model, x, log = TRUE), reference_log_density(x, p), 1e-12,
    floor = 1
  )
  expect_identical(as.numeric(predict(model, x, type = "weights")[, 2L]), numeric(37))
  expect_identical(as.numeric(predict(model, x, type = "posterior")[, 2L]), numeric(37))
  expect_identical(
    as.numeric(predict(model, x, type = "posterior", log = TRUE)[, 2L]), rep(-Inf, 37)
  )
  expect_identical(sum(predict(model, x, type = "class") == 2), 0L)

  rest <- p
  rest$mean <- p$mean[-2L, ]
  rest$log_cholesky <- p$log_cholesky[, , -2L]
  rest$biases <- list(log(c(0.4, 0.6)))
  expect_close(predict(model, x), predict(as_model(rest), x), 1e-12)
})

test_that("shifting the data and the means changes nothing", {
  for (s in scenarios(hidden = list(NULL, c(5, 4)))) {
    moved <- s$p
    by <- seq_len(ncol(s$x)) * 16
    moved$mean <- sweep(moved$mean, 2L, by, "+")
    expect_close(
      predict(as_model(moved), sweep(s$x, 2L, by, "+"), log = TRUE),
      predict(as_model(s$p), s$x, log = TRUE),
      # x + 80 has lost two digits
      tolerance = 1e-11, floor = 1, info = s$name
    )
  }
})

test_that("scaling the data and the model divides the density by the scale", {
  for (scale in c(1e-8, 0.3, 1e8)) {
    for (s in scenarios(d = c(1, 3), K = 3, hidden = list(NULL, c(5, 4)))) {
      d <- ncol(s$x)
      by <- scale * seq_len(d)
      scaled <- s$p
      scaled$mean <- sweep(s$p$mean, 2L, by, "*")
      if (is.null(s$p$log_cholesky)) {
        scaled$log_sd <- sweep(s$p$log_sd, 2L, log(by), "+")
      } else {
        for (k in 1:3) {
          l <- by * reference_factor(s$p, k)
          diag(l) <- log(diag(l))
          scaled$log_cholesky[, , k] <- l
        }
      }
      expect_close(
        predict(as_model(scaled), sweep(s$x, 2L, by, "*"), log = TRUE),
        predict(as_model(s$p), s$x, log = TRUE) - sum(log(by)),
        tolerance = 1e-11, floor = 1, info = paste(s$name, scale)
      )
    }
  }
})

test_that("a lower triangular transformation carries a full model along", {
  p <- make_parameters(3, 4, c(5, 4), "full", seed = 26)
  a <- matrix(c(2, -1, 0.5, 0, 0.4, 3, 0, 0, 1.5), 3)
  moved <- p
  moved$mean <- p$mean %*% t(a)
  for (k in 1:4) {
    l <- a %*% reference_factor(p, k)
    diag(l) <- log(diag(l))
    moved$log_cholesky[, , k] <- l
  }
  x <- make_points(37, 3)
  expect_close(
    predict(as_model(moved), x %*% t(a), log = TRUE),
    predict(as_model(p), x, log = TRUE) - log(2 * 0.4 * 1.5),
    tolerance = 1e-11, floor = 1
  )
})

test_that("the order of the components changes nothing but their order", {
  order <- c(3, 1, 4, 2)
  for (s in scenarios(K = 4, hidden = list(NULL, integer(0), c(5, 4)))) {
    permuted <- s$p
    permuted$mean <- s$p$mean[order, , drop = FALSE]
    permuted$log_sd <- s$p$log_sd[order, , drop = FALSE]
    permuted$log_cholesky <- s$p$log_cholesky[, , order, drop = FALSE]
    last <- length(s$p$biases)
    permuted$biases[[last]] <- s$p$biases[[last]][order]
    if (length(s$p$weights) > 0L) {
      permuted$weights[[last]] <- s$p$weights[[last]][order, , drop = FALSE]
    }
    expect_close(
      predict(as_model(permuted), s$x, log = TRUE),
      predict(as_model(s$p), s$x, log = TRUE),
      tolerance = 1e-12, floor = 1, info = s$name
    )
    expect_close(
      predict(as_model(permuted), s$x, type = "posterior"),
      predict(as_model(s$p), s$x, type = "posterior")[, order, drop = FALSE],
      tolerance = 1e-11, floor = 1e-250, info = s$name
    )
  }
})

test_that("a diagonal model is the full model with diagonal covariances", {
  for (s in scenarios(covariance = "diagonal", hidden = list(NULL, 5))) {
    full <- s$p
    full$log_sd <- NULL
    d <- ncol(s$x)
    full$log_cholesky <- array(
      apply(s$p$log_sd, 1L, function(log_sd) diag(log_sd, d, d)),
      c(d, d, nrow(s$p$mean))
    )
    expect_close(
      predict(as_model(full), s$x, log = TRUE),
      predict(as_model(s$p), s$x, log = TRUE),
      tolerance = 1e-12, floor = 1, info = s$name
    )
  }
})

test_that("points far away have a log density, never NaN", {
  # standard deviations are within a factor of three of 1
  for (s in scenarios(K = c(1, 7), hidden = list(NULL, integer(0), c(5, 4)))) {
    d <- ncol(s$x)
    x <- rbind(1e3, -1e3, 1e8, -1e8) %*% rep(1, d)
    model <- as_model(s$p)
    expected <- reference_log_density(x, s$p)
    expect_close(predict(model, x, log = TRUE), expected, 1e-10, info = s$name)
    v <- predict(model, x, type = "posterior")
    expect_close(rowSums(v), rep(1, 4), 1e-12, info = s$name)
    expect_close(
      predict(model, x, type = "weights", log = TRUE), reference_log_weights(x, s$p),
      # logits of 1e8 differ by little: a rounding of 1e-8 is all they have
      tolerance = 1e-10, floor = 1e3, info = s$name
    )
    expect_close(
      evaluate(model, points_at(x), "density", list(single = TRUE)), expected,
      tolerance = 1e-6, info = s$name # 16 roundings of squares that dwarf all else
    )
  }
})

test_that("points whose squared distance overflows have log density -Inf", {
  for (s in scenarios(K = c(1, 7), hidden = list(NULL, integer(0), c(5, 4)))) {
    d <- ncol(s$x)
    model <- as_model(s$p)
    x <- rbind(1e200, -1e200) %*% rep(1, d)
    log_density <- as.numeric(predict(model, x, log = TRUE))
    expect_identical(log_density, c(-Inf, -Inf), info = s$name)
    expect_identical(as.numeric(predict(model, x)), c(0, 0), info = s$name)
    # 1e30 squared is more than single precision holds
    x <- rbind(1e30, -1e30) %*% rep(1, d)
    single <- evaluate(model, points_at(x), "density", list(single = TRUE))
    expect_identical(anyNA(single), FALSE, info = s$name)
    expect_identical(sum(single == Inf), 0L, info = s$name)
  }
})

test_that("an R function as classifier equals the same network", {
  hidden <- list(integer(0), c(5, 4))
  for (s in scenarios(K = c(1, 3), hidden = hidden, activation = "silu")) {
    by_function <- as_model(
      s$p,
      classifier = function(z) reference_classifier(z, s$p)
    )
    model <- as_model(s$p)
    for (type in c("density", "posterior", "weights", "component", "class")) {
      expect_close(
        predict(by_function, s$x, type = type), predict(model, s$x, type = type),
        tolerance = 1e-10, floor = 1e-250, info = paste(s$name, type)
      )
    }
    expect_close(
      predict(by_function, s$x, log = TRUE), reference_log_density(s$x, s$p),
      tolerance = 1e-10, floor = 1, info = s$name
    )
  }
})

test_that("the density integrates to one on the line", {
  for (activation in c("tanh", "silu")) {
    model <- make_model(1, 7, c(19, 8, 3), activation = activation, seed = 27)
    total <- integrate(
      function(x) predict(model, x), -20, 20,
      subdivisions = 1000L, rel.tol = 1e-8
    )
    expect_equal(total$value, 1, tolerance = 1e-8)
  }
  # integrate() gives up at the kinks, where a sum of step h is right to h^2
  model <- make_model(1, 7, c(19, 8, 3), activation = "relu", seed = 27)
  x <- seq(-20, 20, by = 1e-3)
  expect_equal(sum(predict(model, x)) * 1e-3, 1, tolerance = 1e-6)
})

test_that("the density integrates to one on the plane", {
  u <- seq(-20, 20, by = 0.1)
  grid <- as.matrix(expand.grid(u, u))
  for (covariance in c("diagonal", "full")) {
    model <- make_model(2, 3, c(5, 4), covariance, seed = 28)
    expect_equal(sum(predict(model, grid)) * 0.1^2, 1, tolerance = 1e-6)
  }
})

test_that("one component on the half line is the log-normal density", {
  model <- cwmix_model(matrix(0.7), sd = matrix(0.4), classifier = 1, support = c(0, Inf))
  x <- c(1e-6, 0.1, 1, 2.5, 40)
  expect_close(
    predict(model, x, log = TRUE), dlnorm(x, 0.7, 0.4, log = TRUE), 1e-12,
    floor = 1
  )
  expect_close(predict(model, x), dlnorm(x, 0.7, 0.4), 1e-11, floor = 1e-290)
  expect_close(
    as.numeric(predict(model, x, type = "component")), dlnorm(x, 0.7, 0.4), 1e-11,
    floor = 1e-290
  )
  expect_close(
    as.numeric(log_likelihood(model, x)), sum(dlnorm(x, 0.7, 0.4, log = TRUE)), 1e-12
  )
})

test_that("one component on an interval is the logit-normal density", {
  model <- cwmix_model(matrix(-0.3), sd = matrix(1.2), classifier = 1, support = c(2, 7))
  x <- c(2.0001, 3, 4.5, 6.9)
  u <- (x - 2) / 5
  expected <- dnorm(qlogis(u), -0.3, 1.2) / (u * (1 - u)) / 5
  expect_close(predict(model, x), expected, 1e-11)
})

test_that("bounded columns change the density by their Jacobian", {
  for (s in scenarios(d = 2, K = c(1, 3), hidden = list(NULL, c(5, 4)))) {
    model <- as_model(s$p, support = list(c(0, 1), c(0, Inf)))
    y <- s$x
    x <- cbind(plogis(y[, 1L]), exp(y[, 2L]))
    log_jacobian <- -log(x[, 1L] * (1 - x[, 1L])) - log(x[, 2L])
    expect_close(
      predict(model, x, log = TRUE), reference_log_density(y, s$p) + log_jacobian,
      # 1 - x has lost digits where x is close to 1
      tolerance = 1e-10, floor = 1, info = s$name
    )
    expect_close(
      predict(model, x, type = "component", log = TRUE),
      reference_log_component(y, s$p) + log_jacobian, 1e-10,
      floor = 1, info = s$name
    )
    expect_close(
      predict(model, x, type = "weights", log = TRUE), reference_log_weights(y, s$p),
      tolerance = 1e-10, floor = 1, info = s$name
    )
    expect_close(
      predict(model, x, type = "posterior", log = TRUE), reference_log_posterior(y, s$p),
      tolerance = 1e-10, floor = 1, info = s$name
    )
    weights <- predict(model, x, type = "weights")
    component <- predict(model, x, type = "component")
    expect_close(
      rowSums(weights * component), predict(model, x), 1e-11,
      floor = 1e-290, info = s$name
    )
  }
})

test_that("a density with bounds integrates to one", {
  p <- make_parameters(1, 3, c(5, 4), seed = 29)
  total <- function(support) {
    model <- as_model(p, support = support)
    # geometric pieces towards each end, as the density may be steep there
    cuts <- if (all(is.finite(support))) {
      support[1L] + diff(support) * plogis(seq(-30, 30, by = 2))
    } else if (is.finite(support[1L])) {
      support[1L] + exp(seq(-30, 12))
    } else {
      rev(support[2L] - exp(seq(-30, 12)))
    }
    pieces <- vapply(
      seq_along(cuts)[-1L],
      function(i) {
        density <- function(x) predict(model, x)
        integrate(density, cuts[i - 1L], cuts[i], rel.tol = 1e-7)$value
      },
      numeric(1)
    )
    sum(pieces)
  }
  expect_equal(total(c(0, Inf)), 1, tolerance = 1e-6)
  expect_equal(total(c(-3, 5)), 1, tolerance = 1e-6)
  expect_equal(total(c(-Inf, 2)), 1, tolerance = 1e-6)
})

test_that("a density with bounds integrates to one on the plane", {
  # equal steps on the working scale, where the sum converges fastest
  u <- seq(-15, 15, by = 0.1)
  y <- as.matrix(expand.grid(u, u))
  x <- cbind(plogis(y[, 1L]), exp(y[, 2L]))
  volume <- 0.1^2 * dlogis(y[, 1L]) * exp(y[, 2L])
  for (covariance in c("diagonal", "full")) {
    model <- as_model(
      make_parameters(2, 3, c(5, 4), covariance, seed = 30),
      support = list(c(0, 1), c(0, Inf))
    )
    expect_equal(sum(predict(model, x) * volume), 1, tolerance = 1e-6)
  }
})

test_that("there is no mass on or outside the bounds", {
  half_line <- as_model(make_parameters(1, 3, 5, seed = 31), support = c(0, Inf))
  x <- c(-1e8, -1, -1e-300, 0, 1)
  expect_identical(as.numeric(predict(half_line, x))[1:4], numeric(4))
  expect_identical(as.numeric(predict(half_line, x, log = TRUE))[1:4], rep(-Inf, 4))
  expect_identical(as.numeric(log_likelihood(half_line, x)), -Inf)

  plane <- as_model(
    make_parameters(2, 3, 5, "full", seed = 32),
    support = list(c(0, 1), c(0, Inf))
  )
  x <- rbind(c(0.5, -1), c(-0.1, 1), c(1.1, 1), c(2, -2), c(1, 1), c(0.5, 0), c(0.5, 1))
  expect_identical(as.numeric(predict(plane, x))[1:6], numeric(6))
  expect_identical(sum(predict(plane, x) == 0), 6L)
})

test_that("rows are evaluated alike in one block or several", {
  K <- 100
  model <- as_model(make_parameters(2, K, 3), support = list(c(0, Inf), NULL))
  n <- 2 * length(row_blocks(1e6, K)[[1]]) + 7
  x <- with_fixed_seed(1, cbind(rexp(n), rnorm(n)))
  x[n - 1, 1] <- -1
  x[n, 2] <- NA
  rownames(x) <- paste0("r", seq_len(n))
  some <- c(1, n %/% 2 + 0:1, n - 6:0)
  for (type in c("density", "posterior", "class", "weights", "component")) {
    all_rows <- predict(model, x, type = type)
    at_some <- if (is.matrix(all_rows)) all_rows[some, ] else all_rows[some]
    expect_equal(at_some, predict(model, x[some, ], type = type), tolerance = 1e-12)
  }
  z <- with_fixed_seed(2, residuals(model, x))
  first <- with_fixed_seed(2, residuals(model, x[1:100, ]))
  expect_equal(z[1:100, ], first, tolerance = 1e-12)
  expect_equal(unname(which(is.na(z[, 1]))), c(n - 1, n))
})

test_that("single precision is close to double", {
  for (s in scenarios(d = c(1, 3), K = 7, hidden = list(NULL, c(5, 4)), n = 30)) {
    model <- as_model(s$p)
    double <- predict(model, s$x, log = TRUE)
    single <- predict(model, s$x, log = TRUE, precision = "single")
    # as against the reference
    expect_close(single, double, 1e-5, floor = 1, info = s$name)
    expect_false(identical(single, double))
    expect_close(
      predict(model, s$x, type = "posterior", precision = "single"),
      predict(model, s$x, type = "posterior"), 1e-5,
      floor = 1, info = s$name
    )
  }
})
