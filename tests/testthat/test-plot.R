test_that("plots of one column return the values that predict() gives", {
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  models <- list(
    make_model(1, 3, c(5, 4)),
    cwmix_model(c(-1, 1), sd = c(1, 2), classifier = function(z) cbind(plogis(z), plogis(-z))),
    cwmix_model(c(-1, 1), sd = c(1, 0.5), classifier = c(0.2, 0.8), support = c(0, Inf))
  )
  for (model in models) {
    drawn <- plot(model)
    expect_identical(drawn$y, predict(model, drawn$x))
    drawn <- plot(model, what = "components")
    expect_identical(drawn$sum, predict(model, drawn$x))
    expect_equal(rowSums(drawn$y), drawn$sum, tolerance = 1e-12)
    drawn <- plot(model, what = "weights")
    expect_identical(drawn$y, predict(model, drawn$x, type = "weights"))
    drawn <- plot(model, what = "classifier")
    expect_identical(range(drawn$x), c(-4, 4))
    expect_identical(drawn$y, predict(model$classifier, drawn$x))
  }
})

test_that("plots of two columns return the values that predict() gives", {
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  product <- function(z) cbind(plogis(z[, 1] * z[, 2]), plogis(-z[, 1] * z[, 2]))
  models <- list(
    make_model(2, 3, 5, "full"),
    cwmix_model(rbind(c(0, 1), c(1, 0)), sd = matrix(1, 2, 2), classifier = product),
    cwmix_model(rbind(c(0, 1)), sd = matrix(1, 1, 2), classifier = 1, support = list(c(0, 1), NULL))
  )
  for (model in models) {
    K <- nrow(model$mean)
    at <- function(drawn) as.matrix(expand.grid(drawn$x, drawn$y, KEEP.OUT.ATTRS = FALSE))
    drawn <- plot(model)
    expect_identical(c(drawn$z), predict(model, unname(at(drawn))))
    drawn <- plot(model, what = "weights")
    expect_identical(c(drawn$z), c(predict(model, unname(at(drawn)), type = "weights")))
    drawn <- plot(model, what = "classifier")
    expect_identical(dim(drawn$z), c(length(drawn$x), length(drawn$y), K))
    expect_identical(c(drawn$z), c(predict(model$classifier, unname(at(drawn)))))
    drawn <- plot(model, what = "components")
    expect_length(drawn$ellipses, K)
  }
})

test_that("regions of a normal hold the mass they are said to hold", {
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  covariance <- matrix(c(4, 1, 1, 1), 2)
  model <- cwmix_model(cbind(3, -2), covariance = covariance, classifier = 1)
  drawn <- plot(model)
  # for a normal the region of mass p is where the density exceeds (1 - p) times its maximum
  mass <- as.numeric(names(drawn$levels))
  top <- predict(model, cbind(3, -2))
  # quantiles of 10,000 draws: a standard error of at most 0.005
  expect_lt(max(abs(1 - drawn$levels / top - mass)), 0.02)
})

test_that("ellipses hold 90 percent of their component", {
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  covariance <- matrix(c(4, 1, 1, 1), 2)
  model <- cwmix_model(cbind(3, -2), covariance = covariance, classifier = 1)
  drawn <- plot(model, what = "components")
  distance <- mahalanobis(drawn$ellipses[[1]], c(3, -2), covariance)
  expect_equal(pchisq(distance, 2), rep(0.9, length(distance)), tolerance = 1e-12)
})

test_that("plots stay inside a bounded support", {
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  one <- cwmix_model(c(-1, 1), sd = c(2, 2), classifier = c(0.5, 0.5), support = c(0, Inf))
  for (what in c("density", "components", "weights")) {
    drawn <- plot(one, what = what)
    expect_gt(min(drawn$x), 0)
    expect_gte(graphics::par("usr")[1], 0)
  }
  two <- cwmix_model(rbind(c(0, 3), c(-2, 1)),
    sd = matrix(3, 2, 2), classifier = c(0.5, 0.5), support = c(0, 1)
  )
  drawn <- plot(two)
  expect_true(all(c(drawn$x, drawn$y) > 0 & c(drawn$x, drawn$y) < 1))
  expect_equal(graphics::par("usr"), c(0, 1, 0, 1), tolerance = 1e-12)
})

