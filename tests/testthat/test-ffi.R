# What R gives to C: no object, however made, may be more than an error.

# Every entry point that takes a model, as a function of it: the rest of its arguments fits models
# of 3 columns and 4 components.
model_doors <- function() {
  y <- make_points(5, 3)
  mean <- matrix(0.5, 4, 3)
  scale <- mean + 1
  support <- cbind(rep(-Inf, 3), rep(Inf, 3))
  parameters <- function(model) if (is.list(model)) as.double(model$parameters) else double()
  state <- function(model) first_state(list(parameters = parameters(model)))
  list(
    density = function(model) .Call(ffi_density, model, y, 0L, FALSE, 1L),
    classifier = function(model) .Call(ffi_classifier, model, y, TRUE, 1L),
    gradient = function(model) {
      .Call(ffi_gradient, model, y, NULL, TRUE, all_components, FALSE, 1L)
    },
    flow = function(model) .Call(ffi_flow, model, y, FALSE, 0L, TRUE, 1L),
    pullback = function(model) .Call(ffi_flow_pullback, model, y, y, 0L, 1L),
    expectation = function(model) {
      .Call(ffi_expectation_gradient, model, y, double(20), double(60), 1L)
    },
    draw = function(model) .Call(ffi_draw, model, mean, scale, support, 5L, TRUE, TRUE, 1L),
    residuals = function(model) .Call(ffi_residuals, model, mean, scale, y, double(5), 1L),
    em = function(model) .Call(ffi_em, model, y, NULL, double(3), pool(), 2L, 1e-9, 1L),
    adam = function(model) {
      .Call(
        ffi_adam, model, state(model), 0 * parameters(model), 1e-3, torture_options()
      )
    },
    steps = function(model) {
      .Call(
        ffi_steps, model, state(model), y, NULL, 0:4, 5L, 1e-3, torture_options(), all_components,
        FALSE, 1L
      )
    }
  )
}

# The flow of a model for the doors, and what `change` makes of it.
door_flow <- function(kind, ...) {
  model <- flow_model(make_flow_mixture(make_shape(kind), 3, 4, 5))
  model$flow[...names()] <- list(...)
  model
}

# Neither NA nor out of range nor of another type or length.
not_integers <- function(least, most) {
  list(
    NULL, NA_integer_, NA, least - 1L, if (most < .Machine$integer.max) most + 1L,
    .Machine$integer.max, -.Machine$integer.max, least + 0.5, "a", rep(least, 2), integer(),
    list(least)
  )
}

# By every door, each with a sentence of its own.
expect_all_refused <- function(models) {
  doors <- model_doors()
  knock <- function(door, model) {
    tryCatch(
      {
        door(model)
        "came in"
      },
      error = conditionMessage
    )
  }
  for (i in seq_along(models)) {
    said <- vapply(doors, knock, "", models[[i]])
    open <- said[!startsWith(said, "Internal error: ")]
    expect_identical(open, said[0], info = paste(names(models)[i], i))
  }
}

# A model with each of the values in turn for one of its elements or of its flow's.
with_each <- function(model, name, values, part = NULL) {
  models <- lapply(values, function(value) {
    if (is.null(part)) model[name] <- list(value) else model[[part]][name] <- list(value)
    model
  })
  stats::setNames(models, rep(name, length(models)))
}

test_that("what fits enters by every door", {
  constant <- torture_models()[[1]]
  network <- torture_models()[[4]]
  flows <- list(door_flow("realnvp"), door_flow("spline"))
  for (door in names(model_doors())) {
    models <- switch(door,
      em = list(constant),
      flow = ,
      pullback = flows,
      c(list(constant, network), flows)
    )
    for (model in models) expect_silent(model_doors()[[door]](model))
  }
})

