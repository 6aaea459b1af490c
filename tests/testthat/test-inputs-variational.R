# Arguments of variational fits and their settings: see helper-inputs.R for how cases are written.

test_that("log_density is a function that returns a number a row", {
  cases <- list()
  for (name in names(not_numbers())) {
    cases[[paste0("log_density: ", name)]] <- list(
      argument = "log_density", code = bquote(vi(bad[[.(name)]]))
    )
  }
  cases <- c(cases, list(
    "log_density missing" = fails("log_density", cwmix_vi(d = 1, K = 2)),
    "log_density returns NaN" = fails("log_density", vi(function(x) rep(NaN, nrow(x)))),
    "log_density returns NA" = fails("log_density", vi(function(x) rep(NA_real_, nrow(x)))),
    "log_density returns NA of no type" = fails("log_density", vi(function(x) rep(NA, nrow(x)))),
    "log_density returns Inf" = fails("log_density", vi(function(x) rep(Inf, nrow(x)))),
    "log_density returns NaN here and there" = fails(
      "log_density", vi(function(x) replace(ld(x), x[, 1] > 0, NaN))
    ),
    "log_density returns -Inf everywhere" = fails(
      "log_density", vi(function(x) rep(-Inf, nrow(x)))
    ),
    "log_density returns -Inf nearly everywhere" = fails(
      "log_density", suppressMessages(vi(function(x) replace(ld(x), -1, -Inf), gradient = NULL))
    ),
    "log_density returns one number" = fails("log_density", vi(function(x) sum(ld(x)))),
    "log_density returns none" = fails("log_density", vi(function(x) numeric())),
    "log_density returns one too few" = fails("log_density", vi(function(x) ld(x)[-1])),
    "log_density returns two columns" = fails("log_density", vi(function(x) cbind(ld(x), ld(x)))),
    "log_density returns text" = fails("log_density", vi(function(x) format(ld(x)))),
    "log_density returns a factor" = fails("log_density", vi(function(x) factor(ld(x)))),
    "log_density returns complex numbers" = fails("log_density", vi(function(x) ld(x) + 0i)),
    "log_density returns a list" = fails("log_density", vi(function(x) as.list(ld(x)))),
    "log_density returns a data frame" = fails("log_density", vi(function(x) data.frame(ld(x)))),
    "log_density returns NULL" = fails("log_density", vi(function(x) NULL)),
    "log_density returns a function" = fails("log_density", vi(function(x) ld)),
    "log_density stops" = fails("log_density", vi(function(x) stop("the model broke"))),
    "log_density takes no argument" = fails("log_density", vi(function() 1)),
    "log_density for a column that is not there" = fails("log_density", vi(function(x) ld(x[, 2]))),
    "log_density: needs support" = fails(
      "log_density", vi(function(x) dexp(x[, 1], log = TRUE), gradient = function(x) 0 * x - 1)
    ),
    # so few steps that importance weights may warn
    "log_density of integers" = works(
      suppressWarnings(vi(
        function(x) integer(nrow(x)),
        gradient = function(x) 0L * x, support = c(0, 1)
      ))$frame[c("names", "type")],
      vi()$frame[c("names", "type")]
    )
  ))
  expect_inputs(cases)
  expect_snapshot(writeLines(input_messages(cases)))
})

test_that("gradient is the gradient of log_density", {
  cases <- list()
  for (name in setdiff(names(not_numbers()), "null")) {
    cases[[paste0("gradient: ", name)]] <- list(
      argument = "gradient", code = bquote(vi(gradient = bad[[.(name)]]))
    )
  }
  normal <- quote(function(x) -rowSums(x^2) / 2)
  two <- function(gradient) bquote(vi(.(normal), 2, gradient = .(gradient)))
  cases <- c(cases, list(
    "gradient: returns one number" = fails("gradient", vi(gradient = function(x) sum(x))),
    "gradient returns too many columns" = fails("gradient", vi(gradient = function(x) cbind(x, x))),
    "gradient returns text" = fails("gradient", vi(gradient = function(x) format(gr(x)))),
    "gradient returns NULL" = fails("gradient", vi(gradient = function(x) NULL)),
    "gradient returns a list" = fails("gradient", vi(gradient = function(x) list(gr(x)))),
    "gradient returns NaN" = fails("gradient", vi(gradient = function(x) NaN * x)),
    "gradient returns NA" = fails("gradient", vi(gradient = function(x) NA_real_ * x)),
    "gradient returns Inf" = fails("gradient", vi(gradient = function(x) Inf + 0 * x)),
    "gradient has the wrong sign" = fails("gradient", vi(gradient = function(x) -gr(x))),
    "gradient has the wrong size" = fails("gradient", vi(gradient = function(x) 1.1 * gr(x))),
    "gradient is zero" = fails("gradient", vi(gradient = function(x) 0 * x)),
    "gradient stops" = fails("gradient", vi(gradient = function(x) stop("no slope"))),
    "gradient takes no argument" = fails("gradient", vi(gradient = function() 1)),
    "gradient returns the sums of rows" = list(
      argument = "gradient", code = two(quote(function(x) -rowSums(x)))
    ),
    "gradient returns its transpose" = list(
      argument = "gradient", code = two(quote(function(x) -t(x)))
    ),
    "gradient has its columns swapped" = list(
      argument = "gradient", code = two(quote(function(x) -x[, 2:1]))
    ),
    "gradient returns a vector" = works(
      coef(vi(gradient = function(x) (3 - x[, 1]) / 4)), coef(vi())
    ),
    "gradient with names" = works(
      coef(vi(gradient = function(x) {
        value <- gr(x)
        colnames(value) <- "a"
        value
      })), coef(vi())
    )
  ))
  expect_inputs(cases)
  expect_snapshot(writeLines(input_messages(cases)))
})

