# What ties say of how values were recorded, and the units that a fit is made from. A value that
# stands on a grid, or that has a share of rows of its own (an atom), stands for a cell around it:
# its likelihood is that of the cell, not the height of a spike. Points spread evenly over each cell
# give its mean log density, a lower bound of the log probability of the cell less that of its width
# (Theis, van den Oord and Bethge 2016). Rows that are repeated and stand for no cell are one
# observation with their weights' sum.

# Cells of columns, as distinct() gives them, whose rows stand for `counts` rows, and for `once` of
# them where repeated rows count once: a list of list(distinct, step, scale, origin, shared). `step`
# is that of the grid on which the values stand, or 0, and `scale` the name of the grid's own scale;
# where a few values are off it, `origin` is a place on it. `shared` is a data frame of atoms and of
# values off the grid that several rows share: `value`, what its cell has `below` and `above` it,
# `atom`. `steps` are given steps, NA for a column where they are to be found, or NULL for all.
find_cells <- function(columns, counts, once, steps) {
  steps <- steps %||% rep(NA_real_, length(columns))
  Map(function(column, given) column_cells(column, counts, once, given), columns, steps)
}

column_cells <- function(column, counts, once, given) {
  values <- column$values
  cells <- list(distinct = length(values), step = 0, scale = "raw", origin = NA_real_)
  cells$shared <- data.frame(
    value = double(), below = double(), above = double(), atom = logical()
  )
  if (length(values) < 2 || identical(given, 0)) {
    return(cells)
  }
  rows <- tabulate_by(column$at, counts, length(values))
  found <- if (is.na(given)) grid_of(values, rows) else list(step = given)
  cells[names(found)] <- found
  several <- tabulate_by(column$at, once, length(values)) > 1
  cells$shared <- shared_cells(values, rows, several, cells)
  cells
}

# The grid of nearly all rows, as at least five values that several have in common tell it.
grid_of <- function(values, rows) {
  found <- find_grid(values, sum(rows))
  for (least in if (found$step == 0) c(2, 3, 5, 9)) {
    common <- which(rows >= least)
    if (length(common) < 5 || length(common) == length(values)) next
    most <- c(find_grid(values[common], sum(rows)), origin = NA_real_)
    if (most$step > 0) most$origin <- grid_scales[[most$scale]]$to(values[common][1])
    if (sum(rows[is_on_grid(values, most)]) >= 0.98 * sum(rows)) {
      return(most)
    }
  }
  found
}

# The step between values and its scale, list(step, scale), step 0 for none. A few values without
# ties stand on a grid by chance, and two on that of any scale.
find_grid <- function(values, n) {
  scales <- if (length(values) >= 10) names(grid_scales) else "raw"
  if (length(values) < 2 || (length(values) == n && n < 10)) scales <- character()
  for (scale in scales) {
    step <- grid_step(grid_scales[[scale]]$to(values))
    if (step > 0) {
      return(list(step = step, scale = scale))
    }
  }
  list(step = 0, scale = "raw")
}

# Which values are on the grid, none where there is no grid.
is_on_grid <- function(values, cells) {
  if (cells$step == 0 || is.na(cells$origin)) {
    return(rep(cells$step > 0, length(values)))
  }
  scale <- grid_scales[[cells$scale]]
  places <- (scale$to(values) - cells$origin) / cells$step
  # Some are beyond the scale, or come back from it as others.
  known <- is.finite(places) & abs(scale$from(scale$to(values)) - values) <= 1e-6 * abs(values)
  known & abs(places - round(places)) < 0.01
}

# Cells of atoms, which are those of the grid or, without one, no wider than the median step, and of
# other values that `several` rows share where there is no grid. These end halfway to the next ones,
# but where many rows share none no further than values lie apart.
shared_cells <- function(values, rows, several, cells) {
  atoms <- find_atoms(values, rows, cells)
  own <- if (cells$step == 0) setdiff(which(several), atoms)
  # A few are equal by chance.
  if (sum(rows[own]) < 0.02 * sum(rows)) own <- integer()
  at <- sort(c(atoms, own))
  is_atom <- at %in% atoms
  width <- if (cells$step > 0) {
    rep(cells$step, length(at))
  } else {
    pmin(widths_at(values, at), stats::median(diff(values)))
  }
  sides <- cbind(width, width) / 2
  halfway <- halfway(values[at])
  if (sum(rows[own]) < 0.9 * sum(rows[setdiff(seq_along(rows), atoms)])) {
    halfway <- pmin(halfway, widths_at(values, at) / 2)
  }
  if (length(at) > 1) sides[!is_atom, ] <- halfway[!is_atom, ]
  data.frame(value = values[at], below = sides[, 1], above = sides[, 2], atom = is_atom)
}

