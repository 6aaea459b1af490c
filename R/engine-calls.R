# The doors to the engine, one function an entry point of src/ffi.h: nothing else calls C. A `model`
# is an engine_model(), points are rows of double matrices. `how` is how to compute: list(single,
# threads), in single precision and with at most so many threads; what is absent is FALSE, and what
# thread_count() says. The doors take what the functions of R have checked.

# A quantity of formula (16), see `quantities`, at the rows of y: n, or n x K.
engine_density <- function(model, y, quantity, how = list()) {
  .Call(ffi_density, model, y, quantities[[quantity]], in_single(how), thread_count(how$threads))
}

# The quantities in the engine's order: see src/ffi-density.c.
quantities <- c(density = 0L, posterior = 1L, weights = 2L, component = 3L)

# log w(z) at base points, n x K.
engine_classifier <- function(model, z, how = list()) {
  .Call(ffi_classifier, model, z, in_single(how), thread_count(how$threads))
}

# The flat gradient of the weighted sum of log densities: list(value, gradient); with `at_points`
# also log_density (n) and dx (n x d), each point's gradient times its weight.
engine_gradient <- function(model, y, weights = NULL, at_points = FALSE, sampling = all_components,
                            how = list()) {
  .Call(
    ffi_gradient, model, y, weights, at_points, sampling, in_single(how), thread_count(how$threads)
  )
}

# No component is left out of a gradient: see sampling().
all_components <- list(threshold = 0, seed = double(2))

# mu_k + L_k z_i, n x K x d; `scale` as in engine_draw().
engine_nodes <- function(mean, scale, z) .Call(ffi_nodes, mean, scale, z)

# The flat gradient of a sum over base points, from derivatives in log w_k(z_i) and in the nodes.
engine_expectation_gradient <- function(model, z, log_weight, node, how = list()) {
  .Call(
    ffi_expectation_gradient, model, z, as.double(log_weight), as.double(node),
    thread_count(how$threads)
  )
}

# Points through the flow of a model or, with `inverse`, back: list(x, log_det). Of flows of their
# own for the components, through that of component `which`.
engine_flow_pass <- function(model, y, inverse, which = 1L, how = list()) {
  .Call(
    ffi_flow, model, y, inverse, as.integer(which) - 1L, in_single(how), thread_count(how$threads)
  )
}

# From derivatives dy at y = F^-1(x) to those in x and in the parameters: list(dx, gradient).
engine_flow_pullback <- function(model, y, dy, which = 1L, how = list()) {
  .Call(ffi_flow_pullback, model, y, dy, as.integer(which) - 1L, thread_count(how$threads))
}

# Base points from R's generator, row by row: list(z, u), n x d normals and n uniforms.
engine_base_draws <- function(n, d) .Call(ffi_base_draws, n, d)

# Columns on the working scale within their bounds (d x 2).
engine_inside <- function(y, support) .Call(ffi_inside, y, support)

# n draws within the bounds `support`; with `component` attributes say where each came from. Means
# and scales (K x d standard deviations or d x d x K factors) are as the density holds them, not the
# exponentials of the model's logarithms: the same bits as in R. `ahead`: the generator cannot fail.
engine_draw <- function(model, mean, scale, support, n, component, ahead, how = list()) {
  .Call(ffi_draw, model, mean, scale, support, n, component, ahead, thread_count(how$threads))
}

# z_k at the rows of y, k drawn from the posterior by the uniforms u: n x d. Means and scales as in
# engine_draw().
engine_residuals <- function(model, mean, scale, y, u, how = list()) {
  .Call(ffi_residuals, model, mean, scale, y, u, thread_count(how$threads))
}

# Iterations of EM: list(parameters, log_likelihood, counts, converged, status). `pooling` is a
# pool().
engine_em <- function(model, x, weights, floor, pooling, iterations, tolerance, how = list()) {
  .Call(
    ffi_em, model, x, weights, floor, pooling, as.integer(iterations), as.double(tolerance),
    thread_count(how$threads)
  )
}

# One step of Adam along a gradient: the new state. `options` is list(beta1, beta2, epsilon, decay,
# clip, recency, log_floor).
engine_adam <- function(model, state, gradient, rate, options) {
  .Call(ffi_adam, model, state, gradient, rate, options)
}

# Steps of Adam over batches of the rows, counted from 0: the new state and the batches' scores.
# `options` as in engine_adam(), `sampling` is list(threshold, seed): see sampling().
engine_steps <- function(model, state, x, weights, rows, batch, rates, options, sampling,
                         how = list()) {
  .Call(
    ffi_steps, model, state, x, weights, rows, batch, rates, options, sampling, in_single(how),
    thread_count(how$threads)
  )
}

# list(log_density, log_below) at t of a shape (log-linear.R) with masses `before` its knots, and
# the t with given log P(T <= t) of at most one half.
engine_log_linear <- function(shape, before, t) .Call(ffi_log_linear, shape, before, t)

engine_log_linear_quantile <- function(shape, before, log_p) {
  .Call(ffi_log_linear_quantile, shape, before, log_p)
}

# What the engine is: list(instance, instances, processors, compiler).
engine_info <- function() .Call(ffi_info)

# TRUE, or FALSE where this machine has no instance of that name.
engine_use <- function(name) .Call(ffi_use_instance, name)

in_single <- function(how) isTRUE(how$single)

# The most threads to use: `threads`, the option or the processors, within the limits that are set.
thread_count <- function(threads = NULL) {
  limit <- function(name) {
    value <- Sys.getenv(name)
    if (!nzchar(value)) {
      return(Inf)
    }
    count <- suppressWarnings(as.integer(value))
    if (is.na(count) || count < 1) Inf else count
  }
  threads <- threads %||% getOption("cwmix.threads") %||% engine_info()$processors
  in_check <- !tolower(Sys.getenv("_R_CHECK_LIMIT_CORES_")) %in% c("", "false")
  as.integer(min(
    check_count(
      threads, "cwmix.threads", NULL
    ), limit("OMP_THREAD_LIMIT"), limit("OMP_NUM_THREADS"),
    if (in_check) 2
  ))
}
