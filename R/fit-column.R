# A smooth estimate of the distribution of one column: its log density a cubic spline whose third
# differences have a price (Silverman 1982, Annals of Statistics 10, 795-810; Eilers and Marx 1996,
# Statistical Science 11, 89-121). The higher the price, the nearer is a normal distribution.

# The estimate from values t of a column with the weights, as a shape (log-linear.R) with `price`
# and `df`; NULL where the values differ by nothing to speak of. Without a `price`
# the one with the best of Akaike's criterion, from the highest down until three in a row are worse.
fit_shape <- function(t, weights = NULL, price = NULL) {
  if (!are_apart(t)) {
    return(NULL)
  }
  grid <- shape_grid(t, weights)
  state <- list(at = normal_coefficients(grid))
  if (!is.null(price)) {
    return(first_falling(grid, state, price))
  }
  best <- NULL
  worse <- 0
  for (price in 10^(5:-4)) {
    state <- penalised_spline(grid, state, price)
    worse <- if (is.null(best) || state$criterion > best$criterion) 0 else worse + 1
    if (worse == 0) best <- state
    if (worse == 3) break
  }
  as_shape(grid, best) %||% first_falling(grid, best, best$price * 10)
}

# So that knots between values differ, and their squares stay within the range of doubles.
are_apart <- function(t) {
  spread <- diff(range(t))
  isTRUE(spread > 1e-10 * max(abs(t)) && spread > 1e-140 && spread < 1e140)
}

# The estimate at a price, or at the first higher one where both tails fall; the normal distribution
# where none does, as of values that are fewest in the middle.
first_falling <- function(grid, state, price) {
  while (price < 1e8) {
    state <- penalised_spline(grid, state, price)
    shape <- as_shape(grid, state)
    if (!is.null(shape)) {
      return(shape)
    }
    price <- 10 * price
  }
  log_density <- drop(grid$basis %*% normal_coefficients(grid))
  as_shape(grid, list(log_density = log_density, price = Inf, df = 2))
}

# Segments of the spline, and knots of the shape in each.
shape_segments <- 30
shape_knots <- 4

# What the fit needs of the values: their number n, the means `mean_basis` of the spline's basis at
# them, the basis at the knots with the weights of the trapezoidal rule, the penalty.
shape_grid <- function(t, weights) {
  range <- range(t)
  margin <- 0.12 * diff(range)
  start <- range[1] - margin
  width <- (diff(range) + 2 * margin) / shape_segments
  inner <- start + width * (-3:(shape_segments + 3))
  design <- function(at) splines::splineDesign(inner, at, 4, outer.ok = TRUE)
  count <- shape_segments * shape_knots
  at <- start + width / shape_knots * (0:count)
  at[count + 1] <- at[count + 1] - 1e-9 * width
  basis <- design(at)
  w <- (weights %||% rep(1, length(t))) / sum(weights %||% length(t))
  sums <- lapply(row_blocks(length(t), ncol(basis)), function(rows) {
    colSums(design(t[rows]) * w[rows])
  })
  list(
    n = 1 / sum(w^2), start = start, step = width / shape_knots, at = at, basis = basis,
    mean_basis = Reduce(`+`, sums),
    rule = width / shape_knots * c(0.5, rep(1, count - 1), 0.5),
    penalty = crossprod(diff(diag(ncol(basis)), differences = 3)),
    normal = weighted_moments(t, weights %||% 1)
  )
}

# The mean and the standard deviation.
weighted_moments <- function(values, weights) {
  w <- (weights + 0 * values) / sum(weights + 0 * values)
  middle <- sum(w * values)
  c(middle, sqrt(sum(w * (values - middle)^2)))
}

# A quadratic is in the spline's space.
normal_coefficients <- function(grid) {
  qr.coef(qr(grid$basis), -((grid$at - grid$normal[1]) / grid$normal[2])^2 / 2)
}

# Newton's method from the coefficients of a state: list(at, log_density, criterion, df, price).
penalised_spline <- function(grid, state, price) {
  k <- ncol(grid$basis)
  # The coefficients' level is free.
  level <- matrix(1e-3 / k, k, k)
  penalty <- price / grid$n * grid$penalty
  evaluate_at <- function(at) {
    log_density <- drop(grid$basis %*% at)
    top <- max(log_density)
    log_mass <- top + log(sum(grid$rule * exp(log_density - top)))
    fit <- sum(grid$mean_basis * at) - log_mass
    list(
      at = at, log_density = log_density - log_mass, fit = fit,
      value = fit - sum(at * (penalty %*% at)) / 2
    )
  }
  now <- evaluate_at(state$at)
  for (i in 1:30) {
    mass <- grid$rule * exp(now$log_density)
    expected <- crossprod(grid$basis, mass)[, 1]
    hessian <- crossprod(grid$basis * sqrt(mass)) - tcrossprod(expected)
    slope <- grid$mean_basis - expected - drop(penalty %*% now$at)
    step <- solve(hessian + penalty + level, slope, tol = 0)
    share <- 1
    repeat {
      following <- evaluate_at(now$at + share * step)
      if (isTRUE(following$value >= now$value) || share < 1e-3) break
      share <- share / 2
    }
    gain <- following$value - now$value
    if (!isTRUE(gain >= 0)) break
    now <- following
    # The next full step would gain about the square.
    if (gain < if (share == 1) 1e-5 else 1e-6) break
  }
  df <- sum(diag(solve(hessian + penalty + level, hessian, tol = 0)))
  # Where few values have nearly all weight rounding may leave it below 0.
  df <- max(df, 0)
  c(now, list(df = df, price = price, criterion = grid$n * now$fit - df))
}

as_shape <- function(grid, state) {
  shape <- list(start = grid$start, step = grid$step, log_density = state$log_density)
  shape <- normalise_shape(shape)
  if (!is.null(shape)) c(shape, state[c("price", "df")])
}
