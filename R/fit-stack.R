# A fit that leaves K to the data: Gaussian mixtures and networks of many sizes are fitted to the
# folds of a cross-validation, and the densities of these fits are averaged with the weights that
# score best on the rows that the fits had not seen (Smyth and Wolpert 1999).

#' Fits without K
#'
#' What [cwmix()] returns when the number of components is left to it: an average, as of
#' [cwmix_average()], of the folds' fits of all candidates that have a share.
#'
#' `df` is `NA`, as are AIC and BIC: the members were not fitted together, and the number of their
#' parameters says nothing. The components are no clusters.
#'
#' @section Scales: Gaussian mixtures are fitted to the columns as they are, and behind increasing
#'   maps of single columns (equation (12) of Argouarc'h et al. 2025, with a map of each column): a
#'   logarithm from a lower or an upper end, the logit between two ends, or asinh of the column in
#'   units of its median absolute deviation. Ends lie beyond the outermost value by the mean gap of
#'   the values next to it, half the square root of their number. A map may be followed by *normal
#'   scores* of its images, \eqn{u = \Phi^{-1}(F(t))}{u = Phi^-1(F(t))}: the log density of F is a
#'   cubic spline of 30 segments whose third differences have a price (Silverman 1982; Eilers and
#'   Marx 1996), the price the middle one of those that Akaike's criterion chooses in the first
#'   three folds, and linear outside. All
#'   maps are fitted to the training rows of each fold. In one column normal scores of each kind of
#'   map, with one standard normal component, are candidates themselves; in several, mixtures behind
#'   the map of each column under which one normal scores best, and behind normal scores of the best
#'   kind.
#'
#'   A column of positive values without a bound, of which a normal distribution would lose a
#'   thousandth below zero, is also seen through the logarithm itself. Candidates that lose more
#'   than that below zero are left out, in several columns more than a twentieth, and only where the
#'   average scores as well without them. Beyond estimated ends a mapped candidate has density zero;
#'   the average keeps a share of 2 / (n + 1) for one without ends.
#' @section What rows stand for: A stack is made from *units*, which ties tell:
#'   - **A grid.** Where the values of 98 % of a column's rows are whole multiples of a step
#'     apart (of what they were before a logarithm or a root, too), a value on that grid stands for
#'     the *cell* of one step around it.
#'   - **Atoms.** A value on a grid with more than twice the rows of the values next to it, beyond
#'     chance, is an atom; off a grid one with at least five rows, and five times as many as nine
#'     tenths of the values have. Its cell is that of the grid; without one it is no wider than
#'     values lie apart. Where there are two or more,
#'     with a twentieth of the rows, mixtures with a component for each, at most forty, are among
#'     the candidates.
#'   - **Shared values.** Where there is no grid, other values that several rows share which differ
#'     elsewhere stand for cells that end halfway to the next ones.
#'   - **Repeats.** Identical rows that do not stand for cells in all columns are one unit with the
#'     sum of their weights, so that no fold has seen what another holds out. So are rows on a grid
#'     too fine to explain why they are identical. Where every row is there equally often, once is
#'     as good. Rows and whole weights give the same fit.
#'
#'   Units are spread evenly over their cells (dequantisation), on each side of a value so that its
#'   mean stays, as many as there are rows in each; those of an atom as a normal distribution is
#'   within three standard deviations, so that components can lie in the cell (Ho et al. 2019).
#'   Their mean log density is a lower bound of the log probability of the cell less the log of its
#'   width (Theis, van den Oord and Bethge 2016): a value that many rows share has the probability
#'   that they say, and no spike. `resolution` of [cwmix()] gives the steps instead, 0 for values
#'   that stand for themselves. Cells end at the bounds of `support`; a value on a bound has the
#'   fiftieth of a step there, so that means stay.
#'
#'   Fits with `K` are made from the same units.
#' @section Far rows: Rows that alone would set the scale of a column are set aside: at most five,
#'   a hundred times as far from its median as the next one, and as its spread between quartiles.
#'   One broad component about their mean stands for them, with their share: as wide as they spread,
#'   and at least a third of the way to the others. A warning of class `"cwmix_far_rows"` names
#'   them. Where candidates are compared a row's log density counts at most ten times as far below
#'   the median as the lowest tenth begins (or ten nats, if that is more): a row far from all others
#'   would decide alone.
#' @section Value: An object of class `c("cwmix_stack", "cwmix_sum", "cwmix_density")`, a plain list
#'   with the fields
#'   - `members`, a list of densities, and `shares`, a numeric vector, one a member, as in
#'     [cwmix_average()]: all Gaussian mixtures are one member, the last, each network is one, and
#'     so are the mixtures behind maps of one scale in one fold;
#'   - `averaged`, a numeric vector, the shares of all fits that went in, one a fold of each
#'     candidate with a share, and that of far rows at the end;
#'   - `candidates`, a data frame with a row a candidate, the best first, then those that were
#'     dropped after the first folds: `covariance` (`"full"`,
#'     `"diagonal"` or `"spherical"`, where pooled followed by `", shrunk"` or `", tied"`; in six
#'     columns and more also between diagonal and full: `"full, damped 0.1"` with correlations a
#'     tenth smaller, `"full, 3 factors"` of low rank plus diagonal, and `"full, 3 factors, tied"`),
#'     `K`, `hidden` (`"constant"` for `NULL`, `"linear"` for `integer(0)`), `epochs` (`NA` without
#'     a network), `scale`, how it sees the columns (`"raw"`; `"logit"`; `"own"`, each column's best
#'     map; `"log"`, the logarithm of positive ones; `"scores"` and `"scores of"` a map), the number
#'     of `folds` that it was tried in, its mean held-out log density `score` over the units in
#'     their cells, with standard error `se`, and its `share` in the average. What was dropped after
#'     the first folds has the best one's score less its loss against that one there. Candidates
#'     that break down, or give a tenth of the held-out rows a density of 0, are not among them, nor
#'     are networks that do not gain;
#'   - `held_out`, a numeric vector: `score`, the mean held-out log density of the average at the
#'     values that were recorded, with its standard error `se`. What a row can lose is bounded (see
#'     below), far rows count as that bound; `unbounded` is the mean without it, which print() shows
#'     where they differ by more than `se`. The shares for each fold are those that the other folds'
#'     rows give (with one split, those of all rows); it is a little optimistic, as the same rows
#'     chose the candidates and the epochs of networks. `units` is the score in the units' cells,
#'     as those of the candidates are. Scores at values on a bound depend on the width of their
#'     cells, and are not comparable to those with another `support`;
#'   - `folds`, a whole number (1 for one split); `row_folds`, an integer vector, the fold that
#'     holds out each row of the data, 0 where none does; `component_folds`, an integer vector, the
#'     fold that each component was fitted outside of, 0 for that of far rows. By these
#'     [predict()][predict.cwmix_density] with `rows = "held-out"` judges each row by what has not
#'     seen it, and rows that no fold holds out by all folds;
#'   - `recorded`, a data frame with a row a column, what ties said: `column`, the number of
#'     `distinct` values, the `spacing` of their grid (0 for none), its `scale` (`"raw"`, or
#'     `"log"`, `"log10"`, `"log2"` or `"root"` for that before one; `NA` without a grid), `atoms`,
#'     a string of their values, and how many other values off a grid are `shared` by several rows;
#'   - `at_floor`, a whole number, the components of all fits that went in that are as narrow, in
#'     some direction, as a thousandth of `sd_floor` allows (see [cwmix_control()]);
#'   - `frame`, `proportions` (member by member), `log_likelihood`, `df`, `nobs`, `weight_sum`,
#'     `fingerprint`, `hidden`, `control`, `call` and `data` as in [cwmix()].
#' @references Smyth and Wolpert (1999), Linearly combining density estimators via stacking, Machine
#'   Learning 36, 59-83. Silverman (1982), On the estimation of a probability density function by
#'   the maximum penalized likelihood method, Annals of Statistics 10, 795-810. Eilers and Marx
#'   (1996), Flexible smoothing with B-splines and penalties, Statistical Science 11, 89-121.
#'   Argouarc'h, Desbouvries, Barat, Kawasaki and Dautremer (2025), Classifier Weighted Mixture
#'   models, arXiv:2501.02989. Breiman, Friedman, Olshen and Stone (1984), Classification and
#'   regression trees. Theis, van den Oord and Bethge (2016), A note on the evaluation of generative
#'   models, ICLR. Ho, Chen, Srinivas, Duan and Abbeel (2019), Flow++, ICML.
#' @seealso [cwmix()], [plot()][plot.cwmix_density] with `what = "candidates"`.
#' @examples
#' set.seed(1)
#' fit <- cwmix(faithful$eruptions, hidden = NULL)
#' class(fit)
#' fit$held_out
#' fit$recorded
#' length(fit$members)
#' @name cwmix_stack
NULL

