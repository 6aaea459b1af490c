# A fit that leaves K to the data: Gaussian mixtures and networks of many sizes are fitted to the
# folds of a cross-validation, and the densities of these fits are averaged with the weights that
# score best on the rows that the fits had not seen (Smyth and Wolpert 1999).

is_stacked <- function(object) !is.null(object$candidates)

# As fit_cwmix().
fit_stacked <- function(problem, settings, kept, matched, call) {
  problem$floor <- pmax(problem$floor, rounding_unit(problem) / 2)
  search <- new_search(problem, call)
  on.exit(search$progress$done())
  # What is complete at an interrupt counts.
  tryCatch(
    {
      if (!identical(settings$hidden, "auto") && !is.null(settings$hidden)) {
        widths <- settings$hidden
      } else {
        widths <- default_widths(nrow(problem$y))
      }
      search_mixtures(search, settings$covariance)
      search_kernels(search, settings$covariance)
      if (!is.null(settings$hidden)) {
        search_networks(search, widths, settings$activation)
      }
    },
    interrupt = function(condition) search$interrupted <- TRUE
  )
  finish_stacked(search, settings, matched, kept, call)
}

# Structures of covariances by their names: list(full, pooling), as em_steps() takes them. Those
# that are shrunk count d + 2 rows of the pooled covariance, the prior degrees of freedom of Fraley
# and Raftery (2007).
structures <- function(d, covariance) {
  all <- list(
    "full" = list(full = TRUE, pooling = c(0, 0)),
    "full, shrunk" = list(full = TRUE, pooling = c(d + 2, 0)),
    "full, tied" = list(full = TRUE, pooling = c(Inf, 0)),
    "diagonal" = list(full = FALSE, pooling = c(0, 0)),
    "diagonal, shrunk" = list(full = FALSE, pooling = c(d + 2, 0)),
    "diagonal, tied" = list(full = FALSE, pooling = c(Inf, 0)),
    "spherical" = list(full = FALSE, pooling = c(0, 1)),
    "spherical, tied" = list(full = FALSE, pooling = c(Inf, 1))
  )
  full <- vapply(all, `[[`, NA, "full")
  if (d == 1) {
    return(all[c("diagonal", "diagonal, shrunk", "diagonal, tied")])
  }
  if (covariance == "auto") all else all[full == (covariance == "full")]
}

structure_df <- function(name, K, d) {
  scales <- switch(name,
    "full" = , "full, shrunk" = K * d * (d + 1) / 2,
    "full, tied" = d * (d + 1) / 2,
    "diagonal" = , "diagonal, shrunk" = K * d,
    "diagonal, tied" = d,
    "spherical" = K,
    "spherical, tied" = 1
  )
  K - 1 + K * d + scales
}

# The state of the search: folds, candidates so far, what is to be known of an interrupt.
new_search <- function(problem, call) {
  search <- new.env(parent = emptyenv())
  search$problem <- problem
  search$call <- call
  search$folds <- new_folds(problem)
  search$candidates <- list()
  search$interrupted <- FALSE
  search$progress <- list(done = function() NULL)
  search
}

default_folds <- function(n) if (n <= 300) 10L else 5L

new_folds <- function(problem) {
  n <- nrow(problem$y)
  count <- min(problem$control$folds %||% default_folds(n), n)
  label <- sample(rep_len(seq_len(count), n))
  lapply(seq_len(count), function(v) {
    held <- which(label == v)
    sets <- split_sets(problem, held)
    c(sets, list(held = held, tree = cluster_tree(sets$training$x)))
  })
}

# A hierarchical clustering (Ward 1963) of at most a thousand rows in units of their principal
# components: starts of EM for every K (Fraley 1998).
cluster_tree <- function(x, most = 1000) {
  rows <- if (nrow(x) > most) sample.int(nrow(x), most) else seq_len(nrow(x))
  y <- x[rows, , drop = FALSE]
  axes <- eigen(crossprod(y - rep(colMeans(y), each = nrow(y))), symmetric = TRUE)
  scale <- sqrt(pmax(axes$values, 1e-10 * axes$values[1]))
  y <- y %*% (axes$vectors / rep(scale, each = ncol(x)))
  list(x = x[rows, , drop = FALSE], tree = stats::hclust(stats::dist(y), "ward.D2"))
}

# Means and shares of K groups of the tree, with one covariance, diagonal, for all.
tree_start <- function(tree, K, full, floor) {
  group <- stats::cutree(tree$tree, K)
  size <- tabulate(group, K)
  mean <- rowsum(tree$x, group) / size
  within <- tree$x - mean[group, , drop = FALSE]
  mixture_parameters(mean, pmax(sqrt(colMeans(within^2)), floor, 1e-3), full, log(size / sum(size)))
}

# The smallest distance between different values of each column, in its standard deviations: below
# it, data say nothing.
rounding_unit <- function(problem) {
  vapply(seq_len(ncol(problem$y)), function(j) {
    values <- sort(unique(problem$y[, j]))
    gaps <- diff(values)
    min(gaps[gaps > 1e-9 * (values[length(values)] - values[1])]) / problem$scale[j]
  }, 0)
}

