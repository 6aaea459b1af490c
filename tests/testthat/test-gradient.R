# The draw of improbable components in training steps. That the exact gradient is right is tested
# in test-log-likelihood.R.

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
  exact <- flatten(step_gradient(s$p, s$x, double(3), single, a))
  drawn <- with_fixed_seed(1, replicate(
    draws, flatten(step_gradient(s$p, s$x, c(threshold, runif(2)), single, a))
  ))
  along <- with_fixed_seed(2, matrix(rnorm(5 * length(exact)), 5)) %*% (drawn - exact)
  z <- rowMeans(along) / (apply(along, 1, sd) / sqrt(draws))
  expect_close(z, rep(0, 5), 4, floor = 1, info = paste(s$name, single))
}

test_that("a threshold below every posterior changes nothing", {
  for (s in sampled_scenarios()) {
    a <- seq_len(nrow(s$x)) / 10
    expect_close_gradient(
      step_gradient(s$p, s$x, c(1e-300, 0.1, 0.2), a = a),
      step_gradient(s$p, s$x, double(3), a = a), 1e-12,
      info = s$name
    )
  }
})

test_that("in many chunks and tiles it changes nothing either, in any instance", {
  for (s in large_scenarios()) {
    exact <- step_gradient(s$p, s$x, double(3))
    for (instance in cwmix_info()$instances) {
      # the plain loops take long for the deep networks, and are the same for the others
      if (instance == "plain" && nrow(s$p$mean) > 9) next
      expect_close_gradient(
        with_engine(step_gradient(s$p, s$x, c(1e-300, 0.1, 0.2)), instance = instance), exact,
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
    drawn <- step_gradient(p, x[i, , drop = FALSE], c(1, 0.3, i / 50))$biases[[1]] + w
    expect_close(sort(drawn), c(0, 0, 0, 0, 1), 1e-12, floor = 1)
  }
})

test_that("the same seed draws the same components in every instance and precision", {
  for (s in sampled_scenarios()) {
    sampling <- c(0.3, 0.1, 0.7)
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
  first <- function(n, seed) step_gradient(p, x[seq_len(n), ], c(1, seed, 0))$mean
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
