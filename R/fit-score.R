# What a fit without K claims to score on new rows.

# The mean held-out log density of the average at the values that were recorded, with its standard
# error, the same without a bound of what a row can lose, and that of the units in their cells. The
# shares for a fold are those that the other folds' rows give; far rows count as the bound.
held_out_score <- function(search, candidates, shares, activation) {
  sample <- search$task$sample
  held <- unlist(lapply(search$folds, `[[`, "held"))
  far <- far_share(search)
  log_shares <- log1p(-far) + log(shares_of_others(search, candidates, shares))
  in_cells <- log_row_sums(score_matrix(candidates, search) + log_shares)
  if (!is.null(sample$recorded)) sample[c("y", "log_jacobian")] <- sample$recorded
  joint <- scores_at(sample, search, candidates, activation) + log_shares
  scores <- log_row_sums(joint) + sample$log_jacobian[held] - sum(log(sample$scale))
  least <- score_bound(scores, search$weights)
  if (far == 0) warn_few_rows(scores, least, search)
  bounded <- c(pmax(scores, least), if (far > 0) least)
  weights <- c((1 - far) * search$weights, if (far > 0) far)
  unbounded <- c(scores, if (far > 0) far_score(search, far))
  c(
    score = mean_score(bounded, weights), se = score_error(bounded, weights),
    unbounded = mean_score(unbounded, weights),
    units = mean_score(in_cells, search$weights) + mean_offset(search$task$sample, held)
  )
}

# Candidates' scores of held-out units of a sample, a column each, on the standardised scale.
scores_at <- function(sample, search, candidates, activation) {
  how <- list(threads = search$task$control$threads)
  scores <- vapply(candidates, function(candidate) {
    unlist(Map(function(fold, parameters, view) {
      model <- engine_model(parameters, activation)
      if (is.null(view)) {
        return(engine_density(model, standardised(sample, fold$held), "density", how))
      }
      at <- through(view, sample$y[fold$held, , drop = FALSE])
      engine_density(model, at$x, "density", how) + at$log_slope + sum(log(sample$scale))
    }, search$folds, candidate$fits, candidate$views))
  }, search$weights)
  matrix(scores, length(search$weights))
}

# A row of shares for each held-out row; those of all where there is one split.
shares_of_others <- function(search, candidates, shares) {
  fold <- rep(seq_along(search$folds), vapply(search$folds, function(fold) length(fold$held), 0L))
  by_fold <- if (length(search$folds) == 1 || length(candidates) == 1) {
    matrix(shares, max(fold), length(shares), byrow = TRUE)
  } else {
    scores <- score_matrix(candidates, search)
    t(vapply(seq_along(search$folds), function(f) {
      a <- search$weights * (fold != f)
      stacked_weights(scores, a, double(length(shares)), shares, 50)
    }, double(length(shares))))
  }
  by_fold[fold, , drop = FALSE]
}

# Where the rows below the bound move the mean by more than its standard error.
warn_few_rows <- function(scores, least, search) {
  low <- which(scores < least)
  bounded <- pmax(scores, least)
  lost <- mean_score(bounded, search$weights) - mean_score(scores, search$weights)
  if (length(low) == 0 || lost < score_error(bounded, search$weights)) {
    return()
  }
  units <- search$near[unlist(lapply(search$folds, `[[`, "held"))[low]]
  rows <- search$rows$kept[rows_of_units(search$units, units)]
  warn_cwmix(
    paste0(
      "Few rows decide the held-out score: ", name_rows(rows), " would lower it by ",
      signif(lost, 2), ", and ", if (length(rows) == 1) "counts" else "count",
      " as no less than ", signif(least, 3), " instead. Look whether they are right."
    ),
    "cwmix_few_rows", NULL
  )
}
