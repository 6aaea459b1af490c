test_that("a mixture by EM has the df, AIC and BIC of its parameters", {
  for (fit in list(fit_mixture(faithful, 3), fit_network(faithful, hidden = NULL))) {
    expect_identical(fit$df, 14L)
    expect_identical(attr(logLik(fit), "df"), 14L)
    expect_equal(AIC(fit), -2 * fit$log_likelihood + 28)
    expect_equal(AIC(fit, k = 3), -2 * fit$log_likelihood + 42)
    expect_equal(BIC(fit), -2 * fit$log_likelihood + log(272) * 14)
  }
})

test_that("a network whose best epoch is 0 is the mixture and has its df", {
  for (covariance in c("diagonal", "full")) {
    fit <- fit_network(iris[1:4], 3, c(6, 5), covariance = covariance,
      control = quick_control(epochs = 0)
    )
    last <- fit$classifier$weights[[3]]
    expect_identical(last, matrix(0, 3, 5))
    df <- if (covariance == "full") 3L * 14L + 2L else 3L * 8L + 2L
    expect_identical(fit$df, df)
    expect_criteria(fit)
    mixture <- plain_mixture(fit)
    expect_true(is_constant(mixture$classifier))
    expect_equal(predict(mixture, iris[1:4]), predict(fit, iris[1:4]), tolerance = 1e-12)
  }
  bounded <- fit_behind_flow(faithful, support = c(0, Inf), control = quick_control(epochs = 0))
  expect_equal(
    predict(plain_mixture(bounded), faithful), predict(bounded, faithful), tolerance = 1e-10
  )
})

test_that("the network of one component does not count", {
  fit <- fit_network(faithful, 1)
  expect_identical(fit$df, 4L)
  expect_identical(glance(fit)$df, 4L)
  expect_criteria(fit)
  expect_identical(count_parameters(make_model(2, 1, 4, "full")), 5L)
})

test_that("a trained network has no AIC and BIC, and its parameters are an upper bound", {
  fit <- fit_network(faithful, validation = 0)
  expect_identical(fit$df, count_parameters(fit))
  expect_identical(as.vector(logLik(fit)), fit$log_likelihood)
  expect_identical(attr(logLik(fit), "df"), NA_integer_)
  for (criterion in list(AIC, BIC)) {
    expect_warning(
      expect_identical(criterion(fit), NA_real_), "63 parameters are an upper bound",
      class = "cwmix_no_df"
    )
  }
  row <- expect_silent(glance(fit))
  expect_identical(c(row$AIC, row$BIC), c(NA_real_, NA_real_))
  expect_identical(row$df, fit$df)
  expect_identical(compare(list(fit), faithful)$df, 63)
  expect_match(format(fit), "a row; 63 parameters$", all = FALSE)
  expect_no_match(format(fit), "AIC")
})

test_that("a fit that starts from a trained network has none, though its best epoch is 0", {
  first <- fit_network(faithful, validation = 0)
  again <- fit_network(faithful, start = first, control = quick_control(epochs = 0))
  expect_identical(again$best_epoch, 0L)
  expect_warning(expect_identical(BIC(again), NA_real_), class = "cwmix_no_df")
})

test_that("a fit without K has no df", {
  fit <- fit_stack(faithful)
  expect_identical(fit$df, NA_integer_)
  expect_identical(as.vector(logLik(fit)), fit$log_likelihood)
  expect_warning(expect_identical(AIC(fit), NA_real_), "not fitted together", class = "cwmix_no_df")
  row <- expect_silent(glance(fit))
  expect_identical(c(row$df, row$AIC, row$BIC), c(NA, NA, NA_real_))
  expect_error(
    glance(replace(fit, "df", 7L)), "`df` is not what a fit has", class = "cwmix_input_error"
  )
})

test_that("several fits have one table and one warning", {
  mixture <- fit_mixture(faithful, 2)
  network <- fit_network(faithful, validation = 0)
  line <- lm(waiting ~ eruptions, faithful)
  other <- fit_network(faithful, 2, validation = 0)
  seen <- catch_conditions(AIC(mixture, network, other, line))
  expect_length(seen$conditions, 1)
  expect_match(conditionMessage(seen$conditions[[1]]), "for 2 of 3 fits", fixed = TRUE)
  expect_identical(seen$value$AIC[-4], c(AIC(mixture), NA, NA))
  expect_identical(row.names(seen$value)[1], "mixture")
  expect_identical(BIC(mixture, line)$BIC, c(BIC(mixture), BIC(line)))
})