# Half of what is below and above each value; the outer ones are as wide as their inner sides.
halfway <- function(values) {
  half <- diff(values) / 2
  cbind(c(half[1], half), c(half, half[length(half)]))[seq_along(values), , drop = FALSE]
}

# Widths of the cells of some of the values: no more than the values lie apart around there, nor
# than what is to the next of these.
widths_at <- function(values, at) {
  gaps <- diff(values)
  around <- if (length(gaps) < 9) rep(stats::median(gaps), length(gaps)) else stats::runmed(gaps, 9)
  apart <- diff(values[at])
  pmin(around[pmin(at, length(gaps))], c(Inf, apart), c(apart, Inf))
}

# Where values that were recorded on a grid may have been taken to since.
grid_scales <- list(
  raw = list(to = identity, from = identity), log = list(to = exp, from = log),
  log10 = list(to = function(x) 10^x, from = log10), log2 = list(to = function(x) 2^x, from = log2),
  root = list(to = function(x) x^2, from = sqrt)
)

# The rising different values of a column and which each x is, list(values, at). Differences by
# rounding, as between 0.1 + 0.2 and 0.3, make no new value: beside the larger of what lies around
# and the upper quartile, as one far value would make all others one.
distinct <- function(x) {
  order <- order(x, method = "radix")
  sorted <- x[order]
  typical <- stats::quantile(abs(x), 0.75, names = FALSE)
  size <- pmax(abs(sorted[-1]), abs(sorted[-length(x)]), typical)
  new <- c(TRUE, diff(sorted) > 1e-13 * size)
  list(values = sorted[new], at = replace(integer(length(x)), order, cumsum(new)))
}

# The smallest step between values if all are whole steps apart, or 0.
grid_step <- function(values) {
  range <- values[length(values)] - values[1]
  gaps <- diff(values)
  if (!is.finite(range) || min(gaps) <= 1e-13 * max(abs(values))) {
    return(0)
  }
  count <- round(range / min(gaps))
  step <- range / count
  places <- (values - values[1]) / step
  if (count < 1e9 && all(abs(places - round(places)) < 0.01)) step else 0
}

# Atoms, by their numbers: on a grid values with more than twice the rows of the next ones there,
# beyond what is due to chance; without one those with at least 5 rows and five times what nine
# tenths of the values have, half of them where there are few.
find_atoms <- function(values, rows, cells) {
  on <- which(is_on_grid(values, cells))
  if (length(on) > 0) {
    own <- rows[on]
    beside <- pmax(c(0, own[-length(own)]), c(own[-1], 0))
    return(on[own > 2 * beside + 2.5 * sqrt(own)])
  }
  usual <- if (length(values) < 20) 0.5 else 0.9
  which(rows >= max(5, 5 * stats::quantile(rows, usual, names = FALSE, type = 1)))
}

# Sums of counts over n groups, none of which is empty.
tabulate_by <- function(group, counts, n) {
  if (length(group) == n) {
    return(replace(double(n), group, counts))
  }
  unname(rowsum(counts, group)[, 1])
}

# How far inside a value on a bound is taken to be, d x 2, 0 where no value is on one: a hundredth
# of the column's step, as means should not move, or half of what values lie apart, there and
# anywhere. NULL where no value is on a bound.
bound_insets <- function(x, support, steps) {
  insets <- matrix(0, nrow(support), 2)
  for (j in which(rowSums(is.finite(support)) > 0)) {
    on <- vapply(support[j, ], function(bound) any(x[, j] == bound), NA)
    if (!any(on)) next
    column <- distinct(x[, j])
    if (length(column$values) < 2) next
    ones <- rep(1, nrow(x))
    cells <- find_cells(list(column), ones, ones, steps[j])[[1]]
    gridded <- cells$step > 0 && cells$scale == "raw"
    inset <- if (gridded) {
      cells$step / 100
    } else {
      # Those that are few and far out there do not say how near to the bound an atom is.
      ends <- widths_at(column$values, c(1, length(column$values)))
      pmin(ends, stats::median(diff(column$values))) / 2
    }
    insets[j, ] <- ifelse(on, inset, 0)
  }
  if (any(insets > 0)) insets
}