test_that("a model of another make is refused by every door", {
  expect_all_refused(list(list(), NULL, 1, "model", quote(model), unclass))
  for (model in torture_models()[c(1, 4)]) {
    expect_all_refused(c(
      with_each(model, "d", not_integers(1L, 100000000L)),
      with_each(model, "K", not_integers(1L, 100000000L)),
      with_each(model, "full", not_integers(0L, 1L)),
      with_each(model, "activation", not_integers(0L, 2L)),
      with_each(model, "parameters", list(
        NULL, double(), model$parameters[-1], c(model$parameters, 0), as.integer(model$parameters),
        as.list(model$parameters)
      )),
      with_each(model, "widths", list(NULL, c(3, 4), "a", 3L, 4L, NA_integer_))
    ))
  }
})

test_that("layers of no width, of too much and too many are refused by every door", {
  model <- torture_models()[[4]]
  between <- function(...) c(3L, as.integer(c(...)), 4L)
  expect_all_refused(with_each(model, "widths", list(
    c(2L, 5L, 4L), c(3L, 5L, 3L), rev(between(5)), between(0), between(-5), between(NA),
    between(5, 0), between(1e8 + 1), between(2^30, 2^30), between(rep(2^30, 3), 4),
    between(rep(2^31 - 1, 4)), between(1e8, 1e8), between(rep(1e8, 50)), between(rep(1, 1000)),
    between(rep(1, 1e5))
  )))
  for (bad in c(0L, -1L, NA)) {
    model$widths <- between(bad)
    expect_error(.Call(ffi_density, model, make_points(5, 3), 0L, FALSE, 1L), "no width")
  }
  model$widths <- between(50000, 50000)
  expect_error(
    .Call(ffi_density, model, make_points(5, 3), 0L, FALSE, 1L), "2.5e+09 parameters",
    fixed = TRUE
  )
})

test_that("matrices without columns do not hide how wide their layers are", {
  wide <- function(n) matrix(0, n, 0)
  parameters <- list(
    mean = matrix(0, 4, 3), log_sd = matrix(0, 4, 3),
    weights = list(wide(2^30), wide(2^30), wide(4)), biases = list(0, 0, 0)
  )
  model <- engine_model(parameters)
  expect_identical(model$widths, as.integer(c(3, 2^30, 2^30, 4)))
  expect_all_refused(list(model))
})

test_that("a large d or K is an error where its numbers are missing", {
  for (model in torture_models()[1:2]) {
    for (size in c(2^16, 1e8)) {
      large <- replace(model, c("d", "K"), list(as.integer(size), as.integer(size)))
      expect_all_refused(list(large))
      large$K <- 4L
      expect_all_refused(list(large))
    }
  }
})

test_that("a flow of another make is refused by every door", {
  expect_all_refused(with_each(door_flow("realnvp"), "flow", list(list(), 1, "a", list(kind = 1L))))
  for (map in c("realnvp", "spline")) {
    model <- door_flow(map)
    none <- list(8L, 1L, -1L, -1000L, NA, "a", NULL)
    bins <- if (map == "spline") not_integers(2L, 500L) else none
    expect_all_refused(c(
      with_each(model, "kind", list(0L, 3L, -1L, NA, "a", NULL, 1.5, 1:2), "flow"),
      with_each(model, "layers", not_integers(1L, 1000L), "flow"),
      with_each(model, "bins", bins, "flow"),
      with_each(model, "activation", not_integers(0L, 2L), "flow"),
      with_each(model, "fixed", not_integers(0L, 1L), "flow"),
      with_each(model, "bound", list(NULL, NA, NaN, NA_real_, "a", c(4, 4), double()), "flow")
    ))
  }
  model <- door_flow("spline")
  expect_all_refused(with_each(model, "fixed", list(1L), "flow"))
  expect_all_refused(with_each(model, "bound", list(0, -4, Inf, -Inf), "flow"))
  # one kind with the numbers of the other
  expect_all_refused(list(door_flow("realnvp", kind = 2L), door_flow("spline", kind = 1L)))
})

