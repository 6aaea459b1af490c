# Classifier weighted mixtures of normal components, formula (16): fields `mean` (K x d), exactly
# one of `sd` (K x d) and `cholesky` (d x d x K lower triangular factors), and `classifier`. The
# engine's kind; where the classifier is an R function, which the engine cannot call, R follows the
# formulas.

new_normal <- function(mean, sd = NULL, cholesky = NULL, classifier, frame, class = NULL, ...) {
  dimnames(mean) <- row_names(NULL, frame$names)
  if (!is.null(sd)) dimnames(sd) <- row_names(NULL, frame$names)
  fields <- list(mean = mean, sd = sd, cholesky = cholesky, classifier = classifier, ...)
  new_density(fields, frame, c(class, "cwmix_normal"))
}

# From parameters shaped like coef().
normal_of <- function(parameters, activation, frame, class = NULL, ...) {
  full <- is.null(parameters$log_sd)
  new_normal(
    mean = parameters$mean, sd = if (!full) exp(parameters$log_sd),
    cholesky = if (full) exp_diagonal(parameters$log_cholesky),
    classifier = new_classifier(parameters$weights, parameters$biases, activation),
    frame = frame, class = class, ...
  )
}

# Without bounds or names of columns.
plain_normal <- function(parameters, activation = "tanh") {
  normal_of(parameters, activation, plain_frame(ncol(parameters$mean)))
}

#' @export
size.cwmix_normal <- function(object) list(d = ncol(object$mean), K = nrow(object$mean))

scale_of <- function(object) object$sd %||% object$cholesky

#' @export
evaluate.cwmix_normal <- function(object, points, quantity, how = list()) {
  if (!in_engine(object$classifier)) {
    return(NextMethod())
  }
  evaluate_in_engine(object, points$y, quantity, how)
}

# The engine needs no table of its components, but hears no interrupt either.
#' @export
point_width.cwmix_normal <- function(object) {
  if (in_engine(object$classifier)) max(ncol(object$mean), nrow(object$mean) / 64) else NextMethod()
}

# Single precision has points in units of the components, as training has: differences of numbers
# far from zero would be lost.
evaluate_in_engine <- function(object, y, quantity, how) {
  parameters <- normal_parameters(object)
  log_scale <- 0
  if (in_single(how)) {
    center <- colMeans(object$mean)
    scale <- apply(component_sd(object$sd, object$cholesky), 2, max)
    parameters <- standardise_parameters(parameters, center, scale)
    y <- standardise(y, center, scale)
    if (quantity %in% c("density", "component")) log_scale <- sum(log(scale))
  }
  model <- engine_model(parameters, object$classifier$activation)
  engine_density(model, y, quantity, how) - log_scale
}

#' @export
log_components.cwmix_normal <- function(object, y) {
  object$classifier <- constant_classifier(rep(1, nrow(object$mean)))
  evaluate_in_engine(object, y, "component", list())
}

# z_k = L_k^-1 (y - mu_k).
#' @export
latent.cwmix_normal <- function(object, y, k) {
  u <- t(y) - object$mean[k, ]
  z <- if (is.null(object$cholesky)) {
    u / object$sd[k, ]
  } else {
    forwardsolve(matrix(object$cholesky[, , k], nrow(u)), u)
  }
  matrix(t(z), nrow(y), ncol(y))
}

# y = mu_k + L_k z.
#' @export
place.cwmix_normal <- function(object, z, component) {
  if (is.null(object$cholesky)) {
    return(object$mean[component, , drop = FALSE] + object$sd[component, , drop = FALSE] * z)
  }
  y <- object$mean[component, , drop = FALSE]
  for (j in seq_len(ncol(z))) {
    for (l in seq_len(j)) y[, j] <- y[, j] + object$cholesky[j, l, component] * z[, l]
  }
  y
}

# Constant weights are the same everywhere.
constant_log_weights <- function(object) {
  log_weights(object$classifier, matrix(0, 1, ncol(object$mean)))[1, ]
}

# Constant weights need no table of them, a row a draw.
#' @export
draw_at.cwmix_normal <- function(object, base) {
  if (!is_constant(object$classifier)) {
    return(NextMethod())
  }
  component <- choose_interval(exp(constant_log_weights(object)), base$u)
  list(y = unname(place(object, base$z, component)), component = component)
}

#' @export
draw.cwmix_normal <- function(object, n, origin = FALSE) {
  if (n == 0 || !in_engine(object$classifier)) {
    return(NextMethod())
  }
  model <- classifier_model(object$classifier, ncol(object$mean))
  # A user's generator may fail, so it must not run beside other threads.
  ahead <- !"user-supplied" %in% RNGkind()
  engine_draw(model, object$mean, scale_of(object), object$frame$support, n, origin, ahead)
}

