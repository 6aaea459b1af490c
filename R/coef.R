#' Parameters of a density
#'
#' The unconstrained parameters, in which the model is optimised: means, log standard deviations or
#' log-Cholesky factors, the classifier's weights and biases, and those of a flow.
#'
#' @param object A `cwmix_density`: a fit of [cwmix()], [gaussian_mixture()] or
#'   [flow_realnvp()], a [cwmix_model()] or a [cwmix_average()].
#' @param ... Must be empty.
#' @return A list, the shape of the gradient of [log_likelihood()]:
#'   - `mean`, K x d, in units of the data (of their logs or logits in bounded columns); behind a
#'     flow F means and scales are those of u = F(x), at first the standardised columns, behind
#'     maps of columns those of their images u;
#'   - `log_sd`, K x d; or, with full covariances, `log_cholesky`, d x d x K: the strict lower
#'     part of the Cholesky factor of each covariance, the log of its diagonal on the diagonal,
#'     zero above;
#'   - `weights`, a list of (out, in) matrices, and `biases`, a list of vectors; with constant
#'     weights no matrix and one vector, the log weights. Neither where the classifier is an R
#'     function;
#'   - `flow`, where there is one, the last: a list of `weights` and `biases`, each with one element
#'     a coupling layer, which is such a list of its network's layers. A flow alone has this element
#'     and no other. With one flow a component, each has an element a component, which is such a
#'     list.
#'
#'   For a [cwmix_model()] with `components`, a field `components`, one list of parameters each (in
#'   the units of the family), stands in place of `mean` and the scales. Of a [cwmix_average()], or
#'   a fit without `K`, it is `list(members = )`, such a list for each member; the shares are not
#'   among the parameters.
#' @examples
#' model <- cwmix_model(c(-1, 1), sd = c(1, 2), classifier = c(0.3, 0.7))
#' coef(model)
#' @export
coef.cwmix_density <- function(object, ...) {
  call <- user_call()
  check_dots_empty(..., call = call)
  validate_density(object, "object", call)
  parameters(object)
}
