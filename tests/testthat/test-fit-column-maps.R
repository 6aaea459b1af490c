fit_mapped <- function(x, K = 2, ...) fit_network(x, K, map = "columns", ...)

skewed <- function(n = 200) {
  with_fixed_seed(1, {
    a <- rexp(n)
    cbind(a = a, b = rnorm(n, log(a)))
  })
}

test_that("a fit has the class of its kind and the fields of other fits", {
  fit <- fit_mapped(skewed())
  expect_identical(class(fit), c("cwmix", "cwmix_mapped", "cwmix_density"))
  other <- fit_network(skewed(), 2)
  own <- c("mean", "sd", "cholesky", "classifier")
  expect_setequal(names(fit), c(setdiff(names(other), own), "maps", "base"))
  expect_identical(class(fit$base), c("cwmix_normal", "cwmix_density"))
  expect_identical(vapply(fit$maps, `[[`, "", "kind"), c("scores", "scores"))
})

test_that("the density is that of the images, times the slopes of the maps", {
  x <- skewed()
  fit <- fit_mapped(x, covariance = "full")
  u <- x
  slope <- x
  for (j in 1:2) {
    map <- fit$maps[[j]]
    image <- function(y) map_forward(map["inner"], cbind(y))$u[, 1]
    t <- seq(-30, 30, length.out = 1e6)
    below <- cumsum(exp(log_linear_density(map$shape, t))) * diff(t[1:2])
    score <- function(y) qnorm(approx(t + diff(t[1:2]) / 2, below, image(y))$y)
    u[, j] <- score(x[, j])
    slope[, j] <- (score(x[, j] + 1e-3) - score(x[, j] - 1e-3)) / 2e-3
  }
  expect_equal(predict(fit, x), predict(fit$base, unname(u)) * slope[, 1] * slope[, 2],
    tolerance = 1e-3
  )
})

test_that("it integrates to one in a column", {
  x <- skewed()[, 1]
  for (support in list(NULL, c(0, Inf), c(0, 50))) {
    fit <- fit_mapped(x, 2, support = support)
    # between the knots of the estimate, where the density has kinks
    shape <- fit$maps[[1]]$shape
    knots <- shape$start + shape$step * (seq_along(shape$log_density) - 1)
    y <- map_inverse(fit$maps[[1]]["inner"], cbind(knots))
    ends <- qcwmix(c(0, 1), fit)
    from <- c(ends[1], from_working(y, fit$frame$support), ends[2])
    pieces <- Map(function(from, to) {
      integrate(function(x) predict(fit, x), from, to, rel.tol = 1e-8)$value
    }, from[-length(from)], from[-1])
    # a bounded column has a tail that integrate() knows no better
    expect_equal(sum(unlist(pieces)), 1, tolerance = if (is.null(support)) 1e-9 else 2e-5)
  }
})

test_that("one component with constant weights is the estimate of a column itself", {
  x <- skewed(500)[, 1]
  fit <- fit_mapped(x, 1, hidden = NULL)
  expect_identical(fit$held_rows, integer())
  expect_lt(abs(fit$base$mean[1]), 0.02)
  expect_lt(abs(fit$base$sd[1] - 1), 0.02)
  map <- fit$maps[[1]]
  at <- map_forward(map["inner"], cbind(x))
  expect_equal(
    fit$log_likelihood, sum(log_linear_density(map$shape, at$u[, 1]) + at$log_det),
    tolerance = 1e-3
  )
  expect_identical(map$shape, fit_shape(at$u[, 1], NULL))
  expect_identical(fit$df, 2 + 2 + map$shape$df)
})

test_that("maps come from the training rows alone", {
  x <- skewed()[, 1]
  fit <- fit_mapped(x, validation = 0.2)
  training <- x[-fit$held_rows]
  inner <- list(kind = "asinh", center = median(training), scale = mad(training))
  expect_equal(fit$maps[[1]]$inner, inner, tolerance = 1e-15)
  image <- asinh((training - inner$center) / inner$scale)
  expect_equal(fit$maps[[1]]$shape, fit_shape(image), tolerance = 1e-12)
})

