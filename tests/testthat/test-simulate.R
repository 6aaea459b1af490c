test_that("draws come in the type and columns of the data", {
  x <- simulate(vector_model(), 3, seed = 1)
  expect_identical(mode(x), "numeric")
  expect_null(dim(x))
  expect_length(x, 3)

  model <- cwmix_model(matrix(0, 1, 2), sd = matrix(1, 1, 2), classifier = 1)
  x <- simulate(model, 3, seed = 1)
  expect_true(is.matrix(x))
  expect_identical(dim(x), c(3L, 2L))
  expect_null(colnames(x))

  mean <- matrix(0, 1, 2, dimnames = list(NULL, c("a", "b")))
  x <- simulate(cwmix_model(mean, sd = matrix(1, 1, 2), classifier = 1), 3, seed = 1)
  expect_identical(colnames(x), c("a", "b"))

  fit <- with_fixed_seed(1, gaussian_mixture(faithful, 2))
  x <- simulate(fit, 3, seed = 1)
  expect_s3_class(x, "data.frame", exact = TRUE)
  expect_named(x, names(faithful))
  expect_identical(nrow(x), 3L)

  fit <- with_fixed_seed(1, gaussian_mixture(as.matrix(faithful), 2))
  expect_identical(colnames(simulate(fit, 1, seed = 1)), names(faithful))
  fit <- with_fixed_seed(1, gaussian_mixture(~ log(waiting), faithful, 2))
  expect_named(simulate(fit, 2, seed = 1), "log(waiting)")
})

test_that("no draws are no rows of the same columns and type, and the generator stays", {
  without <- function(x) structure(x, seed = NULL, component = NULL, z = NULL)
  for (name in names(kinds())) {
    object <- kinds()[[name]]$object
    some <- simulate(object, 2, seed = 1, component = TRUE)
    none <- simulate(object, 0, seed = 1, component = TRUE)
    first <- seq_len(0)
    expected <- without(some)
    expected <- if (is.null(dim(expected))) expected[first] else expected[first, , drop = FALSE]
    expect_identical(without(none), expected, label = name)
    expect_identical(attr(none, "seed"), attr(some, "seed"), label = name)
    expect_identical(attr(none, "component"), integer(), label = name)
    expect_identical(attr(none, "z"), attr(some, "z")[first, , drop = FALSE], label = name)
    with_fixed_seed(2, {
      before <- .Random.seed
      unseeded <- simulate(object, 0)
      expect_identical(rcwmix(0, object), expected, label = name)
      expect_identical(.Random.seed, before, label = name)
    })
    expect_identical(without(unseeded), expected, label = name)
    expect_identical(attr(unseeded, "seed"), before, label = name)
    expect_length(predict(object, none), 0)
  }
})

test_that("one draw is the default", {
  expect_length(simulate(vector_model()), 1)
  expect_identical(nrow(simulate(with_fixed_seed(1, gaussian_mixture(faithful, 2)))), 1L)
})

test_that("without a seed the generator goes on and its former state is the attribute", {
  old <- get0(".Random.seed", globalenv(), inherits = FALSE)
  on.exit(if (!is.null(old)) assign(".Random.seed", old, globalenv()))
  set.seed(5)
  before <- .Random.seed
  x <- simulate(vector_model(), 4)
  expect_identical(attr(x, "seed"), before)
  expect_false(identical(.Random.seed, before))
  y <- simulate(vector_model(), 4)
  expect_false(identical(as.vector(x), as.vector(y)))
  set.seed(5)
  expect_identical(simulate(vector_model(), 4), x)
})

test_that("with a seed the generator's state is restored and the attribute is as for lm", {
  old <- get0(".Random.seed", globalenv(), inherits = FALSE)
  on.exit(if (!is.null(old)) assign(".Random.seed", old, globalenv()))
  set.seed(6)
  before <- .Random.seed
  x <- simulate(vector_model(), 4, seed = 11)
  expect_identical(.Random.seed, before)
  reference <- simulate(lm(dist ~ speed, cars), 1, seed = 11)
  expect_identical(attr(x, "seed"), attr(reference, "seed"))
  set.seed(11)
  expect_identical(as.vector(simulate(vector_model(), 4)), as.vector(x))
  expect_identical(
    as.vector(simulate(vector_model(), 4, seed = -3)),
    as.vector(simulate(vector_model(), 4, seed = -3L))
  )
})

