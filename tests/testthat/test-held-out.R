# What members of each fold say of rows: the densities of the fold's components, weighted by their
# shares among all of the fold's, by a loop over components.
fold_density_by_hand <- function(fit, x, fold) {
  components <- predict(fit, x, type = "component")
  weights <- predict(fit, x, type = "weights")
  member <- rep(seq_along(fit$members), vapply(fit$members, function(m) size(m)$K, 0L))
  # a network's weights belong to its point: the share of a network is that of the whole member
  share <- vapply(seq_along(fit$members), function(m) {
    own <- which(member == m)
    inside <- fit$component_folds[own] %in% fold
    # a member behind maps is of one fold
    classifier <- fit$members[[m]]$classifier
    constant <- !is.null(classifier) && is_constant(classifier)
    part <- if (constant) {
      sum(predict(fit$members[[m]]$classifier, matrix(0, 1, ncol(as.matrix(x))))[inside])
    } else {
      mean(inside)
    }
    fit$shares[m] * part
  }, 0)
  density <- 0
  for (k in which(fit$component_folds %in% fold)) {
    # beyond the ends of maps there are no weights, but no density either
    density <- density + ifelse(components[, k] == 0, 0, weights[, k] * components[, k])
  }
  density / sum(share)
}

test_that("a row's held-out density is that of the members of its fold", {
  fits <- list(
    mixtures = list(fit = fit_stack(faithful, folds = 3), x = faithful),
    networks = list(fit = ring_fit(), x = ring(150)),
    bounded = list(fit = fit_stack(rivers, support = c(0, Inf), folds = 4), x = rivers)
  )
  for (name in names(fits)) {
    fit <- fits[[name]]$fit
    x <- as.matrix(fits[[name]]$x)
    held_out <- predict(fit, fits[[name]]$x, rows = "held-out")
    expect_identical(sort(unique(fit$row_folds)), seq_len(fit$folds))
    expect_length(fit$component_folds, size(fit)$K)
    for (f in seq_len(fit$folds)) {
      rows <- which(fit$row_folds == f)
      expect_close(
        held_out[rows], fold_density_by_hand(fit, x[rows, , drop = FALSE], f), 1e-9,
        info = name
      )
    }
    expect_equal(predict(fit, fits[[name]]$x, rows = "held-out", log = TRUE), log(held_out))
    expect_identical(predict(fit, fits[[name]]$x, rows = "new"), predict(fit, fits[[name]]$x))
  }
})

test_that("components are those of the fits of their fold, so that no row is judged by its own", {
  both <- search_of(ring_fit(folds = 3))
  fit <- both$fit
  sample <- both$search$task$sample
  points <- ring(20, seed = 2)
  u <- t((t(points) - sample$center) / sample$scale)
  labels <- function(table) paste(table$covariance, table$K, table$hidden, table$epochs)
  candidates <- complete_candidates(both$search)
  hidden <- vapply(candidates, function(c) if (is.null(c$hidden)) "constant" else "16", "")
  keys <- paste(
    vapply(candidates, `[[`, "", "covariance"), vapply(candidates, `[[`, 0L, "K"), hidden,
    vapply(candidates, function(c) as.integer(c$epochs), 0L)
  )
  share <- fit$candidates$share[match(keys, labels(fit$candidates))]
  by_fold <- fold_densities(fit)
  for (f in 1:3) {
    density <- 0
    for (i in seq_along(candidates)) {
      p <- c(candidates[[i]]$fits[[f]], list(activation = "tanh"))
      density <- density + share[i] * exp(reference_log_density(u, p))
    }
    expect_close(
      predict(by_fold$densities[[f + 1]], points), density / prod(sample$scale), 1e-9
    )
    # and these fits have been made without the rows that they judge
    held <- both$search$folds[[f]]$held
    expect_identical(fit$row_folds[held], rep(f, length(held)))
    expect_identical(nrow(both$search$folds[[f]]$training$x), 150L - length(held))
  }
})

test_that("the fit's held-out score is the mean of what its rows get, where shares are clear", {
  for (x in list(ring(150), with_fixed_seed(1, rpois(200, 3)))) {
    # of candidates that are alike one is left, whatever fold is left out
    fit <- with_replaced(
      "candidate_sizes", 1L, without_maps(fit_stack(x, folds = 4, covariance = "full"))
    )
    rows <- predict(fit, x, log = TRUE, rows = "held-out")
    expect_equal(mean(rows), fit$held_out[["score"]])
  }
})

test_that("rows that no fold holds out are judged by the members of all folds", {
  x <- ring(60)
  w <- rep(c(1, 0, 2), 20)
  fit <- fit_stack(x, weights = w)
  absent <- which(w == 0)
  expect_identical(which(fit$row_folds == 0), absent)
  held_out <- predict(fit, x, rows = "held-out")
  expect_close(held_out[absent], predict(fit, x[absent, ]), 1e-12)
  expect_close(held_out[-absent] == predict(fit, x[-absent, ]), rep(FALSE, 40), 0)

  far <- x
  far[7, ] <- 1e6
  expect_warning(fit <- fit_stack(far), class = "cwmix_far_rows")
  expect_identical(fit$row_folds[7], 0L)
  expect_identical(sum(fit$component_folds == 0L), 1L)
  # without the component that only stands for them
  log_density <- predict(fit, far, log = TRUE, rows = "held-out")
  expect_true(all(is.finite(log_density[-7])))
  expect_lt(log_density[7], -1e6)
  expect_gt(predict(fit, far, log = TRUE)[7], -1e3)
})

