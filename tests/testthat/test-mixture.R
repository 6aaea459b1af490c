# Components that cannot matter are spared the network: src/engine/mixture.h.

# log p from its parts, which are computed for every component.
assembled <- function(model, x, how) {
  joint <- evaluate(model, points_at(x), "weights", how) +
    evaluate(model, points_at(x), "component", how)
  top <- apply(joint, 1, max)
  top + log(rowSums(exp(joint - top)))
}

test_that("leaving out components changes log p by no more than rounding", {
  # What is left out is below one unit of p. Both sides add 40 terms, whose roundings mostly cancel,
  # and have errors of an exp() and a log(), 3 units each: 16 units of 2^-24 or 2^-53.
  for (d in c(1, 4)) {
    for (spread in c(0.01, 0.3, 1, 3)) {
      p <- make_parameters(d, 40, c(8, 8), seed = d)
      p$log_sd[] <- p$log_sd + log(spread)
      # weights far from constant, some of them nearly zero
      p$weights[[3]] <- 8 * p$weights[[3]]
      model <- as_model(p)
      x <- rbind(make_points(101, d), p$mean, p$mean + 1e-3, 100 * make_points(7, d))
      each_engine(function(instance, single) {
        how <- list(single = single)
        with_engine(instance = instance, {
          expect_close(
            evaluate(model, points_at(x), "density", how), assembled(model, x, how),
            16 * if (single) 2^-24 else 2^-53,
            floor = 1, info = paste(d, spread, instance)
          )
        })
      })
    }
  }
})

test_that("a network that denies the nearest components is believed", {
  # The two nearest components have weights of e^-600: p is that of the far ones.
  model <- cwmix_model(c(0, 0.1, 30), sd = c(1, 1, 1), classifier = cwmix_classifier(
    list(matrix(0, 3, 1)), list(c(-600, -600, 0)),
    activation = "tanh"
  ))
  expect_close(predict(model, 0, log = TRUE), dnorm(0, 30, log = TRUE), 1e-14)
})

test_that("constant weights have log p of their parts, in any number of groups and blocks", {
  # Without a network log p comes from the E step, its parts from the tiles of networks.
  for (d in c(1, 2, 5)) {
    for (covariance in c("diagonal", "full")) {
      for (K in c(1, 24, 25, 70)) {
        model <- make_model(d, K, NULL, covariance, seed = d + K)
        model$classifier$biases[[1]][K %/% 2] <- -Inf
        for (n in c(0, 1, 127, 129, 300)) {
          x <- make_points(n, d) * rep_len(c(1, 20), n)
          each_engine(function(instance, single) {
            how <- list(single = single)
            with_engine(instance = instance, {
              expect_close(
                evaluate(model, points_at(x), "density", how), assembled(model, x, how),
                64 * if (single) 2^-24 else 2^-53,
                floor = 1, info = paste(d, covariance, K, n, instance)
              )
            })
          })
        }
      }
    }
  }
})

test_that("constant weights have log p as far as squares are numbers, and none beyond", {
  narrow <- cwmix_model(
    mean = rbind(c(0, 0, 0), c(1, 1, 1)), classifier = c(0.5, 0.5),
    covariance = array(c(diag(3), diag(3) + 0.5), c(3, 3, 2))
  )
  x <- rbind(c(1e150, 0, 0), c(1e200, 0, 0), c(-1e300, 1e300, 1e300), c(0, 0, 0))
  log_p <- predict(narrow, x, log = TRUE)
  expect_close(log_p[1], -0.4e300, 1e-12)
  expect_identical(log_p[2:3], c(-Inf, -Inf))
  expect_close(
    log_p[4], log(mean(exp(predict(narrow, x[4, , drop = FALSE], type = "component", log = TRUE)))),
    1e-14
  )
  # where z itself leaves the range of doubles at one component
  spike <- cwmix_model(
    mean = rbind(c(0, 0, 0), c(0, 0, 0)), classifier = c(0.5, 0.5),
    covariance = array(c(diag(1e-300, 3), diag(1e300, 3)), c(3, 3, 2))
  )
  wide <- sum(dnorm(c(1e160, 0, 0), 0, 1e150, log = TRUE)) + log(0.5)
  expect_close(predict(spike, rbind(c(1e160, 0, 0)), log = TRUE), wide, 1e-12)
})
