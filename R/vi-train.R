# Training of a variational fit: Adam uphill on the evidence lower bound, the mean over base points
# z_i of sum over k of w_k(z_i) h(x_ik), h = log p - log q, formula (19).

# The gradient at base points, flat, for a target tempered by `power`, on the standardised scale.
#
# The density q depends on the parameters too. The whole gradient is that of the nodes and weights
# with q held fixed, less the mean of the gradient of log q at fixed points, whose expectation is
# zero. The path derivative leaves that term out: at q = p its variance is then zero (Roeder, Wu and
# Duvenaud 2017).
elbo_gradient <- function(parameters, z, power, problem, call) {
  control <- problem$control
  density <- plain_density(parameters, problem$activation)
  model <- engine_model(parameters, problem$activation)
  w <- thinned(exp(log_classifier(density$classifier, z)), control)
  used <- which(w > 0)
  weight <- w[used] / nrow(z)
  u <- node_matrix(density, z)[used, , drop = FALSE]
  target <- standard_target(u, power, problem, call)
  q <- engine_gradient(
    model, u, weight, TRUE, sampling(control), list(threads = control$threads)
  )
  h <- target$value - q$log_density
  # A constant in h has no part but as noise, where thinned() leaves weights that do not sum to 1.
  h <- h - sum(weight * h) / sum(weight)
  spread <- function(values) replace(double(length(w)), used, values)
  dnode <- weight * target$slope - q$dx
  gradient <- engine_expectation_gradient(
    model, z, spread(weight * h), apply(dnode, 2, spread), list(threads = control$threads)
  )
  if (control$path) gradient else gradient - q$gradient
}

# Weights below a threshold become it with probability weight / threshold, else 0: their nodes cost
# as much as the others and matter little.
thinned <- function(w, control) {
  if (control$exact) {
    return(w)
  }
  small <- which(w < least_weight)
  replace(w, small, least_weight * (stats::runif(length(small)) < w[small] / least_weight))
}

# Small enough to add no visible noise, large enough to halve the nodes of a dozen components.
least_weight <- 0.005

# Base points of a lattice as long as there is one of so many columns.
vi_points <- function(n, d, replicates) {
  base_points(n, d, if (d > most_lattice_columns) "random" else "lattice", replicates)
}

# The target's log density, tempered, and its slope at standardised points.
standard_target <- function(u, power, problem, call, slope = TRUE) {
  # No place for a component: steps that were too long led there.
  if (!all(abs(u) < 1e8)) {
    stop_cwmix("Training diverged.", "cwmix_divergence", call)
  }
  scale <- rep(problem$scale, each = nrow(u))
  y <- u * scale + rep(problem$center, each = nrow(u))
  value <- target_log_density(problem$target, y, call)
  if (any(value == -Inf)) {
    stop_input("`log_density` must be finite wherever the fit has mass, but at the point ",
      describe_point(data_points(problem$target, y), which(value == -Inf)[1]),
      " it is -Inf. Columns with bounds need `support`.",
      call = call
    )
  }
  list(
    value = power * value + sum(log(problem$scale)),
    slope = if (slope) power * scale * target_gradient(problem$target, y, call)
  )
}

# The evidence lower bound at fixed base points, the same for every evaluation, so that differences
# are those of the parameters: c(elbo, se).
evaluate_elbo <- function(parameters, problem, call) {
  base <- problem$evaluation
  density <- plain_density(parameters, problem$activation)
  h <- function(u) {
    standard_target(u, 1, problem, call, slope = FALSE)$value -
      log_quantity_working(density, u, "density")
  }
  out <- expect_nodes(density, base, h, NULL, summed_out, call)
  c(mean(out$values), column_errors(out$values, base$replicate))
}

# Trains for some steps: list(state, trace, stopped). `trace` is continued.
train_vi <- function(state, problem, steps, trace, call) {
  run <- new.env(parent = emptyenv())
  run$state <- state
  run$trace <- list()
  run$rate <- problem$control$learning_rate
  run$since <- run$falls <- 0
  if (is.null(trace)) {
    record_vi(run, problem, call)
  } else {
    # At the base points that the further steps are compared at.
    best <- evaluate_elbo(unflatten(state$best, problem$template), problem, call)
    run$state$best_score <- best[1]
  }
  progress <- vi_progress(steps, problem$control)
  on.exit(progress$done())
  stopped <- tryCatch(
    ascend_vi(run, problem, steps, progress, call),
    interrupt = function(condition) "interrupt",
    cwmix_divergence = function(condition) "diverged"
  )
  if (stopped == "diverged") run$state <- restarted(run$state)
  list(state = run$state, trace = rbind(trace, vi_trace(run$trace)), stopped = stopped)
}

ascend_vi <- function(run, problem, steps, progress, call) {
  control <- problem$control
  options <- adam(0, control$gradient_clip, rep(-Inf, problem$target$d))
  model <- engine_model(unflatten(run$state$parameters, problem$template), problem$activation)
  for (step in seq_len(steps)) {
    base <- vi_points(control$points, problem$target$d, 1)
    power <- annealing(step / steps, problem$temperature)
    parameters <- unflatten(run$state$parameters, problem$template)
    gradient <- elbo_gradient(parameters, base$z, power, problem, call)
    model$parameters <- run$state$parameters
    moved <- engine_adam(model, run$state[optimiser_fields], gradient, run$rate, options)
    if (moved$step == run$state$step) {
      return("diverged")
    }
    run$state[optimiser_fields] <- moved
    run$state$epoch <- run$state$epoch + 1L
    if (step %% control$every == 0 || step == steps) {
      reason <- record_vi(run, problem, call, power < 1)
      if (!is.null(reason)) {
        return(reason)
      }
      progress$at(step, run$trace)
    }
  }
  "steps"
}

# The power of the target, from 1 / temperature to 1 over the first three tenths.
annealing <- function(fraction, temperature) {
  1 / temperature + (1 - 1 / temperature) * min(1, fraction / 0.3)
}

# Evaluates the averaged parameters and keeps them where they are the best. Where several
# evaluations have gained less than they can tell, the learning rate falls; after the last fall
# training has converged.
record_vi <- function(run, problem, call, annealing = FALSE) {
  control <- problem$control
  state <- run$state
  elbo <- evaluate_elbo(unflatten(state$average, problem$template), problem, call)
  run$trace[[length(run$trace) + 1]] <- list(
    step = state$epoch, elbo = elbo[1], se = elbo[2], learning_rate = run$rate
  )
  gained <- elbo[1] > state$best_score + control$tolerance
  if (elbo[1] > state$best_score) {
    state$best <- state$average
    state$best_epoch <- state$epoch
    state$best_score <- elbo[1]
    run$state <- state
  }
  run$since <- if (gained || annealing) 0 else run$since + 1
  if (run$since < control$patience) {
    return(NULL)
  }
  if (run$falls == most_falls) {
    return("converged")
  }
  run$falls <- run$falls + 1
  run$rate <- run$rate / 4
  run$since <- 0
  run$state <- restarted(run$state)
  NULL
}

most_falls <- 3

vi_trace <- function(records) {
  column <- function(name, value) vapply(records, `[[`, value, name)
  data.frame(
    step = column("step", 0L), elbo = column("elbo", 0), se = column("se", 0),
    learning_rate = column("learning_rate", 0)
  )
}

vi_progress <- function(steps, control) {
  bar <- progress_bar(counting("Step"), steps, control)
  list(
    at = function(step, trace) {
      last <- trace[[length(trace)]]
      bar$at(step, sprintf("ELBO %.4f (se %.2g)", last$elbo, last$se))
    },
    done = bar$done
  )
}
