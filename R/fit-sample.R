# The rows that a fit is made from, checked, on the working scale: list(y, weights, unit,
# log_jacobian, center, scale, core, frame, kept, x, fingerprint). `weights` have mean one and none
# is zero, or are NULL; `kept` are the numbers of these rows among all, `x` their values where
# columns are bounded; `unit` is what one of them stands for in sums that are reported. `center` and
# `scale` are the columns' means and standard deviations; `core`, at most one, is what a floor
# should be relative to, in these. `points` are as from read_training() or read_formula(). Where
# there is a `resolution` values may stand on a bound.

read_sample <- function(points, support, weights, call, resolution = NULL) {
  x <- points$x
  support <- read_support(support, ncol(x), points$names, call)
  frame <- new_frame(points$names, points$type, support, points$terms)
  if (!is.null(resolution)) {
    frame$inset <- bound_insets(x, support, read_resolution(resolution, frame, call))
  }
  check_inside(move_inside(x, frame), support, frame_names(frame), call)
  weights <- check_weights(weights, nrow(x), call)
  mark <- fingerprint(x, weights)
  working <- to_working(move_inside(x, frame), support)
  y <- working$y
  log_jacobian <- working$log_jacobian
  unit <- 1
  kept <- seq_len(nrow(y))
  if (!is.null(weights)) {
    kept <- which(weights > 0)
    if (length(kept) < nrow(y)) {
      y <- y[kept, , drop = FALSE]
      log_jacobian <- log_jacobian[kept]
      x <- x[kept, , drop = FALSE]
    }
    # The largest first: a sum of large numbers could overflow.
    largest <- max(weights)
    weights <- weights[kept] / largest
    unit <- largest * mean(weights)
    weights <- if (any(weights != 1)) weights / mean(weights)
  }
  c(
    list(
      y = y, weights = weights, unit = unit, log_jacobian = log_jacobian, frame = frame,
      kept = kept, x = if (is_bounded(frame)) x, fingerprint = mark
    ),
    standard_units(y, weights)
  )
}

# The fields of a sample by which columns are standardised.
standard <- c("center", "scale", "core")

# The sample of the units that the rows stand for (cells.R), spread over their cells: with further
# fields `row_of`, where each stands, `unit_of`, that of each row, `recorded`, the units where they
# were recorded, or NULL where that is where they are, `atoms`, their groups, `found`, what ties
# said of each column, and `seed`, by which the same units are found again. `steps`: see
# read_resolution().
unit_sample <- function(sample, steps = NULL, seed = NULL) {
  support <- sample$frame$support
  x <- sample$x %||% sample$y
  counts <- zap_rounding((sample$weights %||% rep(1, nrow(x))) * sample$unit)
  if (all(counts == 1)) counts <- NULL
  insets <- sample$frame$inset %||% matrix(0, nrow(support), 2)
  units <- find_units(x, counts, support, insets, steps)
  more <- list(
    row_of = units$row, unit_of = units$unit, found = units[c("cells", "repeats")]
  )
  exact <- all(units$lower == units$upper)
  if (exact && identical(units$row, seq_along(units$unit)) && is.null(units$weight)) {
    return(c(sample, more))
  }
  y <- sample$y[units$row, , drop = FALSE]
  log_jacobian <- sample$log_jacobian[units$row]
  if (any(units$atom)) more$atoms <- group_atoms(x[units$row, , drop = FALSE], units$atom)
  if (!exact) {
    more$recorded <- list(y = y, log_jacobian = log_jacobian)
    more$seed <- seed %||% sample.int(.Machine$integer.max, 1)
    x <- keep_stream(seed = more$seed, spread_over_cells(
      x[units$row, , drop = FALSE], units$lower, units$upper, units$atom
    ))
    working <- to_working(x, support)
    y <- working$y
    log_jacobian <- working$log_jacobian
  }
  weights <- if (!is.null(units$weight)) units$weight / mean(units$weight)
  changed <- c(list(y = y, log_jacobian = log_jacobian), standard_units(y, weights))
  sample[names(changed)] <- changed
  sample["weights"] <- list(weights)
  c(sample, more)
}

