# Gradient ascent, whatever takes the steps: what it carries, when it ends, what it keeps.

# All on the standardised scale and in the order of the start: plain vectors, so that a fit can be
# saved and continued.
new_state <- function(parameters) {
  flat <- as.double(flatten(parameters))
  zero <- double(length(flat))
  list(
    parameters = flat, first = zero, second = zero, average = flat, step = 0,
    epoch = 0L, best = flat, best_epoch = 0L, best_score = -Inf
  )
}

# What a step changes.
optimiser_fields <- c("parameters", "first", "second", "average", "step")

# From the best epoch with fresh moments: where a broken run can go on from.
restarted <- function(state) {
  state$parameters <- state$average <- state$best
  state$first[] <- state$second[] <- 0
  state$step <- 0
  state
}

# A run in progress: an environment with the state and the records of this call.
new_ascent <- function(state) {
  run <- new.env(parent = emptyenv())
  run$state <- state
  run$from <- state$epoch
  run$records <- list()
  run
}

# Enters a record, and keeps the averaged parameters where their score is the best so far.
keep_record <- function(run, record, score, is_best = score > run$state$best_score) {
  run$records[[length(run$records) + 1]] <- record
  if (is_best) {
    run$state$best <- run$state$average
    run$state$best_epoch <- run$state$epoch
    run$state$best_score <- score
  }
}

# Rounds of an ascent: advance(i) moves run$state and gives the reason why it must stop, or NULL,
# and so does record(i) after it. `all_done` is the reason where none comes: list(state, records,
# stopped).
ascend <- function(run, rounds, advance, record, progress, all_done) {
  on.exit(progress$done())
  go <- function() {
    for (i in seq_len(rounds)) {
      reason <- advance(i) %||% record(i)
      if (!is.null(reason)) {
        return(reason)
      }
    }
    all_done
  }
  stopped <- tryCatch(
    go(),
    interrupt = function(condition) "interrupt",
    cwmix_divergence = function(condition) "diverged"
  )
  if (stopped == "diverged") run$state <- restarted(run$state)
  list(state = run$state, records = run$records, stopped = stopped)
}

# A data frame of records, made once: one an epoch would cost more than small epochs do.
records_frame <- function(records) {
  column <- function(name) vapply(records, `[[`, records[[1]][[name]], name)
  as.data.frame(sapply(names(records[[1]]), column, simplify = FALSE))
}

# The options of Adam, see engine_steps().
adam <- function(decay, clip, log_floor) {
  list(
    beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, decay = decay, clip = clip, recency = recency,
    log_floor = log_floor
  )
}

# Step t enters the average of the parameters by (1 + recency) / (t + recency): see ?cwmix_control.
recency <- 10

# A component with a posterior below the threshold takes part in a row's gradient with probability
# posterior / threshold and then counts as the threshold; two numbers seed these draws. See
# src/engine/gradient.h; bench/sampling.R measures the variance that this adds.
sampling <- function(control) {
  if (control$exact) all_components else list(threshold = 0.02, seed = stats::runif(2))
}

# Says why training ended before it should; `best` names what is returned.
warn_stopped <- function(stopped, best) {
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
    warn_cwmix(paste0(why[[1]], ": ", best, ", is returned."), why[[2]], NULL)
  }
}
