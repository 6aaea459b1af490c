# Slow, obvious versions of the package's formulas, one row and one component at a
# time. Numbers in brackets are those of the paper: (16) is the density
#
#   p(x) = sum_k w_k(z_k) N(x; mu_k, L_k L_k'),   z_k = L_k^-1 (x - mu_k),
#
# (12) is the same formula for any invertible map. `p` is always a plain list of
# mean (K x d), log_sd (K x d) or log_cholesky (d x d x K), weights, biases and
# activation, and `x` an n x d matrix on the scale of `mean`.

reference_activate <- function(a, activation) {
  switch(activation,
    tanh = tanh(a),
    relu = ifelse(a > 0, a, 0),
    silu = a * plogis(a)
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
  g <- p[intersect(c("mean", "log_sd", "log_cholesky", "weights", "biases"), names(p))]
  g <- rapply(g, function(entry) entry * 0, how = "replace")
  # -Inf, the log of a zero weight, times 0 is NaN
  g$biases <- lapply(p$biases, function(b) numeric(length(b)))
  v <- exp(reference_log_posterior(x, p))
  for (k in seq_len(nrow(p$mean))) {
    l <- reference_factor(p, k)
    for (i in seq_len(nrow(x))) {
      g <- reference_add_gradient(g, x[i, ], p, k, l, a[i] * v[i, k])
    }
  }
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
# weights a; `log_likelihood` is the mean per unit of weight before the iteration.
reference_em_step <- function(x, p, a = rep(1, nrow(x))) {
  before <- reference_log_quantities(x, p)
  v <- exp(before$posterior)
  value <- p
  value$log_likelihood <- sum(a * before$density) / sum(a)
  for (k in seq_len(nrow(p$mean))) {
    size <- sum(a * v[, k])
    value$biases[[1L]][k] <- log(size / sum(a))
    value$mean[k, ] <- colSums(a * v[, k] * x) / size
    sigma <- matrix(0, ncol(x), ncol(x))
    for (i in seq_len(nrow(x))) {
      r <- x[i, ] - value$mean[k, ]
      sigma <- sigma + a[i] * v[i, k] * outer(r, r) / size
    }
    if (!is.null(p$log_sd)) {
      value$log_sd[k, ] <- log(diag(sigma)) / 2
    } else {
      l <- t(chol(sigma))
      diag(l) <- log(diag(l))
      value$log_cholesky[, , k] <- l
    }
  }
  value
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

# Evaluates code with the generator at a seed and puts the generator back.
with_fixed_seed <- function(seed, code) {
  old <- get0(".Random.seed", globalenv(), inherits = FALSE)
  on.exit(
    if (is.null(old)) {
      rm(".Random.seed", envir = globalenv())
    } else {
      assign(".Random.seed", old, globalenv())
    }
  )
  set.seed(seed)
  code
}

# hidden = NULL: constant weights; integer(0): softmax-linear.
make_parameters <- function(d, K, hidden = NULL, covariance = "diagonal",
                            activation = "tanh", seed = 1) {
  with_fixed_seed(seed, {
    p <- list(mean = matrix(rnorm(K * d, sd = 1.5), K, d))
    if (covariance == "diagonal") {
      p$log_sd <- matrix(rnorm(K * d, -0.2, 0.4), K, d)
    } else {
      p$log_cholesky <- array(0, c(d, d, K))
      for (k in seq_len(K)) {
        l <- matrix(rnorm(d * d, sd = 0.4), d, d)
        l[upper.tri(l)] <- 0
        diag(l) <- rnorm(d, -0.2, 0.4)
        p$log_cholesky[, , k] <- l
      }
    }
    if (is.null(hidden)) {
      p$weights <- list()
      p$biases <- list(reference_log_softmax(rnorm(K)))
    } else {
      widths <- c(d, hidden, K)
      p$weights <- vector("list", length(widths) - 1L)
      p$biases <- p$weights
      for (l in seq_along(p$weights)) {
        size <- widths[l + 1L] * widths[l]
        p$weights[[l]] <- matrix(
          rnorm(size, sd = 1.5 / sqrt(widths[l])), widths[l + 1L], widths[l]
        )
        p$biases[[l]] <- rnorm(widths[l + 1L], sd = 0.5)
      }
    }
    p$activation <- activation
    p
  })
}

as_classifier <- function(p) {
  if (length(p$weights) == 0L) {
    return(exp(reference_log_softmax(p$biases[[1L]])))
  }
  cwmix_classifier(p$weights, p$biases, activation = p$activation)
}

# The package's model of these parameters; `...` goes to cwmix_model().
as_model <- function(p, ..., classifier = as_classifier(p)) {
  if (!is.null(p$log_sd)) {
    return(cwmix_model(p$mean, sd = exp(p$log_sd), classifier = classifier, ...))
  }
  covariance <- p$log_cholesky
  for (k in seq_len(nrow(p$mean))) {
    covariance[, , k] <- tcrossprod(reference_factor(p, k))
  }
  cwmix_model(p$mean, covariance = covariance, classifier = classifier, ...)
}

make_model <- function(d, K, hidden = NULL, covariance = "diagonal",
                       activation = "tanh", seed = 1) {
  as_model(make_parameters(d, K, hidden, covariance, activation, seed))
}

make_points <- function(n, d, seed = 1) {
  with_fixed_seed(1000 + seed, matrix(rnorm(n * d, sd = 2), n, d))
}

# Every combination of dimension, components, network, map and activation; the
# number of rows (never a multiple of a vector's width) goes round a Latin square.
# Each comes with its name, parameters `p` and points `x`.
scenarios <- function(d = c(1, 2, 5), K = c(1, 2, 7),
                      hidden = list(NULL, integer(0), 5, c(19, 8, 3)),
                      covariance = c("diagonal", "full"),
                      activation = c("tanh", "relu", "silu"), n = c(1, 7, 37)) {
  grid <- expand.grid(
    d = seq_along(d), K = seq_along(K), hidden = seq_along(hidden),
    covariance = covariance, activation = activation, stringsAsFactors = FALSE
  )
  # the activation only matters where there is a hidden layer
  deep <- lengths(hidden)[grid$hidden] > 0
  grid <- grid[deep | grid$activation == activation[1L], ]
  lapply(seq_len(nrow(grid)), function(i) {
    g <- grid[i, ]
    widths <- hidden[[g$hidden]]
    rows <- n[(g$d + g$K + g$hidden) %% length(n) + 1L]
    list(
      name = sprintf(
        "d = %d, K = %d, hidden = %s, %s, %s, n = %d", d[g$d], K[g$K],
        if (is.null(widths)) "NULL" else paste0("(", toString(widths), ")"),
        g$covariance, g$activation, rows
      ),
      p = make_parameters(d[g$d], K[g$K], widths, g$covariance, g$activation, i),
      x = make_points(rows, d[g$d], i)
    )
  })
}

# Expects every entry to agree: |object - expected| / max(|expected|, floor) is at
# most tolerance, infinities are the same and nothing is missing. expect_equal()
# averages over entries, which hides one bad entry among many. floor = 1 suits
# logarithms, whose absolute error is the relative error of what they are logs of.
# Lists are compared block by block; names of rows and columns are not compared.
expect_close <- function(object, expected, tolerance, floor = 0, info = NULL) {
  problem <- describe_difference(object, expected, tolerance, floor)
  testthat::expect(is.null(problem), problem, info = info)
  invisible(object)
}

# Expects gradients to agree, each entry relative to the largest of its block: an
# entry is a sum over rows whose terms cancel, so its own size is no measure.
expect_close_gradient <- function(object, expected, tolerance, info = NULL) {
  expect_close(object, expected, tolerance, floor = "block", info = info)
}

# What is wrong with object, in words, or NULL.
describe_difference <- function(object, expected, tolerance, floor, block = NULL) {
  if (is.list(expected)) {
    return(describe_list_difference(object, expected, tolerance, floor, block))
  }
  where <- if (is.null(block)) "" else paste0("Block ", block, ": ")
  shape <- function(x) toString(if (is.null(dim(x))) length(x) else dim(x))
  if (shape(object) != shape(expected)) {
    return(sprintf("%sshape is (%s), not (%s).", where, shape(object), shape(expected)))
  }
  object <- as.numeric(object)
  expected <- as.numeric(expected)
  if (anyNA(object)) {
    return(sprintf("%s%d of %d missing.", where, sum(is.na(object)), length(object)))
  }
  if (identical(floor, "block")) {
    floor <- max(abs(expected), 1)
  }
  error <- abs(object - expected) / pmax(abs(expected), floor)
  error[is.nan(error)] <- Inf # of two infinities
  error[object == expected] <- 0
  if (length(error) == 0L || max(error) <= tolerance) {
    return(NULL)
  }
  worst <- which.max(error)
  sprintf(
    "%sentry %d of %d is %.17g, not %.17g: relative difference %.2g exceeds %.2g.",
    where, worst, length(error), object[worst], expected[worst], error[worst], tolerance
  )
}

describe_list_difference <- function(object, expected, tolerance, floor, block) {
  if (!identical(sort(names(object)), sort(names(expected)))) {
    return(sprintf(
      "Names are (%s), not (%s).", toString(names(object)), toString(names(expected))
    ))
  }
  if (length(object) != length(expected)) {
    return(sprintf(
      "Block %s: length is %d, not %d.", toString(block), length(object), length(expected)
    ))
  }
  entries <- if (is.null(names(expected))) seq_along(expected) else names(expected)
  for (entry in entries) {
    problem <- describe_difference(
      object[[entry]], expected[[entry]], tolerance, floor,
      paste(c(block, entry), collapse = " ")
    )
    if (!is.null(problem)) {
      return(problem)
    }
  }
  NULL
}

# What coef() should say of these parameters.
reference_coef <- function(p) p[setdiff(names(p), c("activation", "log_likelihood"))]

# Where a sequence falls, how far at most; 0 if it never does.
largest_fall <- function(x) max(0, -diff(x))

# The blocks of a gradient: c("mean"), ..., c("weights", "1"), ..., c("biases", "1").
gradient_blocks <- function(p) {
  c(
    as.list(intersect(c("mean", "log_sd", "log_cholesky"), names(p))),
    lapply(seq_along(p$weights), function(l) c("weights", l)),
    lapply(seq_along(p$biases), function(l) c("biases", l))
  )
}

get_block <- function(p, block) {
  if (length(block) == 1L) p[[block]] else p[[block[1L]]][[as.integer(block[2L])]]
}

set_block <- function(p, block, value) {
  if (length(block) == 1L) {
    p[[block]] <- value
  } else {
    p[[block[1L]]][[as.integer(block[2L])]] <- value
  }
  p
}

# A direction of length one in the block's free parameters.
random_direction <- function(p, block, seed = 1) {
  direction <- get_block(p, block)
  direction[] <- with_fixed_seed(2000 + seed, rnorm(length(direction)))
  if (identical(block, "log_cholesky")) {
    d <- ncol(p$mean)
    direction[rep(upper.tri(diag(d)), times = nrow(p$mean))] <- 0
  }
  direction / sqrt(sum(direction^2))
}

# What em_steps() takes as parameters.
em_parameters <- function(p) p[setdiff(names(reference_coef(p)), "weights")]

# Gaussian mixtures to start from, points and observation weights.
em_scenarios <- function(d = c(1, 2, 5), K = c(1, 2, 7), n = 101) {
  lapply(
    scenarios(d, K, hidden = list(NULL), activation = "tanh", n = n),
    function(s) c(s, list(weights = with_fixed_seed(1, runif(n, 0.5, 2))))
  )
}

# Three clusters of unequal size, far apart unless the spread is wide.
make_clusters <- function(d, spread = 0.5, n = c(151, 83, 47)) {
  centres <- rep(c(-6, 0, 7), n)
  with_fixed_seed(3, matrix(rnorm(sum(n) * d, sd = spread), ncol = d)) + centres
}

# A fit run until nothing moves.
tight_fit <- function(x, covariance, ...) {
  control <- cwmix_control(em_iterations = 2000, em_tolerance = 1e-13)
  with_fixed_seed(
    4, gaussian_mixture(x, 3, covariance = covariance, control = control, ...)
  )
}
