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

# The shape that integrates to one, without outer knots whose density would be zero in double
# precision; NULL where a tail does not fall.
normalise_shape <- function(shape) {
  at <- shape$log_density
  if (!all(is.finite(at))) {
    return(NULL)
  }
  kept <- range(which(at > max(at) - 300))
  shape$start <- shape$start + (kept[1] - 1) * shape$step
  shape$log_density <- at <- at[kept[1]:kept[2]]
  last <- length(at)
  if (last < 3 || at[2] <= at[1] || at[last] >= at[last - 1]) {
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

# log P(T <= t), to full relative precision below the middle.
log_linear_below <- function(shape, t) {
  masses <- log_masses(shape)
  before <- cumsum(exp(masses))
  at <- knot_below(shape, t)
  here <- log_linear_density(shape, t)
  slope <- diff(shape$log_density)[1] / shape$step
  last <- length(before)
  inside <- before[at$i] + at$beyond * exp(log_mean_exp(shape$log_density[at$i], here))
  end <- shape$start + (length(shape$log_density) - 1) * shape$step
  falling <- -diff(shape$log_density)[last - 2] / shape$step
  above <- exp(here) / falling
  # Rounding may leave the interval from 0 to 1.
  ifelse(
    t <= shape$start, here - log(slope),
    ifelse(t >= end, log1p(-pmin(above, 1)), pmin(log(abs(inside)), 0))
  )
}

# The t with log P(T <= t) = log_p, of at most one half.
log_linear_quantile <- function(shape, log_p) {
  masses <- log_masses(shape)
  before <- cumsum(exp(masses))
  at <- shape$log_density
  slope <- diff(at) / shape$step
  i <- pmin(pmax(findInterval(exp(log_p), before), 1), length(at) - 1)
  more <- (exp(log_p) - before[i]) * exp(-at[i])
  level <- abs(slope[i]) * shape$step < 1e-9
  within <- ifelse(level, more, log1p(slope[i] * more) / ifelse(level, 1, slope[i]))
  ifelse(
    log_p <= masses[1], shape$start + (log_p - masses[1]) / slope[1],
    shape$start + (i - 1) * shape$step + within
  )
}

# The standard normal quantile of P(T <= t), and back.
normal_score <- function(shape, t) {
  below <- log_linear_below(shape, t)
  above <- log_linear_below(mirrored(shape), -t)
  ifelse(
    below < above, stats::qnorm(below, log.p = TRUE),
    stats::qnorm(above, lower.tail = FALSE, log.p = TRUE)
  )
}

normal_score_inverse <- function(shape, u) {
  log_p <- stats::pnorm(-abs(u), log.p = TRUE)
  ifelse(u < 0, log_linear_quantile(shape, log_p), -log_linear_quantile(mirrored(shape), log_p))
}

is_shape <- function(shape) {
  at <- shape$log_density
  is_number(shape$df) && is_number(shape$start) && is_number(shape$step) && shape$step > 0 &&
    are_doubles(at, length = length(at)) && length(at) > 2 && all(is.finite(at)) &&
    at[2] > at[1] && at[length(at)] < at[length(at) - 1] &&
    abs(sum(exp(log_masses(shape))) - 1) < 1e-6
}
