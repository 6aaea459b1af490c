# What every density is held to, whatever its kind.

predict_types <- c("density", "posterior", "class", "weights", "component")

test_that("the integral is one, and draws have the means that the density says", {
  for (name in names(kinds())) {
    kind <- kinds()[[name]]
    nodes <- density_nodes(kind)
    # a grid meets a few of a flow's kinks, and the edge of a density that jumps
    expect_lt(abs(sum(nodes$mass) - 1), 2e-3 + 4 * nodes$error(1), label = name)
    x <- draws_of(kind, 10000, seed = 2)
    center <- apply(x, 2, median)
    scale <- apply(x, 2, mad)
    drawn <- ripples(x, center, scale)
    expected <- ripples(nodes$x, center, scale)
    for (m in seq_len(ncol(drawn))) {
      error <- sqrt(var(drawn[, m]) / nrow(x) + nodes$error(expected[, m])^2)
      expect_lt(
        abs(mean(drawn[, m]) - sum(nodes$mass * expected[, m])), 2e-3 + 4 * error,
        label = name
      )
    }
  }
})

test_that("residuals of own draws are independent standard normals", {
  for (name in names(kinds())) {
    kind <- kinds()[[name]]
    x <- kind$newdata(simulate(kind$object, 3000, seed = 3))
    z <- with_fixed_seed(4, residuals(kind$object, x))
    expect_identical(dim(z), c(3000L, kind$columns), info = name)
    # one test in some hundred may come out at 0.001
    p <- c(
      apply(z, 2, function(z) ks.test(z, "pnorm")$p.value),
      ks.test(rowSums(z^2), "pchisq", kind$columns)$p.value,
      ks.test(rowSums(z) / sqrt(kind$columns), "pnorm")$p.value
    )
    expect_gt(min(p), 1e-4, label = name)
  }
})

test_that("the log-likelihood is the weighted sum, its gradient that of finite differences", {
  for (name in names(kinds())) {
    kind <- kinds()[[name]]
    x <- utils::head(kind$points, 15)
    weights <- rep_len(c(1, 0, 2), NROW(x))
    log_density <- predict(kind$object, x, log = TRUE)
    expect_equal(log_likelihood(kind$object, x), sum(log_density), info = name)
    value <- function(object) log_likelihood(object, x, weights = weights)
    expect_equal(value(kind$object), sum(weights * log_density), info = name)
    ask <- function() log_likelihood(kind$object, x, weights = weights, gradient = TRUE)
    if (!kind$gradient) {
      expect_error(ask(), class = "cwmix_input_error", info = name)
      next
    }
    expect_equal(value(with_coef(kind$object, coef(kind$object))), value(kind$object), info = name)
    expect_gradient_in_coef(gradient_of(ask()), kind$object, value, 1e-5, name)
  }
})

test_that("gradients of expectations at given base points are those of finite differences", {
  for (name in names(kinds())) {
    kind <- kinds()[[name]]
    z <- make_base(8, kind$columns)
    # bounded in any unit of the data
    unit <- max(abs(draws_of(kind, 100))) / 3
    f <- function(x) wave(x / unit)
    slope <- function(x) wave_gradient(x / unit) / unit
    for (estimator in c("rao-blackwell", "gumbel-softmax")) {
      value <- function(object, ...) {
        with_fixed_seed(2, expectation(object, f, z = z, estimator = estimator, ...))
      }
      if (!kind$gradient) {
        expect_error(
          value(kind$object, gradient = slope),
          class = "cwmix_input_error", info = name
        )
        next
      }
      gradient <- gradient_of(value(kind$object, gradient = slope))
      expect_gradient_in_coef(gradient, kind$object, value, 1e-5, paste(name, estimator))
      suppressMessages(differences <- gradient_of(value(kind$object, gradient = TRUE)))
      expect_close_gradient(unlist(differences), unlist(gradient), 1e-5, paste(name, estimator))
    }
  }
})

test_that("permuted rows permute the predictions", {
  for (name in names(kinds())) {
    kind <- kinds()[[name]]
    x <- named_points(kind)
    order <- with_fixed_seed(5, sample(nrow(x)))
    for (type in predict_types) {
      straight <- without_labels(predict(kind$object, x, type = type))
      permuted <- without_labels(predict(kind$object, x[order, , drop = FALSE], type = type))
      straight <- if (is.matrix(straight)) straight[order, , drop = FALSE] else straight[order]
      expect_identical(permuted, straight, info = paste(name, type))
    }
  }
})

