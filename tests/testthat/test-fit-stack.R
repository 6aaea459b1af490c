best_first <- function(candidates, scores) candidates[order(scores, decreasing = TRUE)]

test_that("scores of candidates and of the stack are those of a loop over the rows", {
  x <- ring(40)
  w <- with_fixed_seed(2, runif(40, 0.2, 3))
  control <- cwmix_control(folds = 3, epochs = 4, batch_size = 8, learning_rate = 0.01)
  for (weights in list(NULL, w)) {
    both <- search_of(with_networks(
      fit_stack(x, hidden = 3, weights = weights, control = control)
    ))
    # units are sorted where there are weights
    units <- both$search$units
    share <- (units$weights %||% rep(1, 40)) / 40
    expect_equal(share[units$unit_of], (weights %||% rep(1, 40)) / sum(weights %||% rep(1, 40)))
    candidates <- complete_candidates(both$search)
    rows <- vapply(candidates, reference_held_out, double(40), search = both$search)
    expect_gt(sum(lengths(lapply(candidates, `[[`, "hidden")) > 0), 0)
    expect_gt(length(unique(vapply(candidates, `[[`, "", "scale"))), 1)
    scores <- colSums(rows * share)
    rows <- rows[, order(scores, decreasing = TRUE)]
    table <- complete_table(both$fit)
    expect_close(table$score, colSums(rows * share), 1e-10, floor = 1)
    spread <- function(row) sqrt(40 / 39 * sum((share * (row - sum(row * share)))^2))
    expect_close(table$se, apply(rows, 2, spread), 1e-9)
    # a row is scored with the shares that the rows of the other folds give
    used <- order(table$share, decreasing = TRUE)[seq_len(sum(table$share > 0))]
    rows <- rows[, used]
    given <- table$share[used]
    stack <- numeric(40)
    for (fold in both$search$folds) {
      others <- replace(share, fold$held, 0)
      for (i in fold$held) {
        shares <- reference_stacked_weights(rows, others, start = given, steps = 50)
        stack[i] <- log(sum(shares * exp(rows[i, ])))
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
  candidates <- complete_candidates(both$search)
  candidates <- best_first(candidates, vapply(candidates, function(c) mean(unlist(c$scores)), 0))
  points <- ring(20, seed = 2)
  u <- t((t(points) - sample$center) / sample$scale)
  density <- 0
  shares <- complete_table(fit)$share
  for (i in seq_along(candidates)) {
    for (fold_fit in candidates[[i]]$fits) {
      p <- c(fold_fit, list(activation = "tanh"))
      density <- density + shares[i] / 2 * exp(reference_log_density(u, p))
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
  expect_named(
    fit$candidates,
    c("covariance", "scale", "K", "hidden", "epochs", "folds", "score", "se", "share")
  )
  # those dropped in the race stand last
  expect_false(is.unsorted(-fit$candidates$folds))
  expect_false(is.unsorted(-complete_table(fit)$score))
  expect_equal(sum(fit$candidates$share), 1)
  network <- fit$candidates$hidden != "constant"
  expect_identical(network, !is.na(fit$candidates$epochs))
  expect_gte(min(fit$candidates$epochs[network]), 1)
  expect_lte(max(fit$candidates$epochs[network]), 15)
  expect_identical(attr(fit$candidates, "row.names"), seq_len(nrow(fit$candidates)))
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

test_that("networks are for 1,000 rows or more in several columns", {
  bears <- function(n, d) bears_networks(list(task = list(sample = list(y = matrix(0, n, d)))))
  expect_identical(bears(1000, 2), TRUE)
  expect_identical(bears(999, 2), FALSE)
  expect_identical(bears(5000, 1), FALSE)
  fit <- fit_stack(ring(100), hidden = 4)
  expect_identical(unique(fit$candidates$hidden), "constant")
})

test_that("without networks and maps the fit is a Gaussian mixture", {
  fit <- without_maps(fit_stack(faithful))
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
    fit <- without_maps(with_networks(fit_stack(faithful, hidden = 4, control = control)))
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
  mixture <- formula$members[[length(formula$members)]]
  expect_identical(colnames(mixture$mean), c("log(eruptions)", "waiting"))
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
  column <- function() {
    fit_stack(
      ring(200)[, 1], hidden = 8, control = cwmix_control(folds = 2, epochs = 10, batch_size = 16)
    )
  }
  # a column's estimate has bends, where rules of a high order break down: midpoints
  fit <- column()
  below <- function(q, parts = 40000) {
    width <- (q + 8) / parts
    sum(predict(fit, -8 + width * (seq_len(parts) - 0.5))) * width
  }
  expect_equal(below(8), 1, tolerance = 1e-5)
  expect_equal(pcwmix(c(-1, 1), fit), c(below(-1), below(1)), tolerance = 1e-6)
  fit <- without_maps(column())
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

test_that("difficult data give a fit without a word, but where rows are far", {
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
  for (name in names(difficult)) {
    for (sd_floor in c(1e-3, 0)) {
      control <- cwmix_control(folds = 3, sd_floor = sd_floor, epochs = 2)
      seen <- catch_conditions(
        with_networks(fit_stack(difficult[[name]], hidden = 3, control = control))
      )
      said <- vapply(seen$conditions, function(condition) class(condition)[1], "")
      expected <- if (name %in% far) "cwmix_far_rows" else character()
      expect_identical(said, expected, info = name)
      expect_equal(sum(seen$value$candidates$share), 1, info = name)
      expect_true(is.finite(seen$value$log_likelihood), info = name)
      expect_true(all(is.finite(unlist(seen$value$held_out))), info = name)
    }
  }
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
    expect_lte(length(format(fit)), 10)
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

test_that("components at the floor are counted, and their share of the density", {
  # components of the given standard deviations, a row each, two columns
  fit <- function(...) {
    sd <- rbind(...)
    list(mean = 0 * sd, log_sd = log(sd))
  }
  task <- list(floor = c(0.1, 0.2))
  wide <- c(1, 1)
  narrow <- c(1, 0.2)
  candidates <- list(
    list(fits = list(fit(wide, narrow), fit(narrow, wide, wide, c(0.1, 9)))),
    list(fits = list(fit(wide), fit(wide, c(0.2, 0.21)))),
    list(fits = list(fit(narrow), fit(narrow)))
  )
  # half of the components of both fits of the first, none, all
  expect_equal(
    narrow_components(task, candidates, c(0.5, 0.3, 0.2)),
    list(count = 5L, of = 11, share = 0.5 * 0.5 + 0.2)
  )
  # behind maps the floor is that of the view, none where nothing was fitted
  views <- list(list(floor = c(0.1, 0.01)), list())
  mapped <- list(c(candidates[[3]], list(views = views)))
  expect_equal(narrow_components(task, mapped, 1), list(count = 0L, of = 2, share = 0))
  views[[1]]$floor <- c(1, 0.01)
  mapped <- list(c(candidates[[3]], list(views = views)))
  expect_equal(narrow_components(task, mapped, 1), list(count = 1L, of = 2, share = 0.5))
  # the mean over fits, not over components
  uneven <- list(list(fits = list(fit(narrow), fit(wide, wide, wide))))
  expect_equal(narrow_components(task, uneven, 1), list(count = 1L, of = 4, share = 0.5))
  expect_equal(
    narrow_components(list(floor = c(0, 0)), candidates, c(0.5, 0.3, 0.2)),
    list(count = 0L, of = 11, share = 0)
  )
})

test_that("columns that nearly determine each other are told, others are not", {
  x <- with_fixed_seed(1, rnorm(200))
  noise <- with_fixed_seed(2, rnorm(200))
  classes <- function(y, ...) {
    seen <- catch_conditions(fit_stack(unname(cbind(x, y)), ...))
    vapply(seen$conditions, function(condition) class(condition)[1], "")
  }
  expect_identical(classes(noise), character())
  for (relative in c(1e-2, 1e-4)) {
    expect_identical(classes(x * (1 + relative * noise)), character(), info = relative)
  }
  expect_identical(classes(x * (1 + 1e-6 * noise)), "cwmix_degenerate")
  # to rounding no density exists
  expect_identical(classes(x * (1 + 1e-9 * noise)), "cwmix_input_error")
  # two lines are no line, but components are
  expect_identical(classes(abs(x) + 1e-9 * noise), "cwmix_degenerate")
  expect_identical(classes(abs(x) + 1e-4 * noise), character())
  # those along the axes alone are as wide as the columns
  expect_identical(classes(x * (1 + 1e-6 * noise), covariance = "diagonal"), character())

  seen <- catch_conditions(fit_stack(unname(cbind(x, x * (1 + 1e-6 * noise)))))
  fit <- seen$value
  expect_gt(fit$at_floor, 0)
  expect_identical(conditionMessage(seen$conditions[[1]]), paste0(
    "The density means little, as ", fit$at_floor, " of ", size(fit)$K, " components are as ",
    "narrow as `sd_floor` allows in some direction: columns may determine each other, or values ",
    "be recorded on a scale that `resolution` should give."
  ))
  expect_match(format(fit), paste("at floor   ", fit$at_floor, "component"), all = FALSE)
})

test_that("that components are narrow is told from a twentieth of the density on", {
  told <- function(share) {
    narrow <- list(count = 3L, of = 40, share = share)
    fit <- function() fit_stack(log(rivers))
    seen <- catch_conditions(with_replaced("narrow_components", function(...) narrow, fit()))
    expect_identical(seen$value$at_floor, 3L)
    vapply(seen$conditions, function(condition) class(condition)[1], "")
  }
  expect_identical(told(0.05), character())
  expect_identical(told(0.06), "cwmix_degenerate")
})
