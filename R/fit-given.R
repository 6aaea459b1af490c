# Starts that the user gives.

# What the user gives, as list(parameters, activation) on the standardised scale: a density, or a K
# x d matrix of means.
read_start <- function(start, task, call) {
  if (is.null(start)) {
    return(NULL)
  }
  means <- is.matrix(start) && is_plain_numeric(start)
  if (!means) {
    what <- "a fitted density, a cwmix_model() or a matrix of means"
    check_class(start, "cwmix_density", what, "start", call)
  }
  given <- if (means) colnames(start) else start$frame$names
  wanted <- task$sample$frame$names
  if (!is.null(given) && !is.null(wanted) && !identical(given, wanted)) {
    stop_input(
      "`start` must have the columns ", paste0("`", wanted, "`", collapse = ", "),
      " in this order, not ", paste0("`", given, "`", collapse = ", "), ".",
      call = call
    )
  }
  if (means) start_from_means(start, task, call) else start_from_density(start, task, call)
}

start_components <- function(start) {
  if (inherits(start, "cwmix_density")) size(start)$K else if (is.matrix(start)) nrow(start)
}

start_from_means <- function(start, task, call) {
  K <- task$K
  sample <- task$sample
  d <- ncol(sample$y)
  if (!identical(dim(start), c(K, d)) || !all(is.finite(start))) {
    stop_input(
      "`start` must be a finite ", K, " x ", d, " matrix of means, not ", describe(start), ".",
      call = call
    )
  }
  mean <- on_standard_scale(start, sample)
  parameters <- mixture_parameters(mean, rep(K^(-1 / d), d), task$full, rep(-log(K), K))
  list(parameters = parameters, activation = NULL)
}

# Points of the working scale on that of the fit.
on_standard_scale <- function(y, sample) {
  if (!is.null(sample$maps)) y <- map_forward(sample$maps, y)$u
  standardise(y, sample$center, sample$scale)
}

# A density of the shape of the fit, behind the same maps, is taken as it is. Where a kind has no
# such parameters, the start is a mixture fitted to its draws.
start_from_density <- function(start, task, call) {
  sample <- task$sample
  check_start_columns(start, sample$frame, call)
  parameters <- if (identical(view_maps(start), sample$maps)) {
    start_at(start, sample$center, sample$scale, task$shape)
  }
  if (is.null(parameters)) {
    return(start_from_draws(start, task, call))
  }
  given <- c(dim(parameters$mean), is.null(parameters$log_sd))
  wanted <- c(task$K, ncol(sample$y), task$full)
  if (!identical(given, wanted)) {
    shape <- function(x) describe_components(x[1], x[2], x[3] == 1)
    stop_input("`start` must have ", shape(wanted), ", not ", shape(given), ".", call = call)
  }
  part <- summands(start, 1)$parts[[1]]
  list(parameters = parameters, activation = joint_classifier(part)$activation)
}

check_start_columns <- function(start, frame, call) {
  d <- nrow(frame$support)
  if (dimension(start) != d) {
    stop_input("`start` must have ", plural(d, "column"), ", not ", dimension(start), ".",
      call = call
    )
  }
  bounds <- function(frame) as.vector(frame$support)
  if (!isTRUE(all.equal(bounds(start$frame), bounds(frame)))) {
    given <- describe_range(start$frame$support, column_labels(start$frame))
    stop_input("`start` must have the same `support`, not ", c(given, "none")[1], ".", call = call)
  }
}

start_from_draws <- function(start, task, call) {
  x <- at_call(call, draw(start, max(2000L, 100L * task$K)))
  points <- working_points(task$sample$frame, x)
  y <- points$y[points$usable, , drop = FALSE]
  y <- on_standard_scale(y, task$sample)
  y <- y[rowSums(abs(y) < 1e6) == ncol(y), , drop = FALSE]
  if (nrow(y) < 10 * task$K) {
    stop_input("`start` must be a density whose draws are where the data are.", call = call)
  }
  set <- list(x = y, weights = NULL)
  em <- at_call(call, em_fit(set, NULL, task))
  if (em$interrupted) {
    stop_cwmix("Interrupted before the fit began, at its start.", "cwmix_interrupted", call)
  }
  list(parameters = em$parameters, activation = NULL)
}
