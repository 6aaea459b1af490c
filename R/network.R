# Networks before they are parts of anything: widths, activations, random starts.

activations <- c("tanh", "relu", "silu")

# `others` and `last` are what else may be given.
check_hidden <- function(hidden, call, others = "", last = "NULL for constant weights") {
  if (is.null(hidden)) {
    return(NULL)
  }
  is_width <- function(h) !is.na(h) & h >= 1 & h <= 1e5 & h == round(h)
  if (!is_plain_numeric(hidden) || !all(is_width(hidden))) {
    stop_input(
      "`hidden` must be whole numbers from 1 to 100,000, ", others, "or ", last, ", not ",
      if (is_plain_numeric(hidden)) deparse(hidden) else describe(hidden), ".",
      call = call
    )
  }
  if (sum(as.double(hidden)[-1] * hidden[-length(hidden)]) > 1e8) {
    stop_input("`hidden` must give at most 1e8 weights, not ", deparse(hidden), ".", call = call)
  }
  # With the last layer they are as many as the engine takes.
  if (length(hidden) > 999) {
    stop_input("`hidden` must be at most 999 widths, not ", length(hidden), ".", call = call)
  }
  as.integer(hidden)
}

hidden_label <- function(hidden) {
  if (is.null(hidden)) {
    return("constant")
  }
  if (length(hidden) == 0) "linear" else paste(hidden, collapse = ", ")
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

# Products must not overflow; a component may be ruled out by a last bias of -Inf.
layer_in_range <- function(x, may_rule_out) {
  if (may_rule_out && any(x > -Inf, na.rm = TRUE)) x <- x[is.na(x) | x > -Inf]
  !anyNA(x) && all(abs(x) <= 1e100)
}

# Layers that take d numbers to K, all of them finite; biases of the last may be -Inf.
validate_network <- function(network, d, K, what, rule_out = TRUE) {
  weights <- network$weights
  biases <- network$biases
  demand(
    is.list(weights) && is.list(biases) && length(weights) == length(biases) && length(weights) > 0,
    what, " has not as many weights as biases"
  )
  n_in <- d
  size <- 0
  for (l in seq_along(weights)) {
    last <- l == length(weights)
    n_out <- if (last) K else length(biases[[l]])
    size <- size + (n_in + 1) * n_out
    demand(size <= most_parameters, what, " has more than ", most_parameters, " parameters")
    demand(
      n_out > 0 && are_coefficients(weights[[l]], c(n_out, n_in)),
      what, " has weights in layer ", l, " that are no ", n_out, " x ", n_in,
      " matrix of finite numbers up to 1e100"
    )
    rules_out <- last && rule_out && are_log_weights(biases[[l]], K)
    demand(
      rules_out || are_coefficients(biases[[l]], length = n_out),
      what, " has biases in layer ", l, " that are no ", n_out, " finite numbers"
    )
    n_in <- n_out
  }
}
