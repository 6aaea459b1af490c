# Tables of held-out scores, as compare() and cwmix_select() give them.

# Columns of an n x m matrix of log densities as rows of a table: the mean, its standard error, the
# difference to the best column and the standard error of that difference, row by row. Standard
# errors are NA where they are not defined: in one row, and with log densities of -Inf.
score_table <- function(scores, weights = NULL) {
  if (!is.null(weights)) {
    scores <- scores[weights > 0, , drop = FALSE]
    weights <- weights[weights > 0]
  }
  score <- apply(scores, 2, mean_score, weights)
  best <- which.max(score)
  difference <- score - score[best]
  difference[is.nan(difference)] <- NA
  difference[best] <- 0
  se_difference <- apply(scores - scores[, best], 2, score_error, weights)
  se_difference[best] <- 0
  data.frame(
    score = score, se = apply(scores, 2, score_error, weights),
    difference = difference, se_difference = se_difference
  )
}

# The mean of scores, by positive weights of any sum.
mean_score <- function(scores, weights = NULL) {
  if (is.null(weights)) mean(scores) else sum(scores * (weights / sum(weights)))
}

# The standard error of mean_score() of independent rows, the root of n / (n - 1) times the sum of
# (share_i (score_i - mean))^2; without weights sd(scores) / sqrt(n). NA where it is not defined: of
# one row, and of scores that are not finite.
score_error <- function(scores, weights = NULL) {
  n <- length(scores)
  if (n < 2 || !all(is.finite(scores))) {
    return(NA_real_)
  }
  shares <- if (is.null(weights)) 1 / n else weights / sum(weights)
  terms <- shares * (scores - mean_score(scores, weights))
  # A row far out may have a square beyond the range of doubles.
  largest <- max(abs(terms), .Machine$double.xmin)
  largest * sqrt(n / (n - 1) * sum((terms / largest)^2))
}

# Lines of a table: words at the left, numbers at the right, scores to four decimals.
format_scores <- function(table) {
  cells <- lapply(names(table), function(name) {
    x <- table[[name]]
    if (is.character(x)) {
      return(format(c(name, x)))
    }
    digits <- switch(name, seconds = 2, K = , df = 0, 4)
    # Adding 0 takes the sign from -0.
    x <- round(x, digits) + 0
    shown <- formatC(x, digits = digits, format = "f", big.mark = if (name == "df") "," else "")
    formatC(c(name, ifelse(is.na(x), "-", shown)), width = max(nchar(c(name, shown))))
  })
  trimws(do.call(paste, c(list(sep = "  "), cells)), "right")
}

# What a row's log density counts at least where sizes and candidates are compared: ten times as far
# below the median as the lowest tenth begins, or ten. One far row would decide alone.
score_bound <- function(scores, weights) {
  scores[is.nan(scores)] <- -Inf
  order <- order(scores)
  at <- findInterval(c(0.1, 0.5), cumsum(weights[order]) / sum(weights), left.open = TRUE) + 1L
  levels <- scores[order[at]]
  if (levels[1] == -Inf) -Inf else levels[2] - 10 * max(1, levels[2] - levels[1])
}

bounded_scores <- function(scores, weights) {
  pmax(replace(scores, is.nan(scores), -Inf), score_bound(scores, weights))
}
