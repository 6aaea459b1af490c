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

# Labels that a loop joins as long as two rows of one unit have different ones.
reference_join <- function(labels, unit) {
  repeat {
    before <- labels
    for (i in seq_along(labels)) {
      for (j in which(unit == unit[i])) {
        joined <- range(labels[c(i, j)])
        labels[labels == joined[2]] <- joined[1]
      }
    }
    if (identical(labels, before)) {
      return(labels)
    }
  }
}

test_that("labels are joined where rows of one unit have several", {
  expect_identical(join_labels(c(1L, 2L, 3L, 1L), 1:4), c(1L, 2L, 3L, 1L))
  expect_identical(join_labels(c(1L, 2L, 3L, 2L), c(1, 2, 3, 1)), c(1L, 1L, 3L, 1L))
  # from one to the next, in whatever order
  expect_identical(join_labels(c(1:5, 1:5), c(1:5, 2:5, 6)), rep(1L, 10))
  expect_identical(join_labels(c(5:1, 5:1), c(1:5, 2:5, 6)), rep(1L, 10))
  expect_identical(join_labels(c(3L, 4L, 1L, 2L, 4L, 3L), c(1, 1, 2, 2, 3, 4))[c(1, 3)], c(3L, 1L))
  for (seed in 1:20) {
    labels <- with_fixed_seed(seed, sample(12, 40, TRUE))
    labels <- match(labels, unique(labels))
    unit <- with_fixed_seed(100 + seed, sample(20 + 2 * seed, 40, TRUE))
    expect_identical(join_labels(labels, unit), reference_join(labels, unit), info = seed)
  }
})

# The folds of units where row i stands for unit unit_of[i].
folds_of <- function(labels, unit_of = seq_along(labels), n = length(labels), kept = seq_len(n),
                     near = unique(unit_of), seed = 1) {
  search <- list(
    rows = list(fingerprint = c(n, 1), kept = kept), near = near,
    units = list(unit_of = unit_of, row_of = match(seq_len(max(unit_of)), unit_of))
  )
  with_fixed_seed(seed, fold_of_units(search, labels))
}

test_that("up to ten labels are the folds, more are dealt into them whole", {
  expect_null(folds_of(5, 1:40))
  expect_null(folds_of(NULL, 1:40))
  ten <- rep(c(7, 3, 10, 1, 9, 2, 8, 4, 6, 5), 6)
  expect_identical(folds_of(ten), rep(1:10, 6))
  for (case in list(list(rows = 90, folds = 10), list(rows = 600, folds = 5))) {
    for (labels in c(11, 15, 30)) {
      label <- rep_len(seq_len(labels), case$rows)
      folds <- folds_of(label)
      expect_setequal(folds, seq_len(case$folds))
      # all rows of a label in one fold, in each as many labels but for one
      expect_identical(folds, folds[match(label, label)])
      expect_lte(diff(range(table(folds[seq_len(labels)]))), 1)
    }
  }
  # at random
  label <- rep(1:15, 6)
  expect_false(identical(folds_of(label), folds_of(label, seed = 2)))
  # beyond 20,000 rows there are folds as well
  expect_setequal(folds_of(rep_len(1:50, 20001)), 1:5)
})

test_that("labels are one for every row of the data, and each unit has those of its rows", {
  # rows of no weight have a label that counts for nothing
  kept <- setdiff(1:45, c(3, 8, 20, 21, 40))
  label <- rep(c("c", "a", "b"), 15)
  label[-kept] <- "none"
  expect_identical(folds_of(label, 1:40, 45, kept), match(label[kept], c("c", "a", "b")))
  # units in another order, several rows in some
  unit_of <- c(30:1, 30:11)
  label <- c(rep(1:3, 10), rep(1:3, 10)[1:20])
  expect_identical(folds_of(label, unit_of, near = 1:30), rep(1:3, 10))
  # a far unit joins labels, though no fold holds it out
  label <- c(rep(1:3, each = 12), 1, 3)
  unit_of <- c(1:36, 37, 37)
  expect_identical(folds_of(label, unit_of, near = 1:36), rep(c(1L, 2L, 1L), each = 12))
})

