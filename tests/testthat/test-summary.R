test_that("a density prints itself in at most eight lines", {
  for (fit in printed_fits()) expect_lte(length(capture.output(print(fit))), 8)
  expect_snapshot({
    printed_fits()$mixture
    printed_fits()$bounded
    printed_fits()$model
  })
})

test_that("print returns its argument invisibly, and format what is printed", {
  for (fit in printed_fits()) {
    printed <- capture.output(returned <- withVisible(print(fit)))
    expect_identical(returned, list(value = fit, visible = FALSE))
    expect_identical(printed, format(fit))
  }
})

test_that("the summary has means, standard deviations and covariances", {
  fit <- printed_fits()$cwmix
  s <- summary(fit)
  means <- as.matrix(s$components[c("mean.eruptions", "mean.waiting")])
  expect_equal(means, fit$mean, ignore_attr = TRUE)
  for (k in 1:3) {
    expect_equal(s$covariance[, , k], tcrossprod(fit$cholesky[, , k]))
    expect_equal(
      unlist(s$components[k, c("sd.eruptions", "sd.waiting")], use.names = FALSE),
      sqrt(diag(s$covariance[, , k]))
    )
  }
  expect_equal(sum(s$components$proportion), 1)
  expect_null(summary(printed_fits()$mixture)$covariance)
  expect_snapshot(summary(printed_fits()$mixture))
})

test_that("logLik, AIC, BIC and nobs agree", {
  fit <- printed_fits()$mixture
  expect_equal(as.numeric(logLik(fit)), as.numeric(log_likelihood(fit, faithful)))
  # Two means and two standard deviations a component, and one free weight.
  expect_identical(attr(logLik(fit), "df"), 9L)
  expect_identical(nobs(fit), 272L)
  expect_equal(AIC(fit), -2 * fit$log_likelihood + 2 * 9)
  expect_equal(BIC(fit), -2 * fit$log_likelihood + log(272) * 9)
  expect_error(logLik(printed_fits()$model), "must be a fit", class = "cwmix_input_error")
})

test_that("a variational fit says how far it can be trusted", {
  fits <- printed_vi_fits()
  for (fit in fits) expect_lte(length(capture.output(print(fit))), 8)
  expect_snapshot({
    fits$good
    fits$poor
    fits$unknown
  })
  expect_identical(summary(fits$poor)$header, format(fits$poor))
  expect_equal(sum(summary(fits$good)$components$proportion), 1)
  expect_error(format(fits$good, 3), class = "cwmix_input_error")
})

test_that("what is said of a label stays within the width of the console", {
  line <- paste("  recorded   ", paste(rep("some words", 20), collapse = " "))
  for (width in c(40, 80)) {
    lines <- with_width(width, within_width(c("A headline", line)))
    expect_true(all(nchar(lines) < width))
    expect_identical(unique(substr(lines[-(1:2)], 1, 14)), strrep(" ", 14))
    said <- paste(trimws(substring(lines[-1], 15)), collapse = " ")
    expect_identical(said, substring(line, 15))
  }
  expect_identical(with_width(300, within_width(line)), line)
})
