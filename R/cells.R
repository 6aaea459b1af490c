# What ties say of how values were recorded, and the units that a fit is made from. A value that
# stands on a grid, or that has a share of rows of its own (an atom), stands for a cell around it:
# its likelihood is that of the cell, not the height of a spike. Points spread evenly over each cell
# give its mean log density, a lower bound of the log probability of the cell less that of its width
# (Theis, van den Oord and Bethge 2016). Rows that are repeated and stand for no cell are one
# observation with their weights' sum.

# Cells of the columns of x, whose rows stand for `counts` rows: a list of list(distinct, step,
# scale, atoms). `step` is that of the grid on which all values stand, or 0, and `scale` the name of
# the grid's own scale; `atoms` is a data frame of values and widths, of columns without a grid.
# `steps` are given steps, NA for a column where they are to be found, or NULL for all.
find_cells <- function(x, counts, steps) {
  steps <- steps %||% rep(NA_real_, ncol(x))
  lapply(seq_len(ncol(x)), function(j) column_cells(x[, j], counts, steps[j]))
}

column_cells <- function(x, counts, given) {
  values <- distinct_values(x)
  cells <- list(distinct = length(values), step = 0, scale = "raw", atoms = no_atoms)
  if (!is.na(given)) {
    cells$step <- given
    if (given > 0) cells$atoms <- find_atoms(x, values, counts, given)
    return(cells)
  }
  if (length(values) < 2) {
    return(cells)
  }
  # A few values without ties stand on a grid by chance, and two on that of any scale.
  scales <- if (length(values) >= 10) names(grid_scales) else "raw"
  if (length(values) == sum(counts) && length(values) < 10) scales <- character()
  for (scale in scales) {
    step <- grid_step(grid_scales[[scale]]$to(values))
    if (step > 0) {
      cells[c("step", "scale")] <- list(step, scale)
      break
    }
  }
  cells$atoms <- find_atoms(x, values, counts, cells$step)
  cells
}

no_atoms <- data.frame(value = double(), width = double())

# Where values that were recorded on a grid may have been taken to since.
grid_scales <- list(
  raw = list(to = identity, from = identity), log = list(to = exp, from = log),
  log10 = list(to = function(x) 10^x, from = log10), log2 = list(to = function(x) 2^x, from = log2),
  root = list(to = function(x) x^2, from = sqrt)
)

