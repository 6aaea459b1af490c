# Densities of one variable whose log is linear between equidistant knots and beyond the outermost
# ones, list(start, step, log_density): everything about them is in closed form. The first interval
# must rise and the last one fall, as do the tails.

# log of the mean of exp between two points of a line, its values there.
log_mean_exp <- function(a, b) {
  apart <- abs(b - a)
  below <- log(-expm1(-apart) / apart)
  flat <- which(apart < 1e-6)
  below[flat] <- -apart[flat] / 2
  pmax(a, b) + below
}

# Log masses below the first knot, between knots, above the last.
log_masses <- function(shape) {
  at <- shape$log_density
  slope <- diff(at) / shape$step
  last <- length(at)
  c(
    at[1] - log(slope[1]),
    log(shape$step) + log_mean_exp(at[-last], at[-1]),
    at[last] - log(-slope[last - 1])
  )
}

tails_fall <- function(at) {
  last <- length(at)
  last > 2 && all(is.finite(at)) && at[2] > at[1] && at[last] < at[last - 1]
}

# The shape that integrates to one; NULL where a tail does not fall.
normalise_shape <- function(shape) {
  at <- shape$log_density
  if (!tails_fall(at)) {
    return(NULL)
  }
  masses <- log_masses(shape)
  top <- max(masses)
  shape$log_density <- at - top - log(sum(exp(masses - top)))
  shape
}

log_linear_density <- function(shape, t) {
  engine_log_linear(shape, masses_below(shape), t)$log_density
}

# The mirror image.
mirrored <- function(shape) {
  end <- shape$start + (length(shape$log_density) - 1) * shape$step
  list(start = -end, step = shape$step, log_density = rev(shape$log_density))
}

# Logs of the masses below each knot, and of all. Where none of them vanishes beside the largest a
# plain sum has full relative precision.
masses_below <- function(shape) {
  masses <- log_masses(shape)
  top <- max(masses)
  if (min(masses) > top - 600) {
    return(top + log(cumsum(exp(masses - top))))
  }
  cummax(log_cumulate(cbind(masses))[, 1])
}

# log P(T <= t), to full relative precision below the middle.
log_linear_below <- function(shape, t) engine_log_linear(shape, masses_below(shape), t)$log_below

# The t with log P(T <= t) = log_p, of at most one half.
log_linear_quantile <- function(shape, log_p) {
  engine_log_linear_quantile(shape, masses_below(shape), log_p)
}

# The standard normal quantile u of P(T <= t), with the log density at t: list(u, log_density).
normal_score <- function(shape, t) {
  lower <- t < log_linear_quantile(shape, log(0.5))
  log_p <- log_density <- double(length(t))
  for (side in list(TRUE, FALSE)) {
    some <- lower == side
    at <- if (side) {
      engine_log_linear(shape, masses_below(shape), t[some])
    } else {
      mirror <- mirrored(shape)
      engine_log_linear(mirror, masses_below(mirror), -t[some])
    }
    log_p[some] <- at$log_below
    log_density[some] <- at$log_density
  }
  list(u = (1 - 2 * lower) * -normal_quantile(log_p), log_density = log_density)
}

normal_score_inverse <- function(shape, u) {
  log_p <- stats::pnorm(-abs(u), log.p = TRUE)
  lower <- u < 0
  t <- double(length(u))
  t[lower] <- log_linear_quantile(shape, log_p[lower])
  t[!lower] <- -log_linear_quantile(mirrored(shape), log_p[!lower])
  t
}

is_shape <- function(shape) {
  at <- shape$log_density
  is_number(shape$start) && is_number(shape$step) && shape$step > 0 &&
    are_doubles(at, length = length(at)) && tails_fall(at) &&
    abs(sum(exp(log_masses(shape))) - 1) < 1e-6
}
