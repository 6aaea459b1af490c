# Fits to test with, and how to look at them.

quick_control <- function(..., epochs = 5, precision = "double", starts = 2) {
  cwmix_control(epochs = epochs, precision = precision, starts = starts, ...)
}

fit_network <- function(x, K = 3, hidden = 8, ..., seed = 1, control = quick_control()) {
  with_fixed_seed(seed, cwmix(x, K = K, hidden = hidden, control = control, ...))
}

fit_mixture <- function(x, K, ..., seed = 1, control = cwmix_control()) {
  with_fixed_seed(seed, gaussian_mixture(x, K, control = control, ...))
}

# The held-out log densities of one candidate of a selection, by a loop over folds 1, 2, ...
loop_over_folds <- function(x, folds, ...) {
  scores <- double(nrow(x))
  for (f in seq_len(max(folds))) {
    fit <- suppressWarnings(cwmix(x[folds != f, ], ...))
    scores[folds == f] <- predict(fit, x[folds == f, ], log = TRUE)
  }
  scores
}

# Fits without K, as fast as they can be.
fit_stack <- function(x, ..., hidden = NULL, folds = 2, seed = 1,
                      control = cwmix_control(folds = folds)) {
  with_fixed_seed(seed, cwmix(x, hidden = hidden, control = control, ...))
}

# With networks and without maps.
ring_fit <- function(n = 150, hidden = 16, epochs = 15, folds = 2, ..., covariance = "diagonal") {
  control <- cwmix_control(folds = folds, epochs = epochs, batch_size = 16, learning_rate = 0.01)
  without_maps(with_networks(
    fit_stack(ring(n), hidden = hidden, control = control, covariance = covariance, ...)
  ))
}

# Evaluates a fit without K as that of more than 20,000 rows, which has one split.
one_split <- function(code) with_replaced("default_folds", function(n) 1L, code)

# The same as that of few rows in several columns, but with networks.
with_networks <- function(code) {
  with_replaced("bears_networks", function(search) TRUE, with_replaced(
    "leads_in_race", function(...) TRUE, code
  ))
}

# The same without candidates behind maps: of raw columns alone, it is one Gaussian mixture.
without_maps <- function(code) with_replaced("search_maps", function(...) NULL, code)

# Candidates that are fitted in all folds, of which a stack is made.
complete_candidates <- function(search) {
  Filter(function(one) length(one$fits) == length(search$folds), search$candidates)
}

# Their rows of the table of candidates.
complete_table <- function(fit) fit$candidates[fit$candidates$folds == fit$folds, ]

# The start of EM at K groups of a tree of all rows.
start_of_tree <- function(x, K, full, floor) {
  tree_start(x, stats::cutree(cluster_tree(x), K), full, floor)
}

# A fit without K with the search that led to it, which is not kept: list(fit, search).
search_of <- function(code) {
  finish <- finish_stack
  search <- NULL
  keep <- function(found, ...) {
    search <<- found
    finish(found, ...)
  }
  fit <- with_replaced("finish_stack", keep, code)
  list(fit = fit, search = search)
}

# The search of a fit to x without K, before any maps and after next to nothing else.
search_for <- function(x, ...) {
  fit <- function() without_maps(fit_stack(x, ..., covariance = "diagonal"))
  with_replaced("candidate_sizes", 1L, search_of(fit()))$search
}

# An interrupt at the call of that number of an internal function while code is evaluated.
with_interrupt <- function(name, at, code) {
  real <- get(name, asNamespace("cwmix"))
  calls <- 0
  interrupted <- function(...) {
    calls <<- calls + 1
    if (calls == at) stop(structure(class = c("interrupt", "condition"), list()))
    real(...)
  }
  with_replaced(name, interrupted, code)
}

# A fit run until nothing moves.
tight_fit <- function(x, covariance, ...) {
  control <- cwmix_control(em_iterations = 2000, em_tolerance = 1e-13)
  with_fixed_seed(
    4, gaussian_mixture(x, 3, covariance = covariance, control = control, ...)
  )
}

constant_control <- function(epochs, ...) {
  cwmix_control(epochs = epochs, schedule = "constant", patience = Inf, starts = 2, ...)
}

fit_numbers <- function(fit) {
  fit[c(
    "mean", "sd", "cholesky", "classifier", "flow", "base", "proportions", "log_likelihood",
    "trace", "starts"
  )]
}

# Evaluates code with an internal function of the package replaced.
with_replaced <- function(name, replacement, code) {
  namespace <- asNamespace("cwmix")
  real <- get(name, namespace)
  put <- function(value) {
    unlockBinding(name, namespace)
    assign(name, value, namespace)
    lockBinding(name, namespace)
  }
  on.exit(put(real))
  put(replacement)
  code
}

# Evaluates code in silence: list(value, conditions), the value NULL after an error.
catch_conditions <- function(code) {
  conditions <- list()
  note <- function(condition) conditions[[length(conditions) + 1]] <<- condition
  value <- tryCatch(
    withCallingHandlers(
      code,
      warning = function(w) {
        note(w)
        invokeRestart("muffleWarning")
      },
      message = function(m) {
        note(m)
        invokeRestart("muffleMessage")
      }
    ),
    error = function(e) {
      note(e)
      NULL
    }
  )
  list(value = value, conditions = conditions)
}

# The output of R code in a session of its own that has the package attached. `environment` are
# variables such as "NAME=value".
in_new_session <- function(code, environment = character()) {
  script <- tempfile(fileext = ".R")
  on.exit(unlink(script))
  writeLines(c(
    sprintf(".libPaths(%s)", paste(deparse(.libPaths()), collapse = "")), "library(cwmix)", code
  ), script)
  suppressWarnings(system2(
    file.path(R.home("bin"), "Rscript"), c("--vanilla", shQuote(script)),
    stdout = TRUE, stderr = TRUE, env = environment
  ))
}

