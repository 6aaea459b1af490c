# Scales: the columns as a stack's candidates see them, as they are or through increasing maps,
# which are fitted to the training rows of each fold.
#
# A scale is list(name, folds, tree), `tree` a clustering of some rows of all folds. A fold has
# `mixture`, list(x, weights, atoms), what EM is given; `groups`, the tree's rows that it may see,
# of training_rows(); `held`, the numbers of its held-out rows, and `validation`, list(x), these;
# and through maps `view`, list(maps, center, scale), by which x comes from the working scale,
# `shift`, what log densities of x lack of those of the standardised columns at the held-out rows,
# and `floor`.

raw_scale <- function(search) {
  tree <- tree_of_rows(search$task$sample, NULL)
  folds <- lapply(search$folds, function(fold) {
    c(fold, list(groups = training_rows(tree, fold, search$task$sample, NULL)))
  })
  list(name = "raw", folds = folds, tree = tree$tree)
}

# A hierarchical clustering of some rows, through a view: list(rows, tree).
tree_of_rows <- function(sample, view) {
  n <- nrow(sample$y)
  rows <- if (n > 1000) sort(sample.int(n, 1000)) else seq_len(n)
  if (ncol(sample$y) == 1) {
    return(list(rows = rows))
  }
  y <- sample$y[rows, , drop = FALSE]
  x <- if (is.null(view)) standardise(y, sample$center, sample$scale) else through(view, y)$x
  list(rows = rows, tree = cluster_tree(x))
}

# Which of the tree's rows are not held out, and where they are: list(of_tree, x, kept), `kept` an
# environment for what starts have in common.
training_rows <- function(tree, fold, sample, view) {
  of_tree <- which(!tree$rows %in% fold$held)
  y <- sample$y[tree$rows[of_tree], , drop = FALSE]
  x <- if (is.null(view)) standardise(y, sample$center, sample$scale) else through(view, y)$x
  list(of_tree = of_tree, x = x, kept = new.env(parent = emptyenv()))
}

# A scale of maps, `maps_for(y, weights, fold)` giving those of a fold's training values, or NULL
# where a column has none, as the scale then is.
mapped_scale <- function(search, name, maps_for, standard = TRUE) {
  sample <- search$task$sample
  rows <- seq_len(nrow(sample$y))
  tree <- NULL
  folds <- list()
  for (fold in search$folds) {
    training <- if (length(fold$held) > 0) rows[-fold$held] else rows
    y <- sample$y[training, , drop = FALSE]
    weights <- sample$weights[training]
    if (!is.null(weights)) weights <- weights / mean(weights)
    maps <- maps_for(y, weights)
    if (any(lengths(maps) == 0)) {
      return(NULL)
    }
    u <- map_forward(maps, y)$u
    d <- ncol(u)
    units <- if (standard) {
      standard_units(u, weights)
    } else {
      list(center = double(d), scale = rep(1, d))
    }
    view <- list(maps = maps, center = units$center, scale = units$scale)
    tree <- tree %||% tree_of_rows(sample, view)
    mixture <- some_rows(list(
      x = standardise(u, view$center, view$scale), weights = weights,
      atoms = sample$atoms[training]
    ), 20000)
    held <- through(view, sample$y[fold$held, , drop = FALSE])
    folds[[length(folds) + 1]] <- list(
      mixture = mixture, held = fold$held, view = view,
      groups = training_rows(tree, fold, sample, view),
      validation = list(x = held$x), shift = held$log_slope + sum(log(sample$scale)),
      floor = if (standard) search$task$control$sd_floor * 1e-3 * units$core
    )
  }
  list(name = name, folds = folds, tree = tree$tree)
}

# Points of the working scale in the units of a view, with the log slope: list(x, log_slope). Points
# without an image are far out, and have a slope of 0.
through <- function(view, y) {
  at <- map_forward(view$maps, y)
  u <- replace(at$u, is.na(at$u), 0)
  list(x = standardise(u, view$center, view$scale), log_slope = at$log_det - sum(log(view$scale)))
}

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
    training <- if (length(fold$held) > 0) y[-fold$held] else y
    map <- fit_map(kind, training, search$least[j])
    if (is.null(map)) {
      return(rep(-Inf, length(fold$held)))
    }
    weights <- if (is.null(sample$weights)) 1 else sample$weights[-fold$held]
    u <- map_forward(list(map), matrix(training))$u
    units <- standard_units_quickly(u[, 1], weights)
    at <- map_forward(list(map), matrix(y[fold$held]))
    stats::dnorm(replace(at$u[, 1], is.na(at$u), 0), units[1], units[2], log = TRUE) + at$log_det
  }))
  weights <- search$weights[seq_along(scores)]
  mean_score(bounded_scores(scores, weights), weights)
}

standard_units_quickly <- function(u, weights) {
  w <- (weights + 0 * u) / sum(weights + 0 * u)
  middle <- sum(w * u)
  c(middle, sqrt(sum(w * (u - middle)^2)))
}

# Mixtures behind maps. In one column logits between ends, and normal scores of each kind of map,
# which are estimates by themselves; in several each column's own best, and normal scores.
search_maps <- function(search, covariance) {
  d <- ncol(search$task$sample$y)
  if (d == 1) search_column(search) else search_columns(search, covariance)
}

search_column <- function(search) {
  logit <- mapped_scale(search, "logit", fit_maps("logit", search$least))
  if (!is.null(logit)) {
    search_sizes(search, "diagonal, shrunk", structures(1, "auto")[["diagonal, shrunk"]], logit)
  }
  kinds <- if (reaches_zero(search)) scale_kinds else setdiff(scale_kinds, "log, from zero")
  for (kind in kinds) {
    maps <- score_maps(kind, search$least)
    scale <- mapped_scale(search, paste("scores of", kind), maps, standard = FALSE)
    if (!is.null(scale)) add_scores(search, scale)
  }
}

# The estimate of a column itself: one standard normal.
add_scores <- function(search, scale) {
  one <- mixture_parameters(matrix(0), 1, FALSE, 0)
  fits <- rep(list(one), length(scale$folds))
  add_candidate(search, fits, "diagonal", 1L, scale = scale)
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
  scales <- list(
    if (any(own != "linear")) mapped_scale(search, "own", fit_maps(own, search$least)),
    mapped_scale(search, "scores", score_maps(best, search$least)),
    # Where new rows may lie beyond what ends say.
    if (any(leaking)) {
      kinds <- ifelse(leaking, "log, from zero", "linear")
      mapped_scale(search, "log", fit_maps(kinds, search$least))
    }
  )
  all <- structures(d, covariance)
  some <- c("full", "full, shrunk", "full, tied", "diagonal")
  # Many rows tell their covariances without help.
  if (nrow(search$task$sample$y) > 2000) some <- c("full", "diagonal")
  for (scale in Filter(length, scales)) {
    for (name in intersect(names(all), some)) search_sizes(search, name, all[[name]], scale)
  }
}