# The rows that some units stand for, among those of positive weight.
rows_of_units <- function(sample, units) {
  if (is.null(sample$unit_of)) {
    return(units)
  }
  sort(unique(c(sample$row_of[units], which(sample$unit_of %in% units))))
}

# Rows of a sample, without what is known of all.
some_units <- function(sample, rows) {
  y <- sample$y[rows, , drop = FALSE]
  weights <- sample$weights[rows]
  if (!is.null(weights)) weights <- weights / mean(weights)
  changed <- c(list(y = y, log_jacobian = sample$log_jacobian[rows]), standard_units(y, weights))
  sample[names(changed)] <- changed
  sample["weights"] <- list(weights)
  sample$atoms <- sample$atoms[rows]
  if (!is.null(sample$recorded)) {
    sample$recorded <- list(
      y = sample$recorded$y[rows, , drop = FALSE],
      log_jacobian = sample$recorded$log_jacobian[rows]
    )
  }
  sample
}

# Whole numbers that a product has left by rounding.
zap_rounding <- function(x) ifelse(abs(x - round(x)) < 1e-9 * x, round(x), x)

# What errors call the columns.
frame_names <- function(frame) frame$names %||% seq_len(nrow(frame$support))

# A source of data: list(points, weights, kept), `kept` what the fit keeps of the data as they came.
data_source <- function(x, weights, keep_data, call) {
  check_flag(keep_data, "keep_data", call)
  list(
    points = read_training(x, call), weights = weights,
    kept = if (keep_data) list(x = x, weights = weights)
  )
}

formula_source <- function(formula, data, weights, keep_data, call) {
  check_flag(keep_data, "keep_data", call)
  list(
    points = read_formula(formula, data, call), weights = weights,
    kept = if (keep_data) list(data = data, weights = weights)
  )
}

# Some rows on the standardised scale, that of the columns' images where the sample has them.
standardised <- function(sample, rows = seq_len(nrow(sample$y))) {
  y <- sample$image %||% sample$y
  standardise(y[rows, , drop = FALSE], sample$center, sample$scale)
}

# The sum over all rows of f(rows), f of consecutive rows at a time: about a million numbers,
# `width` a row.
sum_over_rows <- function(sample, width, f) {
  Reduce(`+`, lapply(row_blocks(nrow(sample$y), width), f))
}

# The weights of some rows, 1 where there are none.
weights_at <- function(sample, rows) sample$weights[rows] %||% 1

# Mean log density on the data's scale less that on the standardised one, over some rows.
mean_offset <- function(sample, rows = seq_len(nrow(sample$y))) {
  w <- weights_at(sample, rows)
  log_slope <- sample$log_jacobian[rows] + (sample$log_slope[rows] %||% 0)
  mean(log_slope * w) / mean(w) - sum(log(sample$scale))
}

# Training and validation rows: list(x, weights with mean 1 or NULL, atoms, offset), the offset from
# standardised scores to those of the data.
split_sets <- function(sample, held_rows) {
  set <- function(rows) {
    weights <- sample$weights[rows]
    list(
      x = standardised(sample, rows), weights = if (!is.null(weights)) weights / mean(weights),
      atoms = sample$atoms[rows], offset = mean_offset(sample, rows)
    )
  }
  rows <- seq_len(nrow(sample$y))
  if (length(held_rows) == 0) {
    return(list(training = set(rows), validation = NULL))
  }
  list(training = set(rows[-held_rows]), validation = set(held_rows))
}

# More than some thousand rows tell epochs no better apart, and they are missed in training.
held_count <- function(validation, n) {
  if (is.null(validation)) min(5000, n %/% 10) else floor(validation * n)
}

