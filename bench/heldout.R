# Mean held-out log density a row (10 folds, the same for all) of cwmix() against the Gaussian
# mixture with the same K and covariances, and a single Gaussian: the mean over five choices of
# folds and starts and, in brackets, their standard deviation. Prints a table in Markdown.
#   Rscript bench/heldout.R
suppressMessages(library(cwmix))
source(file.path("bench", "helpers.R"))

data <- list(
  faithful = faithful, quakes = quakes[, c("long", "lat")], iris = iris[, 1:4],
  rivers = data.frame(log_length = log(rivers))
)
weighted <- function(covariance) {
  function(x) {
    control <- cwmix_control(verbose = FALSE)
    cwmix(x, K = 4, hidden = c(32, 32), covariance = covariance, control = control)
  }
}
models <- list(
  "Gaussian" = function(x) gaussian_mixture(x, K = 1, covariance = "full"),
  "mixture, diagonal" = function(x) gaussian_mixture(x, K = 4),
  "cwmix, diagonal" = weighted("diagonal"),
  "mixture, full" = function(x) gaussian_mixture(x, K = 4, covariance = "full"),
  "cwmix, full" = weighted("full")
)
held_out <- function(x, fit_to, fold) {
  unlist(lapply(1:10, function(i) {
    fit <- suppressWarnings(fit_to(x[fold != i, , drop = FALSE]))
    predict(fit, x[fold == i, , drop = FALSE], log = TRUE)
  }))
}
row("data", "rows", paste(names(models), collapse = " | "))
row("---", "--:", paste(rep("--:", length(models)), collapse = " | "))
for (name in names(data)) {
  x <- data[[name]]
  scores <- vapply(1:5, function(seed) {
    set.seed(seed)
    fold <- sample(rep_len(1:10, nrow(x)))
    vapply(models, function(fit_to) mean(held_out(x, fit_to, fold)), 0)
  }, double(length(models)))
  scores <- sprintf("%.3f (%.3f)", rowMeans(scores), apply(scores, 1, sd))
  row(name, nrow(x), paste(scores, collapse = " | "))
}
