# Columns through increasing maps, as candidates of a stack: each fold sees its rows through maps
# that are fitted to its training rows.

# The map of a kind for training values, NULL where there is none. Ends lie beyond the outermost
# value by the mean gap of the values next to it, the square root of half their number.
fit_map <- function(kind, y) {
  values <- sort(y)
  n <- length(values)
  near <- min(n - 1, max(3, floor(sqrt(n) / 2)))
  lower <- values[1] - (values[near + 1] - values[1]) / near
  upper <- values[n] + (values[n] - values[n - near]) / near
  middle <- stats::median(values)
  apart <- stats::median(abs(values - middle))
  map <- switch(kind,
    linear = list(kind = "linear", center = 0, scale = 1),
    asinh = list(kind = "asinh", center = middle, scale = 1.4826 * apart),
    "log, lower end" = list(kind = "log", end = lower, sign = 1),
    "log, upper end" = list(kind = "log", end = upper, sign = -1),
    logit = list(kind = "logit", lower = lower, upper = upper)
  )
  numbers <- unlist(map[-1])
  if (all(is.finite(numbers)) && is_sensible_map(map) && lower < values[1] && upper > values[n]) map
}

# The folds of a search, seen through maps of these kinds, one a column: as new_folds() gives them,
# with `view`, list(maps, center, scale), by which x comes from the working scale, and `shift`, what
# log densities of x lack of those of the standardised columns at the validation rows. NULL where a
# fold has no such map.
mapped_folds <- function(search, kinds) {
  sample <- search$task$sample
  rows <- seq_len(nrow(sample$y))
  folds <- lapply(search$folds, function(fold) {
    training <- if (length(fold$held) > 0) rows[-fold$held] else rows
    y <- sample$y[training, , drop = FALSE]
    maps <- lapply(seq_along(kinds), function(j) fit_map(kinds[j], y[, j]))
    if (any(lengths(maps) == 0)) {
      return(NULL)
    }
    weights <- sample$weights[training]
    units <- standard_units(map_forward(maps, y)$u, weights)
    view <- list(maps = maps, center = units$center, scale = units$scale)
    mixture <- list(
      x = through(view, y)$x, weights = if (!is.null(weights)) weights / mean(weights),
      atoms = sample$atoms[training]
    )
    mixture <- some_rows(mixture, 20000)
    held <- through(view, sample$y[fold$held, , drop = FALSE])
    list(
      mixture = mixture, tree = cluster_tree(mixture$x), held = fold$held, view = view,
      validation = list(x = held$x), shift = held$log_slope + sum(log(sample$scale)),
      floor = search$task$control$sd_floor * 1e-3 * units$core
    )
  })
  if (!any(vapply(folds, is.null, NA))) folds
}

# Points of the working scale in the units of a view, with the log slope: list(x, log_slope). Points
# without an image are far out, and have a slope of 0.
through <- function(view, y) {
  at <- map_forward(view$maps, y)
  u <- replace(at$u, is.na(at$u), 0)
  list(x = standardise(u, view$center, view$scale), log_slope = at$log_det - sum(log(view$scale)))
}

# The kinds of scales beside the columns as they are.
scale_kinds <- c("asinh", "log, lower end", "log, upper end", "logit")

# For each column the kind of map under which one normal scores best, "linear" for none.
best_kinds <- function(search) {
  d <- ncol(search$task$sample$y)
  vapply(seq_len(d), function(j) {
    scores <- vapply(c("linear", scale_kinds), function(kind) one_normal(search, j, kind), 0)
    scores["linear"] <- scores["linear"] + 0.005
    names(scores)[which.max(scores)]
  }, "")
}

# The mean held-out log density of one column under one normal of its image.
one_normal <- function(search, j, kind) {
  sample <- search$task$sample
  scores <- unlist(lapply(search$folds, function(fold) {
    y <- sample$y[, j]
    training <- if (length(fold$held) > 0) y[-fold$held] else y
    map <- fit_map(kind, training)
    if (is.null(map)) {
      return(rep(-Inf, length(fold$held)))
    }
    u <- map_forward(list(map), matrix(training))$u[, 1]
    at <- map_forward(list(map), matrix(y[fold$held]))
    stats::dnorm(replace(at$u[, 1], is.na(at$u), 0), mean(u), stats::sd(u), log = TRUE) + at$log_det
  }))
  mean_score(bounded_scores(scores, search$weights), search$weights)
}

# Mixtures behind maps: in one column of every scale that has an end, in several of each column's
# own best.
search_maps <- function(search, covariance) {
  d <- ncol(search$task$sample$y)
  sets <- if (d == 1) {
    list(logit = "logit", asinh = "asinh", "log, lower end" = "log, lower end")
  } else {
    kinds <- best_kinds(search)
    if (all(kinds == "linear")) list() else list("own scales" = kinds)
  }
  all <- structures(d, covariance)
  some <- intersect(names(all), c("full", "full, shrunk", "full, tied", "diagonal, shrunk"))
  for (scale in names(sets)) {
    folds <- mapped_folds(search, sets[[scale]])
    for (name in if (!is.null(folds)) some) {
      climb(
        sizes_for(search, all[[name]]),
        function(K) try_mixture(search, name, all[[name]], K, folds, scale),
        rival = max(-Inf, candidate_scores(search))
      )
    }
  }
}
