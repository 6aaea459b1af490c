# Frames: how users' columns become coordinates, and back. Five coordinates are in use:
#   x: as users hold it: vectors, matrices, data frames, columns of a formula
#   y: the working scale, the logs or logits of bounded columns (support.R), else x
#   standardised: (y - center) / scale, the scale that fits are computed on (scale.R)
#   u: behind a flow, F at the standardised point (flow-pass.R)
#   z: at a component, T_k(x), which is N(0, I) there (latent(), place())
#
# A frame knows x and y. It is list(names, type, terms, support, inset): names of the columns or
# NULL; "vector", "matrix" or "data.frame", how draws come; the terms of a formula or NULL; bounds,
# d x 2; where data are on bounds, how far inside they count (cells.R).

new_frame <- function(names, type, support, terms = NULL) {
  list(names = names, type = type, terms = terms, support = support)
}

# Without bounds or names.
plain_frame <- function(d) new_frame(NULL, "matrix", no_support(d))

# What stands behind a flow has no columns of the data.
image_frame <- function(d) new_frame(paste0("u", seq_len(d)), "matrix", no_support(d))

unbounded_frame <- function(frame) {
  frame$support[] <- no_support(nrow(frame$support))
  frame$inset <- NULL
  frame
}

is_bounded <- function(frame) any(is.finite(frame$support))

column_labels <- function(frame) {
  d <- nrow(frame$support)
  frame$names %||% if (d == 1) "x" else paste0("x", seq_len(d))
}

# Of frames within the same bounds the one with a formula, or with names, rather than that of a
# specified model without. A value on a bound counts as far inside as any of them takes it.
common_frame <- function(frames) {
  known <- vapply(frames, function(frame) (!is.null(frame$names)) + (!is.null(frame$terms)), 0)
  common <- frames[[which.max(known)]]
  insets <- Filter(Negate(is.null), lapply(frames, `[[`, "inset"))
  if (length(insets) > 0) common$inset <- do.call(pmax, insets)
  common
}

# Points to evaluate, as users hold them: list(x, rows), columns matched by name where both sides
# have names.
read_newdata <- function(frame, newdata, call, arg = "newdata") {
  wanted <- frame$names
  if (is.data.frame(newdata) && holds_variables(frame, names(newdata))) {
    newdata <- model_frame(frame$terms, newdata, arg, call)
  }
  if (is.data.frame(newdata) && !is.null(wanted)) {
    known <- names(newdata) %in% wanted
    check_column_names(names(newdata)[known], arg, call)
    newdata <- newdata[known]
  }
  points <- read_points(newdata, arg, call, needed = TRUE)
  given <- points$names
  d <- nrow(frame$support)
  if (!is.null(wanted) && !is.null(given)) {
    missing <- setdiff(wanted, given)
    if (length(missing) > 0) {
      stop_input("`", arg, "` must have the columns ", paste0("`", wanted, "`", collapse = ", "),
        "; there is no ", paste0("`", missing, "`", collapse = ", "), ".",
        call = call
      )
    }
    at <- match(wanted, given)
    if (!identical(at, seq_len(ncol(points$x)))) points$x <- points$x[, at, drop = FALSE]
  } else if (ncol(points$x) != d) {
    stop_input("`", arg, "` must have ", d, if (d == 1) " column" else " columns", ", not ",
      describe(newdata), ".",
      call = call
    )
  }
  points[c("x", "rows")]
}

# Whether these are the variables of a formula rather than its columns, the names of draws.
holds_variables <- function(frame, names) {
  if (is.null(frame$terms)) {
    return(FALSE)
  }
  variables <- variables_of(frame$terms)
  # Draws have all columns and lack the variables that are none.
  !all(frame$names %in% names) || (all(variables %in% names) && !all(variables %in% frame$names))
}

