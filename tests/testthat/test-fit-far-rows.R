# Rows far out by a loop over how many they may be: those before the last gap of a hundred times.
reference_far_rows <- function(x) {
  apart <- abs(x - median(x))
  from_far <- sort(apart, decreasing = TRUE)
  count <- 0
  for (m in 1:5) {
    beside <- max(from_far[m + 1], IQR(x) / 1.349)
    if (from_far[m] > 100 * beside) count <- m
  }
  which(rank(-apart, ties.method = "first") <= count)
}

far_rows_of <- function(x, weights = NULL) {
  x <- cbind(x)
  as.integer(far_rows(c(list(y = x), standard_units(x, weights))))
}

test_that("rows are far where at most five lie behind a gap of a hundred times", {
  x <- with_fixed_seed(1, rnorm(200))
  cases <- list(
    x, c(x, 1e6), c(x, -1e3, 1e3), c(x, 20), c(1e20, x), c(x, 1e5 * 1:4), c(x, 1e5 * 1:5),
    c(x, 1e5 * 1:6), c(x, 1e4, -1e8), with_fixed_seed(1, rcauchy(200)),
    with_fixed_seed(1, rt(300, 2))
  )
  for (i in seq_along(cases)) {
    expect_identical(far_rows_of(cases[[i]]), reference_far_rows(cases[[i]]), info = i)
  }
  expect_identical(far_rows_of(c(x, 1e6)), 201L)
  expect_identical(far_rows_of(c(1e20, x)), 1L)
  expect_identical(far_rows_of(c(x, 1e4, -1e8)), 201:202)
  expect_length(far_rows_of(c(x, 20)), 0)
  # six are a group
  expect_length(far_rows_of(c(x, 1e5 * 1:5)), 5)
  expect_length(far_rows_of(c(x, 1e5 * 1:6)), 0)
  # a hundred times the next one, and the middle half in units of its normal spread
  for (far in c(1000, 1001)) {
    expect_length(far_rows_of(c(-far, -10:10, far)), if (far > 1000) 2 else 0)
  }
  for (far in c(0.999, 1.001) * 2000 / 1.349) {
    expect_length(far_rows_of(c(-far, rep(c(-10, 10), 8), far)), if (far > 1483) 2 else 0)
  }
  # skewed and heavy-tailed data have no such gap
  for (seed in 1:5) {
    expect_length(far_rows_of(with_fixed_seed(seed, rexp(1000))), 0)
    expect_length(far_rows_of(with_fixed_seed(seed, rt(1000, 2))), 0)
    expect_length(far_rows_of(with_fixed_seed(seed, rlnorm(1000, sdlog = 2))), 0)
  }
  # in any column, by any units
  y <- cbind(x, rev(x))
  y[5, 1] <- 1e4
  y[9, ] <- -1e4
  y[77, 2] <- 1e9
  expect_identical(far_rows_of(y), c(5L, 9L, 77L))
  expect_identical(far_rows_of(y * rep(c(1e-5, 1e5), each = 200)), c(5L, 9L, 77L))
})

test_that("rows far from all others are one broad component, which a warning names", {
  x <- with_fixed_seed(1, rnorm(100))
  seen <- catch_conditions(search_of(without_maps(fit_stack(c(x, 1e6, 2e6)))))
  expect_length(seen$conditions, 1)
  expect_s3_class(seen$conditions[[1]], c("cwmix_far_rows", "warning"))
  expect_identical(
    conditionMessage(seen$conditions[[1]]),
    "One broad component, of share 0.02, stands for rows 101, 102, far from all others."
  )
  fit <- seen$value$fit
  broad <- which(fit$component_folds == 0)
  expect_length(broad, 1)
  mixture <- fit$members[[1]]
  # about their mean, as wide as they are spread, at least a third of the way to the others
  expect_equal(mixture$mean[broad], 1.5e6)
  expect_equal(mixture$sd[broad], 5e5, tolerance = 1e-5)
  expect_equal(as.double(mean(fit)), mean(c(x, 1e6, 2e6)), tolerance = 1e-3)
  expect_equal(exp(constant_log_weights(mixture))[broad], 2 / 102)
  # the others are those of the other rows
  alone <- without_maps(fit_stack(x))
  expect_equal(mixture$mean[-broad], alone$members[[1]]$mean[, 1])
  expect_equal(predict(fit, x), predict(alone, x) * 100 / 102, tolerance = 1e-3)
  expect_equal(pcwmix(c(-Inf, Inf), fit), c(0, 1))
  expect_equal(sum(fit$shares), 1)
  expect_equal(pcwmix(1e4, fit) - pcwmix(-1e4, fit), 100 / 102, tolerance = 2e-3)
  draws <- simulate(fit, 5000, seed = 1)
  expect_equal(mean(abs(draws) > 10), 2 / 102, tolerance = 0.3)
  expect_equal(sd(draws[abs(draws) > 10]), mixture$sd[broad], tolerance = 0.3)
  code <- suppressWarnings(fit_stack(c(x, 1e6, 1e6, 1e6)))
  expect_equal(1 - pcwmix(1e3, code), 3 / 103, tolerance = 0.01)
  # they count as the bound of what a row can lose
  expect_gt(fit$held_out[["score"]], alone$held_out[["score"]] - 1)
  expect_lt(fit$held_out[["score"]], alone$held_out[["score"]])
  # behind maps as well
  skewed <- with_fixed_seed(1, rexp(100))
  expect_warning(fit <- fit_stack(c(skewed, 1e6, 2e6)), "rows 101, 102", class = "cwmix_far_rows")
  alone <- fit_stack(skewed)
  expect_gt(length(fit$members), 1)
  expect_equal(predict(fit, skewed), predict(alone, skewed) * 100 / 102, tolerance = 1e-3)
  expect_identical(sum(fit$component_folds == 0), 1L)
  # in several columns, and by weights
  y <- ring(60)
  y[c(7, 40), ] <- c(1e6, 3, 2, -1e6)
  w <- rep(1:2, 30)
  expect_warning(
    fit <- without_maps(fit_stack(y, weights = w)), "rows 7, 40, far",
    class = "cwmix_far_rows"
  )
  expect_equal(
    exp(constant_log_weights(fit$members[[1]]))[fit$component_folds == 0], 3 / 90
  )
  # by their place in the data, of which some have no weight
  expect_warning(
    fit_stack(c(3, 5, x, 1e6), weights = c(0, 0, rep(1, 101))), "row 103, far",
    class = "cwmix_far_rows"
  )
  expect_warning(
    fit_stack(c(x, 1e6 * c(-3, -2, 1, 2))), "rows 101, 102, 103 and 1 more, far",
    class = "cwmix_far_rows"
  )
  # the scale of a narrow column is its own
  narrow <- unname(cbind(x, rev(x) * 1e-6))
  narrow[3, 2] <- 1
  expect_warning(fit_stack(narrow), "row 3, far", class = "cwmix_far_rows")
})