test_that("plots of more columns show points and as many draws", {
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  set.seed(1)
  fit <- gaussian_mixture(iris[1:4], K = 2)
  drawn <- plot(fit)
  expect_equal(drawn$points, unname(as.matrix(iris[1:4])), tolerance = 0)
  expect_identical(dim(drawn$draws), c(150L, 4L))
  expect_null(plot(fit, what = "components")$draws)
  # without data, draws alone; of many columns, the first eight
  model <- make_model(10, 2)
  expect_null(plot(model)$points)
  expect_identical(dim(plot(model, what = "components")$draws), c(1000L, 10L))
})

test_that("the trace of a fit is drawn and returned", {
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  set.seed(1)
  control <- cwmix_control(epochs = 3, verbose = FALSE)
  fit <- cwmix(faithful, K = 2, hidden = 3, control = control)
  expect_identical(plot(fit, what = "training"), fit$trace)
  whole <- cwmix(faithful, K = 2, hidden = 3, validation = 0, control = control)
  expect_identical(plot(whole, what = "training"), whole$trace)
  mixture <- gaussian_mixture(faithful, K = 2)
  expect_identical(plot(mixture, what = "training"), mixture$trace)
})

test_that("the candidates of a fit without K are drawn and returned", {
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  fits <- list(ring_fit(), fit_stack(log(rivers)), fit_stack(faithful, covariance = "full"))
  # of one that was interrupted one candidate may be all there is
  expect_warning(
    alone <- with_replaced(
      "candidate_sizes", 1L, with_interrupt("complete_best", 2, fit_stack(log(rivers)))
    ),
    class = "cwmix_interrupted"
  )
  expect_identical(nrow(complete_table(alone)), 1L)
  expect_identical(complete_table(alone)$share, 1)
  # with covariances between diagonal and full
  wide <- with_fixed_seed(1, fit_stack(matrix(rnorm(300), 50), hidden = NULL))
  expect_setequal(
    as.character(view_candidates(wide)$pooling), c("own", "shrunk", "tied", "damped", "factors")
  )
  for (fit in c(fits, list(alone, wide))) {
    expect_silent(drawn <- plot(fit, what = "candidates"))
    expect_identical(drawn, fit$candidates)
  }
  expect_gt(sum(fits[[1]]$candidates$hidden != "constant"), 0)
  expect_silent(plot(fits[[1]], what = "candidates", main = "Score", ylim = c(-5, 0), col = 2))
  expect_error(plot(fits[[1]], what = "candidates", ylim = 1), class = "cwmix_input_error")
})

test_that("residuals are drawn in any dimension and follow the user's generator", {
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  for (d in c(1, 2, 3, 8)) {
    model <- make_model(d, 3, 4)
    x <- make_points(50, d)
    set.seed(2)
    drawn <- plot(model, x, what = "residuals")
    set.seed(2)
    expect_identical(unname(drawn), unname(residuals(model, x)))
    expect_identical(dim(drawn), c(50L, as.integer(d)))
  }
})

test_that("training data are found by the call of the fit or among its fields", {
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  data <- iris[1:3]
  set.seed(1)
  found <- gaussian_mixture(data, K = 2)
  expect_equal(plot(found)$points, unname(as.matrix(data)), tolerance = 0)
  kept <- gaussian_mixture(data, K = 2, keep_data = TRUE)
  rm(data)
  expect_null(plot(found)$points)
  expect_equal(plot(kept)$points, unname(as.matrix(iris[1:3])), tolerance = 0)
})

test_that("incomplete rows, rows outside the support and rows of weight zero are left out", {
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  model <- cwmix_model(cbind(0, 0, 0), sd = cbind(1, 1, 1), classifier = 1, support = c(0, Inf))
  x <- rbind(c(1, 1, 1), c(NA, 1, 1), c(1, -1, 1), c(1, 1, Inf), c(2, 1, 3))
  expect_identical(plot(model, x)$points, x[c(1, 5), ])
  weights <- rep(c(0, 1, 2), 50)
  fit <- gaussian_mixture(iris[1:3], K = 2, weights = weights)
  expect_identical(nrow(plot(fit)$points), 100L)
})

