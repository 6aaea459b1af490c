# Plots of densities in two columns and of pairs of more.

show_points <- function(x, colour = grDevices::adjustcolor(ink, 0.55)) {
  x <- thin(x)
  graphics::points(x, pch = 16, cex = if (nrow(x) > 1000) 0.35 else 0.55, col = colour)
}

# A grid over the plane: list(x, y, points), the points with x fastest, as image() has it.
plane_grid <- function(object, points, draws, n, dots) {
  x <- grid_along(column_range(object, points, draws, 1, dots$xlim), object$support[1, ], n)
  y <- grid_along(column_range(object, points, draws, 2, dots$ylim), object$support[2, ], n)
  list(x = x, y = y, points = cbind(rep(x, n), rep(y, each = n)))
}

# Highest density regions: the share of mass p lies where the density exceeds the 1 - p quantile
# of its values at draws.
plot_regions <- function(object, what, points, draws, dots) {
  mass <- c(0.95, 0.75, 0.5, 0.25, 0.1)
  grid <- plane_grid(object, points, draws, 151, dots)
  z <- matrix(predict(object, grid$points), 151)
  levels <- stats::quantile(predict(object, draws$x), 1 - mass, names = FALSE)
  labels <- column_labels(object)
  panel(range(grid$x), range(grid$y), labels[1], labels[2], "Density", dots)
  colours <- region_colours(length(mass))
  graphics::.filled.contour(grid$x, grid$y, z, c(levels, 2 * max(z, levels)), colours)
  if (!is.null(points)) show_points(points$x)
  key(c("mass within:", paste0(100 * mass, "%")), fill = c(NA, colours), border = NA)
  list(x = grid$x, y = grid$y, z = z, levels = structure(levels, names = mass))
}

plot_ellipses <- function(object, what, points, draws, dots) {
  K <- nrow(object$mean)
  colours <- line_colours(K)
  ellipses <- lapply(seq_len(K), function(k) ellipse(object, k, sqrt(stats::qchisq(0.9, 2))))
  xlim <- column_range(object, points, draws, 1)
  ylim <- column_range(object, points, draws, 2)
  labels <- column_labels(object)
  panel(xlim, ylim, labels[1], labels[2], "Components", dots)
  if (!is.null(points)) {
    shown <- thin(points$x)
    show_points(shown, grDevices::adjustcolor(colours, 0.5)[predict(object, shown, type = "class")])
  }
  for (k in seq_len(K)) graphics::lines(ellipses[[k]], col = colours[k], lty = line_types(K)[k], lwd = 2)
  centres <- from_working(object$mean, object$support)
  graphics::points(centres, pch = 21, cex = 2.2, bg = "white", col = colours)
  graphics::text(centres, labels = seq_len(K), cex = 0.75, col = ink)
  list(x = centres[, 1], y = centres[, 2], ellipses = ellipses)
}

# The points at one distance from the mean of component k, on the data's scale.
ellipse <- function(object, k, radius) {
  angle <- seq(0, 2 * pi, length.out = 181)
  z <- radius * cbind(cos(angle), sin(angle))
  from_working(place(object, z, rep(k, nrow(z))), object$support)
}

plot_weight_surfaces <- function(object, what, points, draws, dots) {
  grid <- plane_grid(object, points, draws, 101, dots)
  z <- array(predict(object, grid$points, type = "weights"), c(101, 101, nrow(object$mean)))
  centres <- from_working(object$mean, object$support)
  labels <- column_labels(object)
  plot_surfaces(grid, z, draws, labels, "Functional weights", dots, function(k) {
    graphics::lines(ellipse(object, k, sqrt(stats::qchisq(0.9, 2))), col = ink)
    graphics::points(centres[k, 1], centres[k, 2], pch = 3, col = ink)
  })
}

plot_classifier_surfaces <- function(object, what, points, draws, dots) {
  z <- seq(-4, 4, length.out = 101)
  grid <- list(x = z, y = z, points = cbind(rep(z, 101), rep(z, each = 101)))
  w <- array(predict(object$classifier, grid$points), c(101, 101, nrow(object$mean)))
  plot_surfaces(grid, w, draws, c("z1", "z2"), "Classifier", dots, function(k) {
    graphics::symbols(0, 0, sqrt(stats::qchisq(0.9, 2)), inches = FALSE, add = TRUE, fg = ink)
    graphics::points(0, 0, pch = 3, col = ink)
  })
}

