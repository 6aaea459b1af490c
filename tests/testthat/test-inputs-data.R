# Data, weights and bounds: see helper-inputs.R for how cases are written.

test_that("data are finite numbers that vary, in rows and columns", {
  cases <- list()
  for (name in names(not_numbers())) {
    cases[[paste("x:", name)]] <- list(
      argument = "x", code = bquote(gaussian_mixture(bad[[.(name)]], K = 2))
    )
    cases[[paste("x of cwmix:", name)]] <- list(
      argument = "x", code = bquote(cwmix(bad[[.(name)]], K = 2))
    )
    cases[[paste("x without K:", name)]] <- list(
      argument = "x", code = bquote(cwmix(bad[[.(name)]]))
    )
    cases[[paste("x of cwmix_select:", name)]] <- list(
      argument = "x", code = bquote(cwmix_select(bad[[.(name)]], K = 2))
    )
  }
  cases <- c(cases, list(
    "x missing" = fails("x", gaussian_mixture(K = 2)),
    "x of cwmix missing" = fails("x", cwmix()),
    "x without K NA" = fails("x", cwmix(replace(v, 3, NA))),
    "x without K constant" = fails("x", cwmix(cbind(m, 1))),
    "x without K collinear" = fails("x", cwmix(cbind(m, m[, 1]))),
    "x of cwmix_select missing" = fails("x", cwmix_select()),
    "x of cwmix_select NA" = fails("x", cwmix_select(replace(v, 3, NA), K = 2)),
    "x of cwmix_select constant" = fails("x", cwmix_select(cbind(m, 1), K = 2)),
    "x no rows" = fails("x", fit(m[0, ])),
    "x no columns" = fails("x", fit(m[, 0])),
    "x empty vector" = fails("x", fit(double())),
    "x empty data frame" = fails("x", fit(data.frame())),
    "x data frame without rows" = fails("x", fit(df[0, ])),
    "x NA" = fails("x", fit(replace(v, 3, NA))),
    "x NaN" = fails("x", fit(replace(v, 3, NaN))),
    "x Inf" = fails("x", net(replace(v, 3, Inf))),
    "x -Inf and NA" = fails("x", net(replace(m, c(3, 70), c(-Inf, NA)))),
    "x NA in a named column" = fails("x", fit(replace(df, 2, replace(df$b, 4, NA)))),
    "x constant" = fails("x", fit(rep(3, 20))),
    "x constant column" = fails("x", fit(cbind(m, 1))),
    "x constant named column" = fails("x", net(cbind(df, c = 7))),
    "x two constant columns" = fails("x", fit(cbind(m, 1, 2))),
    "x constant in the rows with weight" = fails(
      "x", fit(c(1, 1, 1, 2), weights = c(1, 1, 1, 0), K = 1)
    ),
    "x copied column" = fails("x", fit(cbind(m, m[, 1]))),
    "x sum of columns" = fails("x", fit(cbind(m, m[, 1] + m[, 2]), covariance = "full")),
    "x collinear and named" = fails("x", net(transform(df, c = 2 * a - b))),
    "x more columns than rows" = fails("x", fit(m[1:2, ], K = 1)),
    "x factor column" = fails("x", fit(iris)),
    "x text column" = fails("x", fit(cbind(df, c = "a"))),
    "x logical column" = fails("x", fit(cbind(df, c = rep(c(TRUE, FALSE), 30)))),
    "x list column" = fails("x", fit(cbind(df, c = I(as.list(1:60))))),
    "x matrix column" = fails("x", fit(cbind(df, c = I(m)))),
    "x Date column" = fails("x", fit(cbind(df, c = as.Date("2020-01-01") + 1:60))),
    "x equal names" = fails("x", fit(setNames(df, c("a", "a")))),
    "x an empty name" = fails("x", fit(setNames(df, c("a", "")))),
    "x an NA name" = fails("x", fit(setNames(df, c("a", NA)))),
    "x too small for its squares" = works(
      density(fit(v * 1e-200), v * 1e-200), density(fit(v), v) + 200 * log(10)
    ),
    "x too large for its squares" = works(
      density(fit(v * 1e200), v * 1e200), density(fit(v), v) - 200 * log(10)
    ),
    "x denormal" = fails("x", fit(v * 1e-310)),
    "x one row" = fails("K", fit(5)),
    "x one row of a matrix" = fails("K", fit(m[1, , drop = FALSE])),
    "x n < K" = fails("K", fit(c(1, 2, 4), K = 4)),
    "x n < K by weights" = fails("K", fit(c(1, 2, 4), K = 3, weights = c(1, 1, 0))),
    "x n < K by validation" = fails("K", net(v[1:10], K = 10, validation = 0.2)),
    "x n = K" = works(sort(as.vector(fit(c(1, 2, 4), K = 3)$mean)), c(1, 2, 4)),
    "x two rows" = works(sort(as.vector(fit(c(1, 2))$mean)), c(1, 2)),
    "x one column of a matrix" = works(coef(fit(m[, 1, drop = FALSE])), coef(fit(m[, 1]))),
    "x one column of a data frame" = works(unname(fit(df["a"])$mean), unname(fit(df$a)$mean)),
    "x integers" = works(coef(fit(1:60)), coef(fit(as.double(1:60)))),
    "x integer matrix" = works(
      coef(fit(matrix(c(1:20, (1:20)^2 %% 7L), 20))), coef(fit(matrix(c(1:20, (1:20)^2 %% 7), 20)))
    ),
    "x integers and doubles" = works(
      fit(data.frame(a = 1:60, b = v))$mean, fit(cbind(a = 1:60, b = v))$mean
    ),
    "x a time series" = works(coef(fit(ts(v))), coef(fit(v))),
    "x array of one dimension" = works(coef(fit(array(v, 60))), coef(fit(v))),
    "x I()" = works(coef(fit(I(v))), coef(fit(v))),
    "x named vector" = works(coef(fit(setNames(v, seq_along(v)))), coef(fit(v))),
    "x repeated rows" = works(
      sort(round(as.vector(fit(rep(c(1, 2, 5), 10), K = 3)$mean), 8)), c(1, 2, 5)
    ),
    "x ties, K above the number of values" = works(nrow(fit(rep(1:2, 20), K = 5)$mean), 5L),
    "x network on ties" = works(all(is.finite(density(net(rep(1:2, 20), K = 3), 1:2))), TRUE),
    "x offset 1e8" = works(density(fit(v + 1e8), v + 1e8), density(fit(v), v), 1e-6),
    "x scale 1e8 and offset 1e8" = works(
      density(fit(v * 1e8 + 1e8), v * 1e8 + 1e8), density(fit(v), v) - 8 * log(10), 1e-7
    ),
    "x scale 1e-8" = works(
      density(fit(v * 1e-8), v * 1e-8), density(fit(v), v) + 8 * log(10), 1e-7
    ),
    "x columns of scales 1e8 and 1e-8" = works(
      density(
        fit(m * rep(c(1e8, 1e-8), each = 60), covariance = "full"), m * rep(c(1e8, 1e-8), each = 60)
      ),
      density(fit(m, covariance = "full"), m), 1e-7
    ),
    "x largest numbers" = works(
      is.finite(fit(c(1.7e308, 1.6e308, -1.7e308, -1.5e308, 1, 2))$log_likelihood), TRUE
    ),
    "x nearly collinear" = works(
      is.finite(fit(cbind(m, m[, 1] + 1e-5 * m[, 2]^2), covariance = "full")$log_likelihood), TRUE
    )
  ))
  expect_inputs(cases)
  expect_snapshot(writeLines(input_messages(cases)))
})