candidate_sizes <- c(1L, 2L, 3L, 4L, 5L, 7L, 10L, 14L, 20L, 28L, 40L)

# Larger and larger mixtures of each structure, until two sizes in a row score less than the best.
search_mixtures <- function(search, covariance) {
  problem <- search$problem
  d <- ncol(problem$y)
  rows <- min(vapply(search$folds, function(fold) nrow(fold$training$x), 0L))
  all <- structures(d, covariance)
  for (name in names(all)) {
    best <- -Inf
    worse <- 0
    for (K in candidate_sizes) {
      if (structure_df(name, K, d) >= max(rows, 3 * d) || K > rows || worse == 2) break
      members <- lapply(search$folds, fit_fold_mixture, K, all[[name]], problem, search$call)
      score <- add_candidate(search, members, covariance = name, K = K)
      if (score > best) {
        best <- score
        worse <- 0
      } else {
        worse <- worse + 1
      }
    }
  }
}

# Kernel estimates over half as many kernels as rows, the groups of the tree, with bandwidths of
# several times the normal reference rule's (Scott 1992, section 6.3.1): hard to beat on few rows.
search_kernels <- function(search, covariance) {
  problem <- search$problem
  if (nrow(problem$y) > 500) {
    return()
  }
  d <- ncol(problem$y)
  full <- d > 1 && covariance != "diagonal"
  for (bandwidth in c(0.25, 0.4, 0.65, 1)) {
    members <- lapply(search$folds, function(fold) {
      x <- fold$training$x
      K <- ceiling(nrow(x) / 2)
      kernels <- tree_start(fold$tree, K, full, problem$floor)
      factor <- t(chol(stats::cov(x))) * bandwidth * nrow(x)^(-1 / (d + 4))
      if (full) {
        kernels$log_cholesky[] <- log_diagonal(array(factor, c(d, d, 1)))
      } else {
        kernels$log_sd[] <- rep(log(sqrt(rowSums(factor^2))), each = K)
      }
      kernels
    })
    add_candidate(search, members, "kernel", nrow(members[[1]]$mean))
  }
}

# EM from the tree and from k-means++: the better one's parameters.
fit_fold_mixture <- function(fold, K, structure, problem, call) {
  set <- fold$training
  problem$control$em_tolerance <- max(problem$control$em_tolerance, 1e-5)
  runs <- lapply(seq_len(if (K == 1) 1 else 2), function(i) {
    from <- if (i == 1) {
      tree_start(fold$tree, K, structure$full, problem$floor)
    } else {
      em_start(set$x, K, structure$full, set$weights, problem$floor)
    }
    em_run(from, set, problem, call, structure$pooling)
  })
  runs[[which.max(vapply(runs, `[[`, 0, "log_likelihood"))]]$parameters
}

# Held-out log densities of the folds' fits, and their mean.
held_out_scores <- function(search, members, activation = "tanh") {
  scores <- double(nrow(search$problem$y))
  for (v in seq_along(members)) {
    fold <- search$folds[[v]]
    model <- engine_model(members[[v]], activation)
    threads <- thread_count(search$problem$control$threads)
    scores[fold$held] <- .Call(ffi_density, model, fold$validation$x, 0L, FALSE, threads)
  }
  scores
}

mean_score <- function(scores, problem) mean(scores * (problem$weights %||% 1))

add_candidate <- function(search, members, covariance, K, hidden = NULL, epochs = NA,
                          activation = "tanh") {
  scores <- held_out_scores(search, members, activation)
  if (!all(is.finite(scores))) {
    return(-Inf)
  }
  search$candidates[[length(search$candidates) + 1]] <- list(
    members = members, scores = scores, covariance = covariance, K = K, hidden = hidden,
    epochs = epochs
  )
  mean_score(scores, search$problem)
}

default_widths <- function(n) if (n <= 2000) c(32L, 32L) else c(64L, 64L)

# Networks that start from the best mixture and from the best of at most half its size.
search_networks <- function(search, hidden, activation) {
  problem <- search$problem
  sizes <- vapply(search$candidates, `[[`, 0L, "K")
  means <- vapply(search$candidates, function(c) mean_score(c$scores, problem), 0)
  best_of <- function(some) some[which.max(means[some])]
  first <- best_of(which(sizes > 1))
  if (length(first) == 0) {
    return()
  }
  second <- best_of(which(sizes > 1 & sizes <= sizes[first] / 2))
  for (start in search$candidates[c(first, second)]) {
    trained <- train_folds(search, start, hidden, activation)
    if (trained$epochs > 0) {
      add_candidate(search, trained$members, start$covariance, start$K, hidden, trained$epochs, activation)
    }
  }
}

