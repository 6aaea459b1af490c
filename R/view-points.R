# Views: what plots show, as plain numbers for any graphics system. A view is a list:
#   data          what plot() returns, the numbers shown
#   title         of the picture
#   labels        of the two axes; of pairs, of the columns
#   xlim, ylim    where the axes end
# and what its form needs besides, said where it is made. `points` are the rows to show,
# points_to_plot(), or NULL; `limits` what users set of xlim and ylim, list(xlim, ylim). No view
# draws, knows the user's call or moves the user's generator. Here is what several of them start
# from.

# Rows of newdata or of the training data that are complete, where the density may be positive, and
# of positive weight: list(x, weights, all, kept), or NULL where no data can be found. `all` is the
# matrix with every row, `kept` the numbers of those in x. `frame` is the environment of the user's
# call.
points_to_plot <- function(object, newdata, frame) {
  if (is.null(newdata)) {
    # The call may draw its data.
    training <- keep_stream(
      tryCatch(training_data(object, frame, NULL), cwmix_input_error = function(e) NULL)
    )
    x <- training$points$x
    weights <- training$weights
  } else {
    x <- read_newdata(object$frame, newdata, NULL)$x
    weights <- NULL
  }
  if (is.null(x)) {
    return(NULL)
  }
  kept <- is_drawable(object, x)
  if (!is.null(weights)) kept <- kept & weights > 0
  kept <- which(kept)
  if (length(kept) == 0) {
    stop_input("`newdata` must have a complete row inside the support.", call = NULL)
  }
  list(x = x[kept, , drop = FALSE], weights = weights[kept], all = x, kept = kept)
}

is_drawable <- function(object, x) {
  range <- value_range(object)
  working <- to_working(move_inside(x, object$frame), object$frame$support)
  kept <- rowSums(!is.finite(x)) == 0 & working$inside
  for (j in seq_len(ncol(x))) kept <- kept & x[, j] >= range[j, 1] & x[, j] <= range[j, 2]
  kept
}

# A scatter of more points is a blot, and slow.
thin <- function(x, most = 5000) {
  x[unique(round(seq(1, nrow(x), length.out = min(nrow(x), most)))), , drop = FALSE]
}

thinned_points <- function(points) if (!is.null(points)) thin(points$x)

# Draws with those beyond all points and the middle 99.8 percent of the draws left out: few are far
# off, but where tails are heavy they would squeeze everything else.
near <- function(drawn, points, draws) {
  for (j in seq_len(ncol(drawn))) {
    limits <- range(stats::quantile(draws[, j], c(0.001, 0.999), names = FALSE), points[, j])
    drawn[drawn[, j] < limits[1] | drawn[, j] > limits[2], j] <- NA
  }
  drawn
}

# The same draws for every plot of a density. They set ranges, levels of regions and the order of
# components, for any classifier and support.
reference_draws <- function(object) {
  x <- keep_stream(draw(object, 10000L, origin = TRUE), seed = 1)
  if (!all(is.finite(x)) || max(abs(x)) > 1e300) {
    stop_input("`x` must be a density that can be drawn, not one whose draws are beyond 1e300.",
      call = NULL
    )
  }
  list(x = x, component = attr(x, "component"))
}

# A quantity of predict(), not its logarithm.
quantity_at <- function(object, x, quantity) exp(log_quantity(object, x, quantity, NULL))

# The most probable component of each row.
class_at <- function(object, x) classes_of(object, x, NULL)$class

# Where to draw column j: over the points and where the model has its mass, inside the support.
column_range <- function(object, points, draws, j, given = NULL) {
  if (!is.null(given)) {
    return(given)
  }
  core <- stats::quantile(draws$x[, j], c(0.003, 0.997), names = FALSE)
  reach <- grDevices::extendrange(c(core, points$x[, j]), f = 0.06)
  support <- value_range(object)[j, ]
  pmin(pmax(reach, support[[1]]), support[[2]])
}

# Points along limits (which may be reversed, as axes may), off the bounds, where nothing but the
# density is defined.
grid_along <- function(limits, support, n) {
  limits <- range(limits)
  margin <- 1e-4 * diff(limits)
  seq(max(limits[1], support[1] + margin), min(limits[2], support[2] - margin), length.out = n)
}

# 501 points along the one column of a density.
column_grid <- function(object, points, limits) {
  draws <- if (is.null(limits$xlim)) reference_draws(object)
  reach <- column_range(object, points, draws, 1, limits$xlim)
  grid_along(reach, value_range(object)[1, ], 501)
}

# The name of the column, or of the vector that was fitted.
curve_label <- function(object) {
  name <- object$call$x
  if (is.null(object$frame$names) && is.name(name)) {
    return(as.character(name))
  }
  column_labels(object$frame)
}

# Points to mark along the axis; where there are many the histogram says more.
rug_points <- function(points) {
  if (!is.null(points) && nrow(points$x) <= 500) points$x[, 1]
}
