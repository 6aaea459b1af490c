# Maps of columns (column-map.R) that are fitted to values, and tasks that are seen through them.

# The map of a kind for training values, NULL where there is none. Ends lie beyond the outermost
# value by the mean gap of the values next to it, half the square root of their number; a lower one
# not below `least`.
fit_map <- function(kind, y, least = -Inf) {
  values <- sort(y)
  n <- length(values)
  near <- min(n - 1, max(3, floor(sqrt(n) / 2)))
  lower <- max(least, values[1] - (values[near + 1] - values[1]) / near)
  upper <- values[n] + (values[n] - values[n - near]) / near
  middle <- stats::median(values)
  apart <- stats::median(abs(values - middle))
  map <- switch(kind,
    linear = list(kind = "linear", center = 0, scale = 1),
    asinh = list(kind = "asinh", center = middle, scale = 1.4826 * apart),
    "log, from zero" = list(kind = "log", end = 0, sign = 1),
    "log, lower end" = list(kind = "log", end = lower, sign = 1),
    "log, upper end" = list(kind = "log", end = upper, sign = -1),
    logit = list(kind = "logit", lower = lower, upper = upper)
  )
  if (!all(is.finite(unlist(map[-1]))) || !kind_of(map)$is_sensible(map)) {
    return(NULL)
  }
  # Ends may be tied with the outermost values, and all values with each other.
  range <- map_range(map)
  if (range[1] < values[1] && range[2] > values[n] && values[1] < values[n]) map
}

# The maps of several columns, a kind each.
fit_maps <- function(kinds, least) {
  function(y, weights) {
    lapply(seq_along(kinds), function(j) fit_map(kinds[j], y[, j], least[j]))
  }
}

# The same, each followed by the normal scores of the images. The first three calls, of three folds,
# find the prices of the estimates, the others take the middle one.
score_maps <- function(kinds, least = rep(-Inf, length(kinds))) {
  prices <- lapply(kinds, function(kind) double())
  function(y, weights) {
    lapply(seq_along(kinds), function(j) {
      inner <- fit_map(kinds[j], y[, j], least[j])
      if (is.null(inner)) {
        return(NULL)
      }
      image <- map_forward(list(inner), y[, j, drop = FALSE])$u[, 1]
      known <- if (length(prices[[j]]) == 3) stats::median(prices[[j]])
      shape <- if (all(is.finite(image))) fit_shape(image, weights, known)
      if (is.null(shape)) {
        return(NULL)
      }
      if (is.null(known)) prices[[j]] <<- c(prices[[j]], shape$price)
      list(kind = "scores", inner = inner, shape = shape)
    })
  }
}

# Normal scores of the columns of a task, from its units that are not held, behind asinh, which has
# no end that a new row could be beyond. A column that has none stays as it is, as where half of its
# values are one.
estimate_maps <- function(task, held) {
  rows <- setdiff(seq_len(nrow(task$sample$y)), held)
  y <- task$sample$y[rows, , drop = FALSE]
  maps <- score_maps(rep("asinh", ncol(y)))(y, task$sample$weights[rows])
  replace(maps, lengths(maps) == 0, list(list(kind = "linear", center = 0, scale = 1)))
}

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