# The ends of the cell of each value, list(lower, upper, atom), both the value where it stands for
# itself, and whether it is an atom, as values on a bound are: their cells end at twice the inset.
cell_ends <- function(x, cells, bounds, insets) {
  if (cells$step == 0 && nrow(cells$shared) == 0 && all(insets == 0)) {
    return(list(lower = x, upper = x, atom = logical(length(x))))
  }
  scale <- grid_scales[[cells$scale]]
  on_grid <- scale$to(x)
  below <- ifelse(is_on_grid(x, cells), cells$step / 2, 0)
  above <- below
  own <- match(x, cells$shared$value)
  has_own <- which(!is.na(own))
  below[has_own] <- cells$shared$below[own[has_own]]
  above[has_own] <- cells$shared$above[own[has_own]]
  atom <- logical(length(x))
  atom[has_own] <- cells$shared$atom[own[has_own]]
  end <- function(at) {
    # Below a log or a root there is nothing.
    if (cells$scale != "raw") at <- pmax(at, on_grid / 2)
    ifelse(above > 0, scale$from(at), x)
  }
  lower <- pmax(end(on_grid - below), bounds[1])
  upper <- pmin(end(on_grid + above), bounds[2])
  at_lower <- insets[1] > 0 & x == bounds[1]
  at_upper <- insets[2] > 0 & x == bounds[2]
  lower[at_lower] <- bounds[1]
  upper[at_lower] <- bounds[1] + 2 * insets[1]
  lower[at_upper] <- bounds[2] - 2 * insets[2]
  upper[at_upper] <- bounds[2]
  list(lower = lower, upper = upper, atom = atom | at_lower | at_upper)
}

# The number of each row's group of identical rows; NULL where all differ.
identical_rows <- function(x) {
  for (j in seq_len(ncol(x))) {
    if (anyDuplicated(x[, j]) == 0) {
      return(NULL)
    }
  }
  group <- rank_rows(x)
  if (max(group) < nrow(x)) group
}

# Groups of identical rows, numbered in increasing order of rows.
rank_rows <- function(x) {
  order <- do.call(order, lapply(seq_len(ncol(x)), function(j) x[, j]))
  sorted <- x[order, , drop = FALSE]
  new <- rowSums(sorted[-1, , drop = FALSE] != sorted[-nrow(x), , drop = FALSE]) > 0
  group <- integer(nrow(x))
  group[order] <- cumsum(c(TRUE, new))
  group
}

# Whether rows on a grid repeat each other by more than the grid: those that occur several times
# have empty cells next to them.
are_repeats <- function(x, group, counts, cells) {
  rows <- tabulate_by(group, counts, max(group))
  several <- which(rows > 1)
  typical <- if (ncol(x) == 1) stats::median(rows) else max(rows)
  if (typical < 2 || max(rows) > max(5, 0.05 * sum(rows))) {
    return(FALSE)
  }
  for (j in seq_len(ncol(x))) {
    on_grid <- grid_scales[[cells[[j]]$scale]]$to(x[, j])
    x[, j] <- round((on_grid - on_grid[1]) / cells[[j]]$step)
  }
  key <- function(places) do.call(paste, as.data.frame(places))
  known <- key(x)
  first <- x[match(several, group), , drop = FALSE]
  near <- logical(nrow(first))
  for (j in seq_len(ncol(x))) {
    for (shift in c(-1, 1)) {
      moved <- first
      moved[, j] <- moved[, j] + shift
      near <- near | key(moved) %in% known
    }
  }
  mean(near) < 0.2
}

