test_that("one iteration of EM is one iteration of the reference", {
  for (s in em_scenarios()) {
    step <- em_steps(em_parameters(s$p), s$x, s$weights, 1)
    expected <- reference_em_step(s$x, s$p, s$weights)
    expect_close(
      step[names(em_parameters(s$p))], expected[names(em_parameters(s$p))], 1e-10,
      floor = 1, info = s$name
    )
    # before the iteration and after it
    after <- reference_em_step(s$x, expected, s$weights)$log_likelihood
    expect_close(
      step$log_likelihood, c(expected$log_likelihood, after), 1e-10,
      floor = 1, info = s$name
    )
  }
})

test_that("several iterations of EM are as many of the reference", {
  for (s in em_scenarios(d = 2, K = 2)) {
    steps <- em_steps(em_parameters(s$p), s$x, s$weights, 5)
    log_likelihood <- numeric(6)
    p <- s$p
    for (i in 1:6) {
      after <- reference_em_step(s$x, p, s$weights)
      log_likelihood[i] <- after$log_likelihood
      if (i < 6) p <- after
    }
    # an iteration may magnify the rounding of the one before
    expect_close(
      steps[names(em_parameters(s$p))], p[names(em_parameters(s$p))], 1e-9,
      floor = 1, info = s$name
    )
    expect_close(steps$log_likelihood, log_likelihood, 1e-9, floor = 1, info = s$name)
  }
})

test_that("an iteration with a floor is the reference's, in every direction", {
  raised <- 0
  for (s in em_scenarios()) {
    floor <- seq(1.2, 2.4, length.out = ncol(s$x))
    step <- em_steps(em_parameters(s$p), s$x, s$weights, 1, floor = floor)
    expected <- reference_em_step(s$x, s$p, s$weights, floor)
    free <- reference_em_step(s$x, s$p, s$weights)
    fields <- names(em_parameters(s$p))
    expect_close(step[fields], expected[fields], 1e-10, floor = 1, info = s$name)
    raised <- raised + !identical(free[fields], expected[fields])
  }
  # the floor is not idle: most scenarios have a component below it
  expect_gte(raised, 10)
})

test_that("covariances come out with no standard deviation below the floor", {
  for (s in em_scenarios(d = 5, K = 7)) {
    floor <- seq(1.2, 2.4, length.out = 5)
    step <- em_steps(em_parameters(s$p), s$x, s$weights, 4, floor = floor)
    for (k in 1:7) {
      l <- reference_factor(step, k) / floor
      expect_gte(min(svd(l)$d), 1 - 1e-12)
    }
  }
})

test_that("all instances of the engine take the same EM step", {
  instances <- cwmix_info()$instances
  for (s in em_scenarios(d = c(1, 5), K = 7)) {
    steps <- lapply(instances, function(instance) {
      with_engine(em_steps(em_parameters(s$p), s$x, s$weights, 1), instance)
    })
    for (i in seq_along(steps)[-1L]) {
      expect_close(
        steps[[i]], steps[[1L]], 1e-10,
        floor = 1, info = paste(s$name, instances[i])
      )
    }
  }
})

test_that("every instance takes the reference's step for any number of rows and weights of zero", {
  # around the vectors, groups of vectors and blocks of points
  for (n in c(1, 3, 9, 32, 127, 128, 129, 261)) {
    a <- with_fixed_seed(n, runif(n) * (runif(n) > 0.3))
    a[n] <- 1
    for (s in em_scenarios(d = c(1, 2, 3, 5), K = c(1, 4), n = n)) {
      # a few rows have no covariance
      floor <- rep(0.5, ncol(s$x))
      expected <- reference_em_step(s$x, s$p, a, floor)
      fields <- names(em_parameters(s$p))
      for (instance in cwmix_info()$instances) {
        step <- with_engine(em_steps(em_parameters(s$p), s$x, a, 1, floor = floor), instance)
        info <- paste(s$name, instance)
        expect_close(step[fields], expected[fields], 1e-10, floor = 1, info = info)
        expect_close(
          step$log_likelihood[1], expected$log_likelihood, 1e-12, floor = 1, info = info
        )
      }
    }
  }
})

