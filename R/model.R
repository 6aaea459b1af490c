#' A fully specified classifier weighted mixture
#'
#' The density p(x) = sum over k of w_k(z_k) N(x; mu_k, Sigma_k), z_k = L_k^-1 (x - mu_k), with
#' parameters that are given rather than fitted. It has the methods of a fit.
#'
#' With `components` it is one of a single column in the CDF form, formula (6),
#' p(x) = sum over k of alpha_k(P_k(x)) p_k(x), whose components are of any continuous families: P_k
#' and p_k are their distribution functions and densities, and alpha is a classifier on (0, 1). As
#' P_k(X) is uniform for X from p_k, alpha may be any classifier: draws are U from (0, 1), k with
#' probability alpha_k(U), then P_k^-1(U). The two forms are one, with w(z) = alpha(Phi(z)) and the
#' standardised points z_k = Phi^-1(P_k(x)): they are what [simulate()][simulate.cwmix_density] and
#' [residuals()][residuals.cwmix_density] return, also in this form. Such a model has all methods
#' of a density, gradients included; it may be part of an average, and the start of a fit.
#'
#' @param mean A numeric matrix of component means, K x d. A vector stands for d = 1: one number
#'   a component.
#' @param sd A numeric matrix of positive standard deviations, K x d like `mean`: diagonal
#'   covariances. Give either `sd` or `covariance`.
#' @param covariance A numeric array of positive definite covariances, d x d x K; for K = 1 a
#'   d x d matrix will do.
#' @param classifier A [cwmix_classifier()]; or K probabilities that sum to 1 (constant weights);
#'   or a function that takes an n x d matrix of standardised points and returns the n x K matrix
#'   of their weights, rows summing to 1. With `components` its input is u in (0, 1), an n x 1
#'   matrix, in place of the standardised points; the classifier of such a model, its field
#'   `classifier`, serves others with `components` only.
#' @param support Bounds of the columns, as in [cwmix()]; `mean` and `sd` are then those of the
#'   transformed columns.
#' @param components For the CDF form, in place of `mean`, `sd`, `covariance` and `support`: a list
#'   of parameters named by families, such as `list(gamma = list(shape = 2, rate = 1), norm =
#'   list(mean = c(3, 5)))`. A family `f` is one for which there are functions `df`, `pf` and `qf`
#'   like [dgamma()], [pgamma()] and [qgamma()], with their arguments `log`, `lower.tail` and
#'   `log.p`: those of stats, otherwise those found from the global environment, also whenever the
#'   model is used. Parameters are numbers by name, those left out have the functions' defaults;
#'   a vector stands for as many components. A family may be named several times.
#' @param ... Must be empty.
#' @return An object of class `c("cwmix_model", "cwmix_normal", "cwmix_density")`, a plain list with
#'   `mean`, `sd` or `cholesky`, `classifier` and `frame` as in [cwmix()]. In the CDF form it is of
#'   class `c("cwmix_model", "cwmix_family", "cwmix_density")`, with a field `components`, a list
#'   like the argument with one element a component, and no means and standard deviations. Weights
#'   at points where a P_k is 0 or 1 are those at u next to it.
#' @section Errors: A condition of class `"cwmix_input_error"` names the argument, what is needed
#'   and what was given.
#' @references Argouarc'h, Desbouvries, Barat, Kawasaki and Dautremer (2025), Classifier Weighted
#'   Mixture models, arXiv:2501.02989, equations (6), (12) and (16).
#' @examples
#' # Two normals whose weights switch with the standardised point
#' w <- function(z) cbind(plogis(3 * z), plogis(-3 * z))
#' model <- cwmix_model(c(-2.5, 2.5), sd = c(1, 1), classifier = w)
#' integrate(function(x) predict(model, x), -Inf, Inf)
#'
#' # Two gammas and a log-normal, the second and third taking over as u grows
#' alpha <- cwmix_classifier(list(matrix(c(-5, 2, 3))), list(c(2, 0, -1)))
#' families <- list(gamma = list(shape = c(2, 9)), lnorm = list(meanlog = 1))
#' positive <- cwmix_model(components = families, classifier = alpha)
#' positive
#' pcwmix(5, positive)
#' plot(positive, what = "components", xlim = c(0, 20))
#' @export
cwmix_model <- function(mean, sd = NULL, covariance = NULL, classifier, support = NULL,
                        components = NULL, ...) {
  call <- user_call()
  check_dots_empty(..., call = call)
  if (!is.null(components)) {
    check_given("classifier", call)
    given <- c(mean = !missing(mean) && !is.null(mean), vapply(list(
      sd = sd, covariance = covariance, support = support
    ), Negate(is.null), NA))
    if (any(given)) {
      stop_input("`components` stands for all of the components, so that `",
        names(which(given))[1], "` must not be given.",
        call = call
      )
    }
    return(family_model(components, classifier, call))
  }
  check_given(c("mean", "classifier"), call)
  names <- colnames(mean)
  type <- if (is.null(dim(mean))) "vector" else "matrix"
  check_column_names(names, "mean", call)
  mean <- check_parameter_matrix(mean, "mean", call)
  if (is.null(sd) == is.null(covariance)) {
    stop_input("Exactly one of `sd` and `covariance` must be given, not ",
      if (is.null(sd)) "neither" else "both", ".",
      call = call
    )
  }
  cholesky <- NULL
  if (is.null(covariance)) {
    sd <- check_parameter_matrix(sd, "sd", call)
    if (!identical(dim(sd), dim(mean)) || any(sd <= 0) || !all(is.finite(1 / sd))) {
      stop_input(
        "`sd` must be positive, a ", nrow(mean), " x ", ncol(mean), " matrix like `mean`, not ",
        if (identical(dim(sd), dim(mean))) base::format(min(sd)) else describe(sd), ".",
        call = call
      )
    }
    dimnames(sd) <- NULL
  } else {
    cholesky <- check_covariance(covariance, nrow(mean), ncol(mean), call)
  }
  support <- read_support(support, ncol(mean), names, call)
  new_normal(
    mean = mean, sd = sd, cholesky = cholesky,
    classifier = read_classifier(classifier, ncol(mean), nrow(mean), call),
    frame = new_frame(names, type, support), class = "cwmix_model"
  )
}

