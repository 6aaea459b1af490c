# R CMD build and R CMD check --as-cran of the working tree, in a temporary directory. Any ERROR,
# WARNING or NOTE fails but the one that every new submission gets.

Sys.setenv(
  # Both ask the network.
  "_R_CHECK_CRAN_INCOMING_REMOTE_" = "false",
  "_R_CHECK_SYSTEM_CLOCK_" = "0",
  MAKEFLAGS = "-j2"
)
root <- getwd()
setwd(tempdir())

# Runs R CMD and shows what it said when it fails.
r_cmd <- function(...) {
  output <- suppressWarnings(
    system2(file.path(R.home("bin"), "R"), c("CMD", ...), stdout = TRUE, stderr = TRUE)
  )
  failed <- !is.null(attr(output, "status"))
  if (failed) {
    writeLines(output)
  }
  !failed
}

if (!r_cmd("build", shQuote(root))) {
  quit(status = 1)
}
tarball <- Sys.glob("cwmix_*.tar.gz")
completed <- r_cmd("check", "--as-cran", "--no-manual", tarball)

log <- readLines("cwmix.Rcheck/00check.log")
findings <- tools::check_packages_in_dir_details(logs = "cwmix.Rcheck/00check.log")
new_submission <- any(
  findings$Check == "CRAN incoming feasibility" & findings$Status == "NOTE" &
    grepl("^Maintainer: [^\n]*\n+New submission$", trimws(findings$Output))
)
# The status line counts what the table can miss: a warning printed under no check's name.
status <- grep("^Status: ", log, value = TRUE)
ok <- completed && (
  identical(status, "Status: OK") || new_submission && identical(status, "Status: 1 NOTE")
)
if (!ok && completed) {
  writeLines(grep("\\.\\.\\. (\\[[^]]*\\] )?OK$", log, value = TRUE, invert = TRUE))
}
cat(sprintf("R CMD check --as-cran of %s: %s\n", tarball, if (ok) "OK" else "failed"))
quit(status = if (ok) 0 else 1)