test_that("the histogram of weighted data is weighted", {
  x <- c(0.5, 1.5, 1.7, 2.5, 3.5)
  bars <- function(weights) {
    weighted_histogram(list(x = cbind(x), weights = weights), cbind(-Inf, Inf))
  }
  doubled <- weighted_histogram(list(x = cbind(rep(x, 1:5))), cbind(-Inf, Inf))
  at <- bars(c(1, 2, 3, 4, 5))
  expect_equal(sum(at$density * diff(at$breaks)), 1, tolerance = 1e-14)
  share <- function(h) {
    mass <- h$density * diff(h$breaks)
    vapply(0:3, function(k) sum(mass[h$mids > k & h$mids < k + 1]), 0)
  }
  expect_equal(share(at), share(doubled), tolerance = 1e-14)
  expect_equal(share(bars(NULL)), c(1, 2, 1, 1) / 5, tolerance = 1e-14)
})

test_that("plots leave graphical parameters and the generator as they were, and return invisibly", {
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  set.seed(1)
  control <- cwmix_control(epochs = 2, verbose = FALSE)
  graphics::plot.new()
  for (columns in list(2, 1:2, 1:4)) {
    data <- iris[columns]
    network <- cwmix(data, K = 2, hidden = 3, control = control)
    stacked <- cwmix(data, hidden = NULL, control = cwmix_control(folds = 2))
    for (what in eval(formals(cwmix:::plot.cwmix_density)$what)) {
      if (length(columns) > 2 && what %in% c("weights", "classifier")) next
      fit <- if (what == "candidates") stacked else network
      set.seed(5)
      seed <- .Random.seed
      before <- graphics::par(no.readonly = TRUE)
      expect_invisible(plot(fit, what = what))
      expect_identical(.Random.seed, seed, info = what)
      after <- graphics::par(no.readonly = TRUE)
      # the coordinates of the last panel are the plot's
      coordinates <- c("usr", "xaxp", "yaxp", "xlog", "mfg", "fig", "fin", "plt", "pin")
      lasting <- setdiff(names(before), coordinates)
      expect_identical(after[lasting], before[lasting], info = what)
    }
  }
})

test_that("a call that draws its data leaves the generator as it was", {
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  set.seed(1)
  fit <- gaussian_mixture(rnorm(50), K = 1)
  seed <- .Random.seed
  plot(fit)
  expect_identical(.Random.seed, seed)
})

test_that("titles, labels and limits can be given", {
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  model <- make_model(1, 2, 3)
  drawn <- plot(model, main = NULL, xlab = "minutes", ylab = "p", xlim = c(-2, 3), ylim = c(0, 2))
  expect_identical(range(drawn$x), c(-2, 3))
  expect_identical(graphics::par("usr"), c(-2, 3, 0, 2))
  model <- make_model(2, 2, 3)
  for (what in c("density", "components", "weights", "classifier")) {
    expect_error(plot(model, what = what, main = NULL, xlab = "u", xlim = c(-1, 1)), NA)
  }
  expect_error(plot(make_model(3, 2), main = "Pairs", gap = 0), NA)
  expect_error(plot(model, make_points(9, 2), what = "residuals", main = "Mine"), NA)
})

test_that("axes can be reversed", {
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  model <- make_model(1, 2, 3)
  for (what in c("density", "components", "weights", "classifier")) {
    drawn <- plot(model, what = what, xlim = c(3, -2))
    expect_identical(range(drawn$x), c(-2, 3))
    expect_identical(graphics::par("usr")[1:2], c(3, -2))
  }
  model <- make_model(2, 2, 3)
  for (what in c("density", "components", "weights", "classifier")) {
    expect_error(plot(model, what = what, xlim = c(3, -2), ylim = c(1, -1)), NA)
  }
  drawn <- plot(model, xlim = c(3, -2), ylim = c(1, -1))
  expect_identical(c(range(drawn$x), range(drawn$y)), c(-2, 3, -1, 1))
  expect_identical(graphics::par("usr"), c(3, -2, 1, -1))
  expect_error(plot(model, make_points(9, 2), what = "residuals", xlim = c(4, -4)), NA)
})

