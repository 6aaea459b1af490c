# A search of a positive column that reaches down to zero, or of other columns.
edge_search <- function(x = with_fixed_seed(1, rexp(60)), ...) search_for(x, folds = 3, ...)

test_that("the least end is zero of positive columns without bounds", {
  x <- with_fixed_seed(1, cbind(rexp(60), rnorm(60), 100 + rnorm(60)))
  search <- edge_search(x)
  expect_identical(least_ends(search$task$sample), c(0, -Inf, 0))
  # one far above zero loses nothing there
  expect_identical(reaches_zero(search), c(TRUE, FALSE, FALSE))
  bounded <- edge_search(x[, 1], support = c(0, Inf))
  expect_identical(least_ends(bounded$task$sample), -Inf)
})

test_that("the mass below zero is that of the densities", {
  x <- with_fixed_seed(1, cbind(rexp(60), rexp(60)^2))
  search <- edge_search(x)
  scales <- list(
    search$raw,
    mapped_scale(search, "own", fit_maps(c("asinh", "log, from zero"), search$least)),
    mapped_scale(search, "log", fit_maps(rep("log, from zero", 2), search$least))
  )
  lost <- double()
  for (scale in scales) {
    fits <- lapply(scale$folds, function(fold) {
      fit_fold_mixture(fold, 2L, structures(2, "auto")$full, search$task, NULL)$parameters
    })
    search$candidates <- list()
    add_candidate(search, fits, "full", 2L, scale = scale)
    candidate <- search$candidates[[1]]
    below <- vapply(seq_along(fits), function(f) {
      density <- fold_density(fits[[f]], "tanh", search$task, candidate$views[[f]])
      max(colMeans(with_fixed_seed(2, draw(density, 40000L)) < 0))
    }, 0)
    lost <- c(lost, lost_mass(search, candidate, "tanh"))
    # a few standard errors of the draws
    expect_lt(abs(lost[length(lost)] - mean(below)), 0.005)
  }
  expect_gt(lost[1], 0.01)
  expect_identical(lost[3], 0)
})

test_that("what loses mass below zero does not count, unless nothing else has room", {
  search <- edge_search()
  search_maps(search, "auto")
  complete <- complete_candidates(search)
  scale <- vapply(complete, `[[`, "", "scale")
  counting <- may_count(search, complete, "tanh")
  expect_identical(unique(counting[scale == "raw"]), FALSE)
  expect_identical(unique(counting[scale %in% c("log", "logit")]), TRUE)
  # between ends alone there is no room for new rows
  some <- complete[scale %in% c("raw", "logit")]
  expect_identical(may_count(search, some, "tanh"), rep(TRUE, length(some)))
  # of columns that are not positive nothing is asked
  other <- edge_search(make_points(60, 1))
  expect_identical(may_count(other, other$candidates, "tanh"), rep(TRUE, length(other$candidates)))
})

test_that("the simplest candidate without ends has room for what lies beyond them", {
  search <- edge_search()
  search_maps(search, "auto")
  complete <- complete_candidates(search)
  complete <- complete[may_count(search, complete, "tanh")]
  whole <- vapply(complete, function(one) has_whole_range(search, one), NA)
  ends <- vapply(complete, function(one) {
    min(vapply(one$views, function(view) map_range(view$maps[[1]])[1], 0))
  }, 0)
  upper <- vapply(complete, function(one) {
    max(vapply(one$views, function(view) map_range(view$maps[[1]])[2], 0))
  }, 0)
  expect_identical(whole, ends <= 0 & upper == Inf)
  limited <- replace(double(length(complete)), which(!whole)[1], 1)
  shares <- with_room(search, complete, limited)
  expect_equal(sum(shares), 1)
  expect_equal(sum(shares[whole]), 2 / 61)
  df <- vapply(complete, degrees_of_candidate, 0)
  expect_identical(df[which(whole & shares > 0)], min(df[whole]))
  # where there is room already nothing changes
  some <- replace(limited / 2, which(whole)[1], 0.5)
  expect_identical(with_room(search, complete, some), some)
})
