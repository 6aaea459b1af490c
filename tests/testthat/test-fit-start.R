test_that("EM starts from the groups of a hierarchical clustering", {
  centers <- rbind(c(-5, 0), c(5, 0), c(0, 50))
  group <- rep(1:3, c(10, 20, 30))
  x <- centers[group, ] + with_fixed_seed(1, matrix(rnorm(120), 60))
  start <- start_of_tree(x, 3, FALSE, c(0, 0))
  order <- order(exp(start$biases[[1]]))
  means <- t(vapply(1:3, function(k) colMeans(x[group == k, ]), c(0, 0)))
  expect_equal(start$mean[order, ], means)
  expect_equal(exp(start$biases[[1]])[order], c(1, 2, 3) / 6)
  within <- sqrt(colMeans((x - means[group, ])^2))
  expect_equal(exp(start$log_sd), matrix(within, 3, 2, byrow = TRUE))
  # the units of the columns do not matter
  stretched <- start_of_tree(x * rep(c(1, 1000), each = 60), 3, FALSE, c(0, 0))
  expect_equal(stretched$mean / rep(c(1, 1000), each = 3), start$mean)

  full <- start_of_tree(x, 3, TRUE, c(0, 0))
  for (k in 1:3) expect_equal(full$log_cholesky[, , k], diag(log(within)))
  one <- start_of_tree(x, 1, FALSE, c(0, 0))
  expect_equal(one$mean, rbind(colMeans(x)))
  expect_equal(exp(one$log_sd), rbind(sqrt(colMeans((x - rep(colMeans(x), each = 60))^2))))
  # every row a group: only the floor is left
  rows <- start_of_tree(x, 60, FALSE, c(0.1, 0.2))
  expect_equal(exp(rows$log_sd), matrix(c(0.1, 0.2), 60, 2, byrow = TRUE))
  expect_setequal(rows$mean[, 1], x[, 1])
})

test_that("groups of which some have no rows are those that are left", {
  x <- make_points(9, 2)
  group <- c(7L, 2L, 2L, 7L, 5L, 5L, 7L, 2L, 5L)
  expect_identical(
    tree_start(x, group, FALSE, c(0, 0)), tree_start(x, match(group, c(2, 5, 7)), FALSE, c(0, 0))
  )
})

test_that("a clustering takes equal rows and far ones", {
  expect_length(cluster_tree(matrix(1, 5, 1))$order, 5)
  expect_length(cluster_tree(matrix(c(1, 2), 6, 2))$order, 6)
  expect_length(cluster_tree(rbind(matrix(0, 5, 2), c(1e-200, 1e-190)))$order, 6)
})

# The covariance of all components, where they have one.
common_covariance <- function(parameters) {
  factors <- exp_diagonal(parameters$log_cholesky)
  expect_identical(unique(array(factors, dim(factors)), MARGIN = 3), factors[, , 1, drop = FALSE])
  tcrossprod(factors[, , 1])
}

test_that("a start in units of the covariance has rows as centres and the distance to them", {
  x <- make_clusters(2)
  w <- with_fixed_seed(1, sample(1:3, nrow(x), TRUE))
  for (weights in list(NULL, w)) {
    start <- with_fixed_seed(1, whitened_start(x, 4, weights, c(0, 0)))
    a <- (if (is.null(weights)) rep(1, nrow(x)) else weights) / sum(weights %||% nrow(x))
    S <- cov.wt(x, a, method = "ML")$cov
    expect_equal(start$biases, list(rep(-log(4), 4)))
    distances <- vapply(1:4, function(k) mahalanobis(x, start$mean[k, ], S), double(nrow(x)))
    expect_equal(apply(distances, 2, min), rep(0, 4))
    expect_equal(common_covariance(start), S * sum(a * apply(distances, 1, min)) / 2)
  }
})

test_that("such a start does not hang on the axes", {
  x <- make_clusters(2)
  axes <- matrix(c(2, 1, -3, 0.5), 2)
  start <- with_fixed_seed(1, whitened_start(x, 4, NULL, c(0, 0)))
  turned <- with_fixed_seed(1, whitened_start(tcrossprod(x, axes), 4, NULL, c(0, 0)))
  expect_equal(turned$mean, tcrossprod(start$mean, axes))
  expect_equal(common_covariance(turned), axes %*% common_covariance(start) %*% t(axes))
})

