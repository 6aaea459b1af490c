# Microseconds a row of predict(), the density of 200,000 rows, in double and in single precision,
# and of PyTorch's forward pass in float at its best batch size. Prints a table in Markdown.
#   Rscript bench/density.R
suppressMessages(library(cwmix))
source(file.path("bench", "helpers.R"))

n <- 200000
measured <- function(K, hidden, d) {
  x <- mixture_draws(n, d, K)
  control <- cwmix_control(epochs = 1, em_iterations = 5, starts = 1)
  fit <- cwmix(x[1:5000, , drop = FALSE], K = K, hidden = hidden, control = control)
  ours <- vapply(c("double", "single"), function(precision) {
    1e6 / n * least_seconds(function() predict(fit, x, precision = precision), 2)
  }, 0)
  torch <- min(vapply(c(1000, 4000), function(batch) {
    best_peer(x, K, hidden, batch, "--seconds", 0.5, "--forward-only")[["forward"]]
  }, 0))
  row(
    K, toString(hidden), d, sprintf("%.2f | %.2f | %.2f", ours[1], ours[2], torch),
    sprintf("%.2f | %.2f", ours[1] / torch, ours[2] / torch)
  )
}
header("K", "hidden", "d", "double", "single", "PyTorch", "double / PyTorch", "single / PyTorch")
measured(50, c(128, 128, 128), 2)
measured(10, c(64, 64), 5)
measured(5, c(32, 32), 2)
measured(100, 16, 1)
