# What the fields that fits add to a density must be, for demand_fields(): print(), plot(), update()
# and the tidiers build on it.

# `steps` are those of the trace.
common_fit_rules <- function(K, steps) {
  list(
    log_likelihood = is_number, nobs = is_whole, weight_sum = function(x) is_number(x) && x > 0,
    at_floor = is_whole, df = is_whole, proportions = function(x) are_doubles(x, length = K),
    trace = is_trace("epoch", "training", "validation", "learning_rate"),
    best_epoch = function(x) is_whole(x) && x %in% steps,
    best_step = function(x) is_whole(x) && x %in% steps, stopped = is_string,
    starts = function(x) is.double(x) && !anyNA(x),
    converged = function(x) is.logical(x) && length(x) == 1,
    held_rows = function(x) is_rising(x) && all(x > 0),
    hidden = function(x) is.integer(x) && !anyNA(x),
    folds = function(x) is_whole(x, 1),
    held_out = is_held_out,
    recorded = is_recorded, candidates = is_candidates,
    control = function(x) inherits(x, "cwmix_control"),
    call = is.call, fingerprint = is.double, data = is.list,
    optimiser = is_optimiser
  )
}

# A row a step, numbered first, then scores, of which the first is known.
is_trace <- function(...) {
  columns <- c(...)
  function(x) {
    is.data.frame(x) && identical(names(x), columns) && nrow(x) > 0 &&
      all(vapply(x, is_column_of, NA, nrow(x))) && is_rising(x[[1]]) && !anyNA(x[[2]])
  }
}

is_column_of <- function(x, n) is.numeric(x) && is.null(dim(x)) && length(x) == n

is_rising <- function(x) is.integer(x) && !is.unsorted(x, strictly = TRUE)

# c(estimate, se), the first under its name.
has_estimate <- function(name) {
  function(x) is.double(x) && identical(names(x), c(name, "se"))
}

is_held_out <- function(x) {
  is.double(x) && identical(names(x), c("score", "se", "unbounded", "units")) &&
    all(is.finite(x[c("score", "se", "units")]))
}

is_fold_of <- function(x) is.integer(x) && !anyNA(x) && all(x >= 0)

is_recorded <- function(x) {
  kinds <- list(
    column = is.character, distinct = is.integer, spacing = is.double, atoms = is.character,
    shared = is.integer
  )
  is_table(x) && all(names(kinds) %in% names(x)) && !anyNA(x[names(kinds)]) &&
    all(vapply(names(kinds), function(name) kinds[[name]](x[[name]]), NA)) &&
    (is.character(x$scale) || all(is.na(x$scale)))
}

is_candidates <- function(x) {
  words <- c("covariance", "hidden")
  numbers <- c("K", "score", "se", "share")
  if (!is_table(x) || nrow(x) == 0 || !all(c(words, numbers) %in% names(x))) {
    return(FALSE)
  }
  all(vapply(x[words], is.character, NA)) && !anyNA(x[words]) &&
    all(vapply(x[numbers], is.numeric, NA)) && all(is.finite(as.matrix(x[numbers]))) &&
    all(vapply(x$K, is_whole, NA, 1))
}

# A data frame with a vector a column, each as long as the others.
is_table <- function(x) {
  is_vector <- function(column) {
    is.atomic(column) && is.null(dim(column)) && length(column) == nrow(x)
  }
  is.data.frame(x) && all(vapply(x, is_vector, NA))
}

# list(state, template, ...): what update() goes on from.
is_optimiser <- function(x) {
  is.list(x$template) && is_form(x) && is_state(x$state, length(flatten(x$template)))
}

# How the units of a fit and those of its validation are found again.
are_units <- function(x) {
  is.list(x) && is_resolution(x$resolution) && is_rising(x$held) && all(x$held > 0) &&
    (is.null(x$seed) || is_whole(x$seed))
}

is_resolution <- function(x) {
  identical(x, "auto") || (is.numeric(x) && all(is.finite(x) & x >= 0))
}

is_state <- function(state, size) {
  is_vector <- function(v) are_doubles(v, length = size)
  numbers <- c("best_score", "step")
  is.list(state) && all(vapply(state[c(optimiser_vectors, "best")], is_vector, NA)) &&
    is_whole(state$epoch) && is_whole(state$best_epoch) &&
    all(vapply(state[numbers], is_number, NA))
}

# The activation, the shape of a flow and the units of data, where update() needs them.
is_form <- function(x) {
  if (!is.null(x$shape)) {
    validate_flow_shape(x$shape)
    demand(is_flag(x$shape$shared), "its optimiser does not say whether its flow is shared")
  }
  # A variational fit has standard units of its own instead.
  is.double(x$center) || (is_one_of(x$activation, activations) && are_units(x$units))
}

# What an ascent carries with a number a parameter.
optimiser_vectors <- c("parameters", "first", "second", "average")

# What fits to data have.
common_fields <- c(
  "log_likelihood", "df", "nobs", "weight_sum", "proportions", "at_floor", "fingerprint", "control",
  "call"
)

# What they have besides where gradient ascent made them.
trained_fields <- c("trace", "best_epoch", "stopped", "optimiser")
