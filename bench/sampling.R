# What the draw of improbable components costs and gains: for several thresholds the variance that
# it adds to a gradient, as a share of the variance between minibatches; its bias, in standard
# errors of the mean of all draws; and the time of a step, as a share of the exact one. The model is
# a fit of 50 components to draws of the R logo.
#   Rscript bench/sampling.R
suppressMessages(library(cwmix))
source("bench/helpers.R")
internal <- asNamespace("cwmix")
threads <- 2L
batch <- 500L

logo <- image_density(system.file("img", "Rlogo.png", package = "png"), invert = TRUE)
x <- qlogis(0.01 + 0.98 * as.matrix(simulate(logo, 40000, seed = 3)))
set.seed(1)
fit <- cwmix(x, K = 50, hidden = c(128, 128, 128), validation = 0, control = cwmix_control(
  epochs = 8, batch_size = batch, em_iterations = 50, starts = 1, verbose = FALSE
))
standard <- scale(x)
parameters <- internal$standardise_parameters(
  coef(fit), attr(standard, "scaled:center"), attr(standard, "scaled:scale")
)
x <- standard[, ]
model <- internal$engine_model(parameters, "tanh")
state <- list(
  parameters = model$parameters, first = 0 * model$parameters, second = 0 * model$parameters,
  step = 0
)
# Without momentum and at rate 0, Adam's first moment is the mean gradient of the last batch.
steps <- function(rows, sampling) {
  .Call(
    internal$ffi_steps, model, state, x, NULL, rows - 1L, batch, rep(0, length(rows) / batch),
    rep(-Inf, 2), c(0, 0.999, 1e-8, 0, Inf), sampling, TRUE, threads
  )
}
gradient <- function(rows, threshold) steps(rows, c(threshold, runif(2)))$first
total_variance <- function(draws) sum(apply(draws, 1, var))
seconds <- function(threshold) {
  least_seconds(function() steps(seq_len(8L * batch), c(threshold, 0.1, 0.2)), 5)
}

minibatches <- total_variance(replicate(40, gradient(sample.int(nrow(x), batch), 0)))
rows <- sample.int(nrow(x), batch)
exact <- gradient(rows, 0)
exact_seconds <- seconds(0)
header("threshold", "added variance", "bias in standard errors", "time of the exact step")
for (threshold in c(0.1, 0.05, 0.02, 0.01, 0.001)) {
  draws <- replicate(40, gradient(rows, threshold))
  added <- total_variance(draws)
  row(
    threshold, sprintf("%.4f", added / minibatches),
    sprintf("%.2f", sqrt(sum((rowMeans(draws) - exact)^2) / (added / 40))),
    sprintf("%.2f", seconds(threshold) / exact_seconds)
  )
}
