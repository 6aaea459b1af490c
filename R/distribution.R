#' The distribution of a classifier weighted mixture
#'
#' Density, distribution function, quantile function and random draws, in the manner of
#' [stats::Normal]. `pcwmix()` and `qcwmix()` are for one dimension, where
#' F(q) = sum over k of W_k(T_k(q)) with W_k(t) the integral of w_k(z) phi(z) from minus infinity
#' to t, computed by adaptive Gauss-Legendre quadrature.
#'
#' @param x,q A numeric vector of points; for `dcwmix()` in several dimensions a matrix or data
#'   frame.
#' @param p A numeric vector of probabilities (of their logarithms with `log.p = TRUE`).
#' @param n A whole number of draws.
#' @param object A `cwmix_density`: a fit of [cwmix()] or [gaussian_mixture()], or a
#'   [cwmix_model()].
#' @param log,log.p A flag: densities or probabilities are logarithms.
#' @param lower.tail A flag: probabilities are P(X <= q), otherwise P(X > q).
#' @return `dcwmix()`, `pcwmix()` and `qcwmix()`: a numeric vector as long as their first argument
#'   has rows; missing values give `NA`. `rcwmix()`: `n` draws in the training data's columns and
#'   type. Probabilities are accurate to 1e-10 for classifiers that are smooth, and a warning of
#'   class `"cwmix_quadrature_warning"` is given where they may not be so to 1e-8; quantiles solve
#'   F(x) = p to that accuracy.
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
  check_class(object, "cwmix_density", "a density of this package", "object", call)
  check_flag(log, "log", call)
  value <- log_quantity(object, x, "density", call, arg = "x")
  if (log) value else exp(value)
}

#' @rdname dcwmix
#' @export
rcwmix <- function(n, object) {
  call <- user_call()
  check_class(object, "cwmix_density", "a density of this package", "object", call)
  restore_points(draw(object, check_count(n, "n", call), call)$x, object$columns)
}

#' @rdname dcwmix
#' @export
pcwmix <- function(q, object, lower.tail = TRUE, log.p = FALSE) {
  call <- user_call()
  check_univariate(object, call)
  check_flag(lower.tail, "lower.tail", call)
  check_flag(log.p, "log.p", call)
  check_vector(q, "q", call)
  p <- distribution_function(object, q, weight_integrals(object, call), call)
  if (!lower.tail) p <- 1 - p
  names(p) <- names(q)
  if (log.p) log(p) else p
}

#' @rdname dcwmix
#' @export
qcwmix <- function(p, object, lower.tail = TRUE, log.p = FALSE) {
  call <- user_call()
  check_univariate(object, call)
  check_flag(lower.tail, "lower.tail", call)
  check_flag(log.p, "log.p", call)
  check_vector(p, "p", call)
  target <- if (log.p) exp(as.double(p)) else as.double(p)
  bad <- which(target < 0 | target > 1)
  if (length(bad) > 0) {
    stop_input("`p` must be ", if (log.p) "logarithms of " else "", "probabilities from 0 to 1, but element ",
      bad[1], " is ", format(p[bad[1]]), ".",
      call = call
    )
  }
  if (!lower.tail) target <- 1 - target
  q <- rep(NA_real_, length(p))
  q[target %in% 0] <- object$support[1, 1]
  q[target %in% 1] <- object$support[1, 2]
  open <- which(target > 0 & target < 1)
  q[open] <- invert(object, target[open], call)
  names(q) <- names(p)
  q
}

check_univariate <- function(object, call) {
  check_class(object, "cwmix_density", "a density of this package", "object", call)
  if (ncol(object$mean) != 1) {
    stop_input("`object` must have one column for distribution and quantile functions, not ",
      ncol(object$mean), ".",
      call = call
    )
  }
}

check_vector <- function(x, arg, call) {
  if (!is_plain_numeric(x) || !is.null(dim(x))) {
    stop_input("`", arg, "` must be a numeric vector, not ", describe(x), ".", call = call)
  }
}

# ---- quadrature of W_k ----

# Ten-point Gauss-Legendre nodes and weights on [-1, 1], by Golub and Welsch (1969).
gauss_legendre <- function(n = 10) {
  i <- seq_len(n - 1)
  jacobi <- matrix(0, n, n)
  jacobi[cbind(i, i + 1)] <- jacobi[cbind(i + 1, i)] <- i / sqrt(4 * i^2 - 1)
  decomposition <- eigen(jacobi, symmetric = TRUE)
  list(node = decomposition$values, weight = 2 * decomposition$vectors[1, ]^2)
}

# Integrals of w_k(z) phi(z) over the intervals [a, b]: a row an interval, a column a component.
interval_integrals <- function(classifier, a, b, call) {
  rule <- gauss_legendre()
  m <- length(rule$node)
  half <- (b - a) / 2
  z <- rep((a + b) / 2, each = m) + rep(half, each = m) * rule$node
  w <- exp(log_classifier(classifier, matrix(z), call)) * stats::dnorm(z) * rule$weight
  rowsum(w, rep(seq_along(a), each = m), reorder = FALSE) * half
}

