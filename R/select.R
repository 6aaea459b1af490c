#' Choose a model by cross-validation
#'
#' Fits every candidate of a grid of K, networks and covariances to all folds of the rows but one,
#' scores it on that one, and gives the cross-validated log-likelihood of a row, with standard
#' errors (Smyth 2000).
#'
#' The score is the mean over all rows of the log density at the row by the fit that has not seen
#' it. The one-standard-error rule takes the candidate with the fewest parameters among those
#' within one standard error of the best (Breiman, Friedman, Olshen and Stone 1984, section 3.4.3).
#' The standard error here is that of the *difference* to the best, from row by row differences:
#' that of the best score itself, as in trees, is mostly how much log densities vary between rows,
#' which all candidates share, and would let the rule choose models that are clearly worse.
#' Standard errors take rows as independent; fits to overlapping rows make them somewhat too small
#' (Bengio and Grandvalet 2004). The score of the best of many candidates is optimistic; for an
#' honest one compare [best()] with others on further rows ([compare()]).
#'
#' @param x The data, as for [cwmix()]: a numeric vector, matrix or data frame, or a one-sided
#'   formula; for `tidy()` and `plot()` what `cwmix_select()` returns.
#' @param data A data frame that holds the variables of the formula `x`.
#' @param K Distinct whole numbers of components to try.
#' @param ... Further arguments of [cwmix()] for every fit (`activation`, `flow`, `map`,
#'   `support`, `resolution`, `validation`, `control`, `keep_data`); for `best()` must be empty;
#'   for `plot()` titles, labels and the like, by name: arguments of [graphics::plot.default()].
#' @param hidden One choice as in [cwmix()], an integer vector of widths or `NULL` for constant
#'   weights; or a list of such choices. By default constant weights, a Gaussian mixture, and the
#'   network that `cwmix()` has.
#' @param covariance Strings, one or both of `"diagonal"` and `"full"`; of one column, where they
#'   are the same, the first.
#' @param weights Observation weights, as for [cwmix()]: they weight fits and scores. Standard
#'   errors take rows, not units of weight, as independent.
#' @param folds A whole number from 2 of folds, drawn at random, of sizes that differ by at most
#'   one but for repeated rows, which stay together (see [cwmix_stack]); or a vector of labels, one
#'   a row: rows with one label are held out together.
#' @return An object of class `"cwmix_select"`, a plain list:
#'   - `table`, a data frame with a row a candidate: `K`, `hidden` (`"constant"`, `"linear"` or the
#'     widths), `covariance`; `score`, the mean held-out log density of a row in nats, and its
#'     standard error `se`; `difference`, the score less the best score, and its standard error
#'     `se_difference`; `df`, the number of parameters, those of networks counted one by one, though
#'     a network of one component changes nothing and has none; `seconds`, the time of its fits to
#'     folds;
#'   - `scores`, the matrix of held-out log densities, rows by candidates;
#'   - `folds`, the label of every row;
#'   - `highest` and `one_se`, the rows of `table` with the highest score and of the rule's choice;
#'   - `fits`, a list of the same names: these candidates fitted to all rows;
#'   - `call`.
#'
#'   `best()` returns one of the two fits, `tidy()` the table. `plot()` draws the scores against K
#'   with bars of one standard error of the difference to the best: what the rule may choose are
#'   the candidates whose bars reach the line at the best score. It returns the table invisibly and
#'   leaves graphical parameters as they were.
#' @section Errors and warnings: A condition of class `"cwmix_input_error"` names the argument, or
#'   the candidate and the fold that cannot be fitted (fewer rows than components, a column
#'   that is constant without the fold); one of class `"cwmix_numerical_error"` the candidate for
#'   which EM breaks down. One warning for all fits says how many did not converge (class
#'   `"cwmix_not_converged"`), one how many diverged (`"cwmix_numerical_warning"`), one how many of
#'   the two fits to all rows are degenerate (`"cwmix_degenerate"`). After an
#'   interrupt the candidates complete by then are compared, with a warning of class
#'   `"cwmix_interrupted"`; an error of that class where there is none.
#' @references Breiman, Friedman, Olshen and Stone (1984), Classification and Regression Trees,
#'   Wadsworth. Smyth (2000), Model selection for probabilistic clustering using cross-validated
#'   likelihood, Statistics and Computing 10, 63-72. Bengio and Grandvalet (2004), No unbiased
#'   estimator of the variance of k-fold cross-validation, JMLR 5, 1089-1105.
#' @examples
#' set.seed(1)
#' choice <- cwmix_select(faithful, K = 1:4, hidden = NULL, folds = 5)
#' choice
#' plot(choice)
#' best(choice)
#'
#' # Constant weights against a small network
#' control <- cwmix_control(epochs = 10)
#' cwmix_select(faithful, K = 2, hidden = list(NULL, 8), folds = 3, control = control)
#' @export
cwmix_select <- function(x, ...) {
  check_data_given(missing(x), ..., call = user_call())
  UseMethod("cwmix_select")
}

