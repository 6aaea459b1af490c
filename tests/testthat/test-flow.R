test_that("the paper's flows have the paper's numbers of parameters", {
  none <- cwmix_control(epochs = 0)
  x <- moons(50)
  fit <- flow_realnvp(x, layers = 10, hidden = c(64, 64, 64), control = none)
  expect_identical(count_parameters(fit), 85780L)
  expect_length(unlist(coef(fit)), 85780)
  fit <- flow_spline(x, layers = 8, hidden = c(64, 64, 64), bins = 8, control = none)
  expect_identical(count_parameters(fit), 79544L)
  # in one column there are no networks
  expect_identical(count_parameters(flow_realnvp(x[, 1], control = none)), 2L)
  expect_identical(count_parameters(flow_spline(x[, 1], bins = 4, control = none)), 88L)
})

test_that("a flow that was not trained has the df of normal columns, a trained one no AIC", {
  still <- quick_control(epochs = 0)
  for (kind in c("realnvp", "spline")) {
    fit <- fit_small_flow(iris[1:4], kind, control = still)
    expect_identical(fit$df, 8L)
    expect_equal(BIC(fit), -2 * fit$log_likelihood + log(150) * 8)
    for (shared in c(TRUE, FALSE)) {
      fit <- fit_behind_flow(iris[1:4], kind, shared = shared, control = still)
      expect_identical(fit$df, 3L * 8L + 2L)
      expect_criteria(fit)
    }
  }
  fit <- fit_small_flow(faithful)
  expect_gt(fit$best_epoch, 0)
  expect_identical(fit$df, count_parameters(fit))
  expect_identical(attr(logLik(fit), "df"), NA_integer_)
})

test_that("training starts from the standard normal of standardised columns", {
  x <- as.matrix(untied(faithful))
  for (fit in list(flow_realnvp, flow_spline)) {
    fit <- with_fixed_seed(1, fit(x, control = cwmix_control(epochs = 0)))
    center <- colMeans(x)
    scale <- sqrt(colMeans(t(t(x) - center)^2))
    expected <- rowSums(dnorm(t((t(x) - center) / scale), log = TRUE)) - sum(log(scale))
    expect_close(predict(fit, x, log = TRUE), expected, 1e-12, floor = 1)
    training <- setdiff(seq_along(expected), fit$held_rows)
    expect_equal(fit$trace$training, mean(expected[training]), tolerance = 1e-6)
    expect_equal(fit$trace$validation, mean(expected[fit$held_rows]), tolerance = 1e-6)
  }
})

test_that("a fit has the fields of a trained density", {
  for (kind in c("realnvp", "spline")) {
    fit <- fit_small_flow(faithful, kind)
    expect_s3_class(fit, c("cwmix_flow_fit", "cwmix_flowed", "cwmix_density"), exact = TRUE)
    expect_identical(fit$trace$epoch, 0:4)
    expect_identical(fit$trace$epoch[which.max(fit$trace$validation)], fit$best_epoch)
    expect_identical(fit$stopped, "epochs")
    expect_length(fit$held_rows, 27)
    expect_identical(fit$nobs, 272L)
    expect_equal(fit$log_likelihood, sum(predict(fit, faithful, log = TRUE)))
    expect_equal(as.double(logLik(fit)), as.double(log_likelihood(fit, faithful)))
    expect_warning(expect_identical(AIC(fit), NA_real_), "upper bound", class = "cwmix_no_df")
    expect_identical(fit$call[[1]], as.name(paste0("flow_", kind)))
    expect_identical(fit$control, quick_control(epochs = 4, learning_rate = 0.01))
    expect_gt(max(fit$trace$validation), fit$trace$validation[1] + 0.1)
    expect_identical(fit$flow$kind, kind)
  }
})

test_that("the base stays the standard normal, whatever trains the flow", {
  controls <- list(
    quick_control(), quick_control(precision = "single"), quick_control(sd_floor = 2),
    quick_control(optimiser = "lbfgs", epochs = 2)
  )
  for (control in controls) {
    fit <- fit_small_flow(faithful, control = control)
    expect_identical(unname(fit$base$mean), matrix(0, 1, 2))
    expect_identical(unname(fit$base$sd), matrix(1, 1, 2))
    expect_identical(predict(fit$base$classifier, matrix(0, 3, 2)), matrix(1, 3, 1))
    expect_named(coef(fit), "flow")
    expect_gt(fit$log_likelihood, fit_small_flow(faithful,
      control = quick_control(epochs = 0)
    )$log_likelihood)
  }
})