test_that("there is a density everywhere", {
  fit <- fit_mapped(skewed()[, 1])
  log_density <- predict(fit, c(-1e100, -1e3, -1, 100, 1e10, 1e300), log = TRUE)
  expect_identical(is.finite(log_density), rep(TRUE, 6))
})

test_that("a column of heaps that has no map stays as it is", {
  x <- cbind(rep(c(0, 1), c(150, 50)), skewed()[, 1])
  fit <- fit_mapped(x, 1, hidden = NULL, resolution = 0)
  expect_identical(fit$maps[[1]], list(kind = "linear", center = 0, scale = 1))
  expect_identical(count_maps(fit$maps), 2 + fit$maps[[2]]$shape$df)
})

test_that("scores of epochs are means of log densities on the data's scale", {
  x <- skewed()
  weights <- with_fixed_seed(2, runif(200))
  cases <- list(
    list(), list(weights = weights), list(support = list(c(0, Inf), NULL)), list(flow = "spline")
  )
  for (case in cases) {
    fit <- do.call(fit_mapped, c(list(x), case))
    rows <- fit$held_rows
    expect_length(rows, 20)
    log_density <- predict(fit, x, log = TRUE)
    w <- case$weights %||% rep(1, 200)
    expect_equal(
      max(fit$trace$validation), weighted.mean(log_density[rows], w[rows]), tolerance = 1e-10
    )
    expect_equal(fit$log_likelihood, sum(w * log_density), tolerance = 1e-10)
    at_first <- do.call(fit_mapped, c(list(x, control = quick_control(epochs = 0)), case))
    expect_equal(
      at_first$trace$training, weighted.mean(predict(at_first, x, log = TRUE)[-rows], w[-rows]),
      tolerance = 1e-10
    )
  }
})

test_that("the same bits come with any number of threads, and from the same seed", {
  x <- skewed()
  expect_same_bits(fit_mapped(x))
  expect_identical(fit_mapped(x, seed = 3), fit_mapped(x, seed = 3))
})

test_that("units of the data change the density by their factor alone", {
  x <- skewed()
  one <- fit_mapped(x, control = quick_control(epochs = 0))
  other <- fit_mapped(x %*% diag(c(1000, 0.1)), control = quick_control(epochs = 0))
  expect_equal(other$log_likelihood, one$log_likelihood - 200 * log(100), tolerance = 1e-5)
})

test_that("rows of weight zero are absent, and whole weights repeat rows", {
  x <- skewed()
  weights <- rep(c(1, 0, 2, 1), 50)
  constant <- function(...) fit_mapped(..., hidden = NULL)
  weighted <- constant(x, weights = weights)
  repeated <- constant(x[rep(1:200, weights), ])
  without <- constant(x[weights > 0, ], weights = weights[weights > 0])
  expect_same_numbers(without, weighted)
  expect_equal(repeated$log_likelihood, weighted$log_likelihood, tolerance = 1e-8)
  expect_equal(predict(repeated, x), predict(weighted, x), tolerance = 1e-6)
})

test_that("bounds hold, and maps act within them", {
  fit <- fit_mapped(skewed()[, 1], support = c(0, Inf))
  expect_identical(predict(fit, c(-1, 0)), c(0, 0))
  expect_gt(min(simulate(fit, 2000, seed = 1)), 0)
  x <- c(0, skewed(100)[, 1])
  expect_gt(predict(fit_mapped(x, support = c(0, Inf)), 0), 0)
})

test_that("a formula gives the fit of its columns", {
  x <- as.data.frame(skewed())
  of_formula <- with_fixed_seed(1, cwmix(~ log(a) + b, x,
    K = 2, hidden = 4, map = "columns", control = quick_control()
  ))
  of_columns <- fit_mapped(cbind(log(x$a), x$b), 2, 4)
  expect_identical(of_formula$maps, of_columns$maps)
  expect_identical(of_formula$trace, of_columns$trace)
  expect_identical(unname(predict(of_formula, x)), predict(of_columns, cbind(log(x$a), x$b)))
})