# A search whose units are these, the last ones far.
search_with_far <- function(y, far, weights = NULL, log_jacobian = double(nrow(y))) {
  near <- seq_len(nrow(y) - far)
  list(
    units = list(y = y, weights = weights, log_jacobian = log_jacobian), near = near,
    task = list(sample = c(
      list(frame = new_frame(NULL, "matrix", read_support(NULL, ncol(y), NULL, NULL))),
      standard_units(y[near, , drop = FALSE], weights[near])
    ))
  )
}

test_that("the broad component is as wide as far rows are spread, or the near, or their distance", {
  near <- make_points(80, 2)
  broad <- function(...) {
    density <- broad_density(search_with_far(rbind(near, cbind(...)), NROW(cbind(...))))
    expect_identical(dim(density$mean), c(1L, 2L))
    density
  }
  center <- colMeans(near)
  sd <- sqrt(colMeans((near - rep(center, each = 80))^2))
  # one row has no spread: a third of the way, or where it is not far that of the near
  one <- broad(1e6, center[2] + 0.3)
  expect_equal(one$mean[1, ], c(1e6, center[2] + 0.3))
  expect_equal(one$sd[1, ], c((1e6 - center[1]) / 3, sd[2]))
  expect_equal(broad(-1e6, 0)$sd[1, 1], (1e6 + center[1]) / 3)
  # on both sides of the near rows, and beyond them
  two <- broad(c(-1e6, 3e6), c(5e8, 5.1e8))
  expect_equal(two$mean[1, ], c(1e6, 5.05e8))
  expect_equal(two$sd[1, ], c(2e6, (5.05e8 - center[2]) / 3))
  three <- broad(1e6 * c(-1, 0.5, 2), 1e6 * c(1, 1, 4))
  expect_equal(three$mean[1, ], c(5e5, 2e6))
  expect_equal(three$sd[1, ], 1e6 * c(sqrt(1.5), sqrt(2)))
})

test_that("the share of far units is that of their weight, their score that of the broad one", {
  y <- rbind(make_points(40, 2), c(1e6, 0), c(-3e6, 1))
  jacobian <- with_fixed_seed(1, rnorm(42))
  w <- rep_len(c(0.5, 1, 2), 42)
  for (weights in list(NULL, w / mean(w))) {
    search <- search_with_far(y, 2, weights, jacobian)
    a <- if (is.null(weights)) rep(1, 42) else w
    share <- (a[41] + a[42]) / sum(a)
    expect_equal(far_share(search), share)
    part <- a[41:42] / sum(a[41:42])
    center <- part[1] * y[41, ] + part[2] * y[42, ]
    spread <- sqrt(part[1] * (y[41, ] - center)^2 + part[2] * (y[42, ] - center)^2)
    sd <- c(spread[1], standard_units(y[1:40, ], weights[1:40])$scale[2])
    each <- vapply(41:42, function(i) {
      sum(dnorm(y[i, ], center, sd, log = TRUE)) + jacobian[i]
    }, 0)
    expected <- log(0.3) + (a[41] * each[1] + a[42] * each[2]) / (a[41] + a[42])
    expect_equal(far_score(search, 0.3), expected)
  }
  none <- search_with_far(y[1:40, ], 0)
  expect_identical(far_share(none), 0)
})
