# Views of the pairs of more than two columns, the first eight at most. data: list(points, draws),
# matrices of all columns or NULL. With `shown`, the rows of the scatter plots; `lower` and `upper`,
# which of them are below and above the diagonal.

# Points below and as many draws above the diagonal, or 1,000 draws on both sides. With `margins`, a
# list a column of list(breaks, bars, line): histograms of the points (NULL without any) and of the
# draws.
density_pairs <- function(object, points, limits) {
  draws <- reference_draws(object)
  data <- thinned_points(points)
  drawn <- draws$x[seq_len(if (is.null(data)) 1000 else nrow(data)), , drop = FALSE]
  shown <- rbind(data, near(drawn, data, draws$x))
  title <- if (is.null(data)) "Draws" else "Data (lower left) and draws (upper right)"
  view <- new_pairs(object, list(points = data, draws = drawn), shown, title)
  if (!is.null(data)) {
    view$lower <- seq_len(nrow(data))
    view$upper <- view$upper[-view$lower]
  }
  view$margins <- lapply(seq_len(ncol(view$shown)), function(j) {
    reach <- limits$xlim %||% range(view$shown[, j], na.rm = TRUE)
    column_margin(points$x[, j], draws$x[, j], sort(reach))
  })
  view
}

# Points, or draws where there are none, with `class`, the most probable component of each.
component_pairs <- function(object, points) {
  data <- thinned_points(points)
  drawn <- NULL
  if (is.null(data)) {
    draws <- reference_draws(object)
    drawn <- draws$x[seq_len(1000), , drop = FALSE]
  }
  shown <- data %||% near(drawn, NULL, draws$x)
  data <- list(points = data, draws = drawn)
  view <- new_pairs(object, data, shown, "Most probable components")
  view$class <- class_at(object, shown)
  view
}

new_pairs <- function(object, data, shown, title) {
  d <- ncol(shown)
  columns <- seq_len(min(d, 8))
  if (length(columns) < d) title <- sprintf("%s, first %d of %d columns", title, length(columns), d)
  all <- seq_len(nrow(shown))
  list(
    data = data, title = title, labels = column_labels(object$frame)[columns],
    shown = shown[, columns, drop = FALSE], lower = all, upper = all
  )
}

# Histograms of 20 cells over a panel, which ends 4 percent beyond what it shows.
column_margin <- function(points, draws, reach) {
  # Around a single value as plot.window() has it.
  if (reach[1] == reach[2]) {
    reach <- reach + c(-1, 1) * (if (reach[1] == 0) 1 else 0.4 * abs(reach[1]))
  }
  ends <- grDevices::extendrange(reach, f = 0.04)
  breaks <- seq(ends[1], ends[2], length.out = 21)
  heights <- function(x) {
    count <- tabulate(findInterval(x, breaks, rightmost.closed = TRUE), 21)[1:20]
    count / length(x) / (breaks[2] - breaks[1])
  }
  list(
    breaks = breaks, bars = if (!is.null(points)) heights(points), line = heights(draws)
  )
}
