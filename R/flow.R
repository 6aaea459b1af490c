# Normalising flows as densities of their own, by maximum likelihood.

#' Normalising flows
#'
#' A flow is an invertible map F under which the data become standard normal: the density is
#' p(x) = N(F(x); 0, I) |det dF/dx|. F standardises the columns and then is a chain of coupling
#' layers (see [cwmix_map()]), affine in `flow_realnvp()`, monotone rational-quadratic splines in
#' `flow_spline()`. The layers' networks are trained by gradient ascent on the mean log density, as
#' those of [cwmix()], from layers that are the identity.
#'
#' In one column the layers of `flow_realnvp()` are together one affine map, and the density is a
#' normal one, with 2 degrees of freedom: use `flow_spline()` there.
#'
#' A flow bends one normal distribution into that of the data. Where the data fall into
#' clusters, `cwmix(map = )`, which puts a mixture behind a flow, has less to bend.
#'
#' @inheritParams cwmix
#' @inheritParams cwmix_map
#' @param hidden An integer vector, the widths of the hidden layers of each layer's network, which
#'   gives all parameters of its transforms; `integer(0)` for linear ones.
#' @param validation A number from 0 to below 1, the share of rows set aside (rounded down); `NULL`
#'   for a tenth of the rows, at most 5,000. With no such row there is no early stopping, and the
#'   last epoch is returned.
#' @param control A [cwmix_control()]. What it says of EM, components and folds plays no role:
#'   `em_iterations`, `em_tolerance`, `starts`, `sd_floor`, `folds` and `exact`, which only changes
#'   the random numbers that are used.
#' @return An object of class `c("flow", "cwmix_density")`, a plain list with the fields
#'   - `flow`, a list: `map`, `layers`, `hidden`, `bins`, `tail_bound`, `activation` as given;
#'     `fixed`, `TRUE` as N(0, I) is not fitted; `center` and `scale`, the means and standard
#'     deviations of the columns (of their logs or logits in bounded columns) by which F
#'     standardises; `weights` and `biases`, lists with an element a coupling layer, which is a list
#'     of the (out, in) matrices, or of the vectors, of its network's layers;
#'   - `mean`, `sd` and `classifier`, of N(0, I) as a mixture of one component;
#'   - `log_likelihood`, `df`, `nobs`, `trace`, `best_epoch`, `stopped`, `held_rows`, `proportions`,
#'     `at_floor`, `support`, `columns`, `control`, `call`, `fingerprint`, `data` and `optimiser`,
#'     as in a [cwmix()] fit with `K`.
#'
#'   It has all methods of a density, but [cwmix_average()] does not take it, and no fit starts from
#'   it. In one column F increases: [pcwmix()] is the normal distribution function at F(x),
#'   [qcwmix()] its inverse, both exact.
#' @section Errors and warnings: As for [cwmix()].
#' @references Dinh, Sohl-Dickstein and Bengio (2017), Density estimation using Real NVP, ICLR.
#'   Durkan, Bekasov, Murray and Papamakarios (2019), Neural spline flows, NeurIPS 32.
#' @seealso [cwmix_map()] for flows as maps of a mixture, [compare()].
#' @examples
#' set.seed(1)
#' quick <- cwmix_control(epochs = 10)
#' fit <- flow_spline(faithful, layers = 4, hidden = 16, control = quick)
#' fit
#' predict(fit, faithful[1:3, ])
#' simulate(fit, 3, seed = 1)
#'
#' flow_realnvp(~ eruptions + waiting, faithful, layers = 4, hidden = 16, control = quick)
#' @export
flow_realnvp <- function(x, ...) {
  check_data_given(missing(x), ..., call = user_call())
  UseMethod("flow_realnvp")
}

#' @rdname flow_realnvp
#' @export
flow_realnvp.default <- function(x, layers = 10, hidden = c(64, 64, 64), ...,
                                 activation = c("tanh", "relu", "silu"), support = NULL,
                                 weights = NULL, validation = NULL, control = cwmix_control(),
                                 keep_data = FALSE) {
  call <- user_call()
  matched <- match.call()
  check_dots_empty(..., call = call)
  map <- new_map("realnvp", layers, hidden, NULL, NULL, activation, call)
  settings <- flow_settings(map, support, weights, validation, control, keep_data, call)
  kept <- list(x = x, weights = weights)
  fit_flow(read_training(x, call), kept, settings, matched, call)
}

