# The lines of a trace, the best step marked on the last of them.
draw_training <- function(view, dots) {
  taken <- view_panel(view, dots, xaxs = "r")
  best <- view$best
  if (!is.null(best)) {
    graphics::abline(v = best, col = "grey70", lty = 2)
    graphics::axis(1, best, labels = FALSE, tcl = 0.4)
  }
  graphics::matlines(view$step, view$scores, col = line_colours(2), lty = 1, lwd = 2)
  if (is.null(best)) {
    return()
  }
  last <- ncol(view$scores)
  colours <- line_colours(last)
  at <- view$scores[view$step == best, last]
  graphics::points(best, at, pch = 21, bg = "white", col = colours[last], lwd = 2)
  labels <- c(colnames(view$scores), sprintf("best %s, %d", tolower(view$unit), best))
  key(labels, col = c(colours, "grey70"), lty = c(rep(1, last), 2), lwd = 2, taken = taken)
}
