#' Tidy a density
#'
#' Methods of the generics package, as broom users expect them.
#'
#' @param x A `cwmix_density`; for `glance()` a fit.
#' @param data A data frame, matrix or vector of points to augment.
#' @param rows A string or `NULL`: what gives `.density`. `"held-out"`: `data` are the data of a
#'   [cwmix()] fit without `K`, all rows in their order, and the density of each row is that of the
#'   members that have not seen it; with one split, as beyond 20,000 rows, rows that it does not
#'   hold out are judged by fits that have seen them. `"new"`: it is that of `x` itself. `NULL`:
#'   `"held-out"` where `data` are the data of a fit without `K`, `"new"` everywhere else. `.class`
#'   and `.uncertainty` are always those of `x`.
#' @param ... Must be empty.
#' @return `tidy()`: a data frame with a row a component: `component`, `proportion` (fits only), the
#'   means and standard deviations as `mean.<column>` and `sd.<column>`; with a flow F those of u =
#'   F(x), as `mean.u1`, `sd.u1` and so on; of a [cwmix_model()] with `components` `family` and a
#'   column a parameter, `NA` where a family has it not; of an average also `member`, and `NA` where
#'   a column is another member's. `glance()`: one row with `K`, `d`, `covariance` (`NA` of
#'   families, `"mixed"` in a stack of both), `df`, the fit's field (with trained networks an upper
#'   bound, without `K` `NA`), `logLik`, `AIC` and `BIC`, `NA` where they mean nothing (see
#'   [logLik()][logLik.cwmix_density]), `nobs`, and for a [cwmix()] fit or a flow `best_epoch` and
#'   `validation`, its mean log density on the validation rows (without `K`, `NA` and the held-out
#'   score of the stack); of a [cwmix_vi()] fit with `K`, `d`, `covariance`, `elbo`, `log_evidence`
#'   and their standard errors, `ess` and `pareto_k`. `augment()`: the data with columns `.density`,
#'   `.class` (the most probable component, of an average among those of all members, which are no
#'   clusters; [predict()][predict.cwmix_density] warns of that, `augment()` does not) and
#'   `.uncertainty` (one minus its posterior).
#' @section Errors: A condition of class `"cwmix_input_error"`.
#' @examples
#' fit <- gaussian_mixture(faithful, K = 2)
#' tidy(fit)
#' glance(fit)
#' head(augment(fit, faithful))
#' @name tidiers
NULL

#' @rdname tidiers
#' @export
tidy.cwmix_density <- function(x, ...) {
  call <- user_call()
  check_dots_empty(..., call = call)
  validate_density(x, "x", call, fit = TRUE)
  component_table(x)
}

#' @rdname tidiers
#' @export
glance.cwmix_density <- function(x, ...) {
  call <- user_call()
  check_dots_empty(..., call = call)
  check_fitted(x, call, "x")
  criteria <- information(x)
  cbind(glance_size(x), data.frame(
    df = x$df, logLik = x$log_likelihood, AIC = criteria[["AIC"]], BIC = criteria[["BIC"]],
    nobs = x$nobs
  ), glance_training(x))
}

# Components, columns and covariances, NA where there are none.
glance_size <- function(x) {
  data.frame(K = size(x)$K, d = dimension(x), covariance = covariance_name(x))
}

# Columns that say how well training went, none where there was none.
glance_training <- function(x) UseMethod("glance_training")

#' @export
glance_training.cwmix_density <- function(x) data.frame(row.names = 1L)

#' @rdname tidiers
#' @export
augment.cwmix_density <- function(x, data, ..., rows = NULL) {
  call <- user_call()
  check_dots_empty(..., call = call)
  check_given("data", call)
  validate_density(x, "x", call)
  log_density <- judged_density(x, data, rows, call, arg = "data")
  labels <- classes_of(x, data, call, arg = "data")
  if (is.data.frame(data)) {
    out <- data
  } else {
    out <- as.data.frame(data)
    if (is.null(dim(data))) names(out) <- column_labels(x$frame)
  }
  out$.density <- unname(exp(log_density))
  out$.class <- unname(labels$class)
  out$.uncertainty <- 1 - exp(labels$log_posterior)
  out
}
