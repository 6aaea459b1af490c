test_that("the gradient is the derivative of the bound at the base points", {
  center <- c(0.5, -1)
  scale <- c(1.5, 0.7)
  grid <- scenarios(
    d = c(1, 2), K = c(1, 3), hidden = list(NULL, integer(0), 5), activation = "tanh", n = 5
  )
  for (s in grid) {
    d <- ncol(s$p$mean)
    target <- list(
      log_density = function(x) -wave(x), gradient = function(x) -wave_gradient(x), d = d
    )
    power <- if (nrow(s$p$mean) == 1) 1 else 0.4
    reference <- function(u) power * -wave(u * scale[1:d] + center[1:d]) + sum(log(scale[1:d]))
    z <- make_base(4, d)
    for (path in c(TRUE, FALSE)) {
      task <- vi_task_of(
        target, s$p,
        path = path, exact = TRUE, center = center[1:d], scale = scale[1:d]
      )
      expect_gradient_along(
        elbo_gradient_of(s$p, z, power, task), s$p,
        function(p) reference_elbo(z, p, reference, if (path) s$p else p),
        tolerance = 1e-7, info = paste(s$name, path)
      )
    }
  }
})

test_that("in bounded columns too, with a gradient of the target by differences or given", {
  reference <- function(y) {
    x <- cbind(exp(y[, 1]), plogis(y[, 2]))
    bounded_target()$log_density(x) + log(x[, 1]) + log(x[, 2]) + log(1 - x[, 2])
  }
  z <- make_base(4, 2)
  for (covariance in c("diagonal", "full")) {
    p <- make_parameters(2, 3, 5, covariance)
    for (gradient in list(bounded_target()$gradient, NULL)) {
      target <- bounded_target()
      target["gradient"] <- list(gradient)
      for (path in c(TRUE, FALSE)) {
        task <- vi_task_of(target, p, path = path, exact = TRUE)
        expect_gradient_along(
          elbo_gradient_of(p, z, 1, task), p,
          function(q) reference_elbo(z, q, reference, if (path) p else q),
          tolerance = 1e-6, info = covariance
        )
      }
    }
  }
})

test_that("the bound is formula (19) at fixed base points, and knows the scale", {
  p <- make_parameters(2, 3, 5, "full")
  task <- vi_task_of(banana_target(), p, center = c(1, 2), scale = c(2, 0.5))
  elbo <- evaluate_elbo(reference_coef(p), task)
  target <- function(u) banana_target()$log_density(cbind(1 + 2 * u[, 1], 2 + 0.5 * u[, 2]))
  expect_equal(elbo[1], reference_elbo(task$evaluation$z, p, target), tolerance = 1e-10)
  expect_identical(evaluate_elbo(reference_coef(p), task), elbo)
  expect_gt(elbo[2], 0)
})

test_that("where the fit is exact the path gradient is zero at any points, the whole one is not", {
  for (covariance in c("diagonal", "full")) {
    p <- make_parameters(2, 3, 5, covariance)
    target <- list(
      log_density = function(x) reference_log_density(x, p),
      gradient = function(x) reference_point_gradient(x, p), d = 2
    )
    z <- make_base(7, 2)
    path <- elbo_gradient_of(p, z, 1, vi_task_of(target, p, exact = TRUE))
    expect_close_gradient(path, reference_zero(p), tolerance = 1e-12)
    whole <- elbo_gradient_of(p, z, 1, vi_task_of(target, p, exact = TRUE, path = FALSE))
    expect_gt(max(abs(unlist(whole))), 1e-3)
    elbo <- evaluate_elbo(reference_coef(p), vi_task_of(target, p))
    expect_equal(elbo, c(0, 0), tolerance = 1e-12)
  }
})

