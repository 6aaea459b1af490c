# The Gaussian mixtures among the candidates of a stack: structures of covariances, each of as many
# components, factors or as much shrinkage as scores bear.

# Structures by their names: list(full, pooling, least), pooling as em_steps() takes it, and `least`
# the rows that a component must hold: with free full covariances as many as tell them, with others
# of its own some. Those that are shrunk count d + 2 rows of the pooled covariance, the prior
# degrees of freedom of Fraley and Raftery (2007).
structures <- function(d, covariance) {
  one <- function(full, pooling, least = 0) list(full = full, pooling = pooling, least = least)
  all <- list(
    "full" = one(TRUE, pool(), 2 * d + 2),
    "full, shrunk" = one(TRUE, pool(d + 2), 5),
    "full, tied" = one(TRUE, pool(Inf)),
    "diagonal" = one(FALSE, pool(), 5),
    "diagonal, shrunk" = one(FALSE, pool(d + 2), 5),
    "diagonal, tied" = one(FALSE, pool(Inf)),
    "spherical" = one(FALSE, pool(spherical = TRUE), 5),
    "spherical, tied" = one(FALSE, pool(Inf, spherical = TRUE))
  )
  full <- vapply(all, `[[`, NA, "full")
  if (d == 1) {
    return(all[c("diagonal", "diagonal, shrunk", "diagonal, tied")])
  }
  if (covariance == "auto") all else all[full == (covariance == "full")]
}

# Levels in turn until `patience` in a row score less than the best, or as many steps like the last
# one as are left, or as `steps`, would not reach a `rival`: the best level and its score, level
# NULL where none has one. score(level) is -Inf where there is no fit. What the first levels gain
# says little yet.
climb <- function(levels, score, patience = 2, rival = -Inf, steps = Inf) {
  # Of what was there before.
  force(rival)
  best <- list(level = NULL, score = -Inf)
  worse <- 0
  last <- -Inf
  for (i in seq_along(levels)) {
    reached <- score(levels[i])
    worse <- if (reached > best$score) 0 else worse + 1
    if (reached > best$score) best <- list(level = levels[i], score = reached)
    left <- min(length(levels) - i, steps)
    hopeless <- i > 3 && rival - best$score > left * max(reached - last, 0.02)
    if (worse == patience || isTRUE(hopeless)) break
    last <- reached
  }
  best
}

candidate_sizes <- c(1L, 2L, 3L, 4L, 5L, 7L, 10L, 14L, 20L, 28L, 40L, 56L, 80L, 112L, 160L)

# Sizes that the rows of a fold allow.
sizes_for <- function(search, structure) {
  rows <- min(vapply(search$folds, function(fold) nrow(fold$mixture$x), 0L))
  candidate_sizes[candidate_sizes == 1 | candidate_sizes * max(1, structure$least) <= rows]
}

# The score in the race of one more candidate.
try_mixture <- function(search, name, structure, K, scale = search$raw) {
  search$progress$at(paste0(name, " covariances, ", plural(K, "component")))
  fits <- fit_in_folds(search, structure, K, scale, search$raced)
  if (is.null(fits)) {
    return(-Inf)
  }
  add_candidate(search, lapply(fits, `[[`, "parameters"), name, K,
    scale = scale, more = list(structure = structure, start = better_start(fits))
  )
}

# EM in some folds of a scale, from these starts in the first three, then from that which most of
# them did better from; NULL where a component has lost its spread, as it may where `sd_floor` is 0.
fit_in_folds <- function(search, structure, K, scale, numbers, starts = 1:2) {
  group <- if (!is.null(scale$tree)) stats::cutree(scale$tree, min(K, length(scale$tree$order)))
  fits <- list()
  tryCatch(
    for (fold in scale$folds[numbers]) {
      if (length(fits) == 3) starts <- better_start(fits)
      fits[[length(fits) + 1]] <- fit_fold_mixture(fold, K, structure, search$task, group, starts)
    },
    cwmix_numerical_error = function(e) fits <<- NULL
  )
  fits
}

# The start that most folds have done better from.
better_start <- function(fits) {
  starts <- vapply(fits, `[[`, 0L, "start")
  if (mean(starts == 1) >= 0.5) 1L else 2L
}

