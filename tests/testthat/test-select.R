test_that("scores are those of a loop over the folds", {
  x <- untied(faithful)
  control <- quick_control()
  set.seed(3)
  choice <- cwmix_select(
    x,
    K = c(3, 1), hidden = list(NULL, 4), folds = 3, control = control, validation = 0.2
  )
  set.seed(3)
  folds <- sample(rep_len(1:3, 272))
  scores <- cbind()
  rows <- expand.grid(K = c(3, 1), covariance = c("diagonal", "full"), hidden = list(NULL, 4))
  for (i in seq_len(nrow(rows))) {
    scores <- cbind(scores, loop_over_folds(x, folds,
      K = rows$K[i], hidden = rows$hidden[[i]], covariance = as.character(rows$covariance[i]),
      validation = 0.2, control = control
    ))
  }
  expect_identical(choice$folds, folds)
  expect_identical(choice$scores, scores)
  best <- which.max(colMeans(scores))
  expected <- data.frame(
    K = as.integer(rows$K), hidden = rep(c("constant", "4"), each = 4),
    covariance = as.character(rows$covariance), score = colMeans(scores),
    se = apply(scores, 2, sd) / sqrt(272), difference = colMeans(scores - scores[, best]),
    se_difference = apply(scores - scores[, best], 2, sd) / sqrt(272),
    # means, scales and weights: K - 1, or of several components 2 x 4 + 4 + 4 K + K
    df = c(14, 4, 17, 5, 39, 4, 42, 5)
  )
  expect_equal(tidy(choice)[names(expected)], expected, tolerance = 1e-13)
  expect_identical(choice$highest, best)
})

test_that("the rule takes the fewest parameters within one standard error of the difference", {
  table <- data.frame(
    df = c(4, 9, 9, 20, 30), score = c(-5, -4.52, -4.51, -4.4, -4.45),
    se_difference = c(0.5, 0.13, 0.12, 0, 0.1)
  )
  table$difference <- table$score - max(table$score)
  expect_identical(one_se_rule(table), 3L)
  table$se_difference[1] <- 0.61
  expect_identical(one_se_rule(table), 1L)
  table$se_difference[1:3] <- c(NA, 0.01, 0.01)
  expect_identical(one_se_rule(table), 4L)
})

test_that("the two choices are fits of all rows, as their calls say", {
  x <- untied(faithful)
  set.seed(1)
  choice <- cwmix_select(x, K = 1:4, hidden = NULL, folds = 5)
  fit <- best(choice)
  row <- choice$table[choice$one_se, ]
  expect_identical(best(choice, "one-se"), fit)
  expect_identical(nobs(fit), 272L)
  expect_identical(c(nrow(fit$mean), fit$df), as.integer(c(row$K, row$df)))
  expect_identical(best(choice, "highest")$df, as.integer(choice$table$df[choice$highest]))
  expect_gt(choice$table$df[choice$highest], row$df)
  expect_identical(fit$call, quote(cwmix(x = x, K = 2L, hidden = NULL, covariance = "full")))
  expect_equal(update(fit)$log_likelihood, fit$log_likelihood, tolerance = 1e-6)
  choice <- cwmix_select(~waiting, faithful, K = 2, hidden = NULL, covariance = "full", folds = 2)
  expect_identical(best(choice)$call, quote(
    cwmix(x = ~waiting, data = faithful, K = 2L, hidden = NULL, covariance = "full")
  ))
  expect_identical(class(choice), "cwmix_select")
})

test_that("set.seed governs a selection", {
  run <- function() {
    set.seed(5)
    choice <- cwmix_select(faithful,
      K = 2, hidden = list(3, integer()), covariance = "full", folds = 2, control = quick_control()
    )
    choice$table$seconds <- NULL
    choice
  }
  expect_identical(run(), run())
  expect_identical(run()$table$hidden, c("3", "linear"))
})

