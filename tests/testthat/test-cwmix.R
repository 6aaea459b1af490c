test_that("training starts from exactly the Gaussian mixture of EM", {
  for (covariance in c("diagonal", "full")) {
    for (hidden in list(integer(0), 8, c(16, 5))) {
      for (data in lapply(list(faithful, iris[1:4], faithful$waiting), untied)) {
        for (precision in c("double", "single")) {
          control <- quick_control(epochs = 0, precision = precision)
          fit <- fit_network(data,
            hidden = hidden, covariance = covariance, validation = 0, control = control
          )
          em <- with_fixed_seed(
            1, gaussian_mixture(data, K = 3, covariance = covariance, control = control)
          )
          n <- NROW(data)
          expect_equal(fit$trace$training, em$log_likelihood / n,
            tolerance = if (precision == "double") 1e-12 else 1e-5
          )
          # whatever the training's precision, what is reported is in double
          expect_equal(fit$log_likelihood, em$log_likelihood, tolerance = 1e-12)
          expect_equal(predict(fit, data), predict(em, data), tolerance = 1e-11)
          expect_identical(fit$mean, em$mean)
          expect_identical(fit$starts, em$starts)
        }
      }
    }
  }
})

test_that("with validation rows EM sees the others only", {
  x <- untied(faithful)
  fit <- fit_network(x, control = quick_control(epochs = 0))
  held <- fit$held_rows
  expect_length(held, 27)
  expect_equal(fit$trace$training, log_likelihood(fit, x[-held, ]) / 245, tolerance = 1e-12)
  expect_equal(fit$trace$validation, log_likelihood(fit, x[held, ]) / 27, tolerance = 1e-12)
  expect_equal(max(fit$starts), fit$trace$training, tolerance = 1e-12)
})

test_that("the best epoch is the one returned", {
  x <- untied(faithful)
  for (precision in c("double", "single")) {
    fit <- fit_network(
      x,
      hidden = c(16, 16),
      control = quick_control(epochs = 40, precision = precision, learning_rate = 0.02)
    )
    held <- fit$held_rows
    best <- fit$trace[fit$trace$epoch == fit$best_epoch, ]
    expect_identical(fit$best_epoch, fit$trace$epoch[which.max(fit$trace$validation)])
    expect_equal(
      log_likelihood(fit, x[held, ]) / length(held), best$validation,
      tolerance = if (precision == "double") 1e-12 else 1e-5
    )
  }
})

test_that("epoch 0 is returned where training only does harm", {
  x <- untied(faithful)
  fit <- fit_network(x, control = quick_control(epochs = 3, learning_rate = 2))
  expect_identical(fit$best_epoch, 0L)
  expect_equal(
    log_likelihood(fit, x[fit$held_rows, ]) / 27, fit$trace$validation[1], tolerance = 1e-12
  )
})

test_that("without validation rows the last epoch is returned", {
  fit <- fit_network(faithful, validation = 0, control = quick_control(epochs = 7))
  expect_identical(fit$best_epoch, 7L)
  expect_true(all(is.na(fit$trace$validation)))
  expect_identical(fit$held_rows, integer())
  expect_identical(fit$stopped, "epochs")
})

test_that("the log-likelihood of a fit is that of its density at all rows", {
  for (support in list(NULL, c(0, Inf), list(c(0, 10), NULL))) {
    fit <- fit_network(faithful, support = support)
    expect_equal(log_likelihood(fit, faithful), fit$log_likelihood, tolerance = 1e-12)
    expect_equal(
      sum(predict(fit, faithful, log = TRUE)), fit$log_likelihood,
      tolerance = 1e-12
    )
    expect_equal(as.numeric(logLik(fit)), fit$log_likelihood)
  }
})

test_that("components come by decreasing size and their sizes are the mean posteriors", {
  for (seed in 1:3) {
    fit <- fit_network(iris[1:4], K = 5, seed = seed)
    expect_false(is.unsorted(rev(fit$proportions)))
    expect_equal(
      fit$proportions, colMeans(predict(fit, iris[1:4], type = "posterior")),
      tolerance = 1e-10
    )
  }
})

