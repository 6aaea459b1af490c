# Microseconds a row of a training step of normalising flows, by the engine and in PyTorch on the
# same rows, at the sizes of the paper's comparison and in ten dimensions; or, with the argument
# `bytes`, for other sizes of FLOW_BYTES (src/engine/flow-tiles.h), as a share of the time with the
# size it has; or, with the argument `own`, of mixtures behind one flow for all components and behind
# one each, on one thread. Prints a table in Markdown.
#   Rscript bench/flows.R [bytes | own]
source(file.path("bench", "helpers.R"))
arguments <- commandArgs(trailingOnly = TRUE)
suppressMessages(library(cwmix, lib.loc = if (length(arguments) == 2) arguments[2]))
internal <- asNamespace("cwmix")

flow_sizes <- function() {
  size <- function(map, d, activation = "tanh", batch = 1000) {
    layers <- if (map == "realnvp") 10 else 8
    list(
      map = map, layers = layers, d = d, hidden = c(64, 64, 64), activation = activation,
      batch = batch
    )
  }
  list(
    size("realnvp", 2), size("realnvp", 2, "relu"), size("spline", 2), size("spline", 2, "relu"),
    size("realnvp", 10), size("spline", 10), size("realnvp", 2, batch = 200),
    size("spline", 2, batch = 200), size("realnvp", 2, batch = 10000),
    size("spline", 2, batch = 10000)
  )
}

# A flow after one epoch of training.
flow_of <- function(size, x) {
  fit <- if (size$map == "realnvp") flow_realnvp else flow_spline
  control <- cwmix_control(epochs = 1, batch_size = 1000, verbose = FALSE)
  set.seed(1)
  fit(
    x, size$layers, size$hidden,
    activation = size$activation, validation = 0, control = control
  )
}

# Multiplications and additions of the networks for one row, forward.
flow_flops <- function(widths, layers) {
  products <- colSums(widths[-1, ] * widths[-nrow(widths), ])
  2 * sum(products[rep_len(1:2, layers)])
}

# What the engine takes for the flow of a fit alone.
flow_engine <- function(fit) {
  parts <- internal$engine_parts(fit$base)
  shape <- c(internal$flow_shape(fit$flow), list(fixed = TRUE))
  internal$engine_model(c(parts$parameters, coef(fit)), "tanh", shape)
}

# Least microseconds a row of steps of Adam from a fit, a few steps a call so that it takes as long
# as one of the peer's; two seconds of calls.
step_us <- function(fit, x, batch, threads) {
  model <- flow_engine(fit)
  zero <- 0 * model$parameters
  state <- list(
    parameters = model$parameters, first = zero, second = zero, average = zero, step = 0
  )
  x <- internal$standardise(x, fit$flow$center, fit$flow$scale)
  n_steps <- max(1, 2000 %/% batch)
  call <- function() {
    rows <- sample.int(nrow(x), n_steps * batch) - 1L
    internal$engine_steps(
      model, state, x, NULL, rows, as.integer(batch), rep(1e-4, n_steps),
      internal$adam(0, Inf, rep(-Inf, ncol(x))), internal$all_components,
      list(single = TRUE, threads = threads)
    )
  }
  repeats <- ceiling(2 / least_seconds(call, 5))
  1e6 * least_seconds(call, repeats) / (n_steps * batch)
}

# Microseconds a row of peer_flows.py's step; checks that its networks are those of the fit. Threads
# that do not wait in loops are slower where nothing else runs, and faster where something does.
peer_us <- function(size, file, fit, threads, waiting = "active") {
  arguments <- c(
    file.path("bench", "peer_flows.py"), "--data", file, "--dim", size$d, "--map", size$map,
    "--layers", size$layers, "--hidden", paste(size$hidden, collapse = ","),
    "--activation", size$activation, if (size$map == "spline") c("--bound", fit$flow$tail_bound),
    "--batch", format(size$batch, scientific = FALSE), "--threads", threads, "--seconds", 1
  )
  policy <- paste0("OMP_WAIT_POLICY=", waiting)
  pairs <- strsplit(
    system2("/usr/bin/python3", arguments, stdout = TRUE, env = policy), "[ =]"
  )[[1]]
  value <- function(name) as.numeric(pairs[match(name, pairs) + 1])
  if (value("parameters") != length(unlist(coef(fit)))) stop("The networks differ.")
  value("step")
}

# The engine and its peer take turns; the least of each counts.
measured_flow <- function(size) {
  x <- scale(mixture_draws(20000, size$d, 5))[, ]
  fit <- flow_of(size, x)
  file <- tempfile()
  on.exit(unlink(file))
  writeBin(as.vector(t(x)), file)
  turns <- replicate(2, c(
    ours1 = step_us(fit, x, size$batch, 1L), ours2 = step_us(fit, x, size$batch, 2L),
    theirs1 = peer_us(size, file, fit, 1), theirs2 = peer_us(size, file, fit, 2),
    passive2 = peer_us(size, file, fit, 2, "passive")
  ))
  least <- apply(turns, 1, min)
  networks <- flow_engine(fit)$flow$widths
  list(
    parameters = length(unlist(coef(fit))), ours1 = least[["ours1"]], ours2 = least[["ours2"]],
    theirs1 = least[["theirs1"]], theirs2 = min(least[c("theirs2", "passive2")]),
    flops = 3 * flow_flops(networks, size$layers)
  )
}

