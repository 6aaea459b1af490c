# The matrix of scatter plots of more than two columns.
draw_pairs <- function(view, dots) {
  # Data and draws, or components, by colour.
  colours <- line_colours(max(view$class, 2, na.rm = TRUE))
  colours <- grDevices::adjustcolor(colours, 0.6)
  lower <- upper <- colours[view$class]
  if (is.null(view$class)) {
    lower <- colours[if (is.null(view$data$points)) 2 else 1]
    upper <- colours[2]
  }
  margins <- if (!is.null(view$margins)) margin_panel(view$margins)
  defaults <- list(
    x = view$shown, labels = view$labels, main = view$title, gap = 0.4, las = 1,
    lower.panel = scatter_panel(view$lower, lower), upper.panel = scatter_panel(view$upper, upper),
    diag.panel = margins
  )
  do.call(graphics::pairs, utils::modifyList(defaults, dots))
}

scatter_panel <- function(rows, colours) {
  size <- if (length(rows) > 1000) 0.4 else 0.6
  function(x, y, ...) graphics::points(x[rows], y[rows], pch = 16, cex = size, col = colours)
}

# A panel for the diagonal of pairs(), which calls it column by column: histograms of the points
# as bars and of the draws as a line, under the column's name.
margin_panel <- function(margins) {
  j <- 0
  function(x, ...) {
    j <<- j + 1
    margin <- margins[[j]]
    old <- graphics::par("usr")
    on.exit(graphics::par(usr = old))
    graphics::par(usr = c(old[1:2], 0, 1.5 * max(margin$bars, margin$line)))
    if (!is.null(margin$bars)) {
      left <- margin$breaks[-length(margin$breaks)]
      fill <- grDevices::adjustcolor(line_colours(1), 0.3)
      graphics::rect(left, 0, margin$breaks[-1], margin$bars, col = fill, border = "white")
    }
    steps <- c(0, rep(margin$line, each = 2), 0)
    graphics::lines(rep(margin$breaks, each = 2), steps, col = line_colours(2)[2], lwd = 1.5)
  }
}
