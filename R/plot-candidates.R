# Held-out scores of the candidates of a stacked fit against K: a line for each kind of covariances,
# circles for what starts a network, areas by share, and the score of the stack.
plot_candidates <- function(object, dots, call) {
  table <- object$candidates
  if (is.null(table)) {
    stop_input(
      "`what` must be \"density\" or the like for ",
      if (is.null(object$nobs)) unfitted_name(object) else "a fit of one model",
      ", not \"candidates\": those are of a cwmix() fit without `K`.",
      call = call
    )
  }
  held_out <- object$held_out[["score"]]
  network <- table$hidden != "constant"
  shape <- factor(sub(",.*", "", table$covariance), c("full", "diagonal", "spherical"))
  colour <- line_colours(3)[shape]
  type <- match(sub("^[a-z]*(, )?", "", table$covariance), c("", "shrunk", "tied"))
  # The worst third lies far below.
  ylim <- grDevices::extendrange(c(stats::quantile(table$score, 1 / 3), table$score[1], held_out))
  panel(
    c(0.8, 1.25) * range(table$K), ylim, "K", "Mean held-out log density", "Candidates", dots,
    log = "x", yaxs = "r"
  )
  graphics::abline(h = held_out, col = "grey70", lwd = 2)
  for (rows in split(which(!network), table$covariance[!network])) {
    rows <- rows[order(table$K[rows])]
    first <- rows[1]
    graphics::lines(
      table$K[rows], table$score[rows],
      col = colour[first], lty = type[first], lwd = 1.5
    )
  }
  graphics::points(
    table$K, table$score,
    pch = ifelse(network, 21, 16), bg = "white", col = colour, lwd = 2,
    cex = 0.6 + 3 * sqrt(table$share)
  )
  kinds <- levels(droplevels(shape))
  pooled <- c("shrunk", "tied")[2:3 %in% type]
  more <- length(pooled)
  graphics::legend(
    "bottomright", c(kinds, pooled, "network", "all, stacked"),
    col = c(line_colours(3)[levels(shape) %in% kinds], rep(ink, more + 1), "grey70"),
    lty = c(rep(1, length(kinds)), (2:3)[2:3 %in% type], 0, 1), pt.lwd = 2, lwd = 1.5,
    pch = c(rep(NA, length(kinds) + more), 21, NA), bty = "n", cex = 0.85, text.col = ink
  )
  table
}