# The best sizes of what has been tried since `before` in all folds, and one component, the least
# that can be said.
complete_best <- function(search, scale, before, most = 2) {
  tried <- setdiff(seq_along(search$candidates), seq_len(before))
  scores <- candidate_scores(search)[tried]
  best <- tried[order(scores, decreasing = TRUE)][seq_len(min(most, length(tried)))]
  single <- tried[vapply(search$candidates[tried], function(one) one$K == 1, NA)]
  for (i in union(single, best)) {
    candidate <- search$candidates[[i]]
    rest <- setdiff(seq_along(search$folds), search$raced)
    if (is_complete(search, candidate)) next
    fits <- fit_in_folds(
      search, candidate$structure, candidate$K, scale, rest, candidate$start
    )
    if (is.null(fits)) next
    fits <- lapply(fits, `[[`, "parameters")
    candidate$fits <- c(candidate$fits, fits)
    candidate$scores <- c(candidate$scores, Map(function(fold, fit) {
      fold_scores(search, fold, fit)
    }, scale$folds[rest], fits))
    if (is_usable(search, candidate)) search$candidates[[i]] <- candidate
  }
}

# A structure in all sizes that may be worth it, the best ones in all folds.
search_sizes <- function(search, name, structure, scale = search$raw,
                         sizes = sizes_for(search, structure), patience = 2) {
  before <- length(search$candidates)
  climb(
    sizes, function(K) try_mixture(search, name, structure, K, scale),
    patience = patience, rival = max(-Inf, candidate_scores(search)),
    # With many rows structures differ by more than sizes gain in the end.
    steps = if (has_many_rows(search)) 3 else Inf
  )
  complete_best(search, scale, before)
}

# So many that they tell covariances without pooling, and that structures differ by more than a size
# gains.
has_many_rows <- function(search) nrow(search$task$sample$y) > 2000

search_mixtures <- function(search, covariance) {
  all <- structures(ncol(search$task$sample$y), covariance)
  if (ncol(search$task$sample$y) == 1) {
    all <- all[c("diagonal, shrunk", "diagonal")]
  } else if (has_many_rows(search)) {
    all <- all[names(all) %in% c("full", "diagonal", "spherical")]
  }
  # Covariances of no more rows than columns are singular.
  rows <- min(vapply(search$folds, function(fold) nrow(fold$mixture$x), 0L))
  if (rows <= ncol(search$task$sample$y)) all <- Filter(function(one) !one$full, all)
  for (i in seq_along(all)) {
    search$progress$part(0.7 * (i - 1) / length(all))
    search_sizes(search, names(all)[i], all[[i]])
  }
  search$progress$part(0.7)
}

# Sizes next to the best, which the ladder of sizes steps over, in the three best structures, with
# many rows in the best.
search_next_sizes <- function(search, covariance) {
  d <- ncol(search$task$sample$y)
  if (d == 1) {
    return()
  }
  all <- structures(d, covariance)
  table <- data.frame(
    name = vapply(search$candidates, `[[`, "", "covariance"),
    K = vapply(search$candidates, `[[`, 0L, "K"), score = candidate_scores(search)
  )
  table <- table[order(table$score, decreasing = TRUE), ]
  for (best in utils::head(which(!duplicated(table$name)), if (has_many_rows(search)) 1 else 3)) {
    name <- table$name[best]
    K <- table$K[best]
    known <- sizes_for(search, all[[name]])
    for (towards in if (K >= 5) list(rev(known[known < K])[1], known[known > K][1])) {
      # A step is a twentieth at least.
      step <- as.integer(sign(towards - K) * max(1, K %/% 20))
      between <- if (!is.na(towards)) setdiff(seq(K, towards, step), c(K, towards))
      search_sizes(search, name, all[[name]], sizes = between, patience = 1)
    }
  }
}

# Where atoms have rows enough, mixtures of a component for each group of them and some for the
# rest: no size in the middle gains.
search_atoms <- function(search, covariance) {
  groups <- length(setdiff(search$task$sample$atoms, 0L))
  if (groups < 2) {
    return()
  }
  all <- structures(ncol(search$task$sample$y), covariance)
  for (name in intersect(names(all), c("full", "diagonal"))) {
    structure <- c(all[[name]], atoms = TRUE)
    sizes <- groups + c(1L, 2L, 3L, 5L, 7L, 10L, 14L, 20L)
    search_sizes(search, name, structure, sizes = sizes)
  }
}

