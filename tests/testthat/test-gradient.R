# The draw of improbable components in training steps, and the gradient in the points. That the
# exact gradient in the parameters is right is tested in test-log-likelihood.R.

sampled_scenarios <- function() {
  scenarios(
    d = c(1, 3), K = c(4, 9), hidden = list(NULL, integer(0), c(6, 5)), activation = "tanh", n = 23
  )
}

# 401 rows fill 14 tiles of two chunks or 16 tiles of seven (src/tiles.c), with remainders. With the
# deep networks the rows kept go back once or more within each tile: see KEPT_BYTES in
# src/engine/gradient.h. SiLU has slopes that move with the rows when they are kept.
large_scenarios <- function() {
  one <- function(d, K, hidden, covariance, activation) {
    list(
      name = paste(d, K, length(hidden), covariance, activation),
      p = make_parameters(d, K, hidden, covariance, activation, 7), x = make_points(401, d, 7)
    )
  }
  deep <- rep(24, 10)
  list(
    one(1, 60, deep, "full", "silu"), one(2, 60, deep, "diagonal", "tanh"),
    one(2, 60, deep, "full", "relu"), one(3, 9, c(33, 20), "full", "silu"),
    one(9, 9, c(17, 20), "diagonal", "relu"), one(3, 9, 20, "full", "tanh"),
    one(2, 60, integer(0), "full", "tanh"), one(3, 9, NULL, "full", "tanh")
  )
}

# The mean over draws in standard errors, along random directions: single entries may hang on one
# component that is rarely drawn. Of 5 normal numbers one is beyond 4 once in 3000 times.
expect_unbiased <- function(s, threshold, draws, a = NULL, single = FALSE) {
  exact <- flatten(step_gradient(s$p, s$x, all_components, single, a))
  drawn <- with_fixed_seed(1, replicate(
    draws, flatten(step_gradient(s$p, s$x, draw_of(threshold, runif(2)), single, a))
  ))
  along <- with_fixed_seed(2, matrix(rnorm(5 * length(exact)), 5)) %*% (drawn - exact)
  z <- rowMeans(along) / (apply(along, 1, sd) / sqrt(draws))
  expect_close(z, rep(0, 5), 4, floor = 1, info = paste(s$name, single))
}

test_that("a threshold below every posterior changes nothing", {
  for (s in sampled_scenarios()) {
    a <- seq_len(nrow(s$x)) / 10
    expect_close_gradient(
      step_gradient(s$p, s$x, draw_of(1e-300, 0.1, 0.2), a = a),
      step_gradient(s$p, s$x, all_components, a = a), 1e-12,
      info = s$name
    )
  }
})

test_that("in many chunks and tiles it changes nothing either, in any instance", {
  for (s in large_scenarios()) {
    exact <- step_gradient(s$p, s$x, all_components)
    for (instance in cwmix_info()$instances) {
      # the plain loops take long for the deep networks, and are the same for the others
      if (instance == "plain" && nrow(s$p$mean) > 9) next
      expect_close_gradient(
        with_engine(step_gradient(s$p, s$x, draw_of(1e-300, 0.1, 0.2)), instance = instance), exact,
        1e-12,
        info = paste(s$name, instance)
      )
    }
  }
})

test_that("the mean over many draws is the exact gradient", {
  for (s in sampled_scenarios()) expect_unbiased(s, 0.5, 400, seq_len(nrow(s$x)) / 10)
})

test_that("so it is in many chunks and tiles, in double and in single precision", {
  for (s in large_scenarios()) {
    for (single in c(FALSE, TRUE)) {
      # larger weights far from the mean would leave the sum to few rows
      expect_unbiased(s, 0.3, 60, with_fixed_seed(3, runif(401)), single)
    }
  }
})

test_that("with threshold 1 one component a row takes part, at full weight", {
  # With constant logits the network's output biases get v_k - w_k from a component: minus the
  # weights, plus one at the component drawn.
  p <- make_parameters(2, 5, integer(0))
  p$weights[[1]][] <- 0
  w <- exp(reference_log_softmax(p$biases[[1]]))
  x <- make_points(40, 2)
  for (i in 1:40) {
    drawn <- step_gradient(p, x[i, , drop = FALSE], draw_of(1, 0.3, i / 50))$biases[[1]] + w
    expect_close(sort(drawn), c(0, 0, 0, 0, 1), 1e-12, floor = 1)
  }
})

test_that("the same seed draws the same components in every instance and precision", {
  for (s in sampled_scenarios()) {
    sampling <- draw_of(0.3, 0.1, 0.7)
    expected <- with_engine(step_gradient(s$p, s$x, sampling), instance = "plain")
    each_engine(function(instance, single) {
      expect_close_gradient(
        with_engine(step_gradient(s$p, s$x, sampling, single), instance = instance), expected,
        if (single) 1e-4 else 1e-10,
        info = paste(s$name, instance)
      )
    })
  }
})

test_that("different seeds draw differently, and so do different rows", {
  p <- make_parameters(2, 6, 5)
  p$mean <- p$mean / 10 # no component certain
  x <- make_points(1, 2)[c(1, 1, 1, 1, 1, 1, 1, 1), ]
  first <- function(n, seed) step_gradient(p, x[seq_len(n), ], draw_of(1, seed, 0))$mean
  # identical rows with identical draws would give the gradient of one row
  expect_false(isTRUE(all.equal(first(8, 0.1), first(2, 0.1))))
  expect_gt(length(unique(lapply(0:19 / 20, function(seed) first(8, seed)))), 3)
})

