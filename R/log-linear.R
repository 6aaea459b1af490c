# Densities of one variable whose log is linear between equidistant knots and beyond the outermost
# ones, list(start, step, log_density): everything about them is in closed form. The first interval
# must rise and the last one fall, as do the tails. Values at points come from src/log-linear.c.

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

# Log densities at t and log P(T <= t), this to full relative precision below the middle:
# list(log_density, log_below).
log_linear_at <- function(shape, t) engine_log_linear(shape, masses_below(shape), t)

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

# The t with log P(T <= t) = log_p, of at most one half.
log_linear_quantile <- function(shape, log_p) {
  engine_log_linear_quantile(shape, masses_below(shape), log_p)
}

# The standard normal quantile u of P(T <= t), with the log density at t: list(u, log_density).
normal_score <- function(shape, t) {
  lower <- !is.na(t) & t < log_linear_quantile(shape, log(0.5))
  below <- log_linear_at(shape, t[lower])
  above <- log_linear_at(mirrored(shape), -t[!lower])
  u <- log_density <- double(length(t))
  u[lower] <- normal_quantile(below$log_below)
  u[!lower] <- -normal_quantile(above$log_below)
  log_density[lower] <- below$log_density
  log_density[!lower] <- above$log_density
  list(u = u, log_density = log_density)
}

normal_score_inverse <- function(shape, u) {
  log_p <- stats::pnorm(-abs(u), log.p = TRUE)
  lower <- !is.na(u) & u < 0
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