# Small multiples of surfaces between 0 and 1, the largest components first.
plot_surfaces <- function(grid, z, draws, labels, main, dots, decorate) {
  K <- dim(z)[3]
  shown <- component_order(draws, K)[seq_len(min(K, 9))]
  share <- tabulate(draws$component, K) / length(draws$component)
  old <- graphics::par(
    mfrow = rev(grDevices::n2mfrow(length(shown))), mar = c(2.2, 2.4, 1.8, 0.6),
    oma = c(1.6, 1.6, 2.2, 4), mgp = c(2, 0.6, 0), cex = 0.8
  )
  on.exit(graphics::par(old))
  for (k in shown) {
    # Titles of the whole are written once, around the panels.
    inner <- dots[setdiff(names(dots), c("main", "xlab", "ylab"))]
    title <- sprintf("%d (%.0f%% of the draws)", k, 100 * share[k])
    panel(range(grid$x), range(grid$y), "", "", title, inner, font.main = 1, cex.main = 1)
    graphics::image(grid$x, grid$y, z[, , k], zlim = c(0, 1), col = surface_colours, add = TRUE, useRaster = TRUE)
    decorate(k)
  }
  titles <- utils::modifyList(list(main = main, xlab = labels[1], ylab = labels[2]), dots)
  graphics::mtext(titles$main, side = 3, outer = TRUE, line = 0.6, font = 2)
  graphics::mtext(titles$xlab, side = 1, outer = TRUE, line = 0.4, cex = 0.85)
  graphics::mtext(titles$ylab, side = 2, outer = TRUE, line = 0.4, cex = 0.85)
  colour_scale()
  list(x = grid$x, y = grid$y, z = z)
}

# A bar from 0 to 1 in the right outer margin.
colour_scale <- function() {
  x <- graphics::grconvertX(c(0.935, 0.955), "ndc", "user")
  y <- graphics::grconvertY(c(0.3, 0.7), "ndc", "user")
  graphics::rasterImage(
    grDevices::as.raster(matrix(rev(surface_colours))), x[1], y[1], x[2], y[2],
    xpd = NA
  )
  graphics::text(x[2], seq(y[1], y[2], length.out = 3), c("0", "0.5", "1"), pos = 4, offset = 0.3, xpd = NA, cex = 0.9)
}

plot_pairs <- function(object, what, points, draws, dots) {
  columns <- seq_len(min(ncol(object$mean), 8))
  known <- !is.null(points)
  n <- if (known) nrow(thin(points$x)) else 1000
  drawn <- draws$x[seq_len(n), columns, drop = FALSE]
  shown <- if (known) thin(points$x)[, columns, drop = FALSE]
  colours <- grDevices::adjustcolor(line_colours(2), 0.5)
  title <- if (known) "Data (below) and draws (above the diagonal)" else "Draws"
  if (what == "components") {
    at <- if (known) thin(points$x) else draws$x[seq_len(n), , drop = FALSE]
    component <- predict(object, at, type = "class")
    colours <- grDevices::adjustcolor(line_colours(nrow(object$mean)), 0.6)[component]
    title <- "Most probable components"
    drawn <- at[, columns, drop = FALSE]
    shown <- NULL
  }
  if (length(columns) < ncol(object$mean)) {
    title <- sprintf("%s, first %d of %d columns", title, length(columns), ncol(object$mean))
  }
  both <- rbind(shown, drawn)
  is_data <- rep(c(TRUE, FALSE), c(NROW(shown), n))
  scatter <- function(rows, colour) {
    function(x, y, ...) graphics::points(x[rows], y[rows], pch = 16, cex = 0.4, col = colour)
  }
  two <- known && what == "density"
  defaults <- list(
    x = both, labels = column_labels(object)[columns], main = title, gap = 0.4, las = 1,
    lower.panel = if (two) scatter(is_data, colours[1]) else scatter(!is_data, colours),
    upper.panel = if (two) scatter(!is_data, colours[2]) else scatter(!is_data, colours),
    diag.panel = if (what == "density") function(x, ...) show_margin(x[is_data], x[!is_data])
  )
  do.call(graphics::pairs, utils::modifyList(defaults, dots))
  list(points = shown, draws = drawn)
}

# Histograms of points as bars and of draws as a line, under the column's name.
show_margin <- function(points, draws) {
  old <- graphics::par("usr")
  on.exit(graphics::par(usr = old))
  both <- c(points, draws)
  breaks <- pretty(both, max(8, min(grDevices::nclass.FD(both), 25)))
  height <- function(x) if (length(x) > 0) graphics::hist(x, breaks, plot = FALSE)$density
  bars <- height(points)
  line <- height(draws)
  graphics::par(usr = c(old[1:2], 0, 1.5 * max(bars, line)))
  left <- breaks[-length(breaks)]
  fill <- grDevices::adjustcolor(line_colours(1), 0.3)
  if (!is.null(bars)) graphics::rect(left, 0, breaks[-1], bars, col = fill, border = "white")
  graphics::lines(rep(breaks, each = 2), c(0, rep(line, each = 2), 0), col = line_colours(2)[2], lwd = 1.5)
}
