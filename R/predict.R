#' Evaluate a density at new points
#'
#' @param object A `cwmix_density`: a fit of [cwmix()], [gaussian_mixture()] or
#'   [flow_realnvp()], a [cwmix_model()] or a [cwmix_average()].
#' @param newdata The points: a numeric vector (one column), matrix or data frame. Columns are
#'   matched by name where both the model and `newdata` have names, and columns the model does
#'   not know are then left aside; otherwise by position.
#' @param type A string:
#'   - `"density"`, p(x);
#'   - `"posterior"`, v_k(x), the probability of component k given x;
#'   - `"class"`, the number of the component with the largest posterior;
#'   - `"weights"`, the functional weights pi_k(x) = w_k(z_k), which do not sum to 1 over k;
#'     z_k = L_k^-1 (x - mu_k), or with a flow F, L_k^-1 (F(x) - mu_k);
#'   - `"component"`, p_k(x), the density of component k before weighting: N(x; mu_k, Sigma_k), in
#'     bounded columns that of the logs or logits times their derivative; with a flow
#'     N(F(x); mu_k, Sigma_k) |det dF/dx|; of a model with `components` that of the family.
#'
#'   The density is the sum over k of weights times components.
#' @param log A flag: logarithms, exact far in the tails (not for `"class"`).
#' @param precision A string: `"single"` is two to three times as fast. Its log densities have
#'   errors of some 1e-6, relative beyond 1, and more where components are narrow beside their
#'   distance from each other: of about 1e-7 times that ratio. An R function as classifier is
#'   always called in double, and a model with `components` evaluated in double.
#'   (`precision` of [cwmix_control()] is that of training.)
#' @param ... Must be empty.
#' @return For `"density"` a numeric vector, for `"class"` an integer vector, one a row of
#'   `newdata`; otherwise a matrix with K columns. Names of rows survive. A row with a missing
#'   value gives `NA`. Outside the support density and components are 0, everything else is `NA`.
#' @section Errors: A condition of class `"cwmix_input_error"` when columns are missing or not
#'   numeric.
#' @references Argouarc'h, Desbouvries, Barat, Kawasaki and Dautremer (2025), Classifier Weighted
#'   Mixture models, arXiv:2501.02989, equation (16).
#' @examples
#' model <- cwmix_model(c(-1, 1), sd = c(1, 2), classifier = c(0.3, 0.7))
#' predict(model, c(0, 1, NA))
#' predict(model, c(0, 1), type = "posterior")
#' @export
predict.cwmix_density <- function(object, newdata,
                                  type = c("density", "posterior", "class", "weights", "component"),
                                  log = FALSE, precision = c("double", "single"), ...) {
  call <- user_call()
  check_dots_empty(..., call = call)
  type <- check_choice(
    type, c("density", "posterior", "class", "weights", "component"), "type", call
  )
  check_flag(log, "log", call)
  precision <- check_choice(precision, c("double", "single"), "precision", call)
  single <- precision == "single" || engine_single()
  check_given("newdata", call)
  if (type == "class") {
    if (log) stop_input("`log` must be FALSE for type = \"class\", not TRUE.", call = call)
    return(class_of(object, newdata, call, single))
  }
  if (log) {
    log_quantity(object, newdata, type, call, single = single)
  } else {
    exp(log_quantity(object, newdata, type, call, single = single))
  }
}

# Points as users hold them on the working scale: list(y, log_jacobian, usable, outside, rows),
# usable and outside being row numbers; rows that are neither have missing values.
working_points <- function(object, newdata, call, arg = "newdata") {
  points <- read_newdata(object, newdata, call, arg)
  c(to_working_points(object, points$x), list(rows = points$rows))
}

# The same for a matrix, without names of rows.
to_working_points <- function(object, x) {
  missing <- infinite <- logical(nrow(x))
  for (j in seq_len(ncol(x))) {
    missing <- missing | is.na(x[, j])
    infinite <- infinite | is.infinite(x[, j])
  }
  working <- to_working(x, object$support)
  outside <- !missing & (!working$inside | infinite)
  list(
    y = working$y, log_jacobian = working$log_jacobian, usable = which(!missing & !outside),
    outside = which(outside)
  )
}

# Log of a quantity at data as users hold them, with names, missing values and the support's
# Jacobian. Block by block: beyond the result little memory is needed.
log_quantity <- function(object, newdata, quantity, call, arg = "newdata",
                         single = engine_single()) {
  points <- read_newdata(object, newdata, call, arg)
  n <- nrow(points$x)
  K <- nrow(object$mean)
  out <- if (quantity == "density") {
    stats::setNames(double(n), points$rows)
  } else {
    matrix(0, n, K, dimnames = row_names(points$rows))
  }
  for (rows in row_blocks(n, max(ncol(points$x), K))) {
    part <- to_working_points(object, points$x[rows, , drop = FALSE])
    part <- log_quantity_at(object, part, quantity, call, single)
    if (quantity == "density") out[rows] <- part else out[rows, ] <- part
  }
  out
}

