# EM for Gaussian mixtures on standardised columns: runs from a start, restarts, re-seeding.

# Some iterations of the engine. `parameters` is a list(mean, log_sd | log_cholesky, weights =
# list(), biases = list(log pi)); returned with log_likelihood (the mean per unit of weight before
# each iteration and after the last), counts, converged.
em_steps <- function(parameters, x, weights = NULL, iterations = 1, tolerance = -Inf,
                     floor = double(ncol(x)), pooling = pool(), threads = NULL) {
  parameters <- parameters[c(
    "mean", if (is.null(parameters$log_sd)) "log_cholesky" else "log_sd", "biases"
  )]
  out <- engine_em(
    engine_model(parameters), x, weights, floor, pooling, iterations, tolerance,
    list(threads = threads)
  )
  c(
    unflatten(out$parameters, parameters),
    out[c("log_likelihood", "counts", "converged", "status")]
  )
}

# What covariances have in common, as the engine takes it: see struct pooling in src/optimise.h.
pool <- function(rows = 0, spherical = FALSE) list(rows = rows, spherical = spherical)

# A component that holds less than a tenth of a row is empty: it moves to the row that the
# mixture fits worst.
reseed_empty <- function(parameters, counts, x, weights, threads) {
  share <- sum(weights %||% rep(1, nrow(x))) / nrow(x)
  empty <- which(counts < 0.1 * share)
  if (length(empty) == 0) {
    return(NULL)
  }
  log_density <- engine_density(engine_model(parameters), x, "density", list(threads = threads))
  if (!is.null(weights)) log_density[weights == 0] <- Inf
  rows <- order(log_density)[seq_along(empty)]
  K <- nrow(parameters$mean)
  parameters$mean[empty, ] <- x[rows, ]
  fresh <- mixture_parameters(
    parameters$mean, rep(K^(-1 / ncol(x)), ncol(x)), is.null(parameters$log_sd), rep(0, K)
  )
  if (is.null(parameters$log_sd)) {
    parameters$log_cholesky[, , empty] <- fresh$log_cholesky[, , empty]
  } else {
    parameters$log_sd[empty, ] <- fresh$log_sd[empty, ]
  }
  parameters$biases[[1]][empty] <- log(share / sum(counts))
  parameters
}

# Without the smaller half of the components that hold fewer rows than `least`, or all of them with
# `half` FALSE, but one; NULL where none does. Rows of unequal weights count as (sum w)^2 / sum w^2
# equal ones (Kish 1965).
drop_smallest <- function(parameters, counts, set, least, threads, half = TRUE) {
  if (length(counts) == 1 || least <= 0) {
    return(NULL)
  }
  # Weights that differ little count as they are.
  if (!is.null(set$weights) && max(set$weights) > 3) {
    posterior <- exp(engine_density(
      engine_model(parameters), set$x, "posterior", list(threads = threads)
    ))
    counts <- colSums(posterior * set$weights)^2 / colSums(posterior * set$weights^2)
  }
  small <- which(counts < least)
  if (length(small) == 0) {
    return(NULL)
  }
  most <- min(length(counts) - 1, if (half) ceiling(length(small) / 2) else length(small))
  gone <- small[order(counts[small])][seq_len(most)]
  order_components(parameters, seq_along(counts)[-gone])
}

