test_that("densities and their parts are the same", {
  x <- make_points(3001, 3)
  for (covariance in c("diagonal", "full")) {
    model <- large_model(covariance)
    for (type in c("density", "posterior", "class", "weights", "component")) {
      without_limits(expect_same_bits(predict(model, x, type = type)))
    }
  }
  without_limits(expect_same_bits(predict(large_model()$classifier, x, log = TRUE)))
})

test_that("gradients and log-likelihoods are the same, in both precisions", {
  x <- make_points(3001, 3)
  w <- with_fixed_seed(1, runif(3001))
  for (covariance in c("diagonal", "full")) {
    model <- large_model(covariance)
    without_limits(expect_same_bits(log_likelihood(model, x, weights = w, gradient = TRUE)))
    for (single in c(TRUE, FALSE)) {
      without_limits(expect_same_bits(list(
        evaluate(model, points_at(x), "density", list(single = single)),
        gradient(model, points_at(x), w, list(single = single))
      )))
    }
  }
})

test_that("gradients in the points are the same, in both precisions", {
  x <- make_points(3001, 3)
  a <- with_fixed_seed(1, rnorm(3001))
  for (covariance in c("diagonal", "full")) {
    object <- large_model(covariance)
    model <- engine_model(coef(object), "tanh")
    for (single in c(FALSE, TRUE)) {
      without_limits(expect_same_bits(
        .Call(ffi_gradient, model, x, a, TRUE, draw_of(0.1, 0.2, 0.3), single, thread_count())
      ))
    }
  }
})

test_that("expectations and their gradients are the same, in every instance", {
  for (model in list(large_model(), large_model("full"), make_model(3, 4))) {
    z <- make_base(3001, 3)
    for (instance in cwmix_info()$instances) {
      without_limits(expect_same_bits(with_engine(
        expectation(model, wave, z = z, gradient = wave_gradient),
        instance = instance
      )))
    }
  }
})

test_that("draws and residuals are the same", {
  model <- large_model("full")
  without_limits(expect_same_bits(simulate(model, 5001, seed = 1, component = TRUE)))
  # blocks that are filled beside the team, for a network and for constant weights
  for (model in list(model, make_model(2, 5, 16, activation = "silu"), make_model(1, 7))) {
    without_limits(expect_same_bits(simulate(model, 40001, seed = 1, component = TRUE)))
  }
  bounded <- bounded_model(c(0, 1), small_network())
  without_limits(expect_same_bits(simulate(bounded, 40001, seed = 1)))
  x <- simulate(model, 3001, seed = 1)
  without_limits(expect_same_bits(with_fixed_seed(1, residuals(model, x))))
})

test_that("EM is the same", {
  x <- make_points(20001, 3)
  for (covariance in c("diagonal", "full")) {
    control <- cwmix_control(starts = 2, em_iterations = 15, em_tolerance = 1e-2)
    without_limits(expect_same_bits(fit_numbers(
      with_fixed_seed(1, gaussian_mixture(x, 8, covariance = covariance, control = control))
    )))
  }
})

test_that("steps of EM are the same, whatever the rows, components and weights", {
  for (s in em_scenarios(d = c(2, 5), K = 7, n = 5001)) {
    for (weights in list(NULL, s$weights)) {
      without_limits(expect_same_bits(em_steps(em_parameters(s$p), s$x, weights, 5)))
    }
  }
})

test_that("fits are the same, by the option and by cwmix_control()", {
  x <- make_points(2001, 3)
  for (precision in c("single", "double")) {
    fit <- function(threads = NULL) {
      control <- cwmix_control(
        epochs = 2, starts = 1, batch_size = 700, precision = precision, threads = threads
      )
      fit_numbers(with_fixed_seed(1, cwmix(x, K = 5, hidden = c(24, 16), control = control)))
    }
    without_limits({
      expect_same_bits(fit())
      expect_identical(fit(2), fit(1))
      expect_identical(fit(3), fit(1))
    })
  }
  control <- cwmix_control(epochs = 3, starts = 1, optimiser = "lbfgs")
  without_limits(expect_same_bits(
    fit_numbers(with_fixed_seed(1, cwmix(x, K = 3, hidden = 8, control = control)))
  ))
})

test_that("every instance of the engine does so", {
  x <- make_points(1501, 3)
  model <- large_model()
  for (instance in cwmix_info()$instances) {
    without_limits(expect_same_bits(
      with_engine(log_likelihood(model, x, gradient = TRUE), instance = instance)
    ))
    without_limits(expect_same_bits(with_engine(predict(model, x), instance = instance)))
    without_limits(expect_same_bits(
      with_engine(simulate(model, 9001, seed = 1), instance = instance)
    ))
  }
})

