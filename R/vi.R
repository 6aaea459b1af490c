#' Approximate a distribution given by its density
#'
#' Fits a classifier weighted mixture q to a distribution whose log density is known up to a
#' constant, such as a posterior, by maximising the evidence lower bound (ELBO), the mean of
#' log p(X) - log q(X) for X from q: log Z less the Kullback-Leibler divergence of q from p, with Z
#' the integral of exp(`log_density`).
#'
#' The gradient is reparameterised: the component is summed out at every base point (formula 19), so
#' that means, scales and the network learn from the slope of `log_density`, and no draw of a
#' component stands in the way. Adam follows it; what is evaluated and returned is an average of the
#' last parameters along the way.
#'
#' **Start.** `"search"` looks for modes by runs of [stats::optim()] from normal points of standard
#' deviation `spread`, and joins the normals found there by rounds of importance sampling and EM, at
#' first with tempered weights, to a Gaussian mixture that covers the target. `"wide"` places the
#' components at random there, and the target is tempered at first (see `temperature` in
#' [cwmix_vi_control()]). Draws, say of a short MCMC run, are fitted by EM.
#'
#' **Trust.** Importance sampling from the fit estimates the evidence, an effective sample size and
#' the Pareto k of the weights (Vehtari et al. 2024, by the loo package): above 0.7, and unless the
#' weights hardly differ (an effective sample of 99 percent), the fit misses too much of a tail. The
#' search's own estimate of the evidence tells when a fit misses a mode, which weights of draws from
#' the fit cannot see. Either gives a warning, as does an effective sample below five percent.
#' Not every bad fit is found out: where neither draws nor the search went, tails and modes stay
#' unseen. The difference of evidence and ELBO estimates the fit's divergence from the target.
#'
#' @param log_density A function that takes an n x d matrix of points, with column names if `names`
#'   are given, and returns the n values of the log density, up to a constant. `-Inf`, no density,
#'   is fine in the search but not where the fit has mass: bounded columns need `support`.
#' @param d A whole number, the dimension.
#' @param K A whole number of components. With `K = 1` weights are constant whatever `hidden` is.
#' @param gradient The gradient of `log_density`, a function of an n x d matrix that returns the
#'   n x d matrix of partial derivatives; it is checked at the start. `NULL` for central
#'   differences, 2 d further calls each time, with a message.
#' @param ... Must be empty.
#' @param hidden An integer vector, the widths of the network's hidden layers; `integer(0)` for a
#'   softmax-linear classifier; `NULL` for constant weights, a Gaussian mixture.
#' @param covariance A string: the components' covariances, `"diagonal"` or `"full"`.
#' @param activation A string, `"tanh"`, `"relu"` or `"silu"`.
#' @param support The columns' bounds, as in [cwmix()]: `NULL` for none; a pair such as `c(0, Inf)`
#'   for every column; or a list with one pair (or `NULL`) a column. `log_density` and `gradient`
#'   are always those of the columns themselves; the Jacobian is taken care of.
#' @param names `NULL`, or the names of the d columns.
#' @param start A string, `"search"` or `"wide"`; a matrix of draws, one a row; or a density within
#'   the same bounds. One of normal components must have the number of components and covariances
#'   asked for, and weights that are constant or those of a network like the one asked for; any
#'   other density stands for its draws.
#' @param control A [cwmix_vi_control()].
#' @return An object of class `c("cwmix_vi", "cwmix_normal", "cwmix_density")`, a plain list with
#'   fields
#'   - `mean`, `sd` or `cholesky`, `classifier`, `frame`, as in [cwmix()];
#'     `proportions`, the components' mean weights, decreasing;
#'   - `elbo` and `log_evidence`, each `c(estimate, se)` in nats: the ELBO by formula (19) at base
#'     points of their own, and log Z by importance sampling; `search_evidence`, log Z as the search
#'     estimates it (`NULL` with another start, `NA` where the search did not settle);
#'   - `ess`, the effective sample size of the importance weights, and `pareto_k` (`NA` without loo,
#'     `-Inf` where all weights are equal); all of these are `NA` where an interrupt came before
#'     they were measured;
#'   - `importance`, a list of the `draws` (a matrix) and their `log_weights`: see
#'     [as_draws_df()][as_draws_df.cwmix_vi];
#'   - `trace`, a data frame with `step`, `elbo`, `se` and `learning_rate`, a row an evaluation (at
#'     fixed base points: the best of them is a little optimistic; while the target is tempered it
#'     may fall), `best_step`, and `stopped`, why
#'     training ended: `"converged"`, `"steps"` (all done), `"interrupt"` or `"diverged"`;
#'   - `hidden`, `control`, `call`; `optimiser`, what [update()][update.cwmix_vi] needs to go on.
#'
#'   It has all methods of a density, among them `simulate()`, `predict()`, `mean()`, `vcov()`,
#'   `quantile()`, `plot()` and `glance()`.
#' @section Errors and warnings: A condition of class `"cwmix_input_error"` names the argument, what
#'   is needed and what was given, also where `log_density` or `gradient` fail or return missing
#'   values, something of the wrong length or, at the start, a wrong gradient. A warning of class
#'   `"cwmix_poor_fit"` says that the fit should not be trusted; an interrupt returns the best so
#'   far with one of class `"cwmix_interrupted"`, a diverging run with one of class
#'   `"cwmix_numerical_warning"`. The message about differences has class
#'   `"cwmix_differences_message"`.
#' @references Argouarc'h, Desbouvries, Barat, Kawasaki and Dautremer (2025), Classifier Weighted
#'   Mixture models, arXiv:2501.02989, equation (19).
#'
#'   Cappe, Douc, Guillin, Marin and Robert (2008), Adaptive importance sampling in general mixture
#'   classes, Statistics and Computing 18, 447-459. Koblents and Miguez (2015), A population Monte
#'   Carlo scheme with transformed weights and its application to stochastic kinetic models,
#'   Statistics and Computing 25, 407-425. Vehtari, Simpson, Gelman, Yao and Gabry (2024), Pareto
#'   smoothed importance sampling, Journal of Machine Learning Research 25.
#' @seealso [cwmix_vi_control()]; [expectation()] for the estimator.
#' @examples
#' # A banana: x2 is about x1^2 / 4
#' log_density <- function(x) {
#'   dnorm(x[, 1], 0, 2, log = TRUE) + dnorm(x[, 2], x[, 1]^2 / 4, 0.5, log = TRUE)
#' }
#' gradient <- function(x) {
#'   r <- (x[, 2] - x[, 1]^2 / 4) / 0.25
#'   cbind(-x[, 1] / 4 + r * x[, 1] / 2, -r)
#' }
#' set.seed(1)
#' quick <- cwmix_vi_control(steps = 300, draws = 1000)
#' fit <- cwmix_vi(log_density, 2, 4, gradient, hidden = 16, control = quick)
#' fit
#' mean(fit)
#' @export
cwmix_vi <- function(log_density, d, K, gradient = NULL, ..., hidden = c(32, 32),
                     covariance = c("diagonal", "full"), activation = c("tanh", "relu", "silu"),
                     support = NULL, names = NULL, start = "search",
                     control = cwmix_vi_control()) {
  call <- user_call()
  matched <- match.call()
  check_dots_empty(..., call = call, control = "cwmix_vi_control")
  check_given(c("log_density", "d", "K"), call)
  settings <- list(
    K = check_count(K, "K", call), hidden = check_hidden(hidden, call),
    full = check_choice(covariance, c("diagonal", "full"), "covariance", call) == "full",
    activation = check_choice(activation, activations, "activation", call),
    control = validate_control(control, call, cwmix_vi_control, "cwmix_vi_control")
  )
  if (settings$K == 1) settings["hidden"] <- list(NULL)
  d <- check_count(d, "d", call)
  target <- read_target(log_density, gradient, d, support, names, settings$control, call)
  start <- check_vi_start(start, target, settings, call)
  if (is.null(gradient)) inform_differences("log_density", call)
  check_target(target, start, call)
  at_call(call, {
    task <- vi_task(vi_start(start, target, settings), target, settings, start)
    training <- train_vi(new_state(task$template), task, settings$control$steps, NULL)
    finish_vi(training, task, matched)
  })
}

