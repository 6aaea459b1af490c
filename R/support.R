# Bounded columns are modelled on the whole line: log(x - lower), -log(upper - x), or the logit
# of (x - lower) / (upper - lower). Densities carry the Jacobian; outside they are zero.

# A d x 2 matrix of bounds from NULL, a pair for every column, or a list with a pair (or NULL)
# a column, by position or by name.
read_support <- function(support, d, names, call) {
  bounds <- no_support(d)
  pairs <- support_pairs(support, d, names, call)
  for (j in seq_along(pairs)) {
    if (!is.null(pairs[[j]])) bounds[j, ] <- check_pair(pairs[[j]], call)
  }
  bounds
}

# Bounds of d columns without any.
no_support <- function(d) {
  matrix(c(-Inf, Inf), d, 2, byrow = TRUE, dimnames = list(NULL, c("lower", "upper")))
}

# A pair or NULL for each of the d columns.
support_pairs <- function(support, d, names, call) {
  if (!is.list(support)) {
    return(rep(list(support), d))
  }
  if (is.null(names(support))) {
    if (length(support) != d) {
      stop_input(
        "`support` must have one pair of bounds for each of the ", d, " columns, not ",
        describe(support), ".",
        call = call
      )
    }
    return(support)
  }
  unknown <- setdiff(names(support), names)
  if (length(unknown) > 0) {
    stop_input(
      "`support` must be named after columns; there is no column `", unknown[1], "`.",
      call = call
    )
  }
  twice <- names(support)[duplicated(names(support))]
  if (length(twice) > 0) {
    stop_input("`support` must name a column once, not `", twice[1], "` twice.", call = call)
  }
  lapply(seq_len(d), function(j) support[[names[j]]])
}

check_pair <- function(pair, call) {
  is_pair <- is_plain_numeric(pair) && length(pair) == 2 && !anyNA(pair)
  bounded <- is_pair && all(is.finite(pair))
  if (!is_pair || pair[1] >= pair[2] || (bounded && is.infinite(pair[2] - pair[1]))) {
    stop_input(
      "`support` must hold pairs c(lower, upper) with lower < upper and a width that is a ",
      "number, not ",
      if (is_plain_numeric(pair) && length(pair) <= 4) deparse(pair) else describe(pair), ".",
      call = call
    )
  }
  as.double(pair)
}

to_working <- function(x, support) {
  log_jacobian <- double(nrow(x))
  inside <- rep(TRUE, nrow(x))
  for (j in which(rowSums(is.finite(support)) > 0)) {
    lower <- support[j, 1]
    upper <- support[j, 2]
    within <- x[, j] > lower & x[, j] < upper
    inside <- inside & (is.na(within) | within)
    value <- replace(x[, j], !within, NA_real_)
    below <- log(value - lower)
    above <- log(upper - value)
    if (is.infinite(upper)) {
      x[, j] <- below
      log_jacobian <- log_jacobian - below
    } else if (is.infinite(lower)) {
      x[, j] <- -above
      log_jacobian <- log_jacobian - above
    } else {
      x[, j] <- below - above
      log_jacobian <- log_jacobian + log(upper - lower) - below - above
    }
  }
  list(y = x, log_jacobian = log_jacobian, inside = inside)
}

from_working <- function(y, support) engine_inside(y, support)

# dx/dy of each column at points on the data's scale: 1, x - lower, upper - x, or
# (x - lower) (upper - x) / (upper - lower).
inside_slope <- function(x, support) {
  slope <- matrix(1, nrow(x), ncol(x))
  for (j in which(rowSums(is.finite(support)) > 0)) {
    bounded <- is.finite(support[j, ])
    below <- x[, j] - support[j, 1]
    above <- support[j, 2] - x[, j]
    slope[, j] <- if (all(bounded)) {
      below * (above / (support[j, 2] - support[j, 1]))
    } else if (bounded[1]) {
      below
    } else {
      above
    }
  }
  slope
}

# log |dx/dy| at points on the working scale, the sum over columns: y, -y or, between two bounds,
# log(upper - lower) - |y| - 2 log(1 + exp(-|y|)).
log_inside_slope <- function(y, support) {
  log_slope <- double(nrow(y))
  for (j in which(rowSums(is.finite(support)) > 0)) {
    bounded <- is.finite(support[j, ])
    log_slope <- log_slope + if (all(bounded)) {
      log(support[j, 2] - support[j, 1]) - abs(y[, j]) - 2 * log1p(exp(-abs(y[, j])))
    } else {
      if (bounded[1]) y[, j] else -y[, j]
    }
  }
  log_slope
}

# Its gradient in y: 1, -1 or, between two bounds, -tanh(y / 2).
log_inside_slope_gradient <- function(y, support) {
  slope <- matrix(0, nrow(y), ncol(y))
  for (j in which(rowSums(is.finite(support)) > 0)) {
    bounded <- is.finite(support[j, ])
    slope[, j] <- if (all(bounded)) -tanh(y[, j] / 2) else if (bounded[1]) 1 else -1
  }
  slope
}

# Values on a bound that has an inset, moved there.
move_inside <- function(x, frame) {
  for (j in which(rowSums(frame$inset %||% matrix(0, 1, 2)) > 0)) {
    lower <- frame$support[j, 1]
    upper <- frame$support[j, 2]
    if (frame$inset[j, 1] > 0) x[which(x[, j] == lower), j] <- lower + frame$inset[j, 1]
    if (frame$inset[j, 2] > 0) x[which(x[, j] == upper), j] <- upper - frame$inset[j, 2]
  }
  x
}

# Training points must lie inside: the boundary is infinitely far on the working scale.
check_inside <- function(x, support, labels, call, arg = "x") {
  for (j in which(rowSums(is.finite(support)) > 0)) {
    bad <- which(x[, j] <= support[j, 1] | x[, j] >= support[j, 2])
    if (length(bad) > 0) {
      stop_input(
        "`", arg, "` must lie strictly inside `support`, but column `", labels[j], "`, row ",
        bad[1], " is ", format(x[bad[1], j]), " and the bounds are ", format(support[j, 1]),
        " and ", format(support[j, 2]), ".",
        call = call
      )
    }
  }
}
