# The draw of improbable components in training steps. That the exact gradient is right is tested
# in test-log-likelihood.R.

sampled_scenarios <- function() {
  scenarios(
    d = c(1, 3), K = c(4, 9), hidden = list(NULL, integer(0), c(6, 5)), activation = "tanh", n = 23
  )
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

test_that("the mean over many draws is the exact gradient", {
  for (s in sampled_scenarios()) {
    a <- seq_len(nrow(s$x)) / 10
    exact <- flatten(step_gradient(s$p, s$x, double(3), a = a))
    drawn <- with_fixed_seed(1, replicate(
      400, flatten(step_gradient(s$p, s$x, c(0.5, runif(2)), a = a))
    ))
    # Along random directions: single entries may hang on one component that is rarely drawn.
    along <- with_fixed_seed(2, matrix(rnorm(5 * length(exact)), 5)) %*% (drawn - exact)
    z <- rowMeans(along) / (apply(along, 1, sd) / sqrt(400))
    # 5 normal numbers in each of 24 scenarios: beyond 4 standard errors once in 130 such tests.
    expect_close(z, rep(0, 5), 4, floor = 1, info = s$name)
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
