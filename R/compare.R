#' Compare densities on held-out data
#'
#' Scores densities by their mean log density over rows that none of them was fitted to, and says
#' how sure the differences are. All are scored on the same rows, so that the standard error of a
#' difference is that of the mean of row by row differences, which is often far below the
#' standard errors of the two scores.
#'
#' @param fits A list of what to compare, best with names (otherwise class and position):
#'   - densities of this package, fitted or specified;
#'   - other objects, for which `predict` gives log densities;
#'   - functions of `newdata` that return a log density a row;
#'   - where `data` are given, functions of the data that return one of the above: they are
#'     called with `data` and timed.
#' @param newdata The held-out rows: a numeric vector, matrix or data frame, without missing or
#'   infinite values (columns of a data frame that are not numeric are left to the fits).
#' @param data The data for the functions among `fits` to fit, passed to them as they are; `NULL`
#'   where every element of `fits` is a density. A density that is a function is then
#'   written as `function(data) f`.
#' @param predict A function of an object and `newdata` that returns the *logarithm* of the density
#'   at every row, for objects that this package does not know; or a named list of such functions
#'   for the elements of `fits` of these names. The names of its arguments do not matter.
#' @param x What `compare()` returns.
#' @param ... Must be empty; for `plot()` titles, labels and the like, by name: arguments of
#'   [graphics::plot.default()].
#' @return A data frame of class `"cwmix_comparison"`, a row a fit, the best first:
#'   - `fit`, its name;
#'   - `score`, the mean log density of a row in nats, and `se`, its standard error;
#'   - `difference`, the score less the best score, and `se_difference`, its standard error;
#'   - `df`, the number of parameters (of other packages' objects from `logLik()`), with networks an
#'     upper bound of the degrees of freedom; `NA` where unknown, and of averages;
#'   - `seconds`, the time to fit, `NA` for what was not fitted here.
#'
#'   The attribute `"scores"` is the matrix of log densities, rows of `newdata` by fits, for
#'   differences of other pairs. A fit with a density of zero at some row has a score of `-Inf`
#'   and no standard errors. `tidy()` gives the plain data frame. `plot()` draws the differences
#'   with intervals of 95 percent, by the t distribution with one degree of freedom fewer than there
#'   are rows, and returns that data frame invisibly; graphical parameters are left as they were.
#' @section Other packages: `predict` for `mclust::densityMclust()` is
#'   `function(object, newdata) predict(object, newdata, logarithm = TRUE)`, for `ks::kde()` it is
#'   `function(object, newdata) log(predict(object, x = newdata))`.
#' @section Errors: A condition of class `"cwmix_input_error"`: missing values, an object without a
#'   way to predict, one that does not give a number below `Inf` for every row, a function that
#'   fails.
#' @references Gneiting and Raftery (2007), Strictly proper scoring rules, prediction, and
#'   estimation, JASA 102, 359-378.
#' @seealso [cwmix_select()] for a choice by cross-validation.
#' @note The ks and testthat packages have a `compare()` too: where they are attached after cwmix,
#'   call `cwmix::compare()`.
#' @examples
#' set.seed(1)
#' held <- sample(nrow(faithful), 70)
#' wait <- faithful$waiting
#' result <- compare(
#'   list(
#'     mixture = function(x) gaussian_mixture(x, K = 2),
#'     kernel = function(x) density(x),
#'     normal = function(x) gaussian_mixture(x, K = 1)
#'   ),
#'   newdata = wait[held], data = wait[-held],
#'   predict = function(object, newdata) log(approx(object$x, object$y, newdata)$y)
#' )
#' result
#' plot(result)
#' @export
compare <- function(fits, newdata, data = NULL, predict = NULL, ...) {
  call <- user_call()
  check_dots_empty(..., call = call)
  check_given(c("fits", "newdata"), call)
  fits <- read_fits(fits, call)
  predict <- read_predict(predict, names(fits), call)
  n <- count_rows(newdata, call)
  seconds <- rep(NA_real_, length(fits))
  if (!is.null(data)) {
    fitted <- fit_functions(fits, data, call)
    fits <- fitted$fits
    seconds <- fitted$seconds
  }
  scores <- vapply(names(fits), function(name) {
    log_density_of(fits[[name]], name, newdata, n, predict, call)
  }, double(n))
  dim(scores) <- c(n, length(fits))
  table <- cbind(
    data.frame(fit = names(fits)), score_table(scores),
    df = vapply(fits, known_parameters, 0), seconds = seconds
  )
  order <- order(table$score, decreasing = TRUE)
  table <- table[order, ]
  rownames(table) <- NULL
  colnames(scores) <- names(fits)
  structure(table,
    class = c("cwmix_comparison", "data.frame"), scores = scores[, order, drop = FALSE]
  )
}

