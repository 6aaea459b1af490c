test_that("what was given is described in a few words", {
  cases <- list(
    "NULL" = NULL, "a data frame of 272 rows and 2 columns" = faithful, "a function" = mean,
    "an object of class \"factor\"" = factor(1), "a list of length 2" = list(1, 2),
    "a symbol" = quote(a), "an environment" = globalenv(), "\"text\"" = "text",
    "a numeric vector of length 3" = 1:3, "a numeric array of dimension 2 x 2" = diag(2),
    "a list of length 3" = I(as.list(1:3)), "an object of class \"Date\"" = I(Sys.Date()),
    "0.1" = 0.1, "NA" = NA, "a logical vector of length 0" = logical()
  )
  expect_identical(vapply(cases, describe, "", USE.NAMES = FALSE), names(cases))
})

test_that("the call of an error is the user's, under the generic's name", {
  call_of <- function(code) conditionCall(tryCatch(code, error = identity))
  model <- cwmix_model(0, sd = 1, classifier = 1)
  expect_identical(call_of(predict(model)), quote(predict(model)))
  expect_identical(call_of(cwmix(faithful, K = 0)), quote(cwmix(faithful, K = 0)))
  expect_identical(
    call_of(gaussian_mixture(~waiting, faithful, K = 0)),
    quote(gaussian_mixture(~waiting, faithful, K = 0))
  )
})

test_that("do.call() leaves no data in the calls of conditions", {
  x <- make_points(5000, 2)
  fit <- with_fixed_seed(1, gaussian_mixture(x, K = 1, keep_data = TRUE))
  control <- cwmix_control(em_iterations = 1, starts = 1)
  codes <- list(
    quote(do.call(cwmix, list(x, K = 0))),
    quote(do.call("cwmix", list(x, K = 2, weights = double(5000)))),
    quote(do.call(gaussian_mixture, list(x, K = 2, control = control))),
    quote(do.call(gaussian_mixture, list(~V1, as.data.frame(x), K = 0))),
    quote(do.call(gaussian_mixture, list(x = x, K = 3, start = x))),
    quote(do.call(predict, list(fit, x, type = "none"))),
    quote(do.call("predict", list(fit, cbind(x, 1)))),
    quote(do.call(residuals, list(fit, cbind(x, 1)))),
    quote(do.call(simulate, list(fit, -1))),
    quote(do.call(log_likelihood, list(fit, cbind(x, 1)))),
    quote(do.call(update, list(fit, 1)))
  )
  for (code in codes) {
    seen <- catch_conditions(with_fixed_seed(1, eval(code)))$conditions
    expect_length(seen, 1)
    # x is of 80 kB; do.call() with a function instead of its name leaves that, too
    arguments <- as.list(conditionCall(seen[[1]]))[-1]
    expect_lt(as.numeric(object.size(arguments)), 6000, label = deparse(code)[1])
  }
})

test_that("settings given outside cwmix_control() are pointed there", {
  expect_error(
    cwmix(faithful, K = 2, epochs = 3), "cwmix_control(epochs = )",
    fixed = TRUE, class = "cwmix_input_error"
  )
})

test_that("conditions have the package's classes", {
  error <- tryCatch(cwmix(faithful, K = 0), error = identity)
  expect_s3_class(error, c("cwmix_input_error", "cwmix_error", "error", "condition"), exact = TRUE)
  warning <- tryCatch(
    gaussian_mixture(faithful, K = 3, control = cwmix_control(em_iterations = 1)),
    warning = identity
  )
  expect_s3_class(
    warning, c("cwmix_not_converged", "cwmix_warning", "warning", "condition"),
    exact = TRUE
  )
})

test_that("numbers are plain where a class leaves their meaning", {
  x <- c(1, 2, 4)
  plain <- list(
    x, 1:3, I(x), ts(x), ts(cbind(x, x)), scale(x), poly(x, 2), splines::ns(x, 2), array(x, 3),
    structure(x, label = "age"), structure(x, class = "zoo", index = 1:3)
  )
  for (value in plain) expect_true(is_plain_numeric(value))
  for (value in c(classed_numbers(), list(NULL, table(1:3), "1", TRUE, dist(1:3), list(1)))) {
    expect_false(is_plain_numeric(value))
  }
  expect_false(is_plain_numeric(I(classed_numbers()$units)))
})
