#' Gaussian mixtures by EM
#'
#' Maximum likelihood by EM from the best of many short runs (Biernacki et al. 2003), which begin at
#' k-means++ centres; for full covariances every other one in units of the rows' covariance. It is
#' what [cwmix()] starts from, and what to compare it with. Unlike there, values are taken as they
#' stand: on ties components can become as narrow as `sd_floor` allows, which a warning then says.
#'
#' @inheritParams cwmix
#' @param K A whole number of components, or `NULL` for those of `start` or else one in 25 rows, at
#'   most 10.
#' @param covariance A string, `"diagonal"` or `"full"`: the components' covariances.
#' @param support The columns' bounds, as in [cwmix()], but no value may stand on one.
#' @param start `NULL` for those, or where EM begins: a Gaussian mixture with the same
#'   K and covariances, a K x d matrix of means, or the draws of a density of another kind.
#' @return An object of class `c("gaussian_mixture", "cwmix_normal", "cwmix_density")`, a plain
#'   list. The fields are those of a [cwmix()] fit with `K` but for `best_epoch`, `stopped`,
#'   `hidden`, `held_rows`, `recorded` and `optimiser`; `trace` is a data frame of iterations of the
#'   best start and the mean log-likelihood per row.
#' @section Errors and warnings: As for [cwmix()]. A warning of class `"cwmix_not_converged"` when
#'   EM stopped at `em_iterations`, of class `"cwmix_interrupted"` when an interrupt ended it, of
#'   class `"cwmix_degenerate"` when components are at `sd_floor` in some direction or rest on fewer
#'   than d + 1 rows: a larger `sd_floor`, fewer components or diagonal covariances may help.
#' @references Dempster, Laird and Rubin (1977), Maximum likelihood from incomplete data via the
#'   EM algorithm, JRSS B 39, 1-38. Arthur and Vassilvitskii (2007), k-means++, SODA.
#'   Biernacki, Celeux and Govaert (2003), Choosing starting values for the EM algorithm,
#'   Computational Statistics and Data Analysis 41, 561-575.
#' @examples
#' fit <- gaussian_mixture(faithful, K = 2, covariance = "full")
#' fit
#' predict(fit, faithful[1:3, ], type = "class")
#' @export
gaussian_mixture <- function(x, ...) {
  check_data_given(missing(x), ..., call = user_call())
  UseMethod("gaussian_mixture")
}

#' @rdname gaussian_mixture
#' @export
gaussian_mixture.default <- function(x, K = NULL, ..., covariance = c("diagonal", "full"),
                                     support = NULL, weights = NULL, start = NULL,
                                     control = cwmix_control(), keep_data = FALSE) {
  call <- user_call()
  matched <- match.call()
  check_dots_empty(..., call = call)
  settings <- mget(mixture_settings)
  fit_gaussian_mixture(data_source(x, weights, keep_data, call), settings, matched, call)
}

#' @rdname gaussian_mixture
#' @export
gaussian_mixture.formula <- function(x, data, K = NULL, ..., covariance = c("diagonal", "full"),
                                     support = NULL, weights = NULL, start = NULL,
                                     control = cwmix_control(), keep_data = FALSE) {
  call <- user_call()
  matched <- match.call()
  check_dots_empty(..., call = call)
  check_given("data", call)
  weights <- eval_in_data(substitute(weights), data, parent.frame(), call)
  settings <- mget(mixture_settings)
  source <- formula_source(x, data, weights, keep_data, call)
  fit_gaussian_mixture(source, settings, matched, call)
}

mixture_settings <- c("K", "covariance", "support", "start", "control")

fit_gaussian_mixture <- function(source, settings, matched, call) {
  settings$covariance <- check_choice(
    settings$covariance, c("diagonal", "full"), "covariance", call
  )
  task <- read_task(source, settings, call)
  start <- read_start(settings$start, task, call)
  if (length(start$parameters$weights) > 0) {
    stop_input("`start` must have constant weights, not a network.", call = call)
  }
  set <- list(x = standardised(task$sample), weights = task$sample$weights)
  at_call(call, {
    em <- em_fit(set, start$parameters, task)
    warn_em(em, task$control)
    offset <- mean_offset(task$sample)
    trace <- data.frame(
      iteration = seq_along(em$trace) - 1L, log_likelihood = em$trace + offset
    )
    name <- "gaussian_mixture"
    fit <- new_fit(em$parameters, "tanh", task, name, name, matched, list(
      trace = trace, starts = em$log_likelihoods + offset, converged = em$converged,
      data = source$kept
    ))
    warn_degenerate(fit, task)
    fit
  })
}

#' @export
model_name.gaussian_mixture <- function(object) "Gaussian mixture"

#' @export
describe_parts.gaussian_mixture <- function(object) character()

#' @export
describe_training.gaussian_mixture <- function(object) {
  c(
    sprintf(
      "  EM          %s, best of %s, %s", plural(max(object$trace$iteration), "iteration"),
      plural(length(object$starts), "start"),
      if (object$converged) "converged" else "not converged"
    ),
    describe_degenerate(object)
  )
}

#' @export
fit_needs.gaussian_mixture <- function(object) c(common_fields, "trace", "starts", "converged")

#' @export
fit_rules.gaussian_mixture <- function(object) {
  rules <- list(trace = is_trace("iteration", "log_likelihood"), converged = is_flag)
  utils::modifyList(NextMethod(), rules)
}
