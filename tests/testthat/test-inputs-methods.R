# Methods of fits and their new data: see helper-inputs.R for how cases are written.

test_that("new data have the columns of the model", {
  cases <- list()
  for (name in names(not_numbers())) {
    put <- function(what, argument, code) {
      cases[[paste0(what, ": ", name)]] <<- list(argument = argument, code = code)
    }
    put("newdata", "newdata", bquote(predict(g, bad[[.(name)]])))
    put("newdata of residuals", "newdata", bquote(residuals(gv, bad[[.(name)]])))
    put("newdata of log_likelihood", "newdata", bquote(log_likelihood(n, bad[[.(name)]])))
    put("newdata of a classifier", "newdata", bquote(predict(classifier, bad[[.(name)]])))
    put("newdata of a picture", "newdata", bquote(predict(picture, bad[[.(name)]])))
    put("newdata of compare", "newdata", bquote(compare(list(g), bad[[.(name)]])))
    put("x of dcwmix", "x", bquote(dcwmix(bad[[.(name)]], gv)))
    put("q", "q", bquote(pcwmix(bad[[.(name)]], gv)))
    put("p", "p", bquote(qcwmix(bad[[.(name)]], gv)))
    put("data of augment", "data", bquote(augment(g, bad[[.(name)]])))
  }
  cases <- c(cases, list(
    "newdata missing" = fails("newdata", predict(g)),
    "newdata missing for residuals" = fails("newdata", residuals(g)),
    "newdata missing for log_likelihood" = fails("newdata", log_likelihood(g)),
    "newdata missing for a classifier" = fails("newdata", predict(classifier)),
    "newdata missing for a picture" = fails("newdata", predict(picture)),
    "newdata missing for compare" = fails("newdata", compare(list(g))),
    "newdata of compare NA" = fails("newdata", compare(list(g), rbind(df, NA))),
    "newdata of compare Inf" = fails("newdata", compare(list(gv), c(1, Inf))),
    "newdata of compare no rows" = fails("newdata", compare(list(g), df[0, ])),
    "newdata of compare lacks a column" = fails("newdata", compare(list(g = g), df["a"])),
    "newdata of compare that a formula makes NaN" = fails("newdata", compare(
      list(with_fixed_seed(1, gaussian_mixture(~ log(p), data.frame(p = p), K = 2))),
      data.frame(p = c(1, -1))
    )),
    "newdata of compare with more columns" = works(
      compare(list(g), cbind(df, z = "a"))$score, g$log_likelihood / 60
    ),
    "data missing for augment" = fails("data", augment(g)),
    "newdata lacks a column" = fails("newdata", predict(g, df["a"])),
    "newdata lacks all columns" = fails("newdata", predict(g, setNames(df, c("c", "d")))),
    "newdata a named vector for a row" = fails("newdata", predict(g, c(a = 1, b = 2))),
    "newdata too few columns" = fails("newdata", predict(gm, m[, 1])),
    "newdata too many columns" = fails("newdata", predict(gm, cbind(m, 1))),
    "newdata too many columns for a vector" = fails("newdata", predict(gv, m)),
    "newdata too many columns for a classifier" = fails("newdata", predict(classifier, m)),
    "newdata text in a column" = fails("newdata", predict(g, transform(df, a = "x"))),
    "newdata factor in a column" = fails("newdata", residuals(g, transform(df, a = factor(1)))),
    "newdata logical in a column" = fails("newdata", log_likelihood(g, transform(df, a = TRUE))),
    "newdata one of our columns twice" = fails("newdata", predict(g, cbind(df, df))),
    "newdata a list of columns" = fails("newdata", predict(g, as.list(df))),
    "newdata of a formula lacks a variable" = fails("newdata", predict(formula, df["b"])),
    "newdata of a formula lacks a variable that exists elsewhere" = fails("newdata", {
      a <- df$a
      predict(formula, df["b"])
    }),
    "newdata of a formula with text" = fails("newdata", predict(formula, transform(df, a = "x"))),
    "newdata shuffled" = works(predict(g, df[2:1]), predict(g, df)),
    "newdata a shuffled matrix" = works(predict(g, as.matrix(df)[, 2:1]), unname(predict(g, df))),
    "newdata with more columns" = works(predict(g, cbind(z = "a", df, y = 1i)), predict(g, df)),
    "newdata without names" = works(predict(g, unname(as.matrix(df))), unname(predict(g, df))),
    "newdata names for a model without" = works(unname(predict(gm, df)), predict(gm, m)),
    "newdata integers" = works(predict(gv, 1:3), predict(gv, c(1, 2, 3))),
    "newdata NA" = works(predict(gv, c(1, NA, NaN)), c(predict(gv, 1), NA, NA)),
    "newdata Inf" = works(predict(gv, c(Inf, -Inf)), c(0, 0)),
    "newdata Inf, posterior" = works(
      as.vector(predict(gv, Inf, type = "posterior")), c(NA_real_, NA_real_)
    ),
    "newdata no rows" = works(unname(predict(g, df[0, ])), double()),
    "newdata no rows, posterior" = works(dim(predict(g, df[0, ], type = "posterior")), c(0L, 2L)),
    "newdata no rows, class" = works(unname(predict(g, df[0, ], type = "class")), integer()),
    "newdata no rows, an R function" = works(predict(fn_model, double()), double()),
    "newdata no rows, log_likelihood" = works(
      as.vector(log_likelihood(g, df[0, ], gradient = TRUE)), 0
    ),
    "newdata huge" = works(predict(gv, c(1e300, -1e308), log = TRUE), c(-Inf, -Inf)),
    "newdata far out" = works(
      predict(gv, 1e6, log = TRUE),
      max(log(gv$proportions) + dnorm(1e6, gv$mean, gv$sd, log = TRUE)), 1e-4
    ),
    "newdata with names of rows" = works(names(predict(gv, c(p = 1, q = 2))), c("p", "q")),
    "newdata NA in a formula's variable" = works(
      unname(predict(formula, transform(df[1:2, ], a = c(NA, a[2])))),
      unname(c(NA, predict(formula, df[2, ])))
    ),
    "newdata of a formula that makes NaN" = works(
      unname(predict(
        with_fixed_seed(1, gaussian_mixture(~ log(p), data.frame(p = p), K = 2)), data.frame(p = -1)
      )), NA_real_
    ),
    "newdata outside the support" = works(predict(bounded, c(-1, 0)), c(0, 0)),
    "gradient with NA" = fails("newdata", log_likelihood(g, rbind(df, NA), gradient = TRUE)),
    "gradient outside the support" = fails(
      "newdata", log_likelihood(bounded, c(1, -1), gradient = TRUE)
    ),
    "gradient where the density underflows" = fails(
      "newdata", log_likelihood(gv, 1e200, gradient = TRUE)
    ),
    "gradient of an R function" = fails("object", log_likelihood(fn_model, 1, gradient = TRUE)),
    "p below 0" = fails("p", qcwmix(c(0.5, -0.1), gv)),
    "p above 1" = fails("p", qcwmix(1.1, gv)),
    "p above 0 as a logarithm" = fails("p", qcwmix(0.1, gv, log.p = TRUE)),
    "p NA" = works(qcwmix(c(NA, 0, 1), gv), c(NA, -Inf, Inf)),
    "p empty" = works(qcwmix(double(), gv), double()),
    "q a matrix" = fails("q", pcwmix(m, gv)),
    "q NA and infinite" = works(pcwmix(c(NA, -Inf, Inf), gv), c(NA, 0, 1)),
    "q empty" = works(pcwmix(double(), gv), double())
  ))
  expect_inputs(cases)
  expect_snapshot(writeLines(input_messages(cases)))
})

