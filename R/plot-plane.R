# Plots of densities in two columns and of pairs of more.

# `dots` may say otherwise: pch, cex, col.
show_points <- function(x, colour = grDevices::adjustcolor(ink, 0.55), dots = list()) {
  x <- thin(x)
  look <- list(x = x, pch = 16, cex = if (nrow(x) > 1000) 0.35 else 0.55, col = colour)
  given <- dots[intersect(names(dots), c("pch", "cex", "col"))]
  do.call(graphics::points, utils::modifyList(look, given))
}

# A grid of 151 x 151 over the plane: list(xlim, ylim, x, y, points), the points with x fastest,
# as image() has it.
plane_grid <- function(object, points, draws, dots) {
  xlim <- column_range(object, points, draws, 1, dots$xlim)
  ylim <- column_range(object, points, draws, 2, dots$ylim)
  x <- grid_along(xlim, object$frame$support[1, ], 151)
  y <- grid_along(ylim, object$frame$support[2, ], 151)
  new_grid(xlim, ylim, x, y)
}

new_grid <- function(xlim, ylim, x, y) {
  list(xlim = xlim, ylim = ylim, x = x, y = y, points = cbind(rep(x, 151), rep(y, each = 151)))
}

# Highest density regions: the share of mass p lies where the density exceeds the 1 - p quantile
# of its values at draws.
plot_regions <- function(object, what, points, draws, dots) {
  mass <- c(0.95, 0.75, 0.5, 0.25, 0.1)
  grid <- plane_grid(object, points, draws, dots)
  z <- matrix(predict(object, grid$points), 151)
  levels <- stats::quantile(predict(object, draws$x), 1 - mass, names = FALSE)
  labels <- column_labels(object$frame)
  taken <- panel(grid$xlim, grid$ylim, labels[1], labels[2], "Density", dots)
  colours <- region_colours(length(mass))
  graphics::.filled.contour(grid$x, grid$y, z, c(levels, 2 * max(z, levels)), colours)
  if (!is.null(points)) show_points(points$x, dots = dots)
  key(paste0(100 * mass, "%"),
    fill = colours, border = NA, before = "Regions holding", taken = taken
  )
  list(x = grid$x, y = grid$y, z = z, levels = structure(levels, names = mass))
}

plot_ellipses <- function(object, what, points, draws, dots) {
  K <- size(object)$K
  colours <- line_colours(K)
  ellipses <- lapply(seq_len(K), function(k) ellipse(object, k, sqrt(stats::qchisq(0.9, 2))))
  xlim <- column_range(object, points, draws, 1)
  ylim <- column_range(object, points, draws, 2)
  labels <- column_labels(object$frame)
  panel(xlim, ylim, labels[1], labels[2], "Components", dots)
  if (!is.null(points)) {
    shown <- thin(points$x)
    class <- predict(object, shown, type = "class")
    show_points(shown, grDevices::adjustcolor(colours, 0.5)[class], dots)
  }
  types <- line_types(K)
  for (k in seq_len(K)) graphics::lines(ellipses[[k]], col = colours[k], lty = types[k], lwd = 2)
  centres <- component_centres(object)
  graphics::points(centres, pch = 21, cex = 2.2, bg = "white", col = colours)
  graphics::text(centres, labels = seq_len(K), cex = 0.75, col = ink)
  list(x = centres[, 1], y = centres[, 2], ellipses = ellipses)
}

# The points at one distance from the mean of component k, on the data's scale; a flow bends them.
ellipse <- function(object, k, radius) {
  y <- place(object, radius * circle, rep(k, nrow(circle)))
  from_working(unname(y), object$frame$support)
}

component_centres <- function(object) {
  K <- size(object)$K
  y <- place(object, matrix(0, K, dimension(object)), seq_len(K))
  from_working(unname(y), object$frame$support)
}

