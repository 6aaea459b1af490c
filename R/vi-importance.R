# How far a variational fit can be trusted: importance sampling from it.

# The evidence lower bound of a fit, whose standardised parameters are `best`, and draws from it
# with their log weights, log p - log q: list(elbo, log_evidence, ess, pareto_k, importance).
measure_fit <- function(object, best, task) {
  target <- task$target
  n <- task$control$draws
  free <- unbounded(object)
  y <- unname(draw(free, n))
  log_weights <- target_log_density(target, y) - evaluate(free, points_at(y), "density")
  list(
    elbo = stats::setNames(evaluate_elbo(best, task), c("estimate", "se")),
    log_evidence = log_evidence(log_weights),
    ess = effective_size(exp(log_weights - max(log_weights))),
    pareto_k = pareto_k(log_weights),
    importance = list(draws = data_points(target$frame, y), log_weights = log_weights)
  )
}

# The same of a fit that an interrupt kept from it.
not_measured <- function(target) {
  list(
    elbo = unknown_evidence, log_evidence = unknown_evidence, ess = NA_real_, pareto_k = NA_real_,
    importance = list(
      draws = data_points(target$frame, matrix(0, 0, target$d)), log_weights = double()
    )
  )
}

# The log of the mean weight, and its standard error by the delta method.
log_evidence <- function(log_weights) {
  top <- max(log_weights)
  weights <- exp(log_weights - top)
  n <- length(weights)
  c(
    estimate = top + log(mean(weights)), se = stats::sd(weights) / mean(weights) / sqrt(n)
  )
}

unknown_evidence <- c(estimate = NA_real_, se = NA_real_)

effective_size <- function(weights) sum(weights)^2 / sum(weights^2)

# Pareto smoothed log weights by loo, raw ones without it: list(log_weights, k).
smoothed_weights <- function(log_weights) {
  # Draws where the target has no density keep their weight of zero.
  positive <- log_weights > -Inf
  if (!all(positive)) {
    smoothed <- smoothed_weights(log_weights[positive])
    smoothed$log_weights <- replace(log_weights, positive, smoothed$log_weights)
    return(smoothed)
  }
  # Weights that differ by rounding alone have no tail to fit.
  if (diff(range(log_weights)) < 1e-8) {
    return(list(log_weights = log_weights, k = -Inf))
  }
  if (!requireNamespace("loo", quietly = TRUE)) {
    return(list(log_weights = log_weights, k = NA_real_))
  }
  # It warns of a large k; that is said by warn_poor_fit().
  smoothed <- suppressWarnings(loo::psis(log_weights, r_eff = NA))
  list(
    log_weights = as.double(stats::weights(smoothed, log = TRUE, normalize = FALSE)),
    k = as.double(smoothed$diagnostics$pareto_k)
  )
}

pareto_k <- function(log_weights) smoothed_weights(log_weights)$k

# Why a fit should not be trusted, a string a reason.
poor_fit <- function(object) {
  n <- length(object$importance$log_weights)
  if (n == 0) {
    return("an interrupt came before it was measured")
  }
  found <- object$search_evidence %||% unknown_evidence
  lost <- found[["estimate"]] - object$log_evidence[["estimate"]]
  error <- sqrt(found[["se"]]^2 + object$log_evidence[["se"]]^2)
  c(
    # Where the weights hardly differ their tail is that of rounding.
    if (isTRUE(object$pareto_k > 0.7) && object$ess < 0.99 * n) {
      sprintf("Pareto k of the importance weights is %.2f, above 0.7", object$pareto_k)
    },
    if (object$ess < n / 20) {
      sprintf("the effective sample size is %.0f of %d draws", object$ess, n)
    },
    if (!is.null(object$search_evidence) && is.na(found[["estimate"]])) {
      "the search did not settle, so that missed modes cannot be seen"
    },
    if (isTRUE(lost > 0.05 + 3 * error)) {
      sprintf(
        "its log evidence %.3f is below the %.3f of the search: it misses a mode or a tail",
        object$log_evidence[["estimate"]], found[["estimate"]]
      )
    }
  )
}

warn_poor_fit <- function(object) {
  reasons <- poor_fit(object)
  if (length(reasons) > 0) {
    warn_cwmix(
      paste0(
        "The fit should not be trusted: ", paste(reasons, collapse = "; "),
        ". More components, full covariances, a wider network or more `spread` may help."
      ),
      "cwmix_poor_fit", NULL
    )
  }
}

#' Draws of a variational fit for the posterior package
#'
#' The draws that importance sampling used, corrected for what the fit gets wrong: resampled with
#' their Pareto smoothed weights (raw weights without the loo package), or all of them with the
#' weights beside.
#'
#' @param x A fit of [cwmix_vi()].
#' @param log_weights A flag: all draws, with the smoothed log weights in `.log_weight`, as
#'   [posterior::weight_draws()] has them, instead of as many resampled ones.
#' @param ... Must be empty.
#' @return A `posterior::draws_df`, one chain. Resampling (stratified, with replacement) uses R's
#'   generator and repeats draws.
#' @section Errors: A condition of class `"cwmix_input_error"`.
#' @references Kitagawa (1996), Monte Carlo filter and smoother for non-Gaussian nonlinear state
#'   space models, Journal of Computational and Graphical Statistics 5, 1-25. Vehtari, Simpson,
#'   Gelman, Yao and Gabry (2024), Pareto smoothed importance sampling, Journal of Machine Learning
#'   Research 25.
#' @examplesIf requireNamespace("posterior", quietly = TRUE)
#' set.seed(1)
#' quick <- cwmix_vi_control(steps = 0, draws = 1000)
#' fit <- suppressMessages(
#'   cwmix_vi(function(x) dexp(x[, 1], log = TRUE), 1, 2, support = c(0, Inf), control = quick)
#' )
#' posterior::summarise_draws(posterior::as_draws_df(fit))
#' @exportS3Method posterior::as_draws_df
as_draws_df.cwmix_vi <- function(x, log_weights = FALSE, ...) { # nolint: object_name_linter.
  call <- user_call()
  check_dots_empty(..., call = call)
  validate_density(x, "x", call, fit = TRUE)
  check_flag(log_weights, "log_weights", call)
  draws <- x$importance$draws
  colnames(draws) <- column_labels(x$frame)
  smoothed <- smoothed_weights(x$importance$log_weights)$log_weights
  if (!log_weights) {
    chosen <- resampled(exp(smoothed - max(smoothed)))
    return(posterior::as_draws_df(as.data.frame(draws[chosen, , drop = FALSE])))
  }
  posterior::weight_draws(posterior::as_draws_df(as.data.frame(draws)), smoothed, log = TRUE)
}

# As many positions as weights, each as often as its weight says: one uniform in each of n equal
# parts of the total (Kitagawa 1996). The method of that name in posterior 1.4 gives draws a part
# of the weights of those before them.
resampled <- function(weights) {
  n <- length(weights)
  findInterval((seq_len(n) - stats::runif(n)) / n, cumsum(weights) / sum(weights)) + 1L
}

#' @exportS3Method posterior::as_draws
as_draws.cwmix_vi <- function(x, ...) { # nolint: object_name_linter.
  posterior::as_draws_df(x, ...)
}