test_that("networks that do not fit their flow are refused by every door", {
  for (map in c("realnvp", "spline")) {
    model <- door_flow(map)
    widths <- model$flow$widths
    hidden <- function(...) {
      all <- rbind(widths[1, ], cbind(c(...), c(...)), widths[nrow(widths), ])
      matrix(as.integer(all), ncol = 2)
    }
    expect_all_refused(with_each(model, "widths", list(
      NULL, as.vector(widths), widths + 0, widths[, 1, drop = FALSE], cbind(widths, widths[, 1]),
      widths[1, , drop = FALSE], widths[, 2:1], replace(widths, 1, 3L), replace(widths, 1, NA),
      replace(widths, nrow(widths), 1L), replace(widths, length(widths), NA), widths[0, ],
      array(widths, c(dim(widths), 1)), hidden(0), hidden(-1), hidden(NA),
      hidden(1e8 + 1), hidden(2^30, 2^30), hidden(rep(1e8, 40)),
      hidden(rep(1, 1000))
    ), "flow"))
  }
})

test_that("points that do not fit their model are an error", {
  model <- torture_models()[[4]]
  y <- make_points(5, 3)
  density <- function(y, quantity = 0L, single = FALSE, threads = 1L) {
    .Call(ffi_density, model, y, quantity, single, threads)
  }
  not_points <- list(
    y[, 1:2], cbind(y, 1), as.vector(y), y > 0, as.data.frame(y), NULL, array(0, c(5, 3, 1))
  )
  for (bad in not_points) {
    expect_error(density(bad), "3 columns")
    expect_error(.Call(ffi_classifier, model, bad, FALSE, 1L), "3 columns")
  }
  for (bad in not_integers(0L, 3L)) expect_error(density(y, bad), "quantity")
  for (bad in not_integers(0L, 1L)) expect_error(density(y, single = bad), "single")
  for (bad in list(NULL, NA, NA_integer_, "a", 1.5, 1:2)) {
    expect_error(density(y, threads = bad), "threads")
  }
  # none at all, and fewer threads than one, are no mistake
  expect_identical(density(y[0, ]), double())
  for (threads in c(0L, -1L, -.Machine$integer.max, .Machine$integer.max)) {
    expect_identical(density(y, threads = threads), density(y))
  }
  residual <- function(u) .Call(ffi_residuals, model, double(12), double(12), y, u, 1L)
  expect_error(residual(double(4)), "doubles")
})

test_that("arguments of a gradient that do not fit are an error", {
  model <- torture_models()[[4]]
  y <- make_points(5, 3)
  gradient <- function(weights = NULL, at_points = TRUE, sampling = all_components) {
    .Call(ffi_gradient, model, y, weights, at_points, sampling, FALSE, 1L)
  }
  for (bad in list(1, double(6), 1:5, "a")) expect_error(gradient(bad), "must be 5 doubles")
  for (bad in not_integers(0L, 1L)) expect_error(gradient(at_points = bad), "at_points")
  for (bad in list(NULL, double(3), list(), list(threshold = 0))) {
    expect_error(gradient(sampling = bad), "no element")
  }
  for (bad in list(-1, NaN, NA, "a", c(0, 0))) {
    expect_error(gradient(sampling = draw_of(bad, 0, 0)), "threshold")
  }
  for (bad in list(0.1, c(-1, 0), c(1, 0), c(0, 1), c(NaN, 0), 0:1)) {
    expect_error(gradient(sampling = list(threshold = 0.1, seed = bad)), "seed")
  }
  back <- function(z = y, log_weight = double(20), node = NULL) {
    .Call(ffi_expectation_gradient, model, z, log_weight, node, 1L)
  }
  expect_error(back(y[, 1:2]), "3 columns")
  expect_error(back(log_weight = double(19)), "doubles")
  expect_error(back(log_weight = NULL), "doubles")
  expect_error(back(node = double(59)), "doubles")
  pulled <- function(dy) .Call(ffi_flow_pullback, door_flow("spline"), y, dy, 0L, 1L)
  expect_error(pulled(double(14)), "doubles")
  expect_error(pulled(NULL), "doubles")
})

