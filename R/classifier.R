#' A classifier with given parameters
#'
#' The functional weights of a mixture come from a classifier w(z), a softmax network at the
#' standardised point.
#'
#' @param weights A list of numeric matrices, one a layer, each (outputs, inputs): the first has
#'   d columns, the last K rows. Numbers up to 1e100. An empty list gives constant weights.
#' @param biases A list of numeric vectors, one a layer, as long as its matrix has rows. With
#'   constant weights one vector, the K log weights up to a constant. In the last layer -Inf rules a
#'   component out.
#' @param activation A string, `"tanh"`, `"relu"` or `"silu"`: applied after every layer but the
#'   last.
#' @param ... Must be empty.
#' @return An object of class `"cwmix_classifier"`. `predict()` evaluates it.
#' @section Errors: A condition of class `"cwmix_input_error"` when layers do not fit together
#'   or hold anything but finite numbers.
#' @references Argouarc'h, Desbouvries, Barat, Kawasaki and Dautremer (2025), Classifier Weighted
#'   Mixture models, arXiv:2501.02989.
#' @examples
#' # softmax(2 z, -2 z): a smooth switch between two components
#' w <- cwmix_classifier(list(matrix(c(2, -2))), list(c(0, 0)))
#' predict(w, matrix(c(-1, 0, 1)))
#' @export
cwmix_classifier <- function(weights, biases, activation = c("tanh", "relu", "silu"), ...) {
  call <- user_call()
  check_dots_empty(..., call = call)
  check_given(c("weights", "biases"), call)
  activation <- check_choice(activation, activations, "activation", call)
  for (arg in c("weights", "biases")) {
    value <- if (arg == "weights") weights else biases
    if (!is.list(value) || is.data.frame(value)) {
      stop_input(
        "`", arg, "` must be a list, one element a layer, not ", describe(value), ".",
        call = call
      )
    }
    for (l in seq_along(value)) check_layer(value[[l]], arg, l, l == length(value), call)
  }
  # No more than the engine takes.
  if (length(weights) > 1000) {
    stop_input("`weights` must be at most 1,000 layers, not ",
      format(length(weights), big.mark = ","), ".",
      call = call
    )
  }
  if (length(biases) != max(1, length(weights))) {
    stop_input(
      "`biases` must have ", plural(max(1, length(weights)), "element"), ", one a layer, not ",
      length(biases), ".",
      call = call
    )
  }
  for (l in seq_along(weights)) {
    if (length(biases[[l]]) != nrow(weights[[l]])) {
      stop_input("`biases[[", l, "]]` must have length ", nrow(weights[[l]]),
        ", the rows of `weights[[", l, "]]`, not ", length(biases[[l]]), ".",
        call = call
      )
    }
    if (l > 1 && ncol(weights[[l]]) != nrow(weights[[l - 1]])) {
      stop_input("`weights[[", l, "]]` must have ", nrow(weights[[l - 1]]),
        " columns, the rows of `weights[[", l - 1, "]]`, not ", ncol(weights[[l]]), ".",
        call = call
      )
    }
  }
  new_classifier(lapply(weights, unname), lapply(biases, as.vector), activation)
}

check_layer <- function(x, arg, l, last, call) {
  is_matrix <- arg == "weights"
  if (!is_plain_numeric(x) || length(x) == 0 || is.matrix(x) != is_matrix) {
    given <- describe(x)
  } else if (!layer_in_range(x, last && !is_matrix)) {
    given <- "one that holds others"
  } else {
    return(invisible())
  }
  stop_input(
    "`", arg, "[[", l, "]]` must be a ", if (is_matrix) "matrix" else "vector",
    " of finite numbers up to 1e100, not ", given, ".",
    call = call
  )
}

