# From what users hold to matrices of doubles, and back.

# How points came in, so that draws go out alike: list(names, type, terms).
new_columns <- function(names, type) list(names = names, type = type, terms = NULL)

column_labels <- function(object) {
  d <- ncol(object$mean)
  object$columns$names %||% if (d == 1) "x" else paste0("x", seq_len(d))
}

is_plain_numeric <- function(x) {
  is.numeric(x) && !inherits(x, c("factor", "integer64", "Date", "POSIXct", "difftime", "table"))
}

# A numeric vector, matrix or data frame as list(x = double matrix, columns, names of rows).
# Values are not looked at.
read_points <- function(x, arg, call) {
  if (is.data.frame(x)) {
    return(read_data_frame(x, arg, call))
  }
  if (!is_plain_numeric(x) || length(dim(x)) > 2) {
    stop_input(
      "`", arg,
      "` must be a numeric vector, a numeric matrix or a data frame of numeric columns, not ",
      describe(x), ".",
      call = call
    )
  }
  if (length(dim(x)) < 2) {
    type <- "vector"
    rows <- names(x)
    columns <- NULL
    x <- as_matrix(x, length(x), 1L)
  } else {
    type <- "matrix"
    rows <- rownames(x)
    columns <- colnames(x)
    x <- as_matrix(x, nrow(x), ncol(x))
  }
  check_column_names(columns, arg, call)
  list(x = x, columns = new_columns(columns, type), rows = rows)
}

read_data_frame <- function(x, arg, call) {
  check_column_names(names(x), arg, call)
  for (name in names(x)) {
    column <- x[[name]]
    if (!is_plain_numeric(column) || !is.null(dim(column))) {
      stop_input("`", arg, "` must have numeric columns only: column `", name, "` is ",
        describe(column), ".",
        call = call
      )
    }
  }
  rows <- if (.row_names_info(x) > 0) row.names(x)
  values <- matrix(0, nrow(x), ncol(x))
  for (j in seq_along(x)) values[, j] <- as.double(x[[j]])
  list(x = values, columns = new_columns(names(x), "data.frame"), rows = rows)
}

check_column_names <- function(names, arg, call) {
  if (anyNA(names) || any(names == "") || anyDuplicated(names) > 0) {
    stop_input("`", arg, "` must have distinct column names or none at all, not ",
      paste0("\"", names, "\"", collapse = ", "), ".",
      call = call
    )
  }
}

# Points to fit: finite, with at least one row and column.
read_training <- function(x, call, arg = "x") {
  points <- read_points(x, arg, call)
  if (nrow(points$x) == 0 || ncol(points$x) == 0) {
    stop_input(
      "`", arg, "` must have at least one row and one column, not ", describe(x), ".",
      call = call
    )
  }
  bad <- lapply(seq_len(ncol(points$x)), function(j) which(!is.finite(points$x[, j])))
  count <- sum(lengths(bad))
  if (count > 0) {
    first <- vapply(bad, function(rows) c(rows, Inf)[1], 0)
    row <- as.integer(min(first))
    column <- which.min(first)
    stop_input(
      "`", arg, "` must not have missing or infinite values, but row ", row,
      if (ncol(points$x) > 1) paste0(", column ", points$columns$names[column] %||% column),
      " is ", format(points$x[row, column]), if (count > 1) paste0(" (and ", count - 1, " more)"),
      ".",
      call = call
    )
  }
  points
}

# An argument that may name a column of data.
eval_in_data <- function(expression, data, frame, call) {
  tryCatch(
    eval(expression, if (is.data.frame(data)) data, frame),
    error = function(e) {
      stop_input(
        "`weights` must be a column of `data` or a numeric vector: ", conditionMessage(e), ".",
        call = call
      )
    }
  )
}

