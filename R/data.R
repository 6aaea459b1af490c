# From what users hold to matrices of doubles, and back.

# A numeric vector, matrix or data frame as list(x = double matrix, names of columns, type, names of
# rows). Values are not looked at. `needed`: whether no column can be left out.
read_points <- function(x, arg, call, needed = FALSE) {
  if (is.data.frame(x)) {
    return(read_data_frame(x, arg, call, needed))
  }
  if (!is_plain_numeric(x) || length(dim(x)) > 2) {
    stop_input(
      "`", arg,
      "` must be a numeric vector, a numeric matrix or a data frame of numeric columns, not ",
      describe(x), ".", use_instead(x, arg),
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
  list(x = x, names = columns, type = type, rows = rows)
}

read_data_frame <- function(x, arg, call, needed) {
  check_column_names(names(x), arg, call)
  check_numeric_columns(x, arg, call, needed)
  rows <- if (.row_names_info(x) > 0) row.names(x)
  values <- matrix(0, nrow(x), ncol(x))
  for (j in seq_along(x)) values[, j] <- as.double(x[[j]])
  list(x = values, names = names(x), type = "data.frame", rows = rows)
}

check_numeric_columns <- function(x, arg, call, needed, matrices = FALSE) {
  for (name in names(x)) {
    column <- x[[name]]
    if (!is_plain_numeric(column) || !(matrices || is.null(dim(column)))) {
      code <- deparse(as.name(name), backtick = TRUE)
      otherwise <- if (NCOL(column) > 1) "Split it into columns" else if (!needed) "Leave it out"
      stop_input("`", arg, "` must have numeric columns only: column `", name, "` is ",
        describe(column), ".", use_instead(column, code, otherwise),
        call = call
      )
    }
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
      if (ncol(points$x) > 1) paste0(", column ", points$names[column] %||% column),
      " is ", format(points$x[row, column]), if (count > 1) paste0(" (and ", count - 1, " more)"),
      ".",
      call = call
    )
  }
  points
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
