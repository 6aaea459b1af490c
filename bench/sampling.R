# What the draw of improbable components costs and gains: for several thresholds the variance that
# it adds to a gradient, as a share of the variance between minibatches; the length of its bias, the
# mean of all draws less the exact gradient, over the length that chance alone would give it; and
# the time of a step, as a share of the exact one. The model is a fit of 50 components to draws of
# the R logo.
#   Rscript bench/sampling.R
suppressMessages(library(cwmix))
source(file.path("bench", "helpers.R"))
batch <- 500L
model <- fitted_logo()
draw <- function(threshold, seed) list(threshold = threshold, seed = seed)
gradient <- function(rows, threshold) model$steps(rows, batch, draw(threshold, runif(2)))$first
total_variance <- function(draws) sum(apply(draws, 1, var))
step_seconds <- function(threshold) {
  least_seconds(function() model$steps(seq_len(8L * batch), batch, draw(threshold, c(0.1, 0.2))), 5)
}

minibatches <- total_variance(replicate(40, gradient(sample.int(nrow(model$x), batch), 0)))
rows <- sample.int(nrow(model$x), batch)
exact <- gradient(rows, 0)
exact_seconds <- step_seconds(0)
header("threshold", "added variance", "bias / its standard error (1: none)", "time / exact")
for (threshold in c(0.1, 0.05, 0.02, 0.01, 0.001)) {
  draws <- replicate(40, gradient(rows, threshold))
  added <- total_variance(draws)
  row(
    threshold, sprintf("%.5f", added / minibatches),
    sprintf("%.2f", sqrt(sum((rowMeans(draws) - exact)^2) / (added / 40))),
    sprintf("%.2f", step_seconds(threshold) / exact_seconds)
  )
}