# In many columns covariances between diagonal and full: one that is shrunk towards its diagonal,
# then low rank plus diagonal, with as many factors as one component bears, tied and not.
search_adjusted <- function(search) {
  d <- ncol(search$task$sample$y)
  adjusted <- function(pooling, adjust, least = 0) {
    list(full = TRUE, pooling = pooling, least = least, adjust = adjust)
  }
  before <- length(search$candidates)
  climb(c(0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.7), function(share) {
    structure <- adjusted(pool(Inf), function(S, unique) damped_covariance(S, share))
    try_mixture(search, paste0("full, damped ", share), structure, 1L)
  })
  complete_best(search, search$raw, before)
  # A step at a time once it is known where from.
  factors <- function(rank, tied) {
    adjust <- function(S, unique) {
      factor_covariance(S, rank, unique, if (is.null(unique)) 200 else 1)
    }
    adjusted(pool(if (tied) Inf else d + 2), adjust, if (tied) 0 else 2 * d + 2)
  }
  name <- function(rank) paste0("full, ", plural(rank, "factor"))
  ranks <- c(1, 2, 3, 4, 5, 7, 10, 14, 20, 28, 40)
  # With d (d + 1) / 2 numbers there is nothing left to save.
  ranks <- ranks[ranks < d & (d - ranks)^2 > d + ranks]
  before <- length(search$candidates)
  best <- climb(ranks, function(rank) {
    try_mixture(search, paste0(name(rank), ", tied"), factors(rank, TRUE), 1L)
  })$level
  complete_best(search, search$raw, before)
  if (is.null(best)) {
    return()
  }
  for (tied in c(TRUE, FALSE)) {
    # Where no mixture of several components is ahead, one with more parameters will not be.
    if (!tied && best_candidate(search)$K == 1) break
    structure <- factors(best, tied)
    label <- paste0(name(best), if (tied) ", tied")
    sizes <- setdiff(sizes_for(search, structure), 1L)
    search_sizes(search, label, structure, sizes = sizes, patience = 1)
  }
}

# split_start(), which goes on from the splits for fewer components.
kept_split_start <- function(groups, K, full, floor) {
  splits <- more_splits(groups$kept$splits, groups$x, K)
  groups$kept$splits <- splits
  grouped_start(groups$x, groups_of(splits, K), full, floor)
}

# EM from two starts, the groups of the tree and one that suits the structure: where components
# have spreads of their own groups of any scale, else far points; or from the atoms. `groups` are
# those of the tree's rows. The better one's list(parameters, start).
fit_fold_mixture <- function(fold, K, structure, task, group, starts = 1:2) {
  set <- fold$mixture
  task$floor <- floor_of(task, fold$view)
  task$control$em_tolerance <- max(task$control$em_tolerance, 1e-5)
  own <- structure$pooling$rows == 0 && is.null(structure$adjust)
  by_atoms <- isTRUE(structure$atoms)
  if (K == 1 || by_atoms || is.null(group)) starts <- 2L
  runs <- lapply(starts, function(i) {
    from <- if (by_atoms) {
      rest <- K - length(setdiff(task$sample$atoms, 0L))
      atom_start(set$x, set$atoms, rest, structure$full, task$floor)
    } else if (i == 1) {
      tree_start(fold$groups$x, group[fold$groups$of_tree], structure$full, task$floor)
    } else if (own || ncol(set$x) == 1) {
      kept_split_start(fold$groups, K, structure$full, task$floor)
    } else {
      em_start(set$x, K, structure$full, set$weights, task$floor)
    }
    if (!is.null(structure$adjust)) {
      return(em_adjusted(from, set, task, structure))
    }
    em_run(from, set, task, structure$pooling, structure$least)
  })
  if (any(vapply(runs, `[[`, NA, "interrupted"))) interrupt_again()
  better <- which.max(vapply(runs, `[[`, 0, "log_likelihood"))
  list(parameters = runs[[better]]$parameters, start = starts[better])
}
