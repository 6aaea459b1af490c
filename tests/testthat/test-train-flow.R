# Steps of Adam over flows and over mixtures behind them: src/adam.c.

# As take_steps(), of a model with a flow.
take_flow_steps <- function(p, x, a, batches, rates, options, single = FALSE, threads = 1L) {
  model <- flow_model(p)
  out <- .Call(
    ffi_steps, model, first_state(model), x, a, unlist(batches) - 1L, length(batches[[1]]), rates,
    options, all_components, single, threads
  )
  c(
    unflatten(out$parameters, reference_coef(p)),
    list(average = unflatten(out$average, reference_coef(p))), out["scores"]
  )
}

step_scenarios <- function() {
  both <- function(shape, d, K, ...) {
    list(make_flow_alone(shape, d, size = 0.4), make_flow_mixture(shape, d, K, ..., size = 0.4))
  }
  c(
    both(make_shape("realnvp", layers = 2), 2, 3, c(5, 4), "full"),
    both(make_shape("spline", layers = 2, bins = 3, activation = "silu"), 2, 2, NULL),
    both(make_shape("spline", layers = 2, bins = 2), 1, 2, 5),
    both(make_shape("realnvp", layers = 3, hidden = integer(0)), 3, 1, integer(0)),
    list(
      make_own_flows(make_shape("realnvp", layers = 2), 2, 3, c(5, 4), "full", size = 0.4),
      make_own_flows(make_shape("spline", layers = 1, bins = 2), 1, 4, NULL, size = 0.4),
      make_own_flows(make_shape("spline", layers = 2, bins = 3), 3, 2, 4, size = 0.4)
    )
  )
}

test_that("steps of Adam over flows are those of the reference", {
  n <- 23
  batches <- list(1:8, 9:16, 17:23)
  rates <- c(0.05, 0.1, 0.02)
  for (p in step_scenarios()) {
    d <- ncol(p$mean)
    x <- make_points(n, d)
    log_floor <- seq(-0.3, -0.2, length.out = d)
    cases <- list(
      list(a = NULL, decay = 0, clip = Inf, recency = 0),
      list(a = rep(c(0.5, 1, 2), length.out = n), decay = 0.5, clip = 0.1, recency = 20)
    )
    for (case in cases) {
      for (single in c(FALSE, TRUE)) {
        # a step hangs on gradients below epsilon, which in single precision are rounding
        epsilon <- if (single) 1e-2 else 1e-8
        options <- adam_options(log_floor, case$decay, case$clip, case$recency, epsilon)
        steps <- take_flow_steps(p, x, case$a, batches, rates, options, single)
        expected <- reference_adam(
          p, x, case$a %||% rep(1, n), batches, rates, case$decay, case$clip, case$recency,
          log_floor, epsilon
        )
        fields <- c(names(reference_coef(p)), "average", "scores")
        expect_close(
          steps[fields], expected[fields],
          tolerance = if (single) 1e-4 else 1e-9, floor = 1,
          info = paste(p$shape$kind, d, p$shape$fixed, case$clip, single)
        )
      }
    }
  }
})

test_that("decay reaches the weights of a flow and no bias", {
  # With an epsilon this large gradients move nothing.
  for (p in step_scenarios()) {
    x <- make_points(8, ncol(p$mean))
    options <- adam_options(rep(-Inf, ncol(x)), decay = 0.5, epsilon = 1e30)
    after <- take_flow_steps(p, x, NULL, list(1:8), 0.1, options)
    expected <- reference_coef(p)
    for (block in gradient_blocks(p)) {
      if ("weights" %in% block) {
        expected <- set_block(expected, block, 0.95 * get_block(expected, block))
      }
    }
    expect_close(after[names(expected)], expected, 1e-15)
  }
})

test_that("what stands behind a flow alone does not move, nor count for the clipping", {
  for (p in step_scenarios()[c(1, 3, 5, 7)]) {
    x <- make_points(60, ncol(p$mean))
    batches <- split(1:60, rep(1:6, each = 10))
    options <- adam_options(rep(-5, ncol(x)), 0.5, 0.01, 2)
    after <- take_flow_steps(p, x, NULL, batches, rep(0.1, 6), options)
    still <- c("mean", "log_sd", "weights", "biases")
    expect_identical(after[still], p[still])
    expect_identical(after$average[still], p[still])
    expect_false(identical(after$flow, p$flow))
  }
})

