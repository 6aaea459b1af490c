# One model with K given: EM, then gradient ascent on a network, a flow or both.

# One model: EM, then gradient ascent. `kept` is what to keep of the data.
fit_network <- function(task, settings, kept, matched, call) {
  activation <- settings$activation
  hidden <- settings$hidden
  # A mixture with constant weights and affine maps is fitted by EM alone.
  by_em <- is.null(hidden) && is.null(task$shape)
  held <- if (by_em) integer() else held_out_units(task, settings$validation)
  left <- nrow(task$sample$y) - length(held)
  if (left < task$K) {
    differ <- if (nrow(task$sample$y) < nrow(task$rows$y)) " that differ"
    stop_input("`K` must be at most the number of training rows", differ, ", ", left, ", not ",
      task$K, ".",
      call = call
    )
  }
  if (settings$map == "columns") task <- map_columns(task, held, call)
  start <- read_start(settings$start, task, call)
  sets <- split_sets(task$sample, held)
  em <- start_by_em(start, sets$training, task, hidden, activation, call)
  parameters <- add_flow(add_network(em$parameters, hidden, activation), task$shape)
  epochs <- task$control$epochs %||% default_epochs(nrow(sets$training$x), task$control)
  if (by_em || em$interrupted) epochs <- 0L
  training <- train(new_state(parameters), parameters, sets, activation, task, epochs)
  if (by_em || em$interrupted) warn_em(em, task$control)
  fields <- list(
    hidden = hidden, starts = em$log_likelihoods, converged = em$converged, data = kept
  )
  fit <- finish_training(
    training, parameters, activation, task, "cwmix", "cwmix", matched, held, fields
  )
  if (by_em) warn_degenerate(fit, task)
  fit
}

map_columns <- function(task, held, call) {
  left <- nrow(task$sample$y) - length(held)
  if (left < 10) {
    stop_input("`map` must be \"none\" for fewer than 10 training rows that differ, not ",
      "\"columns\" for ", left, ".",
      call = call
    )
  }
  behind_maps(task, estimate_maps(task, held))
}

# A start with a network or behind a flow is taken as it is; everything else goes through EM.
start_by_em <- function(start, training, task, hidden, activation, call) {
  layers <- start$parameters$weights
  if (length(layers) > 0) check_start_network(layers, start$activation, hidden, activation, call)
  if (length(layers) > 0 || !is.null(start$parameters$flow)) {
    return(list(
      parameters = start$parameters, log_likelihoods = double(), converged = NA, interrupted = FALSE
    ))
  }
  em <- em_fit(training, start$parameters, task)
  em$log_likelihoods <- em$log_likelihoods + training$offset
  em
}

check_start_network <- function(layers, given, hidden, activation, call) {
  widths <- vapply(layers, nrow, 0L)
  widths <- widths[-length(widths)]
  if (!identical(widths, hidden) || given != activation) {
    stop_input(
      "`start` must have constant weights or the network of `hidden` and `activation` (",
      if (is.null(hidden)) "none" else written(hidden), ", ", activation, "), not that of ",
      written(widths), ", ", given, ".",
      call = call
    )
  }
}

add_network <- function(parameters, hidden, activation) {
  if (is.null(hidden) || length(parameters$weights) > 0) {
    return(parameters)
  }
  network <- random_network(ncol(parameters$mean), hidden, parameters$biases[[1]], activation)
  parameters[c("weights", "biases")] <- network
  parameters
}
