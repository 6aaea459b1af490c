# The functional weights, and the classifier that they come from.

view_weights <- function(object, points, limits = list()) {
  if (dimension(object) == 1) {
    weight_curves(object, points, limits)
  } else {
    weight_surfaces(object, points, limits)
  }
}

# data: list(x, y), a column of y a component. With `rug`.
weight_curves <- function(object, points, limits) {
  x <- column_grid(object, points, limits)
  list(
    data = list(x = x, y = quantity_at(object, x, "weights")), title = "Functional weights",
    labels = c(curve_label(object), "Weight"), xlim = range(x),
    ylim = weight_range(joint_classifier(object)), rug = rug_points(points)
  )
}

# Weights are at most 1, in an average at most the largest share.
weight_range <- function(classifier) c(0, 1.02 * highest_weight(classifier))

weight_surfaces <- function(object, points, limits) {
  draws <- reference_draws(object)
  grid <- plane_grid(object, points, draws, limits)
  w <- quantity_at(object, grid$points, "weights")
  centres <- component_centres(object)
  surfaces(
    grid, array(w, c(grid$n, grid$n, ncol(w))), draws, "Functional weights",
    column_labels(object$frame),
    function(k) list(line = ellipse(object, k), centre = centres[k, , drop = FALSE])
  )
}

view_classifier <- function(object, limits = list()) {
  if (dimension(object) == 1) classifier_curves(object, limits) else classifier_surfaces(object)
}

# data: list(x, y), a column of y a component. With `base`, the density of the base draws at x, at
# no scale; NULL where they are uniform.
classifier_curves <- function(object, limits) {
  classifier <- joint_classifier(object)
  axis <- classifier_axis(classifier)
  xlim <- limits$xlim %||% axis$limits
  x <- grid_along(xlim, axis$within, 501)
  ylim <- weight_range(classifier)
  list(
    data = list(x = x, y = exp(at_inputs(classifier, matrix(x)))), title = "Classifier",
    labels = c(axis$input, axis$output), xlim = xlim, ylim = ylim,
    base = if (!is.null(axis$base)) ylim[2] / 2 * axis$base(x)
  )
}

classifier_surfaces <- function(object) {
  z <- seq(-4, 4, length.out = 151)
  grid <- new_grid(c(-4, 4), c(-4, 4), z, z)
  w <- exp(log_weights(joint_classifier(object), grid$points))
  surfaces(
    grid, array(w, c(grid$n, grid$n, ncol(w))), reference_draws(object), "Classifier",
    c("z1", "z2"), function(k) list(line = normal_radius(0.9) * circle, centre = cbind(0, 0))
  )
}
