test_that("EM starts from the groups of a hierarchical clustering", {
  centers <- rbind(c(-5, 0), c(5, 0), c(0, 50))
  group <- rep(1:3, c(10, 20, 30))
  x <- centers[group, ] + with_fixed_seed(1, matrix(rnorm(120), 60))
  tree <- cluster_tree(x)
  start <- tree_start(tree, 3, FALSE, c(0, 0))
  order <- order(exp(start$biases[[1]]))
  means <- t(vapply(1:3, function(k) colMeans(x[group == k, ]), c(0, 0)))
  expect_equal(start$mean[order, ], means)
  expect_equal(exp(start$biases[[1]])[order], c(1, 2, 3) / 6)
  within <- sqrt(colMeans((x - means[group, ])^2))
  expect_equal(exp(start$log_sd), matrix(within, 3, 2, byrow = TRUE))
  # the units of the columns do not matter
  stretched <- tree_start(cluster_tree(x * rep(c(1, 1000), each = 60)), 3, FALSE, c(0, 0))
  expect_equal(stretched$mean / rep(c(1, 1000), each = 3), start$mean)

  full <- tree_start(tree, 3, TRUE, c(0, 0))
  for (k in 1:3) expect_equal(full$log_cholesky[, , k], diag(log(within)))
  one <- tree_start(tree, 1, FALSE, c(0, 0))
  expect_equal(one$mean, rbind(colMeans(x)))
  expect_equal(exp(one$log_sd), rbind(sqrt(colMeans((x - rep(colMeans(x), each = 60))^2))))
  # every row a group: only the floor is left
  rows <- tree_start(tree, 60, FALSE, c(0.1, 0.2))
  expect_equal(exp(rows$log_sd), matrix(c(0.1, 0.2), 60, 2, byrow = TRUE))
  expect_setequal(rows$mean[, 1], x[, 1])
})

test_that("a clustering takes equal rows, far ones and at most so many as asked", {
  expect_length(cluster_tree(matrix(1, 5, 1))$tree$order, 5)
  expect_length(cluster_tree(matrix(c(1, 2), 6, 2))$tree$order, 6)
  expect_length(cluster_tree(rbind(matrix(0, 5, 2), c(1e-200, 1e-190)))$tree$order, 6)
  some <- with_fixed_seed(1, cluster_tree(make_points(100, 2), most = 20))
  expect_identical(dim(some$x), c(20L, 2L))
  expect_length(some$tree$order, 20)
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
