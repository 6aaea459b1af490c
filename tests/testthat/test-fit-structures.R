test_that("structures are those that are asked for, each with the rows that a component needs", {
  expect_named(structures(1, "auto"), names(structures(1, "full")))
  expect_false(any(vapply(structures(1, "full"), `[[`, NA, "full")))
  for (covariance in c("full", "diagonal")) {
    full <- vapply(structures(3, covariance), `[[`, NA, "full")
    expect_identical(unname(full), rep(covariance == "full", length(full)))
  }
  both <- c(structures(3, "full"), structures(3, "diagonal"))
  expect_identical(structures(3, "auto")[names(both)], both)
  expect_length(structures(3, "auto"), length(both))

  # what a component must hold tells a covariance of its own
  for (d in c(1, 3)) {
    all <- structures(d, "auto")
    least <- vapply(all, `[[`, 0, "least")
    tied <- vapply(all, function(one) one$pooling$rows == Inf, NA)
    expect_identical(tied, setNames(grepl("tied", names(all)), names(all)))
    expect_equal(unname(least[tied]), rep(0, sum(tied)))
    expect_gte(min(least[!tied]), 5)
    if (d > 1) expect_identical(least[["full"]], 2 * d + 2)
  }
})

test_that("members have the structure of their candidate", {
  found <- search_of(fit_stack(faithful))$search
  kinds <- vapply(found$candidates, `[[`, "", "covariance")
  expect_setequal(kinds, names(structures(2, "auto")))
  for (candidate in found$candidates) {
    for (p in candidate$fits) {
      kind <- candidate$covariance
      # components that hold too few rows of their own are gone
      tied <- grepl("tied", kind)
      expect_identical(ncol(p$mean), 2L)
      expect_lte(nrow(p$mean), candidate$K)
      if (tied) expect_identical(nrow(p$mean), candidate$K)
      expect_identical(is.null(p$log_sd), startsWith(kind, "full"))
      scales <- if (is.null(p$log_sd)) t(matrix(p$log_cholesky, 4)) else p$log_sd
      if (tied) expect_identical(unique(scales), scales[1, , drop = FALSE])
      if (nrow(p$mean) > 1 && !tied) expect_gt(nrow(unique(scales)), 1)
      if (startsWith(kind, "spherical")) expect_identical(scales[, 1], scales[, 2])
    }
  }
})

test_that("a climb ends after two levels in a row that score no more than the best", {
  climb_along <- function(scores) {
    seen <- 0
    best <- climb(seq_along(scores), function(level) {
      seen <<- seen + 1
      scores[level]
    })
    c(best, list(seen = seen))
  }
  expect_identical(climb_along(c(1, 3, 2, 2.5, 9)), list(level = 2L, score = 3, seen = 4))
  # one that scores less may stand between
  expect_identical(climb_along(c(1, 0, 2, 1, 3, 0)), list(level = 5L, score = 3, seen = 6))
  # what scores the same is no gain
  expect_identical(climb_along(c(1, 1, 1, 2)), list(level = 1L, score = 1, seen = 3))
  expect_identical(climb_along(c(-Inf, 1, 2)), list(level = 3L, score = 2, seen = 3))
  none <- list(level = NULL, score = -Inf)
  expect_identical(climb_along(c(-Inf, -Inf, 2)), c(none, seen = 2))
  expect_identical(climb_along(double()), c(none, seen = 0))
})

test_that("a climb with a rival ends where gains like the last one would not reach it", {
  seen_of <- function(scores, rival, steps = Inf) {
    seen <- 0
    climb(seq_along(scores), function(level) {
      seen <<- seen + 1
      scores[level]
    }, rival = rival, steps = steps)
    seen
  }
  steps <- 1:9
  # at the fourth level, at 4, which gained 1, five are left
  expect_identical(seen_of(steps, 9.1), 4)
  expect_identical(seen_of(steps, 9), 9)
  expect_identical(seen_of(steps, 1e9), 4)
  # at most so many count
  expect_identical(seen_of(steps, 7.1, 3), 4)
  expect_identical(seen_of(steps, 7, 3), 9)
  expect_identical(seen_of(steps, -Inf), 9)
  # what the first levels gain says nothing; the last gain does
  slow <- c(0, 0.001, 0.002)
  expect_identical(seen_of(c(slow, 20, 30, 31, 32), 45), 6)
  expect_identical(seen_of(c(slow, 0.003, 30, 60), 100), 4)
  # a gain of less than a fiftieth counts as that, a loss too
  expect_identical(seen_of(c(slow, 0.003, 0.004, 0.005), 0.042), 5)
  expect_identical(seen_of(c(slow, 0.003, 0.004, 0.005), 0.044), 4)
  expect_identical(seen_of(c(1:4, 3, 9), 4.019), 6)
  expect_identical(seen_of(c(1:4, 3, 9), 4.021), 5)
  # a level without a fit is no gain, what comes after it is any
  expect_identical(seen_of(c(1:3, -Inf, 5), 3.019), 5)
  expect_identical(seen_of(c(1:3, -Inf, 5), 3.021), 4)
  expect_identical(seen_of(c(1:2, -Inf, 4, 5, 6), 1e9), 5)
  expect_identical(seen_of(c(-Inf, 1, -Inf, 2, -Inf, 3), 100), 5)
  expect_identical(seen_of(rep(-Inf, 6), 100), 2)
  # the best is what it was
  expect_identical(
    climb(1:9, function(level) level * (level != 4), rival = 15), list(level = 3L, score = 3L)
  )
  # the rival is who was there before the climb
  reached <- 0
  best <- climb(1:9, function(level) reached <<- level, rival = reached + 8)
  expect_identical(best$level, 9L)
})

