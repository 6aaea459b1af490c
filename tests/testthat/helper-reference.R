# Slow, obvious versions of the package's formulas, one row and one component at a
# time. Numbers in brackets are those of the paper: (16) is the density
#
#   p(x) = sum_k w_k(z_k) N(x; mu_k, L_k L_k'),   z_k = L_k^-1 (x - mu_k),
#
# (12) is the same formula for any invertible map. `p` is always a plain list of
# mean (K x d), log_sd (K x d) or log_cholesky (d x d x K), weights, biases and
# activation, and `x` an n x d matrix on the scale of `mean`. Where `p` has a `flow`
# (weights and biases of a coupling layer after the other) and its `shape` (the rest of
# what it is), `x` is on the other side of it: see reference_flow(). Where `shape$count` is
# not 1 the weights are those of such a flow for a component after the other, and so are
# the biases: see flow_of().

reference_activate <- function(a, activation) {
  switch(activation,
    tanh = tanh(a),
    relu = ifelse(Re(a) > 0, a, 0), # of complex numbers: see complex_step()
    silu = a / (1 + exp(-a))
  )
}

reference_slope <- function(a, activation) {
  switch(activation,
    tanh = 1 / cosh(a)^2,
    relu = ifelse(a > 0, 1, 0),
    silu = plogis(a) + a * plogis(a) * (1 - plogis(a))
  )
}

# The network at one point: what enters each layer and what it adds up to there.
# The last layer's sums are the logits f(z); without weights they are the biases.
reference_network <- function(z, p) {
  layers <- length(p$weights)
  if (layers == 0L) {
    return(list(inputs = list(), sums = list(), logits = p$biases[[1L]]))
  }
  inputs <- vector("list", layers)
  sums <- vector("list", layers)
  inputs[[1L]] <- z
  for (l in seq_len(layers)) {
    sums[[l]] <- drop(p$weights[[l]] %*% inputs[[l]]) + p$biases[[l]]
    if (l < layers) {
      inputs[[l + 1L]] <- reference_activate(sums[[l]], p$activation)
    }
  }
  list(inputs = inputs, sums = sums, logits = sums[[layers]])
}

reference_log_sum_exp <- function(a) {
  top <- max(a)
  if (top == -Inf) -Inf else top + log(sum(exp(a - top)))
}

reference_log_softmax <- function(f) f - reference_log_sum_exp(f)

# w(z): the classifier's probabilities at the rows of z, n x K.
reference_classifier <- function(z, p, log = FALSE) {
  value <- matrix(0, nrow(z), length(p$biases[[length(p$biases)]]))
  for (i in seq_len(nrow(z))) {
    value[i, ] <- reference_log_softmax(reference_network(z[i, ], p)$logits)
  }
  if (log) value else exp(value)
}

# L_k of component k.
reference_factor <- function(p, k) {
  d <- ncol(p$mean)
  if (!is.null(p$log_sd)) {
    return(diag(exp(p$log_sd[k, ]), d, d))
  }
  l <- matrix(p$log_cholesky[, , k], d, d)
  diag(l) <- exp(diag(l))
  l[upper.tri(l)] <- 0
  l
}

# z_k = L_k^-1 (x - mu_k) of one row, for the component's mean and factor.
reference_latent <- function(x, mean, l) {
  r <- x - mean
  z <- numeric(length(r))
  for (j in seq_along(r)) {
    z[j] <- (r[j] - sum(l[j, seq_len(j - 1L)] * z[seq_len(j - 1L)])) / l[j, j]
  }
  z
}

# log N(x_i; mu_k, Sigma_k) = -d/2 log(2 pi) - z_k'z_k / 2 - log det L_k, n x K.
reference_log_component <- function(x, p) {
  value <- matrix(0, nrow(x), nrow(p$mean))
  for (k in seq_len(nrow(p$mean))) {
    l <- reference_factor(p, k)
    for (i in seq_len(nrow(x))) {
      z <- reference_latent(x[i, ], p$mean[k, ], l)
      value[i, k] <- -ncol(x) / 2 * log(2 * pi) - sum(z^2) / 2 - sum(log(diag(l)))
    }
  }
  value
}

# The functional weights log pi_k(x_i) = log w_k(z_ik), n x K.
reference_log_weights <- function(x, p) {
  value <- matrix(0, nrow(x), nrow(p$mean))
  for (k in seq_len(nrow(p$mean))) {
    l <- reference_factor(p, k)
    for (i in seq_len(nrow(x))) {
      f <- reference_network(reference_latent(x[i, ], p$mean[k, ], l), p)$logits
      value[i, k] <- reference_log_softmax(f)[k]
    }
  }
  value
}

# (16), the log of the sum over components.
reference_log_density <- function(x, p) reference_log_quantities(x, p)$density

