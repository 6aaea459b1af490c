# Means and scales of normal components as the engine and users have them.

# Lower triangular factors with the log of the diagonal in place of the diagonal, and back.
log_diagonal <- function(cholesky) map_diagonal(cholesky, log)

exp_diagonal <- function(log_cholesky) map_diagonal(log_cholesky, exp)

map_diagonal <- function(a, f) {
  d <- dim(a)[1]
  first <- (seq_len(dim(a)[3]) - 1) * d^2
  at <- rep(first, each = d) + seq_len(d) + d * (seq_len(d) - 1)
  a[at] <- f(a[at])
  a
}

covariance_of <- function(cholesky) {
  for (k in seq_len(dim(cholesky)[3])) {
    factor <- matrix(cholesky[, , k], dim(cholesky)[1])
    cholesky[, , k] <- tcrossprod(factor)
  }
  cholesky
}

# Working scale to standardised scale, (y - center) / scale, and back. z is the same on both, so
# the classifier is.
standardise_parameters <- function(parameters, center, scale) {
  # The centre first: -center / scale would round off what means far from zero have in common.
  parameters$mean[] <- parameters$mean - rep(center, each = nrow(parameters$mean))
  rescale_parameters(parameters, 0 * center, 1 / scale)
}

unstandardise_parameters <- function(parameters, center, scale) {
  rescale_parameters(parameters, center, scale)
}

# The parameters of shift + factor * Y from those of Y.
rescale_parameters <- function(parameters, shift, factor) {
  K <- nrow(parameters$mean)
  by_column <- function(values) rep(values, each = K)
  parameters$mean[] <- parameters$mean * by_column(factor) + by_column(shift)
  if (!is.null(parameters$log_sd)) {
    parameters$log_sd[] <- parameters$log_sd + by_column(log(factor))
  } else {
    parameters$log_cholesky <- log_diagonal(exp_diagonal(parameters$log_cholesky) * factor)
  }
  parameters
}

order_components <- function(parameters, order) {
  parameters$mean <- parameters$mean[order, , drop = FALSE]
  if (!is.null(parameters$log_sd)) {
    parameters$log_sd <- parameters$log_sd[order, , drop = FALSE]
  } else {
    parameters$log_cholesky <- parameters$log_cholesky[, , order, drop = FALSE]
  }
  last <- length(parameters$weights)
  if (last > 0) {
    parameters$weights[[last]] <- parameters$weights[[last]][order, , drop = FALSE]
  }
  parameters$biases[[max(last, 1)]] <- parameters$biases[[max(last, 1)]][order]
  parameters
}

# The components that have a standard deviation at the floor, up to rounding, in some direction.
which_at_floor <- function(floor, parameters) {
  if (!any(floor > 0)) {
    return(integer())
  }
  K <- nrow(parameters$mean)
  least <- vapply(seq_len(K), function(k) {
    if (!is.null(parameters$log_sd)) {
      return(min(exp(parameters$log_sd[k, ]) / floor))
    }
    factor <- exp_diagonal(parameters$log_cholesky[, , k, drop = FALSE])
    min(svd(matrix(factor, length(floor)) / floor, 0, 0)$d)
  }, 0)
  # A factor of columns that nearly determine each other has its least direction to some 1e-4.
  which(least < 1 + 1e-3)
}

components_at <- function(floor, parameters) length(which_at_floor(floor, parameters))

# All components with the same standard deviations (one a column).
mixture_parameters <- function(mean, sd, full, log_weights) {
  K <- nrow(mean)
  d <- ncol(mean)
  scale <- if (full) {
    list(log_cholesky = array(diag(log(sd), d), c(d, d, K)))
  } else {
    list(log_sd = matrix(log(sd), K, d, byrow = TRUE))
  }
  c(list(mean = unname(mean)), scale, list(weights = list(), biases = list(log_weights)))
}

# The standard deviation of every component in every column, K x d, from those or from factors: the
# lengths of a factor's rows, whose squares may leave the range of doubles.
component_sd <- function(sd, cholesky) {
  if (!is.null(sd)) {
    return(unname(sd))
  }
  t(matrix(apply(cholesky, c(1, 3), row_length), dim(cholesky)[1]))
}

row_length <- function(row) max(abs(row)) * sqrt(sum((row / max(abs(row)))^2))

# (y - center) / scale of each column, and back.
standardise <- function(y, center, scale) {
  for (j in seq_along(scale)) y[, j] <- (y[, j] - center[j]) / scale[j]
  y
}

unstandardise <- function(x, center, scale) {
  for (j in seq_along(scale)) x[, j] <- center[j] + scale[j] * x[, j]
  x
}
