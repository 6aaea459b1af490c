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