test_that("the default samples and exact = TRUE does not", {
  control <- function(exact) cwmix_control(epochs = 2, batch_size = 50, exact = exact)
  fits <- lapply(c(FALSE, TRUE), function(exact) {
    set.seed(1)
    cwmix(faithful, K = 6, hidden = 8, control = control(exact))
  })
  expect_equal(fits[[1]]$trace$training, fits[[2]]$trace$training, tolerance = 0.01)
  expect_false(identical(coef(fits[[1]]), coef(fits[[2]])))
})

# What the engine says of a sum of log densities and of its points.
at_points <- function(p, x, a = NULL, sampling = all_components, single = FALSE, instance = NULL,
                      threads = 1L) {
  model <- engine_model(reference_coef(p), p$activation)
  in_instance(
    .Call(ffi_gradient, model, x, a, TRUE, sampling, single, threads),
    instance = instance
  )
}

test_that("log densities and gradients in the points follow the reference in every instance", {
  for (s in scenarios(K = c(1, 7), n = c(1, 7, 19))) {
    # negative weights are good too
    a <- with_fixed_seed(4, rnorm(nrow(s$x)))
    density <- reference_log_density(s$x, s$p)
    dx <- reference_point_gradient(s$x, s$p, a)
    gradient <- reference_gradient(s$x, s$p, a)
    each_engine(function(instance, single) {
      info <- paste(s$name, instance, single)
      tolerance <- if (single) 1e-4 else 1e-10
      out <- at_points(s$p, s$x, a, single = single, instance = instance)
      expect_close(out$log_density, density, tolerance, floor = 1, info = info)
      expect_close_gradient(out$dx, dx, tolerance, info = info)
      expect_close_gradient(
        unflatten(out$gradient, reference_coef(s$p)), gradient, tolerance,
        info = info
      )
      expect_close(out$value, sum(a * density), tolerance, floor = max(abs(density)), info = info)
    })
  }
})

test_that("finite differences confirm the gradient in the points", {
  for (s in scenarios(c(1, 3), c(1, 3), list(NULL, integer(0), c(6, 4)), n = 3)) {
    dx <- at_points(s$p, s$x)$dx
    for (i in 1:3) {
      value <- function(x) reference_log_density(matrix(x, 1), s$p)
      expect_close(dx[i, ], finite_difference(value, s$x[i, ]), 1e-7, floor = 1, info = s$name)
    }
  }
})

test_that("so it is over many chunks and tiles, and asking for it changes nothing else", {
  for (s in large_scenarios()[c(2, 4, 6, 8)]) {
    out <- at_points(s$p, s$x)
    rows <- c(1, 2, 57, 200, 399:401)
    expect_close_gradient(
      out$dx[rows, , drop = FALSE], reference_point_gradient(s$x[rows, , drop = FALSE], s$p), 1e-10,
      info = s$name
    )
    expect_close(
      out$log_density[rows], reference_log_density(s$x[rows, , drop = FALSE], s$p), 1e-10,
      floor = 1
    )
    model <- engine_model(reference_coef(s$p), s$p$activation)
    plain <- .Call(ffi_gradient, model, s$x, NULL, FALSE, all_components, FALSE, 1L)
    expect_identical(plain, out[c("value", "gradient")])
  }
})

test_that("moving all points and all means together changes nothing: their gradients cancel", {
  for (s in scenarios(3, 7, list(NULL, c(5, 4)), n = 37)) {
    out <- at_points(s$p, s$x)
    mean <- unflatten(out$gradient, reference_coef(s$p))$mean
    expect_close(colSums(out$dx), -colSums(mean), 1e-11, floor = max(abs(mean)), info = s$name)
  }
})

test_that("with improbable components drawn the gradient in the points is unbiased", {
  for (s in sampled_scenarios()) {
    a <- with_fixed_seed(3, rnorm(23))
    exact <- at_points(s$p, s$x, a)
    drawn <- with_fixed_seed(1, replicate(300, {
      as.vector(at_points(s$p, s$x, a, draw_of(0.5, runif(2)))$dx)
    }))
    along <- with_fixed_seed(2, matrix(rnorm(5 * length(exact$dx)), 5)) %*%
      (drawn - as.vector(exact$dx))
    z <- rowMeans(along) / (apply(along, 1, sd) / sqrt(300))
    expect_close(z, double(5), 4, floor = 1, info = s$name)
    # log densities are those of all components
    out <- at_points(s$p, s$x, a, draw_of(0.5, 0.1, 0.2))
    expect_identical(out$log_density, exact$log_density)
  }
})

test_that("the gradient of a training step is that of the same draw of components", {
  for (s in sampled_scenarios()) {
    sampling <- draw_of(0.3, 0.1, 0.7)
    flat <- at_points(s$p, s$x, sampling = sampling)$gradient
    expect_close_gradient(
      unflatten(flat / nrow(s$x), reference_coef(s$p)), step_gradient(s$p, s$x, sampling), 1e-13,
      info = s$name
    )
  }
})
