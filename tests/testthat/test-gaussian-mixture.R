# Mixtures by EM as users meet them; test-em.R has the iterations.

test_that("one component is the mean and the standard deviation with divisor n", {
  x <- faithful$eruptions
  n <- length(x)
  fit <- fit_mixture(x, 1)
  sd <- sqrt(mean((x - mean(x))^2))
  expect_equal(as.vector(fit$mean), mean(x), tolerance = 1e-14)
  expect_equal(as.vector(fit$sd), sd, tolerance = 1e-12)
  expect_equal(fit$log_likelihood, sum(dnorm(x, mean(x), sd, log = TRUE)), tolerance = 1e-12)
  expect_identical(fit$proportions, 1)
  expect_identical(fit$df, 2L)
  expect_true(fit$converged)

  fit <- fit_mixture(iris[1:4], 1, covariance = "full")
  expect_equal(fit$mean[1, ], colMeans(iris[1:4]), tolerance = 1e-14)
  expect_equal(
    tcrossprod(fit$cholesky[, , 1]), unname(cov(iris[1:4])) * 149 / 150,
    tolerance = 1e-12
  )
  expect_identical(fit$df, 14L)
})

test_that("one component with weights is the weighted mean and covariance", {
  w <- rep(c(0.5, 2, 1), 50)
  reference <- cov.wt(iris[1:4], w, method = "ML")
  fit <- fit_mixture(iris[1:4], 1, covariance = "full", weights = w)
  expect_equal(fit$mean[1, ], reference$center, tolerance = 1e-13)
  expect_equal(tcrossprod(fit$cholesky[, , 1]), unname(reference$cov), tolerance = 1e-11)
})

test_that("EM never decreases, from every start and for every shape of data", {
  data <- list(
    faithful, iris[1:4], faithful$waiting, make_clusters(3, spread = 3), quakes[c("depth", "mag")]
  )
  for (x in data) {
    for (covariance in c("diagonal", "full")) {
      for (seed in 1:3) {
        # four components are many for some of these
        fit <- without_degenerate(fit_mixture(x, 4,
          covariance = covariance, seed = seed, control = cwmix_control(starts = 1)
        ))
        expect_equal(largest_fall(fit$trace$log_likelihood), 0, tolerance = 1e-12)
      }
    }
  }
})

test_that("the trace ends at the fit's log-likelihood, and all starts are kept", {
  for (covariance in c("diagonal", "full")) {
    fit <- fit_mixture(iris[1:4], 3, covariance = covariance, control = cwmix_control(starts = 7))
    expect_length(fit$starts, 7)
    last <- fit$trace$log_likelihood[nrow(fit$trace)]
    expect_identical(max(fit$starts), last)
    expect_equal(fit$log_likelihood, 150 * last, tolerance = 1e-12)
    expect_equal(log_likelihood(fit, iris[1:4]), fit$log_likelihood, tolerance = 1e-12)
    expect_identical(fit$trace$iteration, seq_len(nrow(fit$trace)) - 1L)
    expect_true(fit$converged)
  }
})

test_that("the best of several starts is kept, and many find more than one", {
  reached <- function(starts) {
    vapply(1:5, function(seed) {
      control <- cwmix_control(starts = starts)
      fit <- with_fixed_seed(seed, fit_mixture(iris[1:4], 5, control = control))
      expect_length(fit$starts, starts)
      expect_equal(fit$log_likelihood / 150, max(fit$starts), tolerance = 1e-10)
      fit$log_likelihood
    }, 0)
  }
  expect_gt(mean(reached(10)), mean(reached(1)))
})

test_that("groups are found where columns depend on each other between them, and within", {
  # the species; the log-likelihood is that of mclust's VVV
  for (seed in 1:3) {
    fit <- with_fixed_seed(seed, fit_mixture(iris[1:4], 3, covariance = "full"))
    expect_equal(fit$log_likelihood, -180.1855, tolerance = 1e-4)
  }
  # sizes of three kinds, whose shape tells them apart
  set.seed(1)
  size <- rnorm(300)
  kind <- rep(-1:1, 100)
  x <- cbind(size, size + 0.2 * kind, size - 0.2 * kind) + rnorm(900, sd = 0.03)
  fit <- with_fixed_seed(1, fit_mixture(unname(x), 3, covariance = "full"))
  agreeing <- table(predict(fit, unname(x), type = "class"), kind)
  expect_equal(sort(as.vector(agreeing)), rep(c(0, 100), c(6, 3)))
})