# The units of a fit, in cells within the `bounds` of columns, d x 2, with insets (bound_insets()):
# list(row, weight, unit, lower, upper, atom, cells, repeats), `row` the row of x where each stands,
# `unit` the unit of each row, the ends of the units' cells and whether these are of atoms, one row
# each, and how many different rows are repeated and stand for no cell. Rows that stand for cells in
# all columns are units of their own, as many as their weight says where weights are counts; others
# are merged where they are identical. Where all rows are there equally often once is as good.
# Sorted by their values wherever there is a choice, so that rows and weights give the same units.
find_units <- function(x, weights, bounds, insets = matrix(0, nrow(bounds), 2), steps = NULL) {
  n <- nrow(x)
  columns <- lapply(seq_len(ncol(x)), function(j) distinct(x[, j]))
  for (j in seq_len(ncol(x))) x[, j] <- columns[[j]]$values[columns[[j]]$at]
  counted <- is.null(weights) || all(weights == round(weights))
  counts <- if (counted && !is.null(weights)) weights else rep(1, n)
  group <- identical_rows(x)
  if (is.null(group) && !is.null(weights)) group <- rank_rows(x)
  total <- if (!is.null(group)) unname(rowsum(weights %||% counts, group)[, 1])
  if (counted && length(total) >= 20) {
    divisor <- Reduce(common_divisor, unique(total))
    total <- total / divisor
    counts <- counts / divisor
  }
  # A few different rows are no sample of which some were drawn again.
  once <- if (length(total) < 10) counts else as.double(!duplicated(group))
  cells <- find_cells(columns, counts, once, steps)
  ends <- lapply(seq_len(ncol(x)), function(j) {
    cell_ends(x[, j], cells[[j]], bounds[j, ], insets[j, ])
  })
  side <- function(name) matrix(unlist(lapply(ends, `[[`, name)), n)
  lower <- side("lower")
  upper <- side("upper")
  units <- list(row = seq_len(n), weight = NULL, unit = seq_len(n), repeats = 0L)
  if (!is.null(group)) {
    in_cells <- rowSums(lower == upper) == 0
    gridded <- vapply(cells, function(cells) cells$step > 0, NA)
    if (all(gridded) && are_repeats(x, group, counts, cells)) in_cells[] <- FALSE
    units <- merge_units(x, if (counted) counts else weights, counted, group, in_cells)
  }
  c(units, list(
    lower = lower[units$row, , drop = FALSE], upper = upper[units$row, , drop = FALSE],
    atom = side("atom")[units$row, , drop = FALSE], cells = cells
  ))
}

# Which rows stand for the same atoms, in all columns where they do: numbers from 1 of at most forty
# groups of at least five rows, 0 for others; NULL where these hold less than a twentieth.
group_atoms <- function(x, atom) {
  rows <- which(rowSums(atom) > 0)
  key <- do.call(paste, as.data.frame(replace(x, !atom, NA)[rows, , drop = FALSE]))
  sizes <- sort(table(key), decreasing = TRUE)
  names <- utils::head(names(sizes)[sizes >= 5], 40)
  group <- integer(nrow(x))
  group[rows] <- match(key, names, nomatch = 0L)
  if (mean(group > 0) >= 0.05) group
}

common_divisor <- function(a, b) {
  while (b > 0) {
    rest <- a %% b
    a <- b
    b <- rest
  }
  a
}

merge_units <- function(x, weights, counted, group, in_cells) {
  merged <- if (counted) group else ifelse(in_cells, max(group) + seq_along(group), group)
  first <- which(!duplicated(merged))
  total <- unname(rowsum(weights, merged, reorder = FALSE)[, 1])
  split <- in_cells[first] & counted
  # No more units than rows, or a hundred thousand.
  unit <- max(1, sum(weights) / max(1e5, nrow(x)))
  copies <- ifelse(split, as.integer(ceiling(total / unit)), 1L)
  order <- if (all(total == 1)) {
    seq_along(first)
  } else {
    do.call(order, lapply(seq_len(ncol(x)), function(j) x[first, j]))
  }
  at <- rep(order, copies[order])
  weight <- total[at] / copies[at]
  entry <- match(merged, merged[first])
  begins <- integer(length(first))
  begins[order] <- cumsum(c(0L, copies[order][-length(order)]))
  # The rows of one group take its copies in turn, each as many as its weight.
  turn <- order(begins[entry])
  shares <- (weights / total[entry] * copies[entry])[turn]
  reached <- cumsum(shares)
  several <- tabulate(entry, length(first)) > 1
  list(
    row = turn[findInterval(seq_along(at) - 1e-6, reached, left.open = TRUE) + 1L],
    weight = if (any(weight != weight[1])) weight,
    unit = replace(integer(nrow(x)), turn, pmax(as.integer(ceiling(reached - 1e-6)), 1L)),
    repeats = sum(several & !in_cells[first])
  )
}

