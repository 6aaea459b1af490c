test_that("settings have the documented defaults", {
  control <- cwmix_control()
  expect_s3_class(control, "cwmix_control", exact = TRUE)
  expect_named(control, setdiff(names(formals(cwmix_control)), "..."))
  expect_null(control$epochs)
  expect_null(control$batch_size)
  expect_null(control$threads)
  expect_null(control$weight_decay)
  expect_identical(control$schedule, "one-cycle")
  expect_identical(control$precision, "single")
  expect_identical(control$optimiser, "adam")
  expect_false(control$verbose)
})

test_that("settings are kept as given, counts as integers", {
  control <- cwmix_control(
    epochs = 3, batch_size = 7, learning_rate = 1L, schedule = "constant", weight_decay = 0,
    gradient_clip = Inf, patience = Inf, em_iterations = 9, em_tolerance = 1e-3, starts = 2,
    sd_floor = 0, precision = "double", threads = 2, optimiser = "lbfgs", verbose = TRUE
  )
  expect_identical(
    unclass(control),
    list(
      epochs = 3L, batch_size = 7L, learning_rate = 1, schedule = "constant", weight_decay = 0,
      gradient_clip = Inf, patience = Inf, em_iterations = 9L, em_tolerance = 1e-3, starts = 2L,
      sd_floor = 0, precision = "double", threads = 2L, optimiser = "lbfgs", verbose = TRUE
    )
  )
})

test_that("settings print one a line", {
  expect_snapshot(cwmix_control(epochs = 50, threads = 2, patience = Inf, verbose = FALSE))
})

test_that("epochs = 0 leaves the fit at the start", {
  fit <- with_fixed_seed(1, cwmix(faithful, K = 2, hidden = 3, control = cwmix_control(epochs = 0)))
  expect_identical(fit$trace$epoch, 0L)
  expect_identical(fit$best_epoch, 0L)
  expect_identical(fit$stopped, "epochs")
})

test_that("the number of epochs and of starts is that asked for", {
  control <- cwmix_control(epochs = 4, starts = 3, patience = Inf)
  fit <- with_fixed_seed(1, cwmix(faithful, K = 2, hidden = 3, control = control))
  expect_identical(fit$trace$epoch, 0:4)
  expect_length(fit$starts, 3)
})

test_that("patience ends training that many epochs after the best", {
  control <- cwmix_control(epochs = 200, patience = 3, learning_rate = 0.5)
  fit <- with_fixed_seed(1, cwmix(faithful, K = 2, hidden = 8, control = control))
  expect_identical(fit$stopped, "patience")
  expect_identical(max(fit$trace$epoch), fit$best_epoch + 3L)
})

test_that("one batch of all rows is one step an epoch", {
  n <- nrow(faithful)
  whole <- cwmix_control(epochs = 1, batch_size = n, schedule = "constant")
  larger <- cwmix_control(epochs = 1, batch_size = 10 * n, schedule = "constant")
  fits <- lapply(list(whole, larger), function(control) {
    with_fixed_seed(1, cwmix(faithful, K = 2, hidden = 3, validation = 0, control = control))
  })
  expect_identical(coef(fits[[1]]), coef(fits[[2]]))
  expect_equal(fits[[1]]$optimiser$state$step, 1)
  # Adam's first step moves every parameter with a gradient by the learning rate, in units of a
  # column's standard deviation
  start <- with_fixed_seed(1, cwmix(faithful,
    K = 2, hidden = 3, validation = 0, control = cwmix_control(epochs = 0)
  ))
  moved <- abs(coef(fits[[1]])$biases[[2]] - coef(start)$biases[[2]])
  expect_lte(max(moved), 5e-3 * (1 + 1e-3))
})

test_that("the schedule is a warm-up and a cosine, or constant", {
  control <- cwmix_control(epochs = 10, patience = Inf, learning_rate = 0.01)
  fit <- with_fixed_seed(1, cwmix(faithful, K = 2, hidden = 3, control = control))
  rates <- fit$trace$learning_rate[-1]
  top <- which.max(rates)
  expect_equal(diff(rates[seq_len(top)]) > 0, rep(TRUE, top - 1))
  expect_equal(diff(rates[top:10]) < 0, rep(TRUE, 10 - top))
  expect_lte(max(rates), 0.01)
  expect_lt(rates[10], 1e-4)

  control <- cwmix_control(epochs = 3, schedule = "constant", learning_rate = 0.01)
  fit <- with_fixed_seed(1, cwmix(faithful, K = 2, hidden = 3, control = control))
  expect_equal(fit$trace$learning_rate, c(NA, 0.01, 0.01, 0.01))
})

test_that("weight decay shrinks the network's weights and nothing else", {
  weights_with <- function(decay) {
    control <- cwmix_control(
      epochs = 1, batch_size = 272, weight_decay = decay, precision = "double",
      schedule = "constant", learning_rate = 0.01
    )
    fit <- with_fixed_seed(1, cwmix(faithful, K = 2, hidden = 3, validation = 0, control = control))
    coef(fit)
  }
  plain <- weights_with(0)
  decayed <- weights_with(0.5)
  start <- with_fixed_seed(1, coef(cwmix(faithful,
    K = 2, hidden = 3, validation = 0, control = cwmix_control(epochs = 0, precision = "double")
  )))
  # one step: the weights lose learning rate x decay of themselves
  expect_equal(
    plain$weights[[1]] - decayed$weights[[1]], 0.01 * 0.5 * start$weights[[1]],
    tolerance = 1e-10
  )
  expect_identical(plain[c("mean", "log_sd", "biases")], decayed[c("mean", "log_sd", "biases")])
})