fit_stack <- function(task, settings, kept, matched, call) {
  n <- nrow(task$sample$y)
  if (identical(settings$hidden, "auto")) settings$hidden <- default_widths(n)
  search <- new_search(task)
  search$raw <- raw_scale(search)
  stages <- search_stages(search, settings)
  shares <- c(vapply(stages, `[[`, 0, "share"), "Average" = 1)
  search$progress <- stage_progress(shares, task$control)
  on.exit(search$progress$done())
  # What is complete at an interrupt counts.
  tryCatch(
    for (stage in stages) {
      search$progress$begin(describe_search(search))
      stage$run(search)
    },
    interrupt = function(condition) search$interrupted <- TRUE
  )
  search$progress$begin(describe_search(search))
  finish_stack(search, settings, matched, kept)
}

# What a search tries in turn, by name: list(share, run), the share of its time about.
search_stages <- function(search, settings) {
  covariance <- settings$covariance
  stage <- function(share, run) list(share = share, run = run)
  with_networks <- !is.null(settings$hidden) && bears_networks(search)
  # With many rows there is nothing to save.
  d <- ncol(search$task$sample$y)
  with_adjusted <- d >= 6 && covariance != "diagonal" && nrow(search$task$sample$y) <= 100 * d
  c(
    list(
      "Mixtures" = stage(3, function(search) {
        search_mixtures(search, covariance)
        search_next_sizes(search, covariance)
        search_atoms(search, covariance)
      }),
      "Behind maps of columns" = stage(4, function(search) search_maps(search, covariance))
    ),
    if (with_adjusted) {
      list("Covariances between diagonal and full" = stage(2, search_adjusted))
    },
    if (with_networks) {
      list("Networks" = stage(8, function(search) {
        search_networks(search, settings$hidden, settings$activation)
      }))
    }
  )
}

