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

team_fit <- function(networks, ...) {
  control <- cwmix_control(
    folds = 2, epochs = 15, batch_size = 16, learning_rate = 0.01, networks = networks
  )
  with_networks(fit_stack(ring(150), hidden = 16, covariance = "diagonal", control = control, ...))
}

test_that("a team has the networks asked for, each its own, with the same share", {
  alike <- function(scores, ...) rep(1 / ncol(scores), ncol(scores))
  both <- search_of(with_replaced("few_weights", alike, team_fit(3)))
  table <- complete_table(both$fit)
  others <- table$hidden != "16"
  expect_equal(sum(!others), 3)
  expect_equal(table$share, ifelse(others, 1, 1 / 3) / (sum(others) + 1))
  team <- Filter(function(one) !is.null(one$team), both$search$candidates)
  expect_length(team, 3)
  means <- lapply(team, function(one) one$fits[[1]]$mean)
  expect_identical(anyDuplicated(means), 0L)
  # more networks are those of fewer and others where epochs are given
  fewer <- search_of(team_fit(2))$search$candidates
  expect_identical(fewer, both$search$candidates[seq_along(fewer)])
})

test_that("a network of a team stops at the latest epoch that is no worse by a standard error", {
  found <- search_of(fit_stack(ring(100), covariance = "diagonal"))$search
  found$task$control <- cwmix_control(folds = 2, epochs = 5)
  # nothing else is ahead of it after a fifth of the epochs
  start <- complete_candidates(found)[[1]]
  found$candidates <- list(start)
  noise <- 2 * (found$weights * 0 + c(1, -1))
  gains <- list(0.5, 1, 1 - 0.1 + noise, 1 - 0.15 + noise, 1 - 0.3 + noise)
  stopped <- function(latest) {
    epoch <- 0
    known <- function(...) {
      epoch <<- epoch + 1
      all_scores(found, start) + gains[[epoch]]
    }
    with_replaced("held_out_scores", known, with_fixed_seed(
      1, train_folds(found, start, 4L, "tanh", 5L, latest = latest)
    ))$epochs
  }
  # the standard error of the noise is 2 / sqrt(99)
  expect_identical(stopped(FALSE), 2L)
  expect_identical(stopped(TRUE), 4L)
})

test_that("a team counts as the average of its members", {
  scores <- with_fixed_seed(1, matrix(rnorm(120), 30))
  weights <- rep(1 / 30, 30)
  labels <- c(1, 2, 1, 3)
  together <- cbind(log((exp(scores[, 1]) + exp(scores[, 3])) / 2), scores[, c(2, 4)])
  alone <- few_weights(together, weights, double(3))
  expect_equal(
    team_weights(scores, weights, labels), alone[c(1, 2, 1, 3)] / c(2, 1, 2, 1)
  )
  candidates <- list(list(), list(team = 1L), list(), list(team = 1L))
  expect_identical(team_labels(candidates), c(1L, 2L, 3L, 2L))
})

test_that("a network whose units are steeper is still the mixture that it starts from", {
  start <- list(
    mean = matrix(c(0, 1, 2, 3), 2), log_sd = matrix(0, 2, 2), weights = list(),
    biases = list(log(c(0.3, 0.7)))
  )
  network <- with_fixed_seed(1, add_network(start, c(4L, 3L), "tanh"))
  steep <- steepened(network, "tanh")
  expect_identical(steep$weights[[1]], 2 * network$weights[[1]])
  expect_identical(steep$biases[[1]], 2 * network$biases[[1]])
  expect_identical(steep$weights[[2]], 3 * network$weights[[2]])
  expect_identical(steep$weights[[3]], network$weights[[3]])
  expect_identical(steepened(network, "relu"), network)
  density <- function(parameters) engine_density(engine_model(parameters), ring(9), "density")
  expect_equal(density(steep), density(start))
})

test_that("many rows have a team by default, of more components where there are more rows", {
  expect_null(default_networks(20000))
  expect_identical(default_networks(20001), 2L)
  found <- search_of(fit_stack(ring(150), covariance = "diagonal"))$search
  some <- best_candidate(found)$K
  expect_gt(some, 1)
  plan <- plan_team(found, 2)
  expect_identical(plan$K, some)
  expect_identical(plan$epochs, 150L)
  expect_false(plan$steep)
  rows <- sample.int(75, 2e5, replace = TRUE)
  training <- found$folds[[1]]$training
  found$folds[[1]]$training <- list(x = training$x[rows, ])
  found$folds[[1]]$mixture <- list(x = training$x[rows[1:1.5e5], ])
  expect_identical(plan_team(found, 2)$K, as.integer(round(some * sqrt(4 / 3))))
  expect_identical(plan_team(found, 2)$epochs, 16L)
  # longer with more of them
  expect_identical(plan_team(found, 8)$epochs, 32L)
  found$folds[[1]]$mixture <- list(x = training$x[rows[1:20], ])
  expect_identical(plan_team(found, 2)$K, 80L)
})
