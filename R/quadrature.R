# Quadrature of W_k(t), the integral of w_k(z) phi(z) from minus infinity to t, on the log scale, so
# that neither tail nor a small weight underflows.

# Nodes and weights of ten-point Gauss-Lobatto on [-1, 1] (Abramowitz and Stegun 1972, 25.4.32): the
# inner nodes are those of the Jacobi polynomial with both parameters 1. With nodes at both ends no
# jump can hide beyond the last.
lobatto <- local({
  i <- 1:7
  jacobi <- matrix(0, 8, 8)
  jacobi[cbind(i, i + 1)] <- jacobi[cbind(i + 1, i)] <-
    sqrt(i * (i + 2) / ((2 * i + 1) * (2 * i + 3)))
  node <- c(-1, sort(eigen(jacobi, symmetric = TRUE)$values), 1)
  before <- 1
  legendre <- node
  for (n in 2:9) {
    following <- ((2 * n - 1) * node * legendre - (n - 1) * before) / n
    before <- legendre
    legendre <- following
  }
  list(node = node, weight = 2 / (90 * legendre^2))
})

# Intervals reach so many standard deviations out; beyond is far_integrals().
quadrature_range <- 37

# Logarithms of the integrals of w_k(z) phi(z) over [a, b]: a row an interval, a column a component.
log_integrals <- function(classifier, a, b) {
  m <- length(lobatto$node)
  half <- (b - a) / 2
  z <- rep((a + b) / 2, each = m) + rep(half, each = m) * lobatto$node
  terms <- log_weights(classifier, matrix(z)) +
    stats::dnorm(z, log = TRUE) + log(lobatto$weight)
  matrix(log_column_sums(matrix(terms, m)), length(a), classifier$K) + log(half)
}

# The same over (-Inf, t] for t < 0 and over [t, Inf) for t > 0, where |t| is at least the
# quadrature's range. With z = t + u / t the integrand is
#   phi(t) / |t| w_k(z) exp(-u - u^2 / (2 t^2)),
# integrated over panels from u = 0 to 1, 2, 4, ..., 1024.
far_integrals <- function(classifier, t) {
  from <- c(0, 2^(0:9))
  half <- (2^(0:10) - from) / 2
  m <- length(lobatto$node)
  u <- rep(from + half, each = m) + rep(half, each = m) * lobatto$node
  log_weight <- rep(log(half), each = m) + log(lobatto$weight)
  z <- rep(t, each = length(u)) + outer(u, 1 / t)
  terms <- log_weights(classifier, matrix(z)) +
    c(log_weight - u - outer(u^2, 1 / (2 * t^2)))
  matrix(log_column_sums(matrix(terms, length(u))), length(t), classifier$K) +
    stats::dnorm(t, log = TRUE) - log(abs(t))
}

# The range of an activation's slope over [u - radius, u + radius]: list(low, high).
slope_range <- function(activation, u, radius) {
  if (activation == "tanh") {
    slope <- function(u) 1 - tanh(u)^2
    return(list(low = slope(abs(u) + radius), high = slope(pmax(abs(u) - radius, 0))))
  }
  if (activation == "relu") {
    return(list(low = (u - radius > 0) + 0, high = (u + radius > 0) + 0))
  }
  slope <- function(u) stats::plogis(u) * (1 + u * stats::plogis(-u))
  # The slope of SiLU has its extremes here and no others.
  extreme <- 2.399357280520468
  low <- pmin(slope(u - radius), slope(u + radius))
  high <- pmax(slope(u - radius), slope(u + radius))
  low[abs(u + extreme) <= radius] <- slope(-extreme)
  high[abs(u - extreme) <= radius] <- slope(extreme)
  list(low = low, high = high)
}

activate <- function(activation, u) {
  switch(activation,
    tanh = tanh(u),
    relu = pmax(u, 0),
    silu = u * stats::plogis(u)
  )
}

# A bound on the change of any log odds over each interval [a, b] of standardised points: 0 where
# nothing is known.
odds_change <- function(classifier, a, b) UseMethod("odds_change")

#' @export
odds_change.cwmix_classifier <- function(classifier, a, b) double(length(a))

#' @export
odds_change.cwmix_network <- function(classifier, a, b) odds_slope(classifier, a, b) * (b - a)

