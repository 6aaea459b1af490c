test_that("scores, differences and their errors are means over the rows", {
  set.seed(1)
  held <- sample(272, 70)
  near <- gaussian_mixture(faithful[-held, ], K = 2, covariance = "full")
  far <- gaussian_mixture(faithful[-held, ], K = 1)
  result <- compare(list(far = far, near = near), faithful[held, ])
  a <- unname(predict(near, faithful[held, ], log = TRUE))
  b <- unname(predict(far, faithful[held, ], log = TRUE))
  expected <- data.frame(
    fit = c("near", "far"), score = c(mean(a), mean(b)),
    se = c(sd(a), sd(b)) / sqrt(70), difference = c(0, mean(b - a)),
    se_difference = c(0, sd(b - a) / sqrt(70)), df = c(11, 4), seconds = NA_real_
  )
  expect_equal(tidy(result), expected, tolerance = 1e-14)
  expect_identical(attr(result, "scores"), cbind(near = a, far = b))
})

test_that("functions fit the data where there are some, and are timed", {
  train <- faithful$waiting[1:200]
  held <- faithful$waiting[201:272]
  slow <- function(x) {
    Sys.sleep(0.05)
    gaussian_mixture(x, K = 1)
  }
  model <- gaussian_mixture(train, K = 1)
  result <- compare(list(fitted = slow, given = model), held, data = train)
  expect_equal(result$score, rep(mean(dnorm(held, model$mean, model$sd, log = TRUE)), 2))
  expect_gte(result$seconds[result$fit == "fitted"], 0.04)
  expect_identical(result$seconds[result$fit == "given"], NA_real_)
  # what is fitted may be a function itself
  result <- compare(
    list(function(x) function(q) dnorm(q, mean(x), sd(x), log = TRUE)), held,
    data = train
  )
  expect_equal(result$score, mean(dnorm(held, mean(train), sd(train), log = TRUE)))
})

test_that("any object takes part by a function for all or for some", {
  x <- faithful$waiting
  kernel <- density(x)
  at <- function(object, newdata) log(approx(object$x, object$y, newdata)$y)
  normal <- function(q) dnorm(q, mean(x), sd(x), log = TRUE)
  fits <- list(kernel = kernel, normal = normal, mixture = gaussian_mixture(x, K = 2))
  result <- compare(fits, x, predict = at)
  score_of <- function(name) result$score[result$fit == name]
  expect_equal(score_of("kernel"), mean(at(kernel, x)), tolerance = 1e-14)
  expect_equal(score_of("normal"), mean(normal(x)), tolerance = 1e-14)
  expect_equal(score_of("mixture"), fits$mixture$log_likelihood / 272, tolerance = 1e-13)
  expect_identical(result$df[match(c("kernel", "normal", "mixture"), result$fit)], c(NA, NA, 5))
  expect_identical(compare(fits, x, predict = list(kernel = at)), result)
  # an entry comes before the package's own way
  half <- function(object, newdata) predict(object, newdata, log = TRUE) - log(2)
  changed <- compare(fits, x, predict = list(kernel = at, mixture = half))
  expect_equal(
    changed$score[changed$fit == "mixture"], score_of("mixture") - log(2),
    tolerance = 1e-14
  )
})

test_that("pictures and specified models take part", {
  picture <- image_density(matrix(1, 2, 2))
  model <- cwmix_model(matrix(0, 1, 2), sd = matrix(1, 1, 2), classifier = 1, support = c(0, 1))
  x <- simulate(picture, 50, seed = 1)
  result <- compare(list(picture = picture, model = model), x)
  expect_identical(result$fit, c("picture", "model"))
  expect_identical(result$score[1], 0)
  expect_identical(result$df, c(NA, 4))
})

test_that("names are made of class and position where they are missing", {
  model <- cwmix_model(0, sd = 1, classifier = 1)
  fits <- list(model, second = model, function(x) dnorm(x, log = TRUE))
  result <- compare(fits, c(-1, 0, 1))
  expect_setequal(result$fit, c("cwmix_model 1", "second", "function 3"))
  expect_equal(result$difference, double(3), tolerance = 1e-14)
})

