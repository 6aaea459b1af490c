test_that("five epochs and five more are ten, to the bit", {
  for (precision in c("single", "double")) {
    for (covariance in c("diagonal", "full")) {
      fit <- function(epochs) {
        cwmix(faithful,
          K = 3, hidden = c(8, 8), covariance = covariance,
          control = constant_control(epochs, precision = precision)
        )
      }
      ten <- with_fixed_seed(1, fit(10))
      # the random stream goes on where the first five left it
      two_times_five <- with_fixed_seed(1, update(fit(5), epochs = 5))
      expect_same_numbers(two_times_five, ten)
      expect_identical(two_times_five$optimiser$state, ten$optimiser$state)
    }
  }
})

test_that("with weights, a support and a formula as well", {
  w <- rep(1:4, 68)
  fit <- function(epochs) {
    cwmix(~ log(eruptions) + waiting, faithful,
      K = 2, hidden = 4, weights = w, support = list(NULL, c(0, 200)),
      control = constant_control(epochs)
    )
  }
  expect_same_numbers(with_fixed_seed(1, update(fit(2), epochs = 3)), with_fixed_seed(1, fit(5)))
})

test_that("with weights of zero and data kept as well", {
  w <- rep(c(1, 0, 2, 1), 68)
  fit <- function(epochs) {
    cwmix(faithful,
      K = 2, hidden = 4, weights = w, keep_data = TRUE, control = constant_control(epochs)
    )
  }
  expect_same_numbers(with_fixed_seed(1, update(fit(2), epochs = 3)), with_fixed_seed(1, fit(5)))
})

test_that("of bounds that values stand on, given cells and repeated rows as well", {
  x <- with_fixed_seed(2, rbinom(300, 10, 0.1))
  repeated <- make_points(60, 2)[rep(1:60, rep(1:3, 20)), ]
  control <- function(epochs) constant_control(epochs, precision = "double")
  fits <- list(
    function(epochs) cwmix(x, K = 2, hidden = 4, support = c(0, 10), control = control(epochs)),
    function(epochs) cwmix(x, K = 2, hidden = 4, resolution = 2, control = control(epochs)),
    function(epochs) flow_spline(x, layers = 2, resolution = 0.5, control = control(epochs)),
    function(epochs) cwmix(repeated, K = 2, hidden = 4, control = control(epochs))
  )
  for (fit in fits) {
    five <- with_fixed_seed(1, fit(5))
    two_and_three <- with_fixed_seed(1, update(fit(2), epochs = 3))
    expect_same_numbers(two_and_three, five)
    expect_identical(two_and_three$optimiser, five$optimiser)
  }
})

test_that("further epochs are scored at the units of those before", {
  x <- round(ring(200), 1)
  control <- constant_control(2, precision = "double", learning_rate = 0.01)
  fit <- with_fixed_seed(1, cwmix(x, K = 3, hidden = 8, control = control))
  units <- fit$optimiser$units
  rows <- read_sample(list(x = x, type = "matrix"), NULL, NULL, NULL)
  held <- unit_sample(rows, NULL, units$seed)$y[units$held, ]
  # the held-out rows, in order, spread over their cells
  recorded <- x[fit$held_rows, ]
  recorded <- recorded[order(recorded[, 1], recorded[, 2]), ]
  expect_identical(round(held, 1), recorded)
  expect_gt(min(abs(held - round(held, 1))), 0)
  score <- function(fit) mean(predict(fit, held, log = TRUE))
  expect_equal(score(fit), max(fit$trace$validation), tolerance = 1e-12)
  more <- with_fixed_seed(2, update(fit, epochs = 3))
  expect_identical(more$trace[1:3, ], fit$trace)
  expect_identical(more$optimiser$units, units)
  expect_identical(more$held_rows, fit$held_rows)
  expect_gt(more$best_epoch, 2)
  expect_equal(score(more), max(more$trace$validation), tolerance = 1e-12)
  # steps that move nothing score what the last epoch scored
  still <- constant_control(3, precision = "double", learning_rate = 1e-14)
  start <- with_fixed_seed(1, cwmix(x, K = 3, hidden = 8, control = quick_control(epochs = 0)))
  same <- with_fixed_seed(2, update(start, epochs = 3, control = still))
  expect_equal(same$trace$validation, rep(start$trace$validation, 4), tolerance = 1e-10)
})

