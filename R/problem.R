# What every fit starts from: checked arguments and the training rows. They are kept once, on the
# working scale, and standardised where they are used.

# `settings` are arguments of a fitting function, unchecked but for `covariance`.
read_problem <- function(points, settings, call) {
  x <- points$x
  columns <- points$columns
  control <- validate_control(settings$control, call)
  full <- settings$covariance == "full"
  support <- read_support(settings$support, ncol(x), columns$names, call)
  labels <- columns$names %||% seq_len(ncol(x))
  check_inside(x, support, labels, call)
  weights <- check_weights(settings$weights, nrow(x), call)
  mark <- fingerprint(x, weights)
  working <- to_working(x, support)
  y <- working$y
  log_jacobian <- working$log_jacobian
  unit <- 1
  if (!is.null(weights)) {
    kept <- which(weights > 0)
    if (length(kept) < nrow(y)) {
      y <- y[kept, , drop = FALSE]
      log_jacobian <- log_jacobian[kept]
    }
    # Mean 1 inside; the unit is for sums that are reported.
    largest <- max(weights)
    weights <- weights[kept] / largest
    unit <- largest * mean(weights)
    weights <- weights / mean(weights)
  }
  K <- settings$K %||% start_components(settings$start) %||% default_components(nrow(y))
  K <- check_count(K, "K", call)
  if (nrow(y) < K) {
    stop_input("`K` must be at most the number of rows, ", nrow(y), ", not ", K, ".", call = call)
  }
  check_varying(y, labels, call)
  standard <- standard_units(y, weights)
  problem <- list(
    y = y, weights = weights, unit = unit, K = K, full = full,
    center = standard$center, scale = standard$scale, floor = control$sd_floor * standard$core,
    log_jacobian = log_jacobian, support = support, columns = columns,
    control = control, fingerprint = mark
  )
  check_scale(problem, labels, call)
  problem
}

# Rows of a problem on the standardised scale.
standardised <- function(problem, rows = seq_len(nrow(problem$y))) {
  x <- matrix(0, length(rows), ncol(problem$y))
  for (j in seq_len(ncol(x))) {
    x[, j] <- (problem$y[rows, j] - problem$center[j]) / problem$scale[j]
  }
  x
}

# Numbers that change with any value, row order or weight: enough to tell whether data found again
# are those of a fit.
fingerprint <- function(x, weights) {
  w <- weights %||% rep(1, nrow(x))
  sums <- vapply(seq_len(ncol(x)), function(j) c(sum(x[, j]), sum(x[, j] * seq_along(w))), c(0, 0))
  c(dim(x), sums[1, ], sums[2, ], sum(w), sum(w * seq_along(w)))
}

start_components <- function(start) {
  if (inherits(start, "cwmix_density")) nrow(start$mean) else if (is.matrix(start)) nrow(start)
}

default_components <- function(n) max(1L, min(10L, n %/% 25L))

# Means and standard deviations of the columns. `core` is the interquartile range over 1.349 where
# that is smaller (and positive), in standard deviations: what a floor should be relative to in
# heavy tails.
standard_units <- function(y, weights) {
  w <- (weights %||% 1) / nrow(y)
  units <- vapply(seq_len(ncol(y)), function(j) {
    center <- sum(y[, j] * w)
    u <- y[, j] - center
    largest <- max(abs(u), .Machine$double.xmin)
    scale <- largest * sqrt(sum((u / largest)^2 * w))
    c(center, scale, quartile_range(u / scale, w) / 1.349)
  }, double(3))
  spread <- units[3, ]
  list(
    center = units[1, ], scale = units[2, ], core = ifelse(spread > 0 & spread < 1, spread, 1)
  )
}

# The range between weighted quartiles, the smallest values with a quarter and three quarters of the
# weight at or below them.
quartile_range <- function(x, w) {
  order <- order(x)
  cumulated <- cumsum(rep_len(w, length(x))[order])
  quartiles <- findInterval(c(0.25, 0.75) * cumulated[length(x)], cumulated, left.open = TRUE) + 1L
  diff(x[order[quartiles]])
}

