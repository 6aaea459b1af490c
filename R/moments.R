#' Moments, probabilities and quantiles of a density
#'
#' Ready-made [expectation()]s over randomly shifted lattices, with standard errors.
#'
#' Note that `vcov()` is the covariance matrix of a draw from the density, as with the draws of a
#' posterior, not that of estimated parameters. Of normal components with constant weights and
#' unbounded columns, and without a flow, `mean()` and `vcov()` are exact, with errors of 0.
#'
#' The moment must exist, which is not checked. Of a [cwmix_model()] whose `components` have heavy
#' tails, such as Cauchy or t distributions with few degrees of freedom, it may be infinite or
#' undefined. The estimate and its standard error then mean nothing, even where the error is small:
#' lattices are symmetric, so that two tails may cancel.
#'
#' @param x,object A `cwmix_density`: a fit of [cwmix()], [gaussian_mixture()] or
#'   [flow_realnvp()], a [cwmix_model()] or a [cwmix_average()].
#' @param region A function that takes an n x d matrix of points, in the columns and units of the
#'   data, and returns `TRUE` for those inside, else `FALSE`.
#' @inheritParams expectation
#' @param ... Must be empty.
#' @return A `"cwmix_expectation"` with standard errors, see [expectation()]: for `mean()` of length
#'   d, in units of the data, for `probability()` one number. `vcov()`: a d x d matrix with the
#'   attribute `"se"`, also d x d.
#' @section Errors: A condition of class `"cwmix_input_error"`.
#' @references Argouarc'h, Desbouvries, Barat, Kawasaki and Dautremer (2025), Classifier Weighted
#'   Mixture models, arXiv:2501.02989, equation (19).
#' @examples
#' fit <- gaussian_mixture(faithful, K = 2)
#' mean(fit)
#' vcov(fit)
#' set.seed(1)
#' probability(fit, function(x) x[, "waiting"] > 80)
#' @export
mean.cwmix_density <- function(x, n = 4096, points = c("lattice", "random"), replicates = 16, ...) {
  call <- user_call()
  check_dots_empty(..., call = call)
  validate_density(x, "x", call)
  request <- check_base(n, points, replicates, dimension(x), call)
  closed <- closed_moments(x)
  if (!is.null(closed)) {
    value <- closed$mean
    if (length(value) > 1) names(value) <- column_labels(x$frame)
    return(new_expectation(value, 0 * value))
  }
  at_call(call, expect_at(x, do.call(base_points, request), labelled(x)))
}

#' @rdname mean.cwmix_density
#' @export
vcov.cwmix_density <- function(object, n = 4096, points = c("lattice", "random"), replicates = 16,
                               ...) {
  call <- user_call()
  check_dots_empty(..., call = call)
  validate_density(object, "object", call)
  request <- check_base(n, points, replicates, dimension(object), call)
  d <- dimension(object)
  square <- function(values) {
    labels <- column_labels(object$frame)
    matrix(values, d, d, dimnames = list(labels, labels))
  }
  closed <- closed_moments(object)
  if (!is.null(closed)) {
    return(structure(square(closed$vcov), se = square(0)))
  }
  base <- do.call(base_points, request)
  center <- at_call(call, bare(expect_at(object, base, identity)))
  pairs <- expand.grid(row = seq_len(d), column = seq_len(d))
  products <- at_call(call, expect_at(object, base, function(x) {
    centred <- x - rep(center, each = nrow(x))
    centred[, pairs$row, drop = FALSE] * centred[, pairs$column, drop = FALSE]
  }))
  structure(square(bare(products)), se = square(attr(products, "se")))
}

#' @rdname mean.cwmix_density
#' @export
probability <- function(object, region, n = 4096, points = c("lattice", "random"), replicates = 16,
                        ...) {
  call <- user_call()
  check_dots_empty(..., call = call)
  check_given(c("object", "region"), call)
  validate_density(object, "object", call)
  if (!is.function(region)) {
    stop_input("`region` must be a function of an n x d matrix, not ", describe(region), ".",
      call = call
    )
  }
  base <- do.call(base_points, check_base(n, points, replicates, dimension(object), call))
  value <- at_call(call, expect_at(object, base, function(x) {
    inside <- call_user(region, x, "region")
    if (!is.logical(inside) || length(inside) != nrow(x) || anyNA(inside)) {
      stop_user("`region` must return TRUE or FALSE for each of ", nrow(x), " points, not ",
        if (is.logical(inside) && anyNA(inside)) "missing values" else describe(inside), "."
      )
    }
    as.vector(inside)
  }))
  attr(value, "se") <- counting_error(attr(value, "se"), n)
  value
}

