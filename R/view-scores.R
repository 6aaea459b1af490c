# Tables of held-out scores: those of compare() and of cwmix_select().

# The differences to the best. data: the table. With `reach`, two columns: the ends of an interval
# of 95 percent about each difference, by the t distribution, as the errors are estimates too.
view_comparison <- function(table) {
  difference <- table$difference
  rows <- nrow(attr(table, "scores")) %||% Inf
  margin <- stats::qt(0.975, max(rows - 1, 1)) * table$se_difference
  reach <- cbind(difference - margin, difference + margin)
  shown <- c(0, difference, reach)
  xlim <- grDevices::extendrange(shown[is.finite(shown)], f = 0.06)
  if (xlim[1] == xlim[2]) xlim <- xlim + c(-1, 1)
  list(
    data = table, reach = reach, title = "Held-out scores",
    labels = c("Difference in mean log density (nats a row)", ""), xlim = xlim,
    ylim = c(0.4, nrow(table) + 0.6)
  )
}

# The scores of candidates against K. data: the table. With `network` and `covariance`, the factors
# that lines differ in; `line`, the line of each row; `at`, where it stands near its K; `low` and
# `high`, one standard error of the difference to the best about each score; `best`, the highest
# score; `chosen`, the rows with the highest score and of the rule's choice.
view_selection <- function(object) {
  table <- object$table
  network <- factor(table$hidden, unique(table$hidden))
  covariance <- factor(table$covariance, unique(table$covariance))
  line <- as.integer(network) * nlevels(covariance) + as.integer(covariance)
  # Lines stand a little apart, so that bars at one K do.
  lines <- nlevels(network) * nlevels(covariance)
  apart <- min(0.08, 0.4 / lines) * (line - mean(line))
  at <- table$K + if (length(unique(table$K)) > 1) apart else 0.4 * apart
  low <- table$score - table$se_difference
  high <- table$score + table$se_difference
  shown <- c(table$score, low, high)
  list(
    data = table, network = network, covariance = covariance, line = line, at = at, low = low,
    high = high, best = table$score[object$highest], chosen = c(object$highest, object$one_se),
    title = "Cross-validation", labels = c("K", "Mean held-out log density"),
    xlim = range(at) + c(-1, 1) * max(0.06 * diff(range(table$K)), 0.2),
    ylim = grDevices::extendrange(shown[is.finite(shown)])
  )
}