test_that("the dimension, K and the layers are whole numbers of at least one", {
  cases <- list()
  for (name in names(not_counts())) {
    value <- not_counts()[[name]]
    put <- function(what, argument, code) {
      cases[[paste0(what, ": ", name)]] <<- list(argument = argument, code = code)
    }
    put("d", "d", bquote(vi(d = .(value))))
    put("K", "K", bquote(vi(K = .(value))))
    if (!name %in% c("empty", "two", "matrix")) {
      put("hidden", "hidden", bquote(vi(hidden = .(value))))
    }
    put("steps of update", "steps", bquote(update(direct_vi, steps = .(value))))
  }
  cases <- c(cases, list(
    "d missing" = fails("d", cwmix_vi(ld, K = 2)),
    "K missing" = fails("K", cwmix_vi(ld, 1)),
    "d and K integers" = works(coef(vi(d = 1L, K = 2L)), coef(vi())),
    "K 1" = works(coef(vi(K = 1)), coef(vi(K = 1, hidden = NULL))),
    "hidden empty" = works(
      length(vi(hidden = integer(), control = quick_vi_control())$classifier$weights), 1L
    ),
    "hidden NULL" = works(
      length(vi(hidden = NULL, control = quick_vi_control())$classifier$weights), 0L
    ),
    "hidden auto" = fails("hidden", vi(hidden = "auto"))
  ))
  expect_inputs(cases)
  expect_snapshot(writeLines(input_messages(cases)))
})

test_that("starts are searches, draws or densities of the same shape", {
  cases <- list()
  for (name in names(not_numbers())) {
    cases[[paste0("start: ", name)]] <- list(
      argument = "start", code = bquote(vi(start = bad[[.(name)]]))
    )
  }
  cases <- c(cases, list(
    "start another word" = fails("start", vi(start = "random")),
    "start partly written" = fails("start", vi(start = "sea")),
    "start two words" = fails("start", vi(start = c("search", "wide"))),
    "start a number" = fails("start", vi(start = 1)),
    "start TRUE" = fails("start", vi(start = TRUE)),
    "start as many draws as components" = fails("start", vi(start = c(1, 2))),
    "start draws in other columns" = fails("start", vi(start = m)),
    "start draws with NA" = fails("start", vi(start = c(v, NA))),
    "start draws with Inf" = fails("start", vi(start = c(v, Inf))),
    "start constant draws" = fails("start", vi(start = rep(1, 20))),
    "start draws of text" = fails("start", vi(start = data.frame(a = letters))),
    "start draws outside support" = fails("start", vi(start = v, support = c(0, Inf))),
    "start of another K" = fails("start", vi(K = 3, start = gv)),
    "start of another dimension" = fails("start", vi(start = gm)),
    "start of other covariances" = fails("start", vi(covariance = "full", start = gv)),
    "start of another support" = fails("start", vi(start = bounded)),
    "start another network" = fails("start", vi(hidden = 4, start = direct_vi)),
    "start with another activation" = fails("start", vi(activation = "relu", start = direct_vi)),
    "start a network for constant weights" = fails("start", vi(hidden = NULL, start = direct_vi)),
    "start an R function" = works(nrow(suppressWarnings(vi(start = fn_model))$mean), 2L),
    "start an average" = works(nrow(suppressWarnings(vi(K = 4, start = average))$mean), 4L),
    "start an average of mixtures" = works(
      nrow(suppressWarnings(vi(start = cwmix_average(list(gv))))$mean), 2L
    ),
    "start an average of mixtures, of another K" = fails(
      "start", vi(K = 3, start = cwmix_average(list(gv)))
    ),
    "start a picture" = fails("start", vi(start = picture)),
    "start a control" = fails("start", vi(start = quick_vi)),
    "start integer draws" = works(vi(start = rep(1:9, 7))$frame, vi()$frame),
    "start a data frame" = works(
      suppressWarnings(coef(vi(start = data.frame(a = v)))), suppressWarnings(coef(vi(start = v)))
    )
  ))
  expect_inputs(cases)
  expect_snapshot(writeLines(input_messages(cases)))
})

