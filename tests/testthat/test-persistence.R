test_that("a new session gives the same bits from a saved model", {
  files <- tempfile(c("models", "answers", "script"))
  on.exit(unlink(files))
  models <- with_fixed_seed(1, persistent_models())
  saveRDS(models, files[1])
  expected <- with_fixed_seed(1, lapply(models, function(m) everything(m[[1]], m[[2]])))
  dump("everything", files[3], envir = environment(everything))
  code <- sprintf(
    '.libPaths(%s); library(cwmix); source("%s")
    asNamespace("cwmix")$with_engine(instance = "%s", {
      models <- readRDS("%s")
      saveRDS(lapply(models, function(m) everything(m[[1]], m[[2]])), "%s")
    })',
    paste(deparse(.libPaths()), collapse = ""), files[3], cwmix_info()$instance, files[1], files[2]
  )
  script <- tempfile(fileext = ".R")
  on.exit(unlink(script), add = TRUE)
  writeLines(code, script)
  output <- system2(
    file.path(R.home("bin"), "Rscript"), c("--vanilla", shQuote(script)),
    stdout = TRUE, stderr = TRUE
  )
  expect_null(attr(output, "status"), info = paste(output, collapse = "\n"))
  answers <- readRDS(files[2])
  for (name in names(expected)) expect_identical(answers[[name]], expected[[name]], info = name)
})

test_that("a PSOCK worker gives the same bits", {
  models <- with_fixed_seed(1, persistent_models())
  expected <- with_fixed_seed(1, lapply(models, function(m) everything(m[[1]], m[[2]])))
  cluster <- parallel::makePSOCKcluster(1, setup_strategy = "sequential")
  on.exit(parallel::stopCluster(cluster))
  code <- everything
  environment(code) <- globalenv()
  answers <- parallel::clusterCall(
    cluster, function(paths, instance, models, code) {
      .libPaths(paths)
      use <- asNamespace("cwmix")$with_engine
      use(lapply(models, function(m) code(m[[1]], m[[2]])), instance = instance)
    }, .libPaths(), cwmix_info()$instance, models, code
  )[[1]]
  for (name in names(expected)) expect_identical(answers[[name]], expected[[name]], info = name)
})

test_that("serialising and back gives the same object", {
  models <- with_fixed_seed(1, persistent_models())
  models$fn <- NULL
  # a formula comes back with another environment
  models$formula <- NULL
  for (m in models) {
    expect_identical(unserialize(serialize(m[[1]], NULL)), m[[1]])
  }
})

test_that("objects are lists of vectors: no pointers, environments or functions", {
  models <- with_fixed_seed(1, persistent_models())
  models[c("formula", "fn")] <- NULL
  for (name in names(models)) {
    found <- types_within(models[[name]][[1]])
    expect_identical(
      setdiff(
        found, c("list", "double", "integer", "character", "logical", "NULL", "language", "symbol")
      ),
      character(),
      info = name
    )
  }
  formula <- with_fixed_seed(1, gaussian_mixture(~waiting, faithful, K = 2))
  formula$columns$terms <- NULL
  formula$call <- NULL
  expect_false("environment" %in% types_within(formula))
})

test_that("a fit does not grow with its data, but for the rows held out and the trace", {
  x <- make_points(20000, 2)
  control <- cwmix_control(epochs = 1, starts = 1, em_iterations = 5, batch_size = 5000)
  size <- function(fit) as.numeric(object.size(fit))
  fit <- function(n) {
    with_fixed_seed(1, cwmix(x[seq_len(n), ], K = 2, hidden = 4, control = control))
  }
  small <- fit(200)
  large <- fit(20000)
  held <- size(large$held_rows) - size(small$held_rows)
  expect_lte(size(large) - size(small), held + 1000)
  # 2000 integers
  expect_lt(size(large$held_rows), 8200)
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
