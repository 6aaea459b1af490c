# Plots of latent residuals, which are N(0, I) where the model holds.

plot_residuals <- function(object, points, dots, call) {
  if (is.null(points)) {
    stop_input("`newdata` must be given for residuals: ",
      if (is.null(object$nobs)) {
        "a specified model has no data."
      } else {
        "the training data cannot be found by the fit's call."
      },
      call = call
    )
  }
  z <- keep_stream(residuals(object, points$x))
  colnames(z) <- column_labels(object)
  usable <- z[!is.na(z[, 1]), , drop = FALSE]
  if (nrow(usable) == 0) {
    stop_input("`newdata` must have a row inside the support.", call = call)
  }
  d <- ncol(z)
  if (d > 1) {
    old <- graphics::par(mfrow = if (diff(graphics::par("din")) > 0) c(2, 1) else c(1, 2))
    on.exit(graphics::par(old))
  }
  if (d == 2) plot_circles(usable, dots)
  qq_panel(usable, stats::qnorm, "Normal quantiles", "Latent residuals", "Latent residuals", dots)
  if (d > 2) {
    quantile <- function(p) stats::qchisq(p, d)
    qq_panel(
      cbind(rowSums(usable^2)), quantile, bquote(chi[.(d)]^2 ~ "quantiles"), "Squared length",
      "Their squared length", dots
    )
  }
  z
}

# Sorted columns against the quantiles of a distribution, with the pointwise 95 percent band of
# a sample this size: the i-th of n uniforms is Beta(i, n + 1 - i).
qq_panel <- function(values, quantile, xlab, ylab, main, dots) {
  n <- nrow(values)
  i <- seq_len(n)
  expected <- quantile(stats::ppoints(n))
  low <- quantile(stats::qbeta(0.025, i, n + 1 - i))
  high <- quantile(stats::qbeta(0.975, i, n + 1 - i))
  sorted <- apply(values, 2, sort)
  dim(sorted) <- dim(values)
  limits <- grDevices::extendrange(c(sorted, expected))
  panel(grDevices::extendrange(expected), limits, xlab, ylab, main, dots)
  graphics::polygon(c(expected, rev(expected)), c(low, rev(high)), col = "grey90", border = NA)
  graphics::abline(0, 1, col = "grey50")
  colours <- line_colours(ncol(values))
  graphics::matpoints(expected, sorted, pch = 16, cex = 0.6, col = colours)
  if (ncol(values) > 1 && ncol(values) <= 4) key(colnames(values), col = colours, pch = 16)
}

# The scatter of two columns, with the circles that should hold 50, 90 and 99 percent.
plot_circles <- function(z, dots) {
  mass <- c(0.5, 0.9, 0.99)
  radius <- sqrt(stats::qchisq(mass, 2))
  limits <- c(-1, 1) * 1.05 * max(abs(z), radius)
  panel(limits, limits, colnames(z)[1], colnames(z)[2], "Circles of 50, 90, 99%", dots, asp = 1)
  show_points(z)
  graphics::symbols(rep(0, 3), rep(0, 3), radius,
    inches = FALSE, add = TRUE, fg = line_colours(2)[2]
  )
}