# log v_k(x) = log w_k(z_k) + log N(x; mu_k, Sigma_k) - log p(x), n x K.
reference_log_posterior <- function(x, p) reference_log_quantities(x, p)$posterior

# Everything predict() knows, as logarithms, by its type.
reference_log_quantities <- function(x, p) {
  if (!is.null(p$flow)) {
    return(reference_quantities_behind_flow(x, p))
  }
  component <- reference_log_component(x, p)
  weights <- reference_log_weights(x, p)
  density <- apply(weights + component, 1L, reference_log_sum_exp)
  list(
    density = density, posterior = weights + component - density,
    weights = weights, component = component
  )
}

# Gradient of sum_i a_i log p(x_i), in the names and shapes of coef().
reference_gradient <- function(x, p, a = rep(1, nrow(x))) {
  if (!is.null(p$flow)) {
    return(reference_gradient_behind_flow(x, p, a))
  }
  g <- reference_zero(p)
  v <- exp(reference_log_posterior(x, p))
  for (k in seq_len(nrow(p$mean))) {
    l <- reference_factor(p, k)
    for (i in seq_len(nrow(x))) {
      g <- reference_add_gradient(g, x[i, ], p, k, l, a[i] * v[i, k])
    }
  }
  g
}

# Zeros in the names and shapes of coef().
reference_zero <- function(p) {
  g <- p[intersect(c("mean", "log_sd", "log_cholesky", "weights", "biases", "flow"), names(p))]
  g <- rapply(g, function(entry) entry * 0, how = "replace")
  # -Inf, the log of a zero weight, times 0 is NaN
  g$biases <- lapply(p$biases, function(b) numeric(length(b)))
  g
}

# Adds what component k, of factor l and posterior v (times the row's weight),
# contributes.
reference_add_gradient <- function(g, x, p, k, l, v) {
  z <- reference_latent(x, p$mean[k, ], l)
  net <- reference_network(z, p)
  # to the logits at z_k: v_k (delta_jk - w_j(z_k))
  df <- -v * exp(reference_log_softmax(net$logits))
  df[k] <- df[k] + v
  back <- reference_back_propagate(g, net, df, p)
  g <- back$g
  # to z_k: through the network, and -v_k z_k from the base density
  dz <- -v * z
  if (length(p$weights) > 0L) {
    dz <- dz + back$dz
  }
  # z = L^-1 (x - mu):  dz/dmu = -L^-1,  dz = -L^-1 dL z;  -v_k from log det L
  u <- drop(backsolve(t(l), dz))
  g$mean[k, ] <- g$mean[k, ] - u
  if (!is.null(p$log_sd)) {
    g$log_sd[k, ] <- g$log_sd[k, ] - u * diag(l) * z - v
    return(g)
  }
  for (row in seq_along(z)) {
    for (column in seq_len(row)) {
      slope <- -u[row] * z[column]
      if (row == column) {
        slope <- slope * l[row, row] - v
      }
      g$log_cholesky[row, column, k] <- g$log_cholesky[row, column, k] + slope
    }
  }
  g
}

# From the gradient to the logits to those of every layer and of the point.
reference_back_propagate <- function(g, net, df, p) {
  layers <- length(p$weights)
  if (layers == 0L) {
    g$biases[[1L]] <- g$biases[[1L]] + df
    return(list(g = g, dz = NULL))
  }
  dsum <- df
  for (l in rev(seq_len(layers))) {
    g$weights[[l]] <- g$weights[[l]] + outer(dsum, net$inputs[[l]])
    g$biases[[l]] <- g$biases[[l]] + dsum
    dinput <- drop(t(p$weights[[l]]) %*% dsum)
    if (l > 1L) {
      dsum <- dinput * reference_slope(net$sums[[l - 1L]], p$activation)
    }
  }
  list(g = g, dz = dinput)
}

# One iteration for a Gaussian mixture, p$biases = list(log pi), with observation
# weights a, a floor under the standard deviations, one a column, and pooling =
# pool(rows, spherical); `log_likelihood` is the mean per unit of weight before the iteration.
# Components of next to no weight keep their place.
reference_em_step <- function(x, p, a = rep(1, nrow(x)), floor = double(ncol(x)),
                              pooling = pool()) {
  before <- reference_log_quantities(x, p)
  v <- exp(before$posterior)
  value <- p
  value$log_likelihood <- sum(a * before$density) / sum(a)
  size <- colSums(a * v)
  value$biases[[1L]] <- log(size / sum(a))
  full <- which(size > 1e-10 * sum(a))
  sigma <- rep(list(NULL), length(size))
  for (k in full) {
    value$mean[k, ] <- colSums(a * v[, k] * x) / size[k]
    sigma[[k]] <- matrix(0, ncol(x), ncol(x))
    for (i in seq_len(nrow(x))) {
      r <- x[i, ] - value$mean[k, ]
      sigma[[k]] <- sigma[[k]] + a[i] * v[i, k] * outer(r, r) / size[k]
    }
  }
  if (pooling$rows > 0) sigma <- reference_pool(sigma, size, full, pooling$rows)
  for (k in which(lengths(sigma) > 0)) {
    value <- reference_set_covariance(value, k, sigma[[k]], floor, pooling$spherical)
  }
  value
}