test_that("a component far from all rows has its tiny share, to full relative precision", {
  x <- make_points(301, 2)
  for (covariance in c("diagonal", "full")) {
    p <- make_parameters(2, 4, NULL, covariance, seed = 54)
    for (far in c(10, 20, 30)) {
      p$mean[3, ] <- far
      p$biases[[1]] <- reference_log_softmax(c(0, 0, -2 * far, 0))
      for (instance in cwmix_info()$instances) {
        step <- with_engine(em_steps(em_parameters(p), x, iterations = 1), instance)
        expect_close(
          step$biases, reference_em_step(x, p)$biases, 1e-11,
          floor = 1, info = paste(covariance, far, instance)
        )
      }
    }
  }
})

test_that("rows far from all components count in full", {
  x <- make_points(40, 2)
  x[c(3, 30), ] <- c(1e3, -1e5, 1e4, 1e5)
  for (covariance in c("diagonal", "full")) {
    p <- make_parameters(2, 4, NULL, covariance, seed = 55)
    expected <- reference_em_step(x, p)
    for (instance in cwmix_info()$instances) {
      step <- with_engine(em_steps(em_parameters(p), x, iterations = 1), instance)
      # not the scales: two rows far out all but determine a line
      expect_close(
        step[c("mean", "biases")], expected[c("mean", "biases")], 1e-11,
        floor = 1, info = paste(covariance, instance)
      )
      expect_close(step$log_likelihood[1], expected$log_likelihood, 1e-13)
    }
  }
})

test_that("the log-likelihood never decreases", {
  # rows enough that no component comes to rest on a few of them
  for (s in em_scenarios(K = c(1, 3), n = 301)) {
    for (instance in cwmix_info()$instances) {
      steps <- with_engine(em_steps(em_parameters(s$p), s$x, s$weights, 30), instance)
      # a plateau goes up and down by the rounding of the mean
      expect_equal(
        largest_fall(steps$log_likelihood), 0,
        tolerance = 1e-12, info = paste(s$name, instance)
      )
    }
  }
})

test_that("a weight of two is a row repeated, a weight of zero a row left out", {
  for (s in em_scenarios(d = 2, K = 2)) {
    weights <- rep(c(0, 1, 2, 1, 3), length.out = nrow(s$x))
    repeated <- s$x[rep(seq_along(weights), weights), , drop = FALSE]
    expect_close(
      em_steps(em_parameters(s$p), s$x, weights, 5),
      em_steps(em_parameters(s$p), repeated, rep(1, nrow(repeated)), 5),
      tolerance = 1e-9, floor = 1, info = s$name
    )
  }
})

test_that("only the weights' proportions matter", {
  for (s in em_scenarios(d = 2, K = 2)) {
    compared <- c(names(em_parameters(s$p)), "log_likelihood")
    expect_close(
      em_steps(em_parameters(s$p), s$x, 1000 * s$weights, 3)[compared],
      em_steps(em_parameters(s$p), s$x, s$weights, 3)[compared],
      tolerance = 1e-10, floor = 1, info = s$name
    )
  }
})

test_that("one component is the sample's mean and covariance", {
  p <- make_parameters(3, 1, NULL, "full", seed = 51)
  x <- make_points(101, 3)
  step <- em_steps(em_parameters(p), x, rep(1, 101), 1)
  l <- reference_factor(step, 1)
  expect_close(as.numeric(step$mean), colMeans(x), 1e-12, floor = 1)
  expect_close(tcrossprod(l), cov(x) * 100 / 101, 1e-12, floor = 1)
  expect_close(step$biases[[1L]], 0, 1e-12, floor = 1)
})

test_that("a step of EM moves with the data", {
  p <- make_parameters(2, 2, NULL, "diagonal", seed = 52)
  x <- make_points(101, 2)
  step <- em_steps(em_parameters(p), x, rep(1, 101), 1)
  scaled <- p
  scaled$mean <- 4 * p$mean + 64
  scaled$log_sd <- p$log_sd + log(4)
  moved <- em_steps(em_parameters(scaled), 4 * x + 64, rep(1, 101), 1)
  expect_close(moved$mean, 4 * step$mean + 64, 1e-12)
  expect_close(moved$log_sd, step$log_sd + log(4), 1e-11, floor = 1)
  expect_close(moved$log_likelihood, step$log_likelihood - 2 * log(4), 1e-11)
})

