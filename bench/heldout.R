# Mean held-out log density a row of cwmix(x) at its defaults, against mclust's densityMclust(x) at
# its defaults, the kernel estimate ks::kde(x) (up to four columns), logspline (one column),
# adversarial random forests (arf) and one Gaussian: ten folds, five of fewer than 100 rows, the
# same for all. Prints a table in Markdown, with seconds a fit, and what it comes to.
#   Rscript bench/heldout.R [first] [second] [names of data]
#
# Scores are of two kinds. The first is of rows as they were recorded; the models are fitted to
# these, none to anything else. Most columns were recorded to a grid (0.1, 1), and a model that puts
# spikes on values that rows have in common gains in it without end. The second is of the same
# held-out rows with each value moved to a uniform place in its cell of the grid, the same for all
# models: there a spike gains nothing. Columns without ties stay as they are.
suppressMessages({
  library(cwmix)
  library(mclust)
})
source(file.path("bench", "helpers.R"))
options(warn = 1)

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
# Data whose logs are modelled. The grid is that of the values themselves.
of_logs <- function(x) structure(as.matrix(x), logs = TRUE)
first <- list(
  "faithful" = faithful,
  "iris" = iris[, 1:4],
  "quakes, long and lat" = quakes[, c("long", "lat")],
  "galaxies (MASS)" = MASS::galaxies / 1000,
  "rivers, log" = of_logs(rivers),
  "wreath (mclust, simulated)" = from("mclust", "wreath"),
  "diabetes (mclust)" = from("mclust", "diabetes")[, -1],
  "crabs (MASS)" = MASS::crabs[, 4:8],
  "banknote (mclust)" = from("mclust", "banknote")[, -1],
  "thyroid (mclust)" = from("mclust", "thyroid")[, -1],
  "Boston (MASS): rm, lstat, medv, log" = of_logs(MASS::Boston[, c("rm", "lstat", "medv")]),
  "Pima.tr (MASS): glu, bp, skin, bmi" = MASS::Pima.tr[, c("glu", "bp", "skin", "bmi")],
  "diamonds (ggplot2), every 40th: carat, depth, price, log" =
    of_logs(as.data.frame(ggplot2::diamonds)[seq(1, 53940, 40), c("carat", "depth", "price")]),
  "two moons (simulated)" = moons(3000),
  "three skewed columns (simulated)" = skewed(2000),
  "cross (mclust, simulated)" = from("mclust", "cross")[, -1]
)
second <- c(
  first[c("faithful", "iris", "quakes, long and lat", "diabetes (mclust)", "crabs (MASS)")],
  list(
    "quakes" = quakes,
    "swiss" = swiss,
    "airquality: Ozone, Solar.R, Wind, Temp" = stats::na.omit(airquality[, 1:4]),
    # All but chas and rad, of two and nine values. zn, indus, tax, ptratio and black have atoms, of
    # up to three rows in four, so that densities of these twelve mean little; the seven have none
    # of more than a tenth.
    "Boston (MASS), 12 columns" = MASS::Boston[, setdiff(names(MASS::Boston), c("chas", "rad"))],
    "Boston (MASS), 7 columns" =
      MASS::Boston[, c("crim", "nox", "rm", "age", "dis", "lstat", "medv")],
    # The means of ten measurements.
    "wdbc (mclust)" = from("mclust", "wdbc")[, 3:12],
    # Mg, K, Ba and Fe have atoms at zero.
    "Glass (mlbench): RI, Na, Al, Si, Ca" =
      from("mlbench", "Glass")[, c("RI", "Na", "Al", "Si", "Ca")],
    # V1 numbers the speakers.
    "Vowel (mlbench): V2 to V10" = from("mlbench", "Vowel")[, 2:10],
    "trees" = trees,
    "stackloss" = stackloss,
    "attitude" = attitude
  )
)
data <- c(first, second[setdiff(names(second), names(first))])
arguments <- commandArgs(trailingOnly = TRUE)
if (length(arguments) > 0) {
  chosen <- setdiff(arguments, c("first", "second"))
  if ("first" %in% arguments) chosen <- c(chosen, names(first))
  if ("second" %in% arguments) chosen <- c(chosen, names(second))
  data <- data[unique(match.arg(chosen, names(data), several.ok = TRUE))]
}

quiet <- cwmix_control(verbose = FALSE)
# Log densities by a forest, joint ones of rows. `num_trees` is 10 by default; its help recommends
# more for densities.
forest <- function(train, test, ...) {
  train <- as.data.frame(train)
  test <- as.data.frame(test)
  # An old ranger does not know an argument, and says so.
  trees <- suppressWarnings(
    arf::adversarial_rf(train, verbose = FALSE, parallel = FALSE, ...)
  )
  leaves <- arf::forde(trees, train, parallel = FALSE)
  bounded(arf::lik(leaves, test, arf = trees, log = TRUE, parallel = FALSE))
}
# Log densities of the rows of `test`, as recorded and then dithered, or NULL.
models <- list(
  "cwmix" = function(train, test) predict(cwmix(train, control = quiet), test, log = TRUE),
  "mclust" = function(train, test) {
    fit <- densityMclust(train, plot = FALSE, verbose = FALSE)
    predict(fit, test, what = "dens", logarithm = TRUE)
  },
  "kernel" = function(train, test) {
    if (ncol(train) <= 4) {
      bounded(log(pmax(ks::kde(train, eval.points = test)$estimate, 0)))
    }
  },
  "logspline" = function(train, test) {
    if (ncol(train) == 1) {
      bounded(log(logspline::dlogspline(test[, 1], logspline::logspline(train[, 1]))))
    }
  },
  "arf" = forest,
  "arf of 100 trees" = function(train, test) forest(train, test, num_trees = 100),
  "Gaussian" = function(train, test) {
    fit <- gaussian_mixture(train, K = 1, covariance = "full")
    predict(fit, test, log = TRUE)
  }
)
peers <- setdiff(names(models), "cwmix")

