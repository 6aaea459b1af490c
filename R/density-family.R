# The CDF form, formula (6): p(x) = sum_k alpha_k(P_k(x)) p_k(x), components of any continuous
# families in one column without bounds of its own. Fields `components`, a list named by families
# with the parameters of each, and `classifier`, that of alpha (unit_classifier()). It is the
# normal-base form with the maps z = Phi^-1(P_k(x)), as w_k(z) = alpha_k(Phi(z)).

new_family <- function(components, classifier, class = NULL, ...) {
  new_density(
    list(components = components, classifier = unit_classifier(classifier), ...),
    new_frame(NULL, "vector", no_support(1)), c(class, "cwmix_family")
  )
}

family_model <- function(components, classifier, call) {
  components <- read_components(components, call)
  classifier <- read_classifier(classifier, 1L, length(components), call, uniform = TRUE)
  new_family(components, classifier, "cwmix_model")
}

#' @export
size.cwmix_family <- function(object) list(d = 1L, K = length(object$components))

#' @export
log_components.cwmix_family <- function(object, y) {
  components <- seq_along(object$components)
  log_density <- vapply(components, function(k) {
    call_family(object$components[k], "d", as.double(y), log = TRUE)
  }, double(nrow(y)))
  matrix(log_density, nrow(y), length(components))
}

# log P_k(x), or log(1 - P_k(x)).
log_family_tail <- function(object, x, k, lower) {
  call_family(object$components[k], "p", x, lower.tail = lower, log.p = TRUE)
}

# z = Phi^-1(P_k(x)), from the smaller tail.
#' @export
latent.cwmix_family <- function(object, y, k) {
  x <- as.double(y)
  log_p <- log_family_tail(object, x, k, TRUE)
  z <- normal_quantile(log_p)
  upper <- which(log_p > -log(2))
  z[upper] <- -normal_quantile(log_family_tail(object, x[upper], k, FALSE))
  matrix(z)
}

# x = P_k^-1(Phi(z)), from the smaller tail. Logarithms only where probabilities underflow:
# families' quantiles are better without.
#' @export
place.cwmix_family <- function(object, z, component) {
  z <- as.double(z)
  x <- double(length(z))
  for (k in unique(component)) {
    for (lower in c(TRUE, FALSE)) {
      for (far in c(FALSE, TRUE)) {
        rows <- which(component == k & (z < 0) == lower & (abs(z) > 37) == far)
        if (length(rows) == 0) next
        p <- stats::pnorm(-abs(z[rows]), log.p = far)
        x[rows] <- call_family(
          object$components[k], "q", p,
          lower.tail = lower, log.p = far
        )
      }
    }
  }
  matrix(x)
}

# Of families nothing but values is known: derivatives in their parameters are central differences.
# Those in the classifier's are the engine's, at the points u_k = P_k(x):
#   d log p = sum_k v_k d log alpha_k(u_k)
#' @export
gradient.cwmix_family <- function(object, points, weights = NULL, how = list()) {
  n <- nrow(points$y)
  K <- length(object$components)
  total <- function(object) {
    sum(evaluate(object, points, "density") * (weights %||% rep(1, n)))
  }
  posterior <- exp(evaluate(object, points, "posterior")) * (weights %||% 1)
  z <- do.call(rbind, lapply(seq_len(K), function(k) latent(object, points$y, k)))
  own <- rep(seq_len(K), each = n)
  dlog_w <- matrix(0, n * K, K)
  dlog_w[cbind(seq_len(n * K), own)] <- posterior
  c(
    list(components = family_differences(object, total)),
    pull_classifier(object$classifier, z, dlog_w)
  )
}

#' @export
pull_nodes.cwmix_family <- function(object, z, dlog_w, dy) {
  K <- length(object$components)
  each <- rep(seq_len(nrow(z)), K)
  own <- rep(seq_len(K), each = nrow(z))
  total <- function(object) sum(place(object, z[each, , drop = FALSE], own) * dy)
  c(
    list(components = family_differences(object, total)),
    pull_classifier(object$classifier, z, dlog_w)
  )
}

# Derivatives of f(object) in every parameter of its components, shaped like these.
family_differences <- function(object, f) {
  components <- object$components
  for (k in seq_along(components)) {
    for (name in names(components[[k]])) {
      at <- object$components[[k]][[name]]
      step <- .Machine$double.eps^(1 / 3) * max(abs(at), 1e-2)
      moved <- function(by) {
        object$components[[k]][[name]] <- at + by
        f(object)
      }
      slope <- tryCatch((moved(step) - moved(-step)) / (2 * step), warning = function(w) NaN)
      if (!is.finite(slope)) {
        stop_input("`object` must have parameters at which differences can be taken, but `", name,
          "` of ", describe_component(components[k]), " is at an end of its range.",
          call = NULL
        )
      }
      components[[k]][[name]] <- slope
    }
  }
  components
}