test_that("the known mixture of the Old Faithful data is found", {
  # mclust 6.0.0, Mclust(faithful, 2, "VVV"): log-likelihood -1130.264, sizes 0.6441, 0.3559
  fit <- fit_mixture(
    faithful, 2, covariance = "full", control = cwmix_control(em_tolerance = 1e-10)
  )
  expect_equal(fit$log_likelihood, -1130.264, tolerance = 1e-6)
  expect_equal(fit$proportions, c(0.6441, 0.3559), tolerance = 1e-4)
})

test_that("components come by decreasing size, and the sizes are the mixture's weights", {
  for (seed in 1:3) {
    control <- cwmix_control(em_tolerance = 1e-12, em_iterations = 5000)
    fit <- fit_mixture(iris[1:4], 4, seed = seed, control = control)
    expect_false(is.unsorted(rev(fit$proportions)))
    expect_equal(sum(fit$proportions), 1, tolerance = 1e-14)
    # the M step makes the weights the mean posteriors, which at convergence stay so
    expect_equal(exp(fit$classifier$biases[[1]]), fit$proportions, tolerance = 1e-4)
    expect_equal(
      fit$proportions, colMeans(predict(fit, iris[1:4], type = "posterior")),
      tolerance = 1e-10
    )
  }
})

test_that("the fields of a fit are those documented", {
  fit <- fit_mixture(faithful, 3)
  expect_s3_class(fit, c("gaussian_mixture", "cwmix_normal", "cwmix_density"), exact = TRUE)
  expect_identical(dim(fit$mean), c(3L, 2L))
  expect_identical(colnames(fit$mean), names(faithful))
  expect_identical(dim(fit$sd), c(3L, 2L))
  expect_null(fit$cholesky)
  expect_identical(nobs(fit), 272L)
  expect_identical(fit$df, 14L)
  expect_identical(fit$call[[1]], quote(gaussian_mixture))
  expect_identical(fit$call$x, quote(x))
  full <- fit_mixture(faithful, 3, covariance = "full")
  expect_null(full$sd)
  expect_identical(dim(full$cholesky), c(2L, 2L, 3L))
  expect_identical(full$cholesky[1, 2, ], c(0, 0, 0))
  expect_identical(full$df, 17L)
})

test_that("K has a default that grows with the data and stops at 10", {
  components_of <- function(n) {
    nrow(fit_mixture(qnorm(ppoints(n)), NULL, control = cwmix_control(em_tolerance = 1e-3))$mean)
  }
  expect_identical(components_of(10), 1L)
  expect_identical(components_of(80), 3L)
  expect_identical(components_of(400), 10L)
})

test_that("a warning of its own class says that EM has not converged", {
  expect_warning(
    fit <- fit_mixture(faithful, 3, control = cwmix_control(em_iterations = 1)),
    class = "cwmix_not_converged"
  )
  expect_false(fit$converged)
  expect_identical(nrow(fit$trace), 2L)
})

test_that("standard deviations stay above the floor where rows repeat", {
  x <- rep(c(1, 2, 5), each = 20)
  fit <- without_degenerate(fit_mixture(x, 3))
  spread <- min(sqrt(mean((x - mean(x))^2)), IQR(x) / 1.349)
  expect_equal(as.vector(fit$sd), rep(1e-3 * spread, 3), tolerance = 1e-10)
  expect_equal(sort(as.vector(fit$mean)), c(1, 2, 5), tolerance = 1e-14)
  expect_equal(fit$proportions, rep(1 / 3, 3), tolerance = 1e-14)

  fit <- without_degenerate(fit_mixture(x, 3, control = cwmix_control(sd_floor = 0.05)))
  expect_equal(as.vector(fit$sd), rep(0.05 * spread, 3), tolerance = 1e-10)
})

