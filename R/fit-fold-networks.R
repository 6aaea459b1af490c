# The networks among the candidates of a stack, one in every fold.

default_widths <- function(n) if (n <= 2000) c(32L, 32L) else c(64L, 64L)

# Networks from the mixtures at hand, or, with many rows or where their number is given, a team.
search_networks <- function(search, hidden, activation) {
  count <- search$task$control$networks %||% default_networks(nrow(search$task$sample$y))
  if (is.null(count)) {
    search_single_networks(search, hidden, activation)
  } else {
    search_team(search, count, hidden, activation)
  }
}

default_networks <- function(n) if (n > 20000) 2L

# Networks that start from the best mixture of at most 40 components, and from small ones, whose
# components leave more to the network: the best of at most 7 with full covariances, and the best
# with others.
search_single_networks <- function(search, hidden, activation) {
  sizes <- vapply(search$candidates, `[[`, 0L, "K")
  means <- candidate_scores(search)
  # Networks start from columns as they are.
  means[vapply(search$candidates, `[[`, "", "scale") != "raw"] <- -Inf
  means[!vapply(search$candidates, function(one) is_complete(search, one), NA)] <- -Inf
  full <- vapply(search$candidates, function(one) is.null(one$fits[[1]]$log_sd), NA)
  best_of <- function(some) some[which.max(means[some])]
  small <- sizes > 1 & sizes <= 7
  starts <- c(
    best_of(which(sizes > 1 & sizes <= 40)), best_of(which(small & full)),
    best_of(which(small & !full))
  )
  epochs <- network_epochs(search)
  starts <- search$candidates[unique(starts)]
  for (i in seq_along(starts)) {
    search$progress$part((i - 1) / length(starts))
    start <- starts[[i]]
    if (leads_in_race(search, start, hidden, activation, epochs)) {
      add_network_candidate(search, start, hidden, activation, epochs)
    }
  }
}

# Whether in the race a network from a candidate scores more than all others.
leads_in_race <- function(search, start, hidden, activation, epochs) {
  raced <- search$raced
  if (length(search$folds) == length(raced)) {
    return(TRUE)
  }
  only <- list(task = search$task, folds = search$folds[raced], progress = search$progress)
  only$weights <- search$weights[seq_along(unlist(lapply(only$folds, `[[`, "held")))]
  start[c("fits", "scores")] <- list(start$fits[raced], start$scores[raced])
  trained <- train_folds(only, start, hidden, activation, epochs)
  trained$score > max(candidate_scores(search))
}

# The most passes over the rows of a fold.
network_epochs <- function(search) {
  control <- search$task$control
  n <- nrow(search$folds[[1]]$training$x)
  control$epochs %||% default_epochs(n, control, steps = 1e4, most = 150)
}

# Trains from a candidate, or what is like one: whether the networks gain and are a candidate.
add_network_candidate <- function(search, start, hidden, activation, epochs, latest = FALSE) {
  trained <- train_folds(search, start, hidden, activation, epochs, latest)
  trained$epochs > 0 && is.finite(add_candidate(
    search, trained$fits, start$covariance, start$K, hidden, trained$epochs, activation
  ))
}

# A team: networks that chance alone tells apart, each from a mixture of its own to all training
# rows. The average does not have what each says of its own, so that more of them can be trained
# longer. They count alike: held-out rows cannot tell them apart.
search_team <- function(search, count, hidden, activation) {
  plan <- plan_team(search, count)
  for (i in seq_len(if (is.null(plan)) 0 else count)) {
    search$progress$part((i - 1) / count)
    # EM may break down where `sd_floor` is 0.
    start <- tryCatch(
      team_start(search, plan, hidden, activation),
      cwmix_numerical_error = function(e) NULL
    )
    if (is.null(start)) break
    if (!add_network_candidate(search, start, hidden, activation, plan$epochs, latest = TRUE)) break
    search$candidates[[length(search$candidates)]]$team <- 1L
  }
}

