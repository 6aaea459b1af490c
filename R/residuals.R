#' Latent residuals
#'
#' For each row a component k is drawn from its posterior v(x) and z_k = L_k^-1 (x - mu_k) is
#' returned. If the model holds, these are exactly independent draws from N(0, I), in any
#' dimension: randomised quantile residuals (Dunn and Smyth 1996) for mixtures. With a flow F they
#' are those of F(x); of a model with `components` z_k is Phi^-1(P_k(x)).
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
    u <- stats::runif(length(part$usable))
    z[rows[part$usable], ] <- residuals_working(
      object, part$y[part$usable, , drop = FALSE], u, call
    )
  }
  z
}

# z_k at finite points on the working scale, k drawn by the uniforms u.
residuals_working <- function(object, y, u, call) {
  if (is_average(object$classifier)) {
    return(residuals_average(object, y, u, call))
  }
  if (!is.null(object$flow)) {
    return(residuals_working(without_flow(object), flow_forward(object, y)$u, u, call))
  }
  if (is.null(object$classifier$fn) && !has_families(object)) {
    model <- engine_model(coef(object), object$classifier$activation)
    scale <- object$sd %||% object$cholesky
    return(engine_residuals(model, object$mean, scale, y, u))
  }
  z <- matrix(NA_real_, nrow(y), ncol(y))
  posterior <- exp(log_quantity_working(object, y, "posterior", call))
  possible <- which(!is.na(posterior[, 1]))
  component <- choose_column(posterior[possible, , drop = FALSE], u[possible])
  for (k in unique(component)) {
    rows <- possible[component == k]
    z[rows, ] <- latent(object, y[rows, , drop = FALSE], k)
  }
  z
}
