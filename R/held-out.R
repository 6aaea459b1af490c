# Rows of the data judged by members of an average that have not seen them.

# Who judges which rows of newdata, x its matrix: a list of list(rows, density). With rows =
# "held-out" they are the data of the fit, each row for the fold that has not seen it.
judges <- function(object, x, rows, call, arg = "newdata") {
  if (rows == "new") {
    return(list(list(rows = seq_len(nrow(x)), density = object)))
  }
  by_fold <- fold_densities(object)
  if (is.null(by_fold)) {
    stop_input(
      "`rows` must be \"new\" for a density that is no average over folds, not \"held-out\".",
      call = call
    )
  }
  if (!is_data_of(object, x)) {
    stop_input(
      "`", arg, "` must be the data of the fit, all rows in their order, for rows = \"held-out\".",
      call = call
    )
  }
  lapply(sort(unique(by_fold$fold)), function(f) {
    list(rows = which(by_fold$fold == f), density = by_fold$densities[[f + 1]])
  })
}

# Whether x are the data of a fit: the same numbers, but for the rounding of terms that are computed
# again with the constants of the fit, as poly() is.
is_data_of <- function(object, x) {
  known <- object$fingerprint
  mark <- fingerprint(x, NULL)
  if (length(known) != length(mark)) {
    return(FALSE)
  }
  of_x <- seq_len(2 + 2 * ncol(x))
  if (!has_constants(object$frame)) {
    return(identical(mark[of_x], known[of_x]))
  }
  # Relative to sums of absolute values: a centred column has a sum of about zero.
  rounding <- replace(1e-9 * fingerprint(abs(x), NULL), 1:2, 0)
  apart <- abs(mark - known)
  all((is.finite(apart) & apart <= rounding)[of_x])
}

# How rows are judged: where the user leaves it open, NULL, those of the fit by what has not seen
# them.
check_rows <- function(rows, object, x, call) {
  if (!is.null(rows)) {
    return(check_choice(rows, c("held-out", "new"), "rows", call))
  }
  if (is_data_of(object, x) && !is.null(fold_densities(object))) "held-out" else "new"
}
