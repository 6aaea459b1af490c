# Specified models: see helper-inputs.R for how cases are written.

test_that("parameters of specified models fit together", {
  cases <- list()
  for (name in setdiff(names(not_numbers()), "null")) {
    put <- function(what, argument, code) {
      cases[[paste0(what, ": ", name)]] <<- list(argument = argument, code = code)
    }
    put("mean", "mean", bquote(cwmix_model(bad[[.(name)]], sd = 1, classifier = 1)))
    put("sd", "sd", bquote(cwmix_model(1, sd = bad[[.(name)]], classifier = 1)))
    put("covariance of a model", "covariance", bquote(
      cwmix_model(1, covariance = bad[[.(name)]], classifier = 1)
    ))
    if (name != "function") {
      put("classifier", "classifier", bquote(
        cwmix_model(1, sd = 1, classifier = bad[[.(name)]])
      ))
    }
    if (!name %in% c("list", "model")) {
      put("weights of a classifier", "weights", bquote(
        cwmix_classifier(bad[[.(name)]], list(c(0, 0)))
      ))
      put("biases", "biases", bquote(
        cwmix_classifier(list(matrix(1:2)), bad[[.(name)]])
      ))
    }
  }
  cases <- c(cases, list(
    "mean NULL" = fails("mean", cwmix_model(NULL, sd = 1, classifier = 1)),
    "mean missing" = fails("mean", cwmix_model(sd = 1, classifier = 1)),
    "mean NA" = fails("mean", cwmix_model(c(1, NA), sd = c(1, 1), classifier = c(0.5, 0.5))),
    "mean Inf" = fails("mean", cwmix_model(c(1, Inf), sd = c(1, 1), classifier = c(0.5, 0.5))),
    "mean no rows" = fails("mean", cwmix_model(m[0, ], sd = m[0, ], classifier = 1)),
    "mean a data frame" = fails("mean", cwmix_model(df[1, ], sd = df[1, ], classifier = 1)),
    "mean equal names" = fails("mean", cwmix_model(
      matrix(0, 1, 2, dimnames = list(NULL, c("a", "a"))), matrix(1, 1, 2),
      classifier = 1
    )),
    "sd and covariance missing" = fails("sd", cwmix_model(1, classifier = 1)),
    "sd and covariance given" = fails(
      "sd", cwmix_model(1, sd = 1, covariance = array(1, c(1, 1, 1)), classifier = 1)
    ),
    "sd zero" = fails("sd", cwmix_model(1, sd = 0, classifier = 1)),
    "sd negative" = fails("sd", cwmix_model(c(1, 2), sd = c(1, -1), classifier = c(0.5, 0.5))),
    "sd NA" = fails("sd", cwmix_model(1, sd = NA_real_, classifier = 1)),
    "sd Inf" = fails("sd", cwmix_model(1, sd = Inf, classifier = 1)),
    "sd whose inverse overflows" = fails("sd", cwmix_model(1, sd = 1e-320, classifier = 1)),
    "sd too short" = fails("sd", cwmix_model(c(1, 2), sd = 1, classifier = c(0.5, 0.5))),
    "sd another shape" = fails(
      "sd", cwmix_model(m[1:2, ], sd = m[1:3, ]^2, classifier = c(0.5, 0.5))
    ),
    "covariance another shape" = fails(
      "covariance", cwmix_model(m[1:2, ], covariance = diag(2), classifier = c(0.5, 0.5))
    ),
    "covariance asymmetric" = fails(
      "covariance",
      cwmix_model(m[1, , drop = FALSE], covariance = matrix(c(1, 0, 0.5, 1), 2), classifier = 1)
    ),
    "covariance singular" = fails(
      "covariance", cwmix_model(m[1, , drop = FALSE], covariance = matrix(1, 2, 2), classifier = 1)
    ),
    "covariance negative" = fails(
      "covariance", cwmix_model(m[1, , drop = FALSE], covariance = -diag(2), classifier = 1)
    ),
    "covariance NA" = fails(
      "covariance", cwmix_model(m[1, , drop = FALSE], covariance = diag(c(1, NA)), classifier = 1)
    ),
    "classifier missing" = fails("classifier", cwmix_model(1, sd = 1)),
    "classifier NULL" = fails("classifier", cwmix_model(1, sd = 1, classifier = NULL)),
    "classifier too short" = fails(
      "classifier", cwmix_model(c(1, 2), sd = c(1, 1), classifier = 1)
    ),
    "classifier negative" = fails("classifier", model_of(c(-0.5, 1.5))),
    "classifier does not sum to 1" = fails("classifier", model_of(c(0.5, 0.6))),
    "classifier NA" = fails("classifier", model_of(c(NA, 1))),
    "classifier of another K" = fails(
      "classifier", cwmix_model(1:3, sd = c(1, 1, 1), classifier = classifier)
    ),
    "classifier of another d" = fails(
      "classifier", cwmix_model(m[1:2, ], sd = m[1:2, ]^2, classifier = classifier)
    ),
    "classifier function returns a vector" = fails(
      "classifier", predict(model_of(function(z) 1), 1:3)
    ),
    "classifier function returns another shape" = fails(
      "classifier", predict(model_of(function(z) matrix(1, 1, 2)), 1:3)
    ),
    "classifier function returns text" = fails(
      "classifier", predict(model_of(function(z) matrix("a", 3, 2)), 1:3)
    ),
    "classifier function returns a data frame" = fails(
      "classifier", predict(model_of(function(z) data.frame(a = z, b = 1 - z)), 1:3)
    ),
    "classifier function returns NULL" = fails(
      "classifier", simulate(model_of(function(z) NULL), 3)
    ),
    "classifier function returns NA" = fails(
      "classifier", residuals(model_of(function(z) matrix(NA_real_, nrow(z), 2)), 1:3)
    ),
    "classifier function returns negatives" = fails(
      "classifier", predict(model_of(function(z) cbind(-z^2, 1 + z^2)), 1:3)
    ),
    "classifier function does not sum to 1" = fails(
      "classifier", predict(model_of(function(z) cbind(plogis(z), 0)), 1:3)
    ),
    "classifier function takes no argument" = fails(
      "classifier", predict(model_of(function() 1), 1:3)
    ),
    "classifier function stops" = fails(
      "classifier", predict(model_of(function(z) stop("not today")), 1:3)
    ),
    "probability zero" = works(predict(model_of(c(0, 1)), 0.5), dnorm(0.5, 1, 2)),
    "weights missing" = fails("weights", cwmix_classifier()),
    "biases missing" = fails("biases", cwmix_classifier(list())),
    "layer of weights a vector" = fails("weights[[1]]", cwmix_classifier(list(1:2), list(c(0, 0)))),
    "layer of weights NULL" = fails("weights[[1]]", cwmix_classifier(list(NULL), list(c(0, 0)))),
    "layer of weights NA" = fails(
      "weights[[1]]", cwmix_classifier(list(matrix(NA_real_, 2, 1)), list(c(0, 0)))
    ),
    "layer of weights Inf" = fails(
      "weights[[1]]", cwmix_classifier(list(matrix(Inf, 2, 1)), list(c(0, 0)))
    ),
    "layer of weights text" = fails(
      "weights[[1]]", cwmix_classifier(list(matrix("a", 2, 1)), list(c(0, 0)))
    ),
    "layer of weights without rows" = fails(
      "weights[[1]]", cwmix_classifier(list(matrix(0, 0, 1)), list(double()))
    ),
    "too many layers" = fails(
      "weights", cwmix_classifier(rep(list(diag(1)), 1500), rep(list(0), 1500))
    ),
    "layers that do not fit" = fails(
      "weights[[2]]", cwmix_classifier(list(matrix(1:2), matrix(1, 2, 3)), list(c(0, 0), c(0, 0)))
    ),
    "layer of biases too short" = fails(
      "biases[[1]]", cwmix_classifier(list(matrix(1:2)), list(0))
    ),
    "layer of biases a matrix" = fails(
      "biases[[1]]", cwmix_classifier(list(matrix(1:2)), list(matrix(0, 2, 1)))
    ),
    "layer of biases NA" = fails(
      "biases[[1]]", cwmix_classifier(list(matrix(1:2)), list(c(0, NA)))
    ),
    "layer of biases Inf" = fails(
      "biases[[1]]", cwmix_classifier(list(matrix(1:2)), list(c(0, Inf)))
    ),
    "layer of biases all -Inf" = fails(
      "biases[[1]]", cwmix_classifier(list(), list(c(-Inf, -Inf)))
    ),
    "hidden layer of biases -Inf" = fails(
      "biases[[1]]", cwmix_classifier(list(matrix(1:2), diag(2)), list(c(0, -Inf), c(0, 0)))
    ),
    "too many biases" = fails(
      "biases", cwmix_classifier(list(matrix(1:2)), list(c(0, 0), c(0, 0)))
    ),
    "no biases" = fails("biases", cwmix_classifier(list(), list())),
    "constant classifier" = works(
      as.vector(predict(cwmix_classifier(list(), list(log(c(1, 3)))), 0)), c(0.25, 0.75)
    ),
    "component ruled out" = works(
      as.vector(predict(cwmix_classifier(list(), list(c(0, -Inf))), 0)), c(1, 0)
    ),
    "integer layers" = works(
      predict(cwmix_classifier(list(matrix(c(2L, -2L))), list(c(0L, 0L))), 1:3),
      predict(classifier, 1:3)
    )
  ))
  expect_inputs(cases)
  expect_snapshot(writeLines(input_messages(cases)))
})

