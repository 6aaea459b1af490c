# How the cost of a gradient step and of predict() grows with rows, dimensions, components and
# width: slopes on log scales. Then two threads against one, and whether one, two and three give the
# same bits. Prints tables in Markdown.
#   Rscript bench/scaling.R
suppressMessages(library(cwmix))
source(file.path("bench", "helpers.R"))

cost <- function(n = 10000, d = 2, K = 10, width = 64) {
  x <- mixture_draws(n, d, K)
  hidden <- c(width, width)
  control <- cwmix_control(epochs = 1, em_iterations = 2, starts = 1)
  fit <- cwmix(x, K = K, hidden = hidden, control = control)
  evaluations <- max(1, 50000 %/% n)
  c(
    step = epoch_seconds(x, K, hidden, 500),
    predict = least_seconds(function() {
      for (i in seq_len(evaluations)) predict(fit, x)
    }) / evaluations
  )
}
slopes <- function(name, values) {
  costs <- vapply(values, function(v) do.call(cost, setNames(list(v), name)), double(2))
  slope <- apply(costs, 1, function(y) coef(lm(log(y) ~ log(values)))[[2]])
  values <- toString(format(values, scientific = FALSE, trim = TRUE))
  row(name, values, sprintf("%.2f | %.2f", slope[1], slope[2]))
}
header("number of", "values", "exponent, step", "exponent, predict()")
slopes("n", c(5000, 10000, 20000, 40000))
slopes("d", c(1, 4, 16, 64))
slopes("K", c(5, 10, 20, 40))
slopes("width", c(16, 32, 64, 128))

same_bits <- function(x, K, hidden, batch) {
  results <- lapply(1:3, function(threads) {
    set.seed(1)
    control <- cwmix_control(
      epochs = 1, batch_size = batch, em_iterations = 5, starts = 1, threads = threads
    )
    fit <- cwmix(x, K = K, hidden = hidden, control = control)
    options(cwmix.threads = threads)
    list(coef(fit), fit$trace, fit$starts, predict(fit, x), simulate(fit, 1000, seed = 1))
  })
  options(cwmix.threads = NULL)
  identical(results[[1]], results[[2]]) && identical(results[[1]], results[[3]])
}
threads <- function(K, hidden, d, batch, n) {
  x <- mixture_draws(n, d, K)
  step <- vapply(1:2, function(i) epoch_seconds(x, K, hidden, batch, threads = i), 0) * 1e6 / n
  times <- sprintf("%.2f | %.2f | %.2f", step[1], step[2], step[1] / step[2])
  row(
    K, toString(hidden), d, batch, times,
    if (same_bits(x, K, hidden, batch)) "yes" else "no"
  )
}
cat("\n")
header("K", "hidden", "d", "batch", "one thread, us a row", "two", "one / two", "same bits, 1 to 3")
threads(50, c(128, 128, 128), 2, 1000, 6000)
threads(10, c(64, 64), 5, 500, 10000)
threads(5, c(32, 32), 2, 500, 20000)
threads(2, 16, 1, 100, 20000)
