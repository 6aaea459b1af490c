# Shapes with level, steep and uneven intervals, made to integrate to one.
shapes <- function() {
  narrow <- normalise_shape(list(start = 0, step = 1, log_density = c(-500, 0, -300)))
  # two level intervals, one of them only nearly so
  level <- normalise_shape(list(start = 1, step = 0.5, log_density = c(-1, 0, 0, 1e-8, -2)))
  many <- list(start = -4, step = 0.05, log_density = dnorm(seq(-4, 4, 0.05), log = TRUE))
  list(
    uneven = uneven_shape(), narrow = narrow, level = level, many = normalise_shape(many),
    steep = normalise_shape(list(start = 0, step = 1, log_density = c(-1500, 0, -1e5, -2e5))),
    moved = normalise_shape(list(start = 300, step = 40, log_density = c(-3, -1, -2, -2.5)))
  )
}

# By interpolation between the knots, and on the outermost lines beyond.
reference_log_density_of_shape <- function(shape, t) {
  knots <- shape_knots_of(shape)
  at <- shape$log_density
  last <- length(at)
  vapply(t, function(t) {
    i <- 1
    while (i < last - 1 && t > knots[i + 1]) i <- i + 1
    at[i] + (t - knots[i]) * (at[i + 1] - at[i]) / shape$step
  }, 0)
}

# The integral up to t, interval by interval: each is smooth.
reference_below <- function(shape, t) {
  # a tail is nothing this far out
  first <- shape_knots_of(shape)[1] - 800 * shape$step / diff(shape$log_density)[1]
  breaks <- c(first, shape_knots_of(shape), Inf)
  total <- 0
  for (i in seq_len(length(breaks) - 1)) {
    if (t <= breaks[i]) break
    upper <- min(t, breaks[i + 1])
    # mass is at one end of a tail
    pieces <- seq(breaks[i], upper, length.out = if (i == 1) 9 else 2)
    for (j in seq_along(pieces[-1])) {
      total <- total + integrate(
        function(t) exp(reference_log_density_of_shape(shape, t)), pieces[j], pieces[j + 1],
        rel.tol = 1e-10
      )$value
    }
  }
  total
}

test_that("log densities are lines between knots and beyond them", {
  for (shape in shapes()) {
    knots <- shape_knots_of(shape)
    t <- c(
      knots, knots + 0.3 * shape$step, knots[1] - c(1, 50) * shape$step,
      max(knots) + c(0.1, 1, 50) * shape$step
    )
    expect_equal(
      log_linear_density(shape, t), reference_log_density_of_shape(shape, t),
      tolerance = 1e-9
    )
    expect_equal(log_linear_density(shape, knots), shape$log_density, tolerance = 1e-9)
  }
})

test_that("the mean of exp on a line is that of an integral, however flat or steep", {
  for (apart in c(0, 1e-12, 1e-7, 1e-6, 1e-3, 1, 30)) {
    for (sign in c(-1, 1)) {
      b <- 2 + sign * apart
      mean <- integrate(function(s) exp(2 + s * (b - 2)), 0, 1, rel.tol = 1e-12)$value
      expect_equal(log_mean_exp(2, b), log(mean), tolerance = 1e-10, info = apart)
    }
  }
  # beyond the range of doubles
  expect_equal(log_mean_exp(c(-1e4, 1e4), c(-1e4, 1e4 - 100)), c(-1e4, 1e4 - log(100)))
})

test_that("densities integrate to one", {
  for (name in c("uneven", "level", "many", "moved")) {
    shape <- shapes()[[name]]
    end <- max(shape_knots_of(shape)) - 800 * shape$step / diff(tail(shape$log_density, 2))
    expect_equal(reference_below(shape, end), 1, tolerance = 1e-8, info = name)
    expect_equal(sum(exp(log_masses(shape))), 1, info = name)
  }
  # any level is made so
  shape <- uneven_shape()
  for (by in c(-700, 3, 1e4)) {
    other <- normalise_shape(replace(shape, "log_density", list(shape$log_density + by)))
    expect_equal(other$log_density, shape$log_density, tolerance = 1e-9)
  }
})

test_that("probabilities below a point are integrals, in the tails and in the middle", {
  for (name in c("uneven", "level", "moved")) {
    shape <- shapes()[[name]]
    knots <- shape_knots_of(shape)
    t <- c(
      knots[1] - c(20, 3, 0.5) * shape$step, knots, knots[-1] - 0.4 * shape$step,
      max(knots) + c(0.5, 2) * shape$step
    )
    expected <- vapply(t, reference_below, 0, shape = shape)
    # relative below the middle, and as large again above
    expect_equal(exp(log_linear_below(shape, t)), expected, tolerance = 1e-8, info = name)
    low <- expected < 0.5
    expect_close(log_linear_below(shape, t[low]), log(expected[low]), 1e-8, floor = 1)
    above <- 1 - expected
    expect_equal(exp(log_linear_below(mirrored(shape), -t)), above, tolerance = 1e-7, info = name)
  }
  # far out as the tail's line says
  shape <- uneven_shape()
  slope <- 2.5 / 0.7
  t <- -2.5 - c(10, 1000)
  expect_equal(
    log_linear_below(shape, t), shape$log_density[1] + slope * (t + 2.5) - log(slope)
  )
  t <- max(shape_knots_of(shape)) + 1000
  expect_identical(log_linear_below(shape, t), 0)
  slope <- 3 / 0.7
  expect_equal(
    log_linear_below(mirrored(shape), -t), shape$log_density[9] - slope * 1000 - log(slope)
  )
})

