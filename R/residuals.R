#' Latent residuals
#'
#' For each row a component k is drawn from its posterior v(x) and z_k = L_k^-1 (x - mu_k) is
#' returned. If the model holds, these are exactly independent draws from N(0, I), in any
#' dimension: randomised quantile residuals (Dunn and Smyth 1996) for mixtures.
#'
#' @inheritParams predict.cwmix_density
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
residuals.cwmix_density <- function(object, newdata, ...) {
  call <- user_call()
  check_dots_empty(..., call = call)
  check_given("newdata", call)
  points <- read_newdata(object, newdata, call)
  n <- nrow(points$x)
  d <- ncol(points$x)
  z <- matrix(NA_real_, n, d, dimnames = row_names(points$rows, object$columns$names))
  for (rows in row_blocks(n, max(d, nrow(object$mean)))) {
    part <- to_working_points(object, points$x[rows, , drop = FALSE])
    z[rows, ] <- latent_draw(object, part, call)
  }
  z
}

# z_k at working_points(), with k drawn from the posterior.
latent_draw <- function(object, points, call) {
  posterior <- exp(log_quantity_at(object, points, "posterior", call))
  usable <- which(!is.na(posterior[, 1]))
  component <- choose_column(posterior[usable, , drop = FALSE], stats::runif(length(usable)))
  z <- matrix(NA_real_, nrow(points$y), ncol(points$y))
  for (k in unique(component)) {
    rows <- usable[component == k]
    z[rows, ] <- latent(object, points$y[rows, , drop = FALSE], k)
  }
  z
}
