# What a classifier is: weights w(z) of K components at standardised points z, which sum to one. A
# kind is a class with methods of the generics here:
#   log_weights(classifier, z, how): log w(z), n x K, at the rows of z.
#   is_constant(classifier): whether w is the same everywhere.
#   in_engine(classifier): whether the engine can evaluate it.
#   odds_change(classifier, a, b): a bound on the change of any log odds over [a, b] (quadrature.R),
#   starting_edges(classifier): and the intervals to begin with.
#   classifier_parameters(classifier): list(weights, biases), NULL where they are not known.
#   count_weights(classifier): how many of them are free, NA where they are not known.
#   as_constant(classifier): the constant classifier that it equals, NULL where there is none.
#   highest_weight(classifier): what no weight exceeds.
#   classifier_axis(classifier): for plots, list(limits, within, input, output, base).
#   at_inputs(classifier, x): log w where users see x as the input, for predict().
#   describe_classifier(classifier): a word for it.
#   validate_classifier(classifier, d, K): demand()s that it is one of K components in d columns.

# A network, or constant weights where there is no layer.
new_classifier <- function(weights, biases, activation = "tanh") {
  n <- length(weights)
  as_double <- function(x) {
    storage.mode(x) <- "double"
    x
  }
  structure(
    list(
      weights = lapply(weights, as_double), biases = lapply(biases, as_double),
      activation = activation, d = if (n > 0) ncol(weights[[1]]),
      K = length(biases[[max(1, n)]])
    ),
    class = c(if (n > 0) "cwmix_network" else "cwmix_constant", "cwmix_classifier")
  )
}

constant_classifier <- function(probabilities) {
  new_classifier(list(), list(log(probabilities / sum(probabilities))))
}

is_constant <- function(classifier) UseMethod("is_constant")

#' @export
is_constant.cwmix_classifier <- function(classifier) FALSE

#' @export
is_constant.cwmix_constant <- function(classifier) TRUE

#' @export
is_constant.cwmix_unit <- function(classifier) is_constant(classifier$inner)

# A user's function of an n x d matrix.
function_classifier <- function(f, d, K) {
  structure(list(f = f, d = d, K = K), class = c("cwmix_function", "cwmix_classifier"))
}

# alpha(Phi(z)) for a classifier alpha on (0, 1): that of the CDF form.
unit_classifier <- function(inner) {
  structure(
    list(inner = inner, d = 1L, K = inner$K), class = c("cwmix_unit", "cwmix_classifier")
  )
}

# (share_1 w_1(z), ..., share_M w_M(z)), that of a sum of densities.
joint_of <- function(classifiers, shares) {
  structure(
    list(
      parts = classifiers, shares = shares, d = unlist(lapply(classifiers, `[[`, "d"))[1],
      K = sum(vapply(classifiers, `[[`, 0L, "K"))
    ),
    class = c("cwmix_joint", "cwmix_classifier")
  )
}

log_weights <- function(classifier, z, how = list()) UseMethod("log_weights")

#' @export
log_weights.cwmix_classifier <- function(classifier, z, how = list()) {
  engine_classifier(classifier_model(classifier, ncol(z)), z, how)
}

#' @export
log_weights.cwmix_function <- function(classifier, z, how = list()) {
  if (nrow(z) == 0) {
    return(matrix(0, 0, classifier$K))
  }
  w <- call_user(classifier$f, z, "classifier")
  if (!is.numeric(w) || !identical(dim(w), c(nrow(z), classifier$K))) {
    stop_user("`classifier` must return a ", nrow(z), " x ", classifier$K, " matrix for ", nrow(z),
      " points, not ", describe(w), "."
    )
  }
  if (anyNA(w) || any(w < 0) || any(abs(rowSums(w) - 1) > 1e-8)) {
    stop_user(
      "`classifier` must return probabilities: rows without missing or negative values ",
      "that sum to 1, not others."
    )
  }
  log(w)
}

#' @export
log_weights.cwmix_unit <- function(classifier, z, how = list()) {
  log_weights(classifier$inner, unit_point(z), how)
}

#' @export
log_weights.cwmix_joint <- function(classifier, z, how = list()) {
  parts <- lapply(classifier$parts, log_weights, z, how)
  do.call(cbind, Map(`+`, parts, log(classifier$shares)))
}

# u = Phi(z), which does not round to 0 or 1.
unit_point <- function(z) {
  z[] <- pmin(pmax(stats::pnorm(z), .Machine$double.xmin), 1 - .Machine$double.neg.eps)
  z
}

# The engine evaluates classifiers as parts of models; the components play no role here.
classifier_model <- function(classifier, d) {
  zeros <- matrix(0, classifier$K, d)
  engine_model(
    c(list(mean = zeros, log_sd = zeros), classifier_parameters(classifier)),
    classifier$activation
  )
}

in_engine <- function(classifier) inherits(classifier, c("cwmix_network", "cwmix_constant"))

classifier_parameters <- function(classifier) UseMethod("classifier_parameters")

#' @export
classifier_parameters.cwmix_classifier <- function(classifier) classifier[c("weights", "biases")]

#' @export
classifier_parameters.cwmix_unit <- function(classifier) classifier_parameters(classifier$inner)

#' @export
classifier_parameters.cwmix_function <- function(classifier) NULL

#' @export
classifier_parameters.cwmix_joint <- function(classifier) NULL

has_parameters <- function(classifier) !is.null(classifier_parameters(classifier))

