# The networks among the candidates of a stack, one in every fold.

default_widths <- function(n) if (n <= 2000) c(32L, 32L) else c(64L, 64L)

# Few rows, and one column, have little that is left to a network.
bears_networks <- function(search) {
  nrow(search$task$sample$y) >= 1000 && ncol(search$task$sample$y) > 1
}

# Networks that start from the best mixture of at most 40 components, and from small ones, whose
# components leave more to the network: the best of at most 7 with full covariances, and the best
# with others.
search_networks <- function(search, hidden, activation) {
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
  for (start in search$candidates[unique(starts)]) {
    trained <- train_folds(search, start, hidden, activation)
    if (trained$epochs > 0) {
      add_candidate(
        search, trained$fits, start$covariance, start$K, hidden, trained$epochs, activation
      )
    }
  }
}

# Trains a network in every fold, all by the same number of epochs: that with the best mean held-out
# score.
train_folds <- function(search, start, hidden, activation) {
  task <- search$task
  task$control[c("schedule", "verbose")] <- list("constant", FALSE)
  runs <- Map(function(fold, parameters) {
    template <- add_network(parameters, hidden, activation)
    list(template = template, sets = fold["training"], state = new_state(template), trace = NULL)
  }, search$folds, start$fits)
  n <- nrow(search$folds[[1]]$training$x)
  epochs <- task$control$epochs %||% default_epochs(n, task$control, steps = 1e4, most = 150)
  best <- list(epochs = 0L, score = mean_score(all_scores(search, start), search$weights))
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
    search$progress$at(NULL, status)
    fits <- lapply(runs, function(run) unflatten(run$state$average, run$template))
    scores <- held_out_scores(search, fits, activation)
    score <- mean_score(bounded_scores(scores, search$weights), search$weights)
    if (isTRUE(score > best$score)) best <- list(fits = fits, epochs = epoch, score = score)
  }
  best
}
