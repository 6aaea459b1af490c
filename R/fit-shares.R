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

# Weights that maximise the mean log of the weighted held-out densities, by EM to convergence, each
# step of which takes from a candidate what its parameters are more than the mean's, as an
# information criterion does.
stacked_weights <- function(scores, a, df, start = NULL, steps = 300) {
  n <- nrow(scores)
  a <- a / sum(a)
  relative <- exp(scores - row_max(scores))
  share <- start %||% rep(1 / ncol(scores), ncol(scores))
  for (i in seq_len(steps)) {
    following <- share * crossprod(relative, a / (relative %*% share)[, 1])[, 1]
    following <- following / (1 + pmax((df - sum(share * df)) / n, -0.5))
    following <- following / sum(following)
    moved <- max(abs(following - share))
    share <- following
    if (moved < 1e-6) break
  }
  share
}

# The weights of few candidates: those go, the least missed first, without which the score of the
# others, weighted anew, loses less than `least`.
few_weights <- function(scores, a, df, least = 0.001) {
  a <- a / sum(a)
  value <- function(kept, share) {
    log_sum <- log_row_sums(scores[, kept, drop = FALSE] + rep(log(share), each = nrow(scores)))
    sum(a * log_sum) - sum(share * df[kept]) / nrow(scores)
  }
  share <- stacked_weights(scores, a, df)
  kept <- which(share > 0.005)
  share <- stacked_weights(scores[, kept, drop = FALSE], a, df[kept], share[kept])
  full <- value(kept, share)
  while (length(kept) > 1) {
    without <- lapply(seq_along(kept), function(i) {
      start <- share[-i] / sum(share[-i])
      stacked_weights(scores[, kept[-i], drop = FALSE], a, df[kept[-i]], start, 30)
    })
    left <- vapply(seq_along(kept), function(i) value(kept[-i], without[[i]]), 0)
    if (max(left) < full - least) break
    i <- which.max(left)
    kept <- kept[-i]
    share <- without[[i]]
  }
  replace(double(ncol(scores)), kept, share / sum(share))
}

iterations_for <- function(scores) max(20, min(200, nrow(scores) %/% 10))
