# The density: a curve, regions of the plane, or points beside draws.

view_density <- function(object, points, limits = list()) {
  switch(min(dimension(object), 3),
    density_curve(object, points, limits),
    density_regions(object, points, limits),
    density_pairs(object, points, limits)
  )
}

# data: list(x, y). With `bars`, the histogram of the points, and `rug`.
density_curve <- function(object, points, limits) {
  x <- column_grid(object, points, limits)
  y <- quantity_at(object, x, "density")
  bars <- if (!is.null(points)) weighted_histogram(points, value_range(object))
  # A family's own function may know no number somewhere.
  known <- y[is.finite(y)]
  list(
    data = list(x = x, y = y), title = "Density", labels = c(curve_label(object), "Density"),
    xlim = range(x), ylim = c(0, 1.04 * max(known, bars$density, 0)), bars = bars,
    rug = rug_points(points)
  )
}

# Equal values have no histogram: NULL.
weighted_histogram <- function(points, support) {
  x <- points$x[, 1]
  if (all(x == x[1])) {
    return(NULL)
  }
  # Freedman and Diaconis's bins are too wide for separate clusters.
  count <- min(max(grDevices::nclass.FD(x), sqrt(length(x))), 100)
  edges <- pmin(pmax(pretty(x, count), support[1, 1]), support[1, 2])
  bars <- graphics::hist(x, breaks = unique(edges), plot = FALSE)
  if (!is.null(points$weights)) {
    cell <- factor(findInterval(x, bars$breaks, left.open = TRUE, rightmost.closed = TRUE),
      levels = seq_along(bars$counts)
    )
    mass <- tapply(points$weights, cell, sum, default = 0) / sum(points$weights)
    bars$density <- as.vector(mass) / diff(bars$breaks)
  }
  bars
}

# Highest density regions: the share of mass p lies where the density exceeds the 1 - p quantile
# of its values at draws. data: list(x, y, z, levels), levels named by p. With `points`.
density_regions <- function(object, points, limits) {
  mass <- c(0.95, 0.75, 0.5, 0.25, 0.1)
  draws <- reference_draws(object)
  grid <- plane_grid(object, points, draws, limits)
  z <- matrix(quantity_at(object, grid$points, "density"), grid$n)
  at_draws <- quantity_at(object, draws$x, "density")
  levels <- stats::quantile(at_draws, 1 - mass, names = FALSE)
  list(
    data = list(x = grid$x, y = grid$y, z = z, levels = structure(levels, names = mass)),
    title = "Density", labels = column_labels(object$frame), xlim = grid$xlim, ylim = grid$ylim,
    points = thinned_points(points)
  )
}
