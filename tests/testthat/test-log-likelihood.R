test_that("the gradient follows the reference in every block", {
  for (s in scenarios(n = c(1, 7, 19))) {
    value <- log_likelihood(as_model(s$p), s$x, gradient = TRUE)
    expect_close(
      as.numeric(value), sum(reference_log_density(s$x, s$p)), 1e-10,
      floor = 1, info = s$name
    )
    expect_close_gradient(
      attr(value, "gradient"), reference_gradient(s$x, s$p), 1e-10,
      info = s$name
    )
  }
})

test_that("finite differences confirm every block of the gradient", {
  # one random direction a block, all of whose entries move
  hidden <- list(NULL, integer(0), 5, c(6, 4, 3))
  for (s in scenarios(c(1, 3), c(1, 3), hidden, n = 3)) {
    gradient <- attr(log_likelihood(as_model(s$p), s$x, gradient = TRUE), "gradient")
    for (block in gradient_blocks(s$p)) {
      direction <- random_direction(s$p, block)
      along <- function(step) {
        moved <- set_block(s$p, block, get_block(s$p, block) + step * direction)
        as.numeric(log_likelihood(as_model(moved), s$x))
      }
      # differences of numbers of size 100 over steps of 1e-5 are right to 1e-9
      expect_close(
        sum(get_block(gradient, block) * direction),
        finite_difference(along, 0, h = 1e-5),
        tolerance = 1e-7, floor = max(1, abs(get_block(gradient, block))),
        info = paste(s$name, "block", toString(block))
      )
    }
  }
})

test_that("the gradient has the names and shapes of the coefficients", {
  for (s in scenarios(hidden = list(NULL, integer(0), c(5, 4)), activation = "tanh")) {
    model <- as_model(s$p)
    gradient <- attr(log_likelihood(model, s$x, gradient = TRUE), "gradient")
    shapes <- function(x) rapply(x, function(e) c(length(e), dim(e)), how = "replace")
    expect_identical(shapes(gradient), shapes(coef(model)), info = s$name)
  }
})

test_that("the value is the same with and without its gradient", {
  for (s in scenarios(d = 2, K = 7, hidden = list(NULL, c(5, 4)))) {
    model <- as_model(s$p)
    plain <- log_likelihood(model, s$x)
    expect_null(attr(plain, "gradient"))
    expect_close(
      as.numeric(log_likelihood(model, s$x, gradient = TRUE)), as.numeric(plain), 1e-13,
      floor = 1, info = s$name
    )
    expect_close(
      as.numeric(plain), sum(predict(model, s$x, log = TRUE)), 1e-13,
      floor = 1, info = s$name
    )
  }
})

test_that("a model of the paper's size follows the reference", {
  p <- make_parameters(2, 50, c(128, 128, 128), seed = 41)
  x <- make_points(3, 2)
  value <- log_likelihood(as_model(p), x, gradient = TRUE)
  expect_close_gradient(attr(value, "gradient"), reference_gradient(x, p), 1e-10)
})

test_that("gradients add up over rows", {
  p <- make_parameters(2, 3, c(5, 4), "full", seed = 42)
  x <- make_points(1003, 2)
  model <- as_model(p)
  gradient <- function(rows) {
    value <- log_likelihood(model, x[rows, , drop = FALSE], gradient = TRUE)
    unlist(attr(value, "gradient"))
  }
  whole <- gradient(1:1003)
  expect_close(
    gradient(1:500) + gradient(501) + gradient(502:1003), whole, 1e-11,
    floor = max(abs(whole))
  )
})

test_that("no rows have a gradient of zero in every block", {
  for (s in scenarios(d = c(1, 3), K = c(1, 4), hidden = list(NULL, integer(0), c(5, 4)))) {
    value <- log_likelihood(as_model(s$p), s$x[0, , drop = FALSE], gradient = TRUE)
    zero <- rapply(reference_coef(s$p), function(entry) 0 * entry, how = "replace")
    expect_identical(as.numeric(value), 0, info = s$name)
    expect_close(attr(value, "gradient"), zero, 0, info = s$name)
  }
})

test_that("observation weights multiply a row's part in value and gradient", {
  for (s in scenarios(d = 2, K = c(1, 7), hidden = list(NULL, c(5, 4)), n = 37)) {
    a <- rep(c(0, 1, 2.5, 0.1), length.out = 37)
    value <- log_likelihood(as_model(s$p), s$x, weights = a, gradient = TRUE)
    expect_close(
      as.numeric(value), sum(a * reference_log_density(s$x, s$p)), 1e-10,
      floor = 1, info = s$name
    )
    expect_close_gradient(
      attr(value, "gradient"), reference_gradient(s$x, s$p, a), 1e-10,
      info = s$name
    )
  }
})