#' @rdname cwmix_select
#' @export
cwmix_select.default <- function(x, K, ..., hidden = list(NULL, c(64, 64)),
                                 covariance = c("diagonal", "full"), weights = NULL, folds = 10) {
  call <- user_call()
  matched <- match.call()
  check_given("K", call)
  points <- read_training(x, call)
  source <- list(points = points, data = x, weights = weights)
  grid <- read_grid(K, hidden, covariance, ncol(source$points$x), call)
  select_candidate(grid, source, folds, list(...), matched, call)
}

#' @rdname cwmix_select
#' @export
cwmix_select.formula <- function(x, data, K, ..., hidden = list(NULL, c(64, 64)),
                                 covariance = c("diagonal", "full"), weights = NULL, folds = 10) {
  call <- user_call()
  matched <- match.call()
  check_given(c("data", "K"), call)
  weights <- eval_in_data(substitute(weights), data, parent.frame(), call)
  source <- list(points = read_formula(x, data, call), formula = x, data = data, weights = weights)
  grid <- read_grid(K, hidden, covariance, ncol(source$points$x), call)
  select_candidate(grid, source, folds, list(...), matched, call)
}

# Candidates as a list of list(K, hidden, covariance): of every network and covariance, all K.
read_grid <- function(K, hidden, covariance, d, call) {
  check_distinct_counts(K, call)
  check_covariances(covariance, call)
  if (d == 1) covariance <- covariance[1]
  hidden <- if (is.list(hidden) && !is.object(hidden)) hidden else list(hidden)
  hidden <- lapply(hidden, check_hidden, call)
  if (length(hidden) == 0 || anyDuplicated(hidden) > 0) {
    stop_input("`hidden` must be one or several distinct choices, not ",
      if (length(hidden) == 0) "an empty list" else "one of them twice", ".",
      call = call
    )
  }
  at <- expand.grid(
    K = seq_along(K), covariance = seq_along(covariance), hidden = seq_along(hidden)
  )
  lapply(seq_len(nrow(at)), function(i) {
    list(
      K = as.integer(K[at$K[i]]), hidden = hidden[[at$hidden[i]]],
      covariance = covariance[at$covariance[i]]
    )
  })
}

check_distinct_counts <- function(K, call) {
  if (!is_plain_numeric(K) || length(K) == 0 || anyDuplicated(K) > 0 || !is.null(dim(K))) {
    stop_input("`K` must be distinct whole numbers of at least 1, not ",
      if (is_plain_numeric(K) && length(K) > 1) deparse(K)[1] else describe(K), ".",
      call = call
    )
  }
  for (count in K) check_count(count, "K", call)
}

check_covariances <- function(covariance, call) {
  known <- c("diagonal", "full")
  ok <- is.character(covariance) && length(covariance) > 0 && anyDuplicated(covariance) == 0 &&
    all(covariance %in% known)
  if (!ok) {
    stop_input(
      "`covariance` must be one or both of ", paste0("\"", known, "\"", collapse = " and "),
      ", not ", if (is.character(covariance)) deparse(covariance)[1] else describe(covariance), ".",
      call = call
    )
  }
}

candidate_label <- function(candidate) {
  sprintf(
    "K = %d, hidden = %s, covariance = \"%s\"", candidate$K,
    if (is.null(candidate$hidden)) "NULL" else written(candidate$hidden), candidate$covariance
  )
}

# A label a row: given, or drawn for a number of folds of the units that rows stand for, whose sizes
# differ by at most one. Rows of weight 0, which are no unit, are each drawn alone.
fold_labels <- function(folds, sample, n, call) {
  unit <- replace(-seq_len(n), sample$kept, sample$unit_of)
  most <- length(unique(unit))
  if (is_number(folds) && folds >= 2 && folds <= most && folds == round(folds)) {
    return(random_folds(folds, most)[match(unit, unique(unit))])
  }
  labels <- is.atomic(folds) && !is.raw(folds) && is.null(dim(folds)) && length(folds) == n
  if (!labels || anyNA(folds) || length(unique(folds)) < 2) {
    stop_input(
      "`folds` must be a whole number from 2 to ", most, " or ", n, " labels, one a row, not all ",
      "the same, not ", describe(folds), ".",
      call = call
    )
  }
  folds
}