read_formula <- function(formula, data, call) {
  if (length(formula) == 3) {
    stop_input(
      "`x` must be a one-sided formula such as ~ a + b, not ", format(formula), ".",
      call = call
    )
  }
  if (!is.data.frame(data)) {
    stop_input("`data` must be a data frame, not ", describe(data), ".", call = call)
  }
  frame <- tryCatch(
    suppressWarnings(stats::model.frame(formula, data, na.action = stats::na.pass)),
    error = function(e) {
      stop_input(
        "`x` must be a formula of columns of `data`: ", conditionMessage(e), ".",
        call = call
      )
    }
  )
  terms <- attr(frame, "terms")
  if (any(attr(terms, "order") > 1) || !is.null(attr(terms, "offset")) ||
    nrow(frame) != nrow(data)) {
    stop_input(
      "`x` must be a sum of columns, such as ~ a + log(b), without interactions, offsets or ",
      "subsets, not ",
      paste(deparse(formula), collapse = " "), ".",
      call = call
    )
  }
  # A fit does not keep the user's frame.
  environment(terms) <- globalenv()
  frame <- tryCatch(model_frame(terms, data, "data", call), cwmix_input_error = function(e) {
    stop_input(
      "`x` must be a formula of columns of `data` and of functions found from the global ",
      "environment, not ", paste(deparse(formula), collapse = " "), ".",
      call = call
    )
  })
  points <- read_training(frame, call, arg = "data")
  points$columns$terms <- terms
  points
}

# The columns of a formula, from a data frame alone and functions found from the global environment.
model_frame <- function(terms, data, arg, call) {
  missing <- setdiff(all.vars(terms), names(data))
  if (length(missing) > 0) {
    stop_input("`", arg, "` must have the variables of ", format(terms), "; there is no ",
      paste0("`", missing, "`", collapse = ", "), ".",
      call = call
    )
  }
  tryCatch(
    suppressWarnings(stats::model.frame(terms, data, na.action = stats::na.pass)),
    error = function(e) {
      stop_input(
        "`", arg, "` must give the columns of ", format(terms), ": ", conditionMessage(e), ".",
        call = call
      )
    }
  )
}

# Points to evaluate: list(x, rows), columns matched by name where both sides have names.
read_newdata <- function(object, newdata, call, arg = "newdata") {
  terms <- object$columns$terms
  if (!is.null(terms) && is.data.frame(newdata) && !all(object$columns$names %in% names(newdata))) {
    newdata <- model_frame(terms, newdata, arg, call)
  }
  wanted <- object$columns$names
  if (is.data.frame(newdata) && !is.null(wanted)) {
    known <- names(newdata) %in% wanted
    check_column_names(names(newdata)[known], arg, call)
    newdata <- newdata[known]
  }
  points <- read_points(newdata, arg, call)
  given <- points$columns$names
  d <- ncol(object$mean)
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
  points
}

# Points as the training data came: a vector, a matrix with its names, a data frame. The attributes
# of draws stay.
restore_points <- function(x, columns) {
  if (columns$type == "vector") {
    dim(x) <- NULL
    return(x)
  }
  dimnames(x) <- row_names(NULL, columns$names)
  if (columns$type == "matrix") {
    return(x)
  }
  structure(as.data.frame(x), component = attr(x, "component"), z = attr(x, "z"))
}

check_weights <- function(weights, n, call) {
  if (is.null(weights)) {
    return(NULL)
  }
  if (!is_plain_numeric(weights) || !is.null(dim(weights)) || length(weights) != n) {
    stop_input("`weights` must be a numeric vector of length ", n, ", one a row, not ",
      describe(weights), ".",
      call = call
    )
  }
  bad <- which(!is.finite(weights) | weights < 0)
  if (length(bad) > 0) {
    stop_input("`weights` must be finite and not negative, but weight ", bad[1], " is ",
      format(weights[bad[1]]), ".",
      call = call
    )
  }
  if (n > 0 && all(weights == 0)) {
    stop_input("`weights` must have at least one positive value, not zeros only.", call = call)
  }
  as.double(weights)
}
