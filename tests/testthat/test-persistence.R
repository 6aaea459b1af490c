test_that("a new session gives the same bits from a saved density", {
  files <- tempfile(c("kinds", "answers", "script", "code"))
  on.exit(unlink(files))
  saveRDS(kinds(), files[1])
  expected <- with_fixed_seed(1, lapply(kinds(), everything))
  dump("everything", files[3], envir = environment(kinds))
  writeLines(sprintf(
    '.libPaths(%s); library(cwmix); source("%s")
    asNamespace("cwmix")$with_engine(instance = "%s", {
      saveRDS(lapply(readRDS("%s"), everything), "%s")
    })',
    paste(deparse(.libPaths()), collapse = ""), files[3], cwmix_info()$instance, files[1], files[2]
  ), files[4])
  output <- system2(
    file.path(R.home("bin"), "Rscript"), c("--vanilla", shQuote(files[4])),
    stdout = TRUE, stderr = TRUE
  )
  expect_null(attr(output, "status"), info = paste(output, collapse = "\n"))
  answers <- readRDS(files[2])
  for (name in names(expected)) expect_identical(answers[[name]], expected[[name]], info = name)
})

test_that("a PSOCK worker gives the same bits", {
  expected <- with_fixed_seed(1, lapply(kinds(), everything))
  cluster <- parallel::makePSOCKcluster(1, setup_strategy = "sequential")
  on.exit(parallel::stopCluster(cluster))
  code <- everything
  environment(code) <- globalenv()
  answers <- parallel::clusterCall(
    cluster, function(paths, instance, kinds, code) {
      .libPaths(paths)
      use <- asNamespace("cwmix")$with_engine
      use(lapply(kinds, code), instance = instance)
    }, .libPaths(), cwmix_info()$instance, kinds(), code
  )[[1]]
  for (name in names(expected)) expect_identical(answers[[name]], expected[[name]], info = name)
})

test_that("but for the terms of a formula there is no environment", {
  formula <- kinds("^formula")[[1]]$object
  formula$frame$terms <- NULL
  formula$call <- NULL
  expect_identical(intersect(types_within(formula), c("environment", "closure")), character())
})

test_that("a fit does not grow with its data, but for what is held out and the trace", {
  x <- make_points(20000, 2)
  control <- cwmix_control(epochs = 1, starts = 1, em_iterations = 5, batch_size = 5000)
  size <- function(fit) as.numeric(object.size(fit))
  fit <- function(n) {
    with_fixed_seed(1, cwmix(x[seq_len(n), ], K = 2, hidden = 4, control = control))
  }
  small <- fit(200)
  large <- fit(20000)
  # the rows that validate it, and the units that they are
  held <- function(fit) size(fit$held_rows) + size(fit$optimiser$units$held)
  expect_lte(size(large) - size(small), held(large) - held(small) + 1000)
  # 2000 integers each
  expect_lt(held(large), 2 * 8200)
  mixture <- function(n) {
    suppressWarnings(
      with_fixed_seed(1, gaussian_mixture(x[seq_len(n), ], K = 2, control = control)),
      classes = "cwmix_not_converged"
    )
  }
  expect_lte(size(mixture(20000)) - size(mixture(200)), 1000)
})

test_that("data are kept when asked for, and only then", {
  control <- cwmix_control(epochs = 1, starts = 1)
  kept <- with_fixed_seed(
    1, cwmix(faithful, K = 2, hidden = 3, control = control, keep_data = TRUE)
  )
  expect_identical(kept$data$x, faithful)
  not <- with_fixed_seed(1, cwmix(faithful, K = 2, hidden = 3, control = control))
  expect_null(not$data)
  mixture <- with_fixed_seed(1, gaussian_mixture(faithful, K = 2, keep_data = TRUE))
  expect_identical(mixture$data$x, faithful)
})
