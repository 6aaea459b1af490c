# Functions to take expectations of, and base points to take them at.

# A smooth function of d columns that no component's symmetry cancels, and its gradient.
wave <- function(x) {
  j <- seq_len(ncol(x))
  cos(drop(x %*% (0.3 + 0.2 * j))) + drop(x^2 %*% (0.1 * j))
}

wave_gradient <- function(x) {
  j <- seq_len(ncol(x))
  -outer(sin(drop(x %*% (0.3 + 0.2 * j))), 0.3 + 0.2 * j) + x * rep(0.2 * j, each = nrow(x))
}

# Standard normal base points.
make_base <- function(n, d, seed = 1) with_fixed_seed(3000 + seed, matrix(rnorm(n * d), n, d))

# What expectation() draws besides given base points: a uniform for each draw, or Gumbel noise.
given_uniforms <- function(seed, n) with_fixed_seed(seed, runif(n))

given_noise <- function(seed, n, K) {
  with_fixed_seed(seed, matrix(-log(-log(runif(n * K))), n, K))
}

# An expectation with the generator at a seed.
seeded_expectation <- function(seed, ...) with_fixed_seed(seed, expectation(...))

gradient_of <- function(x) attr(x, "gradient")

# The derivative of value(parameters) along a random direction of every block, by finite
# differences, against the gradient's.
expect_gradient_along <- function(gradient, p, value, tolerance, info) {
  for (block in gradient_blocks(p)) {
    direction <- random_direction(p, block)
    along <- function(step) {
      as.numeric(value(set_block(p, block, get_block(p, block) + step * direction)))
    }
    expect_close(
      sum(get_block(gradient, block) * direction), finite_difference(along, 0, h = 1e-4),
      tolerance = tolerance, floor = max(1, abs(get_block(gradient, block))),
      info = paste(info, "block", toString(block))
    )
  }
}

# A density whose weights move with the point in d columns.
moving_model <- function(d, covariance = "diagonal", ..., K = 4, seed = 5) {
  as_model(make_parameters(d, K, 6, covariance, seed = seed), ...)
}
