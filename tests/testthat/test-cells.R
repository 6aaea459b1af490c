# The sample of units of some data.
units_of <- function(x, weights = NULL, support = NULL, steps = NULL, seed = 1) {
  x <- as.matrix(unname(x))
  sample <- read_sample(list(x = x, type = "matrix"), support, weights, NULL, steps %||% "auto")
  with_fixed_seed(seed, unit_sample(sample, steps))
}

columns_of <- function(x, counts = rep(1, NROW(x)), once = counts, steps = NULL) {
  find_cells(list(distinct(x)), counts, once, steps)
}

# Values with every digit, in no column twice.
exact_values <- function(n, d = 1) with_fixed_seed(1, matrix(rnorm(n * d), n))

test_that("values a whole number of steps apart stand on a grid", {
  expect_step <- function(x, step, scale = "raw") {
    cells <- columns_of(x)[[1]]
    expect_equal(cells$step, step, tolerance = 1e-6)
    expect_identical(cells$scale, scale)
    expect_identical(cells$distinct, length(distinct(x)$values))
  }
  expect_step(rep(1:3, 20), 1)
  expect_step(c(0, 2, 2, 8), 2)
  expect_step(round(exact_values(200), 1), 0.1)
  # places are whole to a hundredth of a step: so are sums of rounded values
  expect_step(cumsum(rep(0.1, 50))[c(1:50, 1:50)], 0.1)
  expect_step(c(1e6 + 1:20, 1e6 + 1:20), 1)
  expect_step(exact_values(50), 0)
  expect_step(rep(exact_values(50), 2), 0)
  # few values without ties stand on a grid by chance
  expect_step(c(1, 2, 4), 0)
  expect_step(c(1, 2, 4, 1), 1)
  expect_step(rep(5, 4), 0)
})

test_that("a grid may have been taken to logs or roots", {
  counts <- with_fixed_seed(1, rpois(200, 30))
  forms <- list(log = log, log10 = log10, log2 = log2, root = sqrt)
  for (scale in names(forms)) {
    cells <- columns_of(forms[[scale]](counts))[[1]]
    expect_identical(cells$scale, scale)
    expect_equal(cells$step, 1, tolerance = 1e-6)
    # their ends are those of the counts, taken there
    ends <- cell_ends(forms[[scale]](counts), cells, c(-Inf, Inf), c(0, 0))
    expect_equal(ends$lower, forms[[scale]](counts - 0.5))
    expect_equal(ends$upper, forms[[scale]](counts + 0.5))
  }
  # below a log there is nothing: the cell of the smallest value is half as wide there
  cells <- columns_of(log(rep(1:20, 5) / 4))[[1]]
  ends <- cell_ends(log(c(0.25, 0.5)), cells, c(-Inf, Inf), c(0, 0))
  expect_equal(exp(ends$lower), c(0.125, 0.375))
  wide <- utils::modifyList(cells, list(step = 0.6))
  expect_equal(exp(cell_ends(log(0.25), wide, c(-Inf, Inf), c(0, 0))$lower), 0.125)
})

test_that("differences by rounding make no value, and a far value takes none away", {
  expect_identical(distinct(c(3, 1, 2, 1))$values, c(1, 2, 3))
  expect_length(distinct(c(0.3, 0.1 + 0.2, 0.1))$values, 2)
  expect_identical(columns_of(c(0.3, 0.1 + 0.2, 0.1, 0.5, 0.1))[[1]]$step, (0.5 - 0.1) / 2)
  x <- exact_values(99)[, 1]
  for (far in c(1e10, 1e14, 1e20, 1e100)) {
    expect_length(distinct(c(x, far))$values, 100)
    expect_identical(columns_of(c(x, far))[[1]]$step, 0)
  }
})

