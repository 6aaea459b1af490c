# Plots of latent residuals: one quantile plot, two of them, or a scatter and one.
draw_residuals <- function(view, dots) {
  if (length(view$qq) > 1 || !is.null(view$circles)) {
    old <- graphics::par(mfrow = panel_grid(2), mar = c(4, 4, 4.1, 1), pty = "s")
    on.exit(graphics::par(old))
  }
  # What is given are titles, labels and limits of the first panel.
  second <- dots[setdiff(names(dots), c("main", "xlab", "ylab", "xlim", "ylim"))]
  if (!is.null(view$circles)) draw_circles(view$circles, dots)
  for (i in seq_along(view$qq)) {
    first <- i == 1 && is.null(view$circles)
    draw_qq(view$qq[[i]], if (first) dots else second)
  }
}

draw_qq <- function(view, dots) {
  taken <- view_panel(view, dots)
  x <- view$expected
  graphics::polygon(c(x, rev(x)), c(view$low, rev(view$high)), col = "grey90", border = NA)
  graphics::abline(0, 1, col = "grey50")
  d <- ncol(view$sorted)
  colours <- line_colours(d)
  graphics::matpoints(x, view$sorted, pch = 16, cex = 0.6, col = colours)
  if (d > 1 && d <= 4) key(colnames(view$sorted), col = colours, pch = 16, taken = taken)
}

draw_circles <- function(view, dots) {
  taken <- view_panel(view, dots)
  show_points(view$points, dots = dots)
  zero <- 0 * view$radius
  colour <- line_colours(2)[2]
  graphics::symbols(zero, zero, view$radius, inches = FALSE, add = TRUE, fg = colour)
  key("circles of 50, 90 and 99%", col = colour, lty = 1, taken = taken)
}
