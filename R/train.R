# Training: R drives, the engine takes the steps.

# What the optimiser carries from step to step, all on the standardised scale and in the order of
# EM's components: plain vectors, so that a fit can be saved and continued.
new_state <- function(parameters) {
  flat <- as.double(flatten(parameters))
  list(
    parameters = flat, first = double(length(flat)), second = double(length(flat)), step = 0,
    epoch = 0L, best = flat, best_epoch = 0L, best_score = -Inf
  )
}

# Returns list(state, trace, stopped). `trace` continues `trace_so_far`.
train <- function(state, template, sets, activation, problem, epochs, trace_so_far = NULL) {
  control <- problem$control
  run <- new.env(parent = emptyenv())
  run$state <- state
  run$from <- state$epoch
  run$trace <- list(trace_so_far)
  run$stopped <- "epochs"
  model <- engine_model(unflatten(state$parameters, template), activation)
  if (is.null(trace_so_far)) record(run, score(model, sets$training, control), model, sets, control, NA)
  if (is.null(epochs)) epochs <- default_epochs(nrow(sets$training$x), control)
  if (epochs > 0) {
    ascend <- if (control$optimiser == "adam") ascend_adam else ascend_lbfgs
    tryCatch(
      ascend(run, model, sets, problem, epochs),
      interrupt = function(condition) run$stopped <- "interrupt"
    )
  }
  list(state = run$state, trace = do.call(rbind, run$trace), stopped = run$stopped)
}

in_single <- function(control) control$precision == "single" && control$optimiser == "adam"

# The mean log density of a set on the data's scale, in the precision of training.
score <- function(model, set, control) {
  log_density <- .Call(
    ffi_density, model, set$x, 0L, in_single(control), thread_count(control$threads)
  )
  mean(log_density * (set$weights %||% 1)) + set$offset
}

# Enters an epoch into the trace and keeps its parameters where they are the best: by the
# validation score, or the latest where there is none. Returns TRUE when patience, which begins
# anew with every call of train(), is over.
record <- function(run, training, model, sets, control, rate) {
  state <- run$state
  validation <- if (is.null(sets$validation)) NA_real_ else score(model, sets$validation, control)
  run$trace[[length(run$trace) + 1]] <- data.frame(
    epoch = state$epoch, training = training, validation = validation, learning_rate = rate
  )
  if (is.na(validation) || validation > state$best_score) {
    state$best <- model$parameters
    state$best_epoch <- state$epoch
    state$best_score <- if (is.na(validation)) training else validation
    run$state <- state
  }
  state$epoch - max(run$state$best_epoch, run$from) >= control$patience
}

batches <- function(n, control) {
  size <- control$batch_size %||% max(16, min(500, n %/% 20))
  count <- ceiling(n / size)
  list(count = count, size = as.integer(ceiling(n / count)))
}

# Adam's decay is decoupled from its gradient; L-BFGS has a penalty, by default that of a standard
# normal prior on every weight.
weight_decay <- function(set, control) {
  control$weight_decay %||% ((if (control$optimiser == "adam") 200 else 1) / nrow(set$x))
}

default_epochs <- function(n, control) {
  if (control$optimiser == "lbfgs") {
    return(200L)
  }
  as.integer(max(5, min(100, ceiling(1e4 / batches(n, control)$count))))
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
  plan <- batches(n, control)
  count <- ceiling(n / plan$size)
  per_call <- max(1, work_per_call %/% (plan$size * model$K * (length(model$parameters) + 100)))
  progress <- new_progress(epochs, n, control)
  on.exit(progress$done())
  for (epoch in seq_len(epochs)) {
    rates <- learning_rates(((epoch - 1) * count + seq_len(count) - 0.5) / (epochs * count), control)
    order <- sample.int(n) - 1L
    scores <- double()
    for (steps in split(seq_len(count), (seq_len(count) - 1) %/% per_call)) {
      rows <- order[((steps[1] - 1) * plan$size + 1):min(n, steps[length(steps)] * plan$size)]
      out <- adam_steps(model, run$state, sets$training, rows, plan$size, rates[steps], problem)
      run$state[c("parameters", "first", "second", "step")] <- out[c("parameters", "first", "second", "step")]
      model$parameters <- out$parameters
      scores <- c(scores, out$scores)
      if (length(out$scores) < length(steps)) {
        run$stopped <- "not finite"
        return()
      }
      progress$at(epoch, steps[length(steps)] / count, run$trace)
    }
    run$state$epoch <- run$state$epoch + 1L
    sizes <- pmin(plan$size, n - (seq_len(count) - 1) * plan$size)
    training <- sum(scores * sizes) / n + sets$training$offset
    if (record(run, training, model, sets, control, rates[count])) {
      run$stopped <- "patience"
      return()
    }
  }
}

