# N(0, I), the base of a flow alone: a normal density whose parameters stay as they are.

standard_normal <- function(d) {
  parameters <- mixture_parameters(matrix(0, 1, d), rep(1, d), FALSE, 0)
  normal_of(parameters, "tanh", image_frame(d), "cwmix_standard")
}

#' @export
parameters.cwmix_standard <- function(object) list()

#' @export
count_parameters.cwmix_standard <- function(object) 0L

#' @export
gradient.cwmix_standard <- function(object, points, weights = NULL, how = list()) list()

#' @export
pull_nodes.cwmix_standard <- function(object, z, dlog_w, dy) list()

#' @export
engine_parts.cwmix_standard <- function(object) {
  list(parameters = normal_parameters(object), activation = "tanh", fixed = TRUE)
}

#' @export
start_at.cwmix_standard <- function(object, center, scale, shape) NULL

#' @export
describe_kind.cwmix_standard <- function(object) {
  paste("standard normal density in", plural(ncol(object$mean), "column"))
}

#' @export
describe_parts.cwmix_standard <- function(object) character()

# A flow alone needs no word for it.
#' @export
describe_member.cwmix_standard <- function(object) ""

#' @export
validate.cwmix_standard <- function(object) {
  NextMethod()
  demand(
    identical(dim(object$mean)[1], 1L) && all(object$mean == 0) && !is.null(object$sd) &&
      all(object$sd == 1) && is_constant(object$classifier),
    "its base is not N(0, I)"
  )
}