test_that("a density of zero at a row is a score of -Inf", {
  fits <- list(
    uniform = function(x) dunif(x, log = TRUE), normal = function(x) dnorm(x, log = TRUE),
    triangle = function(x) log(pmax(0, 1 - abs(x)))
  )
  x <- c(0.1, 0.9, 1.2, -0.1)
  result <- compare(fits, x)
  expect_identical(result$fit, c("normal", "uniform", "triangle"))
  expect_identical(result$score[-1], c(-Inf, -Inf))
  expect_identical(result$difference, c(0, -Inf, -Inf))
  expect_identical(result$se_difference, c(0, NA, NA))
  expect_snapshot(result)
  # nothing to rank where all are -Inf
  expect_identical(compare(fits[c(1, 3)], x)$difference, c(0, NA))
})

test_that("one row has no standard errors", {
  model <- cwmix_model(0, sd = 1, classifier = 1)
  result <- compare(list(a = model, b = model), 0.3)
  expect_identical(result$score, rep(dnorm(0.3, log = TRUE), 2))
  expect_identical(result$se, c(NA_real_, NA_real_))
})

test_that("a comparison prints itself, and parts of it print", {
  model <- function(sd) cwmix_model(0, sd = sd, classifier = 1)
  result <- compare(list(model(3), one = model(1), two = model(2)), (-10:10) / 5)
  result$seconds[1] <- 12.34
  printed <- capture.output(returned <- withVisible(print(result)))
  expect_identical(returned, list(value = result, visible = FALSE))
  expect_identical(printed, format(result))
  expect_snapshot({
    result
    result[1:2, ]
    result[c("fit", "score")]
  })
})

test_that("a difference that rounds to zero has no sign", {
  fits <- list(function(x) -x, function(x) -x - 1e-6)
  expect_length(grep("-0.0000", format(compare(fits, 1:3)), fixed = TRUE), 0)
})

test_that("tidy gives a plain data frame", {
  result <- compare(list(cwmix_model(0, sd = 1, classifier = 1)), c(1, 2))
  expect_identical(class(tidy(result)), "data.frame")
  expect_null(attr(tidy(result), "scores"))
  expect_named(tidy(result), comparison_columns)
})

test_that("intervals about differences are those of a paired t test", {
  fits <- list(
    a = function(x) dnorm(x, log = TRUE), b = function(x) dnorm(x, 1, 2, log = TRUE),
    c = function(x) dt(x, 2, log = TRUE)
  )
  x <- c(-1, 0.3, 0.1, 2, -0.4)
  result <- compare(fits, x)
  view <- view_comparison(result)
  scores <- attr(result, "scores")
  for (i in 2:3) {
    test <- t.test(scores[, i], scores[, 1], paired = TRUE)
    expect_equal(view$reach[i, ], as.vector(test$conf.int))
  }
  expect_identical(view$reach[1, ], c(0, 0))
  # of one row there is none
  expect_identical(is.finite(view_comparison(compare(fits, 0.3))$reach[, 1]), c(TRUE, FALSE, FALSE))
})

test_that("a plot of a comparison leaves the device as it was", {
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  model <- function(sd) cwmix_model(0, sd = sd, classifier = 1)
  result <- compare(
    list("a rather long name" = model(3), b = model(1), c = function(x) dunif(x, log = TRUE)),
    (-10:10) / 5
  )
  before <- graphics::par(no.readonly = TRUE)
  drawn <- withVisible(plot(result, main = "Title", xlim = c(-1, 0.1)))
  expect_identical(drawn, list(value = tidy(result), visible = FALSE))
  after <- graphics::par(no.readonly = TRUE)
  expect_identical(after[c("mar", "mfrow", "pty")], before[c("mar", "mfrow", "pty")])
  plot(result[1, ])
  expect_error(plot(result["fit"]), "there is no `score`", class = "cwmix_input_error")
  expect_error(plot(result[0, ]), "there is no row", class = "cwmix_input_error")
})