test_that("numbers of a class that gives them a meaning are refused with advice", {
  cases <- list()
  for (name in names(classed_numbers())) {
    columns <- bquote({
      data <- data.frame(a = v)
      data$z <- meant[[.(name)]]
    })
    put <- function(what, argument, code) {
      code <- bquote({
        .(columns)
        .(code)
      })
      cases[[paste(name, what)]] <<- list(argument = argument, code = code)
    }
    put("as a vector", "x", quote(fit(data$z)))
    put("as a column", "x", quote(net(data)))
    put("in a formula", "data", quote(gaussian_mixture(~ a + z, data, K = 2)))
    put("in newdata", "newdata", quote(predict(g, data.frame(a = v, b = I(data$z)))))
  }
  expect_inputs(cases)
  expect_snapshot(writeLines(input_messages(cases)))
})

test_that("formulas are sums of numeric columns of a data frame", {
  cases <- list(
    "formula works" = works(
      unname(coef(fit(df))$mean),
      unname(coef(with_fixed_seed(1, gaussian_mixture(~ a + b, df, K = 2)))$mean)
    ),
    "formula with a response" = fails("x", gaussian_mixture(a ~ b, df, K = 2)),
    "formula with a long response" = fails("x", gaussian_mixture(
      a + a + a + a + a + a + a + a + a + a + a + a + a + a + a + a + a + a + a + a ~ b, df
    )),
    "formula of no column" = fails("x", gaussian_mixture(~1, df, K = 2)),
    "formula without an intercept" = works(
      coef(with_fixed_seed(1, gaussian_mixture(~ 0 + a + b, df, K = 2))), coef(fit(df))
    ),
    "formula that removes all" = fails("x", cwmix(~ a + b - a - b, df, K = 2)),
    "formula that removes all columns" = fails("x", cwmix_select(~ . - a - b, df, K = 2)),
    "formula of rows" = fails("x", gaussian_mixture(~ a[1:5], df, K = 2)),
    "formula of a logical" = fails("x", gaussian_mixture(~ I(a > 0), df, K = 2)),
    "formula of a function of a factor" = fails("data", gaussian_mixture(~ log(Species), iris)),
    "formula of a function that is nowhere" = fails("x", gaussian_mixture(~ nosuch(a), df, K = 2)),
    "formula of everything" = fails("data", gaussian_mixture(~., iris, K = 2)),
    "formula of codes" = works(
      coef(with_fixed_seed(1, gaussian_mixture(~ as.numeric(Species), iris, K = 1))),
      coef(fit(rep(1:3, each = 50), K = 1))
    ),
    "formula of an unknown column" = fails("x", gaussian_mixture(~ a + nosuch, df, K = 2)),
    "formula of a factor" = fails("data", gaussian_mixture(~Species, iris, K = 2)),
    "formula with an interaction" = fails("x", gaussian_mixture(~ a:b, df, K = 2)),
    "formula with a product" = fails("x", gaussian_mixture(~ a * b, df, K = 2)),
    "formula with an offset" = fails("x", gaussian_mixture(~ a + offset(b), df, K = 2)),
    "formula of NaN" = fails("data", gaussian_mixture(~ log(a), df, K = 2)),
    "formula without data" = fails("data", gaussian_mixture(~ a + b, K = 2)),
    "formula and NULL" = fails("data", gaussian_mixture(~a, NULL, K = 2)),
    "formula and a list" = fails("data", cwmix(~a, as.list(df), K = 2)),
    "formula and a matrix" = fails("data", cwmix(~a, m, K = 2)),
    "formula and no rows" = fails("data", cwmix(~a, df[0, ], K = 2)),
    "formula and NA" = fails("data", cwmix(~a, rbind(df, NA), K = 2)),
    "data without a formula" = fails("data", gaussian_mixture(df, data = df, K = 2)),
    "formula by another name" = fails("formula", gaussian_mixture(formula = ~a, data = df, K = 2))
  )
  expect_inputs(cases)
  expect_snapshot(writeLines(input_messages(cases)))
})