test_that("the fields of a fit are those documented", {
  # whatever it scores, the last epoch counts
  fit <- fit_network(
    faithful,
    hidden = c(7, 5), validation = 0, control = quick_control(epochs = 2)
  )
  expect_s3_class(fit, c("cwmix", "cwmix_normal", "cwmix_density"), exact = TRUE)
  expect_identical(dim(fit$mean), c(3L, 2L))
  expect_identical(colnames(fit$sd), names(faithful))
  expect_identical(fit$hidden, c(7L, 5L))
  # 2 x 3 means, 2 x 3 scales, the weights and biases of layers 2-7-5-3
  expect_identical(fit$df, 12L + (2L + 1L) * 7L + (7L + 1L) * 5L + (5L + 1L) * 3L)
  expect_identical(nobs(fit), 272L)
  expect_named(fit$trace, c("epoch", "training", "validation", "learning_rate"))
  expect_identical(fit$trace$epoch, 0:2)
  expect_identical(
    vapply(fit$classifier$weights, dim, c(0L, 0L)), cbind(c(7L, 2L), c(5L, 7L), c(3L, 5L))
  )
})

test_that("a call names the fitting function and keeps its arguments as they were written", {
  fit <- with_fixed_seed(1, cwmix(faithful, K = 2, hidden = 3, control = quick_control(epochs = 0)))
  expect_identical(
    fit$call,
    quote(cwmix(x = faithful, K = 2, hidden = 3, control = quick_control(epochs = 0)))
  )
  fit <- with_fixed_seed(1, cwmix(~waiting, faithful, 2, hidden = NULL))
  expect_identical(fit$call, quote(cwmix(x = ~waiting, data = faithful, K = 2, hidden = NULL)))
  mixture <- with_fixed_seed(1, gaussian_mixture(faithful, 2))
  expect_identical(mixture$call, quote(gaussian_mixture(x = faithful, K = 2)))
})

test_that("hidden = NULL is EM alone", {
  x <- untied(faithful)
  fit <- fit_network(x, hidden = NULL)
  em <- with_fixed_seed(1, gaussian_mixture(x, K = 3, control = quick_control()))
  expect_identical(coef(fit), coef(em))
  expect_identical(fit$log_likelihood, em$log_likelihood)
  expect_identical(fit$df, em$df)
  expect_identical(fit$trace$epoch, 0L)
  expect_length(fit$held_rows, 0)
})

test_that("hidden = integer(0) is a softmax-linear classifier", {
  fit <- fit_network(faithful, hidden = integer(0), control = quick_control(epochs = 20))
  expect_length(fit$classifier$weights, 1)
  expect_identical(dim(fit$classifier$weights[[1]]), c(3L, 2L))
  expect_gt(max(abs(fit$classifier$weights[[1]])), 0)
  expect_gt(max(fit$trace$validation), fit$trace$validation[1])
})

test_that("every activation trains and gains on EM", {
  x <- make_ring(500)
  for (activation in c("tanh", "relu", "silu")) {
    control <- quick_control(epochs = 15)
    fit <- fit_network(x, hidden = c(16, 16), activation = activation, control = control)
    expect_identical(fit$classifier$activation, activation)
    expect_gt(max(fit$trace$validation), fit$trace$validation[1] + 0.05)
    expect_gt(fit$log_likelihood, 500 * fit$trace$training[1])
  }
})

