skewed_columns <- function(n = 60) {
  with_fixed_seed(1, cbind(rexp(n), rnorm(n), plogis(rnorm(n, 0, 2))))
}

test_that("ends lie beyond the values by the mean gap of those next to them", {
  ends_of <- function(values) {
    values <- sort(values)
    n <- length(values)
    near <- min(n - 1, max(3, floor(sqrt(n) / 2)))
    gaps <- diff(values)
    list(lower = values[1] - mean(gaps[1:near]), upper = values[n] + mean(rev(gaps)[1:near]))
  }
  for (n in c(4, 10, 100, 1000)) {
    y <- with_fixed_seed(n, rexp(n))
    ends <- ends_of(y)
    expect_lt(ends$lower, min(y))
    expect_gt(ends$upper, max(y))
    expect_equal(fit_map("logit", y), c(list(kind = "logit"), ends))
    expect_equal(
      fit_map("log, lower end", y), list(kind = "log", end = ends$lower, sign = 1)
    )
    expect_equal(
      fit_map("log, upper end", y), list(kind = "log", end = ends$upper, sign = -1)
    )
    expect_equal(fit_map("asinh", y), list(kind = "asinh", center = median(y), scale = mad(y)))
    # the values have images, whose maps increase
    for (kind in scale_kinds) {
      u <- map_forward(list(fit_map(kind, y)), cbind(sort(y)))$u
      expect_true(all(is.finite(u)) && !is.unsorted(u, strictly = TRUE), info = kind)
    }
  }
  # 1000 uniform values end at 0 and 1
  y <- with_fixed_seed(1, runif(1000))
  expect_close(unlist(fit_map("logit", y)[-1]), c(0, 1), 5e-3, floor = 1)
})

test_that("there is no map where values are tied or too far apart", {
  tied <- c(rep(0, 20), 1:9)
  # there is no gap next to the lower end, no spread about the median
  for (kind in setdiff(scale_kinds, "log, upper end")) {
    expect_null(fit_map(kind, tied), info = kind)
  }
  expect_false(is.null(fit_map("log, upper end", tied)))
  expect_false(is.null(fit_map("log, from zero", c(rep(1, 20), 2:9))))
  expect_null(fit_map("asinh", c(1:9, rep(20, 25), 31:39)))
  expect_false(is.null(fit_map("logit", c(1:9, rep(20, 25), 31:39))))
  for (kind in scale_kinds) expect_null(fit_map(kind, rep(3, 9)), info = kind)
  for (kind in setdiff(scale_kinds, "asinh")) {
    expect_null(fit_map(kind, 1.7e308 * c(-1, 0, 0.5, 1)), info = kind)
  }
})

test_that("scores are those of the estimate of a map's images", {
  y <- skewed_columns()
  w <- with_fixed_seed(2, runif(60))
  kinds <- c("log, lower end", "asinh", "logit")
  for (weights in list(NULL, w)) {
    maps <- score_maps(kinds)(y, weights)
    for (j in 1:3) {
      inner <- fit_map(kinds[j], y[, j])
      image <- map_forward(list(inner), y[, j, drop = FALSE])$u[, 1]
      expect_identical(
        maps[[j]], list(kind = "scores", inner = inner, shape = fit_shape(image, weights))
      )
    }
    validate_maps(maps, 3)
  }
  # a column without a map has no scores, and leaves the others theirs
  y[, 2] <- 7
  maps <- score_maps(kinds)(y, NULL)
  expect_identical(lengths(maps) > 0, c(TRUE, FALSE, TRUE))
})

test_that("three calls find prices, later ones have the middle of these", {
  kinds <- c("log, lower end", "asinh", "logit")
  draws <- function(seed) {
    with_fixed_seed(seed, cbind(rexp(60), c(rnorm(30), 6 + rnorm(30)), rt(60, 2)))
  }
  price <- function(maps) vapply(maps, function(map) map$shape$price, 0)
  own <- function(seed) price(score_maps(kinds)(draws(seed), NULL))
  maps_for <- score_maps(kinds)
  found <- vapply(1:3, function(seed) price(maps_for(draws(seed), NULL)), double(3))
  expect_identical(found, vapply(1:3, own, double(3)))
  later <- price(maps_for(draws(4), NULL))
  expect_identical(later, apply(found, 1, stats::median))
  expect_false(identical(later, own(4)))
})

