# What long work shows.

shows_progress <- function(control) {
  in_document <- isTRUE(getOption("knitr.in.progress"))
  control$verbose && !in_document && !nzchar(Sys.getenv("TESTTHAT"))
}

# A bar, or nothing where none is shown: list(at, done). `at` takes how much of `total` is done
# (NULL where that is NA) and a status, which is not computed where nothing is shown.
progress_bar <- function(format, total, control) {
  if (!shows_progress(control)) {
    return(list(at = function(...) NULL, done = function() NULL))
  }
  bar <- cli::cli_progress_bar(
    total = total, clear = TRUE, .auto_close = FALSE, extra = list(status = ""),
    format = paste(format, "{cli::pb_extra$status}")
  )
  list(
    at = function(done, status) {
      cli::cli_progress_update(set = done, id = bar, extra = list(status = status))
    },
    done = function() cli::cli_progress_done(id = bar)
  )
}

# The format of a bar that counts.
counting <- function(what) {
  paste(what, "{cli::pb_current}/{cli::pb_total} {cli::pb_bar} {cli::pb_eta_str}")
}