# Steps of one thread with other values of FLOW_BYTES: a build each.
build_with <- function(bytes) {
  library <- tempfile("library")
  source_copy <- tempfile("source")
  for (directory in c(library, source_copy)) dir.create(directory)
  file.copy(c("DESCRIPTION", "NAMESPACE", "R", "src"), source_copy, recursive = TRUE)
  flags <- if (!is.na(bytes)) sprintf("PKG_CPPFLAGS=-DFLOW_BYTES=%d", bytes)
  system2(
    file.path(R.home("bin"), "R"),
    c("CMD", "INSTALL", "--no-docs", "--preclean", paste0("--library=", library), source_copy),
    env = c(flags, "MAKEFLAGS=-j2"), stdout = FALSE, stderr = FALSE
  )
  library
}

compare_bytes <- function() {
  bytes <- c(NA, 2^(18:22))
  libraries <- vapply(bytes, build_with, "")
  measured <- function(library) {
    script <- c(file.path("bench", "flows.R"), "steps", library)
    scan(text = system2(file.path(R.home("bin"), "Rscript"), script, stdout = TRUE), quiet = TRUE)
  }
  # In turns, so that what else the machine does meets all alike.
  least <- do.call(pmin, lapply(1:3, function(turn) vapply(libraries, measured, double(4))))
  header("FLOW_BYTES", "Real-NVP, d = 2", "spline, d = 2", "Real-NVP, d = 10", "spline, d = 10")
  row("as it is", paste(sprintf("%.2f us", least[, 1]), collapse = " | "))
  for (i in seq_along(bytes)[-1]) {
    row(bytes[i], paste(sprintf("%.2f", least[, i] / least[, 1]), collapse = " | "))
  }
}

# K overlapping clusters, those of mixture_draws(), behind flows that start as the identity.
clusters_behind <- function(size, count) {
  set.seed(1)
  mean <- matrix(rnorm(size$K * size$d, sd = 3), size$K, size$d)
  shape <- cwmix_flow(size$map, size$layers, size$hidden, shared = count == 1)
  network <- internal$random_network(size$d, 16, double(size$K), "tanh")
  parameters <- c(list(mean = mean, log_sd = 0 * mean), network[c("weights", "biases")])
  internal$engine_model(internal$add_flow(parameters, shape), "tanh", shape)
}

flow_alone <- function(size) {
  shape <- c(unclass(cwmix_flow(size$map, size$layers, size$hidden)), fixed = TRUE)
  zero <- matrix(0, 1, size$d)
  parameters <- list(mean = zero, log_sd = zero, weights = list(), biases = list(0))
  internal$engine_model(internal$add_flow(parameters, shape), "tanh", shape)
}

# Least microseconds of the processor a row of steps on one thread, whatever else it does.
processor_us <- function(model, x, sampling) {
  zero <- 0 * model$parameters
  state <- list(
    parameters = model$parameters, first = zero, second = zero, average = zero, step = 0
  )
  rows <- seq_len(nrow(x)) - 1L
  call <- function() {
    internal$engine_steps(
      model, state, x, NULL, rows, 1000L, rep(1e-4, nrow(x) / 1000),
      internal$adam(0, Inf, rep(-Inf, ncol(x))), sampling, list(single = TRUE, threads = 1L)
    )
  }
  1e6 * min(replicate(8, system.time(call())[["user.self"]])) / nrow(x)
}

compare_own <- function() {
  header(
    "flow", "layers", "hidden", "d", "K", "components", "one for all", "one each", "alone",
    "one each / (K alone)"
  )
  size <- function(map, d, K, hidden) list(map = map, layers = 4, hidden = hidden, d = d, K = K)
  for (s in list(
    size("spline", 2, 4, c(32, 32)), size("realnvp", 2, 4, c(32, 32)),
    size("spline", 5, 4, c(64, 64)), size("spline", 2, 12, c(32, 32))
  )) {
    x <- mixture_draws(20000, s$d, s$K)
    models <- list(clusters_behind(s, 1), clusters_behind(s, s$K), flow_alone(s))
    draw <- list(internal$all_components, list(threshold = 0.02, seed = c(0.1, 0.2)))
    for (exact in c(FALSE, TRUE)) {
      us <- vapply(models, processor_us, 0, x, draw[[2 - exact]])
      row(
        s$map, s$layers, toString(s$hidden), s$d, s$K, if (exact) "all" else "drawn",
        paste(sprintf("%.2f", us), collapse = " | "), sprintf("%.2f", us[2] / (s$K * us[3]))
      )
    }
  }
}

compare_peers <- function() {
  header(
    "flow", "layers", "hidden", "activation", "d", "parameters", "batch", "ours, 1 thread",
    "ours, 2", "PyTorch, 1 thread", "PyTorch, 2", "PyTorch / ours", "GFLOP/s, ours"
  )
  for (size in flow_sizes()) {
    one <- measured_flow(size)
    ours <- min(one$ours1, one$ours2)
    row(
      size$map, size$layers, toString(size$hidden), size$activation, size$d, one$parameters,
      format(size$batch, scientific = FALSE),
      sprintf("%.2f | %.2f | %.2f | %.2f", one$ours1, one$ours2, one$theirs1, one$theirs2),
      sprintf("%.1f | %.0f", min(one$theirs1, one$theirs2) / ours, one$flops / ours / 1e3)
    )
  }
}

if (length(arguments) == 0) {
  compare_peers()
} else if (arguments[1] == "bytes") {
  compare_bytes()
} else if (arguments[1] == "own") {
  compare_own()
} else {
  cat(vapply(flow_sizes()[c(1, 3, 5, 6)], function(size) {
    x <- scale(mixture_draws(20000, size$d, 5))[, ]
    step_us(flow_of(size, x), x, size$batch, 1L)
  }, 0))
}
