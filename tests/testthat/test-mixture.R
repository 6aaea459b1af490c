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
