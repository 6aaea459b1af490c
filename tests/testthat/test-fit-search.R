test_that("every unit is held out once, and what is fitted for it has not seen it", {
  # rows in cells are units of their own; repeated rows of other values are one
  repeated <- ring(100)[rep(1:100, rep(1:3, length.out = 100)), ]
  for (case in list(list(x = faithful, units = 272), list(x = repeated, units = 100))) {
    both <- search_of(fit_stack(case$x, folds = 3))
    found <- both$search
    held <- lapply(found$folds, `[[`, "held")
    expect_length(held, 3)
    expect_identical(sort(unlist(held)), seq_len(case$units))
    expect_lte(diff(range(lengths(held))), 1)
    y <- found$task$sample$y
    w <- found$task$sample$weights
    moments <- cov.wt(y, if (is.null(w)) rep(1 / case$units, case$units) else w / sum(w), TRUE,
      method = "ML"
    )
    u <- scale(y, moments$center, sqrt(diag(moments$cov)))
    for (fold in found$folds) {
      expect_equal(fold$training$x, u[-fold$held, ], ignore_attr = TRUE)
      expect_equal(fold$validation$x, u[fold$held, ], ignore_attr = TRUE)
      expect_identical(fold$mixture, fold$training)
    }
    for (f in 1:3) {
      rows <- which(found$units$unit_of %in% held[[f]])
      expect_identical(which(both$fit$row_folds == f), rows)
    }
  }
})

test_that("folds are those asked for, the fewer the more rows there are, one split at last", {
  expect_identical(fit_stack(make_points(60, 1), folds = 3)$folds, 3L)
  expect_identical(fit_stack(make_points(12, 1), folds = 50)$folds, 12L)
  folds <- vapply(c(10, 100, 1000, 1e4, 1e5, 1e6), default_folds, 0L)
  expect_false(is.unsorted(-folds))
  expect_gt(min(folds[-(5:6)]), 1)
  expect_identical(folds[5:6], c(1L, 1L))
  source <- list(points = list(x = make_points(50000, 1), type = "vector"))
  settings <- list(covariance = "diagonal", control = cwmix_control())
  split <- with_fixed_seed(1, new_folds(read_task(source, settings, NULL)))
  expect_length(split, 1)
  expect_length(split[[1]]$held, 5000)
  expect_identical(nrow(split[[1]]$training$x), 45000L)
  # EM has enough of fewer
  expect_true(all(split[[1]]$mixture$x %in% split[[1]]$training$x))
  expect_lt(nrow(split[[1]]$mixture$x), 45000)
})

test_that("one split with weights gives a fit as well", {
  x <- make_points(400, 1)[, 1]
  w <- with_fixed_seed(1, runif(400))
  one <- function(n) 1L
  fit <- with_replaced("default_folds", one, fit_stack(x, weights = w, folds = NULL))
  expect_identical(fit$folds, 1L)
  expect_length(fit$averaged, sum(fit$candidates$share > 0))
  expect_match(format(fit), "one split", all = FALSE)
  some <- with_fixed_seed(1, some_rows(list(x = cbind(x), weights = w, offset = 2), 100))
  expect_identical(w[match(some$x, x)], some$weights)
  expect_identical(some$offset, 2)
})

test_that("fewer than ten rows are too few, as are columns that do not vary", {
  expect_error(cwmix(1:9), "`K` must be given for fewer than 10 rows", class = "cwmix_input_error")
  expect_error(
    cwmix(1:20, weights = rep(1:0, c(8, 12))), "not NULL for 8 rows", class = "cwmix_input_error"
  )
  expect_error(cwmix(rep(1, 20)), "constant", class = "cwmix_input_error")
  expect_error(cwmix(cbind(1:20, 2:21)), "collinear", class = "cwmix_input_error")
  # rows may be fewer than columns, but not for one model
  expect_error(
    cwmix(matrix(rnorm(100), 10), K = 1), "more rows than columns",
    class = "cwmix_input_error"
  )
  expect_error(cwmix(c(1:20, NA)), "missing", class = "cwmix_input_error")
})

test_that("a candidate whose fit breaks down is left out", {
  real <- em_run
  broken <- function(parameters, set, task, ...) {
    if (nrow(parameters$mean) == 3) stop_cwmix("broken", "cwmix_numerical_error", NULL)
    real(parameters, set, task, ...)
  }
  fit <- with_replaced("em_run", broken, fit_stack(faithful))
  expect_identical(3L %in% fit$candidates$K, FALSE)
  expect_gt(max(fit$candidates$K), 1)
  # one row alone is set aside, but where a tenth of the rows has no density nothing is left
  nowhere <- function(scores, weights) replace(scores, seq_len(length(scores) / 5), -Inf)
  expect_error(
    with_replaced("bounded_scores", nowhere, fit_stack(faithful)), "density of 0",
    class = "cwmix_numerical_error"
  )
})

test_that("an interrupt leaves what is complete, with one warning", {
  whole <- ring_fit()
  part <- function(name, at) {
    catch_conditions(with_interrupt(name, at, ring_fit()))
  }
  for (stop in list(list("em_steps", 30), list("adam_steps", 3))) {
    seen <- part(stop[[1]], stop[[2]])
    expect_length(seen$conditions, 1)
    expect_s3_class(seen$conditions[[1]], "cwmix_interrupted")
    expect_s3_class(seen$conditions[[1]], "warning")
    table <- seen$value$candidates
    label <- function(table) paste(table$covariance, table$K, table$hidden, table$score)
    expect_gt(nrow(table), 0)
    expect_lt(nrow(table), nrow(whole$candidates))
    expect_identical(setdiff(label(table), label(whole$candidates)), character())
    expect_true(all(is.finite(predict(seen$value, ring(10)))))
  }
  # the mixtures were complete when the networks began
  expect_identical(sum(whole$candidates$hidden == "constant"), nrow(table))
})

test_that("an interrupt before the first candidate is an error", {
  for (at in 1:2) {
    expect_error(
      with_interrupt("em_steps", at, fit_stack(faithful)), "before any mixture",
      class = "cwmix_interrupted"
    )
  }
})

test_that("a line shows what is tried and goes away", {
  output <- in_session_with_progress(
    'control <- cwmix_control(epochs = 2, folds = 2, verbose = TRUE)
    set.seed(1)
    fit <- cwmix(faithful, hidden = 4, control = control)
    cat("\ncandidates:", nrow(fit$candidates), "\n")'
  )
  expect_match(paste(output, collapse = "\n"), "covariances, [0-9]+ component")
  expect_length(grep("candidates: [0-9]+", output), 1)
})
