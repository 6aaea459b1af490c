test_that("latent residuals of draws from the model are independent standard normals", {
  models <- list(
    make_model(1, 3, c(5, 4), seed = 21), make_model(3, 4, c(6, 5), "full", seed = 22),
    make_model(2, 3, NULL, seed = 23), make_model(2, 2, integer(0), "full", seed = 24),
    cwmix_model(
      c(-1, 1), sd = c(1, 1), classifier = function(z) cbind(plogis(3 * z), plogis(-3 * z))
    ),
    cwmix_model(
      matrix(c(-1, 1, 0, 0.5), 2),
      sd = matrix(0.7, 2, 2), support = list(c(0, 1), c(0, Inf)),
      classifier = cwmix_classifier(list(matrix(c(1, -1, 2, 0), 2)), list(c(0, 0.3)))
    )
  )
  for (i in seq_along(models)) {
    x <- simulate(models[[i]], 4000, seed = 30 + i)
    z <- with_fixed_seed(40 + i, residuals(models[[i]], x))
    d <- ncol(models[[i]]$mean)
    expect_identical(dim(z), c(4000L, d))
    for (j in seq_len(d)) expect_gt(ks.test(z[, j], "pnorm")$p.value, 0.001)
    if (d == 1) next
    # dependence of any kind between columns shows in these
    expect_gt(ks.test(rowSums(z) / sqrt(d), "pnorm")$p.value, 0.001)
    expect_gt(ks.test(rowSums(z^2), "pchisq", d)$p.value, 0.001)
    expect_gt(cor.test(z[, 1], z[, 2])$p.value, 0.001)
  }
})

test_that("residuals from a wrong model are not standard normal", {
  model <- make_model(1, 3, c(5, 4), seed = 21)
  wrong <- model
  wrong$classifier <- constant_classifier(rep(1, 3))
  x <- simulate(model, 4000, seed = 31)
  z <- with_fixed_seed(41, residuals(wrong, x))
  expect_lt(ks.test(z[, 1], "pnorm")$p.value, 1e-6)
})

test_that("each residual is the standardised point of one component", {
  for (covariance in c("diagonal", "full")) {
    p <- make_parameters(2, 3, 5, covariance, seed = 25)
    x <- make_points(40, 2)
    z <- with_fixed_seed(1, residuals(as_model(p), x))
    distance <- vapply(1:3, function(k) {
      latent <- t(apply(x, 1, reference_latent, p$mean[k, ], reference_factor(p, k)))
      apply(abs(latent - z), 1, max)
    }, double(40))
    expect_lt(max(apply(distance, 1, min)), 1e-12)
  }
})

test_that("residuals are those of the slow reference, in every engine", {
  cases <- scenarios(n = c(1, 3, 23))
  for (i in seq(1, length(cases), by = 5)) {
    p <- cases[[i]]$p
    x <- cases[[i]]$x
    expected <- with_fixed_seed(i, reference_residuals(x, p))
    for (instance in cwmix_info()$instances) {
      z <- with_fixed_seed(i, with_engine(residuals(as_model(p), x), instance = instance))
      expect_close(as.vector(z), as.vector(expected), 1e-10,
        floor = 1, info = paste(cases[[i]]$name, instance)
      )
    }
  }
})

test_that("where nothing has density there is no residual, and the others stay", {
  model <- make_model(1, 2, seed = 27)
  x <- matrix(c(0.5, 1e200, -0.3), 3)
  z <- with_fixed_seed(6, residuals(model, x))
  expect_identical(as.vector(is.na(z)), c(FALSE, TRUE, FALSE))
  x[2] <- 0
  expect_identical(with_fixed_seed(6, residuals(model, x))[c(1, 3)], z[c(1, 3)])
})

test_that("one component leaves no choice", {
  model <- cwmix_model(2, sd = 3, classifier = 1)
  x <- c(-1, 2, 8)
  expect_equal(as.vector(residuals(model, x)), (x - 2) / 3, tolerance = 1e-15)
})

test_that("rows with missing values or outside the support give NA, with names kept", {
  fit <- with_fixed_seed(1, gaussian_mixture(faithful, 2))
  newdata <- faithful[1:4, ]
  newdata[2, 1] <- NA
  newdata[3, 2] <- Inf
  rownames(newdata) <- c("p", "q", "r", "s")
  z <- with_fixed_seed(1, residuals(fit, newdata))
  expect_identical(dimnames(z), list(rownames(newdata), names(newdata)))
  expect_identical(is.na(z), matrix(rep(c(FALSE, TRUE, TRUE, FALSE), 2), 4, dimnames = dimnames(z)))
  expect_identical(dim(residuals(fit, newdata[0, ])), c(0L, 2L))

  bounded <- cwmix_model(0, sd = 1, classifier = 1, support = c(0, Inf))
  z <- residuals(bounded, c(-1, 0, 1, NA))
  expect_identical(dim(z), c(4L, 1L))
  expect_identical(as.vector(is.na(z)), c(TRUE, TRUE, FALSE, TRUE))
})

test_that("residuals take one uniform a complete row", {
  model <- make_model(2, 3, 5)
  x <- make_points(5, 2)
  x[2, 1] <- NA
  after <- with_fixed_seed(3, {
    residuals(model, x)
    runif(1)
  })
  expect_identical(after, with_fixed_seed(3, runif(5))[5])
})

test_that("the seed decides, and rows do not depend on those after them", {
  model <- make_model(2, 3, 5)
  x <- make_points(20, 2)
  z <- with_fixed_seed(4, residuals(model, x))
  expect_identical(with_fixed_seed(4, residuals(model, x)), z)
  expect_identical(with_fixed_seed(4, residuals(model, x[1:6, ])), z[1:6, ])
})

test_that("far from every component residuals stay finite", {
  model <- make_model(2, 3, c(5, 4), "full", seed = 26)
  z <- with_fixed_seed(5, residuals(model, matrix(c(1e6, -1e6, 1e100, 30), 2)))
  expect_true(all(is.finite(z)))
})
