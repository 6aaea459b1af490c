# Elapsed seconds of cwmix(x) at its defaults against mclust's densityMclust(x) at its defaults.
# Prints tables in Markdown.
#   Rscript bench/default-time.R [small] [wide] [long] [verbs] [runs=3] [rows=n] [only=name;name]
#
# small: data of at most 1,000 rows and one to five columns, both models in turns, the median of
# three runs each. wide: 20,000 rows of 25 columns, six Gaussians with full covariances. long:
# 200,000 rows of 3 columns, alike. Of these one run each; `rows` makes them smaller. verbs: of
# default fits, 100,000 densities and draws (faithful; quakes, five columns), 10,000 quantiles.
suppressMessages({
  library(cwmix)
  library(mclust)
})
source(file.path("bench", "helpers.R"))
options(warn = 1)

asked <- read_arguments(c("small", "wide", "long", "verbs"))
parts <- asked$parts
option <- asked$option
repeats <- as.integer(option("runs", 3))
rows <- option("rows", NULL)

fits <- list(
  cwmix = function(x) cwmix(x, control = cwmix_control(verbose = FALSE)),
  mclust = function(x) densityMclust(x, plot = FALSE, verbose = FALSE)
)
# Seconds, a column a model and a row a run; the models take turns.
in_turns <- function(calls, repeats) {
  out <- replicate(repeats, vapply(calls, function(call) {
    set.seed(1)
    # Warnings of ours (far rows) and mclust's are no matter here.
    suppressWarnings(seconds(call))
  }, 0))
  t(out)
}

crabs <- MASS::crabs[, 4:8]
small <- list(
  "faithful" = faithful,
  "faithful: eruptions" = faithful$eruptions,
  "faithful: waiting" = faithful$waiting,
  "iris" = iris[, 1:4],
  "quakes: depth" = quakes$depth,
  "quakes: long, lat" = quakes[, c("long", "lat")],
  "quakes: lat, long, depth" = quakes[, 1:3],
  "quakes" = quakes,
  "rivers" = rivers,
  "galaxies (MASS)" = MASS::galaxies,
  "diabetes (mclust)" = from("mclust", "diabetes")[, -1],
  "crabs (MASS)" = crabs,
  "Pima.tr (MASS): glu, bp, skin, bmi" = MASS::Pima.tr[, c("glu", "bp", "skin", "bmi")],
  "Boston (MASS): rm, lstat, medv" = MASS::Boston[, c("rm", "lstat", "medv")],
  "airquality: Ozone, Solar.R, Wind, Temp" = stats::na.omit(airquality[, 1:4]),
  "trees" = trees,
  "swiss: five columns" = swiss[, 1:5],
  "rnorm(1000)" = local({
    set.seed(1)
    rnorm(1000)
  }),
  "rexp(1000)" = local({
    set.seed(1)
    rexp(1000)
  }),
  "wreath (mclust)" = from("mclust", "wreath"),
  "cross (mclust)" = from("mclust", "cross")[, -1]
)
only <- option("only", NULL, ";")
if (!is.null(only)) small <- small[names(small) %in% only]
if ("small" %in% parts) {
  header("data", "rows", "columns", "cwmix, s", "mclust, s", "cwmix / mclust")
  times <- vapply(names(small), function(name) {
    x <- as.matrix(small[[name]])
    calls <- lapply(fits, function(fit) function() fit(x))
    medians <- apply(in_turns(calls, repeats), 2, stats::median)
    row(
      name, nrow(x), ncol(x), paste(sprintf("%.2f", medians), collapse = " | "),
      sprintf("%.1f", medians[[1]] / medians[[2]])
    )
    medians
  }, double(2))
  ratios <- times["cwmix", ] / times["mclust", ]
  cat(sprintf(
    "\nGeometric mean of ratios %.2f, from %.2f (%s) to %.2f (%s); seconds in all %.1f and %.1f.\n",
    exp(mean(log(ratios))), min(ratios), names(which.min(ratios)), max(ratios),
    names(which.max(ratios)), sum(times["cwmix", ]), sum(times["mclust", ])
  ))
}

# Draws from six Gaussians with random full covariances.
six_gaussians <- function(n, d) {
  set.seed(1)
  k <- sample.int(6, n, TRUE)
  x <- matrix(rnorm(n * d), n)
  for (j in 1:6) {
    root <- matrix(rnorm(d^2), d) / sqrt(d) + diag(0.3, d)
    at <- k == j
    x[at, ] <- x[at, , drop = FALSE] %*% root + rep(rnorm(d, sd = 1.5), each = sum(at))
  }
  x
}
large <- list(wide = c(20000, 25), long = c(200000, 3))
if (any(parts %in% names(large))) {
  cat("\n")
  header(
    "data", "rows", "columns", "cwmix, s", "mclust, s", "cwmix / mclust",
    "score of 10,000 new rows, cwmix", "mclust"
  )
  for (part in intersect(parts, names(large))) {
    n <- if (is.null(rows)) large[[part]][1] else as.integer(rows)
    both <- six_gaussians(n + 10000, large[[part]][2])
    x <- both[seq_len(n), ]
    test <- both[-seq_len(n), ]
    made <- list()
    calls <- lapply(names(fits), function(name) function() made[[name]] <<- fits[[name]](x))
    times <- in_turns(stats::setNames(calls, names(fits)), 1)
    scores <- c(
      mean(predict(made$cwmix, test, log = TRUE)),
      mean(predict(made$mclust, test, what = "dens", logarithm = TRUE))
    )
    row(
      part, nrow(x), ncol(x), paste(sprintf("%.1f", times), collapse = " | "),
      sprintf("%.2f", times[1] / times[2]), paste(sprintf("%.4f", scores), collapse = " | ")
    )
  }
}

if ("verbs" %in% parts) {
  cat("\n")
  header("fit", "what", "components", "cwmix, s", "mclust, s", "cwmix / mclust")
  timed <- function(data, what, components, calls) {
    medians <- apply(in_turns(calls, repeats), 2, stats::median)
    row(
      data, what, components, paste(sprintf("%.3f", medians), collapse = " | "),
      sprintf("%.2f", medians[[1]] / medians[[2]])
    )
  }
  made <- function(x) {
    set.seed(1)
    lapply(fits, function(fit) fit(x))
  }
  components <- function(fit) {
    sprintf("%d, mclust %d", length(fit$cwmix$proportions), fit$mclust$G)
  }
  for (name in c("faithful", "quakes")) {
    x <- as.matrix(get(name, "package:datasets"))
    fit <- made(x)
    set.seed(2)
    points <- x[sample.int(nrow(x), 1e5, TRUE), ]
    points <- points + rnorm(length(points), sd = 0.1)
    timed(name, "100,000 densities", components(fit), list(
      cwmix = function() predict(fit$cwmix, points),
      mclust = function() predict(fit$mclust, points, what = "dens")
    ))
    timed(name, "100,000 draws", components(fit), list(
      cwmix = function() simulate(fit$cwmix, 1e5),
      mclust = function() sim(fit$mclust$modelName, fit$mclust$parameters, 1e5)
    ))
  }
  fit <- made(faithful$eruptions)
  p <- (1:10000 - 0.5) / 10000
  timed("faithful: eruptions", "10,000 quantiles", components(fit), list(
    cwmix = function() qcwmix(p, fit$cwmix), mclust = function() quantileMclust(fit$mclust, p)
  ))
}
