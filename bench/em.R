# An iteration of EM by cwmix, mclust and scikit-learn, on the same data from the same means and in
# the same run: nanoseconds per row and component, and how many times longer the others take. The
# last column is gaussian_mixture() with 20 iterations, its own start and scoring included. Needs
# mclust, and scikit-learn in /usr/bin/python3. Prints a table in Markdown.
#   Rscript bench/em.R [rows, 20000 if not given]
suppressMessages(library(cwmix))
suppressMessages(library(mclust))
source(file.path("bench", "helpers.R"))

arguments <- commandArgs(trailingOnly = TRUE)
n <- if (length(arguments) > 0) as.integer(arguments[1]) else 20000L
repeats <- 5
# Iterations that take a while at `ns` nanoseconds per row, component and column.
iterations <- function(x, K, ns) max(4, round(2e8 / ns / (length(x) * K)))

# Each is list(run, more): run(i) takes i iterations.
ours <- function(x, K, full, means) {
  sd <- sqrt(colMeans((x - means[max.col(-distances(x, means)), ])^2))
  start <- cwmix:::mixture_parameters(means, sd, full, rep(-log(K), K))
  run <- function(i) cwmix:::em_steps(start, x, iterations = i)
  list(run = run, more = iterations(x, K, 1))
}
distances <- function(x, means) {
  -2 * tcrossprod(x, means) + rep(rowSums(means^2), each = nrow(x))
}
of_mclust <- function(x, model, z) {
  run <- function(i) {
    control <- emControl(itmax = rep(i, 2), tol = c(0, 0))
    me(x, modelName = model, z = z, control = control)
  }
  list(run = run, more = iterations(x, ncol(z), 20))
}
# Seconds of an iteration of each: the difference of two runs, so that what happens once does not
# count; in turns, the least of each run.
steps <- function(peers) {
  turns <- replicate(repeats, vapply(peers, function(peer) {
    c(seconds(function() peer$run(1)), seconds(function() peer$run(1 + peer$more)))
  }, double(2)))
  least <- apply(turns, 1:2, min)
  (least[2, ] - least[1, ]) / vapply(peers, `[[`, 0, "more")
}
sklearn_step <- function(x, means, covariance) {
  directory <- tempfile()
  dir.create(directory)
  on.exit(unlink(directory, recursive = TRUE))
  writeBin(as.vector(x), file.path(directory, "x"))
  writeBin(as.vector(means), file.path(directory, "means"))
  K <- nrow(means)
  as.numeric(system2("/usr/bin/python3", c(
    file.path("bench", "peer_sklearn.py"), directory, dim(x), K, iterations(x, K, 20), repeats,
    covariance
  ), stdout = TRUE))
}
whole_call <- function(x, K, covariance) {
  control <- cwmix_control(em_iterations = 20, em_tolerance = 1e-300, starts = 1)
  least_seconds(function() {
    set.seed(1)
    suppressWarnings(gaussian_mixture(x, K, covariance = covariance, control = control))
  }, repeats)
}

cat(format(n, big.mark = ","), " rows; the least of ", repeats, " runs each.\n\n", sep = "")
header(
  "columns", "K", "covariances", "cwmix", "mclust", "scikit-learn", "mclust / cwmix",
  "scikit-learn / cwmix", "whole call"
)
for (d in c(2L, 10L)) {
  for (K in c(5L, 50L)) {
    set.seed(1)
    x <- mixture_draws(n, d, K)
    start <- suppressWarnings(kmeans(x, K, nstart = 1))
    for (covariance in c("diagonal", "full")) {
      full <- covariance == "full"
      mclust <- of_mclust(x, if (full) "VVV" else "VVI", unmap(start$cluster))
      ns <- 1e9 / n / K * c(
        steps(list(ours(x, K, full, start$centers), mclust)),
        sklearn_step(x, start$centers, if (full) "full" else "diag")
      )
      row(
        d, K, covariance, sprintf("%.2f | %.1f | %.1f", ns[1], ns[2], ns[3]),
        sprintf("%.0f | %.0f", ns[2] / ns[1], ns[3] / ns[1]),
        sprintf("%.0f ms", 1e3 * whole_call(x, K, covariance))
      )
    }
  }
}
