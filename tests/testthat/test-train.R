test_that("steps of Adam are those of the reference", {
  n <- 23
  batches <- list(1:8, 9:16, 17:23)
  rates <- c(0.05, 0.1, 0.02)
  limits <- list(
    c(decay = 0, clip = Inf, recency = 0), c(decay = 0.5, clip = Inf, recency = 2),
    c(decay = 0.5, clip = 0.1, recency = 20)
  )
  shapes <- scenarios(2, 3, list(integer(0), c(5, 4)), activation = "silu", n = n)
  for (s in c(shapes, scenarios(1, 2, list(5), n = n))) {
    for (a in list(NULL, rep(c(0.5, 1, 2), length.out = n))) {
      for (limit in limits) {
        for (single in c(FALSE, TRUE)) {
          # a step hangs on gradients below epsilon, which in single precision are rounding
          epsilon <- if (single) 1e-2 else 1e-8
          log_floor <- seq(-0.3, -0.2, length.out = ncol(s$x))
          steps <- take_steps(
            s$p, s$x, a, batches, rates, limit[["decay"]], limit[["clip"]], limit[["recency"]],
            log_floor, epsilon, single
          )
          expected <- reference_adam(
            s$p, s$x, if (is.null(a)) rep(1, n) else a, batches, rates, limit[["decay"]],
            limit[["clip"]], limit[["recency"]], log_floor, epsilon
          )
          fields <- c(names(reference_coef(s$p)), "average", "scores")
          expect_close(
            steps[fields], expected[fields],
            tolerance = if (single) 1e-4 else 1e-9, floor = 1,
            info = paste(s$name, toString(limit), single)
          )
        }
      }
    }
  }
})

# Steps of Adam along gradients that R asks for one by one: as take_steps(), without scores.
take_given_steps <- function(p, x, batches, rates, decay, clip, recency, log_floor) {
  model <- engine_model(reference_coef(p), p$activation)
  state <- first_state(model)
  options <- adam_options(log_floor, decay, clip, recency)
  for (t in seq_along(batches)) {
    model$parameters <- state$parameters
    points <- x[batches[[t]], , drop = FALSE]
    out <- .Call(ffi_gradient, model, points, NULL, FALSE, all_components, FALSE, 1L)
    gradient <- out$gradient / nrow(points)
    state <- .Call(ffi_adam, model, state, gradient, rates[t], options)
  }
  c(
    unflatten(state$parameters, reference_coef(p)),
    list(average = unflatten(state$average, reference_coef(p)), step = state$step)
  )
}

test_that("steps along given gradients are those of the reference", {
  batches <- list(1:8, 9:16, 17:23)
  rates <- c(0.05, 0.1, 0.02)
  for (s in scenarios(2, 3, list(NULL, integer(0), c(5, 4)), activation = "silu", n = 23)) {
    for (limit in list(c(0, Inf, 0), c(0.5, 0.1, 20))) {
      log_floor <- c(-0.3, -0.2)
      steps <- take_given_steps(
        s$p, s$x, batches, rates, limit[1], limit[2], limit[3], log_floor
      )
      expected <- reference_adam(
        s$p, s$x, rep(1, 23), batches, rates, limit[1], limit[2], limit[3], log_floor
      )
      fields <- c(names(reference_coef(s$p)), "average")
      expect_close(steps[fields], expected[fields], 1e-9, floor = 1, info = s$name)
      expect_identical(steps$step, 3)
    }
  }
})

test_that("a gradient that is not finite is no step", {
  model <- engine_model(reference_coef(make_parameters(2, 3, 5)), "tanh")
  state <- first_state(model)
  options <- adam_options(c(-5, -5), 0.1, 1, 2)
  for (bad in c(NaN, Inf, -Inf, NA)) {
    gradient <- replace(0.1 + state$first, 4, bad)
    after <- .Call(ffi_adam, model, state, gradient, 0.1, options)
    expect_identical(after$step, 0)
    expect_identical(after$parameters, state$parameters)
  }
})

