# n scores of candidates that are near each other.
some_scores <- function(n, candidates, seed = 1) {
  with_fixed_seed(seed, matrix(rnorm(n * candidates, -2, 0.5), n, candidates))
}

# The mean log of the weighted densities.
reference_value <- function(scores, a, share) {
  sum(a / sum(a) * log(exp(scores) %*% share))
}

# The largest value over the simplex, by optim() from several starts.
slow_optimum <- function(scores, a) {
  shares <- function(free) exp(reference_log_softmax(c(0, free)))
  runs <- lapply(c(-1, 0, 1), function(start) {
    optim(
      rep(start, ncol(scores) - 1), function(free) -reference_value(scores, a, shares(free)),
      method = "BFGS", control = list(maxit = 500, reltol = 1e-14)
    )
  })
  best <- runs[[which.min(vapply(runs, `[[`, 0, "value"))]]
  list(share = shares(best$par), value = -best$value)
}

test_that("weights are those of a loop over rows and candidates, with a price or none", {
  a <- with_fixed_seed(2, runif(40))
  scores <- some_scores(40, 4)
  # far below all others, and a row that is impossible for one
  scores[3, ] <- scores[3, ] - 1e4
  scores[7, 2] <- -1e6
  for (df in list(double(4), c(2, 30, 5, 5))) {
    for (steps in c(1, 7, 300)) {
      expect_close(
        stacked_weights(scores, a, df, NULL, steps),
        reference_stacked_weights(scores, a, df, steps = steps), 1e-10
      )
    }
    start <- c(0.7, 0.1, 0, 0.2)
    expect_close(
      stacked_weights(scores, a, df, start, 20),
      reference_stacked_weights(scores, a, df, start, 20), 1e-10
    )
    # what has no share gets none
    expect_identical(stacked_weights(scores, a, df, start)[3], 0)
  }
  expect_identical(stacked_weights(scores[, 1, drop = FALSE], a, 3), 1)
})

test_that("weights without a price reach the optimum over the simplex", {
  for (seed in 1:3) {
    a <- with_fixed_seed(seed, runif(80))
    scores <- some_scores(80, 3, seed)
    best <- slow_optimum(scores, a)
    share <- stacked_weights(scores, a, double(3))
    expect_lte(best$value - reference_value(scores, a, share), 1e-5)
    # steps of EM that move no weight by 1e-6 may be some of them short
    expect_equal(share, best$share, tolerance = 1e-2)
  }
})

test_that("a price has its fixed point where gains are the parameters' number", {
  scores <- some_scores(200, 3)
  a <- rep(1, 200)
  df <- c(2, 10, 5)
  share <- stacked_weights(scores, a, df, steps = 5000)
  price <- 1 + (df - sum(share * df)) / 200
  posterior <- t(apply(scores, 1, function(row) exp(reference_log_softmax(log(share) + row))))
  kept <- share > 1e-3
  expect_gt(sum(kept), 1)
  # EM's step, less the price, is where it was but for the sum
  step <- colMeans(posterior) / price / share
  expect_equal(step[kept] / step[kept][1], rep(1, sum(kept)), tolerance = 1e-3)
  # of two that score alike the one with more parameters goes
  alike <- cbind(scores[, 1], scores[, 1])
  expect_lt(stacked_weights(alike, a, c(40, 2), steps = 5000)[1], 1e-3)
})

# few_weights() as it is meant, without a price: candidates go one by one while the best of the
# others is within 0.001 of all.
slow_elimination <- function(scores, a, least = 0.001) {
  kept <- seq_len(ncol(scores))
  optimum <- function(kept) {
    if (length(kept) == 1) {
      return(list(share = 1, value = reference_value(scores[, kept, drop = FALSE], a, 1)))
    }
    slow_optimum(scores[, kept, drop = FALSE], a)
  }
  full <- optimum(kept)
  now <- full
  while (length(kept) > 1) {
    without <- lapply(seq_along(kept), function(i) optimum(kept[-i]))
    left <- vapply(without, `[[`, 0, "value")
    if (max(left) < full$value - least) break
    now <- without[[which.max(left)]]
    kept <- kept[-which.max(left)]
  }
  list(kept = kept, share = now$share, value = now$value, full = full$value)
}

test_that("few weights are left that score as all within a thousandth", {
  left <- integer()
  for (seed in 1:4) {
    # the first two are of most use, the third is nearly the first
    scores <- some_scores(100, 4, seed)
    scores[, 3] <- scores[, 1] + 0.01 * scores[, 3]
    scores[, 4] <- scores[, 4] - 0.4
    a <- with_fixed_seed(10 + seed, runif(100, 0.5, 1.5))
    expected <- slow_elimination(scores, a)
    found <- few_weights(scores, a)
    expect_identical(which(found > 0), expected$kept)
    expect_equal(sum(found), 1)
    expect_equal(found[expected$kept], expected$share, tolerance = 2e-2)
    expect_lte(expected$full - reference_value(scores, a, found), 0.001 + 1e-5)
    left <- c(left, sum(found > 0))
  }
  # some went, some stayed
  expect_lt(max(left), 4)
  expect_gt(max(left), 1)
  # where any loss is borne one is left
  expect_identical(sum(few_weights(scores, a, least = 10) > 0), 1L)
})