test_that("two epochs and three more are five, behind the same maps", {
  recorded <- round(skewed(), 1)
  for (x in list(skewed(), recorded)) {
    for (flow in list("none", cwmix_flow("spline", 2, 4, 4))) {
      fit <- function(epochs) {
        cwmix(x,
          K = 2, hidden = 4, map = "columns", flow = flow, control = constant_control(epochs)
        )
      }
      five <- with_fixed_seed(1, fit(5))
      more <- with_fixed_seed(1, update(fit(2), epochs = 3))
      expect_same_numbers(more, five)
      expect_identical(more[c("maps", "df", "optimiser")], five[c("maps", "df", "optimiser")])
    }
  }
})

test_that("an update with other maps, or another change, is refused or refits", {
  x <- skewed()
  fit <- with_fixed_seed(
    1, cwmix(x, K = 2, hidden = 4, map = "columns", control = quick_control(epochs = 1))
  )
  expect_identical(vapply(update(fit, K = 3)$maps, `[[`, "", "kind"), c("scores", "scores"))
  expect_null(update(fit, map = "none")$maps)
  fit$maps[[1]] <- list(kind = "logit", lower = 0.5, upper = 1)
  expect_error(update(fit, epochs = 1), "`object`.*maps", class = "cwmix_input_error")
})

test_that("a start behind the same maps is taken as it is, any other by its draws", {
  x <- skewed()
  fit <- function(...) fit_mapped(x, validation = 0, ...)
  first <- fit()
  again <- fit(start = first)
  expect_identical(again$maps, first$maps)
  expect_identical(again$converged, NA)
  expect_equal(again$trace$training[1] * 200, first$log_likelihood, tolerance = 1e-10)
  mixture <- fit(hidden = NULL, control = quick_control(em_iterations = 500))
  expect_gte(
    fit(start = mixture)$starts, mixture$starts[which.max(mixture$starts)] - 1e-6
  )
  others <- list(
    fit_mapped(x[1:100, ], validation = 0), fit_network(x, 2), fit_mixture(x, 2),
    cwmix_average(list(first, fit_network(x, 2)))
  )
  for (start in others) expect_false(is.na(fit(start = start)$converged))
  # and for a fit without maps
  expect_null(fit_network(x, 2, start = first)$maps)
  means <- rbind(c(0.5, -1), c(2, 1))
  expect_length(fit(start = means)$starts, 1)
  # on the data's scale, as those of other fits
  sample <- list(maps = first$maps, center = c(0, 0), scale = c(1, 1))
  expect_identical(on_standard_scale(means, sample), map_forward(first$maps, means)$u)
})

test_that("without K one model is fitted", {
  fit <- with_fixed_seed(1, cwmix(skewed(), map = "columns", control = quick_control(epochs = 1)))
  expect_identical(size(fit), list(d = 2L, K = 8L))
})

test_that("AIC and BIC are not defined, and df counts the maps", {
  fit <- fit_mapped(skewed(), validation = 0)
  df <- vapply(fit$maps, function(map) map$shape$df, 0)
  expect_equal(fit$df, count_parameters(fit$base) + sum(df) + 4)
  expect_warning(expect_identical(AIC(fit), NA_real_), "maps", class = "cwmix_no_df")
  expect_identical(glance(fit)$df, fit$df)
  expect_match(format(fit), "maps +a: scores of", all = FALSE)
})

test_that("a selection takes maps along", {
  choice <- with_fixed_seed(1, cwmix_select(
    skewed(),
    K = 1:2, hidden = NULL, covariance = "full", map = "columns", folds = 3
  ))
  expect_length(best(choice)$maps, 2)
})
