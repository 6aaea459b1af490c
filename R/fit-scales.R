# Scales: the columns as a stack's candidates see them, as they are or through increasing maps,
# which are fitted to the training rows of each fold.
#
# A scale is list(name, folds, tree), `tree` a clustering of some rows of all folds. A fold has
# `mixture`, list(x, weights, atoms), what EM is given; `groups`, the tree's rows that it may see,
# of training_rows(); `held`, the numbers of its held-out rows, and `validation`, list(x), these;
# and through maps `view`, list(maps, center, scale), by which x comes from the working scale, with
# the `floor` of EM and `zero` in each column's units where fit-edges.R asks for it; and `shift`,
# what log densities of x lack of those of the standardised columns at the held-out rows.

# The floor under standard deviations through a view, of the columns as they are where it is NULL; 0
# where nothing was fitted behind it.
floor_of <- function(task, view) {
  if (is.null(view)) task$floor else view$floor %||% (0 * task$floor)
}

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
  list(rows = rows, tree = cluster_tree(rows_seen(sample, rows, view)))
}

# Which of the tree's rows are not held out, and where they are: list(of_tree, x, kept), `kept` an
# environment for what starts have in common.
training_rows <- function(tree, fold, sample, view) {
  of_tree <- which(!tree$rows %in% fold$held)
  x <- rows_seen(sample, tree$rows[of_tree], view)
  list(of_tree = of_tree, x = x, kept = new.env(parent = emptyenv()))
}

# A scale of maps, `maps_for(y, weights)` giving those of a fold's training values, or NULL where a
# column has none, as the scale then is. Without `for_em` images stay as they are.
mapped_scale <- function(search, name, maps_for, for_em = TRUE) {
  sample <- search$task$sample
  rows <- seq_len(nrow(sample$y))
  d <- ncol(sample$y)
  tree <- NULL
  folds <- list()
  for (fold in search$folds) {
    training <- rows[-fold$held]
    # As many rows are enough for EM, and for maps.
    if (length(training) > 20000) training <- sort(sample(training, 20000))
    y <- sample$y[training, , drop = FALSE]
    weights <- sample$weights[training]
    if (!is.null(weights)) weights <- weights / mean(weights)
    maps <- maps_for(y, weights)
    if (any(lengths(maps) == 0)) {
      return(NULL)
    }
    view <- list(maps = maps, center = double(d), scale = rep(1, d))
    given <- NULL
    if (for_em) {
      u <- map_forward(maps, y)$u
      units <- standard_units(u, weights)
      view[c("center", "scale")] <- units[c("center", "scale")]
      tree <- tree %||% tree_of_rows(sample, view)
      set <- list(
        x = standardise(u, view$center, view$scale), weights = weights,
        atoms = sample$atoms[training]
      )
      view$floor <- search$task$control$sd_floor * 1e-3 * units$core
      given <- list(mixture = set, groups = training_rows(tree, fold, sample, view))
    }
    if (any(reaches_zero(search))) view$zero <- zero_through(view)
    held <- through(view, sample$y[fold$held, , drop = FALSE])
    folds[[length(folds) + 1]] <- c(given, list(
      held = fold$held, view = view, validation = list(x = held$x),
      shift = held$log_slope + sum(log(sample$scale))
    ))
  }
  list(name = name, folds = folds, tree = tree$tree)
}

# Some rows through a view, NULL for the columns as they are.
rows_seen <- function(sample, rows, view) {
  if (is.null(view)) standardised(sample, rows) else through(view, sample$y[rows, , drop = FALSE])$x
}

# Points of the working scale in the units of a view, with the log slope: list(x, log_slope). Points
# without an image are far out, and have a slope of 0.
through <- function(view, y) {
  at <- map_forward(view$maps, y)
  u <- replace(at$u, is.na(at$u), 0)
  list(x = standardise(u, view$center, view$scale), log_slope = at$log_det - sum(log(view$scale)))
}

some_rows <- function(set, most) {
  if (nrow(set$x) <= most) {
    return(set)
  }
  rows <- sort(sample.int(nrow(set$x), most))
  list(
    x = set$x[rows, , drop = FALSE], weights = set$weights[rows], atoms = set$atoms[rows],
    offset = set$offset
  )
}
