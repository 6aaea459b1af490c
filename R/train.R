# Training: R drives, the engine takes the steps.

# What the optimiser carries from step to step, all on the standardised scale and in the order of
# EM's components: plain vectors, so that a fit can be saved and continued.
new_state <- function(parameters) {
  flat <- as.double(flatten(parameters))
  zero <- double(length(flat))
  list(
    parameters = flat, first = zero, second = zero, average = flat, step = 0,
    epoch = 0L, best = flat, best_epoch = 0L, best_score = -Inf
  )
}

# From the best epoch with fresh moments: where a broken run can go on from.
restarted <- function(state) {
  state$parameters <- state$average <- state$best
  state$first[] <- state$second[] <- 0
  state$step <- 0
  state
}

# Trains for some epochs: list(state, trace, stopped). `template` has the shape of the parameters,
# `trace` is continued.
train <- function(state, template, sets, activation, problem, epochs, trace = NULL) {
  run <- new.env(parent = emptyenv())
  run$state <- state
  run$from <- state$epoch
  run$trace <- list()
  run$stopped <- NULL
  model <- engine_model(unflatten(state$parameters, template), activation, problem$flow)
  run$started <- trace$training[1]
  if (is.null(trace)) {
    start <- score(model, sets$training, problem$control)
    run$started <- start
    run$stopped <- record(run, start, model, sets, problem$control, NA)
  }
  if (epochs > 0 && is.null(run$stopped)) {
    ascend <- if (problem$control$optimiser == "adam") ascend_adam else ascend_lbfgs
    run$stopped <- tryCatch(
      ascend(run, model, sets, problem, epochs),
      interrupt = function(condition) "interrupt"
    )
  }
  if (identical(run$stopped, "diverged")) run$state <- restarted(run$state)
  list(
    state = run$state, trace = rbind(trace, trace_frame(run$trace)),
    stopped = run$stopped %||% "epochs"
  )
}

# A data frame of records, made once: one an epoch would cost more than small epochs do.
trace_frame <- function(records) {
  column <- function(name, value) vapply(records, `[[`, value, name)
  data.frame(
    epoch = column("epoch", 0L), training = column("training", 0),
    validation = column("validation", 0), learning_rate = column("learning_rate", 0)
  )
}

# How training computes: L-BFGS needs double precision.
as_trained <- function(control) {
  single <- control$precision == "single" && control$optimiser == "adam"
  list(single = single, threads = control$threads)
}

# The mean log density of a set on the data's scale, in the precision of training.
score <- function(model, set, control) {
  log_density <- engine_density(model, set$x, "density", as_trained(control))
  if (!is.null(set$weights)) log_density <- log_density * set$weights
  mean(log_density) + set$offset
}

# The first rows of a set: enough to see whether parameters have broken.
head_of <- function(set, n = 200) {
  rows <- seq_len(min(n, nrow(set$x)))
  list(x = set$x[rows, , drop = FALSE], weights = set$weights[rows], offset = set$offset)
}

# Scores that are not finite, or so far below epoch 0 that no training comes back from there.
has_diverged <- function(scores, started) {
  !all(is.finite(scores)) || min(scores) < started - 100
}

# Enters an epoch into the trace and keeps its averaged parameters where they are the best: by the
# validation score, or the latest where there is none. Returns why training must stop, or NULL.
# Patience begins anew with every call of train().
record <- function(run, training, model, sets, control, rate) {
  state <- run$state
  held_out <- !is.null(sets$validation)
  model$parameters <- state$average
  tested <- score(model, if (held_out) sets$validation else head_of(sets$training), control)
  if (state$epoch > 0 && has_diverged(c(tested, training), run$started)) {
    return("diverged")
  }
  run$trace[[length(run$trace) + 1]] <- list(
    epoch = state$epoch, training = training, validation = if (held_out) tested else NA_real_,
    learning_rate = as.double(rate)
  )
  if (!held_out || tested > state$best_score) {
    state$best <- state$average
    state$best_epoch <- state$epoch
    state$best_score <- if (held_out) tested else training
    run$state <- state
  }
  if (state$epoch - max(run$state$best_epoch, run$from) >= control$patience) "patience"
}