test_that("averages are of densities of the same columns and support", {
  cases <- list()
  for (name in names(not_numbers())) {
    put <- function(what, argument, code) {
      cases[[paste0(what, ": ", name)]] <<- list(argument = argument, code = code)
    }
    put("fits", "fits", bquote(cwmix_average(bad[[.(name)]])))
    put("element of fits", "fits", bquote(cwmix_average(list(gv, bad[[.(name)]]))))
    if (name != "null") {
      put("shares", "shares", bquote(cwmix_average(list(gv, model), bad[[.(name)]])))
    }
  }
  cases <- c(cases, list(
    "fits missing" = fails("fits", cwmix_average()),
    "fits empty" = fails("fits", cwmix_average(list())),
    "fits a density" = fails("fits", cwmix_average(gv)),
    "fits a data frame" = fails("fits", cwmix_average(df)),
    "fits a picture" = fails("fits", cwmix_average(list(picture))),
    "fits a classifier" = fails("fits", cwmix_average(list(gv, classifier))),
    "fits of another dimension" = fails("fits", cwmix_average(list(gv, gm))),
    "fits of another support" = fails("fits", cwmix_average(list(gv, bounded))),
    "fits of nearly the same support" = fails(
      "fits", cwmix_average(lapply(c(1, 1 + 1e-9), function(upper) {
        cwmix_model(0.5, sd = 1, classifier = 1, support = c(0, upper))
      }))
    ),
    "fits of other columns" = fails(
      "fits", cwmix_average(list(g, fit(setNames(df, c("a", "c")))))
    ),
    "fits of columns in another order" = fails("fits", cwmix_average(list(g, fit(df[2:1])))),
    "fits of other columns after one without names" = fails(
      "fits", cwmix_average(list(gm, g, fit(df[2:1])))
    ),
    "shares zero" = fails("shares", cwmix_average(list(gv, model), c(0, 1))),
    "shares negative" = fails("shares", cwmix_average(list(gv, model), c(-1, 2))),
    "shares NA" = fails("shares", cwmix_average(list(gv, model), c(NA, 1))),
    "shares do not sum to 1" = fails("shares", cwmix_average(list(gv, model), c(1, 1))),
    "shares too few" = fails("shares", cwmix_average(list(gv, model), 1)),
    "shares too many" = fails("shares", cwmix_average(list(gv, model), rep(1 / 7, 7))),
    "shares a matrix" = fails("shares", cwmix_average(list(gv, model), matrix(0.5, 2, 1))),
    "shares with names" = works(
      predict(cwmix_average(list(a = gv, b = model), c(b = 0.3, a = 0.7)), 1:2),
      0.3 * predict(gv, 1:2) + 0.7 * predict(model, 1:2)
    ),
    "shares that sum to 1 up to rounding" = works(
      sum(cwmix_average(list(gv, model, gv), c(0.333333333, 0.333333333, 0.333333334))$shares), 1
    ),
    "fits with and without names" = works(
      unname(predict(cwmix_average(list(g, gm)), df)),
      unname(predict(g, df) + predict(gm, m)) / 2
    ),
    "fits of an R function" = works(
      predict(cwmix_average(list(fn_model, average)), 1),
      (predict(fn_model, 1) + predict(average, 1)) / 2
    )
  ))
  expect_inputs(cases)
  expect_snapshot(writeLines(input_messages(cases)))
})