#' @export
odds_change.cwmix_unit <- function(classifier, a, b) {
  odds_change(classifier$inner, unit_point(a), unit_point(b))
}

# A bound on the slope of any log odds log(w_j / w_k) over each interval [a, b], by interval
# arithmetic: u is a layer at the middle of the interval, slope +- spread holds its derivative
# all over it, and so (mean value theorem) |u(z) - u| <= (|slope| + spread) (b - a) / 2. Weights
# below exp(-40) throughout are left aside.
odds_slope <- function(classifier, a, b) {
  n <- length(classifier$weights)
  if (n == 0 || length(a) == 0) {
    return(double(length(a)))
  }
  half <- (b - a) / 2
  u <- matrix((a + b) / 2)
  slope <- matrix(1, length(a))
  spread <- matrix(0, length(a))
  for (l in seq_len(n)) {
    weights <- t(classifier$weights[[l]])
    u <- u %*% weights + rep(classifier$biases[[l]], each = length(a))
    slope <- slope %*% weights
    spread <- spread %*% abs(weights)
    radius <- (abs(slope) + spread) * half
    if (l == n) break
    factor <- slope_range(classifier$activation, u, radius)
    ends <- list(
      factor$low * (slope - spread), factor$low * (slope + spread),
      factor$high * (slope - spread), factor$high * (slope + spread)
    )
    low <- do.call(pmin, ends)
    high <- do.call(pmax, ends)
    slope <- (low + high) / 2
    spread <- (high - low) / 2
    u <- activate(classifier$activation, u)
  }
  heard <- u + radius >= row_max(u - radius) - 40
  bound <- row_max(ifelse(heard, slope + spread, -Inf)) +
    row_max(ifelse(heard, spread - slope, -Inf))
  # Products of huge weights may overflow.
  ifelse(is.na(bound), Inf, bound)
}

starting_edges <- function(classifier) UseMethod("starting_edges")

#' @export
starting_edges.cwmix_classifier <- function(classifier) {
  seq(-quadrature_range, quadrature_range, by = 0.5)
}

#' @export
starting_edges.cwmix_unit <- function(classifier) starting_edges(classifier$inner)

# Of an R function nothing but values is known: intervals start so short that ten points in either
# half see what a user should expect to be seen (the documentation of pcwmix() says it).
#' @export
starting_edges.cwmix_function <- function(classifier) {
  right <- c(
    seq(0, 2, by = 1 / 512), seq(2, 4, by = 1 / 128)[-1], seq(4, 8, by = 1 / 16)[-1],
    seq(8, quadrature_range, by = 0.5)[-1]
  )
  c(-rev(right[-1]), right)
}

# Intervals are halved until both halves together agree with the whole, and, for networks, until
# log odds change by at most 4 within: then the poles of the weights are about as far off as the
# interval is long, and the agreement means what it says. list(edges, below, above): logarithms of
# the integrals up to each edge and from it on, a column a component.
weight_integrals <- function(classifier) {
  edges <- starting_edges(classifier)
  a <- edges[-length(edges)]
  b <- edges[-1]
  whole <- log_integrals(classifier, a, b)
  done <- list()
  unresolved <- 0
  for (depth in 1:40) {
    middle <- (a + b) / 2
    left <- log_integrals(classifier, a, middle)
    right <- log_integrals(classifier, middle, b)
    error <- apply(abs(exp(log_add(left, right)) - exp(whole)), 1, max)
    mass <- stats::dnorm(pmin(abs(a), abs(b))) * (b - a)
    hidden <- mass > 1e-12
    hidden[hidden] <- odds_change(classifier, a[hidden], b[hidden]) > 4
    fine <- error <= 1e-12 * stats::pnorm(-pmax(abs(a), abs(b))) & !hidden
    # Half a million evaluations at a time: a classifier that needs more has no integral to find.
    if (depth == 40 || sum(!fine) > 25000) {
      unresolved <- sum(error[!fine], mass[hidden])
      fine[] <- TRUE
    }
    done[[depth]] <- cbind(
      c(a[fine], middle[fine]), rbind(left[fine, , drop = FALSE], right[fine, , drop = FALSE])
    )
    if (all(fine)) break
    by_interval <- order(rep(which(!fine), 2))
    whole <- rbind(left[!fine, , drop = FALSE], right[!fine, , drop = FALSE])
    whole <- whole[by_interval, , drop = FALSE]
    from <- c(a[!fine], middle[!fine])[by_interval]
    b <- c(middle[!fine], b[!fine])[by_interval]
    a <- from
  }
  if (unresolved > 1e-8) {
    warn_cwmix(
      sprintf("Quadrature of the classifier reached only %.1g: it may not be smooth.", unresolved),
      "cwmix_quadrature_warning", NULL
    )
  }
  done <- do.call(rbind, done)
  done <- done[order(done[, 1]), , drop = FALSE]
  far <- far_integrals(classifier, c(-1, 1) * quadrature_range)
  parts <- rbind(far[1, ], done[, -1, drop = FALSE], far[2, ])
  last <- nrow(parts)
  list(
    edges = c(done[, 1], quadrature_range),
    below = log_cumulate(parts[-last, , drop = FALSE]),
    above = log_cumulate(parts[last:2, , drop = FALSE])[(last - 1):1, , drop = FALSE]
  )
}

