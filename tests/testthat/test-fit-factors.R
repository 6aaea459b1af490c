# The covariance of d columns that depend on `rank` factors, with noise of its own each.
factor_data <- function(n, d, rank) {
  with_fixed_seed(1, {
    loadings <- matrix(rnorm(d * rank), d)
    x <- matrix(rnorm(n * rank), n) %*% t(loadings)
    (x + matrix(rnorm(n * d), n) * rep(seq(0.5, 1.5, length.out = d), each = n)) *
      rep(10^seq(-2, 2, length.out = d), each = n)
  })
}

# What the fit of a covariance leaves of the likelihood: tr(S Sigma^-1) + log det Sigma.
discrepancy <- function(S, fitted) {
  sum(diag(solve(fitted, S))) + as.numeric(determinant(fitted)$modulus)
}

test_that("the covariance of factor analysis is that of factanal()", {
  for (case in list(c(8, 1), c(8, 2), c(12, 4))) {
    d <- case[1]
    x <- factor_data(5000, d, case[2])
    S <- cov(x)
    for (rank in c(1, case[2])) {
      reference <- factanal(x, rank, rotation = "none", lower = 0.005)
      correlation <- tcrossprod(unclass(reference$loadings)) + diag(reference$uniquenesses)
      fitted <- factor_covariance(S, rank)
      # steps end where they change unique variances by less than 1e-3, which is not the end where
      # too few factors leave the likelihood flat: there is little between them in it
      if (rank == case[2]) {
        expect_equal(cov2cor(fitted$covariance), unname(correlation), tolerance = 1e-2)
      }
      expected <- discrepancy(S, correlation * tcrossprod(sqrt(diag(S))))
      expect_lt(discrepancy(S, fitted$covariance) - expected, 3e-2)
      expect_equal(diag(fitted$covariance), diag(S))
    }
  }
})

test_that("steps of factor analysis raise the likelihood and go on from where they stood", {
  S <- cov(factor_data(300, 7, 2))
  whole <- factor_covariance(S, 2, steps = 200)
  unique <- NULL
  last <- Inf
  for (step in 1:200) {
    one <- factor_covariance(S, 2, unique, steps = 1)
    reached <- discrepancy(S, one$covariance)
    expect_lte(reached, last + 1e-3)
    last <- reached
    done <- max(abs(one$unique - (if (is.null(unique)) rep(0.5, 7) else unique))) < 1e-3
    unique <- one$unique
    if (done) break
  }
  expect_equal(one, whole)
})

test_that("what factor analysis fits is positive definite, of singular covariances too", {
  x <- with_fixed_seed(1, matrix(rnorm(60), 6))
  for (rank in c(1, 3, 9)) {
    fitted <- factor_covariance(cov(x), rank)
    expect_gte(min(eigen(cov2cor(fitted$covariance))$values), 1e-4)
    expect_equal(diag(fitted$covariance), diag(cov(x)))
    expect_gte(min(fitted$unique), 0.005)
    expect_lte(max(fitted$unique), 1)
  }
  # columns that have nothing in common
  alone <- diag(c(1, 4, 1e-6))
  expect_equal(factor_covariance(alone, 1)$covariance, alone)
})

test_that("damping makes correlations a share smaller", {
  S <- cov(as.matrix(iris[1:4]))
  for (share in c(0, 0.1, 0.7, 1)) {
    damped <- damped_covariance(S, share)$covariance
    expect_equal(cov2cor(damped), (1 - share) * cov2cor(S) + share * diag(4))
    expect_equal(diag(damped), diag(S))
  }
  x <- with_fixed_seed(1, matrix(rnorm(60), 6))
  expect_equal(
    min(eigen(cov2cor(damped_covariance(cov(x), 0.1)$covariance))$values), 0.1,
    tolerance = 1e-6
  )
})

