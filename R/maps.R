# The components' maps, affine or by families, and the flow before them, for any number of points.

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

# A density with a flow F is that of the components at u = F((y - center) / scale), y on the working
# scale, times the Jacobian.

# What it is there: a density of u without a flow or bounds.
without_flow <- function(object) {
  object$flow <- NULL
  unbounded(object)
}

# u at points on the working scale, and the log of the Jacobian's determinant: list(u, log_det).
flow_forward <- function(object, y, single = engine_single(), threads = NULL) {
  at <- run_flow(object, standard_points(y, object$flow), FALSE, single, threads)
  list(u = at$x, log_det = at$log_det - sum(log(object$flow$scale)))
}

# Back to the working scale, block by block.
flow_inverse <- function(object, u) {
  flow <- object$flow
  y <- matrix(0, nrow(u), ncol(u))
  for (rows in row_blocks(nrow(u), ncol(u))) {
    x <- run_flow(object, u[rows, , drop = FALSE], TRUE, engine_single())$x
    y[rows, ] <- rep(flow$center, each = nrow(x)) + rep(flow$scale, each = nrow(x)) * x
  }
  y
}

# From where the components are to the working scale: nothing to do without a flow.
from_components <- function(object, u) if (is.null(object$flow)) u else flow_inverse(object, u)

run_flow <- function(object, x, inverse, single, threads = NULL) {
  how <- list(single = single, threads = threads)
  engine_flow_pass(full_model(object), x, inverse, how = how)
}

# A function's derivatives at points y = F^-1(u) on the working scale as derivatives in u, with y
# following, and in the flow's parameters, with u held fixed: list(u, parameters).
flow_pullback <- function(object, y, dy) {
  flow <- object$flow
  back <- engine_flow_pullback(
    full_model(object), standard_points(y, flow), dy * rep(flow$scale, each = nrow(dy))
  )
  list(u = back$dx, parameters = unflatten(back$gradient, all_parameters(object))$flow)
}

standard_points <- function(y, flow) {
  for (j in seq_along(flow$scale)) y[, j] <- (y[, j] - flow$center[j]) / flow$scale[j]
  y
}
