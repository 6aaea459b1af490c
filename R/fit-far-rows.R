# Rows so far from all others that they alone would set the scale of a column: a fit without K sets
# them aside, and one broad component stands for them.

# The numbers of rows that alone would set a column's scale: at most five, a hundred times as far
# from the median as the next one, and as the spread of the middle half. Heavy tails have no such
# gap.
far_rows <- function(sample) {
  n <- nrow(sample$y)
  far <- lapply(seq_len(ncol(sample$y)), function(j) {
    x <- sample$y[, j]
    apart <- abs(x - stats::median(x))
    outer <- order(apart, decreasing = TRUE)[seq_len(min(6, n))]
    next_in <- pmax(c(apart[outer[-1]], Inf), stats::IQR(x) / 1.349)
    # Where nearly all rows are one value the others are not far.
    gap <- which(apart[outer] > 100 * next_in & next_in > 0)
    outer[seq_len(max(gap, 0))]
  })
  sort(unique(unlist(far)))
}

# One normal about the mean of the far units, as wide as they are spread, and at least as the near
# ones or a third of the way to these.
broad_density <- function(search) {
  near <- search$task$sample
  y <- search$units$y[-search$near, , drop = FALSE]
  weights <- weights_at(search$units, -search$near) + double(nrow(y))
  weights <- weights / sum(weights)
  center <- colSums(y * weights)
  spread <- sqrt(colSums((y - rep(center, each = nrow(y)))^2 * weights))
  sd <- pmax(spread, near$scale, abs(center - near$center) / 3)
  parameters <- mixture_parameters(matrix(center, 1), sd, FALSE, 0)
  normal_of(parameters, "tanh", near$frame, "cwmix_model")
}

# The mean log density of the far units, by their share of it.
far_score <- function(search, share) {
  far <- setdiff(seq_len(nrow(search$units$y)), search$near)
  y <- search$units$y[far, , drop = FALSE]
  log_density <- evaluate(broad_density(search), points_at(y), "density", list())
  weights <- weights_at(search$units, far) + 0 * far
  log(share) + mean_score(log_density + search$units$log_jacobian[far], weights)
}

# The weight of the units that were set aside.
far_share <- function(search) {
  weights <- search$units$weights %||% rep(1, nrow(search$units$y))
  1 - sum(weights[search$near]) / sum(weights)
}

warn_far_rows <- function(search, share) {
  rows <- search$rows$kept[!search$units$unit_of %in% search$near]
  warn_cwmix(
    paste0(
      "One broad component, of share ", signif(share, 2), ", stands for ", name_rows(rows),
      ", far from all others."
    ),
    "cwmix_far_rows", NULL
  )
}
