# Normalising flows as densities of their own, by maximum likelihood.

#' Normalising flows
#'
#' A flow is an invertible map F under which the data become standard normal: the density is
#' p(x) = N(F(x); 0, I) |det dF/dx|. F standardises the columns and then is a chain of coupling
#' layers (see [cwmix_flow()]), affine in `flow_realnvp()`, monotone rational-quadratic splines in
#' `flow_spline()`. The layers' networks are trained by gradient ascent on the mean log density, as
#' those of [cwmix()], from layers that are the identity.
#'
#' In one column the layers of `flow_realnvp()` are together one affine map, and the density is a
#' normal one, with 2 degrees of freedom: use `flow_spline()` there.
#'
#' A flow bends one normal distribution into that of the data. Where the data fall into
#' clusters, `cwmix(flow = )`, which puts a mixture behind a flow, has less to bend.
#'
#' @inheritParams cwmix
#' @inheritParams cwmix_flow
#' @param hidden An integer vector, the widths of the hidden layers of each layer's network, which
#'   gives all parameters of its transforms; `integer(0)` for linear ones.
#' @param validation A number from 0 to below 1, the share of rows set aside (rounded down; of
#'   units, where ties make these fewer); `NULL` for a tenth, at most 5,000. With no such row there
#'   is no early stopping, and the last epoch is returned.
#' @param control A [cwmix_control()]. What it says of EM, components and folds plays no role:
#'   `em_iterations`, `em_tolerance`, `starts`, `sd_floor`, `folds` and `exact`, which only changes
#'   the random numbers that are used.
#' @return An object of class `c("cwmix_flow_fit", "cwmix_flowed", "cwmix_density")`, a plain list
#'   with the fields
#'   - `flow`, a list: `kind`, `layers`, `hidden`, `bins`, `tail_bound`, `activation` as given;
#'     `shared`, which is `TRUE`;
#'     `center` and `scale`, the means and standard deviations of the columns (of their logs or
#'     logits in bounded columns) by which F standardises; `weights` and `biases`, lists with an
#'     element a coupling layer, which is a list of the (out, in) matrices, or of the vectors, of
#'     its network's layers;
#'   - `base`, the density of u = F(x): N(0, I), as a mixture of one component;
#'   - `frame`, `log_likelihood`, `df`, `nobs`, `weight_sum`, `trace`, `best_epoch`, `stopped`,
#'     `held_rows`, `recorded`, `proportions`, `at_floor`, `control`, `call`, `fingerprint`, `data`
#'     and `optimiser`, as in a [cwmix()] fit with `K`.
#'
#'   It has all methods of a density. In one column F increases: [pcwmix()] is the normal
#'   distribution function at F(x), [qcwmix()] its inverse, both exact.
#' @section Errors and warnings: As for [cwmix()].
#' @references Dinh, Sohl-Dickstein and Bengio (2017), Density estimation using Real NVP, ICLR.
#'   Durkan, Bekasov, Murray and Papamakarios (2019), Neural spline flows, NeurIPS 32.
#' @seealso [cwmix_flow()] for flows as maps of a mixture, [compare()].
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
                                 resolution = "auto", weights = NULL, validation = NULL,
                                 control = cwmix_control(), keep_data = FALSE) {
  call <- user_call()
  matched <- match.call()
  check_dots_empty(..., call = call)
  shape <- new_flow_shape("realnvp", layers, hidden, NULL, NULL, activation, TRUE, call)
  settings <- flow_settings(shape, mget(flow_arguments), call)
  fit_flow(data_source(x, weights, keep_data, call), settings, matched, call)
}

#' @rdname flow_realnvp
#' @export
flow_realnvp.formula <- function(x, data, layers = 10, hidden = c(64, 64, 64), ...,
                                 activation = c("tanh", "relu", "silu"), support = NULL,
                                 resolution = "auto", weights = NULL, validation = NULL,
                                 control = cwmix_control(), keep_data = FALSE) {
  call <- user_call()
  matched <- match.call()
  check_dots_empty(..., call = call)
  check_given("data", call)
  weights <- eval_in_data(substitute(weights), data, parent.frame(), call)
  shape <- new_flow_shape("realnvp", layers, hidden, NULL, NULL, activation, TRUE, call)
  settings <- flow_settings(shape, mget(flow_arguments), call)
  fit_flow(formula_source(x, data, weights, keep_data, call), settings, matched, call)
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
                                resolution = "auto", weights = NULL, validation = NULL,
                                control = cwmix_control(), keep_data = FALSE) {
  call <- user_call()
  matched <- match.call()
  check_dots_empty(..., call = call)
  shape <- new_flow_shape("spline", layers, hidden, bins, tail_bound, activation, TRUE, call)
  settings <- flow_settings(shape, mget(flow_arguments), call)
  fit_flow(data_source(x, weights, keep_data, call), settings, matched, call)
}

#' @rdname flow_realnvp
#' @export
flow_spline.formula <- function(x, data, layers = 8, hidden = c(64, 64, 64), bins = 8,
                                tail_bound = 4, ..., activation = c("tanh", "relu", "silu"),
                                support = NULL, resolution = "auto", weights = NULL,
                                validation = NULL, control = cwmix_control(),
                                keep_data = FALSE) {
  call <- user_call()
  matched <- match.call()
  check_dots_empty(..., call = call)
  check_given("data", call)
  weights <- eval_in_data(substitute(weights), data, parent.frame(), call)
  shape <- new_flow_shape("spline", layers, hidden, bins, tail_bound, activation, TRUE, call)
  settings <- flow_settings(shape, mget(flow_arguments), call)
  fit_flow(formula_source(x, data, weights, keep_data, call), settings, matched, call)
}

# What all four methods hand on besides their data and the shape of the flow.
flow_arguments <- c("support", "resolution", "validation", "control")

flow_settings <- function(shape, settings, call) {
  settings["validation"] <- list(check_validation(settings$validation, call))
  c(settings, list(shape = c(unclass(shape), list(fixed = TRUE)), K = 1, covariance = "diagonal"))
}

fit_flow <- function(source, settings, matched, call) {
  task <- read_task(source, settings, call)
  held <- held_out_units(task, settings$validation)
  sets <- split_sets(task$sample, held)
  base <- standard_normal(ncol(task$sample$y))
  parameters <- add_flow(engine_parts(base)$parameters, task$shape)
  epochs <- task$control$epochs %||% default_epochs(nrow(sets$training$x), task$control)
  at_call(call, {
    training <- train(new_state(parameters), parameters, sets, "tanh", task, epochs)
    name <- paste0("flow_", task$shape$kind)
    finish_training(
      training, parameters, "tanh", task, "cwmix_flow_fit", name, matched, held,
      list(data = source$kept)
    )
  })
}

#' @export
model_name.cwmix_flow_fit <- function(object) "Normalising flow"

#' @export
headline.cwmix_flow_fit <- function(object) {
  paste("Normalising flow in", plural(dimension(object), "column"))
}

#' @export
describe_training.cwmix_flow_fit <- function(object) {
  c(describe_recorded(object$recorded), describe_epochs(object))
}

#' @export
glance_training.cwmix_flow_fit <- function(x) glance_epochs(x)

#' @export
fit_needs.cwmix_flow_fit <- function(object) c(common_fields, trained_fields)