test_that("no rows give results of no rows", {
  for (name in names(kinds())) {
    kind <- kinds()[[name]]
    object <- kind$object
    none <- if (kind$columns == 1) kind$points[0] else kind$points[0, ]
    K <- ncol(predict(object, kind$points, type = "weights"))
    for (log in c(FALSE, TRUE)) {
      expect_length(predict(object, none, log = log), 0)
      for (type in c("posterior", "weights", "component")) {
        expect_identical(dim(predict(object, none, type = type, log = log)), c(0L, K), info = name)
      }
    }
    class <- without_labels(predict(object, none, type = "class"))
    expect_identical(unname(class), integer(), info = name)
    expect_identical(dim(residuals(object, none)), c(0L, kind$columns), info = name)
    expect_identical(as.double(log_likelihood(object, none)), 0, info = name)
    expect_length(dcwmix(none, object), 0)
    expect_identical(nrow(augment(object, none)), 0L, info = name)
    if (kind$gradient) {
      gradient <- gradient_of(log_likelihood(object, none, gradient = TRUE))
      expect_identical(unlist(gradient), 0 * unlist(coef(object)), info = name)
    }
    if (kind$columns == 1) {
      expect_identical(pcwmix(double(), object), double(), info = name)
      expect_identical(qcwmix(double(), object), double(), info = name)
    }
  }
})

test_that("missing values stay in their row, and there is no density outside", {
  for (name in names(kinds())) {
    kind <- kinds()[[name]]
    object <- kind$object
    x <- named_points(kind)
    x <- x[rep_len(seq_len(nrow(x)), 8), , drop = FALSE]
    lost <- x
    lost[2, 1] <- NA
    lost[7, ncol(x)] <- NaN
    for (type in predict_types) {
      expected <- without_labels(predict(object, x, type = type))
      if (is.matrix(expected)) expected[c(2, 7), ] <- NA else expected[c(2, 7)] <- NA
      given <- without_labels(predict(object, lost, type = type))
      expect_identical(given, expected, info = paste(name, type))
    }
    z <- with_fixed_seed(1, residuals(object, lost))
    expect_identical(unname(is.na(z[, 1])), seq_len(8) %in% c(2, 7), info = name)
    complete <- with_fixed_seed(1, residuals(object, x[-c(2, 7), , drop = FALSE]))
    expect_identical(z[-c(2, 7), , drop = FALSE], complete, info = name)
    beyond <- x[1:3, , drop = FALSE]
    beyond[1, ncol(x)] <- Inf
    if (!is.null(kind$outside)) beyond[3, ] <- kind$outside
    outside <- c(TRUE, FALSE, !is.null(kind$outside))
    density <- unname(predict(object, beyond))
    expect_identical(density == 0, outside, info = name)
    expect_identical(unname(dcwmix(beyond, object, log = TRUE)) == -Inf, outside, info = name)
    parts <- predict(object, beyond, type = "component")
    expect_identical(unname(rowSums(parts == 0) == ncol(parts)), outside, info = name)
    expect_identical(log_likelihood(object, beyond), -Inf, info = name)
  }
})

test_that("the density is the sum of weights times components, posteriors their shares", {
  for (name in names(kinds())) {
    kind <- kinds()[[name]]
    ask <- function(...) without_labels(unname(predict(kind$object, kind$points, ...)))
    joint <- ask(type = "weights") * ask(type = "component")
    # A member behind maps that a point has no image under says nothing of its weights there.
    joint[ask(type = "component") == 0] <- 0
    expect_close(rowSums(joint), ask(), 1e-10, info = name)
    expect_close(ask(type = "posterior"), joint / rowSums(joint), 1e-9, floor = 1, info = name)
    expect_close(rowSums(ask(type = "posterior")), rep(1, nrow(joint)), 1e-12, info = name)
    expect_identical(
      ask(type = "class"), max.col(ask(type = "posterior"), ties.method = "first"),
      info = name
    )
    for (type in setdiff(predict_types, "class")) {
      log_values <- ask(type = type, log = TRUE)
      known <- !is.na(log_values)
      expect_identical(!is.na(ask(type = type)), known, info = name)
      expect_close(exp(log_values[known]), ask(type = type)[known], 1e-12, 1e-300, info = name)
    }
    expect_close(
      ask(log = TRUE, precision = "single"), ask(log = TRUE), 1e-4,
      floor = 1, info = name
    )
    expect_identical(unname(dcwmix(kind$points, kind$object)), ask(), info = name)
  }
})

