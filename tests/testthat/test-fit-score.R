test_that("rows that would move the held-out score by more than its error are told", {
  least <- -20
  told <- function(scores, weights = rep(1 / 100, 100)) {
    search <- list(
      weights = weights, near = 1:100, folds = list(list(held = 1:60), list(held = 61:100)),
      rows = list(kept = 1:100), units = list(row_of = 1:100)
    )
    seen <- catch_conditions(warn_few_rows(scores, least, search))
    vapply(seen$conditions, conditionMessage, "")
  }
  scores <- with_fixed_seed(1, rnorm(100, -2))
  expect_identical(told(scores), character())
  # by as much as one row lies below the bound
  error <- score_error(replace(scores, 7, least), rep(1 / 100, 100))
  below <- function(errors) replace(scores, 7, least - 100 * errors * error)
  expect_identical(told(below(0.99)), character())
  expect_length(told(below(1.01)), 1)
  expect_identical(told(replace(scores, 7, -1020)), paste(
    "Few rows decide the held-out score: row 7 would lower it by 10, and counts as no less than",
    "-20 instead. Look whether they are right."
  ))
  expect_match(told(replace(scores, 7:8, c(-520, -Inf))), "rows 7, 8 would lower it by Inf")
  # by weight
  light <- rep(c(1, 1e-4, 1), c(6, 1, 93))
  expect_identical(told(replace(scores, 7, -1020), light / sum(light)), character())
})

test_that("each held-out row has the shares that the rows of the other folds give", {
  folds <- list(list(held = c(2, 5, 9)), list(held = c(1, 3)), list(held = c(4, 6, 7, 8, 10)))
  # rows fold after fold
  fold <- rep(1:3, c(3, 2, 5))
  scores <- with_fixed_seed(1, matrix(rnorm(30), 10))
  weights <- with_fixed_seed(2, runif(10))
  candidates <- lapply(1:3, function(j) list(scores = scores[, j]))
  search <- list(folds = folds, weights = weights)
  shares <- shares_of_others(search, candidates, c(0.2, 0.3, 0.5))
  for (i in 1:10) {
    others <- weights * (fold != fold[i])
    expect_close(shares[i, ], reference_shares_by_rows(scores, others, 20), 1e-10)
  }
  # of one split, or one candidate, those of all
  split <- list(folds = folds[3], weights = weights[6:10])
  expect_identical(
    shares_of_others(split, candidates, c(0.2, 0.3, 0.5)),
    matrix(c(0.2, 0.3, 0.5), 5, 3, byrow = TRUE)
  )
  expect_identical(shares_of_others(search, candidates[1], 1), matrix(1, 10, 1))
})