# Constant weights sum to one, and the weight of one component is one whatever a network says.
count_weights <- function(classifier) {
  parameters <- classifier_parameters(classifier)
  if (is.null(parameters)) {
    return(NA_integer_)
  }
  networks <- length(parameters$weights) > 0 && classifier$K > 1
  if (networks) length(flatten(parameters)) else classifier$K - 1L
}

as_constant <- function(classifier) UseMethod("as_constant")

#' @export
as_constant.cwmix_classifier <- function(classifier) NULL

#' @export
as_constant.cwmix_constant <- function(classifier) classifier

# The softmax of one number is one, and a last layer of zeros leaves its biases.
#' @export
as_constant.cwmix_network <- function(classifier) {
  last <- length(classifier$weights)
  if (classifier$K == 1 || all(classifier$weights[[last]] == 0)) {
    biases <- classifier$biases[[last]]
    new_classifier(list(), list(biases - log_row_sums(matrix(biases, 1))))
  }
}

highest_weight <- function(classifier) UseMethod("highest_weight")

#' @export
highest_weight.cwmix_classifier <- function(classifier) 1

#' @export
highest_weight.cwmix_joint <- function(classifier) {
  max(classifier$shares * vapply(classifier$parts, highest_weight, 0))
}

classifier_axis <- function(classifier) UseMethod("classifier_axis")

# `base` is the density of the base draws.
#' @export
classifier_axis.cwmix_classifier <- function(classifier) {
  list(
    limits = c(-4, 4), within = c(-Inf, Inf), input = "z", output = "w(z)",
    base = function(z) stats::dnorm(z) / stats::dnorm(0)
  )
}

# Base draws are uniform.
#' @export
classifier_axis.cwmix_unit <- function(classifier) {
  list(limits = c(0, 1), within = c(0, 1), input = "u", output = "alpha(u)", base = NULL)
}

at_inputs <- function(classifier, x) UseMethod("at_inputs")

#' @export
at_inputs.cwmix_classifier <- function(classifier, x) log_weights(classifier, x)

#' @export
at_inputs.cwmix_unit <- function(classifier, x) {
  outside <- which(x <= 0 | x >= 1)
  if (length(outside) > 0) {
    stop_input("`newdata` must lie between 0 and 1 for a classifier on (0, 1), not be ",
      format(x[outside[1]]), ".",
      call = NULL
    )
  }
  log_weights(classifier$inner, x)
}

describe_classifier <- function(classifier) UseMethod("describe_classifier")

#' @export
describe_classifier.cwmix_constant <- function(classifier) "constant weights"

#' @export
describe_classifier.cwmix_function <- function(classifier) "an R function"

#' @export
describe_classifier.cwmix_unit <- function(classifier) {
  inner <- describe_classifier(classifier$inner)
  if (is_constant(classifier)) inner else paste0(inner, ", on (0, 1)")
}

#' @export
describe_classifier.cwmix_joint <- function(classifier) {
  describe_members(vapply(classifier$parts, describe_classifier, ""))
}

#' @export
describe_classifier.cwmix_network <- function(classifier) {
  n <- length(classifier$weights)
  if (n == 1) {
    return("softmax-linear")
  }
  hidden <- vapply(classifier$weights[-n], nrow, 0L)
  sprintf("network %s, %s", paste(hidden, collapse = "-"), classifier$activation)
}

# "average of 5 networks 32-32, tanh".
describe_members <- function(kinds) {
  kinds <- factor(kinds, unique(kinds))
  if (nlevels(kinds) > 3) {
    return(sprintf("average of %d densities", length(kinds)))
  }
  count <- tabulate(kinds)
  several <- sub(
    "^((mapped )?(network|Gaussian mixture|spline flow|Real-NVP))", "\\1s", levels(kinds)
  )
  several <- sub("^an R function", "R functions", several)
  words <- ifelse(count == 1, levels(kinds), paste(count, several))
  paste("average of", paste(words, collapse = "; "))
}

validate_classifier <- function(classifier, d, K) UseMethod("validate_classifier")

#' @export
validate_classifier.default <- function(classifier, d, K) {
  demand(FALSE, "its `classifier` is none")
}

#' @export
validate_classifier.cwmix_constant <- function(classifier, d, K) {
  demand(
    is.null(classifier$d) && is_sized(classifier, NULL, K),
    "its `classifier` is not of as many components"
  )
  demand(
    identical(classifier$weights, list()) && length(classifier$biases) == 1 &&
      are_log_weights(classifier$biases[[1]], K),
    "the constant weights of its `classifier` are not as many numbers as components"
  )
  demand(is_one_of(classifier$activation, activations), "its `classifier` has no activation")
}

#' @export
validate_classifier.cwmix_network <- function(classifier, d, K) {
  demand(is_sized(classifier, d, K), "its `classifier` is not of its columns and components")
  validate_network(classifier, d, K, "its `classifier`")
  demand(is_one_of(classifier$activation, activations), "its `classifier` has no activation")
}

#' @export
validate_classifier.cwmix_function <- function(classifier, d, K) {
  demand(is_sized(classifier, d, K), "its `classifier` is not of its columns and components")
  demand(is.function(classifier$f), "its `classifier` has lost the function")
}

#' @export
validate_classifier.cwmix_unit <- function(classifier, d, K) {
  demand(is_sized(classifier, 1, K), "its `classifier` is not of one column and its components")
  validate_classifier(classifier$inner, 1, K)
}

is_sized <- function(classifier, d, K) {
  (is.null(d) || (is_number(classifier$d) && classifier$d == d)) && is_number(classifier$K) &&
    classifier$K == K
}