# Batches of one size, the last one shorter; without a size, of nearly equal ones. With more than
# 50,000 rows they grow with the data: the noise of gradients falls, at the same learning rate
# (Smith et al. 2018).
plan_batches <- function(n, control) {
  size <- control$batch_size
  if (is.null(size)) {
    most <- max(16, min(n %/% 20, 500), min(n %/% 100, 2000))
    size <- ceiling(n / ceiling(n / most))
  }
  list(size = as.integer(min(size, n)), count = as.integer(ceiling(n / size)))
}

# Adam's decay is decoupled from its gradient; L-BFGS has a penalty, by default that of a standard
# normal prior on every weight.
weight_decay <- function(set, control) {
  control$weight_decay %||% ((if (control$optimiser == "adam") 200 else 1) / nrow(set$x))
}

default_steps <- 6000

default_epochs <- function(n, control, steps = default_steps, most = 100) {
  if (control$optimiser == "lbfgs") {
    return(50L)
  }
  as.integer(max(5, min(most, ceiling(steps / plan_batches(n, control)$count))))
}

# Learning rates at the given fractions of all steps.
learning_rates <- function(fraction, control) {
  if (control$schedule == "constant") {
    return(rep(control$learning_rate, length(fraction)))
  }
  warm <- 0.3
  shape <- ifelse(fraction < warm,
    1 / 25 + (1 - 1 / 25) * fraction / warm,
    (1 + cos(pi * (fraction - warm) / (1 - warm))) / 2
  )
  control$learning_rate * shape
}

ascend_adam <- function(run, model, sets, problem, epochs) {
  control <- problem$control
  n <- nrow(sets$training$x)
  plan <- plan_batches(n, control)
  steps <- seq_len(plan$count)
  sizes <- pmin(plan$size, n - (steps - 1) * plan$size)
  # A row goes through a flow once and then to every component.
  flow <- sum(flow_counts(model$flow))
  work <- plan$size * (model$K * (length(model$parameters) - flow + 100) + flow)
  calls <- split(steps, (steps - 1) %/% max(1, work_per_call %/% work))
  progress <- training_progress(epochs, n, control)
  on.exit(progress$done())
  for (epoch in seq_len(epochs)) {
    fraction <- ((epoch - 1) * plan$count + steps - 0.5) / (epochs * plan$count)
    rates <- learning_rates(fraction, control)
    order <- sample.int(n) - 1L
    scores <- double()
    for (some in calls) {
      rows <- order[((some[1] - 1) * plan$size + 1):min(n, some[length(some)] * plan$size)]
      out <- adam_steps(model, run$state, sets$training, rows, plan$size, rates[some], problem)
      run$state[optimiser_fields] <- out[optimiser_fields]
      scores <- c(scores, out$scores)
      if (length(out$scores) < length(some)) {
        return("diverged")
      }
      progress$at(epoch - 1, some[length(some)] / plan$count, run$trace)
    }
    run$state$epoch <- run$state$epoch + 1L
    training <- sum(scores * sizes) / n + sets$training$offset
    reason <- record(run, training, model, sets, control, rates[plan$count])
    if (!is.null(reason)) {
      return(reason)
    }
  }
  "epochs"
}

# What a step changes.
optimiser_fields <- c("parameters", "first", "second", "average", "step")

# Step t enters the average of the parameters by (1 + recency) / (t + recency): see ?cwmix_control.
recency <- 10

adam <- function(decay, clip, log_floor) {
  list(
    beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, decay = decay, clip = clip, recency = recency,
    log_floor = log_floor
  )
}

adam_steps <- function(model, state, set, rows, batch, rates, problem) {
  control <- problem$control
  options <- adam(weight_decay(set, control), control$gradient_clip, log(problem$floor))
  engine_steps(
    model, state[optimiser_fields], set$x, set$weights, rows, batch, rates, options,
    sampling(control), as_trained(control)
  )
}

# A component with a posterior below the threshold takes part in a row's gradient with probability
# posterior / threshold and then counts as the threshold; two numbers seed these draws. See
# src/engine/gradient.h; bench/sampling.R measures the variance that this adds.
sampling <- function(control) {
  if (control$exact) all_components else list(threshold = 0.02, seed = stats::runif(2))
}

# An epoch of L-BFGS. optim() starts its memory of curvature anew in each.
lbfgs_iterations <- 20L