# Numbers that change with any value, row order or weight: enough to tell whether data found again
# are those of a fit.
fingerprint <- function(x, weights) {
  w <- weights %||% rep(1, nrow(x))
  sums <- vapply(seq_len(ncol(x)), function(j) c(sum(x[, j]), sum(x[, j] * seq_along(w))), c(0, 0))
  c(dim(x), sums[1, ], sums[2, ], sum(w), sum(w * seq_along(w)))
}

# `core` is the interquartile range over 1.349, or the scale that the tenth of the rows with the
# nearest neighbours would have as a normal distribution, the smallest of those that are positive
# and less than the standard deviation: heavy tails, and groups far apart, say little of it.
standard_units <- function(y, weights) {
  w <- (weights %||% 1) / nrow(y)
  units <- vapply(seq_len(ncol(y)), function(j) {
    center <- sum(y[, j] * w)
    u <- y[, j] - center
    largest <- max(abs(u), .Machine$double.xmin)
    scale <- largest * sqrt(sum((u / largest)^2 * w))
    # Not of u, whose small differences a far row takes.
    unit <- max(abs(y[, j]), .Machine$double.xmin)
    x <- y[, j] / unit
    spreads <- c(1, c(quartile_range(x, w) / 1.349, dense_scale(x, w)) / (scale / unit))
    c(center, scale, min(spreads[is.finite(spreads) & spreads > 0]))
  }, double(3))
  list(center = units[1, ], scale = units[2, ], core = units[3, ])
}

# The distance from a row to where a tenth more of the weight is, times ten, is about 1 / p, p the
# density; of a normal distribution a tenth of the rows have less than 2.53 standard deviations.
dense_scale <- function(x, w) {
  order <- order(x)
  values <- unique(x[order])
  mass <- cumsum(rowsum(rep_len(w, length(x))[order], match(x[order], values))[, 1])
  total <- mass[length(mass)]
  above <- findInterval(mass + 0.1 * total, mass * (1 + 1e-12), left.open = TRUE) + 1L
  inside <- which(above <= length(values))
  if (length(inside) == 0) {
    return(NA_real_)
  }
  apart <- values[above[inside]] - values[inside]
  of_rows <- diff(c(0, mass))[inside]
  nearest <- order(apart)
  at <- findInterval(0.1 * sum(of_rows), cumsum(of_rows[nearest]), left.open = TRUE) + 1L
  10 * apart[nearest[at]] / 2.53
}

# The range between weighted quartiles, the smallest values with a quarter and three quarters of the
# weight at or below them.
quartile_range <- function(x, w) {
  order <- order(x)
  cumulated <- cumsum(rep_len(w, length(x))[order])
  quartiles <- findInterval(c(0.25, 0.75) * cumulated[length(x)], cumulated, left.open = TRUE) + 1L
  diff(x[order[quartiles]])
}

# What no density exists for.
check_sample <- function(sample, call, wide = FALSE) {
  labels <- frame_names(sample$frame)
  check_varying(sample$y, labels, call)
  # Where there may be no more rows than columns, they say nothing of each other.
  if (wide && nrow(sample$y) <= ncol(sample$y)) {
    check_finite_scale(sample, labels, call)
    return(check_equal_columns(sample, labels, call))
  }
  check_more_rows(sample$y, call)
  check_scale(sample, labels, call)
}

check_varying <- function(y, labels, call) {
  constant <- which(vapply(seq_len(ncol(y)), function(j) all(y[, j] == y[1, j]), NA))
  if (length(constant) > 0) {
    stop_input(
      "`x` must vary in every column, but column `", labels[constant[1]], "` is constant at ",
      format(y[1, constant[1]]), ".",
      call = call
    )
  }
}

check_more_rows <- function(y, call) {
  if (nrow(y) <= ncol(y)) {
    stop_input("`x` must have more rows than columns, not ", plural(nrow(y), "row"), " and ",
      plural(ncol(y), "column"), ".",
      call = call
    )
  }
}