# Trains a network in every fold, all by the same number of epochs: that with the best mean held-out
# score.
train_folds <- function(search, start, hidden, activation, step = 5L) {
  problem <- search$problem
  problem$control$schedule <- "constant"
  runs <- lapply(seq_along(search$folds), function(v) {
    parameters <- add_network(start$members[[v]], hidden, activation)
    sets <- list(training = search$folds[[v]]$training)
    list(template = parameters, sets = sets, state = new_state(parameters), trace = NULL)
  })
  epochs <- problem$control$epochs %||% 200L
  best <- list(members = start$members, epochs = 0L, score = mean_score(start$scores, problem))
  epoch <- 0L
  while (epoch < epochs && epoch - best$epochs < problem$control$patience) {
    more <- min(step, epochs - epoch)
    runs <- lapply(runs, function(run) {
      run[c("state", "trace", "stopped")] <- train(
        run$state, run$template, run$sets, activation, problem, more, run$trace
      )
      run
    })
    epoch <- epoch + more
    members <- lapply(runs, function(run) unflatten(run$state$average, run$template))
    score <- mean_score(held_out_scores(search, members, activation), problem)
    if (!is.finite(score)) break
    if (score > best$score) best <- list(members = members, epochs = epoch, score = score)
  }
  best
}

# Weights of the candidates that maximise the mean log of their weighted held-out densities: EM for
# the weights of a mixture. Candidates of little weight are left out.
stacking_shares <- function(scores, weights, least = 0.02) {
  relative <- exp(scores - row_max(scores))
  shares <- rep(1 / ncol(scores), ncol(scores))
  weights <- (weights %||% rep(1, nrow(scores))) / sum(weights %||% nrow(scores))
  for (i in 1:200) {
    joint <- relative * rep(shares, each = nrow(scores))
    shares <- colSums(joint / rowSums(joint) * weights)
  }
  shares[shares < min(least, max(shares))] <- 0
  shares / sum(shares)
}

finish_stacked <- function(search, settings, matched, kept, call) {
  problem <- search$problem
  candidates <- search$candidates
  if (length(candidates) == 0) {
    stop_cwmix("Interrupted before any mixture was fitted.", "cwmix_interrupted", call)
  }
  scores <- matrix(vapply(candidates, `[[`, double(nrow(problem$y)), "scores"), nrow(problem$y))
  shares <- stacking_shares(scores, problem$weights)
  table <- candidate_table(candidates, scores, shares, problem)
  used <- which(shares > 0)
  used <- used[order(shares[used], decreasing = TRUE)]
  parameters <- do.call(c, lapply(candidates[used], `[[`, "members"))
  count <- length(search$folds)
  densities <- lapply(parameters, stacked_member, settings$activation, problem)
  object <- average_of(densities, rep(shares[used] / count, each = count), "cwmix")
  stacked <- log_row_sums(scores[, used, drop = FALSE] + rep(log(shares[used]), each = nrow(scores)))
  at_floor <- sum(vapply(parameters, function(p) components_at(problem$floor, p), 0L))
  offset <- mean_offset(problem)
  fields <- c(
    fit_scores(object, problem),
    list(
      proportions = mean_posterior(object, problem), at_floor = at_floor,
      candidates = table, folds = count,
      held_out = c(score = mean_score(stacked, problem) + offset, se = score_error(stacked, problem)),
      fingerprint = problem$fingerprint, control = problem$control, hidden = settings$hidden,
      call = tidy_call(matched, "cwmix"), data = kept
    )
  )
  if (search$interrupted) {
    warn_cwmix("Interrupted: the candidates so far are used.", "cwmix_interrupted", call)
  }
  structure(c(unclass(object), fields), class = class(object))
}

stacked_member <- function(parameters, activation, problem) {
  if (length(parameters$weights) > 0) {
    shares <- component_shares(parameters, activation, problem)
    parameters <- order_components(parameters, order(shares, decreasing = TRUE))
  }
  on_data <- unstandardise_parameters(parameters, problem$center, problem$scale)
  density_of(on_data, activation, problem$support, problem$columns, "cwmix_model")
}

score_error <- function(scores, problem) {
  w <- (problem$weights %||% 1) / length(scores)
  sqrt(sum((w * (scores - mean_score(scores, problem)))^2))
}

candidate_table <- function(candidates, scores, shares, problem) {
  offset <- mean_offset(problem)
  data.frame(
    covariance = vapply(candidates, `[[`, "", "covariance"),
    K = vapply(candidates, `[[`, 0L, "K"),
    hidden = vapply(candidates, function(c) {
      if (is.null(c$hidden)) "" else paste(c$hidden, collapse = "-")
    }, ""),
    epochs = vapply(candidates, function(c) as.integer(c$epochs), 0L),
    score = apply(scores, 2, mean_score, problem) + offset,
    se = apply(scores, 2, score_error, problem),
    share = shares
  )
}

mean_posterior <- function(object, problem) {
  n <- nrow(problem$y)
  sums <- lapply(row_blocks(n, nrow(object$mean)), function(rows) {
    y <- problem$y[rows, , drop = FALSE]
    posterior <- exp(log_quantity_working(object, y, "posterior", threads = problem$control$threads))
    colSums(posterior * (problem$weights[rows] %||% 1))
  })
  Reduce(`+`, sums) / sum(problem$weights %||% n)
}