test_that("data are those of the fit in any form, all of them in their order", {
  fit <- fit_stack(faithful)
  held_out <- predict(fit, faithful, rows = "held-out")
  expect_equal(predict(fit, as.matrix(faithful), rows = "held-out"), held_out, ignore_attr = TRUE)
  expect_equal(predict(fit, faithful[2:1], rows = "held-out"), held_out)
  formula <- with_fixed_seed(1, cwmix(
    ~ log(eruptions) + waiting, faithful,
    hidden = NULL, control = cwmix_control(folds = 2)
  ))
  logged <- transform(faithful, eruptions = log(eruptions))
  names(logged)[1] <- "log(eruptions)"
  expect_equal(
    predict(formula, faithful, rows = "held-out"), predict(formula, logged, rows = "held-out")
  )
  others <- list(
    faithful[272:1, ], faithful[-1, ], rbind(faithful, faithful), faithful + 1e-6,
    replace(faithful, 1, NA_real_), faithful[0, ]
  )
  for (x in others) {
    expect_error(
      predict(fit, x, rows = "held-out"), "`newdata` must be the data of the fit",
      class = "cwmix_input_error"
    )
  }
  expect_error(augment(fit, others[[1]], rows = "held-out"), "`data`", class = "cwmix_input_error")
  expect_error(
    residuals(fit, others[[1]], rows = "held-out"), "`newdata`", class = "cwmix_input_error"
  )
})

test_that("data of terms with constants of the fit are known but for rounding, others are not", {
  d <- with_fixed_seed(1, data.frame(a = 1e4 + rexp(80), b = rnorm(80)))
  fit <- with_fixed_seed(1, cwmix(
    ~ poly(a, 2) + b, d,
    hidden = NULL, control = cwmix_control(folds = 2)
  ))
  held_out <- predict(fit, d, rows = "held-out")
  expect_identical(augment(fit, d)$.density, unname(held_out))
  expect_false(isTRUE(all.equal(held_out, predict(fit, d))))
  x <- read_newdata(fit$frame, d, NULL)$x
  others <- list(
    d[80:1, ], d[-1, ], rbind(d, d), transform(d, b = b + 1e-6), transform(d, b = -b),
    transform(d, a = a + 1e-3), replace(d, cbind(1, 2), NA), replace(d, cbind(1, 2), Inf),
    d[0, ], d[c(2, 1, 3:80), ]
  )
  for (i in seq_along(others)) {
    expect_error(
      predict(fit, others[[i]], rows = "held-out"), "`newdata` must be the data of the fit",
      class = "cwmix_input_error", info = i
    )
    expect_identical(augment(fit, others[[i]])$.density, unname(predict(fit, others[[i]])))
  }
  # columns that are not computed again are the same numbers
  plain <- fit_stack(faithful)
  expect_true(is_data_of(plain, as.matrix(faithful)))
  expect_false(is_data_of(plain, as.matrix(faithful) * (1 + 1e-12)))
})

test_that("with one split the rows it does not hold out are judged by fits that have seen them", {
  x <- ring(60)
  fit <- one_split(fit_stack(x, control = cwmix_control()))
  expect_identical(tabulate(fit$row_folds + 1L), c(54L, 6L))
  # there are no other fits
  expect_close(predict(fit, x, rows = "held-out"), predict(fit, x), 1e-12)
  unseen <- function(fit, x) {
    jury <- judges(fit, x, NULL, NULL)
    rep(vapply(jury, `[[`, NA, "unseen"), lengths(lapply(jury, `[[`, "rows")))
  }
  expect_identical(unseen(fit, x), rep(c(FALSE, TRUE), c(54, 6)))
  expect_identical(unseen(fit_stack(x, weights = rep(0:2, 20)), x), rep(TRUE, 60))
  expect_identical(unseen(fit, x[-1, ]), rep(FALSE, 59))
})

test_that("densities of folds are made once, and of other data not at all", {
  fit <- ring_fit()
  x <- ring(150)
  calls <- 0
  real <- fold_densities
  counting <- function(object) {
    calls <<- calls + 1
    real(object)
  }
  made <- function(code) {
    calls <<- 0
    with_replaced("fold_densities", counting, code)
    calls
  }
  for (verb in list(augment, residuals)) {
    expect_identical(made(verb(fit, x)), 1)
    expect_identical(made(verb(fit, x[-1, ])), 0)
    expect_identical(made(verb(fit, x, rows = "new")), 0)
  }
  expect_identical(made(predict(fit, x, rows = "held-out")), 1)
})