# Covariances shrunk towards their mean by weight as by so many rows (Friedman 1989), for
# infinitely many all the same. Only those of `full` count; the others become the mean.
reference_pool <- function(sigma, size, full, rows) {
  mean <- 0
  for (k in full) mean <- mean + size[k] / sum(size[full]) * sigma[[k]]
  lapply(seq_along(sigma), function(k) {
    if (rows == Inf || !k %in% full) {
      return(mean)
    }
    (size[k] * sigma[[k]] + rows * mean) / (size[k] + rows)
  })
}

reference_set_covariance <- function(p, k, sigma, floor, spherical) {
  if (is.null(p$log_sd)) {
    l <- t(chol(reference_raise(sigma, floor)))
    diag(l) <- log(diag(l))
    p$log_cholesky[, , k] <- l
  } else if (spherical) {
    p$log_sd[k, ] <- log(max(mean(diag(sigma)), floor^2)) / 2
  } else {
    p$log_sd[k, ] <- log(pmax(diag(sigma), floor^2)) / 2
  }
  p
}

# Among covariances whose standard deviation is nowhere below the floor the one of the
# largest likelihood: eigenvalues in units of the floor are raised to one.
reference_raise <- function(sigma, floor) {
  if (any(floor == 0)) {
    return(sigma)
  }
  unit <- diag(floor, length(floor))
  e <- eigen(solve(unit) %*% sigma %*% solve(unit), symmetric = TRUE)
  raised <- matrix(0, length(floor), length(floor))
  for (j in seq_along(floor)) {
    raised <- raised + max(e$values[j], 1) * tcrossprod(e$vectors[, j])
  }
  unit %*% raised %*% unit
}

# Adam uphill on the mean of a_i log p(x_i), a step a batch (a list of row numbers), from
# moments of zero:
#
#   g <- g min(1, clip / |g|),            W <- W (1 - rate decay), the weight matrices alone,
#   m <- b1 m + (1 - b1) g,               v <- b2 v + (1 - b2) g^2,
#   p <- p + rate m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + epsilon),
#
# and at last log s (or log L_jj) is raised to its floor.
reference_adam <- function(p, x, a, batches, rates, decay, clip, recency, log_floor,
                           epsilon = 1e-8, b1 = 0.9, b2 = 0.999) {
  blocks <- gradient_blocks(p)
  m <- v <- lapply(blocks, function(block) 0 * get_block(p, block))
  scores <- double(length(batches))
  iterates <- list()
  for (t in seq_along(batches)) {
    rows <- batches[[t]]
    points <- x[rows, , drop = FALSE]
    scores[t] <- sum(a[rows] * reference_log_density(points, p)) / length(rows)
    gradient <- reference_gradient(points, p, a[rows])
    g <- lapply(blocks, function(block) get_block(gradient, block) / length(rows))
    norm <- sqrt(sum(unlist(g)^2))
    for (b in seq_along(blocks)) {
      clipped <- g[[b]] * min(1, clip / norm)
      m[[b]] <- b1 * m[[b]] + (1 - b1) * clipped
      v[[b]] <- b2 * v[[b]] + (1 - b2) * clipped^2
      value <- get_block(p, blocks[[b]])
      if ("weights" %in% blocks[[b]]) value <- value * (1 - rates[t] * decay)
      step <- rates[t] * (m[[b]] / (1 - b1^t)) / (sqrt(v[[b]] / (1 - b2^t)) + epsilon)
      p <- set_block(p, blocks[[b]], value + step)
    }
    if (!isTRUE(p$shape$fixed)) p <- reference_raise_scales(p, log_floor)
    iterates[[t]] <- unlist(reference_coef(p))
  }
  average <- unflatten(reference_average(iterates, recency), reference_coef(p))
  c(p, list(average = average, scores = scores))
}

# The weighted mean of iterates in which that of step t has the weight of t (t + 1) ... (t + c - 1).
reference_average <- function(iterates, c) {
  steps <- seq_along(iterates)
  weights <- exp(lgamma(steps + c) - lgamma(steps))
  drop(do.call(cbind, iterates) %*% (weights / sum(weights)))
}

reference_raise_scales <- function(p, log_floor) {
  for (k in seq_len(nrow(p$mean))) {
    for (j in seq_len(ncol(p$mean))) {
      if (!is.null(p$log_sd)) {
        p$log_sd[k, j] <- max(p$log_sd[k, j], log_floor[j])
      } else {
        p$log_cholesky[j, j, k] <- max(p$log_cholesky[j, j, k], log_floor[j])
      }
    }
  }
  p
}

