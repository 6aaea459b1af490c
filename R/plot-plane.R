# Plots of two columns.

draw_regions <- function(view, dots) {
  taken <- view_panel(view, dots)
  shown <- view$data
  colours <- region_colours(length(shown$levels))
  # Where a density is flat levels coincide, and the smallest region is all there is.
  distinct <- !duplicated(shown$levels, fromLast = TRUE)
  levels <- c(shown$levels[distinct], max(2 * max(shown$z, shown$levels), .Machine$double.xmin))
  graphics::.filled.contour(shown$x, shown$y, shown$z, levels, colours[distinct])
  if (!is.null(view$points)) show_points(view$points, dots = dots)
  labels <- paste0(100 * as.numeric(names(shown$levels)), "%")
  key(labels, fill = colours, border = NA, before = "Regions holding", taken = taken)
}

draw_ellipses <- function(view, dots) {
  view_panel(view, dots)
  ellipses <- view$data$ellipses
  K <- length(ellipses)
  colours <- line_colours(K)
  if (!is.null(view$points)) {
    show_points(view$points, grDevices::adjustcolor(colours, 0.5)[view$class], dots)
  }
  types <- line_types(K)
  for (k in seq_len(K)) graphics::lines(ellipses[[k]], col = colours[k], lty = types[k], lwd = 2)
  graphics::points(view$data$x, view$data$y, pch = 21, cex = 2.2, bg = "white", col = colours)
  graphics::text(view$data$x, view$data$y, labels = seq_len(K), cex = 0.75, col = ink)
}

# Small multiples on one scale.
draw_surfaces <- function(view, dots) {
  old <- graphics::par(
    mfrow = panel_grid(length(view$shown)), mar = c(2.2, 2.4, 1.8, 0.6),
    oma = c(1.6, 1.6, 2.2, 4), cex = 0.8
  )
  on.exit(graphics::par(old))
  # Titles of the whole are written once, around the panels.
  inner <- dots[setdiff(names(dots), c("main", "xlab", "ylab"))]
  for (i in seq_along(view$shown)) {
    k <- view$shown[i]
    title <- sprintf("%d (%.0f%% of the draws)", k, 100 * view$share[i])
    panel(view$xlim, view$ylim, "", "", title, inner, font.main = 1, cex.main = 1)
    graphics::image(view$data$x, view$data$y, view$data$z[, , k],
      zlim = c(0, view$highest), col = surface_colours, add = TRUE, useRaster = TRUE
    )
    outline(view$outlines[[i]])
  }
  labels <- list(main = view$title, xlab = view$labels[1], ylab = view$labels[2])
  titles <- utils::modifyList(labels, dots)
  graphics::mtext(titles$main %||% "", side = 3, outer = TRUE, line = 0.6, font = 2)
  graphics::mtext(titles$xlab, side = 1, outer = TRUE, line = 0.4, cex = 0.85)
  graphics::mtext(titles$ylab, side = 2, outer = TRUE, line = 0.4, cex = 0.85)
  colour_scale(view$highest)
}

# Dark on light, seen on any surface.
outline <- function(shape) {
  graphics::lines(shape$line, col = "white", lwd = 3)
  graphics::lines(shape$line, col = ink)
  graphics::points(shape$centre, pch = 21, bg = "white", col = ink, cex = 0.8)
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