test_that("an iteration with pooled covariances is the reference's in every instance", {
  for (s in em_scenarios()) {
    fields <- names(em_parameters(s$p))
    for (kind in names(poolings(s$p))) {
      pooling <- poolings(s$p)[[kind]]
      expected <- reference_em_step(s$x, s$p, s$weights, pooling = pooling)
      for (instance in cwmix_info()$instances) {
        step <- with_engine(
          em_steps(em_parameters(s$p), s$x, s$weights, 1, pooling = pooling), instance
        )
        info <- paste(s$name, kind, instance)
        expect_close(step[fields], expected[fields], 1e-10, floor = 1, info = info)
      }
    }
  }
})

test_that("several iterations with pooled covariances are as many of the reference", {
  for (s in em_scenarios(d = 3, K = 4)) {
    fields <- names(em_parameters(s$p))
    for (kind in names(poolings(s$p))) {
      pooling <- poolings(s$p)[[kind]]
      steps <- em_steps(em_parameters(s$p), s$x, s$weights, 4, pooling = pooling)
      p <- s$p
      for (i in 1:4) p <- reference_em_step(s$x, p, s$weights, pooling = pooling)
      expect_close(steps[fields], p[fields], 1e-9, floor = 1, info = paste(s$name, kind))
      after <- reference_em_step(s$x, p, s$weights)$log_likelihood
      expect_close(steps$log_likelihood[5], after, 1e-9, floor = 1, info = paste(s$name, kind))
    }
  }
})

test_that("a floor raises what is pooled, and spherical components stay spherical", {
  raised <- 0
  for (s in em_scenarios()) {
    floor <- seq(1.2, 2.4, length.out = ncol(s$x))
    fields <- names(em_parameters(s$p))
    for (kind in names(poolings(s$p))) {
      pooling <- poolings(s$p)[[kind]]
      step <- em_steps(em_parameters(s$p), s$x, s$weights, 1, floor = floor, pooling = pooling)
      expected <- reference_em_step(s$x, s$p, s$weights, floor, pooling)
      free <- reference_em_step(s$x, s$p, s$weights, pooling = pooling)
      expect_close(step[fields], expected[fields], 1e-10, floor = 1, info = paste(s$name, kind))
      if (pooling$spherical) {
        expect_identical(step$log_sd, array(step$log_sd[, 1], dim(step$log_sd)))
      }
      raised <- raised + !identical(free[fields], expected[fields])
    }
  }
  # the floor is not idle
  expect_gte(raised, 40)
})

test_that("covariances are free to the bit where nothing is pooled", {
  for (s in em_scenarios(d = c(1, 5), K = c(1, 7))) {
    expect_identical(
      em_steps(em_parameters(s$p), s$x, s$weights, 5, pooling = pool()),
      em_steps(em_parameters(s$p), s$x, s$weights, 5)
    )
    # so little is lost in rounding
    expect_identical(
      em_steps(em_parameters(s$p), s$x, s$weights, 1, pooling = pool(1e-300)),
      em_steps(em_parameters(s$p), s$x, s$weights, 1)
    )
  }
})

test_that("one component has nothing to pool, one column nothing to make spherical", {
  run <- function(s, rows, spherical) {
    em_steps(em_parameters(s$p), s$x, s$weights, 1, pooling = pool(rows, spherical))
  }
  for (s in em_scenarios(K = 1)) {
    expect_identical(run(s, Inf, FALSE), run(s, 0, FALSE))
    expect_close(run(s, 10, FALSE), run(s, 0, FALSE), 1e-12, floor = 1, info = s$name)
  }
  for (s in em_scenarios(d = 1)) {
    for (rows in c(0, 7.5, Inf)) expect_identical(run(s, rows, TRUE), run(s, rows, FALSE))
  }
})