test_that("the key leaves the title its place where the margin is narrow", {
  grDevices::pdf(NULL, 5, 4)
  on.exit(grDevices::dev.off())
  graphics::par(mar = c(4, 4, 2, 1))
  taken <- panel(0:1, 0:1, "x", "y", "Weighted components", list())
  expect_equal(taken, strwidth("Weighted components", "inches", cex = 1.2, font = 2) + 0.1)
  left <- key(1:7, col = 1, lty = 1, lwd = 2, before = "Regions holding", taken = taken)
  expect_gte(left, taken / graphics::par("pin")[1])
  expect_identical(panel(0:1, 0:1, "x", "y", "Title", list(main = NULL)), 0)
  graphics::par(mar = c(4, 4, 4.1, 1))
  expect_identical(panel(0:1, 0:1, "x", "y", "Weighted components", list()), 0)
})

test_that("a few far draws do not stretch the axes of pairs", {
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  model <- cwmix_model(matrix(0, 1, 3),
    sd = matrix(3, 1, 3), classifier = 1, support = c(0, Inf)
  )
  usr <- list()
  trace_panel <- function(x, y, ...) usr <<- c(usr, list(graphics::par("usr")))
  drawn <- plot(model, lower.panel = trace_panel)$draws
  # the 99.9 percent quantile of a lognormal density, with the axis's 4 percent
  most <- 1.06 * qlnorm(0.9985, 0, 3)
  expect_gt(max(drawn), 0)
  expect_lt(max(vapply(usr, `[`, 0, 2)), most * 2)
  points <- exp(matrix(c(-1, 0, 1), 4, 3))
  drawn <- plot(model, points)
  expect_identical(dim(drawn$draws), dim(drawn$points))
})

test_that("models of many components and of one can be drawn", {
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  for (K in c(1, 30)) {
    for (d in 1:2) {
      model <- make_model(d, K, 4)
      for (what in c("density", "components", "weights", "classifier")) {
        expect_error(plot(model, what = what), NA)
      }
    }
  }
})

test_that("data on scales far from one, single points and large data can be drawn", {
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  for (scale in c(1e-8, 1e8)) {
    model <- cwmix_model(scale * c(-1, 1), sd = scale * c(1, 2), classifier = c(0.5, 0.5))
    expect_error(plot(model, scale * c(0.1, 0.7, 2)), NA)
    expect_error(plot(model, scale * 0.3), NA)
  }
  model <- make_model(3, 2)
  expect_identical(nrow(plot(model, make_points(12345, 3))$points), 5000L)
})

test_that("plots that cannot be drawn say why", {
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  model <- make_model(3, 2, 3)
  fit <- cwmix(faithful, K = 2, hidden = NULL)
  stacked <- cwmix(rivers, hidden = NULL, control = cwmix_control(folds = 2))
  lost <- local({
    data <- faithful
    gaussian_mixture(data, K = 2)
  })
  expect_snapshot(error = TRUE, {
    plot(model, what = "weights")
    plot(model, what = "classifier")
    plot(model, what = "training")
    plot(model, what = "residuals")
    plot(model, what = "everything")
    plot(model, "components")
    plot(model, matrix(NA_real_, 2, 3))
    plot(model, iris)
    plot(model, NULL, "density", 3)
    plot(fit, what = "training")
    plot(stacked, what = "training")
    plot(fit, what = "candidates")
    plot(lost, what = "candidates")
    plot(model, what = "candidates")
    plot(cwmix_average(list(fit)), what = "candidates")
    plot(lost, what = "residuals")
  })
})

