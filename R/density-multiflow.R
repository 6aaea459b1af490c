# A mixture with a flow F_k before each component, formula (12) with T_k = A_k after F_k:
#   p(y) = sum_k w_k(z_k) N(u_k; mu_k, Sigma_k) |det dF_k/dy|,  u_k = F_k(y),  z_k = A_k(u_k)
# Fields `flow`, K flows of one shape (flow-pass.R), and `base`, the normal mixture of the u_k. With
# constant weights it is a mixture of flows.

new_multiflow <- function(flow, base, frame, class = NULL, ...) {
  new_density(list(flow = flow, base = base, ...), frame, c(class, "cwmix_multiflow"))
}

#' @export
size.cwmix_multiflow <- function(object) size(object$base)

# The engine goes through the flows and their components at once, on the standardised scale.
multiflow_model <- function(object) {
  engine_model(
    parameters(object), object$base$classifier$activation, flow_shape(object$flow)
  )
}

#' @export
evaluate.cwmix_multiflow <- function(object, points, quantity, how = list()) {
  flow <- object$flow
  x <- standardise(points$y, flow$center, flow$scale)
  values <- engine_density(multiflow_model(object), x, quantity, how)
  if (quantity %in% c("density", "component")) values - sum(log(flow$scale)) else values
}

#' @export
latent.cwmix_multiflow <- function(object, y, k) {
  latent(object$base, flow_forward(one_flow(object$flow, k), y)$u, k)
}

#' @export
place.cwmix_multiflow <- function(object, z, component) {
  u <- place(object$base, z, component)
  for (k in unique(component)) {
    rows <- which(component == k)
    u[rows, ] <- flow_inverse(one_flow(object$flow, k), u[rows, , drop = FALSE])
  }
  u
}

#' @export
joint_classifier.cwmix_multiflow <- function(object) joint_classifier(object$base)

#' @export
gradient.cwmix_multiflow <- function(object, points, weights = NULL, how = list()) {
  x <- standardise(points$y, object$flow$center, object$flow$scale)
  flat <- engine_gradient(multiflow_model(object), x, weights, how = how)$gradient
  unflatten(flat, parameters(object))
}

# The nodes of a component went through the inverse of its flow.
#' @export
pull_nodes.cwmix_multiflow <- function(object, z, dlog_w, dy) {
  n <- nrow(z)
  y <- nodes(object, z)$y
  flows <- lapply(seq_len(size(object)$K), function(k) {
    flow <- one_flow(object$flow, k)
    rows <- (k - 1) * n + seq_len(n)
    back <- flow_pullback(flow, y[rows, , drop = FALSE], dy[rows, , drop = FALSE])
    dy[rows, ] <<- back$u
    back$parameters
  })
  flow <- list(weights = lapply(flows, `[[`, "weights"), biases = lapply(flows, `[[`, "biases"))
  c(pull_nodes(object$base, z, dlog_w, dy), list(flow = flow))
}

#' @export
no_gradient.cwmix_multiflow <- function(object) no_gradient(object$base)

# The flows start as the identity, and no better length is at hand.
#' @export
length_scale.cwmix_multiflow <- function(object) length_scale(object$base) * object$flow$scale

#' @export
parameters.cwmix_multiflow <- function(object) {
  c(parameters(object$base), list(flow = object$flow[c("weights", "biases")]))
}

#' @export
count_parameters.cwmix_multiflow <- function(object) {
  count_parameters(object$base) + count_flow(object$flow, object$base)
}

#' @export
plain_mixture.cwmix_multiflow <- function(object) base_mixture(object)

# For a fit behind flows of the same shape, of the same standardised columns.
#' @export
start_at.cwmix_multiflow <- function(object, center, scale, shape) {
  if (is_same_flow(object$flow, center, scale, shape)) parameters(object)
}

#' @export
kind_fields.cwmix_multiflow <- function(object) c("flow", "base")

#' @export
describe_kind.cwmix_multiflow <- function(object) describe_kind(object$base)

#' @export
describe_parts.cwmix_multiflow <- function(object) {
  flow <- describe_flow(object$flow, dimension(object))
  c(describe_parts(object$base), paste("  flows       for each component a", flow))
}

#' @export
describe_member.cwmix_multiflow <- function(object) {
  paste(describe_member(object$base), "behind", paste0(flow_name(object$flow), "s"), "of its own")
}

# At the images u_k of the columns.
#' @export
component_table.cwmix_multiflow <- function(object) base_table(object)

#' @export
component_title.cwmix_multiflow <- function(object) {
  "Components, each at the image u of the columns under its flow:"
}

#' @export
component_covariances.cwmix_multiflow <- function(object) component_covariances(object$base)

#' @export
covariance_name.cwmix_multiflow <- function(object) covariance_name(object$base)

#' @export
validate.cwmix_multiflow <- function(object) {
  validate_base(object$base)
  demand(inherits(object$base, "cwmix_normal"), "its `base` has no normal components")
  demand(in_engine(object$base$classifier), "the classifier of its `base` is no network")
  demand(identical(object$flow$shared, FALSE), "its `flow` is said to be shared")
  validate_flow(object$flow, dimension(object$base), size(object$base)$K)
}