# Points spread over cells: in each column those of one cell take places in random order, one in
# each of as many parts of it, evenly over a cell of a grid and over each side of a value that is
# not in its middle, so that its mean stays. Those of an atom lie as a normal distribution does
# within three standard deviations, since components do (Ho et al. 2019, variational
# dequantization): the tails of one over an even spread would leave the cell.
spread_over_cells <- function(x, lower, upper, atom) {
  for (j in which(colSums(lower < upper) > 0)) {
    rows <- which(lower[, j] < upper[, j])
    value <- x[rows, j]
    cell <- match(value, unique(value))
    shuffled <- sample.int(length(rows))
    size <- tabulate(cell)
    rank <- integer(length(rows))
    rank[shuffled[order(cell[shuffled])]] <- sequence(size)
    place <- (rank - stats::runif(length(rows))) / size[cell]
    width <- upper[rows, j] - lower[rows, j]
    below <- (value - lower[rows, j]) / width
    even <- ifelse(
      place < 1 - below, below * place / (1 - below), 1 - (1 - below) * (1 - place) / below
    )
    # A value on a bound is at an end of its cell.
    even[below <= 0 | below >= 1] <- place[below <= 0 | below >= 1]
    x[rows, j] <- lower[rows, j] + ifelse(atom[rows, j], within_three_sd(place), even) * width
  }
  x
}

# The quantiles of a normal distribution between -3 and 3 standard deviations, on (0, 1).
within_three_sd <- function(place) {
  tail <- stats::pnorm(-3)
  stats::qnorm(tail + place * (1 - 2 * tail)) / 6 + 0.5
}

# What a fit says of its columns: a data frame with a row a column, NULL where values were taken as
# they stand.
recorded_table <- function(sample) {
  cells <- sample$found$cells
  if (is.null(cells)) {
    return(NULL)
  }
  step <- vapply(cells, `[[`, 0, "step")
  data.frame(
    column = as.character(column_labels(sample$frame)),
    distinct = vapply(cells, `[[`, 0L, "distinct"), spacing = step,
    scale = ifelse(step > 0, vapply(cells, `[[`, "", "scale"), NA),
    atoms = vapply(cells, function(column) {
      atoms <- column$shared$value[column$shared$atom]
      paste(format(atoms, trim = TRUE, digits = 7), collapse = ", ")
    }, ""),
    shared = vapply(cells, function(column) sum(!column$shared$atom), 0L)
  )
}

# What ties said of the columns, three of them.
describe_recorded <- function(recorded) {
  if (is.null(recorded)) {
    return()
  }
  spacing <- sprintf(
    "spacing %s%s", vapply(recorded$spacing, format, "", digits = 4),
    ifelse(recorded$scale %in% c(NA, "raw"), "", paste(" before the", recorded$scale))
  )
  atoms <- paste("rows of their own at", recorded$atoms)
  shared <- paste(recorded$shared, "shared by several rows")
  what <- ifelse(recorded$spacing > 0, spacing, ifelse(nzchar(recorded$atoms), atoms, shared))
  told <- which(recorded$spacing > 0 | nzchar(recorded$atoms) | recorded$shared > 0)
  if (length(told) > 0) {
    lines <- sprintf(
      "%s: %s, %s", recorded$column, plural_each(recorded$distinct, "distinct value"), what
    )[told]
    more <- if (length(lines) > 3) "..."
    paste("  recorded   ", paste(c(utils::head(lines, 3), more), collapse = "; "))
  }
}

plural_each <- function(counts, noun) vapply(counts, plural, "", noun)