describe_search <- function(search) {
  if (length(search$candidates) == 0) {
    return("none")
  }
  best <- best_candidate(search)
  sprintf(
    "%s so far, the best %s with %s%s", plural(length(search$candidates), "candidate"),
    best$covariance, plural(best$K, "component"),
    if (best$scale == "raw") "" else paste0(", ", best$scale)
  )
}

# Networks need rows, and in one column have nothing to say that more components do not.
bears_networks <- function(search) {
  nrow(search$task$sample$y) >= 1000 && ncol(search$task$sample$y) > 1
}

# The average of the folds' fits of all candidates with a share.
finish_stack <- function(search, settings, matched, kept) {
  task <- search$task
  complete <- vapply(search$candidates, function(one) is_complete(search, one), NA)
  candidates <- search$candidates[complete]
  if (length(candidates) == 0) stop_without_candidates(search)
  counting <- may_count(search, candidates, settings$activation)
  shares <- replace(double(length(candidates)), counting, share_out(search, candidates[counting]))
  used <- which(shares > 0)
  used <- used[order(shares[used], decreasing = TRUE)]
  far <- far_share(search)
  parts <- stack_parts(search, candidates[used], shares[used], settings$activation, far)
  object <- sum_of(unname(parts$densities), parts$shares, "cwmix_stack", parts$all_shares)
  held_out <- held_out_score(search, candidates[used], shares[used], settings$activation)
  if (search$interrupted) {
    warn_cwmix("Interrupted: the candidates so far are used.", "cwmix_interrupted", NULL)
  }
  if (far > 0) warn_far_rows(search, far)
  offset <- mean_offset(task$sample, unlist(lapply(search$folds, `[[`, "held")))
  narrow <- narrow_components(task, candidates[used], shares[used])
  if (narrow$share > 0.05) warn_narrow(narrow)
  add_fields(object, sum_scores(object, search$rows, task$control), list(
    at_floor = narrow$count,
    candidates = candidate_table(search, candidates, shares, offset),
    folds = length(search$folds), row_folds = row_folds(search), component_folds = parts$folds,
    held_out = held_out,
    recorded = recorded_table(search$units),
    fingerprint = search$rows$fingerprint, control = task$control, hidden = settings$hidden,
    call = tidy_call(matched, "cwmix"), data = kept
  ))
}

