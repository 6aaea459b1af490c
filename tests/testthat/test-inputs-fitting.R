# Arguments of fits and their settings: see helper-inputs.R for how cases are written.

test_that("counts are whole numbers of at least one", {
  cases <- list()
  for (name in names(not_counts())) {
    value <- not_counts()[[name]]
    put <- function(what, argument, code) {
      cases[[paste0(what, ": ", name)]] <<- list(argument = argument, code = code)
    }
    put("K", "K", bquote(gaussian_mixture(v, K = .(value))))
    put("K of cwmix", "K", bquote(cwmix(v, K = .(value), hidden = 3)))
    # of these two are two candidates
    if (name != "two") put("K of cwmix_select", "K", bquote(cwmix_select(v, K = .(value))))
    # of draws there may be none
    if (name != "zero") {
      put("nsim", "nsim", bquote(simulate(g, .(value))))
      put("nsim of a picture", "nsim", bquote(simulate(picture, .(value))))
      put("n", "n", bquote(rcwmix(.(value), g)))
    }
    put("epochs of update", "epochs", bquote(update(direct, epochs = .(value))))
    put("per_pixel", "per_pixel", bquote(expected_log_density(picture, gm, per_pixel = .(value))))
    # of these two are the widths of two layers, none is a softmax-linear classifier
    if (!name %in% c("empty", "two", "matrix")) {
      put("hidden", "hidden", bquote(net(v, hidden = .(value))))
    }
    for (argument in c("batch_size", "em_iterations", "starts", "folds", "threads")) {
      # several numbers may be labels of folds
      if (argument == "folds" && name == "two") next
      put(argument, argument, as.call(c(quote(cwmix_control), setNames(list(value), argument))))
    }
    if (name != "infinite") put("patience", "patience", bquote(cwmix_control(patience = .(value))))
    if (name != "zero") put("epochs", "epochs", bquote(cwmix_control(epochs = .(value))))
  }
  cases <- c(cases, list(
    "K NULL" = works(nrow(gaussian_mixture(v)$mean), 2L),
    "K integer" = works(coef(fit(v, 2L)), coef(fit(v, 2))),
    "K 1" = works(as.vector(fit(v, 1)$mean), mean(v)),
    "hidden NULL" = works(coef(net(v, hidden = NULL)), coef(fit(v, control = quick))),
    "hidden empty" = works(length(net(v, hidden = integer())$classifier$weights), 1L),
    "hidden with a zero" = fails("hidden", net(v, hidden = c(3, 0))),
    "hidden with NA" = fails("hidden", net(v, hidden = c(3, NA))),
    "hidden empty text" = fails("hidden", net(v, hidden = character())),
    "hidden auto" = works(dim(net(v, hidden = "auto")$classifier$weights[[2]]), c(64L, 64L)),
    "hidden automatic" = fails("hidden", net(v, hidden = "automatic")),
    "hidden automatic without K" = fails("hidden", cwmix(v, hidden = "automatic")),
    "hidden auto twice" = fails("hidden", cwmix(v, hidden = c("auto", "auto"))),
    "hidden zero without K" = fails("hidden", cwmix(v, hidden = 0)),
    "networks 0" = fails("networks", cwmix_control(networks = 0)),
    "networks 1.5" = fails("networks", cwmix_control(networks = 1.5)),
    "networks NULL" = works(cwmix_control(networks = NULL)$networks, NULL),
    "folds 1" = fails("folds", cwmix_control(folds = 1)),
    "folds 2.5" = fails("folds", cwmix_control(folds = 2.5)),
    "folds NULL" = works(cwmix_control(folds = NULL)$folds, NULL),
    "folds more than rows" = works(stack(v[1:10], folds = 100)$folds, 10L),
    "K NULL for nine rows" = fails("K", cwmix(v[1:9])),
    "K NULL for nine rows of positive weight" = fails("K", cwmix(v, weights = rep(1:0, c(9, 51)))),
    "K NULL with start" = works(
      nrow(net(v, K = NULL, hidden = NULL, start = matrix(c(-2, 2)))$mean), 2L
    ),
    "K NULL with validation" = works(nrow(net(v, K = NULL, validation = 0.1)$mean), 2L)
  ))
  expect_inputs(cases)
  expect_snapshot(writeLines(input_messages(cases)))
})

