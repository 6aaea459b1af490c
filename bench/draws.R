# Nanoseconds a draw: R's generator alone (the normals and uniforms that the draws need),
# simulate(), and PyTorch in float32 (bench/peer_draws.py, on 200,000 draws at most), least of
# several runs in turn; and the memory that ten million draws take. Prints a table in Markdown.
#   Rscript bench/draws.R
suppressMessages(library(cwmix))
source(file.path("bench", "helpers.R"))

sizes <- list(
  list(n = 1e7, d = 2, K = 10, hidden = c(32, 32)),
  list(n = 1e6, d = 2, K = 10, hidden = c(32, 32)),
  list(n = 1e4, d = 2, K = 10, hidden = c(32, 32)),
  list(n = 1e7, d = 2, K = 10, hidden = NULL),
  list(n = 1e6, d = 1, K = 2, hidden = 16),
  list(n = 1e6, d = 10, K = 20, hidden = c(64, 64)),
  list(n = 1e6, d = 2, K = 50, hidden = c(128, 128, 128))
)
model <- function(d, K, hidden) {
  set.seed(1)
  widths <- c(d, hidden, K)
  layers <- seq_len(length(widths) - 1)
  cwmix_model(
    matrix(rnorm(K * d), K, d),
    sd = matrix(exp(0.3 * rnorm(K * d)), K, d),
    classifier = if (is.null(hidden)) {
      rep(1 / K, K)
    } else {
      cwmix_classifier(
        lapply(layers, function(l) {
          size <- widths[l] * widths[l + 1]
          matrix(rnorm(size, sd = 1 / sqrt(widths[l])), widths[l + 1], widths[l])
        }),
        lapply(widths[-1], rnorm)
      )
    }
  )
}
# The least over turns of the mean over as many calls as take a moment.
nanoseconds <- function(n, d, K, hidden) {
  object <- model(d, K, hidden)
  time <- function(f) {
    calls <- ceiling(3e5 / n)
    1e9 / (n * calls) * seconds(function() for (i in seq_len(calls)) f())
  }
  turns <- vapply(1:5, function(turn) {
    c(
      generator = time(function() {
        rnorm(n * d)
        runif(n)
      }),
      ours = time(function() simulate(object, n))
    )
  }, c(generator = 0, ours = 0))
  rows <- min(n, 2e5)
  torch <- vapply(1:2, function(threads) {
    as.double(system2("/usr/bin/python3", c(
      file.path("bench", "peer_draws.py"), format(rows, scientific = FALSE), d, K,
      if (is.null(hidden)) 0 else paste(hidden, collapse = ","), 3, threads
    ), stdout = TRUE))
  }, 0)
  c(apply(turns, 1, min), torch = 1e9 / rows * min(torch))
}

header(
  "draws", "d", "K", "hidden", "generator", "cwmix", "cwmix / generator", "PyTorch",
  "PyTorch / cwmix"
)
for (size in sizes) {
  ns <- as.list(do.call(nanoseconds, size))
  row(
    format(size$n, scientific = FALSE, big.mark = ","), size$d, size$K,
    if (is.null(size$hidden)) "constant" else toString(size$hidden), round(ns$generator),
    round(ns$ours), sprintf("%.2f", ns$ours / ns$generator), round(ns$torch),
    sprintf("%.1f", ns$torch / ns$ours)
  )
}

object <- model(2, 10, c(32, 32))
invisible(gc(reset = TRUE))
before <- sum(gc(reset = TRUE)[, 2])
x <- simulate(object, 1e7)
cat(sprintf(
  "\nTen million draws in the plane: %.0f MB, %.0f MB of memory at most.\n",
  as.double(object.size(x)) / 2^20, sum(gc()[, 6]) - before
))
