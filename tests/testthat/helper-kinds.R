# Every kind of density, small and quick, for tests that go over all of them. A new kind is entered
# in make_kinds() and nowhere else.

# The kinds whose names match; made once, as tests change nothing in them.
kinds <- local({
  made <- NULL
  function(like = "") {
    if (is.null(made)) made <<- make_kinds()
    made[grepl(like, names(made))]
  }
})

# A density and points as its users hold them. What else there is says how it differs from others:
# - newdata, a function from a matrix of draws to what predict() takes;
# - outside, a row without density beside those at infinity;
# - gradient, likelihood (logLik() and nobs()), glance, training, candidates (plots): whether it has
#   that or refuses;
# - start, arguments of cwmix() for a fit to its draws that starts from it: for those without normal
#   components any will do;
# - plain: whether saving needs no function and no environment.
kind <- function(object, points, ...) {
  utils::modifyList(list(
    object = object, points = points, columns = NCOL(points), newdata = identity, outside = NULL,
    gradient = TRUE, likelihood = FALSE, glance = FALSE, training = FALSE, candidates = FALSE,
    start = list(hidden = 3), plain = TRUE
  ), list(...))
}

# The same fitted to these points.
fitted_kind <- function(object, points, ...) {
  kind(object, points, likelihood = TRUE, glance = TRUE, training = TRUE, ...)
}

# The same of an R function, which has no gradient.
function_kind <- function(object, points, ..., plain = FALSE) {
  kind(object, points, gradient = FALSE, plain = plain, ...)
}

# A function that is saved without the frame and the file in which it was written.
alone <- function(f) {
  environment(f) <- globalenv()
  utils::removeSource(f)
}

make_kinds <- function() {
  c(normal_kinds(), function_kinds(), flow_kinds(), mapped_kinds(), average_kinds())
}

normal_kinds <- function() {
  control <- quick_control(epochs = 2, starts = 1)
  plane <- make_points(20, 2)
  four <- iris[1:4]
  waiting <- faithful$waiting
  positive <- c(0, Inf)
  box <- list(c(-1, 2), positive)
  from <- function(hidden, covariance = "diagonal", ...) {
    list(hidden = hidden, covariance = covariance, ...)
  }
  list(
    "constant, one column" = kind(vector_model(), c(-1, 0.5, 2, 4), start = from(NULL)),
    "constant" = kind(make_model(2, 3), plane, start = from(NULL)),
    "constant, full, four columns" = fitted_kind(
      fit_mixture(four, 2, covariance = "full"), four,
      start = from(NULL, "full")
    ),
    "one component" = kind(make_model(2, 1, 4, "full"), plane, start = from(4, "full")),
    "linear" = kind(make_model(2, 3, integer(0)), plane, start = from(integer(0))),
    "network, one column" = kind(switching_model(), c(-2, 0.5, 1, 4), start = from(2)),
    "network" = fitted_kind(
      fit_network(faithful, 3, c(8, 5), control = control), faithful,
      start = from(c(8, 5))
    ),
    "network, full" = kind(make_model(2, 3, c(5, 4), "full"), plane, start = from(c(5, 4), "full")),
    "network, four columns" = kind(
      make_model(4, 3, 6, activation = "silu"), make_points(20, 4),
      start = from(6, activation = "silu")
    ),
    "bounded, one column" = fitted_kind(
      fit_network(waiting, 2, 4, support = positive, control = control), waiting,
      start = from(4, support = positive), outside = -1
    ),
    "bounded" = kind(
      as_model(make_parameters(2, 3, 5), support = box), cbind(c(-0.9, 0.1, 1.5), c(0.2, 1, 7)),
      start = from(5, support = box), outside = c(3, 1)
    ),
    # where there is neither a frame nor a name that a saved formula could drag along
    "formula" = fitted_kind(
      with_fixed_seed(
        1, evalq(cwmix::gaussian_mixture(~ log(eruptions) + waiting, faithful, K = 2), globalenv())
      ), faithful,
      newdata = alone(function(x) data.frame(eruptions = exp(x[, 1]), waiting = x[, 2])),
      start = from(NULL), plain = FALSE
    ),
    "variational" = kind(
      fit_vi(bounded_target(), covariance = "full"), matrix(c(1:9, 8:1, 9) / 10, 9, 2),
      start = from(4, "full", support = bounded_target()$support), outside = c(0.5, 1.5),
      glance = TRUE, training = TRUE
    )
  )
}