test_that("objects are of the class that a function is for", {
  cases <- list(
    "object a number" = fails("object", log_likelihood(3, 3)),
    "object NULL" = fails("object", log_likelihood(NULL, 3)),
    "object another model" = fails("object", log_likelihood(lm(dist ~ speed, cars), cars)),
    "object missing" = fails("object", log_likelihood()),
    "object of dcwmix" = fails("object", dcwmix(1, 2)),
    "object of rcwmix" = fails("object", rcwmix(1, list())),
    "object of pcwmix" = fails("object", pcwmix(1, "a")),
    "object of pcwmix in two dimensions" = fails("object", pcwmix(1, g)),
    "object of qcwmix" = fails("object", qcwmix(0.5, NULL)),
    "object of qcwmix in two dimensions" = fails("object", qcwmix(0.5, g)),
    "object of entropy" = fails("object", entropy(3)),
    "object of expectation" = fails("object", expectation(3, cos)),
    "object of expectation NULL" = fails("object", expectation(NULL, cos)),
    "object of expectation missing" = fails("object", expectation()),
    "object of expectation a picture" = fails("object", expectation(picture, cos)),
    "object of probability" = fails("object", probability(lm(dist ~ speed, cars), is.finite)),
    "object of probability missing" = fails("object", probability()),
    "p of kl_divergence" = fails("p", kl_divergence(1, g)),
    "p of kl_divergence missing" = fails("p", kl_divergence()),
    "p of kl_divergence a picture" = fails("p", kl_divergence(picture, g)),
    "q of kl_divergence" = fails("q", kl_divergence(g, "a")),
    "q of kl_divergence missing" = fails("q", kl_divergence(g)),
    "q of kl_divergence in one column" = fails("q", kl_divergence(g, gv)),
    "q of kl_divergence of other columns" = fails(
      "q", kl_divergence(g, fit(setNames(df, c("a", "c"))))
    ),
    "q of kl_divergence of columns in another order" = fails("q", kl_divergence(g, fit(df[2:1]))),
    "q of kl_divergence without names" = works(
      with_fixed_seed(1, as.numeric(kl_divergence(g, gm))),
      with_fixed_seed(1, as.numeric(kl_divergence(gm, gm))), 1e-6
    ),
    "object of expected_log_density" = fails("object", expected_log_density(g, g)),
    "density of expected_log_density" = fails("density", expected_log_density(picture, 1)),
    "density in one column" = fails("density", expected_log_density(picture, gv)),
    "a specified model has no logLik" = fails("object", logLik(model)),
    "a specified model has no nobs" = fails("object", nobs(model)),
    "a specified model has no AIC" = fails("object", AIC(model)),
    "a specified model has no glance" = fails("x", glance(model)),
    "a specified model has no update" = fails("object", update(model, K = 3)),
    "an average has no logLik" = fails("object", logLik(average)),
    "an average has no nobs" = fails("object", nobs(average)),
    "an average has no glance" = fails("x", glance(average)),
    "an average has no update" = fails("object", update(average, shares = c(0.1, 0.9))),
    "an average has no training" = fails("x", plot(average, what = "training")),
    "a fit without K has no training" = fails("x", plot(stacked, what = "training")),
    "a fit without K has no further epochs" = fails("object", update(stacked, epochs = 2)),
    "candidates of a network" = fails("what", plot(n, what = "candidates")),
    "candidates of a mixture" = fails("what", plot(g, what = "candidates")),
    "candidates of a model" = fails("what", plot(model, what = "candidates")),
    "candidates of an average" = fails("what", plot(average, what = "candidates")),
    "seed fraction" = fails("seed", simulate(g, 2, seed = 1.5)),
    "seed NA" = fails("seed", simulate(g, 2, seed = NA)),
    "seed text" = fails("seed", simulate(g, 2, seed = "1")),
    "seed two" = fails("seed", simulate(g, 2, seed = 1:2)),
    "seed infinite" = fails("seed", simulate(g, 2, seed = Inf)),
    "seed TRUE" = fails("seed", simulate(g, 2, seed = TRUE)),
    "seed too large" = fails("seed", simulate(g, 2, seed = 2^31)),
    "seed of a picture" = fails("seed", simulate(picture, 2, seed = "1")),
    "seed negative" = works(nrow(simulate(g, 2, seed = -5)), 2L),
    "seed zero" = works(nrow(simulate(g, 2, seed = 0)), 2L),
    "picture a vector" = fails("x", image_density(1:3)),
    "picture negative" = fails("x", image_density(matrix(-1))),
    "picture NA" = fails("x", image_density(matrix(NA_real_))),
    "picture black" = fails("x", image_density(matrix(0, 2, 2))),
    "picture that is not there" = fails("x", image_density("nosuch.png")),
    "picture NULL" = fails("x", image_density(NULL)),
    "picture missing" = fails("x", image_density())
  )
  expect_inputs(cases)
  expect_snapshot(writeLines(input_messages(cases)))
})