#' @rdname flow_realnvp
#' @export
flow_realnvp.formula <- function(x, data, layers = 10, hidden = c(64, 64, 64), ...,
                                 activation = c("tanh", "relu", "silu"), support = NULL,
                                 weights = NULL, validation = NULL, control = cwmix_control(),
                                 keep_data = FALSE) {
  call <- user_call()
  matched <- match.call()
  check_dots_empty(..., call = call)
  check_given("data", call)
  weights <- eval_in_data(substitute(weights), data, parent.frame(), call)
  map <- new_map("realnvp", layers, hidden, NULL, NULL, activation, call)
  settings <- flow_settings(map, support, weights, validation, control, keep_data, call)
  kept <- list(data = data, weights = weights)
  fit_flow(read_formula(x, data, call), kept, settings, matched, call)
}

#' @rdname flow_realnvp
#' @export
flow_spline <- function(x, ...) {
  check_data_given(missing(x), ..., call = user_call())
  UseMethod("flow_spline")
}

#' @rdname flow_realnvp
#' @export
flow_spline.default <- function(x, layers = 8, hidden = c(64, 64, 64), bins = 8, tail_bound = 4,
                                ..., activation = c("tanh", "relu", "silu"), support = NULL,
                                weights = NULL, validation = NULL, control = cwmix_control(),
                                keep_data = FALSE) {
  call <- user_call()
  matched <- match.call()
  check_dots_empty(..., call = call)
  map <- new_map("spline", layers, hidden, bins, tail_bound, activation, call)
  settings <- flow_settings(map, support, weights, validation, control, keep_data, call)
  kept <- list(x = x, weights = weights)
  fit_flow(read_training(x, call), kept, settings, matched, call)
}

#' @rdname flow_realnvp
#' @export
flow_spline.formula <- function(x, data, layers = 8, hidden = c(64, 64, 64), bins = 8,
                                tail_bound = 4, ..., activation = c("tanh", "relu", "silu"),
                                support = NULL, weights = NULL, validation = NULL,
                                control = cwmix_control(), keep_data = FALSE) {
  call <- user_call()
  matched <- match.call()
  check_dots_empty(..., call = call)
  check_given("data", call)
  weights <- eval_in_data(substitute(weights), data, parent.frame(), call)
  map <- new_map("spline", layers, hidden, bins, tail_bound, activation, call)
  settings <- flow_settings(map, support, weights, validation, control, keep_data, call)
  kept <- list(data = data, weights = weights)
  fit_flow(read_formula(x, data, call), kept, settings, matched, call)
}

# The arguments that all four share, as read_problem() takes them.
flow_settings <- function(map, support, weights, validation, control, keep_data, call) {
  list(
    flow = c(unclass(map), list(fixed = TRUE)), K = 1, covariance = "diagonal", support = support,
    weights = weights, validation = check_validation(validation, call), control = control,
    keep_data = check_flag(keep_data, "keep_data", call)
  )
}

# `kept` is what `keep_data` keeps.
fit_flow <- function(points, kept, settings, matched, call) {
  problem <- add_map(read_problem(points, settings, call), settings$flow, call)
  n <- nrow(problem$y)
  held <- held_count(settings$validation, n)
  held_rows <- if (held > 0) sort(sample.int(n, held)) else integer()
  sets <- split_sets(problem, held_rows)
  parameters <- add_flow(standard_normal(ncol(problem$y)), problem$flow)
  epochs <- problem$control$epochs %||% default_epochs(nrow(sets$training$x), problem$control)
  training <- train(new_state(parameters), parameters, sets, "tanh", problem, epochs)
  fields <- list(held_rows = held_rows, data = if (settings$keep_data) kept)
  finish_cwmix(training, parameters, "tanh", problem, matched, fields, call)
}

# The base of a flow alone: a mixture of one component.
standard_normal <- function(d) mixture_parameters(matrix(0, 1, d), rep(1, d), FALSE, 0)