test_that("single precision follows the reference to 1e-4", {
  for (s in scenarios(d = c(1, 5), K = c(2, 7))) {
    single <- gradient(as_model(s$p), points_at(s$x), how = list(single = TRUE))
    expect_close_gradient(
      single, reference_gradient(s$x, s$p), 1e-4,
      info = s$name
    )
  }
})

test_that("all instances of the engine give the same gradient", {
  instances <- cwmix_info()$instances
  for (s in scenarios(d = c(1, 5), K = c(2, 7), hidden = list(NULL, 5, c(19, 8, 3)))) {
    model <- as_model(s$p)
    for (precision in c("double", "single")) {
      how <- list(single = precision == "single")
      value <- lapply(instances, function(instance) {
        with_engine(gradient(model, points_at(s$x), how = how), instance)
      })
      for (i in seq_along(value)[-1L]) {
        expect_close_gradient(
          value[[i]], value[[1L]],
          tolerance = if (precision == "double") 1e-12 else 1e-4,
          info = paste(s$name, precision, instances[i])
        )
      }
    }
  }
})

test_that("one component has the normal's gradient and none for its network", {
  p <- make_parameters(3, 1, c(5, 4), seed = 43)
  x <- make_points(37, 3)
  gradient <- attr(log_likelihood(as_model(p), x, gradient = TRUE), "gradient")
  sd <- exp(p$log_sd[1L, ])
  z <- sweep(sweep(x, 2L, p$mean[1L, ]), 2L, sd, "/")
  expect_close(as.numeric(gradient$mean), colSums(z) / sd, 1e-11)
  expect_close(as.numeric(gradient$log_sd), colSums(z^2 - 1), 1e-11)
  expect_identical(max(abs(unlist(gradient[c("weights", "biases")]))), 0)
})

test_that("the biases' gradient of constant weights is the excess of posteriors", {
  p <- make_parameters(2, 3, NULL, "full", seed = 44)
  x <- make_points(37, 2)
  model <- as_model(p)
  gradient <- attr(log_likelihood(model, x, gradient = TRUE), "gradient")
  v <- predict(model, x, type = "posterior")
  expect_close(gradient$biases[[1L]], colSums(v) - 37 * exp(p$biases[[1L]]), 1e-11)
})

test_that("a component of probability zero has a gradient of zero", {
  p <- make_parameters(2, 3, NULL, seed = 45)
  p$biases <- list(log(c(0.4, 0, 0.6)))
  x <- make_points(37, 2)
  gradient <- attr(log_likelihood(as_model(p), x, gradient = TRUE), "gradient")
  expect_close_gradient(gradient, reference_gradient(x, p), 1e-11)
  expect_identical(as.numeric(gradient$mean[2L, ]), c(0, 0))
  expect_identical(as.numeric(gradient$biases[[1L]][2L]), 0)
})

test_that("bounds change the value by a constant and not the gradient", {
  p <- make_parameters(2, 3, c(5, 4), "full", seed = 46)
  y <- make_points(37, 2)
  x <- cbind(plogis(y[, 1L]), exp(y[, 2L]))
  bounded <- as_model(p, support = list(c(0, 1), c(0, Inf)))
  value <- log_likelihood(bounded, x, gradient = TRUE)
  # 1 - x has lost digits where x is close to 1
  expect_close_gradient(attr(value, "gradient"), reference_gradient(y, p), 1e-9)
  expect_close(
    as.numeric(value),
    sum(reference_log_density(y, p)) - sum(dlogis(y[, 1L], log = TRUE)) - sum(y[, 2L]),
    tolerance = 1e-10
  )
})

test_that("points far away have a gradient", {
  for (s in scenarios(c(1, 2), c(1, 3), list(NULL, integer(0), c(5, 4)))) {
    x <- rbind(1e3, -1e3) %*% rep(1, ncol(s$x))
    value <- log_likelihood(as_model(s$p), x, gradient = TRUE)
    # posteriors are exponentials of differences of numbers of size 1e6
    expect_close_gradient(
      attr(value, "gradient"), reference_gradient(x, s$p), 1e-8,
      info = s$name
    )
  }
})