# The learning rate at the fraction f of all steps: linear from a 25th of the largest at 0
# up to the largest at 0.3, from there half a cosine down to 0.
reference_schedule <- function(f, rate) {
  ifelse(
    f < 0.3, rate * (1 / 25 + 24 / 25 * f / 0.3), rate * (1 + cos(pi * (f - 0.3) / 0.7)) / 2
  )
}

# Gradient of the scalar function f at the numeric vector x, at the given entries:
# central differences of steps h and h/2, extrapolated, so that the error is of
# order h^4 plus rounding of order 1e-16 |f| / h. A step this small also keeps the
# two sides of a ReLU's kink from mixing but rarely.
finite_difference <- function(f, x, entries = seq_along(x), h = 1e-4) {
  central <- function(i, h) {
    up <- down <- x
    up[i] <- x[i] + h
    down[i] <- x[i] - h
    (f(up) - f(down)) / (up[i] - down[i])
  }
  vapply(
    entries,
    function(i) (4 * central(i, h / 2) - central(i, h)) / 3,
    numeric(1)
  )
}

# n draws, list(x, component, z): row by row z from N(0, I) and a uniform u, the first k
# whose cumulated w(z) reaches u, and x = mu_k + L_k z.
reference_simulate <- function(n, p) {
  d <- ncol(p$mean)
  draws <- list(x = matrix(0, n, d), component = integer(n), z = matrix(0, n, d))
  for (i in seq_len(n)) {
    z <- rnorm(d)
    u <- runif(1)
    w <- exp(reference_log_softmax(reference_network(z, p)$logits))
    k <- which(cumsum(w) >= u)[1]
    draws$x[i, ] <- p$mean[k, ] + drop(reference_factor(p, k) %*% z)
    draws$component[i] <- k
    draws$z[i, ] <- z
  }
  draws
}

# z_k at the rows of x, k the first whose cumulated posterior reaches the row's uniform.
reference_residuals <- function(x, p) {
  v <- exp(reference_log_posterior(x, p))
  u <- runif(nrow(x))
  t(vapply(seq_len(nrow(x)), function(i) {
    k <- which(cumsum(v[i, ]) >= u[i])[1]
    reference_latent(x[i, ], p$mean[k, ], reference_factor(p, k))
  }, x[1, ]))
}

# The distribution function by quadrature, at sorted points.
reference_distribution <- function(model, q, lower = -Inf) {
  piece <- function(from, to) integrate(predict, from, to, object = model, rel.tol = 1e-8)$value
  cumsum(vapply(seq_along(q), function(i) piece(if (i == 1) lower else q[i - 1], q[i]), 0))
}

# What reference_log_quantities() says of sum_m share_m p_m(x), p_m of the parameters ps[[m]].
reference_log_average <- function(x, ps, shares) {
  parts <- lapply(ps, function(p) reference_log_quantities(x, p))
  stacked <- function(name) do.call(cbind, lapply(parts, `[[`, name))
  component <- stacked("component")
  sizes <- vapply(ps, function(p) nrow(p$mean), 0L)
  weights <- stacked("weights") + rep(log(rep(shares, sizes)), each = nrow(x))
  density <- apply(weights + component, 1L, reference_log_sum_exp)
  list(
    density = density, posterior = weights + component - density,
    weights = weights, component = component
  )
}

# Gradient of sum_i a_i log p(x_i), a list with a member's gradient each:
#   grad log p = sum_m share_m p_m / p grad log p_m.
reference_average_gradient <- function(x, ps, shares, a = rep(1, nrow(x))) {
  log_density <- reference_log_average(x, ps, shares)$density
  Map(function(p, share) {
    r <- exp(log(share) + reference_log_density(x, p) - log_density)
    reference_gradient(x, p, a * r)
  }, ps, shares)
}

# Steps of EM for the weights of a mixture of candidates, from those given, until none moves by more
# than 1e-6; each takes from a candidate what its df are more than the mean's, as a share of n.
reference_stacked_weights <- function(scores, a, df = numeric(ncol(scores)),
                                      start = rep(1 / ncol(scores), ncol(scores)), steps = 300) {
  n <- nrow(scores)
  a <- a / sum(a)
  weights <- start
  for (step in seq_len(steps)) {
    posterior <- matrix(0, n, ncol(scores))
    for (i in seq_len(n)) {
      posterior[i, ] <- exp(reference_log_softmax(log(weights) + scores[i, ]))
    }
    following <- numeric(ncol(scores))
    for (m in seq_along(following)) {
      # no candidate gains more than twice what it has
      price <- max((df[m] - sum(weights * df)) / n, -0.5)
      following[m] <- sum(a * posterior[, m]) / (1 + price)
    }
    following <- following / sum(following)
    moved <- max(abs(following - weights))
    weights <- following
    if (moved < 1e-6) break
  }
  weights
}