test_that("steps have the same bits in one call and in several, and for any number of threads", {
  for (s in large_flow_scenarios()[c(1, 2, 4, 7)]) {
    model <- flow_model(s$p)
    rates <- c(0.01, 0.02, 0.03, 0.04)
    options <- adam_options(rep(-5, ncol(s$x)), 0.1, 1, 2)
    steps <- function(state, rows, rates, single, threads) {
      .Call(
        ffi_steps, model, state, s$x, NULL, rows, 300L, rates, options, all_components, single,
        threads
      )
    }
    for (single in c(FALSE, TRUE)) {
      whole <- steps(first_state(model), 0:1199, rates, single, 1L)
      half <- steps(first_state(model), 0:599, rates[1:2], single, 1L)
      rest <- steps(half[names(first_state(model))], 600:1199, rates[3:4], single, 1L)
      same <- c("parameters", "first", "second", "average", "step")
      expect_identical(rest[same], whole[same], info = s$name)
      expect_identical(c(half$scores, rest$scores), whole$scores)
      for (threads in 2:3) {
        expect_identical(steps(first_state(model), 0:1199, rates, single, threads), whole)
      }
    }
  }
})

test_that("flows of their own learn what is one component's alone", {
  # Half the rows on an arc, half a normal: the entropy is known.
  n <- 2000
  x <- with_fixed_seed(1, {
    y <- rnorm(n)
    bent <- rep(c(TRUE, FALSE), length.out = n)
    cbind(y + ifelse(bent, -4, 4), ifelse(bent, y^2 / 2, 0) + rnorm(n, sd = 0.5))
  })
  parts <- cbind(
    dnorm(x[, 1], -4) * dnorm(x[, 2], (x[, 1] + 4)^2 / 2, 0.5),
    dnorm(x[, 1], 4) * dnorm(x[, 2], 0, 0.5)
  )
  best <- mean(log(rowMeans(parts)))
  order <- with_fixed_seed(2, as.vector(replicate(60, sample.int(n))))
  p <- make_own_flows(make_shape("spline", layers = 4, hidden = 16, bins = 6), 2, 2, NULL, size = 0)
  p$mean <- rbind(c(-4, 0), c(4, 0))
  p$log_sd[] <- 0
  p$shape$tail_bound <- 8
  batches <- split(order, rep(seq_len(300), each = 400))
  options <- adam_options(c(-5, -5), clip = 5)
  after <- take_flow_steps(p, x, NULL, batches, rep(0.01, 300), options, TRUE)
  p[names(reference_coef(p))] <- after[names(reference_coef(p))]
  expect_close(mean(engine_log_quantities(p, x)$density), best, 0.05, floor = 1)
})

test_that("training finds what a flow can follow", {
  # y2 = y1^2 / 2 + noise: its entropy is known. A normal of the same moments is 0.21 nats below.
  x <- with_fixed_seed(1, {
    y <- rnorm(2000)
    cbind(y, y^2 / 2 + rnorm(2000, sd = 0.5))
  })
  best <- mean(dnorm(x[, 1], log = TRUE) + dnorm(x[, 2], x[, 1]^2 / 2, 0.5, log = TRUE))
  order <- with_fixed_seed(2, as.vector(replicate(60, sample.int(2000))))
  for (kind in c("realnvp", "spline")) {
    for (single in c(FALSE, TRUE)) {
      p <- make_flow_alone(make_shape(kind, layers = 4, hidden = c(16, 16), bins = 6), 2, size = 0)
      batches <- split(order, rep(seq_len(300), each = 400))
      options <- adam_options(c(-5, -5), clip = 5)
      after <- take_flow_steps(p, x, NULL, batches, rep(0.01, 300), options, single)
      score <- mean(engine_log_quantities(replace(p, "flow", after["flow"]), x)$density)
      expect_close(score, best, 0.05, floor = 1, info = paste(kind, single))
    }
  }
})
