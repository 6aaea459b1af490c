maps <- list(
  linear = list(kind = "linear", center = 1, scale = 2),
  asinh = list(kind = "asinh", center = 0.5, scale = 0.3),
  "log, lower end" = list(kind = "log", end = -4, sign = 1),
  "log, upper end" = list(kind = "log", end = 9, sign = -1),
  logit = list(kind = "logit", lower = -3, upper = 4),
  scores = list(
    kind = "scores", inner = list(kind = "asinh", center = 0.5, scale = 2), shape = uneven_shape()
  ),
  "scores between ends" = list(
    kind = "scores", inner = list(kind = "logit", lower = -3, upper = 4), shape = uneven_shape()
  )
)

test_that("maps increase, and their slopes and inverses are those of differences", {
  y <- seq(-2.9, 3.9, length.out = 50)
  for (name in names(maps)) {
    map <- maps[name]
    at <- map_forward(map, cbind(y))
    u <- at$u[, 1]
    expect_gt(min(diff(u)), 0, label = name)
    # a shape's density has a bend at each knot, which none of these comes near
    step <- 1e-6
    slope <- (map_forward(map, cbind(y + step))$u - map_forward(map, cbind(y - step))$u) / 2 / step
    expect_equal(at$log_det, log(slope[, 1]), tolerance = 1e-6, info = name)
    expect_equal(map_inverse(map, at$u)[, 1], y, tolerance = 1e-12, info = name)
    expect_equal(map_inverse_slope(map, at$u), 1 / slope, tolerance = 1e-6, info = name)
  }
})

test_that("several columns are mapped each by its own, and have no image outside", {
  y <- cbind(c(0, 1, -5), c(-3.5, 2, 0))
  at <- map_forward(maps[c("asinh", "logit")], y)
  expect_identical(at$log_det == -Inf, c(TRUE, FALSE, FALSE))
  expect_identical(is.na(at$u), cbind(rep(FALSE, 3), c(TRUE, FALSE, FALSE)))
  each <- lapply(1:2, function(j) map_forward(maps[c("asinh", "logit")][j], y[, j, drop = FALSE]))
  expect_equal(at$u, cbind(each[[1]]$u, each[[2]]$u))
  expect_equal(at$log_det[-1], (each[[1]]$log_det + each[[2]]$log_det)[-1])
})

test_that("scores make the distribution of their shape a normal one", {
  map <- maps$scores
  y <- seq(-9, 12, length.out = 40)
  at <- map_forward(list(map), cbind(y))
  t <- asinh((y - 0.5) / 2)
  expect_equal(at$u[, 1], normal_score(map$shape, t)$u)
  # q(u) u' = f(t) t'
  density <- exp(log_linear_density(map$shape, t)) / (2 * cosh(t))
  expect_equal(dnorm(at$u[, 1]) * exp(at$log_det), density)
  expect_identical(map_range(maps[["scores between ends"]]), c(-3, 4))
  expect_identical(map_range(map), c(-Inf, Inf))
  expect_identical(describe_map(map), "scores of asinh")
})

test_that("points come back from images far out", {
  u <- cbind(c(-30, -9, -2, 0, 1e-4, 3, 12, 30))
  for (name in c("asinh", "logit", "log, lower end", "scores")) {
    map <- maps[name]
    # where rounding leaves no digits between a point and an end
    some <- abs(u) < if (name %in% c("logit", "log, lower end")) 10 else 31
    there <- u[some, , drop = FALSE]
    back <- map_forward(map, map_inverse(map, there))$u
    expect_equal(back, there, tolerance = 1e-9, info = name)
  }
})

test_that("slopes of inverses have the digits that points have lost", {
  u <- cbind(c(-60, -30, 30))
  # exp(u), where 5 + exp(u) is 5
  log <- list(list(kind = "log", end = 5, sign = 1))
  expect_equal(map_inverse_slope(log, u), exp(u), tolerance = 1e-14)
  logit <- list(list(kind = "logit", lower = 1, upper = 3))
  expect_equal(map_inverse_slope(logit, u), 2 * exp(-abs(u)), tolerance = 1e-12)
})

test_that("what is missing stays missing", {
  score <- normal_score(uneven_shape(), c(NA, 1))
  expect_identical(is.na(score$u), c(TRUE, FALSE))
  expect_identical(is.na(normal_score_inverse(uneven_shape(), c(NA, 1))), c(TRUE, FALSE))
})

test_that("maps do not overflow far out", {
  far <- c(-1e300, -1e10, 1e10, 1e300)
  at <- map_forward(maps["asinh"], cbind(far))
  expect_true(all(is.finite(at$u) & is.finite(at$log_det)))
  expect_equal(at$log_det, -log(abs(far)), tolerance = 0.01)
  at <- map_forward(maps["scores"], cbind(far))
  expect_true(all(is.finite(at$u) & is.finite(at$log_det)))
  expect_false(is.unsorted(at$u, strictly = TRUE))
})

test_that("maps that are none are refused", {
  base <- vector_model()
  bad <- list(
    list(), list(kind = "cube"), list(kind = "asinh", center = 0),
    list(kind = "log", end = 0, sign = 2), list(kind = "asinh", center = 0, scale = -1),
    list(kind = "logit", lower = 1, upper = 0), "log",
    maps$scores[-3], replace(maps$scores, "inner", list(list(kind = "cube"))),
    replace(maps$scores, "inner", list(NULL)),
    replace(maps$scores, "shape", list(replace(uneven_shape(), "step", -1)))
  )
  for (map in bad) {
    broken <- new_mapped(list(map), base, base$frame, "cwmix_model")
    expect_error(predict(broken, 1), "`maps`", class = "cwmix_input_error", info = deparse(map)[1])
  }
})