test_that("values that differ by rounding are one", {
  expect_identical(distinct(c(0.3, 0.1 + 0.2, 0.1)), list(values = c(0.1, 0.3), at = c(2L, 2L, 1L)))
  expect_identical(
    distinct(c(0, -5e-17, 1, 0.5)), list(values = c(-5e-17, 0.5, 1), at = c(1L, 1L, 3L, 2L))
  )
  sample <- units_of(c(rep(0, 30), rep(-5e-17, 10), exact_values(40)[, 1]))
  expect_identical(nrow(sample$y), 80L)
  expect_identical(sum(abs(sample$y) < 1e-12), 0L)
})

test_that("a grid of nearly all rows is a grid", {
  x <- with_fixed_seed(1, round(rnorm(500, sd = 3)))
  off <- exact_values(10)[, 1]
  # one of them twice
  for (some in list(off, c(off[-1], off[2]))) {
    cells <- columns_of(c(x, some))[[1]]
    expect_identical(cells$step, 1)
    expect_false(any(cells$shared$atom))
    ends <- cell_ends(c(2, off[2]), cells, c(-Inf, Inf), c(0, 0))
    expect_equal(ends$lower, c(1.5, off[2]))
    expect_equal(ends$upper, c(2.5, off[2]))
  }
  expect_identical(columns_of(c(x, exact_values(30)[, 1]))[[1]]$step, 0)
  # two values with ties make no grid
  amounts <- exact_values(49)[, 1]
  expect_identical(columns_of(c(rep(0, 950), amounts, amounts[1]))[[1]]$step, 0)
  # nor do values that leave the grid's scale, or come back to others there
  expect_equal(columns_of(c(log(1:100), log(1:100), 999))[[1]]$step, 1)
  roots <- columns_of(c(sqrt(1:100), sqrt(1:100), -1))[[1]]
  expect_identical(roots$scale, "root")
  expect_identical(is_on_grid(c(1, -1), roots), c(TRUE, FALSE))
})

test_that("a value with many more rows than others is an atom", {
  x <- exact_values(100)[, 1]
  values <- function(..., once = NULL) {
    x <- c(...)
    shared <- columns_of(x, once = once %||% double(length(x)))[[1]]$shared
    shared$value[shared$atom]
  }
  expect_identical(values(x, rep(0, 5)), 0)
  expect_identical(values(x, rep(0, 4)), double())
  expect_identical(values(x, rep(c(0, 1), c(30, 50))), c(0, 1))
  # five times what nine tenths of the values have
  expect_identical(values(rep(x, 2), rep(0, 9)), double())
  expect_identical(values(rep(x, 2), rep(0, 10)), 0)
  # rows or their numbers
  expect_identical(columns_of(c(x, 0), c(rep(1, 100), 5), double(101))[[1]]$shared$value, 0)
})

test_that("on a grid an atom has more than twice the rows of its neighbours, beyond chance", {
  values <- function(rows) {
    shared <- columns_of(rep(as.double(seq_along(rows)), rows))[[1]]$shared
    shared$value[shared$atom]
  }
  expect_identical(values(c(90, 40, 16, 6)), double())
  expect_identical(values(c(90, 30, 12, 4)), 1)
  expect_identical(values(c(3, 2, 12, 3, 2, 2)), double())
  expect_identical(values(c(3, 2, 17, 3, 2, 2)), 3)
  # ages of which some are rounded to 5
  ages <- with_fixed_seed(1, round(rnorm(1000, 45, 10)))
  heaped <- ifelse(with_fixed_seed(2, runif(1000)) < 0.4, 5 * round(ages / 5), ages)
  expect_identical(intersect(values(tabulate(heaped)), 5 * 1:20), values(tabulate(heaped)))
  expect_true(all(c(35, 40, 45, 50, 55) %in% values(tabulate(heaped))))
  expect_identical(values(tabulate(ages)), double())
})