test_that("means, scales and bounds that do not fit are an error", {
  model <- torture_models()[[4]]
  y <- make_points(5, 3)
  nodes <- function(mean, scale, z = y) .Call(ffi_nodes, mean, scale, z)
  expect_error(nodes(matrix(0, 4, 3), matrix(0, 4, 2)), "doubles")
  expect_error(nodes(matrix(0, 4, 2), matrix(0, 4, 3)), "doubles")
  expect_error(nodes(matrix(0, 4, 3), matrix(0, 4, 3), y > 0), "doubles")
  expect_error(nodes(NULL, matrix(0, 4, 3)), "doubles")
  draw <- function(mean = double(12), scale = mean, support = double(6), n = 5L, keep = TRUE,
                   ahead = TRUE) {
    .Call(ffi_draw, model, mean, scale, support, n, keep, ahead, 1L)
  }
  bad_scales <- list(
    double(36), array(0, c(3, 3, 3)), array(0, c(3, 4, 1)), array(0L, c(3, 3, 4)), NULL, "a"
  )
  for (bad in list(double(11), double(13), integer(12), NULL)) {
    expect_error(draw(bad, double(12)), "doubles")
    expect_error(.Call(ffi_residuals, model, bad, double(12), y, double(5), 1L), "doubles")
  }
  for (bad in bad_scales) {
    expect_error(draw(scale = bad), "doubles")
    expect_error(.Call(ffi_residuals, model, double(12), bad, y, double(5), 1L), "doubles")
  }
  for (bad in list(double(5), double(7), integer(6), NULL)) {
    expect_error(draw(support = bad), "doubles")
    expect_error(.Call(ffi_inside, y, bad), "doubles")
  }
  expect_error(.Call(ffi_inside, y > 0, double(6)), "doubles")
  for (bad in not_integers(0L, 1L)) {
    expect_error(draw(keep = bad), "keep")
    expect_error(draw(ahead = bad), "ahead")
  }
  for (bad in list(0L, -1L, NA, NULL, 5)) expect_error(draw(n = bad), "`n` must be")
  for (bad in list(-1L, NA, NULL, 5)) {
    expect_error(.Call(ffi_base_draws, bad, 2L), "`n` must be")
    expect_error(.Call(ffi_base_draws, 2L, bad), "`d` must be")
  }
  most <- .Machine$integer.max
  expect_error(.Call(ffi_base_draws, most, most))
})

test_that("arguments of a step of Adam that do not fit are an error", {
  model <- torture_models()[[4]]
  y <- make_points(5, 3)
  steps <- function(state = first_state(model), rows = 0:4, batch = 5L, rates = 1e-3,
                    options = torture_options()) {
    .Call(
      ffi_steps, model, state, y, NULL, rows, batch, rates, options, all_components, FALSE, 1L
    )
  }
  state <- first_state(model)
  for (field in names(state)) {
    for (bad in list(NULL, double(), double(2), 0L, "a")) {
      expect_error(steps(replace(state, field, list(bad))), "Internal error", info = field)
    }
  }
  for (bad in list(0:5, c(-1L, 0L), NA_integer_, .Machine$integer.max)) {
    expect_error(steps(rows = bad), "no such row")
  }
  for (bad in list(integer(), NULL, c(0, 1), "a")) expect_error(steps(rows = bad), "fewer rows")
  expect_error(steps(batch = 5L, rates = c(1, 1)), "fewer rows")
  expect_error(steps(batch = .Machine$integer.max, rates = double(3)), "fewer rows")
  expect_error(steps(rates = double()), "fewer rows")
  expect_error(steps(rates = 1L), "doubles")
  for (bad in not_integers(1L, .Machine$integer.max)[-6]) expect_error(steps(batch = bad), "batch")
  adam <- function(gradient = state$first, rate = 1e-3, options = torture_options()) {
    .Call(ffi_adam, model, state, gradient, rate, options)
  }
  expect_error(adam(gradient = 1), "doubles")
  for (bad in list(NULL, double(2), NaN, "a")) expect_error(adam(rate = bad), "`rate` must be")
  for (call in list(steps, adam)) {
    for (field in names(torture_options())) {
      for (bad in list(NULL, double(), double(2), "a", NaN)) {
        if (field == "log_floor" && identical(bad, NaN)) next
        options <- replace(torture_options(), field, list(bad))
        expect_error(call(options = options), field, info = field)
      }
    }
    expect_error(call(options = c(0.9, 0.999, 1e-8, 0, 1, 20)), "no element")
  }
})

