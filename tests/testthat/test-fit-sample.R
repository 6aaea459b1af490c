test_that("columns are standardised by their weighted moments", {
  y <- with_fixed_seed(1, cbind(rnorm(50, 3), rexp(50) * 1e9))
  w <- rep(c(0.5, 1.5), 25)
  for (weights in list(NULL, w)) {
    a <- if (is.null(weights)) rep(1, 50) else weights
    standard <- standard_units(y, weights)
    x <- standardised(c(list(y = y), standard))
    expect_equal(colSums(x * a) / 50, c(0, 0), tolerance = 1e-14)
    expect_equal(colSums(x^2 * a) / 50, c(1, 1), tolerance = 1e-14)
    back <- x * rep(standard$scale, each = 50) + rep(standard$center, each = 50)
    expect_equal(back, y, tolerance = 1e-14)
  }
})

test_that("weights are whole again after they were divided by their mean", {
  expect_identical(zap_rounding(c(0, 1 + 1e-12, 7 - 1e-12, 1e12 + 1e-3)), c(0, 1, 7, 1e12))
  no_counts <- c(1e-3, 0.5, 2.25, 5 * (1 + 1e-8), 5 * (1 - 1e-8))
  expect_identical(zap_rounding(no_counts), no_counts)
  points <- list(x = make_points(200, 1), type = "vector")
  for (most in c(10, 1e6)) {
    w <- as.double(with_fixed_seed(1, sample(most, 200, TRUE)))
    sample <- read_sample(points, NULL, w, NULL)
    expect_gt(sum(sample$weights * sample$unit != w), 0)
    expect_identical(zap_rounding(sample$weights * sample$unit), w)
  }
})

test_that("data are told apart by any value, row order or weight", {
  x <- as.matrix(faithful)
  mark <- fingerprint(x, NULL)
  expect_identical(fingerprint(x, rep(1, 272)), mark)
  changed <- list(
    fingerprint(replace(x, 300, x[300] + 1e-6), NULL), fingerprint(x[272:1, ], NULL),
    fingerprint(x[, 2:1], NULL), fingerprint(x[-1, ], NULL), fingerprint(x, rep(1:2, 136)),
    fingerprint(x, rep(2:1, 136))
  )
  expect_identical(anyDuplicated(c(list(mark), changed)), 0L)
})

test_that("a start with other columns, or these in another order, is refused by name", {
  control <- cwmix_control(epochs = 2, starts = 1)
  starts <- with_fixed_seed(1, list(
    gaussian_mixture(faithful, K = 2), gaussian_mixture(faithful, K = 2)$mean,
    cwmix(faithful, K = 2, hidden = 3, control = control)
  ))
  for (start in starts) {
    for (x in list(faithful[2:1], setNames(faithful, c("eruptions", "pause")))) {
      expect_error(
        cwmix(x, K = 2, hidden = 3, start = start, control = control), "`start`.*`eruptions`",
        class = "cwmix_input_error"
      )
    }
  }
  expect_error(
    gaussian_mixture(faithful[2:1], K = 2, start = starts[[1]]), "`start`",
    class = "cwmix_input_error"
  )
})

test_that("without names a start's columns go by position", {
  start <- with_fixed_seed(1, gaussian_mixture(faithful, K = 2))
  unnamed <- with_fixed_seed(1, gaussian_mixture(unname(as.matrix(faithful)), K = 2, start = start))
  expect_equal(unnamed$log_likelihood, start$log_likelihood, tolerance = 1e-6)
})

test_that("components with a standard deviation at the floor are counted", {
  x <- rep(c(1, 2, 5), each = 20)
  count <- function(...) without_degenerate(fit_mixture(...))$at_floor
  expect_identical(count(x, 3), 3L)
  expect_identical(count(c(sin(1:60), rep(5, 20)), 2), 1L)
  expect_identical(count(faithful, 2, covariance = "full"), 0L)
  # near a line, in no column's direction
  line <- cbind(sin(1:60), sin(1:60) + 1e-6 * cos(1:60))
  expect_identical(count(line, 1, covariance = "full"), 1L)
  expect_identical(count(line, 1), 0L)
})

test_that("scores and proportions of a fit are those of all its rows, block by block", {
  K <- 100
  n <- 2 * length(row_blocks(1e6, K)[[1]]) + 7
  x <- with_fixed_seed(1, cbind(rexp(n), rnorm(n, 1e3)))
  control <- cwmix_control(em_iterations = 2, starts = 1)
  for (w in list(NULL, rep_len(c(0, 1, 2.5), n))) {
    fit <- with_fixed_seed(2, suppressWarnings(
      gaussian_mixture(x, K = K, weights = w, support = list(c(0, Inf), NULL), control = control)
    ))
    a <- if (is.null(w)) rep(1, n) else w
    log_density <- predict(fit, x, log = TRUE)
    shares <- colSums(a * predict(fit, x, type = "posterior")) / sum(a)
    expect_equal(fit$log_likelihood, sum(a * log_density), tolerance = 1e-12)
    # z of values near 1000, in standard deviations of at least 0.15, is rounded by 1e-12: in the
    # fit's units by other numbers than in those of its coefficients
    expect_equal(fit$proportions, shares, tolerance = 1e-12)
  }
})