test_that("choices, names and bounds are those that are documented", {
  cases <- list()
  for (value in list("x", NA, 1, NULL, TRUE, c("full", "diagonal"), character(), list("full"))) {
    name <- paste(deparse(value), collapse = "")
    put <- function(argument, code) {
      cases[[paste0(argument, ": ", name)]] <<- list(argument = argument, code = code)
    }
    put("covariance", bquote(vi(covariance = .(value))))
    put("activation", bquote(vi(activation = .(value))))
  }
  cases <- c(cases, list(
    "names too many" = fails("names", vi(names = c("a", "b"))),
    "names none" = fails("names", vi(names = character())),
    "names a number" = fails("names", vi(names = 1)),
    "names a factor" = fails("names", vi(names = factor("a"))),
    "names a list" = fails("names", vi(names = list("a"))),
    "names NA" = fails("names", vi(names = NA_character_)),
    "names empty" = fails("names", vi(names = "")),
    "names twice" = fails("names", vi(d = 2, names = c("a", "a"))),
    "names a string" = works(colnames(vi(names = "a")$mean), "a"),
    "support reversed" = fails("support", vi(support = c(1, 0))),
    "support with NA" = fails("support", vi(support = c(0, NA))),
    "support text" = fails("support", vi(support = "positive")),
    "support one number" = fails("support", vi(support = 0)),
    "support of more columns" = fails("support", vi(support = list(c(0, 1), c(0, 1)))),
    "support of an unknown column" = fails(
      "support", vi(names = "a", support = list(b = c(0, 1)))
    ),
    "support by name without names" = fails("support", vi(support = list(a = c(0, 1)))),
    "support nowhere" = works(coef(vi(support = c(-Inf, Inf))), coef(vi())),
    "control NULL" = fails("control", vi(control = NULL)),
    "control a list" = fails("control", vi(control = list(steps = 2))),
    "control text" = fails("control", vi(control = "fast")),
    "control a function" = fails("control", vi(control = cwmix_vi_control)),
    "control of the other fits" = fails("control", vi(control = quick)),
    "control of a variational fit for EM" = fails(
      "control", gaussian_mixture(v, K = 2, control = quick_vi)
    ),
    "control of a variational fit for training" = fails("control", net(v, control = quick_vi)),
    "control of a variational fit without K" = fails("control", cwmix(v, control = quick_vi)),
    "control of the other fits for update" = fails(
      "control", update(direct_vi, steps = 2, control = quick)
    ),
    "an argument too many" = fails("...", cwmix_vi(ld, 1, 2, gr, 3)),
    "an unknown argument" = fails("...", vi(size = 3)),
    "a setting beside the control" = fails("control = cwmix_vi_control(steps = )", vi(steps = 3))
  ))
  expect_inputs(cases)
  expect_snapshot(writeLines(input_messages(cases)))
})

test_that("settings are in their range", {
  cases <- list()
  put <- function(argument, name, value) {
    code <- as.call(c(quote(cwmix_vi_control), setNames(list(value), argument)))
    cases[[paste0(argument, ": ", name)]] <<- list(argument = argument, code = code)
  }
  counts <- not_counts()
  for (name in names(counts)) {
    for (argument in c("points", "every", "evaluation", "patience", "draws", "threads")) {
      put(argument, name, counts[[name]])
    }
    if (name != "zero") for (argument in c("steps", "searches")) put(argument, name, counts[[name]])
  }
  numbers <- not_positive()
  for (name in names(numbers)) {
    for (argument in c("learning_rate", "spread")) put(argument, name, numbers[[name]])
    if (name != "zero") put("tolerance", name, numbers[[name]])
    if (name != "infinite") put("gradient_clip", name, numbers[[name]])
    if (name != "null") put("temperature", name, numbers[[name]])
  }
  for (value in list(NA, 1, "yes", NULL, c(TRUE, FALSE), logical(), list(TRUE))) {
    name <- paste(deparse(value), collapse = "")
    for (argument in c("path", "exact", "verbose")) put(argument, name, value)
  }
  put("points", "one", 1)
  put("evaluation", "too few", 15)
  put("draws", "too few", 99)
  put("temperature", "below one", 0.99)
  cases[["an unknown setting"]] <- fails("...", cwmix_vi_control(epochs = 3))
  cases[["a setting without a name"]] <- fails("...", {
    do.call(cwmix_vi_control, c(unclass(cwmix_vi_control()), list(3)))
  })
  expect_inputs(cases)
  expect_snapshot(writeLines(input_messages(cases)))
})

test_that("methods that need data refuse a variational fit", {
  cases <- list(
    "logLik" = fails("object", logLik(direct_vi)),
    "nobs" = fails("object", nobs(direct_vi)),
    "AIC" = fails("object", AIC(direct_vi)),
    "BIC" = fails("object", BIC(direct_vi)),
    "training data to plot" = fails("newdata", plot(direct_vi, what = "residuals")),
    "candidates" = fails("what", plot(direct_vi, what = "candidates")),
    "epochs" = fails("epochs", update(direct_vi, epochs = 3)),
    "a change without a name" = fails("...", update(direct_vi, 3)),
    "newdata missing" = fails("newdata", predict(direct_vi)),
    "an argument of glance" = fails("...", glance(direct_vi, 3))
  )
  expect_inputs(cases)
  expect_snapshot(writeLines(input_messages(cases)))
})
