#' Classifier weighted mixtures
#'
#' Probability densities p(x) = sum over k of w_k(z_k) N(x; mu_k, Sigma_k) whose weights are
#' functions of x, given by a softmax network w at the standardised point z_k. Start with [cwmix()]
#' and `vignette("cwmix")`; `vignette("mixtures")` says how such a density comes about.
#'
#' A normalising flow may stand before the components (`flow` of [cwmix()]) or be a density alone
#' ([flow_realnvp()], [flow_spline()]). In one column components may be of other families
#' (`components` of [cwmix_model()]). `vignette("picture")` compares mixtures and flows.
#'
#' @references Argouarc'h, Desbouvries, Barat, Kawasaki and Dautremer (2025), Classifier Weighted
#'   Mixture models, arXiv:2501.02989.
#' @name cwmix-package
#' @docType package
#' @keywords internal
#' @useDynLib cwmix, .registration = TRUE
#' @importFrom stats AIC BIC coef logLik nobs predict quantile residuals simulate update vcov
#' @importFrom generics augment glance tidy
NULL

#' @export
generics::tidy

#' @export
generics::glance

#' @export
generics::augment