# Log densities of the rows of x, on the scale of the data, under the fits of a candidate to all
# folds but the one that holds the row.
reference_held_out <- function(search, candidate, activation = "tanh") {
  sample <- search$task$sample
  value <- numeric(nrow(sample$y))
  for (i in seq_along(value)) {
    fold <- which(vapply(search$folds, function(fold) i %in% fold$held, NA))
    p <- c(candidate$fits[[fold]], list(activation = activation))
    y <- sample$y[i, ]
    view <- candidate$views[[fold]]
    if (is.null(view)) {
      u <- (y - sample$center) / sample$scale
      value[i] <- reference_log_density(rbind(u), p) - sum(log(sample$scale))
      next
    }
    log_slope <- 0
    for (j in seq_along(y)) {
      kind <- column_maps[[view$maps[[j]]$kind]]
      at <- kind$forward(view$maps[[j]], y[j])
      log_slope <- log_slope + at$log_slope - log(view$scale[j])
      y[j] <- (at$u - view$center[j]) / view$scale[j]
    }
    value[i] <- reference_log_density(rbind(y), p) + log_slope
  }
  value
}

# a_i times the gradient of log p(x_i) in x_i, n x d. The density depends on x - mu_k alone: moving
# a point is moving all means the other way.
reference_point_gradient <- function(x, p, a = rep(1, nrow(x))) {
  if (!is.null(p$flow)) {
    return(reference_point_gradient_behind_flow(x, p, a))
  }
  value <- x
  for (i in seq_len(nrow(x))) {
    value[i, ] <- -colSums(reference_gradient(x[i, , drop = FALSE], p, a[i])$mean)
  }
  value
}

# x_k = mu_k + L_k z.
reference_node <- function(z, p, k) p$mean[k, ] + drop(reference_factor(p, k) %*% z)

# (19), the mean over base points of sum_k w_k(z_i) f(x_ik).
reference_expectation <- function(z, p, f) {
  w <- reference_classifier(z, p)
  total <- 0
  for (i in seq_len(nrow(z))) {
    for (k in seq_len(ncol(w))) {
      total <- total + w[i, k] * f(matrix(reference_node(z[i, ], p, k), 1))
    }
  }
  total / nrow(z)
}

# Its gradient:  dlog w_k = w_k f(x_k),  dx_k = w_k f'(x_k).
reference_expectation_gradient <- function(z, p, f, gradient) {
  w <- reference_classifier(z, p) / nrow(z)
  g <- reference_zero(p)
  for (i in seq_len(nrow(z))) {
    dlog_w <- numeric(ncol(w))
    dx <- matrix(0, ncol(w), ncol(z))
    for (k in seq_len(ncol(w))) {
      x <- matrix(reference_node(z[i, ], p, k), 1)
      dlog_w[k] <- w[i, k] * f(x)
      dx[k, ] <- w[i, k] * gradient(x)
    }
    g <- reference_add_nodes(g, z[i, ], p, dlog_w, dx)
  }
  g
}

# Adds the gradient of a function of the weights and nodes at one base point, given its
# derivatives in log w_k (K) and in the nodes x_k (K x d).
reference_add_nodes <- function(g, z, p, dlog_w, dx) {
  net <- reference_network(z, p)
  # log w_k = f_k - log sum_j exp f_j:  df_j = dlog w_j - w_j sum_k dlog w_k
  df <- dlog_w - exp(reference_log_softmax(net$logits)) * sum(dlog_w)
  g <- reference_back_propagate(g, net, df, p)$g
  for (k in seq_len(nrow(dx))) {
    l <- diag(reference_factor(p, k))
    # x = mu + L z:  dL = dx z', and dlog L_jj = dL_jj L_jj
    slope <- outer(dx[k, ], z)
    diag(slope) <- diag(slope) * l
    slope[upper.tri(slope)] <- 0
    g$mean[k, ] <- g$mean[k, ] + dx[k, ]
    if (!is.null(p$log_sd)) {
      g$log_sd[k, ] <- g$log_sd[k, ] + diag(slope)
    } else {
      g$log_cholesky[, , k] <- g$log_cholesky[, , k] + slope
    }
  }
  g
}

# y = softmax((log w(z_i) + g_i) / t), n x K, given the noise g (n x K).
reference_relaxed_shares <- function(z, p, noise, temperature) {
  shares <- reference_classifier(z, p, log = TRUE)
  for (i in seq_len(nrow(z))) {
    shares[i, ] <- exp(reference_log_softmax((shares[i, ] + noise[i, ]) / temperature))
  }
  shares
}