# The shares of candidates in the average. Parameters have a price in one column, unless its values
# stand for cells: such a density has steps, which take many.
share_out <- function(search, candidates) {
  scores <- score_matrix(candidates, search)
  smooth <- ncol(search$task$sample$y) == 1 && is.null(search$task$sample$recorded)
  shares <- if (smooth) {
    priced_weights(scores, search$weights, vapply(candidates, degrees_of_candidate, 0))
  } else {
    team_weights(scores, search$weights, team_labels(candidates))
  }
  with_room(search, candidates, shares)
}

# What is averaged, list(densities, shares, folds, all_shares): the candidates' fits, and for far
# rows one broad component; `folds` of the components in the order of sum_of(), 0 for that one;
# `all_shares` those of each fit. Mixtures behind the same maps are one.
stack_parts <- function(search, candidates, shares, activation, far) {
  count <- length(search$folds)
  parts <- do.call(c, Map(function(candidate, share) {
    Map(function(parameters, view, fold) {
      list(
        density = fold_density(parameters, activation, search$task, view), share = share / count,
        fold = fold, scale = if (is.null(view)) "" else candidate$scale
      )
    }, candidate$fits, candidate$views, seq_len(count))
  }, candidates, shares))
  if (far > 0) {
    parts <- lapply(parts, function(part) replace(part, "share", (1 - far) * part$share))
    broad <- list(density = broad_density(search), share = far, fold = 0L, scale = "")
    parts <- c(parts, list(broad))
  }
  all_shares <- vapply(parts, `[[`, 0, "share")
  parts <- merge_mapped(parts)
  densities <- lapply(parts, `[[`, "density")
  shares <- vapply(parts, `[[`, 0, "share")
  folds <- vapply(parts, `[[`, 0L, "fold")
  sizes <- vapply(densities, function(density) size(density)$K, 0L)
  mixture <- lengths(lapply(densities, as_mixture)) > 0
  merged <- rep(folds[mixture], sizes[mixture])
  if (any(mixture)) {
    within <- shares[mixture] / sum(shares[mixture])
    merged <- merged[order(-merged_log_weights(densities[mixture], within))]
  }
  list(
    densities = densities, shares = shares,
    folds = c(rep(folds[!mixture], sizes[!mixture]), merged), all_shares = all_shares
  )
}

# The parts, with those of one scale and fold in one.
merge_mapped <- function(parts) {
  scales <- vapply(parts, `[[`, "", "scale")
  keys <- ifelse(nzchar(scales), paste(scales, vapply(parts, `[[`, 0L, "fold")), seq_along(parts))
  lapply(split(parts, factor(keys, unique(keys))), function(alike) {
    shares <- vapply(alike, `[[`, 0, "share")
    first <- alike[[1]]
    if (length(alike) > 1) {
      first$density <- merge_bases(lapply(alike, `[[`, "density"), shares / sum(shares))
      first$share <- sum(shares)
    }
    first
  })
}

# The components of all fits that are at the floor: list(count, of, share), `of` all, `share` that
# of the density, were a fit's components alike.
narrow_components <- function(task, candidates, shares) {
  each <- lapply(candidates, function(candidate) {
    at_floor <- vapply(seq_along(candidate$fits), function(f) {
      components_at(floor_of(task, candidate$views[[f]]), candidate$fits[[f]])
    }, 0L)
    of <- vapply(candidate$fits, function(parameters) nrow(parameters$mean), 0L)
    c(sum(at_floor), sum(of), mean(at_floor / of))
  })
  sums <- matrix(unlist(each), 3)
  list(count = as.integer(sum(sums[1, ])), of = sum(sums[2, ]), share = sum(sums[3, ] * shares))
}

warn_narrow <- function(narrow) {
  warn_cwmix(
    paste0(
      "The density means little, as ", narrow$count, " of ", plural(narrow$of, "component"),
      " are as narrow as `sd_floor` allows in some direction: columns may determine each other, ",
      "or values be recorded on a scale that `resolution` should give."
    ),
    "cwmix_degenerate", NULL
  )
}

# The fold of each row of the data: 0 for one that no fold holds out.
row_folds <- function(search) {
  fold <- integer(nrow(search$units$y))
  for (f in seq_along(search$folds)) fold[search$near[search$folds[[f]]$held]] <- f
  rows <- integer(search$rows$fingerprint[1])
  rows[search$rows$kept] <- fold[search$units$unit_of]
  rows
}

# What judges rows that no fold holds out does without the component of far rows, too.
#' @export
fold_densities.cwmix_stack <- function(object) {
  folds <- c(list(seq_len(object$folds)), as.list(seq_len(object$folds)))
  densities <- lapply(folds, function(some) {
    part_of_sum(object, object$component_folds %in% some)
  })
  list(fold = object$row_folds, densities = densities)
}