test_that("expectations and moments say what they need", {
  cases <- list()
  put <- function(what, name, argument, code) {
    cases[[paste0(what, ": ", name)]] <<- list(argument = argument, code = code)
  }
  for (name in setdiff(names(not_numbers()), "function")) {
    put("f", name, "f", bquote(expectation(g, bad[[.(name)]])))
    put("region", name, "region", bquote(probability(g, bad[[.(name)]])))
    if (name != "null") {
      put("f of quantile", name, "f", bquote(quantile(g, 0.5, f = bad[[.(name)]])))
      put("z", name, "z", bquote(expectation(g, rowSums, z = bad[[.(name)]])))
      put("gradient", name, "gradient", bquote(
        expectation(g, rowSums, gradient = bad[[.(name)]])
      ))
    }
    put("probs", name, "probs", bquote(quantile(g, bad[[.(name)]])))
  }
  for (name in names(not_counts())) {
    value <- not_counts()[[name]]
    put("n of expectation", name, "n", bquote(expectation(g, rowSums, n = .(value))))
    put("n of mean", name, "n", bquote(mean(g, n = .(value))))
    put("n of vcov", name, "n", bquote(vcov(n, n = .(value))))
    put("n of entropy", name, "n", bquote(entropy(g, n = .(value))))
    put("n of quantile", name, "n", bquote(quantile(gv, n = .(value))))
    put("n of probability", name, "n", bquote(probability(g, is.finite, n = .(value))))
    put("n of kl_divergence", name, "n", bquote(kl_divergence(g, g, n = .(value))))
    put("n of random points", name, "n", bquote(mean(n, n = .(value), points = "random")))
    put("replicates", name, "replicates", bquote(mean(n, replicates = .(value))))
  }
  for (name in names(not_positive())) {
    value <- not_positive()[[name]]
    put("temperature", name, "temperature", bquote(
      expectation(g, rowSums, estimator = "gumbel-softmax", temperature = .(value))
    ))
  }
  for (name in names(not_numbers())) {
    put("points", name, "points", bquote(mean(n, points = bad[[.(name)]])))
    put("estimator", name, "estimator", bquote(
      expectation(g, rowSums, estimator = bad[[.(name)]])
    ))
  }
  cases <- c(cases, list(
    "f missing" = fails("f", expectation(g)),
    "f of the wrong length" = fails("f", expectation(g, length)),
    "f of too many dimensions" = fails("f", expectation(g, function(x) array(x, c(dim(x), 1)))),
    "f of text" = fails("f", expectation(g, function(x) format(x[, 1]))),
    "f of a factor" = fails("f", expectation(g, function(x) factor(x[, 1] > 0))),
    "f of a data frame" = fails("f", expectation(g, as.data.frame)),
    "f of a list" = fails("f", expectation(g, function(x) as.list(x[, 1]))),
    "f of complex numbers" = fails("f", expectation(g, function(x) x + 0i)),
    "f of NULL" = fails("f", expectation(g, function(x) NULL)),
    "f of no columns" = fails("f", expectation(g, function(x) x[, 0])),
    "f that is NA" = fails("f", expectation(g, function(x) NA + x[, 1])),
    "f that is NaN" = fails("f", expectation(g, function(x) NaN * x)),
    "f that fails" = fails("f", expectation(g, function(x) stop("no\nway"))),
    "f without arguments" = fails("f", expectation(g, function() 1)),
    "f crude of the wrong length" = fails("f", expectation(g, length, estimator = "crude")),
    "f relaxed of the wrong length" = fails(
      "f", expectation(g, length, estimator = "gumbel-softmax")
    ),
    "f of quantile of the wrong length" = fails("f", quantile(g, 0.5, f = length)),
    "f of quantile that is NA" = fails("f", quantile(g, 0.5, f = function(x) NA + x)),
    "f that fails for differences alone" = fails("f", {
      calls <- 0
      suppressMessages(expectation(g, gradient = TRUE, f = function(x) {
        calls <<- calls + 1
        if (calls == 1) x[, 1] else stop("no")
      }))
    }),
    "f logical" = works(
      as.numeric(expectation(gv, function(x) x < Inf, n = 64)), 1
    ),
    "f integers" = works(
      as.numeric(expectation(gv, function(x) rep(2L, length(x)), n = 64)), 2
    ),
    "f infinite" = works(
      as.numeric(expectation(gv, function(x) x / 0 * sign(x), n = 64)), Inf
    ),
    "region missing" = fails("region", probability(g)),
    "region of numbers" = fails("region", probability(g, rowSums)),
    "region of one value" = fails("region", probability(g, function(x) TRUE)),
    "region of every column" = fails("region", probability(g, function(x) x > 0)),
    "region that is NA" = fails("region", probability(g, function(x) x[, 1] > NA)),
    "region that fails" = fails("region", probability(g, function(x) x[, "no such"] > 0)),
    "gradient of the wrong shape" = fails(
      "gradient", expectation(g, rowSums, gradient = function(x) x[, 1])
    ),
    "gradient transposed" = fails("gradient", expectation(g, rowSums, gradient = t)),
    "gradient of one function for two" = fails(
      "gradient", expectation(g, identity, gradient = function(x) x)
    ),
    "gradient of text" = fails("gradient", expectation(g, rowSums, gradient = format)),
    "gradient infinite" = fails("gradient", expectation(g, rowSums, gradient = function(x) x / 0)),
    "gradient NA" = fails("gradient", expectation(g, rowSums, gradient = function(x) x + NA)),
    "gradient that fails" = fails(
      "gradient", expectation(g, rowSums, gradient = function(x) stop("no"))
    ),
    "gradient of one" = fails("gradient", expectation(g, rowSums, gradient = 1)),
    "gradient of the crude estimator" = fails(
      "gradient", expectation(g, rowSums, estimator = "crude", gradient = TRUE)
    ),
    "gradient in an R function" = fails(
      "object", expectation(fn_model, cos, gradient = function(x) -sin(x))
    ),
    "gradient a vector in one dimension" = works(
      gradient_of(seeded_expectation(1, gv, cos, gradient = function(x) -sin(x[, 1]))),
      gradient_of(seeded_expectation(1, gv, cos, gradient = function(x) -sin(x)))
    ),
    "z of one row" = fails("z", expectation(g, rowSums, z = matrix(0, 1, 2))),
    "z of too few columns" = fails("z", expectation(g, rowSums, z = m[, 1])),
    "z of too many columns" = fails("z", expectation(gv, cos, z = m)),
    "z with NA" = fails("z", expectation(gv, cos, z = c(1, NA, 2))),
    "z with Inf" = fails("z", expectation(gv, cos, z = c(1, Inf, 2))),
    "z empty" = fails("z", expectation(gv, cos, z = double())),
    "z integers" = works(
      as.numeric(expectation(gv, cos, z = 1:3)), as.numeric(expectation(gv, cos, z = c(1, 2, 3)))
    ),
    "n one" = fails("n", expectation(g, rowSums, n = 1)),
    "n less than two a replicate" = fails("n", expectation(g, rowSums, n = 7)),
    "n beyond the lattice" = fails("n", mean(n, n = 2^21 + 1, replicates = 2)),
    "replicates one" = fails("replicates", mean(n, replicates = 1)),
    "estimator by a part of its name" = fails(
      "estimator", expectation(g, rowSums, estimator = "rao")
    ),
    "points unknown" = fails("points", mean(n, points = "sobol")),
    "probs below 0" = fails("probs", quantile(g, -0.1)),
    "probs above 1" = fails("probs", quantile(gv, 1.1)),
    "probs NA" = fails("probs", quantile(g, c(0.5, NA))),
    "probs a matrix" = fails("probs", quantile(g, matrix(0.5))),
    "probs empty" = works(as.numeric(quantile(gv, double())), double()),
    "probs in any order" = works(
      as.numeric(quantile(gv, c(0.9, 0.1, 0.9))), as.numeric(quantile(gv, c(0.1, 0.9)))[c(2, 1, 2)]
    )
  ))
  expect_inputs(cases)
  expect_snapshot(writeLines(with_fixed_seed(1, input_messages(cases))))
})