check_varying <- function(y, labels, call) {
  constant <- which(vapply(seq_len(ncol(y)), function(j) all(y[, j] == y[1, j]), NA))
  if (length(constant) > 0) {
    stop_input(
      "`x` must vary in every column, but column `", labels[constant[1]], "` is constant at ",
      format(y[1, constant[1]]), ".",
      call = call
    )
  }
  if (nrow(y) <= ncol(y)) {
    stop_input("`x` must have more rows than columns, not ", plural(nrow(y), "row"), " and ",
      plural(ncol(y), "column"), ".",
      call = call
    )
  }
}

# Scales whose inverses leave the range of doubles, and columns that determine each other.
check_scale <- function(problem, labels, call) {
  bad <- which(!is.finite(problem$scale) | !is.finite(1 / problem$scale))
  if (length(bad) > 0) {
    stop_input(
      "`x` must have standard deviations that are neither 0 nor infinite in double precision, ",
      "but that of column `",
      labels[bad[1]], "` is ", format(problem$scale[bad[1]]), ".",
      call = call
    )
  }
  d <- ncol(problem$y)
  products <- lapply(row_blocks(nrow(problem$y), d), function(rows) {
    crossprod(standardised(problem, rows) * sqrt(problem$weights[rows] %||% 1))
  })
  correlation <- eigen(Reduce(`+`, products) / nrow(problem$y), symmetric = TRUE)
  # Rounding leaves exact collinearity some units of 1e-16 times d from zero.
  if (d > 1 && min(correlation$values) < 1e-13) {
    loading <- abs(correlation$vectors[, d])
    involved <- labels[loading > 1e-3 * max(loading)]
    stop_input("`x` must not have collinear columns, but ",
      paste0("`", involved, "`", collapse = ", "),
      " determine each other to rounding: no density exists. Drop one.",
      call = call
    )
  }
}

# A start given by the user, a density of the same shape or a K x d matrix of means, as
# list(parameters, activation) on the standardised scale.
read_start <- function(start, problem, call) {
  if (is.null(start)) {
    return(NULL)
  }
  means <- is.matrix(start) && is_plain_numeric(start)
  if (!means) {
    what <- "a fitted density, a cwmix_model() or a matrix of means"
    check_class(start, "cwmix_density", what, "start", call)
    check_normal(start, "start", call)
  }
  given <- if (means) colnames(start) else start$columns$names
  wanted <- problem$columns$names
  if (!is.null(given) && !is.null(wanted) && !identical(given, wanted)) {
    stop_input(
      "`start` must have the columns ", paste0("`", wanted, "`", collapse = ", "),
      " in this order, not ", paste0("`", given, "`", collapse = ", "), ".",
      call = call
    )
  }
  if (means) start_from_means(start, problem, call) else start_from_density(start, problem, call)
}

start_from_means <- function(start, problem, call) {
  K <- problem$K
  d <- ncol(problem$y)
  if (!identical(dim(start), c(K, d)) || !all(is.finite(start))) {
    stop_input(
      "`start` must be a finite ", K, " x ", d, " matrix of means, not ", describe(start), ".",
      call = call
    )
  }
  mean <- (start - rep(problem$center, each = K)) / rep(problem$scale, each = K)
  parameters <- mixture_parameters(mean, rep(K^(-1 / d), d), problem$full, rep(-log(K), K))
  list(parameters = parameters, activation = NULL)
}

start_from_density <- function(start, problem, call) {
  if (is_average(start$classifier)) {
    stop_input("`start` must have constant weights or one network, not an ",
      describe_classifier(start$classifier), ".",
      call = call
    )
  }
  if (!is.null(start$flow)) {
    stop_input("`start` must be a density without a flow, not one behind a ",
      describe_map(start$flow, nrow(start$support)), ".",
      call = call
    )
  }
  d <- ncol(problem$y)
  if (!identical(dim(start$mean), c(problem$K, d)) || is.null(start$sd) != problem$full ||
    !is.null(start$classifier$fn)) {
    stop_input(
      "`start` must have ", plural(problem$K, "component"), " in ", plural(d, "column"), ", ",
      if (problem$full) "full" else "diagonal",
      " covariances and a classifier with parameters, not be a ",
      tolower(describe_shape(start)), ", ", describe_classifier(start$classifier), ".",
      call = call
    )
  }
  if (!isTRUE(all.equal(start$support, problem$support, check.attributes = FALSE))) {
    stop_input(
      "`start` must have the same `support`, not ", c(describe_support(start), "none")[1], ".",
      call = call
    )
  }
  list(
    parameters = standardise_parameters(coef(start), problem$center, problem$scale),
    activation = start$classifier$activation
  )
}

