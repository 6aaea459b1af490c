formula_data <- function() {
  with_fixed_seed(1, {
    data <- data.frame(
      id = sprintf("row %d", 1:60), a = rexp(60) + 1, b = rnorm(60), f = gl(3, 20)
    )
    data$m <- cbind(rnorm(60), rnorm(60))
    data$`a name` <- runif(60)
    data
  })
}

mixture_of <- function(formula, data = formula_data(), ...) {
  with_fixed_seed(1, gaussian_mixture(formula, data, K = 1, ...))
}

test_that("columns of a formula are those of model.matrix() but for the intercept", {
  data <- formula_data()
  formulas <- list(
    ~ . - id - f, ~ . - f - id - m, ~ a + b - b, ~ b - b + a + b, ~ a * b - a:b, ~ (a + b)^2 - a:b,
    ~ a + 0, ~ a - 1, ~ 0 + b + a, ~ poly(a, 2) + scale(b), ~ poly(a, 1) + b, ~m, ~ cbind(a, b),
    ~ cbind(log(a), 2 * b), ~ splines::ns(a, df = 3), ~ log(a) + I(b^2), ~ poly(`a name`, 2)
  )
  for (formula in formulas) {
    matrix <- model.matrix(formula, data)
    matrix <- matrix[, colnames(matrix) != "(Intercept)", drop = FALSE]
    fit <- mixture_of(formula, data)
    expect_identical(fit$frame$names, gsub("^`|`$", "", colnames(matrix)))
    labels <- attr(fit$frame$terms, "term.labels")
    expect_identical(labels, attr(terms(formula, data = data), "term.labels"))
    expect_equal(
      as.vector(coef(fit)$mean), unname(colMeans(matrix)),
      tolerance = 1e-12, label = deparse(formula)
    )
  }
})

test_that("what is only removed need be no number and not in newdata", {
  data <- formula_data()
  fit <- mixture_of(~ . - id - f - m, data)
  plain <- gaussian_mixture(data[c("a", "b", "a name")], K = 1)
  expect_equal(coef(fit), coef(plain), tolerance = 1e-14)
  expect_identical(
    predict(fit, data[c("b", "a name", "a")]), predict(fit, data[c("a", "b", "a name")])
  )
  rest <- mixture_of(~ a + f - f + id - id, data)
  expect_identical(predict(rest, data["a"]), predict(rest, data))
})

test_that("terms keep the constants of the training data", {
  data <- formula_data()
  fit <- mixture_of(~ poly(a, 2) + scale(b), data)
  some <- data[c(3, 17, 41), c("b", "a")]
  expected <- predict(fit, model.matrix(~ poly(a, 2) + scale(b), data)[, -1])[c(3, 17, 41)]
  expect_equal(unname(predict(fit, some)), unname(expected), tolerance = 1e-12)
  # one row has no spread to be scaled by
  expect_equal(unname(predict(fit, some[2, ])), unname(expected[2]), tolerance = 1e-12)
  expect_equal(predict(fit, rbind(some, NA))[[4]], NA_real_)
  expect_length(predict(fit, some[0, ]), 0)
  # and so they do elsewhere
  expect_equal(log_likelihood(fit, some), sum(log(expected)), tolerance = 1e-12)
  expect_equal(augment(fit, some)$.density, unname(expected), tolerance = 1e-12)
  expect_identical(
    with_fixed_seed(1, residuals(fit, some[2, ]))[1, ],
    with_fixed_seed(1, residuals(fit, some[2:1, ]))[1, ]
  )
  # a fit that was saved knows them as well
  again <- unserialize(serialize(fit, NULL))
  expect_identical(predict(again, some), predict(fit, some))
  expect_identical(environment(again$frame$terms), globalenv())
})

test_that("a fold is scored with the constants of the others", {
  data <- formula_data()
  labels <- rep(1:2, 30)
  choice <- with_fixed_seed(
    1, cwmix_select(~ scale(a) + b, data, 1, hidden = NULL, covariance = "full", folds = labels)
  )
  fit <- mixture_of(~ scale(a) + b, data[labels == 2, ], covariance = "full")
  scores <- predict(fit, data[labels == 1, ], log = TRUE)
  expect_equal(choice$scores[labels == 1, 1], unname(scores), tolerance = 1e-8)
})

