# The generic of entropies: of pictures and of densities.

#' Entropy of a density
#'
#' The differential entropy, minus the integral of p log p. Its negative is the largest mean
#' log density that any estimate can reach on the population.
#'
#' @param object An [image_density()], or a density of this package.
#' @inheritParams expectation
#' @param ... Must be empty.
#' @return A number, in nats. For a picture it is exact, minus the sum over pixels of
#'   `mass * log(mass * pixels)`: at most 0, that of the uniform density on the square. For a
#'   density a `"cwmix_expectation"` with its standard error, see [expectation()].
#' @section Errors: A condition of class `"cwmix_input_error"`.
#' @examples
#' entropy(image_density(matrix(1, 4, 4)))
#' entropy(image_density(diag(4))) # a quarter of the square: -log(4)
#' set.seed(1)
#' entropy(gaussian_mixture(faithful, K = 2))
#' @export
entropy <- function(object, ...) {
  check_given("object", user_call())
  UseMethod("entropy")
}

#' @export
entropy.default <- function(object, ...) {
  needed <- "an image_density() or a density of this package"
  check_class(object, c("image_density", "cwmix_density"), needed, "object", user_call())
}
