# Candidates of a search: their fits, one a fold, and what they score. A candidate is
# list(fits, scores, raced, views, covariance, K, hidden, epochs, scale): `fits` and `scores`, log
# densities of the held-out rows, by fold, the first ones only where it was dropped in the race,
# `raced` the mean there; `views` of its scale (fit-scales.R).

# Log densities of the held-out rows of a fold under its fit, on the standardised scale.
fold_scores <- function(search, fold, parameters, activation = "tanh") {
  how <- list(threads = search$task$control$threads)
  model <- engine_model(parameters, activation)
  engine_density(model, fold$validation$x, "density", how) + (fold$shift %||% 0)
}

held_out_scores <- function(search, fits, activation = "tanh") {
  unlist(Map(function(fold, fit) fold_scores(search, fold, fit, activation), search$folds, fits))
}

# One more candidate, with fits in all folds, or in the first ones: its score there, -Inf without
# an entry where it has none. `more` are further fields.
add_candidate <- function(search, fits, covariance, K, hidden = NULL, epochs = NA,
                          activation = "tanh", scale = search$raw, more = NULL) {
  candidate <- c(list(
    fits = fits, scores = Map(function(fold, fit) fold_scores(search, fold, fit, activation),
      scale$folds[seq_along(fits)], fits
    ), views = lapply(scale$folds, `[[`, "view"), covariance = covariance, K = K, hidden = hidden,
    epochs = epochs, scale = scale$name
  ), more)
  candidate$raced <- raced_score(search, candidate)
  if (!is.finite(candidate$raced) || !is_usable(search, candidate)) {
    return(-Inf)
  }
  search$candidates[[length(search$candidates) + 1]] <- candidate
  candidate$raced
}

# The mean score in the folds of the race.
raced_score <- function(search, candidate) {
  scores <- unlist(candidate$scores[search$raced])
  weights <- search$weights[seq_along(scores)]
  mean_score(bounded_scores(scores, weights), weights)
}

# No tenth of the rows of all folds is impossible.
is_usable <- function(search, candidate) {
  !is_complete(search, candidate) || all(is.finite(all_scores(search, candidate)))
}

is_complete <- function(search, candidate) length(candidate$fits) == length(search$folds)

# Bounded scores of all held-out rows.
all_scores <- function(search, candidate) {
  bounded_scores(unlist(candidate$scores), search$weights)
}

# In the race.
candidate_scores <- function(search) {
  vapply(search$candidates, `[[`, 0, "raced")
}

# The best of the mixtures in all folds, there.
best_mixture_score <- function(search) {
  complete <- Filter(function(one) {
    is.null(one$hidden) && is_complete(search, one)
  }, search$candidates)
  scores <- vapply(complete, function(one) {
    mean_score(all_scores(search, one), search$weights)
  }, 0)
  max(-Inf, scores)
}

best_candidate <- function(search) search$candidates[[which.max(candidate_scores(search))]]

# Candidates' scores of held-out rows, a column each.
score_matrix <- function(candidates, search) {
  scores <- vapply(candidates, function(one) all_scores(search, one), search$weights)
  matrix(scores, length(search$weights))
}

# The parameters of a mixture; of the columns' maps, their ends and scales. An end that was
# estimated counts as four more, as all beyond it is lost; one at zero is known.
degrees_of_candidate <- function(candidate) {
  parameters <- candidate$fits[[1]]
  K <- candidate$K
  ranges <- map_ranges(candidate$views[[1]]$maps)
  ends <- 4 * sum(is.finite(ranges) & ranges != 0)
  if (startsWith(candidate$scale, "scores of")) {
    return(6 + candidate$views[[1]]$maps[[1]]$shape$df + ends)
  }
  d <- ncol(parameters$mean)
  tied <- grepl("tied", candidate$covariance)
  each <- if (is.null(parameters$log_sd)) {
    d * (d + 1) / 2
  } else if (grepl("spherical", candidate$covariance)) {
    1
  } else {
    d
  }
  maps <- if (candidate$scale != "raw") 2 * d else 0
  K * d + K - 1 + each * (if (tied) 1 else K) + maps + ends
}

fold_density <- function(parameters, activation, task, view = NULL) {
  if (!is.null(view)) {
    d <- ncol(parameters$mean)
    base <- unstandardise_parameters(parameters, view$center, view$scale)
    base <- normal_of(base, "tanh", image_frame(d), "cwmix_model")
    return(new_mapped(view$maps, base, task$sample$frame, "cwmix_model"))
  }
  if (length(parameters$weights) > 0) {
    # Some rows tell an order.
    sample <- task$sample
    rows <- unique(round(seq(1, nrow(sample$y), length.out = min(nrow(sample$y), 20000))))
    sample[c("y", "weights")] <- list(sample$y[rows, , drop = FALSE], sample$weights[rows])
    shares <- component_shares(parameters, activation, sample, task)
    parameters <- order_components(parameters, order(shares, decreasing = TRUE))
  }
  fitted_density(parameters, activation, task, "cwmix_model")
}
