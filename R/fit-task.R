# What a fit is asked for: list(sample, rows, resolution, K, full, floor, shape, control). `sample`:
# what it is made from, the units that the rows stand for where `settings` have a resolution;
# `rows`: the sample of all rows as they were recorded, in the same standard units; `full`: the
# covariances; `floor`: the least standard deviations, on the standardised scale; `shape`: that of a
# flow before the components, or NULL. `settings` are arguments of a fitting function, unchecked but
# for `covariance` and `shape`; `seed` is that of the units of a fit that goes on.
read_task <- function(source, settings, call) {
  control <- validate_control(settings$control, call)
  start <- settings$start
  if (inherits(start, "cwmix_density")) validate_density(start, "start", call)
  stacked <- isTRUE(settings$stacked)
  in_cells <- "resolution" %in% names(settings)
  resolution <- settings$resolution
  if (in_cells && is.null(resolution)) {
    stop_input("`resolution` must be \"auto\" or numbers of at least 0, not NULL.", call = call)
  }
  rows <- read_sample(source$points, settings$support, source$weights, call, resolution)
  n <- nrow(rows$y)
  K <- settings$K %||% start_components(settings$start) %||% default_components(n)
  K <- check_count(K, "K", call)
  if (n < K) {
    stop_input("`K` must be at most the number of rows, ", n, ", not ", K, ".", call = call)
  }
  check_sample(rows, call, wide = stacked)
  sample <- rows
  if (in_cells) {
    steps <- read_resolution(resolution, rows$frame, call)
    sample <- unit_sample(rows, steps, settings$seed)
    rows[standard] <- sample[standard]
  }
  shape <- settings$shape
  if (!is.null(shape)) check_flow_size(shape, ncol(sample$y), K, call)
  floor <- control$sd_floor * sample$core
  # The base of a flow alone stays as it is.
  if (isTRUE(shape$fixed)) floor[] <- 0
  list(
    sample = sample, rows = rows, resolution = resolution, K = K,
    full = settings$covariance == "full", floor = floor, shape = shape,
    control = control
  )
}

default_components <- function(n) max(1L, min(10L, n %/% 25L))

# Validation units of a task, those set aside before anything is fitted.
held_out_units <- function(task, validation) {
  n <- nrow(task$sample$y)
  held <- held_count(validation, n)
  if (held > 0) sort(sample.int(n, held)) else integer()
}

check_validation <- function(validation, call) {
  if (is.null(validation)) {
    return(NULL)
  }
  if (!is_number(validation) || validation < 0 || validation >= 1) {
    stop_input(
      "`validation` must be a number from 0 to below 1, or NULL, not ",
      describe(validation), ".",
      call = call
    )
  }
  validation
}