test_that("points take their look from the dots, and limits must be a range", {
  fit <- gaussian_mixture(faithful, K = 2)
  file <- tempfile(fileext = ".pdf")
  on.exit(unlink(file))
  pdf(file)
  on.exit(dev.off(), add = TRUE, after = FALSE)
  expect_silent(plot(fit, pch = NA, main = NULL, ylim = NULL))
  expect_silent(plot(fit, what = "components", pch = 3, col = "red", cex = 2))
  for (limits in list(5, c(1, NA), "a", c(1, Inf), c(2, 2))) {
    expect_error(plot(fit, xlim = limits), "`xlim` must be two different finite numbers, not ",
      class = "cwmix_input_error"
    )
  }
})

test_that("a variational fit is drawn without points, its training by the bound", {
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  ball <- list(log_density = function(x) -rowSums(x^2) / 2, gradient = function(x) -x, d = 3)
  for (target in list(line_target(), bounded_target(), ball)) {
    fit <- fit_vi(target)
    shown <- c("density", "components", if (target$d < 3) c("weights", "classifier"))
    for (what in shown) expect_silent(drawn <- plot(fit, what = what))
    expect_identical(expect_silent(plot(fit, what = "training")), fit$trace)
  }
  x <- simulate(fit, 30, seed = 1)
  expect_identical(dim(plot(fit, x, what = "residuals")), c(30L, 3L))
  expect_error(plot(fit, what = "residuals"), "no data", class = "cwmix_input_error")
  expect_error(plot(fit, what = "candidates"), "variational fit", class = "cwmix_input_error")
  none <- fit_vi(line_target(), control = quick_vi_control(steps = 0))
  expect_error(plot(none, what = "training"), "one row only", class = "cwmix_input_error")
})

test_that("views are the numbers of plots, found without a device", {
  grDevices::graphics.off()
  set.seed(1)
  control <- cwmix_control(epochs = 2, verbose = FALSE)
  for (columns in list(2, 1:2, 1:4)) {
    fit <- cwmix(iris[columns], K = 2, hidden = 3, control = control, keep_data = TRUE)
    points <- points_to_plot(fit, NULL, environment())
    expect_identical(points$x, unname(as.matrix(iris[columns])))
    views <- list(
      density = view_density(fit, points), components = view_components(fit, points),
      training = view_training(fit), residuals = with_fixed_seed(2, view_residuals(fit, points))
    )
    if (length(columns) < 3) {
      views$weights <- view_weights(fit, points)
      views$classifier <- view_classifier(fit)
    }
    expect_null(grDevices::dev.list())
    for (what in names(views)) {
      grDevices::pdf(NULL)
      drawn <- with_fixed_seed(2, plot(fit, what = what))
      grDevices::dev.off()
      expect_identical(drawn, views[[what]]$data)
      expect_true(is.list(views[[what]]) && !is.object(views[[what]]))
    }
  }
})

# Averages of unlike kinds by their number of columns, with points.
unlike_averages <- function() {
  with_fixed_seed(1, {
    control <- cwmix_control(epochs = 2, verbose = FALSE)
    x <- rgamma(60, 2)
    gamma <- cwmix_model(components = list(gamma = list(shape = 2)), classifier = 1)
    two <- as.matrix(faithful)
    four <- as.matrix(iris[1:4])
    list(
      list(cwmix_average(list(
        flow_spline(x, layers = 2, hidden = 4, control = control),
        gaussian_mixture(x, K = 2), gamma, cwmix(x, K = 2, hidden = 3, control = control)
      )), x),
      list(cwmix_average(list(
        flow_spline(two, layers = 2, hidden = 4, control = control),
        cwmix(two, K = 3, hidden = 3, control = control),
        gaussian_mixture(two, K = 2, covariance = "full")
      )), two),
      list(cwmix_average(list(
        flow_realnvp(four, layers = 2, hidden = 4, control = control),
        gaussian_mixture(four, K = 2)
      )), four)
    )
  })
}

