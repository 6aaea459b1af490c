# Columns of positive values without a `support`: what a fit loses below zero is mass that it has
# nowhere else.

# The least end of each column: 0 of positive values in a column without bounds.
least_ends <- function(sample) {
  free <- rowSums(is.finite(sample$frame$support)) == 0
  positive <- vapply(seq_len(ncol(sample$y)), function(j) all(sample$y[, j] > 0), NA)
  ifelse(free & positive, 0, -Inf)
}

# Whether a normal distribution of a positive column would lose a thousandth below zero.
reaches_zero <- function(search) {
  sample <- search$task$sample
  search$least == 0 & stats::pnorm(0, sample$center, sample$scale) > 0.001
}

# The mass that a candidate has below zero, the most of any positive column that reaches down to it.
lost_mass <- function(search, candidate, activation) {
  columns <- which(reaches_zero(search))
  if (length(columns) == 0) {
    return(0)
  }
  lost <- Map(function(parameters, view) {
    if (length(parameters$weights) > 0) {
      density <- fold_density(parameters, activation, search$task)
      return(max(colMeans(draw(density, 4000L)[, columns, drop = FALSE] < 0)))
    }
    sample <- search$task$sample
    zero <- if (is.null(view)) -sample$center / sample$scale else view$zero
    max(vapply(columns, function(j) mixture_below(parameters, j, zero[j]), 0))
  }, candidate$fits, candidate$views)
  mean(unlist(lost))
}

# The probability of a column below a point under a mixture with constant weights.
mixture_below <- function(parameters, j, at) {
  sd <- if (is.null(parameters$log_sd)) {
    row <- matrix(parameters$log_cholesky[j, , ], dim(parameters$log_cholesky)[2])
    row[j, ] <- exp(row[j, ])
    apply(row, 2, row_length)
  } else {
    exp(parameters$log_sd[, j])
  }
  share <- exp(parameters$biases[[1]])
  sum(share * stats::pnorm(at, parameters$mean[, j], sd)) / sum(share)
}

# Zero in the units of each column through a view, -Inf where it is below a map's range.
zero_through <- function(view) {
  vapply(seq_along(view$maps), function(j) {
    at <- map_forward(view$maps[j], matrix(0))
    if (at$log_det == -Inf) -Inf else (at$u[1] - view$center[j]) / view$scale[j]
  }, 0)
}

# Flags, which candidates may count: not those that lose more than a thousandth; in several columns,
# where one column's edge is not all that counts, more than a twentieth, and only where the stack
# scores as well. One that has density wherever there may be new rows must be left.
may_count <- function(search, candidates, activation) {
  several <- ncol(search$task$sample$y) > 1
  lost <- vapply(candidates, function(one) lost_mass(search, one, activation), 0)
  whole <- lost < if (several) 0.05 else 0.001
  room <- vapply(candidates, function(one) has_whole_range(search, one), NA)
  if (all(whole) || !any(whole & room)) {
    return(rep(TRUE, length(candidates)))
  }
  stacked <- function(some) stacked_score(score_matrix(some, search), search$weights)
  if (several && stacked(candidates[whole]) < stacked(candidates) - 0.01) {
    return(rep(TRUE, length(candidates)))
  }
  whole
}

# Whether a candidate has density wherever the columns may have values.
has_whole_range <- function(search, candidate) {
  least <- ifelse(reaches_zero(search), 0, -Inf)
  all(vapply(candidate$views, function(view) {
    if (is.null(view)) {
      return(TRUE)
    }
    ranges <- map_ranges(view$maps)
    all(ranges[1, ] <= least & ranges[2, ] == Inf)
  }, NA))
}

# The shares, with room for what lies beyond the estimated ends: of n rows about two in n + 1 are
# outside the range of the others. Candidates without ends have as much at least, if need be by the
# simplest one, whose tails hang on least.
with_room <- function(search, candidates, shares) {
  whole <- vapply(candidates, function(one) has_whole_range(search, one), NA)
  least <- 2 / (nrow(search$task$sample$y) + 1)
  lacking <- least - sum(shares[whole])
  if (!any(whole) || lacking <= 0) {
    return(shares)
  }
  df <- vapply(candidates[whole], degrees_of_candidate, 0)
  simplest <- which(whole)[which.min(df)]
  shares <- (1 - lacking) * shares
  shares[simplest] <- shares[simplest] + lacking
  shares
}