# Derivatives in log w_k at points z as those in the classifier's weights and biases.
pull_classifier <- function(classifier, z, dlog_w) {
  model <- classifier_model(classifier$inner, 1)
  shape <- c(
    list(mean = matrix(0, classifier$K, 1), log_sd = matrix(0, classifier$K, 1)),
    classifier_parameters(classifier)
  )
  flat <- engine_expectation_gradient(model, unit_point(z), dlog_w, double(length(dlog_w)))
  unflatten(flat, shape)[c("weights", "biases")]
}

#' @export
no_gradient.cwmix_family <- function(object) {
  if (!has_parameters(object$classifier)) {
    "must have a classifier with parameters for a gradient, not an R function"
  }
}

# With constant weights the tails are those of the components.
#' @export
log_tail.cwmix_family <- function(object) {
  if (!is_constant(object$classifier)) {
    return(NextMethod())
  }
  log_weight <- log_weights(object$classifier, matrix(0))[1, ]
  function(y, lower) {
    tails <- vapply(seq_along(log_weight), function(k) {
      log_weight[k] + log_family_tail(object, y, k, lower)
    }, double(length(y)))
    log_row_sums(matrix(tails, length(y), length(log_weight)))
  }
}

# Components may have heavy tails, or nearly all of their mass at the end of their support.
#' @export
is_heavy.cwmix_family <- function(object) TRUE

# The smallest and the largest value of any component.
#' @export
value_range.cwmix_family <- function(object) {
  ends <- vapply(seq_along(object$components), function(k) {
    call_family(object$components[k], "q", c(0, 1), lower.tail = TRUE, log.p = FALSE)
  }, c(0, 0))
  matrix(c(min(ends[1, ]), max(ends[2, ])), 1, dimnames = list(NULL, c("lower", "upper")))
}

# Quartiles, by normal standards.
#' @export
length_scale.cwmix_family <- function(object) {
  z <- stats::qnorm(c(0.25, 0.75))
  K <- length(object$components)
  x <- matrix(place(object, rep(z, K), rep(seq_len(K), each = 2)), 2)
  min((x[2, ] - x[1, ]) / diff(z))
}

#' @export
parameters.cwmix_family <- function(object) {
  c(object["components"], classifier_parameters(object$classifier))
}

#' @export
count_parameters.cwmix_family <- function(object) {
  as.integer(length(unlist(object$components)) + count_weights(object$classifier))
}

#' @export
kind_fields.cwmix_family <- function(object) c("components", "classifier")

#' @export
describe_kind.cwmix_family <- function(object) {
  K <- plural(length(object$components), "component")
  paste0(K, " in 1 column, ", describe_families(object$components))
}

#' @export
describe_parts.cwmix_family <- function(object) {
  paste("  classifier ", describe_classifier(object$classifier))
}

#' @export
describe_member.cwmix_family <- function(object) {
  paste0(
    describe_families(object$components), " with ", describe_classifier(object$classifier)
  )
}

# The family of each and its parameters, NA for those it has not.
#' @export
component_table.cwmix_family <- function(object) {
  components <- object$components
  table <- NextMethod()
  table$family <- names(components)
  for (name in unique(unlist(lapply(components, names)))) {
    table[[name]] <- vapply(components, function(x) x[[name]] %||% NA_real_, 0)
  }
  table
}

#' @export
validate.cwmix_family <- function(object) {
  components <- object$components
  demand(
    is.list(components) && !is.object(components) && length(components) > 0 &&
      is.character(names(components)) && all(nzchar(names(components), keepNA = FALSE)),
    "its `components` are no list named by families"
  )
  for (k in seq_along(components)) {
    demand(
      is.list(components[[k]]) && !is.object(components[[k]]) && all(lengths(components[[k]]) == 1),
      "its component ", k, " is no list of parameters, one number each"
    )
    tryCatch(
      read_components(components[k], NULL),
      cwmix_input_error = function(e) {
        demand(FALSE, "its component ", k, " is none: ", sub("[.]$", "", conditionMessage(e)))
      }
    )
  }
  demand(inherits(object$classifier, "cwmix_unit"), "its `classifier` is none on (0, 1)")
  validate_classifier(object$classifier, 1, length(components))
  demand(!any(is.finite(object$frame$support)), "its column has bounds besides its components'")
}