# Differences by rounding, as between 0.1 + 0.2 and 0.3, make no new value: beside the larger of
# what lies around and the upper quartile, as one far value would make all others one.
distinct_values <- function(x) {
  values <- sort(unique(x))
  typical <- stats::quantile(abs(values), 0.75, names = FALSE)
  size <- pmax(abs(values[-1]), abs(values[-length(values)]), typical)
  values[c(TRUE, diff(values) > 1e-13 * size)]
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

# Values with at least 5 rows and five times what nine tenths of the values have, half of them where
# there are few. Their cells are those of the grid, or end halfway to the next value and are no
# wider than the median step.
find_atoms <- function(x, values, counts, step) {
  rows <- tabulate_by(findInterval(x, values), counts, length(values))
  usual <- if (length(values) < 20) 0.5 else 0.9
  least <- max(5, 5 * stats::quantile(rows, usual, names = FALSE, type = 1))
  at <- which(rows >= least)
  gaps <- diff(values)
  width <- pmin(c(Inf, gaps)[at], c(gaps, Inf)[at], stats::median(gaps))
  if (step > 0) width <- rep(step, length(at))
  data.frame(value = values[at], width = width)
}

tabulate_by <- function(group, counts, n) {
  sums <- rowsum(counts, group)
  replace(double(n), as.integer(rownames(sums)), sums)
}

# The ends of the cell of each value, list(lower, upper, atom), both the value where it stands for
# itself, and whether it is an atom, as values on a bound are: their cells end at twice the inset.
cell_ends <- function(x, cells, bounds, insets) {
  width <- rep(cells$step, length(x))
  atom <- match_nearly(x, cells$atoms$value)
  width[!is.na(atom)] <- cells$atoms$width[atom[!is.na(atom)]]
  scale <- grid_scales[[cells$scale]]
  on_grid <- scale$to(x)
  end <- function(side) {
    at <- on_grid + side * width / 2
    # Below a log or a root there is nothing.
    if (cells$scale != "raw") at <- pmax(at, on_grid / 2)
    ifelse(width > 0, scale$from(at), x)
  }
  lower <- pmax(end(-1), bounds[1])
  upper <- pmin(end(1), bounds[2])
  at_lower <- insets[1] > 0 & x == bounds[1]
  at_upper <- insets[2] > 0 & x == bounds[2]
  lower[at_lower] <- bounds[1]
  upper[at_lower] <- bounds[1] + 2 * insets[1]
  lower[at_upper] <- bounds[2] - 2 * insets[2]
  upper[at_upper] <- bounds[2]
  list(lower = lower, upper = upper, atom = !is.na(atom) | at_lower | at_upper)
}

# Which of some rising values each x is, up to rounding; NA where it is none.
match_nearly <- function(x, values) {
  rounding <- 1e-13 * abs(values)
  at <- findInterval(x, values - rounding)
  at[at == 0] <- NA
  replace(at, which(x > (values + rounding)[at]), NA)
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

# The units of a fit, in cells within the `bounds` of columns, d x 2, with insets
# (support.R): list(row, weight, unit, lower,
# upper, atom, cells, repeats), `row` the row of x where each stands, `unit` the unit of each row,
# the ends of the units' cells and whether these are of atoms, one row each, and how many different
# rows are repeated and stand for no cell. Rows that stand for cells in all columns are units of
# their own, as many as their weight says where weights are counts; others are merged where they are
# identical. Sorted by their values wherever there is a choice, so that rows and weights give the
# same units.
find_units <- function(x, weights, bounds, insets = matrix(0, nrow(bounds), 2), steps = NULL) {
  n <- nrow(x)
  counted <- !is.null(weights) && all(weights == round(weights))
  counts <- if (counted) weights else rep(1, n)
  cells <- find_cells(x, counts, steps)
  ends <- lapply(seq_len(ncol(x)), function(j) {
    cell_ends(x[, j], cells[[j]], bounds[j, ], insets[j, ])
  })
  side <- function(name) matrix(unlist(lapply(ends, `[[`, name)), n)
  lower <- side("lower")
  upper <- side("upper")
  units <- list(row = seq_len(n), weight = weights, unit = seq_len(n), repeats = 0L)
  in_cells <- rowSums(lower == upper) == 0
  group <- identical_rows(x)
  if (!is.null(group) || !is.null(weights)) {
    gridded <- vapply(cells, function(cells) cells$step > 0, NA)
    group <- group %||% rank_rows(x)
    if (all(gridded) && are_repeats(x, group, counts, cells)) in_cells[] <- FALSE
    units <- merge_units(x, weights %||% counts, counted || is.null(weights), group, in_cells)
  }
  c(units, list(
    lower = lower[units$row, , drop = FALSE], upper = upper[units$row, , drop = FALSE],
    atom = side("atom")[units$row, , drop = FALSE], cells = cells
  ))
}

merge_units <- function(x, weights, counted, group, in_cells) {
  merged <- if (counted) group else ifelse(in_cells, max(group) + seq_along(group), group)
  first <- which(!duplicated(merged))
  total <- rowsum(weights, merged, reorder = FALSE)[, 1]
  split <- in_cells[first] & counted
  # No more units than rows, or a hundred thousand.
  unit <- max(1, sum(weights) / max(1e5, nrow(x)))
  copies <- ifelse(split, as.integer(ceiling(total / unit)), 1L)
  order <- do.call(order, lapply(seq_len(ncol(x)), function(j) x[first, j]))
  at <- rep(order, copies[order])
  weight <- unname(total[at] / copies[at])
  entry <- match(merged, merged[first])
  several <- tabulate(entry, length(first)) > 1
  # The rows of one group take its copies in turn.
  begins <- integer(length(first))
  begins[order] <- cumsum(c(0L, copies[order][-length(order)]))
  turn <- integer(length(entry))
  turn[order(entry)] <- sequence(tabulate(entry, length(first)))
  list(
    row = first[at], weight = if (any(weight != weight[1])) weight,
    unit = begins[entry] + pmin(turn, copies[entry]), repeats = sum(several & !in_cells[first])
  )
}

# Points spread over cells: in each column those of one cell take places in random order, one in
# each of as many parts of it, evenly over a cell of a grid. Those of an atom lie as a normal
# distribution does within three standard deviations, since components do (Ho et al. 2019,
# variational dequantization): the tails of one over an even spread would leave the cell.
spread_over_cells <- function(x, lower, upper, atom) {
  for (j in which(colSums(lower < upper) > 0)) {
    rows <- which(lower[, j] < upper[, j])
    cell <- match(x[rows, j], unique(x[rows, j]))
    shuffled <- sample.int(length(rows))
    size <- tabulate(cell)
    rank <- integer(length(rows))
    rank[shuffled[order(cell[shuffled])]] <- sequence(size)
    place <- (rank - stats::runif(length(rows))) / size[cell]
    place <- ifelse(atom[rows, j], within_three_sd(place), place)
    x[rows, j] <- lower[rows, j] + place * (upper[rows, j] - lower[rows, j])
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
  atoms <- lapply(cells, function(column) column$atoms$value)
  step <- vapply(cells, `[[`, 0, "step")
  data.frame(
    column = as.character(column_labels(sample$frame)), distinct = vapply(cells, `[[`, 0L, "distinct"), spacing = step,
    scale = ifelse(step > 0, vapply(cells, `[[`, "", "scale"), NA),
    atoms = vapply(atoms, function(values) {
      paste(format(values, trim = TRUE, digits = 7), collapse = ", ")
    }, "")
  )
}

# What ties said of the columns, three of them.
describe_recorded <- function(recorded) {
  if (is.null(recorded)) {
    return()
  }
  spacing <- recorded$spacing > 0
  what <- ifelse(
    spacing,
    sprintf(
      "spacing %s%s", format(recorded$spacing, digits = 4, trim = TRUE),
      ifelse(recorded$scale %in% c(NA, "raw"), "", paste(" before the", recorded$scale))
    ),
    paste("rows of their own at", recorded$atoms)
  )
  told <- which(spacing | nzchar(recorded$atoms))
  if (length(told) > 0) {
    lines <- sprintf(
      "%s: %s, %s", recorded$column, plural_each(recorded$distinct, "distinct value"), what
    )[told]
    more <- if (length(lines) > 3) "..."
    paste("  recorded   ", paste(c(utils::head(lines, 3), more), collapse = "; "))
  }
}

plural_each <- function(counts, noun) vapply(counts, plural, "", noun)
