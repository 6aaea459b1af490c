# The R logo as a density, estimated from 50,000 draws with 30 components: mean log density over the
# whole picture, and the picture man/figures/logo-fit.png. Prints a table in Markdown.
#   Rscript bench/logo.R [file of the picture]
suppressMessages(library(cwmix))

arguments <- commandArgs(trailingOnly = TRUE)
picture <- if (length(arguments) > 0) arguments[1] else file.path("man", "figures", "logo-fit.png")
logo <- image_density(system.file("img", "Rlogo.png", package = "png"), invert = TRUE)
x <- simulate(logo, 50000, seed = 3)
square <- list(c(0, 1), c(0, 1))
timed <- function(fit_to) {
  set.seed(1)
  seconds <- system.time(fit <- suppressWarnings(fit_to()))[["elapsed"]]
  list(fit = fit, seconds = seconds, score = expected_log_density(logo, fit))
}
mixture <- timed(function() {
  gaussian_mixture(x, K = 30, support = square, control = cwmix_control(starts = 1))
})
weighted <- timed(function() {
  control <- cwmix_control(starts = 1, epochs = 30, verbose = FALSE)
  cwmix(x, K = 30, hidden = c(64, 64), support = square, control = control)
})

cat("| estimate | mean log density | seconds |\n| --- | --: | --: |\n")
cat(sprintf("| Gaussian mixture | %.3f | %.0f |\n", mixture$score, mixture$seconds))
cat(sprintf("| classifier weighted mixture | %.3f | %.0f |\n", weighted$score, weighted$seconds))
cat(sprintf("| best possible | %.3f | |\n", -entropy(logo)))

# The same density without its data, whose points would cover it.
density <- with(weighted$fit, cwmix_model(mean, sd, classifier = classifier, support = square))
png(picture, 1400, 620, res = 120)
par(mfrow = c(1, 2))
plot(logo, main = "The picture")
plot(density, main = "Fitted density", xlab = "x", ylab = "y")
invisible(dev.off())
