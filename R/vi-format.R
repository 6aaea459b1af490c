# What a variational fit says of itself.

#' @export
model_name.cwmix_vi <- function(object) "Variational fit"

#' @export
unfitted_name.cwmix_vi <- function(object) "a variational fit"

#' @export
format.cwmix_vi <- function(x, ...) {
  call <- user_call()
  check_dots_empty(..., call = call)
  validate_density(x, "x", call, fit = TRUE)
  with_error <- function(value) {
    if (anyNA(value)) {
      return("not measured")
    }
    sprintf("%s (se %s)", fixed(value[["estimate"]], 4), format(signif(value[["se"]], 2)))
  }
  reasons <- poor_fit(x)
  c(
    headline(x), describe_parts(x),
    sprintf("  support     %s", describe_range(value_range(x), column_labels(x$frame))),
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

#' @rdname tidiers
#' @export
glance.cwmix_vi <- function(x, ...) {
  call <- user_call()
  check_dots_empty(..., call = call)
  validate_density(x, "x", call, fit = TRUE)
  data.frame(
    glance_size(x),
    elbo = x$elbo[["estimate"]], elbo.std.error = x$elbo[["se"]],
    log_evidence = x$log_evidence[["estimate"]],
    log_evidence.std.error = x$log_evidence[["se"]], ess = x$ess, pareto_k = x$pareto_k
  )
}

#' @export
fit_rules.cwmix_vi <- function(object) {
  d <- dimension(object)
  measured <- length(object$importance$log_weights) > 0
  known <- if (measured) is_number else is_number_or_missing
  utils::modifyList(NextMethod(), list(
    trace = is_trace("step", "elbo", "se", "learning_rate"),
    elbo = has_estimate("estimate"), log_evidence = has_estimate("estimate"),
    search_evidence = has_estimate("estimate"), ess = known, pareto_k = is_number_or_missing,
    importance = function(x) {
      is.matrix(x$draws) && is.double(x$draws) && ncol(x$draws) == d && is.double(x$log_weights) &&
        length(x$log_weights) == nrow(x$draws) && !anyNA(x$log_weights)
    }
  ))
}

is_number_or_missing <- function(x) is.double(x) && length(x) == 1 && !is.nan(x)

#' @export
fit_needs.cwmix_vi <- function(object) {
  c(
    "proportions", "trace", "best_step", "stopped", "control", "call", "optimiser", "elbo",
    "log_evidence", "ess", "pareto_k", "importance"
  )
}