test_that("comparisons and selections say what they need", {
  cases <- list()
  for (value in list(1, "a", list(), NULL, TRUE, factor("a"), data.frame(a = 1), mean)) {
    name <- paste(deparse(value), collapse = "")
    cases[[paste("fits:", name)]] <- list(
      argument = "fits", code = bquote(compare(.(value), df))
    )
  }
  for (value in list(1, "a", list(1), TRUE, list(mean), list(g = 1), data.frame(g = 1))) {
    name <- paste(deparse(value), collapse = "")
    cases[[paste("predict:", name)]] <- list(
      argument = "predict", code = bquote(compare(list(g = g), df, predict = .(value)))
    )
  }
  for (value in list(
    0, 1, -2, 2.5, 61, NA, Inf, "a", NULL, 1:5, rep(1, 60), c(1, NA), list(2), TRUE, mean, raw(60)
  )) {
    name <- paste(deparse(value), collapse = "")
    cases[[paste("folds:", name)]] <- list(
      argument = "folds", code = bquote(cwmix_select(v, K = 2, hidden = NULL, folds = .(value)))
    )
  }
  cases <- c(cases, list(
    "fits missing" = fails("fits", compare()),
    "fits a density" = fails("fits", compare(g, df)),
    "fits of equal names" = fails("fits", compare(list(a = g, a = g), df)),
    "fits with a name that is made" = fails(
      "fits", compare(list("gaussian_mixture 2" = g, g), df)
    ),
    "fits of another dimension" = fails("newdata", compare(list(gv), m)),
    "fits that fail on data" = fails("data", compare(list(function(x) stop("no")), df, data = df)),
    "fits without a function for data" = fails("data", compare(list(g), df, data = df)),
    "fits a function that fails" = fails("newdata", compare(list(function(x) stop("no")), df)),
    "fits a function of too few values" = fails("newdata", compare(list(function(x) 1), df)),
    "fits a function that fits, without data" = fails(
      "data", compare(list(function(x) fit(x)), df)
    ),
    "fits a function of text" = fails("newdata", compare(list(function(x) letters[x]), 1:3)),
    "fits a function that is NaN" = fails(
      "newdata", compare(list(function(x) suppressWarnings(log(x))), c(1, -1))
    ),
    "fits a function that is Inf" = fails("newdata", compare(list(function(x) -log(x)), 0)),
    "fits a function of a matrix" = works(
      compare(list(function(x) cbind(dnorm(x, log = TRUE))), c(1, 2))$score,
      mean(dnorm(1:2, log = TRUE))
    ),
    "predict missing for another object" = fails(
      "predict", compare(list(lm(dist ~ speed, cars)), cars)
    ),
    "predict missing for NULL" = fails("predict", compare(list(NULL), df)),
    "predict of an unknown name" = fails(
      "predict", compare(list(g = g), df, predict = list(h = mean))
    ),
    "predict that fails" = fails(
      "newdata", compare(list(1), df, predict = function(object, newdata) stop("no\nway"))
    ),
    "K of cwmix_select missing" = fails("K", cwmix_select(v)),
    "K of cwmix_select twice" = fails("K", cwmix_select(v, K = c(2, 2))),
    "K of cwmix_select with a fraction" = fails("K", cwmix_select(v, K = c(1, 2.5))),
    "K of cwmix_select above n" = fails("K", cwmix_select(v, K = c(1, 61), hidden = NULL)),
    "hidden of cwmix_select empty" = fails("hidden", cwmix_select(v, K = 2, hidden = list())),
    "hidden of cwmix_select twice" = fails(
      "hidden", cwmix_select(v, K = 2, hidden = list(3, NULL, 3L))
    ),
    "hidden of cwmix_select text" = fails("hidden", cwmix_select(v, K = 2, hidden = list("a"))),
    "weights of cwmix_select" = fails("weights", cwmix_select(v, K = 2, weights = 1:3)),
    "support of cwmix_select" = fails("x", cwmix_select(v, K = 2, support = c(0, Inf))),
    "validation of cwmix_select" = fails("validation", cwmix_select(v, K = 2, validation = 2)),
    "control of cwmix_select" = fails("control", cwmix_select(v, K = 2, control = NULL)),
    "activation of cwmix_select" = fails("activation", cwmix_select(v, K = 2, activation = "elu")),
    "data of cwmix_select" = fails("data", cwmix_select(~a, K = 2)),
    "data of cwmix_select without variables" = fails("x", cwmix_select(~ a + c, df, K = 2)),
    "data of cwmix_select for a vector" = fails("data", cwmix_select(v, K = 2, data = df)),
    "rule of best" = fails("rule", best(selection, "first")),
    "rule of best NULL" = fails("rule", best(selection, NULL)),
    "folds of cwmix_select labels" = works(selection$folds, rep(1:2, 30))
  ))
  expect_inputs(cases)
  expect_snapshot(writeLines(input_messages(cases)))
})