test_that("small weights are drawn, without bias, and large ones stay", {
  w <- cbind(rep(0.001, 40000), 0.004, 0.995)
  drawn <- with_fixed_seed(1, thinned(w, list(exact = FALSE)))
  expect_identical(drawn[, 3], w[, 3])
  expect_setequal(drawn[, 1:2], c(0, least_weight))
  # four standard errors: 0.005 sqrt(q (1 - q) / n), q = 0.2 and 0.8
  expect_close(colMeans(drawn)[1:2], c(0.001, 0.004), tolerance = 4e-5, floor = 1)
  expect_identical(thinned(w, list(exact = TRUE)), w)
})

test_that("the drawn gradient has the exact one as its mean", {
  p <- make_parameters(2, 12, 6)
  p$weights[[2]] <- 6 * p$weights[[2]]
  z <- make_base(16, 2)
  expect_gt(mean(reference_classifier(z, p) < least_weight), 0.2)
  target <- list(
    log_density = function(x) -wave(x), gradient = function(x) -wave_gradient(x), d = 2
  )
  for (path in c(TRUE, FALSE)) {
    at <- function(exact) {
      task <- vi_task_of(target, p, exact = exact, path = path)
      elbo_gradient(reference_coef(p), z, 1, task)
    }
    draws <- with_fixed_seed(1, replicate(1500, at(FALSE)))
    error <- apply(draws, 1, sd) / sqrt(ncol(draws))
    expect_gt(max(error), 0)
    expect_lt(max(abs(rowMeans(draws) - at(TRUE)) / (error + 1e-12)), 4.5)
  }
})

test_that("the target is tempered less and less over the first three tenths", {
  fractions <- c(0, 0.15, 0.3, 0.7, 1)
  expect_equal(vapply(fractions, annealing, 0, temperature = 4), c(0.25, 0.625, 1, 1, 1))
  expect_identical(vapply(fractions, annealing, 0, temperature = 1), rep(1, 5))
})

test_that("steps follow the annealed target", {
  real <- elbo_gradient
  powers <- double()
  noted <- function(parameters, z, power, ...) {
    powers <<- c(powers, power)
    real(parameters, z, power, ...)
  }
  for (control in list(
    quick_vi_control(temperature = 4), quick_vi_control(), quick_vi_control(temperature = 1)
  )) {
    powers <- double()
    with_replaced("elbo_gradient", noted, fit_vi(line_target(), control = control))
    hot <- if (is.null(control$temperature)) 2 else control$temperature
    expect_equal(powers, 1 / hot + (1 - 1 / hot) * pmin(1, 1:20 / 20 / 0.3))
  }
})

test_that("evaluations that gain nothing lower the rate three times and then end training", {
  out <- record_scores(rep(-1, 20), patience = 2, learning_rate = 1)
  expect_equal(out$rates, 4^-c(0, 0, 1, 1, 2, 2, 3, 3, 3))
  expect_identical(out$reason, "converged")
  expect_identical(out$run$state$best_epoch, 1L)
  # as long as there is annealing, nothing counts
  out <- record_scores(rep(-1, 20), annealing = TRUE, patience = 2)
  expect_null(out$reason)
  expect_identical(unique(out$rates), 0.01)
})

test_that("gains below the tolerance do not count but are kept, larger ones begin anew", {
  out <- record_scores(c(-1, -0.95, -0.92), patience = 2, tolerance = 0.1, learning_rate = 1)
  expect_equal(out$rates, c(1, 1, 0.25))
  expect_identical(out$run$state$best_epoch, 3L)
  out <- record_scores(
    c(-5, -5, -4, -4, -3, -3, -2),
    patience = 2, tolerance = 0.1, learning_rate = 1
  )
  expect_equal(out$rates, rep(1, 7))
})

test_that("a lower rate goes on from the best with fresh moments", {
  out <- record_scores(c(-1, -2, -3), patience = 2)
  state <- out$run$state
  expect_identical(unique(state$parameters), -1)
  expect_identical(state$average, state$parameters)
  expect_identical(unique(c(state$first, state$second)), 0)
  expect_identical(state$step, 0)
})

