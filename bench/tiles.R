# The sizes of tiles and blocks in src/engine: the package is built with other values and a step and
# a density at the paper's size are timed, as a share of the time with the values it has.
#   Rscript bench/tiles.R
settings <- c(
  "", "-DFORWARD_ROWS=64", "-DFORWARD_ROWS=128", "-DFORWARD_ROWS=512", "-DKEPT_BYTES=262144",
  "-DKEPT_BYTES=1048576", "-DDENSITY_ROWS=64", "-DDENSITY_ROWS=128", "-DDENSITY_ROWS=512",
  "-DFIRST_REACH=1", "-DFIRST_REACH=4", "-DFIRST_REACH=8", "-DSTREAM_BYTES=4096",
  "-DSTREAM_BYTES=16384"
)
source("bench/helpers.R")

built <- tempfile("src")
dir.create(built)
system2("cp", c("-r", "DESCRIPTION", "NAMESPACE", "R", "src", built))
unlink(Sys.glob(file.path(built, "src", "*.[os]*")))
libraries <- vapply(settings, function(flags) {
  library <- tempfile("library")
  dir.create(library)
  system2(
    file.path(R.home("bin"), "R"),
    c("CMD", "INSTALL", "--no-docs", "--preclean", paste0("--library=", library), built),
    env = c(paste0("PKG_CPPFLAGS=", flags), "MAKEFLAGS=-j2"), stdout = FALSE, stderr = FALSE
  )
  library
}, "")

# Seconds of a step of 4000 rows, exact and not, of log densities in double and in single.
seconds <- function(library) {
  callr_free <- sprintf(
    "library(cwmix, lib.loc = '%s'); source('bench/helpers.R'); cat(engine_seconds())", library
  )
  as.numeric(strsplit(
    system2(file.path(R.home("bin"), "Rscript"), c("-e", shQuote(callr_free)), stdout = TRUE), " "
  )[[1]])
}
times <- replicate(3, vapply(libraries, seconds, double(4)))
least <- apply(times, 1:2, min)
header("setting", "exact step", "step", "density, double", "density, single")
for (i in seq_along(settings)) {
  values <- if (i == 1) sprintf("%.1f us", least[, 1] * 1e6) else sprintf("%.2f", least[, i] / least[, 1])
  do.call(row, as.list(c(if (i == 1) "as they are" else settings[i], values)))
}
