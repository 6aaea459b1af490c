# Microseconds a row of a gradient step, through cwmix(), and in PyTorch on the same rows; the speed
# of the exact step in GFLOP/s of the network's products, forward and backward, against a large
# product on the same cores. Prints a table in Markdown.
#   Rscript bench/step.R
suppressMessages(library(cwmix))
source(file.path("bench", "helpers.R"))

sizes <- list(
  list(K = 50, hidden = c(128, 128, 128), d = 2, batch = 1000),
  list(K = 50, hidden = c(128, 128, 128), d = 2, batch = 4000),
  list(K = 5, hidden = c(32, 32), d = 2, batch = 500),
  list(K = 2, hidden = 16, d = 1, batch = 100),
  list(K = 2, hidden = 16, d = 1, batch = 20000),
  list(K = 100, hidden = 16, d = 2, batch = 1000),
  list(K = 10, hidden = c(64, 64), d = 5, batch = 500),
  list(K = 10, hidden = c(64, 64), d = 20, batch = 5000),
  list(K = 2, hidden = c(256, 256), d = 1, batch = 1000),
  list(K = 20, hidden = c(128, 128), d = 10, batch = 20000),
  list(K = 100, hidden = c(256, 256), d = 20, batch = 100)
)
measured <- function(size) {
  flops <- with(size, 3 * network_flops(d, K, hidden))
  n <- size$batch * max(1, min(40000, 1.5e11 / flops) %/% size$batch)
  x <- mixture_draws(n, size$d, size$K)
  step <- function(...) {
    1e6 / n * epoch_seconds(x, size$K, size$hidden, size$batch, ...)
  }
  torch <- best_peer(x, size$K, size$hidden, size$batch, "--seconds", 0.7)
  c(torch, ours = step(), exact = step(exact = TRUE), flops = flops)
}
results <- lapply(sizes, measured)
peak <- max(vapply(results, `[[`, 0, "peak_gflops"))
cat(sprintf("A product of 2048 x 2048 matrices runs at %.0f GFLOP/s.\n\n", peak))
header(
  "K", "hidden", "d", "batch", "ours", "exact", "PyTorch", "PyTorch / ours", "PyTorch / exact",
  "GFLOP/s, exact", "of the product"
)
for (i in seq_along(sizes)) {
  size <- sizes[[i]]
  one <- as.list(results[[i]])
  speed <- one$flops / one$exact / 1e3
  row(
    size$K, toString(size$hidden), size$d, format(size$batch, scientific = FALSE),
    sprintf("%.2f | %.2f | %.2f", one$ours, one$exact, one$step),
    sprintf("%.1f | %.1f", one$step / one$ours, one$step / one$exact),
    sprintf("%.0f | %.2f", speed, speed / peak)
  )
}
