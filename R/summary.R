# What a density says of itself: lines from its kind (describe_kind(), describe_parts()), and from
# how it was made.

# The first words: how it was made.
model_name <- function(object) UseMethod("model_name")

#' @export
model_name.cwmix_density <- function(object) "Classifier weighted mixture"

# What has seen no data, for errors.
unfitted_name <- function(object) UseMethod("unfitted_name")

#' @export
unfitted_name.cwmix_density <- function(object) "a specified model"

# Lines on how a fit came about, and what of it plot(what = "training") shows.
describe_training <- function(object) UseMethod("describe_training")

#' @export
describe_training.cwmix_density <- function(object) character()

headline <- function(object) UseMethod("headline")

#' @export
headline.cwmix_density <- function(object) {
  paste0(model_name(object), ": ", describe_kind(object))
}

# With AIC and BIC where they mean something, otherwise with the size where that does.
describe_likelihood <- function(object) {
  value <- fixed(object$log_likelihood, 2)
  each <- paste(fixed(object$log_likelihood / object$weight_sum, 4), "a row")
  criteria <- information(object)
  if (!anyNA(criteria)) {
    return(sprintf(
      "  log-lik.    %s (df = %d), %s; AIC %s, BIC %s", value, object$df, each,
      fixed(criteria[["AIC"]], 1), fixed(criteria[["BIC"]], 1)
    ))
  }
  size <- if (!is.na(object$df)) paste0("; ", plural(round(object$df, 1), "parameter"))
  paste0("  log-lik.    ", value, ", ", each, size)
}

#' @export
format.cwmix_density <- function(x, ...) {
  call <- user_call()
  check_dots_empty(..., call = call)
  validate_density(x, "x", call, fit = TRUE)
  range <- at_call(call, value_range(x))
  lines <- c(
    headline(x), describe_parts(x),
    sprintf("  support     %s", describe_range(range, column_labels(x$frame)))
  )
  if (is.null(x$nobs)) {
    n <- count_parameters(x)
    return(within_width(c(
      lines, if (!is.na(n)) sprintf("  specified   %s", plural(n, "parameter"))
    )))
  }
  held <- length(x$held_rows)
  within_width(c(
    lines,
    paste0(
      "  data        ", plural(x$nobs, "row"),
      if (!isTRUE(all.equal(x$weight_sum, x$nobs))) {
        paste(" of total weight", base::format(x$weight_sum, digits = 6, big.mark = ","))
      },
      if (held > 0) sprintf(", %d of them for validation", held)
    ),
    describe_training(x), describe_likelihood(x)
  ))
}

#' @export
print.cwmix_density <- function(x, ...) {
  validate_density(x, "x", user_call(), fit = TRUE)
  cat(format(x, ...), sep = "\n")
  invisible(x)
}

# Lines of a label and what is said of it, this within the width of the console.
within_width <- function(lines) {
  unlist(lapply(lines, function(line) {
    has_label <- startsWith(line, "  ") && substr(line, 14, 14) == " "
    if (nchar(line, "width") <= getOption("width") || !has_label) {
      return(line)
    }
    said <- strwrap(substring(line, 15), getOption("width") - 14)
    paste0(c(substr(line, 1, 14), rep(strrep(" ", 14), length(said) - 1)), said)
  }))
}

#' Summarise a density
#'
#' @param object A `cwmix_density`.
#' @param ... Must be empty.
#' @return An object of class `"summary.cwmix_density"`, a list: `header`, the lines that `print()`
#'   shows of the object; `components`, a data frame with the proportion (for fits), the means and
#'   the standard deviations of each component, in units of the data (of their logs or logits in
#'   bounded columns; with a flow, of u = F(x), with columns u1, u2, ...), of a model with
#'   `components` their families and parameters; `covariance`, a d x d x K array, or `NULL` with
#'   diagonal covariances; `title`, what stands above the table.
#' @examples
#' summary(gaussian_mixture(faithful, K = 2, covariance = "full"))
#' @export
summary.cwmix_density <- function(object, ...) {
  call <- user_call()
  check_dots_empty(..., call = call)
  validate_density(object, "object", call)
  structure(
    list(
      header = format(object), title = component_title(object),
      components = component_table(object), covariance = component_covariances(object)
    ),
    class = "summary.cwmix_density"
  )
}

#' @export
print.summary.cwmix_density <- function(x, digits = max(3L, getOption("digits") - 3L), ...) {
  check_dots_empty(..., call = user_call())
  cat(x$header, "", x$title, sep = "\n")
  table <- x[["components"]]
  shown <- utils::head(table, 10)
  print(shown, digits = digits, row.names = FALSE)
  more <- nrow(table) - nrow(shown)
  if (more > 0) cat(sprintf("... and %s\n", plural(more, "further component")))
  invisible(x)
}