test_that("such a start keeps to the floor, and to the axes where columns determine each other", {
  x <- make_clusters(2)
  start <- with_fixed_seed(1, whitened_start(x, 4, NULL, c(100, 0)))
  free <- with_fixed_seed(1, whitened_start(x, 4, NULL, c(0, 0)))
  expect_equal(start$log_cholesky[1, 1, ], rep(log(100), 4))
  expect_identical(start$log_cholesky[2, , ], free$log_cholesky[2, , ])
  x[, 2] <- 3 * x[, 1]
  expect_identical(
    with_fixed_seed(1, whitened_start(x, 4, NULL, c(0.1, 0.2))),
    with_fixed_seed(1, em_start(x, 4, TRUE, NULL, c(0.1, 0.2)))
  )
})

test_that("the root of a covariance is its Cholesky factor, none where that is nearly singular", {
  x <- make_points(40, 3) %*% matrix(c(1, 0.5, 0, 0, 2, 0, -3, 0, 0.1), 3)
  w <- with_fixed_seed(1, sample(1:3, 40, TRUE))
  expect_equal(covariance_root(x, NULL), t(chol(cov(x) * 39 / 40)))
  expect_equal(tcrossprod(covariance_root(x, w)), cov.wt(x, w / sum(w), method = "ML")$cov)
  expect_equal(covariance_root(x, 5 * w), covariance_root(x[rep(1:40, w), ], NULL))
  # by the share of its variance that the columns before leave to one, not by its units
  other <- make_points(40, 1, seed = 2)
  beside <- function(share) cbind(x[, 1], x[, 1] + sqrt(share) * sd(x[, 1]) * scale(other))
  for (units in c(1e-20, 1, 1e20)) {
    expect_null(covariance_root(units * beside(0), NULL))
    expect_null(covariance_root(units * beside(5e-11), NULL))
    expect_identical(dim(covariance_root(units * beside(2e-10), NULL)), c(2L, 2L))
  }
})

test_that("rows fall into two at the widest gap in the middle of the column of most spread", {
  cut <- function(...) widest_gap(unname(cbind(...)))
  # of twelve rows gaps three to nine count, the first of equal ones
  for (i in 1:11) {
    x <- 1:12 + 10 * (1:12 > i)
    expected <- if (i %in% 3:9) i else x[3]
    expect_equal(cut(x), list(column = 1L, at = expected), info = i)
    expect_equal(cut(rev(x)), list(column = 1L, at = expected), info = i)
  }
  # by quartiles, or where these are equal by the range
  expect_equal(cut(1:10, c(1:9, 1e6) / 10)$column, 1)
  expect_equal(cut(1:10, 2 * 1:10)$column, 2)
  expect_equal(cut(rep(0:1, c(9, 1)), rep(c(0, 3), c(9, 1))), list(column = 2L, at = 0))
  # where the middle is tied, all gaps
  expect_equal(cut(c(0, rep(1, 10), 5)), list(column = 1L, at = 1))
  expect_equal(cut(c(-9, rep(1, 10), 5)), list(column = 1L, at = -9))
  # few rows, and ties
  expect_equal(cut(c(4, 2)), list(column = 1L, at = 2))
  expect_equal(cut(c(4, 2, 7)), list(column = 1L, at = 4))
  expect_null(cut(3, 5))
  expect_null(cut(rep(3, 6), rep(5, 6)))
})

test_that("the largest group is split until there are K, fewer where rows are tied", {
  groups <- function(x, K) split_groups(as.matrix(x), K)
  x <- c(0, 1, 2, 3, 10, 11)
  expect_identical(groups(x, 1), rep(1L, 6))
  expect_identical(groups(x, 2), rep(1:2, c(4, 2)))
  # the four at the first of their gaps, of pairs the first
  expect_identical(groups(x, 3), c(1L, 3L, 3L, 3L, 2L, 2L))
  expect_identical(groups(x, 4), c(1L, 3L, 4L, 4L, 2L, 2L))
  expect_identical(groups(x, 5), c(1L, 3L, 4L, 4L, 2L, 5L))
  expect_identical(groups(x, 6), c(1L, 3L, 4L, 6L, 2L, 5L))
  expect_identical(groups(x, 99), groups(x, 6))
  # a larger one that is tied is passed over
  expect_identical(groups(c(1, 1, 1, 1, 1, 7, 8), 3), rep(1:3, c(5, 1, 1)))
  expect_identical(groups(rep(1:2, 4), 5), rep(1:2, 4))
  expect_identical(groups(rep(1, 4), 3), rep(1L, 4))
  expect_identical(groups(5, 3), 1L)
  y <- make_points(50, 2)
  for (K in c(2, 7, 50)) {
    group <- groups(y, K)
    expect_setequal(group, seq_len(K))
    # the order of rows does not matter
    expect_identical(groups(y[50:1, ], K)[50:1], group)
  }
})