test_that("tied components have one covariance, that within all", {
  for (s in em_scenarios(d = c(2, 5), K = c(2, 7))) {
    step <- em_steps(em_parameters(s$p), s$x, s$weights, 1, pooling = pool(Inf))
    first <- reference_factor(step, 1)
    for (k in seq_len(nrow(s$p$mean))) expect_identical(reference_factor(step, k), first)
    # total covariance = covariance within + covariance between
    shares <- exp(step$biases[[1]])
    centre <- colSums(shares * step$mean)
    between <- crossprod(sqrt(shares) * (step$mean - rep(centre, each = length(shares))))
    total <- stats::cov.wt(s$x, s$weights / sum(s$weights), method = "ML")$cov
    within <- total - between
    if (!is.null(s$p$log_sd)) within <- diag(diag(within))
    expect_close(tcrossprod(first), within, 1e-12, floor = 1, info = s$name)
  }
})

test_that("the log-likelihood never decreases with tied or spherical components", {
  for (s in em_scenarios(K = c(1, 3), n = 301)) {
    for (kind in grep("shrunk", names(poolings(s$p)), invert = TRUE, value = TRUE)) {
      pooling <- poolings(s$p)[[kind]]
      # from the first step on, as the start is neither tied nor spherical
      start <- em_steps(em_parameters(s$p), s$x, s$weights, 1, pooling = pooling)
      start <- start[names(em_parameters(s$p))]
      steps <- em_steps(start, s$x, s$weights, 30, pooling = pooling)
      expect_equal(
        largest_fall(steps$log_likelihood), 0, tolerance = 1e-12, info = paste(s$name, kind)
      )
    }
  }
})

test_that("the more rows shrink them, the closer covariances come to one", {
  for (s in em_scenarios(d = c(2, 5), K = 7)) {
    run <- function(rows) {
      em_steps(em_parameters(s$p), s$x, s$weights, 1, pooling = pool(rows))
    }
    fields <- names(em_parameters(s$p))
    tied <- run(Inf)
    apart <- vapply(c(0, 10^(0:8)), function(rows) {
      max(abs(unlist(run(rows)[fields]) - unlist(tied[fields])))
    }, 0)
    # at least as fast as 1 / rows, in the end
    expect_lt(max(diff(apart)), 0)
    expect_close(apart[9] / apart[10], 10, 1e-2)
    expect_close(run(1e14)[fields], tied[fields], 1e-10, floor = 1, info = s$name)
  }
})

test_that("steps with pooled covariances move with the data", {
  for (s in em_scenarios(d = c(1, 3), K = 4)) {
    for (kind in names(poolings(s$p))) {
      pooling <- poolings(s$p)[[kind]]
      # spherical ones bear one scale for all columns alone
      scale <- if (pooling$spherical) rep(4, ncol(s$x)) else seq(4, 1, length.out = ncol(s$x))
      to <- function(x) x * rep(scale, each = nrow(x)) + 64
      scaled <- s$p
      scaled$mean <- to(s$p$mean)
      rescale <- function(p) {
        for (k in seq_len(nrow(p$mean))) {
          if (is.null(p$log_cholesky)) {
            p$log_sd[k, ] <- p$log_sd[k, ] + log(scale)
          } else {
            l <- scale * reference_factor(p, k)
            diag(l) <- log(diag(l))
            p$log_cholesky[, , k] <- l
          }
        }
        p
      }
      step <- em_steps(em_parameters(s$p), s$x, s$weights, 2, pooling = pooling)
      moved <- em_steps(
        em_parameters(rescale(scaled)), to(s$x), s$weights, 2, pooling = pooling
      )
      expected <- rescale(step)
      expected$mean <- to(step$mean)
      fields <- names(em_parameters(s$p))
      info <- paste(s$name, kind)
      expect_close(moved[fields], expected[fields], 1e-10, floor = 1, info = info)
      expect_close(
        moved$log_likelihood, step$log_likelihood - sum(log(scale)), 1e-11, floor = 1, info = info
      )
    }
  }
})