test_that("a session without a generator's state gets one", {
  old <- get0(".Random.seed", globalenv(), inherits = FALSE)
  on.exit(if (!is.null(old)) assign(".Random.seed", old, globalenv()))
  if (!is.null(old)) rm(".Random.seed", envir = globalenv())
  x <- simulate(vector_model(), 2)
  expect_false(anyNA(x))
  expect_type(attr(x, "seed"), "integer")
})

test_that("an error inside the draws restores the generator as well", {
  model <- cwmix_model(c(0, 1), sd = c(1, 1), classifier = function(z) z)
  before <- with_fixed_seed(7, .Random.seed)
  after <- with_fixed_seed(7, {
    expect_error(simulate(model, 3, seed = 1), class = "cwmix_input_error")
    .Random.seed
  })
  expect_identical(after, before)
})

test_that("the first draws do not depend on how many follow", {
  models <- list(
    vector_model(), switching_model(), make_model(3, 4, c(5, 4), "full"),
    cwmix_model(c(-1, 1), sd = c(1, 1), classifier = function(z) cbind(plogis(z), plogis(-z)))
  )
  for (model in models) {
    few <- simulate(model, 7, seed = 1, component = TRUE)
    many <- simulate(model, 300, seed = 1, component = TRUE)
    expect_identical(as.vector(as.matrix(few)), as.vector(as.matrix(many)[1:7, ]))
    expect_identical(attr(few, "component"), attr(many, "component")[1:7])
    expect_identical(attr(few, "z"), attr(many, "z")[1:7, , drop = FALSE])
  }
})

test_that("draws are those of the slow reference, in every engine", {
  cases <- scenarios(n = c(1, 3, 23))
  for (i in seq_along(cases)) {
    p <- cases[[i]]$p
    n <- nrow(cases[[i]]$x)
    expected <- with_fixed_seed(i, reference_simulate(n, p))
    for (instance in cwmix_info()$instances) {
      info <- paste(cases[[i]]$name, instance)
      x <- with_engine(simulate(as_model(p), n, seed = i, component = TRUE), instance = instance)
      expect_identical(attr(x, "component"), expected$component, info = info)
      expect_identical(attr(x, "z"), expected$z, info = info)
      # sd and Cholesky factors come from covariances and logarithms
      expect_close(x[seq_along(x)], as.vector(expected$x), 1e-12, floor = 1, info = info)
    }
  }
})

test_that("every engine makes the same draws over tiles and blocks", {
  for (d in 1:3) {
    for (hidden in list(NULL, c(9, 5))) {
      model <- make_model(d, 4, hidden, seed = d)
      # a block holds 32768 / (d + 1) rows
      draws <- lapply(cwmix_info()$instances, function(instance) {
        with_engine(simulate(model, 40001, seed = 1, component = TRUE), instance = instance)
      })
      for (other in draws[-1]) expect_identical(other, draws[[1]])
    }
  }
})

test_that("draws in two parts are the draws in one", {
  # wide layers: the engine looks up for interrupts within the first part
  for (model in list(make_model(2, 3, c(256, 256)), make_model(2, 3), vector_model())) {
    parts <- with_fixed_seed(2, list(rcwmix(20011, model), rcwmix(30000, model)))
    whole <- with_fixed_seed(2, rcwmix(50011, model))
    joined <- if (is.matrix(whole)) do.call(rbind, parts) else unlist(parts)
    expect_identical(joined, whole)
  }
})

test_that("generators that may fail, and so run before the threads start, give the same draws", {
  model <- make_model(2, 3, c(5, 4), "full")
  classifier <- classifier_model(model$classifier, 2L)
  draws <- lapply(c(TRUE, FALSE), function(ahead) {
    with_fixed_seed(3, {
      x <- .Call(
        ffi_draw, classifier, model$mean, model$cholesky, model$frame$support, 30001L, TRUE, ahead,
        2L
      )
      list(x, runif(1))
    })
  })
  expect_identical(draws[[2]], draws[[1]])
})

test_that("long draws hear interrupts, and the generator goes on from there", {
  skip_on_cran()
  skip_on_os("windows")
  model <- make_model(2, 3, c(256, 256))
  interrupted <- function(...) {
    # checked where interrupts are
    setTimeLimit(elapsed = 0.2, transient = TRUE)
    on.exit(setTimeLimit())
    simulate(model, 3e6, ...)
  }
  states <- with_fixed_seed(4, {
    before <- .Random.seed
    expect_error(interrupted(seed = 1), "time limit")
    seeded <- .Random.seed
    expect_error(interrupted(), "time limit")
    list(before = before, seeded = seeded, after = .Random.seed)
  })
  expect_identical(states$seeded, states$before)
  expect_false(identical(states$after, states$before))
})

