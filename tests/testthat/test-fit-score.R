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

test_that("few rows that decide are those of the data that stand for units below the bound", {
  # of 101 units the fifth is far; the one with number 61 stands for two rows; every other row of
  # the data has no weight
  search <- list(
    weights = rep(1 / 100, 100), near = setdiff(1:101, 5),
    folds = list(list(held = 60:1), list(held = 61:100)),
    rows = list(kept = 2 * 1:102), units = list(unit_of = c(101:1, 61), row_of = 101:1)
  )
  told <- function(at) {
    scores <- replace(rep(c(-1, -2), 50), at, -1020)
    conditionMessage(expect_warning(warn_few_rows(scores, -20, search), class = "cwmix_few_rows"))
  }
  expect_match(told(1), ": rows 82, 204 would")
  expect_match(told(60), ": row 202 would")
  expect_match(told(100), ": row 2 would")
})

test_that("each held-out row has the shares that the rows of the other folds give", {
  folds <- list(list(held = c(2, 5, 9)), list(held = c(1, 3)), list(held = c(4, 6, 7, 8, 10)))
  # rows fold after fold
  fold <- rep(1:3, c(3, 2, 5))
  scores <- with_fixed_seed(1, matrix(rnorm(30), 10))
  weights <- with_fixed_seed(2, runif(10))
  candidates <- lapply(1:3, function(j) list(scores = unname(split(scores[, j], fold))))
  weights <- weights / sum(weights)
  search <- list(folds = folds, weights = weights)
  bounded <- apply(scores, 2, bounded_scores, weights)
  shares <- shares_of_others(search, candidates, c(0.2, 0.3, 0.5))
  for (i in 1:10) {
    others <- weights * (fold != fold[i])
    expect_close(
      shares[i, ],
      reference_stacked_weights(bounded, others, start = c(0.2, 0.3, 0.5), steps = 50), 1e-10
    )
  }
  # of one split, or one candidate, those of all
  split <- list(folds = folds[3], weights = weights[6:10])
  expect_identical(
    shares_of_others(split, candidates, c(0.2, 0.3, 0.5)),
    matrix(c(0.2, 0.3, 0.5), 5, 3, byrow = TRUE)
  )
  expect_identical(shares_of_others(search, candidates[1], 1), matrix(1, 10, 1))
})

# held_out_score() by a loop over the near units that are held out: of each the log of the sum of
# share times density under the fits to the folds that it is not in, shares those of the other
# folds' rows in their cells (of one split those that are given), less what far rows have; then
# means in which far rows are one more row, at the bound.
reference_score <- function(search, candidates, shares) {
  sample <- search$task$sample
  held <- unlist(lapply(search$folds, `[[`, "held"))
  folds <- lapply(search$folds, function(fold) list(held = match(fold$held, held)))
  n <- length(held)
  far <- setdiff(seq_len(nrow(search$units$y)), search$near)
  a <- search$units$weights %||% rep(1, nrow(search$units$y))
  far_weight <- sum(a[far]) / sum(a)
  w <- a[search$near][held] / sum(a[search$near][held])
  at <- function(y) {
    moved <- replace(sample, "y", list(y[held, , drop = FALSE]))
    moved <- list(task = list(sample = moved), folds = folds)
    vapply(candidates, reference_held_out, double(n), search = moved)
  }
  # as candidates are compared
  in_cells <- apply(at(sample$y), 2, bounded_scores, w)
  given <- shares
  log_sum <- function(densities) {
    score <- double(n)
    for (fold in folds) {
      if (length(folds) > 1) {
        a <- replace(w, fold$held, 0)
        shares <- reference_stacked_weights(in_cells, a, start = given, steps = 50)
      }
      for (i in fold$held) {
        score[i] <- reference_log_sum_exp(log((1 - far_weight) * shares) + densities[i, ])
      }
    }
    score
  }
  recorded <- sample$recorded %||% sample
  score <- log_sum(at(recorded$y)) + recorded$log_jacobian[held]
  least <- score_bound(score, w)
  each <- (1 - far_weight) * w
  broad <- broad_density(search)
  far_log <- vapply(far, function(i) {
    sum(dnorm(search$units$y[i, ], broad$mean, broad$sd, log = TRUE)) +
      search$units$log_jacobian[i]
  }, 0)
  bounded <- c(pmax(score, least), least)
  mean <- sum(c(each, far_weight) * bounded)
  c(
    score = mean,
    se = sqrt((n + 1) / n * sum((c(each, far_weight) * (bounded - mean))^2)),
    unbounded = sum(each * score) +
      far_weight * (log(far_weight) + sum(a[far] * far_log) / sum(a[far])),
    units = sum(w * (log_sum(in_cells) + sample$log_jacobian[held]))
  )
}