test_that("components of the CDF form are continuous families and their parameters", {
  cases <- list()
  for (name in names(not_numbers())) {
    put <- function(what, code) {
      cases[[paste0(what, ": ", name)]] <<- list(argument = "components", code = code)
    }
    if (name != "null") {
      put("components", bquote(cwmix_model(components = bad[[.(name)]], classifier = 1)))
    }
    put("parameters", bquote(
      cwmix_model(components = list(gamma = bad[[.(name)]]), classifier = 1)
    ))
    put("parameter", bquote(
      cwmix_model(components = list(gamma = list(shape = bad[[.(name)]])), classifier = 1)
    ))
  }
  cases <- c(cases, list(
    "components and mean" = fails(
      "mean", cwmix_model(1, components = list(norm = list()), classifier = 1)
    ),
    "components and sd" = fails(
      "sd", cwmix_model(sd = 1, components = list(norm = list()), classifier = 1)
    ),
    "components and support" = fails(
      "support", cwmix_model(
        components = list(gamma = list(shape = 1)), classifier = 1, support = c(0, Inf)
      )
    ),
    "components empty" = fails("components", cwmix_model(components = list(), classifier = 1)),
    "components without names" = fails(
      "components", cwmix_model(components = list(list(shape = 2)), classifier = 1)
    ),
    "components with a name missing" = fails(
      "components",
      cwmix_model(components = list(norm = list(), list(shape = 2)), classifier = c(0.5, 0.5))
    ),
    "components a data frame" = fails(
      "components", cwmix_model(components = data.frame(norm = 1), classifier = 1)
    ),
    "components by functions" = fails(
      "components", cwmix_model(components = list(dgamma = list(shape = 2)), classifier = 1)
    ),
    "family unknown" = fails(
      "components", cwmix_model(components = list(gauss = list()), classifier = 1)
    ),
    "family of an odd name" = fails(
      "components", cwmix_model(components = list("a b" = list()), classifier = 1)
    ),
    "family without a density" = fails(
      "components", cwmix_model(components = list(tukey = list(nmeans = 3, df = 4)), classifier = 1)
    ),
    "family that is none" = fails(
      "components", cwmix_model(components = list(r = list()), classifier = 1)
    ),
    "family discrete, pois" = fails(
      "components", cwmix_model(components = list(pois = list(lambda = 300)), classifier = 1)
    ),
    "family discrete, binom" = fails(
      "components", cwmix_model(components = list(binom = c(size = 1, prob = 0.5)), classifier = 1)
    ),
    "family discrete, signrank" = fails(
      "components", cwmix_model(components = list(signrank = list(n = 10)), classifier = 1)
    ),
    "parameter unknown" = fails(
      "components", cwmix_model(components = list(gamma = list(shap = 2)), classifier = 1)
    ),
    "parameter log" = fails(
      "components", cwmix_model(components = list(norm = list(log = 1)), classifier = 1)
    ),
    "parameter without a name" = fails(
      "components", cwmix_model(components = list(gamma = list(2)), classifier = 1)
    ),
    "parameter twice" = fails(
      "components",
      cwmix_model(components = list(gamma = list(shape = 2, shape = 3)), classifier = 1)
    ),
    "parameter missing" = fails(
      "components", cwmix_model(components = list(gamma = list(rate = 2)), classifier = 1)
    ),
    "parameter NA" = fails(
      "components", cwmix_model(components = list(gamma = list(shape = NA_real_)), classifier = 1)
    ),
    "parameter empty" = fails(
      "components", cwmix_model(components = list(gamma = list(shape = double())), classifier = 1)
    ),
    "parameter negative" = fails(
      "components", cwmix_model(components = list(gamma = list(shape = -1)), classifier = 1)
    ),
    "parameter infinite" = fails(
      "components", cwmix_model(components = list(norm = list(mean = Inf)), classifier = 1)
    ),
    "parameters of a point" = fails(
      "components", cwmix_model(components = list(norm = list(sd = 0)), classifier = 1)
    ),
    "parameters at odds" = fails(
      "components",
      cwmix_model(components = list(gamma = list(shape = 1, rate = 1, scale = 2)), classifier = 1)
    ),
    "parameters out of order" = fails(
      "components", cwmix_model(components = list(unif = list(min = 1, max = 0)), classifier = 1)
    ),
    "parameters beyond double precision" = fails(
      "components", cwmix_model(components = list(gamma = list(shape = 1e-4)), classifier = 1)
    ),
    "parameters whose quantiles overflow" = fails(
      "components", cwmix_model(components = list(cauchy = list(scale = 1e308)), classifier = 1)
    ),
    "parameters whose quantiles round to one" = fails(
      "components",
      cwmix_model(components = list(beta = c(shape1 = 1, shape2 = 1e-4)), classifier = 1)
    ),
    "parameters whose quantiles are rounded" = fails(
      "components", cwmix_model(components = list(norm = list(mean = 1e11)), classifier = 1)
    ),
    "parameters of underflow and no density at 0" = fails(
      "components", cwmix_model(components = list(lnorm = list(meanlog = -800)), classifier = 1)
    ),
    "parameters of two lengths" = fails(
      "components",
      cwmix_model(components = list(norm = list(mean = 1:2, sd = 1:3)), classifier = rep(1 / 3, 3))
    ),
    "second of the parameters negative" = fails(
      "components",
      cwmix_model(components = list(norm = list(sd = c(1, -1))), classifier = c(0.5, 0.5))
    ),
    "classifier of components missing" = fails(
      "classifier", cwmix_model(components = list(norm = list()))
    ),
    "classifier of other components" = fails(
      "classifier", cwmix_model(components = list(norm = list()), classifier = classifier)
    ),
    "classifier of components in two dimensions" = fails(
      "classifier", cwmix_model(
        components = list(norm = list(mean = 1:2)),
        classifier = cwmix_classifier(list(diag(2)), list(c(0, 0)))
      )
    ),
    "classifier on (0, 1) of normals" = fails(
      "classifier", cwmix_model(c(-1, 1), sd = c(1, 1), classifier = families$classifier)
    ),
    "constant classifier on (0, 1) of normals" = fails(
      "classifier", cwmix_model(1, sd = 1, classifier = cwmix_model(
        components = list(norm = list()), classifier = 1
      )$classifier)
    ),
    "classifier on (0, 1) in two columns" = fails(
      "classifier", cwmix_model(m[1:2, ], sd = m[1:2, ]^2, classifier = families$classifier)
    ),
    "classifier of an average" = fails(
      "classifier",
      cwmix_model(
        components = list(norm = list(mean = 1:4)), classifier = joint_classifier(average)
      )
    ),
    "probabilities of other components" = fails(
      "classifier", cwmix_model(components = list(norm = list()), classifier = c(0.5, 0.5))
    ),
    "classifier on (0, 1) returns NA" = fails(
      "classifier", predict(cwmix_model(
        components = list(norm = list()), classifier = function(u) NA * u
      ), 1)
    ),
    "classifier on (0, 1) at 2" = fails("newdata", predict(families$classifier, 2)),
    "families in two columns" = fails("newdata", predict(families, m)),
    "average of families" = works(
      predict(cwmix_average(list(model, families)), 1:3),
      (predict(model, 1:3) + predict(families, 1:3)) / 2
    ),
    "start of families" = works(nrow(net(v, start = families)$mean), 2L),
    "start of families, of a mixture" = works(
      fit(v, covariance = "full", start = families)$log_likelihood,
      fit(v, covariance = "full")$log_likelihood, 1e-4
    ),
    "start of families, variational" = works(
      nrow(suppressWarnings(vi(start = families))$mean), 2L
    ),
    "likelihood of families" = fails("object", logLik(families)),
    "update of families" = fails("object", update(families)),
    "one family" = works(
      predict(cwmix_model(components = list(norm = list()), classifier = 1), 1:3), dnorm(1:3)
    ),
    "integer parameters" = works(
      predict(cwmix_model(components = list(t = c(df = 3L)), classifier = 1), 1:3), dt(1:3, 3)
    ),
    "an infinite parameter" = works(
      predict(cwmix_model(components = list(t = c(df = Inf)), classifier = 1), 1:3), dnorm(1:3)
    ),
    "no points" = works(predict(families, double()), double()),
    "mean NULL beside components" = works(
      predict(cwmix_model(NULL, components = list(norm = list()), classifier = 1), 1), dnorm(1)
    ),
    "classifier on (0, 1) of other components" = works(
      predict(cwmix_model(
        components = list(norm = list(mean = 1:2)), classifier = families$classifier
      ), 1, type = "component")[1, ], dnorm(0:1)
    ),
    "weight zero" = works(
      predict(cwmix_model(
        components = list(norm = list(mean = 0:1)), classifier = c(0, 1)
      ), 0.5), dnorm(0.5, 1)
    )
  ))
  expect_inputs(cases)
  expect_snapshot(writeLines(input_messages(cases)))
})
