test_that("settings have the documented defaults", {
  control <- cwmix_vi_control()
  expect_s3_class(control, c("cwmix_vi_control", "cwmix_control"), exact = TRUE)
  expect_named(control, setdiff(names(formals(cwmix_vi_control)), "..."))
  expect_identical(control$steps, 5000L)
  expect_null(control$temperature)
  expect_null(control$threads)
  expect_true(control$path)
  expect_false(control$exact)
  expect_false(control$verbose)
})

test_that("settings are kept as given, counts as integers", {
  control <- cwmix_vi_control(
    steps = 0, points = 2, learning_rate = 1L, path = FALSE, temperature = 1, every = 3,
    evaluation = 16, patience = 4, tolerance = 0, gradient_clip = Inf, spread = 2, searches = 0,
    draws = 100, exact = TRUE, threads = 2, verbose = TRUE
  )
  expect_identical(
    unclass(control),
    list(
      steps = 0L, points = 2L, learning_rate = 1, path = FALSE, temperature = 1, every = 3L,
      evaluation = 16L, patience = 4L, tolerance = 0, gradient_clip = Inf, spread = 2,
      searches = 0L, draws = 100L, exact = TRUE, threads = 2L, verbose = TRUE
    )
  )
})

test_that("settings print one a line", {
  expect_snapshot(cwmix_vi_control(steps = 50, threads = 2, verbose = FALSE))
})

test_that("the smallest settings work", {
  control <- cwmix_vi_control(
    steps = 1, points = 2, every = 1, evaluation = 16, patience = 1, searches = 0, draws = 100,
    gradient_clip = Inf
  )
  expect_s3_class(fit_vi(line_target(), control = control), "cwmix_vi")
})

test_that("settings changed by hand to what they cannot be are refused", {
  log_density <- line_target()$log_density
  changes <- list(
    list(steps = "a"), list(points = 1), list(learning_rate = 0), list(path = NA),
    list(temperature = 0.5), list(every = 0), list(evaluation = 15), list(patience = 0),
    list(tolerance = -1), list(gradient_clip = 0), list(spread = 0), list(searches = -1),
    list(draws = 99), list(exact = 1), list(threads = "all"), list(verbose = NA)
  )
  for (change in changes) {
    control <- quick_vi_control()
    control[names(change)] <- change
    expect_error(
      cwmix_vi(log_density, 1, 2, control = control), sprintf("`%s`", names(change)),
      class = "cwmix_input_error", info = names(change)
    )
  }
})

test_that("each kind of fit takes its own control", {
  log_density <- line_target()$log_density
  expect_error(
    cwmix_vi(log_density, 1, 2, control = cwmix_control()), "made by cwmix_vi_control()",
    fixed = TRUE, class = "cwmix_input_error"
  )
  for (fit in list(cwmix, gaussian_mixture)) {
    expect_error(
      fit(faithful, K = 2, control = cwmix_vi_control()), "made by cwmix_control()",
      fixed = TRUE, class = "cwmix_input_error"
    )
  }
})

test_that("a setting given to the fit itself is pointed to its control", {
  expect_error(
    cwmix_vi(line_target()$log_density, 1, 2, steps = 10), "`control = cwmix_vi_control(steps = )`",
    fixed = TRUE, class = "cwmix_input_error"
  )
})
