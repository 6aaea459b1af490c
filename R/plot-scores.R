# Plots of held-out scores.

# A row a fit, the first on top; the differences with bars.
draw_comparison <- function(view, dots) {
  table <- view$data
  width <- min(max(graphics::strwidth(table$fit, "inches")), graphics::par("din")[1] / 2)
  margin <- width / graphics::par("csi") + 1.5
  old <- graphics::par(mar = replace(graphics::par("mar"), 2, margin))
  on.exit(graphics::par(old))
  y <- rev(seq_len(nrow(table)))
  view_panel(view, dots, yaxt = "n")
  graphics::axis(2, y, table$fit, las = 1, tick = FALSE, mgp = c(0, 0.4, 0))
  graphics::abline(v = 0, col = "grey70", lty = 2)
  colour <- line_colours(1)
  graphics::segments(view$reach[, 1], y, view$reach[, 2], y, col = colour, lwd = 2)
  graphics::points(table$difference, y, pch = 16, cex = 1.2, col = colour)
  off <- which(!is.finite(table$difference))
  graphics::text(graphics::par("usr")[1], y[off], "-Inf", pos = 4, col = ink)
}

# A line for every choice of the network (its colour) and covariance (its type).
draw_selection <- function(view, dots) {
  table <- view$data
  colour <- line_colours(nlevels(view$network))[view$network]
  type <- as.integer(view$covariance)
  taken <- view_panel(view, dots, xaxt = "n")
  graphics::axis(1, table$K, tcl = -0.35, mgp = c(2.4, 0.7, 0))
  graphics::abline(h = view$best, col = "grey70", lty = 2)
  graphics::segments(view$at, view$low, view$at, view$high, col = colour)
  for (rows in split(seq_len(nrow(table)), view$line)) {
    rows <- rows[order(table$K[rows])]
    x <- view$at[rows]
    graphics::lines(x, table$score[rows], col = colour[rows], lty = type[rows[1]], lwd = 2)
  }
  graphics::points(view$at, table$score, pch = c(16, 21)[type], bg = "white", col = colour, lwd = 2)
  chosen <- view$chosen
  graphics::points(
    view$at[chosen], table$score[chosen],
    pch = c(1, 0), cex = c(2.2, 2.6), col = ink
  )
  selection_key(levels(view$network), levels(view$covariance), taken)
}

# What varies, and how the two choices are marked.
selection_key <- function(networks, covariances, taken) {
  n <- if (length(networks) > 1) length(networks) else 0
  m <- if (length(covariances) > 1) length(covariances) else 0
  key(
    # A little room before the next line.
    paste0(c(networks[seq_len(n)], covariances[seq_len(m)], "highest", "one-se"), "  "),
    col = c(line_colours(n), rep(ink, m + 2)), lty = c(rep(1, n), seq_len(m), 0, 0),
    pch = c(rep(NA, n), c(16, 21)[seq_len(m)], 1, 0), pt.bg = "white", lwd = 2,
    before = if (n > 0) "hidden " else "", taken = taken
  )
}