test_that("full covariances stay above the floor in every direction", {
  x <- with_fixed_seed(1, matrix(rnorm(10), 5))[rep(1:5, each = 8), ]
  fit <- without_degenerate(fit_mixture(x, 5, covariance = "full"))
  units <- standard_units(x, NULL)
  scale <- units$scale * units$core
  for (k in 1:5) {
    standard <- tcrossprod(fit$cholesky[, , k] / scale)
    expect_gte(min(eigen(standard)$values), 1e-6 * (1 - 1e-6))
  }
})

test_that("as many components as rows, ties and an outlier are all fitted", {
  cases <- list(
    rows = list(c(1, 4, 9), 3), rows_2d = list(matrix(c(1, 5, 2, 9, 3, 3, 8, 1), 4), 4),
    ties = list(rep(c(1, 2), each = 20), 5), one_differs = list(c(rep(0, 30), 1), 2),
    outlier = list(c(sin(1:100), 1e10), 2), integers = list(rep(1:6, 1:6), 4),
    two_rows = list(c(1, 2), 2)
  )
  for (name in names(cases)) {
    case <- cases[[name]]
    fit <- without_degenerate(fit_mixture(case[[1]], case[[2]]))
    expect_identical(nrow(fit$mean), as.integer(case[[2]]), info = name)
    expect_true(is.finite(fit$log_likelihood), info = name)
    expect_true(all(is.finite(unlist(coef(fit)))), info = name)
    expect_equal(log_likelihood(fit, case[[1]]), fit$log_likelihood, tolerance = 1e-12, info = name)
  }
})

test_that("empty components are placed anew, never dropped", {
  x <- c(sin(1:60), 20 + cos(1:60))
  # two of three means far from any row: they hold nothing after the first step
  start <- matrix(c(10, 1e6, -1e6))
  fit <- fit_mixture(x, 3, start = start)
  expect_identical(nrow(fit$mean), 3L)
  # every component holds at least a tenth of a row
  expect_gte(min(fit$proportions), 0.1 / 120)
  expect_gt(min(fit$mean), -5)
  expect_lt(max(fit$mean), 25)
})

test_that("a start from equal means is a fixed point that stays finite", {
  fit <- fit_mixture(faithful, 3, start = matrix(colMeans(faithful), 3, 2, byrow = TRUE))
  expect_true(all(is.finite(unlist(coef(fit)))))
})

test_that("a scale by powers of two changes the parameters exactly and nothing else", {
  for (covariance in c("diagonal", "full")) {
    fit <- fit_mixture(faithful, 3, covariance = covariance)
    scaled <- fit_mixture(faithful * 2^27, 3, covariance = covariance)
    expect_identical(scaled$mean, fit$mean * 2^27)
    if (covariance == "full") {
      expect_equal(scaled$cholesky, fit$cholesky * 2^27, tolerance = 1e-14)
    } else {
      expect_equal(scaled$sd, fit$sd * 2^27, tolerance = 1e-14)
    }
    expect_identical(scaled$proportions, fit$proportions)
    jacobian <- 272 * 2 * 27 * log(2)
    expect_equal(scaled$log_likelihood, fit$log_likelihood - jacobian, tolerance = 1e-13)
  }
})

test_that("large shifts and small scales give the same density up to the Jacobian", {
  for (change in list(c(1e8, 1e8), c(1e-8, 0), c(1, 1e8), c(-3, 5))) {
    for (covariance in c("diagonal", "full")) {
      moved <- faithful * change[1] + change[2]
      control <- cwmix_control(em_tolerance = 1e-12, em_iterations = 2000)
      fit <- fit_mixture(faithful, 2, covariance = covariance, control = control)
      other <- fit_mixture(moved, 2, covariance = covariance, control = control)
      # EM stops within 1e-12 of the maximum, where the log-likelihood is quadratic: 1e-6 in the
      # parameters. Data at 1e8 with a spread of 1 keep 8 digits of it.
      expect_equal(
        predict(other, moved, log = TRUE) + 2 * log(abs(change[1])),
        predict(fit, faithful, log = TRUE),
        tolerance = 1e-6, info = paste(toString(change), covariance)
      )
    }
  }
})