# F(y) = sum_k w_k Phi((y - mu_k) / sigma_k) where weights are constant.
#' @export
log_tail.cwmix_normal <- function(object) {
  if (!is_constant(object$classifier)) {
    return(NextMethod())
  }
  log_weight <- constant_log_weights(object)
  mean <- object$mean[, 1]
  sd <- object$sd %||% object$cholesky
  function(y, lower) {
    blocks <- lapply(row_blocks(length(y), length(mean)), function(rows) {
      each <- function(x) rep(as.double(x), each = length(rows))
      t <- (rep(y[rows], length(mean)) - each(mean)) / each(sd)
      constant_tail(log_weight, matrix(t, length(rows)), lower)
    })
    as.double(unlist(blocks))
  }
}

#' @export
residual.cwmix_normal <- function(object, points, u) {
  if (!in_engine(object$classifier)) {
    return(NextMethod())
  }
  model <- engine_model(normal_parameters(object), object$classifier$activation)
  engine_residuals(model, object$mean, scale_of(object), points$y, u)
}

#' @export
nodes.cwmix_normal <- function(object, z) {
  y <- engine_nodes(object$mean, scale_of(object), z)
  list(log_w = log_weights(object$classifier, z), y = matrix(y, length(y) %/% ncol(z), ncol(z)))
}

#' @export
gradient.cwmix_normal <- function(object, points, weights = NULL, how = list()) {
  parameters <- normal_parameters(object)
  model <- engine_model(parameters, object$classifier$activation)
  unflatten(engine_gradient(model, points$y, weights, how = how)$gradient, parameters)
}

#' @export
pull_nodes.cwmix_normal <- function(object, z, dlog_w, dy) {
  parameters <- normal_parameters(object)
  model <- engine_model(parameters, object$classifier$activation)
  unflatten(engine_expectation_gradient(model, z, dlog_w, dy), parameters)
}

#' @export
no_gradient.cwmix_normal <- function(object) {
  if (!has_parameters(object$classifier)) {
    "must have a classifier with parameters for a gradient, not an R function"
  }
}

# Of a Gaussian mixture without bounds.
#' @export
closed_moments.cwmix_normal <- function(object) {
  if (!is_constant(object$classifier) || is_bounded(object$frame)) {
    return(NULL)
  }
  pi <- exp(constant_log_weights(object))
  mean <- colSums(pi * object$mean)
  centred <- unname(object$mean) - rep(mean, each = length(pi))
  between <- crossprod(centred, pi * centred)
  within <- if (is.null(object$cholesky)) {
    diag(colSums(pi * object$sd^2), length(mean))
  } else {
    rowSums(covariance_of(object$cholesky) * rep(pi, each = length(mean)^2), dims = 2)
  }
  list(mean = unname(mean), vcov = between + within)
}

#' @export
length_scale.cwmix_normal <- function(object) {
  apply(component_sd(object$sd, object$cholesky), 2, min)
}

#' @export
parameters.cwmix_normal <- function(object) normal_parameters(object)

normal_parameters <- function(object) {
  scale <- if (is.null(object$cholesky)) {
    list(log_sd = log(object$sd))
  } else {
    list(log_cholesky = log_diagonal(object$cholesky))
  }
  c(list(mean = object$mean), scale, classifier_parameters(object$classifier))
}

# Constant weights sum to one, and only the lower triangles are free.
#' @export
count_parameters.cwmix_normal <- function(object) {
  d <- ncol(object$mean)
  K <- nrow(object$mean)
  scales <- if (is.null(object$cholesky)) K * d else K * d * (d + 1) / 2
  as.integer(K * d + scales + count_weights(object$classifier))
}

#' @export
engine_parts.cwmix_normal <- function(object) {
  if (!in_engine(object$classifier)) {
    return(NULL)
  }
  list(
    parameters = normal_parameters(object), activation = object$classifier$activation, fixed = FALSE
  )
}

#' @export
start_at.cwmix_normal <- function(object, center, scale, shape) {
  if (in_engine(object$classifier)) standardise_parameters(normal_parameters(object), center, scale)
}

#' @export
as_mixture.cwmix_normal <- function(object) {
  if (is_constant(object$classifier)) object
}

#' @export
plain_mixture.cwmix_normal <- function(object) {
  constant <- as_constant(object$classifier)
  if (!is.null(constant)) replace(object, "classifier", list(constant))
}

