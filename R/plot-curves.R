# Plots of one column.

# The density, its components, weights or a classifier over one axis.
draw_curves <- function(view, dots) {
  taken <- view_panel(view, dots)
  x <- view$data$x
  y <- view$data$y
  if (!is.null(view$bars)) draw_bars(view$bars)
  if (!is.null(view$base)) {
    ends <- c(x[1], x, x[length(x)])
    graphics::polygon(ends, c(0, view$base, 0), col = "grey92", border = NA)
  }
  if (!is.null(view$rug)) {
    faint <- grDevices::adjustcolor(ink, 0.5)
    graphics::rug(view$rug, ticksize = 0.02, col = faint, quiet = TRUE)
  }
  if (!is.matrix(y)) {
    return(graphics::lines(x, y, lwd = 2, col = line_colours(1)))
  }
  if (!is.null(view$data$sum)) graphics::lines(x, view$data$sum, lwd = 1.5, col = ink)
  component_lines(x, y, taken)
}

draw_bars <- function(bars) {
  left <- bars$breaks[-length(bars$breaks)]
  graphics::rect(left, 0, bars$breaks[-1], bars$density, col = "grey82", border = "white")
}

# A line a component, named in the key where there are few.
component_lines <- function(x, y, taken) {
  K <- ncol(y)
  graphics::matlines(x, y, col = line_colours(K), lty = line_types(K), lwd = 2)
  if (K > 1 && K <= 7) key(seq_len(K), col = line_colours(K), lty = 1, lwd = 2, taken = taken)
}
