model_name <- function(x) {
  if (inherits(x, "gaussian_mixture")) {
    "Gaussian mixture"
  } else if (inherits(x, "cwmix_vi")) {
    "Variational fit"
  } else if (inherits(x, "flow")) {
    "Normalising flow"
  } else {
    "Classifier weighted mixture"
  }
}

describe_shape <- function(x) {
  if (inherits(x, "flow")) {
    return(sprintf("%s in %s", model_name(x), plural(ncol(x$mean), "column")))
  }
  if (has_families(x)) {
    K <- plural(nrow(x$mean), "component")
    return(sprintf("%s: %s in 1 column, %s", model_name(x), K, describe_families(x)))
  }
  sprintf(
    "%s: %s in %s, %s covariances", model_name(x), plural(nrow(x$mean), "component"),
    plural(ncol(x$mean), "column"), if (is.null(x$cholesky)) "diagonal" else "full"
  )
}

describe_support <- function(x) {
  support <- bounds_of(x)
  bounded <- rowSums(is.finite(support)) > 0
  if (!any(bounded)) {
    return(character())
  }
  bounds <- sprintf("%s in (%g, %g)", column_labels(x), support[, 1], support[, 2])[bounded]
  shown <- paste(utils::head(bounds, 3), collapse = ", ")
  if (length(bounds) > 3) shown <- paste0(shown, ", ...")
  shown
}

describe_training <- function(x) {
  if (inherits(x, "gaussian_mixture")) {
    return(sprintf(
      "  EM          %s, best of %s, %s", plural(max(x$trace$iteration), "iteration"),
      plural(length(x$starts), "start"), if (x$converged) "converged" else "not converged"
    ))
  }
  if (is_stacked(x)) {
    return(sprintf(
      "  stacked     %d of %s, %s: held-out score %s (se %s)",
      sum(x$candidates$share > 0), plural(nrow(x$candidates), "candidate"),
      if (x$folds == 1) "one split" else plural(x$folds, "fold"),
      fixed(x$held_out[["score"]], 4), fixed(x$held_out[["se"]], 4)
    ))
  }
  best <- x$trace[match(x$best_epoch, x$trace$epoch), ]
  if (max(x$trace$epoch) == 0) {
    return(if (x$stopped == "diverged") "  training    diverged at once" else "  training    none")
  }
  score <- if (is.na(best$validation)) {
    sprintf("training score %.4f, from %.4f", best$training, x$trace$training[1])
  } else {
    sprintf("validation score %.4f, from %.4f", best$validation, x$trace$validation[1])
  }
  sprintf(
    "  training    epoch %d of %d (%s): %s at epoch 0", x$best_epoch, max(x$trace$epoch),
    switch(x$stopped, epochs = "all run", patience = "stopped early", x$stopped), score
  )
}

describe_average <- function(shares) {
  if (length(shares) == 1) {
    return("1 density")
  }
  shown <- paste0("shares ", paste(signif(utils::head(shares, 6), 3), collapse = ", "))
  if (length(shares) > 6) shown <- paste0(shown, ", ...")
  if (length(unique(shares)) == 1) shown <- "equal shares"
  paste0(length(shares), " densities, ", shown)
}

# Without AIC and BIC for a stack: its parameters, those of all members, were not fitted together.
describe_likelihood <- function(x) {
  line <- sprintf(
    "  log-lik.    %s%s, %s a row", fixed(x$log_likelihood, 2),
    if (is_stacked(x)) "" else sprintf(" (df = %d)", x$df),
    fixed(x$log_likelihood / x$nobs, 4)
  )
  if (is_stacked(x)) {
    return(line)
  }
  sprintf("%s; AIC %s, BIC %s", line, fixed(stats::AIC(x), 1), fixed(stats::BIC(x), 1))
}

fixed <- function(x, digits) {
  if (abs(x) < 1e-3 || abs(x) > 1e9) base::format(x, digits = 5) else sprintf("%.*f", digits, x)
}

#' @export
format.cwmix_density <- function(x, ...) {
  check_dots_empty(..., call = user_call())
  lines <- c(
    describe_shape(x), if (!inherits(x, c("gaussian_mixture", "flow"))) sprintf(
      "  classifier  %s%s", describe_classifier(x$classifier),
      if (has_families(x) && !is_constant(x$classifier)) ", on (0, 1)" else ""
    ),
    if (!is.null(x$flow)) sprintf("  map         %s", describe_map(x$flow, ncol(x$mean))),
    sprintf("  support     %s", describe_support(x))
  )
  if (is.null(x$nobs)) {
    n <- count_parameters(x)
    return(c(
      lines, if (!is.null(x$shares)) sprintf("  average of  %s", describe_average(x$shares)),
      if (!is.na(n)) sprintf("  specified   %s", plural(n, "parameter"))
    ))
  }
  held <- length(x$held_rows)
  c(
    lines,
    sprintf(
      "  data        %s%s", plural(x$nobs, "row"),
      if (held > 0) sprintf(", %d of them for validation", held) else ""
    ),
    describe_training(x),
    if (x$at_floor > 0 && !is_stacked(x)) {
      sprintf("  at sd_floor %s", plural(x$at_floor, "component"))
    },
    describe_likelihood(x)
  )
}