test_that("one component has no weights to learn and stays a Gaussian", {
  x <- untied(faithful)
  fit <- fit_network(x, K = 1, control = quick_control(epochs = 0))
  training <- x[-fit$held_rows, ]
  sd <- apply(training, 2, function(a) sqrt(mean((a - mean(a))^2)))
  expect_equal(fit$mean[1, ], colMeans(training), tolerance = 1e-13)
  expect_equal(fit$sd[1, ], sd, tolerance = 1e-12)
  expect_equal(
    predict(fit, x), dnorm(x[[1]], fit$mean[1], fit$sd[1]) * dnorm(x[[2]], fit$mean[2], fit$sd[2]),
    tolerance = 1e-12, ignore_attr = TRUE
  )
  trained <- fit_network(x, K = 1, validation = 0)
  expect_equal(trained$proportions, 1)
  expect_equal(max(predict(trained, x, type = "weights")), 1)
})

test_that("the classifier mixture scores above the Gaussian mixture that it starts from", {
  for (seed in 1:3) {
    fit <- with_fixed_seed(seed, cwmix(faithful, K = 3, hidden = c(32, 32)))
    expect_gt(max(fit$trace$training, na.rm = TRUE), fit$trace$training[1])
    expect_gte(max(fit$trace$validation), fit$trace$validation[1])
  }
})

test_that("on held-out rows it scores above the Gaussian mixture where ellipses fail", {
  x <- make_ring(2000)
  new <- make_ring(2000, seed = 2)
  fit <- with_fixed_seed(
    1, cwmix(x, K = 3, hidden = c(32, 32), control = cwmix_control(epochs = 25))
  )
  em <- with_fixed_seed(1, gaussian_mixture(x, K = 3))
  expect_gt(log_likelihood(fit, new) / 2000, log_likelihood(em, new) / 2000 + 0.2)
})

test_that("what is fitted integrates to one", {
  fit <- fit_network(faithful$eruptions, hidden = c(16, 16), control = quick_control(epochs = 60))
  mass <- integrate(predict, -Inf, Inf, object = fit, subdivisions = 1000, rel.tol = 1e-8)$value
  expect_equal(mass, 1, tolerance = 1e-6)
})

test_that("the seed decides, to the bit", {
  for (precision in c("double", "single")) {
    control <- quick_control(precision = precision)
    a <- fit_network(faithful, control = control)
    expect_identical(fit_numbers(fit_network(faithful, control = control)), fit_numbers(a))
    b <- fit_network(faithful, control = control, seed = 2)
    expect_false(identical(fit_numbers(b), fit_numbers(a)))
  }
})

test_that("data frames, matrices, formulas and relatives of data frames agree to the bit", {
  fit <- fit_network(faithful)
  same <- function(other) expect_identical(fit_numbers(other), fit_numbers(fit))
  same(fit_network(as.matrix(faithful)))
  same(fit_network(structure(faithful, class = c("tbl_df", "tbl", "data.frame"))))
  same(fit_network(structure(faithful, class = c("data.table", "data.frame"))))
  same(with_fixed_seed(
    1, cwmix(~ eruptions + waiting, faithful, K = 3, hidden = 8, control = quick_control())
  ))
  same(with_fixed_seed(1, cwmix(~., data = faithful, K = 3, hidden = 8, control = quick_control())))
  integers <- fit_network(faithful$waiting)
  expect_identical(fit_numbers(fit_network(as.integer(faithful$waiting))), fit_numbers(integers))
})

test_that("a scale by powers of two changes nothing but the parameters' units", {
  for (precision in c("double", "single")) {
    fit <- fit_network(faithful, control = quick_control(precision = precision))
    scaled <- fit_network(faithful * 2^-30, control = quick_control(precision = precision))
    expect_identical(scaled$mean, fit$mean * 2^-30)
    expect_equal(scaled$sd, fit$sd * 2^-30, tolerance = 1e-14)
    expect_identical(scaled$classifier, fit$classifier)
    expect_identical(scaled$best_epoch, fit$best_epoch)
    jacobian <- 272 * 2 * 30 * log(2)
    expect_equal(scaled$log_likelihood, fit$log_likelihood + jacobian, tolerance = 1e-13)
  }
})

