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
  p <- distribution_function(object, q, weight_integrals(object, call), lower.tail, call)
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
  q <- rep(NA_real_, length(p))
  q[target %in% 0] <- object$support[1, if (lower.tail) 1 else 2]
  q[target %in% 1] <- object$support[1, if (lower.tail) 2 else 1]
  open <- which(target > 0 & target < 1)
  if (length(open) > 0) q[open] <- invert(object, target[open], lower.tail, call)
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

# A half-line beyond 39 standard deviations has no mass in double precision.
quadrature_range <- 39

# Intervals are halved until both halves together agree with the whole to 1e-12, so that whole and
# partial intervals are exact to rounding where w is smooth. list(edges, below, above): the
# integrals up to each edge and from it on, a column a component.
weight_integrals <- function(object, call) {
  classifier <- object$classifier
  edges <- seq(-quadrature_range, quadrature_range, by = 0.5)
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
    done[[depth]] <- cbind(
      c(a[fine], middle[fine]), rbind(left[fine, , drop = FALSE], right[fine, , drop = FALSE])
    )
    if (all(fine)) break
    by_interval <- order(rep(which(!fine), 2))
    whole <- rbind(left[!fine, , drop = FALSE], right[!fine, , drop = FALSE])[by_interval, , drop = FALSE]
    from <- c(a[!fine], middle[!fine])[by_interval]
    b <- c(middle[!fine], b[!fine])[by_interval]
    a <- from
  }
  if (unresolved > 1e-8) {
    warn_cwmix(
      sprintf("Quadrature of the classifier reached only %.1g: it may not be smooth.", unresolved),
      "cwmix_quadrature_warning", call
    )
  }
  done <- do.call(rbind, done)
  done <- done[order(done[, 1]), , drop = FALSE]
  parts <- done[, -1, drop = FALSE]
  list(
    edges = c(done[, 1], quadrature_range),
    below = rbind(0, apply(parts, 2, cumsum)),
    above = rbind(apply(parts, 2, function(part) rev(cumsum(rev(part)))), 0)
  )
}

# F(q) = sum_k W_k(T_k(q)): W_k at the edge below and the partial interval from there; or 1 - F,
# from the edge above, so that either tail keeps its digits.
distribution_function <- function(object, q, integrals, lower.tail, call) {
  q <- as.double(q)
  support <- object$support[1, ]
  p <- rep(NA_real_, length(q))
  p[!is.na(q) & q <= support[1]] <- if (lower.tail) 0 else 1
  p[!is.na(q) & q >= support[2]] <- if (lower.tail) 1 else 0
  open <- which(q > support[1] & q < support[2])
  y <- to_working(matrix(q[open]), object$support)$y
  total <- double(length(open))
  for (k in seq_len(nrow(object$mean))) {
    t <- pmin(pmax(latent(object, y, k)[, 1], -quadrature_range), quadrature_range)
    edge <- findInterval(t, integrals$edges, all.inside = TRUE)
    total <- total + if (lower.tail) {
      integrals$below[edge, k] +
        interval_integrals(object$classifier, integrals$edges[edge], t, call)[, k]
    } else {
      integrals$above[edge + 1, k] +
        interval_integrals(object$classifier, t, integrals$edges[edge + 1], call)[, k]
    }
  }
  p[open] <- pmin(total, 1)
  p
}

# Quantiles: from a table of F, Newton steps on the working scale, with bisection where they leave
# the bracket.
invert <- function(object, p, lower.tail, call) {
  integrals <- weight_integrals(object, call)
  support <- object$support
  object$support[] <- c(-Inf, Inf)
  sd <- if (is.null(object$sd)) object$cholesky[1, 1, ] else object$sd[, 1]
  excess <- function(y) {
    difference <- distribution_function(object, y, integrals, lower.tail, call) - p
    if (lower.tail) difference else -difference
  }
  low <- rep(min(object$mean[, 1] - quadrature_range * sd), length(p))
  high <- rep(max(object$mean[, 1] + quadrature_range * sd), length(p))
  grid <- sort(c(outer(sd, c(-8, -6, seq(-4, 4, by = 0.25), 6, 8)) + object$mean[, 1]))
  table <- distribution_function(object, grid, integrals, lower.tail, call)
  y <- stats::approx(table, grid, p, rule = 2, ties = mean)$y
  for (step in 1:200) {
    error <- excess(y)
    low <- ifelse(error < 0, y, low)
    high <- ifelse(error > 0, y, high)
    newton <- y - error / exp(log_quantity_working(object, matrix(y), "density", call))
    # Below this the error is rounding, and its sign says nothing about where the quantile is.
    settled <- abs(error) <= 1e-13 * p | newton == y
    if (all(settled)) break
    inside <- is.finite(newton) & newton > low & newton < high
    y <- ifelse(settled, y, ifelse(inside, newton, (low + high) / 2))
  }
  from_working(matrix(y), support)[, 1]
}
