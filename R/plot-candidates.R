# A line for each kind of covariances, circles for what starts a network, areas by share, and the
# score of all stacked.
draw_candidates <- function(view, dots) {
  view_panel(view, dots, log = "x", yaxs = "r")
  table <- view$data
  colour <- line_colours(nlevels(view$shape))[view$shape]
  type <- as.integer(view$pooling)
  graphics::abline(h = view$held_out, col = "grey70", lwd = 2)
  for (rows in view$lines) {
    first <- rows[1]
    graphics::lines(
      table$K[rows], table$score[rows],
      col = colour[first], lty = type[first], lwd = 1.5
    )
  }
  graphics::points(
    table$K, table$score,
    pch = ifelse(view$network, 21, 16), bg = "white", col = colour, lwd = 2,
    cex = 0.6 + 3 * sqrt(table$share)
  )
  candidate_legend(view)
}

candidate_legend <- function(view) {
  shapes <- levels(view$shape)
  used <- shapes %in% view$shape
  kinds <- setdiff(levels(view$pooling), "own")
  pooled <- kinds %in% view$pooling
  n <- sum(used)
  m <- sum(pooled)
  graphics::legend(
    paste0("top", view$corner),
    c(shapes[used], kinds[pooled], "network", "all, stacked"),
    inset = 0.02, bg = "white", box.col = NA, cex = 0.85, text.col = ink,
    col = c(line_colours(length(shapes))[used], rep(ink, m + 1), "grey70"),
    lty = c(rep(1, n), (seq_along(kinds) + 1)[pooled], 0, 1), pt.lwd = 2, lwd = 1.5,
    pch = c(rep(NA, n + m), 21, NA)
  )
}
