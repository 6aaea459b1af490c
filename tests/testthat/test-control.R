test_that("settings have the documented defaults", {
  control <- cwmix_control()
  expect_s3_class(control, "cwmix_control", exact = TRUE)
  expect_named(control, setdiff(names(formals(cwmix_control)), "..."))
  expect_null(control$epochs)
  expect_null(control$batch_size)
  expect_null(control$threads)
  expect_null(control$weight_decay)
  expect_null(control$folds)
  expect_null(control$networks)
  expect_identical(control$schedule, "one-cycle")
  expect_identical(control$precision, "single")
  expect_false(control$exact)
  expect_identical(control$optimiser, "adam")
  expect_false(control$verbose)
})

test_that("settings are kept as given, counts as integers", {
  control <- cwmix_control(
    epochs = 3, batch_size = 7, learning_rate = 1L, schedule = "constant", weight_decay = 0,
    gradient_clip = Inf, patience = Inf, em_iterations = 9, em_tolerance = 1e-3, starts = 2,
    networks = 4, folds = 3, sd_floor = 0, precision = "double", exact = TRUE, threads = 2,
    optimiser = "lbfgs", verbose = TRUE
  )
  expect_identical(
    unclass(control),
    list(
      epochs = 3L, batch_size = 7L, learning_rate = 1, schedule = "constant", weight_decay = 0,
      gradient_clip = Inf, patience = Inf, em_iterations = 9L, em_tolerance = 1e-3, starts = 2L,
      networks = 4L, folds = 3L, sd_floor = 0, precision = "double", exact = TRUE, threads = 2L,
      optimiser = "lbfgs", verbose = TRUE
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
})

test_that("the first step of Adam moves what has a gradient by the learning rate", {
  fit <- function(epochs) {
    control <- cwmix_control(
      epochs = epochs, batch_size = 272, schedule = "constant", learning_rate = 0.003,
      weight_decay = 0, precision = "double"
    )
    with_fixed_seed(1, coef(cwmix(faithful, K = 3, hidden = 4, validation = 0, control = control)))
  }
  start <- fit(0)
  after <- fit(1)
  # the last layer starts at zero, which keeps gradients from the layers below it
  expect_equal(abs(after$weights[[2]] - start$weights[[2]]), matrix(0.003, 3, 4), tolerance = 1e-4)
  expect_identical(after$weights[[1]], start$weights[[1]])
  expect_identical(after$biases[[1]], start$biases[[1]])
})

test_that("one-cycle is a warm-up over three tenths and a cosine to zero", {
  fit <- function(...) {
    control <- cwmix_control(patience = Inf, learning_rate = 0.01, starts = 1, ...)
    with_fixed_seed(1, cwmix(faithful, K = 2, hidden = 3, validation = 0, control = control))
  }
  # one step an epoch: the trace has the rate of every step
  rates <- fit(epochs = 40, batch_size = 272)$trace$learning_rate
  expect_equal(rates, c(NA, reference_schedule((1:40 - 0.5) / 40, 0.01)), tolerance = 1e-12)
  # ceiling(272 / 60) = 5 steps an epoch: it has the last one's
  rates <- fit(epochs = 7, batch_size = 60)$trace$learning_rate
  expect_equal(rates, c(NA, reference_schedule((5 * 1:7 - 0.5) / 35, 0.01)), tolerance = 1e-12)
})

test_that("a constant schedule leaves the learning rate", {
  control <- cwmix_control(epochs = 3, schedule = "constant", learning_rate = 0.01)
  fit <- with_fixed_seed(1, cwmix(faithful, K = 2, hidden = 3, control = control))
  expect_equal(fit$trace$learning_rate, c(NA, 0.01, 0.01, 0.01))
})

test_that("a batch size that is given is the one used", {
  for (size in c(1, 7, 50, 91, 100, 200, 271, 272)) {
    control <- cwmix_control(epochs = 2, batch_size = size, starts = 1)
    fit <- with_fixed_seed(1, cwmix(faithful, K = 2, hidden = 3, validation = 0, control = control))
    expect_equal(fit$optimiser$state$step, 2 * ceiling(272 / size), info = size)
  }
})

test_that("settings changed by hand to what they cannot be are refused", {
  changes <- list(
    list(optimiser = "sgd"), list(optimiser = 1), list(epochs = "a"), list(epochs = -1),
    list(batch_size = 0), list(learning_rate = NA_real_), list(schedule = "step"),
    list(precision = "half"), list(starts = 0), list(em_iterations = "many"),
    list(em_tolerance = -1), list(sd_floor = -1), list(patience = 0), list(gradient_clip = 0),
    list(weight_decay = -1), list(folds = 1), list(threads = "all"), list(verbose = NA)
  )
  for (change in changes) {
    control <- cwmix_control(epochs = 1, starts = 1)
    control[names(change)] <- change
    info <- paste(names(change), deparse(change[[1]]))
    named <- sprintf("`(control|%s)`", names(change))
    expect_error(
      cwmix(faithful, K = 2, hidden = 3, control = control), named,
      class = "cwmix_input_error", info = info
    )
    expect_error(
      gaussian_mixture(faithful, K = 2, control = control), named,
      class = "cwmix_input_error", info = info
    )
  }
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