# What training needs to know besides its state. `template` are the parameters it starts from.
vi_task <- function(started, target, settings, start) {
  target$step <- started$scale
  template <- started$parameters
  if (length(template$weights) == 0 && !is.null(settings$hidden)) {
    template[c("weights", "biases")] <- random_network(
      target$d, settings$hidden, template$biases[[1]], settings$activation
    )
  }
  wide <- identical(start, "wide")
  c(
    settings[c("hidden", "activation", "control")],
    list(
      target = target, center = started$center, scale = started$scale, evidence = started$evidence,
      template = template, temperature = settings$control$temperature %||% if (wide) 10 else 2,
      evaluation = evaluation_points(target$d, settings$control)
    )
  )
}

evaluation_points <- function(d, control) {
  vi_points(control$evaluation, d, evaluation_replicates)
}

finish_vi <- function(training, task, matched) {
  state <- training$state
  target <- task$target
  best <- unflatten(state$best, task$template)
  fresh <- evaluation_points(target$d, task$control)
  weights <- exp(log_weights(plain_normal(best, task$activation)$classifier, fresh$z))
  order <- order(-colMeans(weights))
  parameters <- unstandardise_parameters(best, task$center, task$scale)
  # At points that did not choose the best.
  task$evaluation <- fresh
  object <- normal_of(
    order_components(parameters, order), task$activation, target$frame, "cwmix_vi",
    proportions = colMeans(weights)[order],
    trace = training$trace, best_step = state$best_epoch, stopped = training$stopped,
    hidden = task$hidden, control = task$control, call = matched,
    search_evidence = task$evidence,
    optimiser = c(list(state = state), task[c("template", "center", "scale")])
  )
  measured <- tryCatch(
    measure_fit(object, best, task),
    interrupt = function(condition) not_measured(target)
  )
  object[names(measured)] <- measured
  if (anyNA(object$log_evidence)) object$stopped <- "interrupt"
  warn_stopped(object$stopped, sprintf("the best step so far, %d", object$best_step))
  warn_poor_fit(object)
  object
}
