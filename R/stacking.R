# A fit that leaves K to the data: Gaussian mixtures and networks of many sizes are fitted to the
# folds of a cross-validation, and the densities of these fits are averaged with the weights that
# score best on the rows that the fits had not seen (Smyth and Wolpert 1999).

is_stacked <- function(object) !is.null(object$candidates)

# As fit_cwmix().
fit_stacked <- function(problem, settings, kept, matched, call) {
  if (nrow(problem$y) < 10) {
    stop_input(
      "`K` must be given for fewer than 10 rows, not NULL for ", plural(nrow(problem$y), "row"),
      ".",
      call = call
    )
  }
  if (identical(settings$hidden, "auto")) settings$hidden <- default_widths(nrow(problem$y))
  problem$floor <- pmax(problem$floor, rounding_unit(problem) / 2)
  search <- new_search(problem, call)
  on.exit(search$progress$done())
  # What is complete at an interrupt counts.
  tryCatch(
    {
      search_mixtures(search, settings$covariance)
      if (!is.null(settings$hidden)) {
        search_networks(search, settings$hidden, settings$activation)
      }
    },
    interrupt = function(condition) search$interrupted <- TRUE
  )
  finish_stacked(search, settings, matched, kept, call)
}

# EM and training end in good order at an interrupt; a search then ends too.
interrupt_again <- function() {
  signalCondition(structure(list(message = "", call = NULL), class = c("interrupt", "condition")))
}

# Structures of covariances by their names: list(full, pooling), as em_steps() takes them. Those
# that are shrunk count d + 2 rows of the pooled covariance, the prior degrees of freedom of Fraley
# and Raftery (2007).
structures <- function(d, covariance) {
  all <- list(
    "full" = list(full = TRUE, pooling = pool()),
    "full, shrunk" = list(full = TRUE, pooling = pool(d + 2)),
    "full, tied" = list(full = TRUE, pooling = pool(Inf)),
    "diagonal" = list(full = FALSE, pooling = pool()),
    "diagonal, shrunk" = list(full = FALSE, pooling = pool(d + 2)),
    "diagonal, tied" = list(full = FALSE, pooling = pool(Inf)),
    "spherical" = list(full = FALSE, pooling = pool(spherical = TRUE)),
    "spherical, tied" = list(full = FALSE, pooling = pool(Inf, spherical = TRUE))
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
  held <- unlist(lapply(search$folds, `[[`, "held"))
  weights <- problem$weights[held] %||% rep(1, length(held))
  search$weights <- weights / sum(weights)
  search$candidates <- list()
  search$interrupted <- FALSE
  search$progress <- progress_bar("{cli::pb_spin} [{cli::pb_elapsed}]", NA, problem$control)
  search
}

default_folds <- function(n) {
  if (n <= 500) 10L else if (n <= 20000) 5L else 1L
}

# Training and held-out rows of each fold, and what EM starts from. Beyond 20,000 rows one split
# with a few thousand held-out rows says enough, and as many rows are enough for EM.
new_folds <- function(problem) {
  n <- nrow(problem$y)
  count <- min(problem$control$folds %||% default_folds(n), n)
  held <- if (count == 1) {
    list(sort(sample.int(n, held_count(NULL, n))))
  } else {
    unname(split(seq_len(n), fold_labels(count, n)))
  }
  lapply(held, function(rows) {
    sets <- split_sets(problem, rows)
    mixture <- some_rows(sets$training, 20000)
    c(sets, list(held = rows, mixture = mixture, tree = cluster_tree(mixture$x)))
  })
}

some_rows <- function(set, most) {
  if (nrow(set$x) <= most) {
    return(set)
  }
  rows <- sort(sample.int(nrow(set$x), most))
  list(x = set$x[rows, , drop = FALSE], weights = set$weights[rows], offset = set$offset)
}

# A hierarchical clustering (Ward 1963) of at most a thousand rows in units of their principal
# components: starts of EM for every K (Fraley 1998).
cluster_tree <- function(x, most = 1000) {
  rows <- if (nrow(x) > most) sample.int(nrow(x), most) else seq_len(nrow(x))
  y <- x[rows, , drop = FALSE]
  axes <- eigen(crossprod(y - rep(colMeans(y), each = nrow(y))), symmetric = TRUE)
  # All may be 0: of ties, or where one far row sets the unit.
  scale <- sqrt(pmax(axes$values, 1e-10 * max(axes$values[1], .Machine$double.xmin)))
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
# it, data say nothing. Distances of rounding errors do not count; the quartiles of the values, not
# their range, say what these are, as one value may be far out.
rounding_unit <- function(problem) {
  vapply(seq_len(ncol(problem$y)), function(j) {
    values <- sort(unique(problem$y[, j] / problem$scale[j]))
    gaps <- diff(values)
    min(gaps[gaps > 1e-9 * stats::IQR(values)])
  }, 0)
}

candidate_sizes <- c(1L, 2L, 3L, 4L, 5L, 7L, 10L, 14L, 20L, 28L, 40L, 56L, 80L, 112L, 160L)

# Larger and larger mixtures of each structure, until two sizes in a row score less than the best.
search_mixtures <- function(search, covariance) {
  problem <- search$problem
  d <- ncol(problem$y)
  rows <- min(vapply(search$folds, function(fold) nrow(fold$mixture$x), 0L))
  all <- structures(d, covariance)
  # Many rows tell their covariances without help.
  if (nrow(problem$y) > 2000) all <- all[names(all) %in% c("full", "diagonal", "spherical")]
  for (name in names(all)) {
    best <- -Inf
    worse <- 0
    for (K in candidate_sizes) {
      # Fewer parameters than rows, but one diagonal component always.
      if (structure_df(name, K, d) >= max(rows, 3 * d) || K > rows || worse == 2) break
      search$progress$at(NULL, paste0(name, " covariances, ", plural(K, "component")))
      # A component may lose its spread where `sd_floor` is 0.
      members <- tryCatch(
        lapply(search$folds, fit_fold_mixture, K, all[[name]], problem, search$call),
        cwmix_numerical_error = function(e) NULL
      )
      score <- if (is.null(members)) -Inf else add_candidate(search, members, name, K)
      if (score > best) {
        best <- score
        worse <- 0
      } else {
        worse <- worse + 1
      }
    }
  }
}

# EM from the tree and from k-means++: the better one's parameters.
fit_fold_mixture <- function(fold, K, structure, problem, call) {
  set <- fold$mixture
  problem$control$em_tolerance <- max(problem$control$em_tolerance, 1e-5)
  runs <- lapply(seq_len(if (K == 1) 1 else 2), function(i) {
    from <- if (i == 1) {
      tree_start(fold$tree, K, structure$full, problem$floor)
    } else {
      em_start(set$x, K, structure$full, set$weights, problem$floor)
    }
    em_run(from, set, problem, call, structure$pooling)
  })
  if (any(vapply(runs, `[[`, NA, "interrupted"))) interrupt_again()
  runs[[which.max(vapply(runs, `[[`, 0, "log_likelihood"))]]$parameters
}

# Log densities of the held-out rows, fold after fold, each under its own fold's fit.
held_out_scores <- function(search, members, activation = "tanh") {
  how <- list(threads = search$problem$control$threads)
  unlist(Map(function(fold, parameters) {
    model <- engine_model(parameters, activation)
    engine_density(model, fold$validation$x, "density", how)
  }, search$folds, members))
}

mean_score <- function(scores, weights) sum(scores * weights)

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
  mean_score(scores, search$weights)
}

default_widths <- function(n) if (n <= 2000) c(32L, 32L) else c(64L, 64L)

# Networks that start from the best mixture of at most 40 components, and from small ones, whose
# components leave more to the network: the best of at most 7 with full covariances, and the best
# with others.
search_networks <- function(search, hidden, activation) {
  sizes <- vapply(search$candidates, `[[`, 0L, "K")
  means <- vapply(search$candidates, function(c) mean_score(c$scores, search$weights), 0)
  full <- grepl("^full", vapply(search$candidates, `[[`, "", "covariance"))
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
        search, trained$members, start$covariance, start$K, hidden, trained$epochs, activation
      )
    }
  }
}