# A list with a name for every element.
read_fits <- function(fits, call) {
  if (!is.list(fits) || is.object(fits) || length(fits) == 0) {
    stop_input("`fits` must be a list of densities, not ", describe(fits), ".", call = call)
  }
  names <- names(fits) %||% character(length(fits))
  unnamed <- which(is.na(names) | names == "")
  classes <- vapply(fits[unnamed], function(fit) class(fit)[1], "")
  names[unnamed] <- sprintf("%s %d", classes, unnamed)
  if (anyDuplicated(names) > 0) {
    stop_input("`fits` must have distinct names, not ", paste0("\"", names, "\"", collapse = ", "),
      ".",
      call = call
    )
  }
  stats::setNames(fits, names)
}

# NULL, a function, or a list of functions for some of the fits.
read_predict <- function(predict, names, call) {
  if (is.null(predict) || is.function(predict)) {
    return(predict)
  }
  ok <- is.list(predict) && !is.object(predict) && all(vapply(predict, is.function, NA)) &&
    length(names(predict)) == length(predict)
  if (!ok) {
    stop_input("`predict` must be a function of an object and newdata, or a named list of such ",
      "functions, not ", describe(predict), ".",
      call = call
    )
  }
  unknown <- setdiff(names(predict), names)
  if (length(unknown) > 0 || anyDuplicated(names(predict)) > 0) {
    stop_input("`predict` must have names of `fits`, ", paste0("\"", names, "\"", collapse = ", "),
      ", each at most once, not ", paste0("\"", names(predict), "\"", collapse = ", "), ".",
      call = call
    )
  }
  predict
}

# The rows of newdata, whose numbers must be there; other columns are for the fits to judge.
count_rows <- function(newdata, call) {
  if (is.data.frame(newdata) && nrow(newdata) > 0) {
    numbers <- vapply(newdata, function(x) is_plain_numeric(x) && is.null(dim(x)), NA)
    newdata <- newdata[numbers]
  }
  nrow(read_training(newdata, call, "newdata")$x)
}

# Functions replaced by what they fit to the data, and the seconds they took.
fit_functions <- function(fits, data, call) {
  seconds <- rep(NA_real_, length(fits))
  functions <- which(vapply(fits, is.function, NA))
  if (length(functions) == 0) {
    stop_input("`data` must be NULL where `fits` has no function to fit to them, not ",
      describe(data), ".",
      call = call
    )
  }
  for (i in functions) {
    began <- proc.time()[["elapsed"]]
    fit <- tryCatch(fits[[i]](data), error = function(e) {
      stop_input("`fits` must fit `data`, but `", names(fits)[i], "` fails: ",
        as_sentence(conditionMessage(e)),
        call = call
      )
    })
    seconds[i] <- proc.time()[["elapsed"]] - began
    fits[i] <- list(fit)
  }
  list(fits = fits, seconds = seconds)
}

