test_that("an instance forced by the environment is the one in use", {
  forced <- Sys.getenv("CWMIX_INSTANCE")
  info <- cwmix_info()
  expect_identical(info$instance, if (nzchar(forced)) forced else info$instances[length(info$instances)])
  expect_identical(info$instances[1], "plain")
})

test_that("with_engine forces an instance and puts the former back", {
  before <- cwmix_info()$instance
  for (instance in cwmix_info()$instances) {
    expect_identical(cwmix:::with_engine(cwmix_info()$instance, instance = instance), instance)
  }
  expect_identical(cwmix_info()$instance, before)
  expect_error(cwmix:::with_engine(1, instance = "abacus"), "must be one that", class = "cwmix_input_error")
})

test_that("an unknown instance in the environment is refused at load", {
  script <- "Sys.setenv(CWMIX_INSTANCE = 'abacus'); cat(tryCatch(loadNamespace('cwmix'), error = conditionMessage))"
  out <- system2(
    file.path(R.home("bin"), "Rscript"), c("-e", shQuote(script)),
    stdout = TRUE, stderr = TRUE, env = paste0("R_LIBS=", shQuote(paste(.libPaths(), collapse = .Platform$path.sep)))
  )
  expect_match(paste(out, collapse = " "), "CWMIX_INSTANCE", fixed = TRUE)
})

test_that("info prints itself", {
  expect_match(paste(capture.output(print(cwmix_info())), collapse = "\n"), "engine .* threads .* compiler")
})