test_that("labels of any type are the same folds", {
  x <- make_points(60, 1)[, 1]
  label <- rep(c(3, 1, 2), 20)
  words <- c("one", "two", "three")[label]
  same <- list(
    label, as.integer(label), words, factor(words), factor(words, c("none", unique(words), "nor")),
    as.Date("2020-01-01") + label, 1e9 * label
  )
  fits <- lapply(same, function(folds) fit_stack(x, folds = folds))
  expect_identical(fits[[1]]$row_folds, rep(1:3, 20))
  expect_identical(fits[[1]]$folds, 3L)
  for (fit in fits[-1]) {
    for (field in c("members", "shares", "candidates", "held_out", "row_folds")) {
      expect_identical(fit[[field]], fits[[1]][[field]], info = field)
    }
  }
  two <- fit_stack(x, folds = label == 3)
  expect_identical(two$row_folds, 2L - (label == 3))
})

test_that("rows that repeat each other are held out together, with all rows of their labels", {
  x <- make_points(60, 1)[, 1]
  repeated <- c(x, x[c(1, 1, 2)])
  label <- c(rep(1:6, 10), 1, 1, 2)
  # row 1 alone has two labels
  label[62] <- 4
  both <- search_of(fit_stack(repeated, folds = label))
  expect_identical(both$fit$folds, 5L)
  expect_identical(both$fit$row_folds, both$fit$row_folds[match(label, label)])
  expect_identical(both$fit$row_folds[c(1, 4)], both$fit$row_folds[c(62, 62)])
  expect_length(unique(both$fit$row_folds[2:6]), 5)
  # none is fitted where it, or its like, is held out
  for (fold in both$search$folds) {
    expect_identical(intersect(fold$training$x, fold$validation$x), double())
    rows <- which(both$search$units$unit_of %in% fold$held)
    expect_length(intersect(label[rows], label[-rows]), 0)
  }
})

test_that("whole weights and rows have the same folds and candidates by labels", {
  grid <- with_fixed_seed(3, round(rnorm(200), 1))
  label <- rep(1:4, 50)
  weighted <- fit_stack(grid, weights = rep(2, 200), folds = label)
  repeated <- fit_stack(rep(grid, each = 2), folds = rep(label, each = 2))
  expect_identical(weighted$candidates, repeated$candidates)
  expect_identical(weighted$members, repeated$members)
  expect_identical(weighted$held_out, repeated$held_out)
  expect_identical(rep(weighted$row_folds, each = 2), repeated$row_folds)
  # a label is a fold, though the same values have others
  expect_identical(weighted$row_folds, weighted$row_folds[1:4][label])
  expect_setequal(weighted$row_folds, 1:4)
})