# EM from one start: list(parameters, trace, log_likelihood, converged, interrupted). Components
# that hold fewer rows than `least` go, one after the other. An interrupt ends it with the
# parameters so far.
em_run <- function(parameters, set, task, pooling = pool(), least = 0) {
  control <- task$control
  K <- nrow(parameters$mean)
  chunk <- max(1, work_per_call %/% (nrow(set$x) * K * (ncol(set$x)^2 + 20)))
  run <- list(
    parameters = parameters, trace = double(), converged = FALSE, interrupted = FALSE, moves = 0
  )
  tolerance <- control$em_tolerance * if (least > 0) 20 else 1
  advance <- function() {
    left <- control$em_iterations - max(length(run$trace) - 1, 0)
    step <- em_steps(
      run$parameters, set$x, set$weights, min(chunk, left), tolerance, task$floor, pooling,
      control$threads
    )
    if (step$status != 0) stop_broken_em(control)
    run$parameters <<- c(step[1:2], list(weights = list()), step["biases"])
    run$trace <<- c(run$trace[-length(run$trace)], step$log_likelihood)
    run$converged <<- step$converged
    if (length(run$trace) > control$em_iterations) {
      run$parameters <<- drop_smallest(
        run$parameters, step$counts, set, least, control$threads,
        half = FALSE
      ) %||% run$parameters
      return(TRUE)
    }
    if (!step$converged) {
      return(FALSE)
    }
    moved <- if (least > 0) {
      drop_smallest(run$parameters, step$counts, set, least, control$threads)
    } else if (run$moves < K) {
      reseed_empty(run$parameters, step$counts, set$x, set$weights, control$threads)
    }
    if (is.null(moved)) {
      # What is small is gone: now to the end.
      settled <- tolerance <= control$em_tolerance
      tolerance <<- control$em_tolerance
      return(settled)
    }
    run$moves <<- run$moves + 1
    run$parameters <<- moved
    FALSE
  }
  tryCatch(
    while (!advance()) NULL,
    interrupt = function(condition) run$interrupted <<- TRUE
  )
  run$log_likelihood <- if (length(run$trace) > 0) run$trace[length(run$trace)] else -Inf
  run
}

stop_broken_em <- function(control) {
  stop_cwmix(
    paste0(
      "EM broke down, as a component lost its spread in some direction: `sd_floor` must be ",
      "larger, not ", control$sd_floor, "."
    ),
    "cwmix_numerical_error", NULL
  )
}

# The best of several starts, or of those that an interrupt has left; `log_likelihoods` keeps what
# each reached. `set` is list(x, weights), `start` the parameters of the only start or NULL.
em_fit <- function(set, start, task) {
  runs <- if (is.null(start)) {
    em_from_short_runs(set, task)
  } else {
    em_runs(1, function(i) start, set, task)
  }
  log_likelihoods <- vapply(runs, `[[`, 0, "log_likelihood")
  best <- runs[[which.max(log_likelihoods)]]
  best$interrupted <- runs[[length(runs)]]$interrupted
  c(best, list(log_likelihoods = log_likelihoods))
}

# From where the best of three times as many short runs have got to (Biernacki, Celeux and Govaert
# 2003, CSDA 41, 561-575).
em_from_short_runs <- function(set, task) {
  count <- task$control$starts
  fresh <- function(i) {
    if (task$full && ncol(set$x) > 1 && i %% 2 == 0) {
      whitened_start(set$x, task$K, set$weights, task$floor)
    } else {
      em_start(set$x, task$K, task$full, set$weights, task$floor)
    }
  }
  if (task$K == 1) {
    return(em_runs(count, fresh, set, task))
  }
  with_iterations <- function(most) {
    task$control$em_iterations <- most
    task
  }
  most <- task$control$em_iterations
  short <- em_runs(3 * count, fresh, set, with_iterations(min(10, most)))
  if (short[[length(short)]]$interrupted) {
    return(short)
  }
  reached <- vapply(short, `[[`, 0, "log_likelihood")
  best <- short[order(reached, decreasing = TRUE)[seq_len(count)]]
  if (most <= 10) {
    return(best)
  }
  long <- em_runs(count, function(i) best[[i]]$parameters, set, with_iterations(most - 10))
  # What a run began with belongs to its trace.
  Map(function(run, began) {
    if (length(run$trace) == 0) {
      return(began)
    }
    run$trace <- c(began$trace[-length(began$trace)], run$trace)
    run
  }, long, best[seq_along(long)])
}

em_runs <- function(count, from, set, task) {
  runs <- list()
  while (length(runs) < count) {
    runs[[length(runs) + 1]] <- em_run(from(length(runs) + 1), set, task)
    if (runs[[length(runs)]]$interrupted) break
  }
  runs
}

warn_em <- function(em, control) {
  if (em$interrupted) {
    warn_cwmix(
      "Interrupted during EM: the best mixture so far is returned.", "cwmix_interrupted", NULL
    )
  } else if (!em$converged) {
    warn_cwmix(
      sprintf("EM stopped after %d iterations without converging.", control$em_iterations),
      "cwmix_not_converged", NULL
    )
  }
}
