#' Latent residuals
#'
#' For each row a component k is drawn from its posterior v(x) and z_k = L_k^-1 (x - mu_k) is
#' returned. If the model holds, these are exactly independent draws from N(0, I), in any
#' dimension: randomised quantile residuals (Dunn and Smyth 1996) for mixtures. With a flow F they
#' are those of F(x); of a model with `components` z_k is Phi^-1(P_k(x)). Values on a coarse grid
#' and atoms are taken where they were recorded, in the middle of their cells: residuals of such
#' columns come in steps, even if the model holds.
#'
#' @inheritParams predict.cwmix_density
#' @param rows A string or `NULL`: what judges the rows. `"held-out"`: `newdata` are the data of a
#'   [cwmix()] fit without `K`, all rows in their order, and the residuals of each row are those of
#'   the members that have not seen it; with one split, as beyond 20,000 rows, those that it does
#'   not hold out are judged by fits that have seen them. `"new"`: the residuals are those of
#'   `object` itself, whose rows they may be. `NULL`: `"held-out"` where `newdata` are the data of a
#'   fit without `K`, `"new"` everywhere else.
#' @param ... Must be empty.
#' @return An n x d matrix. Rows with missing values, or outside the support, give `NA`. The
#'   generator's state advances: one uniform a complete row.
#' @section Errors: A condition of class `"cwmix_input_error"`.
#' @references Dunn and Smyth (1996), Randomized quantile residuals, Journal of Computational and
#'   Graphical Statistics 5, 236-244.
#' @examples
#' fit <- gaussian_mixture(faithful, K = 2)
#' set.seed(1)
#' qqnorm(residuals(fit, faithful)[, 1])
#' @export
residuals.cwmix_density <- function(object, newdata, ..., rows = NULL) {
  call <- user_call()
  check_dots_empty(..., call = call)
  check_given("newdata", call)
  validate_density(object, "object", call)
  points <- read_newdata(object$frame, newdata, call)
  z <- judged_residuals(object, points$x, judges(object, points$x, rows, call), call)
  dimnames(z) <- row_names(points$rows, object$frame$names)
  z
}

# The residuals of a matrix of points under those of judges() who judge them.
judged_residuals <- function(object, x, jury, call) {
  z <- matrix(NA_real_, nrow(x), ncol(x))
  for (judge in jury) {
    for (block in row_blocks(length(judge$rows), max(ncol(x), size(object)$K))) {
      some <- judge$rows[block]
      part <- working_points(object$frame, x[some, , drop = FALSE])
      u <- stats::runif(length(part$usable))
      usable <- points_at(part$y[part$usable, , drop = FALSE])
      z[some[part$usable], ] <- at_call(call, residual(judge$density, usable, u))
    }
  }
  z
}