test_that("units that are none are refused", {
  fit <- with_fixed_seed(1, cwmix(faithful, K = 2, hidden = 3, control = constant_control(1)))
  expect_refused <- function(units, message) {
    broken <- fit
    broken$optimiser["units"] <- list(units)
    expect_error(
      update(broken, epochs = 1), message,
      class = "cwmix_input_error", info = deparse(units)[1]
    )
  }
  units <- fit$optimiser$units
  for (other in list(NULL, "a", list(), units[names(units) != "held"])) {
    expect_refused(other, "its `optimiser` is not what a fit has")
  }
  for (held in list(NULL, 3:1, 0:3, -1L, c(1, 2.5), "a", NA, list(1), c(1L, 1L))) {
    expect_refused(replace(units, "held", list(held)), "its `optimiser` is not what a fit has")
  }
  for (seed in list("a", 1:2, NA, 1.5, -1, Inf, 1e10, list(1))) {
    expect_refused(replace(units, "seed", list(seed)), "its `optimiser` is not what a fit has")
  }
  for (held in list(1:272, 273L)) {
    expect_refused(replace(units, "held", list(held)), "validation rows among those of its data")
  }
  for (resolution in list(NULL, "fine", -1, NA, mean)) {
    expect_refused(
      replace(units, "resolution", list(resolution)), "its `optimiser` is not what a fit has"
    )
  }
  # other units than those of the fit
  for (other in list(replace(units, "resolution", 0.5), units[names(units) != "seed"])) {
    expect_refused(other, "must have the units of its own fit")
  }
})

test_that("updates of updates go on, the trace with them", {
  x <- untied(faithful)
  fit <- with_fixed_seed(1, {
    fit <- cwmix(x, K = 3, hidden = 8, control = constant_control(3))
    fit <- update(fit, epochs = 2)
    update(fit, epochs = 4)
  })
  expect_identical(fit$trace$epoch, 0:9)
  best <- which.max(fit$trace$validation)
  expect_identical(fit$best_epoch, fit$trace$epoch[best])
  expect_equal(
    log_likelihood(fit, x[fit$held_rows, ]) / 27, fit$trace$validation[best], tolerance = 1e-5
  )
})

test_that("the best epoch may lie before the update", {
  fit <- with_fixed_seed(1, cwmix(faithful, K = 3, hidden = 8, control = constant_control(3)))
  spoilt <- with_fixed_seed(
    2, update(fit, epochs = 2, control = constant_control(1, learning_rate = 1))
  )
  expect_identical(spoilt$best_epoch, fit$best_epoch)
  expect_identical(coef(spoilt), coef(fit))
  expect_length(spoilt$trace$epoch, 6)
})

test_that("a control for the further epochs counts from there on", {
  fit <- with_fixed_seed(1, cwmix(faithful, K = 3, hidden = 8, control = constant_control(2)))
  more <- with_fixed_seed(
    2, update(fit, epochs = 2, control = constant_control(7, learning_rate = 0.001))
  )
  expect_equal(more$trace$learning_rate, c(NA, 0.005, 0.005, 0.001, 0.001))
})

test_that("patience counts from the update on", {
  control <- cwmix_control(epochs = 200, patience = 2, learning_rate = 0.2, starts = 2)
  fit <- with_fixed_seed(1, cwmix(faithful, K = 3, hidden = 8, control = control))
  expect_identical(fit$stopped, "patience")
  more <- with_fixed_seed(2, update(fit, epochs = 2))
  expect_gt(max(more$trace$epoch), max(fit$trace$epoch))
})

test_that("L-BFGS goes on from where it was", {
  control <- cwmix_control(optimiser = "lbfgs", epochs = 5, starts = 2)
  fit <- with_fixed_seed(1, cwmix(faithful, K = 2, hidden = 4, validation = 0, control = control))
  more <- update(fit, epochs = 10)
  expect_gte(more$log_likelihood, fit$log_likelihood)
  expect_gt(max(more$trace$epoch), max(fit$trace$epoch))
})