# What the mixtures of a team are like, list(K, name, structure), by the best at hand of several
# components, which has been fitted to at most 20,000 rows of a fold: more components where there
# are more rows, but no more than 80, as each takes time that is better spent on steps. `steep`:
# whether there are rows for detail. Visits of rows bound the epochs.
plan_team <- function(search, count) {
  several <- vapply(search$candidates, function(one) one$K > 1 && one$scale == "raw", NA)
  if (!any(several)) {
    return(NULL)
  }
  best <- search$candidates[several][[which.max(candidate_scores(search)[several])]]
  name <- if (is.null(best$fits[[1]]$log_sd)) "full" else "diagonal"
  fold <- search$folds[[1]]
  n <- nrow(fold$training$x)
  K <- min(80, round(best$K * sqrt(n / nrow(fold$mixture$x))))
  visits <- 3.2e6 * sqrt(count / 2)
  list(
    K = as.integer(K), name = name, structure = structures(ncol(fold$training$x), "auto")[[name]],
    steep = !is.null(default_networks(nrow(search$task$sample$y))),
    epochs = search$task$control$epochs %||%
      min(network_epochs(search), max(10L, as.integer(visits %/% n)))
  )
}

team_start <- function(search, plan, hidden, activation) {
  task <- search$task
  task$control$em_iterations <- min(30L, task$control$em_iterations)
  search$progress$at(paste0("a network's mixture of ", plural(plan$K, "component")))
  fits <- lapply(search$folds, function(fold) {
    set <- fold$training
    from <- em_start(set$x, plan$K, plan$structure$full, set$weights, task$floor)
    run <- em_run(from, set, task, plan$structure$pooling, plan$structure$least)
    if (run$interrupted) interrupt_again()
    run$parameters
  })
  scores <- bounded_scores(held_out_scores(search, fits), search$weights)
  fits <- lapply(fits, function(parameters) {
    network <- add_network(parameters, hidden, activation)
    if (plan$steep) steepened(network, activation) else network
  })
  list(fits = fits, K = plan$K, covariance = plan$name, scores = scores)
}

# A network as random_network() makes it with steeper units: those of the first layer turn within
# smaller distances, and those above tell smaller differences. Detail is learned sooner; few rows
# would not bear it.
steepened <- function(parameters, activation) {
  last <- length(parameters$weights)
  if (activation == "tanh" && last > 1) {
    parameters$weights[[1]] <- 2 * parameters$weights[[1]]
    parameters$biases[[1]] <- 2 * parameters$biases[[1]]
    inner <- seq_len(last)[-c(1, last)]
    parameters$weights[inner] <- lapply(parameters$weights[inner], `*`, 3)
  }
  parameters
}

# Trains a network in every fold, all by the same number of epochs: that with the best mean held-out
# score, or the latest that is not worse by a standard error. Networks of a team train as long as
# that: what chance decides among epochs is little, and their average bears more. Where
# a fifth of the epochs does not reach what mixtures score, they leave nothing to gain.
train_folds <- function(search, start, hidden, activation, epochs = network_epochs(search),
                        latest = FALSE) {
  task <- search$task
  task$control[c("schedule", "verbose")] <- list("constant", FALSE)
  runs <- Map(function(fold, parameters) {
    template <- add_network(parameters, hidden, activation)
    list(template = template, sets = fold["training"], state = new_state(template), trace = NULL)
  }, search$folds, start$fits)
  best <- list(epochs = 0L, score = mean_score(all_scores(search, start), search$weights))
  chosen <- best
  rival <- if (latest) best_mixture_score(search) else -Inf
  epoch <- 0L
  while (epoch < epochs && epoch - best$epochs < task$control$patience) {
    more <- min(max(1L, epochs %/% 40L), epochs - epoch)
    runs <- lapply(runs, function(run) {
      run[c("state", "trace", "stopped")] <- train(
        run$state, run$template, run$sets, activation, task, more, run$trace
      )
      run
    })
    stopped <- vapply(runs, `[[`, "", "stopped")
    if ("interrupt" %in% stopped) interrupt_again()
    if ("diverged" %in% stopped) break
    epoch <- epoch + more
    status <- paste0("network from ", plural(start$K, "component"), ", epoch ", epoch)
    search$progress$at(status)
    fits <- lapply(runs, function(run) unflatten(run$state$average, run$template))
    scores <- held_out_scores(search, fits, activation)
    scores <- bounded_scores(scores, search$weights)
    at <- list(fits = fits, epochs = epoch, score = mean_score(scores, search$weights))
    if (isTRUE(at$score > best$score)) {
      best <- chosen <- at
      best_scores <- scores
    } else if (latest && best$epochs > 0) {
      error <- score_error(scores - best_scores, search$weights)
      if (isTRUE(best$score - at$score <= error)) chosen <- at
    }
    if (epoch >= epochs / 5 && best$score <= rival) break
  }
  chosen
}
