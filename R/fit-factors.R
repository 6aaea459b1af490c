# Covariances between diagonal and full, for many columns: mixtures by EM whose M step ends in a
# change of each covariance, the low rank plus diagonal of factor analysis or a shrinkage.

# The nearest covariance L L' + Psi to S with L of `rank` columns and Psi diagonal, by likelihood:
# given Psi the factors are those of the eigenvectors of Psi^-1/2 S Psi^-1/2, and given them Psi is
# what the diagonal lacks (Joereskog 1967, Psychometrika 32, 443-482). While it is found, unique
# variances stay above a two hundredth of the whole, as in factanal(). `unique` are those to start
# from, as shares of the whole: list(covariance, unique).
factor_covariance <- function(covariance, rank, unique = NULL, steps = 200) {
  d <- ncol(covariance)
  scale <- sqrt(diag(covariance))
  correlation <- covariance / tcrossprod(scale)
  unique <- unique %||% rep(0.5, d)
  for (step in seq_len(steps)) {
    root <- sqrt(unique)
    axes <- eigen(correlation / tcrossprod(root), symmetric = TRUE)
    length <- sqrt(pmax(axes$values[seq_len(rank)] - 1, 0))
    loadings <- root * axes$vectors[, seq_len(rank), drop = FALSE] * rep(length, each = d)
    following <- pmax(1 - rowSums(loadings^2), 0.005)
    change <- max(abs(following - unique))
    unique <- following
    if (change < 1e-3) break
  }
  fitted <- tcrossprod(loadings)
  diag(fitted) <- 1
  list(covariance = fitted * tcrossprod(scale), unique = unique)
}

# The covariance with correlations a share smaller (Friedman 1989).
damped_covariance <- function(covariance, share) {
  variances <- diag(covariance)
  covariance <- (1 - share) * covariance
  diag(covariance) <- variances
  list(covariance = covariance)
}

# EM with full covariances, each changed after every M step, all at once where they are tied:
# list(parameters, log_likelihood, interrupted). structure$adjust(covariance, unique) gives
# list(covariance, unique), `unique` being what it gave for the component before, or NULL.
em_adjusted <- function(parameters, set, task, structure) {
  control <- task$control
  last <- -Inf
  unique <- list()
  tolerance <- max(control$em_tolerance, 1e-4)
  most <- min(control$em_iterations, 100)
  for (iteration in seq_len(most)) {
    step <- em_steps(
      parameters, set$x, set$weights, 1,
      floor = task$floor, pooling = structure$pooling, threads = control$threads
    )
    if (step$status != 0) stop_broken_em(control)
    adjusted <- adjust_factors(step$log_cholesky, structure, unique)
    step$log_cholesky <- adjusted$log_cholesky
    unique <- adjusted$unique
    parameters <- c(step[c("mean", "log_cholesky")], list(weights = list()), step["biases"])
    gain <- step$log_likelihood[1] - last
    last <- step$log_likelihood[1]
    if (length(step$counts) > 1 && gain >= tolerance && iteration < most) next
    left <- drop_smallest(
      parameters, step$counts, set, structure$least, control$threads,
      half = iteration < most
    )
    if (is.null(left)) break
    parameters <- left
    unique <- list()
    if (iteration < most) last <- -Inf
  }
  list(parameters = parameters, log_likelihood = last, interrupted = FALSE)
}

adjust_factors <- function(log_cholesky, structure, unique) {
  factors <- exp_diagonal(log_cholesky)
  d <- dim(factors)[1]
  which <- if (structure$pooling$rows == Inf) 1L else seq_len(dim(factors)[3])
  adjusted <- lapply(which, function(k) {
    known <- if (length(unique) > 0) unique[[k]]
    structure$adjust(tcrossprod(matrix(factors[, , k], d)), known)
  })
  # of the same dimensions: one, repeated, or as many as there are
  factors[] <- unlist(lapply(adjusted, function(part) t(chol(part$covariance))))
  list(log_cholesky = log_diagonal(factors), unique = lapply(adjusted, `[[`, "unique"))
}
