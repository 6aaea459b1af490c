best_first <- function(candidates, scores) candidates[order(scores, decreasing = TRUE)]

test_that("scores of candidates and of the stack are those of a loop over the rows", {
  x <- ring(40)
  w <- with_fixed_seed(2, runif(40, 0.2, 3))
  control <- cwmix_control(folds = 3, epochs = 4, batch_size = 8, learning_rate = 0.01)
  for (weights in list(NULL, w)) {
    both <- search_of(fit_stack(x, hidden = 3, weights = weights, control = control))
    # units are sorted where there are weights
    units <- both$search$units
    share <- (units$weights %||% rep(1, 40)) / 40
    expect_equal(share[units$unit_of], (weights %||% rep(1, 40)) / sum(weights %||% rep(1, 40)))
    rows <- vapply(both$search$candidates, reference_held_out, double(40), search = both$search)
    scores <- colSums(rows * share)
    rows <- rows[, order(scores, decreasing = TRUE)]
    table <- both$fit$candidates
    expect_close(table$score, colSums(rows * share), 1e-10, floor = 1)
    spread <- function(row) sqrt(40 / 39 * sum((share * (row - sum(row * share)))^2))
    expect_close(table$se, apply(rows, 2, spread), 1e-9)
    # a row is scored with the shares that the rows of the other folds give
    rows <- rows[, table$share > 0]
    stack <- numeric(40)
    for (fold in both$search$folds) {
      others <- replace(share, fold$held, 0)
      for (i in fold$held) {
        stack[i] <- log(sum(reference_shares_by_rows(rows, others, 20) * exp(rows[i, ])))
      }
    }
    score <- sum(stack * share)
    expect_close(
      both$fit$held_out, c(score, spread(stack), score, score), 1e-9,
      info = is.null(weights)
    )
    expect_named(both$fit$held_out, c("score", "se", "unbounded", "units"))
  }
})

test_that("the fit is the sum of share times density of the members of all folds", {
  both <- search_of(ring_fit())
  fit <- both$fit
  sample <- both$search$task$sample
  candidates <- best_first(both$search$candidates, vapply(
    both$search$candidates, function(c) mean(c$scores), 0
  ))
  points <- ring(20, seed = 2)
  u <- t((t(points) - sample$center) / sample$scale)
  density <- 0
  for (i in seq_along(candidates)) {
    for (fold_fit in candidates[[i]]$fits) {
      p <- c(fold_fit, list(activation = "tanh"))
      density <- density + fit$candidates$share[i] / 2 * exp(reference_log_density(u, p))
    }
  }
  expect_close(predict(fit, points), density / prod(sample$scale), 1e-9)
  # networks among them
  expect_gt(sum(fit$candidates$share[fit$candidates$hidden == "16"]), 0)
  expect_gt(length(fit$members), 1)
  expect_equal(sum(fit$shares), 1)
  expect_equal(sum(fit$averaged), 1)
  expect_length(fit$averaged, 2 * sum(fit$candidates$share > 0))
})

test_that("candidates are a table, the best first", {
  fit <- ring_fit()
  expect_named(fit$candidates, c("covariance", "K", "hidden", "epochs", "score", "se", "share"))
  expect_false(is.unsorted(-fit$candidates$score))
  expect_equal(sum(fit$candidates$share), 1)
  network <- fit$candidates$hidden != "constant"
  expect_identical(network, !is.na(fit$candidates$epochs))
  expect_gte(min(fit$candidates$epochs[network]), 1)
  expect_lte(max(fit$candidates$epochs[network]), 15)
  expect_identical(attr(fit$candidates, "row.names"), seq_len(nrow(fit$candidates)))
})

test_that("shares agree with the slow reference, number for number", {
  scores <- with_fixed_seed(1, matrix(rnorm(60 * 5, -2, 0.3), 60, 5))
  weights <- with_fixed_seed(2, runif(60))
  weights <- weights / sum(weights)
  for (least in c(0, 0.1)) {
    expect_close(
      with_fixed_seed(3, stacking_shares(scores, weights, least, draws = 3, iterations = 7)),
      with_fixed_seed(3, reference_stacking_shares(scores, weights, 3, 7, least)),
      1e-10
    )
  }
})

