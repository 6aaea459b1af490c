# Mean held-out log density a row (10 folds, the same for all) of cwmix() against the Gaussian mixture with the
# same K and covariances, and a single Gaussian.
#   Rscript bench/heldout.R
suppressMessages(library(cwmix))

data <- list(
  faithful = faithful, quakes = quakes[, c("long", "lat")], iris = iris[, 1:4],
  rivers = data.frame(log_length = log(rivers))
)
models <- list(
  gaussian = function(x) gaussian_mixture(x, K = 1, covariance = "full"),
  mixture_diagonal = function(x) gaussian_mixture(x, K = 4),
  cwmix_diagonal = function(x) cwmix(x, K = 4, hidden = c(32, 32), control = cwmix_control(verbose = FALSE)),
  mixture_full = function(x) gaussian_mixture(x, K = 4, covariance = "full"),
  cwmix_full = function(x) {
    cwmix(x, K = 4, hidden = c(32, 32), covariance = "full", control = cwmix_control(verbose = FALSE))
  }
)
held_out <- function(x, fit_to, fold) {
  unlist(lapply(1:10, function(i) {
    fit <- suppressWarnings(fit_to(x[fold != i, , drop = FALSE]))
    predict(fit, x[fold == i, , drop = FALSE], log = TRUE)
  }))
}
cat(sprintf("%-10s %5s", "data", "rows"), sprintf("%17s", names(models)), "\n", sep = "")
for (name in names(data)) {
  x <- data[[name]]
  set.seed(20261122)
  fold <- sample(rep_len(1:10, nrow(x)))
  scores <- vapply(models, function(fit_to) mean(held_out(x, fit_to, fold)), 0)
  cat(sprintf("%-10s %5d", name, nrow(x)), sprintf("%17.3f", scores), "\n", sep = "")
}