test_that("large shifts and scales give the same density up to the Jacobian", {
  # the same iterations of EM, however small their gains: where it stops may hang on rounding
  control <- quick_control(epochs = 3, em_iterations = 20, em_tolerance = 1e-300)
  fit <- fit_network(faithful, control = control)
  for (change in list(c(1e8, 1e8), c(1e-8, 0), c(1, 1e6))) {
    moved <- faithful * change[1] + change[2]
    other <- fit_network(moved, control = control)
    # the data keep 1e-16 of their size, at the offset 1e6 a millionth of their digits is lost;
    # EM and some steps multiply that by a few hundred
    lost <- if (change[2] > 0) max(abs(moved)) / min(apply(moved, 2, sd)) else 100
    expect_equal(
      predict(other, moved, log = TRUE) + 2 * log(change[1]), predict(fit, faithful, log = TRUE),
      tolerance = 1e-13 * lost * 10, info = toString(change)
    )
  }
})

test_that("a network is no matter of the order of columns", {
  x <- untied(iris[1:4])
  # hidden weights are random, so only what EM alone decides can be compared
  control <- quick_control(epochs = 0, em_tolerance = 1e-12)
  fit <- fit_network(x, control = control)
  other <- fit_network(x[c(3, 1, 4, 2)], control = control)
  expect_equal(predict(other, x, log = TRUE), predict(fit, x, log = TRUE), tolerance = 1e-6)
  # from the same start with the same network they train alike
  start <- cwmix_model(fit$mean, sd = fit$sd, classifier = cwmix_classifier(
    list(sin(matrix(1:32, 8)), cos(matrix(1:24, 3)) / 4), list(double(8), double(3))
  ))
  turned <- start
  columns <- c(3, 1, 4, 2)
  turned$mean <- turned$mean[, columns]
  turned$sd <- turned$sd[, columns]
  turned$frame$names <- turned$frame$names[columns]
  turned$classifier$weights[[1]] <- turned$classifier$weights[[1]][, columns]
  a <- fit_network(x, start = start)
  b <- fit_network(x[columns], start = turned)
  expect_equal(b$trace, a$trace, tolerance = 1e-9)
  expect_equal(predict(b, x, log = TRUE), predict(a, x, log = TRUE), tolerance = 1e-8)
})

test_that("permuted components of a start give the same fit", {
  fit <- fit_network(faithful, control = quick_control(epochs = 0))
  start <- cwmix_model(fit$mean, sd = fit$sd, classifier = fit$classifier)
  order <- c(2, 3, 1)
  turned <- start
  turned$mean <- turned$mean[order, ]
  turned$sd <- turned$sd[order, ]
  turned$classifier$weights[[2]] <- turned$classifier$weights[[2]][order, ]
  turned$classifier$biases[[2]] <- turned$classifier$biases[[2]][order]
  a <- fit_network(faithful, start = start)
  b <- fit_network(faithful, start = turned)
  expect_equal(b$trace, a$trace, tolerance = 1e-10)
  expect_equal(b$mean, a$mean, tolerance = 1e-8)
})

test_that("weights of zero are rows left out, to the bit", {
  w <- rep(c(1, 0, 2, 1), 68)
  for (precision in c("double", "single")) {
    control <- quick_control(precision = precision)
    zero <- fit_network(faithful, weights = w, control = control)
    out <- fit_network(faithful[w > 0, ], weights = w[w > 0], control = control)
    expect_identical(fit_numbers(zero), fit_numbers(out))
    expect_identical(nobs(zero), 204L)
  }
})

test_that("equal weights are no weights", {
  x <- untied(faithful)
  fit <- fit_network(x)
  other <- fit_network(x, weights = rep(4, 272))
  expect_equal(other$trace, fit$trace, tolerance = 1e-9)
  expect_equal(other$log_likelihood, 4 * fit$log_likelihood, tolerance = 1e-9)
})

