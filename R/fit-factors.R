# Covariances between diagonal and full, for many columns: mixtures by EM whose M step ends in a
# change of each covariance, the low rank plus diagonal of factor analysis or a shrinkage.

# The nearest covariance L L' + Psi with L of `rank` columns and Psi diagonal, by likelihood: given Psi
# the factors are those of the eigenvectors of Psi^-1/2 S Psi^-1/2, and given them Psi is what the
# diagonal lacks (Joereskog 1967, Psychometrika 32, 443-482). The unique variances stay above a two
# hundredth of the whole, as in factanal().
factor_covariance <- function(covariance, rank, steps = 200, tolerance = 1e-4) {
  d <- ncol(covariance)
  scale <- sqrt(diag(covariance))
  correlation <- covariance / tcrossprod(scale)
  unique <- rep(0.5, d)
  for (step in seq_len(steps)) {
    root <- sqrt(unique)
    axes <- eigen(correlation / tcrossprod(root), symmetric = TRUE)
    length <- sqrt(pmax(axes$values[seq_len(rank)] - 1, 0))
    vectors <- axes$vectors[, seq_len(rank), drop = FALSE]
    loadings <- root * vectors * rep(length, each = d)
    following <- pmax(1 - rowSums(loadings^2), 0.005)
    change <- max(abs(following - unique))
    unique <- following
    if (change < tolerance) break
  }
  fitted <- tcrossprod(loadings)
  diag(fitted) <- 1
  fitted * tcrossprod(scale)
}

# The covariance with correlations a share smaller (Friedman 1989).
damped_covariance <- function(covariance, share) {
  variances <- diag(covariance)
  covariance <- (1 - share) * covariance
  diag(covariance) <- variances
  covariance
}

# EM with full covariances, each changed by structure$adjust(covariance) after every M step, all at
# once where they are tied: list(parameters, log_likelihood, interrupted).
em_adjusted <- function(parameters, set, task, structure) {
  control <- task$control
  last <- -Inf
  for (iteration in seq_len(min(control$em_iterations, 100))) {
    step <- em_steps(
      parameters, set$x, set$weights, 1,
      floor = task$floor, pooling = structure$pooling, threads = control$threads
    )
    if (step$status != 0) stop_broken_em(control)
    step$log_cholesky <- adjust_factors(step$log_cholesky, structure)
    parameters <- c(step[c("mean", "log_cholesky")], list(weights = list()), step["biases"])
    gain <- step$log_likelihood[1] - last
    last <- step$log_likelihood[1]
    if (length(step$counts) > 1 && gain >= control$em_tolerance) next
    left <- drop_smallest(parameters, step$counts, set, structure$least, control$threads)
    if (is.null(left)) break
    parameters <- left
    last <- -Inf
  }
  list(parameters = parameters, log_likelihood = last, interrupted = FALSE)
}

adjust_factors <- function(log_cholesky, structure) {
  factors <- exp_diagonal(log_cholesky)
  d <- dim(factors)[1]
  adjusted <- function(k) t(chol(structure$adjust(tcrossprod(matrix(factors[, , k], d)))))
  tied <- structure$pooling$rows == Inf
  # of the same dimensions: one, repeated, or as many as there are
  factors[] <- if (tied) adjusted(1) else vapply(seq_len(dim(factors)[3]), adjusted, diag(d))
  log_diagonal(factors)
}
