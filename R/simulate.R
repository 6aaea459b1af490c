#' Draw from a density
#'
#' Exact and independent draws: z from N(0, I), a component k with probability w_k(z), then
#' x = mu_k + L_k z. With a flow F it is x = F^-1(mu_k + L_k z), of a model with `components`
#' x = P_k^-1(Phi(z)).
#'
#' @param object A `cwmix_density`: a fit of [cwmix()], [gaussian_mixture()] or
#'   [flow_realnvp()], a [cwmix_model()] or a [cwmix_average()].
#' @param nsim A whole number of at least 0, the number of draws.
#' @param seed `NULL`, or an integer for [set.seed()]; the generator's state is then restored, as
#'   by [stats::simulate()].
#' @param component A flag: also return the components and base points.
#' @param ... Must be empty.
#' @return `nsim` draws, one a row (of 0 draws no rows), in the columns and the type (vector, matrix
#'   or data frame) of the training data. The attribute `"seed"` holds what reproduces them. With
#'   `component = TRUE` the attributes `"component"` (integers) and `"z"` (`nsim` x d) tell where
#'   each came from.
#' @section Errors: A condition of class `"cwmix_input_error"`.
#' @references Argouarc'h, Desbouvries, Barat, Kawasaki and Dautremer (2025), Classifier Weighted
#'   Mixture models, arXiv:2501.02989, section on sampling.
#' @examples
#' model <- cwmix_model(c(-1, 1), sd = c(1, 2), classifier = c(0.3, 0.7))
#' summary(simulate(model, 1000, seed = 1)[1:1000])
#' @export
simulate.cwmix_density <- function(object, nsim = 1, seed = NULL, component = FALSE, ...) {
  call <- user_call()
  check_dots_empty(..., call = call)
  nsim <- check_count(nsim, "nsim", call, min = 0)
  check_flag(component, "component", call)
  validate_density(object, "object", call)
  state <- seed_state(seed, call)
  if (!is.null(seed)) on.exit(assign(".Random.seed", state$before, envir = globalenv()))
  # Nested, so that R need not copy the draws to change their attributes.
  x <- restore_points(object$frame, at_call(call, draw(object, nsim, component)))
  attr(x, "seed") <- state$seed
  x
}