# Mean log density on the data's scale less that on the standardised one, over some rows.
mean_offset <- function(problem, rows = seq_len(nrow(problem$y))) {
  w <- problem$weights[rows] %||% 1
  mean(problem$log_jacobian[rows] * w) / mean(w) - sum(log(problem$scale))
}

# What a density scores on the training rows.
fit_scores <- function(object, problem) {
  sums <- lapply(row_blocks(nrow(problem$y), ncol(problem$y)), function(rows) {
    log_density <- log_quantity_working(
      object, problem$y[rows, , drop = FALSE], "density",
      threads = problem$control$threads
    )
    sum((log_density + problem$log_jacobian[rows]) * (problem$weights[rows] %||% 1))
  })
  list(
    log_likelihood = problem$unit * Reduce(`+`, sums),
    df = count_parameters(object), nobs = nrow(problem$y)
  )
}

# Mean posterior of the components over the training rows.
component_shares <- function(parameters, activation, problem) {
  if (nrow(parameters$mean) == 1) {
    return(1)
  }
  constant <- length(parameters$weights) == 0 && is.null(problem$flow)
  model <- engine_model(parameters, activation, problem$flow)
  n <- nrow(problem$y)
  sums <- lapply(row_blocks(n, max(if (!constant) model$K, model$d)), function(rows) {
    x <- standardised(problem, rows)
    weights <- problem$weights[rows]
    threads <- problem$control$threads
    if (constant) {
      return(em_steps(parameters, x, weights, 0, threads = threads)$counts)
    }
    posterior <- exp(engine_density(model, x, "posterior", list(threads = threads)))
    colSums(posterior * (weights %||% 1))
  })
  Reduce(`+`, sums) / sum(problem$weights %||% n)
}

# A density on the data's scale, largest component first, with the fields of a fit.
finish_fit <- function(parameters, activation, problem, class, call, ...) {
  shares <- component_shares(parameters, activation, problem)
  order <- order(shares, decreasing = TRUE)
  parameters <- order_components(parameters, order)
  object <- fitted_density(parameters, activation, problem, class)
  fields <- c(
    fit_scores(object, problem),
    list(
      proportions = shares[order], at_floor = components_at(problem$floor, parameters),
      fingerprint = problem$fingerprint, control = problem$control,
      call = tidy_call(call, if (class == "flow") paste0("flow_", problem$flow$map) else class), ...
    )
  )
  structure(c(unclass(object), fields), class = class(object))
}

# The density that parameters on the standardised scale stand for. Behind a flow they stay as they
# are: the flow starts from the standardised columns.
fitted_density <- function(parameters, activation, problem, class) {
  if (is.null(problem$flow)) {
    parameters <- unstandardise_parameters(parameters, problem$center, problem$scale)
  }
  object <- density_of(parameters, activation, problem$support, problem$columns, class)
  if (is.null(problem$flow)) {
    return(object)
  }
  # What stands behind the flow has no columns of the data.
  colnames(object$mean) <- paste0("u", seq_len(ncol(object$mean)))
  if (!is.null(object$sd)) colnames(object$sd) <- colnames(object$mean)
  object$flow <- fitted_flow(parameters, problem)
  object
}

# How many components have a standard deviation at the floor, up to rounding, in some direction.
components_at <- function(floor, parameters) {
  K <- nrow(parameters$mean)
  least <- vapply(seq_len(K), function(k) {
    if (!is.null(parameters$log_sd)) {
      return(min(exp(parameters$log_sd[k, ]) / floor))
    }
    factor <- exp_diagonal(parameters$log_cholesky[, , k, drop = FALSE])
    min(svd(matrix(factor, length(floor)) / floor, 0, 0)$d)
  }, 0)
  sum(least < 1 + 1e-6)
}

# The call to keep, under the generic's name: data that stand in it as values, as do.call() leaves
# them, are dropped.
tidy_call <- function(call, name) {
  call[[1]] <- as.name(name)
  for (name in intersect(names(call), data_arguments)) {
    if (!is.language(call[[name]])) call[[name]] <- NULL
  }
  call
}
