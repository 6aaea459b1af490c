test_that("shares agree with the slow reference, number for number", {
  scores <- with_fixed_seed(1, matrix(rnorm(60 * 5, -2, 0.3), 60, 5))
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
