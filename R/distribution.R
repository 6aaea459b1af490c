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
#' @param n A whole number of draws.
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
  check_class(object, "cwmix_density", "a density of this package", "object", call)
  check_flag(log, "log", call)
  value <- log_quantity(object, x, "density", call, arg = "x")
  if (log) value else exp(value)
}

#' @rdname dcwmix
#' @export
rcwmix <- function(n, object) {
  call <- user_call()
  check_given(c("n", "object"), call)
  check_class(object, "cwmix_density", "a density of this package", "object", call)
  restore_points(draw(object, check_count(n, "n", call), call = call), object$columns)
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
  integrals <- weight_integrals(object, call)
  log_probability <- function(q, lower) log_tail(object, q, integrals, lower, call)
  p <- log_probability(q, lower.tail)
  # The logarithm of a probability near 1 has its digits in the other tail.
  large <- which(log.p & p > -log(2))
  p[large] <- log_complement(log_probability(q[large], !lower.tail))
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
  ends <- bounds_of(object)
  q <- as.double(ifelse(lower, ends[1, 1], ends[1, 2]))
  q[is.na(probability)] <- NA
  open <- which(log_small > -Inf)
  integrals <- if (length(open) > 0) weight_integrals(object, call)
  for (side in c(TRUE, FALSE)) {
    some <- open[lower[open] == side]
    if (length(some) > 0) q[some] <- invert(object, log_small[some], integrals, side, call)
  }
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

# Logarithms of F(q) = sum_k W_k(T_k(q)), W_k at the edge below and the partial interval from there;
# or those of 1 - F, from the edge above, so that either tail keeps its digits.
log_tail <- function(object, q, integrals, lower, call) {
  q <- as.double(q)
  support <- object$support[1, ]
  log_p <- rep(NA_real_, length(q))
  log_p[!is.na(q) & q <= support[1]] <- if (lower) -Inf else 0
  log_p[!is.na(q) & q >= support[2]] <- if (lower) 0 else -Inf
  open <- which(q > support[1] & q < support[2])
  y <- to_working(matrix(q[open]), object$support)$y
  log_p[open] <- pmin(log_tail_working(object, y, integrals, lower, call), 0)
  log_p
}

# The same at points on the working scale, up to rounding above 0.
log_tail_working <- function(object, y, integrals, lower, call) {
  if (is_average(object$classifier)) {
    tails <- Map(function(member, integrals, share) {
      log(share) + log_tail_working(member, y, integrals, lower, call)
    }, member_densities(object), integrals, object$classifier$shares)
    return(Reduce(log_add, tails))
  }
  if (!is.null(object$flow)) {
    # In one column F increases.
    u <- flow_forward(object, y)$u
    return(log_tail_working(without_flow(object), u, integrals, lower, call))
  }
  if (is_constant(object$classifier)) {
    return(log_tail_components(object, y, lower))
  }
  components <- seq_len(nrow(object$mean))
  t <- matrix(vapply(components, function(k) latent(object, y, k)[, 1], double(nrow(y))),
    ncol = length(components)
  )
  total <- rep(-Inf, nrow(y))
  for (k in components) {
    some <- which(if (lower) t[, k] >= -quadrature_range else t[, k] <= quadrature_range)
    inner <- pmin(pmax(t[some, k], -quadrature_range), quadrature_range)
    edge <- findInterval(inner, integrals$edges, all.inside = TRUE)
    whole <- if (lower) integrals$below[edge, k] else integrals$above[edge + 1, k]
    part <- if (lower) {
      log_integrals(object$classifier, integrals$edges[edge], inner, call)[, k]
    } else {
      log_integrals(object$classifier, inner, integrals$edges[edge + 1], call)[, k]
    }
    total[some] <- log_add(total[some], log_add(whole, part))
  }
  # Components whose tail begins farther out, unless it could not change the sum.
  for (k in components) {
    log_most <- stats::pnorm(t[, k], lower.tail = lower, log.p = TRUE)
    far <- if (lower) t[, k] < -quadrature_range else t[, k] > quadrature_range
    far <- which(far & log_most > -Inf & log_most > total - 40)
    if (length(far) == 0) next
    total[far] <- log_add(total[far], far_integrals(object$classifier, t[far, k], call)[, k])
  }
  total
}

# With constant weights the tails are those of the components.
log_tail_components <- function(object, y, lower) {
  log_weight <- log_classifier(object$classifier, matrix(0))[1, ]
  blocks <- lapply(row_blocks(nrow(y), length(log_weight)), function(rows) {
    tails <- vapply(seq_along(log_weight), function(k) {
      part <- y[rows, , drop = FALSE]
      log_weight[k] + if (has_families(object)) {
        log_family_tail(object, part[, 1], k, lower)
      } else {
        stats::pnorm(latent(object, part, k)[, 1], lower.tail = lower, log.p = TRUE)
      }
    }, double(length(rows)))
    log_row_sums(matrix(tails, length(rows)))
  })
  as.double(unlist(blocks))
}

# Quantiles of the lower or the upper tail's probabilities, given by their logarithms: from a table,
# Newton steps for log F on the working scale, with bisection where they leave the bracket.
invert <- function(object, log_p, integrals, lower, call) {
  support <- object$support
  if (!is.null(object$flow)) {
    u <- invert(without_flow(object), log_p, integrals, lower, call)
    return(from_working(flow_inverse(object, matrix(u)), support)[, 1])
  }
  object$support[] <- c(-Inf, Inf)
  nodes <- function(z) matrix(node_matrix(object, matrix(z)), length(z))
  # Each W_k(t) is at most exp(-t^2 / 2) for t < 0, and so is its upper tail for t > 0.
  reach <- function(log_p) sqrt(2 * pmax(0, log(nrow(object$mean)) - log_p))
  to_left <- reach(if (lower) log_p else log_complement(log_p))
  to_right <- reach(if (lower) log_complement(log_p) else log_p)
  low <- pmax(-row_max(-nodes(-to_left)), -.Machine$double.xmax)
  high <- pmin(row_max(nodes(to_right)), .Machine$double.xmax)
  halfway <- if (has_families(object)) halfway_by_size else function(a, b) (a + b) / 2
  knots <- c(-36, -24, -16, -12, -8, -6, seq(-4, 4, by = 0.25), 6, 8, 12, 16, 24, 36)
  grid <- sort(nodes(knots))
  grid <- grid[is.finite(grid)]
  # It is only where Newton starts from.
  if (length(grid) > 2000) grid <- grid[round(seq(1, length(grid), length.out = 2000))]
  table <- log_tail(object, grid, integrals, lower, call)
  known <- is.finite(table)
  y <- if (length(unique(table[known])) > 1) {
    stats::approx(table[known], grid[known], log_p, rule = 2, ties = base::mean)$y
  } else {
    halfway(low, high)
  }
  y <- pmin(pmax(y, low), high)
  active <- seq_along(y)
  for (step in 1:400) {
    at <- y[active]
    target <- log_p[active]
    log_f <- log_tail(object, at, integrals, lower, call)
    error <- if (lower) log_f - target else target - log_f
    low[active] <- ifelse(error < 0, at, low[active])
    high[active] <- ifelse(error > 0, at, high[active])
    log_density <- log_quantity_working(object, matrix(at), "density", call)
    newton <- at - error * exp(log_f - log_density)
    inside <- is.finite(newton) & newton > low[active] & newton < high[active]
    following <- ifelse(inside, newton, halfway(low[active], high[active]))
    # Below this the error is rounding, and its sign says nothing about where the quantile is.
    settled <- abs(error) <= 1e-13 * pmax(1, abs(target)) | following == at
    y[active] <- ifelse(settled, at, following)
    active <- active[!settled]
    if (length(active) == 0) break
  }
  from_working(matrix(y), support)[, 1]
}