test_that("observation weights are finite numbers of at least 0, one a row", {
  cases <- list(
    "weights too few" = fails("weights", fit(v, weights = rep(1, 59))),
    "weights too many" = fails("weights", net(v, weights = rep(1, 61))),
    "weights one" = fails("weights", fit(v, weights = 1)),
    "weights empty" = fails("weights", fit(v, weights = double())),
    "weights negative" = fails("weights", fit(v, weights = c(-1, rep(1, 59)))),
    "weights NA" = fails("weights", net(v, weights = c(NA, rep(1, 59)))),
    "weights NaN" = fails("weights", net(v, weights = c(NaN, rep(1, 59)))),
    "weights Inf" = fails("weights", fit(v, weights = c(Inf, rep(1, 59)))),
    "weights all zero" = fails("weights", fit(v, weights = double(60))),
    "weights text" = fails("weights", fit(v, weights = rep("1", 60))),
    "weights logical" = fails("weights", net(v, weights = rep(TRUE, 60))),
    "weights factor" = fails("weights", net(v, weights = factor(rep(1, 60)))),
    "weights a matrix" = fails("weights", fit(v, weights = matrix(1, 60, 1))),
    "weights a list" = fails("weights", fit(v, weights = as.list(rep(1, 60)))),
    "weights a data frame" = fails("weights", fit(v, weights = data.frame(w = rep(1, 60)))),
    "weights a function" = fails("weights", fit(v, weights = weights)),
    "weights of log_likelihood too few" = fails("weights", log_likelihood(g, df, weights = 1)),
    "weights of log_likelihood negative" = fails(
      "weights", log_likelihood(g, df, weights = rep(-1, 60))
    ),
    "weights integer" = works(
      coef(fit(v, weights = rep(1:2, 30))), coef(fit(v, weights = rep(c(1, 2), 30)))
    ),
    "weights with zeros" = works(
      coef(fit(v, weights = rep(0:1, 30))), coef(fit(v[rep(0:1, 30) == 1], weights = rep(1, 30)))
    ),
    "weights tiny" = works(coef(fit(v, weights = rep(1e-300, 60))), coef(fit(v))),
    "weights smallest" = works(coef(fit(v, weights = rep(5e-324, 60))), coef(fit(v))),
    "weights largest" = works(coef(fit(v, weights = rep(1.7e308, 60))), coef(fit(v))),
    "weights of zero do not look at newdata" = works(
      log_likelihood(g, rbind(df, NA), weights = rep(1:0, c(60, 1))), log_likelihood(g, df)
    ),
    "weights of zero and a gradient" = works(
      attr(
        log_likelihood(g, rbind(df, NA), weights = rep(1:0, c(60, 1)), gradient = TRUE), "gradient"
      ),
      attr(log_likelihood(g, df, gradient = TRUE), "gradient")
    ),
    "weights of zero outside the support" = works(
      attr(log_likelihood(bounded, c(1, -1), weights = 1:0, gradient = TRUE), "gradient"),
      attr(log_likelihood(bounded, 1, gradient = TRUE), "gradient")
    )
  )
  expect_inputs(cases)
  expect_snapshot(writeLines(input_messages(cases)))
})