# sum_k y_k x_k, row by row.
reference_relaxed_draws <- function(z, p, noise, temperature) {
  y <- reference_relaxed_shares(z, p, noise, temperature)
  x <- 0 * z
  for (i in seq_len(nrow(z))) {
    for (k in seq_len(ncol(y))) x[i, ] <- x[i, ] + y[i, k] * reference_node(z[i, ], p, k)
  }
  x
}

# The gradient of the mean of f over relaxed draws, by the Jacobian of softmax, entry by entry:
#   dy_k / dlog w_j = y_k (delta_kj - y_j) / t.
reference_relaxed_gradient <- function(z, p, gradient, noise, temperature) {
  y <- reference_relaxed_shares(z, p, noise, temperature)
  slopes <- gradient(reference_relaxed_draws(z, p, noise, temperature)) / nrow(z)
  K <- ncol(y)
  g <- reference_zero(p)
  for (i in seq_len(nrow(z))) {
    dlog_w <- numeric(K)
    for (k in seq_len(K)) {
      dy <- sum(slopes[i, ] * reference_node(z[i, ], p, k))
      for (j in seq_len(K)) {
        dlog_w[j] <- dlog_w[j] + dy * y[i, k] * ((k == j) - y[i, j]) / temperature
      }
    }
    g <- reference_add_nodes(g, z[i, ], p, dlog_w, outer(y[i, ], slopes[i, ]))
  }
  g
}

# The draws of base points z and uniforms u, as in reference_simulate().
reference_draws_at <- function(z, u, p) {
  x <- z
  for (i in seq_len(nrow(z))) {
    w <- exp(reference_log_softmax(reference_network(z[i, ], p)$logits))
    x[i, ] <- reference_node(z[i, ], p, which(cumsum(w) >= u[i])[1])
  }
  x
}

# REINFORCE: the mean of (f(x_i) - b_i) times the gradient of log p(x_i), b_i the mean of the other
# values.
reference_score_gradient <- function(x, p, f) {
  values <- f(x)
  baseline <- vapply(seq_along(values), function(i) mean(values[-i]), 0)
  reference_gradient(x, p, (values - baseline) / nrow(x))
}

# The evidence lower bound at base points, (19) of log p - log q; `target` gives log p at one row.
# Its derivative in p where q are the same parameters is the whole gradient, where they are fixed
# that without the score term.
reference_elbo <- function(z, p, target, q = p) {
  reference_expectation(z, p, function(x) target(x) - reference_log_density(x, q))
}

# A flow F at the rows of x: list(x, log_det), layer by layer. Layer l = 0, 1, ... leaves the
# coordinates j = 0, 1, ... with j %% 2 == l %% 2 as they are; a network of these says how each of
# the others is transformed. A single coordinate is transformed in each layer, by its biases. The
# inverse undoes the layers, last to first, and has the log-determinant of its own map.
reference_flow <- function(x, p, inverse = FALSE) {
  log_det <- double(nrow(x))
  layers <- seq_len(p$shape$layers) - 1
  for (l in if (inverse) rev(layers) else layers) {
    passed <- (seq_len(ncol(x)) - 1) %% 2 == l %% 2
    if (ncol(x) == 1) passed <- FALSE
    raw <- reference_coupling_network(
      x[, passed, drop = FALSE], p$flow$weights[[l + 1]], p$flow$biases[[l + 1]], p$shape$activation
    )
    outputs <- ncol(raw) / sum(!passed)
    for (c in seq_len(sum(!passed))) {
      j <- which(!passed)[c]
      mine <- raw[, (c - 1) * outputs + seq_len(outputs), drop = FALSE]
      out <- if (p$shape$kind == "realnvp") {
        reference_affine_coupling(x[, j], mine, inverse)
      } else {
        reference_spline_coupling(x[, j], mine, p$shape$bins, p$shape$tail_bound, inverse)
      }
      x[, j] <- out$x
      log_det <- log_det + out$log_det
    }
  }
  list(x = x, log_det = log_det)
}

# The outputs of a network at all rows of x, n x outputs.
reference_coupling_network <- function(x, weights, biases, activation) {
  for (l in seq_along(weights)) {
    x <- x %*% t(weights[[l]]) + rep(biases[[l]], each = nrow(x))
    if (l < length(weights)) x <- reference_activate(x, activation)
  }
  x
}

# y = x exp(s) + t,  s = 2 tanh(raw / 2).
reference_affine_coupling <- function(x, raw, inverse) {
  s <- 2 * tanh(raw[, 1] / 2)
  t <- raw[, 2]
  if (inverse) {
    list(x = (x - t) / exp(s), log_det = -s)
  } else {
    list(x = x * exp(s) + t, log_det = s)
  }
}

