#' Classifier weighted mixtures
#'
#' Probability densities p(x) = sum over k of w_k(T_k(x)) N(x; mu_k, Sigma_k) whose weights are
#' functions of x, given by a softmax network at the standardised point. Start with [cwmix()] and
#' `vignette("cwmix")`.
#'
#' @references Argouarc'h, Desbouvries, Barat, Kawasaki and Dautremer (2025), Classifier Weighted
#'   Mixture models, arXiv:2501.02989.
#' @name cwmix-package
#' @docType package
#' @keywords internal
#' @useDynLib cwmix, .registration = TRUE
#' @importFrom stats coef logLik nobs predict quantile residuals simulate update vcov
#' @importFrom generics augment glance tidy
NULL

#' @export
generics::tidy

#' @export
generics::glance

#' @export
generics::augment