test_that("a row far from all others does not make columns collinear", {
  x <- with_fixed_seed(1, cbind(a = rnorm(300), b = rnorm(300), c = rexp(300)))
  for (far in c(1e9, 1e15, 1e150)) {
    outlier <- x[, 1:2]
    outlier[1, ] <- far
    for (w in list(NULL, rep(1:3, 100))) {
      fit <- without_degenerate(fit_mixture(outlier, 2, weights = w))
      expect_true(is.finite(fit$log_likelihood))
    }
    several <- x
    several[1:3, ] <- far * c(1, -1, 2)
    expect_length(collinear_columns(several), 0)
  }
  # nor one far only in the columns that are mostly ties
  ties <- cbind(a = rep(0:1, c(200, 100)), b = rep(0:1, c(250, 50)))
  ties[1, ] <- 1e9
  expect_length(collinear_columns(ties), 0)
})

test_that("columns that determine each other are refused, with a far row and without", {
  x <- with_fixed_seed(1, cbind(a = rnorm(300), b = rnorm(300), c = rexp(300), d = rt(300, 1)))
  for (far in c(0, 1e9, 1e15)) {
    x[1, ] <- x[1, ] + far
    cases <- list(
      "`a`, `b` determine" = cbind(a = x[, "a"], b = 2 * x[, "a"] + 3, c = x[, "c"]),
      "`a`, `b`, `e` determine" = cbind(x, e = x[, "a"] - x[, "b"]),
      "`b`, `d` determine" = cbind(x[, 1:2], d = 1e8 - x[, "b"])
    )
    for (message in names(cases)) {
      expect_error(
        fit_mixture(cases[[message]], 2), message, class = "cwmix_input_error", info = far
      )
    }
  }
})

# The distance of each row to the nearest one with a tenth of the weight between them, its own not
# counted: the level that a tenth of the rows that have one stay below, by a loop over rows.
reference_dense_scale <- function(x, w = rep(1, length(x))) {
  apart <- share <- numeric(0)
  for (i in seq_along(x)) {
    needed <- sum(w[x <= x[i]]) + 0.1 * sum(w)
    reached <- vapply(sort(x), function(at) sum(w[x <= at]) >= needed * (1 - 1e-10), NA)
    if (any(reached)) {
      apart <- c(apart, sort(x)[which(reached)[1]] - x[i])
      share <- c(share, w[i])
    }
  }
  order <- order(apart)
  level <- apart[order][which(cumsum(share[order]) >= 0.1 * sum(share) * (1 - 1e-10))[1]]
  # 1 / p at the tenth of a normal distribution's rows with the most density
  10 * level / (1 / dnorm(qnorm(0.55)))
}

test_that("the scale of the densest rows is that of a loop, about 1 for a normal distribution", {
  for (n in c(6, 50, 200)) {
    x <- with_fixed_seed(n, rexp(n))
    w <- with_fixed_seed(n, sample(1:4, n, TRUE))
    expect_equal(dense_scale(x, rep(1, n)), reference_dense_scale(x), tolerance = 2e-3)
    expect_equal(dense_scale(x, w), reference_dense_scale(x, w), tolerance = 2e-3)
    # weights are rows
    expect_equal(dense_scale(x, w), dense_scale(rep(x, w), rep(1, sum(w))))
    expect_equal(dense_scale(7 * x, w), 7 * dense_scale(x, w))
  }
  expect_identical(dense_scale(1, 1), NA_real_)
  # the tenth of the distances is below that of the densities, by chance: the less the more rows
  normal <- with_fixed_seed(1, replicate(20, dense_scale(rnorm(5000), 1)))
  expect_gt(min(normal), 0.8)
  expect_lt(max(normal), 1.1)
})

test_that("the core of a column is the scale of its rows, not of those far out", {
  core <- function(...) {
    sample <- standard_units(cbind(c(...)), NULL)
    sample$core * sample$scale
  }
  x <- with_fixed_seed(1, rnorm(500))
  alone <- core(x)
  expect_lt(alone, 1.1)
  expect_gt(alone, 0.5)
  for (far in c(1e3, 1e10, 1e20, 1e100)) expect_equal(core(x, far), alone, tolerance = 0.05)
  # two narrow groups, whose quartiles are far apart
  expect_lt(core(x / 100, x / 100 + 50), 0.02)
  # change of units
  expect_equal(core(x * 1e-3), alone * 1e-3)
  expect_equal(core(x * 1e3 + 1e5), alone * 1e3, tolerance = 1e-8)
  # at most the standard deviation, and never 0
  ties <- standard_units(cbind(rep(1:2, c(90, 10))), NULL)
  expect_identical(ties$core, 1)
})