test_that("the cell of an atom is no wider than values lie apart, there and anywhere", {
  x <- c(seq(0, 1, by = 0.1)^1.7, rep(0.5, 20))
  cells <- columns_of(x, once = double(31))[[1]]
  width <- cells$shared$below + cells$shared$above
  expect_equal(width, median(diff(sort(unique(x)))), tolerance = 0.2)
  ends <- cell_ends(c(0.5, 1), cells, c(-Inf, Inf), c(0, 0))
  expect_equal(ends$lower, c(0.5 - width / 2, 1))
  expect_equal(ends$upper, c(0.5 + width / 2, 1))
  # alone far out
  far <- columns_of(c(seq(0, 1, by = 0.01)^1.7, rep(100, 20)), once = double(121))[[1]]
  expect_equal(far$shared$value, 100)
  expect_lt(far$shared$below + far$shared$above, 0.1)
})

test_that("values off a grid that several rows share end halfway to the next such value", {
  doses <- c(0.1, 0.3, 1, 3, 10)
  x <- rep(doses, each = 20)
  cells <- columns_of(x)[[1]]
  expect_identical(cells$shared$atom, rep(FALSE, 5))
  ends <- cell_ends(doses, cells, c(-Inf, Inf), c(0, 0))
  expect_equal(ends$lower, c(0, 0.2, 0.65, 2, 6.5))
  expect_equal(ends$upper, c(0.2, 0.65, 2, 6.5, 13.5))
  # each side has what keeps the mean
  sample <- units_of(cbind(x, exact_values(100)))
  means <- tapply(sample$y[, 1], sample$recorded$y[, 1], mean)
  expect_equal(as.vector(means), doses, tolerance = 0.03)
  shares <- table(findInterval(sample$y[, 1], ends$lower))
  expect_equal(as.vector(shares), rep(20, 5))
  # where rows that repeat each other count once, none is shared
  expect_identical(nrow(columns_of(x, once = as.double(!duplicated(x)))[[1]]$shared), 0L)
  # among values that are not shared cells are no wider than these lie apart
  mixed <- columns_of(c(rep(c(0.25, 0.75), each = 4), exact_values(300)[, 1]))[[1]]
  expect_identical(mixed$shared$value, c(0.25, 0.75))
  expect_lt(max(mixed$shared$above), 0.05)
  # and a few are equal by chance
  chance <- columns_of(c(rep(c(0.25, 0.75), each = 2), exact_values(300)[, 1]))[[1]]
  expect_identical(nrow(chance$shared), 0L)
})

test_that("groups of atoms are numbered by their rows", {
  x <- cbind(rep(c(0, 0, 1, 2), c(20, 9, 6, 65)), rep(c(0, 5, 5, 1), c(20, 9, 6, 65)))
  atom <- cbind(x[, 1] < 2, x[, 2] == 5)
  expect_identical(group_atoms(x, atom), rep(c(1L, 2L, 3L, 0L), c(20, 9, 6, 65)))
  expect_identical(group_atoms(x, atom & x[, 1] == 1), rep(c(0L, 1L, 0L), c(29, 6, 65)))
  expect_null(group_atoms(x, atom & row(x) > 31))
})

test_that("cells end at the bounds of their column, those on a bound at twice the inset", {
  x <- rep(0:4, 10)
  cells <- columns_of(x)[[1]]
  ends <- cell_ends(c(0, 2, 4), cells, c(-0.2, 4.1), c(0, 0))
  expect_equal(ends$lower, c(-0.2, 1.5, 3.5))
  expect_equal(ends$upper, c(0.5, 2.5, 4.1))
  expect_identical(ends$atom, rep(FALSE, 3))
  ends <- cell_ends(c(0, 2, 4), cells, c(0, 4), c(0.01, 0.02))
  expect_equal(ends$lower, c(0, 1.5, 3.96))
  expect_equal(ends$upper, c(0.02, 2.5, 4))
  expect_identical(ends$atom, c(TRUE, FALSE, TRUE))
})

