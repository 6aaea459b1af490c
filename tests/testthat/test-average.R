test_that("everything predict() knows is that of the reference", {
  for (d in 1:3) {
    for (covariance in c("diagonal", "full", "mixed")) {
      average <- make_average(d, covariance, seed = d)
      x <- make_points(23, d)
      expected <- reference_log_average(x, make_members(d, covariance, d), member_shares())
      for (type in names(expected)) {
        info <- paste(d, covariance, type)
        expect_close(
          predict(average, x, type = type, log = TRUE), expected[[type]], 1e-11,
          floor = 1, info = info
        )
        expect_close(
          predict(average, x, type = type, log = TRUE, precision = "single"), expected[[type]],
          1e-5,
          floor = 1, info = info
        )
      }
      class <- apply(expected$posterior, 1, which.max)
      expect_identical(without_labels(predict(average, x, type = "class")), class)
    }
  }
})

test_that("the density is the sum of the members' densities by their shares", {
  members <- lapply(make_members(2, "mixed"), as_model)
  x <- make_points(50, 2)
  expected <- drop(vapply(members, predict, double(50), x) %*% member_shares())
  average <- cwmix_average(members, member_shares())
  expect_equal(predict(average, x), expected, tolerance = 1e-13)
  expect_equal(rowSums(predict(average, x, type = "posterior")), rep(1, 50), tolerance = 1e-13)
  equal <- cwmix_average(members)
  expect_equal(predict(equal, x), rowMeans(vapply(members, predict, double(50), x)))
  expect_identical(equal$shares, rep(1 / 3, 3))
  expect_identical(equal$averaged, rep(1 / 3, 3))
})

test_that("the classifier has the members' weights by their shares, which sum to one", {
  ps <- make_members(2)
  z <- make_points(9, 2)
  expected <- do.call(cbind, Map(`*`, lapply(ps, reference_classifier, z = z), member_shares()))
  classifier <- joint_classifier(make_average(2))
  expect_close(predict(classifier, z), expected, 1e-12)
  expect_equal(rowSums(predict(classifier, z)), rep(1, 9), tolerance = 1e-14)
  expect_identical(predict(classifier, z, log = TRUE), log(predict(classifier, z)))
  expect_error(predict(classifier, 1:3), "2 columns", class = "cwmix_input_error")
})

test_that("no points at all give nothing", {
  average <- make_average(2, "mixed")
  none <- matrix(0, 0, 2)
  expect_identical(predict(average, none), double())
  expect_identical(dim(predict(average, none, type = "posterior")), c(0L, 7L))
  expect_identical(without_labels(predict(average, none, type = "class")), integer())
  expect_identical(dim(residuals(average, none)), c(0L, 2L))
  value <- log_likelihood(average, none, gradient = TRUE)
  expect_identical(as.vector(value), 0)
  expect_identical(range(unlist(attr(value, "gradient"))), c(0, 0))
  expect_identical(predict(average, cbind(NA, 1)), NA_real_)
  missing <- cbind(NA, 1)
  expect_identical(without_labels(predict(average, missing, type = "class")), NA_integer_)
})

test_that("far from all members logarithms stay exact", {
  average <- make_average(1)
  x <- matrix(c(1e4, -1e6, 300))
  expected <- reference_log_average(x, make_members(1), member_shares())
  expect_close(predict(average, x, log = TRUE), expected$density, 1e-12)
  posterior <- predict(average, x, type = "posterior")
  expect_equal(rowSums(posterior), rep(1, 3))
  expect_close(posterior, exp(expected$posterior), 1e-4, floor = 1)
  # where no member has density at all
  expect_identical(predict(average, 1e200), 0)
  expect_true(all(is.na(predict(average, 1e200, type = "posterior"))))
  expect_true(is.na(residuals(average, 1e200)))
  # where only the last has
  wide <- cwmix_model(0, sd = 1e200, classifier = 1)
  one <- cwmix_average(list(make_model(1, 3, 5), wide))
  expect_equal(as.vector(predict(one, 1e190, type = "posterior")), c(0, 0, 0, 1))
  expect_equal(predict(one, 1e190, log = TRUE), log(0.5) + predict(wide, 1e190, log = TRUE))
  with_fixed_seed(1, expect_equal(residuals(one, 1e190)[1], 1e-10))
  gradient <- attr(log_likelihood(one, 1e190, gradient = TRUE), "gradient")
  expect_identical(as.vector(gradient$members[[1]]$mean), double(3))
})

