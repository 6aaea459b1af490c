test_that("a network's probabilities follow the reference", {
  for (s in scenarios(hidden = list(integer(0), 5, c(19, 8, 3)), covariance = "full")) {
    classifier <- as_classifier(s$p)
    expect_close(
      predict(classifier, s$x), reference_classifier(s$x, s$p),
      tolerance = 1e-10, info = s$name
    )
  }
})

test_that("a wide network and many rows follow the reference", {
  p <- make_parameters(2, 50, c(128, 128, 128), activation = "silu", seed = 2)
  z <- make_points(67, 2)
  classifier <- as_classifier(p)
  expect_close(predict(classifier, z), reference_classifier(z, p), 1e-10)

  p <- make_parameters(3, 4, c(6, 5), seed = 3)
  z <- make_points(2003, 3)
  classifier <- as_classifier(p)
  expect_close(predict(classifier, z), reference_classifier(z, p), 1e-10)
})

test_that("single precision follows the reference to 1e-4, and is single", {
  differences <- double()
  for (s in scenarios(hidden = list(integer(0), 5, c(19, 8, 3)), covariance = "full")) {
    classifier <- as_classifier(s$p)
    single <- exp(log_weights(classifier, s$x, list(single = TRUE)))
    double <- predict(classifier, s$x)
    expect_close(
      single, reference_classifier(s$x, s$p),
      tolerance = 1e-4, floor = 1, info = s$name
    )
    differences <- c(differences, max(abs(single - double)))
  }
  # to double precision the two would agree
  expect_gt(max(differences), 1e-9)
  # a single component and saturated weights alone give the same
  expect_gt(mean(differences > 1e-12), 0.5)
})

test_that("all instances of the engine give the same probabilities", {
  hidden <- list(5, c(19, 8, 3))
  for (s in scenarios(c(1, 5), c(2, 7), hidden, covariance = "full")) {
    classifier <- as_classifier(s$p)
    for (precision in c("double", "single")) {
      how <- list(single = precision == "single")
      w <- lapply(cwmix_info()$instances, function(instance) {
        with_engine(exp(log_weights(classifier, s$x, how)), instance)
      })
      if (precision == "single") {
        expect_gt(max(abs(w[[1L]] - predict(classifier, s$x))), 1e-12)
      }
      for (i in seq_along(w)[-1L]) {
        expect_close(
          w[[i]], w[[1L]],
          tolerance = if (precision == "double") 1e-12 else 1e-4, floor = 1,
          info = paste(s$name, precision, cwmix_info()$instances[i])
        )
      }
    }
  }
})

test_that("each activation is right from its tails to zero", {
  z <- c(0, 10^seq(-300, 2, by = 0.5), seq(0.01, 40, by = 0.037), 1e3, 1e8, 1e300)
  z <- matrix(c(z, -z))
  for (activation in c("tanh", "relu", "silu")) {
    # one hidden unit, whose value is the first logit; the second is 0
    p <- list(
      weights = list(matrix(1), matrix(c(1, 0))), biases = list(0, c(0, 0)),
      activation = activation
    )
    classifier <- as_classifier(p)
    # logits below -700 leave nothing but the last bits of the smallest numbers
    expect_close(
      predict(classifier, z), reference_classifier(z, p),
      tolerance = 1e-10, floor = 1e-290, info = activation
    )
  }
})

test_that("probabilities are positive and sum to one", {
  for (s in scenarios(hidden = list(integer(0), c(19, 8, 3)), covariance = "full")) {
    classifier <- as_classifier(s$p)
    for (scale in c(1, 1e3, 1e8)) {
      w <- predict(classifier, scale * s$x)
      expect_close(rowSums(w), rep(1, nrow(s$x)), 1e-12, info = s$name)
      expect_identical(sum(w < 0), 0L)
    }
  }
})

test_that("adding a number to every logit changes nothing", {
  p <- make_parameters(2, 7, c(5, 4), seed = 4)
  z <- make_points(37, 2)
  w <- predict(as_classifier(p), z)
  for (shift in c(-700, 3, 1e4)) {
    biases <- p$biases
    biases[[3L]] <- biases[[3L]] + shift
    shifted <- predict(cwmix_classifier(p$weights, biases, activation = "tanh"), z)
    # the shift rounds the logits at 1e4 * 1e-16
    expect_close(shifted, w, tolerance = 1e-11)
  }
})

test_that("permuting the last layer's rows permutes the probabilities", {
  p <- make_parameters(2, 7, 5, seed = 5)
  z <- make_points(37, 2)
  order <- c(3, 1, 7, 2, 6, 4, 5)
  weights <- p$weights
  biases <- p$biases
  weights[[2L]] <- weights[[2L]][order, ]
  biases[[2L]] <- biases[[2L]][order]
  expect_close(
    predict(cwmix_classifier(weights, biases, activation = "tanh"), z),
    predict(as_classifier(p), z)[, order],
    tolerance = 1e-12
  )
})

test_that("a row's probabilities do not depend on the rows around it", {
  p <- make_parameters(5, 7, c(19, 8, 3), seed = 6)
  z <- make_points(301, 5)
  classifier <- as_classifier(p)
  w <- predict(classifier, z)
  rows <- c(1, 2, 64, 65, 300, 301)
  for (i in rows) {
    expect_close(predict(classifier, z[i, , drop = FALSE]), w[i, , drop = FALSE], 1e-13)
  }
})

test_that("the classifier of a constant model is the same everywhere", {
  p <- make_parameters(2, 3, NULL, seed = 7)
  classifier <- as_model(p)$classifier
  expect_close(
    predict(classifier, make_points(7, 2)),
    matrix(exp(p$biases[[1L]]), 7, 3, byrow = TRUE),
    tolerance = 1e-14
  )
})

test_that("a model's classifier answers as it does on its own", {
  p <- make_parameters(2, 3, c(5, 4), activation = "relu", seed = 8)
  z <- make_points(7, 2)
  classifier <- as_classifier(p)
  expect_identical(predict(as_model(p)$classifier, z), predict(classifier, z))
})

test_that("an R function is a classifier", {
  p <- make_parameters(2, 3, c(5, 4), seed = 9)
  z <- make_points(7, 2)
  model <- cwmix_model(
    p$mean,
    sd = exp(p$log_sd), classifier = function(z) reference_classifier(z, p)
  )
  expect_close(predict(model$classifier, z), reference_classifier(z, p), 1e-14)
})

test_that("a new network is constant, and its first units are zero where normal draws lie", {
  for (activation in c("tanh", "relu", "silu")) {
    network <- with_fixed_seed(1, random_network(3, c(4000, 5), log(c(0.2, 0.8)), activation))
    expect_identical(network$weights[[3]], matrix(0, 2, 5), info = activation)
    expect_identical(network$biases[2:3], list(double(5), log(c(0.2, 0.8))), info = activation)
    # the point of a unit's zeros that is closest to the origin: a normal draw along the weights
    norms <- sqrt(rowSums(network$weights[[1]]^2))
    along <- network$biases[[1]] / norms
    expect_gte(ks.test(along, "pnorm")$p.value, 1e-3)
    # uniform weights with variance 16 / 3 or 2 / 3, within four standard errors
    expected <- if (activation == "tanh") 16 / 3 else 2 / 3
    expect_equal(
      mean(network$weights[[1]]^2), expected,
      tolerance = 4 * sqrt(0.8 / 12000), info = activation
    )
  }
  expect_identical(
    random_network(3, integer(0), c(0, 0), "tanh"),
    list(weights = list(matrix(0, 2, 3)), biases = list(c(0, 0)))
  )
})
