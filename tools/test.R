# Runs the tests with the installed package and closes with one line of counts.
# Usage: Rscript tools/test.R [regular expression that the test files' names match]

# Snapshots and slow tests are for here; R CMD check runs what CRAN would.
Sys.setenv(NOT_CRAN = "true")
options(device = function(...) grDevices::pdf(NULL))

arguments <- commandArgs(trailingOnly = TRUE)
results <- testthat::test_dir(
  "tests/testthat",
  filter = if (length(arguments)) arguments[1],
  reporter = testthat::ProgressReporter$new(
    show_praise = FALSE, update_interval = Inf, max_failures = Inf
  ),
  stop_on_failure = FALSE,
  package = "cwmix",
  load_package = "installed"
)

tests <- as.data.frame(results)
failed <- tests$failed > 0 | tests$error
skipped <- tests$skipped & !failed
passed <- !failed & !skipped
cat(sprintf("%d passed, %d failed, %d skipped\n", sum(passed), sum(failed), sum(skipped)))
quit(status = if (any(failed) || !any(passed)) 1 else 0)