test_that("the gradient is that of the reference, member by member", {
  for (d in c(1, 3)) {
    for (covariance in c("diagonal", "full", "mixed")) {
      ps <- make_members(d, covariance, seed = 4)
      average <- make_average(d, covariance, seed = 4)
      x <- make_points(19, d)
      a <- with_fixed_seed(1, runif(19))
      value <- log_likelihood(average, x, gradient = TRUE, weights = a)
      gradient <- attr(value, "gradient")
      expected <- reference_average_gradient(x, ps, member_shares(), a)
      expect_named(gradient, "members")
      expect_close_gradient(gradient$members, expected, 1e-10)
      log_density <- reference_log_average(x, ps, member_shares())$density
      expect_close(as.vector(value), sum(a * log_density), 1e-11)
    }
  }
})

test_that("finite differences confirm the gradient", {
  ps <- make_members(2, "full", seed = 7)
  x <- make_points(5, 2)
  average <- make_average(2, "full", seed = 7)
  gradient <- attr(log_likelihood(average, x, gradient = TRUE), "gradient")
  for (m in 1:3) {
    own <- gradient$members[[m]]
    for (block in gradient_blocks(ps[[m]])) {
      direction <- random_direction(ps[[m]], block)
      along <- function(step) {
        moved <- ps
        moved[[m]] <- set_block(ps[[m]], block, get_block(ps[[m]], block) + step * direction)
        sum(reference_log_average(x, moved, member_shares())$density)
      }
      expect_close(
        sum(get_block(own, block) * direction), finite_difference(along, 0, h = 1e-4), 1e-7,
        floor = 1, info = paste(m, toString(block))
      )
    }
  }
})

test_that("coefficients have the gradient's shape, a list a member", {
  for (covariance in c("diagonal", "mixed")) {
    average <- make_average(2, covariance)
    gradient <- attr(log_likelihood(average, make_points(4, 2), gradient = TRUE), "gradient")
    shapes <- function(x) rapply(x, function(e) c(length(e), dim(e)), how = "replace")
    expect_identical(shapes(gradient), shapes(coef(average)))
  }
  for (covariance in c("diagonal", "full", "mixed")) {
    expected <- list(members = lapply(make_members(2, covariance), reference_coef))
    expect_equal(coef(make_average(2, covariance)), expected)
  }
})

test_that("an average integrates to one", {
  average <- make_average(1, seed = 3)
  area <- integrate(function(x) predict(average, x), -Inf, Inf, rel.tol = 1e-8)$value
  expect_equal(area, 1, tolerance = 1e-7)
  # by the trapezoidal rule, exact for such integrands
  average <- make_average(2, "mixed", seed = 3)
  at <- seq(-15, 15, by = 0.1)
  expect_equal(sum(predict(average, unname(as.matrix(expand.grid(at, at))))) * 0.01, 1,
    tolerance = 1e-6
  )
})

