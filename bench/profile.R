# Where the time of training goes: the share of the processor's time in each function (with those
# that the compiler put into it), by sampling with Debian's linux-perf; functions of 2 percent and
# more. One thread, so that nothing waits. Prints tables in Markdown.
#   Rscript bench/profile.R
source(file.path("bench", "helpers.R"))
profile <- function(title, K, hidden, batch, exact) {
  code <- sprintf(
    "suppressMessages(library(cwmix)); source('bench/helpers.R'); x <- mixture_draws(%d, 2, %d)
    invisible(cwmix(x, K = %d, hidden = c(%s), validation = 0, control = cwmix_control(epochs = %d,
      batch_size = %d, em_iterations = 2, starts = 1, exact = %s, threads = 1)))",
    20L * batch, K, K, toString(hidden), if (K > 10) 10L else 1000L, batch, exact
  )
  data <- tempfile()
  system2(
    "perf", c("record", "-o", data, file.path(R.home("bin"), "Rscript"), "-e", shQuote(code)),
    stdout = FALSE, stderr = FALSE
  )
  lines <- system2(
    "perf", c("report", "-i", data, "--stdio", "--sort", "symbol"),
    stdout = TRUE, stderr = FALSE
  )
  lines <- grep("^ +[0-9.]+% ", lines, value = TRUE)
  share <- as.numeric(sub("%.*", "", lines))
  name <- sub("[ .].*", "", sub("^ +[0-9.]+% +\\[.\\] +", "", lines))
  share <- sort(rowsum(share, name)[, 1], decreasing = TRUE)
  share <- share[share >= 2]
  cat("\n", title, "\n\n", sep = "")
  header("function", "percent")
  for (i in seq_along(share)) row(sprintf("`%s`", names(share)[i]), sprintf("%.0f", share[i]))
}
paper <- c(128, 128, 128)
profile("K = 50, hidden 128, 128, 128, batch 1000, exact:", 50L, paper, 1000L, TRUE)
profile("The same by default:", 50L, paper, 1000L, FALSE)
profile("K = 5, hidden 32, 32, batch 500, by default:", 5L, c(32, 32), 500L, FALSE)
