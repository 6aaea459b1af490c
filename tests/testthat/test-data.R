test_that("vectors, matrices and data frames are read as matrices and go back as they came", {
  inputs <- list(
    c(1, 2.5, 4), matrix(c(1, 2, 3, 4, 5, 6), 3), cbind(a = c(1, 2, 3), b = c(4, 5, 6)),
    data.frame(a = c(1, 2, 3), b = c(4, 5, 6))
  )
  for (x in inputs) {
    points <- read_points(x, "x", NULL)
    expect_identical(points$x, unname(as.matrix(x)))
    frame <- new_frame(points$names, points$type, no_support(ncol(points$x)))
    expect_identical(restore_points(frame, points$x), x)
  }
})

test_that("integers become doubles and names of rows are kept", {
  expect_identical(read_points(1:3, "x", NULL)$x, matrix(c(1, 2, 3)))
  expect_identical(read_points(c(p = 1, q = 2), "x", NULL)$rows, c("p", "q"))
  expect_identical(read_points(mtcars, "x", NULL)$rows, rownames(mtcars))
  # the row numbers of a data frame are no names
  expect_null(read_points(data.frame(a = 1:3), "x", NULL)$rows)
})

test_that("new columns are matched by name and otherwise by position", {
  model <- cwmix_model(
    matrix(0, 1, 2, dimnames = list(NULL, c("a", "b"))),
    sd = matrix(1, 1, 2), classifier = 1
  )
  x <- cbind(b = 1:2, a = 3:4)
  expect_identical(read_newdata(model$frame, x, NULL)$x, matrix(c(3, 4, 1, 2), 2))
  expect_identical(
    read_newdata(model$frame, data.frame(z = "text", x), NULL)$x, matrix(c(3, 4, 1, 2), 2)
  )
  expect_identical(read_newdata(model$frame, unname(x), NULL)$x, matrix(c(1, 2, 3, 4), 2))
})

test_that("a formula's variables are those of newdata, never others of the same name", {
  fit <- with_fixed_seed(1, gaussian_mixture(~ log(eruptions) + waiting, faithful, K = 2))
  assign("eruptions", faithful$eruptions, globalenv())
  on.exit(rm("eruptions", envir = globalenv()))
  eruptions <- faithful$eruptions
  expect_error(predict(fit, faithful["waiting"]), "`newdata`.*eruptions",
    class = "cwmix_input_error"
  )
  expect_error(residuals(fit, faithful["waiting"]), class = "cwmix_input_error")
  expect_error(log_likelihood(fit, faithful["waiting"]), class = "cwmix_input_error")
  # and so it is when fitting
  expect_error(
    gaussian_mixture(~ log(eruptions) + waiting, faithful["waiting"], K = 2),
    class = "cwmix_input_error"
  )
})

test_that("a function that new data would not find is refused when fitting", {
  error <- tryCatch(
    local({
      double_log <- function(x) 2 * log(x)
      gaussian_mixture(~ double_log(eruptions) + waiting, faithful, K = 2)
    }),
    error = identity
  )
  expect_s3_class(error, "cwmix_input_error")
  expect_match(conditionMessage(error), "double_log")
})

test_that("weights may be a column of the data of a formula", {
  data <- cbind(faithful, w = rep(1:2, 136))
  expected <- with_fixed_seed(1, gaussian_mixture(faithful["waiting"], K = 2, weights = data$w))
  by_column <- with_fixed_seed(1, gaussian_mixture(~waiting, data, K = 2, weights = w))
  expect_equal(coef(by_column), coef(expected), tolerance = 1e-14)
  # and otherwise are looked for where the call stands
  elsewhere <- rep(1:2, 136)
  by_vector <- with_fixed_seed(1, gaussian_mixture(~waiting, data, K = 2, weights = elsewhere))
  expect_identical(coef(by_vector), coef(by_column))
  expect_error(
    gaussian_mixture(~waiting, data, K = 2, weights = nosuch), "`weights`.*nosuch",
    class = "cwmix_input_error"
  )
})

test_that("labels of columns are their names, or x1, x2", {
  labels <- function(mean) {
    column_labels(cwmix_model(mean, sd = abs(mean) + 1, classifier = 1)$frame)
  }
  expect_identical(labels(matrix(1, 1, 2, dimnames = list(NULL, c("a", "b")))), c("a", "b"))
  expect_identical(labels(matrix(1, 1, 2)), c("x1", "x2"))
  expect_identical(labels(3), "x")
})