test_that("draws are of the columns and can be evaluated", {
  fits <- list(mixture_of(~ poly(a, 2) + scale(b)), mixture_of(~ a + I(a^2)), mixture_of(~m))
  for (fit in fits) {
    x <- simulate(fit, 4, seed = 1)
    expect_named(x, fit$frame$names)
    expect_equal(predict(fit, x), predict(fit, as.matrix(x)))
  }
})

test_that("a formula's variables go before columns that are named like its terms", {
  data <- formula_data()
  fit <- mixture_of(~m, data)
  expect_identical(predict(fit, cbind(data, m1 = 0, m2 = 0)), predict(fit, data))
  logs <- mixture_of(~ log(a) + b, data)
  expect_identical(predict(logs, cbind(data, "log(a)" = 0)), predict(logs, data))
})

test_that("fits go on and are refitted with terms that have constants", {
  data <- formula_data()
  control <- constant_control(1)
  fit <- function(control) {
    cwmix(~ . - id - f - m - b + poly(b, 2), data, K = 2, hidden = 3, control = control)
  }
  first <- with_fixed_seed(1, fit(control))
  longer <- with_fixed_seed(1, update(fit(control), epochs = 2))
  expect_same_numbers(longer, with_fixed_seed(1, fit(constant_control(3))))
  expect_same_numbers(with_fixed_seed(1, update(first)), first)
  changed <- with_fixed_seed(1, update(first, x = ~ . - id - f - m))
  expect_identical(changed$frame$names, c("a", "b", "a name"))
  data <- data[1:40, ]
  expect_error(update(first, epochs = 1), "`object`", class = "cwmix_input_error")
  fewer <- with_fixed_seed(1, update(first))
  expect_identical(fewer$nobs, 40L)
  expect_false(identical(attr(fewer$frame$terms, "predvars"), attr(first$frame$terms, "predvars")))
})

test_that("densities with other constants are not averaged", {
  data <- formula_data()
  fits <- list(mixture_of(~ scale(a), data), mixture_of(~ scale(a), data[1:40, ]))
  expect_error(
    cwmix_average(fits), "`fits`.*same constants.*scale\\(a, center",
    class = "cwmix_input_error"
  )
  same <- cwmix_average(fits[c(1, 1)])
  expect_equal(predict(same, data[1, ]), predict(fits[[1]], data[1, ]), tolerance = 1e-12)
})

test_that("newdata have numbers where the training data had them", {
  data <- formula_data()
  fit <- mixture_of(~ poly(a, 2) + I(b / 2) + as.numeric(f), data)
  bad <- list(
    transform(data, a = factor(a)), transform(data, a = "x"), transform(data, b = factor(b)),
    transform(data, b = as.Date("2020-01-01") + b), transform(data, a = a > 2)
  )
  for (newdata in bad) {
    expect_error(
      predict(fit, newdata), "`newdata`.*column `[ab]` is (a|an object of class) ",
      class = "cwmix_input_error"
    )
  }
  # the codes of a factor were asked for
  expect_length(predict(fit, data), 60)
})

test_that("a long formula is quoted by its beginning", {
  data <- as.data.frame(matrix(1, 5, 60, dimnames = list(NULL, paste0("column", 1:60))))
  terms <- read_terms(~ . - column3, data, NULL)
  expect_length(variables_of(terms), 59)
  error <- tryCatch(model_frame(terms, data[-5], "newdata", NULL), error = conditionMessage)
  expect_length(error, 1)
  expect_match(error, "`newdata` .* ~column1 \\+ column2 \\+ column4 .*; there is no `column5`\\.$")
  expect_lt(nchar(error), 200)
})

test_that("edited terms are refused", {
  fit <- mixture_of(~ log(a) + b)
  attr(fit$frame$terms, "numbers") <- list("a")
  expect_error(predict(fit, formula_data()), "`object`.*terms", class = "cwmix_input_error")
  # older fits know less of their data
  attr(fit$frame$terms, "numbers") <- NULL
  expect_length(predict(fit, formula_data()), 60)
})
