# Mean held-out log density a row of cwmix(x) at its defaults, against mclust's densityMclust(x) at
# its defaults, the kernel estimate ks::kde(x) (up to four columns) and one Gaussian: ten folds, the
# same for all. Prints a table in Markdown, with seconds a fit.
#   Rscript bench/heldout.R [names of data]
suppressMessages({
  library(cwmix)
  library(mclust)
})
source(file.path("bench", "helpers.R"))
options(warn = 1)

from <- function(package, name) {
  frame <- new.env()
  utils::data(list = name, package = package, envir = frame)
  frame[[name]]
}
# Simulated.
moons <- function(n) {
  set.seed(1)
  angle <- runif(n, 0, pi)
  upper <- rbinom(n, 1, 0.5)
  x <- cos(angle) * (2 * upper - 1) + (1 - upper)
  y <- sin(angle) * (2 * upper - 1) - 0.5 * (1 - upper)
  cbind(x, y) + rnorm(2 * n, sd = 0.1)
}
skewed <- function(n) {
  set.seed(2)
  z <- matrix(rnorm(2 * n), n)
  cbind(a = exp(0.5 * z[, 1]), b = z[, 2] + z[, 1]^2 / 2, c = rt(n, 5) + z[, 2])
}
data <- list(
  "faithful" = faithful,
  "iris" = iris[, 1:4],
  "quakes, long and lat" = quakes[, c("long", "lat")],
  "galaxies (MASS)" = MASS::galaxies / 1000,
  "rivers, log" = log(rivers),
  "wreath (mclust, simulated)" = from("mclust", "wreath"),
  "diabetes (mclust)" = from("mclust", "diabetes")[, -1],
  "crabs (MASS)" = MASS::crabs[, 4:8],
  "banknote (mclust)" = from("mclust", "banknote")[, -1],
  "thyroid (mclust)" = from("mclust", "thyroid")[, -1],
  "Boston (MASS): rm, lstat, medv, log" = log(MASS::Boston[, c("rm", "lstat", "medv")]),
  "Pima.tr (MASS): glu, bp, skin, bmi" = MASS::Pima.tr[, c("glu", "bp", "skin", "bmi")],
  "diamonds (ggplot2), every 40th: carat, depth, price, log" =
    log(as.data.frame(ggplot2::diamonds)[seq(1, 53940, 40), c("carat", "depth", "price")]),
  "two moons (simulated)" = moons(3000),
  "three skewed columns (simulated)" = skewed(2000),
  "cross (mclust, simulated)" = from("mclust", "cross")[, -1]
)
chosen <- commandArgs(trailingOnly = TRUE)
if (length(chosen) > 0) data <- data[chosen]

quiet <- cwmix_control(verbose = FALSE)
models <- list(
  "cwmix" = function(train, test) predict(cwmix(train, control = quiet), test, log = TRUE),
  "mclust" = function(train, test) {
    fit <- densityMclust(train, plot = FALSE, verbose = FALSE)
    predict(fit, test, what = "dens", logarithm = TRUE)
  },
  "kernel" = function(train, test) {
    if (NCOL(train) > 4) {
      return(NA)
    }
    # Where the kernel estimate is zero to rounding its log is that of 1e-300.
    log(pmax(ks::kde(train, eval.points = test)$estimate, 1e-300))
  },
  "Gaussian" = function(train, test) {
    fit <- gaussian_mixture(train, K = 1, covariance = "full")
    predict(fit, test, log = TRUE)
  }
)
# Scores and seconds of a model.
held_out <- function(score, x, fold) {
  time <- 0
  scores <- unlist(lapply(1:10, function(i) {
    set.seed(i)
    began <- proc.time()[["elapsed"]]
    out <- score(x[fold != i, , drop = FALSE], x[fold == i, , drop = FALSE])
    time <<- time + proc.time()[["elapsed"]] - began
    out
  }))
  list(scores = scores, seconds = time / 10)
}

do.call(header, as.list(c(
  "data", "rows", "columns", names(models), "cwmix less mclust (se)", "less kernel (se)",
  "seconds a fit", "mclust's"
)))
difference <- function(a, b) {
  if (anyNA(b)) {
    return("")
  }
  sprintf("%.3f (%.3f)", mean(a - b), sd(a - b) / sqrt(length(a)))
}
gains <- lapply(names(data), function(name) {
  x <- as.matrix(data[[name]])
  if (is.null(colnames(x))) colnames(x) <- paste0("x", seq_len(ncol(x)))
  set.seed(20261122)
  fold <- sample(rep_len(1:10, nrow(x)))
  runs <- lapply(models, held_out, x, fold)
  scores <- lapply(runs, `[[`, "scores")
  means <- vapply(scores, mean, 0)
  shown <- ifelse(is.na(means), "", sprintf("%.3f", means))
  row(
    name, nrow(x), ncol(x), paste(shown, collapse = " | "),
    difference(scores$cwmix, scores$mclust), difference(scores$cwmix, scores$kernel),
    sprintf("%.1f", runs$cwmix$seconds), sprintf("%.1f", runs$mclust$seconds)
  )
  means[["cwmix"]] - means[c("mclust", "kernel")]
})
gains <- do.call(rbind, gains)
cat(sprintf(
  "\nAgainst mclust: %.3f on average, worst %.3f, within 0.01 or better on %d of %d.\n",
  mean(gains[, "mclust"]), min(gains[, "mclust"]), sum(gains[, "mclust"] >= -0.01), nrow(gains)
))
kernel <- stats::na.omit(gains[, "kernel"])
cat(sprintf(
  "Against the kernel estimate: better on %d of %d, worst %.3f.\n",
  sum(kernel >= 0), length(kernel), min(kernel)
))