test_that("the trace has a row an evaluation, the first before any step, the last after all", {
  fit <- fit_vi(banana_target(), 3, control = quick_vi_control(steps = 25))
  expect_identical(fit$trace$step, c(0L, 10L, 20L, 25L))
  expect_identical(unique(fit$trace$learning_rate), 0.01)
  expect_identical(fit$best_step, fit$trace$step[which.max(fit$trace$elbo)])
  expect_identical(fit$stopped, "steps")
  expect_identical(sum(!is.finite(as.matrix(fit$trace))), 0L)
  none <- fit_vi(line_target(), control = quick_vi_control(steps = 0))
  expect_identical(none$trace$step, 0L)
  expect_identical(none$stopped, "steps")
})

test_that("training ends where nothing is gained", {
  control <- quick_vi_control(steps = 2000, every = 2, patience = 2, tolerance = 0.01)
  fit <- fit_vi(line_target(), control = control)
  expect_identical(fit$stopped, "converged")
  expect_lt(max(fit$trace$step), 2000)
  expect_equal(min(fit$trace$learning_rate), 0.01 / 64)
})

test_that("an interrupt returns the best so far with a warning", {
  expect_warning(
    fit <- with_interrupt("elbo_gradient", 16, fit_vi(line_target())),
    "interrupted: the best step so far, 1?0,",
    class = "cwmix_interrupted"
  )
  expect_identical(fit$stopped, "interrupt")
  expect_identical(fit$trace$step, c(0L, 10L))
  expect_identical(fit$best_step, fit$trace$step[which.max(fit$trace$elbo)])
})

test_that("steps that are too long diverge: the best is returned with a warning", {
  for (covariance in c("diagonal", "full")) {
    for (rate in c(1e3, 1e6)) {
      control <- quick_vi_control(learning_rate = rate)
      expect_warning(
        fit <- fit_vi(normal_target(), 2, covariance = covariance, control = control),
        "diverged, a smaller `learning_rate` may help",
        class = "cwmix_numerical_warning"
      )
      expect_identical(fit$stopped, "diverged")
      expect_identical(fit$best_step, 0L)
      # where one can go on from
      expect_identical(fit$optimiser$state$parameters, fit$optimiser$state$best)
      expect_identical(sum(!is.finite(unlist(coef(fit)))), 0L)
    }
  }
})

test_that("a gradient that is no number is a divergence", {
  broken <- function(parameters, ...) rep(NaN, length(flatten(parameters)))
  expect_warning(
    fit <- with_replaced("elbo_gradient", broken, fit_vi(line_target())),
    class = "cwmix_numerical_warning"
  )
  expect_identical(fit$stopped, "diverged")
})

test_that("progress is shown, with the bound", {
  output <- in_session_with_progress(
    'log_density <- function(x) dnorm(x[, 1], 3, 2, log = TRUE)
    gradient <- function(x) (3 - x) / 4
    set.seed(1)
    control <- cwmix_vi_control(steps = 60, every = 20, draws = 300, verbose = TRUE)
    fit <- cwmix_vi(log_density, 1, 2, gradient, hidden = 4, control = control)
    cat("\\nsteps:", max(fit$trace$step), "\\n")'
  )
  expect_match(paste(output, collapse = "\n"), "Step [0-9]+/60")
  expect_match(paste(output, collapse = "\n"), "ELBO -?[0-9.]+")
  expect_length(grep("steps: 60", output), 1)
})

test_that("more columns than a lattice has are fitted at random base points", {
  target <- list(
    log_density = function(x) -rowSums(x^2) / 2, gradient = function(x) -x,
    d = most_lattice_columns + 1
  )
  start <- cwmix_model(t(double(target$d)), sd = t(rep(1, target$d)), classifier = 1)
  fit <- fit_vi(target, 1, start = start, control = quick_vi_control(steps = 2))
  expect_equal(fit$elbo[["estimate"]], target$d / 2 * log(2 * pi), tolerance = 1e-10)
})