test_that("components and base points say where each draw came from", {
  for (covariance in c("diagonal", "full")) {
    for (d in c(1, 3)) {
      p <- make_parameters(d, 4, c(5, 4), covariance, seed = 11)
      x <- simulate(as_model(p), 50, seed = 2, component = TRUE)
      component <- attr(x, "component")
      z <- attr(x, "z")
      expect_type(component, "integer")
      expect_identical(dim(z), c(50L, as.integer(d)))
      expected <- t(vapply(1:50, function(i) {
        p$mean[component[i], ] + drop(reference_factor(p, component[i]) %*% z[i, ])
      }, double(d)))
      expect_equal(as.vector(as.matrix(x)), as.vector(if (d == 1) t(expected) else expected),
        tolerance = 1e-13
      )
      expect_null(attr(simulate(as_model(p), 2, seed = 2), "component"))
    }
  }
})

test_that("asking for components does not change the draws", {
  with_them <- simulate(switching_model(), 20, seed = 3, component = TRUE)
  expect_identical(as.vector(with_them), as.vector(simulate(switching_model(), 20, seed = 3)))
})

test_that("components are chosen by the weights at the base points", {
  model <- switching_model()
  x <- simulate(model, 20000, seed = 4, component = TRUE)
  w <- predict(model$classifier, attr(x, "z"))
  for (k in 1:3) {
    chosen <- attr(x, "component") == k
    # z-score of the number chosen, overall and where the weight is small or large
    for (rows in list(w[, k] >= 0, w[, k] < 0.2, w[, k] > 0.6)) {
      if (!any(rows)) next
      score <- sum(chosen[rows] - w[rows, k]) / sqrt(sum(w[rows, k] * (1 - w[rows, k])))
      expect_lt(abs(score), 4)
    }
  }
  expect_equal(colMeans(attr(x, "z")), 0, tolerance = 4 / sqrt(20000))
})

test_that("components have the integrals of their weights as shares", {
  integral <- function(classifier, d) {
    z <- seq(-8, 8, length.out = 161)
    grid <- as.matrix(expand.grid(rep(list(z), d)))
    mass <- exp(rowSums(dnorm(grid, log = TRUE))) * (z[2] - z[1])^d
    colSums(mass * predict(classifier, unname(grid)))
  }
  models <- list(
    switching_model(), make_model(1, 7, c(19, 8, 3), seed = 13),
    make_model(2, 5, c(6, 5), seed = 14), make_model(2, 9, NULL, "full", seed = 15),
    make_model(2, 4, integer(0), seed = 16)
  )
  for (i in seq_along(models)) {
    model <- models[[i]]
    K <- nrow(model$mean)
    # on even grids the trapezoidal rule is exact to rounding for such integrands
    p <- integral(model$classifier, ncol(model$mean))
    expect_equal(sum(p), 1, tolerance = 1e-10)
    x <- simulate(model, 30000, seed = 50 + i, component = TRUE)
    expect_gt(chisq.test(tabulate(attr(x, "component"), K), p = p / sum(p))$p.value, 0.001)
  }
})

test_that("draws in one dimension follow the distribution function", {
  models <- list(
    switching_model(), switching_model(support = c(0, Inf)), make_model(1, 5, c(8, 8), seed = 17),
    make_model(1, 4, NULL, seed = 18), make_model(1, 3, integer(0), "full", seed = 19)
  )
  for (i in seq_along(models)) {
    x <- with_fixed_seed(60 + i, rcwmix(4000, models[[i]]))
    expect_gt(ks.test(as.vector(x), function(q) pcwmix(q, models[[i]]))$p.value, 0.001)
  }
})

test_that("base points are standard normal", {
  z <- attr(simulate(make_model(2, 3, 5), 5000, seed = 5, component = TRUE), "z")
  expect_gt(ks.test(z[, 1], "pnorm")$p.value, 0.001)
  expect_gt(ks.test(z[, 2], "pnorm")$p.value, 0.001)
  expect_gt(cor.test(z[, 1], z[, 2])$p.value, 0.001)
})

