# Maps of columns (column-map.R) that are fitted to values, and tasks that are seen through them.

# The map of a kind for training values, NULL where there is none. Ends lie beyond the outermost
# value by the mean gap of the values next to it, half the square root of their number.
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

# The maps of several columns, a kind each.
fit_maps <- function(kinds, y) {
  lapply(seq_along(kinds), function(j) fit_map(kinds[j], y[, j]))
}

# The same, each followed by the normal scores of the images; prices of the estimates are those of
# the first call.
score_maps <- function(kinds) {
  prices <- list()
  function(y, weights) {
    lapply(seq_along(kinds), function(j) {
      inner <- fit_map(kinds[j], y[, j])
      if (is.null(inner)) {
        return(NULL)
      }
      image <- map_forward(list(inner), y[, j, drop = FALSE])$u[, 1]
      known <- if (j <= length(prices)) prices[[j]]
      shape <- if (all(is.finite(image))) fit_shape(image, weights, known)
      if (is.null(shape)) {
        return(NULL)
      }
      prices[j] <<- list(shape$price)
      list(kind = "scores", inner = inner, shape = shape)
    })
  }
}

# The kinds of maps beside the columns as they are.
scale_kinds <- c("asinh", "log, lower end", "log, upper end", "logit")

# The mean held-out log density of each column of a sample under one normal of its image, d x kinds;
# `held` are the rows of each fold.
normal_table <- function(sample, held) {
  kinds <- c("linear", scale_kinds)
  scores <- vapply(seq_len(ncol(sample$y)), function(j) {
    vapply(kinds, function(kind) one_normal(sample, j, kind, held), 0)
  }, double(length(kinds)))
  t(matrix(scores, length(kinds), dimnames = list(kinds, NULL)))
}

one_normal <- function(sample, j, kind, held) {
  scores <- unlist(lapply(held, function(rows) {
    y <- sample$y[, j]
    training <- if (length(rows) > 0) y[-rows] else y
    map <- fit_map(kind, training)
    if (is.null(map)) {
      return(rep(-Inf, length(rows)))
    }
    weights <- if (is.null(sample$weights)) 1 else sample$weights[-rows]
    u <- map_forward(list(map), matrix(training))$u
    units <- standard_units_quickly(u[, 1], weights)
    at <- map_forward(list(map), matrix(y[rows]))
    stats::dnorm(replace(at$u[, 1], is.na(at$u), 0), units[1], units[2], log = TRUE) + at$log_det
  }))
  weights <- sample$weights[unlist(held)] %||% rep(1, length(scores))
  weights <- weights / sum(weights)
  mean_score(bounded_scores(scores, weights), weights)
}

standard_units_quickly <- function(u, weights) {
  w <- (weights + 0 * u) / sum(weights + 0 * u)
  middle <- sum(w * u)
  c(middle, sqrt(sum(w * (u - middle)^2)))
}

# Of each column the kind with the highest score, "linear" aside.
best_kinds <- function(table) {
  mapped <- table[, scale_kinds, drop = FALSE]
  scale_kinds[max.col(replace(mapped, mapped == -Inf, -1e300), "first")]
}

# Normal scores of the columns of a task, from its units that are not held: each behind the kind of
# map that scores best in folds of these, of those with an image of every row. A column that has
# none stays as it is.
estimate_maps <- function(task, held) {
  rows <- setdiff(seq_len(nrow(task$sample$y)), held)
  training <- list(y = task$sample$y[rows, , drop = FALSE], weights = task$sample$weights[rows])
  folds <- unname(split(seq_along(rows), random_folds(5, length(rows))))
  table <- normal_table(training, folds)
  all <- apply(rbind(task$sample$y, task$rows$y), 2, range)
  for (j in seq_len(ncol(all))) {
    for (kind in scale_kinds) {
      map <- fit_map(kind, training$y[, j])
      if (is.null(map) || !takes_in(map, all[, j])) table[j, kind] <- -Inf
    }
  }
  maps <- score_maps(best_kinds(table))(training$y, training$weights)
  replace(maps, lengths(maps) == 0, list(list(kind = "linear", center = 0, scale = 1)))
}

takes_in <- function(map, range) map_range(map)[1] < range[1] && range[2] < map_range(map)[2]

# A task whose standard scale is that of the images of its columns: its samples have further fields
# `maps`, `image`, the image u of y, and `log_slope`, the log of the slope of u in y.
behind_maps <- function(task, maps) {
  for (name in c("sample", "rows")) {
    at <- map_forward(maps, task[[name]]$y)
    task[[name]][c("maps", "image", "log_slope")] <- list(maps, at$u, at$log_det)
  }
  units <- standard_units(task$sample$image, task$sample$weights)
  task$sample[standard] <- task$rows[standard] <- units
  task$floor <- task$control$sd_floor * units$core
  task
}