test_that("saved and read again a density is the same, of plain data", {
  file <- tempfile()
  on.exit(unlink(file))
  plain <- c(
    "list", "double", "integer", "character", "logical", "NULL", "language", "symbol", "pairlist"
  )
  for (name in names(kinds())) {
    kind <- kinds()[[name]]
    saveRDS(kind$object, file)
    again <- kind
    again$object <- readRDS(file)
    expect_identical(everything(again), everything(kind), info = name)
    if (kind$plain) {
      expect_identical(again$object, kind$object, info = name)
      expect_identical(setdiff(types_within(kind$object), plain), character(), info = name)
    }
  }
})

test_that("any number of threads gives the same bits", {
  for (name in names(kinds())) {
    kind <- kinds()[[name]]
    object <- kind$object
    x <- kind$newdata(simulate(object, 3001, seed = 7))
    all_at <- function(threads) {
      old <- options(cwmix.threads = threads)
      on.exit(options(old))
      list(
        without_labels(lapply(predict_types, function(type) predict(object, x, type = type))),
        with_fixed_seed(1, residuals(object, x)), simulate(object, 4001, seed = 1),
        if (kind$gradient) log_likelihood(object, x, gradient = TRUE)
      )
    }
    without_limits(expect_identical(all_at(2), all_at(1), info = name))
  }
})

test_that("the seed decides the draws, and the first do not depend on how many follow", {
  for (name in names(kinds())) {
    object <- kinds()[[name]]$object
    rows <- function(x, n) if (is.null(dim(x))) x[seq_len(n)] else x[seq_len(n), , drop = FALSE]
    few <- simulate(object, 50, seed = 1, component = TRUE)
    expect_identical(simulate(object, 50, seed = 1, component = TRUE), few, info = name)
    many <- simulate(object, 900, seed = 1, component = TRUE)
    expect_identical(rows(many, 50), rows(few, 50), ignore_attr = TRUE, info = name)
    for (part in c("component", "z")) {
      expect_identical(rows(attr(many, part), 50), attr(few, part), info = name)
    }
    expect_identical(with_fixed_seed(1, rcwmix(50, object)), rows(few, 50),
      ignore_attr = TRUE, info = name
    )
    # the generator is left where it was by a seed
    set.seed(8)
    next_one <- runif(1)
    set.seed(8)
    simulate(object, 2, seed = 1)
    expect_identical(runif(1), next_one, info = name)
  }
})

test_that("in one column p inverts q, and its slope is d", {
  for (name in names(kinds())) {
    kind <- kinds()[[name]]
    object <- kind$object
    if (kind$columns > 1) {
      expect_error(pcwmix(0, object), class = "cwmix_input_error", info = name)
      expect_error(qcwmix(0.5, object), class = "cwmix_input_error", info = name)
      next
    }
    p <- c(1e-6, 0.01, 0.2, 0.5, 0.9, 0.999)
    q <- qcwmix(p, object)
    expect_close(pcwmix(q, object), p, 1e-8, info = name)
    expect_close(pcwmix(q, object, lower.tail = FALSE), 1 - p, 1e-8, info = name)
    expect_close(pcwmix(q, object, log.p = TRUE), log(p), 1e-8, info = name)
    expect_close(qcwmix(log(p), object, log.p = TRUE), q, 1e-6, info = name)
    expect_close(qcwmix(1 - p, object, lower.tail = FALSE), q, 1e-6, info = name)
    # the trapezoidal rule, which splines' kinks and a jump at the end of a support slow down
    x <- seq(q[2], q[5], length.out = 20001)
    sum_of <- function(y) sum((y[-1] + y[-length(y)]) / 2) * (x[2] - x[1])
    expect_equal(sum_of(dcwmix(x, object)), 0.89, tolerance = 1e-4, info = name)
    expect_lt(largest_fall(pcwmix(x[seq(1, 20001, by = 100)], object)), 1e-12, label = name)
    draws <- draws_of(kind, 2000, seed = 9)
    expect_gt(ks.test(pcwmix(draws[, 1], object), "punif")$p.value, 1e-4, label = name)
  }
})