test_that("labels for other rows, or that leave too few, are refused", {
  expect_refused <- function(code, message) {
    expect_error(code, message, class = "cwmix_input_error")
  }
  x <- make_points(40, 1)[, 1]
  expect_refused(
    fit_stack(x, folds = rep(1:2, 19)), "`folds` must be a number or 40 labels, one a row, not 38"
  )
  expect_refused(fit_stack(x, folds = rep(1:2, 40)), "40 labels, one a row, not 80")
  # rows of no weight have labels
  w <- rep(1:0, c(30, 10))
  expect_refused(fit_stack(x, weights = w, folds = rep(1:3, 10)), "40 labels, one a row, not 30")
  expect_identical(fit_stack(x, weights = w, folds = rep_len(1:3, 40))$folds, 3L)
  few <- "must leave at least 10 rows that differ outside each fold, not "
  expect_refused(fit_stack(x, folds = rep(1:2, c(31, 9))), paste0(few, 9))
  expect_identical(fit_stack(x, folds = rep(1:2, c(30, 10)))$folds, 2L)
  # that differ: of the ten one repeats another
  y <- x
  y[40] <- y[39]
  expect_refused(fit_stack(y, folds = rep(1:2, c(30, 10))), paste0(few, 9))
  # joined to one nothing is left
  y[40] <- y[1]
  expect_refused(fit_stack(y, folds = rep(1:2, 20)), paste0(few, 0))
  # a far row is in no fold
  y <- replace(x, 40, 1e9)
  expect_refused(fit_stack(y, folds = rep(1:2, c(30, 10))), paste0(few, 9))
  for (folds in list(c(1, NA, 2), rep(1, 40), list(1, 2), matrix(1:2, 20, 2), NA)) {
    expect_refused(cwmix_control(folds = folds), "`folds` must be a")
  }
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

test_that("candidates are tried in the first folds, with sixty held-out rows or all", {
  raced <- function(...) {
    raced_folds(list(folds = lapply(c(...), function(n) list(held = seq_len(n)))))
  }
  expect_identical(raced(100, 100), 1L)
  expect_identical(raced(60, 60), 1L)
  expect_identical(raced(59, 1, 60), 1:2)
  expect_identical(raced(20, 20, 20, 20, 20), 1:3)
  expect_identical(raced(12, 12, 12, 12, 12, 12, 12), 1:5)
  expect_identical(raced(5, 5, 5), 1:3)
  expect_identical(raced(4000), 1L)
})

# A search of a fit to x without candidates so far.
empty_search <- function(x, ...) {
  search <- search_for(x, ...)
  search$candidates <- list()
  search
}

test_that("the race's score is the mean in its folds, bounded, by weights", {
  search <- list(raced = 1:2, weights = c(0.1, 0.2, 0.1, 0.3, 0.1, 0.2), folds = vector("list", 3))
  candidate <- list(scores = list(c(-1, -3), c(-2, -5), c(-9, -9)))
  expect_equal(raced_score(search, candidate), -(0.1 + 0.6 + 0.2 + 1.5) / 0.7)
  # one that is raced alone has the same
  expect_identical(
    raced_score(search, list(scores = candidate$scores[1:2])), raced_score(search, candidate)
  )
  many <- list(raced = 1L, weights = rep(1 / 40, 40))
  scores <- with_fixed_seed(1, c(rnorm(39), -1e5))
  expect_equal(
    raced_score(many, list(scores = list(scores))), mean(bounded_scores(scores, rep(1, 40)))
  )
})

test_that("a candidate that is impossible is no candidate", {
  x <- with_fixed_seed(1, rnorm(100))
  search <- empty_search(x, folds = 4)
  expect_identical(search$raced, 1:3)
  good <- mixture_parameters(matrix(0), 1, FALSE, 0)
  # so narrow that most rows are
  nowhere <- mixture_parameters(matrix(1e200), 1, FALSE, 0)
  fits <- rep(list(good), 4)
  expect_identical(add_candidate(search, rep(list(nowhere), 3), "diagonal", 1L), -Inf)
  expect_length(search$candidates, 0)
  # where only a fold beyond the race is, those of the race do not tell
  late <- replace(fits, 4, list(nowhere))
  expect_identical(add_candidate(search, late, "diagonal", 1L), -Inf)
  expect_length(search$candidates, 0)
  score <- add_candidate(search, late[1:3], "diagonal", 1L)
  held <- unlist(lapply(search$folds[1:3], `[[`, "held"))
  sample <- search$task$sample
  expected <- dnorm((sample$y[held, 1] - sample$center) / sample$scale, log = TRUE)
  expect_equal(score, mean(expected))
  expect_identical(add_candidate(search, fits, "diagonal", 1L, more = list(start = 2L)), score)
  expect_length(search$candidates, 2)
  one <- search$candidates[[2]]
  expect_equal(unlist(one$scores[1:3]), expected)
  expect_identical(one[c("covariance", "K", "scale", "start")], list(
    covariance = "diagonal", K = 1L, scale = "raw", start = 2L
  ))
  expect_identical(is_complete(search, one), TRUE)
  expect_identical(is_complete(search, search$candidates[[1]]), FALSE)
})

test_that("the best two sizes and one component are completed, as EM gives them", {
  x <- ring(120)
  search <- empty_search(x, folds = 6)
  expect_identical(search$raced, 1:3)
  structure <- structures(2, "auto")[["diagonal"]]
  # what others have tried before is left as it is
  try_mixture(search, "diagonal", structure, 4L)
  before <- length(search$candidates)
  for (K in c(1L, 2L, 3L, 5L, 7L, 10L)) try_mixture(search, "diagonal", structure, K)
  tried <- search$candidates
  scores <- candidate_scores(search)
  complete_best(search, search$raw, before)
  best <- order(scores[-1], decreasing = TRUE)[1:2] + 1
  complete <- vapply(search$candidates, is_complete, NA, search = search)
  expect_setequal(which(complete), union(best, 2))
  expect_identical(search$candidates[!complete], tried[!complete])
  # the race's fits and scores are as they were, the others those of the better start
  expect_identical(candidate_scores(search), scores)
  for (i in which(complete)) {
    one <- search$candidates[[i]]
    expect_identical(one$fits[1:3], tried[[i]]$fits)
    expect_identical(one$scores[1:3], tried[[i]]$scores)
    for (f in 4:6) {
      fold <- search$folds[[f]]
      again <- fit_in_folds(search, structure, one$K, search$raw, f, one$start)[[1]]$parameters
      expect_equal(one$fits[[f]], again)
      p <- c(one$fits[[f]], list(activation = "tanh"))
      expect_close(one$scores[[f]], reference_log_density(fold$validation$x, p), 1e-9, floor = 1)
    }
  }
  # a second time there is nothing to do
  again <- search$candidates
  complete_best(search, search$raw, before)
  expect_identical(search$candidates, again)
  # one that breaks down in a later fold stays as it is
  search$candidates <- tried
  broken <- function(...) NULL
  with_replaced("fit_in_folds", broken, complete_best(search, search$raw, before))
  expect_identical(search$candidates, tried)
})

test_that("what was only raced is not in the fit", {
  both <- search_of(fit_stack(ring(120), folds = 6, covariance = "diagonal"))
  raced <- Filter(function(one) length(one$fits) == 3, both$search$candidates)
  complete <- complete_candidates(both$search)
  expect_gt(length(raced), 0)
  expect_identical(length(raced) + length(complete), length(both$search$candidates))
  label <- function(one) paste(one$covariance, one$scale, one$K)
  table <- complete_table(both$fit)
  expect_setequal(paste(table$covariance, table$scale, table$K), vapply(complete, label, ""))
  expect_identical(nrow(both$fit$candidates), length(both$search$candidates))
  dropped <- both$fit$candidates[both$fit$candidates$folds == 3, ]
  expect_identical(dropped$share, double(nrow(dropped)))
  expect_length(both$fit$averaged, 6 * sum(table$share > 0))
  # every structure and scale has its one component and at most two more
  groups <- paste(table$covariance, table$scale)[!grepl("factor|damped", table$covariance)]
  single <- tapply(table$K == 1, groups, sum)
  expect_gte(min(single), 1)
})

test_that("an interrupt leaves what is complete, with one warning", {
  whole <- ring_fit()
  part <- function(name, at) {
    catch_conditions(with_interrupt(name, at, ring_fit()))
  }
  # some structures are complete after so many steps of EM, all after those of Adam
  for (stop in list(list("em_steps", 150), list("adam_steps", 3))) {
    seen <- part(stop[[1]], stop[[2]])
    expect_length(seen$conditions, 1)
    expect_s3_class(seen$conditions[[1]], "cwmix_interrupted")
    expect_s3_class(seen$conditions[[1]], "warning")
    table <- complete_table(seen$value)
    label <- function(table) paste(table$covariance, table$K, table$hidden, table$score)
    expect_gt(nrow(table), 0)
    expect_lt(nrow(table), nrow(complete_table(whole)))
    expect_identical(setdiff(label(table), label(complete_table(whole))), character())
    expect_true(all(is.finite(predict(seen$value, ring(10)))))
  }
  # the mixtures were complete when the networks began
  expect_identical(sum(complete_table(whole)$hidden == "constant"), nrow(table))
})

test_that("an interrupt before the first candidate is an error", {
  for (at in 1:2) {
    expect_error(
      with_interrupt("em_steps", at, fit_stack(faithful)), "before any mixture",
      class = "cwmix_interrupted"
    )
  }
})

test_that("a bar shows what is done and tried and goes away, in scripts there is a line a stage", {
  code <- 'control <- cwmix_control(epochs = 2, folds = 2, verbose = TRUE)
    set.seed(1)
    fit <- cwmix(faithful, hidden = 4, control = control)
    cat("\ncandidates:", nrow(fit$candidates), "\n")'
  output <- in_session_with_progress(code)
  shown <- paste(output, collapse = "\n")
  expect_match(shown, "covariances, [0-9]+ component")
  share <- as.integer(sub("%", "", regmatches(shown, gregexpr("[0-9]+%", shown))[[1]]))
  expect_gt(length(unique(share)), 1)
  expect_false(is.unsorted(share))
  expect_length(grep("candidates: [0-9]+", output), 1)
  lines <- in_session_with_progress(paste("options(cli.dynamic = FALSE)", code, sep = "\n"))
  stages <- c("Mixtures", "Behind maps of columns")
  expect_length(grep("^Covariances|^Networks", lines), 0)
  for (stage in stages) {
    line <- "%s: [0-9]+ candidates so far, the best .* with [0-9]+ components?.* \\([0-9.]+ s\\)"
    expect_length(grep(sprintf(line, stage), lines), 1)
  }
})