test_that("columns of very different scales do no harm", {
  x <- transform(faithful, eruptions = eruptions * 1e8, waiting = waiting * 1e-8 + 1)
  control <- cwmix_control(em_tolerance = 1e-12, em_iterations = 2000)
  fit <- fit_mixture(faithful, 2, covariance = "full", control = control)
  other <- fit_mixture(x, 2, covariance = "full", control = control)
  # waiting keeps 9 digits
  expect_equal(other$log_likelihood, fit$log_likelihood, tolerance = 1e-6)
})

test_that("permuted columns give the same density", {
  for (covariance in c("diagonal", "full")) {
    fit <- fit_mixture(iris[1:4], 3, covariance = covariance)
    other <- fit_mixture(iris[c(3, 1, 4, 2)], 3, covariance = covariance)
    expect_equal(
      predict(other, iris, log = TRUE), predict(fit, iris, log = TRUE),
      tolerance = 1e-8 # distances to starts add up in another order
    )
  }
})

test_that("permuted rows give the same mixture from the same start", {
  start <- as.matrix(faithful[c(1, 2, 19), ])
  rows <- with_fixed_seed(2, sample(272))
  fit <- fit_mixture(faithful, 3, start = start)
  other <- fit_mixture(faithful[rows, ], 3, start = start)
  expect_equal(coef(other), coef(fit), tolerance = 1e-8)
})

test_that("a weight of two is a row repeated, from the same start", {
  w <- rep(c(1, 2, 1, 3), 68)
  start <- as.matrix(faithful[c(1, 2, 19), ])
  for (covariance in c("diagonal", "full")) {
    weighted <- fit_mixture(faithful, 3, covariance = covariance, weights = w, start = start)
    repeated <- fit_mixture(faithful[rep(1:272, w), ], 3, covariance = covariance, start = start)
    expect_equal(weighted$proportions, repeated$proportions, tolerance = 1e-8)
    expect_equal(coef(weighted), coef(repeated), tolerance = 1e-8)
    expect_equal(weighted$log_likelihood, repeated$log_likelihood, tolerance = 1e-10)
    expect_identical(nobs(weighted), 272L)
  }
})

test_that("the size of all weights together does not matter", {
  w <- with_fixed_seed(1, runif(272))
  fit <- fit_mixture(faithful, 3, weights = w)
  other <- fit_mixture(faithful, 3, weights = w * 2^-40)
  expect_equal(coef(other), coef(fit), tolerance = 1e-12)
  tiny <- fit_mixture(faithful, 3, weights = w * 1e-300)
  expect_equal(coef(tiny), coef(fit), tolerance = 1e-8)
  huge <- fit_mixture(faithful, 3, weights = w * 1e307)
  expect_equal(coef(huge), coef(fit), tolerance = 1e-8)
})

test_that("weights of zero are rows left out, to the bit", {
  w <- rep(c(1, 0, 2, 1), 68)
  for (covariance in c("diagonal", "full")) {
    zero <- fit_mixture(faithful, 3, covariance = covariance, weights = w)
    out <- fit_mixture(faithful[w > 0, ], 3, covariance = covariance, weights = w[w > 0])
    for (field in c("mean", "sd", "cholesky", "classifier", "proportions", "nobs", "starts")) {
      expect_identical(zero[[field]], out[[field]])
    }
    expect_identical(zero$log_likelihood, out$log_likelihood)
  }
})

