# Latent residuals, N(0, I) where the model holds, of training rows by members that have not seen
# them, where there are any. data: the matrix of residuals, NA where no density is; such rows are
# not shown. With `qq`, a list of one quantile plot or two (qq_of()), and of two columns `circles`
# (residual_circles()).
view_residuals <- function(object, points) {
  if (is.null(points)) {
    stop_input("`newdata` must be given for residuals: ",
      if (is.null(object$nobs)) {
        paste(unfitted_name(object), "has no data.")
      } else {
        "the training data cannot be found by the fit's call."
      },
      call = NULL
    )
  }
  # The data of a fit are known by all their rows.
  jury <- judges(object, points$all, NULL, NULL)
  all <- keep_stream(judged_residuals(object, points$all, jury, NULL))
  data <- all[points$kept, , drop = FALSE]
  colnames(data) <- column_labels(object$frame)
  d <- ncol(data)
  z <- data[!is.na(data[, 1]), , drop = FALSE]
  if (nrow(z) == 0) {
    stop_input("`newdata` must have a row where the density is positive.", call = NULL)
  }
  # Short ones: two panels share the width.
  titles <- if (are_unseen(points$kept, jury)) {
    c("Held-out residuals", "Held-out normal Q-Q", "Held-out squared lengths")
  } else {
    c("Latent residuals", "Normal Q-Q", "Squared lengths")
  }
  title <- titles[if (d == 2) 2 else 1]
  qq <- list(qq_of(z, stats::qnorm, title, c("Normal quantiles", "Residuals")))
  if (d > 2) {
    chi_square <- function(p) stats::qchisq(p, d)
    labels <- c(sprintf("Chi-square(%d) quantiles", d), "Squared length")
    qq[[2]] <- qq_of(cbind(rowSums(z^2)), chi_square, titles[3], labels)
  }
  list(data = data, qq = qq, circles = if (d == 2) residual_circles(z, titles[1]))
}

# Sorted columns against the quantiles of a distribution, with the pointwise 95 percent band of
# a sample this size: the i-th of n uniforms is Beta(i, n + 1 - i). What a view has, but data, and
# `expected`, `sorted`, `low` and `high`.
qq_of <- function(values, quantile, title, labels) {
  n <- nrow(values)
  i <- seq_len(n)
  expected <- quantile(stats::ppoints(n))
  sorted <- apply(values, 2, sort)
  dimnames(sorted) <- NULL
  dim(sorted) <- dim(values)
  colnames(sorted) <- colnames(values)
  list(
    expected = expected, sorted = sorted, low = quantile(stats::qbeta(0.025, i, n + 1 - i)),
    high = quantile(stats::qbeta(0.975, i, n + 1 - i)), title = title, labels = labels,
    xlim = grDevices::extendrange(expected), ylim = grDevices::extendrange(c(sorted, expected))
  )
}

# A scatter of `points`, with the `radius` of the circles that should hold 50, 90 and 99 percent.
residual_circles <- function(z, title) {
  radius <- normal_radius(c(0.5, 0.9, 0.99))
  limits <- c(-1, 1) * 1.05 * max(abs(z), radius)
  list(
    points = thin(z), radius = radius, title = title, labels = colnames(z),
    xlim = limits, ylim = limits
  )
}