# The rational quadratic spline of Durkan et al. (2019), equations 4 to 8, from K raw widths, K raw
# heights and K - 1 raw derivatives a row.
reference_spline_coupling <- function(x, raw, K, bound, inverse) {
  least <- 1e-3
  n <- length(x)
  sizes <- function(a) {
    a <- exp(a - apply(Re(a), 1, max))
    2 * bound * (least + (1 - K * least) * a / rowSums(a))
  }
  knots <- function(sizes) {
    inner <- matrix(0 * sizes, n)
    for (k in seq_len(K)) inner[, k] <- -bound + rowSums(sizes[, seq_len(k), drop = FALSE])
    cbind(-bound, inner[, -K, drop = FALSE], bound)
  }
  widths <- sizes(raw[, seq_len(K), drop = FALSE])
  heights <- sizes(raw[, K + seq_len(K), drop = FALSE])
  slopes <- reference_softplus(raw[, 2 * K + seq_len(K - 1), drop = FALSE] + log(expm1(1 - least)))
  slopes <- cbind(1, least + slopes, 1)

  inside <- abs(Re(x)) <= bound
  at <- ifelse(inside, x, 0)
  ends <- Re(knots(if (inverse) heights else widths))
  bin <- 1 + rowSums(Re(at) >= ends[, -c(1, K + 1), drop = FALSE])
  pick <- function(a, offset = 0) a[cbind(seq_len(n), bin + offset)]
  w <- pick(widths)
  h <- pick(heights)
  s <- h / w
  left <- pick(slopes)
  right <- pick(slopes, 1)
  bend <- left + right - 2 * s
  if (inverse) {
    rise <- at - pick(knots(heights))
    a <- h * (s - left) + rise * bend
    b <- h * left - rise * bend
    c <- -s * rise
    xi <- 2 * c / (-b - sqrt(reference_positive_part(b^2 - 4 * a * c)))
    value <- pick(knots(widths)) + xi * w
  } else {
    xi <- (at - pick(knots(widths))) / w
    value <- pick(knots(heights)) +
      h * (s * xi^2 + left * xi * (1 - xi)) / (s + bend * xi * (1 - xi))
  }
  slope <- s^2 * (right * xi^2 + 2 * s * xi * (1 - xi) + left * (1 - xi)^2) /
    (s + bend * xi * (1 - xi))^2
  log_det <- if (inverse) -log(slope) else log(slope)
  list(x = ifelse(inside, value, x), log_det = ifelse(inside, log_det, 0))
}

reference_softplus <- function(a) ifelse(Re(a) > 0, a + log(1 + exp(-a)), log(1 + exp(a)))

reference_positive_part <- function(a) ifelse(Re(a) > 0, a, 0)

# Derivatives of a real function f that also takes complex numbers, in the entries of x, to the last
# digit: f(x + ih) = f(x) + ih f'(x) for an h whose square is nothing.
complex_step <- function(f, x) {
  h <- 1e-30
  vapply(seq_along(x), function(i) Im(f(replace(x, i, x[i] + h * 1i))) / h, 0)
}

# The parameters with flow k alone.
flow_of <- function(p, k) {
  if (has_own_flows(p)) {
    p$flow <- lapply(p$flow, `[[`, k)
    p$shape$count <- 1L
  }
  p
}

has_own_flows <- function(p) isTRUE(p$shape$count > 1)

# The mixture behind a flow, a density of u = F(x).
reference_base <- function(p) p[setdiff(names(p), c("flow", "shape"))]

# (12): component k sees u_k = F_k(x), where its density is N(u_k; ...) |det dF_k|.
reference_own_quantities <- function(x, p) {
  component <- weights <- matrix(0, nrow(x), nrow(p$mean))
  for (k in seq_len(nrow(p$mean))) {
    u <- reference_flow(x, flow_of(p, k))
    component[, k] <- reference_log_component(u$x, reference_base(p))[, k] + u$log_det
    weights[, k] <- reference_log_weights(u$x, reference_base(p))[, k]
  }
  density <- apply(weights + component, 1L, reference_log_sum_exp)
  list(
    density = density, posterior = weights + component - density,
    weights = weights, component = component
  )
}

# With v the posterior times a, the gradient of sum_i a_i log p(x_i) is that of
# sum_ik v_ik log(w_k(z_ik) N(u_ik; ...) |det dF_k|), v being held fixed: list(g, du, v), where g is
# that in what stands behind the flows and du[[k]], n x d, that in u_k.
reference_own_parts <- function(x, p, a) {
  base <- reference_base(p)
  v <- a * exp(reference_own_quantities(x, p)$posterior)
  g <- reference_zero(base)
  du <- list()
  for (k in seq_len(nrow(p$mean))) {
    u <- reference_flow(x, flow_of(p, k))$x
    du[[k]] <- 0 * x
    for (i in seq_len(nrow(x))) {
      before <- g
      g <- reference_add_gradient(g, u[i, ], base, k, reference_factor(base, k), v[i, k])
      # as in reference_point_gradient()
      du[[k]][i, ] <- before$mean[k, ] - g$mean[k, ]
    }
  }
  list(g = g, du = du, v = v)
}

