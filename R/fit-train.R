# Training of networks and flows by the mean log density of minibatches: R drives, the engine takes
# the steps.

# Trains for some epochs: list(state, trace, stopped). `template` has the shape of the parameters,
# `trace` is continued. Patience begins anew with every call.
train <- function(state, template, sets, activation, task, epochs, trace = NULL) {
  model <- engine_model(unflatten(state$parameters, template), activation, task$shape)
  run <- new_ascent(state)
  run$started <- trace$training[1]
  stopped <- NULL
  if (is.null(trace)) {
    run$started <- score(model, sets$training, task$control)
    stopped <- record_epoch(run, run$started, model, sets, task$control, NA)
  }
  if (epochs > 0 && is.null(stopped)) {
    rounds <- if (task$control$optimiser == "adam") adam_epochs else lbfgs_epochs
    done <- rounds(run, model, sets, task, epochs)
    stopped <- done$stopped
  }
  trace <- if (length(run$records) > 0) rbind(trace, records_frame(run$records)) else trace
  list(state = run$state, trace = trace, stopped = stopped %||% "epochs")
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
record_epoch <- function(run, training, model, sets, control, rate) {
  held_out <- !is.null(sets$validation)
  epoch <- run$state$epoch
  model$parameters <- run$state$average
  tested <- score(model, if (held_out) sets$validation else head_of(sets$training), control)
  if (epoch > 0 && has_diverged(c(tested, training), run$started)) {
    return("diverged")
  }
  if (held_out && !is.finite(tested)) {
    stop_input(
      "`start` must have a density at the validation rows, whose logarithm is ", tested,
      " here: it, or some of the data, are far from the rest.",
      call = NULL
    )
  }
  record <- list(
    epoch = epoch, training = training, validation = if (held_out) tested else NA_real_,
    learning_rate = as.double(rate)
  )
  if (held_out) keep_record(run, record, tested) else keep_record(run, record, training, TRUE)
  if (epoch - max(run$state$best_epoch, run$from) >= control$patience) "patience"
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

# An epoch is some calls of the engine over all rows in random order.
adam_epochs <- function(run, model, sets, task, epochs) {
  control <- task$control
  n <- nrow(sets$training$x)
  plan <- plan_batches(n, control)
  steps <- seq_len(plan$count)
  sizes <- pmin(plan$size, n - (steps - 1) * plan$size)
  calls <- split(steps, (steps - 1) %/% max(1, work_per_call %/% (plan$size * row_work(model))))
  progress <- training_progress(epochs, n, control)
  training <- rate <- NA
  advance <- function(epoch) {
    fraction <- ((epoch - 1) * plan$count + steps - 0.5) / (epochs * plan$count)
    rates <- learning_rates(fraction, control)
    order <- sample.int(n) - 1L
    scores <- double()
    for (some in calls) {
      rows <- order[((some[1] - 1) * plan$size + 1):min(n, some[length(some)] * plan$size)]
      out <- adam_steps(model, run$state, sets$training, rows, plan$size, rates[some], task)
      run$state[optimiser_fields] <- out[optimiser_fields]
      scores <- c(scores, out$scores)
      if (length(out$scores) < length(some)) {
        return("diverged")
      }
      progress$at(epoch - 1, some[length(some)] / plan$count, run$records)
    }
    run$state$epoch <- run$state$epoch + 1L
    training <<- sum(scores * sizes) / n + sets$training$offset
    rate <<- rates[plan$count]
    NULL
  }
  record <- function(epoch) record_epoch(run, training, model, sets, control, rate)
  ascend(run, epochs, advance, record, progress, "epochs")
}

adam_steps <- function(model, state, set, rows, batch, rates, task) {
  control <- task$control
  options <- adam(weight_decay(set, control), control$gradient_clip, log(task$floor))
  engine_steps(
    model, state[optimiser_fields], set$x, set$weights, rows, batch, rates, options,
    sampling(control), as_trained(control)
  )
}

# An epoch of L-BFGS. optim() starts its memory of curvature anew in each.
lbfgs_iterations <- 20L

lbfgs_epochs <- function(run, model, sets, task, epochs) {
  control <- task$control
  objective <- penalised(model, sets$training, control)
  lower <- scale_bounds(model, task$floor)
  progress <- training_progress(epochs, nrow(sets$training$x), control)
  out <- NULL
  advance <- function(epoch) {
    out <<- stats::optim(run$state$parameters, objective$value, objective$gradient,
      method = "L-BFGS-B", lower = lower, control = list(maxit = lbfgs_iterations, factr = 1e3)
    )
    run$state$parameters <- run$state$average <- out$par
    run$state$epoch <- run$state$epoch + 1L
    NULL
  }
  record <- function(epoch) {
    training <- objective$score(out$par) + sets$training$offset
    reason <- record_epoch(run, training, model, sets, control, NA)
    if (is.null(reason) && out$convergence != 1) {
      reason <- if (out$convergence == 0) "converged" else "line search"
    }
    if (is.null(reason)) progress$at(epoch, 0, run$records)
    reason
  }
  ascend(run, epochs, advance, record, progress, "epochs")
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

# A fit by training, with further fields; `held` are the units that it was validated on.
finish_training <- function(training, template, activation, task, class, name, matched, held,
                            fields) {
  state <- training$state
  best <- unflatten(state$best, template)
  own <- list(
    trace = training$trace, best_epoch = state$best_epoch, stopped = training$stopped,
    optimiser = list(
      state = state, template = template, activation = activation,
      shape = if (!is.null(task$shape)) unclass(task$shape),
      units = list(resolution = task$resolution, seed = task$sample$seed, held = held)
    ),
    held_rows = rows_of_units(task$sample, held)
  )
  object <- new_fit(best, activation, task, class, name, matched, own, fields)
  warn_stopped(training$stopped, sprintf("the best epoch so far, %d", state$best_epoch))
  object
}

# The line of print() on the epochs of a fit, and the columns of glance().
describe_epochs <- function(object) {
  best <- object$trace[match(object$best_epoch, object$trace$epoch), ]
  if (max(object$trace$epoch) == 0) {
    diverged <- object$stopped == "diverged"
    return(paste("  training   ", if (diverged) "diverged at once" else "none"))
  }
  score <- if (is.na(best$validation)) {
    sprintf("training score %.4f, from %.4f", best$training, object$trace$training[1])
  } else {
    sprintf("validation score %.4f, from %.4f", best$validation, object$trace$validation[1])
  }
  sprintf(
    "  training    epoch %d of %d (%s): %s at epoch 0", object$best_epoch, max(object$trace$epoch),
    switch(object$stopped, epochs = "all run", patience = "stopped early", object$stopped), score
  )
}

glance_epochs <- function(x) {
  data.frame(
    best_epoch = x$best_epoch,
    validation = x$trace$validation[match(x$best_epoch, x$trace$epoch)]
  )
}
