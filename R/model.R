#' A fully specified classifier weighted mixture
#'
#' The density p(x) = sum over k of w_k(z_k) N(x; mu_k, Sigma_k), z_k = L_k^-1 (x - mu_k), with
#' parameters that are given rather than fitted. It has the methods of a fit.
#'
#' @param mean A numeric matrix of component means, K x d. A vector stands for d = 1: one number
#'   a component.
#' @param sd A numeric matrix of positive standard deviations, K x d like `mean`: diagonal
#'   covariances. Give either `sd` or `covariance`.
#' @param covariance A numeric array of positive definite covariances, d x d x K; for K = 1 a
#'   d x d matrix will do.
#' @param classifier A [cwmix_classifier()]; or K probabilities that sum to 1 (constant weights);
#'   or a function that takes an n x d matrix of standardised points and returns the n x K matrix
#'   of their weights, rows summing to 1.
#' @param support Bounds of the columns, as in [cwmix()]; `mean` and `sd` are then those of the
#'   transformed columns.
#' @param ... Must be empty.
#' @return An object of class `c("cwmix_model", "cwmix_density")`, a plain list.
#' @section Errors: A condition of class `"cwmix_input_error"` names the argument, what is needed
#'   and what was given.
#' @references Argouarc'h, Desbouvries, Barat, Kawasaki and Dautremer (2025), Classifier Weighted
#'   Mixture models, arXiv:2501.02989, equations (12) and (16).
#' @examples
#' # Two normals whose weights switch with the standardised point
#' w <- function(z) cbind(plogis(3 * z), plogis(-3 * z))
#' model <- cwmix_model(c(-2.5, 2.5), sd = c(1, 1), classifier = w)
#' integrate(function(x) predict(model, x), -Inf, Inf)
#' @export
cwmix_model <- function(mean, sd = NULL, covariance = NULL, classifier, support = NULL, ...) {
  call <- user_call()
  check_dots_empty(..., call = call)
  check_given(c("mean", "classifier"), call)
  columns <- new_columns(colnames(mean), if (is.null(dim(mean))) "vector" else "matrix")
  check_column_names(columns$names, "mean", call)
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
  new_density(
    mean = mean, sd = sd, cholesky = cholesky,
    classifier = read_classifier(classifier, ncol(mean), nrow(mean), call),
    support = read_support(support, ncol(mean), columns$names, call),
    columns = columns, class = "cwmix_model"
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

# Every density, fitted or specified, is built here; see ?cwmix for the fields.
new_density <- function(mean, sd, cholesky, classifier, support, columns, class, ...) {
  dimnames(mean) <- row_names(NULL, columns$names)
  if (!is.null(sd)) dimnames(sd) <- row_names(NULL, columns$names)
  structure(
    list(
      mean = mean, sd = sd, cholesky = cholesky, classifier = classifier, support = support,
      columns = columns, ...
    ),
    class = c(class, "cwmix_density")
  )
}

# A density from parameters shaped like coef().
density_of <- function(parameters, activation, support, columns, class, ...) {
  full <- is.null(parameters$log_sd)
  sd <- if (!full) exp(parameters$log_sd)
  new_density(
    mean = parameters$mean, sd = sd,
    cholesky = if (full) exp_diagonal(parameters$log_cholesky),
    classifier = new_classifier(parameters$weights, parameters$biases, activation),
    support = support, columns = columns, class = class, ...
  )
}

# The same without bounds or names of columns.
plain_density <- function(parameters, activation = "tanh") {
  d <- ncol(parameters$mean)
  density_of(parameters, activation, no_support(d), new_columns(NULL, "matrix"), "cwmix_model")
}