test_that("more threads than rows, tiles or processors do no harm", {
  model <- large_model()
  for (n in c(0, 1, 2, 50)) {
    x <- make_points(n, 3)
    expected <- predict(model, x)
    old <- options(cwmix.threads = 1000)
    value <- without_limits(predict(model, x))
    options(old)
    expect_identical(value, expected)
  }
  for (n in c(1, 2, 9001)) {
    expected <- simulate(model, n, seed = 1)
    old <- options(cwmix.threads = 1000)
    value <- without_limits(simulate(model, n, seed = 1))
    options(old)
    expect_identical(value, expected)
  }
})

test_that("the environment limits the number of threads", {
  with_environment <- function(code, ...) {
    do.call(Sys.setenv, list(...))
    on.exit(Sys.unsetenv(names(list(...))))
    code
  }
  old <- options(cwmix.threads = 8)
  on.exit(options(old))
  without_limits({
    expect_identical(cwmix_info()$threads, 8L)
    expect_identical(with_environment(cwmix_info()$threads, OMP_THREAD_LIMIT = "3"), 3L)
    expect_identical(with_environment(cwmix_info()$threads, OMP_NUM_THREADS = "2"), 2L)
    expect_identical(
      with_environment(cwmix_info()$threads, OMP_NUM_THREADS = "4", OMP_THREAD_LIMIT = "1"), 1L
    )
    expect_identical(with_environment(cwmix_info()$threads, OMP_NUM_THREADS = "many"), 8L)
    expect_identical(with_environment(cwmix_info()$threads, OMP_NUM_THREADS = "0"), 8L)
    expect_identical(with_environment(cwmix_info()$threads, `_R_CHECK_LIMIT_CORES_` = "TRUE"), 2L)
    expect_identical(with_environment(cwmix_info()$threads, `_R_CHECK_LIMIT_CORES_` = "false"), 8L)
    options(cwmix.threads = NULL)
    expect_identical(cwmix_info()$threads, cwmix_info()$processors)
    expect_identical(with_environment(cwmix_info()$threads, OMP_THREAD_LIMIT = "1"), 1L)
  })
})

test_that("parallel::mclapply() after threaded fits and draws gives their bits", {
  skip_on_os("windows")
  x <- make_points(2001, 3)
  work <- function(seed, precision) {
    control <- cwmix_control(
      epochs = 1, starts = 1, batch_size = 1000, threads = 2, precision = precision
    )
    fit <- with_fixed_seed(seed, cwmix(x, K = 5, hidden = c(24, 16), control = control))
    list(
      fit_numbers(fit), simulate(fit, 9001, seed = seed), predict(fit, x),
      with_fixed_seed(seed, residuals(fit, x))
    )
  }
  without_limits(for (precision in c("single", "double")) {
    here <- lapply(1:2, work, precision)
    there <- parallel::mclapply(1:2, work, precision, mc.cores = 2)
    expect_identical(there, here)
  })
})

test_that("forks after a threaded fit neither hang nor differ", {
  skip_on_os("windows")
  x <- make_points(2001, 3)
  control <- cwmix_control(epochs = 1, starts = 1, batch_size = 1000, threads = 2)
  fit <- function(seed) {
    fit_numbers(with_fixed_seed(seed, cwmix(x, K = 5, hidden = c(24, 16), control = control)))
  }
  without_limits({
    here <- lapply(1:2, fit)
    forks <- lapply(1:2, function(seed) parallel::mcparallel(fit(seed)))
    # NULL stands for a fork that has not ended in time
    there <- lapply(forks, function(fork) {
      parallel::mccollect(fork, wait = FALSE, timeout = 20)[[1]]
    })
  })
  hanging <- vapply(there, is.null, NA)
  for (fork in forks[hanging]) tools::pskill(fork$pid)
  expect_identical(there, here)
})

test_that("variational fits are the same, by the option and by cwmix_vi_control()", {
  target <- ring_target()
  fit <- function(threads = NULL, exact = FALSE) {
    control <- cwmix_vi_control(
      steps = 6, every = 3, draws = 500, searches = 5, threads = threads, exact = exact
    )
    fit <- suppressWarnings(
      fit_vi(target, 12, hidden = c(32, 32), control = control),
      classes = "cwmix_poor_fit"
    )
    fit[setdiff(names(fit), c("control", "call"))]
  }
  without_limits({
    expect_same_bits(fit())
    expect_same_bits(fit(exact = TRUE))
    expect_identical(fit(2), fit(1))
  })
})