test_that("splits are gone on from where they were, and taken back", {
  tied <- cbind(rep(c(1, 4, 9, 2), c(5, 3, 2, 1)))
  for (x in list(make_points(50, 2), tied)) {
    kept <- list()
    for (K in c(3, 2, 7, 1, 20, 5)) {
      kept <- more_splits(kept, x, K)
      expect_identical(groups_of(kept, K), split_groups(x, K), info = K)
      expect_lte(length(kept$parent), max(K, 20))
    }
  }
  expect_identical(kept$done, TRUE)
  expect_identical(max(groups_of(kept, 20)), 4L)
})

test_that("groups of rows are components with means, shares and spreads of their own", {
  x <- make_points(9, 2)
  group <- c(3L, 1L, 2L, 3L, 3L, 1L, 3L, 3L, 3L)
  floor <- c(0.01, 0.02)
  diagonal <- grouped_start(x, group, FALSE, floor)
  full <- grouped_start(x, group, TRUE, floor)
  expect_equal(exp(diagonal$biases[[1]]), c(2, 1, 6) / 9)
  for (k in 1:3) {
    own <- x[group == k, , drop = FALSE]
    expect_equal(diagonal$mean[k, ], colMeans(own))
    sd <- apply(own, 2, function(values) sqrt(mean((values - mean(values))^2)))
    # one row has no spread
    if (k == 2) sd <- floor
    expect_equal(exp(diagonal$log_sd[k, ]), sd)
    expect_equal(full$log_cholesky[, , k], diag(log(sd)))
  }
  expect_identical(full[c("mean", "biases")], diagonal[c("mean", "biases")])
  # there is a floor where none is asked for
  expect_equal(grouped_start(x, group, FALSE, c(0, 0))$log_sd[2, ], log(c(1e-10, 1e-10)))
  # any scale, each its own
  mixed <- cbind(c(1e-3 * 1:4, 10 * 1:4 + 1e3))
  split <- split_start(mixed, 2, FALSE, 0)
  expect_equal(split$mean, cbind(c(2.5e-3, 1025)))
  expect_equal(exp(split$log_sd), cbind(c(1e-3, 10) * sqrt(1.25)))
  expect_identical(nrow(split_start(cbind(rep(1:2, 4)), 5, TRUE, 0)$mean), 2L)
})

test_that("a start at atoms has a component for each group of them, then some for the rest", {
  atoms <- c(0L, 5L, 2L, 0L, 5L, 2L, 0L, 0L, 2L)
  x <- cbind(c(1, 7, 4, 2, 7.5, 4.1, 30, 31, 4.2))
  for (full in c(FALSE, TRUE)) {
    start <- atom_start(x, atoms, 2, full, 1e-3)
    expect_equal(start, grouped_start(x, c(3L, 2L, 1L, 3L, 2L, 1L, 4L, 4L, 1L), full, 1e-3))
  }
  expect_equal(atom_start(x, atoms, 1, FALSE, 0)$mean, cbind(c(4.1, 7.25, 16)))
  # no more than the rest has values, and none where it has no rows
  expect_identical(nrow(atom_start(x, atoms, 9, FALSE, 0)$mean), 6L)
  only <- atoms > 0
  expect_equal(
    atom_start(x[only, , drop = FALSE], atoms[only], 3, FALSE, 0)$mean, cbind(c(4.1, 7.25))
  )
  # a fold may have no rows of any
  expect_equal(
    atom_start(x, 0L * atoms, 2, FALSE, 1e-3), split_start(x, 2, FALSE, 1e-3)
  )
})