test_that("weights pull the density towards heavy rows", {
  x <- c(sin(1:200), 10 + cos(1:200))
  w <- rep(c(9, 1), each = 200)
  fit <- fit_network(x, K = 2, weights = w, control = quick_control(epochs = 10))
  mass <- integrate(predict, -Inf, 5, object = fit, subdivisions = 500)$value
  expect_equal(mass, 0.9, tolerance = 0.03)
  expect_equal(fit$proportions, c(0.9, 0.1), tolerance = 0.03)
})

test_that("a network keeps a share of zeros, and the rest where it was", {
  x <- with_fixed_seed(5, replace(rnorm(1000), 1:800, 0))
  fit <- with_fixed_seed(1, cwmix(x, K = 4))
  expect_share(fit, x, -Inf, -1)
  expect_share(fit, x, -0.05, 0.05)
  expect_identical(fit$recorded$atoms, "0")
})

test_that("a network keeps the share of zeros among counts", {
  x <- with_fixed_seed(21, rnbinom(5000, mu = 0.17, size = 0.3))
  for (support in list(NULL, c(-0.5, Inf), c(0, Inf))) {
    fit <- with_fixed_seed(1, cwmix(x, K = 4, support = support))
    expect_share(fit, x, -Inf, 0.5)
    expect_identical(fit$recorded$spacing, 1)
  }
})

test_that("whole weights and repeated rows give the same network, to the bit", {
  tables <- tied_tables()
  fields <- c(
    "mean", "sd", "classifier", "starts", "trace", "best_epoch", "optimiser", "recorded", "df"
  )
  for (name in names(tables)) {
    table <- tables[[name]]
    for (hidden in list(NULL, 8)) {
      fit <- function(...) without_degenerate(fit_network(..., hidden = hidden))
      weighted <- fit(table$x, weights = table$w)
      repeated <- fit(table$rows)
      for (field in fields) {
        expect_identical(weighted[[field]], repeated[[field]], info = paste(name, field))
      }
      expect_equal(weighted$log_likelihood, repeated$log_likelihood, info = name)
      expect_equal(weighted$proportions, repeated$proportions, info = name)
    }
  }
})

test_that("repeated rows are held out together, those in one cell apart", {
  value <- rep(1:50, rep(1:5, 10))
  repeated <- fit_network(make_points(50, 2)[value, ])
  held <- repeated$held_rows
  expect_length(unique(value[held]), 5)
  expect_identical(held, which(value %in% value[held]))
  in_cells <- fit_network(rep(1:3, each = 50))
  expect_length(in_cells$held_rows, 15)
})

test_that("training goes on from a fit with the same network", {
  x <- untied(faithful)
  first <- fit_network(x, validation = 0, control = quick_control(epochs = 10))
  again <- fit_network(x, validation = 0, start = first, control = quick_control(epochs = 0))
  expect_equal(again$log_likelihood, first$log_likelihood, tolerance = 1e-12)
  expect_equal(coef(again), coef(first), tolerance = 1e-12)
  further <- fit_network(x, validation = 0, start = first, control = quick_control(epochs = 10))
  expect_equal(further$trace$training[1], first$log_likelihood / 272, tolerance = 1e-12)
})

test_that("a Gaussian mixture or a matrix of means starts EM there", {
  x <- untied(faithful)
  em <- with_fixed_seed(
    1, gaussian_mixture(x, K = 3, control = cwmix_control(em_tolerance = 1e-13))
  )
  fit <- fit_network(x, validation = 0, start = em, control = quick_control(epochs = 0))
  expect_equal(fit$log_likelihood, em$log_likelihood, tolerance = 1e-10)
  expect_length(fit$starts, 1)
  means <- fit_network(x, validation = 0, start = em$mean, control = quick_control(epochs = 0))
  expect_equal(means$log_likelihood, em$log_likelihood, tolerance = 1e-3)
})