test_that("folds of mapped scales see training rows only", {
  weights <- with_fixed_seed(2, runif(60, 0.5, 1.5))
  for (w in list(NULL, weights)) {
    search <- search_for(skewed_columns(), weights = w, folds = 3)
    kinds <- c("log, lower end", "asinh", "logit")
    scales <- function() {
      list(
        mapped_scale(search, "own", fit_maps(kinds, rep(-Inf, 3))),
        mapped_scale(search, "scores", score_maps(kinds))
      )
    }
    before <- scales()
    held <- search$folds[[1]]$held
    sample <- search$task$sample
    search$task$sample$y[held, ] <- sample$y[held, ] * 0.9 + 0.01
    after <- scales()
    for (i in 1:2) {
      one <- before[[i]]$folds
      other <- after[[i]]$folds
      for (field in c("mixture", "view", "held")) {
        expect_identical(other[[1]][[field]], one[[1]][[field]], info = field)
      }
      expect_identical(other[[1]]$groups$x, one[[1]]$groups$x)
      expect_identical(other[[1]]$groups$of_tree, setdiff(1:60, held))
      expect_false(identical(other[[2]]$view, one[[2]]$view))
      expect_false(identical(other[[1]]$validation, one[[1]]$validation))
      # what a fold is given are its rows through its view, of mean 0 and variance 1
      for (f in 1:3) {
        fold <- one[[f]]
        training <- setdiff(1:60, fold$held)
        expect_identical(fold$held, search$folds[[f]]$held)
        expect_equal(fold$mixture$x, through(fold$view, sample$y[training, ])$x)
        a <- sample$weights[training] %||% rep(1, length(training))
        expect_equal(fold$mixture$weights, if (!is.null(w)) a / mean(a))
        moments <- cov.wt(fold$mixture$x, a / sum(a), method = "ML")
        expect_equal(moments$center, rep(0, 3), ignore_attr = TRUE)
        expect_equal(diag(moments$cov), rep(1, 3), ignore_attr = TRUE)
        expect_equal(fold$validation$x, through(fold$view, sample$y[fold$held, ])$x)
      }
    }
  }
})

test_that("a scale without maps of a column is none, and units are asked for or not", {
  search <- search_for(skewed_columns(), folds = 3)
  calls <- 0
  none <- function(y, weights) {
    calls <<- calls + 1
    list(fit_map("asinh", y[, 1]), NULL, fit_map("asinh", y[, 3]))
  }
  expect_null(mapped_scale(search, "own", none))
  expect_identical(calls, 1)
  as_they_are <- mapped_scale(
    search, "scores", score_maps(rep("asinh", 3)),
    for_em = FALSE
  )
  expect_identical(as_they_are$folds[[2]]$view[c("center", "scale")], list(
    center = double(3), scale = rep(1, 3)
  ))
  expect_null(as_they_are$folds[[2]]$view$floor)
  expect_null(as_they_are$folds[[2]]$mixture)
})

test_that("the slope of a view is that of differences, and far points have none", {
  view <- list(
    maps = list(
      list(kind = "log", end = -1, sign = 1), list(kind = "asinh", center = 1, scale = 2)
    ),
    center = c(0.3, -1), scale = c(2, 0.1)
  )
  y <- cbind(c(0, 1, 5), c(-2, 3, 0.5))
  at <- through(view, y)
  step <- 1e-6
  log_slope <- 0
  for (j in 1:2) {
    up <- down <- y
    up[, j] <- y[, j] + step
    down[, j] <- y[, j] - step
    log_slope <- log_slope +
      log((through(view, up)$x[, j] - through(view, down)$x[, j]) / 2 / step)
  }
  expect_equal(at$log_slope, log_slope, tolerance = 1e-7)
  outside <- through(view, cbind(-2, 0))
  expect_identical(outside$log_slope, -Inf)
  expect_true(all(is.finite(outside$x)))
})

test_that("scores of mapped folds are those of their densities, but for units and bounds", {
  cases <- list(
    plane = list(x = skewed_columns()[, 1:2]),
    bounded = list(x = skewed_columns()[, c(1, 3)], support = c(0, Inf)),
    column = list(x = skewed_columns()[, 1], support = c(0, Inf)),
    weights = list(x = skewed_columns()[, 2], weights = rep(1:3, 20))
  )
  for (name in names(cases)) {
    search <- do.call(search_for, c(cases[[name]], folds = 3))
    sample <- search$task$sample
    d <- ncol(sample$y)
    scales <- list(
      search$raw, mapped_scale(search, "own", fit_maps(rep("asinh", d), rep(-Inf, d))),
      mapped_scale(search, "scores", score_maps(rep("log, lower end", d))),
      mapped_scale(search, "scores", score_maps(rep("logit", d)), for_em = FALSE)
    )
    # a mixture that is none of the fits, as any may be asked for
    parameters <- reference_coef(make_parameters(d, 2, NULL))
    for (scale in scales) {
      for (fold in scale$folds) {
        scores <- fold_scores(search, fold, parameters)
        density <- fold_density(parameters, "tanh", search$task, fold$view)
        rows <- fold$held
        x <- from_working(sample$y[rows, , drop = FALSE], sample$frame$support)
        expected <- predict(density, x, log = TRUE) - sample$log_jacobian[rows] +
          sum(log(sample$scale))
        expect_close(scores, expected, 1e-9, floor = 1, info = paste(name, scale$name))
      }
    }
  }
})

