# Three densities fitted, scored, drawn from and plotted: places of earthquakes, Old Faithful, a
# picture.
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

# Earthquakes near Fiji: nothing chosen by hand, scored on rows that no fit has seen.

places <- quakes[, c("long", "lat")]
set.seed(1)
test <- sample(nrow(places), 200)
table <- compare(
  list(
    "cwmix(x)" = function(x) cwmix(x, control = quiet),
    "Gaussian mixture, K = 8" = function(x) gaussian_mixture(x, K = 8, covariance = "full"),
    "one Gaussian" = function(x) gaussian_mixture(x, K = 1, covariance = "full")
  ),
  places[test, ],
  data = places[-test, ]
)
cat("Places of 1,000 earthquakes, fitted to 800, scored on the other 200:\n")
print(table)

set.seed(1)
fit <- cwmix(places, control = quiet)
cat("\n")
print(fit)
picture("quakes-density.png", plot(fit))
picture("quakes-candidates.png", plot(fit, what = "candidates"))

# Old Faithful, one small model.

set.seed(1)
fit <- cwmix(faithful, K = 3, hidden = c(32, 32), control = quiet)
new_points <- simulate(fit, 10000, seed = 2)
cat("\n")
print(fit)
cat("\nQuantiles of the 272 observed and of 10,000 new points:\n")
quantiles <- list(observed = sapply(faithful, quantile), new = sapply(new_points, quantile))
print(data.frame(quantiles), digits = 3)
picture("faithful-density.png", plot(fit))
picture("faithful-weights.png", plot(fit, what = "weights"), height = 500)
picture("faithful-residuals.png", plot(fit, what = "residuals"))

# A picture, whose best possible score is known.

logo <- image_density(system.file("img", "Rlogo.png", package = "png"), invert = TRUE)
x <- simulate(logo, 50000, seed = 3)
square <- list(c(0, 1), c(0, 1))
mixture <- suppressWarnings(
  gaussian_mixture(x, K = 30, support = square, control = cwmix_control(starts = 1))
)
seconds <- system.time(
  fit <- cwmix(x, K = 30, hidden = c(64, 64), support = square,
    control = cwmix_control(starts = 1, epochs = 30, verbose = FALSE)
  )
)[["elapsed"]]
cat("\nThe R logo as a density, 30 components, mean log density over the whole picture:\n")
scores <- c(
  "Gaussian mixture" = expected_log_density(logo, mixture),
  "classifier weighted mixture" = expected_log_density(logo, fit),
  "best possible" = -entropy(logo)
)
cat(sprintf("  %-28s %.3f\n", names(scores), scores), sep = "")
cat(sprintf("  (the classifier weighted mixture was fitted in %.0f s)\n", seconds))
picture("logo.png", plot(logo))
# Without the data, whose points would cover it.
density <- with(fit, cwmix_model(mean, sd, classifier = classifier, support = square))
picture("logo-density.png", plot(density, xlab = "x", ylab = "y"))
logo_draws <- simulate(fit, 10000, seed = 4)
picture("logo-draws.png", plot(logo_draws, pch = ".", asp = 76 / 100, xlim = 0:1, ylim = 0:1))
picture("logo-training.png", plot(fit, what = "training"), height = 500)

pictures <- paste0("  ", list.files(folder), "\n")
cat("\nPictures are in ", normalizePath(folder), ":\n", pictures, sep = "")
