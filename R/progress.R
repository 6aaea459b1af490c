# What long work shows.

shows_progress <- function(control) {
  in_document <- isTRUE(getOption("knitr.in.progress"))
  control$verbose && !in_document && !nzchar(Sys.getenv("TESTTHAT"))
}

# A bar, or nothing where none is shown: list(at, done). `at` takes how much of `total` is done
# and a status, which is not computed where nothing is shown.
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

# Progress through stages, which take about these `shares` of the whole work: a bar with what is
# done and the time left, or where a terminal cannot draw one a line a stage. list(begin, part, at,
# done): begin(found) starts the next stage, `found` telling of the one before, part(share) says how
# much of a stage is done, at(status) what is being done.
stage_progress <- function(shares, control) {
  if (!shows_progress(control)) {
    return(no_progress)
  }
  if (!cli::is_dynamic_tty()) {
    return(stage_lines(names(shares)))
  }
  format <- "{cli::pb_bar} {cli::pb_percent} {cli::pb_eta_str}"
  bar <- progress_bar(format, 1, control)
  edges <- c(0, cumsum(shares) / sum(shares))
  stage <- 0
  reached <- 0
  list(
    begin = function(found) {
      stage <<- stage + 1
      reached <<- edges[stage]
    },
    part = function(share) {
      reached <<- edges[stage] + share * (edges[stage + 1] - edges[stage])
    },
    at = function(status) bar$at(reached, status),
    done = bar$done
  )
}

stage_lines <- function(names) {
  stage <- 0
  began <- NULL
  tell <- function(found) {
    if (stage > 0) {
      seconds <- proc.time()[["elapsed"]] - began
      inform_cwmix(
        sprintf("%s: %s (%.1f s)", names[stage], found, seconds), "cwmix_progress", NULL
      )
    }
  }
  list(
    begin = function(found) {
      tell(found)
      stage <<- stage + 1
      began <<- proc.time()[["elapsed"]]
    },
    part = function(share) NULL, at = function(status) NULL, done = function() NULL
  )
}

no_progress <- local({
  nothing <- function(...) NULL
  list(begin = nothing, part = nothing, at = nothing, done = nothing)
})

# The format of a bar that counts.
counting <- function(what) {
  paste(what, "{cli::pb_current}/{cli::pb_total} {cli::pb_bar} {cli::pb_eta_str}")
}
