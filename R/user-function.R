# The functions that users give: the only ones of which nothing is known. Their mistakes are errors
# of class "cwmix_user_error", raised without a call: the verb's is added by at_call().

stop_user <- function(...) {
  stop_cwmix(paste0(...), c("cwmix_user_error", "cwmix_input_error"), NULL)
}

call_user <- function(f, x, arg) {
  tryCatch(f(x), error = function(e) {
    # What this package found wrong within is said as it is.
    if (inherits(e, "cwmix_error") && is.null(conditionCall(e))) stop(e)
    stop_user("`", arg, "` must be a function of an n x d matrix, but called with one of ",
      nrow(x), " x ", ncol(x), " it failed: ", as_sentence(conditionMessage(e))
    )
  })
}

# The values of a user's function at points, n x m.
call_f <- function(f, x) {
  values <- call_user(f, x, "f")
  if (is.logical(values)) storage.mode(values) <- "double"
  ok <- is_plain_numeric(values) && length(dim(values)) <= 2 && NROW(values) == nrow(x) &&
    NCOL(values) > 0
  if (!ok) {
    stop_user("`f` must return ", nrow(x), " numbers, one a point, or a matrix of ", nrow(x),
      " rows, not ", describe(values), "."
    )
  }
  values <- as.matrix(values)
  rownames(values) <- NULL
  if (anyNA(values)) {
    stop_user("`f` must return numbers without missing values, but at the point ",
      describe_point(x, which(rowSums(is.na(values)) > 0)[1]), " it returned ",
      format(values[is.na(values)][1]), "."
    )
  }
  values
}

describe_point <- function(x, row) {
  shown <- utils::head(x[row, ], 6)
  sprintf(
    "(%s%s)", paste(format(unname(shown), digits = 4, trim = TRUE), collapse = ", "),
    if (ncol(x) > 6) ", ..." else ""
  )
}

# What a user's gradient returned at the rows of x: the partial derivatives of m functions, n x d x
# m.
call_slopes <- function(gradient, x, m) {
  slopes <- call_user(gradient, x, "gradient")
  shape <- if (m == 1 && length(dim(slopes)) < 3) dim(x) else c(dim(x), m)
  # In one dimension a vector will do.
  flat <- is.null(dim(slopes)) && ncol(x) == 1 && m == 1 && length(slopes) == nrow(x)
  fits <- flat || identical(as.integer(dim(slopes)), as.integer(shape))
  if (!is_plain_numeric(slopes) || !fits) {
    stop_user("`gradient` must return partial derivatives, an array of dimension ",
      paste(shape, collapse = " x "), " here, not ", describe(slopes), "."
    )
  }
  check_slopes(matrix(slopes, nrow(x)), x, "gradient")
  slopes
}

# Slopes in rows, one a point.
check_slopes <- function(slopes, x, arg) {
  bad <- which(rowSums(!is.finite(slopes)) > 0)
  if (length(bad) > 0) {
    needed <- if (arg == "gradient") "return" else "have differences that are"
    message <- paste0(
      "`", arg, "` must ", needed, " finite numbers, but at the point ", describe_point(x, bad[1]),
      " there is ", format(slopes[bad[1], !is.finite(slopes[bad[1], ])][1]), ".",
      if (arg == "log_density") " Columns with bounds need `support`."
    )
    stop_cwmix(message, c("cwmix_slope_error", "cwmix_user_error", "cwmix_input_error"), NULL)
  }
}

inform_differences <- function(arg, call) {
  inform_cwmix(
    paste0("The gradient of `", arg, "` is computed by central differences."),
    "cwmix_differences_message", call
  )
}

# Of m functions at the rows of y, n x d x m; `scale` is a length of each column over which they
# may change.
central_differences <- function(f, y, m, scale) {
  slopes <- array(0, c(dim(y), m))
  step <- .Machine$double.eps^(1 / 3) * pmax(scale, 1e-4 * apply(abs(y), 2, max))
  for (j in seq_len(ncol(y))) {
    up <- down <- y
    up[, j] <- y[, j] + step[j]
    down[, j] <- y[, j] - step[j]
    slopes[, j, ] <- (f(up) - f(down)) / (up[, j] - down[, j])
  }
  slopes
}
