# The sizes of tiles and blocks in src/engine: the package is built with other values, and steps and
# densities at the paper's size are timed as a share of their time with the values it has. Prints a
# table in Markdown.
#   Rscript bench/tiles.R
source(file.path("bench", "helpers.R"))
settings <- c(
  "as they are", "FORWARD_ROWS=64", "FORWARD_ROWS=128", "FORWARD_ROWS=512", "KEPT_BYTES=262144",
  "KEPT_BYTES=1048576", "DENSITY_ROWS=64", "DENSITY_ROWS=128", "DENSITY_ROWS=512",
  "FIRST_REACH=1", "FIRST_REACH=4", "FIRST_REACH=8", "STREAM_BYTES=4096", "STREAM_BYTES=16384"
)

# Microseconds a row of four steps, exact and not, and of densities of all rows in double and
# single, with the package in `library` and the model in `file`, which is made where there is none.
measure <- function(library, file) {
  library(cwmix, lib.loc = library)
  internal <- asNamespace("cwmix")
  if (!file.exists(file)) saveRDS(fitted_logo(), file)
  fit <- readRDS(file)
  calls <- list(
    function() fit$steps(seq_len(4000), 1000L, internal$all_components),
    function() fit$steps(seq_len(4000), 1000L, list(threshold = 0.02, seed = c(0.1, 0.2))),
    function() predict(fit$fit, fit$x),
    function() predict(fit$fit, fit$x, precision = "single")
  )
  rows <- c(4000, 4000, nrow(fit$x), nrow(fit$x))
  cat(1e6 * vapply(calls, least_seconds, 0, repeats = 3) / rows)
}
arguments <- commandArgs(trailingOnly = TRUE)
if (length(arguments) == 2) {
  measure(arguments[1], arguments[2])
  quit()
}

source_copy <- tempfile("source")
dir.create(source_copy)
invisible(file.copy(c("DESCRIPTION", "NAMESPACE", "R", "src"), source_copy, recursive = TRUE))
build <- function(setting) {
  library <- tempfile("library")
  dir.create(library)
  flags <- if (grepl("=", setting)) paste0("PKG_CPPFLAGS=-D", setting)
  system2(
    file.path(R.home("bin"), "R"),
    c("CMD", "INSTALL", "--no-docs", "--preclean", paste0("--library=", library), source_copy),
    env = c(flags, "MAKEFLAGS=-j2"), stdout = FALSE, stderr = FALSE
  )
  library
}
libraries <- vapply(settings, build, "")
file <- tempfile(fileext = ".rds")
microseconds <- function(library) {
  script <- c(file.path("bench", "tiles.R"), library, file)
  scan(text = system2(file.path(R.home("bin"), "Rscript"), script, stdout = TRUE), quiet = TRUE)
}
# In turns, so that what else the machine does meets all alike.
least <- do.call(pmin, lapply(1:3, function(turn) vapply(libraries, microseconds, double(4))))
header("setting", "exact step", "step", "density, double", "density, single")
row(settings[1], paste(sprintf("%.2f us", least[, 1]), collapse = " | "))
for (i in seq_along(settings)[-1]) {
  row(settings[i], paste(sprintf("%.2f", least[, i] / least[, 1]), collapse = " | "))
}