test_that("a held-out score with far rows is that of a loop over the rows", {
  exact <- with_fixed_seed(1, rnorm(60))
  grid <- with_fixed_seed(2, round(rnorm(60), 1))
  cases <- list(
    exact = list(x = c(exact, 1e6, 2e6)),
    # one row below the bound
    low = list(x = c(exact, 60, 1e6)),
    # the far ones with weights of their own
    weights = list(x = c(exact, 1e6, 3e6), weights = c(with_fixed_seed(3, runif(60)), 0.3, 0.1)),
    # where they were recorded is not where the units are
    grid = list(x = c(grid, 1e6)),
    counts = list(x = c(grid, 1e6, 2e6), weights = rep(c(2, 1), c(60, 2))),
    bounded = list(x = c(exp(exact), 1e300), support = c(0, Inf)),
    "bounded grid" = list(x = c(1 + abs(10 * grid), 1e300), support = c(0, Inf)),
    "one split" = list(
      x = c(with_fixed_seed(4, rlnorm(300)), 1e300), support = c(0, Inf), folds = NULL
    )
  )
  for (name in names(cases)) {
    arguments <- utils::modifyList(list(folds = 3), cases[[name]], keep.null = TRUE)
    fit <- function() do.call(fit_stack, arguments)
    both <- suppressWarnings(
      search_of(if (name == "one split") one_split(fit()) else fit()), classes = "cwmix_far_rows"
    )
    some <- complete_candidates(both$search)[c(1, 3, 4)]
    expected <- reference_score(both$search, some, c(0.2, 0.3, 0.5))
    found <- held_out_score(both$search, some, c(0.2, 0.3, 0.5), "tanh")
    expect_named(found, names(expected))
    expect_close(found, expected, 1e-8, info = name)
  }
})

test_that("far rows cost near ones the log of the share that these have left", {
  x <- with_fixed_seed(1, rnorm(60))
  both <- search_of(fit_stack(x, folds = 3))
  candidates <- complete_candidates(both$search)[1:3]
  alone <- held_out_score(both$search, candidates, rep(1 / 3, 3), "tanh")
  for (far in c(0.01, 0.2)) {
    found <- with_replaced("far_share", function(search) far, with_replaced(
      "far_score", function(search, share) -7,
      held_out_score(both$search, candidates, rep(1 / 3, 3), "tanh")
    ))
    expect_equal(found[["units"]], alone[["units"]] + log(1 - far))
    expect_equal(found[["unbounded"]], (1 - far) * (alone[["score"]] + log(1 - far)) - 7 * far)
  }
})

test_that("where far rows are told, few rows that decide are not told again", {
  x <- c(with_fixed_seed(1, rnorm(60)), 60)
  classes <- function(x) {
    # a logarithmic tail would say what a row far out is
    seen <- catch_conditions(without_maps(fit_stack(x, folds = 3)))
    vapply(seen$conditions, function(condition) class(condition)[1], "")
  }
  expect_identical(classes(x), "cwmix_few_rows")
  expect_identical(classes(c(x, 1e7)), "cwmix_far_rows")
})