check_parameter_matrix <- function(x, arg, call) {
  if (!is_plain_numeric(x) || length(dim(x)) > 2 || length(x) == 0 || !all(is.finite(x))) {
    stop_input("`", arg, "` must be a K x d matrix of finite numbers, not ",
      if (is_plain_numeric(x) && length(dim(x)) <= 2 && length(x) > 0) {
        "one with missing or infinite values"
      } else {
        describe(x)
      }, ".",
      call = call
    )
  }
  x <- as.matrix(x)
  storage.mode(x) <- "double"
  rownames(x) <- NULL
  x
}

# Covariances to their lower Cholesky factors.
check_covariance <- function(covariance, K, d, call) {
  if (K == 1 && is.matrix(covariance)) dim(covariance) <- c(dim(covariance), 1)
  if (!is_plain_numeric(covariance) || !identical(dim(covariance), c(d, d, K)) ||
    !all(is.finite(covariance))) {
    stop_input("`covariance` must be a d x d x K array of finite numbers, here ",
      paste(d, d, K, sep = " x "), ", not ", describe(covariance), ".",
      call = call
    )
  }
  cholesky <- array(0, c(d, d, K))
  for (k in seq_len(K)) {
    matrix <- matrix(covariance[, , k], d)
    factor <- if (isSymmetric(matrix)) tryCatch(chol(matrix), error = function(e) NULL)
    if (is.null(factor)) {
      stop_input("`covariance` must be symmetric and positive definite, but that of component ", k,
        " is not.",
        call = call
      )
    }
    cholesky[, , k] <- t(factor)
  }
  cholesky
}