# The same at working_points().
log_quantity_at <- function(object, points, quantity, call, single = engine_single()) {
  usable <- points$usable
  values <- log_quantity_working(
    object, points$y[usable, , drop = FALSE], quantity, call, single
  )
  if (single && !engine_single()) values <- mend_lost(values, object, points, quantity, call)
  if (quantity %in% c("density", "component")) values <- values + points$log_jacobian[usable]
  if (quantity == "density") {
    out <- rep(NA_real_, nrow(points$y))
    names(out) <- points$rows
    out[usable] <- values
    out[points$outside] <- -Inf
  } else {
    out <- matrix(NA_real_, nrow(points$y), nrow(object$mean), dimnames = row_names(points$rows))
    out[usable, ] <- values
    if (quantity == "component") out[points$outside, ] <- -Inf
  }
  out
}

# Far from the components single precision overflows where double does not: those rows anew.
mend_lost <- function(values, object, points, quantity, call) {
  values <- as.matrix(values)
  lost <- which(rowSums(is.na(values)) > 0)
  if (length(lost) > 0) {
    y <- points$y[points$usable[lost], , drop = FALSE]
    values[lost, ] <- log_quantity_working(object, y, quantity, call, FALSE)
  }
  if (quantity == "density") values[, 1] else values
}

# Names of rows as dimnames; none at all where there are none, as in a plain matrix.
row_names <- function(rows, columns = NULL) {
  if (!is.null(rows) || !is.null(columns)) list(rows, columns)
}

# The number of the largest column, the first among equals; NA where the first is.
most_probable <- function(posterior) {
  class <- max.col(replace(posterior, is.na(posterior), -Inf), ties.method = "first")
  class[is.na(posterior[, 1])] <- NA
  names(class) <- rownames(posterior)
  class
}

# The most probable component of every row.
class_of <- function(object, newdata, call, single) {
  points <- read_newdata(object, newdata, call)
  class <- stats::setNames(integer(nrow(points$x)), points$rows)
  for (rows in row_blocks(length(class), max(dim(object$mean)))) {
    part <- to_working_points(object, points$x[rows, , drop = FALSE])
    class[rows] <- most_probable(log_quantity_at(object, part, "posterior", call, single))
  }
  class
}

# A quantity at a matrix of finite points on the working scale: a vector, or n x K.
log_quantity_working <- function(object, y, quantity, call = NULL, single = engine_single(),
                                 threads = NULL) {
  if (has_families(object)) {
    return(log_quantity_families(object, y, quantity, call))
  }
  if (is_average(object$classifier)) {
    return(log_quantity_average(object, y, quantity, call, single, threads))
  }
  if (!is.null(object$flow)) {
    at <- flow_forward(object, y, single, threads)
    values <- log_quantity_working(without_flow(object), at$u, quantity, call, single, threads)
    return(if (quantity %in% c("density", "component")) values + at$log_det else values)
  }
  if (is.null(object$classifier$fn)) {
    return(log_quantity_engine(object, y, quantity, single, threads))
  }
  # An R function as classifier: the same formulas here.
  constant <- object
  constant$classifier <- constant_classifier(rep(1, nrow(object$mean)))
  log_component <- log_quantity_working(constant, y, "component", single = single)
  if (quantity == "component") {
    return(log_component)
  }
  log_weight <- vapply(seq_len(nrow(object$mean)), function(k) {
    log(call_classifier(object$classifier, latent(object, y, k), call)[, k])
  }, double(nrow(y)))
  dim(log_weight) <- dim(log_component)
  if (quantity == "weights") {
    return(log_weight)
  }
  joint <- log_component + log_weight
  log_density <- log_row_sums(joint)
  if (quantity == "density") log_density else joint - log_density
}

# Single precision has points in units of the components, as training has: differences of numbers
# far from zero would be lost.
log_quantity_engine <- function(object, y, quantity, single, threads) {
  parameters <- coef(object)
  log_scale <- 0
  if (single) {
    center <- colMeans(object$mean)
    scale <- column_spread(object)
    parameters <- standardise_parameters(parameters, center, scale)
    for (j in seq_along(scale)) y[, j] <- (y[, j] - center[j]) / scale[j]
    if (quantity %in% c("density", "component")) log_scale <- sum(log(scale))
  }
  model <- engine_model(parameters, object$classifier$activation)
  engine_density(model, y, quantity, list(single = single, threads = threads)) - log_scale
}

# The largest standard deviation of a component in each column.
column_spread <- function(object) {
  if (!is.null(object$sd)) {
    return(apply(object$sd, 2, max))
  }
  # As sqrt(sum(row^2)), which may leave the range of doubles.
  length_of <- function(row) max(abs(row)) * sqrt(sum((row / max(abs(row)))^2))
  apply(apply(object$cholesky, c(1, 3), length_of), 1, max)
}