# The same, to its end, where progress is shown: within tests it is not.
in_session_with_progress <- function(code) {
  shown <- 'Sys.unsetenv("TESTTHAT")
    options(cli.progress_show_after = 0, cli.dynamic = TRUE, cli.ansi = FALSE)'
  output <- in_new_session(paste(shown, code, sep = "\n"))
  expect_null(attr(output, "status"), info = paste(output, collapse = "\n"))
  output
}

# Steps of Adam by the engine, from moments of zero: parameters like p, their average, the scores.
# All batches but the last are of one size.
take_steps <- function(p, x, a, batches, rates, decay, clip, recency, log_floor, epsilon, single) {
  model <- engine_model(reference_coef(p), p$activation)
  out <- .Call(
    ffi_steps, model, first_state(model), x, a, unlist(batches) - 1L, length(batches[[1]]), rates,
    adam_options(log_floor, decay, clip, recency, epsilon), all_components, single, 2L
  )
  c(
    unflatten(out$parameters, reference_coef(p)),
    list(average = unflatten(out$average, reference_coef(p))), out["scores"]
  )
}

# Options of Adam as the engine takes them.
adam_options <- function(log_floor, decay = 0, clip = Inf, recency = 0, epsilon = 1e-8,
                         beta1 = 0.9) {
  list(
    beta1 = beta1, beta2 = 0.999, epsilon = epsilon, decay = decay, clip = clip,
    recency = recency, log_floor = log_floor
  )
}

# A draw of improbable components as the engine takes it.
draw_of <- function(threshold, ...) list(threshold = threshold, seed = c(...))

# What ffi_steps takes before the first step.
first_state <- function(model) {
  zero <- 0 * model$parameters
  list(parameters = model$parameters, first = zero, second = zero, average = zero, step = 0)
}

# The mean gradient of the rows of x as a training step takes it: list shaped like the coefficients.
# Without momentum Adam's first moment is the gradient.
step_gradient <- function(p, x, sampling, single = FALSE, a = NULL, threads = 1L) {
  model <- engine_model(reference_coef(p), p$activation)
  out <- .Call(
    ffi_steps, model, first_state(model), x, a, seq_len(nrow(x)) - 1L, nrow(x), 0,
    adam_options(rep(-Inf, ncol(x)), beta1 = 0), sampling, single, threads
  )
  unflatten(out$first, reference_coef(p))
}

# Labels of averages come with a warning, which tests of their numbers leave aside.
without_labels <- function(code) suppressWarnings(code, classes = "cwmix_labels")

# Fits to ties or to fewer rows than components need, which say so.
without_degenerate <- function(code) suppressWarnings(code, classes = "cwmix_degenerate")

# Two half-moons.
moons <- function(n, seed = 1) {
  with_fixed_seed(seed, {
    turn <- runif(n, 0, pi)
    upper <- rep_len(c(TRUE, FALSE), n)
    x <- cbind(
      x = ifelse(upper, cos(turn), 1 - cos(turn)), y = ifelse(upper, sin(turn), 0.5 - sin(turn))
    )
    x + rnorm(2 * n, sd = 0.1)
  })
}

# Small flows, trained for a little so that they are not the identity.
fit_small_flow <- function(x, kind = "realnvp", ..., layers = 3, hidden = c(6, 5), seed = 1,
                           control = quick_control(epochs = 4, learning_rate = 0.01)) {
  fit <- if (kind == "realnvp") flow_realnvp else flow_spline
  with_fixed_seed(seed, fit(x, layers = layers, hidden = hidden, ..., control = control))
}

fit_behind_flow <- function(x, kind = "spline", ..., K = 3, hidden = 6, layers = 2, shared = TRUE,
                            seed = 1,
                            control = quick_control(epochs = 4, learning_rate = 0.01)) {
  flow <- cwmix_flow(kind, layers = layers, hidden = 5, shared = shared)
  fit_network(x, K, hidden, ..., flow = flow, seed = seed, control = control)
}

printed_fits <- function() {
  set.seed(1)
  control <- cwmix_control(epochs = 2)
  list(
    cwmix = cwmix(faithful, K = 3, hidden = 4, covariance = "full", control = control),
    mixture = gaussian_mixture(faithful, K = 2),
    bounded = gaussian_mixture(rivers, K = 1, support = c(0, Inf)),
    model = cwmix_model(c(-1, 1), sd = c(1, 2), classifier = c(0.3, 0.7)),
    families = cdf_models()$network$model
  )
}

# Tables of values on ties: list(x, w, rows), as whole weights and as rows.
tied_tables <- function() {
  exact <- with_fixed_seed(1, rnorm(40))
  tables <- list(
    counts = list(x = 0:10, w = c(30, 50, 42, 28, 17, 9, 4, 1, 2, 0, 1)),
    repeats = list(x = exact, w = rep(1:4, 10)),
    atom = list(x = c(exact, 0), w = c(rep(1, 40), 60)),
    answers = list(x = cbind(rep(1:3, 4), rep(1:4, each = 3)), w = c(3:9, 9:5))
  )
  lapply(tables, function(table) {
    x <- as.matrix(table$x)
    list(x = x, w = table$w, rows = x[rep(seq_along(table$w), table$w), , drop = FALSE])
  })
}

with_width <- function(width, code) {
  old <- options(width = width)
  on.exit(options(old))
  code
}