test_that("the distribution function is the members' by their shares, in either tail", {
  for (support in list(NULL, c(0, Inf), c(0, 1))) {
    members <- lapply(make_members(1), as_model, support = support)
    average <- cwmix_average(members, member_shares())
    q <- if (is.null(support)) c(-30, -2, 0, 1.5, 40) else c(0.001, 0.3, 0.5, 0.999)
    for (lower in c(TRUE, FALSE)) {
      expected <- vapply(members, function(m) pcwmix(q, m, lower), q) %*% member_shares()
      expect_close(pcwmix(q, average, lower), drop(expected), 1e-12)
      expect_equal(pcwmix(q, average, lower, log.p = TRUE), log(drop(expected)), tolerance = 1e-12)
    }
    ends <- if (is.null(support)) c(-Inf, Inf) else support
    expect_identical(pcwmix(ends, average), c(0, 1))
    p <- c(1e-8, 0.1, 0.5, 0.9, 1 - 1e-6)
    expect_equal(pcwmix(qcwmix(p, average), average), p, tolerance = 1e-10)
    expect_identical(qcwmix(c(0, 1), average), as.double(ends))
  }
})

test_that("draws follow the density", {
  average <- make_average(1, seed = 5)
  x <- simulate(average, 20000, seed = 7)
  expect_gt(chi_square(average, as.vector(x)), 0.001)
  # a bounded column, full covariances
  bounded <- make_average(1, "full", support = c(0, 3), seed = 5)
  y <- as.vector(with_fixed_seed(8, rcwmix(4000, bounded)))
  expect_gt(ks.test(y, function(q) pcwmix(q, bounded))$p.value, 0.001)
})

test_that("draws come from components by their weights at the base points", {
  average <- make_average(2, "mixed", seed = 6)
  n <- 20000
  x <- simulate(average, n, seed = 9, component = TRUE)
  component <- attr(x, "component")
  z <- attr(x, "z")
  expect_equal(x[seq_along(x)], as.vector(place(average, z, component)), tolerance = 1e-14)
  w <- predict(joint_classifier(average), z)
  score <- (tabulate(component, 7) - colSums(w)) / sqrt(colSums(w * (1 - w)))
  expect_lt(max(abs(score)), 4)
  # also where a weight is large
  for (k in 1:7) {
    rows <- w[, k] >= median(w[, k])
    spread <- sqrt(sum(w[rows, k] * (1 - w[rows, k])))
    expect_lt(abs(sum((component == k)[rows] - w[rows, k])) / spread, 4)
  }
  for (j in 1:2) expect_gt(ks.test(z[, j], "pnorm")$p.value, 0.001)
  expect_gt(cor.test(z[, 1], z[, 2])$p.value, 0.001)
})

test_that("draws are exchangeable: members come in no order", {
  component <- attr(simulate(make_average(1), 20000, seed = 10, component = TRUE), "component")
  member <- rep(1:3, c(3, 2, 2))[component]
  expect_gt(chisq.test(table(member), p = member_shares())$p.value, 0.001)
  expect_gt(chisq.test(table(member[-1], member[-20000]))$p.value, 0.001)
  expect_gt(cor.test(member, seq_along(member))$p.value, 0.001)
})

test_that("the first draws do not depend on how many follow, nor residuals on rows after them", {
  average <- make_average(2, "mixed")
  few <- simulate(average, 7, seed = 1, component = TRUE)
  # more than a block
  many <- simulate(average, 2e5, seed = 1, component = TRUE)
  expect_identical(as.vector(few), as.vector(many[1:7, ]))
  expect_identical(attr(few, "component"), attr(many, "component")[1:7])
  expect_identical(attr(few, "z"), attr(many, "z")[1:7, ])
  expect_identical(with_fixed_seed(1, rcwmix(7, average)), few[, ])
  z <- with_fixed_seed(4, residuals(average, many[1:20, ]))
  expect_identical(with_fixed_seed(4, residuals(average, many[1:6, ])), z[1:6, ])
})

test_that("latent residuals of draws are independent standard normals", {
  for (d in c(1, 3)) {
    average <- make_average(d, "mixed", seed = 8)
    x <- simulate(average, 4000, seed = 20 + d)
    z <- with_fixed_seed(d, residuals(average, x))
    for (j in seq_len(d)) expect_gt(ks.test(z[, j], "pnorm")$p.value, 0.001)
    expect_gt(ks.test(rowSums(z) / sqrt(d), "pnorm")$p.value, 0.001)
    expect_gt(ks.test(rowSums(z^2), "pchisq", d)$p.value, 0.001)
  }
})