test_that("moments, probabilities and entropies are those of draws, within their errors", {
  n <- 20000
  for (name in names(kinds())) {
    kind <- kinds()[[name]]
    object <- kind$object
    x <- draws_of(kind, n, seed = 10)
    # five standard errors, as variances of heavy tails are themselves uncertain
    agree <- function(value, terms) {
      terms <- as.matrix(terms)
      se <- sqrt(apply(terms, 2, var) / n + as.double(attr(value, "se"))^2)
      expect_lt(max(abs(as.double(value) - colMeans(terms)) / se), 5, label = name)
    }
    set.seed(1)
    agree(mean(object), x)
    centred <- x - rep(colMeans(x), each = n)
    pairs <- expand.grid(seq_len(ncol(x)), seq_len(ncol(x)))
    agree(vcov(object), centred[, pairs[, 1]] * centred[, pairs[, 2]])
    cut <- median(x[, 1]) + mad(x[, 1]) / 2
    agree(probability(object, function(x) unname(x[, 1]) < cut), x[, 1] < cut)
    agree(entropy(object), -predict(object, kind$newdata(x), log = TRUE))
    probs <- c(0.1, 0.5, 0.8)
    q <- matrix(as.double(quantile(object, probs)), 3)
    for (j in seq_len(ncol(x))) {
      share <- colMeans(outer(x[, j], q[, j], `<=`))
      expect_lt(max(abs(share - probs)), 5 * sqrt(0.25 / n) + 2e-3, label = name)
    }
    expect_lt(abs(as.double(kl_divergence(object, object))), 1e-10, label = name)
    for (points in c("lattice", "random")) {
      one <- expectation(object, function(x) rep(1, nrow(x)), n = 64, points = points)
      expect_close(as.double(one), 1, 1e-10, info = name)
    }
    for (estimator in c("crude", "rao-blackwell", "score-function")) {
      spread <- mad(x[, 1])
      f <- function(x) tanh(unname(x[, 1]) / spread)
      agree(expectation(object, f, n = 4096, estimator = estimator, points = "random"), f(x))
    }
  }
})

test_that("tables, prints and summaries are there, and a kind that lacks one says so", {
  for (name in names(kinds())) {
    kind <- kinds()[[name]]
    object <- kind$object
    K <- ncol(predict(object, kind$points, type = "weights"))
    expect_identical(capture.output(shown <- print(object)), format(object), info = name)
    expect_identical(shown, object, info = name)
    expect_lte(length(with_width(200, format(object))), 8)
    expect_identical(
      utils::head(capture.output(print(summary(object))), length(format(object))), format(object),
      info = name
    )
    expect_identical(nrow(tidy(object)), K, info = name)
    expect_identical(nrow(summary(object)$components), K, info = name)
    expect_type(coef(object), "list")
    augmented <- augment(object, kind$points, rows = "new")
    expect_identical(augmented$.density, unname(predict(object, kind$points)), info = name)
    expect_identical(
      utils::tail(names(augmented), 3), c(".density", ".class", ".uncertainty"),
      info = name
    )
    compared <- compare(list(object), kind$points)
    expect_equal(compared$score, mean(predict(object, kind$points, log = TRUE)), info = name)
    has <- function(flag, code) {
      if (flag) force(code) else expect_error(code, class = "cwmix_input_error", info = name)
    }
    has(kind$likelihood, expect_equal(
      as.double(logLik(object)), log_likelihood(object, kind$points),
      info = name
    ))
    has(kind$likelihood, expect_identical(nobs(object), NROW(kind$points), info = name))
    has(kind$likelihood, expect_criteria(object, name))
    has(kind$glance, expect_identical(nrow(glance(object)), 1L, info = name))
    local({
      x <- kind$points
      average <- cwmix_average(list(object, object), c(0.3, 0.7))
      expect_equal(predict(average, x), predict(object, x), info = name)
    })
    x <- simulate(object, 200, seed = 1)
    control <- quick_control(epochs = 1)
    start <- c(list(x, start = object, control = control), kind$start)
    has(!is.null(kind$start), expect_s3_class(do.call(cwmix, start), "cwmix"))
  }
})

test_that("every plot that a kind has is drawn, the others are refused", {
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  for (name in names(kinds())) {
    kind <- kinds()[[name]]
    has <- c(
      density = TRUE, components = TRUE, weights = kind$columns <= 2,
      classifier = kind$columns <= 2, training = kind$training, candidates = kind$candidates,
      residuals = TRUE
    )
    for (what in names(has)) {
      draw <- function() plot(kind$object, kind$points, what = what)
      if (has[[what]]) {
        expect_silent(draw())
      } else {
        expect_error(draw(), class = "cwmix_input_error", info = paste(name, what))
      }
    }
  }
})
