# The components: weighted curves, ellipses, or points in the colours of the most probable ones.

view_components <- function(object, points, limits = list()) {
  switch(min(dimension(object), 3),
    component_curves(object, points, limits),
    component_ellipses(object, points),
    component_pairs(object, points)
  )
}

# As the view of the density, which is the `sum`; y has a column a component.
component_curves <- function(object, points, limits) {
  view <- density_curve(object, points, limits)
  x <- view$data$x
  y <- quantity_at(object, x, "weights") * quantity_at(object, x, "component")
  view$data <- list(x = x, y = y, sum = view$data$y)
  view$title <- "Weighted components"
  view
}

# data: list(x, y, ellipses), x and y the means. With `points` and `class`, the most probable
# component of each.
component_ellipses <- function(object, points) {
  draws <- reference_draws(object)
  shown <- thinned_points(points)
  centres <- component_centres(object)
  ellipses <- lapply(seq_len(size(object)$K), function(k) ellipse(object, k))
  list(
    data = list(x = centres[, 1], y = centres[, 2], ellipses = ellipses),
    title = "Components", labels = column_labels(object$frame),
    xlim = column_range(object, points, draws, 1), ylim = column_range(object, points, draws, 2),
    points = shown, class = if (!is.null(shown)) class_at(object, shown)
  )
}