test_that("a tree is of a thousand rows at most, of which a fold sees its own", {
  x <- make_points(1200, 2)
  search <- search_for(x, folds = 2)
  sample <- search$task$sample
  tree <- with_fixed_seed(1, tree_of_rows(sample, NULL))
  expect_length(tree$rows, 1000)
  expect_false(is.unsorted(tree$rows, strictly = TRUE))
  expect_length(tree$tree$order, 1000)
  expect_identical(tree$tree[1:3], cluster_tree(
    standardise(sample$y[tree$rows, ], sample$center, sample$scale)
  )[1:3])
  fold <- search$folds[[2]]
  groups <- training_rows(tree, fold, sample, NULL)
  expect_identical(tree$rows[groups$of_tree], setdiff(tree$rows, fold$held))
  expect_equal(
    groups$x,
    standardise(sample$y[setdiff(tree$rows, fold$held), ], sample$center, sample$scale)
  )
  # one column needs none
  one <- tree_of_rows(search_for(x[1:50, 1])$task$sample, NULL)
  expect_identical(one, list(rows = 1:50))
})

test_that("columns are compared by one normal of their images, in the race", {
  weights <- with_fixed_seed(2, runif(60, 0.5, 1.5))
  for (w in list(NULL, weights)) {
    search <- search_for(skewed_columns(), weights = w, folds = 3)
    # in some of the folds, and in all
    for (raced in list(1:2, 1:3)) {
      search$raced <- raced
      table <- normal_table(search)
      expect_identical(dimnames(table), list(NULL, c("linear", scale_kinds)))
      y <- search$task$sample$y
      a <- search$task$sample$weights %||% rep(1, 60)
      for (j in 1:3) {
        for (kind in colnames(table)) {
          scores <- double()
          for (fold in search$folds[raced]) {
            training <- setdiff(1:60, fold$held)
            map <- fit_map(kind, y[training, j], search$least[j])
            if (is.null(map)) {
              scores <- c(scores, rep(-Inf, length(fold$held)))
              next
            }
            m <- column_maps[[map$kind]]
            u <- m$forward(map, y[training, j])$u
            middle <- sum(a[training] * u) / sum(a[training])
            sd <- sqrt(sum(a[training] * (u - middle)^2) / sum(a[training]))
            for (i in fold$held) {
              range <- m$range(map)
              inside <- y[i, j] > range[1] && y[i, j] < range[2]
              at <- if (inside) m$forward(map, y[i, j])
              scores <- c(scores, if (inside) {
                dnorm(at$u, middle, sd, log = TRUE) + at$log_slope
              } else {
                -Inf
              })
            }
          }
          b <- a[unlist(lapply(search$folds[raced], `[[`, "held"))]
          expected <- sum(b * bounded_scores(scores, b)) / sum(b)
          expect_equal(table[[j, kind]], expected, info = paste(j, kind))
        }
      }
    }
    # the logarithm suits the first column, itself the second
    best <- which.max(table[1, c("linear", "asinh", "log, lower end")])
    expect_identical(names(best), "log, lower end")
    expect_gt(table[2, "linear"], max(table[2, c("log, lower end", "log, upper end")]))
  }
})

test_that("one column has logits and the scores of each kind of map, several their own", {
  scales <- function(fit) unique(fit$candidates$scale)
  x <- skewed_columns(100)
  one <- fit_stack(x[, 1])
  expect_setequal(scales(one), c("raw", "logit", "log", paste("scores of", scale_kinds)))
  # of a positive column candidates that lose mass below zero do not count
  expect_identical(sum(one$candidates$share[one$candidates$scale == "raw"]), 0)
  line <- fit_stack(make_points(100, 1))
  expect_setequal(
    scales(line), c("raw", "logit", paste("scores of", setdiff(scale_kinds, "log, from zero")))
  )
  # each column's own map is the logarithm where that is best, and itself elsewhere
  expect_setequal(scales(fit_stack(x[, 1:2])), c("raw", "own", "scores"))
  # where columns are best as they are, the first of these is none
  plain <- fit_stack(make_points(100, 2))
  expect_setequal(scales(plain), c("raw", "scores"))
  # kinds without a map are passed over
  search <- search_for(x[, 1])
  before <- length(search$candidates)
  with_replaced("fit_map", function(kind, y, least) NULL, search_column(search))
  expect_length(search$candidates, before)
})

test_that("the estimate of a column is one standard normal of its scores, in all folds", {
  both <- search_of(fit_stack(skewed_columns()[, 1], folds = 3))
  found <- Filter(function(one) startsWith(one$scale, "scores"), both$search$candidates)
  expect_gt(length(found), 1)
  for (one in found) {
    expect_length(one$fits, 3)
    for (f in 1:3) {
      expect_identical(one$fits[[f]]$mean, matrix(0))
      expect_equal(one$fits[[f]]$log_sd, matrix(0))
      # the density is that of the shape, through its map
      map <- one$views[[f]]$maps[[1]]
      rows <- both$search$folds[[f]]$held
      y <- both$search$task$sample$y[rows, 1]
      range <- map_range(map)
      inside <- y > range[1] & y < range[2]
      at <- kind_of(map$inner)$forward(map$inner, y[inside])
      log_density <- log_linear_density(map$shape, at$u) + at$log_slope
      expect_close(
        one$scores[[f]][inside], log_density + log(both$search$task$sample$scale), 1e-9,
        floor = 1
      )
      expect_true(all(one$scores[[f]][!inside] == -Inf))
    }
  }
})
