test_that("an instance forced by the environment is the one in use", {
  forced <- Sys.getenv("CWMIX_INSTANCE")
  info <- cwmix_info()
  best <- info$instances[length(info$instances)]
  expect_identical(info$instance, if (nzchar(forced)) forced else best)
  expect_identical(info$instances[1], "plain")
})

test_that("with_engine forces an instance and puts the former back", {
  before <- cwmix_info()$instance
  for (instance in cwmix_info()$instances) {
    expect_identical(with_engine(cwmix_info()$instance, instance = instance), instance)
  }
  expect_identical(cwmix_info()$instance, before)
  expect_error(
    with_engine(1, instance = "abacus"), "must be one that",
    class = "cwmix_input_error"
  )
})

test_that("an unknown instance in the environment is refused at load", {
  out <- in_new_session(character(), "CWMIX_INSTANCE=abacus")
  expect_match(paste(out, collapse = " "), "CWMIX_INSTANCE", fixed = TRUE)
})

test_that("info prints itself", {
  printed <- paste(capture.output(print(cwmix_info())), collapse = "\n")
  expect_match(printed, "engine .* threads .* compiler")
})

test_that("the number of threads is the argument, or the option, or the processors", {
  old <- options(cwmix.threads = 1)
  on.exit(options(old))
  without_limits({
    expect_identical(thread_count(), 1L)
    # as a cwmix_control() has it where threads are not given
    expect_identical(thread_count(NULL), 1L)
    expect_identical(thread_count(2), 2L)
    options(cwmix.threads = NULL)
    expect_identical(thread_count(NULL), cwmix_info()$processors)
  })
})