test_that("steps are the same in one call and in several, to the bit", {
  s <- scenarios(2, 3, list(c(5, 4)), "full", "tanh", 40)[[1]]
  model <- engine_model(reference_coef(s$p), "tanh")
  state <- first_state(model)
  steps <- function(state, rows, rates, single) {
    .Call(
      ffi_steps, model, state, s$x, NULL, rows, 10L, rates,
      adam_options(c(-5, -5), 0.1, 1, 2), all_components, single, 1L
    )
  }
  rates <- c(0.01, 0.02, 0.03, 0.04)
  for (single in c(FALSE, TRUE)) {
    whole <- steps(state, 0:39, rates, single)
    half <- steps(state, 0:19, rates[1:2], single)
    rest <- steps(half[names(state)], 20:39, rates[3:4], single)
    expect_identical(rest[names(state)], whole[names(state)])
    expect_identical(c(half$scores, rest$scores), whole$scores)
  }
  expect_identical(whole$step, 4)
})

test_that("single-precision gradients of many rows are those of double precision", {
  # sums of as many floats would lose five digits
  x <- make_points(1e5, 2)
  for (covariance in c("diagonal", "full")) {
    p <- reference_coef(make_parameters(2, 3, 6, covariance, seed = 61))
    gradient <- function(single) {
      model <- engine_model(p, "tanh")
      out <- .Call(ffi_gradient, model, x, NULL, FALSE, all_components, single, 2L)
      c(unflatten(out$gradient, p), value = out$value)
    }
    expect_close_gradient(gradient(TRUE), gradient(FALSE), 1e-5, info = covariance)
    expect_false(identical(gradient(TRUE), gradient(FALSE)))
  }
})

test_that("a rate too large ends training with the best epoch before, in one warning", {
  for (precision in c("single", "double")) {
    for (validation in c(0, 0.1)) {
      info <- paste(precision, validation)
      control <- cwmix_control(
        batch_size = 272, epochs = 3, learning_rate = 1e10, schedule = "constant",
        precision = precision, starts = 1
      )
      seen <- catch_conditions(with_fixed_seed(
        1, cwmix(faithful, K = 2, hidden = 4, validation = validation, control = control)
      ))
      fit <- seen$value
      expect_length(seen$conditions, 1)
      expect_s3_class(seen$conditions[[1]], "cwmix_numerical_warning")
      expect_identical(fit$stopped, "diverged", info = info)
      expect_identical(is.finite(fit$log_likelihood), TRUE, info = info)
      expect_identical(sum(!is.finite(unlist(coef(fit)))), 0L, info = info)
      expect_identical(fit$best_epoch, 0L, info = info)
      start <- with_fixed_seed(1, cwmix(faithful,
        K = 2, hidden = 4, validation = validation,
        control = cwmix_control(epochs = 0, precision = precision, starts = 1)
      ))
      expect_identical(coef(fit), coef(start), info = info)

      # and from there training goes on as if nothing had been
      gentle <- cwmix_control(
        batch_size = 272, learning_rate = 1e-3, schedule = "constant", precision = precision
      )
      seen <- catch_conditions(update(fit, epochs = 3, control = gentle))
      expect_length(seen$conditions, 0)
      expect_identical(seen$value$stopped, "epochs", info = info)
      expect_identical(sum(!is.finite(seen$value$trace$training)), 0L, info = info)
      # three steps of a thousandth move the mean log density by little
      expect_equal(
        seen$value$log_likelihood / 272, start$log_likelihood / 272,
        tolerance = 0.01, info = info
      )
    }
  }
})