# `source` is list(points, formula, data, weights) with the data as the user holds them, `arguments`
# what goes on to cwmix().
select_candidate <- function(grid, source, folds, arguments, matched, call) {
  task <- task_of_largest(grid, source, arguments, call)
  folds <- fold_labels(folds, task$sample, nrow(source$points$x), call)
  run <- new_run(grid, source, arguments, length(unique(folds)), call)
  scored <- cross_validate(run, grid, folds)
  grid <- grid[seq_along(scored)]
  scores <- vapply(scored, `[[`, double(length(folds)), "scores")
  table <- cbind(
    data.frame(
      K = vapply(grid, `[[`, 0L, "K"),
      hidden = vapply(grid, function(candidate) hidden_label(candidate$hidden), ""),
      covariance = vapply(grid, `[[`, "", "covariance")
    ),
    score_table(scores, source$weights),
    df = vapply(scored, `[[`, 0, "df"), seconds = vapply(scored, `[[`, 0, "seconds")
  )
  chosen <- list(highest = which.max(table$score), one_se = one_se_rule(table))
  fits <- lapply(unique(chosen), function(i) {
    fit <- fit_candidate(run, grid[[i]], seq_along(folds), "to all rows")
    fit$call <- candidate_call(matched, grid[[i]])
    fit
  })
  warn_run(run, length(scored))
  structure(
    list(
      table = table, scores = scores, folds = folds, highest = chosen$highest,
      one_se = chosen$one_se,
      fits = list(highest = fits[[1]], one_se = fits[[length(fits)]]),
      call = tidy_call(matched, "cwmix_select")
    ),
    class = "cwmix_select"
  )
}

# What would stop every candidate is said before any is fitted, with the numbers of all rows.
task_of_largest <- function(grid, source, arguments, call) {
  known <- setdiff(names(formals(cwmix.default)), c("x", "K", "hidden", "covariance", "start"))
  unknown <- !(names(arguments) %||% character(length(arguments))) %in% setdiff(known, "...")
  do.call(check_dots_empty, c(arguments[unknown], list(call = call)), quote = TRUE)
  largest <- grid[[which.max(vapply(grid, `[[`, 0L, "K"))]]
  settings <- c(largest, list(
    activation = "tanh", flow = "none", map = "none", support = NULL, resolution = "auto",
    validation = NULL, start = NULL, control = cwmix_control()
  ))
  settings[names(arguments)] <- arguments
  read_task(source, read_settings(settings, call), call)
}

# What the fits of a selection share and leave behind.
new_run <- function(grid, source, arguments, n_folds, call) {
  run <- new.env(parent = emptyenv())
  run$source <- source
  run$arguments <- arguments
  run$call <- call
  run$fits <- 0
  run$warned <- list()
  run$interrupted <- FALSE
  control <- arguments$control %||% cwmix_control()
  run$progress <- progress_bar(counting("Fit"), length(grid) * n_folds, control)
  # One bar is enough.
  control$verbose <- FALSE
  run$quiet <- control
  run
}

# The candidates in turn, up to an interrupt: a list(scores, df, seconds) each.
cross_validate <- function(run, grid, folds) {
  on.exit(run$progress$done())
  scored <- list()
  stopped <- function(condition) NULL
  for (candidate in grid) {
    result <- tryCatch(
      score_candidate(run, candidate, folds),
      interrupt = stopped, cwmix_interrupted = stopped
    )
    if (is.null(result)) {
      run$interrupted <- TRUE
      break
    }
    scored[[length(scored) + 1]] <- result
  }
  if (length(scored) == 0) {
    stop_cwmix(
      "Interrupted before the first candidate was complete: there is nothing to return.",
      "cwmix_interrupted", run$call
    )
  }
  scored
}

# Held-out log densities of a candidate, in the order of the rows.
score_candidate <- function(run, candidate, folds) {
  scores <- double(length(folds))
  seconds <- 0
  for (label in as.list(sort(unique(folds)))) {
    run$progress$at(run$fits, sprintf(
      "K = %d, %s, %s", candidate$K, candidate$covariance, hidden_label(candidate$hidden)
    ))
    held <- which(folds == label)
    began <- proc.time()[["elapsed"]]
    fit <- fit_candidate(
      run, candidate, which(folds != label), sprintf("without fold %s", format(label)), run$quiet
    )
    seconds <- seconds + proc.time()[["elapsed"]] - began
    newdata <- take_rows(run$source$data, held)
    scores[held] <- stats::predict(fit, newdata, log = TRUE)
  }
  list(scores = scores, df = count_parameters(fit), seconds = seconds)
}

