# EM for Gaussian mixtures on standardised columns: k-means++ starts, restarts, re-seeding.

# Some iterations of the engine. `parameters` is a list(mean, log_sd | log_cholesky, weights =
# list(), biases = list(log pi)); returned with log_likelihood (the mean per unit of weight before
# each iteration and after the last), counts, converged.
em_steps <- function(parameters, x, weights = NULL, iterations = 1, tolerance = -Inf,
                     floor = double(ncol(x)), threads = NULL) {
  parameters <- parameters[c("mean", if (is.null(parameters$log_sd)) "log_cholesky" else "log_sd", "biases")]
  out <- .Call(
    ffi_em, engine_model(parameters), x, weights, floor, as.integer(iterations),
    as.double(tolerance), thread_count(threads)
  )
  c(
    unflatten(out$parameters, parameters),
    out[c("log_likelihood", "counts", "converged", "status")]
  )
}

# Centres by k-means++ (Arthur and Vassilvitskii 2007): each far from those before. All start
# with one isotropic standard deviation, the root mean square distance to the nearest centre.
em_start <- function(x, K, full, weights, floor) {
  n <- nrow(x)
  d <- ncol(x)
  weights <- weights %||% rep(1, n)
  distance_to <- function(i) rowSums((x - rep(x[i, ], each = n))^2)
  # Not sample.int(prob =): it sorts, and near ties would then hang on rounding.
  pick <- function(weight) {
    cumulated <- cumsum(weight)
    findInterval(stats::runif(1) * cumulated[n], cumulated) + 1L
  }
  chosen <- pick(weights)
  nearest <- distance_to(chosen)
  for (k in seq_len(K - 1)) {
    probability <- weights * nearest
    if (sum(probability) == 0) probability <- weights
    chosen[k + 1] <- pick(probability)
    nearest <- pmin(nearest, distance_to(chosen[k + 1]))
  }
  sd <- pmax(sqrt(sum(weights * nearest) / sum(weights) / d), floor, 1e-8)
  mixture_parameters(x[chosen, , drop = FALSE], sd, full, rep(-log(K), K))
}

# All components with the same standard deviations (one a column).
mixture_parameters <- function(mean, sd, full, log_weights) {
  K <- nrow(mean)
  d <- ncol(mean)
  scale <- if (full) {
    list(log_cholesky = array(diag(log(sd), d), c(d, d, K)))
  } else {
    list(log_sd = matrix(log(sd), K, d, byrow = TRUE))
  }
  c(list(mean = unname(mean)), scale, list(weights = list(), biases = list(log_weights)))
}

# A component that holds less than a tenth of a row is empty: it moves to the row that the
# mixture fits worst.
reseed_empty <- function(parameters, counts, x, weights) {
  share <- sum(weights %||% rep(1, nrow(x))) / nrow(x)
  empty <- which(counts < 0.1 * share)
  if (length(empty) == 0) {
    return(NULL)
  }
  log_density <- .Call(ffi_density, engine_model(parameters), x, 0L, FALSE, thread_count())
  if (!is.null(weights)) log_density[weights == 0] <- Inf
  rows <- order(log_density)[seq_along(empty)]
  K <- nrow(parameters$mean)
  parameters$mean[empty, ] <- x[rows, ]
  fresh <- mixture_parameters(parameters$mean, rep(K^(-1 / ncol(x)), ncol(x)), is.null(parameters$log_sd), rep(0, K))
  if (is.null(parameters$log_sd)) {
    parameters$log_cholesky[, , empty] <- fresh$log_cholesky[, , empty]
  } else {
    parameters$log_sd[empty, ] <- fresh$log_sd[empty, ]
  }
  parameters$biases[[1]][empty] <- log(share / sum(counts))
  parameters
}

# Multiplications in one call of the engine: a fraction of a second, so that interrupts are heard.
work_per_call <- 5e8

# EM from one start: list(parameters, trace, log_likelihood, converged).
em_run <- function(parameters, x, weights, control, floor, call) {
  chunk <- max(1, work_per_call %/% (nrow(x) * nrow(parameters$mean) * (ncol(x)^2 + 20)))
  trace <- double()
  reseeds <- 0
  repeat {
    left <- control$em_iterations - max(length(trace) - 1, 0)
    step <- em_steps(parameters, x, weights, min(chunk, left), control$em_tolerance, floor, control$threads)
    if (step$status != 0) {
      stop_cwmix(
        "EM broke down: a component lost its spread in some direction. Give cwmix_control() a larger `sd_floor`.",
        "cwmix_numerical_error", call
      )
    }
    parameters <- c(step[1:2], list(weights = list()), step["biases"])
    trace <- c(trace[-length(trace)], step$log_likelihood)
    if (!step$converged && length(trace) <= control$em_iterations) next
    moved <- if (reseeds < nrow(parameters$mean)) reseed_empty(parameters, step$counts, x, weights)
    if (is.null(moved) || length(trace) > control$em_iterations) break
    reseeds <- reseeds + 1
    parameters <- moved
  }
  list(
    parameters = parameters, trace = trace, log_likelihood = trace[length(trace)],
    converged = step$converged
  )
}

# The best of several starts; `log_likelihoods` keeps what each reached.
em_fit <- function(x, K, full, weights, start, control, floor, call) {
  if (!is.null(start)) {
    runs <- list(em_run(start, x, weights, control, floor, call))
  } else {
    runs <- lapply(seq_len(control$starts), function(i) {
      em_run(em_start(x, K, full, weights, floor), x, weights, control, floor, call)
    })
  }
  log_likelihoods <- vapply(runs, `[[`, 0, "log_likelihood")
  c(runs[[which.max(log_likelihoods)]], list(log_likelihoods = log_likelihoods))
}
