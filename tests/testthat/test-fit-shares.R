test_that("shares agree with the slow reference, number for number", {
  scores <- with_fixed_seed(1, matrix(rnorm(60 * 5, -2, 0.3), 60, 5))
  # one row speaks against one candidate by more than it may
  scores[7, 2] <- -50
  weights <- with_fixed_seed(2, runif(60))
  weights <- weights / sum(weights)
  for (least in c(0, 0.1)) {
    expect_close(
      with_fixed_seed(3, stacking_shares(scores, weights, least, draws = 3, iterations = 7)),
      with_fixed_seed(3, reference_stacking_shares(scores, weights, 3, 7, least)),
      1e-10
    )
  }
})

test_that("a candidate that is clearly the best has nearly all shares, equal ones share", {
  shares <- function(scores, weights = rep(1 / nrow(scores), nrow(scores))) {
    with_fixed_seed(1, stacking_shares(scores, weights))
  }
  row <- with_fixed_seed(1, rnorm(200))
  best <- shares(cbind(row - 1, row, row - 2))
  expect_equal(sum(best), 1)
  expect_gt(best[[2]], 0.99)
  expect_equal(shares(unname(cbind(row, row, row))), rep(1 / 3, 3))
  expect_identical(shares(matrix(row)), 1)
  # neither an offset of a row nor scores far below all others change anything
  offset <- with_fixed_seed(2, rnorm(200, sd = 100))
  some <- with_fixed_seed(3, matrix(rnorm(600), 200))
  expect_equal(shares(some + offset - 1e3), shares(some), tolerance = 1e-6)
  expect_identical(shares(unname(cbind(row, row - 1e200))), c(1, 0))
})

test_that("one row far out does not decide", {
  scores <- cbind(rep(0, 100), rep(-1, 100))
  scores[1, ] <- c(-1e4, -10)
  shares <- with_fixed_seed(1, stacking_shares(scores, rep(1 / 100, 100)))
  expect_gt(shares[1], 0.9)
})

test_that("rows count by their weights in the shares", {
  # the first is better on three rows in four, the second on the others
  scores <- cbind(rep(c(0, -1), c(300, 100)), rep(c(-1, 0), c(300, 100)))
  shares <- function(weights) with_fixed_seed(1, stacking_shares(scores, weights / sum(weights)))
  expect_gt(shares(rep(1, 400))[1], 0.9)
  expect_gt(shares(rep(c(1, 100), c(300, 100)))[2], 0.9)
  expect_equal(shares(rep(c(1, 1e-12), c(300, 100))), c(1, 0))
  # where weights balance, what differs is the bootstrap alone
  balanced <- rep(c(1, 3), c(300, 100))
  expect_equal(shares_by_rows(scores, balanced, 20), c(0.5, 0.5), tolerance = 1e-10)
})

test_that("a candidate below the least share is left out, unless all are", {
  # all equal: a third each, whatever the bootstrap
  equal <- matrix(1, 40, 3)
  shares <- function(scores, least) {
    with_fixed_seed(1, stacking_shares(scores, rep(1 / 40, 40), least))
  }
  for (least in c(0, 0.3, 0.4)) expect_equal(shares(equal, least), rep(1 / 3, 3))
  # one that is behind in every row has little, but not nothing
  behind <- cbind(equal[, 1:2], 1 - 0.2)
  free <- shares(behind, 0)
  expect_gt(free[3], 1e-3)
  expect_identical(shares(behind, free[3] * 0.999), free)
  expect_equal(shares(behind, free[3] * 1.001), c(0.5, 0.5, 0))
})

test_that("the more rows, the more iterations and the fewer draws of weights", {
  n <- c(10, 199, 500, 1990, 2000, 1e5)
  iterations <- vapply(n, function(n) iterations_for(matrix(0, n, 1)), 0)
  expect_identical(iterations, c(20, 20, 50, 199, 200, 200))
  draws <- function(n) {
    seen <- 0
    note <- function(scores, a, iterations) {
      seen <<- seen + 1
      rep(0.5, 2)
    }
    with_replaced("shares_by_rows", note, with_fixed_seed(1, stacking_shares(matrix(0, n, 2), 1)))
    seen
  }
  expect_identical(vapply(c(10, 500, 700, 1200, 5000), draws, 0), c(10, 10, 7, 4, 3))
})
