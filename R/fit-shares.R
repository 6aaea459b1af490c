# How much candidates count in a stack, by their scores of held-out units.

# Candidates' scores of held-out rows, a column each.
score_matrix <- function(candidates, search) {
  scores <- vapply(candidates, `[[`, search$weights, "scores")
  matrix(scores, length(search$weights))
}

# How much each candidate counts: the mean of the stacking weights (Smyth and Wolpert 1999), which
# maximise the mean log of the weighted held-out densities, by EM for the weights of a mixture, and
# of the Bayesian analogue of exponentiated total scores, pseudo-BMA+; both are averaged over
# Bayesian bootstrap weights of the rows, so that near ties share (Yao et al. 2018). EM starts from
# equal weights and takes the more iterations the more rows there are to move them. Candidates of
# little weight are left out. In the totals a row says at most 10 nats against a candidate: one far
# from all others would decide alone.
stacking_shares <- function(scores, weights, least = 0.005,
                            draws = max(3, min(10, 5000 %/% nrow(scores))),
                            iterations = iterations_for(scores)) {
  shares <- vapply(seq_len(draws), function(b) {
    shares_by_rows(scores, stats::rexp(nrow(scores)) * weights, iterations)
  }, double(ncol(scores)))
  shares <- rowMeans(matrix(shares, ncol(scores)))
  shares[shares < min(least, max(shares))] <- 0
  shares / sum(shares)
}

# Both kinds of weights, averaged, for rows of the given weights.
shares_by_rows <- function(scores, a, iterations) {
  n <- nrow(scores)
  a <- a / sum(a)
  relative <- exp(scores - row_max(scores))
  bounded <- pmax(scores, row_max(scores) - 10)
  stacked <- rep(1 / ncol(scores), ncol(scores))
  for (i in seq_len(iterations)) {
    stacked <- stacked * crossprod(relative, a / (relative %*% stacked))[, 1]
  }
  total <- n * colSums(bounded * a)
  averaged <- exp(total - max(total))
  (stacked + averaged / sum(averaged)) / 2
}

iterations_for <- function(scores) max(20, min(200, nrow(scores) %/% 10))