test_that("a progress bar does no harm", {
  output <- in_session_with_progress(
    'for (validation in c(0, 0.1)) for (optimiser in c("adam", "lbfgs")) {
      control <- cwmix_control(
        epochs = 4, batch_size = 20, starts = 1, verbose = TRUE, optimiser = optimiser
      )
      set.seed(1)
      fit <- cwmix(faithful, K = 3, hidden = 8, validation = validation, control = control)
      cat("\nepochs:", max(fit$trace$epoch), "\n")
      fit <- update(fit, epochs = 2)
      cat("\nepochs:", max(fit$trace$epoch), "\n")
    }'
  )
  expect_identical(
    grep("epochs: [0-9]", output, value = TRUE)[1:2], c("epochs: 4 ", "epochs: 6 ")
  )
  expect_length(grep("epochs: [0-9]", output), 8)
  expect_match(paste(output, collapse = "\n"), "Epoch")
})

test_that("L-BFGS ascends the penalised mean log density to a stationary point", {
  x <- untied(faithful)
  for (decay in c(0.05, 0.5)) {
    fit <- function(epochs) {
      control <- cwmix_control(
        optimiser = "lbfgs", epochs = epochs, weight_decay = decay, starts = 2
      )
      fit_network(x, K = 2, hidden = 3, validation = 0, control = control)
    }
    # the log density is that of the data's scale, which differs by a constant
    objective <- function(fit) {
      fit$log_likelihood / 272 - decay / 2 * sum(unlist(coef(fit)$weights)^2)
    }
    start <- fit(0)
    end <- fit(2000)
    expect_gte(objective(end), objective(start))
    expect_gte(objective(end), objective(fit(3)))
    expect_identical(end$stopped, "converged")
    gradient <- attr(log_likelihood(end, x, gradient = TRUE), "gradient")
    gradient <- lapply(gradient, function(block) unlist(block) / 272)
    sd <- apply(x, 2, function(column) sqrt(mean((column - mean(column))^2)))
    # to the standardised scale, on which the ascent was
    gradient$mean <- gradient$mean * rep(sd, each = 2)
    gradient$weights <- gradient$weights - decay * unlist(coef(end)$weights)
    expect_lte(max(abs(unlist(gradient))), 1e-3)
  }
})

test_that("L-BFGS has no more rows in its trace than epochs asked for", {
  for (epochs in c(0, 1, 2, 7)) {
    control <- cwmix_control(optimiser = "lbfgs", epochs = epochs, starts = 1)
    for (validation in c(0, 0.1)) {
      fit <- fit_network(faithful, validation = validation, control = control)
      expect_lte(nrow(fit$trace), epochs + 1)
      expect_identical(fit$trace$epoch, seq_len(nrow(fit$trace)) - 1L)
      if (epochs > 1) expect_identical(fit$stopped, "epochs")
    }
  }
})

test_that("L-BFGS never falls and gains on EM", {
  x <- untied(faithful)
  control <- cwmix_control(optimiser = "lbfgs", epochs = 60, starts = 2, weight_decay = 0)
  fit <- fit_network(x, validation = 0, control = control)
  expect_equal(largest_fall(fit$trace$training), 0)
  expect_gt(fit$log_likelihood, 272 * fit$trace$training[1] + 1)
  expect_equal(
    fit$trace$training[1],
    with_fixed_seed(1, gaussian_mixture(x, K = 3, control = control))$log_likelihood / 272,
    tolerance = 1e-12
  )
  expect_equal(fit$log_likelihood / 272, fit$trace$training[nrow(fit$trace)], tolerance = 1e-12)
})

test_that("L-BFGS matches or beats Adam on a small problem", {
  settings <- list(epochs = 100, starts = 2, weight_decay = 0, precision = "double", patience = Inf)
  fit_with <- function(optimiser) {
    control <- do.call(cwmix_control, c(settings, optimiser = optimiser))
    fit_network(faithful, hidden = 6, validation = 0, control = control)$log_likelihood
  }
  expect_gte(fit_with("lbfgs"), fit_with("adam"))
})