# The standard error of a mean of indicators: counts of lattice points may agree between replicates,
# and are no better than one point in n.
counting_error <- function(se, n) sqrt(se^2 + 1 / (12 * n^2))

# The columns themselves as functions; of several, all have names.
labelled <- function(object) {
  function(x) {
    if (ncol(x) > 1) colnames(x) <- column_labels(object$frame)
    x
  }
}

expect_at <- function(object, base, f) {
  estimate <- expect_nodes(object, base, f, NULL, summed_out)
  finish_expectation(estimate, base, "rao-blackwell")
}

#' @rdname entropy
#' @export
entropy.cwmix_density <- function(object, n = 4096, # nolint: object_name_linter.
                                  points = c("lattice", "random"), replicates = 16, ...) {
  call <- user_call()
  check_dots_empty(..., call = call)
  validate_density(object, "object", call)
  base <- do.call(base_points, check_base(n, points, replicates, dimension(object), call))
  # On the working scale, where points close to a bound keep their digits.
  free <- unbounded(object)
  at_call(call, expect_at(free, base, function(y) {
    log_inside_slope(y, object$frame$support) - evaluate(free, points_at(unname(y)), "density")
  }))
}

#' Kullback-Leibler divergence between two densities
#'
#' KL(p || q), the mean of log p(X) - log q(X) for X from p: what one loses, in nats a point, by
#' using q where p is true. It is 0 when they agree, and not symmetric.
#'
#' @param p,q Densities of this package in the same columns, in the same order.
#' @inheritParams expectation
#' @param ... Must be empty.
#' @return A `"cwmix_expectation"`: one number, with its standard error, see [expectation()]. `Inf`
#'   where `q` is 0 at a node of `p`.
#' @section Errors: A condition of class `"cwmix_input_error"`.
#' @references Argouarc'h, Desbouvries, Barat, Kawasaki and Dautremer (2025), Classifier Weighted
#'   Mixture models, arXiv:2501.02989, equation (19).
#' @examples
#' p <- cwmix_model(c(-1, 1), sd = c(1, 2), classifier = c(0.3, 0.7))
#' q <- cwmix_model(0.4, sd = 2, classifier = 1)
#' set.seed(1)
#' kl_divergence(p, q)
#' @export
kl_divergence <- function(p, q, n = 4096, points = c("lattice", "random"), replicates = 16, ...) {
  call <- user_call()
  check_dots_empty(..., call = call)
  check_given(c("p", "q"), call)
  validate_density(p, "p", call)
  validate_density(q, "q", call)
  if (dimension(p) != dimension(q)) {
    stop_input("`q` must have ", plural(dimension(p), "column"), ", as `p`, not ",
      dimension(q), ".",
      call = call
    )
  }
  both <- list(p$frame$names, q$frame$names)
  if (all(lengths(both) > 0) && !identical(both[[1]], both[[2]])) {
    stop_input("`q` must have the columns of `p`, ", paste0("`", both[[1]], "`", collapse = ", "),
      ", not ", paste0("`", both[[2]], "`", collapse = ", "), ".",
      call = call
    )
  }
  base <- do.call(base_points, check_base(n, points, replicates, dimension(p), call))
  if (identical(as.vector(p$frame$support), as.vector(q$frame$support))) {
    # The Jacobians cancel; points close to a bound keep their digits.
    p <- unbounded(p)
    q <- unbounded(q)
  }
  at_call(call, expect_at(p, base, function(x) {
    x <- unname(x)
    log_quantity(p, x, "density", NULL) - log_quantity(q, x, "density", NULL)
  }))
}

