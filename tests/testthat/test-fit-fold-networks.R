test_that("networks of all folds stop at the epoch of the best mean held-out score", {
  for (optimiser in c("adam", "lbfgs")) {
    control <- cwmix_control(folds = 2, epochs = 6, learning_rate = 0.02, optimiser = optimiser)
    found <- search_of(fit_stack(ring(100), covariance = "diagonal", control = control))$search
    start <- complete_candidates(found)[[2]]
    real <- held_out_scores
    seen <- list()
    note <- function(search, fits, ...) {
      scores <- real(search, fits, ...)
      seen[[length(seen) + 1]] <<- list(fits = fits, score = mean(scores))
      scores
    }
    best <- with_replaced(
      "held_out_scores", note, with_fixed_seed(1, train_folds(found, start, 8L, "tanh"))
    )
    scores <- vapply(seen, `[[`, 0, "score")
    expect_length(scores, 6)
    expect_identical(best$epochs, which.max(scores))
    expect_equal(best$score, max(scores))
    expect_identical(best$fits, seen[[best$epochs]]$fits)
    expect_gt(best$score, mean(unlist(start$scores)))
  }
})

test_that("patience ends the training of networks", {
  found <- search_of(fit_stack(faithful))$search
  found$task$control <- cwmix_control(epochs = 50, patience = 3, learning_rate = 0.5)
  rounds <- 0
  real <- held_out_scores
  count <- function(...) {
    rounds <<- rounds + 1
    real(...)
  }
  raw <- Filter(function(one) one$scale == "raw", complete_candidates(found))
  start <- raw[[which.max(vapply(raw, function(one) mean(unlist(one$scores)), 0))]]
  best <- with_replaced(
    "held_out_scores", count, with_fixed_seed(1, train_folds(found, start, 8L, "tanh"))
  )
  expect_equal(rounds, best$epochs + 3)
})
