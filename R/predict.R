#' Evaluate a density at new points
#'
#' @param object A `cwmix_density`: a fit of [cwmix()], [gaussian_mixture()] or
#'   [flow_realnvp()], a [cwmix_model()] or a [cwmix_average()].
#' @param newdata The points: a numeric vector (one column), matrix or data frame. Columns are
#'   matched by name where both the model and `newdata` have names, and columns the model does
#'   not know are then left aside; otherwise by position. For a fit by a formula a data frame has
#'   the formula's variables, of which its terms are computed as they were of the training data, or
#'   its terms as columns, as draws do.
#' @param type A string:
#'   - `"density"`, p(x);
#'   - `"posterior"`, v_k(x), the probability of component k given x;
#'   - `"class"`, the number of the component with the largest posterior. Components of an average,
#'     as of [cwmix()] without `K`, are those of all its members and no clusters: for these fit one
#'     model, with `K`;
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
#' @param rows A string: `"held-out"` takes `newdata` for the data of a [cwmix()] fit without `K`,
#'   all rows in their order, and gives each the density of the members that have not seen it: what
#'   to look for outliers by, as any fit is a little too good where its data are. With one split, as
#'   beyond 20,000 rows, those that it does not hold out are judged by fits that have seen them.
#'   `"new"` does not look whose rows they are.
#' @param ... Must be empty.
#' @return For `"density"` a numeric vector, for `"class"` an integer vector, one a row of
#'   `newdata`; otherwise a matrix with K columns. Names of rows survive. A row with a missing
#'   value gives `NA`. Outside the support density and components are 0, everything else is `NA`.
#' @section Errors and warnings: A condition of class `"cwmix_input_error"` when columns are missing
#'   or not numeric. A warning of class `"cwmix_labels"` for the labels of an average.
#' @references Argouarc'h, Desbouvries, Barat, Kawasaki and Dautremer (2025), Classifier Weighted
#'   Mixture models, arXiv:2501.02989, equation (16).
#' @examples
#' model <- cwmix_model(c(-1, 1), sd = c(1, 2), classifier = c(0.3, 0.7))
#' predict(model, c(0, 1, NA))
#' predict(model, c(0, 1), type = "posterior")
#' @export
predict.cwmix_density <- function(object, newdata,
                                  type = c("density", "posterior", "class", "weights", "component"),
                                  log = FALSE, precision = c("double", "single"),
                                  rows = c("new", "held-out"), ...) {
  call <- user_call()
  check_dots_empty(..., call = call)
  type <- check_choice(
    type, c("density", "posterior", "class", "weights", "component"), "type", call
  )
  check_flag(log, "log", call)
  precision <- check_choice(precision, c("double", "single"), "precision", call)
  how <- list(single = precision == "single")
  rows <- check_choice(rows, c("new", "held-out"), "rows", call)
  if (rows == "held-out" && type != "density") {
    stop_input(
      "`rows` must be \"new\" for type = \"", type, "\", not \"held-out\": folds have components ",
      "of their own.",
      call = call
    )
  }
  check_given("newdata", call)
  validate_density(object, "object", call)
  if (type == "class") {
    if (log) stop_input("`log` must be FALSE for type = \"class\", not TRUE.", call = call)
    class <- classes_of(object, newdata, call, how)$class
    warn_labels(object, call)
    return(class)
  }
  values <- if (rows == "new") {
    log_quantity(object, newdata, type, call, how = how)
  } else {
    judged_density(object, newdata, rows, call, how)
  }
  if (log) values else exp(values)
}

# The log density of each row under what judges it.
judged_density <- function(object, newdata, rows, call, how = list(), arg = "newdata") {
  points <- read_newdata(object$frame, newdata, call, arg)
  out <- stats::setNames(double(nrow(points$x)), points$rows)
  for (judge in judges(object, points$x, rows, call, arg)) {
    for (block in row_blocks(length(judge$rows), ncol(points$x))) {
      some <- judge$rows[block]
      part <- working_points(object$frame, points$x[some, , drop = FALSE])
      out[some] <- at_call(call, log_quantity_at(judge$density, part, "density", how))
    }
  }
  out
}

warn_labels <- function(object, call) {
  trouble <- label_trouble(object)
  if (!is.null(trouble)) {
    warn_cwmix(
      paste0("The labels are no clusters: ", trouble, ". For clusters fit one model, with `K`."),
      "cwmix_labels", call
    )
  }
}

# Log of a quantity at data as users hold them, with names, missing values and the support's
# Jacobian. Block by block: beyond the result little memory is needed.
log_quantity <- function(object, newdata, quantity, call, arg = "newdata", how = list()) {
  points <- read_newdata(object$frame, newdata, call, arg)
  n <- nrow(points$x)
  K <- size(object)$K
  out <- if (quantity == "density") {
    stats::setNames(double(n), points$rows)
  } else {
    matrix(0, n, K, dimnames = row_names(points$rows))
  }
  width <- if (quantity == "density") point_width(object) else K
  for (rows in row_blocks(n, max(ncol(points$x), width))) {
    part <- working_points(object$frame, points$x[rows, , drop = FALSE])
    part <- at_call(call, log_quantity_at(object, part, quantity, how))
    if (quantity == "density") out[rows] <- part else out[rows, ] <- part
  }
  out
}

# Log of a quantity at working_points(): NA where a value is missing, density and components -Inf
# outside the support.
log_quantity_at <- function(object, points, quantity, how = list()) {
  usable <- points$usable
  values <- evaluate(object, points_at(points$y[usable, , drop = FALSE]), quantity, how)
  if (in_single(how)) values <- mend_lost(values, object, points, quantity)
  if (quantity %in% c("density", "component")) values <- values + points$log_jacobian[usable]
  if (quantity == "density") {
    out <- rep(NA_real_, nrow(points$y))
    out[usable] <- values
    out[points$outside] <- -Inf
  } else {
    out <- matrix(NA_real_, nrow(points$y), size(object)$K)
    out[usable, ] <- values
    if (quantity == "component") out[points$outside, ] <- -Inf
  }
  out
}

# Far from the components single precision overflows where double does not: those rows anew.
mend_lost <- function(values, object, points, quantity) {
  values <- as.matrix(values)
  lost <- which(rowSums(is.na(values)) > 0)
  if (length(lost) > 0) {
    y <- points$y[points$usable[lost], , drop = FALSE]
    values[lost, ] <- evaluate(object, points_at(y), quantity)
  }
  if (quantity == "density") values[, 1] else values
}

# The most probable component of every row and its log posterior: list(class, log_posterior).
classes_of <- function(object, newdata, call, how = list(), arg = "newdata") {
  points <- read_newdata(object$frame, newdata, call, arg)
  class <- stats::setNames(integer(nrow(points$x)), points$rows)
  log_posterior <- double(length(class))
  for (rows in row_blocks(length(class), max(unlist(size(object))))) {
    part <- working_points(object$frame, points$x[rows, , drop = FALSE])
    posterior <- at_call(call, log_quantity_at(object, part, "posterior", how))
    class[rows] <- most_probable(posterior)
    log_posterior[rows] <- posterior[cbind(seq_along(rows), class[rows])]
  }
  list(class = class, log_posterior = log_posterior)
}