# The integrals W_k(t_k) of w_k(z) phi(z) up to t_k (`lower`) or from t_k on, summed over
# components, on the log scale: a function(t, lower) of n x K matrices.
weight_tail <- function(classifier) {
  if (is_constant(classifier)) {
    log_weight <- log_weights(classifier, matrix(0))[1, ]
    return(function(t, lower) constant_tail(log_weight, t, lower))
  }
  integrals <- weight_integrals(classifier)
  function(t, lower) {
    parts <- lapply(seq_len(ncol(t)), function(k) partial_interval(integrals, k, t[, k], lower))
    total <- rep(-Inf, nrow(t))
    for (part in parts) total[part$rows] <- log_add(total[part$rows], part$before)
    for (k in seq_along(parts)) total <- add_partial(total, classifier, k, parts[[k]])
    # Components whose tail begins farther out, unless it could not change the sum.
    for (k in seq_len(ncol(t))) {
      log_most <- stats::pnorm(t[, k], lower.tail = lower, log.p = TRUE)
      far <- if (lower) t[, k] < -quadrature_range else t[, k] > quadrature_range
      far <- which(far & log_most > -Inf & log_most > total - 40)
      if (length(far) == 0) next
      total[far] <- log_add(total[far], far_integrals(classifier, t[far, k])[, k])
    }
    total
  }
}

# The log of sum_k w_k Phi(t_k), or of the upper tails: by logarithms only where it underflows.
constant_tail <- function(log_weight, t, lower) {
  n <- nrow(t)
  sum <- rowSums(stats::pnorm(t, lower.tail = lower) * rep(exp(log_weight), each = n))
  total <- log(sum)
  small <- which(sum < 1e-250)
  if (length(small) == 0) {
    return(total)
  }
  t <- t[small, , drop = FALSE]
  tails <- stats::pnorm(t, lower.tail = lower, log.p = TRUE)
  total[small] <- log_row_sums(tails + rep(log_weight, each = length(small)))
  total
}

# W_k(t), within the quadrature's range: list(rows, before, from, to), those t that are within it,
# the integral up to the edge before and the interval that is left.
partial_interval <- function(integrals, k, t, lower) {
  rows <- which(if (lower) t >= -quadrature_range else t <= quadrature_range)
  inner <- pmin(pmax(t[rows], -quadrature_range), quadrature_range)
  edge <- findInterval(inner, integrals$edges, all.inside = TRUE)
  if (lower) {
    list(rows = rows, before = integrals$below[edge, k], from = integrals$edges[edge], to = inner)
  } else {
    after <- edge + 1
    list(
      rows = rows, before = integrals$above[after, k], from = inner, to = integrals$edges[after]
    )
  }
}

# Adds the integrals of w_k(z) phi(z) over what is left of intervals, unless phi alone could not
# change the sum there.
add_partial <- function(total, classifier, k, part) {
  nearest <- ifelse(part$from * part$to > 0, pmin(abs(part$from), abs(part$to)), 0)
  log_most <- stats::dnorm(nearest, log = TRUE) + log(part$to - part$from)
  heard <- which(log_most > total[part$rows] - 40)
  rows <- part$rows[heard]
  integral <- log_integrals(classifier, part$from[heard], part$to[heard])[, k]
  total[rows] <- log_add(total[rows], integral)
  total
}
