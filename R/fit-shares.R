# How much candidates count in a stack, by their scores of held-out units.

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

# The mean log of the weighted densities at the best weights.
stacked_score <- function(scores, a) {
  share <- stacked_weights(scores, a, double(ncol(scores)))
  mean_score(log_row_sums(scores + rep(log(share), each = nrow(scores))), a)
}

# The weights of few candidates: those go, the least missed first (of the three likeliest to be),
# without which the score of the others, weighted anew, loses less than `least`.
few_weights <- function(scores, a, df = double(ncol(scores)), least = 0.001) {
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
    starts <- lapply(seq_along(kept), function(i) share[-i] / sum(share[-i]))
    # New weights add least where the old ones of the others already do best.
    at_once <- vapply(seq_along(kept), function(i) value(kept[-i], starts[[i]]), 0)
    likely <- utils::head(order(at_once, decreasing = TRUE), 3)
    without <- lapply(likely, function(i) {
      stacked_weights(scores[, kept[-i], drop = FALSE], a, df[kept[-i]], starts[[i]], 30)
    })
    left <- vapply(seq_along(likely), function(i) value(kept[-likely[i]], without[[i]]), 0)
    if (max(left) < full - least) break
    best <- which.max(left)
    kept <- kept[-likely[best]]
    share <- without[[best]]
  }
  replace(double(ncol(scores)), kept, share / sum(share))
}

# In one column candidates are many for what they can differ in: parameters have a price, half of
# Akaike's (chosen by bench/one-column.R), and the simplest candidate stands alone where the stack
# is not ahead by one standard error (Breiman, Friedman, Olshen and Stone 1984).
priced_weights <- function(scores, a, df) {
  share <- few_weights(scores, a, df / 2)
  simplest <- which.min(df)
  log_sum <- log_row_sums(scores + rep(log(share), each = nrow(scores)))
  gain <- log_sum - scores[, simplest]
  if (mean_score(gain, a) < score_error(gain, a)) {
    share <- replace(double(length(share)), simplest, 1)
  }
  share
}

# A label for each candidate: those of a team have the same.
team_labels <- function(candidates) {
  team <- vapply(candidates, function(one) one$team %||% 0L, 0L)
  labels <- ifelse(team > 0, paste("team", team), seq_along(candidates))
  match(labels, unique(labels))
}

# Weights of candidates by their scores, those of a team alike.
team_weights <- function(scores, weights, labels) {
  size <- tabulate(labels)
  together <- vapply(seq_along(size), function(label) {
    log_row_sums(scores[, labels == label, drop = FALSE]) - log(size[label])
  }, scores[, 1])
  together <- matrix(together, nrow(scores))
  (few_weights(together, weights) / size)[labels]
}