test_that("an interrupt returns the best flow so far", {
  expect_warning(
    fit <- with_interrupt("adam_steps", 3, fit_small_flow(faithful)),
    "interrupted", class = "cwmix_interrupted"
  )
  expect_identical(fit$stopped, "interrupt")
  expect_identical(fit$best_epoch, 2L)
})

test_that("flows beat a mixture of two normals on half-moons", {
  x <- moons(1500)
  y <- moons(3000, seed = 2)
  control <- cwmix_control(epochs = 60)
  mixture <- mean(predict(fit_mixture(x, 2, covariance = "full"), y, log = TRUE))
  for (kind in c("realnvp", "spline")) {
    fit <- fit_small_flow(x, kind, layers = 6, hidden = c(16, 16), control = control)
    expect_gt(mean(predict(fit, y, log = TRUE)), mixture + 0.2)
  }
})

test_that("densities integrate to one", {
  for (fit in list(fit_small_flow(faithful), fit_small_flow(faithful, "spline"))) {
    a <- seq(-2, 9, length.out = 201)
    b <- seq(0, 140, length.out = 201)
    grid <- unname(as.matrix(expand.grid(a, b)))
    expect_equal(sum(predict(fit, grid)) * 11 / 200 * 140 / 200, 1, tolerance = 0.005)
  }
  for (fit in list(
    fit_small_flow(rivers, support = c(0, Inf)),
    fit_small_flow(rivers, "spline", support = c(0, Inf)),
    fit_behind_flow(rivers, support = c(0, Inf))
  )) {
    expect_equal(integrate(function(x) predict(fit, x), 0, Inf, subdivisions = 500)$value, 1,
      tolerance = 1e-3
    )
    expect_identical(predict(fit, c(-1, 0, NA)), c(0, 0, NA))
  }
})

test_that("draws are the base points' images, and come as the data do", {
  for (case in kinds("flow")) {
    fit <- case$object
    x <- simulate(fit, 100, seed = 3, component = TRUE)
    expect_identical(class(x), class(case$points))
    component <- attr(x, "component")
    y <- unname(to_working(as.matrix(x), fit$frame$support)$y)
    for (k in unique(component)) {
      rows <- component == k
      z <- latent(fit, y[rows, , drop = FALSE], k)
      expect_close(z, attr(x, "z")[rows, , drop = FALSE], 1e-6, floor = 1)
    }
    expect_identical(simulate(fit, 100, seed = 3), simulate(fit, 100, seed = 3))
    # the first draws do not depend on their number
    expect_equal(
      as.matrix(simulate(fit, 5, seed = 3)), utils::head(as.matrix(x), 5),
      ignore_attr = TRUE
    )
  }
})

test_that("the score function's gradient is that of the others in the mean", {
  fit <- fit_small_flow(faithful$waiting, layers = 2)
  f <- function(x) x / 10
  path <- expectation(fit, f, n = 2^14, gradient = function(x) 0 * x + 0.1)
  score <- with_fixed_seed(1, expectation(fit, f,
    n = 2^14, estimator = "score-function", gradient = TRUE, points = "random"
  ))
  expect_close_gradient(
    unname(unlist(attr(score, "gradient"))), unname(unlist(attr(path, "gradient"))), 0.05
  )
})