# A task and a set of standardised rows as em_adjusted() takes them.
adjusted_run <- function(x, K, structure, ...) {
  set <- list(x = scale(x), weights = NULL)
  task <- list(floor = rep(1e-6, ncol(x)), control = cwmix_control(...))
  em_adjusted(start_of_tree(set$x, K, TRUE, task$floor), set, task, structure)
}

factor_structure <- function(rank, tied, least = 0) {
  list(
    full = TRUE, pooling = pool(if (tied) Inf else 0), least = least,
    adjust = function(S, unique) factor_covariance(S, rank, unique)
  )
}

test_that("one component is the mean and the adjusted covariance of all rows", {
  x <- factor_data(200, 6, 2)
  u <- scale(x) * sqrt(200 / 199)
  for (structure in list(
    factor_structure(2, TRUE), factor_structure(2, FALSE),
    utils::modifyList(factor_structure(2, TRUE), list(
      adjust = function(S, unique) damped_covariance(S, 0.2)
    ))
  )) {
    run <- adjusted_run(x, 1, structure)
    S <- crossprod(scale(x)) / 200
    expect_equal(run$parameters$mean, matrix(0, 1, 6), tolerance = 1e-10)
    covariance <- tcrossprod(exp_diagonal(run$parameters$log_cholesky)[, , 1])
    expect_equal(covariance, structure$adjust(S, NULL)$covariance, ignore_attr = TRUE)
    expect_false(run$interrupted)
  }
})

test_that("EM with adjusted covariances gains, tied and each component's own", {
  x <- rbind(factor_data(150, 6, 2), factor_data(150, 6, 2)[, 6:1] * 0.3 + 5)
  set <- list(x = scale(x), weights = with_fixed_seed(1, runif(300, 0.5, 1.5)))
  task <- list(floor = rep(1e-6, 6), control = cwmix_control(em_tolerance = 1e-5))
  score <- function(p) {
    sum(set$weights * reference_log_density(set$x, c(p, list(activation = "tanh")))) /
      sum(set$weights)
  }
  for (tied in c(TRUE, FALSE)) {
    structure <- factor_structure(2, tied)
    start <- start_of_tree(set$x, 3, TRUE, task$floor)
    scores <- numeric(8)
    for (iterations in 1:8) {
      task$control$em_iterations <- iterations
      run <- em_adjusted(start, set, task, structure)
      scores[iterations] <- score(run$parameters)
    }
    # the M step of factors is not exact
    expect_lte(largest_fall(scores), 1e-3)
    expect_gt(scores[8], scores[1])
    factors <- exp_diagonal(run$parameters$log_cholesky)
    expect_identical(dim(factors), c(6L, 6L, 3L))
    same <- all(factors == as.vector(factors[, , 1]))
    expect_identical(same, tied)
    # each is as many factors and a diagonal
    for (k in 1:3) {
      S <- tcrossprod(factors[, , k])
      expect_equal(factor_covariance(S, 2)$covariance, S, tolerance = 2e-2)
    }
  }
})

test_that("components with adjusted covariances must hold rows of their own", {
  x <- factor_data(60, 6, 1)
  run <- adjusted_run(x, 10, factor_structure(1, FALSE, least = 12))
  K <- nrow(run$parameters$mean)
  expect_lt(K, 6)
  expect_identical(dim(run$parameters$log_cholesky), c(6L, 6L, K))
  counts <- em_steps(run$parameters, scale(x), iterations = 0)$counts
  expect_gte(min(counts), 12)
})

test_that("a fit in many columns tries factors and damped covariances, where they may differ", {
  x <- factor_data(60, 7, 2)
  tried <- function(...) unique(fit_stack(x, ...)$candidates$covariance)
  kinds <- tried()
  expect_true(all(c("full, 1 factor, tied", "full, 2 factors, tied") %in% kinds))
  expect_true(any(grepl("damped", kinds)))
  expect_false(any(grepl("factor|damped", tried(covariance = "diagonal"))))
  expect_true(any(grepl("factor", tried(covariance = "full"))))
  expect_false(any(grepl("factor|damped", unique(fit_stack(x[, 1:5])$candidates$covariance))))
})