test_that("rows in cells are units of their own, those repeated elsewhere are one", {
  counts <- rep(1:5, c(2, 5, 9, 5, 2))
  sample <- units_of(counts)
  expect_identical(nrow(sample$y), 23L)
  expect_null(sample$weights)
  expect_identical(sample$found$repeats, 0L)
  # identical() as what is spread has been recorded
  expect_setequal(sample$recorded$y, counts)

  x <- exact_values(20, 2)[rep(1:20, rep(1:4, 5)), ]
  sample <- units_of(x)
  expect_identical(nrow(sample$y), 20L)
  expect_identical(sample$found$repeats, 15L)
  expect_null(sample$recorded)
  expect_equal(sample$y[sample$unit_of, ], x)
  expect_equal(sample$weights * 50 / 20, tabulate(sample$unit_of))

  # nothing is known of values without ties
  x <- exact_values(30, 2)
  sample <- units_of(x)
  expect_identical(sample$y, x)
  expect_identical(sample$unit_of, 1:30)
  # a grid in one column alone: that one is spread, no row is merged
  sample <- units_of(cbind(x[, 1], rep(1:3, 10)))
  expect_identical(sample$y[, 1], x[, 1])
  expect_gt(length(unique(sample$y[, 2])), 3)
})

test_that("rows on a grid that repeat each other by more than the grid are repeats", {
  x <- with_fixed_seed(1, cbind(runif(60), runif(60)))
  rounded <- round(x, 4)
  # each three times, far from the next by the grid's step
  expect_identical(nrow(units_of(rounded[rep(1:60, 3), ])$y), 60L)
  # where the grid is so wide that cells have neighbours, ties are the grid's
  expect_identical(nrow(units_of(round(x, 1)[rep(1:60, rep(2:3, 30)), ])$y), 150L)
  # but where every row is there three times, once is as good
  once <- units_of(round(x, 1))
  expect_identical(units_of(round(x, 1)[rep(1:60, 3), ])$y, once$y)
  expect_identical(units_of(round(x, 1), rep(3, 60))$y, once$y)
})

test_that("weights of one are no weights", {
  x <- exact_values(30, 2)
  expect_identical(units_of(x, rep(1, 30)), units_of(x))
  expect_identical(units_of(x, rep(0:1, 15))$y, units_of(x[rep(0:1, 15) == 1, ])$y)
})

test_that("rows and weights give the same units, spread alike", {
  # `found` also tells how many rows came repeated
  seen <- function(sample) {
    fields <- c("y", "log_jacobian", "weights", "recorded", "center", "scale", "core")
    c(sample[fields], sample$found["cells"])
  }
  x <- exact_values(12)
  tables <- list(
    "a grid" = list(x = 1:6, w = c(4, 9, 2, 1, 7, 3)),
    "an atom" = list(x = c(x, 0.1), w = c(rep(1, 12), 30)),
    "repeats" = list(x = x, w = rep(1:3, 4)),
    "a grid and more" = list(x = cbind(rep(1:3, 4), x), w = rep(1:2, 6))
  )
  for (name in names(tables)) {
    table <- tables[[name]]
    x <- as.matrix(table$x)
    w <- table$w
    weighted <- units_of(x, w)
    rows <- rep(seq_along(w), w)
    repeated <- units_of(x[rows, , drop = FALSE])
    expect_identical(seen(repeated), seen(weighted), info = name)
    # in another order
    mixed <- with_fixed_seed(2, sample(rows))
    shuffled <- units_of(x[mixed, , drop = FALSE])
    expect_identical(seen(shuffled), seen(weighted), info = name)
    # some of the rows with a weight, the first apart
    first <- which.max(w)
    rest <- replace(w, first, w[first] - 1)
    partly <- units_of(x[c(first, seq_along(w)), , drop = FALSE], c(1, rest))
    expect_identical(seen(partly), seen(weighted), info = name)
  }
})

