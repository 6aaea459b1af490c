#' The distribution of a classifier weighted mixture
#'
#' Density, distribution function, quantile function and random draws, in the manner of
#' [stats::Normal]. `pcwmix()` and `qcwmix()` are for one dimension, where
#' F(q) = sum over k of W_k(T_k(q)) with W_k(t) the integral of w_k(z) phi(z) from minus infinity
#' to t, computed by adaptive Gauss-Lobatto quadrature on the log scale. In the CDF form that is
#' the sum of the integrals of alpha_k(u) from 0 to P_k(q).
#'
#' Intervals of a network are halved until a bound on the slope of its log odds says that nothing
#' can hide between the points of evaluation, however steep it is. Of an R function as classifier
#' nothing but values is known: what it does over a stretch of z shorter than 2e-4 where |z| < 2,
#' 7e-4 where |z| < 4, 0.005 where |z| < 8 or 0.05 farther out can be missed, without a warning.
#'
#' @param x,q A numeric vector of points; for `dcwmix()` in several dimensions a matrix or data
#'   frame.
#' @param p A numeric vector of probabilities (of their logarithms with `log.p = TRUE`).
#' @param n A whole number of draws, at least 0.
#' @param object A `cwmix_density`: a fit of [cwmix()], [gaussian_mixture()] or
#'   [flow_realnvp()], a [cwmix_model()] or a [cwmix_average()].
#' @param log,log.p A flag: densities or probabilities are logarithms.
#' @param lower.tail A flag: probabilities are P(X <= q), otherwise P(X > q).
#' @return `dcwmix()`, `pcwmix()` and `qcwmix()`: a numeric vector as long as their first argument
#'   has rows; missing values give `NA`. `rcwmix()`: `n` draws in the training data's columns and
#'   type. Probabilities are accurate to 1e-10 for networks and for smooth R functions as
#'   classifiers; where they may not be so to 1e-8, a warning of class
#'   `"cwmix_quadrature_warning"` is given. Quantiles solve F(x) = p to that accuracy. Logarithms of
#'   probabilities are not taken of rounded ones: they hold far in either tail.
#' @section Errors: A condition of class `"cwmix_input_error"`, for instance for `pcwmix()` in two
#'   dimensions.
#' @references Argouarc'h, Desbouvries, Barat, Kawasaki and Dautremer (2025), Classifier Weighted
#'   Mixture models, arXiv:2501.02989, equations (6) and (16).
#' @examples
#' fit <- gaussian_mixture(faithful$eruptions, K = 2)
#' pcwmix(3, fit)
#' qcwmix(c(0.1, 0.5, 0.9), fit)
#' rcwmix(3, fit)
#' @export
dcwmix <- function(x, object, log = FALSE) {
  call <- user_call()
  check_given(c("x", "object"), call)
  validate_density(object, "object", call)
  check_flag(log, "log", call)
  value <- log_quantity(object, x, "density", call, arg = "x")
  if (log) value else exp(value)
}

#' @rdname dcwmix
#' @export
rcwmix <- function(n, object) {
  call <- user_call()
  check_given(c("n", "object"), call)
  validate_density(object, "object", call)
  n <- check_count(n, "n", call, min = 0)
  restore_points(object$frame, at_call(call, draw(object, n)))
}

#' @rdname dcwmix
#' @export
pcwmix <- function(q, object, lower.tail = TRUE, log.p = FALSE) { # nolint: object_name_linter.
  call <- user_call()
  check_given(c("q", "object"), call)
  check_univariate(object, call)
  check_flag(lower.tail, "lower.tail", call)
  check_flag(log.p, "log.p", call)
  check_vector(q, "q", call)
  p <- at_call(call, {
    tail <- log_tail(object)
    p <- tail_within(tail, object$frame, q, lower.tail)
    # The logarithm of a probability near 1 has its digits in the other tail.
    large <- which(log.p & p > -log(2))
    other <- tail_within(tail, object$frame, q[large], !lower.tail)
    replace(p, large, log_complement(other))
  })
  names(p) <- names(q)
  if (log.p) p else exp(p)
}

#' @rdname dcwmix
#' @export
qcwmix <- function(p, object, lower.tail = TRUE, log.p = FALSE) { # nolint: object_name_linter.
  call <- user_call()
  check_given(c("p", "object"), call)
  check_univariate(object, call)
  check_flag(lower.tail, "lower.tail", call)
  check_flag(log.p, "log.p", call)
  check_vector(p, "p", call)
  bad <- which(if (log.p) p > 0 else p < 0 | p > 1)
  if (length(bad) > 0) {
    stop_input("`p` must be ", if (log.p) "logarithms of ",
      "probabilities from 0 to 1, but element ", bad[1], " is ", format(p[bad[1]]), ".",
      call = call
    )
  }
  probability <- as.double(p)
  # The smaller tail of each, where quantiles are well defined however small it is.
  log_small <- if (log.p) probability else log(probability)
  large <- which(log_small > -log(2))
  log_small[large] <- if (log.p) log_complement(log_small[large]) else log1p(-probability[large])
  lower <- rep(lower.tail, length(p))
  lower[large] <- !lower.tail
  ends <- at_call(call, value_range(object))
  q <- as.double(ifelse(lower, ends[1, 1], ends[1, 2]))
  q[is.na(probability)] <- NA
  open <- which(log_small > -Inf)
  if (length(open) > 0) {
    q[open] <- at_call(call, quantiles_within(object, log_small[open], lower[open]))
  }
  names(q) <- names(p)
  q
}

check_univariate <- function(object, call) {
  validate_density(object, "object", call)
  if (dimension(object) != 1) {
    stop_input("`object` must have one column for distribution and quantile functions, not ",
      dimension(object), ".",
      call = call
    )
  }
}

check_vector <- function(x, arg, call) {
  if (!is_plain_numeric(x) || !is.null(dim(x))) {
    stop_input("`", arg, "` must be a numeric vector, not ", describe(x), ".", call = call)
  }
}

# Logarithms of F(q) or of 1 - F(q) at points of the data's scale; `tail` as of log_tail().
tail_within <- function(tail, frame, q, lower) {
  q <- as.double(q)
  support <- frame$support[1, ]
  log_p <- rep(NA_real_, length(q))
  log_p[!is.na(q) & q <= support[1]] <- if (lower) -Inf else 0
  log_p[!is.na(q) & q >= support[2]] <- if (lower) 0 else -Inf
  open <- which(q > support[1] & q < support[2])
  y <- to_working(matrix(q[open]), frame$support)$y
  # Up to rounding above 0.
  log_p[open] <- pmin(tail(y[, 1], lower), 0)
  log_p
}

# The points of the data's scale with these log probabilities in the lower or the upper tail.
quantiles_within <- function(object, log_p, lower) {
  inverse <- invert(object)
  y <- double(length(log_p))
  for (side in c(TRUE, FALSE)) {
    some <- which(lower == side)
    if (length(some) > 0) y[some] <- inverse(log_p[some], side)
  }
  from_working(matrix(y), object$frame$support)[, 1]
}