test_that("residuals take one uniform a complete row and choose by the posterior", {
  average <- make_average(2, seed = 9)
  x <- make_points(5, 2)
  x[2, 1] <- NA
  after <- with_fixed_seed(3, {
    expect_identical(is.na(residuals(average, x)[, 1]), seq_len(5) == 2)
    runif(1)
  })
  expect_identical(after, with_fixed_seed(3, runif(5))[5])
  # at one point: the shares of the latent points are the posterior
  at <- matrix(c(0.3, -0.2), 20000, 2, byrow = TRUE)
  z <- with_fixed_seed(5, residuals(average, at))
  latent_points <- unlist(lapply(average$members, function(member) {
    (at[1, 1] - member$mean[, 1]) / member$sd[, 1]
  }))
  counts <- rowSums(abs(outer(latent_points, z[, 1], `-`)) < 1e-9)
  posterior <- predict(average, at[1, , drop = FALSE], type = "posterior")
  expect_identical(sum(counts), 20000)
  expect_gt(chisq.test(counts, p = posterior)$p.value, 0.001)
})

test_that("an average of one density is that density, of averages one of their members", {
  model <- make_model(2, 3, c(5, 4))
  x <- make_points(10, 2)
  one <- cwmix_average(list(model))
  expect_identical(one$members, list(model))
  expect_identical(predict(one, x), predict(model, x))
  expect_identical(simulate(one, 5, seed = 1), simulate(model, 5, seed = 1))

  inner <- make_average(2)
  outer <- cwmix_average(list(inner, model), c(0.6, 0.4))
  expect_equal(predict(outer, x), 0.6 * predict(inner, x) + 0.4 * predict(model, x))
  expect_equal(outer$averaged, c(0.6 * member_shares(), 0.4))
  members <- c(lapply(make_members(2), as_model), list(model))
  flat <- cwmix_average(members, c(0.6 * member_shares(), 0.4))
  expect_equal(flat, outer)
})

test_that("members of one component each, and equal ones, make an average", {
  normals <- lapply(1:3, function(i) cwmix_model(i, sd = i, classifier = 1))
  expect_equal(
    predict(cwmix_average(normals), 0:4),
    vapply(0:4, function(x) mean(dnorm(x, 1:3, 1:3)), 0)
  )
  model <- make_model(1, 1, 4)
  twice <- cwmix_average(list(model, model))
  expect_equal(predict(twice, -2:2), dnorm(-2:2, model$mean[1], model$sd[1]))
})

test_that("members with constant weights become one mixture, by decreasing weight", {
  a <- cwmix_model(c(-1, 1), sd = c(1, 2), classifier = c(0.3, 0.7))
  b <- cwmix_model(5, sd = 0.5, classifier = 1)
  average <- cwmix_average(list(a, b), c(0.6, 0.4))
  expect_length(average$members, 1)
  expect_identical(average$members[[1]]$mean[, 1], c(1, 5, -1))
  expect_identical(average$members[[1]]$sd[, 1], c(2, 0.5, 1))
  expect_equal(as.vector(predict(joint_classifier(average), 0)), c(0.42, 0.4, 0.18))
  # the biases of constant weights may lack a constant; weights may be zero
  shifted <- cwmix_model(c(-1, 1), sd = c(1, 2), classifier = cwmix_classifier(
    list(), list(c(log(0.3), log(0.7)) + 5)
  ))
  expect_equal(cwmix_average(list(shifted, b), c(0.6, 0.4)), average)
  zero <- cwmix_average(list(cwmix_model(c(0, 1), sd = c(1, 1), classifier = c(0, 1)), b))
  expect_equal(predict(zero, 1), 0.5 * dnorm(1, 1) + 0.5 * dnorm(1, 5, 0.5))
  # among networks they are the last member
  mixed <- cwmix_average(list(a, make_model(1, 3, 5), b))
  expect_length(mixed$members, 2)
  expect_equal(mixed$shares, c(1, 2) / 3)
  expect_equal(mixed$members[[2]]$mean[, 1], c(5, 1, -1))
  expect_equal(mixed$averaged, rep(1 / 3, 3))
})