test_that("a table of counts has as many units as its weights say, at most a hundred thousand", {
  expect_identical(nrow(units_of(0:5, c(1, 5, 10, 10, 5, 1))$y), 32L)
  many <- units_of(1:10, rep(1e9, 10))
  expect_lte(nrow(many$y), 1e5 + 10)
  expect_gte(nrow(many$y), 1e5)
  # weights that are no counts say nothing of ties: a row is a unit
  some <- units_of(1:10, seq(0.5, 5, by = 0.5))
  expect_identical(nrow(some$y), 10L)
  expect_equal(some$weights, seq(0.5, 5, by = 0.5) / 2.75)
})

test_that("units are spread over their cells, as many in each equal part of one", {
  x <- rep(c(0, 1, 2), c(7, 20, 13))
  sample <- units_of(x)
  recorded <- sample$recorded$y[, 1]
  place <- sample$y[, 1] - recorded + 0.5
  expect_gte(min(place), 0)
  expect_lte(max(place), 1)
  for (value in unique(x)) {
    own <- sort(place[recorded == value])
    n <- length(own)
    expect_identical(ceiling(own * n - 1e-9), as.double(seq_len(n)))
  }
  # in no order, and anew with another seed only
  expect_true(is.unsorted(place[recorded == 1]))
  expect_identical(units_of(x), sample)
  expect_false(identical(units_of(x, seed = 2)$y, sample$y))
  set.seed(1)
  before <- .Random.seed
  units_of(x)
  expect_identical(.Random.seed, before)
  # columns are spread apart from each other
  both <- units_of(cbind(x, x))
  expect_gt(mean(abs(both$y[, 1] - both$y[, 2])), 0.1)
  # the mean over places is the cell's
  expect_equal(mean(place), 0.5, tolerance = 0.02)
})

test_that("an atom is spread within its cell, other values stay where they are", {
  x <- c(exact_values(50)[, 1], rep(0, 50))
  sample <- units_of(x)
  at <- sample$recorded$y[, 1] == 0
  expect_identical(sort(sample$y[!at, 1]), sort(x[1:50]))
  expect_lte(max(abs(sample$y[at, 1])), sample$found$cells[[1]]$shared$above)
  expect_identical(anyDuplicated(sample$y[at, 1]), 0L)
})

test_that("cells of bounded columns are spread inside the bounds", {
  x <- rep(0:4, 10)
  sample <- units_of(x, support = c(0, 4))
  inside <- from_working(sample$y, sample$frame$support)[, 1]
  recorded <- from_working(sample$recorded$y, sample$frame$support)[, 1]
  expect_equal(sort(unique(recorded)), c(0.01, 1, 2, 3, 3.99))
  ends <- list(c(0, 0.02), c(0.5, 1.5), c(1.5, 2.5), c(2.5, 3.5), c(3.98, 4))
  for (i in 1:5) {
    own <- inside[abs(recorded - sort(unique(recorded))[i]) < 0.1]
    expect_length(own, 10)
    expect_gte(min(own), ends[[i]][1])
    expect_lte(max(own), ends[[i]][2])
  }
})