# Mixtures with constant weights as one, by decreasing weight: diagonal covariances as factors where
# others are full.
merge_mixtures <- function(mixtures, shares) {
  log_weights <- merged_log_weights(mixtures, shares)
  order <- order(-log_weights)
  parts <- stack_components(mixtures)
  new_normal(
    parts$mean[order, , drop = FALSE], parts$sd[order, , drop = FALSE],
    parts$cholesky[, , order, drop = FALSE], new_classifier(list(), list(log_weights[order])),
    mixtures[[1]]$frame, "cwmix_model"
  )
}

merged_log_weights <- function(mixtures, shares) {
  unlist(Map(function(mixture, share) {
    log(share) + constant_log_weights(mixture)
  }, mixtures, shares))
}

# Some components of a mixture with constant weights.
pick_components <- function(object, which) {
  new_normal(
    object$mean[which, , drop = FALSE], object$sd[which, , drop = FALSE],
    object$cholesky[, , which, drop = FALSE],
    new_classifier(list(), list(constant_log_weights(object)[which])), object$frame, "cwmix_model"
  )
}

# Means and scales one below the other: list(mean, sd | cholesky).
stack_components <- function(densities) {
  mean <- unname(do.call(rbind, lapply(densities, `[[`, "mean")))
  full <- vapply(densities, function(density) is.null(density$sd), NA)
  if (!any(full)) {
    return(list(mean = mean, sd = unname(do.call(rbind, lapply(densities, `[[`, "sd")))))
  }
  d <- ncol(mean)
  factors <- lapply(densities, function(density) {
    density$cholesky %||% apply(density$sd, 1, diag, nrow = d)
  })
  list(mean = mean, cholesky = array(unlist(factors), c(d, d, nrow(mean))))
}

#' @export
kind_fields.cwmix_normal <- function(object) c("mean", "sd", "cholesky", "classifier")

#' @export
describe_kind.cwmix_normal <- function(object) {
  describe_components(nrow(object$mean), ncol(object$mean), is.null(object$sd))
}

describe_components <- function(K, d, full) {
  sprintf(
    "%s in %s, %s covariances", plural(K, "component"), plural(d, "column"),
    if (full) "full" else "diagonal"
  )
}

#' @export
describe_parts.cwmix_normal <- function(object) {
  paste("  classifier ", describe_classifier(object$classifier))
}

#' @export
describe_member.cwmix_normal <- function(object) {
  if (is_constant(object$classifier)) {
    return("Gaussian mixture")
  }
  describe_classifier(object$classifier)
}

# Proportions (where known), means and standard deviations.
#' @export
component_table.cwmix_normal <- function(object) {
  labels <- column_labels(object$frame)
  values <- cbind(object$mean, component_sd(object$sd, object$cholesky))
  colnames(values) <- c(paste0("mean.", labels), paste0("sd.", labels))
  cbind(NextMethod(), as.data.frame(values))
}

#' @export
component_covariances.cwmix_normal <- function(object) {
  if (!is.null(object$cholesky)) covariance_of(object$cholesky)
}

#' @export
covariance_name.cwmix_normal <- function(object) {
  if (is.null(object$cholesky)) "diagonal" else "full"
}

#' @export
validate.cwmix_normal <- function(object) {
  mean <- object$mean
  demand(
    is.matrix(mean) && length(mean) > 0 && are_doubles(mean, dim(mean)),
    "its `mean` is no K x d matrix of finite numbers"
  )
  d <- ncol(mean)
  K <- nrow(mean)
  demand(
    is.null(object$sd) != is.null(object$cholesky), "it has not exactly one of `sd` and `cholesky`"
  )
  demand(K * (d + if (is.null(object$sd)) d^2 else d) <= most_parameters, "it is too large")
  if (is.null(object$cholesky)) {
    sd <- object$sd
    demand(
      are_doubles(sd, c(K, d)) && all(sd > 0) && all(is.finite(1 / sd)),
      "its `sd` are not ", K, " x ", d, " positive numbers"
    )
  } else {
    demand(
      are_doubles(object$cholesky, c(d, d, K)) && is_lower_triangular(object$cholesky),
      "its `cholesky` are no lower triangular ", d, " x ", d, " factors, one a component"
    )
  }
  demand(!inherits(object$classifier, "cwmix_unit"), "its `classifier` is one on (0, 1)")
  validate_classifier(object$classifier, d, K)
}

is_lower_triangular <- function(a) {
  d <- dim(a)[1]
  diagonal <- a[rep(as.logical(diag(d)), dim(a)[3])]
  all(diagonal > 0) && all(is.finite(1 / diagonal)) &&
    all(a[rep(upper.tri(diag(d)), dim(a)[3])] == 0)
}
