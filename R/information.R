# Degrees of freedom of fits and the criteria built on them, where these mean something, and the
# components that spoil a likelihood.

# Of a density on the rows it was fitted to. Networks that do nothing do not count.
degrees_of_freedom <- function(object) count_parameters(plain_mixture(object) %||% object)

# Why AIC and BIC of a fit mean nothing, the end of a sentence; NULL where they mean something.
no_criterion <- function(object) {
  if (is.na(object$df)) {
    return(paste(
      "the densities that were averaged were not fitted together, so that the number of their",
      "parameters says nothing"
    ))
  }
  if (!is.null(view_maps(object))) {
    return("penalties hold the maps of its columns back, whose parameters are effective ones")
  }
  if (is.null(plain_mixture(object))) {
    return(paste0(
      "early stopping and weight decay hold its networks back, so that its ",
      plural(object$df, "parameter"), " are an upper bound of its degrees of freedom and no more"
    ))
  }
  if (object$at_floor > 0) {
    "its likelihood is as large as `sd_floor` is small, where components are at that floor"
  }
}

# c(AIC, BIC), NA where they mean nothing.
information <- function(object) {
  df <- if (is.null(no_criterion(object))) object$df else NA
  -2 * object$log_likelihood + c(AIC = 2, BIC = log(object$nobs)) * df
}

# The numbers of components with fewer rows than a mean and a scale take, where weights are
# constant: with a network a component may matter in its tail alone.
components_of_few_rows <- function(object) {
  if (is.null(plain_mixture(object))) {
    return(integer())
  }
  # Proportions are rounded.
  which(object$proportions * object$nobs < few_rows(object) - 1e-6)
}

few_rows <- function(object) dimension(object) + 1

# Of a fit by EM without a flow.
warn_degenerate <- function(object, task) {
  floored <- which_at_floor(task$floor * task$sample$scale, parameters(object))
  lonely <- setdiff(components_of_few_rows(object), floored)
  few <- paste("on fewer than", few_rows(object), "rows")
  said <- c(
    about_components(floored, "is at `sd_floor`", "are at `sd_floor`"),
    about_components(lonely, paste("rests", few), paste("rest", few, "each"))
  )
  if (length(said) > 0) {
    warn_cwmix(
      paste0(
        "The likelihood means little, as ", paste(said, collapse = " and "), ": ",
        if (task$full && dimension(object) > 1) "diagonal covariances, ",
        "fewer components or a larger `sd_floor` may help."
      ),
      "cwmix_degenerate", NULL
    )
  }
}

about_components <- function(numbers, one, several) {
  shown <- paste(utils::head(numbers, 5), collapse = ", ")
  if (length(numbers) > 5) shown <- paste0(shown, ", ...")
  if (length(numbers) == 1) {
    paste("component", shown, one)
  } else if (length(numbers) > 1) {
    paste("components", shown, several)
  }
}

# The line of print() on such components.
describe_degenerate <- function(object) {
  few <- length(components_of_few_rows(object))
  said <- c(
    if (object$at_floor > 0) paste(plural(object$at_floor, "component"), "at sd_floor"),
    if (few > 0) paste(plural(few, "component"), "on fewer than", few_rows(object), "rows")
  )
  if (length(said) > 0) paste("  degenerate ", paste(said, collapse = ", "))
}