test_that("a formula, a vector and a matrix are taken as cwmix takes them", {
  folds <- rep(1:4, 68)
  select <- function(...) {
    set.seed(1)
    cwmix_select(..., K = 2, hidden = NULL, covariance = "full", folds = folds)
  }
  matrix <- select(unname(as.matrix(faithful)))
  frame <- select(faithful)
  formula <- select(~ eruptions + waiting, faithful)
  expect_equal(matrix$scores, frame$scores, tolerance = 1e-10)
  expect_equal(formula$scores, frame$scores, tolerance = 1e-10)
  logs <- select(~ log(waiting), faithful)
  vector <- select(log(faithful$waiting))
  expect_equal(logs$scores, vector$scores, tolerance = 1e-10)
  expect_identical(colnames(best(frame)$mean), names(faithful))
  expect_equal(
    predict(best(logs), faithful[1:3, ]), predict(best(vector), log(faithful$waiting[1:3])),
    ignore_attr = TRUE
  )
})

test_that("of one column there is one covariance", {
  set.seed(1)
  choice <- cwmix_select(rivers, K = 1:2, hidden = NULL, folds = 2)
  expect_identical(choice$table$covariance, c("diagonal", "diagonal"))
})

test_that("labels hold rows out together, in any type", {
  x <- untied(faithful)
  labels <- rep(c("b", "a"), c(100, 172))
  select <- function(folds) {
    set.seed(1)
    cwmix_select(x, K = 2, hidden = NULL, covariance = "full", folds = folds)
  }
  choice <- select(labels)
  expect_identical(choice$folds, labels)
  set.seed(1)
  fit <- cwmix(x[1:100, ], K = 2, hidden = NULL, covariance = "full")
  expect_identical(choice$scores[101:272], unname(predict(fit, x[101:272, ], log = TRUE)))
  for (folds in list(factor(labels), labels == "b", rep(2:1, c(100, 172)))) {
    expect_identical(select(folds)$scores, choice$scores)
  }
  # leave one out
  few <- x[1:12, ]
  expect_identical(sort(cwmix_select(few, K = 1, hidden = NULL, folds = 12)$folds), 1:12)
})

test_that("random folds differ by at most one unit in size, and rows of one unit stay together", {
  set.seed(1)
  for (n in c(7, 20, 21)) {
    for (k in c(2, 3, n)) {
      # a row of weight 0, which is drawn alone, and two rows a unit
      sample <- list(kept = 1 + seq_len(2 * n), unit_of = rep(seq_len(n), 2))
      folds <- fold_labels(k, sample, 2 * n + 1, NULL)
      of_units <- matrix(folds[-1], n)
      expect_identical(of_units[, 1], of_units[, 2])
      sizes <- tabulate(c(folds[1], of_units[, 1]), k)
      expect_identical(sum(sizes), as.integer(n + 1))
      expect_lte(diff(range(sizes)), 1)
    }
    expect_error(
      fold_labels(n + 2, sample, 2 * n + 1, NULL),
      sprintf("`folds` must be a whole number from 2 to %d or %d labels", n + 1, 2 * n + 1),
      class = "cwmix_input_error"
    )
  }
})

test_that("a selection holds repeated rows out together, those in cells apart", {
  select <- function(x) {
    with_fixed_seed(1, cwmix_select(x, K = 1, hidden = NULL, folds = 4))$folds
  }
  together <- function(folds, value) vapply(split(folds, value), function(f) length(unique(f)), 0L)
  value <- rep(1:20, rep(1:4, 5))
  repeated <- select(make_points(20, 1)[value, ])
  expect_identical(max(together(repeated, value)), 1L)
  expect_identical(tabulate(repeated[!duplicated(value)]), rep(5L, 4))
  in_cells <- select(rep(1:5, each = 20))
  expect_identical(tabulate(in_cells), rep(25L, 4))
  expect_identical(min(together(in_cells, rep(1:5, each = 20))), 4L)
})

