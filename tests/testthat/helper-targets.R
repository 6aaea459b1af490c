# Targets of variational fits, list(log_density, gradient, d), and quick fits to them.

# Eight Gaussians of standard deviation 0.35 on a circle of radius 4.
ring_centres <- function() 4 * cbind(cos(pi * 0:7 / 4), sin(pi * 0:7 / 4))

ring_target <- function() {
  centres <- ring_centres()
  terms <- function(x) {
    vapply(1:8, function(k) {
      rowSums(matrix(dnorm(x, rep(centres[k, ], each = nrow(x)), 0.35, log = TRUE), nrow(x)))
    }, double(nrow(x)))
  }
  list(
    log_density = function(x) apply(terms(x), 1, reference_log_sum_exp) - log(8),
    gradient = function(x) {
      a <- terms(x)
      v <- exp(a - apply(a, 1, reference_log_sum_exp))
      (v %*% centres - x) / 0.35^2
    },
    d = 2
  )
}

# The share of draws nearest to each of the ring's modes.
ring_shares <- function(x) tabulate(max.col(x %*% t(ring_centres())), 8) / nrow(x)

# x1 ~ N(0, 2^2), x2 | x1 ~ N(x1^2 / 4, 0.5^2).
banana_target <- function() {
  list(
    log_density = function(x) {
      dnorm(x[, 1], 0, 2, log = TRUE) + dnorm(x[, 2], x[, 1]^2 / 4, 0.5, log = TRUE)
    },
    gradient = function(x) {
      r <- (x[, 2] - x[, 1]^2 / 4) / 0.25
      cbind(-x[, 1] / 4 + r * x[, 1] / 2, -r)
    },
    d = 2
  )
}

# exp(2.5) times a normal of mean (1, -2) and this covariance.
normal_covariance <- function() matrix(c(4, 1.5, 1.5, 1), 2)

normal_target <- function() {
  precision <- solve(normal_covariance())
  centred <- function(x) x - rep(c(1, -2), each = nrow(x))
  list(
    log_density = function(x) {
      r <- centred(x)
      2.5 - rowSums((r %*% precision) * r) / 2 - log(2 * pi) - log(det(normal_covariance())) / 2
    },
    gradient = function(x) -centred(x) %*% precision,
    d = 2
  )
}

# exp(-1) times gamma(3, rate 2) and beta(2, 5), independent.
bounded_target <- function() {
  list(
    log_density = function(x) {
      dgamma(x[, 1], 3, 2, log = TRUE) + dbeta(x[, 2], 2, 5, log = TRUE) - 1
    },
    gradient = function(x) cbind(2 / x[, 1] - 2, 1 / x[, 2] - 4 / (1 - x[, 2])),
    d = 2, support = list(c(0, Inf), c(0, 1))
  )
}

# N(3, 2^2).
line_target <- function() {
  list(
    log_density = function(x) dnorm(x[, 1], 3, 2, log = TRUE), gradient = function(x) (3 - x) / 4,
    d = 1
  )
}

quick_vi_control <- function(..., steps = 20, points = 16, evaluation = 64, every = 10,
                             searches = 5, draws = 300) {
  cwmix_vi_control(
    steps = steps, points = points, evaluation = evaluation, every = every, searches = searches,
    draws = draws, ...
  )
}

# Quick fits are poor ones: of that nothing is said where they are not `judged`.
fit_vi <- function(target, K = 2, ..., gradient = target$gradient, hidden = 4, seed = 1,
                   control = quick_vi_control(), judged = FALSE) {
  log_density <- target$log_density
  suppressWarnings(
    with_fixed_seed(seed, cwmix_vi(log_density, target$d, K, gradient,
      ...,
      hidden = hidden, support = target$support, control = control
    )),
    classes = if (judged) "none" else "cwmix_poor_fit"
  )
}

# What training knows of a target besides its state, for parameters on a scale of its own.
vi_task_of <- function(target, p, ..., center = double(target$d), scale = rep(1, target$d)) {
  control <- quick_vi_control(...)
  frame <- new_frame(NULL, "matrix", read_support(target$support, target$d, NULL, NULL))
  list(
    target = new_target(target$log_density, target$gradient, frame, scale),
    center = center, scale = scale, activation = p$activation, control = control,
    template = reference_coef(p), evaluation = evaluation_points(target$d, control)
  )
}

# elbo_gradient() shaped like coef().
elbo_gradient_of <- function(p, z, power, task) {
  unflatten(elbo_gradient(reference_coef(p), z, power, task), reference_coef(p))
}

# A function that notes how many rows it is given, and the fewest so far.
counting_rows <- function(f) {
  fewest <- Inf
  list(
    f = function(x) {
      fewest <<- min(fewest, nrow(x))
      f(x)
    },
    fewest = function() fewest
  )
}

# Feeds scores to record_vi(): the learning rates in turn, and why it ended.
record_scores <- function(scores, annealing = FALSE, ...) {
  p <- make_parameters(1, 1)
  task <- vi_task_of(line_target(), p, ...)
  run <- new_ascent(new_state(reference_coef(p)))
  run$rate <- task$control$learning_rate
  run$since <- run$falls <- 0
  reason <- NULL
  rates <- double()
  for (score in scores) {
    run$state$parameters <- run$state$average <- run$state$first <- 0 * run$state$average + score
    run$state$epoch <- run$state$epoch + 1L
    reason <- with_replaced(
      "evaluate_elbo", function(...) c(score, 0.1), record_vi(run, task, annealing)
    )
    rates <- c(rates, run$rate)
    if (!is.null(reason)) break
  }
  list(run = run, rates = rates, reason = reason)
}

# Variational fits to print: numbers that no platform rounds in its own way.
printed_vi_fits <- function() {
  fit <- fit_vi(bounded_target(), 3, names = c("rate", "share"))
  fit$elbo <- c(estimate = -1.02345, se = 0.00123)
  fit$log_evidence <- c(estimate = -1.00012, se = 0.0034)
  fit$search_evidence <- c(estimate = -1.0011, se = 0.004)
  fit$ess <- 287.4
  fit$pareto_k <- 0.31
  fit$best_step <- 20L
  poor <- fit
  poor$log_evidence[["estimate"]] <- -2.01
  poor$ess <- 2.2
  poor$pareto_k <- 1.234
  poor$stopped <- "interrupt"
  unknown <- fit_vi(line_target(), 1)
  unknown$elbo <- unknown$log_evidence <- c(estimate = 0, se = 0)
  unknown$ess <- 300
  unknown$pareto_k <- NA_real_
  unknown$best_step <- 10L
  list(good = fit, poor = poor, unknown = unknown)
}