test_that("in one column distribution and quantile functions are exact", {
  fits <- list(
    fit_small_flow(faithful$waiting), fit_small_flow(faithful$waiting, "spline"),
    fit_small_flow(rivers, "spline", support = c(0, Inf)), fit_behind_flow(faithful$waiting),
    fit_behind_flow(faithful$waiting, hidden = NULL)
  )
  for (fit in fits) {
    p <- c(1e-9, 0.01, 0.3, 0.5, 0.99, 1 - 1e-9)
    q <- qcwmix(p, fit)
    expect_equal(pcwmix(q, fit), p, tolerance = 1e-10)
    expect_equal(pcwmix(q, fit, lower.tail = FALSE), 1 - p, tolerance = 1e-7)
    # splines have kinks, which integrate() takes badly: the trapezoidal rule
    x <- seq(q[2], q[5], length.out = 1e5)
    ends <- dcwmix(x[c(1, 1e5)], fit)
    expect_equal((sum(dcwmix(x, fit)) - sum(ends) / 2) * (x[2] - x[1]), 0.98, tolerance = 1e-7)
    # where probabilities themselves underflow
    far <- pcwmix(qcwmix(-1000, fit, log.p = TRUE), fit, log.p = TRUE)
    expect_equal(far, -1000, tolerance = 1e-8)
    expect_identical(
      qcwmix(c(0, 1), fit), unname(c(fit$frame$support[1, ])),
      ignore_attr = TRUE
    )
  }
})

test_that("rows of weight zero count as absent", {
  w <- rep(c(1, 0, 1, 1), 68)
  weighted <- fit_small_flow(faithful, weights = w)
  without <- fit_small_flow(faithful[w > 0, ])
  expect_identical(weighted$flow, without$flow)
  expect_identical(weighted$nobs, 204L)
  expect_equal(weighted$log_likelihood, without$log_likelihood)
})

test_that("a spline flow keeps the shares of rounded values", {
  x <- with_fixed_seed(1, round(rexp(600, 1 / 3)))
  for (support in list(NULL, c(0, Inf))) {
    fit <- with_fixed_seed(1, flow_spline(x, support = support))
    for (value in 0:2) expect_share(fit, x, if (value == 0) -Inf else value - 0.5, value + 0.5)
    expect_identical(fit$recorded$spacing, 1)
  }
})

test_that("whole weights and repeated rows give the same flow, to the bit", {
  for (table in tied_tables()) {
    weighted <- fit_small_flow(table$x, "spline", weights = table$w)
    repeated <- fit_small_flow(table$rows, "spline")
    for (field in c("flow", "trace", "best_epoch", "optimiser", "recorded")) {
      expect_identical(weighted[[field]], repeated[[field]])
    }
    expect_equal(weighted$log_likelihood, repeated$log_likelihood)
  }
})

test_that("formulas and kept data are as in other fits", {
  logs <- fit_small_flow(~ log(eruptions) + waiting, data = faithful)
  plain <- fit_small_flow(transform(faithful, eruptions = log(eruptions)))
  expect_identical(logs$flow, plain$flow)
  expect_identical(unname(predict(logs, faithful)), unname(predict(
    plain, transform(faithful, eruptions = log(eruptions))
  )))
  kept <- fit_small_flow(faithful, keep_data = TRUE)
  expect_identical(kept$data, list(x = faithful, weights = NULL))
  expect_null(logs$data)
})

test_that("three epochs and two more are five, to the bit", {
  fits <- list(
    function(epochs) {
      flow_realnvp(faithful, layers = 2, hidden = 5, control = constant_control(epochs))
    },
    function(epochs) {
      flow_spline(~ waiting, faithful, layers = 2, control = constant_control(epochs),
        weights = rep(1:2, 136)
      )
    },
    function(epochs) {
      cwmix(faithful, K = 2, hidden = NULL, flow = cwmix_flow(layers = 2, hidden = 5),
        covariance = "full", control = constant_control(epochs)
      )
    },
    function(epochs) {
      cwmix(faithful, K = 2, hidden = 4, flow = cwmix_flow("spline", layers = 2, hidden = 5),
        control = constant_control(epochs)
      )
    }
  )
  for (fit in fits) {
    five <- with_fixed_seed(1, fit(5))
    three_and_two <- with_fixed_seed(1, update(fit(3), epochs = 2))
    five$control <- three_and_two$control <- NULL
    five$call <- three_and_two$call <- NULL
    expect_identical(three_and_two, five)
  }
})