test_that("weights weight fits and scores", {
  twice <- rep(1:2, 136)
  folds <- rep_len(1:4, 272)
  select <- function(x, folds, ...) {
    set.seed(2)
    start <- cwmix_control(em_tolerance = 1e-12)
    cwmix_select(
      x,
      K = 1:2, hidden = NULL, covariance = "full", folds = folds, control = start, ...
    )
  }
  weighted <- select(faithful, folds, weights = twice)
  repeated <- select(faithful[rep(1:272, twice), ], rep(folds, twice))
  expect_equal(weighted$table$score, repeated$table$score, tolerance = 1e-6)
  l <- weighted$scores[, 1]
  m <- sum(l * twice) / sum(twice)
  expect_equal(weighted$table$score[1], m, tolerance = 1e-14)
  expect_equal(
    weighted$table$se[1], sqrt(272 / 271 * sum((twice * (l - m))^2)) / sum(twice),
    tolerance = 1e-13
  )
  # a row of weight zero does not count; a column of the data can be the weights
  data <- cbind(faithful, w = rep(0:1, c(72, 200)))
  zero <- select(~ eruptions + waiting, folds, data = data, weights = w)
  absent <- select(faithful[73:272, ], folds[73:272])
  expect_equal(zero$table$score, absent$table$score, tolerance = 1e-6)
  expect_equal(zero$table$se, absent$table$se, tolerance = 1e-6)
})

test_that("a candidate that cannot be fitted is named in one error", {
  x <- c(1, 1, 1, 1, 2, 3)
  expect_error(
    cwmix_select(x, K = 1, hidden = NULL, folds = c(1, 1, 1, 1, 2, 2), covariance = "full"),
    paste(
      "The candidate K = 1, hidden = NULL, covariance = \"full\" cannot be fitted without fold 2:",
      "`x` must vary"
    ),
    fixed = TRUE, class = "cwmix_input_error"
  )
  seen <- catch_conditions(cwmix_select(faithful[1:20, ], K = c(2, 15), hidden = NULL, folds = 2))
  expect_length(seen$conditions, 1)
  expect_s3_class(seen$conditions[[1]], "cwmix_input_error")
  expect_match(conditionMessage(seen$conditions[[1]]), "candidate K = 15.*number of")
  expect_identical(conditionCall(seen$conditions[[1]])[[1]], quote(cwmix_select))
  # a component each for the three values of a fold
  tied <- rep(1:6, each = 5)
  expect_error(
    cwmix_select(tied,
      K = 3, hidden = NULL, folds = 2, covariance = "full", resolution = 0,
      control = cwmix_control(sd_floor = 0)
    ),
    "candidate K = 3.*EM broke down",
    class = "cwmix_numerical_error"
  )
})

test_that("fits that do not converge are counted in one warning", {
  seen <- catch_conditions(with_fixed_seed(1, cwmix_select(faithful,
    K = 3:4, hidden = NULL, covariance = "full", folds = 3,
    control = cwmix_control(em_iterations = 2)
  )))
  expect_length(seen$conditions, 1)
  expect_s3_class(seen$conditions[[1]], "cwmix_not_converged")
  # six fits to folds, and one or two of the choices
  fits <- 6 + length(unique(c(seen$value$highest, seen$value$one_se)))
  expect_match(
    conditionMessage(seen$conditions[[1]]),
    sprintf("^%d of %d fits warned, first that of K = 3.*: EM stopped after 2", fits, fits)
  )
})

test_that("an interrupt leaves the candidates that are complete", {
  select <- function() {
    with_fixed_seed(1, cwmix_select(faithful,
      K = 1:3, hidden = NULL, covariance = "full", folds = 3
    ))
  }
  # in the last fold of the third candidate
  expect_warning(
    part <- with_interrupt("cwmix", 9, select()), "the first 2 candidates",
    class = "cwmix_interrupted"
  )
  whole <- select()
  expect_identical(part$scores, whole$scores[, 1:2])
  expect_identical(part$table$K, 1:2)
  expect_error(
    with_interrupt("cwmix", 2, select()), "before the first candidate", class = "cwmix_interrupted"
  )
})

