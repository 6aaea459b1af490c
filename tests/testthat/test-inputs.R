# The table of inputs: every call either gives the answer of a reference or exactly one condition
# of class "cwmix_input_error" that names the argument. Cases are written
#   fails("argument", call)   and   works(call, reference)
# and are evaluated with the objects of input_objects() in reach.
fails <- function(argument, code) {
  list(argument = argument, code = substitute(code))
}

works <- function(code, reference = NULL, tolerance = 1e-8) {
  list(code = substitute(code), reference = substitute(reference), tolerance = tolerance)
}

input_objects <- function() {
  with_fixed_seed(1, {
    o <- new.env(parent = environment(input_objects))
    o$bad <- not_numbers()
    o$v <- as.vector(simulate(cwmix_model(c(-2, 2), sd = c(1, 1), classifier = c(0.4, 0.6)), 60))
    o$p <- rexp(60)
    o$m <- matrix(rnorm(120), 60) + rep(c(0, 5), each = 30)
    o$df <- data.frame(a = o$m[, 1], b = o$m[, 2])
    o$quick <- cwmix_control(epochs = 1, starts = 1)
    o$fit <- function(x, K = 2, ...) with_fixed_seed(1, gaussian_mixture(x, K = K, ...))
    o$net <- function(x, K = 2, hidden = 3, ..., control = o$quick) {
      with_fixed_seed(1, cwmix(x, K = K, hidden = hidden, ..., control = control))
    }
    o$density <- function(fit, x) predict(fit, x, log = TRUE)
    o$g <- o$fit(o$df)
    o$gv <- o$fit(o$v)
    o$gm <- o$fit(o$m)
    o$n <- o$net(o$df)
    # fits whose calls name data that can be found from where cases are evaluated
    o$direct <- eval(quote(cwmix(df, K = 2, hidden = 3, control = quick)), o)
    o$direct_mixture <- eval(quote(gaussian_mixture(df, K = 2)), o)
    o$bounded <- o$fit(o$p, support = c(0, Inf))
    o$formula <- with_fixed_seed(1, gaussian_mixture(~ exp(a) + b, o$df, K = 2))
    o$model <- cwmix_model(c(-1, 1), sd = c(1, 2), classifier = c(0.3, 0.7))
    o$classifier <- cwmix_classifier(list(matrix(c(2, -2))), list(c(0, 0)))
    o$model_of <- function(f) cwmix_model(c(-1, 1), sd = c(1, 2), classifier = f)
    o$fn_model <- o$model_of(function(z) cbind(plogis(z), plogis(-z)))
    o$picture <- image_density(diag(3))
    o
  })
}

# What is not data, whatever the argument is called.
not_numbers <- function() {
  list(
    null = NULL, text = "a", texts = letters, factor = factor(1:3), date = as.Date("2020-01-01"),
    time = as.POSIXct("2020-01-01", tz = "UTC"), span = as.difftime(1:3, units = "secs"),
    complex = 1:3 + 0i, list = list(1, 2), `function` = mean, environment = globalenv(),
    symbol = quote(a), language = quote(a + b), raw = raw(3), array = array(1, c(2, 2, 2)),
    logical = c(TRUE, FALSE), na_logical = NA, formula_text = "~ a", model = lm(dist ~ speed, cars),
    ordered = ordered(1:3), text_matrix = matrix("a", 2, 2), logical_matrix = matrix(TRUE, 2, 2)
  )
}