test_that("an empty component keeps its mean and takes the pooled covariance", {
  x <- make_points(101, 2)
  for (covariance in c("diagonal", "full")) {
    p <- make_parameters(2, 4, NULL, covariance, seed = 56)
    p$mean[3, ] <- 1e3
    others <- p
    others$mean <- p$mean[-3, ]
    others$biases[[1]] <- p$biases[[1]][-3]
    if (covariance == "diagonal") {
      others$log_sd <- p$log_sd[-3, ]
    } else {
      others$log_cholesky <- p$log_cholesky[, , -3]
    }
    for (kind in names(poolings(p))) {
      pooling <- poolings(p)[[kind]]
      step <- em_steps(em_parameters(p), x, pooling = pooling)
      expect_identical(step$mean[3, ], c(1e3, 1e3))
      expect_identical(step$counts[3], 0)
      expected <- if (pooling$rows == 0) {
        reference_factor(p, 3)
      } else {
        tied <- em_steps(em_parameters(others), x, pooling = pool(Inf, pooling$spherical))
        reference_factor(tied, 1)
      }
      expect_close(reference_factor(step, 3), expected, 1e-12, info = paste(covariance, kind))
    }
  }
})

test_that("shrinkage counts in units of weight", {
  for (s in em_scenarios(d = 2, K = 2)) {
    weights <- rep(c(0, 1, 2, 1, 3), length.out = nrow(s$x))
    repeated <- s$x[rep(seq_along(weights), weights), , drop = FALSE]
    pooling <- pool(7.5)
    expect_close(
      em_steps(em_parameters(s$p), s$x, weights, 5, pooling = pooling),
      em_steps(em_parameters(s$p), repeated, NULL, 5, pooling = pooling),
      tolerance = 1e-9, floor = 1, info = s$name
    )
    compared <- c(names(em_parameters(s$p)), "log_likelihood")
    expect_close(
      em_steps(em_parameters(s$p), s$x, 1000 * weights, 3, pooling = pool(7500))[compared],
      em_steps(em_parameters(s$p), s$x, weights, 3, pooling = pooling)[compared],
      tolerance = 1e-10, floor = 1, info = s$name
    )
  }
})

test_that("EM with shrunk covariances goes on where the likelihood falls, to a fixed point", {
  x <- make_ring(301)
  pooling <- pool(7.5)
  for (covariance in c("diagonal", "full")) {
    p <- make_parameters(2, 4, NULL, covariance, seed = 56)
    fields <- names(em_parameters(p))
    steps <- em_steps(em_parameters(p), x, NULL, 500, 1e-13, pooling = pooling)
    expect_true(steps$converged)
    # this start does fall
    expect_gte(largest_fall(steps$log_likelihood), 5e-7)
    p[fields] <- steps[fields]
    step <- reference_em_step(x, p, pooling = pooling)
    # the likelihood has settled to 1e-13, parameters to about its root
    expect_close(step[fields], p[fields], 1e-6, floor = 1, info = covariance)
  }
})

test_that("a converged fit is a fixed point of the reference", {
  for (covariance in c("diagonal", "full")) {
    for (d in 1:2) {
      x <- make_clusters(d)
      fit <- tight_fit(x, covariance)
      p <- c(coef(fit), activation = "tanh")
      step <- reference_em_step(x, p)
      # clusters this far apart leave EM a rate of convergence close to zero
      expect_close(
        step[names(em_parameters(p))], p[names(em_parameters(p))], 1e-5,
        floor = 1, info = paste(covariance, d)
      )
      expect_close(
        as.numeric(log_likelihood(fit, x)), sum(reference_log_density(x, p)), 1e-10
      )
      expect_close(fit$log_likelihood, sum(reference_log_density(x, p)), 1e-10)
    }
  }
})

test_that("a converged fit has a gradient of zero", {
  x <- make_clusters(2)
  for (covariance in c("diagonal", "full")) {
    fit <- tight_fit(x, covariance)
    gradient <- attr(log_likelihood(fit, x, gradient = TRUE), "gradient")
    # a gradient is a sum over rows
    expect_equal(max(abs(unlist(gradient))) / nrow(x), 0, tolerance = 1e-5)
  }
})

test_that("a fit's log-likelihood never decreases", {
  x <- make_clusters(2, spread = 1.5)
  for (covariance in c("diagonal", "full")) {
    fit <- with_fixed_seed(53, gaussian_mixture(x, 3, covariance = covariance))
    expect_equal(largest_fall(fit$trace$log_likelihood), 0, tolerance = 1e-10)
  }
})