test_that("choices are one of the strings that are documented", {
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
    put("covariance without K", "covariance", bquote(cwmix(v, covariance = .(value))))
    if (!identical(value, c("full", "diagonal"))) {
      put("covariance of cwmix_select", "covariance", bquote(
        cwmix_select(v, K = 2, covariance = .(value))
      ))
    }
    put("activation", "activation", bquote(net(v, activation = .(value))))
    put("activation of a classifier", "activation", bquote(
      cwmix_classifier(list(matrix(1:2)), list(c(0, 0)), .(value))
    ))
    put("type", "type", bquote(predict(g, df, type = .(value))))
    put("schedule", "schedule", bquote(cwmix_control(schedule = .(value))))
    put("precision", "precision", bquote(cwmix_control(precision = .(value))))
    put("precision of predict", "precision", bquote(predict(g, df, precision = .(value))))
    put("optimiser", "optimiser", bquote(cwmix_control(optimiser = .(value))))
  }
  cases <- c(cases, list(
    "covariance partly written" = fails(
      "covariance", gaussian_mixture(v, K = 2, covariance = "diag")
    ),
    "type partly written" = fails("type", predict(g, df, type = "dens"))
  ))
  expect_inputs(cases)
  expect_snapshot(writeLines(input_messages(cases)))
})

test_that("flags are TRUE or FALSE", {
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
    put("exact", "exact", bquote(cwmix_control(exact = .(value))))
    put("lower.tail", "lower.tail", bquote(pcwmix(1, gv, lower.tail = .(value))))
    put("log.p", "log.p", bquote(qcwmix(0.5, gv, log.p = .(value))))
    put("invert", "invert", bquote(image_density(diag(2), invert = .(value))))
  }
  cases[["log of a class"]] <- fails("log", predict(g, df, type = "class", log = TRUE))
  expect_inputs(cases)
  expect_snapshot(writeLines(input_messages(cases)))
})