function_kinds <- function() {
  turning <- alone(function(z) {
    w <- exp(cbind(sin(2 * z[, 1]), tanh(z[, ncol(z)]), 0))
    w / rowSums(w)
  })
  families <- lapply(cdf_models(), `[[`, "model")
  waves <- families[["R function"]]
  inner <- alone(waves$classifier$inner$f)
  waves$classifier$inner$f <- inner
  p <- make_parameters(1, 3, NULL, seed = 3)
  list(
    "R function, one column" = function_kind(as_model(p, classifier = turning), c(-1, 0, 2)),
    "R function" = function_kind(
      as_model(make_parameters(2, 3, covariance = "full"), classifier = turning), make_points(20, 2)
    ),
    "families, network" = kind(families$network, c(0.1, 0.5, 2, 9), outside = -1),
    "families, R function" = function_kind(waves, c(-2, 0.3, 0.6, 3)),
    "families, constant" = kind(families$constant, c(-1, 0.5, 2))
  )
}

mapped <- function(base, ...) new_mapped(list(...), base, base$frame, "cwmix_model")

# A shape with two tops, a level interval and tails of different slopes.
uneven_shape <- function() {
  normalise_shape(list(
    start = -2.5, step = 0.7, log_density = c(-4, -1.5, -1, -1, -2.2, -1.2, -1.5, -3, -6)
  ))
}

shape_knots_of <- function(shape) shape$start + shape$step * (seq_along(shape$log_density) - 1)

mapped_kinds <- function() {
  asinh <- list(kind = "asinh", center = 0.5, scale = 2)
  above <- list(kind = "log", end = -4, sign = 1)
  below <- list(kind = "log", end = 9, sign = -1)
  between <- list(kind = "logit", lower = -3, upper = 4)
  linear <- list(kind = "linear", center = 1, scale = 2)
  scores <- list(kind = "scores", inner = between, shape = c(uneven_shape(), df = 6))
  plane <- pmin(pmax(make_points(20, 2), -2.5), 3.5)
  waiting <- faithful$waiting
  list(
    "mapped" = kind(mapped(make_model(2, 3), asinh, between), plane, outside = c(0, 5)),
    "mapped, full" = kind(
      mapped(make_model(2, 3, c(5, 4), "full"), between, linear), plane,
      outside = c(-4, 0)
    ),
    "mapped, constant" = kind(mapped(make_model(2, 3, NULL), below, asinh), plane),
    "mapped, one column" = kind(mapped(vector_model(), above), c(-1, 0.5, 2, 3), outside = -5),
    "mapped, one column, scores" = kind(
      mapped(switching_model(), scores), c(-2, 0.5, 1, 3.5),
      outside = 4.5
    ),
    "mapped, fitted" = fitted_kind(fit_network(faithful, map = "columns"), faithful),
    "mapped, fitted, one column" = fitted_kind(
      fit_network(waiting, 2, 4, map = "columns", support = c(0, Inf)), waiting,
      outside = -1, start = list(hidden = 3, support = c(0, Inf))
    )
  )
}

flow_kinds <- function() {
  positive <- list(c(0, Inf), NULL)
  own <- function(...) fit_behind_flow(..., shared = FALSE)
  waiting <- faithful$waiting
  four <- as.matrix(iris[1:4])
  list(
    "flow, realnvp" = fitted_kind(fit_small_flow(faithful), faithful),
    "flow, spline" = fitted_kind(fit_small_flow(faithful, "spline", bins = 5), faithful),
    "flow, bounded" = fitted_kind(
      fit_small_flow(faithful, "spline", support = positive), faithful,
      outside = c(-1, 70), start = list(hidden = 3, support = positive)
    ),
    "flow, one column" = fitted_kind(fit_small_flow(waiting, "spline"), waiting),
    "flow, four columns" = fitted_kind(fit_small_flow(four), four),
    "behind a flow, full" = fitted_kind(fit_behind_flow(faithful, covariance = "full"), faithful),
    "behind a flow, constant" = fitted_kind(
      fit_behind_flow(faithful, "realnvp", hidden = NULL), faithful
    ),
    "behind a flow, one column" = fitted_kind(
      fit_behind_flow(waiting, K = 2, support = c(0, Inf)), waiting,
      outside = -1, start = list(hidden = 3, support = c(0, Inf))
    ),
    "behind own flows" = fitted_kind(own(faithful, covariance = "full"), faithful),
    "behind own flows, constant" = fitted_kind(own(faithful, "realnvp", hidden = NULL), faithful),
    "behind own flows, one column" = fitted_kind(
      own(waiting, K = 2, support = c(0, Inf)), waiting,
      outside = -1, start = list(hidden = 3, support = c(0, Inf))
    ),
    "behind own flows, four columns" = fitted_kind(own(four, K = 2), four)
  )
}