test_that("arguments of EM that do not fit are an error", {
  model <- torture_models()[[1]]
  y <- make_points(5, 3)
  em <- function(floor = double(3), pooling = pool(), iterations = 1L, tolerance = 1e-9,
                 weights = NULL) {
    .Call(ffi_em, model, y, weights, floor, pooling, iterations, tolerance, 1L)
  }
  for (bad in list(0, double(4), integer(3), NULL)) expect_error(em(floor = bad), "doubles")
  for (bad in list(-5L, NA, NULL, 1.5, "a")) expect_error(em(iterations = bad), "iterations")
  for (bad in list(NULL, NaN, double(2), "a")) expect_error(em(tolerance = bad), "tolerance")
  for (bad in list(double(4), 1:5)) expect_error(em(weights = bad), "must be 5 doubles")
  for (bad in list(NULL, c(0, 0), list(rows = 0), "a")) {
    expect_error(em(pooling = bad), "no element")
  }
  for (bad in list(-1, NaN, NA, -Inf, "a", c(0, 0))) expect_error(em(pooling = pool(bad)), "`rows`")
  for (bad in list(NA, 2L, -1L, "a")) expect_error(em(pooling = pool(0, bad)), "spherical")
  # no network, no flow
  for (other in list(torture_models()[[4]], door_flow("realnvp"))) {
    expect_error(
      .Call(ffi_em, other, y, NULL, double(3), pool(), 1L, 1e-9, 1L), "not a Gaussian mixture"
    )
  }
})

test_that("functions and products of a wrong kind are an error", {
  expect_error(.Call(ffi_math, "sin", 1, FALSE), "no such function")
  for (bad in list(NULL, 1, c("exp", "log"))) expect_error(.Call(ffi_math, bad, 1, FALSE), "string")
  for (bad in list(NULL, 1L, "a")) expect_error(.Call(ffi_math, "exp", bad, FALSE), "doubles")
  expect_identical(.Call(ffi_math, "exp", double(), FALSE), double())
  for (bad in list(NULL, 1, letters)) expect_error(.Call(ffi_use_instance, bad), "string")
  none <- function(n, m) matrix(0, n, m)
  expect_error(.Call(ffi_product, none(0, 3), double(), none(3, 4), none(0, 4), FALSE), "empty")
  expect_error(.Call(ffi_product, none(2, 0), double(2), none(0, 4), none(2, 4), FALSE), "empty")
  expect_error(.Call(ffi_product, none(2, 3), double(2), none(3, 0), none(2, 0), FALSE), "empty")
})

test_that("log-linear densities that are none are refused", {
  shape <- list(start = 0, step = 1, log_density = c(-2, -1, -2))
  before <- double(4)
  refused <- function(shape, before, t = 0.5) {
    expect_error(.Call(ffi_log_linear, shape, before, t), "Internal error")
    expect_error(.Call(ffi_log_linear_quantile, shape, before, t), "Internal error")
  }
  refused(shape[-1], before)
  refused(replace(shape, "step", 0), before)
  refused(replace(shape, "log_density", list(c(1, 2))), double(3))
  refused(shape, double(3))
  refused(shape, before, 1L)
  # what has no place is no number, or lies in a tail
  expect_identical(.Call(ffi_log_linear_quantile, shape, masses_below(shape), NaN), NaN)
  expect_identical(.Call(ffi_log_linear, shape, before, NaN)$log_below, NaN)
  at <- .Call(ffi_log_linear, shape, before, c(NaN, -Inf, Inf))
  expect_identical(at$log_density, c(NaN, -Inf, -Inf))
})