# Scores of a model, a row a row of the data and a column a kind of score, and seconds. NULL where
# it does not apply; all NA where it fails in a fold.
held_out <- function(model, x, moved, fold) {
  folds <- sort(unique(fold))
  scores <- matrix(NA_real_, nrow(x), 2, dimnames = list(NULL, c("recorded", "moved")))
  time <- 0
  for (i in folds) {
    test <- fold == i
    set.seed(i)
    began <- proc.time()[["elapsed"]]
    out <- tryCatch(
      models[[model]](x[!test, , drop = FALSE], rbind(x, moved)[c(test, test), , drop = FALSE]),
      error = function(e) {
        message(model, ", fold ", i, ": ", conditionMessage(e))
        rep(NA_real_, 2 * sum(test))
      }
    )
    if (is.null(out)) {
      return(NULL)
    }
    time <- time + proc.time()[["elapsed"]] - began
    scores[test, ] <- out
  }
  list(scores = scores, seconds = time / length(folds))
}

difference <- function(a, b) {
  if (is.null(b) || anyNA(b)) {
    return("")
  }
  sprintf("%.3f (%.3f)", mean(a - b), sd(a - b) / sqrt(length(a)))
}
compared <- c("mclust", "kernel", "arf", "arf of 100 trees")
do.call(header, as.list(c(
  "data", "rows", "columns", "tied", names(models), paste("less", compared),
  paste("moved, less", compared), "seconds a fit", "mclust's", "arf's"
)))
# The means of the data: an array of kinds of scores x models, with the rows at the bound.
run <- function(name) {
  raw <- as.matrix(data[[name]])
  if (is.null(colnames(raw))) colnames(raw) <- paste0("x", seq_len(ncol(raw)))
  set.seed(20261122)
  fold <- sample(rep_len(seq_len(if (nrow(raw) < 100) 5 else 10), nrow(raw)))
  moved <- dithered(raw)
  # The share of values that several rows have, in the column with most.
  tied <- max(apply(raw, 2, function(column) mean(column %in% column[duplicated(column)])))
  x <- raw
  if (isTRUE(attr(raw, "logs"))) {
    x <- log(raw)
    moved <- log(moved)
  }
  attr(x, "logs") <- NULL
  runs <- sapply(names(models), held_out, x, moved, fold, simplify = FALSE)
  scores <- lapply(runs, `[[`, "scores")
  means <- vapply(scores, function(s) if (is.null(s)) c(NA, NA) else colMeans(s), double(2))
  failed <- vapply(scores, anyNA, NA)
  shown <- ifelse(failed, "failed", ifelse(is.na(means[1, ]), "", sprintf("%.3f", means[1, ])))
  differences <- vapply(c("recorded", "moved"), function(kind) {
    of <- function(model) scores[[model]][, kind]
    vapply(compared, function(peer) {
      difference(of("cwmix"), if (!is.null(scores[[peer]])) of(peer))
    }, "")
  }, character(length(compared)))
  took <- vapply(runs[c("cwmix", "mclust", "arf")], `[[`, 0, "seconds")
  row(
    name, nrow(x), ncol(x), sprintf("%.2f", tied), paste(shown, collapse = " | "),
    paste(differences, collapse = " | "), paste(sprintf("%.1f", took), collapse = " | ")
  )
  at_bound <- vapply(scores, function(s) {
    sum(s[, "recorded"] <= log(1e-300), na.rm = TRUE)
  }, 0)
  list(means = means, at_bound = at_bound)
}
runs <- sapply(names(data), run, simplify = FALSE)

# What it comes to, over data where both models have a score.
summarise <- function(list, among, kind, peer) {
  gains <- vapply(runs[among], function(run) {
    run$means[kind, "cwmix"] - run$means[kind, peer]
  }, 0)
  gains <- gains[!is.na(gains)]
  if (length(gains) == 0) {
    return()
  }
  row(
    list, c(recorded = "as recorded", moved = "moved in their cells")[[kind]], peer,
    sprintf("%d of %d", sum(gains >= 0), length(gains)), sum(gains >= -0.01),
    sprintf("%.3f", mean(gains)), sprintf("%.3f", stats::median(gains)),
    sprintf("%.3f, %s", min(gains), names(which.min(gains)))
  )
}
cat("\n")
header(
  "list", "rows", "peer", "at least its score", "or up to 0.01 below", "average difference",
  "median", "worst"
)
lists <- list(first = names(first), second = names(second), all = names(data))
for (list in names(lists)) {
  among <- intersect(lists[[list]], names(data))
  for (kind in c("recorded", "moved")) {
    for (peer in peers) summarise(list, among, kind, peer)
  }
}
at_bound <- rowSums(vapply(runs, `[[`, double(length(models)), "at_bound"))
at_bound <- at_bound[c("kernel", "logspline", "arf", "arf of 100 trees")]
cat(sprintf(
  "\nRows where a density is zero, its log bounded at that of 1e-300: %s.\n",
  paste(names(at_bound), at_bound, collapse = ", ")
))