test_that("a candidate that is clearly the best has nearly all shares, equal ones share", {
  shares <- function(scores, weights = rep(1 / nrow(scores), nrow(scores))) {
    with_fixed_seed(1, stacking_shares(scores, weights))
  }
  row <- with_fixed_seed(1, rnorm(200))
  best <- shares(cbind(row - 1, row, row - 2))
  expect_equal(sum(best), 1)
  expect_gt(best[[2]], 0.99)
  expect_equal(shares(unname(cbind(row, row, row))), rep(1 / 3, 3))
  expect_identical(shares(matrix(row)), 1)
  # neither an offset of a row nor scores far below all others change anything
  offset <- with_fixed_seed(2, rnorm(200, sd = 100))
  some <- with_fixed_seed(3, matrix(rnorm(600), 200))
  expect_equal(shares(some + offset - 1e3), shares(some), tolerance = 1e-6)
  expect_identical(shares(unname(cbind(row, row - 1e200))), c(1, 0))
})

test_that("one row far out does not decide", {
  scores <- cbind(rep(0, 100), rep(-1, 100))
  scores[1, ] <- c(-1e4, -10)
  shares <- with_fixed_seed(1, stacking_shares(scores, rep(1 / 100, 100)))
  expect_gt(shares[1], 0.9)
})

test_that("rows count by their weights in the shares", {
  # the first is better on three rows in four, the second on the others
  scores <- cbind(rep(c(0, -1), c(300, 100)), rep(c(-1, 0), c(300, 100)))
  shares <- function(weights) with_fixed_seed(1, stacking_shares(scores, weights / sum(weights)))
  expect_gt(shares(rep(1, 400))[1], 0.9)
  expect_gt(shares(rep(c(1, 100), c(300, 100)))[2], 0.9)
  expect_equal(shares(rep(c(1, 1e-12), c(300, 100))), c(1, 0))
  # where weights balance, what differs is the bootstrap alone
  balanced <- rep(c(1, 3), c(300, 100))
  expect_equal(shares_by_rows(scores, balanced, 20), c(0.5, 0.5), tolerance = 1e-10)
})

test_that("hidden, covariance and activation are taken as given", {
  diagonal <- ring_fit(80, hidden = c(5, 3), epochs = 3, activation = "silu")
  expect_true(all(grepl("^(diagonal|spherical)", diagonal$candidates$covariance)))
  for (member in diagonal$members) expect_null(member$cholesky)
  expect_identical(diagonal$hidden, c(5L, 3L))
  classifiers <- lapply(diagonal$members, `[[`, "classifier")
  networks <- Filter(function(c) length(c$weights) > 0, classifiers)
  expect_gt(length(networks), 0)
  for (network in networks) {
    expect_identical(network$activation, "silu")
    expect_identical(lapply(network$weights, ncol), list(2L, 5L, 3L))
  }
  expect_setequal(diagonal$candidates$hidden, c("constant", "5, 3"))

  full <- ring_fit(80, hidden = integer(), epochs = 3, covariance = "full")
  expect_true(all(grepl("^full", full$candidates$covariance)))
  for (member in full$members) {
    expect_identical(dim(member$cholesky), c(2L, 2L, nrow(member$mean)))
  }
  expect_setequal(full$candidates$hidden, c("constant", "linear"))
})

test_that("without networks the fit is a Gaussian mixture", {
  fit <- fit_stack(faithful)
  expect_length(fit$members, 1)
  expect_true(is_constant(fit$members[[1]]$classifier))
  expect_null(fit$hidden)
  expect_identical(unique(fit$candidates$hidden), "constant")
  expect_false(is.unsorted(-predict(fit$members[[1]]$classifier, matrix(0, 1, 2))))
  # networks that have no epochs, or that only lose, leave no candidate
  for (control in list(
    cwmix_control(folds = 2, epochs = 0),
    cwmix_control(folds = 2, epochs = 3, learning_rate = 3)
  )) {
    fit <- fit_stack(faithful, hidden = 4, control = control)
    expect_length(fit$members, 1)
    expect_true(is_constant(fit$members[[1]]$classifier))
    expect_identical(unique(fit$candidates$hidden), "constant")
    expect_identical(fit$hidden, 4L)
  }
})