# The half-line beyond 39 standard deviations has no mass in double precision.
quadrature_range <- 39

# Intervals are halved until both halves together agree with the whole to 1e-12, so that whole
# and partial intervals are exact to rounding where w is smooth. list(edges, cumulated): W_k at
# the edges.
weight_integrals <- function(object, call) {
  classifier <- object$classifier
  edges <- c(-quadrature_range, seq(-10, 10, by = 0.5), quadrature_range)
  a <- edges[-length(edges)]
  b <- edges[-1]
  whole <- interval_integrals(classifier, a, b, call)
  done <- list()
  unresolved <- 0
  for (depth in 1:40) {
    middle <- (a + b) / 2
    left <- interval_integrals(classifier, a, middle, call)
    right <- interval_integrals(classifier, middle, b, call)
    error <- apply(abs(left + right - whole), 1, max)
    fine <- error < 1e-12
    if (depth == 40) {
      unresolved <- sum(error[!fine])
      fine[] <- TRUE
    }
    done[[depth]] <- cbind(c(a[fine], middle[fine]), rbind(left[fine, , drop = FALSE], right[fine, , drop = FALSE]))
    if (all(fine)) break
    a <- c(rbind(a[!fine], middle[!fine]))
    b <- c(rbind(middle[!fine], b[!fine]))
    whole <- rbind(left[!fine, , drop = FALSE], right[!fine, , drop = FALSE])
    whole <- whole[order(rep(seq_len(sum(!fine)), 2)), , drop = FALSE]
  }
  if (unresolved > 1e-8) {
    warn_cwmix(
      sprintf("Quadrature of the classifier reached only %.1g: it may not be smooth.", unresolved),
      "cwmix_quadrature_warning", call
    )
  }
  done <- do.call(rbind, done)
  done <- done[order(done[, 1]), , drop = FALSE]
  cumulated <- apply(done[, -1, drop = FALSE], 2, function(column) c(0, cumsum(column)))
  list(edges = c(done[, 1], quadrature_range), cumulated = cumulated)
}

# F(q) = sum_k W_k(T_k(q)): W_k at the edge below and the partial interval from there.
distribution_function <- function(object, q, integrals, call) {
  q <- as.double(q)
  p <- rep(NA_real_, length(q))
  lower <- object$support[1, 1]
  upper <- object$support[1, 2]
  p[!is.na(q) & q <= lower] <- 0
  p[!is.na(q) & q >= upper] <- 1
  open <- which(!is.na(q) & q > lower & q < upper)
  y <- to_working(matrix(q[open]), object$support)$y
  total <- double(length(open))
  for (k in seq_len(nrow(object$mean))) {
    t <- pmin(pmax(latent(object, y, k)[, 1], -quadrature_range), quadrature_range)
    edge <- findInterval(t, integrals$edges, all.inside = TRUE)
    partial <- interval_integrals(object$classifier, integrals$edges[edge], t, call)[, k]
    total <- total + integrals$cumulated[edge, k] + partial
  }
  p[open] <- pmin(pmax(total, 0), 1)
  p
}

# Quantiles by bisection of a bracket from a table, then Newton steps kept inside the bracket, on
# the working scale.
invert <- function(object, p, call) {
  integrals <- weight_integrals(object, call)
  scale_of <- function(k) if (is.null(object$sd)) object$cholesky[1, 1, k] else object$sd[k, 1]
  sd <- vapply(seq_len(nrow(object$mean)), scale_of, 0)
  low <- rep(min(object$mean[, 1] - quadrature_range * sd), length(p))
  high <- rep(max(object$mean[, 1] + quadrature_range * sd), length(p))
  working <- object
  working$support[] <- c(-Inf, Inf)
  y <- stats::approx(
    distribution_table(working, integrals, sd, call), xout = p, rule = 2, ties = "ordered"
  )$y
  for (step in 1:200) {
    error <- distribution_function(working, y, integrals, call) - p
    low <- ifelse(error < 0, y, low)
    high <- ifelse(error > 0, y, high)
    density <- exp(log_quantity_working(working, matrix(y), "density", call))
    newton <- y - error / density
    inside <- is.finite(newton) & newton > low & newton < high
    next_y <- ifelse(error == 0, y, ifelse(inside, newton, (low + high) / 2))
    moved <- abs(next_y - y) > 4 * .Machine$double.eps * pmax(abs(y), min(sd))
    y <- next_y
    if (!any(moved & abs(error) > 1e-14)) break
  }
  from_working(matrix(y), object$support)[, 1]
}

# F at a grid that is dense where components are: a start for the inversion.
distribution_table <- function(working, integrals, sd, call) {
  z <- c(-8, -6, seq(-4, 4, by = 0.25), 6, 8)
  y <- sort(unique(c(outer(sd, z) + working$mean[, 1])))
  p <- distribution_function(working, y, integrals, call)
  list(x = p, y = y)
}