test_that("changes refit", {
  fit <- flow_realnvp(faithful, layers = 2, hidden = 5, control = quick_control(epochs = 1))
  again <- update(fit, layers = 3)
  expect_identical(again$flow$layers, 3L)
  expect_identical(again$flow$hidden, 5L)
  expect_s3_class(again, "cwmix_flow_fit")
  plain <- cwmix(faithful, K = 2, hidden = 3, control = quick_control(epochs = 1))
  expect_identical(update(plain, flow = "realnvp")$flow$kind, "realnvp")
})

test_that("any number of threads gives the same bits", {
  x <- moons(3000)
  without_limits({
    fit <- fit_small_flow(x, "spline", layers = 2)
    expect_same_bits(fit_small_flow(x, "spline", layers = 2)$flow)
    expect_same_bits(predict(fit, x, log = TRUE))
    expect_same_bits(attr(log_likelihood(fit, x, gradient = TRUE), "gradient"))
    expect_same_bits(simulate(fit, 5000, seed = 1))
  })
})

test_that("points far from the data have a finite log density", {
  for (case in kinds("^flow, (realnvp|spline)|^behind a flow, full")) {
    far <- predict(case$object, cbind(c(1e3, -1e3, 1e8), c(1e3, 0, -1e8)), log = TRUE)
    expect_identical(is.finite(far), rep(TRUE, 3))
    expect_lt(max(far), -100)
  }
})

test_that("flows print in at most eight lines", {
  fits <- lapply(kinds("flow"), `[[`, "object")
  for (fit in fits) expect_lte(length(with_width(200, format(fit))), 8)
  still <- quick_control(epochs = 0)
  expect_snapshot({
    fit_small_flow(faithful, support = list(c(0, Inf), NULL), control = still)
    fit_small_flow(faithful$waiting, "spline", control = still)
    fit_behind_flow(faithful, control = still)
    summary(fit_behind_flow(faithful, control = still))
  })
})

test_that("tables of components are those before the flow and say so", {
  fit <- fit_behind_flow(faithful, K = 2)
  expect_named(tidy(fit), c("component", "proportion", "mean.u1", "mean.u2", "sd.u1", "sd.u2"))
  expect_identical(glance(fit)$df, fit$df)
  flow <- fit_small_flow(faithful)
  expect_identical(unlist(tidy(flow)[-1], use.names = FALSE), c(1, 0, 0, 1, 1))
  expect_identical(glance(flow)$validation, max(flow$trace$validation))
  expect_named(augment(flow, faithful), c(names(faithful), ".density", ".class", ".uncertainty"))
})

test_that("plots show what the density is, ellipses where the components are", {
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  for (case in kinds("flow")) {
    fit <- case$object
    d <- size(fit)$d
    for (what in c("density", "components", "training", "residuals")) {
      expect_silent(plot(fit, case$points, what = what))
    }
    if (d > 2) next
    expect_silent(plot(fit, case$points, what = "weights"))
    drawn <- plot(fit, case$points)
    if (d == 1) {
      expect_identical(drawn$y, predict(fit, drawn$x))
      next
    }
    drawn <- plot(fit, case$points, what = "components")
    y <- to_working(drawn$ellipses[[1]], fit$frame$support)$y
    z <- latent(fit, y, 1)
    expect_close(rowSums(z^2), rep(qchisq(0.9, 2), nrow(z)), 1e-6)
  }
})

test_that("flows are compared with other densities", {
  fit <- fit_small_flow(faithful)
  table <- compare(list(flow = fit, mixture = fit_mixture(faithful, 2)), faithful)
  expect_identical(table$df[table$fit == "flow"], as.double(fit$df))
  expect_equal(table$score[table$fit == "flow"], fit$log_likelihood / 272)
})

test_that("a flow fits a picture", {
  picture <- image_density(outer(-6:6, -6:6, function(a, b) abs(sqrt(a^2 + b^2) - 4) < 1.5) + 0)
  x <- simulate(picture, 2000, seed = 1)
  fit <- fit_small_flow(x, "spline",
    layers = 4, hidden = 16, support = c(0, 1), control = cwmix_control(epochs = 40)
  )
  score <- expected_log_density(picture, fit)
  expect_gt(score, expected_log_density(picture, fit_mixture(x, 1, support = c(0, 1))) + 0.1)
  expect_lt(score, -entropy(picture))
})
