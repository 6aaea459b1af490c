# The words in which invariants are written. An object from a file may have been edited, or made by
# a stranger: what verbs take passes validate_density(), which says what is wrong in one sentence.

# Ends the validation of an object: `...` says what is wrong, as in "its `mean` has missing values".
demand <- function(ok, ...) {
  if (!isTRUE(ok)) stop_cwmix(paste0(...), "cwmix_invalid", NULL)
}

# Finite doubles of these dimensions, or this length.
are_doubles <- function(x, dim = NULL, length = NULL) {
  is.double(x) && !is.object(x) && identical(as.double(base::dim(x)), as.double(dim)) &&
    (is.null(length) || base::length(x) == length) && all(is.finite(x))
}

# Those of networks are at most so large, so that products do not overflow.
are_coefficients <- function(x, dim = NULL, length = NULL) {
  are_doubles(x, dim, length) && all(abs(x) <= 1e100)
}

is_whole <- function(x, min = 0, max = .Machine$integer.max) {
  is_number(x) && x == round(x) && x >= min && x <= max
}

is_flag <- function(x) is.logical(x) && length(x) == 1 && !is.na(x)

is_one_of <- function(x, choices) is_string(x) && x %in% choices

is_string <- function(x) is.character(x) && length(x) == 1 && !is.na(x)

# One line of text for each field of a list that must be of a shape: `rules` is a named list of
# functions that say whether a value is right. Fields that are not there, or NULL, are skipped.
demand_fields <- function(x, rules) {
  for (name in intersect(names(rules), names(x))) {
    value <- x[[name]]
    if (!is.null(value)) {
      demand(rules[[name]](value), "its `", name, "` is not what a fit has, but ", describe(value))
    }
  }
}

# Models are at most as large as the engine can count.
most_parameters <- 2^31 - 1

# Of a last layer: -Inf rules a component out, but not all.
are_log_weights <- function(x, K) {
  is.double(x) && is.null(dim(x)) && length(x) == K && !anyNA(x) && any(x > -Inf) &&
    are_coefficients(x[x > -Inf])
}