reference_own_gradient <- function(x, p, a) {
  parts <- reference_own_parts(x, p, a)
  g <- parts$g
  g$flow <- p$flow
  for (k in seq_len(nrow(p$mean))) {
    one <- flow_of(p, k)
    flat <- complex_step(function(theta) {
      u <- reference_flow(x, replace_flow(one, theta))
      sum(parts$du[[k]] * u$x) + sum(parts$v[, k] * u$log_det)
    }, flatten(one$flow))
    found <- unflatten(flat, one$flow)
    g$flow$weights[[k]] <- found$weights
    g$flow$biases[[k]] <- found$biases
  }
  g
}

reference_own_point_gradient <- function(x, p, a) {
  parts <- reference_own_parts(x, p, a)
  dx <- 0 * x
  for (k in seq_len(nrow(p$mean))) {
    dx[] <- dx + complex_step(function(y) {
      u <- reference_flow(matrix(y, nrow(x)), flow_of(p, k))
      sum(parts$du[[k]] * u$x) + sum(parts$v[, k] * u$log_det)
    }, as.vector(x))
  }
  dx
}

# p(x) = p(u) |det dF|, and so for each component.
reference_quantities_behind_flow <- function(x, p) {
  if (has_own_flows(p)) {
    return(reference_own_quantities(x, p))
  }
  u <- reference_flow(x, p)
  q <- reference_log_quantities(u$x, reference_base(p))
  q$density <- q$density + u$log_det
  q$component <- q$component + u$log_det
  q
}

# The chain rule for a_i log p(x_i) = a_i log p(u_i) + a_i log |det dF|: a function with the same
# derivatives in what moves u, which is the flow or x.
reference_linearised <- function(x, p, a) {
  du <- reference_point_gradient(reference_flow(x, p)$x, reference_base(p), a)
  function(u) sum(du * u$x) + sum(a * u$log_det)
}

reference_gradient_behind_flow <- function(x, p, a) {
  if (has_own_flows(p)) {
    return(reference_own_gradient(x, p, a))
  }
  u <- reference_flow(x, p)$x
  value <- reference_linearised(x, p, a)
  g <- reference_gradient(u, reference_base(p), a)
  flat <- complex_step(function(theta) {
    value(reference_flow(x, replace_flow(p, theta)))
  }, flatten(p$flow))
  g$flow <- unflatten(flat, p$flow)
  g
}

reference_point_gradient_behind_flow <- function(x, p, a) {
  if (has_own_flows(p)) {
    return(reference_own_point_gradient(x, p, a))
  }
  value <- reference_linearised(x, p, a)
  x[] <- complex_step(function(y) value(reference_flow(matrix(y, nrow(x)), p)), as.vector(x))
  x
}

replace_flow <- function(p, theta) {
  p$flow <- unflatten(theta, p$flow)
  p
}

# From derivatives dy in y = F^-1(x) to those in x and in the flow's parameters, list(dx, flow).
# With J the derivative of F at y, dx = J^-T dy; where x stays and F changes, F(y) + J dy_F = x.
reference_pullback <- function(y, p, dy) {
  dx <- dy
  for (i in seq_len(nrow(y))) {
    jacobian <- vapply(seq_len(ncol(y)), function(j) {
      complex_step(function(at) reference_flow(matrix(at, 1), p)$x[j], y[i, ])
    }, y[i, ])
    dx[i, ] <- solve(matrix(jacobian, ncol(y)), dy[i, ]) # a column of `jacobian` is a row of J
  }
  flat <- complex_step(function(theta) {
    -sum(dx * reference_flow(y, replace_flow(p, theta))$x)
  }, flatten(p$flow))
  list(dx = dx, flow = unflatten(flat, p$flow))
}

# Formula (6), point by point: components are lists of a family and its parameters, alpha a function
# of one u that gives K weights. A list as of reference_log_quantities(), not of logarithms.
reference_cdf_form <- function(x, components, alpha) {
  call_family <- function(letter, component, at) {
    do.call(paste0(letter, component[[1]]), c(list(at), component[-1]))
  }
  weights <- component <- matrix(0, length(x), length(components))
  for (i in seq_along(x)) {
    for (k in seq_along(components)) {
      weights[i, k] <- alpha(call_family("p", components[[k]], x[i]))[k]
      component[i, k] <- call_family("d", components[[k]], x[i])
    }
  }
  density <- rowSums(weights * component)
  list(
    density = density, posterior = weights * component / density, weights = weights,
    component = component
  )
}

log_linear_density <- function(shape, t) log_linear_at(shape, t)$log_density

log_linear_below <- function(shape, t) log_linear_at(shape, t)$log_below