test_that("a fit that was interrupted itself is not taken as complete", {
  real <- em_steps
  interrupted <- function(parameters, ...) {
    two <- nrow(parameters$mean) == 2
    if (two) stop(structure(class = c("interrupt", "condition"), list()))
    real(parameters, ...)
  }
  set.seed(1)
  expect_warning(
    choice <- with_replaced("em_steps", interrupted, cwmix_select(faithful,
      K = 1:2, hidden = NULL, covariance = "full", folds = 2, control = cwmix_control(starts = 2)
    )),
    class = "cwmix_interrupted"
  )
  expect_identical(choice$table$K, 1L)
})

test_that("a progress bar counts the fits and does no harm", {
  output <- in_session_with_progress(
    'control <- cwmix_control(epochs = 2, starts = 1, verbose = TRUE)
    set.seed(1)
    choice <- cwmix_select(faithful, K = 2:3, hidden = list(NULL, 4), folds = 3, control = control)
    cat("\ncandidates:", nrow(choice$table), "\n")'
  )
  expect_match(paste(output, collapse = "\n"), "Fit [0-9]+/24")
  expect_length(grep("candidates: 8", output), 1)
})

test_that("arguments of cwmix go through, others are refused before any fit", {
  set.seed(1)
  choice <- cwmix_select(rivers,
    K = 1:2, hidden = NULL, covariance = "full", support = c(0, Inf), folds = 3, keep_data = TRUE
  )
  expect_identical(best(choice)$frame$support[[1, "lower"]], 0)
  expect_identical(best(choice)$data$x, rivers)
  expect_error(
    cwmix_select(rivers, K = 1:2, start = matrix(1)), "no argument `start`",
    class = "cwmix_input_error"
  )
  expect_error(
    cwmix_select(rivers, K = 1:2, epochs = 3), "cwmix_control(epochs = )",
    fixed = TRUE, class = "cwmix_input_error"
  )
})

test_that("a selection prints itself in at most twelve lines", {
  set.seed(1)
  choice <- cwmix_select(faithful,
    K = 1:6, hidden = list(NULL, 4), folds = 2, control = quick_control()
  )
  choice$table$seconds <- 0.25
  printed <- capture.output(returned <- withVisible(print(choice)))
  expect_identical(returned, list(value = choice, visible = FALSE))
  expect_identical(printed, format(choice))
  expect_lte(length(printed), 12)
  # the rule's choice is shown however far down it is
  choice$one_se <- which.min(choice$table$score)
  expect_length(grep("one-se", format(choice)), 1)
  choice$one_se <- choice$highest
  expect_length(grep("highest, one-se", format(choice)), 1)
})

test_that("a selection prints the same numbers", {
  set.seed(1)
  choice <- cwmix_select(faithful, K = 1:3, hidden = NULL, folds = 5)
  choice$table$seconds <- c(0.25, 1, 2.5, 3, 40.13, 6000)
  expect_snapshot(choice)
})

test_that("a plot of a selection returns its table and leaves the device as it was", {
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  set.seed(1)
  control <- quick_control()
  many <- cwmix_select(faithful,
    K = c(1, 4), hidden = list(NULL, integer(), 3), folds = 2, control = control
  )
  one <- cwmix_select(faithful, K = 2, hidden = NULL, covariance = "full", folds = 2)
  before <- graphics::par("mar", "mfrow", "pty", "mgp", "tcl")
  for (choice in list(many, one)) {
    expect_identical(
      withVisible(plot(choice, main = "Title")), list(value = choice$table, visible = FALSE)
    )
  }
  expect_identical(graphics::par("mar", "mfrow", "pty", "mgp", "tcl"), before)
  expect_error(plot(one, ylim = 3), "`ylim`", class = "cwmix_input_error")
})

test_that("best() of anything else is a clear error", {
  expect_error(best(1), "`object` must be", class = "cwmix_input_error")
  expect_error(best(), "`object`", class = "cwmix_input_error")
})
