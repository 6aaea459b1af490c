# A fit that leaves K to the data: Gaussian mixtures and networks of many sizes are fitted to the
# folds of a cross-validation, and the densities of these fits are averaged with the weights that
# score best on the rows that the fits had not seen (Smyth and Wolpert 1999).

#' Fits without K
#'
#' What [cwmix()] returns when the number of components is left to it: an average, as of
#' [cwmix_average()], of the folds' fits of all candidates that have a share.
#'
#' `df` is `NA`, as are AIC and BIC: the members were not fitted together, and the number of their
#' parameters says nothing. The components are no clusters. `at_floor` counts components at the
#' larger of `sd_floor` and half the smallest distance between different values of a column, below
#' which no component is narrower.
#'
#' @section Value: An object of class `c("cwmix_stack", "cwmix_sum", "cwmix_density")`, a plain list
#'   with the fields
#'   - `members`, a list of densities, and `shares`, one a member, as in [cwmix_average()]: all
#'     Gaussian mixtures are one member, the last, each network is one;
#'   - `averaged`, the shares of all fits that went in, one a fold of each candidate with a share;
#'   - `candidates`, a data frame with a row a candidate, the best first: `covariance` (`"full"`,
#'     `"diagonal"` or `"spherical"`, where pooled followed by `", shrunk"` or `", tied"`), `K`,
#'     `hidden` (`"constant"` for `NULL`, `"linear"` for `integer(0)`), `epochs` (`NA` without a
#'     network), its mean held-out log density `score` with standard error `se`, and its `share` in
#'     the average. Candidates that break down, or give a held-out row a density of 0, are not
#'     among them, nor are networks that do not gain;
#'   - `folds`, their number (1 for one split), and `held_out`, the mean held-out log density of
#'     the average with its standard error, somewhat optimistic as the same rows chose the shares;
#'   - `frame`, `proportions` (member by member), `at_floor`, `log_likelihood`, `df`, `nobs`,
#'     `weight_sum`, `fingerprint`, `hidden`, `control`, `call` and `data` as in [cwmix()].
#' @references Smyth and Wolpert (1999), Linearly combining density estimators via stacking, Machine
#'   Learning 36, 59-83.
#' @seealso [cwmix()], [plot()][plot.cwmix_density] with `what = "candidates"`.
#' @examples
#' set.seed(1)
#' fit <- cwmix(faithful$eruptions, hidden = NULL)
#' class(fit)
#' fit$held_out
#' length(fit$members)
#' @name cwmix_stack
NULL