test_that("a likelihood at the floor has no AIC", {
  fit <- without_degenerate(fit_mixture(c(sin(1:60), rep(5, 20)), 2))
  expect_identical(fit$df, 5L)
  expect_warning(expect_identical(BIC(fit), NA_real_), "sd_floor", class = "cwmix_no_df")
})

test_that("degenerate components are named by one warning and counted by print", {
  seen <- catch_conditions(
    with_fixed_seed(1, gaussian_mixture(iris[1:4], K = 5, covariance = "full"))
  )
  expect_length(seen$conditions, 1)
  expect_s3_class(seen$conditions[[1]], "cwmix_degenerate")
  fit <- seen$value
  floored <- paste(which_at_floor(
    1e-3 * apply(iris[1:4], 2, function(x) min(sqrt(mean((x - mean(x))^2)), IQR(x) / 1.349)),
    parameters(fit)
  ), collapse = ", ")
  message <- conditionMessage(seen$conditions[[1]])
  expect_match(message, paste("component", floored, "is at `sd_floor`"), fixed = TRUE)
  expect_match(message, "diagonal covariances, fewer components or a larger `sd_floor`")
  expect_match(format(fit), "degenerate  1 component at sd_floor", all = FALSE)
  expect_no_warning(
    with_fixed_seed(1, gaussian_mixture(iris[1:4], K = 2, covariance = "full")),
    class = "cwmix_degenerate"
  )

  expect_warning(
    fit <- fit_mixture(c(1, 4, 9), 3), "components 1, 2, 3 are at `sd_floor`: fewer",
    class = "cwmix_degenerate"
  )
  expect_warning(
    fit_network(rep(c(1, 2, 5), each = 20), hidden = NULL, resolution = 0),
    class = "cwmix_degenerate"
  )
})

test_that("a component on few rows is degenerate above the floor, too", {
  x <- c(qnorm(ppoints(100)), 30)
  control <- cwmix_control(sd_floor = 0.1)
  wide <- cwmix_model(c(0, 30), sd = c(1, 1), classifier = c(0.99, 0.01))
  rare <- fit_mixture(x[1:100], 1)
  rare$proportions <- 0.0199
  expect_identical(components_of_few_rows(rare), 1L)
  rare$proportions <- 0.02
  expect_identical(components_of_few_rows(rare), integer())
  seen <- catch_conditions(fit_mixture(x, 2, start = wide, control = control))
  expect_match(conditionMessage(seen$conditions[[1]]), "component 2 is at `sd_floor`", fixed = TRUE)
  expect_match(format(seen$value), "1 component on fewer than 2 rows", all = FALSE)
})

test_that("ordinary data give no such warning", {
  for (x in list(faithful, faithful$waiting, iris[1:4], quakes[c("long", "lat", "depth")])) {
    for (covariance in c("diagonal", "full")) {
      expect_no_warning(fit_mixture(x, 2, covariance = covariance), class = "cwmix_degenerate")
    }
  }
})

test_that("a selection speaks of degenerate fits to all rows only", {
  x <- c(sin(1:60), rep(5, 20))
  seen <- catch_conditions(with_fixed_seed(
    1, cwmix_select(x, K = 2, hidden = NULL, folds = 4, resolution = 0)
  ))
  expect_length(seen$conditions, 1)
  expect_match(conditionMessage(seen$conditions[[1]]), "^1 of 5 fits warned")
})

test_that("a log-likelihood is divided by the sum of the weights", {
  each <- function(fit) {
    line <- grep("log-lik", format(fit), value = TRUE)
    as.double(sub(".*, (-?[0-9.]+) a row.*", "\\1", line))
  }
  w <- rep(c(0, 1, 2.5, 3), 68)
  fits <- list(fit_mixture(faithful, 2, weights = w), fit_stack(faithful, weights = w))
  for (fit in fits) {
    expect_equal(fit$weight_sum, sum(w))
    expect_equal(each(fit), fit$log_likelihood / sum(w), tolerance = 1e-4)
    expect_match(format(fit), "204 rows of total weight 442$", all = FALSE)
  }
  plain <- fit_mixture(faithful, 2)
  expect_identical(plain$weight_sum, 272)
  expect_match(format(plain), "272 rows$", all = FALSE)
  doubled <- fit_mixture(faithful, 2, weights = rep(2, 272))
  expect_identical(each(doubled), each(plain))
  # weights that overflow have a sum, too
  expect_output(print(fit_mixture(faithful, 2, weights = w * 1e307)), "272|204")
  expect_error(
    print(replace(plain, "weight_sum", -1)), "`weight_sum` is not", class = "cwmix_input_error"
  )
})
