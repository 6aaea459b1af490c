# Increasing maps of single columns: u = m(y), with the log of their slope. A map is a list of
# `kind` and numbers; a new kind is an element of column_maps. forward() gives list(u, log_slope),
# the slope of u in y; inverse_log_slope() that of y in u, at u, which keeps digits that y has lost.
# Values outside `range` have no image.
#   linear  u = (y - center) / scale
#   asinh   u = asinh((y - center) / scale): linear in the middle, logarithmic in both tails
#   log     u = sign log(sign (y - end)): beyond a lower end (sign 1) or below an upper one (-1)
#   logit   u = log((y - lower) / (upper - y))
#   scores  u = Phi^-1(F(t)), t the image of another map, `inner`, F the distribution of a `shape`
#           (log-linear.R)
column_maps <- list(
  linear = list(
    fields = c("center", "scale"),
    range = function(map) c(-Inf, Inf),
    is_sensible = function(map) map$scale > 0,
    # An affine map is its components'.
    count = function(map) 0,
    forward = function(map, y) {
      list(u = (y - map$center) / map$scale, log_slope = rep(-log(map$scale), length(y)))
    },
    inverse = function(map, u) map$center + map$scale * u,
    inverse_log_slope = function(map, u) rep(log(map$scale), length(u))
  ),
  asinh = list(
    fields = c("center", "scale"),
    range = function(map) c(-Inf, Inf),
    is_sensible = function(map) map$scale > 0,
    count = function(map) 2,
    forward = function(map, y) {
      u <- asinh((y - map$center) / map$scale)
      # log cosh u, without overflow
      list(u = u, log_slope = log(2) - log(map$scale) - abs(u) - log1p(exp(-2 * abs(u))))
    },
    inverse = function(map, u) map$center + map$scale * sinh(u),
    inverse_log_slope = function(map, u) {
      log(map$scale) + abs(u) + log1p(exp(-2 * abs(u))) - log(2)
    }
  ),
  log = list(
    fields = c("end", "sign"),
    range = function(map) if (map$sign > 0) c(map$end, Inf) else c(-Inf, map$end),
    is_sensible = function(map) map$sign %in% c(-1, 1),
    count = function(map) 2,
    forward = function(map, y) {
      u <- map$sign * log(map$sign * (y - map$end))
      list(u = u, log_slope = -map$sign * u)
    },
    inverse = function(map, u) map$end + map$sign * exp(map$sign * u),
    inverse_log_slope = function(map, u) map$sign * u
  ),
  logit = list(
    fields = c("lower", "upper"),
    range = function(map) c(map$lower, map$upper),
    is_sensible = function(map) map$lower < map$upper,
    count = function(map) 2,
    forward = function(map, y) {
      above <- log(y - map$lower)
      below <- log(map$upper - y)
      list(u = above - below, log_slope = log(map$upper - map$lower) - above - below)
    },
    inverse = function(map, u) {
      map$lower + (map$upper - map$lower) * stats::plogis(u)
    },
    inverse_log_slope = function(map, u) {
      log(map$upper - map$lower) + stats::plogis(u, log.p = TRUE) +
        stats::plogis(-u, log.p = TRUE)
    }
  ),
  scores = list(
    fields = character(),
    range = function(map) map_range(map$inner),
    is_sensible = function(map) {
      is.list(map$shape) && is_shape(map$shape) && is_number(map$shape$df)
    },
    # Degrees of freedom, and the two numbers of the inner map.
    count = function(map) 2 + map$shape$df,
    forward = function(map, y) {
      inner <- kind_of(map$inner)$forward(map$inner, y)
      at <- normal_score(map$shape, inner$u)
      log_slope <- inner$log_slope + at$log_density - stats::dnorm(at$u, log = TRUE)
      list(u = at$u, log_slope = log_slope)
    },
    inverse = function(map, u) {
      kind_of(map$inner)$inverse(map$inner, normal_score_inverse(map$shape, u))
    },
    inverse_log_slope = function(map, u) {
      t <- normal_score_inverse(map$shape, u)
      stats::dnorm(u, log = TRUE) - log_linear_at(map$shape, t)$log_density +
        kind_of(map$inner)$inverse_log_slope(map$inner, t)
    }
  )
)

kind_of <- function(map) column_maps[[map$kind]]

map_range <- function(map) kind_of(map)$range(map)

# Lower ends and upper ends of maps, 2 x d.
map_ranges <- function(maps) vapply(maps, map_range, c(0, 0))

# The images of points on the working scale, n x d, and the log of the Jacobian's determinant:
# list(u, log_det), NA and -Inf for points outside a map's range.
map_forward <- function(maps, y) {
  u <- matrix(NA_real_, nrow(y), ncol(y))
  log_det <- double(nrow(y))
  for (j in seq_along(maps)) {
    kind <- kind_of(maps[[j]])
    range <- kind$range(maps[[j]])
    inside <- y[, j] > range[1] & y[, j] < range[2]
    if (all(inside)) {
      at <- kind$forward(maps[[j]], y[, j])
      u[, j] <- at$u
      log_det <- log_det + at$log_slope
    } else {
      at <- kind$forward(maps[[j]], y[inside, j])
      u[inside, j] <- at$u
      log_det[inside] <- log_det[inside] + at$log_slope
      log_det[!inside] <- -Inf
    }
  }
  list(u = u, log_det = log_det)
}

# The points whose images are u.
map_inverse <- function(maps, u) {
  for (j in seq_along(maps)) {
    u[, j] <- kind_of(maps[[j]])$inverse(maps[[j]], u[, j])
  }
  u
}

# Slopes of the inverse at images u, n x d.
map_inverse_slope <- function(maps, u) {
  for (j in seq_along(maps)) {
    u[, j] <- exp(kind_of(maps[[j]])$inverse_log_slope(maps[[j]], u[, j]))
  }
  u
}

# That maps are those of d columns.
validate_maps <- function(maps, d) {
  demand(is.list(maps) && length(maps) == d, "its `maps` are not one a column")
  for (map in maps) validate_map(map)
}

validate_map <- function(map) {
  known <- is.list(map) && is_one_of(map$kind, names(column_maps))
  demand(known, "one of its `maps` is of no kind that is known here")
  demand(
    all(vapply(map[kind_of(map)$fields], is_number, NA)) && kind_of(map)$is_sensible(map),
    "one of its `maps` does not have the numbers of its kind"
  )
  if (map$kind == "scores") validate_map(map$inner)
}

# Their free parameters; of an estimate its degrees of freedom.
count_maps <- function(maps) sum(vapply(maps, function(map) kind_of(map)$count(map), 0))

describe_maps <- function(maps, labels) {
  kinds <- vapply(maps, describe_map, "")
  paste(labels, kinds, sep = ": ", collapse = ", ")
}

describe_map <- function(map) {
  if (map$kind == "scores") paste("scores of", describe_map(map$inner)) else map$kind
}
