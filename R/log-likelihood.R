#' Log-likelihood of data, and its gradient
#'
#' @inheritParams predict.cwmix_density
#' @param gradient A flag: also compute the gradient in every parameter.
#' @param weights A numeric vector of observation weights, one a row of `newdata`, or `NULL` for
#'   ones.
#' @param ... Must be empty.
#' @return The sum of log densities, a number (`NA` where `newdata` has missing values, `-Inf`
#'   where a row lies outside the support). With `gradient = TRUE` its attribute `"gradient"` is a
#'   list with the names and shapes of [coef()][coef.cwmix_density]: derivatives with respect to
#'   the unconstrained parameters, exact to double precision.
#'   Of families' parameters they are central differences.
#' @section Errors: A condition of class `"cwmix_input_error"`; the gradient needs complete rows
#'   inside the support and a classifier that is not an R function.
#' @references Argouarc'h, Desbouvries, Barat, Kawasaki and Dautremer (2025), Classifier Weighted
#'   Mixture models, arXiv:2501.02989, equation (16).
#' @examples
#' model <- cwmix_model(c(-1, 1), sd = c(1, 2), classifier = c(0.3, 0.7))
#' log_likelihood(model, c(-2, 0, 1.5), gradient = TRUE)
#' @export
log_likelihood <- function(object, newdata, gradient = FALSE, weights = NULL, ...) {
  call <- user_call()
  check_dots_empty(..., call = call)
  check_given(c("object", "newdata"), call)
  validate_density(object, "object", call)
  check_flag(gradient, "gradient", call)
  log_density <- log_quantity(object, newdata, "density", call)
  weights <- check_weights(weights, length(log_density), call)
  terms <- if (is.null(weights)) log_density else ifelse(weights == 0, 0, weights * log_density)
  value <- sum(terms)
  if (!gradient) {
    return(value)
  }
  check_differentiable(object, call)
  if (!is.finite(value)) {
    stop_input("`newdata` must have complete rows inside the support for a gradient, but row ",
      which(!is.finite(terms))[1], " has log density ", format(terms[!is.finite(terms)][1]), ".",
      call = call
    )
  }
  x <- read_newdata(object$frame, newdata, call)$x
  y <- working_points(object$frame, x)$y
  if (!is.null(weights)) {
    y <- y[weights > 0, , drop = FALSE]
    weights <- weights[weights > 0]
  }
  attr(value, "gradient") <- at_call(call, gradient(object, points_at(y), weights))
  value
}

check_differentiable <- function(object, call) {
  reason <- no_gradient(object)
  if (!is.null(reason)) stop_input("`object` ", reason, ".", call = call)
}

#' Log-likelihood of a fit
#'
#' At the training data, all rows, validation rows included, with [AIC()] and [BIC()] where they
#' mean something.
#'
#' Degrees of freedom, AIC and BIC are those of a Gaussian mixture where a fit is one: by EM, with a
#' network of one component, whose weight is 1 whatever the network says, or with a network or a
#' flow whose best epoch is 0, which is the mixture that EM left (of the training rows) or, for a
#' flow alone, the normal density with the columns' means and standard deviations. Networks that do
#' nothing do not count. Otherwise they are `NA`, and held-out scores are what to compare
#' ([compare()], [cwmix_select()]):
#'
#' - with trained networks, a flow's too: decay and early stopping hold their weights back, so that
#'   the number of parameters, the fit's field `df`, is no more than an upper bound of its degrees
#'   of freedom;
#' - without `K`: the members of the average were not fitted together;
#' - behind maps of columns: penalties hold these back, and their part of `df` are effective
#'   parameters;
#' - with components at `sd_floor`: their likelihood is as large as the floor is small.
#'
#' @param object A fit of [cwmix()], [gaussian_mixture()], [flow_realnvp()] or [flow_spline()].
#' @param ... Must be empty; for `AIC()` and `BIC()` further fits, of any packages.
#' @param k A number, the penalty a degree of freedom.
#' @return An object of class `"logLik"` with attributes `df`, the degrees of freedom, and `nobs`,
#'   the number of rows with positive weight; of `AIC()` and `BIC()` as in [stats::AIC()].
#' @section Errors and warnings: A condition of class `"cwmix_input_error"`. One warning of class
#'   `"cwmix_no_df"` says why AIC or BIC is `NA`; `logLik()` and [glance()][tidiers] say nothing.
#' @examples
#' fit <- gaussian_mixture(faithful, K = 2)
#' logLik(fit)
#' BIC(fit)
#' @export
logLik.cwmix_density <- function(object, ...) {
  call <- user_call()
  check_dots_empty(..., call = call)
  check_fitted(object, call)
  df <- if (is.null(no_criterion(object))) object$df else NA_integer_
  structure(object$log_likelihood, df = df, nobs = object$nobs, class = "logLik")
}

#' @rdname logLik.cwmix_density
#' @export
AIC.cwmix_density <- function(object, ..., k = 2) {
  call <- user_call()
  check_fitted(object, call)
  warn_no_criterion("AIC", list(object, ...), call)
  NextMethod()
}

#' @rdname logLik.cwmix_density
#' @export
BIC.cwmix_density <- function(object, ...) {
  call <- user_call()
  check_fitted(object, call)
  warn_no_criterion("BIC", list(object, ...), call)
  NextMethod()
}

# One warning for all fits of a call, with the first reason.
warn_no_criterion <- function(name, fits, call) {
  fits <- Filter(function(fit) inherits(fit, "cwmix_density") && !is.null(fit$df), fits)
  reasons <- unlist(lapply(fits, no_criterion))
  if (length(reasons) > 0) {
    several <- if (length(fits) > 1) sprintf(" for %d of %d fits", length(reasons), length(fits))
    warn_cwmix(
      paste0(
        name, " is NA", several, ": ", reasons[1], ". Compare held-out scores, by compare() or ",
        "cwmix_select()."
      ),
      "cwmix_no_df", call
    )
  }
}

#' @rdname logLik.cwmix_density
#' @export
nobs.cwmix_density <- function(object, ...) {
  call <- user_call()
  check_dots_empty(..., call = call)
  check_fitted(object, call)
  object$nobs
}

check_fitted <- function(object, call, arg = "object") {
  validate_density(object, arg, call, fit = TRUE)
  if (is.null(object$nobs)) {
    stop_input(
      "`", arg, "` must be a fit: ", unfitted_name(object),
      " has seen no data. Use log_likelihood(object, newdata).",
      call = call
    )
  }
}
