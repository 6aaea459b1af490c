test_that("a flow's shape keeps its settings, those of splines for splines only", {
  flow <- cwmix_flow(
    "spline", layers = 3, hidden = 7, bins = 5, tail_bound = 2L, activation = "relu"
  )
  expect_s3_class(flow, "cwmix_flow", exact = TRUE)
  expect_identical(unclass(flow), list(
    kind = "spline", layers = 3L, hidden = 7L, bins = 5L, tail_bound = 2, activation = "relu",
    shared = TRUE
  ))
  expect_null(cwmix_flow("realnvp")$bins)
  expect_null(cwmix_flow("realnvp")$tail_bound)
})

test_that("shapes print in one line and return themselves invisibly", {
  flow <- cwmix_flow("spline")
  printed <- capture.output(returned <- withVisible(print(flow)))
  expect_identical(returned, list(value = flow, visible = FALSE))
  expect_identical(printed, format(flow))
  expect_snapshot({
    cwmix_flow()
    flow
    cwmix_flow(hidden = integer(0), layers = 1)
  })
})

test_that("a string stands for a shape with its defaults", {
  for (kind in c("realnvp", "spline")) {
    a <- fit_network(faithful, flow = kind, control = quick_control(epochs = 1))
    b <- fit_network(faithful, flow = cwmix_flow(kind), control = quick_control(epochs = 1))
    expect_same_numbers(a, b)
    expect_identical(a$flow, b$flow)
  }
})

test_that("no flow is the default", {
  none <- fit_network(faithful, flow = "none")
  plain <- fit_network(faithful)
  expect_null(none$flow)
  none$call <- plain$call <- NULL
  expect_identical(none, plain)
})

test_that("training starts from EM's mixture: epoch 0 is the same with a flow as without", {
  at_start <- quick_control(epochs = 0)
  for (covariance in c("diagonal", "full")) {
    for (support in list(NULL, c(0, Inf))) {
      fit <- function(...) {
        fit_network(
          faithful, ..., covariance = covariance, support = support, control = at_start
        )
      }
      plain <- fit()
      for (kind in c("realnvp", "spline")) {
        behind <- fit(flow = kind)
        expect_equal(behind$trace, plain$trace, tolerance = 1e-12)
        expect_equal(behind$proportions, plain$proportions, tolerance = 1e-12)
        for (type in c("density", "posterior", "weights", "component")) {
          log_of <- function(fit) predict(fit, faithful[1:20, ], type = type, log = TRUE)
          expect_close(log_of(behind), log_of(plain), 1e-11, floor = 1)
        }
      }
    }
  }
})

test_that("an identity flow changes nothing that a density tells, but for its units", {
  plain <- fit_network(faithful, control = quick_control(epochs = 0))
  behind <- fit_network(faithful, flow = "spline", control = quick_control(epochs = 0))
  draws <- lapply(list(plain, behind), simulate, 50, seed = 1, component = TRUE)
  expect_equal(draws[[2]], draws[[1]], tolerance = 1e-12)
  z <- lapply(list(plain, behind), function(fit) with_fixed_seed(1, residuals(fit, faithful)))
  expect_equal(z[[2]], z[[1]], tolerance = 1e-10)
  points <- make_points(20, 2)
  sine <- function(x) sin(x[, 1]) + x[, 2]
  for (estimator in c("rao-blackwell", "crude", "score-function", "gumbel-softmax")) {
    value <- lapply(list(plain, behind), function(fit) {
      with_fixed_seed(1, expectation(fit, sine, z = points, estimator = estimator))
    })
    expect_equal(value[[2]], value[[1]], tolerance = 1e-10)
  }
})

test_that("without K there is one model, of as many components as with validation", {
  fit <- with_fixed_seed(1, cwmix(faithful, flow = "realnvp", control = quick_control(epochs = 1)))
  expect_null(fit$candidates)
  expect_identical(size(fit)$K, 10L)
  expect_identical(fit$hidden, c(64L, 64L))
})

test_that("constant weights with a flow are a mixture of flows, which is trained", {
  fit <- fit_behind_flow(faithful, "realnvp", hidden = NULL)
  expect_identical(fit$trace$epoch, 0:4)
  expect_length(fit$held_rows, 27)
  expect_length(fit$base$classifier$weights, 0)
  expect_gt(max(fit$trace$validation), fit$trace$validation[1])
  expect_equal(unname(rowSums(predict(fit, faithful, type = "posterior"))), rep(1, 272))
})

test_that("parameters are counted with those of the flow", {
  fit <- fit_behind_flow(faithful, K = 3, hidden = 6, layers = 2)
  # two couplings, each 1 to 5 to 23
  flow <- 2 * (5 + 5 + 5 * 23 + 23)
  count <- as.integer(3 * 2 * 2 + (2 * 6 + 6) + (6 * 3 + 3) + flow)
  expect_identical(count_parameters(fit), count)
  expect_length(unlist(coef(fit)), count)
})

test_that("a flow before a mixture beats the mixture and is no worse than the flow", {
  x <- moons(1500)
  y <- moons(3000, seed = 2)
  control <- cwmix_control(epochs = 60)
  flow <- cwmix_flow("spline", layers = 4, hidden = 16)
  score <- function(fit) mean(predict(fit, y, log = TRUE))
  both <- fit_network(x, 3, 16, flow = flow, control = control)
  network <- fit_network(x, 3, 16, control = control)
  expect_gt(score(both), score(network) + 0.1)
  alone <- fit_small_flow(x, "spline", layers = 4, hidden = 16, control = control)
  # On so few rows their order changes with the rounding of an instance, by some 0.005.
  expect_gt(score(both), score(alone) - 0.02)
  expect_gt(score(both), score(fit_mixture(x, 3, covariance = "full")) + 0.2)
})

test_that("selections take a flow", {
  chosen <- with_fixed_seed(1, cwmix_select(
    faithful,
    K = 1:2, hidden = NULL, covariance = "diagonal", folds = 2,
    flow = cwmix_flow(layers = 2, hidden = 4), control = quick_control(epochs = 1)
  ))
  expect_identical(best(chosen, "highest")$flow$layers, 2L)
  expect_identical(chosen$table$df, c(40, 45))
})

test_that("floors hold for the components before the flow", {
  ties <- with_fixed_seed(1, c(rep(0, 40), rnorm(60)))
  control <- quick_control(epochs = 3, sd_floor = 0.05)
  fit <- fit_behind_flow(ties, K = 2, control = control, validation = 0, resolution = 0)
  expect_gte(min(fit$base$sd), 0.05 * (1 - 1e-6) * min(1, IQR(ties) / 1.349 / sd(ties)))
})