plot_weight_surfaces <- function(object, what, points, draws, dots) {
  grid <- plane_grid(object, points, draws, dots)
  z <- array(predict(object, grid$points, type = "weights"), c(151, 151, size(object)$K))
  centres <- component_centres(object)
  labels <- column_labels(object$frame)
  plot_surfaces(grid, z, draws, labels, "Functional weights", dots, function(k) {
    outline(ellipse(object, k, sqrt(stats::qchisq(0.9, 2))), centres[k, , drop = FALSE])
  })
}

plot_classifier_surfaces <- function(object, what, points, draws, dots) {
  z <- seq(-4, 4, length.out = 151)
  grid <- new_grid(c(-4, 4), c(-4, 4), z, z)
  w <- array(exp(log_weights(joint_classifier(object), grid$points)), c(151, 151, size(object)$K))
  plot_surfaces(grid, w, draws, c("z1", "z2"), "Classifier", dots, function(k) {
    outline(sqrt(stats::qchisq(0.9, 2)) * circle, cbind(0, 0))
  })
}

circle <- local({
  angle <- seq(0, 2 * pi, length.out = 181)
  cbind(cos(angle), sin(angle))
})

# Dark on light, seen on any surface.
outline <- function(line, centre) {
  graphics::lines(line, col = "white", lwd = 3)
  graphics::lines(line, col = ink)
  graphics::points(centre, pch = 21, bg = "white", col = ink, cex = 0.8)
}

# The rows and columns in which n panels have the longest short side on this device: side by side
# where that makes no difference, as margins take more of the height.
panel_grid <- function(n) {
  columns <- rev(seq_len(n))
  rows <- ceiling(n / columns)
  size <- graphics::par("din")
  best <- which.max(pmin(size[1] / columns, size[2] / rows))
  c(rows[best], columns[best])
}

# Small multiples of surfaces, those of the nine largest components at most, on one scale.
plot_surfaces <- function(grid, z, draws, labels, main, dots, decorate) {
  K <- dim(z)[3]
  share <- tabulate(draws$component, K) / length(draws$component)
  shown <- sort(order(-share)[seq_len(min(K, 9))])
  highest <- max(z[, , shown], na.rm = TRUE)
  old <- graphics::par(
    mfrow = panel_grid(length(shown)), mar = c(2.2, 2.4, 1.8, 0.6),
    oma = c(1.6, 1.6, 2.2, 4), cex = 0.8
  )
  on.exit(graphics::par(old))
  for (k in shown) {
    # Titles of the whole are written once, around the panels.
    inner <- dots[setdiff(names(dots), c("main", "xlab", "ylab"))]
    title <- sprintf("%d (%.0f%% of the draws)", k, 100 * share[k])
    panel(grid$xlim, grid$ylim, "", "", title, inner, font.main = 1, cex.main = 1)
    graphics::image(grid$x, grid$y, z[, , k],
      zlim = c(0, highest), col = surface_colours, add = TRUE, useRaster = TRUE
    )
    decorate(k)
  }
  titles <- utils::modifyList(list(main = main, xlab = labels[1], ylab = labels[2]), dots)
  graphics::mtext(titles$main %||% "", side = 3, outer = TRUE, line = 0.6, font = 2)
  graphics::mtext(titles$xlab, side = 1, outer = TRUE, line = 0.4, cex = 0.85)
  graphics::mtext(titles$ylab, side = 2, outer = TRUE, line = 0.4, cex = 0.85)
  colour_scale(highest)
  list(x = grid$x, y = grid$y, z = z)
}

# A bar in the right outer margin.
colour_scale <- function(highest) {
  x <- graphics::grconvertX(c(0.935, 0.955), "ndc", "user")
  y <- graphics::grconvertY(c(0.3, 0.7), "ndc", "user")
  graphics::rasterImage(
    grDevices::as.raster(matrix(rev(surface_colours))), x[1], y[1], x[2], y[2],
    xpd = NA
  )
  labels <- format(c(0, 0.5, 1) * highest, digits = 2)
  at <- seq(y[1], y[2], length.out = 3)
  graphics::text(x[2], at, labels, pos = 4, offset = 0.3, xpd = NA, cex = 0.9)
}

