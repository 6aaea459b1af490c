# The components' maps, affine or by families, for any number of points.

# z_k = L_k^-1 (y - mu_k), the standardised points of component k.
latent <- function(object, y, k) {
  if (has_families(object)) {
    return(latent_family(object, y, k))
  }
  u <- t(y) - object$mean[k, ]
  z <- if (is.null(object$cholesky)) {
    u / object$sd[k, ]
  } else {
    forwardsolve(matrix(object$cholesky[, , k], nrow(u)), u)
  }
  matrix(t(z), nrow(y), ncol(y))
}

# x = mu_k + L_k z with a component a row.
place <- function(object, z, component) {
  if (has_families(object)) {
    return(place_families(object, z, component))
  }
  if (is.null(object$cholesky)) {
    return(object$mean[component, , drop = FALSE] + object$sd[component, , drop = FALSE] * z)
  }
  y <- object$mean[component, , drop = FALSE]
  for (j in seq_len(ncol(z))) {
    for (l in seq_len(j)) y[, j] <- y[, j] + object$cholesky[j, l, component] * z[, l]
  }
  y
}