# What cwmix_model() takes for a classifier: an object, a probability vector, an R function; of u in
# (0, 1) where `uniform`, else of standardised points.
read_classifier <- function(classifier, d, K, call, uniform = FALSE) {
  if (is.function(classifier)) {
    return(function_classifier(classifier, d, K))
  }
  if (is_plain_numeric(classifier) && is.null(dim(classifier))) {
    ok <- length(classifier) == K && !anyNA(classifier) && all(classifier >= 0) &&
      abs(sum(classifier) - 1) < 1e-8
    if (!ok) {
      stop_input("`classifier` must be ", K, " probabilities that sum to 1, not ",
        if (length(classifier) <= 6) deparse(classifier) else describe(classifier), ".",
        call = call
      )
    }
    return(constant_classifier(as.double(classifier)))
  }
  check_class(
    classifier, "cwmix_classifier",
    "a cwmix_classifier(), a vector of probabilities or a function", "classifier", call
  )
  if (inherits(classifier, "cwmix_joint")) {
    stop_input("`classifier` must be that of one model, not an ", describe_classifier(classifier),
      ".",
      call = call
    )
  }
  # Those of specified models know which they are: elsewhere they would be other functions.
  if (inherits(classifier, "cwmix_unit")) {
    if (uniform) classifier <- classifier$inner
  }
  if (inherits(classifier, "cwmix_unit")) {
    stop_input("`classifier` must take standardised points z, not u in (0, 1), as that of a model ",
      "with `components` does.",
      call = call
    )
  }
  if (classifier$K != K || (!is.null(classifier$d) && classifier$d != d)) {
    stop_input(
      "`classifier` must map ", plural(d, "input"), " to ", K, " components, ",
      if (uniform) "u and those of `components`" else "the columns and rows of `mean`", ", not ",
      classifier$d %||% d, " to ", classifier$K, ".",
      call = call
    )
  }
  classifier
}

#' Evaluate a classifier
#'
#' @param object A [cwmix_classifier()].
#' @param newdata A numeric matrix of standardised points z, n x d; for d = 1 a vector will do. For
#'   the classifier of a [cwmix_model()] with `components`, points u between 0 and 1.
#' @param log A flag: log weights instead of weights.
#' @param ... Must be empty.
#' @return An n x K matrix of w(z); its rows sum to 1. A row of `newdata` with a missing value
#'   gives a row of `NA`.
#' @examples
#' w <- cwmix_classifier(list(matrix(c(2, -2))), list(c(0, 0)))
#' rowSums(predict(w, seq(-2, 2, 0.5)))
#' @export
predict.cwmix_classifier <- function(object, newdata, log = FALSE, ...) {
  call <- user_call()
  check_dots_empty(..., call = call)
  check_given("newdata", call)
  check_flag(log, "log", call)
  z <- read_points(newdata, "newdata", call)
  d <- object$d %||% ncol(z$x)
  if (ncol(z$x) != d) {
    stop_input("`newdata` must have ", d, if (d == 1) " column" else " columns", ", not ",
      describe(newdata), ".",
      call = call
    )
  }
  usable <- which(rowSums(!is.finite(z$x)) == 0)
  out <- matrix(NA_real_, nrow(z$x), object$K, dimnames = row_names(z$rows))
  out[usable, ] <- at_call(call, at_inputs(object, z$x[usable, , drop = FALSE]))
  if (log) out else exp(out)
}

#' @export
print.cwmix_classifier <- function(x, ...) {
  check_dots_empty(..., call = user_call())
  cat(format(x), sep = "\n")
  invisible(x)
}

#' @export
format.cwmix_classifier <- function(x, ...) {
  check_dots_empty(..., call = user_call())
  on_unit <- inherits(x, "cwmix_unit")
  where <- if (on_unit) " on (0, 1)" else if (!is.null(x$d)) sprintf(" in dimension %d", x$d)
  kind <- describe_classifier(if (on_unit) x$inner else x)
  sprintf("Classifier of %d components%s: %s", x$K, where %||% "", kind)
}