stop_without_candidates <- function(search) {
  if (search$interrupted) {
    stop_cwmix("Interrupted before any mixture was fitted.", "cwmix_interrupted", NULL)
  }
  stop_cwmix(
    "Every mixture gives a tenth of the held-out rows a density of 0: give `K`.",
    "cwmix_numerical_error", NULL
  )
}

# A row a candidate, the best first, those that were dropped in the race last. What these score is
# estimated by their difference to the best one there.
candidate_table <- function(search, candidates, shares, offset) {
  dropped <- Filter(function(one) !is_complete(search, one), search$candidates)
  scores <- score_matrix(candidates, search)
  means <- apply(scores, 2, mean_score, search$weights)
  best <- which.max(means)
  raced <- vapply(dropped, `[[`, 0, "raced")
  ahead <- means[best] - candidates[[best]]$raced
  all <- c(candidates, dropped)
  field <- function(name, like) vapply(all, `[[`, like, name)
  table <- data.frame(
    covariance = field("covariance", ""), scale = field("scale", ""), K = field("K", 0L),
    hidden = vapply(all, function(candidate) hidden_label(candidate$hidden), ""),
    epochs = vapply(all, function(candidate) as.integer(candidate$epochs), 0L),
    folds = vapply(all, function(candidate) length(candidate$fits), 0L),
    score = c(means, raced + ahead) + offset,
    se = vapply(all, function(candidate) {
      scores <- unlist(candidate$scores)
      weights <- search$weights[seq_along(scores)]
      score_error(bounded_scores(scores, weights), weights)
    }, 0),
    share = c(shares, double(length(dropped)))
  )
  table <- table[order(table$folds, table$score, decreasing = TRUE), ]
  row.names(table) <- NULL
  table
}

# The shares are those of the candidates.
#' @export
describe_parts.cwmix_stack <- function(object) NextMethod()[1]

#' @export
describe_training.cwmix_stack <- function(object) {
  c(describe_recorded(object$recorded), describe_scales(object$candidates), sprintf(
    "  stacked     %d of %s, %s: held-out score %s (se %s)%s",
    sum(object$candidates$share > 0), plural(nrow(object$candidates), "candidate"),
    if (object$folds == 1) "one split" else plural(object$folds, "fold"),
    fixed(object$held_out[["score"]], 4), fixed(object$held_out[["se"]], 4),
    describe_unbounded(object$held_out)
  ), if (object$at_floor > 0) {
    paste("  at floor   ", plural(object$at_floor, "component"))
  })
}

# How the candidates with a share see the columns, where not all see them as they are.
describe_scales <- function(candidates) {
  shares <- tapply(candidates$share, candidates$scale, sum)
  shares <- sort(shares[shares > 0], decreasing = TRUE)
  if (identical(names(shares), "raw")) {
    return(NULL)
  }
  paste0(
    "  scales      ", paste0(names(shares), " (", sprintf("%.2g", shares), ")", collapse = "; ")
  )
}

# Where few rows decide.
describe_unbounded <- function(held_out) {
  if (held_out[["score"]] - held_out[["unbounded"]] > held_out[["se"]]) {
    paste0(", ", signif(held_out[["unbounded"]], 5), " with every row's full loss")
  } else {
    ""
  }
}

#' @export
glance_training.cwmix_stack <- function(x) {
  data.frame(best_epoch = NA_integer_, validation = x$held_out[["score"]])
}

# Each fold has components, and no row or component is of another.
#' @export
validate.cwmix_stack <- function(object) {
  NextMethod()
  folds <- object$folds
  rows <- object$row_folds
  components <- object$component_folds
  demand(
    is_whole(folds, 1) && is_fold_of(rows) && is_fold_of(components) &&
      identical(as.double(length(rows)), object$fingerprint[1]) && all(rows <= folds) &&
      length(components) == size(object)$K &&
      identical(sort(setdiff(components, 0L)), seq_len(folds)),
    "its `row_folds` and `component_folds` are not those of its rows, components and `folds`"
  )
}

#' @export
fit_needs.cwmix_stack <- function(object) c(common_fields, "candidates", "folds", "held_out")

#' @export
fit_rules.cwmix_stack <- function(object) {
  utils::modifyList(NextMethod(), list(df = function(x) identical(x, NA_integer_)))
}
