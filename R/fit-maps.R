# Mixtures behind maps of columns: which maps, and what is tried behind them.

# The kinds of maps beside the columns as they are.
scale_kinds <- c("asinh", "log, from zero", "log, lower end", "log, upper end", "logit")

# The mean held-out log density in the race of each column under one normal of its image, d x kinds.
normal_table <- function(search) {
  d <- ncol(search$task$sample$y)
  kinds <- c("linear", scale_kinds)
  scores <- vapply(seq_len(d), function(j) {
    vapply(kinds, function(kind) one_normal(search, j, kind), 0)
  }, double(length(kinds)))
  t(matrix(scores, length(kinds), dimnames = list(kinds, NULL)))
}

one_normal <- function(search, j, kind) {
  sample <- search$task$sample
  scores <- unlist(lapply(search$folds[search$raced], function(fold) {
    y <- sample$y[, j]
    training <- y[-fold$held]
    map <- fit_map(kind, training, search$least[j])
    if (is.null(map)) {
      return(rep(-Inf, length(fold$held)))
    }
    weights <- if (is.null(sample$weights)) 1 else sample$weights[-fold$held]
    u <- map_forward(list(map), matrix(training))$u
    units <- weighted_moments(u[, 1], weights)
    at <- map_forward(list(map), matrix(y[fold$held]))
    stats::dnorm(replace(at$u[, 1], is.na(at$u), 0), units[1], units[2], log = TRUE) + at$log_det
  }))
  weights <- search$weights[seq_along(scores)]
  mean_score(bounded_scores(scores, weights), weights)
}

# Mixtures behind maps. In one column logits between ends, and normal scores of each kind of map,
# which are estimates by themselves; in several each column's own best, and normal scores.
search_maps <- function(search, covariance) {
  d <- ncol(search$task$sample$y)
  if (d == 1) search_column(search) else search_columns(search, covariance)
}

search_column <- function(search) {
  positive <- reaches_zero(search)
  structure <- structures(1, "auto")[["diagonal, shrunk"]]
  scales <- list(
    mapped_scale(search, "logit", fit_maps("logit", search$least)),
    if (positive) mapped_scale(search, "log", fit_maps("log, from zero", 0))
  )
  for (scale in Filter(length, scales)) {
    search_sizes(search, "diagonal, shrunk", structure, scale)
  }
  kinds <- if (positive) scale_kinds else setdiff(scale_kinds, "log, from zero")
  for (kind in kinds) {
    maps <- score_maps(kind, search$least)
    scale <- mapped_scale(search, paste("scores of", kind), maps, for_em = FALSE)
    if (!is.null(scale)) add_scores(search, scale)
  }
}

# The estimate of a column itself: one standard normal.
add_scores <- function(search, scale) {
  one <- mixture_parameters(matrix(0), 1, FALSE, 0)
  fits <- rep(list(one), length(scale$folds))
  add_candidate(search, fits, "diagonal", 1L, scale = scale)
}

# Of some structures that which has scored best so far.
better_structure <- function(search, names) {
  of <- vapply(search$candidates, `[[`, "", "covariance")
  of[which.max(replace(candidate_scores(search), !of %in% names, -Inf))]
}

search_columns <- function(search, covariance) {
  d <- ncol(search$task$sample$y)
  table <- normal_table(search)
  # Below zero a positive column that reaches down to it has nothing.
  leaking <- reaches_zero(search)
  table[leaking, c("linear", "asinh", "log, upper end")] <- -Inf
  table[!leaking, "log, from zero"] <- -Inf
  mapped <- table[, scale_kinds, drop = FALSE]
  best <- scale_kinds[max.col(replace(mapped, mapped == -Inf, -1e300), "first")]
  own <- ifelse(table[, "linear"] + 0.005 >= apply(mapped, 1, max), "linear", best)
  logs <- ifelse(leaking, "log, from zero", "linear")
  scales <- list(
    if (any(own != "linear")) mapped_scale(search, "own", fit_maps(own, search$least)),
    mapped_scale(search, "scores", score_maps(best, search$least)),
    # Where new rows may lie beyond what ends say.
    if (any(leaking) && any(own != logs)) {
      mapped_scale(search, "log", fit_maps(logs, search$least))
    }
  )
  all <- structures(d, covariance)
  some <- c("full", "full, shrunk", "full, tied", "diagonal")
  if (has_many_rows(search)) some <- better_structure(search, c("full", "diagonal"))
  scales <- Filter(length, scales)
  for (i in seq_along(scales)) {
    search$progress$part((i - 1) / length(scales))
    for (name in intersect(names(all), some)) search_sizes(search, name, all[[name]], scales[[i]])
  }
}