average_kinds <- function() {
  plane <- make_points(20, 2)
  turning <- function_kinds()[["R function, one column"]]$object
  asinh <- list(kind = "asinh", center = 0.5, scale = 2)
  between <- list(kind = "logit", lower = -3, upper = 4)
  list(
    "average" = kind(make_average(2, "mixed"), plane),
    "average, one column" = kind(make_average(1), c(-2, 0.1, 1, 3)),
    "average, four columns" = kind(make_average(4, "full"), make_points(20, 4)),
    "average, bounded" = kind(
      make_average(1, "full", support = c(0, 3)), c(0.1, 1, 2.8),
      outside = 4, start = list(hidden = 3, support = c(0, 3))
    ),
    "average of constants" = kind(
      cwmix_average(list(make_model(2, 3), make_model(2, 2, NULL, "full", seed = 2))), plane,
      start = list(hidden = NULL, covariance = "full")
    ),
    "average of an R function" = kind(
      cwmix_average(list(turning, vector_model(), switching_model())), c(-2, 0.1, 1, 3),
      gradient = FALSE, plain = FALSE
    ),
    "average of mapped" = kind(
      cwmix_average(list(
        mapped(make_model(2, 3, NULL), asinh, asinh), make_model(2, 2, NULL, seed = 2),
        mapped(make_model(2, 2, 4, "full", seed = 3), asinh, asinh),
        mapped(make_model(2, 2, NULL, "full", seed = 4), asinh, between)
      ), c(0.2, 0.4, 0.3, 0.1)), plane
    ),
    "average of mapped, one column" = kind(
      cwmix_average(list(
        mapped(make_model(1, 2, NULL), asinh), mapped(make_model(1, 1, NULL), asinh),
        mapped(switching_model(), between), make_model(1, 2, NULL, seed = 2)
      ), c(0.2, 0.3, 0.1, 0.4)), c(-2, 0.1, 1, 3)
    ),
    "average of unlike kinds" = kind(
      cwmix_average(list(
        fit_small_flow(faithful, "spline"), fit_network(faithful, 3, 4),
        fit_behind_flow(faithful, shared = FALSE), fit_mixture(faithful, 2, covariance = "full")
      ), c(0.2, 0.3, 0.1, 0.4)), faithful
    ),
    "average of unlike kinds, one column" = kind(
      cwmix_average(list(
        fit_small_flow(faithful$waiting, "spline"), fit_mixture(faithful$waiting, 2),
        cwmix_model(
          components = list(gamma = list(shape = 40, rate = 0.6), norm = list(mean = 80, sd = 6)),
          classifier = cwmix_classifier(list(matrix(c(2, -1))), list(c(-1, 0.5)))
        )
      ), c(0.2, 0.5, 0.3)), faithful$waiting
    ),
    "stack" = kind(
      ring_fit(60, 6), ring(60),
      likelihood = TRUE, glance = TRUE, candidates = TRUE
    )
  )
}

# The same density with other parameters, a list shaped like its coef().
with_coef <- function(object, coef) {
  if (!is.null(coef$members)) {
    object$members <- Map(with_coef, object$members, coef$members)
    return(object)
  }
  if (!is.null(object$maps)) {
    object$base <- with_coef(object$base, coef)
    return(object)
  }
  if (!is.null(coef$flow)) {
    object$flow[c("weights", "biases")] <- coef$flow
    object$base <- with_coef(object$base, coef[setdiff(names(coef), "flow")])
    return(object)
  }
  if (!is.null(coef$mean)) {
    object$mean[] <- coef$mean
    if (is.null(coef$log_cholesky)) {
      object$sd[] <- exp(coef$log_sd)
    } else {
      object$cholesky <- exp_diagonal(coef$log_cholesky)
    }
    object$classifier[c("weights", "biases")] <- coef[c("weights", "biases")]
  }
  if (!is.null(coef$components)) {
    object$components <- coef$components
    object$classifier$inner[c("weights", "biases")] <- coef[c("weights", "biases")]
  }
  object
}

# Where the arrays of a nested list of parameters are: the positions that lead to each, those that
# hold no number left out.
array_positions <- function(parameters, at = integer()) {
  if (!is.list(parameters)) {
    return(if (length(parameters) > 0) list(at))
  }
  do.call(c, lapply(seq_along(parameters), function(i) {
    array_positions(parameters[[i]], c(at, i))
  }))
}

# A direction of length one in the free parameters of one of these arrays.
direction_in <- function(parameters, at) {
  direction <- parameters[[at]]
  direction[] <- with_fixed_seed(2000 + sum(at), rnorm(length(direction)))
  last <- length(at)
  within <- if (last > 1) parameters[[at[-last]]] else parameters
  if (identical(names(within)[at[last]], "log_cholesky")) {
    direction[rep(upper.tri(direction[, , 1]), times = dim(direction)[3])] <- 0
  }
  direction / sqrt(sum(direction^2))
}