test_that("bounds are increasing pairs with the data between them", {
  cases <- list()
  for (value in list(
    c(1, 0), c(0, 0), c(0, NA), c(0, NaN), "a", 0, c(0, 1, 2), TRUE, NA, c(Inf, Inf), factor(1:2),
    mean, list("a"), list(), list(c(0, Inf), NULL), list(nosuch = c(0, 1)),
    as.Date(c("2020-01-01", "2021-01-01"))
  )) {
    name <- paste(deparse(value), collapse = "")
    cases[[paste("support:", name)]] <- list(
      argument = "support", code = bquote(gaussian_mixture(p, K = 2, support = .(value)))
    )
    cases[[paste("support of a model:", name)]] <- list(
      argument = "support",
      code = bquote(cwmix_model(0, sd = 1, classifier = 1, support = .(value)))
    )
  }
  cases <- c(cases, list(
    "support with data outside" = fails("x", fit(p, support = c(0, 1))),
    "support with data on the bound" = fails("x", fit(c(0, p), support = c(0, Inf))),
    "support of a named column with data outside" = fails(
      "x", net(df, support = list(b = c(0, 5)))
    ),
    "support too wide to measure" = fails("support", fit(p, support = c(-1e308, 1e308))),
    "support by names of which one is missing" = fails(
      "support", fit(df, support = list(a = c(-9, 9), c(-9, 9)))
    ),
    "support names a column twice" = fails(
      "support", fit(df, support = list(a = c(-9, 9), a = c(-99, 99)))
    ),
    "support of the whole line" = works(coef(fit(v, support = c(-Inf, Inf))), coef(fit(v))),
    "support named pair" = works(
      coef(fit(p, support = c(lower = 0, upper = Inf))), coef(fit(p, support = c(0, Inf)))
    ),
    "support integers" = works(
      coef(fit(p, support = c(0L, 100L))), coef(fit(p, support = c(0, 100)))
    )
  ))
  expect_inputs(cases)
  expect_snapshot(writeLines(input_messages(cases)))
})
