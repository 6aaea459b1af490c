# Rows of the data judged by members of an average that have not seen them.

# Who judges which rows of newdata, x its matrix: a list of list(rows, density, unseen), `unseen`
# whether the rows are data of the fit that the density has been made without. With rows =
# "held-out" x must be the data of the fit, with NULL it may be; then each row is for the fold that
# has not seen it.
judges <- function(object, x, rows, call, arg = "newdata") {
  if (!is.null(rows)) check_choice(rows, c("held-out", "new"), "rows", call)
  asked <- identical(rows, "held-out")
  # In this order: the densities of folds take longer than a look at the data.
  own <- !identical(rows, "new") && is_data_of(object, x)
  by_fold <- if (own || asked) fold_densities(object)
  if (asked && is.null(by_fold)) {
    stop_input(
      "`rows` must be \"new\" for a density that is no average over folds, not \"held-out\".",
      call = call
    )
  }
  if (asked && !own) {
    stop_input(
      "`", arg, "` must be the data of the fit, all rows in their order, for rows = \"held-out\".",
      call = call
    )
  }
  if (is.null(by_fold)) {
    return(list(list(rows = seq_len(nrow(x)), density = object, unseen = FALSE)))
  }
  # Of several folds each near row has one, but of a single split most rows are fitted.
  one_split <- length(by_fold$densities) == 2
  lapply(sort(unique(by_fold$fold)), function(f) {
    list(
      rows = which(by_fold$fold == f), density = by_fold$densities[[f + 1]],
      unseen = f > 0 || !one_split
    )
  })
}

# Whether all of some rows are data of the fit that those of judges() who judge them have not seen.
are_unseen <- function(rows, jury) {
  unseen <- lapply(jury, function(judge) if (judge$unseen) judge$rows)
  all(rows %in% unlist(unseen))
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