test_that("data kept in the fit need not be found", {
  fit <- with_fixed_seed(1, local({
    mine <- faithful
    cwmix(mine,
      K = 3, hidden = 8, weights = rep(1:2, 136), keep_data = TRUE,
      control = constant_control(2)
    )
  }))
  more <- with_fixed_seed(2, update(fit, epochs = 2))
  expect_identical(more$trace$epoch, 0:4)
  reference <- with_fixed_seed(1, cwmix(faithful,
    K = 3, hidden = 8, weights = rep(1:2, 136), control = constant_control(2)
  ))
  expect_same_numbers(more, with_fixed_seed(2, update(reference, epochs = 2)))
  # and a refit takes them, too
  expect_identical(nrow(with_fixed_seed(1, update(fit, K = 4))$mean), 4L)
})

test_that("data that cannot be found are an error", {
  x <- faithful
  fit <- with_fixed_seed(1, cwmix(x, K = 2, hidden = 3, control = constant_control(1)))
  rm(x)
  expect_error(update(fit, epochs = 1), "`object` must have been fitted to data that can be found",
    class = "cwmix_input_error"
  )
  expect_error(update(fit, K = 3), class = "cwmix_input_error")
  mixture <- with_fixed_seed(1, local({
    mine <- faithful
    gaussian_mixture(mine, K = 2)
  }))
  expect_error(update(mixture, K = 3), class = "cwmix_input_error")
})

test_that("other data under the same name are an error", {
  x <- faithful
  fit <- with_fixed_seed(1, cwmix(x, K = 2, hidden = 3, control = constant_control(1)))
  others <- list(
    fewer = faithful[1:200, ], scaled = faithful * 2, one_changed = replace(faithful, 1, 1 + 0.01),
    # the validation rows would be others
    reordered = faithful[272:1, ], one_column = faithful["waiting"], swapped = faithful[2:1],
    text = letters, constant = faithful * 0
  )
  others$one_changed <- faithful
  others$one_changed[5, 2] <- 80
  for (name in names(others)) {
    x <- others[[name]]
    expect_error(update(fit, epochs = 1), class = "cwmix_input_error", info = name)
  }
  x <- faithful
  expect_no_error(with_fixed_seed(1, update(fit, epochs = 1)))
})

test_that("other weights under the same name are an error", {
  x <- faithful
  w <- rep(1:2, 136)
  fit <- with_fixed_seed(1, cwmix(x, K = 2, hidden = 3, weights = w, control = constant_control(1)))
  w <- rep(2:1, 136)
  expect_error(update(fit, epochs = 1), class = "cwmix_input_error")
  w <- rep("a", 272)
  expect_error(update(fit, epochs = 1), class = "cwmix_input_error")
  rm(w)
  expect_error(update(fit, epochs = 1), class = "cwmix_input_error")
})

test_that("data outside the support under the same name are an error", {
  x <- faithful
  fit <- with_fixed_seed(
    1, cwmix(x, K = 2, hidden = 3, support = c(0, Inf), control = constant_control(1))
  )
  x <- -faithful
  expect_error(update(fit, epochs = 1), class = "cwmix_input_error")
})

test_that("any other change fits anew", {
  fit <- with_fixed_seed(1, cwmix(faithful, K = 2, hidden = 3, control = constant_control(1)))
  refit <- with_fixed_seed(5, update(fit, K = 3, hidden = c(4, 4)))
  expected <- with_fixed_seed(
    5, cwmix(faithful, K = 3, hidden = c(4, 4), control = constant_control(1))
  )
  expect_same_numbers(refit, expected)
  expect_identical(refit$call, quote(cwmix(
    x = faithful, K = 3, hidden = c(4, 4), control = constant_control(1)
  )))
  other_data <- with_fixed_seed(5, update(fit, x = faithful[1:100, ]))
  expect_identical(nobs(other_data), 100L)
  control <- with_fixed_seed(5, update(fit, control = constant_control(3)))
  expect_identical(max(control$trace$epoch), 3L)
  same <- with_fixed_seed(1, update(fit))
  expect_same_numbers(same, fit)
})