# Scales whose inverses leave the range of doubles, and columns that determine each other.
check_finite_scale <- function(sample, labels, call) {
  bad <- which(!is.finite(sample$scale) | !is.finite(1 / sample$scale))
  if (length(bad) > 0) {
    stop_input(
      "`x` must have standard deviations that are neither 0 nor infinite in double precision, ",
      "but that of column `",
      labels[bad[1]], "` is ", format(sample$scale[bad[1]]), ".",
      call = call
    )
  }
}

# Columns that are one column in other units.
check_equal_columns <- function(sample, labels, call) {
  together <- crossprod(standardised(sample) * sqrt(weights_at(sample, TRUE))) / nrow(sample$y)
  equal <- which(abs(together) > 1 - least_variance & upper.tri(together), arr.ind = TRUE)
  if (nrow(equal) > 0) stop_collinear(labels[equal[1, ]], call)
}

stop_collinear <- function(involved, call) {
  stop_input("`x` must not have collinear columns, but ",
    paste0("`", involved, "`", collapse = ", "),
    " determine each other to rounding: no density exists. Drop one.",
    call = call
  )
}

check_scale <- function(sample, labels, call) {
  check_finite_scale(sample, labels, call)
  d <- ncol(sample$y)
  products <- sum_over_rows(sample, d, function(rows) {
    crossprod(standardised(sample, rows) * sqrt(weights_at(sample, rows)))
  })
  correlation <- eigen(products / nrow(sample$y), symmetric = TRUE, only.values = TRUE)
  if (d > 1 && min(correlation$values) < least_variance) {
    involved <- labels[collinear_columns(sample$y)]
    if (length(involved) > 0) stop_collinear(involved, call)
  }
}

# Rounding leaves exact collinearity some units of 1e-16 times d from zero.
least_variance <- 1e-13

# The columns that determine each other at all rows; none where only a few rows, far from the
# others, make it look so. An equation that is linear in the columns and 1 holds at multiples of a
# row too: each has length one here, in units of the columns' median distances from their medians,
# so that none outweighs the others.
collinear_columns <- function(y) {
  rows <- cbind(1, apply(y, 2, function(values) {
    # Halves: a difference of large numbers could overflow.
    from_middle <- values / 2 - sort(values)[length(values) %/% 2 + 1] / 2
    from_middle / stats::median(abs(from_middle)[from_middle != 0])
  }))
  products <- crossprod(rows / sqrt(rowSums(rows^2))) / nrow(y)
  equation <- eigen(products, symmetric = TRUE)
  if (min(equation$values) >= least_variance) {
    return(integer())
  }
  loading <- abs(equation$vectors[-1, ncol(rows)])
  which(loading > 1e-3 * max(loading))
}

# Steps that users give: one a column, NA where it is to be found; NULL where all are.
read_resolution <- function(resolution, frame, call) {
  if (identical(resolution, "auto")) {
    return(NULL)
  }
  d <- nrow(frame$support)
  labels <- frame_names(frame)
  given <- names(resolution)
  unknown <- setdiff(given, labels)
  numbers <- is_plain_numeric(resolution) && all(is.finite(resolution) & resolution >= 0)
  if (numbers && length(unknown) > 0) {
    stop_input("`resolution` must be named after columns, but there is no column `", unknown[1],
      "`.",
      call = call
    )
  }
  one_each <- is.null(given) && length(resolution) %in% c(1, d)
  if (!numbers || anyDuplicated(given) || (is.null(given) && !one_each)) {
    stop_input(
      "`resolution` must be \"auto\" or finite numbers of at least 0, one, one for each of the ",
      plural(d, "column"), ", or some named after columns, not ", describe(resolution), ".",
      call = call
    )
  }
  if (is.null(given)) {
    return(rep_len(as.double(resolution), d))
  }
  as.double(resolution[match(labels, given)])
}