test_that("an argument that does not exist is an error, never swallowed", {
  cases <- list(
    "hiden" = fails("hiden", cwmix(v, K = 2, hiden = 3)),
    "epochs of cwmix" = fails("epochs", cwmix(v, K = 2, epochs = 10)),
    "precision of cwmix" = fails("precision", cwmix(v, K = 2, precision = "double")),
    "starts of gaussian_mixture" = fails("starts", gaussian_mixture(v, K = 2, starts = 3)),
    "k" = fails("k", gaussian_mixture(v, k = 2)),
    "hidden of gaussian_mixture" = fails("hidden", gaussian_mixture(v, K = 2, hidden = 3)),
    "a third argument without a name" = fails("...", cwmix(v, 2, 3)),
    "an empty argument" = fails("...", cwmix(v, 2, , hidden = 3)),
    "misspelt with a formula" = fails("hiden", cwmix(~a, df, K = 2, hiden = 3)),
    "predict" = fails("tpe", predict(g, df, tpe = "class")),
    "predict with data" = fails("data", predict(g, data = df)),
    "predict of a classifier" = fails("type", predict(classifier, 1, type = "class")),
    "simulate" = fails("sed", simulate(g, 2, sed = 1)),
    "residuals" = fails("type", residuals(g, df, type = "pearson")),
    "coef" = fails("x", coef(g, x = 3)),
    "coef without a name" = fails("...", coef(g, 3)),
    "logLik" = fails("REML", logLik(g, REML = TRUE)),
    "nobs" = fails("use", nobs(g, use = 1)),
    "update" = fails("hiden", update(direct, hiden = 3)),
    "update without a name" = fails("...", update(direct, 3)),
    "update of epochs and K" = fails("K", update(direct, epochs = 2, K = 3)),
    "update of a mixture's epochs" = fails("epochs", update(direct_mixture, epochs = 2)),
    "log_likelihood" = fails("gradent", log_likelihood(g, df, gradent = TRUE)),
    "cwmix_control" = fails("learnrate", cwmix_control(learnrate = 3)),
    "cwmix_model" = fails("sigma", cwmix_model(0, sigma = 1, classifier = 1)),
    "cwmix_classifier" = fails("activaton", cwmix_classifier(list(), list(0), activaton = "tanh")),
    "cwmix_average" = fails("weights", cwmix_average(list(g), weights = 1)),
    "tidy" = fails("conf", tidy(g, conf = 1)),
    "glance" = fails("conf", glance(g, conf = 1)),
    "augment" = fails("newdata", augment(g, df, newdata = df)),
    "summary" = fails("digits", summary(g, digits = 3)),
    "entropy" = fails("base", entropy(picture, base = 2)),
    "entropy of a density" = fails("base", entropy(g, base = 2)),
    "expectation" = fails("estimater", expectation(g, rowSums, estimater = "crude")),
    "mean" = fails("trim", mean(g, trim = 0.1)),
    "mean without a name" = fails("...", mean(g, 64, "random", 8, 3)),
    "vcov" = fails("complete", vcov(g, complete = TRUE)),
    "probability" = fails("regions", probability(g, is.finite, regions = 1)),
    "kl_divergence" = fails("base", kl_divergence(g, g, base = 2)),
    "quantile" = fails("type", quantile(g, type = 7)),
    "tidy of an expectation" = fails("conf", tidy(mean(g), conf = 1)),
    "print of an expectation" = fails("width", print(mean(g), width = 3)),
    "print" = fails("digits", print(g, digits = 3)),
    "print of a classifier" = fails("digits", print(classifier, digits = 3)),
    "compare" = fails("weights", compare(list(g), df, weights = 1)),
    "compare without a name" = fails("...", compare(list(g), df, NULL, NULL, 3)),
    "cwmix_select" = fails("fold", cwmix_select(v, K = 2, fold = 3)),
    "cwmix_select without a name" = fails("...", cwmix_select(v, 2, 3)),
    "best" = fails("type", best(selection, type = "highest")),
    "tidy of a comparison" = fails("conf", tidy(comparison, conf = 1)),
    "tidy of a selection" = fails("conf", tidy(selection, conf = 1)),
    "print of a comparison" = fails("digits", print(comparison, digits = 3)),
    "print of a selection" = fails("digits", print(selection, digits = 3)),
    "print of settings" = fails("digits", print(quick, digits = 3)),
    "print of information" = fails("digits", print(cwmix_info(), digits = 3))
  )
  expect_inputs(cases)
  expect_snapshot(writeLines(input_messages(cases)))
})