test_that("an R function can be a member's classifier", {
  by_function <- cwmix_model(
    c(-1, 1), sd = c(1, 0.5), classifier = function(z) cbind(plogis(4 * z), plogis(-4 * z))
  )
  network <- make_model(1, 3, 5)
  average <- cwmix_average(list(by_function, network))
  x <- c(-2, 0, 1)
  half <- function(f) (f(by_function) + f(network)) / 2
  expect_equal(predict(average, x), half(function(m) predict(m, x)))
  expect_equal(pcwmix(x, average), half(function(m) pcwmix(x, m)), tolerance = 1e-10)
  draws <- as.vector(simulate(average, 10000, seed = 3))
  expect_gt(chi_square(average, draws), 0.001)
  z <- with_fixed_seed(1, residuals(average, draws[1:4000]))
  expect_gt(ks.test(z, "pnorm")$p.value, 0.001)
  expect_named(coef(average)$members[[1]], c("mean", "log_sd"))
  expect_identical(count_parameters(average), NA_integer_)
  expect_error(log_likelihood(average, x, gradient = TRUE), class = "cwmix_input_error")
})

# Densities of every kind in one column.
mixed_kinds <- function() {
  list(
    fit_behind_flow(faithful$waiting, K = 2), fit_small_flow(faithful$waiting, "spline"),
    cwmix_model(
      components = list(norm = list(mean = c(54, 80), sd = c(6, 6))), classifier = small_network()
    ),
    fit_mixture(faithful$waiting, 2), fit_network(faithful$waiting, 2)
  )
}

test_that("flows, families and mixtures behind flows are averaged with any other density", {
  members <- mixed_kinds()
  shares <- c(0.3, 0.1, 0.2, 0.25, 0.15)
  average <- cwmix_average(members, shares)
  # a Gaussian mixture comes last
  order <- c(1, 2, 3, 5, 4)
  expect_equal(average$shares, shares[order])
  expect_identical(average$averaged, shares)
  sums <- function(f) drop(vapply(members, f, double(7)) %*% shares)
  x <- c(30, 45, 54, 60, 72.5, 80, 99)
  expect_close(predict(average, x), sums(function(member) predict(member, x)), 1e-12)
  expect_close(pcwmix(x, average), sums(function(member) pcwmix(x, member)), 1e-12)
  components <- do.call(cbind, lapply(members[order], predict, x, type = "component", log = TRUE))
  expect_close(predict(average, x, type = "component", log = TRUE), components, 1e-12)
  joint <- predict(average, x, type = "weights") * predict(average, x, type = "component")
  expect_close(rowSums(joint), predict(average, x), 1e-11)
  expect_close(predict(average, x, type = "posterior"), joint / rowSums(joint), 1e-9, floor = 1)
  p <- c(1e-8, 0.1, 0.5, 0.9, 1 - 1e-6)
  expect_equal(pcwmix(qcwmix(p, average), average), p, tolerance = 1e-9)
  draws <- as.vector(simulate(average, 4000, seed = 1))
  expect_gt(ks.test(draws, function(q) pcwmix(q, average))$p.value, 0.001)
  z <- with_fixed_seed(2, residuals(average, draws))
  expect_gt(ks.test(z, "pnorm")$p.value, 0.001)
  expect_lt(abs(bare(with_fixed_seed(3, mean(average))) - mean(draws)), 4 * sd(draws) / 60)
  expect_identical(nrow(tidy(average)), size(average)$K)
  expect_lte(length(format(average)), 8)
})