test_that("L-BFGS respects patience and validation rows", {
  x <- untied(faithful)
  control <- cwmix_control(optimiser = "lbfgs", epochs = 200, patience = 3)
  fit <- fit_network(x, hidden = c(32, 32), control = control)
  expect_identical(fit$best_epoch, fit$trace$epoch[which.max(fit$trace$validation)])
  expect_identical(fit$stopped, "patience")
  expect_equal(
    log_likelihood(fit, x[fit$held_rows, ]) / 27, max(fit$trace$validation), tolerance = 1e-12
  )
})

test_that("an epoch that diverges ends training with the best epoch before", {
  expect_warning(
    fit <- fit_network(faithful, control = quick_control(epochs = 5, learning_rate = 1e10)),
    class = "cwmix_numerical_warning"
  )
  expect_identical(fit$stopped, "diverged")
  expect_true(is.finite(fit$log_likelihood))
  expect_true(all(is.finite(unlist(coef(fit)))))
})

test_that("an interrupt returns the best epoch so far with a warning", {
  x <- untied(faithful)
  # one call an epoch
  expect_warning(
    fit <- with_interrupt("adam_steps", 3, fit_network(x, control = quick_control(epochs = 10))),
    class = "cwmix_interrupted"
  )
  expect_identical(fit$stopped, "interrupt")
  expect_identical(fit$trace$epoch, 0:2)
  expect_equal(
    log_likelihood(fit, x[fit$held_rows, ]) / 27, max(fit$trace$validation), tolerance = 1e-12
  )
})

test_that("an interrupt before there is a fit, at the draws of its start, is an error", {
  start <- with_fixed_seed(1, flow_realnvp(faithful, 2, 8, control = quick_control(epochs = 1)))
  expect_error(
    with_interrupt("em_steps", 1, fit_network(faithful, start = start)),
    class = "cwmix_interrupted"
  )
})

test_that("a start that has no density at the validation rows is refused", {
  # so far that single precision has no number for it
  control <- quick_control(precision = "single")
  far <- fit_network(faithful, 1, control = control)
  far$mean[1] <- 1e300
  expect_error(
    fit_network(faithful, 1, start = far, control = control),
    "`start` must have a density at the validation rows",
    class = "cwmix_input_error"
  )
})

test_that("batches are a twentieth of the rows, or a hundredth of many, within bounds", {
  sizes <- vapply(
    c(20, 400, 5000, 40000, 1e5, 195000, 1e6),
    function(n) plan_batches(n, cwmix_control())$size, 0L
  )
  # of nearly equal size: 20 are two batches, 195,000 are 100
  expect_identical(sizes, c(10L, 20L, 250L, 500L, 1000L, 1950L, 2000L))
})

test_that("epochs by default are 6,000 steps, between 5 and 100 epochs", {
  epochs <- function(n, ...) default_epochs(n, cwmix_control(...))
  expect_identical(vapply(c(50, 5000, 195000, 1e6, 1e8), epochs, 0L), c(100L, 100L, 60L, 12L, 5L))
  expect_identical(epochs(1000, optimiser = "lbfgs"), 50L)
})

test_that("epochs are scored by the average of the iterates, and the fit is the average", {
  control <- quick_control(epochs = 6, learning_rate = 0.05, schedule = "constant", batch_size = 50)
  iterates <- list()
  real <- adam_steps
  # one call a step
  noted <- function(model, state, set, rows, batch, rates, task) {
    out <- real(model, state, set, rows, batch, rates, task)
    iterates[[length(iterates) + 1]] <<- out$parameters
    out
  }
  fit <- with_replaced("adam_steps", noted, with_replaced(
    "work_per_call", 1, fit_network(faithful, validation = 0, control = control)
  ))
  expect_length(iterates, 6 * ceiling(272 / 50))
  average <- reference_average(iterates, 10)
  expect_close(fit$optimiser$state$average, average, tolerance = 1e-10, floor = 1)
  expect_identical(fit$optimiser$state$best, fit$optimiser$state$average)
  expect_identical(fit$optimiser$state$parameters, iterates[[length(iterates)]])
})