test_that("numbers are finite and in their range", {
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
    if (name %in% c("zero", "null")) next
    cases[[paste0("validation: ", name)]] <- list(
      argument = "validation", code = bquote(net(v, validation = .(value)))
    )
  }
  cases <- c(cases, list(
    "validation 1" = fails("validation", net(v, validation = 1)),
    "validation leaves too few rows" = fails("K", net(v, validation = 0.99)),
    "validation NULL" = works(length(net(v)$held_rows), length(v) %/% 10L),
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
  expect_inputs(cases)
  expect_snapshot(writeLines(input_messages(cases)))
})

test_that("starts are densities of the same shape or matrices of means", {
  cases <- list(
    "start of another K" = fails("start", fit(v, K = 3, start = gv)),
    "start of another dimension" = fails("start", fit(m, start = gv)),
    "start of other covariances" = fails("start", fit(m, covariance = "full", start = gm)),
    "start of another support" = fails("start", fit(p, start = bounded)),
    "start a network for EM" = fails("start", fit(df, start = n)),
    "start another network" = fails("start", net(df, hidden = 5, start = n)),
    "start with another activation" = fails("start", net(df, activation = "relu", start = n)),
    "start a network for constant weights" = fails("start", net(df, hidden = NULL, start = n)),
    "start an R function" = works(
      fit(v, start = fn_model)$log_likelihood, fit(v)$log_likelihood, 1e-4
    ),
    "start a flow" = works(coef(fit(df, K = 1, start = flow)), coef(fit(df, K = 1)), 1e-6),
    "start a flow of a network" = works(dim(net(df, start = flow)$mean), c(2L, 2L)),
    "start behind a flow" = works(dim(net(df, start = behind)$mean), c(2L, 2L)),
    "start behind the same flow" = works(
      net(df, flow = cwmix_flow("spline", 2, 3, 3), start = behind)$trace$training[1],
      behind$trace$training[behind$best_epoch + 1], 0.05
    ),
    "start an average" = works(nrow(net(v, K = 4, start = average)$mean), 4L),
    "start an average for EM" = works(
      fit(v, start = average)$log_likelihood, fit(v)$log_likelihood, 1e-4
    ),
    "start a flow of another dimension" = fails("start", fit(v, start = flow)),
    "start an average of another support" = fails("start", fit(p, start = cwmix_average(
      list(bounded, bounded)
    ))),
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
  expect_inputs(cases)
  expect_snapshot(writeLines(input_messages(cases)))
})

test_that("flows and their shapes are described by what is documented", {
  cases <- list()
  for (name in names(not_counts())) {
    value <- not_counts()[[name]]
    put <- function(what, argument, code) {
      cases[[paste0(what, ": ", name)]] <<- list(argument = argument, code = code)
    }
    put("layers", "layers", bquote(flow_realnvp(df, layers = .(value), control = quick)))
    put("layers of splines", "layers", bquote(flow_spline(df, .(value), control = quick)))
    put("layers of a mixture's flow", "layers", bquote(cwmix_flow(layers = .(value))))
    put("bins", "bins", bquote(flow_spline(df, bins = .(value), control = quick)))
    put("bins of a mixture's flow", "bins", bquote(cwmix_flow("spline", bins = .(value))))
    if (name %in% c("empty", "two", "matrix")) next
    put("hidden of a flow", "hidden", bquote(flow_realnvp(df, hidden = .(value), control = quick)))
    put("hidden of a mixture's flow", "hidden", bquote(cwmix_flow(hidden = .(value))))
  }
  for (name in names(not_positive())) {
    value <- not_positive()[[name]]
    cases[[paste0("tail_bound: ", name)]] <- list(
      argument = "tail_bound", code = bquote(flow_spline(df, tail_bound = .(value)))
    )
    cases[[paste0("tail_bound of a mixture's flow: ", name)]] <- list(
      argument = "tail_bound", code = bquote(cwmix_flow("spline", tail_bound = .(value)))
    )
  }
  for (value in list("x", NA, 1, NULL, TRUE, c("realnvp", "none"), factor("spline"), list())) {
    name <- paste(deparse(value), collapse = "")
    cases[[paste0("flow: ", name)]] <- list(
      argument = "flow", code = bquote(net(v, flow = .(value)))
    )
    cases[[paste0("kind: ", name)]] <- list(
      argument = "kind", code = bquote(cwmix_flow(.(value)))
    )
    cases[[paste0("activation of a flow: ", name)]] <- list(
      argument = "activation", code = bquote(flow_spline(df, activation = .(value)))
    )
    cases[[paste0("activation of a mixture's flow: ", name)]] <- list(
      argument = "activation", code = bquote(cwmix_flow(activation = .(value)))
    )
  }
  cases <- c(cases, list(
    "hidden NULL of a flow" = fails("hidden", flow_spline(df, hidden = NULL)),
    "hidden NULL of a mixture's flow" = fails("hidden", cwmix_flow(hidden = NULL)),
    "hidden auto of a flow" = fails("hidden", flow_spline(df, hidden = "auto")),
    "hidden too large" = fails("hidden", cwmix_flow(hidden = c(1e5, 1e5))),
    "hidden too many" = fails("hidden", cwmix_flow(hidden = rep(1, 1000))),
    "layers too large" = fails("layers", cwmix_flow(layers = 1e5, hidden = c(100, 100))),
    "bins 1" = fails("bins", cwmix_flow("spline", bins = 1)),
    "bins 501" = fails("bins", cwmix_flow("spline", bins = 501)),
    "bins of Real-NVP" = fails("bins", cwmix_flow("realnvp", bins = 8)),
    "tail_bound of Real-NVP" = fails("tail_bound", cwmix_flow(tail_bound = 3)),
    "bins of flow_realnvp" = fails("bins", flow_realnvp(df, bins = 8)),
    "K of a flow" = fails("K", flow_realnvp(df, K = 2)),
    "epochs of a flow" = fails("epochs", flow_realnvp(df, epochs = 2)),
    "an argument of a mixture's flow" = fails("width", cwmix_flow(width = 3)),
    "map row" = fails("map", net(v, map = "row")),
    "map NA text" = fails("map", net(v, map = NA_character_)),
    "map TRUE" = fails("map", net(v, map = TRUE)),
    "map a flow" = fails("map", net(v, map = cwmix_flow())),
    "map of a mixture by EM" = fails("map", fit(v, map = "columns")),
    "map of nine rows" = fails("map", net(v[1:9], map = "columns")),
    "map without K" = works(net(v, K = NULL, map = "columns")$maps[[1]]$kind, "scores"),
    "map none" = works(coef(net(v, map = "none")), coef(net(v))),
    "map behind a flow" = works(net(v, map = "columns", flow = "spline")$maps[[1]]$kind, "scores"),
    "flow NA text" = fails("flow", net(v, flow = NA_character_)),
    "flow affine" = fails("flow", net(v, flow = "affine")),
    "flow a fit" = fails("flow", net(df, flow = flow)),
    "flow edited by hand" = fails("flow", net(df, flow = replace(cwmix_flow(), "layers", 0))),
    "flow with an unknown field" = fails("flow", net(df, flow = {
      flow <- cwmix_flow()
      flow$width <- 3
      flow
    })),
    "flow without K" = works(nrow(net(v, K = NULL, flow = cwmix_flow(layers = 1))$base$mean), 2L),
    "flow none" = works(coef(net(v, flow = "none")), coef(net(v))),
    "flow edited well" = works(
      net(df, flow = replace(cwmix_flow(), "layers", 2))$flow$layers, 2L
    ),
    "shared NA" = fails("shared", cwmix_flow(shared = NA)),
    "shared a number" = fails("shared", cwmix_flow(shared = 1)),
    "validation of a flow" = fails("validation", flow_realnvp(df, validation = 1)),
    "weights of a flow" = fails("weights", flow_realnvp(df, weights = 1:3)),
    "support of a flow" = fails("support", flow_realnvp(df, support = c(2, 1))),
    "data outside of a flow's support" = fails("x", flow_realnvp(df, support = c(0, 1))),
    "control of a flow" = fails("control", flow_realnvp(df, control = 3)),
    "keep_data of a flow" = fails("keep_data", flow_realnvp(df, keep_data = NA)),
    "x missing" = fails("x", flow_realnvp()),
    "x missing of splines" = fails("x", flow_spline(formula = ~a)),
    "x text" = fails("x", flow_spline("a")),
    "x constant" = fails("x", flow_spline(rep(1, 20))),
    "x collinear" = fails("x", flow_realnvp(unname(cbind(v, 2 * v)))),
    "x one row" = fails("x", flow_realnvp(m[1, , drop = FALSE])),
    "formula with interactions" = fails("x", flow_realnvp(~ a * b, df)),
    "data missing" = fails("data", flow_spline(~ a + b)),
    "data a matrix" = fails("data", flow_spline(~ a + b, m)),
    "hidden empty of a flow" = works(
      dim(coef(flow_realnvp(df, 2, integer(), control = quick))$flow$weights[[1]][[1]]), c(2L, 1L)
    ),
    "newdata of a flow" = fails("newdata", predict(flow, "a")),
    "newdata of residuals of a flow" = fails("newdata", residuals(flow, m[, 1])),
    "nsim of a flow" = fails("nsim", simulate(flow, -1)),
    "pcwmix of a flow in two columns" = fails("object", pcwmix(1, flow)),
    "epochs of a flow's update" = fails("epochs", update(flow, epochs = 0)),
    "a flow in an average" = works(predict(cwmix_average(list(flow)), df), predict(flow, df)),
    "a mixture behind a flow in an average" = works(
      predict(cwmix_average(list(g, behind)), df), (predict(g, df) + predict(behind, df)) / 2
    ),
    "a flow of a variational fit" = works(
      dim(suppressWarnings(vi(
        function(x) -rowSums(x^2) / 2,
        d = 2, K = 1, gradient = function(x) -x, start = flow
      ))$mean), c(1L, 2L)
    )
  ))
  expect_inputs(cases)
  expect_snapshot(writeLines(input_messages(cases)))
})