test_that("finite differences confirm the gradient of an average of flows", {
  members <- mixed_kinds()[-3]
  average <- cwmix_average(members)
  x <- c(45, 54, 60, 72.5, 80)
  gradient <- attr(log_likelihood(average, x, gradient = TRUE), "gradient")$members
  sizes <- function(x) rapply(x, length, how = "list")
  expect_identical(sizes(list(members = gradient)), sizes(coef(average)))
  for (m in 1:2) {
    flat <- unlist(coef(average)$members[[m]])
    entries <- with_fixed_seed(1, sample(length(flat), 20))
    value <- function(flat) {
      moved <- average
      coef <- unflatten(flat, coef(average$members[[m]]))
      moved$members[[m]] <- with_coef(average$members[[m]], coef)
      log_likelihood(moved, x)
    }
    expected <- finite_difference(value, unname(flat), entries)
    expect_close_gradient(unname(unlist(gradient[[m]]))[entries], expected, 1e-5)
  }
})

test_that("outside the support there is no density", {
  average <- make_average(2, "mixed", support = list(c(0, Inf), c(-1, 1)))
  x <- rbind(c(1, 0), c(-1, 0), c(1, 1), c(NA, 0))
  density <- predict(average, x)
  expect_identical(density[-1], c(0, 0, NA))
  expect_identical(is.na(predict(average, x, type = "posterior")[, 1]), c(FALSE, TRUE, TRUE, TRUE))
  draws <- simulate(average, 1000, seed = 1)
  expect_gt(min(predict(average, draws)), 0)
})

test_that("averages of fits have their columns and types of draws", {
  mixture <- function(x, seed, ...) with_fixed_seed(seed, gaussian_mixture(x, 2, ...))
  network <- fit_network(faithful, K = 2)
  average <- cwmix_average(list(network, mixture(faithful, 1, covariance = "full")))
  expect_identical(names(simulate(average, 2, seed = 1)), names(faithful))
  for (member in average$members) expect_identical(colnames(member$mean), names(faithful))
  expect_identical(predict(average, faithful[2:1]), predict(average, faithful))
  by_name <- attr(log_likelihood(average, faithful, gradient = TRUE), "gradient")$members
  for (member in by_name) expect_identical(colnames(member$mean), names(faithful))
  expect_identical(colnames(residuals(average, faithful)), names(faithful))

  unnamed <- cwmix_model(matrix(c(3, 70), 1), sd = matrix(c(1, 10), 1), classifier = 1)
  for (fits in list(list(unnamed, network), list(network, unnamed))) {
    expect_s3_class(simulate(cwmix_average(fits), 2, seed = 1), "data.frame")
  }
  vectors <- cwmix_average(lapply(1:2, function(seed) mixture(faithful$waiting, seed)))
  expect_null(dim(simulate(vectors, 3, seed = 1)))
  matrices <- cwmix_average(lapply(1:2, function(seed) mixture(unname(as.matrix(faithful)), seed)))
  expect_identical(dim(simulate(matrices, 3, seed = 1)), c(3L, 2L))
  formula <- lapply(1:2, function(seed) {
    with_fixed_seed(seed, gaussian_mixture(~ log(waiting), faithful, 2))
  })
  average <- cwmix_average(formula)
  expect_equal(predict(average, faithful), predict(average, data.frame(`log(waiting)` = log(
    faithful$waiting
  ), check.names = FALSE)), ignore_attr = TRUE)
})

test_that("any number of threads gives the same bits", {
  average <- make_average(2, "mixed")
  x <- make_points(3000, 2)
  without_limits(expect_same_bits(list(
    predict(average, x), predict(average, x, type = "posterior"),
    simulate(average, 5000, seed = 1, component = TRUE), with_fixed_seed(1, residuals(average, x)),
    log_likelihood(average, x, gradient = TRUE)
  )))
})

