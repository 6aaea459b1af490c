maps <- list(
  linear = list(kind = "linear", center = 1, scale = 2),
  asinh = list(kind = "asinh", center = 0.5, scale = 0.3),
  "log, lower end" = list(kind = "log", end = -4, sign = 1),
  "log, upper end" = list(kind = "log", end = 9, sign = -1),
  logit = list(kind = "logit", lower = -3, upper = 4)
)

test_that("maps increase, and their slopes and inverses are those of differences", {
  y <- seq(-2.9, 3.9, length.out = 50)
  for (name in names(maps)) {
    map <- maps[name]
    at <- map_forward(map, cbind(y))
    u <- at$u[, 1]
    expect_true(all(diff(u) > 0), info = name)
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

test_that("maps do not overflow far out", {
  far <- c(-1e300, -1e10, 1e10, 1e300)
  at <- map_forward(maps["asinh"], cbind(far))
  expect_true(all(is.finite(at$u) & is.finite(at$log_det)))
  expect_equal(at$log_det, -log(abs(far)), tolerance = 0.01)
})

test_that("maps that are none are refused", {
  base <- vector_model()
  bad <- list(
    list(), list(kind = "cube"), list(kind = "asinh", center = 0),
    list(kind = "log", end = 0, sign = 2), list(kind = "asinh", center = 0, scale = -1), list(kind = "logit", lower = 1, upper = 0), "log"
  )
  for (map in bad) {
    broken <- new_mapped(list(map), base, base$frame, "cwmix_model")
    expect_error(predict(broken, 1), "`maps`", class = "cwmix_input_error", info = deparse(map)[1])
  }
})
