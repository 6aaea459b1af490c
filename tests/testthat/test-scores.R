# The bound of score_bound() by sorting rows that are repeated as often as their whole weights say.
reference_score_bound <- function(scores, counts) {
  sorted <- sort(rep(ifelse(is.nan(scores), -Inf, scores), counts))
  tenth <- sorted[ceiling(0.1 * length(sorted))]
  middle <- sorted[ceiling(0.5 * length(sorted))]
  if (tenth == -Inf) -Inf else middle - 10 * max(1, middle - tenth)
}

test_that("a row loses at most ten times what a tenth of the rows lose, or ten nats", {
  for (n in c(1, 9, 10, 11, 101)) {
    for (spread in c(0.1, 5)) {
      scores <- with_fixed_seed(n, rnorm(n, -3, spread))
      counts <- with_fixed_seed(n, sample(1:5, n, TRUE))
      for (w in list(rep(1L, n), counts)) {
        expect_equal(score_bound(scores, w / sum(w)), reference_score_bound(scores, w), info = n)
        expect_identical(score_bound(scores, w), score_bound(scores, 2 * w))
      }
    }
  }
  expect_equal(score_bound(c(rep(0, 99), -1e9), rep(0.01, 100)), -10)
  expect_equal(score_bound(rep(c(-5, 0), c(20, 80)), rep(0.01, 100)), -50)
})

test_that("scores above the bound stay, those below and no numbers are raised to it", {
  scores <- with_fixed_seed(1, rnorm(100))
  w <- rep(0.01, 100)
  expect_identical(bounded_scores(scores, w), scores)
  scores[c(3, 50, 70)] <- c(-1e300, -Inf, NaN)
  bounded <- bounded_scores(scores, w)
  expect_identical(bounded[-c(3, 50, 70)], scores[-c(3, 50, 70)])
  expect_equal(bounded[c(3, 50, 70)], rep(score_bound(scores, w), 3))
  expect_true(all(is.finite(bounded)))
  # a shift moves all, the order of rows nothing
  expect_equal(bounded_scores(scores + 7, w), bounded + 7)
  expect_equal(bounded_scores(rev(scores), w), rev(bounded))
})

test_that("where a tenth of the rows has no density there is no bound", {
  scores <- rep(0, 100)
  w <- rep(0.01, 100)
  for (nothing in c(-Inf, NaN)) {
    expect_identical(score_bound(replace(scores, 1:10, nothing), w), -Inf)
    expect_equal(score_bound(replace(scores, 1:9, nothing), w), -10)
    expect_identical(bounded_scores(replace(scores, 1:10, nothing), w)[1], -Inf)
  }
  # by weight
  expect_identical(score_bound(c(-Inf, 0, 0), c(0.1, 0.4, 0.5)), -Inf)
  expect_equal(score_bound(c(-Inf, 0, 0), c(0.09, 0.41, 0.5)), -10)
})

test_that("the mean and its error are those of a loop, by weights of any sum", {
  scores <- with_fixed_seed(1, rnorm(30, -3))
  w <- with_fixed_seed(2, rexp(30))
  mean <- 0
  for (i in 1:30) mean <- mean + w[i] * scores[i] / sum(w)
  square <- 0
  for (i in 1:30) square <- square + (w[i] / sum(w) * (scores[i] - mean))^2
  for (unit in c(1, 1 / sum(w), 1e300)) {
    expect_equal(mean_score(scores, unit * w), mean, tolerance = 1e-14)
    expect_equal(score_error(scores, unit * w), sqrt(30 / 29 * square), tolerance = 1e-13)
  }
  # equal ones are none
  for (weights in list(NULL, rep(1, 30), rep(1 / 30, 30))) {
    expect_equal(mean_score(scores, weights), mean(scores), tolerance = 1e-14)
    expect_equal(score_error(scores, weights), sd(scores) / sqrt(30), tolerance = 1e-13)
  }
})

test_that("the error of a mean has no overflow, and is NA where there is none", {
  scores <- c(-1e200, 1, 2)
  for (w in list(NULL, rep(1 / 3, 3), rep(5, 3))) {
    expect_equal(score_error(scores, w), 1e200 / 3)
  }
  expect_equal(score_error(rep(3, 5), rep(0.2, 5)), 0)
  for (undefined in list(3, c(1, -Inf), c(1, NaN, 2), double())) {
    expect_identical(score_error(undefined, rep(1, length(undefined))), NA_real_)
  }
  expect_identical(mean_score(c(1, -Inf), c(1, 1)), -Inf)
  expect_identical(score_table(cbind(c(-1e200, 1, 2), 0))$se, c(1e200 / 3, 0))
})