# Draws with those beyond all points and the middle 99.8 percent of the draws left out: few are far
# off, but where tails are heavy they would squeeze everything else.
near <- function(drawn, points, draws) {
  for (j in seq_len(ncol(drawn))) {
    limits <- range(stats::quantile(draws[, j], c(0.001, 0.999), names = FALSE), points[, j])
    drawn[drawn[, j] < limits[1] | drawn[, j] > limits[2], j] <- NA
  }
  drawn
}

# The matrix of scatter plots: points below and draws above the diagonal, or points (draws, where
# there are none) in the colours of their components.
plot_pairs <- function(object, what, points, draws, dots) {
  d <- dimension(object)
  columns <- seq_len(min(d, 8))
  data <- if (!is.null(points)) thin(points$x)
  drawn <- draws$x[seq_len(if (is.null(data)) 1000 else nrow(data)), , drop = FALSE]
  colours <- grDevices::adjustcolor(line_colours(2), 0.6)
  if (what == "components") {
    shown <- data %||% near(drawn, NULL, draws$x)
    component <- predict(object, shown, type = "class")
    colours <- grDevices::adjustcolor(line_colours(size(object)$K), 0.6)[component]
    title <- "Most probable components"
    diagonal <- NULL
  } else {
    shown <- rbind(data, near(drawn, data, draws$x))
    title <- if (is.null(data)) "Draws" else "Data (lower left) and draws (upper right)"
    diagonal <- margins(points$x, draws$x)
  }
  scatter <- function(rows, colours) {
    size <- if (length(rows) > 1000) 0.4 else 0.6
    function(x, y, ...) graphics::points(x[rows], y[rows], pch = 16, cex = size, col = colours)
  }
  all <- seq_len(nrow(shown))
  two <- what == "density" && !is.null(data)
  first <- if (two) seq_len(nrow(data))
  lower <- if (two) scatter(first, colours[1]) else scatter(all, colours)
  upper <- if (two) scatter(all[-first], colours[2]) else scatter(all, colours)
  if (length(columns) < d) title <- sprintf("%s, first %d of %d columns", title, length(columns), d)
  defaults <- list(
    x = shown[, columns], labels = column_labels(object$frame)[columns], main = title, gap = 0.4,
    las = 1, lower.panel = lower, upper.panel = upper, diag.panel = diagonal
  )
  do.call(graphics::pairs, utils::modifyList(defaults, dots))
  list(points = data, draws = if (what == "density" || is.null(data)) drawn)
}

# A panel for the diagonal of pairs(), which calls it column by column: histograms of the points
# as bars and of the draws as a line, under the column's name.
margins <- function(points, draws) {
  j <- 0
  function(x, ...) {
    j <<- j + 1
    old <- graphics::par("usr")
    on.exit(graphics::par(usr = old))
    breaks <- seq(old[1], old[2], length.out = 21)
    width <- breaks[2] - breaks[1]
    height <- function(x) {
      count <- tabulate(findInterval(x, breaks, rightmost.closed = TRUE), 21)[1:20]
      count / length(x) / abs(width)
    }
    bars <- if (!is.null(points)) height(points[, j]) else 0
    line <- height(draws[, j])
    graphics::par(usr = c(old[1:2], 0, 1.5 * max(bars, line)))
    left <- breaks[-length(breaks)]
    fill <- grDevices::adjustcolor(line_colours(1), 0.3)
    graphics::rect(left, 0, left + width, bars, col = fill, border = "white")
    steps <- c(0, rep(line, each = 2), 0)
    graphics::lines(rep(breaks, each = 2), steps, col = line_colours(2)[2], lwd = 1.5)
  }
}