test_that("rows of weight 0 count as absent, and only ratios of weights count", {
  w <- rep(c(1, 0, 2), length.out = 272)
  fit <- fit_stack(faithful, weights = w)
  kept <- w > 0
  without <- fit_stack(faithful[kept, ], weights = w[kept])
  same <- c(
    "members", "shares", "averaged", "candidates", "held_out", "log_likelihood", "nobs"
  )
  for (field in same) expect_identical(fit[[field]], without[[field]], info = field)
  larger <- fit_stack(faithful, weights = 8 * w)
  expect_identical(larger$members, fit$members)
  expect_identical(larger$candidates, fit$candidates)
  expect_equal(fit$log_likelihood, sum(w * predict(fit, faithful, log = TRUE)))
  posterior <- predict(fit, faithful, type = "posterior")
  expect_equal(fit$proportions, colSums(posterior * w) / sum(w), ignore_attr = TRUE)
})

test_that("weights are repeated rows where one normal is all there is", {
  x <- c(-2, -1.5, -1, -0.5, -0.2, 0.2, 0.5, 1, 1.5, 2)
  one <- function(...) {
    with_replaced("candidate_sizes", 1L, fit_stack(..., folds = 10))
  }
  w <- rep(c(1, 3), 5)
  weighted <- one(x, weights = w)
  # each fold lacks one value
  normals <- vapply(seq_along(x), function(i) {
    repeated <- rep(x[-i], w[-i])
    c(mean(repeated), sqrt(mean((repeated - mean(repeated))^2)))
  }, c(0, 0))
  expected <- function(q) mean(dnorm(q, normals[1, ], normals[2, ]))
  expect_equal(predict(weighted, c(0, 1)), c(expected(0), expected(1)), tolerance = 1e-6)
})

test_that("columns are named and typed as they came", {
  formula <- with_fixed_seed(1, cwmix(
    ~ log(eruptions) + waiting, faithful,
    hidden = NULL, control = cwmix_control(folds = 2)
  ))
  logged <- data.frame(eruptions = log(faithful$eruptions), waiting = faithful$waiting)
  frame <- fit_stack(logged)
  expect_equal(predict(formula, faithful), predict(frame, logged), ignore_attr = TRUE)
  expect_identical(colnames(formula$members[[1]]$mean), c("log(eruptions)", "waiting"))
  expect_identical(names(simulate(frame, 2, seed = 1)), names(logged))
  expect_identical(predict(fit_stack(as.matrix(logged)), logged), predict(frame, logged))
  vector <- fit_stack(faithful$waiting)
  expect_null(dim(simulate(vector, 2, seed = 1)))
  weighted <- with_fixed_seed(1, cwmix(
    ~eruptions, transform(faithful, w = waiting),
    weights = w, hidden = NULL, control = cwmix_control(folds = 2)
  ))
  again <- fit_stack(faithful["eruptions"], weights = faithful$waiting)
  numbers <- function(fit) lapply(fit$members, `[`, kind_fields(fit$members[[1]]))
  expect_identical(numbers(weighted), numbers(again))
})

test_that("a support is kept to", {
  fit <- fit_stack(rivers, support = c(0, Inf))
  expect_identical(predict(fit, c(-1, 0)), c(0, 0))
  expect_gt(min(simulate(fit, 500, seed = 1)), 0)
  logged <- fit_stack(log(rivers))
  # the logs stand on a grid before the log, of which rounding has left a little
  points <- 1:9 * 100
  expect_equal(predict(fit, points), predict(logged, log(points)) / points, tolerance = 1e-5)
  held_out <- function(fit, x) predict(fit, x, log = TRUE, rows = "held-out")
  expect_close(held_out(fit, rivers), held_out(logged, log(rivers)) - log(rivers), 1e-4)
  expect_equal(fit$candidates$se, logged$candidates$se, tolerance = 1e-5)
  fit <- fit_stack(rivers, support = c(0, Inf), resolution = 0)
  logged <- fit_stack(log(rivers), resolution = 0)
  expect_equal(predict(fit, points), predict(logged, log(points)) / points)
  expect_equal(fit$held_out[["score"]], logged$held_out[["score"]] - mean(log(rivers)))
  expect_equal(fit$candidates$se, logged$candidates$se)
  square <- fit_stack(plogis(make_points(60, 2)), support = c(0, 1))
  expect_identical(predict(square, cbind(c(0.5, 1), 0.5)) > 0, c(TRUE, FALSE))
})