test_that("the seed decides and data frames, matrices and formulas agree", {
  expect_same_fit <- function(a, b) {
    fields <- c("mean", "sd", "classifier", "proportions", "log_likelihood", "trace", "starts")
    expect_identical(a[fields], b[fields])
  }
  fit <- fit_mixture(faithful, 3)
  expect_same_fit(fit_mixture(faithful, 3), fit)
  expect_same_fit(fit_mixture(as.matrix(faithful), 3), fit)
  expect_same_fit(
    with_fixed_seed(1, gaussian_mixture(~ eruptions + waiting, faithful, K = 3)), fit
  )
  expect_same_fit(with_fixed_seed(1, gaussian_mixture(~., faithful, K = 3)), fit)
  # the classes of a tibble and of a data.table on a data frame
  for (class in list(c("tbl_df", "tbl", "data.frame"), c("data.table", "data.frame"))) {
    expect_same_fit(fit_mixture(structure(faithful, class = class), 3), fit)
  }
  unnamed <- fit_mixture(unname(as.matrix(faithful)), 3)
  expect_identical(unname(unnamed$mean), unname(fit$mean))
  expect_identical(fit_mixture(3:40, 2)$mean, fit_mixture(as.double(3:40), 2)$mean)
})

test_that("a formula's transformed variables are those fitted", {
  fit <- with_fixed_seed(1, gaussian_mixture(~ log(eruptions) + I(waiting / 60), faithful, K = 2))
  x <- cbind(log(faithful$eruptions), faithful$waiting / 60)
  expect_equal(unname(fit$mean), unname(fit_mixture(x, 2)$mean), tolerance = 1e-14)
  expect_equal(predict(fit, faithful), predict(fit, x), ignore_attr = TRUE, tolerance = 1e-14)
})

test_that("EM goes on from a fit and from a matrix of means", {
  first <- fit_mixture(faithful, 3)
  again <- fit_mixture(faithful, 3, start = first)
  expect_equal(again$trace$log_likelihood[1], first$log_likelihood / 272, tolerance = 1e-12)
  expect_gte(again$log_likelihood, first$log_likelihood - 1e-9)
  expect_length(again$starts, 1)

  model <- cwmix_model(first$mean, sd = first$sd, classifier = first$proportions)
  from_model <- fit_mixture(faithful, 3, start = model)
  expect_equal(from_model$trace$log_likelihood[1], log_likelihood(model, faithful) / 272,
    tolerance = 1e-12
  )

  from_means <- fit_mixture(faithful, 3, start = first$mean)
  expect_equal(from_means$log_likelihood, first$log_likelihood, tolerance = 1e-3)
  # nothing random is left: the seed plays no part
  expect_identical(coef(fit_mixture(faithful, 3, start = first$mean, seed = 9)), coef(from_means))
})

test_that("starts on another scale are taken to that of the data", {
  x <- faithful * 1e6
  first <- fit_mixture(x, 2, covariance = "full")
  again <- fit_mixture(x, 2, covariance = "full", start = first)
  expect_equal(again$trace$log_likelihood[1], first$log_likelihood / 272, tolerance = 1e-12)
})

test_that("the floor's robust scale counts rows by their weights", {
  # rows that repeat, so that standard deviations end at the floor; a far value, so that the
  # floor hangs on the quartiles; weights that move the quartiles. The spread of near neighbours
  # knows rows alone: of five there is none, and of as many ties it is 0.
  x <- c(1, 2, 4, 5, 100)
  control <- cwmix_control(sd_floor = 0.05)
  for (w in list(rep(9, 5), c(9, 1, 9, 2, 1), c(1, 7, 1, 8, 1))) {
    floor_of <- function(...) {
      fit <- without_degenerate(fit_mixture(..., K = 5, start = matrix(x), control = control))
      min(fit$sd)
    }
    weighted <- floor_of(x, weights = w)
    repeated <- floor_of(rep(x, w))
    expect_equal(weighted, repeated, tolerance = 1e-12, info = toString(w))
    expect_equal(weighted, floor_of(x, weights = w / 3), tolerance = 1e-12, info = toString(w))
  }
  # and a weight of zero is a row left out
  some <- floor_of(x = x[c(1:5, 5)], weights = NULL)
  zero <- floor_of(x = c(x[c(1:5, 5)], 3, 3), weights = rep(1:0, c(6, 2)))
  expect_equal(zero, some, tolerance = 1e-12)
})