#' Quantiles of a density, or of a function of its draws
#'
#' Of one unbounded or bounded column the quantiles of [qcwmix()]; otherwise those of the weighted
#' nodes of formula (19).
#'
#' @param x A `cwmix_density`.
#' @param probs A numeric vector of probabilities.
#' @param f `NULL` for the columns themselves, or a function that takes an n x d matrix of points
#'   and returns their n values, or an n x m matrix.
#' @inheritParams expectation
#' @param ... Must be empty.
#' @return Of one function, or one column, a `"cwmix_expectation"` named by `probs`, else a matrix
#'   with a row a probability and a column a function. The attribute `"se"` has the standard errors:
#'   those of the probability at or below a quantile, carried over (Woodruff 1952); 0 of one column,
#'   which is exact. For probabilities 0 and 1 the columns' bounds are returned, with `f` the
#'   extreme nodes, which have no standard error (`NA`).
#' @section Errors: A condition of class `"cwmix_input_error"`.
#' @references Argouarc'h, Desbouvries, Barat, Kawasaki and Dautremer (2025), Classifier Weighted
#'   Mixture models, arXiv:2501.02989, equation (19). Woodruff (1952), Confidence intervals for
#'   medians and other position measures, Journal of the American Statistical Association 47,
#'   635-646.
#' @examples
#' fit <- gaussian_mixture(faithful, K = 2)
#' set.seed(1)
#' quantile(fit, c(0.05, 0.95))
#' quantile(fit, 0.5, f = function(x) x[, "waiting"] / x[, "eruptions"])
#' @export
quantile.cwmix_density <- function(x, probs = seq(0, 1, 0.25), f = NULL, n = 4096,
                                   points = c("lattice", "random"), replicates = 16, ...) {
  call <- user_call()
  check_dots_empty(..., call = call)
  validate_density(x, "x", call)
  check_probs(probs, call)
  if (!is.null(f) && !is.function(f)) {
    stop_input("`f` must be NULL or a function of an n x d matrix, not ", describe(f), ".",
      call = call
    )
  }
  request <- check_base(n, points, replicates, dimension(x), call)
  names(probs) <- sprintf("%s%%", formatC(100 * probs, format = "fg", width = 1, digits = 7))
  if (is.null(f) && dimension(x) == 1) {
    return(new_expectation(qcwmix(probs, x), 0 * probs))
  }
  base <- do.call(base_points, request)
  nodes <- at_call(call, weighted_nodes(x, base$z, f %||% labelled(x)))
  both <- lapply(seq_len(ncol(nodes$values)), function(m) {
    at <- quantile_at(nodes, nodes$values[, m], probs, base)
    if (is.null(f)) bounded_extremes(at, probs, value_range(x)[m, ]) else at
  })
  if (length(both) == 1) {
    column <- function(which) stats::setNames(both[[1]][, which], names(probs))
    return(new_expectation(column("value"), column("se")))
  }
  table <- function(which) {
    values <- matrix(unlist(lapply(both, function(at) at[, which])), length(probs), length(both))
    dimnames(values) <- list(names(probs), colnames(nodes$values))
    values
  }
  structure(table("value"), se = table("se"))
}

check_probs <- function(probs, call) {
  ok <- is_plain_numeric(probs) && is.null(dim(probs)) && !anyNA(probs) && all(probs >= 0) &&
    all(probs <= 1)
  if (!ok) {
    stop_input("`probs` must be probabilities from 0 to 1, not ",
      if (is_plain_numeric(probs) && length(probs) <= 6) deparse(probs) else describe(probs), ".",
      call = call
    )
  }
}

# A column's extreme quantiles are its bounds.
bounded_extremes <- function(at, probs, support) {
  at[probs == 0, "value"] <- support[1]
  at[probs == 1, "value"] <- support[2]
  at[probs == 0 | probs == 1, "se"] <- 0
  at
}

# Quantiles of values at nodes and their standard errors, which the extremes have none of: a matrix
# with columns value and se.
quantile_at <- function(nodes, values, probs, base) {
  value <- weighted_quantile(values, nodes$weights, probs)
  below <- rowsum(nodes$weights * outer(values, value, "<="), nodes$row)
  se <- counting_error(column_errors(below, base$replicate), nrow(base$z))
  # The error of the probability below, carried over by the slope there, over a span of many nodes.
  reach <- pmax(se, 1 / sqrt(nrow(base$z)))
  lower <- pmax(probs - reach, 0)
  upper <- pmin(probs + reach, 1)
  ends <- weighted_quantile(values, nodes$weights, c(lower, upper))
  span <- diff(matrix(ends, 2, byrow = TRUE))[1, ]
  se <- se * span / (upper - lower)
  cbind(value = value, se = ifelse(probs == 0 | probs == 1, NA, se))
}

# The nodes of weight above 0: list(row, weights, values), the base point of each, its weight, and
# the values of m functions there.
weighted_nodes <- function(object, z, f) {
  at <- nodes(object, z)
  weights <- exp(as.double(at$log_w))
  used <- which(weights > 0)
  list(
    row = (used - 1) %% nrow(z) + 1, weights = weights[used],
    values = call_f(f, data_points(object$frame, at$y[used, , drop = FALSE]))
  )
}

# The smallest value with at least the probability at or below it.
weighted_quantile <- function(values, weights, probs) {
  order <- order(values)
  cumulated <- cumsum(weights[order])
  # Rounding must not lift a probability past the value that has it.
  target <- probs * cumulated[length(cumulated)] * (1 - 1e-12)
  values[order][pmin(findInterval(target, cumulated, left.open = TRUE) + 1, length(order))]
}
