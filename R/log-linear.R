# Densities of one variable whose log is linear between equidistant knots and beyond the outermost
# ones, list(start, step, log_density): everything about them is in closed form. The first interval
# must rise and the last one fall, as do the tails.

# log of the mean of exp between two points of a line, its values there.
log_mean_exp <- function(a, b) {
  apart <- abs(b - a)
  flat <- apart < 1e-6
  pmax(a, b) + ifelse(flat, -apart / 2, log(-expm1(-apart) / ifelse(flat, 1, apart)))
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

# The first knot of the interval that a point is in, and how far from there.
knot_below <- function(shape, t) {
  most <- length(shape$log_density) - 1
  i <- pmin(pmax(floor((t - shape$start) / shape$step) + 1, 1), most)
  list(i = i, beyond = t - shape$start - (i - 1) * shape$step)
}

log_linear_density <- function(shape, t) {
  at <- knot_below(shape, t)
  slope <- diff(shape$log_density) / shape$step
  shape$log_density[at$i] + slope[at$i] * at$beyond
}

# The mirror image.
mirrored <- function(shape) {
  end <- shape$start + (length(shape$log_density) - 1) * shape$step
  list(start = -end, step = shape$step, log_density = rev(shape$log_density))
}

# Logs of the masses below each knot, and of all.
masses_below <- function(shape) cummax(log_cumulate(cbind(log_masses(shape)))[, 1])

# log P(T <= t), to full relative precision below the middle.
log_linear_below <- function(shape, t) {
  before <- masses_below(shape)
  at <- knot_below(shape, t)
  here <- log_linear_density(shape, t)
  slope <- diff(shape$log_density)[1] / shape$step
  last <- length(before)
  since <- log(pmax(at$beyond, 0)) + log_mean_exp(shape$log_density[at$i], here)
  inside <- log_add(before[at$i], since)
  end <- shape$start + (length(shape$log_density) - 1) * shape$step
  falling <- -diff(shape$log_density)[last - 2] / shape$step
  above <- exp(here) / falling
  # Rounding may leave the interval from 0 to 1.
  ifelse(
    t <= shape$start, here - log(slope),
    ifelse(t >= end, log1p(-pmin(above, 1)), pmin(inside, 0))
  )
}

# The t with log P(T <= t) = log_p, of at most one half.
log_linear_quantile <- function(shape, log_p) {
  before <- masses_below(shape)
  at <- shape$log_density
  slope <- diff(at) / shape$step
  i <- pmin(pmax(findInterval(log_p, before), 1), length(at) - 1)
  # log(1 + slope (p - before) / density), on the log scale for the steepest.
  log_more <- log_p + log_complement(pmin(before[i] - log_p, 0)) - at[i]
  level <- abs(slope[i]) * shape$step < 1e-9
  log_change <- log_more + log(ifelse(level, 1, abs(slope[i])))
  log_ratio <- ifelse(
    slope[i] > 0, pmax(log_change, 0) + log1p(exp(-abs(log_change))),
    log1p(-exp(pmin(log_change, 0)))
  )
  within <- ifelse(level, exp(log_more), log_ratio / ifelse(level, 1, slope[i]))
  ifelse(
    log_p <= before[1], shape$start + (log_p - before[1]) / slope[1],
    shape$start + (i - 1) * shape$step + pmin(within, shape$step)
  )
}

# The standard normal quantile of P(T <= t), and back.
normal_score <- function(shape, t) {
  below <- log_linear_below(shape, t)
  above <- log_linear_below(mirrored(shape), -t)
  ifelse(
    below < above, normal_quantile(pmin(below, above)), -normal_quantile(pmin(below, above))
  )
}

normal_score_inverse <- function(shape, u) {
  log_p <- stats::pnorm(-abs(u), log.p = TRUE)
  ifelse(u < 0, log_linear_quantile(shape, log_p), -log_linear_quantile(mirrored(shape), log_p))
}

is_shape <- function(shape) {
  at <- shape$log_density
  is_number(shape$start) && is_number(shape$step) && shape$step > 0 &&
    are_doubles(at, length = length(at)) && tails_fall(at) &&
    abs(sum(exp(log_masses(shape))) - 1) < 1e-6
}