# The gradient has the shape of the coefficients, and in each of its arrays the derivative along a
# random direction is that of finite differences of value(density).
expect_gradient_in_coef <- function(gradient, object, value, tolerance, info) {
  parameters <- coef(object)
  shape <- function(x) rapply(x, function(a) c(length(a), dim(a)), how = "list")
  expect_identical(shape(gradient), shape(parameters), info = info)
  for (at in array_positions(parameters)) {
    direction <- direction_in(parameters, at)
    along <- function(step) {
      parameters[[at]] <- parameters[[at]] + step * direction
      as.double(value(with_coef(object, parameters)))
    }
    expect_close(
      sum(gradient[[at]] * direction), finite_difference(along, 0, h = 1e-4),
      tolerance = tolerance, floor = max(1, abs(gradient[[at]])),
      info = paste0(info, ", array ", toString(at))
    )
  }
}

# A kind's points as a data frame with names of rows.
named_points <- function(kind) {
  x <- as.data.frame(kind$points)
  names(x) <- colnames(kind$points)
  row.names(x) <- paste("row", seq_len(nrow(x)))
  x
}

# Draws as a matrix without attributes.
draws_of <- function(kind, n, seed = 1) {
  x <- simulate(kind$object, n, seed = seed)
  matrix(as.double(unlist(x, use.names = FALSE)), n, kind$columns)
}

# Points with masses that stand for the density, list(x, mass, error): the sum of mass f(x) is the
# integral of f, and error(f(x)) its standard error where points are random. Up to two columns have
# a grid, the quantiles of Cauchy distributions where the draws are, which reach far enough for any
# tail; more columns have draws from a t distribution that is wider than the density.
density_nodes <- function(kind) {
  draws <- draws_of(kind, 2000, seed = 90)
  if (kind$columns <= 2) grid_nodes(kind, draws) else random_nodes(kind, draws)
}

grid_nodes <- function(kind, draws, each = c(40001, 401)[kind$columns]) {
  u <- (seq_len(each) - 0.5) / each
  axis <- qcauchy(u)
  scale <- apply(draws, 2, mad)
  x <- lapply(seq_len(kind$columns), function(j) median(draws[, j]) + scale[j] * axis)
  x <- unname(as.matrix(expand.grid(x)))
  volume <- Reduce(outer, lapply(scale, function(scale) scale / dcauchy(axis) / each))
  density <- predict(kind$object, kind$newdata(x))
  list(x = x, mass = as.vector(volume) * as.vector(density), error = function(values) 0)
}

random_nodes <- function(kind, draws, n = 40000, df = 5) {
  d <- kind$columns
  factor <- 1.2 * chol(var(draws))
  z <- with_fixed_seed(91, matrix(rnorm(n * d), n) / sqrt(rchisq(n, df) / df))
  x <- z %*% factor + rep(colMeans(draws), each = n)
  log_t <- lgamma((df + d) / 2) - lgamma(df / 2) - d / 2 * log(df * pi) -
    (df + d) / 2 * log1p(rowSums(z^2) / df) - sum(log(diag(factor)))
  log_density <- predict(kind$object, kind$newdata(x), log = TRUE)
  mass <- exp(as.vector(log_density) - log_t) / n
  list(x = x, mass = mass, error = function(values) sqrt(n) * sd(mass * values))
}

# Smooth functions, bounded by one, of draws near the center on their scale: n x 6.
ripples <- function(x, center, scale) {
  standard <- (x - rep(center, each = nrow(x))) / rep(scale, each = nrow(x))
  j <- seq_len(ncol(x))
  vapply(1:6, function(m) {
    sin(drop(standard %*% (0.3 * m * cos(m * j) + 0.1)) + m)
  }, double(nrow(x)))
}

# What a kind says of its points: predictions of every type, residuals, draws, gradients. It stands
# alone, for sessions without these helpers.
everything <- function(kind) {
  object <- kind$object
  types <- c("density", "posterior", "class", "weights", "component")
  set.seed(1)
  c(
    suppressWarnings(
      lapply(types, function(type) predict(object, kind$points, type = type)),
      classes = "cwmix_labels"
    ),
    list(
      residuals(object, kind$points), simulate(object, 20, seed = 2, component = TRUE),
      if (kind$gradient) cwmix::log_likelihood(object, kind$points, gradient = TRUE),
      coef(object), if (kind$likelihood) logLik(object), format(object), mean(object, n = 64)
    )
  )
}

# Types of all that hangs off an object, its attributes included.
types_within <- function(x) {
  parts <- c(if (is.list(x)) unclass(x), attributes(x))
  unique(c(typeof(x), unlist(lapply(parts, types_within))))
}