adam_steps <- function(model, state, set, rows, batch, rates, problem) {
  control <- problem$control
  options <- c(0.9, 0.999, 1e-8, weight_decay(set, control), control$gradient_clip)
  .Call(
    ffi_steps, model, state[c("parameters", "first", "second", "step")], set$x, set$weights, rows,
    batch, rates, log(problem$floor), options, in_single(control),
    thread_count(control$threads)
  )
}

# L-BFGS over all rows. Every gradient that follows a better value than all before is an epoch.
ascend_lbfgs <- function(run, model, sets, problem, epochs) {
  control <- problem$control
  set <- sets$training
  n <- nrow(set$x)
  template <- run$state$parameters
  decayed <- weight_positions(model)
  decay <- weight_decay(set, control)
  last <- list(parameters = NULL)
  best <- -Inf
  evaluate <- function(parameters) {
    if (!identical(parameters, last$parameters)) {
      model$parameters <- parameters
      out <- .Call(ffi_gradient, model, set$x, set$weights, FALSE, thread_count(control$threads))
      last <<- list(parameters = parameters, value = out$value / n, gradient = out$gradient / n)
    }
    last
  }
  # optim() minimises and needs finite values: an overflow is as bad as a number can be.
  value <- function(parameters) {
    penalty <- decay / 2 * sum(parameters[decayed]^2)
    objective <- penalty - evaluate(parameters)$value
    if (is.finite(objective)) objective else 1e10
  }
  gradient <- function(parameters) {
    at <- evaluate(parameters)
    if (is.finite(at$value) && at$value > best) {
      if (best > -Inf) step_taken(run, at, model, sets, control)
      best <<- at$value
    }
    g <- -at$gradient
    g[decayed] <- g[decayed] + decay * parameters[decayed]
    replace(g, !is.finite(g), 0)
  }
  tryCatch(
    {
      out <- stats::optim(template, value, gradient,
        method = "L-BFGS-B", lower = scale_bounds(model, problem$floor),
        control = list(maxit = epochs, factr = 1e5)
      )
      if (out$convergence != 1) run$stopped <- "converged"
    },
    cwmix_patience = function(condition) run$stopped <- "patience"
  )
}

step_taken <- function(run, at, model, sets, control) {
  model$parameters <- at$parameters
  run$state$parameters <- at$parameters
  run$state$epoch <- run$state$epoch + 1L
  if (record(run, at$value + sets$training$offset, model, sets, control, NA)) {
    stop(structure(class = c("cwmix_patience", "condition"), list(message = "", call = NULL)))
  }
}

# Where the network's weights stand in the flat parameters: see src/engine.h.
weight_positions <- function(model) {
  if (length(model$widths) == 0) {
    return(integer())
  }
  before <- model$K * model$d * (if (model$full) 1 + model$d else 2)
  before + seq_len(sum(model$widths[-1] * model$widths[-length(model$widths)]))
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

# A progress bar with rate and held-out score, or nothing: list(at, done).
new_progress <- function(epochs, n, control) {
  quiet <- !control$verbose || isTRUE(getOption("knitr.in.progress")) || nzchar(Sys.getenv("TESTTHAT"))
  if (quiet) {
    return(list(at = function(...) NULL, done = function() NULL))
  }
  began <- proc.time()[["elapsed"]]
  status <- ""
  bar <- cli::cli_progress_bar(
    total = epochs, clear = TRUE, .auto_close = FALSE,
    format = "Epoch {cli::pb_current}/{cli::pb_total} {cli::pb_bar} {cli::pb_eta_str} {cli::pb_extra$status}"
  )
  list(
    at = function(epoch, fraction, trace) {
      latest <- trace[[length(trace)]]
      held_out <- latest$validation[nrow(latest)]
      rate <- (epoch - 1 + fraction) * n / max(proc.time()[["elapsed"]] - began, 1e-3)
      status <- sprintf("%s rows/s%s", format(signif(rate, 2), big.mark = ","), if (is.na(held_out)) "" else sprintf(", held-out %.4f", held_out))
      cli::cli_progress_update(set = epoch - 1, id = bar, extra = list(status = status))
    },
    done = function() cli::cli_progress_done(id = bar)
  )
}
