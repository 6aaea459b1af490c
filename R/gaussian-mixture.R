#' Gaussian mixtures by EM
#'
#' Maximum likelihood by EM from several k-means++ starts. It is what [cwmix()] starts from, and
#' what to compare it with.
#'
#' @inheritParams cwmix
#' @param start `NULL` for k-means++ starts, or where EM begins: a Gaussian mixture with the same
#'   K and covariances, or a K x d matrix of means.
#' @return An object of class `c("gaussian_mixture", "cwmix_density")`, a plain list. Beyond the
#'   fields of a [cwmix()] fit: `starts`, the mean log-likelihood per row that each start
#'   reached; `trace`, a data frame of iterations of the best start and the mean
#'   log-likelihood per row; `converged`.
#' @section Errors and warnings: As for [cwmix()]. A warning of class `"cwmix_not_converged"` when
#'   EM stopped at `em_iterations`.
#' @references Dempster, Laird and Rubin (1977), Maximum likelihood from incomplete data via the
#'   EM algorithm, JRSS B 39, 1-38. Arthur and Vassilvitskii (2007), k-means++, SODA.
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
gaussian_mixture.default <- function(x, K = NULL, ..., covariance = c("diagonal", "full"), support = NULL,
                                     weights = NULL, start = NULL, control = cwmix_control(),
                                     keep_data = FALSE) {
  call <- user_call()
  matched <- match.call()
  check_dots_empty(..., call = call)
  check_flag(keep_data, "keep_data", call)
  fit_gaussian_mixture(
    read_training(x, call), K, covariance, support, weights, start, control,
    if (keep_data) list(x = x, weights = weights), matched, call
  )
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
  check_flag(keep_data, "keep_data", call)
  fit_gaussian_mixture(
    read_formula(x, data, call), K, covariance, support, weights, start, control,
    if (keep_data) list(data = data, weights = weights), matched, call
  )
}

fit_gaussian_mixture <- function(points, K, covariance, support, weights, start, control, kept,
                                 matched, call) {
  began <- proc.time()[["elapsed"]]
  covariance <- check_choice(covariance, c("diagonal", "full"), "covariance", call)
  problem <- new_problem(points, K, covariance, support, weights, control, call)
  start <- read_start(start, problem, call)
  if (length(start$weights) > 0) {
    stop_input("`start` must have constant weights.", call = call)
  }
  em <- em_fit(problem$x, problem$K, problem$full, problem$weights, start, control, problem$floor, call)
  if (!em$converged) {
    warn_cwmix(
      sprintf("EM stopped after %d iterations without converging.", control$em_iterations),
      "cwmix_not_converged", call
    )
  }
  offset <- mean_offset(problem)
  finish_fit(em$parameters, "tanh", problem, "gaussian_mixture", matched,
    trace = data.frame(iteration = seq_along(em$trace) - 1L, log_likelihood = em$trace + offset),
    starts = em$log_likelihoods + offset, converged = em$converged,
    seconds = proc.time()[["elapsed"]] - began, data = kept
  )
}

# Mean log density on the data's scale less that on the standardised one.
mean_offset <- function(problem) {
  w <- problem$weights %||% rep(1, nrow(problem$x))
  sum(w * problem$log_jacobian) / sum(w) - sum(log(problem$scale))
}