test_that("data that are kept serve plots and updates", {
  fit <- local({
    data <- faithful[1:80, ]
    with_fixed_seed(
      1, cwmix(data, hidden = NULL, control = cwmix_control(folds = 2), keep_data = TRUE)
    )
  })
  expect_identical(fit$data$x, faithful[1:80, ])
  again <- with_fixed_seed(1, update(fit))
  expect_identical(again$members, fit$members)
})

test_that("one seed gives one fit, with any number of threads", {
  expect_identical(fit_stack(log(rivers)), fit_stack(log(rivers)))
  expect_false(identical(fit_stack(log(rivers), seed = 2), fit_stack(log(rivers))))
  x <- ring(2500)
  control <- cwmix_control(folds = 2, epochs = 2, batch_size = 250, em_iterations = 20)
  without_limits(expect_same_bits(
    fit_stack(x, hidden = 8, covariance = "diagonal", control = control)
  ))
})

test_that("a shift and a change of units change nothing else", {
  x <- ring(100)
  control <- cwmix_control(folds = 2, epochs = 3, precision = "double")
  a <- c(3, -20)
  b <- c(10, 0.01)
  moved <- x * rep(b, each = 100) + rep(a, each = 100)
  fit <- fit_stack(x, hidden = 4, control = control)
  other <- fit_stack(moved, hidden = 4, control = control)
  expect_close(
    predict(other, moved, log = TRUE), predict(fit, x, log = TRUE) - sum(log(b)), 1e-7, floor = 1
  )
  expect_close(other$candidates$score, fit$candidates$score - sum(log(b)), 1e-7, floor = 1)
  expect_close(other$candidates$share, fit$candidates$share, 1e-7, floor = 1)
})

test_that("the density integrates to one, draws follow it, residuals are normal", {
  fit <- fit_stack(
    ring(200)[, 1], hidden = 8, control = cwmix_control(folds = 2, epochs = 10, batch_size = 16)
  )
  grid <- seq(-8, 8, length.out = 4001)
  expect_equal(sum(predict(fit, grid)) * 16 / 4000, 1, tolerance = 1e-6)
  expect_equal(pcwmix(c(-1, 1), fit), vapply(c(-1, 1), function(q) {
    integrate(function(x) predict(fit, x), -8, q, subdivisions = 1000, rel.tol = 1e-8)$value
  }, 0), tolerance = 1e-6)
  expect_equal(pcwmix(qcwmix(c(0.1, 0.5, 0.9), fit), fit), c(0.1, 0.5, 0.9))
  draws <- simulate(fit, 4000, seed = 1)
  expect_gt(chi_square(fit, draws), 0.001)
  z <- with_fixed_seed(1, residuals(fit, draws))
  expect_gt(ks.test(z, "pnorm")$p.value, 0.001)

  plane <- ring_fit()
  at <- seq(-8, 8, length.out = 201)
  cells <- as.matrix(expand.grid(x = at, y = at))
  expect_equal(sum(predict(plane, cells)) * (16 / 200)^2, 1, tolerance = 1e-3)
  draws <- simulate(plane, 2000, seed = 1)
  z <- with_fixed_seed(1, residuals(plane, draws))
  expect_gt(ks.test(rowSums(z^2), "pchisq", 2)$p.value, 0.001)
  posterior <- predict(plane, cells[1:50, ], type = "posterior")
  expect_equal(rowSums(posterior), rep(1, 50), ignore_attr = TRUE)
})

