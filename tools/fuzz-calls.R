# The engine's entry points called with models that someone has edited: each call is an error of R
# or an answer, never a crash. Seeded; best under the sanitizers (tools/sanitize.sh), where a crash
# ends the process with a report, after the line that names the last five hundred calls.
# Usage: Rscript tools/fuzz-calls.R [--calls=N] [--seed=N] [--seconds=N] [--from=N, the first call]

suppressMessages(library(cwmix))
helpers <- new.env(parent = asNamespace("cwmix"))
for (file in list.files("tests/testthat", "^helper-.*[.]R$", full.names = TRUE)) {
  sys.source(file, helpers)
}

read_options <- function(arguments) {
  options <- list(calls = 20000, seed = 1, seconds = Inf, from = 1)
  for (argument in arguments) {
    parts <- regmatches(argument, regexec("^--([a-z]+)=(.*)$", argument))[[1]]
    if (length(parts) == 0 || !parts[2] %in% names(options)) {
      stop("there is no option ", argument, call. = FALSE)
    }
    options[[parts[2]]] <- as.numeric(parts[3])
  }
  options
}

pick <- function(x) x[[sample.int(length(x), 1)]]

make_models <- function() {
  evalq({
    shapes <- list(
      make_parameters(3, 4), make_parameters(3, 4, NULL, "full"),
      make_parameters(3, 4, integer(0)), make_parameters(3, 4, c(5, 2), "full", "silu")
    )
    plain <- lapply(shapes, function(p) engine_model(reference_coef(p), p$activation))
    flows <- list(
      make_flow_mixture(make_shape("realnvp"), 3, 4, 5), make_flow_alone(make_shape("spline"), 3),
      make_own_flows(make_shape("spline", bins = 3), 3, 4, NULL)
    )
    c(plain, lapply(flows, flow_model))
  }, helpers)
}

# Every argument by its name, as it should be: 5 rows of 3 columns, 4 components.
make_calls <- function() {
  evalq({
    y <- make_points(5, 3)
    mean <- matrix(0.5, 4, 3)
    support <- cbind(rep(-Inf, 3), rep(Inf, 3))
    options <- torture_options()
    list(
      list("ffi_density", y = y, quantity = 0L, single = FALSE, threads = 1L),
      list("ffi_density", y = y, quantity = 1L, single = TRUE, threads = 1L),
      list("ffi_classifier", z = y, single = FALSE, threads = 1L),
      list(
        "ffi_gradient", y = y, weights = runif(5), at_points = TRUE, sampling = all_components,
        single = FALSE, threads = 1L
      ),
      list("ffi_flow", y = y, inverse = FALSE, which = 0L, single = FALSE, threads = 1L),
      list("ffi_flow", y = y, inverse = TRUE, which = 0L, single = TRUE, threads = 1L),
      list("ffi_flow_pullback", y = y, dy = y, which = 0L, threads = 1L),
      list(
        "ffi_expectation_gradient", z = y, log_weight = double(20), node = double(60), threads = 1L
      ),
      list(
        "ffi_draw", mean = mean, scale = mean + 1, support = support, n = 5L, keep = TRUE,
        ahead = TRUE, threads = 1L
      ),
      list("ffi_residuals", mean = mean, scale = mean + 1, y = y, u = double(5), threads = 1L),
      list(
        "ffi_em", x = y, weights = runif(5), floor = double(3), pooling = pool(),
        iterations = 2L, tolerance = 1e-9, threads = 1L
      ),
      list(
        "ffi_steps", state = NULL, x = y, weights = NULL, rows = 0:4, batch = 5L, rates = 1e-3,
        options = options, sampling = all_components, single = FALSE, threads = 1L
      ),
      list("ffi_adam", state = NULL, gradient = NULL, rate = 1e-3, options = options)
    )
  }, helpers)
}

# What stands in place of a number, a vector, a matrix or a list.
strangers <- list(
  NULL, NA, NA_integer_, NaN, Inf, -Inf, -1L, 0L, 1L, 2L, 7L, 1e9, .Machine$integer.max,
  -.Machine$integer.max, 1e300, 0.5, "a", list(), double(), integer(), TRUE, 1:3,
  matrix(0, 0, 3), matrix(0, 3, 0), matrix(0L, 2, 2), matrix(0, 0, .Machine$integer.max),
  array(0, c(2, 2, 2)), function(x) x, quote(a), globalenv(), as.raw(1), 1i
)

changes <- list(
  function(x) if (length(x) > 0) x[-1] else x,
  function(x) if (is.vector(x)) c(x, x) else x,
  function(x) if (is.double(x)) replace(x, seq_along(x) == 1, pick(c(NaN, Inf, 1e300))) else x,
  function(x) {
    if (is.integer(x)) {
      replace(x, sample.int(max(1, length(x)), 1), pick(c(NA, -1L, 0L, 1073741824L, 1000L, 3L)))
    } else {
      x
    }
  },
  function(x) if (is.integer(x)) x + 0 else x,
  function(x) if (is.matrix(x)) t(x) else x,
  function(x) if (is.list(x) && length(x) > 0) x[-sample.int(length(x), 1)] else x,
  function(x) if (is.integer(x)) suppressWarnings(x * 1048576L) else x,
  function(x) if (!is.null(x) && !is.list(x) && !is.function(x)) x[rep(1, 50)] else x
)

# Changes one part of a nested list, or the whole.
edit <- function(x) {
  if (is.list(x) && length(x) > 0 && stats::runif(1) < 0.9) {
    i <- sample.int(length(x), 1)
    x[i] <- list(edit(x[[i]]))
    return(x)
  }
  if (!is.vector(x) && !is.array(x) || stats::runif(1) < 0.5) pick(strangers) else pick(changes)(x)
}

# A call with one to three edits, as a list of arguments of .Call().
make_call <- function(models, calls) {
  model <- pick(models)
  call <- pick(calls)
  size <- model$parameters
  if ("state" %in% names(call)) call["state"] <- list(helpers$first_state(model))
  if ("gradient" %in% names(call)) call["gradient"] <- list(size)
  arguments <- c(list(model), call[-1])
  for (i in seq_len(sample.int(3, 1))) {
    at <- if (stats::runif(1) < 0.6) 1 else sample.int(length(arguments), 1)
    arguments[at] <- list(edit(arguments[[at]]))
  }
  c(list(get(call[[1]], asNamespace("cwmix"))), unname(arguments))
}

main <- function() {
  options <- read_options(commandArgs(trailingOnly = TRUE))
  models <- make_models()
  calls <- make_calls()
  end <- Sys.time() + options$seconds
  seen <- c(refused = 0, ran = 0)
  log <- tempfile()
  number <- options$from
  while (number < options$from + options$calls && Sys.time() < end) {
    set.seed(options$seed * 1e6 + number)
    arguments <- make_call(models, calls)
    if (number %% 500 == 0) cat("call", number, "\n")
    answer <- tryCatch(do.call(.Call, arguments, quote = TRUE), error = identity)
    outcome <- if (inherits(answer, "error")) "refused" else "ran"
    seen[outcome] <- seen[outcome] + 1
    number <- number + 1
  }
  cat(sprintf("%d calls, %d refused, %d ran\n", sum(seen), seen["refused"], seen["ran"]))
}

main()
