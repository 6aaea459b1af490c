# Peak memory of fits and of predict() with a million rows of ten columns (80 MB), each in a process
# of its own under /usr/bin/time -v, beside PyTorch's for the same training and mclust's for a
# mixture. "Beyond" is beyond a process that only loads the packages and holds the data. Prints a
# table in Markdown.
#   Rscript bench/memory.R
source(file.path("bench", "helpers.R"))

# Peak in MB and seconds of a command.
run <- function(...) {
  out <- system2("/usr/bin/time", c("-v", ...), stdout = TRUE, stderr = TRUE)
  if (!is.null(attr(out, "status"))) stop(paste(out, collapse = "\n"))
  field <- function(name) sub(".*: ", "", grep(name, out, value = TRUE))
  clock <- as.numeric(strsplit(field("Elapsed"), ":")[[1]])
  seconds <- sum(clock * 60^(rev(seq_along(clock)) - 1))
  c(mb = as.numeric(field("Maximum resident")) / 1024, seconds = seconds)
}
in_r <- function(..., package = "cwmix") {
  file <- tempfile(fileext = ".R")
  on.exit(unlink(file))
  writeLines(c(
    sprintf("suppressMessages(library(%s))", package), "set.seed(1)", "x <- rnorm(1e7)",
    "dim(x) <- c(1e6, 10)", ...
  ), file)
  run("Rscript", file)
}
in_torch <- function(steps) {
  run(
    "/usr/bin/python3", file.path("bench", "peer_torch.py"), "--dim", 10, "--components", 5,
    "--hidden", "32,32", "--batch", 500, "--rows", 1000000L, "--steps", steps
  )
}
show <- function(name, one, base) {
  row(name, sprintf("%.0f | %.0f | %.0f", one["mb"], one["mb"] - base["mb"], one["seconds"]))
}
row("", "peak, MB", "beyond, MB", "seconds")
row("---", "--:", "--:", "--:")
data <- in_r()
show("data alone", data, data)
control <- "control <- cwmix_control(epochs = 1, em_iterations = 3, starts = 1)"
fit <- "fit <- cwmix(x, K = 5, hidden = c(32, 32), control = control)"
show("`cwmix()`, one epoch", in_r(control, fit), data)
weights <- sub("control = ", "weights = rexp(1e6), control = ", fit)
show("`cwmix()` with weights", in_r(control, weights), data)
positive <- c("for (j in 1:10) x[, j] <- exp(x[, j])", control)
show("`cwmix()` with a support", in_r(positive, sub("K", "support = c(0, Inf), K", fit)), data)
mixture <- "fit <- gaussian_mixture(x, K = 50, control = control)"
show("`gaussian_mixture()`, K = 50", in_r(control, mixture), data)
few <- c(control, sub("(x", "(x[1:1e4, ]", fit, fixed = TRUE))
show("`predict()`", in_r(few, "p <- predict(fit, x)"), data)
show("`predict()`, class", in_r(few, "p <- predict(fit, x, type = \"class\")"), data)
frame <- c("x <- as.data.frame(x)", control)
framed <- in_r(frame)
show("data frame alone", framed, framed)
show("`cwmix()` of a data frame", in_r(frame, fit), framed)
formula <- sub("(x", "(reformulate(names(x)), x", fit, fixed = TRUE)
show("`cwmix()` of a formula", in_r(frame, formula), framed)
held <- in_torch(0)
show("PyTorch, data alone (float)", held, held)
show("PyTorch, 100 steps", in_torch(100), held)
held <- in_r(package = "mclust")
peer <- "fit <- densityMclust(x, G = 5, modelNames = \"VVI\", plot = FALSE, verbose = FALSE)"
show("mclust, data alone", held, held)
show("mclust, VVI, G = 5", in_r(peer, package = "mclust"), held)
