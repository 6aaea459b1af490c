# An iteration of EM by cwmix, mclust and scikit-learn, on the same data from the same means and in
# the same run: nanoseconds per row and component, and how many times longer the others take. The
# last column is gaussian_mixture() with 20 iterations, its own start and scoring included. Needs
# mclust, and scikit-learn in /usr/bin/python3. Prints a table in Markdown.
#   Rscript bench/em.R [rows, 20000 if not given]
suppressMessages(library(cwmix))
suppressMessages(library(mclust))

arguments <- commandArgs(trailingOnly = TRUE)
n <- if (length(arguments) > 0) as.integer(arguments[1]) else 20000L
elapsed <- function(code) {
  begin <- Sys.time() # finer than the milliseconds of system.time()
  force(code)
  as.numeric(Sys.time() - begin, units = "secs")
}
fastest <- function(times, code) {
  code <- substitute(code)
  frame <- parent.frame()
  min(vapply(seq_len(times), function(i) elapsed(eval(code, frame)), 0))
}
# Steps are the difference of two runs, so that what happens once does not count.
our_step <- function(x, K, full, means) {
  sd <- sqrt(colMeans((x - means[max.col(-distances(x, means)), ])^2))
  start <- cwmix:::mixture_parameters(means, sd, full, rep(-log(K), K))
  run <- function(iterations) fastest(25, cwmix:::em_steps(start, x, iterations = iterations))
  more <- max(10, round(2e7 / (nrow(x) * K * ncol(x))))
  (run(1 + more) - run(1)) / more
}
distances <- function(x, means) {
  -2 * tcrossprod(x, means) + rep(rowSums(means^2), each = nrow(x))
}
our_call <- function(x, K, covariance) {
  control <- cwmix_control(em_iterations = 20, em_tolerance = 1e-300, starts = 1)
  set.seed(1)
  fastest(5, suppressWarnings(
    gaussian_mixture(x, K, covariance = covariance, control = control)
  ))
}
mclust_step <- function(x, K, model, z) {
  run <- function(iterations) {
    control <- emControl(itmax = rep(iterations, 2), tol = c(0, 0))
    fastest(2, me(x, modelName = model, z = z, control = control))
  }
  more <- max(4, round(1e7 / (nrow(x) * K * ncol(x))))
  (run(1 + more) - run(1)) / more
}
sklearn_steps <- function(x, K, means) {
  directory <- tempfile()
  dir.create(directory)
  on.exit(unlink(directory, recursive = TRUE))
  writeBin(as.vector(x), file.path(directory, "x"))
  writeBin(as.vector(means), file.path(directory, "means"))
  more <- max(4, round(1e7 / (nrow(x) * K * ncol(x))))
  script <- file.path("bench", "em_sklearn.py")
  as.numeric(system2(
    "/usr/bin/python3", c(script, directory, nrow(x), ncol(x), K, more), stdout = TRUE
  ))
}

cat("| columns | K | covariances | cwmix | mclust | scikit-learn | mclust / cwmix |",
  "scikit-learn / cwmix | whole call |\n"
)
cat("|", strrep(" --: |", 2), " --- |", strrep(" --: |", 6), "\n", sep = "")
for (d in c(2L, 10L)) {
  for (K in c(5L, 50L)) {
    set.seed(1)
    centres <- matrix(rnorm(K * d, sd = 3), K, d)
    x <- matrix(rnorm(n * d), n, d) + centres[sample(K, n, TRUE), ]
    start <- suppressWarnings(kmeans(x, K, nstart = 1))
    z <- unmap(start$cluster)
    sklearn <- sklearn_steps(x, K, start$centers)
    models <- c(diagonal = "VVI", full = "VVV")
    for (covariance in names(models)) {
      times <- c(
        our_step(x, K, covariance == "full", start$centers),
        mclust_step(x, K, models[[covariance]], z), sklearn[match(covariance, names(models))]
      )
      ns <- times / n / K * 1e9
      cat(sprintf(
        "| %d | %d | %s | %.2f | %.1f | %.1f | %.0f | %.0f | %.0f ms |\n", d, K, covariance, ns[1],
        ns[2], ns[3], ns[2] / ns[1], ns[3] / ns[1], 1e3 * our_call(x, K, covariance)
      ))
    }
  }
}