fit_stack <- function(task, settings, kept, matched, call) {
  n <- nrow(task$sample$y)
  if (n < 10) {
    stop_input(
      "`K` must be given for fewer than 10 rows, not NULL for ", plural(n, "row"), ".",
      call = call
    )
  }
  if (identical(settings$hidden, "auto")) settings$hidden <- default_widths(n)
  task$floor <- pmax(task$floor, rounding_unit(task$sample) / 2)
  search <- new_search(task)
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
  finish_stack(search, settings, matched, kept)
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
new_search <- function(task) {
  search <- new.env(parent = emptyenv())
  search$task <- task
  search$folds <- new_folds(task)
  held <- unlist(lapply(search$folds, `[[`, "held"))
  weights <- task$sample$weights[held] %||% rep(1, length(held))
  search$weights <- weights / sum(weights)
  search$candidates <- list()
  search$interrupted <- FALSE
  search$progress <- progress_bar("{cli::pb_spin} [{cli::pb_elapsed}]", NA, task$control)
  search
}

default_folds <- function(n) {
  if (n <= 500) 10L else if (n <= 20000) 5L else 1L
}

# Training and held-out rows of each fold, and what EM starts from. Beyond 20,000 rows one split
# with a few thousand held-out rows says enough, and as many rows are enough for EM.
new_folds <- function(task) {
  n <- nrow(task$sample$y)
  count <- min(task$control$folds %||% default_folds(n), n)
  held <- if (count == 1) {
    list(sort(sample.int(n, held_count(NULL, n))))
  } else {
    unname(split(seq_len(n), random_folds(count, n)))
  }
  lapply(held, function(rows) {
    sets <- split_sets(task$sample, rows)
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

# The smallest distance between different values of each column, in its standard deviations: below
# it, data say nothing. Distances of rounding errors do not count; the quartiles of the values, not
# their range, say what these are, as one value may be far out.
rounding_unit <- function(sample) {
  vapply(seq_len(ncol(sample$y)), function(j) {
    values <- sort(unique(sample$y[, j] / sample$scale[j]))
    gaps <- diff(values)
    min(gaps[gaps > 1e-9 * stats::IQR(values)])
  }, 0)
}

candidate_sizes <- c(1L, 2L, 3L, 4L, 5L, 7L, 10L, 14L, 20L, 28L, 40L, 56L, 80L, 112L, 160L)

# Larger and larger mixtures of each structure, until two sizes in a row score less than the best.
search_mixtures <- function(search, covariance) {
  task <- search$task
  d <- ncol(task$sample$y)
  rows <- min(vapply(search$folds, function(fold) nrow(fold$mixture$x), 0L))
  all <- structures(d, covariance)
  # Many rows tell their covariances without help.
  if (nrow(task$sample$y) > 2000) all <- all[names(all) %in% c("full", "diagonal", "spherical")]
  for (name in names(all)) {
    best <- -Inf
    worse <- 0
    for (K in candidate_sizes) {
      # Fewer parameters than rows, but one diagonal component always.
      if (structure_df(name, K, d) >= max(rows, 3 * d) || K > rows || worse == 2) break
      search$progress$at(NULL, paste0(name, " covariances, ", plural(K, "component")))
      # A component may lose its spread where `sd_floor` is 0.
      fits <- tryCatch(
        lapply(search$folds, fit_fold_mixture, K, all[[name]], task),
        cwmix_numerical_error = function(e) NULL
      )
      score <- if (is.null(fits)) -Inf else add_candidate(search, fits, name, K)
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
fit_fold_mixture <- function(fold, K, structure, task) {
  set <- fold$mixture
  task$control$em_tolerance <- max(task$control$em_tolerance, 1e-5)
  runs <- lapply(seq_len(if (K == 1) 1 else 2), function(i) {
    from <- if (i == 1) {
      tree_start(fold$tree, K, structure$full, task$floor)
    } else {
      em_start(set$x, K, structure$full, set$weights, task$floor)
    }
    em_run(from, set, task, structure$pooling)
  })
  if (any(vapply(runs, `[[`, NA, "interrupted"))) interrupt_again()
  runs[[which.max(vapply(runs, `[[`, 0, "log_likelihood"))]]$parameters
}

# Log densities of the held-out rows, fold after fold, each under its own fold's fit.
held_out_scores <- function(search, fits, activation = "tanh") {
  how <- list(threads = search$task$control$threads)
  unlist(Map(function(fold, parameters) {
    model <- engine_model(parameters, activation)
    engine_density(model, fold$validation$x, "density", how)
  }, search$folds, fits))
}

add_candidate <- function(search, fits, covariance, K, hidden = NULL, epochs = NA,
                          activation = "tanh") {
  scores <- held_out_scores(search, fits, activation)
  if (!all(is.finite(scores))) {
    return(-Inf)
  }
  search$candidates[[length(search$candidates) + 1]] <- list(
    fits = fits, scores = scores, covariance = covariance, K = K, hidden = hidden,
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
  best <- list(epochs = 0L, score = mean_score(start$scores, search$weights))
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
    score <- mean_score(held_out_scores(search, fits, activation), search$weights)
    if (isTRUE(score > best$score)) best <- list(fits = fits, epochs = epoch, score = score)
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

# The average of the folds' fits of all candidates with a share.
finish_stack <- function(search, settings, matched, kept) {
  task <- search$task
  candidates <- search$candidates
  if (length(candidates) == 0) stop_without_candidates(search)
  scores <- vapply(candidates, `[[`, search$weights, "scores")
  shares <- stacking_shares(scores, search$weights)
  offset <- mean_offset(task$sample, unlist(lapply(search$folds, `[[`, "held")))
  used <- which(shares > 0)
  used <- used[order(shares[used], decreasing = TRUE)]
  parameters <- do.call(c, lapply(candidates[used], `[[`, "fits"))
  count <- length(search$folds)
  densities <- lapply(parameters, fold_density, settings$activation, task)
  object <- sum_of(densities, rep(shares[used] / count, each = count), "cwmix_stack")
  joint <- scores[, used, drop = FALSE] + rep(log(shares[used]), each = nrow(scores))
  stacked <- log_row_sums(joint)
  if (search$interrupted) {
    warn_cwmix("Interrupted: the candidates so far are used.", "cwmix_interrupted", NULL)
  }
  add_fields(object, fit_scores(object, task), list(
    proportions = mean_posterior(object, task),
    at_floor = sum(vapply(parameters, function(p) components_at(task$floor, p), 0L)),
    candidates = candidate_table(candidates, scores, shares, search$weights, offset),
    folds = count,
    held_out = c(
      score = mean_score(stacked, search$weights) + offset,
      se = score_error(stacked, search$weights)
    ),
    fingerprint = task$sample$fingerprint, control = task$control, hidden = settings$hidden,
    call = tidy_call(matched, "cwmix"), data = kept
  ))
}

stop_without_candidates <- function(search) {
  if (search$interrupted) {
    stop_cwmix("Interrupted before any mixture was fitted.", "cwmix_interrupted", NULL)
  }
  stop_cwmix(
    "Every mixture gives some held-out rows, far from all others, a density of 0: give `K`.",
    "cwmix_numerical_error", NULL
  )
}

fold_density <- function(parameters, activation, task) {
  if (length(parameters$weights) > 0) {
    shares <- component_shares(parameters, activation, task)
    parameters <- order_components(parameters, order(shares, decreasing = TRUE))
  }
  fitted_density(parameters, activation, task, "cwmix_model")
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

# The shares are those of the candidates.
#' @export
describe_parts.cwmix_stack <- function(object) NextMethod()[1]

#' @export
describe_training.cwmix_stack <- function(object) {
  sprintf(
    "  stacked     %d of %s, %s: held-out score %s (se %s)",
    sum(object$candidates$share > 0), plural(nrow(object$candidates), "candidate"),
    if (object$folds == 1) "one split" else plural(object$folds, "fold"),
    fixed(object$held_out[["score"]], 4), fixed(object$held_out[["se"]], 4)
  )
}

#' @export
glance_training.cwmix_stack <- function(x) {
  data.frame(best_epoch = NA_integer_, validation = x$held_out[["score"]])
}

#' @export
fit_needs.cwmix_stack <- function(object) c(common_fields, "candidates", "folds", "held_out")

#' @export
fit_rules.cwmix_stack <- function(object) {
  utils::modifyList(NextMethod(), list(df = function(x) identical(x, NA_integer_)))
}
