# Plots of latent residuals, which are N(0, I) where the model holds.

plot_residuals <- function(object, points, dots, call) {
  if (is.null(points)) {
    stop_input("`newdata` must be given for residuals: ",
      if (is.null(object$nobs)) {
        paste(unfitted_name(object), "has no data.")
      } else {
        "the training data cannot be found by the fit's call."
      },
      call = call
    )
  }
  z <- keep_stream(residuals(object, points$x))
  colnames(z) <- column_labels(object$frame)
  d <- ncol(z)
  if (d > 1) {
    old <- graphics::par(mfrow = panel_grid(2), mar = c(4, 4, 4.1, 1), pty = "s")
    on.exit(graphics::par(old))
  }
  # What is given are titles, labels and limits of the first panel.
  second <- dots[setdiff(names(dots), c("main", "xlab", "ylab", "xlim", "ylim"))]
  if (d == 2) plot_circles(z, dots)
  title <- if (d == 2) "Normal Q-Q" else "Latent residuals"
  qq_panel(z, stats::qnorm, "Normal quantiles", "Residuals", title, if (d == 2) second else dots)
  if (d > 2) {
    chi_square <- function(p) stats::qchisq(p, d)
    label <- sprintf("Chi-square(%d) quantiles", d)
    qq_panel(cbind(rowSums(z^2)), chi_square, label, "Squared length", "Squared lengths", second)
  }
  z
}

# Sorted columns against the quantiles of a distribution, with the pointwise 95 percent band of
# a sample this size: the i-th of n uniforms is Beta(i, n + 1 - i).
qq_panel <- function(values, quantile, xlab, ylab, title, dots) {
  n <- nrow(values)
  i <- seq_len(n)
  expected <- quantile(stats::ppoints(n))
  low <- quantile(stats::qbeta(0.025, i, n + 1 - i))
  high <- quantile(stats::qbeta(0.975, i, n + 1 - i))
  sorted <- apply(values, 2, sort)
  dim(sorted) <- dim(values)
  limits <- grDevices::extendrange(c(sorted, expected))
  taken <- panel(grDevices::extendrange(expected), limits, xlab, ylab, title, dots)
  graphics::polygon(c(expected, rev(expected)), c(low, rev(high)), col = "grey90", border = NA)
  graphics::abline(0, 1, col = "grey50")
  colours <- line_colours(ncol(values))
  graphics::matpoints(expected, sorted, pch = 16, cex = 0.6, col = colours)
  if (ncol(values) > 1 && ncol(values) <= 4) {
    key(colnames(values), col = colours, pch = 16, taken = taken)
  }
}

# The scatter of two columns, with the circles that should hold 50, 90 and 99 percent.
plot_circles <- function(z, dots) {
  mass <- c(0.5, 0.9, 0.99)
  radius <- sqrt(stats::qchisq(mass, 2))
  limits <- c(-1, 1) * 1.05 * max(abs(z), radius)
  taken <- panel(limits, limits, colnames(z)[1], colnames(z)[2], "Latent residuals", dots)
  show_points(z, dots = dots)
  graphics::symbols(rep(0, 3), rep(0, 3), radius,
    inches = FALSE, add = TRUE, fg = line_colours(2)[2]
  )
  key("circles of 50, 90 and 99%", col = line_colours(2)[2], lty = 1, taken = taken)
}