test_that("a fit with weights of two is the fit with rows repeated", {
  x <- make_clusters(2)
  weights <- rep(c(1, 2), length.out = nrow(x))
  for (covariance in c("diagonal", "full")) {
    weighted <- tight_fit(x, covariance, weights = weights)
    repeated <- tight_fit(x[rep(seq_along(weights), weights), ], covariance)
    # both have found the same maximum, from different starts
    expect_close(coef(weighted), coef(repeated), 1e-5, floor = 1)
  }
})

test_that("the smaller half of the components with too few rows goes", {
  p <- em_parameters(make_parameters(2, 6))
  set <- list(x = make_points(50, 2), weights = NULL)
  drop <- function(counts, least, set) drop_smallest(p, counts, set, least, NULL)
  counts <- c(20, 3, 10, 1, 2, 14)
  kept <- drop(counts, 5, set)
  expect_identical(kept$mean, p$mean[c(1, 2, 3, 6), ])
  expect_identical(kept$log_sd, p$log_sd[c(1, 2, 3, 6), ])
  expect_identical(kept$biases[[1]], p$biases[[1]][c(1, 2, 3, 6)])
  # all of them at the end of the iterations, but one component stays
  whole <- drop_smallest(p, counts, set, 5, NULL, half = FALSE)
  expect_identical(whole$mean, p$mean[c(1, 3, 6), ])
  one <- drop_smallest(p, counts, set, 50, NULL, half = FALSE)
  expect_identical(one$mean, p$mean[1, , drop = FALSE])
  # one alone goes too
  expect_identical(nrow(drop(counts, 1.5, set)$mean), 5L)
  expect_null(drop(counts, 1, set))
  expect_null(drop(counts, 0, set))
  one <- lapply(p[c("mean", "log_sd")], function(part) part[1, , drop = FALSE])
  expect_null(drop_smallest(c(one, list(biases = list(0))), 1, set, 5, NULL))
  full <- em_parameters(make_parameters(2, 6, covariance = "full"))
  expect_identical(
    drop_smallest(full, counts, set, 5, NULL)$log_cholesky, full$log_cholesky[, , c(1, 2, 3, 6)]
  )
})

test_that("rows of unequal weights count as fewer", {
  # two groups far apart, so that posteriors are 0 or 1
  x <- cbind(c(with_fixed_seed(1, rnorm(20)), with_fixed_seed(2, rnorm(20)) + 100))
  p <- list(mean = cbind(c(0, 100)), log_sd = cbind(c(0, 0)), biases = list(log(c(0.5, 0.5))))
  p <- c(p[1:2], list(weights = list()), p[3])
  w <- c(rep(1, 20), 15, rep(5 / 19, 19))
  kish <- sum(w[21:40])^2 / sum(w[21:40]^2)
  set <- list(x = x, weights = w)
  # as many rows by their weights' sum
  expect_equal(sum(w[21:40]), 20)
  expect_lt(kish, 2)
  expect_null(drop_smallest(p, c(20, 20), set, kish * 0.99, NULL))
  expect_identical(drop_smallest(p, c(20, 20), set, kish * 1.01, NULL)$mean, cbind(0))
  # equal weights are none
  set$weights <- rep(1, 40)
  expect_null(drop_smallest(p, c(20, 20), set, 19.9, NULL))
  expect_identical(nrow(drop_smallest(p, c(20, 20), set, 20.1, NULL)$mean), 1L)
})

test_that("components end with the rows that they must hold, in EM for candidates", {
  x <- scale(make_points(60, 2))
  w <- with_fixed_seed(1, runif(60, 0.1, 3))
  task <- list(floor = c(1e-6, 1e-6), control = cwmix_control(em_tolerance = 1e-5))
  for (weights in list(NULL, w / mean(w))) {
    start <- start_of_tree(x, 12, TRUE, task$floor)
    run <- em_run(start, list(x = x, weights = weights), task, pool(), least = 8)
    expect_true(run$converged)
    p <- c(run$parameters, list(activation = "tanh"))
    K <- nrow(p$mean)
    expect_lt(K, 12)
    posterior <- exp(reference_log_posterior(x, p))
    a <- if (is.null(weights)) rep(1, 60) else weights
    expect_gte(min(colSums(posterior * a)^2 / colSums(posterior * a^2)), 8 * (1 - 1e-2))
    expect_equal(sum(exp(p$biases[[1]])), 1)
  }
})