test_that("rows are judged and classed block by block", {
  fit <- ring_fit()
  x <- ring(150)
  most <- 0L
  real <- log_quantity_at
  watching <- function(object, points, ...) {
    most <<- max(most, nrow(points$y))
    real(object, points, ...)
  }
  blocks <- function(n, width) unname(split(seq_len(n), (seq_len(n) - 1) %/% 20))
  in_blocks <- function(code) {
    with_replaced("row_blocks", blocks, with_replaced("log_quantity_at", watching, code))
  }
  expect_equal(in_blocks(augment(fit, x)), augment(fit, x), tolerance = 1e-12)
  expect_equal(
    in_blocks(predict(fit, x, rows = "held-out")), predict(fit, x, rows = "held-out"),
    tolerance = 1e-12
  )
  expect_identical(most, 20L)
})

test_that("other quantities, other fits and other words are refused", {
  fit <- fit_stack(faithful)
  for (type in c("posterior", "class", "weights", "component")) {
    expect_error(
      predict(fit, faithful, type, rows = "held-out"), "`rows` must be \"new\" for type",
      class = "cwmix_input_error"
    )
  }
  for (other in list(fit_mixture(faithful, 2), make_model(2, 2), cwmix_average(list(fit)))) {
    refused <- "`rows` must be \"new\" for a density that is no average over folds"
    for (verb in list(predict, residuals, augment)) {
      expect_error(
        verb(other, faithful, rows = "held-out"), refused,
        class = "cwmix_input_error"
      )
    }
  }
  for (rows in list("old", NA, 1, c("a", "b"), TRUE)) {
    for (verb in list(predict, residuals, augment)) {
      expect_error(verb(fit, faithful, rows = rows), "`rows`", class = "cwmix_input_error")
    }
  }
})

test_that("residuals and augment() take the data of the fit as held out, unless told", {
  fit <- ring_fit()
  x <- ring(150)
  held_out <- predict(fit, x, rows = "held-out")
  expect_identical(augment(fit, x)$.density, held_out)
  expect_identical(augment(fit, x, rows = "held-out")$.density, held_out)
  expect_identical(augment(fit, x, rows = "new")$.density, predict(fit, x))
  expect_identical(augment(fit, x[1:9, ])$.density, predict(fit, x[1:9, ]))
  # labels are those of the whole fit
  expect_identical(augment(fit, x)$.class, augment(fit, x, rows = "new")$.class)

  z <- function(...) with_fixed_seed(1, residuals(fit, ...))
  expect_identical(z(x), z(x, rows = "held-out"))
  expect_false(identical(z(x), z(x, rows = "new")))
  expect_identical(dim(z(x)), c(150L, 2L))
  # those of a row are residuals of its fold's density
  by_fold <- fold_densities(fit)
  rows <- which(by_fold$fold == 1)
  expect_equal(
    z(x)[rows, ], with_fixed_seed(1, residuals(by_fold$densities[[2]], x[rows, ])),
    ignore_attr = TRUE
  )
  # anything else is new
  expect_identical(z(x[1:9, ]), z(x[1:9, ], rows = "new"))
  mixture <- fit_mixture(faithful, 2)
  expect_identical(augment(mixture, faithful)$.density, unname(predict(mixture, faithful)))
})

test_that("a part of a sum is the average of what its components belong to", {
  fit <- ring_fit()
  x <- ring(20, seed = 2)
  all <- part_of_sum(fit, rep(TRUE, size(fit)$K))
  expect_close(predict(all, x), predict(fit, x), 1e-12)
  weights <- exp(constant_log_weights(fit$members[[length(fit$members)]]))
  mixture <- member_components(fit)[[length(fit$members)]]
  some <- replace(rep(FALSE, size(fit)$K), mixture[c(1, 3)], TRUE)
  part <- part_of_sum(fit, some)
  expect_identical(part$shares, 1)
  components <- predict(fit, x, type = "component")[, mixture[c(1, 3)]]
  expect_close(
    predict(part, x), drop(components %*% weights[c(1, 3)]) / sum(weights[c(1, 3)]), 1e-12
  )
  validate_density(part, "part", NULL)
})

test_that("a stack whose folds are not its own is refused", {
  fit <- ring_fit()
  edits <- list(
    function(f) replace(f, "row_folds", list(replace(f$row_folds, 3, 9L))),
    function(f) replace(f, "row_folds", list(f$row_folds[-1])),
    function(f) replace(f, "row_folds", list(as.double(f$row_folds))),
    function(f) replace(f, "component_folds", list(0L * f$component_folds)),
    function(f) replace(f, "component_folds", list(f$component_folds[-1])),
    function(f) replace(f, "component_folds", list(replace(f$component_folds, 1, 3L))),
    function(f) replace(f, "folds", 1L), function(f) replace(f, "folds", 2e9),
    function(f) f[setdiff(names(f), "row_folds")]
  )
  for (edit in edits) {
    broken <- structure(edit(unclass(fit)), class = class(fit))
    for (verb in list(predict, residuals, augment)) {
      expect_error(
        verb(broken, ring(150)), "density as this package makes them, but its `row_folds`",
        class = "cwmix_input_error"
      )
    }
  }
  fit$recorded <- data.frame(a = 1)
  expect_error(print(fit), "`recorded`", class = "cwmix_input_error")
})