# Trains a network in every fold, all by the same number of epochs: that with the best mean held-out
# score.
train_folds <- function(search, start, hidden, activation) {
  problem <- search$problem
  problem$control[c("schedule", "verbose")] <- list("constant", FALSE)
  runs <- Map(function(fold, parameters) {
    template <- add_network(parameters, hidden, activation)
    list(template = template, sets = fold["training"], state = new_state(template), trace = NULL)
  }, search$folds, start$members)
  n <- nrow(search$folds[[1]]$training$x)
  epochs <- problem$control$epochs %||% default_epochs(n, problem$control, steps = 1e4, most = 150)
  best <- list(epochs = 0L, score = mean_score(start$scores, search$weights))
  epoch <- 0L
  while (epoch < epochs && epoch - best$epochs < problem$control$patience) {
    more <- min(max(1L, epochs %/% 40L), epochs - epoch)
    runs <- lapply(runs, function(run) {
      run[c("state", "trace", "stopped")] <- train(
        run$state, run$template, run$sets, activation, problem, more, run$trace
      )
      run
    })
    stopped <- vapply(runs, `[[`, "", "stopped")
    if ("interrupt" %in% stopped) interrupt_again()
    if ("diverged" %in% stopped) break
    epoch <- epoch + more
    status <- paste0("network from ", plural(start$K, "component"), ", epoch ", epoch)
    search$progress$at(NULL, status)
    members <- lapply(runs, function(run) unflatten(run$state$average, run$template))
    score <- mean_score(held_out_scores(search, members, activation), search$weights)
    if (isTRUE(score > best$score)) best <- list(members = members, epochs = epoch, score = score)
  }
  best
}