test_that("a candidate that is clearly the best stands alone, as one of equal ones does", {
  row <- with_fixed_seed(1, rnorm(200))
  a <- rep(1 / 200, 200)
  expect_identical(few_weights(unname(cbind(row - 1, row, row - 2)), a), c(0, 1, 0))
  expect_identical(sum(few_weights(unname(cbind(row, row, row)), a) > 0), 1L)
  expect_identical(few_weights(matrix(row), a), 1)
  expect_identical(few_weights(unname(cbind(row, row - 1e200)), a), c(1, 0))
  # an offset of a row changes nothing
  some <- some_scores(200, 3)
  offset <- with_fixed_seed(2, rnorm(200, sd = 100))
  expect_equal(few_weights(some + offset - 1e3, a), few_weights(some, a), tolerance = 1e-6)
})

test_that("rows count by their weights in the shares", {
  # the first is better on three rows in four, the second on the others
  scores <- cbind(rep(c(0, -1), c(300, 100)), rep(c(-1, 0), c(300, 100)))
  expect_gt(few_weights(scores, rep(1, 400))[1], 0.9)
  expect_gt(few_weights(scores, rep(c(1, 100), c(300, 100)))[2], 0.9)
  expect_identical(few_weights(scores, rep(c(1, 1e-12), c(300, 100))), c(1, 0))
  # weights are repeated rows, but for a price by row
  some <- some_scores(30, 3)
  w <- rep(1:3, 10)
  expect_equal(few_weights(some, w), few_weights(some[rep(1:30, w), ], rep(1, sum(w))))
})

test_that("in one column the simplest stands alone unless the gain is beyond its error", {
  n <- 100
  a <- rep(1 / n, n)
  simple <- with_fixed_seed(1, rnorm(n))
  # gains of a candidate with more parameters: their mean is so many standard errors
  noise <- with_fixed_seed(2, rnorm(n))
  noise <- (noise - mean(noise)) / sqrt(mean((noise - mean(noise))^2))
  ahead <- function(errors) {
    gain <- 0.1 * noise
    scores <- cbind(simple + gain + errors * score_error(gain, a), simple)
    # of few parameters, so that the price is small
    priced_weights(scores, a, c(2.1, 2))
  }
  expect_identical(ahead(-0.5), c(0, 1))
  expect_gt(ahead(3)[1], 0)
  # the error and the gain are those of the stack, by a loop over the rows
  for (errors in seq(0.2, 2, 0.2)) {
    gain <- 0.1 * noise
    scores <- cbind(simple + gain + errors * score_error(gain, a), simple)
    share <- few_weights(scores, a, c(2.1, 2) / 2)
    of_stack <- vapply(1:n, function(i) log(sum(share * exp(scores[i, ]))) - scores[i, 2], 0)
    alone <- mean(of_stack) < sd(of_stack) / sqrt(n)
    expect_identical(priced_weights(scores, a, c(2.1, 2)), if (alone) c(0, 1) else share)
  }
  # a candidate that is nowhere ahead leaves the simplest, whatever its place
  expect_identical(priced_weights(cbind(simple - 1, simple, simple - 2), a, c(1, 9, 5)), c(0, 1, 0))
  one <- priced_weights(cbind(simple, simple, simple), a, c(3, 1, 2))
  expect_identical(one, c(0, 1, 0))
})

test_that("scores are a column a candidate, fold after fold, each row's loss bounded", {
  search <- list(weights = rep(1 / 40, 40))
  values <- lapply(1:3, function(j) with_fixed_seed(j, rnorm(40)))
  values[[2]][5] <- -1e4
  candidates <- lapply(values, function(one) list(scores = split(one, rep(1:2, each = 20))))
  expected <- vapply(values, bounded_scores, double(40), search$weights)
  expect_identical(score_matrix(candidates, search), expected)
  expect_gt(expected[5, 2], -1e3)
  expect_identical(dim(score_matrix(candidates[1], search)), c(40L, 1L))
})

test_that("of the three likeliest to be missed least one goes, as of all", {
  of_all <- function(scores, a, least = 0.001) {
    value <- function(some) stacked_score(scores[, some, drop = FALSE], a)
    share <- stacked_weights(scores, a, double(ncol(scores)))
    kept <- which(share > 0.005)
    full <- value(kept)
    while (length(kept) > 1) {
      left <- vapply(seq_along(kept), function(i) value(kept[-i]), 0)
      if (max(left) < full - least) break
      kept <- kept[-which.max(left)]
    }
    kept
  }
  a <- rep(1 / 200, 200)
  for (seed in 1:5) {
    scores <- with_fixed_seed(seed, matrix(rnorm(2000, sd = 0.5), 200))
    expect_identical(which(few_weights(scores, a) > 0), of_all(scores, a), info = seed)
  }
})