test_that("prints say what is averaged, in few lines", {
  networks <- lapply(1:5, function(seed) make_model(2, 3, c(32, 32), seed = seed))
  expect_snapshot({
    cwmix_average(networks)
    make_average(2, "mixed")
    make_average(1, support = c(0, Inf))
    cwmix_average(networks[1])
    joint_classifier(make_average(2))
    cwmix_average(lapply(2:9, function(h) make_model(1, 2, h)), c(0.16, rep(0.12, 7)))
    cwmix_average(list(vector_model(), vector_model()))
    cwmix_average(mixed_kinds()[1:3])
    cwmix_average(mixed_kinds()[c(2, 2, 4)])
  })
  expect_snapshot(summary(make_average(1)))
})

test_that("tables of components and points are those of any density", {
  average <- make_average(2, "mixed")
  components <- tidy(average)
  expect_identical(nrow(components), 7L)
  expect_identical(components$member, rep(1:3, c(3, 2, 2)))
  expect_equal(components$mean.x1, unlist(lapply(average$members, function(m) m$mean[, 1])))
  x <- make_points(4, 2)
  augmented <- augment(average, x)
  expect_equal(augmented$.density, predict(average, x))
  expect_equal(augmented$.class, without_labels(predict(average, x, type = "class")))
})

test_that("an average has no number of parameters, whatever its members have", {
  for (average in list(make_average(2), cwmix_average(list(vector_model(), vector_model())))) {
    expect_identical(count_parameters(average), NA_integer_)
    expect_no_match(format(average), "parameter")
  }
  x <- faithful$waiting
  average <- cwmix_average(list(fit_mixture(x, 2), fit_mixture(x, 3)))
  expect_identical(compare(list(average), x)$df, NA_real_)
})

test_that("labels of an average come with one warning, that they are no clusters", {
  average <- make_average(1)
  seen <- catch_conditions(predict(average, c(-1, 0, 2), type = "class"))
  expect_length(seen$conditions, 1)
  expect_s3_class(seen$conditions[[1]], "cwmix_labels")
  expect_match(conditionMessage(seen$conditions[[1]]), "no clusters.*all 3 densities.*`K`")
  expect_identical(conditionCall(seen$conditions[[1]])[[1]], quote(predict))
  expect_length(seen$value, 3)
  # other predictions, augment() and an average of one density are silent
  expect_silent(predict(average, c(-1, 0, 2), type = "posterior"))
  expect_silent(augment(average, c(-1, 0, 2)))
  expect_silent(predict(cwmix_average(list(vector_model())), c(-1, 0, 2), type = "class"))
  expect_warning(predict(ring_fit(60, 6), ring(5), type = "class"), class = "cwmix_labels")
})

test_that("what needs data says so", {
  average <- make_average(1)
  expect_error(logLik(average), "average of densities", class = "cwmix_input_error")
  expect_error(update(average), "average of densities", class = "cwmix_input_error")
  expect_error(glance(average), "average of densities", class = "cwmix_input_error")
  expect_error(plot(average, what = "training"), "average", class = "cwmix_input_error")
  expect_error(plot(average, what = "residuals"), "average", class = "cwmix_input_error")
})

test_that("an average of networks starts a fit by its draws, one of mixtures as it is", {
  x <- faithful$waiting
  networks <- cwmix_average(lapply(1:2, function(seed) fit_network(x, 2, seed = seed)))
  by_draws <- fit_mixture(x, 2, start = networks)
  expected <- with_fixed_seed(1, {
    mixture <- gaussian_mixture(rcwmix(2000, networks), 2)
    gaussian_mixture(x, 2, start = mixture)
  })
  expect_equal(by_draws$trace, expected$trace, tolerance = 1e-3)
  network <- fit_network(x, 4, start = networks)
  expect_s3_class(network, "cwmix")
  expect_gt(network$trace$training[1], fit_mixture(x, 1)$log_likelihood / 272)

  mixtures <- cwmix_average(lapply(1:2, function(seed) fit_mixture(x, 2, seed = seed)))
  as_is <- fit_mixture(x, 4, start = mixtures)
  expect_s3_class(as_is, "gaussian_mixture")
  expect_equal(as_is$trace$log_likelihood[1], log_likelihood(mixtures, x) / 272)

  # of one network, as that network
  single <- fit_network(x, 2, activation = "silu")
  from <- function(start) fit_network(x, 2, activation = "silu", start = start)
  of_one <- from(cwmix_average(list(single)))
  expect_identical(of_one$trace, from(single)$trace)
  expect_identical(of_one$classifier$activation, "silu")
})