# How much each candidate counts: the mean of the stacking weights (Smyth and Wolpert 1999), which
# maximise the mean log of the weighted held-out densities, by EM for the weights of a mixture, and
# of the Bayesian analogue of exponentiated total scores, pseudo-BMA+; both are averaged over
# Bayesian bootstrap weights of the rows, so that near ties share (Yao et al. 2018). EM starts from
# equal weights and takes the more iterations the more rows there are to move them. Candidates of
# little weight are left out. In the totals a row says at most 10 nats against a candidate: one far
# from all others would decide alone.
stacking_shares <- function(scores, weights, least = 0.005,
                            draws = max(3, min(10, 5000 %/% nrow(scores))),
                            iterations = max(20, min(200, nrow(scores) %/% 10))) {
  n <- nrow(scores)
  relative <- exp(scores - row_max(scores))
  bounded <- pmax(scores, row_max(scores) - 10)
  shares <- vapply(seq_len(draws), function(b) {
    a <- stats::rexp(n) * weights
    a <- a / sum(a)
    stacked <- rep(1 / ncol(scores), ncol(scores))
    for (i in seq_len(iterations)) {
      joint <- relative * rep(stacked, each = n)
      stacked <- colSums(joint * (a / rowSums(joint)))
    }
    total <- n * colSums(bounded * a)
    averaged <- exp(total - max(total))
    (stacked + averaged / sum(averaged)) / 2
  }, double(ncol(scores)))
  shares <- rowMeans(matrix(shares, ncol(scores)))
  shares[shares < min(least, max(shares))] <- 0
  shares / sum(shares)
}

finish_stacked <- function(search, settings, matched, kept, call) {
  problem <- search$problem
  candidates <- search$candidates
  if (length(candidates) == 0) stop_without_candidates(search, call)
  scores <- vapply(candidates, `[[`, search$weights, "scores")
  shares <- stacking_shares(scores, search$weights)
  offset <- mean_offset(problem, unlist(lapply(search$folds, `[[`, "held")))
  used <- which(shares > 0)
  used <- used[order(shares[used], decreasing = TRUE)]
  parameters <- do.call(c, lapply(candidates[used], `[[`, "members"))
  count <- length(search$folds)
  densities <- lapply(parameters, stacked_member, settings$activation, problem)
  object <- average_of(densities, rep(shares[used] / count, each = count), "cwmix")
  joint <- scores[, used, drop = FALSE] + rep(log(shares[used]), each = nrow(scores))
  stacked <- log_row_sums(joint)
  at_floor <- sum(vapply(parameters, function(p) components_at(problem$floor, p), 0L))
  fields <- c(
    fit_scores(object, problem),
    list(
      proportions = mean_posterior(object, problem), at_floor = at_floor,
      candidates = candidate_table(candidates, scores, shares, search$weights, offset),
      folds = count,
      held_out = c(
        score = mean_score(stacked, search$weights) + offset,
        se = score_error(stacked, search$weights)
      ),
      fingerprint = problem$fingerprint, control = problem$control, hidden = settings$hidden,
      call = tidy_call(matched, "cwmix"), data = kept
    )
  )
  if (search$interrupted) {
    warn_cwmix("Interrupted: the candidates so far are used.", "cwmix_interrupted", call)
  }
  structure(c(unclass(object), fields), class = class(object))
}

stop_without_candidates <- function(search, call) {
  if (search$interrupted) {
    stop_cwmix("Interrupted before any mixture was fitted.", "cwmix_interrupted", call)
  }
  stop_cwmix(
    "Every mixture gives some held-out rows, far from all others, a density of 0: give `K`.",
    "cwmix_numerical_error", call
  )
}

stacked_member <- function(parameters, activation, problem) {
  if (length(parameters$weights) > 0) {
    shares <- component_shares(parameters, activation, problem)
    parameters <- order_components(parameters, order(shares, decreasing = TRUE))
  }
  on_data <- unstandardise_parameters(parameters, problem$center, problem$scale)
  density_of(on_data, activation, problem$support, problem$columns, "cwmix_model")
}

score_error <- function(scores, weights) {
  terms <- weights * (scores - mean_score(scores, weights))
  # A row far out may have a square beyond the range of doubles.
  largest <- max(abs(terms), .Machine$double.xmin)
  largest * sqrt(sum((terms / largest)^2))
}

# A row a candidate, the best first.
candidate_table <- function(candidates, scores, shares, weights, offset) {
  table <- data.frame(
    covariance = vapply(candidates, `[[`, "", "covariance"),
    K = vapply(candidates, `[[`, 0L, "K"),
    hidden = vapply(candidates, function(candidate) hidden_label(candidate$hidden), ""),
    epochs = vapply(candidates, function(candidate) as.integer(candidate$epochs), 0L),
    score = apply(scores, 2, mean_score, weights) + offset,
    se = apply(scores, 2, score_error, weights),
    share = shares
  )
  table <- table[order(table$score, decreasing = TRUE), ]
  row.names(table) <- NULL
  table
}

mean_posterior <- function(object, problem) {
  n <- nrow(problem$y)
  threads <- problem$control$threads
  sums <- lapply(row_blocks(n, nrow(object$mean)), function(rows) {
    y <- problem$y[rows, , drop = FALSE]
    posterior <- exp(log_quantity_working(object, y, "posterior", threads = threads))
    colSums(posterior * (problem$weights[rows] %||% 1))
  })
  Reduce(`+`, sums) / sum(problem$weights %||% n)
}