ascend_lbfgs <- function(run, model, sets, problem, epochs) {
  control <- problem$control
  objective <- penalised(model, sets$training, control)
  lower <- scale_bounds(model, problem$floor)
  progress <- training_progress(epochs, nrow(sets$training$x), control)
  on.exit(progress$done())
  for (epoch in seq_len(epochs)) {
    out <- stats::optim(run$state$parameters, objective$value, objective$gradient,
      method = "L-BFGS-B", lower = lower, control = list(maxit = lbfgs_iterations, factr = 1e3)
    )
    run$state$parameters <- run$state$average <- out$par
    run$state$epoch <- run$state$epoch + 1L
    training <- objective$score(out$par) + sets$training$offset
    reason <- record(run, training, model, sets, control, NA)
    if (is.null(reason) && out$convergence != 1) {
      reason <- if (out$convergence == 0) "converged" else "line search"
    }
    if (!is.null(reason)) {
      return(reason)
    }
    progress$at(epoch, 0, run$trace)
  }
  "epochs"
}

# What L-BFGS minimises: the penalty less the mean log density, and its gradient. optim() asks for
# both at the same points, so the last evaluation is kept.
penalised <- function(model, set, control) {
  n <- nrow(set$x)
  decay <- weight_decay(set, control)
  weights <- weight_positions(model)
  last <- list(parameters = NULL)
  evaluate <- function(parameters) {
    if (!identical(parameters, last$parameters)) {
      model$parameters <- parameters
      out <- engine_gradient(model, set$x, set$weights, how = list(threads = control$threads))
      last <<- list(parameters = parameters, value = out$value / n, gradient = out$gradient / n)
    }
    last
  }
  list(
    score = function(parameters) evaluate(parameters)$value,
    # optim() needs finite values: an overflow is as bad as a number can be.
    value = function(parameters) {
      value <- decay / 2 * sum(parameters[weights]^2) - evaluate(parameters)$value
      if (is.finite(value)) value else 1e10
    },
    gradient = function(parameters) {
      gradient <- -evaluate(parameters)$gradient
      gradient[weights] <- gradient[weights] + decay * parameters[weights]
      replace(gradient, !is.finite(gradient), 0)
    }
  )
}

# Where the networks' weights stand in the flat parameters, those of the classifier and those of a
# flow: see src/shape.h.
weight_positions <- function(model) {
  before <- model$K * model$d * (if (model$full) 1 + model$d else 2)
  flow <- flow_counts(model$flow)
  before_flow <- length(model$parameters) - sum(flow)
  c(
    before + seq_len(sum(model$widths[-1] * model$widths[-length(model$widths)])),
    before_flow + seq_len(flow[["weights"]])
  )
}

# Lower bounds of the flat parameters: the floor under the standard deviations.
scale_bounds <- function(model, floor) {
  bounds <- rep(-Inf, length(model$parameters))
  d <- model$d
  K <- model$K
  if (model$full) {
    at <- K * d + rep((seq_len(K) - 1) * d^2, each = d) + seq_len(d) + d * (seq_len(d) - 1)
    bounds[at] <- rep(log(floor), K)
  } else {
    bounds[K * d + seq_len(K * d)] <- rep(log(floor), each = K)
  }
  bounds
}

# Shows epochs, rate and held-out score: list(at, done). `at` takes the epochs done, the part of the
# next one, the records so far.
training_progress <- function(epochs, n, control) {
  began <- proc.time()[["elapsed"]]
  bar <- progress_bar(counting("Epoch"), epochs, control)
  status <- function(epochs_done, trace) {
    held_out <- if (length(trace) > 0) trace[[length(trace)]]$validation else NA
    rate <- epochs_done * n / max(proc.time()[["elapsed"]] - began, 1e-3)
    paste0(
      format(signif(rate, 2), big.mark = ","), " rows/s",
      if (!is.na(held_out)) sprintf(", held-out %.4f", held_out)
    )
  }
  list(
    at = function(epochs_done, part, trace) {
      bar$at(epochs_done, status(epochs_done + part, trace))
    },
    done = bar$done
  )
}

# Says why training ended before it should; `best` names what is returned.
warn_stopped <- function(stopped, best, call) {
  why <- switch(stopped,
    interrupt = list("Training was interrupted", "cwmix_interrupted"),
    diverged = list(
      "Training diverged, a smaller `learning_rate` may help", "cwmix_numerical_warning"
    ),
    "line search" = list(
      "L-BFGS stopped where its line search found nothing better", "cwmix_not_converged"
    )
  )
  if (!is.null(why)) {
    warn_cwmix(paste0(why[[1]], ": ", best, ", is returned."), why[[2]], call)
  }
}