#' @export
format.cwmix_vi <- function(x, ...) {
  check_dots_empty(..., call = user_call())
  with_error <- function(value) {
    if (anyNA(value)) {
      return("not measured")
    }
    sprintf("%s (se %s)", fixed(value[["estimate"]], 4), format(signif(value[["se"]], 2)))
  }
  reasons <- poor_fit(x)
  c(
    describe_shape(x), sprintf("  classifier  %s", describe_classifier(x$classifier)),
    sprintf("  support     %s", describe_support(x)),
    sprintf(
      "  training    step %d of %d (%s)", x$best_step, max(x$trace$step),
      switch(x$stopped, steps = "all done", x$stopped)
    ),
    sprintf("  ELBO        %s", with_error(x$elbo)),
    sprintf("  evidence    %s, log scale, by importance sampling", with_error(x$log_evidence)),
    if (!is.na(x$ess)) sprintf(
      "  trust       effective sample size %.0f of %d, Pareto k %s", x$ess,
      length(x$importance$log_weights), if (is.na(x$pareto_k)) "unknown" else fixed(x$pareto_k, 2)
    ),
    if (length(reasons) > 0) sprintf("  not to be trusted: %s", paste(reasons, collapse = "; "))
  )
}

#' @export
print.cwmix_density <- function(x, ...) {
  cat(format(x, ...), sep = "\n")
  invisible(x)
}

#' Summarise a density
#'
#' @param object A `cwmix_density`.
#' @param ... Must be empty.
#' @return An object of class `"summary.cwmix_density"`, a list: `header`, the lines that `print()`
#'   shows of the object; `components`, a data frame with the proportion (for fits), the means and
#'   the standard deviations of each component, in units of the data (of their logs or logits in
#'   bounded columns; with a flow, of u = F(x), with columns u1, u2, ...), of a model with
#'   `components` their families and parameters; `covariance`, a d x d x K array, or `NULL` with
#'   diagonal covariances; `flow`, whether there is one.
#' @examples
#' summary(gaussian_mixture(faithful, K = 2, covariance = "full"))
#' @export
summary.cwmix_density <- function(object, ...) {
  check_dots_empty(..., call = user_call())
  covariance <- if (!is.null(object$cholesky)) covariance_of(object$cholesky)
  structure(
    list(
      header = format(object), components = component_table(object), covariance = covariance,
      flow = !is.null(object$flow)
    ),
    class = "summary.cwmix_density"
  )
}

# A row a component: proportion (where known), means, standard deviations.
component_table <- function(object) {
  if (has_families(object)) {
    return(family_table(object))
  }
  K <- nrow(object$mean)
  # What a flow gives are no columns of the data.
  labels <- column_labels(object)
  if (!is.null(object$flow)) labels <- paste0("u", seq_along(labels))
  sd <- object$sd
  if (is.null(sd)) {
    covariance <- covariance_of(object$cholesky)
    d <- ncol(object$mean)
    sd <- t(vapply(seq_len(K), function(k) sqrt(diag(matrix(covariance[, , k], d))), double(d)))
    dim(sd) <- c(K, d)
  }
  values <- cbind(object$mean, sd)
  colnames(values) <- c(paste0("mean.", labels), paste0("sd.", labels))
  table <- data.frame(component = seq_len(K))
  if (!is.null(object$proportions)) table$proportion <- object$proportions
  cbind(table, as.data.frame(values))
}

#' @export
print.summary.cwmix_density <- function(x, digits = max(3L, getOption("digits") - 3L), ...) {
  check_dots_empty(..., call = user_call())
  title <- if (isTRUE(x$flow)) "Components, at the image u of the columns under the flow:"
  cat(x$header, "", title %||% "Components:", sep = "\n")
  shown <- utils::head(x$components, 10)
  print(shown, digits = digits, row.names = FALSE)
  more <- nrow(x$components) - nrow(shown)
  if (more > 0) cat(sprintf("... and %s\n", plural(more, "further component")))
  invisible(x)
}