test_that("averages of unlike kinds are drawn, components by member", {
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  cases <- unlike_averages()
  one <- cases[[1]][[1]]
  x <- cases[[1]][[2]]
  expect_identical(size(one)$K, 6L)
  for (points in list(NULL, x)) {
    drawn <- plot(one, points)
    expect_identical(drawn$y, predict(one, drawn$x))
    drawn <- plot(one, points, what = "components")
    expect_equal(rowSums(drawn$y), drawn$sum, tolerance = 1e-12)
    drawn <- plot(one, points, what = "weights")
    expect_identical(drawn$y, predict(one, drawn$x, type = "weights"))
  }
  drawn <- plot(one, what = "classifier")
  expect_identical(range(drawn$x), c(-4, 4))
  expect_equal(rowSums(drawn$y), rep(1, 501), tolerance = 1e-12)
  two <- cases[[2]][[1]]
  expect_length(plot(two, what = "components")$ellipses, 6)
  drawn <- plot(two, what = "weights")
  at <- unname(as.matrix(expand.grid(drawn$x, drawn$y)))
  expect_identical(c(drawn$z), c(predict(two, at, type = "weights")))
  w <- apply(plot(two, what = "classifier")$z, 1:2, sum)
  expect_equal(w, matrix(1, 151, 151), tolerance = 1e-12)
  for (case in cases) {
    for (what in c("density", "components", "residuals")) {
      expect_silent(drawn <- plot(case[[1]], case[[2]], what = what))
    }
    expect_identical(dim(drawn), dim(as.matrix(case[[2]])))
    for (what in c("training", "candidates", "residuals")) {
      expect_error(plot(case[[1]], what = what), "an average", class = "cwmix_input_error")
    }
  }
})

test_that("rows where no density is are left out", {
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  gamma <- cwmix_model(components = list(gamma = list(shape = 2)), classifier = 1)
  x <- c(-1, 2, NA, 3, 4)
  expect_identical(points_to_plot(gamma, x, NULL)$x, cbind(c(2, 3, 4)))
  for (what in c("density", "components", "weights")) expect_silent(plot(gamma, x, what = what))
  expect_identical(dim(plot(gamma, x, what = "residuals")), c(3L, 1L))
  expect_error(plot(gamma, c(-1, -2)), "inside the support", class = "cwmix_input_error")
  # inside the support, but the density underflows: no residual
  drawn <- plot(vector_model(), c(0, 1, 1e200), what = "residuals")
  expect_identical(is.na(drawn[, 1]), c(FALSE, FALSE, TRUE))
  expect_error(
    plot(vector_model(), 1e200, what = "residuals"), "positive", class = "cwmix_input_error"
  )
})

test_that("rows on a bound of the support are shown", {
  counts <- with_fixed_seed(1, rbinom(200, 10, 0.1))
  fit <- fit_stack(counts, support = c(0, 10), keep_data = TRUE)
  expect_gt(sum(counts == 0), 10)
  for (newdata in list(NULL, counts)) {
    expect_identical(points_to_plot(fit, newdata, NULL)$x, cbind(as.double(counts)))
  }
  # on the other bound, and outside, no density is
  expect_identical(points_to_plot(fit, c(0, 3, 10, -1), NULL)$x, cbind(c(0, 3)))
})