log_density_of <- function(object, name, newdata, n, predict, call) {
  evaluate <- evaluator(object, name, predict, call)
  values <- tryCatch(evaluate(object, newdata), error = function(e) {
    stop_input("`newdata` must be rows that `", name, "` can be evaluated at, but it fails: ",
      as_sentence(conditionMessage(e)),
      call = call
    )
  })
  if (!is.numeric(values) || length(values) != n) {
    stop_input("`fits` must give a log density for each of the ", plural(n, "row"),
      " of `newdata`, but `", name, "` gives ",
      if (is.numeric(values)) plural(length(values), "value") else describe(values),
      if (is.function(object)) " (a function that fits needs `data`)", ".",
      call = call
    )
  }
  bad <- which(is.na(values) | values == Inf)
  if (length(bad) > 0) {
    stop_input("`fits` must give a log density below Inf for every row of `newdata`, but that of `",
      name, "` at row ", bad[1], " is ", format(values[[bad[1]]]), ".",
      call = call
    )
  }
  as.double(values)
}

# What gives log densities of an object: its own entry of `predict`, this package, the object itself
# or `predict`.
evaluator <- function(object, name, predict, call) {
  if (is.list(predict) && name %in% names(predict)) {
    return(predict[[name]])
  }
  if (inherits(object, c("cwmix_density", "image_density"))) {
    return(function(object, newdata) stats::predict(object, newdata, log = TRUE))
  }
  if (is.function(object)) {
    return(function(object, newdata) object(newdata))
  }
  if (is.function(predict)) {
    return(predict)
  }
  stop_input("`predict` must be given for `", name, "`, ", describe(object),
    ": a function of the object and newdata that returns log densities.",
    call = call
  )
}

known_parameters <- function(object) {
  df <- if (inherits(object, "cwmix_density")) {
    object$df %||% count_parameters(object)
  } else {
    # Packages differ in what they signal where there is no log-likelihood.
    tryCatch(suppressWarnings(attr(stats::logLik(object), "df")), error = function(e) NULL)
  }
  if (is_number(df)) as.double(df) else NA_real_
}

comparison_columns <- c("fit", "score", "se", "difference", "se_difference", "df", "seconds")

#' @export
format.cwmix_comparison <- function(x, ...) {
  # A data frame made of some of its columns.
  if (!identical(names(x), comparison_columns)) {
    return(NextMethod())
  }
  check_dots_empty(..., call = user_call())
  scores <- attr(x, "scores")
  zeros <- colSums(scores == -Inf)
  zeros <- zeros[zeros > 0 & names(zeros) %in% x$fit]
  c(
    if (is.null(scores)) {
      "Mean log density of held-out rows"
    } else {
      sprintf("Mean log density of %s", plural(nrow(scores), "held-out row"))
    },
    format_scores(x),
    sprintf("%s: density zero at %s", names(zeros), vapply(zeros, plural, "", "row"))
  )
}

#' @export
print.cwmix_comparison <- function(x, ...) {
  if (!identical(names(x), comparison_columns)) {
    print(tidy(x), ...)
  } else {
    cat(format(x, ...), sep = "\n")
  }
  invisible(x)
}

#' @rdname compare
#' @export
tidy.cwmix_comparison <- function(x, ...) {
  check_dots_empty(..., call = user_call())
  attr(x, "scores") <- NULL
  class(x) <- "data.frame"
  x
}

#' @rdname compare
#' @export
plot.cwmix_comparison <- function(x, ...) {
  call <- user_call()
  dots <- read_dots(list(...), call)
  missing <- setdiff(comparison_columns[1:5], names(x))
  if (length(missing) > 0 || nrow(x) == 0) {
    stop_input("`x` must have rows and the columns of compare(); there is no ",
      if (length(missing) > 0) paste0("`", missing, "`", collapse = ", ") else "row", ".",
      call = call
    )
  }
  view <- view_comparison(x)
  draw_comparison(view, dots)
  invisible(tidy(x))
}