test_that("`resolution` gives the width of cells, by position or by name", {
  x <- data.frame(a = exact_values(60)[, 1], b = rep(1:6, 10))
  spacing <- function(resolution) {
    fit <- suppressWarnings(
      fit_stack(x, resolution = resolution, covariance = "diagonal"),
      # Values that tie are points where the step is 0.
      classes = "cwmix_degenerate"
    )
    fit$recorded$spacing
  }
  expect_identical(spacing("auto"), c(0, 1))
  expect_identical(spacing(0.5), c(0.5, 0.5))
  expect_identical(spacing(c(0.25, 0)), c(0.25, 0))
  expect_identical(spacing(c(b = 3)), c(0, 3))
  expect_identical(spacing(c(b = 0, a = 0.1)), c(0.1, 0))
  # one model, a flow and a selection take it, too
  small <- cwmix_flow(layers = 2, hidden = 4)
  control <- quick_control(epochs = 1)
  models <- with_fixed_seed(1, list(
    cwmix(x, K = 2, resolution = c(b = 3), control = control),
    cwmix(x, K = 2, hidden = NULL, resolution = c(b = 3)),
    cwmix(x, validation = 0.1, resolution = c(b = 3), control = control),
    cwmix(x, flow = small, resolution = c(b = 3), control = control),
    flow_realnvp(x, layers = 2, hidden = 4, resolution = c(b = 3), control = control),
    flow_spline(~ a + b, x, layers = 2, hidden = 4, resolution = c(b = 3), control = control),
    best(cwmix_select(x, K = 1, hidden = NULL, folds = 2, resolution = c(b = 3)))
  ))
  for (model in models) expect_identical(model$recorded$spacing, c(0, 3))
  # a mixture by EM takes values as they stand
  expect_null(fit_mixture(x, 2)$recorded)
  # what stands for itself is as it came
  sample <- units_of(x, steps = c(0, 0))
  expect_null(sample$recorded)
  expect_equal(sample$y, as.matrix(unname(x)))
  # a given cell holds what is spread over it
  sample <- units_of(x, steps = c(0.5, 0))
  expect_lte(max(abs(sample$y[, 1] - sample$recorded$y[, 1])), 0.25)
  expect_gt(max(abs(sample$y[, 1] - sample$recorded$y[, 1])), 0.2)
})

test_that("a `resolution` that is none is refused", {
  x <- data.frame(a = 1:20, b = c(1:10, 1:10))
  bad <- list(
    NULL, -1, NA, NA_real_, NaN, Inf, "fine", TRUE, list(1), 1:3, double(), c(c = 1),
    c(a = 1, a = 2), factor(1), matrix("a"), c(1, -1), mean
  )
  for (resolution in bad) {
    expect_error(
      cwmix(x, resolution = resolution), "`resolution` must be",
      class = "cwmix_input_error", info = deparse(resolution)[1]
    )
  }
  for (fit in list(
    function(...) cwmix(x, K = 2, ...), function(...) flow_spline(x, ...),
    function(...) cwmix_select(x, K = 1, ...)
  )) {
    expect_error(fit(resolution = -1), "`resolution` must be", class = "cwmix_input_error")
  }
  expect_error(
    gaussian_mixture(x, K = 2, resolution = 1), "no argument `resolution`",
    class = "cwmix_input_error"
  )
})

test_that("a fit says what ties said of its columns", {
  x <- data.frame(
    exact = exact_values(60)[, 1], grid = rep(1:6, 10), atom = c(exact_values(30)[, 1], rep(0, 30)),
    logs = log(rep(11:30, 3))
  )
  fits <- list(
    fit_stack(x, covariance = "diagonal"), fit_network(x), fit_network(x, hidden = NULL),
    fit_small_flow(x), fit_behind_flow(x)
  )
  for (fit in fits) {
    recorded <- fit$recorded
    expect_identical(recorded$column, names(x))
    expect_identical(recorded$distinct, c(60L, 6L, 31L, 20L))
    expect_equal(recorded$spacing, c(0, 1, 0, 1), tolerance = 1e-6)
    expect_identical(recorded$scale, c(NA, "raw", NA, "log"))
    expect_identical(recorded$atoms, c("", "", "0", ""))
    lines <- format(fit)
    expect_true(all(nchar(lines) <= 80))
    line <- grep("^  recorded", with_width(200, format(fit)), value = TRUE)
    expect_length(line, 1)
    expect_match(line, "grid: 6 distinct values, spacing 1")
    expect_match(line, "atom: 31 distinct values, rows of their own at 0", fixed = TRUE)
    expect_match(line, "logs: 20 distinct values, spacing 1.* before the log$")
  }
  # nothing where there is nothing to say
  for (fit in list(fit_stack(x["exact"]), fit_network(x["exact"]), fit_small_flow(x["exact"]))) {
    expect_no_match(format(fit), "recorded")
  }
})