# A search whose candidates have the scores that are given, in two folds of one row each, the first
# of which is the race.
stub_search <- function(sample, n = 400) {
  search <- new.env()
  search$task <- list(sample = sample)
  search$folds <- lapply(1:2, function(f) list(held = f, mixture = list(x = matrix(0, n, 1))))
  search$raced <- 1L
  search$weights <- c(0.5, 0.5)
  search$candidates <- list()
  search$progress <- no_progress
  search
}

# What a search tries, by scores that are given: `covariance` and `K` of each candidate.
tried_by <- function(run, score, sample, n = 400) {
  search <- stub_search(sample, n)
  try <- function(search, name, structure, K, scale) {
    value <- score(name, K)
    found <- list(
      fits = list(NULL), covariance = name, K = K, scores = list(value), raced = value,
      structure = structure
    )
    search$candidates <- c(search$candidates, list(found))
    value
  }
  none <- function(...) NULL
  with_replaced("complete_best", none, with_replaced("try_mixture", try, run(search)))
  search$candidates
}

sizes_of <- function(found, name) {
  unlist(lapply(found, function(one) if (one$covariance == name) one$K))
}

test_that("structures far behind the best of those before are given up after four sizes", {
  score <- function(name, K) if (name == "full") 9 - K else 0.01 * K - 2 * (name == "diagonal")
  found <- tried_by(function(search) search_mixtures(search, "auto"), score, list(y = diag(2)))
  expect_identical(sizes_of(found, "full"), 1:3)
  expect_identical(sizes_of(found, "spherical"), candidate_sizes[1:4])
  # where none is far ahead they go on
  even <- function(name, K) 0.0001 * K
  found <- tried_by(function(search) search_mixtures(search, "auto"), even, list(y = diag(2)))
  expect_identical(sizes_of(found, "spherical"), candidate_sizes[candidate_sizes * 5 <= 400])
})

test_that("mixtures of a component a group of atoms have some for the rest, as many as gain", {
  tried <- function(atoms, covariance, score, d = 2) {
    sample <- list(y = matrix(0, 12, d), atoms = atoms)
    tried_by(function(search) search_atoms(search, covariance), score, sample)
  }
  atoms <- c(0L, 0L, rep(1:3, 3), 0L)
  # two sizes that do not gain end it
  peak <- function(name, K) -abs(K - 3 - if (name == "full") 3 else 1)
  found <- tried(atoms, "auto", peak)
  expect_identical(sizes_of(found, "full"), 3L + c(1L, 2L, 3L, 5L, 7L))
  expect_identical(sizes_of(found, "diagonal"), 3L + 1:3)
  expect_identical(unique(lapply(found, function(one) one$structure$atoms)), list(TRUE))
  expect_length(found, 8)
  rise <- function(name, K) K
  expect_identical(
    sizes_of(tried(atoms, "full", rise), "full"), 3L + c(1L, 2L, 3L, 5L, 7L, 10L, 14L, 20L)
  )
  expect_length(sizes_of(tried(atoms, "full", rise), "diagonal"), 0)
  expect_length(sizes_of(tried(atoms, "diagonal", rise), "full"), 0)
  expect_length(sizes_of(tried(atoms, "auto", rise, d = 1), "full"), 0)
  # atoms without any rest are two groups, too
  expect_identical(sizes_of(tried(rep(1:2, 6), "full", peak), "full")[1], 3L)
  expect_length(tried(pmin(atoms, 1L), "auto", rise), 0)
  expect_length(tried(NULL, "auto", rise), 0)
})

