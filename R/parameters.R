# Parameters: as lists shaped like coef(), as the engine's flat vector, on the data's scale and
# on the standardised one.

flatten <- function(parameters) unlist(parameters, use.names = FALSE)

# The inverse of flatten() for a list of the shape of `template`.
unflatten <- function(values, template) {
  end <- 0L
  fill <- function(x) {
    if (is.list(x)) {
      return(lapply(x, fill))
    }
    take <- end + seq_along(x)
    end <<- end + length(x)
    x[] <- values[take]
    x
  }
  fill(template)
}

# Lower triangular factors with the log of the diagonal in place of the diagonal, and back.
log_diagonal <- function(cholesky) map_diagonal(cholesky, log)
exp_diagonal <- function(log_cholesky) map_diagonal(log_cholesky, exp)

map_diagonal <- function(a, f) {
  d <- dim(a)[1]
  first <- (seq_len(dim(a)[3]) - 1) * d^2
  at <- rep(first, each = d) + seq_len(d) + d * (seq_len(d) - 1)
  a[at] <- f(a[at])
  a
}

covariance_of <- function(cholesky) {
  for (k in seq_len(dim(cholesky)[3])) {
    factor <- matrix(cholesky[, , k], dim(cholesky)[1])
    cholesky[, , k] <- tcrossprod(factor)
  }
  cholesky
}

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
#'     flow F means and scales are those of u = F(x), at first the standardised columns;
#'   - `log_sd`, K x d; or, with full covariances, `log_cholesky`, d x d x K: the strict lower
#'     part of the Cholesky factor of each covariance, the log of its diagonal on the diagonal,
#'     zero above;
#'   - `weights`, a list of (out, in) matrices, and `biases`, a list of vectors; with constant
#'     weights no matrix and one vector, the log weights. Neither where the classifier is an R
#'     function. For a [cwmix_average()], or a fit without `K`, of several classifiers lists of
#'     these lists, one a member; the shares are not among the parameters;
#'   - `flow`, where there is one, the last: a list of `weights` and `biases`, each with one element
#'     a coupling layer, which is such a list of its network's layers. A flow alone has this element
#'     and no other.
#'
#'   For a [cwmix_model()] with `components`, a field `components`, one list of parameters each,
#'   stands in place of `mean` and the scales.
#' @examples
#' model <- cwmix_model(c(-1, 1), sd = c(1, 2), classifier = c(0.3, 0.7))
#' coef(model)
#' @export
coef.cwmix_density <- function(object, ...) {
  check_dots_empty(..., call = user_call())
  if (has_families(object)) {
    return(c(object["components"], classifier_parameters(object$classifier)))
  }
  free_parameters(all_parameters(object), object$flow)
}

# Those of the engine, in its order.
all_parameters <- function(object) {
  scale <- if (is.null(object$cholesky)) {
    list(log_sd = log(object$sd))
  } else {
    list(log_cholesky = log_diagonal(object$cholesky))
  }
  flow <- if (!is.null(object$flow)) list(flow = object$flow[c("weights", "biases")])
  c(list(mean = object$mean), scale, classifier_parameters(object$classifier), flow)
}

# A flow alone has a base that is not fitted.
free_parameters <- function(parameters, flow) {
  if (isTRUE(flow$fixed)) parameters["flow"] else parameters
}

classifier_parameters <- function(classifier) {
  if (!has_parameters(classifier)) {
    return(NULL)
  }
  if (is_average(classifier)) {
    part <- function(name) lapply(classifier$members, `[[`, name)
    return(list(weights = part("weights"), biases = part("biases")))
  }
  list(weights = classifier$weights, biases = classifier$biases)
}

activations <- c("tanh", "relu", "silu")

# What the engine takes for a model: see src/ffi.h. `flow` is the shape of a flow whose parameters
# are among those given, or NULL.
engine_model <- function(parameters, activation = "tanh", flow = NULL) {
  full <- is.null(parameters$log_sd)
  widths <- if (length(parameters$weights) > 0) {
    c(ncol(parameters$mean), vapply(parameters$weights, nrow, 0L))
  }
  list(
    parameters = as.double(flatten(parameters)),
    d = ncol(parameters$mean), K = nrow(parameters$mean), full = full,
    activation = match(activation, activations) - 1L, widths = as.integer(widths),
    flow = engine_flow(flow, ncol(parameters$mean))
  )
}

# The same of a density with its flow, if it has one.
full_model <- function(object) {
  engine_model(all_parameters(object), object$classifier$activation, object$flow)
}

# Working scale to standardised scale, (y - center) / scale, and back. z is the same on both, so
# the classifier is.
standardise_parameters <- function(parameters, center, scale) {
  # The centre first: -center / scale would round off what means far from zero have in common.
  parameters$mean[] <- parameters$mean - rep(center, each = nrow(parameters$mean))
  rescale_parameters(parameters, 0 * center, 1 / scale)
}

unstandardise_parameters <- function(parameters, center, scale) {
  rescale_parameters(parameters, center, scale)
}

# The parameters of shift + factor * Y from those of Y.
rescale_parameters <- function(parameters, shift, factor) {
  K <- nrow(parameters$mean)
  by_column <- function(values) rep(values, each = K)
  parameters$mean[] <- parameters$mean * by_column(factor) + by_column(shift)
  if (!is.null(parameters$log_sd)) {
    parameters$log_sd[] <- parameters$log_sd + by_column(log(factor))
  } else {
    parameters$log_cholesky <- log_diagonal(exp_diagonal(parameters$log_cholesky) * factor)
  }
  parameters
}

order_components <- function(parameters, order) {
  parameters$mean <- parameters$mean[order, , drop = FALSE]
  if (!is.null(parameters$log_sd)) {
    parameters$log_sd <- parameters$log_sd[order, , drop = FALSE]
  } else {
    parameters$log_cholesky <- parameters$log_cholesky[, , order, drop = FALSE]
  }
  last <- length(parameters$weights)
  if (last > 0) {
    parameters$weights[[last]] <- parameters$weights[[last]][order, , drop = FALSE]
  }
  parameters$biases[[max(last, 1)]] <- parameters$biases[[max(last, 1)]][order]
  parameters
}

# Free parameters: constant weights sum to one, and only the lower triangles are free. NA for a
# classifier whose parameters are not known.
count_parameters <- function(object) {
  if (!has_parameters(object$classifier)) {
    return(NA_integer_)
  }
  if (is_average(object$classifier)) {
    return(sum(vapply(member_densities(object), count_parameters, 0L)))
  }
  flow <- count_flow(object$flow, ncol(object$mean))
  if (isTRUE(object$flow$fixed)) {
    return(flow)
  }
  d <- ncol(object$mean)
  K <- nrow(object$mean)
  components <- if (has_families(object)) {
    length(unlist(object$components))
  } else {
    K * d + if (is.null(object$cholesky)) K * d else K * d * (d + 1) / 2
  }
  network <- length(object$classifier$weights) > 0
  weights <- if (network) length(flatten(classifier_parameters(object$classifier))) else K - 1
  as.integer(components + weights + flow)
}

# In one column the layers of a Real-NVP are one affine map, which components have already.
count_flow <- function(flow, d) {
  if (d == 1 && identical(flow$map, "realnvp")) {
    return(if (isTRUE(flow$fixed)) 2L else 0L)
  }
  length(flatten(flow[c("weights", "biases")]))
}