test_that("difficult data give a fit without a word, but where few rows decide", {
  set.seed(1)
  two <- c(rnorm(30), rnorm(30, 100, 1e-3))
  difficult <- list(
    "ten rows" = rnorm(10), "ten rows in nine columns" = matrix(rnorm(90), 10),
    "ten rows in twelve columns" = matrix(rnorm(120), 10),
    "thirty rows in six columns" = matrix(rnorm(180), 30), "ties" = rep(1:3, 20),
    "two values" = rep(0:1, c(19, 1)), "a far outlier" = c(rnorm(99), 1e10),
    "a very far outlier" = c(rnorm(99), 1e100), "two equal clusters" = rep(two, 2),
    "one wide, one narrow" = two, "heavy tails" = rcauchy(100),
    "a narrow column" = cbind(rnorm(50), 1e-12 * rnorm(50)),
    "nearly collinear" = cbind(1:40, 1:40 + 1e-4 * rnorm(40)),
    "integers" = rpois(60, 3), "tiny" = 1e-300 * rnorm(30), "huge" = 1e300 * rnorm(30)
  )
  far <- c("a far outlier", "a very far outlier")
  few <- "heavy tails"
  for (name in names(difficult)) {
    for (sd_floor in c(1e-3, 0)) {
      control <- cwmix_control(folds = 3, sd_floor = sd_floor, epochs = 2)
      seen <- catch_conditions(fit_stack(difficult[[name]], hidden = 3, control = control))
      said <- vapply(seen$conditions, function(condition) class(condition)[1], "")
      expected <- c(if (name %in% far) "cwmix_far_rows", if (name == few) "cwmix_few_rows")
      expected <- expected %||% character()
      expect_identical(said, expected, info = name)
      expect_equal(sum(seen$value$candidates$share), 1, info = name)
      expect_true(is.finite(seen$value$log_likelihood), info = name)
      expect_true(all(is.finite(unlist(seen$value$held_out))), info = name)
    }
  }
})