test_that("a Gaussian mixture is refitted", {
  fit <- with_fixed_seed(1, gaussian_mixture(faithful, K = 2))
  refit <- with_fixed_seed(1, update(fit, K = 3, covariance = "full"))
  expected <- with_fixed_seed(1, gaussian_mixture(faithful, K = 3, covariance = "full"))
  expect_identical(coef(refit), coef(expected))
  expect_s3_class(refit, "gaussian_mixture")
  expect_identical(nrow(with_fixed_seed(1, update(fit, K = NULL))$mean), 10L)
  formula <- with_fixed_seed(1, gaussian_mixture(~waiting, faithful, K = 2))
  expect_identical(nobs(with_fixed_seed(1, update(formula, data = faithful[1:50, ]))), 50L)
})

test_that("do.call() leaves no data in the call", {
  fits <- with_fixed_seed(1, list(
    do.call(cwmix, list(faithful, K = 2, hidden = 3, control = constant_control(1))),
    do.call("gaussian_mixture", list(faithful, 2, weights = rep(1, 272))),
    do.call(gaussian_mixture, list(~eruptions, faithful, 2)),
    do.call(gaussian_mixture, list(as.matrix(faithful), K = 2, start = as.matrix(faithful[1:2, ])))
  ))
  for (fit in fits) {
    expect_lt(as.numeric(object.size(fit$call)), 6000)
    expect_false(any(c("data", "weights", "start") %in% names(fit$call)))
  }
  expect_error(update(fits[[1]], epochs = 1), class = "cwmix_input_error")
  expect_error(update(fits[[1]], K = 3), "`x` must be given", class = "cwmix_input_error")
  expect_identical(nrow(with_fixed_seed(1, update(fits[[1]], x = faithful, K = 3))$mean), 3L)
})

test_that("fits are updated from inside functions, where their data are", {
  train_more <- function(data) {
    fit <- cwmix(data, K = 2, hidden = 3, control = constant_control(1))
    update(fit, epochs = 2)
  }
  expect_identical(with_fixed_seed(1, train_more(faithful))$trace$epoch, 0:3)
})

test_that("constant weights have nothing to train", {
  fit <- with_fixed_seed(1, cwmix(faithful, K = 2, hidden = NULL))
  expect_error(update(fit, epochs = 1), "must have a network", class = "cwmix_input_error")
})

test_that("a fit that was saved goes on as if it had not been", {
  file <- tempfile(fileext = ".rds")
  on.exit(unlink(file))
  fit <- with_fixed_seed(1, cwmix(faithful, K = 2, hidden = 3, control = constant_control(2)))
  saveRDS(fit, file)
  expect_same_numbers(
    with_fixed_seed(2, update(readRDS(file), epochs = 2)),
    with_fixed_seed(2, update(fit, epochs = 2))
  )
})

test_that("a refit whose other arguments are gone is one error", {
  fits <- with_fixed_seed(1, local({
    k <- 2
    widths <- 3
    settings <- constant_control(1)
    list(
      cwmix(faithful, K = k, hidden = 3, control = constant_control(1)),
      cwmix(faithful, K = 2, hidden = widths, control = constant_control(1)),
      cwmix(faithful, K = 2, hidden = 3, control = settings),
      gaussian_mixture(faithful, K = k)
    )
  }))
  for (fit in fits) {
    seen <- catch_conditions(update(fit, covariance = "full"))
    expect_length(seen$conditions, 1)
    expect_s3_class(seen$conditions[[1]], "cwmix_input_error")
    expect_identical(as.character(conditionCall(seen$conditions[[1]])[[1]]), "update")
  }
  # what is gone may be given again, and further epochs do without
  again <- with_fixed_seed(2, update(fits[[1]], K = 3))
  expect_identical(nrow(again$mean), 3L)
  for (fit in fits[1:3]) {
    expect_identical(with_fixed_seed(2, update(fit, epochs = 1))$trace$epoch, 0:2)
  }
})