test_that("draws follow the density: constant weights", {
  x <- as.vector(simulate(vector_model(), 20000, seed = 6))
  cdf <- function(q) 0.3 * pnorm(q, -1, 1) + 0.7 * pnorm(q, 1, 2)
  expect_gt(ks.test(x, cdf)$p.value, 0.001)
  # mean 0.4; variance sum pi (sd^2 + mean^2) - 0.4^2 = 0.3 * 2 + 0.7 * 5 - 0.16
  expect_lt(abs(mean(x) - 0.4) / sqrt(3.94 / 20000), 4)
  expect_equal(var(x), 3.94, tolerance = 0.05)
})

test_that("draws follow the density: a network", {
  model <- switching_model()
  x <- as.vector(simulate(model, 20000, seed = 7))
  expect_gt(chi_square(model, x), 0.001)
  moment <- function(k) {
    integrate(function(x) x^k * predict(model, x), -Inf, Inf, rel.tol = 1e-8)$value
  }
  spread <- sqrt((moment(2) - moment(1)^2) / 20000)
  expect_lt(abs(mean(x) - moment(1)) / spread, 4)
})

test_that("draws follow the density: an R function", {
  weights <- function(z) cbind(plogis(4 * z), plogis(-4 * z))
  model <- cwmix_model(c(-1, 1), sd = c(1, 0.5), classifier = weights)
  expect_gt(chi_square(model, as.vector(simulate(model, 10000, seed = 8))), 0.001)
})

test_that("draws follow the density: bounded supports", {
  for (support in list(c(0, Inf), c(-Inf, 3), c(-1, 2))) {
    model <- cwmix_model(
      c(-0.7, 0.8),
      sd = c(0.5, 0.9), support = support,
      classifier = cwmix_classifier(list(matrix(c(1, -1))), list(c(0.2, -0.4)))
    )
    x <- as.vector(simulate(model, 10000, seed = 9))
    lower <- if (is.finite(support[1])) support[1] else -Inf
    expect_gt(chi_square(model, x, lower, support[2]), 0.001)
  }
})

test_that("draws follow the density: two dimensions, by shares of rectangles", {
  model <- make_model(2, 3, c(6, 5), "full", seed = 12)
  x <- simulate(model, 20000, seed = 10)
  expect_share <- function(lower, upper) {
    inner <- function(a) {
      vapply(a, function(u) {
        integrate(function(v) predict(model, cbind(u, v)), lower[2], upper[2], rel.tol = 1e-6)$value
      }, 0)
    }
    p <- integrate(inner, lower[1], upper[1], rel.tol = 1e-6)$value
    inside <- x[, 1] > lower[1] & x[, 1] < upper[1] & x[, 2] > lower[2] & x[, 2] < upper[2]
    expect_lt(abs(mean(inside) - p) / sqrt(p * (1 - p) / nrow(x)), 4)
  }
  middle <- apply(x, 2, median)
  expect_share(middle - 1, middle + 1)
  expect_share(middle, middle + c(0.5, 3))
  expect_share(c(-8, -8), middle)
})

test_that("draws of a component of weight zero do not occur", {
  model <- cwmix_model(c(-1, 0, 1), sd = c(1, 1, 1), classifier = c(0, 1, 0))
  x <- simulate(model, 2000, seed = 11, component = TRUE)
  expect_identical(unique(attr(x, "component")), 2L)
})

test_that("fits draw data like those they were fitted to", {
  fit <- with_fixed_seed(1, gaussian_mixture(faithful, 2, covariance = "full"))
  x <- simulate(fit, 20000, seed = 12)
  # at its maximum a Gaussian mixture has the moments of the data
  expect_equal(colMeans(x), colMeans(faithful), tolerance = 0.01)
  expect_equal(cov(x), cov(faithful), tolerance = 0.05)
})

test_that("draws use any generator of normals and uniforms", {
  kinds <- RNGkind()
  old <- get0(".Random.seed", globalenv(), inherits = FALSE)
  on.exit({
    RNGkind(kinds[1], kinds[2], kinds[3])
    if (!is.null(old)) assign(".Random.seed", old, globalenv())
  })
  for (kind in list(c("Wichmann-Hill", "Box-Muller"), c("L'Ecuyer-CMRG", "Ahrens-Dieter"))) {
    RNGkind(kind[1], kind[2])
    x <- simulate(vector_model(), 5, seed = 1)
    expect_identical(simulate(vector_model(), 5, seed = 1), x)
    expect_identical(as.list(RNGkind()), attr(attr(x, "seed"), "kind"))
  }
})