# One fit by cwmix() to some rows, `described` as in "without fold 2". Its warnings are counted, its
# errors name the candidate.
fit_candidate <- function(run, candidate, rows, described, control = run$arguments$control) {
  source <- run$source
  data <- take_rows(source$data, rows)
  data <- if (is.null(source$formula)) list(x = data) else list(x = source$formula, data = data)
  arguments <- c(data, candidate, run$arguments[setdiff(names(run$arguments), "control")])
  if (!is.null(source$weights)) arguments$weights <- source$weights[rows]
  if (!is.null(control)) arguments$control <- control
  run$fits <- run$fits + 1
  note <- function(w) {
    if (inherits(w, "cwmix_interrupted")) {
      return()
    }
    # What is wrong with the likelihood of a fit to folds shows in its score.
    if (!inherits(w, "cwmix_degenerate") || length(rows) == nrow(source$points$x)) {
      run$warned[[length(run$warned) + 1]] <- list(
        class = class(w)[1], candidate = candidate, message = conditionMessage(w)
      )
    }
    invokeRestart("muffleWarning")
  }
  tryCatch(
    withCallingHandlers(do.call(cwmix, arguments), cwmix_warning = note),
    cwmix_error = function(e) {
      message <- paste0(
        "The candidate ", candidate_label(candidate), " cannot be fitted ", described, ": ",
        conditionMessage(e)
      )
      stop_cwmix(message, class(e)[1], run$call)
    }
  )
}

take_rows <- function(x, rows) {
  if (length(dim(x)) == 2) x[rows, , drop = FALSE] else x[rows]
}

# The fewest parameters within one standard error of the difference to the best; the higher score
# among equals.
one_se_rule <- function(table) {
  within <- which(table$difference + table$se_difference >= 0)
  within[order(table$df[within], -table$score[within])][1]
}

# The call of cwmix() that fits a candidate as the selection did.
candidate_call <- function(matched, candidate) {
  matched$folds <- NULL
  matched[names(candidate)] <- candidate
  tidy_call(matched, "cwmix")
}

# One warning of each class, whatever the number of fits.
warn_run <- function(run, complete) {
  if (run$interrupted) {
    warn_cwmix(
      sprintf("Interrupted: only the first %s compared.", if (complete == 1) {
        "candidate of the grid is"
      } else {
        sprintf("%d candidates of the grid are", complete)
      }),
      "cwmix_interrupted", run$call
    )
  }
  classes <- vapply(run$warned, `[[`, "", "class")
  for (class in unique(classes)) {
    first <- run$warned[[match(class, classes)]]
    warn_cwmix(
      sprintf(
        "%d of %s warned, first that of %s: %s", sum(classes == class), plural(run$fits, "fit"),
        candidate_label(first$candidate), first$message
      ),
      class, run$call
    )
  }
}

#' @rdname cwmix_select
#' @param object What `cwmix_select()` returns.
#' @export
best <- function(object, ...) {
  check_given("object", user_call())
  UseMethod("best")
}

#' @export
best.default <- function(object, ...) {
  check_class(object, "cwmix_select", "made by cwmix_select()", "object", user_call())
}

#' @rdname cwmix_select
#' @param rule A string: `"one-se"` for the fit with the fewest parameters within one standard error
#'   of the best, `"highest"` for that with the highest score.
#' @export
best.cwmix_select <- function(object, rule = c("one-se", "highest"), ...) {
  call <- user_call()
  check_dots_empty(..., call = call)
  rule <- check_choice(rule, c("one-se", "highest"), "rule", call)
  object$fits[[sub("-", "_", rule)]]
}

#' @rdname cwmix_select
#' @export
tidy.cwmix_select <- function(x, ...) {
  check_dots_empty(..., call = user_call())
  x$table
}

#' @export
format.cwmix_select <- function(x, ...) {
  check_dots_empty(..., call = user_call())
  most <- 8
  order <- order(x$table$score, decreasing = TRUE)
  shown <- utils::head(order, most)
  # The rule's choice is always among those shown.
  if (!x$one_se %in% shown) shown[most] <- x$one_se
  mark <- rep("", length(order))
  mark[x$highest] <- "highest"
  mark[x$one_se] <- if (x$one_se == x$highest) "highest, one-se" else "one-se"
  lines <- format_scores(x$table[shown, ])
  more <- length(order) - length(shown)
  c(
    sprintf(
      "Cross-validated log density: %s, %s, %s", plural(nrow(x$table), "candidate"),
      plural(length(unique(x$folds)), "fold"), plural(length(x$folds), "row")
    ),
    trimws(paste0(format(lines), "  ", c("choice", mark[shown])), "right"),
    if (more > 0) sprintf("... and %s", plural(more, "further candidate"))
  )
}

#' @export
print.cwmix_select <- function(x, ...) {
  cat(format(x, ...), sep = "\n")
  invisible(x)
}

#' @rdname cwmix_select
#' @export
plot.cwmix_select <- function(x, ...) {
  dots <- read_dots(list(...), user_call())
  view <- view_selection(x)
  draw_selection(view, dots)
  invisible(view$data)
}