test_that("data that are kept without weights are found again", {
  fit <- local({
    x <- faithful$waiting
    none <- NULL
    with_fixed_seed(1, gaussian_mixture(x, K = 2, weights = none, keep_data = TRUE))
  })
  expect_identical(coef(with_fixed_seed(1, update(fit))), coef(fit))
  fit <- with_fixed_seed(1, gaussian_mixture(faithful$waiting, K = 2, keep_data = TRUE))
  expect_identical(nrow(update(fit, K = 3)$mean), 3L)
})

test_that("an argument may be changed to NULL", {
  x <- with_fixed_seed(1, data.frame(a = rnorm(80), b = rexp(80)))
  quick <- cwmix_control(epochs = 2, folds = 2)
  small <- with_fixed_seed(1, cwmix(x, K = 2, hidden = 4, control = quick))
  again <- with_fixed_seed(1, update(small, hidden = NULL))
  expect_null(again$hidden)
  expect_true(is_constant(again$classifier))
  stack <- with_fixed_seed(1, cwmix(x, control = quick))
  expect_null(with_fixed_seed(1, update(stack, hidden = NULL))$hidden)
})

test_that("a variational fit goes on: the trace, the state and the best of all", {
  log_density <- banana_target()$log_density
  gradient <- banana_target()$gradient
  control <- quick_vi_control(steps = 30, evaluation = 512)
  more <- function() {
    set.seed(1)
    fit <- cwmix_vi(log_density, 2, 6, gradient, hidden = 8, control = control)
    list(fit, update(fit, steps = 25))
  }
  fits <- suppressWarnings(more(), classes = "cwmix_poor_fit")
  expect_identical(fits[[2]]$trace$step, c(0L, 10L, 20L, 30L, 40L, 50L, 55L))
  expect_identical(fits[[2]]$trace[1:4, ], fits[[1]]$trace)
  expect_identical(fits[[2]]$optimiser$state$step, 55)
  expect_gt(fits[[2]]$best_step, 30)
  expect_gt(fits[[2]]$elbo[["estimate"]], fits[[1]]$elbo[["estimate"]])
  expect_identical(fits[[2]]$call, fits[[1]]$call)
  expect_identical(fits[[2]]$search_evidence, fits[[1]]$search_evidence)
})

test_that("further steps of a variational fit are not annealed and have their own control", {
  log_density <- line_target()$log_density
  gradient <- line_target()$gradient
  fit <- with_fixed_seed(
    1, cwmix_vi(log_density, 1, 2, gradient, hidden = 4, control = quick_vi_control())
  )
  real <- elbo_gradient
  powers <- double()
  noted <- function(parameters, z, power, ...) {
    powers <<- c(powers, power)
    real(parameters, z, power, ...)
  }
  more <- with_replaced("elbo_gradient", noted, with_fixed_seed(1, {
    update(fit, steps = 6, control = quick_vi_control(every = 3, learning_rate = 0.002))
  }))
  expect_identical(powers, rep(1, 6))
  expect_identical(more$trace$step, c(0L, 10L, 20L, 23L, 26L))
  expect_identical(more$trace$learning_rate, c(0.01, 0.01, 0.01, 0.002, 0.002))
  # steps that spoil it leave the best
  spoilt <- with_fixed_seed(1, {
    update(fit, steps = 6, control = quick_vi_control(every = 3, learning_rate = 1))
  })
  expect_identical(spoilt$best_step, fit$best_step)
  expect_identical(coef(spoilt), coef(fit))
})

test_that("what was the best of a variational fit is judged at the base points of what follows", {
  log_density <- line_target()$log_density
  gradient <- line_target()$gradient
  control <- quick_vi_control(steps = 0)
  start <- cwmix_model(c(-1, 1), sd = c(1, 1), classifier = c(0.5, 0.5))
  fit <- suppressWarnings(
    cwmix_vi(log_density, 1, 2, gradient, start = start, hidden = 4, control = control),
    classes = "cwmix_poor_fit"
  )
  # as if those of the first steps had been very lucky ones
  fit$optimiser$state$best_score <- 100
  more <- with_fixed_seed(1, suppressWarnings(
    update(fit, steps = 50),
    classes = "cwmix_poor_fit"
  ))
  expect_gt(more$best_step, 0)
  expect_lt(more$optimiser$state$best_score, 1)
})

