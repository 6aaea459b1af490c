# Training of a variational fit: Adam uphill on the evidence lower bound, the mean over base points
# z_i of sum over k of w_k(z_i) h(x_ik), h = log p - log q, formula (19).

# The gradient at base points, flat, for a target tempered by `power`, on the standardised scale.
#
# The density q depends on the parameters too. The whole gradient is that of the nodes and weights
# with q held fixed, less the mean of the gradient of log q at fixed points, whose expectation is
# zero. The path derivative leaves that term out: at q = p its variance is then zero (Roeder, Wu and
# Duvenaud 2017).
elbo_gradient <- function(parameters, z, power, task) {
  control <- task$control
  density <- plain_normal(parameters, task$activation)
  model <- engine_model(parameters, task$activation)
  at <- nodes(density, z)
  w <- thinned(exp(at$log_w), control)
  used <- which(w > 0)
  weight <- w[used] / nrow(z)
  u <- at$y[used, , drop = FALSE]
  target <- standard_target(u, power, task)
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
standard_target <- function(u, power, task, slope = TRUE) {
  # No place for a component: steps that were too long led there.
  if (!all(abs(u) < 1e8)) {
    stop_cwmix("Training diverged.", "cwmix_divergence", NULL)
  }
  scale <- rep(task$scale, each = nrow(u))
  y <- unstandardise(u, task$center, task$scale)
  value <- target_log_density(task$target, y)
  if (any(value == -Inf)) {
    stop_user("`log_density` must be finite wherever the fit has mass, but at the point ",
      describe_point(data_points(task$target$frame, y), which(value == -Inf)[1]),
      " it is -Inf. Columns with bounds need `support`."
    )
  }
  list(
    value = power * value + sum(log(task$scale)),
    slope = if (slope) power * scale * target_gradient(task$target, y)
  )
}

# The evidence lower bound at fixed base points, the same for every evaluation, so that differences
# are those of the parameters: c(elbo, se).
evaluate_elbo <- function(parameters, task) {
  base <- task$evaluation
  density <- plain_normal(parameters, task$activation)
  h <- function(u) {
    standard_target(u, 1, task, slope = FALSE)$value - evaluate(density, points_at(u), "density")
  }
  out <- expect_nodes(density, base, h, NULL, summed_out)
  c(mean(out$values), column_errors(out$values, base$replicate))
}

# Trains for some steps: list(state, trace, stopped). `trace` is continued.
train_vi <- function(state, task, steps, trace) {
  control <- task$control
  run <- new_ascent(state)
  run$rate <- control$learning_rate
  run$since <- run$falls <- 0
  if (is.null(trace)) {
    record_vi(run, task)
  } else {
    # At the base points that the further steps are compared at.
    run$state$best_score <- evaluate_elbo(unflatten(state$best, task$template), task)[1]
  }
  progress <- vi_progress(steps, control)
  model <- engine_model(unflatten(state$parameters, task$template), task$activation)
  power <- function(step) annealing(step / steps, task$temperature)
  advance <- function(step) vi_step(run, model, task, power(step))
  record <- function(step) {
    if (step %% control$every == 0 || step == steps) {
      reason <- record_vi(run, task, power(step) < 1)
      if (is.null(reason)) progress$at(step, run$records)
      reason
    }
  }
  done <- ascend(run, steps, advance, record, progress, "steps")
  trace <- if (length(done$records) > 0) rbind(trace, records_frame(done$records)) else trace
  list(state = done$state, trace = trace, stopped = done$stopped)
}

# A step of Adam for the target tempered by `power`.
vi_step <- function(run, model, task, power) {
  control <- task$control
  options <- adam(0, control$gradient_clip, rep(-Inf, task$target$d))
  base <- vi_points(control$points, task$target$d, 1)
  parameters <- unflatten(run$state$parameters, task$template)
  slopes <- elbo_gradient(parameters, base$z, power, task)
  model$parameters <- run$state$parameters
  moved <- engine_adam(model, run$state[optimiser_fields], slopes, run$rate, options)
  if (moved$step == run$state$step) {
    return("diverged")
  }
  run$state[optimiser_fields] <- moved
  run$state$epoch <- run$state$epoch + 1L
  NULL
}

# The power of the target, from 1 / temperature to 1 over the first three tenths.
annealing <- function(fraction, temperature) {
  1 / temperature + (1 - 1 / temperature) * min(1, fraction / 0.3)
}

# Evaluates the averaged parameters and keeps them where they are the best. Where several
# evaluations have gained less than they can tell, the learning rate falls; after the last fall
# training has converged.
record_vi <- function(run, task, annealing = FALSE) {
  control <- task$control
  elbo <- evaluate_elbo(unflatten(run$state$average, task$template), task)
  record <- list(
    step = run$state$epoch, elbo = elbo[1], se = elbo[2], learning_rate = run$rate
  )
  gained <- elbo[1] > run$state$best_score + control$tolerance
  keep_record(run, record, elbo[1])
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