test_that("rows far from all others are one broad component, which a warning names", {
  x <- with_fixed_seed(1, rnorm(100))
  seen <- catch_conditions(search_of(fit_stack(c(x, 1e6, 2e6))))
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
  alone <- fit_stack(x)
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
  # in several columns, and by weights
  y <- ring(60)
  y[c(7, 40), ] <- c(1e6, 3, 2, -1e6)
  w <- rep(1:2, 30)
  expect_warning(fit <- fit_stack(y, weights = w), "rows 7, 40, far", class = "cwmix_far_rows")
  expect_equal(
    exp(constant_log_weights(fit$members[[1]]))[fit$component_folds == 0], 3 / 90
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

test_that("a fit can be refitted with K, not trained on", {
  fit <- with_fixed_seed(1, cwmix(faithful, hidden = NULL, control = cwmix_control(folds = 2)))
  three <- with_fixed_seed(1, update(fit, K = 3))
  expect_identical(nrow(three$mean), 3L)
  expect_null(three$candidates)
  expect_identical(coef(three), coef(with_fixed_seed(1, cwmix(faithful, K = 3, hidden = NULL))))
  again <- with_fixed_seed(1, update(fit, control = cwmix_control(folds = 3)))
  expect_identical(again$folds, 3L)
  expect_error(update(fit, epochs = 5), "fitted with `K` given", class = "cwmix_input_error")
})

test_that("a fit has the methods of all densities", {
  fit <- ring_fit()
  x <- ring(150)
  expect_s3_class(fit, c("cwmix_stack", "cwmix_sum", "cwmix_density"), exact = TRUE)
  score <- sum(predict(fit, x, log = TRUE))
  expect_equal(as.vector(logLik(fit)), score)
  expect_identical(nobs(fit), 150L)
  expect_identical(attr(logLik(fit), "df"), count_parameters(fit))
  glanced <- glance(fit)
  expect_identical(glanced$validation, fit$held_out[["score"]])
  expect_identical(glanced$best_epoch, NA_integer_)
  expect_identical(glanced$K, size(fit)$K)
  expect_identical(nrow(glanced), 1L)
  expect_identical(names(glanced), names(glance(fit_network(x, K = 2))))
  expect_identical(nrow(tidy(fit)), size(fit)$K)
  expect_equal(tidy(fit)$proportion, fit$proportions)
  expect_equal(
    fit$proportions, colMeans(predict(fit, x, type = "posterior")), ignore_attr = TRUE
  )
  expect_equal(augment(fit, x[1:3, ])$.density, predict(fit, x[1:3, ]), ignore_attr = TRUE)
  expect_identical(unserialize(serialize(fit, NULL)), fit)
  expect_identical(intersect(types_within(fit), c("externalptr", "environment")), character())
  expect_equal(compare(list(fit), x)$score, score / 150)
  half <- cwmix_average(list(fit, fit_mixture(x, 2)))
  expect_length(half$averaged, length(fit$members) + 1)
})

test_that("prints say what was stacked, in few lines", {
  fits <- list(fit_stack(faithful), fit_stack(rivers, support = c(0, Inf)), ring_fit())
  for (fit in fits) {
    expect_lte(length(format(fit)), 8)
    expect_identical(capture.output(print(fit)), format(fit))
  }
  # what follows from the last digits of a search is left out
  figures <- function(lines) gsub("[0-9]+(,[0-9]{3})*(\\.[0-9]+)?", "#", lines)
  expect_snapshot({
    fits[[1]]
    fits[[2]]
    fits[[3]]
  }, transform = figures)
  expect_identical(summary(fits[[1]])$header, format(fits[[1]]))
  line <- grep("held-out", format(fits[[1]]), value = TRUE)
  expect_match(line, sprintf("score %.4f", fits[[1]]$held_out[["score"]]), fixed = TRUE)
  expect_match(line, sprintf("of %d candidates, 2 folds", nrow(fits[[1]]$candidates)), fixed = TRUE)
})

test_that("a table of candidates that was edited is refused where it is used", {
  fit <- fit_stack(log(rivers))
  edits <- list(
    function(table) replace(table, "hidden", list(rep(NA_character_, nrow(table)))),
    function(table) replace(table, "K", list(diag(nrow(table)))),
    function(table) replace(table, "score", list(replace(table$score, 1, -Inf))),
    function(table) table[0, ], function(table) as.list(table), function(table) table["K"]
  )
  for (edit in edits) {
    edited <- replace(fit, "candidates", list(edit(fit$candidates)))
    class(edited) <- class(fit)
    expect_error(plot(edited, what = "candidates"), "`candidates`", class = "cwmix_input_error")
  }
})

test_that("rows that would move the held-out score by more than its error are told", {
  least <- -20
  told <- function(scores, weights = rep(1 / 100, 100)) {
    search <- list(
      weights = weights, near = 1:100, folds = list(list(held = 1:60), list(held = 61:100)),
      rows = list(kept = 1:100), units = list(row_of = 1:100)
    )
    seen <- catch_conditions(warn_few_rows(scores, least, search))
    vapply(seen$conditions, conditionMessage, "")
  }
  scores <- with_fixed_seed(1, rnorm(100, -2))
  expect_identical(told(scores), character())
  # by as much as one row lies below the bound
  error <- score_error(replace(scores, 7, least), rep(1 / 100, 100))
  below <- function(errors) replace(scores, 7, least - 100 * errors * error)
  expect_identical(told(below(0.99)), character())
  expect_length(told(below(1.01)), 1)
  expect_identical(told(replace(scores, 7, -1020)), paste(
    "Few rows decide the held-out score: row 7 would lower it by 10, and counts as no less than",
    "-20 instead. Look whether they are right."
  ))
  expect_match(told(replace(scores, 7:8, c(-520, -Inf))), "rows 7, 8 would lower it by Inf")
  # by weight
  light <- rep(c(1, 1e-4, 1), c(6, 1, 93))
  expect_identical(told(replace(scores, 7, -1020), light / sum(light)), character())
})

test_that("each held-out row has the shares that the rows of the other folds give", {
  folds <- list(list(held = c(2, 5, 9)), list(held = c(1, 3)), list(held = c(4, 6, 7, 8, 10)))
  # rows fold after fold
  fold <- rep(1:3, c(3, 2, 5))
  scores <- with_fixed_seed(1, matrix(rnorm(30), 10))
  weights <- with_fixed_seed(2, runif(10))
  candidates <- lapply(1:3, function(j) list(scores = scores[, j]))
  search <- list(folds = folds, weights = weights)
  shares <- shares_of_others(search, candidates, c(0.2, 0.3, 0.5))
  for (i in 1:10) {
    others <- weights * (fold != fold[i])
    expect_close(shares[i, ], reference_shares_by_rows(scores, others, 20), 1e-10)
  }
  # of one split, or one candidate, those of all
  split <- list(folds = folds[3], weights = weights[6:10])
  expect_identical(
    shares_of_others(split, candidates, c(0.2, 0.3, 0.5)),
    matrix(c(0.2, 0.3, 0.5), 5, 3, byrow = TRUE)
  )
  expect_identical(shares_of_others(search, candidates[1], 1), matrix(1, 10, 1))
})