test_that("standard deviations stay above the floor while training", {
  x <- rep(c(1, 2, 5), each = 30)
  spread <- min(sqrt(mean((x - mean(x))^2)), IQR(x) / 1.349)
  for (optimiser in c("adam", "lbfgs")) {
    control <- quick_control(epochs = 10, sd_floor = 0.02, optimiser = optimiser)
    # on data this degenerate a line search may find nothing better
    fit <- suppressWarnings(
      fit_network(x, validation = 0, control = control),
      classes = "cwmix_not_converged"
    )
    expect_gte(min(fit$sd), 0.02 * spread * (1 - 1e-9))
    expect_true(all(is.finite(unlist(coef(fit)))))
  }
})

test_that("ties, repeated rows and outliers are trained on without harm", {
  cases <- list(
    ties = rep(c(1, 2), each = 20), one_differs = c(rep(0, 40), 1),
    outlier = c(sin(1:100), 1e10), repeated = faithful[rep(1:6, 10), ], few = c(1, 4, 9)
  )
  for (name in names(cases)) {
    for (precision in c("double", "single")) {
      x <- cases[[name]]
      seen <- catch_conditions(
        fit_network(x, control = quick_control(epochs = 3, precision = precision))
      )
      fit <- seen$value
      # an outlier of 1e10 leaves the other rows too close together for any step
      if (name != "outlier") expect_length(seen$conditions, 0)
      expect_true(is.finite(fit$log_likelihood), info = name)
      expect_true(all(is.finite(unlist(coef(fit)))), info = name)
      expect_false(anyNA(predict(fit, x)), info = name)
    }
  }
})

test_that("fitting is silent and leaves no trace in options or devices", {
  before <- options()
  expect_silent(fit_network(faithful))
  expect_identical(options(), before)
})

test_that("EM alone says where it has not converged", {
  control <- cwmix_control(em_iterations = 1, starts = 1)
  seen <- catch_conditions(fit_network(faithful, hidden = NULL, control = control))
  expect_length(seen$conditions, 1)
  expect_s3_class(seen$conditions[[1]], "cwmix_not_converged")
  expect_false(seen$value$converged)
  expect_true(fit_network(faithful, hidden = NULL)$converged)
})

test_that("a tenth of the rows is set aside, at most 5,000", {
  expect_identical(
    vapply(c(5, 10, 272, 49999, 1e6), held_count, 0, validation = NULL),
    c(0, 1, 27, 4999, 5000)
  )
  expect_identical(held_count(0.25, 1e5), 25000)
})

test_that("a fit that was edited is refused by every verb, with what is wrong", {
  expect_refused <- function(edited, verbs) {
    for (name in names(edited)) {
      for (verb in verbs) {
        expect_error(
          verb(edited[[name]]), paste0("as this package makes them, but its .*", name),
          class = "cwmix_input_error"
        )
      }
    }
  }
  fit <- fit_network(faithful, K = 2)
  mixture <- fit_mixture(faithful, 2)
  average <- cwmix_average(list(fit, mixture))
  of_fits <- list(format, summary, tidy, glance, logLik, nobs, plot)
  of_densities <- list(
    coef, mean, vcov, entropy,
    function(x) predict(x, faithful), function(x) residuals(x, faithful),
    function(x) augment(x, faithful), function(x) log_likelihood(x, faithful),
    function(x) simulate(x, 1), function(x) kl_divergence(x, x), function(x) quantile(x, 0.5),
    function(x) expectation(x, rowSums), function(x) probability(x, is.finite),
    function(x) cwmix_average(list(x)), function(x) fit_mixture(faithful, 2, start = x)
  )
  expect_refused(
    list(
      "`sd` are not 2 x 2 positive numbers" = replace(mixture, "sd", list(-mixture$sd)),
      "`shares` are not positive numbers" = replace(average, "shares", list(c(1, 1)))
    ),
    c(of_fits, of_densities)
  )
  expect_refused(
    list(
      "`trace` is missing" = replace(fit, "trace", list(NULL)),
      "`nobs` is not what a fit has" = replace(fit, "nobs", -1)
    ),
    of_fits
  )
  mixture$converged <- NA
  expect_refused(list("`converged` is not what a fit has" = mixture), of_fits)
})