test_that("a variational fit that was interrupted, diverged or saved goes on", {
  log_density <- line_target()$log_density
  gradient <- line_target()$gradient
  fit <- function(...) {
    with_fixed_seed(1, cwmix_vi(log_density, 1, 2, gradient,
      hidden = 4, control = quick_vi_control(...)
    ))
  }
  expect_warning(
    broken <- with_interrupt("elbo_gradient", 13, fit()),
    class = "cwmix_interrupted"
  )
  more <- with_fixed_seed(2, update(broken, steps = 10))
  expect_identical(more$trace$step, c(0L, 10L, 22L))
  expect_identical(more$stopped, "steps")
  again <- unserialize(serialize(broken, NULL))
  expect_identical(with_fixed_seed(2, update(again, steps = 10)), more)
  expect_warning(far <- fit(learning_rate = 1e4), class = "cwmix_numerical_warning")
  more <- with_fixed_seed(2, update(far, steps = 20, control = quick_vi_control()))
  expect_identical(more$stopped, "steps")
  expect_lt(abs(more$elbo[["estimate"]]), 0.05)
})

test_that("any other change fits a variational target anew", {
  log_density <- line_target()$log_density
  gradient <- line_target()$gradient
  fit <- with_fixed_seed(
    1, cwmix_vi(log_density, 1, 2, gradient, hidden = 4, control = quick_vi_control())
  )
  three <- with_fixed_seed(2, update(fit, K = 3, hidden = NULL))
  expected <- with_fixed_seed(
    2, cwmix_vi(log_density, 1, 3, gradient, hidden = NULL, control = quick_vi_control())
  )
  expect_identical(coef(three), coef(expected))
  none <- with_fixed_seed(2, update(fit, control = quick_vi_control(steps = 0)))
  expect_identical(none$trace$step, 0L)
  expect_message(
    with_fixed_seed(2, update(fit, gradient = NULL)),
    class = "cwmix_differences_message"
  )
})

test_that("a variational fit whose functions are gone is one error", {
  fit <- fit_vi(line_target())
  # where the package's own gradient() is out of sight
  place <- new.env(parent = globalenv())
  place$fit <- fit
  for (code in list(quote(update(fit, steps = 2)), quote(update(fit, K = 3)))) {
    expect_error(eval(code, place), class = "cwmix_input_error")
  }
  steps <- quote(update(fit, steps = 2))
  expect_error(eval(steps, place), "with a `log_density` that can be found")
  place$log_density <- line_target()$log_density
  expect_error(
    eval(steps, place), "with a `gradient` that can be found",
    class = "cwmix_input_error"
  )
  expect_error(update(fit, 3), "must be named", class = "cwmix_input_error")
  for (control in list(cwmix_control(), list(), "fast")) {
    expect_error(
      update(fit, steps = 2, control = control), "`control`",
      class = "cwmix_input_error"
    )
  }
})

test_that("variational fits of bounded, named columns and of one component go on", {
  log_density <- bounded_target()$log_density
  support <- list(share = c(0, 1), rate = c(0, Inf))
  for (covariance in c("diagonal", "full")) {
    for (K in c(1, 3)) {
      fit <- with_fixed_seed(1, suppressMessages(cwmix_vi(log_density, 2, K,
        hidden = integer(), covariance = covariance, support = support,
        names = c("rate", "share"), control = quick_vi_control()
      )))
      expect_silent(more <- with_fixed_seed(2, update(fit, steps = 10)))
      expect_identical(max(more$trace$step), 30L)
      expect_identical(more$frame, fit$frame)
      expect_identical(dimnames(more$mean), dimnames(fit$mean))
      expect_lt(abs(more$log_evidence[["estimate"]] + 1), 0.1)
    }
  }
})