x_cases <- function() {
  cases <- list()
  for (name in names(not_numbers())) {
    cases[[paste("x:", name)]] <- list(
      argument = "x", code = bquote(gaussian_mixture(bad[[.(name)]], K = 2))
    )
    cases[[paste("x of cwmix:", name)]] <- list(
      argument = "x", code = bquote(cwmix(bad[[.(name)]], K = 2))
    )
  }
  c(cases, list(
    "x missing" = fails("x", gaussian_mixture(K = 2)),
    "x of cwmix missing" = fails("x", cwmix()),
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
}

formula_cases <- function() {
  list(
    "formula works" = works(
      unname(coef(fit(df))$mean),
      unname(coef(with_fixed_seed(1, gaussian_mixture(~ a + b, df, K = 2)))$mean)
    ),
    "formula with a response" = fails("x", gaussian_mixture(a ~ b, df, K = 2)),
    "formula of no column" = fails("data", gaussian_mixture(~1, df, K = 2)),
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
}

# Values that are not a count of at least one.
not_counts <- function() {
  list(
    zero = 0, negative = -1, fraction = 1.5, na = NA, na_real = NA_real_, nan = NaN, infinite = Inf,
    text = "3", two = c(1, 2), list = list(2), flag = TRUE, factor = factor(2), complex = 2 + 0i,
    matrix = matrix(2), `function` = mean, empty = integer(), large = 1e10
  )
}

count_cases <- function() {
  cases <- list()
  for (name in names(not_counts())) {
    value <- not_counts()[[name]]
    put <- function(what, argument, code) {
      cases[[paste0(what, ": ", name)]] <<- list(argument = argument, code = code)
    }
    put("K", "K", bquote(gaussian_mixture(v, K = .(value))))
    put("K of cwmix", "K", bquote(cwmix(v, K = .(value), hidden = 3)))
    put("nsim", "nsim", bquote(simulate(g, .(value))))
    put("nsim of a picture", "nsim", bquote(simulate(picture, .(value))))
    put("n", "n", bquote(rcwmix(.(value), g)))
    put("epochs of update", "epochs", bquote(update(direct, epochs = .(value))))
    put("per_pixel", "per_pixel", bquote(expected_log_density(picture, gm, per_pixel = .(value))))
    # of these two are the widths of two layers, none is a softmax-linear classifier
    if (!name %in% c("empty", "two", "matrix")) {
      put("hidden", "hidden", bquote(net(v, hidden = .(value))))
    }
    for (argument in c("batch_size", "em_iterations", "starts", "threads")) {
      put(argument, argument, as.call(c(quote(cwmix_control), setNames(list(value), argument))))
    }
    if (name != "infinite") put("patience", "patience", bquote(cwmix_control(patience = .(value))))
    if (name != "zero") put("epochs", "epochs", bquote(cwmix_control(epochs = .(value))))
  }
  c(cases, list(
    "K NULL" = works(nrow(gaussian_mixture(v)$mean), 2L),
    "K integer" = works(coef(fit(v, 2L)), coef(fit(v, 2))),
    "K 1" = works(as.vector(fit(v, 1)$mean), mean(v)),
    "hidden NULL" = works(coef(net(v, hidden = NULL)), coef(fit(v, control = quick))),
    "hidden empty" = works(length(net(v, hidden = integer())$classifier$weights), 1L),
    "hidden with a zero" = fails("hidden", net(v, hidden = c(3, 0))),
    "hidden with NA" = fails("hidden", net(v, hidden = c(3, NA))),
    "hidden empty text" = fails("hidden", net(v, hidden = character()))
  ))
}

choice_cases <- function() {
  cases <- list()
  for (value in list(
    "x", NA, 1, NULL, TRUE, c("full", "diagonal"), character(), factor("full"), list("full")
  )) {
    name <- paste(deparse(value), collapse = "")
    put <- function(what, argument, code) {
      cases[[paste0(what, ": ", name)]] <<- list(argument = argument, code = code)
    }
    put("covariance", "covariance", bquote(gaussian_mixture(v, K = 2, covariance = .(value))))
    put("covariance of cwmix", "covariance", bquote(net(v, covariance = .(value))))
    put("activation", "activation", bquote(net(v, activation = .(value))))
    put("activation of a classifier", "activation", bquote(
      cwmix_classifier(list(matrix(1:2)), list(c(0, 0)), .(value))
    ))
    put("type", "type", bquote(predict(g, df, type = .(value))))
    put("schedule", "schedule", bquote(cwmix_control(schedule = .(value))))
    put("precision", "precision", bquote(cwmix_control(precision = .(value))))
    put("optimiser", "optimiser", bquote(cwmix_control(optimiser = .(value))))
  }
  c(cases, list(
    "covariance partly written" = fails(
      "covariance", gaussian_mixture(v, K = 2, covariance = "diag")
    ),
    "type partly written" = fails("type", predict(g, df, type = "dens"))
  ))
}

flag_cases <- function() {
  cases <- list()
  for (value in list(NA, 1, "yes", NULL, c(TRUE, FALSE), logical(), list(TRUE))) {
    name <- paste(deparse(value), collapse = "")
    put <- function(what, argument, code) {
      cases[[paste0(what, ": ", name)]] <<- list(argument = argument, code = code)
    }
    put("keep_data", "keep_data", bquote(gaussian_mixture(v, K = 2, keep_data = .(value))))
    put("keep_data of cwmix", "keep_data", bquote(net(v, keep_data = .(value))))
    put("log", "log", bquote(predict(g, df, log = .(value))))
    put("log of dcwmix", "log", bquote(dcwmix(df, g, log = .(value))))
    put("log of a classifier", "log", bquote(predict(classifier, 1, log = .(value))))
    put("gradient", "gradient", bquote(log_likelihood(g, df, gradient = .(value))))
    put("component", "component", bquote(simulate(g, 2, component = .(value))))
    put("verbose", "verbose", bquote(cwmix_control(verbose = .(value))))
    put("lower.tail", "lower.tail", bquote(pcwmix(1, gv, lower.tail = .(value))))
    put("log.p", "log.p", bquote(qcwmix(0.5, gv, log.p = .(value))))
    put("invert", "invert", bquote(image_density(diag(2), invert = .(value))))
  }
  c(cases, list("log of a class" = fails("log", predict(g, df, type = "class", log = TRUE))))
}

# Values that are not a finite positive number.
not_positive <- function() {
  list(
    zero = 0, negative = -1, na = NA, nan = NaN, infinite = Inf, text = "a", two = c(1, 2),
    null = NULL, flag = TRUE, list = list(1), date = as.Date("2020-01-01")
  )
}

number_cases <- function() {
  cases <- list()
  for (name in names(not_positive())) {
    value <- not_positive()[[name]]
    for (argument in c(
      "learning_rate", "em_tolerance", "gradient_clip", "weight_decay", "sd_floor"
    )) {
      allowed <- c(
        if (argument == "gradient_clip") "infinite",
        if (argument == "weight_decay") c("zero", "null"),
        if (argument == "sd_floor") "zero"
      )
      if (name %in% allowed) next
      call <- as.call(list(quote(cwmix_control), value))
      names(call) <- c("", argument)
      cases[[paste0(argument, ": ", name)]] <- list(argument = argument, code = call)
    }
    if (name == "zero") next
    cases[[paste0("validation: ", name)]] <- list(
      argument = "validation", code = bquote(net(v, validation = .(value)))
    )
  }
  c(cases, list(
    "validation 1" = fails("validation", net(v, validation = 1)),
    "validation leaves too few rows" = fails("K", net(v, validation = 0.99)),
    "validation too small for a row" = works(length(net(v, validation = 0.01)$held_rows), 0L),
    "control NULL" = fails("control", gaussian_mixture(v, K = 2, control = NULL)),
    "control a list" = fails("control", gaussian_mixture(v, K = 2, control = list(starts = 2))),
    "control text" = fails("control", net(v, control = "fast")),
    "control a function" = fails("control", net(v, control = cwmix_control)),
    "option of threads" = fails("cwmix.threads", {
      old <- options(cwmix.threads = "many")
      on.exit(options(old))
      cwmix_info()
    })
  ))
}

weight_cases <- function() {
  list(
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
}

support_cases <- function() {
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
  c(cases, list(
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
}

start_cases <- function() {
  list(
    "start of another K" = fails("start", fit(v, K = 3, start = gv)),
    "start of another dimension" = fails("start", fit(m, start = gv)),
    "start of other covariances" = fails("start", fit(m, covariance = "full", start = gm)),
    "start of another support" = fails("start", fit(p, start = bounded)),
    "start a network for EM" = fails("start", fit(df, start = n)),
    "start another network" = fails("start", net(df, hidden = 5, start = n)),
    "start a network for constant weights" = fails("start", net(df, hidden = NULL, start = n)),
    "start an R function" = fails("start", fit(v, start = fn_model)),
    "start a vector" = fails("start", fit(v, start = c(1, 2))),
    "start a matrix of the wrong shape" = fails("start", fit(m, start = matrix(1, 2, 3))),
    "start a matrix with NA" = fails("start", fit(v, start = matrix(c(1, NA)))),
    "start a text matrix" = fails("start", fit(v, start = matrix(c("a", "b")))),
    "start text" = fails("start", net(v, start = "kmeans")),
    "start a data frame" = fails("start", fit(v, start = data.frame(a = 1:2))),
    "start TRUE" = fails("start", fit(v, start = TRUE)),
    "start integer means" = works(
      coef(fit(v, start = matrix(c(-2L, 2L)))), coef(fit(v, start = matrix(c(-2, 2))))
    )
  )
}

newdata_cases <- function() {
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
    put("x of dcwmix", "x", bquote(dcwmix(bad[[.(name)]], gv)))
    put("q", "q", bquote(pcwmix(bad[[.(name)]], gv)))
    put("p", "p", bquote(qcwmix(bad[[.(name)]], gv)))
    put("data of augment", "data", bquote(augment(g, bad[[.(name)]])))
  }
  c(cases, list(
    "newdata missing" = fails("newdata", predict(g)),
    "newdata missing for residuals" = fails("newdata", residuals(g)),
    "newdata missing for log_likelihood" = fails("newdata", log_likelihood(g)),
    "newdata missing for a classifier" = fails("newdata", predict(classifier)),
    "newdata missing for a picture" = fails("newdata", predict(picture)),
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
}

object_cases <- function() {
  list(
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
    "object of entropy" = fails("object", entropy(g)),
    "object of expected_log_density" = fails("object", expected_log_density(g, g)),
    "density of expected_log_density" = fails("density", expected_log_density(picture, 1)),
    "density in one column" = fails("density", expected_log_density(picture, gv)),
    "a specified model has no logLik" = fails("object", logLik(model)),
    "a specified model has no nobs" = fails("object", nobs(model)),
    "a specified model has no AIC" = fails("object", AIC(model)),
    "a specified model has no glance" = fails("x", glance(model)),
    "a specified model has no update" = fails("object", update(model, K = 3)),
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
}

misspelt_cases <- function() {
  list(
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
    "tidy" = fails("conf", tidy(g, conf = 1)),
    "glance" = fails("conf", glance(g, conf = 1)),
    "augment" = fails("newdata", augment(g, df, newdata = df)),
    "summary" = fails("digits", summary(g, digits = 3)),
    "entropy" = fails("base", entropy(picture, base = 2)),
    "print" = fails("digits", print(g, digits = 3)),
    "print of a classifier" = fails("digits", print(classifier, digits = 3)),
    "print of settings" = fails("digits", print(quick, digits = 3)),
    "print of information" = fails("digits", print(cwmix_info(), digits = 3))
  )
}

model_cases <- function() {
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
  c(cases, list(
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
}

input_cases <- function() {
  c(
    x_cases(), formula_cases(), count_cases(), choice_cases(), flag_cases(), number_cases(),
    weight_cases(), support_cases(), start_cases(), newdata_cases(), object_cases(),
    misspelt_cases(), model_cases()
  )
}

# Evaluates a case: list(value, conditions).
observe <- function(case, objects) {
  conditions <- list()
  note <- function(condition) conditions[[length(conditions) + 1]] <<- condition
  value <- tryCatch(
    withCallingHandlers(
      eval(case$code, new.env(parent = objects)),
      warning = function(w) {
        note(w)
        invokeRestart("muffleWarning")
      },
      message = function(m) {
        note(m)
        invokeRestart("muffleMessage")
      }
    ),
    error = function(e) {
      note(e)
      NULL
    }
  )
  list(value = value, conditions = conditions)
}

# What is wrong with how a case that should fail does so, or NULL.
find_fault <- function(case, seen) {
  if (length(seen$conditions) == 0) {
    return("nothing was signalled")
  }
  condition <- seen$conditions[[1]]
  said <- sprintf("%s: %s", class(condition)[1], conditionMessage(condition))
  if (length(seen$conditions) > 1) {
    return(sprintf("%d conditions were signalled, first %s", length(seen$conditions), said))
  }
  if (!inherits(condition, "cwmix_input_error")) {
    return(said)
  }
  named <- case$argument == "..." ||
    grepl(paste0("`", case$argument, "`"), conditionMessage(condition), fixed = TRUE)
  if (!named) {
    return(sprintf("`%s` is not named in %s", case$argument, said))
  }
  if (!grepl("\\.$", conditionMessage(condition))) {
    return(sprintf("not a sentence: %s", said))
  }
  # the call is what the user wrote: a function of the package, not one inside it
  call <- conditionCall(condition)
  inside <- c("stop_input", "check_dots_empty", "structure", "tryCatch", "FUN")
  if (case$argument != "cwmix.threads" && (is.null(call) || deparse(call[[1]])[1] %in% inside)) {
    return(sprintf("the call of the condition is %s", deparse(call)[1]))
  }
  NULL
}

test_that("bad inputs give exactly one classed error that names the argument", {
  objects <- input_objects()
  cases <- Filter(function(case) !is.null(case$argument), input_cases())
  for (name in names(cases)) {
    fault <- find_fault(cases[[name]], observe(cases[[name]], objects))
    expect(is.null(fault), paste0(name, ": ", fault))
  }
})

test_that("unusual but good inputs work, to the same accuracy and in silence", {
  objects <- input_objects()
  cases <- Filter(function(case) is.null(case$argument), input_cases())
  for (name in names(cases)) {
    case <- cases[[name]]
    seen <- observe(case, objects)
    said <- vapply(seen$conditions, conditionMessage, "")
    expect(length(said) == 0, paste0(name, ": ", toString(said)))
    if (length(said) > 0) next
    expect_equal(
      seen$value, eval(case$reference, new.env(parent = objects)),
      tolerance = case$tolerance, label = name, ignore_attr = c("dimnames", "names")
    )
  }
})

test_that("names in the table are distinct", {
  expect_identical(names(input_cases())[duplicated(names(input_cases()))], character())
})

test_that("messages say what is needed and what was given", {
  objects <- input_objects()
  cases <- Filter(function(case) !is.null(case$argument), input_cases())
  # one of each kind: the systematic part of the table repeats itself
  cases <- cases[!grepl(": (?!null|texts|two|fraction|text$)", names(cases), perl = TRUE)]
  messages <- vapply(cases, function(case) {
    seen <- observe(case, objects)$conditions
    paste(vapply(seen, conditionMessage, ""), collapse = " / ")
  }, "")
  expect_snapshot(writeLines(paste0(names(messages), "\n  ", messages)))
})
