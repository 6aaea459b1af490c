# Two densities fitted, scored on data they have not seen, drawn from and plotted.
#   Rscript demo/cwmix.R [folder for the pictures]
library(cwmix)

arguments <- commandArgs(trailingOnly = TRUE)
folder <- if (length(arguments) > 0) arguments[1] else file.path(tempdir(), "cwmix-demo")
dir.create(folder, showWarnings = FALSE, recursive = TRUE)
picture <- function(name, code, width = 900, height = 800) {
  png(file.path(folder, name), width, height, res = 120)
  on.exit(invisible(dev.off()))
  code
}
quiet <- cwmix_control(verbose = FALSE)

# ---- Old Faithful: 10-fold held-out score ----

set.seed(1)
fold <- sample(rep_len(1:10, nrow(faithful)))
held_out <- function(fit_to) {
  mean(unlist(lapply(1:10, function(i) {
    predict(fit_to(faithful[fold != i, ]), faithful[fold == i, ], log = TRUE)
  })))
}
scores <- c(
  "Gaussian mixture" = held_out(function(x) gaussian_mixture(x, K = 3)),
  "classifier weighted mixture" = held_out(function(x) cwmix(x, K = 3, hidden = c(32, 32), control = quiet))
)
cat("Old Faithful, 3 components, mean log density of held-out rows (10 folds):\n")
cat(sprintf("  %-28s %.3f\n", names(scores), scores), sep = "")

fit <- cwmix(faithful, K = 3, hidden = c(32, 32), control = quiet)
new_points <- simulate(fit, 10000, seed = 2)
cat("\n")
print(fit)
cat("\nQuantiles of the 272 observed and of 10,000 new points:\n")
print(data.frame(observed = sapply(faithful, quantile), new = sapply(new_points, quantile)), digits = 3)
picture("faithful-density.png", plot(fit))
picture("faithful-weights.png", plot(fit, what = "weights"), height = 500)
picture("faithful-residuals.png", plot(fit, what = "residuals"))

# ---- A picture: population score, known exactly ----

logo <- image_density(system.file("img", "Rlogo.png", package = "png"), invert = TRUE)
x <- simulate(logo, 50000, seed = 3)
square <- list(c(0, 1), c(0, 1))
mixture <- suppressWarnings(gaussian_mixture(x, K = 30, support = square, control = cwmix_control(starts = 1)))
seconds <- system.time(
  fit <- cwmix(x, K = 30, hidden = c(64, 64), support = square,
    control = cwmix_control(starts = 1, epochs = 30, verbose = FALSE)
  )
)[["elapsed"]]
cat("\nThe R logo as a density, 30 components, mean log density over the whole picture:\n")
cat(sprintf("  %-28s %.3f\n", "Gaussian mixture", expected_log_density(logo, mixture)))
cat(sprintf("  %-28s %.3f   (fitted in %.0f s)\n", "classifier weighted mixture", expected_log_density(logo, fit), seconds))
cat(sprintf("  %-28s %.3f\n", "best possible", -entropy(logo)))
picture("logo-fit.png", width = 1400, height = 620, {
  par(mfrow = c(1, 2))
  plot(logo, main = "The picture")
  plot(fit, newdata = x[1:2, ], main = "Fitted density", pch = NA)
})
picture("logo-draws.png", plot(simulate(fit, 10000, seed = 4), pch = ".", asp = 76 / 100, xlim = 0:1, ylim = 0:1))
picture("logo-training.png", plot(fit, what = "training"), height = 500)

cat(sprintf("\nPictures are in %s:\n  %s\n", normalizePath(folder), paste(list.files(folder), collapse = "\n  ")))
