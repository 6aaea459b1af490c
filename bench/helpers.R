# What the measurements share. They run from the root of the repository.

row <- function(...) cat("|", paste(..., sep = " | "), "|\n")
header <- function(...) {
  row(...)
  row(paste(rep("--:", ...length()), collapse = " | "))
}

# A data set of a package.
from <- function(package, name) {
  frame <- new.env()
  utils::data(list = name, package = package, envir = frame)
  frame[[name]]
}

# The step of the grid on which a column's values were recorded: the commonest difference between
# neighbouring values, and 0 for a column without ties. It asks nothing of the models.
grid_step <- function(x) {
  if (!anyDuplicated(x)) {
    return(0)
  }
  steps <- table(signif(diff(sort(unique(x))), 4))
  as.numeric(names(steps)[which.max(steps)])
}
# Rows with each value somewhere, uniformly, in its cell of the grid. A spike of density on values
# that rows have in common raises the score of rows as they were recorded, and not that of these.
dithered <- function(x) {
  apply(x, 2, function(column) column + runif(length(column), -0.5, 0.5) * grid_step(column))
}
# Logs of densities that are zero to rounding are that of 1e-300.
bounded <- function(log_density) pmax(log_density, log(1e-300))

# Finer than the milliseconds of system.time().
seconds <- function(f) {
  begin <- Sys.time()
  f()
  as.numeric(Sys.time() - begin, units = "secs")
}

# The least of some calls.
least_seconds <- function(f, repeats = 3) min(replicate(repeats, seconds(f)))

# Draws from a mixture of K normals with standard deviation 1 and means from N(0, 9 I): overlapping
# clusters over the whole range.
mixture_draws <- function(n, d, K, seed = 1) {
  set.seed(seed)
  mean <- matrix(rnorm(K * d, sd = 3), K, d)
  mean[sample.int(K, n, TRUE), , drop = FALSE] + matrix(rnorm(n * d), n, d)
}

# Multiplications and additions of the network for one observation (its K points), forward.
network_flops <- function(d, K, hidden) {
  widths <- c(d, hidden, K)
  2 * K * sum(widths[-1] * widths[-length(widths)])
}

# What peer_torch.py prints, as a named vector, for the rows x.
peer <- function(x, K, hidden, batch, threads = 2, ...) {
  file <- tempfile()
  on.exit(unlink(file))
  writeBin(as.vector(t(x)), file)
  arguments <- c(
    file.path("bench", "peer_torch.py"), "--data", file, "--dim", ncol(x), "--components", K,
    "--hidden", paste(hidden, collapse = ","), "--batch", batch, "--threads", threads, ...
  )
  pairs <- strsplit(system2("/usr/bin/python3", arguments, stdout = TRUE), "[ =]")[[1]]
  odd <- seq(1, length(pairs), 2)
  setNames(as.numeric(pairs[odd + 1]), pairs[odd])
}

# PyTorch at its best: a small step also on one thread, which then is often faster.
best_peer <- function(x, K, hidden, batch, ...) {
  small <- 3 * network_flops(ncol(x), K, hidden) * batch < 1e9
  runs <- lapply(if (small) 2:1 else 2, function(threads) peer(x, K, hidden, batch, threads, ...))
  best <- do.call(pmin, runs)
  best["peak_gflops"] <- runs[[1]]["peak_gflops"]
  best
}

# Seconds of an epoch: the difference between fits that differ in their number of epochs, so that
# what they share, EM and scores of the fit, cancels. Short and long fits, a second apart, take
# turns; the least of each counts.
epoch_seconds <- function(x, K, hidden, batch, ...) {
  fit <- function(epochs) {
    set.seed(1)
    control <- cwmix_control(
      epochs = epochs, batch_size = batch, em_iterations = 2, starts = 1, ...
    )
    fit <- cwmix(x, K = K, hidden = hidden, validation = 0, control = control)
    ran <- max(fit$trace$epoch)
    if (ran < epochs) stop("Training ended after ", ran, " of ", epochs, " epochs.")
  }
  short <- least_seconds(function() fit(1), 2)
  more <- 1
  repeat {
    difference <- seconds(function() fit(1 + more)) - short
    if (difference > 0.2) break
    more <- 4 * more
  }
  more <- ceiling(more / difference)
  turns <- replicate(3, c(seconds(function() fit(1)), seconds(function() fit(1 + more))))
  (min(turns[2, ]) - min(turns[1, ])) / more
}

# A fit at the paper's size to 40,000 draws of the R logo on the plane: list(fit, x, steps), where
# steps(rows, batch, sampling) takes steps of rate 0 from it, whose first moments are the mean
# gradient of the last batch; `sampling` as in R/train.R.
fitted_logo <- function() {
  internal <- asNamespace("cwmix")
  logo <- image_density(system.file("img", "Rlogo.png", package = "png"), invert = TRUE)
  x <- scale(qlogis(0.01 + 0.98 * as.matrix(simulate(logo, 40000, seed = 3))))[, ]
  set.seed(1)
  fit <- cwmix(x, K = 50, hidden = c(128, 128, 128), validation = 0, control = cwmix_control(
    epochs = 8, batch_size = 500, em_iterations = 50, starts = 1, verbose = FALSE
  ))
  model <- internal$engine_model(coef(fit), "tanh")
  state <- list(
    parameters = model$parameters, first = 0 * model$parameters, second = 0 * model$parameters,
    average = model$parameters, step = 0
  )
  steps <- function(rows, batch, sampling, threads = 2L) {
    options <- replace(internal$adam(0, Inf, rep(-Inf, 2)), "beta1", 0)
    internal$engine_steps(
      model, state, x, NULL, rows - 1L, batch, rep(0, length(rows) / batch), options, sampling,
      list(single = TRUE, threads = threads)
    )
  }
  list(fit = fit, x = x, steps = steps)
}

# What the command line says: list(parts, option), `parts` those that it names, all where it names
# none, and option(name, default, split), the values of "name=value,value".
read_arguments <- function(parts) {
  arguments <- commandArgs(trailingOnly = TRUE)
  is_option <- grepl("=", arguments)
  if (any(!is_option)) parts <- match.arg(arguments[!is_option], parts, several.ok = TRUE)
  list(parts = parts, option = function(name, default, split = ",") {
    at <- startsWith(arguments, paste0(name, "="))
    if (any(at)) strsplit(sub("^[^=]*=", "", arguments[at][1]), split)[[1]] else default
  })
}