test_that("plots of every kind are drawn", {
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  for (d in 1:3) {
    average <- make_average(d, "mixed")
    x <- simulate(average, 100, seed = 1)
    kinds <- c("density", "components", "residuals", if (d < 3) c("weights", "classifier"))
    for (what in kinds) expect_silent(drawn <- plot(average, x, what = what))
  }
  average <- make_average(1)
  expect_equal(plot(average)$y, predict(average, plot(average)$x))
  expect_equal(
    plot(average, what = "classifier")$y,
    predict(joint_classifier(average), plot(average, what = "classifier")$x)
  )
  # seventy components
  many <- cwmix_average(lapply(1:10, function(seed) make_model(2, 7, 4, "full", seed = seed)))
  for (what in c("components", "weights", "classifier")) expect_silent(plot(many, what = what))
})

test_that("a picture scores an average as any density", {
  picture <- image_density(diag(4))
  members <- lapply(make_members(2), as_model, support = list(c(0, 1), c(0, 1)))
  average <- cwmix_average(members, member_shares())
  at <- expand.grid(x = (1:8 - 0.5) / 8, y = (1:8 - 0.5) / 8)
  mass <- predict(picture, at) / 64
  score <- sum(mass * predict(average, unname(as.matrix(at)), log = TRUE))
  expect_equal(expected_log_density(picture, average), score)
})

test_that("a value on a bound counts as far inside as any member takes it, in any order", {
  counts <- rep(0:4, 10)
  fits <- list(
    fit_stack(counts, support = c(0, 5)), fit_stack(counts + 0.5, support = c(0, 5)),
    fit_stack(counts + 1, support = c(0, 5)),
    cwmix_model(c(-1, 1), sd = c(1, 2), classifier = c(0.3, 0.7), support = c(0, 5))
  )
  expect_null(fits[[2]]$frame$inset)
  for (order in list(1:4, 4:1, c(2, 3, 1, 4))) {
    average <- cwmix_average(fits[order])
    expect_identical(average$frame$inset, matrix(0.01, 1, 2))
    inside <- vapply(fits, predict, double(2), c(0.01, 4.99))
    expect_close(predict(average, c(0, 5)), rowMeans(inside), 1e-12)
    expect_silent(validate_density(average, "average", NULL))
  }
  # without bounds there is nothing to be inside of
  free <- unbounded(average)
  expect_null(free$frame$inset)
  expect_silent(validate_frame(free$frame))
})

test_that("densities and draws are those of the members, one at a time", {
  for (name in c("average", "average of mapped", "average of mapped, one column")) {
    object <- kinds(paste0("^", name, "$"))[[1]]$object
    base <- with_fixed_seed(3, engine_base_draws(500L, dimension(object)))
    at <- draw_at(object, base)
    up_to <- cumsum(object$shares)
    components <- member_components(object)
    one <- function(i) {
      m <- which(base$u[i] <= up_to)[1]
      u <- (base$u[i] - c(0, up_to)[m]) / object$shares[m]
      own <- draw_at(object$members[[m]], list(z = base$z[i, , drop = FALSE], u = u))
      c(components[[m]][own$component], own$y)
    }
    expected <- t(vapply(1:500, one, double(1 + ncol(base$z))))
    expect_equal(cbind(at$component, at$y), expected, tolerance = 1e-14, info = name)
    each <- vapply(object$members, evaluate, double(500), points_at(at$y), "density")
    expect_close(
      evaluate(object, points_at(at$y), "density"), log(drop(exp(each) %*% object$shares)), 1e-12,
      floor = 1, info = name
    )
  }
})