test_that("residuals of training rows are held-out ones, and the titles say so", {
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  titles <- function(fit, newdata = NULL) {
    view <- view_residuals(fit, points_to_plot(fit, newdata, NULL))
    c(view$circles$title, vapply(view$qq, `[[`, "", "title"))
  }
  counts <- with_fixed_seed(1, rbinom(200, 10, 0.1))
  cases <- list(
    list(fit_stack(counts, support = c(0, 10), keep_data = TRUE), counts, "residuals"),
    list(ring_fit(keep_data = TRUE), ring(150), c("residuals", "normal Q-Q")),
    list(fit_stack(iris[1:3], keep_data = TRUE), iris[1:3], c("residuals", "squared lengths"))
  )
  for (case in cases) {
    fit <- case[[1]]
    x <- case[[2]]
    for (newdata in list(NULL, x)) {
      drawn <- with_fixed_seed(3, plot(fit, newdata, what = "residuals"))
      expect_identical(
        unname(drawn), unname(with_fixed_seed(3, cbind(residuals(fit, x, rows = "held-out"))))
      )
      expect_identical(titles(fit, newdata), paste("Held-out", case[[3]]))
    }
    expect_no_match(titles(fit, utils::head(x, 100)), "Held-out")
  }
  # a row of weight 0 is judged, too, but not shown
  x <- ring(60)
  fit <- fit_stack(x, weights = rep(0:2, 20), keep_data = TRUE)
  expect_identical(titles(fit), c("Held-out residuals", "Held-out normal Q-Q"))
  drawn <- with_fixed_seed(3, plot(fit, what = "residuals"))
  held_out <- with_fixed_seed(3, residuals(fit, x, rows = "held-out"))
  expect_identical(unname(drawn), unname(held_out[rep(0:2, 20) > 0, ]))
  # most rows of one split are fitted, as are all of one model
  seen <- list(
    one_split(fit_stack(x, control = cwmix_control(), keep_data = TRUE)),
    fit_mixture(x, 2, keep_data = TRUE)
  )
  for (fit in seen) expect_identical(titles(fit), c("Latent residuals", "Normal Q-Q"))
})

test_that("bands and circles of residuals hold what they are said to hold", {
  model <- make_model(2, 3, 4)
  view_of_points <- function(model, x) {
    with_fixed_seed(1, view_residuals(model, points_to_plot(model, x, NULL)))
  }
  view <- view_of_points(model, make_points(40, 2))
  qq <- view$qq[[1]]
  i <- 1:40
  expect_equal(pbeta(pnorm(qq$low), i, 41 - i), rep(0.025, 40), tolerance = 1e-12)
  expect_equal(pbeta(pnorm(qq$high), i, 41 - i), rep(0.975, 40), tolerance = 1e-12)
  expect_identical(qq$sorted, apply(view$data, 2, sort))
  expect_equal(1 - exp(-view$circles$radius^2 / 2), c(0.5, 0.9, 0.99), tolerance = 1e-14)
  squared <- view_of_points(make_model(3, 2), make_points(40, 3))
  expect_equal(pbeta(pchisq(squared$qq[[2]]$low, 3), i, 41 - i), rep(0.025, 40), tolerance = 1e-12)
  expect_identical(squared$qq[[2]]$sorted[, 1], sort(rowSums(squared$data^2)))
})

test_that("histograms of pairs are densities over the panel, whichever way it runs", {
  x <- make_points(200, 3)
  view <- density_pairs(make_model(3, 2), list(x = x), list())
  for (j in 1:3) {
    margin <- view$margins[[j]]
    expect_equal(sum(margin$bars * diff(margin$breaks)), 1, tolerance = 1e-12)
    expect_equal(
      range(margin$breaks), extendrange(view$shown[, j][!is.na(view$shown[, j])], f = 0.04),
      tolerance = 1e-12
    )
  }
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  expect_silent(plot(make_model(3, 2), x, xlim = c(3, -2)))
  expect_silent(plot(make_model(3, 2), x[1, , drop = FALSE], what = "components"))
  expect_identical(column_margin(c(2, 2), 2, c(2, 2))$bars > 0, seq_len(20) == 11)
})

test_that("an error within a plot has the call of the plot", {
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  limited <- function(z) {
    if (nrow(z) > 400) stop("too many")
    matrix(0.5, nrow(z), 2)
  }
  model <- cwmix_model(c(0, 1), sd = c(1, 1), classifier = limited)
  for (what in c("density", "components", "weights", "classifier")) {
    e <- expect_error(plot(model, what = what), "too many", class = "cwmix_user_error")
    expect_identical(e$call[[1]], quote(plot))
  }
})

test_that("a density that is no number in places is drawn where it is one", {
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  # dweibull() overflows above its scale
  model <- cwmix_model(
    components = list(weibull = list(shape = 2^31, scale = 2), gamma = list(shape = 2, rate = 1)),
    classifier = c(0.5, 0.5)
  )
  expect_warning(drawn <- plot(model), class = "cwmix_warning")
  expect_true(anyNA(drawn$y) && any(drawn$y > 0, na.rm = TRUE))
})