# Ages of which four in ten are rounded to five years.
heaped_ages <- function() {
  with_fixed_seed(1, {
    a <- rnorm(600, 45, 12)
    ifelse(runif(600) < 0.4, 5 * round(a / 5), round(a))
  })
}

test_that("heaps of values keep their shares, by a component each", {
  a <- heaped_ages()
  both <- search_of(fit_stack(a, folds = 3))
  fit <- both$fit
  expect_identical(fit$recorded$atoms, "35, 40, 45, 50")
  for (age in c(40, 45, 50)) expect_share(fit, a, age - 0.5, age + 0.5, errors = 2.5)
  # beside them, too
  for (age in c(41, 44, 46, 49)) expect_share(fit, a, age - 0.5, age + 0.5, errors = 2.5)
  # of candidates with more components than there are atoms, narrow ones at each in every fold
  # (beside them one broad component has some)
  expect_gt(sum(fit$candidates$share[fit$candidates$K > 4]), 0.85)
  best <- best_candidate(both$search)
  expect_gt(best$K, 4)
  sample <- both$search$task$sample
  for (fold_fit in best$fits) {
    expect_identical(nrow(fold_fit$mean), best$K)
    narrow <- exp(fold_fit$log_sd[, 1]) * sample$scale < 0.5
    mean <- fold_fit$mean[narrow, 1] * sample$scale + sample$center
    for (age in c(35, 40, 45, 50)) expect_lt(min(abs(mean - age)), 0.1)
  }
})

test_that("an interrupt among the mixtures for atoms leaves what is complete, with a warning", {
  a <- heaped_ages()
  label <- function(table) paste(table$covariance, table$K, table$scale, table$score)
  whole <- label(complete_table(fit_stack(a, folds = 3)))
  expect_left <- function(code, expected) {
    seen <- catch_conditions(code)
    expect_length(seen$conditions, 1)
    expect_s3_class(seen$conditions[[1]], "cwmix_interrupted")
    expect_s3_class(seen$conditions[[1]], "warning")
    expect_setequal(label(complete_table(seen$value)), expected)
    expect_true(all(is.finite(predict(seen$value, 20:60))))
  }
  # others have at most three components; the first of these has one more than there are atoms
  before <- grep(" [1-3] raw ", whole, value = TRUE)
  atoms <- grep(" [56] raw ", whole, value = TRUE)
  expect_length(atoms, 2)
  # at the second of them, in the race, and when the best are complete
  expect_left(with_interrupt("atom_start", 2, fit_stack(a, folds = 3)), before)
  expect_left(with_interrupt("mapped_scale", 1, fit_stack(a, folds = 3)), c(before, atoms))
  # within EM, at the first
  begun <- FALSE
  start <- atom_start
  note <- function(...) {
    begun <<- TRUE
    start(...)
  }
  step <- em_steps
  stop_there <- function(...) {
    if (begun) stop(structure(class = c("interrupt", "condition"), list()))
    step(...)
  }
  expect_left(
    with_replaced(
      "atom_start", note, with_replaced("em_steps", stop_there, fit_stack(a, folds = 3))
    ),
    before
  )
})

test_that("with many rows climbs end sooner, and sizes next to the best are those of the best", {
  sample <- function(n) list(y = matrix(0, n, 2))
  # those with full covariances are ahead, those without gain a little with each size
  score <- function(name, K) {
    if (name == "full") min(K, 3) - 1 else 1.8 + 0.01 * match(K, candidate_sizes)
  }
  tried <- function(n) {
    run <- function(search) search_mixtures(search, "auto")
    sizes_of(tried_by(run, score, sample(n)), "diagonal")
  }
  expect_gt(length(tried(2000)), length(tried(2001)))
  expect_length(tried(2001), 4)
  beside <- function(n) {
    run <- function(search) {
      for (name in c("full", "diagonal")) {
        search$candidates <- c(search$candidates, list(list(
          fits = list(NULL), covariance = name, K = 40L, scores = list(0), raced = 0
        )))
      }
      search_next_sizes(search, "auto")
    }
    tried_by(run, function(name, K) -abs(K - 40), sample(n))[-(1:2)]
  }
  expect_identical(unique(vapply(beside(2000), `[[`, "", "covariance")), c("full", "diagonal"))
  expect_identical(unique(vapply(beside(2001), `[[`, "", "covariance")), "full")
  # a step is a twentieth at least
  expect_identical(sizes_of(beside(2001), "full"), c(38L, 36L, 42L, 44L))
})