test_that("probabilities are logs where they are far below the smallest number", {
  # the first interval is the line from -1500 to 0, as the tail before it, less log of what it has
  shape <- shapes()$steep
  t <- c(-1, 0, 0.1, 0.5, 0.9)
  expected <- shape$log_density[1] + 1500 * t - log(1500)
  expect_equal(log_linear_below(shape, t), expected, tolerance = 1e-12)
  expect_equal(log_linear_quantile(shape, expected), t, tolerance = 1e-12)
  expect_equal(pnorm(normal_score(shape, t)$u, log.p = TRUE), expected, tolerance = 1e-12)
})

test_that("probabilities never fall, nor leave the interval from 0 to 1", {
  for (shape in shapes()) {
    knots <- shape_knots_of(shape)
    t <- seq(knots[1] - 3 * shape$step, max(knots) + 3 * shape$step, length.out = 2001)
    below <- log_linear_below(shape, t)
    expect_lte(max(below), 0)
    expect_lte(largest_fall(exp(below)), 1e-14)
  }
})

test_that("quantiles have their probabilities, down to those that are hardly any", {
  log_p <- c(-700, -100, -20, -5, -2, -1, log(0.5))
  for (name in names(shapes())) {
    shape <- shapes()[[name]]
    for (side in list(shape, mirrored(shape))) {
      t <- log_linear_quantile(side, log_p)
      expect_close(log_linear_below(side, t), log_p, 1e-10, floor = 1, info = name)
      expect_false(is.unsorted(t), info = name)
    }
  }
})

test_that("normal scores are those of the probabilities, and come back", {
  shape <- uneven_shape()
  t <- seq(-6, 7, 0.37)
  expected <- vapply(t, function(t) {
    below <- reference_below(shape, t)
    if (below < 0.5) qnorm(below) else qnorm(reference_below(mirrored(shape), -t), lower = FALSE)
  }, 0)
  expect_equal(normal_score(shape, t)$u, expected, tolerance = 1e-8)
  for (shape in shapes()) {
    u <- c(-37, -8, -2, -0.1, 0, 1e-3, 1, 5, 37)
    t <- normal_score_inverse(shape, u)
    expect_false(is.unsorted(t, strictly = TRUE))
    expect_equal(normal_score(shape, t)$u, u, tolerance = 1e-9)
    # the mirror image has the scores of the other side
    expect_equal(normal_score(mirrored(shape), -t)$u, -u, tolerance = 1e-9)
  }
})

test_that("the mirror image is the density of the other side, twice it is the same", {
  for (shape in shapes()) {
    knots <- shape_knots_of(shape)
    t <- seq(knots[1] - shape$step, max(knots) + shape$step, length.out = 30)
    expect_equal(
      log_linear_density(mirrored(shape), -t), log_linear_density(shape, t),
      tolerance = 1e-9
    )
    expect_equal(mirrored(mirrored(shape)), shape)
  }
})

test_that("shapes that are none are told", {
  for (shape in shapes()) expect_true(is_shape(shape))
  shape <- uneven_shape()
  bad <- list(
    list(), shape[-1], shape[-2], shape[-3], replace(shape, "step", 0), replace(shape, "step", -1),
    replace(shape, "step", Inf), replace(shape, "start", NA_real_), replace(shape, "start", "a"),
    replace(shape, "log_density", list(shape$log_density[1:2])),
    replace(shape, "log_density", list(shape$log_density + 0.1)),
    replace(shape, "log_density", list(replace(shape$log_density, 4, NA))),
    replace(shape, "log_density", list(replace(shape$log_density, 4, -Inf))),
    replace(shape, "log_density", list(as.list(shape$log_density))),
    # a tail that does not fall
    replace(shape, "log_density", list(replace(shape$log_density, 1, 0))),
    replace(shape, "log_density", list(replace(shape$log_density, 9, -3)))
  )
  for (i in seq_along(bad)) expect_identical(is_shape(bad[[i]]), FALSE, info = i)
  rising <- list(start = 0, step = 1, log_density = c(0, -1, -2))
  expect_null(normalise_shape(rising))
  expect_null(normalise_shape(replace(rising, "log_density", list(c(-2, -1, 0)))))
  expect_null(normalise_shape(replace(rising, "log_density", list(c(-2, NaN, -3)))))
})
