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

# Products must not overflow; a component may be ruled out by a last bias of -Inf.
layer_in_range <- function(x, may_rule_out) {
  if (may_rule_out && any(x > -Inf, na.rm = TRUE)) x <- x[is.na(x) | x > -Inf]
  !anyNA(x) && all(abs(x) <= 1e100)
}

new_classifier <- function(weights, biases, activation = "tanh", fn = NULL, d = NULL, K = NULL) {
  n <- length(weights)
  as_double <- function(x) {
    storage.mode(x) <- "double"
    x
  }
  structure(
    list(
      weights = lapply(weights, as_double), biases = lapply(biases, as_double),
      activation = activation, fn = fn,
      d = if (n > 0) ncol(weights[[1]]) else d, K = K %||% length(biases[[max(1, n)]])
    ),
    class = "cwmix_classifier"
  )
}

is_constant <- function(classifier) {
  length(classifier$biases) > 0 && length(classifier$weights) == 0
}

# Whether parameters are known, of one network or of all members.
has_parameters <- function(classifier) {
  if (is_average(classifier)) {
    return(all(vapply(classifier$members, has_parameters, NA)))
  }
  is.null(classifier$fn)
}

constant_classifier <- function(probabilities) {
  new_classifier(list(), list(log(probabilities / sum(probabilities))))
}

# A network with random hidden layers whose last layer is zero and whose last biases are given:
# it starts as the constant classifier. Weights are uniform with variance 1 / inputs (LeCun et
# al. 1998, section 4.6; tanh) or 2 / inputs (He et al. 2015; ReLU, SiLU). The first layer's units
# have their zeros at draws from N(0, I), where the points are, and those of tanh are four times as
# steep: smooth features through the origin take long to learn detail (compare Tancik et al. 2020).
random_network <- function(d, hidden, log_weights, activation) {
  widths <- c(d, hidden, length(log_weights))
  n <- length(widths) - 1
  gain <- if (activation == "tanh") 1 else 2
  weights <- lapply(seq_len(n), function(l) {
    size <- widths[l] * widths[l + 1]
    bound <- sqrt(3 * gain / widths[l])
    matrix(if (l == n) 0 else stats::runif(size, -bound, bound), widths[l + 1], widths[l])
  })
  biases <- lapply(widths[-1], double)
  if (n > 1) {
    if (activation == "tanh") weights[[1]] <- 4 * weights[[1]]
    zeros <- matrix(stats::rnorm(length(weights[[1]])), widths[2])
    biases[[1]] <- -rowSums(weights[[1]] * zeros)
  }
  biases[[n]] <- log_weights
  list(weights = weights, biases = biases)
}

# What cwmix_model() takes for a classifier: an object, a probability vector, an R function; of u in
# (0, 1) where `uniform`, else of standardised points.
read_classifier <- function(classifier, d, K, call, uniform = FALSE) {
  if (is.function(classifier)) {
    return(new_classifier(list(), list(), fn = classifier, d = d, K = K))
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
  # Those of specified models know which they are: elsewhere they would be other functions.
  if (is_uniform(classifier) && !uniform) {
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
  points <- z$x[usable, , drop = FALSE]
  if (is_uniform(object)) {
    outside <- which(points <= 0 | points >= 1)
    if (length(outside) > 0) {
      stop_input("`newdata` must lie between 0 and 1 for a classifier on (0, 1), not be ",
        format(points[outside[1]]), ".",
        call = call
      )
    }
    object$uniform <- NULL
  }
  out[usable, ] <- log_classifier(object, points, call)
  if (log) out else exp(out)
}

# log w(z), n x K.
log_classifier <- function(classifier, z, call = NULL) {
  z <- classifier_input(classifier, z)
  if (is_average(classifier)) {
    parts <- lapply(classifier$members, log_classifier, z, call)
    return(do.call(cbind, Map(`+`, parts, log(classifier$shares))))
  }
  if (!is.null(classifier$fn)) {
    return(log(call_classifier(classifier, z, call)))
  }
  engine_classifier(classifier_model(classifier, ncol(z)), z, list(single = engine_single()))
}

# The engine evaluates classifiers as parts of models; the maps play no role here.
classifier_model <- function(classifier, d) {
  zeros <- matrix(0, classifier$K, d)
  engine_model(
    c(list(mean = zeros, log_sd = zeros), classifier_parameters(classifier)),
    classifier$activation
  )
}

call_classifier <- function(classifier, z, call) {
  if (nrow(z) == 0) {
    return(matrix(0, 0, classifier$K))
  }
  w <- call_user(classifier$fn, z, "classifier", call)
  if (!is.numeric(w) || !identical(dim(w), c(nrow(z), classifier$K))) {
    stop_input("`classifier` must return a ", nrow(z), " x ", classifier$K, " matrix for ", nrow(z),
      " points, not ", describe(w), ".",
      call = call
    )
  }
  if (anyNA(w) || any(w < 0) || any(abs(rowSums(w) - 1) > 1e-8)) {
    stop_input(
      "`classifier` must return probabilities: rows without missing or negative values ",
      "that sum to 1, not others.",
      call = call
    )
  }
  w
}

describe_classifier <- function(classifier) {
  if (is_average(classifier)) {
    return(describe_members(classifier$members))
  }
  if (!is.null(classifier$fn)) {
    return("an R function")
  }
  n <- length(classifier$weights)
  if (n == 0) {
    return("constant weights")
  }
  if (n == 1) {
    return("softmax-linear")
  }
  hidden <- vapply(classifier$weights[-n], nrow, 0L)
  sprintf("network %s, %s", paste(hidden, collapse = "-"), classifier$activation)
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
  sprintf(
    "Classifier of %d components%s: %s", x$K,
    if (is_uniform(x)) {
      " on (0, 1)"
    } else if (!is.null(x$d)) {
      sprintf(" in dimension %d", x$d)
    } else {
      ""
    }, describe_classifier(x)
  )
}
