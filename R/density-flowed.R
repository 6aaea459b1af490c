# A density seen through one flow F: p(y) = q(F(y)) |det dF/dy|, formula (12) with T_k = A_k after
# F. Fields `flow` (flow-pass.R) and `base`, the density q of u = F(y), of any kind.

new_flowed <- function(flow, base, frame, class = NULL, ...) {
  new_density(list(flow = flow, base = base, ...), frame, c(class, "cwmix_flowed"))
}

#' @export
size.cwmix_flowed <- function(object) size(object$base)

#' @export
evaluate.cwmix_flowed <- function(object, points, quantity, how = list()) {
  at <- flow_forward(object$flow, points$y, how)
  values <- evaluate(object$base, points_at(at$u), quantity, how)
  if (quantity %in% c("density", "component")) values + at$log_det else values
}

#' @export
latent.cwmix_flowed <- function(object, y, k) {
  latent(object$base, flow_forward(object$flow, y)$u, k)
}

#' @export
place.cwmix_flowed <- function(object, z, component) {
  flow_inverse(object$flow, place(object$base, z, component))
}

#' @export
draw_at.cwmix_flowed <- function(object, base) {
  at <- draw_at(object$base, base)
  list(y = flow_inverse(object$flow, at$y), component = at$component)
}

#' @export
draw.cwmix_flowed <- function(object, n, origin = FALSE) {
  u <- draw(object$base, n, origin)
  x <- from_working(flow_inverse(object$flow, u), object$frame$support)
  if (origin) structure(x, component = attr(u, "component"), z = attr(u, "z")) else x
}

#' @export
residual.cwmix_flowed <- function(object, points, u) {
  residual(object$base, points_at(flow_forward(object$flow, points$y)$u), u)
}

#' @export
joint_classifier.cwmix_flowed <- function(object) joint_classifier(object$base)

#' @export
nodes.cwmix_flowed <- function(object, z) {
  at <- nodes(object$base, z)
  list(log_w = at$log_w, y = flow_inverse(object$flow, at$y))
}

# The engine goes through the flow and its components at once.
#' @export
gradient.cwmix_flowed <- function(object, points, weights = NULL, how = list()) {
  parts <- engine_parts(object$base)
  full <- c(parts$parameters, list(flow = object$flow[c("weights", "biases")]))
  shape <- c(flow_shape(object$flow), list(fixed = parts$fixed))
  model <- engine_model(full, parts$activation, shape)
  x <- standardise(points$y, object$flow$center, object$flow$scale)
  all <- unflatten(engine_gradient(model, x, weights, how = how)$gradient, full)
  all[names(parameters(object))]
}

# The nodes went through the flow's inverse.
#' @export
pull_nodes.cwmix_flowed <- function(object, z, dlog_w, dy) {
  heard <- which(rowSums(dy != 0) > 0)
  y <- nodes(object, z)$y[heard, , drop = FALSE]
  back <- flow_pullback(object$flow, y, dy[heard, , drop = FALSE])
  dy[heard, ] <- back$u
  c(pull_nodes(object$base, z, dlog_w, dy), list(flow = back$parameters))
}

#' @export
no_gradient.cwmix_flowed <- function(object) {
  reason <- no_gradient(object$base)
  if (is.null(reason) && is.null(engine_parts(object$base))) {
    reason <- paste("must have normal components behind its flow, not", describe_kind(object$base))
  }
  reason
}

# In one column F increases.
#' @export
log_tail.cwmix_flowed <- function(object) {
  tail <- log_tail(object$base)
  function(y, lower) tail(flow_forward(object$flow, matrix(y))$u[, 1], lower)
}

#' @export
invert.cwmix_flowed <- function(object) {
  inverse <- invert(object$base)
  function(log_p, lower) flow_inverse(object$flow, matrix(inverse(log_p, lower)))[, 1]
}

#' @export
is_heavy.cwmix_flowed <- function(object) is_heavy(object$base)

# F starts as the identity, and no better length is at hand.
#' @export
length_scale.cwmix_flowed <- function(object) length_scale(object$base) * object$flow$scale

#' @export
parameters.cwmix_flowed <- function(object) {
  c(parameters(object$base), list(flow = object$flow[c("weights", "biases")]))
}

#' @export
count_parameters.cwmix_flowed <- function(object) {
  count_parameters(object$base) + count_flow(object$flow, object$base)
}

# In one column the layers of a Real-NVP are one affine map, which components have already.
count_flow <- function(flow, base) {
  if (dimension(base) == 1 && flow$kind == "realnvp") {
    return(if (identical(count_parameters(base), 0L)) 2L else 0L)
  }
  length(flatten(flow[c("weights", "biases")]))
}

#' @export
plain_mixture.cwmix_flowed <- function(object) base_mixture(object)

# What stands behind a flow that only standardises the columns, as it starts, in their units.
base_mixture <- function(object) {
  flow <- object$flow
  base <- plain_mixture(object$base)
  if (!is.null(base) && is_identity_flow(flow)) {
    parameters <- unstandardise_parameters(normal_parameters(base), flow$center, flow$scale)
    normal_of(parameters, "tanh", object$frame, "cwmix_model")
  }
}

# For a fit behind the same flow, of the same standardised columns.
#' @export
start_at.cwmix_flowed <- function(object, center, scale, shape) {
  parts <- engine_parts(object$base)
  # N(0, I) stays as it is, while a fit's components do not.
  if (is.null(parts) || parts$fixed || !is_same_flow(object$flow, center, scale, shape)) {
    return(NULL)
  }
  c(parts$parameters, list(flow = object$flow[c("weights", "biases")]))
}

is_same_flow <- function(flow, center, scale, shape) {
  shape <- unclass(shape)
  own <- flow_shape(flow)
  !is.null(shape) && identical(own, shape[names(own)]) &&
    identical(as.double(flow$center), as.double(center)) &&
    identical(as.double(flow$scale), as.double(scale))
}

#' @export
kind_fields.cwmix_flowed <- function(object) c("flow", "base")

#' @export
describe_kind.cwmix_flowed <- function(object) describe_kind(object$base)

#' @export
describe_parts.cwmix_flowed <- function(object) {
  c(
    describe_parts(object$base),
    paste("  flow       ", describe_flow(object$flow, dimension(object)))
  )
}

#' @export
describe_member.cwmix_flowed <- function(object) {
  name <- flow_name(object$flow)
  base <- describe_member(object$base)
  if (nzchar(base)) paste(base, "behind a", name) else name
}

# At the image u of the columns.
#' @export
component_table.cwmix_flowed <- function(object) base_table(object)

# What stands behind a flow does not know the fit's proportions.
base_table <- function(object) {
  base <- object$base
  base$proportions <- object$proportions
  component_table(base)
}

#' @export
component_title.cwmix_flowed <- function(object) {
  "Components, at the image u of the columns under the flow:"
}

#' @export
component_covariances.cwmix_flowed <- function(object) component_covariances(object$base)

#' @export
covariance_name.cwmix_flowed <- function(object) covariance_name(object$base)

#' @export
validate.cwmix_flowed <- function(object) {
  validate_base(object$base)
  demand(identical(object$flow$shared, TRUE), "its `flow` is not said to be shared")
  validate_flow(object$flow, dimension(object$base))
}