# Whether terms of a formula are computed again with constants of the fit.
has_constants <- function(frame) {
  constants <- attr(frame$terms, "predvars")
  !is.null(constants) && !identical(constants, attr(frame$terms, "variables"))
}

# A matrix as users hold it on the working scale: list(y, log_jacobian, usable, outside), usable and
# outside being row numbers; rows that are neither have missing values.
working_points <- function(frame, x) {
  missing <- infinite <- logical(nrow(x))
  for (j in seq_len(ncol(x))) {
    missing <- missing | is.na(x[, j])
    infinite <- infinite | is.infinite(x[, j])
  }
  working <- to_working(move_inside(x, frame), frame$support)
  outside <- !missing & (!working$inside | infinite)
  list(
    y = working$y, log_jacobian = working$log_jacobian, usable = which(!missing & !outside),
    outside = which(outside)
  )
}

# Points within their bounds as the training data came: a vector, a matrix with its names, a data
# frame. The attributes of draws stay.
restore_points <- function(frame, x) {
  if (frame$type == "vector") {
    dim(x) <- NULL
    return(x)
  }
  dimnames(x) <- row_names(NULL, frame$names)
  if (frame$type == "matrix") {
    return(x)
  }
  structure(as.data.frame(x), component = attr(x, "component"), z = attr(x, "z"))
}

# Points on the working scale as users' functions take them.
data_points <- function(frame, y) {
  x <- from_working(y, frame$support)
  dimnames(x) <- row_names(NULL, frame$names)
  x
}

# Bounds of columns in words, none where none is bounded.
describe_range <- function(range, labels) {
  bounded <- rowSums(is.finite(range)) > 0
  if (!any(bounded)) {
    return(character())
  }
  bounds <- sprintf("%s in (%g, %g)", labels, range[, 1], range[, 2])[bounded]
  shown <- paste(utils::head(bounds, 3), collapse = ", ")
  if (length(bounds) > 3) shown <- paste0(shown, ", ...")
  shown
}

validate_frame <- function(frame) {
  demand(is.list(frame), "its `frame` is missing")
  demand(are_bounds(frame$support), "the bounds in its `frame$support` are no pairs of numbers")
  demand(
    are_names(frame$names, nrow(frame$support)),
    "the names of columns in its `frame$names` are not distinct or not as many as columns"
  )
  demand(
    is_type_of(frame$type, frame),
    "its `frame$type` is not \"vector\" (of one column), \"matrix\" or \"data.frame\" (with names)"
  )
  demand(
    is.null(frame$inset) || are_insets(frame$inset, frame$support),
    "its `frame$inset` are no distances inside its bounds"
  )
  demand(
    is.null(frame$terms) || (inherits(frame$terms, "terms") && is.call(frame$terms)),
    "its `frame$terms` are no terms of a formula"
  )
  numbers <- attr(frame$terms, "numbers")
  demand(
    is.null(numbers) || is.character(numbers),
    "the attribute \"numbers\" of its `frame$terms` does not hold names of variables"
  )
}

are_bounds <- function(support) {
  is.double(support) && is.matrix(support) && nrow(support) > 0 && !anyNA(support) &&
    identical(colnames(support), c("lower", "upper")) &&
    all(support[, 1] < support[, 2] & support[, 1] < Inf & support[, 2] > -Inf)
}

are_insets <- function(inset, support) {
  is.double(inset) && identical(dim(inset), dim(support)) && all(is.finite(inset) & inset >= 0) &&
    all(inset == 0 | is.finite(support)) && all(inset < support[, 2] - support[, 1])
}

are_names <- function(names, d) {
  is.null(names) || (is.character(names) && length(names) == d &&
    all(nzchar(names) & !is.na(names)) && anyDuplicated(names) == 0)
}

is_type_of <- function(type, frame) {
  possible <- c(
    if (nrow(frame$support) == 1) "vector", "matrix", if (!is.null(frame$names)) "data.frame"
  )
  is_one_of(type, possible)
}
