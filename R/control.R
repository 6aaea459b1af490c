#' Computational settings of a fit
#'
#' @param epochs A whole number, the most passes over the training rows; `NULL` for about 6,000
#'   steps, at least 5 and at most 100 passes. With `optimiser = "lbfgs"` an epoch is 20 iterations,
#'   and `NULL` stands for 50.
#' @param batch_size A whole number of rows a gradient step, the last of an epoch taking those left;
#'   `NULL` for batches of nearly equal size: a twentieth of the rows, at least 16 and at most 500,
#'   and from 50,000 rows on a hundredth, at most 2,000 (Smith et al. 2018).
#' @param learning_rate A positive number, about the largest change of a parameter in one step of
#'   Adam; means are in units of their column's standard deviation, behind a flow in those of u (see
#'   [cwmix()]).
#' @param schedule A string: `"one-cycle"` warms the learning rate up over the first three tenths
#'   of the steps and lets it fall to zero along a cosine (Smith and Topin 2019), `"constant"`
#'   leaves it.
#' @param weight_decay A number of at least 0: for Adam the decoupled decay (Loshchilov and Hutter
#'   2019) of the networks' weights, those of the classifier and of a flow but no biases; for L-BFGS
#'   twice the factor of their sum of squares in a penalty on the mean log density. `NULL` for 200
#'   (Adam) or 1 (L-BFGS) over the number of training rows.
#' @param gradient_clip A positive number: the gradient's norm is cut there. `Inf` for no limit.
#' @param patience A whole number: training stops after so many epochs without a better validation
#'   score. `Inf` for never.
#' @param em_iterations A whole number, the most iterations of EM from each start.
#' @param em_tolerance A positive number: EM has converged when the mean log-likelihood of a row
#'   gains less.
#' @param starts A whole number of starts of EM, the best of three times as many random ones after
#'   ten iterations (Biernacki et al. 2003); the best result is kept.
#' @param networks For a fit without `K`, a whole number of networks that are trained, each from a
#'   mixture of its own, and count alike in the average: how much time to give to the fit. `NULL`
#'   for 2 beyond 20,000 rows; fewer rows have up to three, from the best mixtures, which count as
#'   scores say. Below 1,000 rows, and in one column, there are none. See *Without K*.
#' @param folds For a fit without `K` (others have none), a whole number from 2 of folds, with fewer
#'   rows one a row; `NULL` for 10 up to 200 units, 5 up to 20,000, and one split with at most 5,000
#'   held-out rows beyond; or a vector of labels, one a row: rows with one label are held out
#'   together, and with them rows that repeat one of theirs. More than ten labels are dealt at
#'   random into as many folds as by default, at least five. A number stands for random folds: where
#'   rows depend on each other, as in time series or in blocks of repeated measurements, neighbours
#'   of a held-out row are among those fitted, and the scores, the shares they choose and the
#'   networks they let grow are too good. There give the blocks.
#' @param sd_floor A number of at least 0: the smallest standard deviation of a component, in any
#'   direction, as a fraction of the column's local scale, the smallest that is positive of three:
#'   its standard deviation; its interquartile range over 1.349; and, for groups far apart, the
#'   standard deviation of a normal distribution whose densest tenth of the rows is as close to its
#'   neighbours. Without `K` a thousandth of that. EM bounds it in every direction; training with
#'   full covariances bounds the Cholesky factors' diagonal, the spread of each column given those
#'   before it. Behind a flow it bounds components in units of u, not of the data: where F
#'   stretches, a component is narrower there than the floor.
#' @param precision A string, `"single"` or `"double"`, of the training steps. Whatever is
#'   reported is computed in double.
#' @param threads A whole number of threads, or `NULL`; see [cwmix_info()]. Results do not depend
#'   on it.
#' @param exact A flag, best left `FALSE`: the steps of Adam then draw which of a row's improbable
#'   components (posterior below 0.02) take part, with probability proportional to the posterior and
#'   weighted so that the gradient, before it is clipped, stays unbiased. With 50 components this is
#'   three to six times as fast (less with a flow, whose own gradient is always whole), adds well
#'   below one percent to the variance that minibatches have (`bench/sampling.md` in the sources),
#'   and fits are as good, though not the same number for number. `TRUE` computes the gradient of
#'   every component at every row, as L-BFGS always does.
#' @param optimiser A string: `"adam"` (Kingma and Ba 2015) over minibatches, or `"lbfgs"`, R's
#'   [stats::optim()] over all rows in double, for small problems.
#' @param verbose A flag: show progress, the share done and the time left; a fit without `K` has a
#'   line a stage where there is no terminal.
#' @param ... Must be empty.
#' @return A list of class `"cwmix_control"`.
#' @section Averaging: Adam's epochs are scored by, and a fit returns, an average of the parameters
#'   after each step so far, where about the last eleventh of the steps counts: step t enters with a
#'   share of 11 / (t + 10) (Shamir and Zhang 2013, section 4). So an epoch in the middle of a run,
#'   at a high learning rate, is as good as if the rate had been lowered before. Training goes on
#'   from the last step, in [update()] too.
#' @section Without K: In a fit of [cwmix()] without `K`, `epochs = NULL` stands for about 10,000
#'   steps, at least 5 and at most 150 passes (50 with `optimiser = "lbfgs"`). Where `networks` is
#'   given, and beyond 20,000 rows, it stands for at most 4 million sqrt(networks / 2) visits of
#'   rows by each network, but at least 10 passes: what networks learn of noise averages out, so
#'   more of them are each trained longer, and four times as many take eight times as long. Some
#'   settings are not used or bounded: the learning rate is constant whatever `schedule` is; each
#'   EM of several components has two starts, from a hierarchical clustering and one more (in folds
#'   after the race, or after three, the better one of these), or one from the atoms, whatever
#'   `starts` is, and a tolerance of at least 1e-5; EM for damped covariances and those of low rank
#'   plus diagonal one of at least 1e-4, in at most 100 iterations. The floor is a thousandth of
#'   `sd_floor`: instead of it, values that tie are spread over cells (see
#'   [cwmix_stack]), and components must hold rows of their own, 5, or 2d + 2 with full covariances
#'   that are neither shrunk nor tied, so that those that hold fewer are dropped. Rows of unequal
#'   weights count as (sum of w)^2 / (sum of w^2).
#' @section Errors: A condition of class `"cwmix_input_error"`.
#' @references Biernacki, Celeux and Govaert (2003), Choosing starting values for the EM algorithm,
#'   Computational Statistics and Data Analysis 41, 561-575. Kingma and Ba (2015), Adam, ICLR.
#'   Loshchilov and Hutter (2019), Decoupled weight decay regularization, ICLR. Shamir and Zhang
#'   (2013), Stochastic gradient descent for non-smooth optimization, ICML. Smith, Kindermans, Ying
#'   and Le (2018), Don't decay the learning rate, increase the batch size, ICLR. Smith and Topin
#'   (2019), Super-convergence, SPIE 11006.
#' @examples
#' cwmix_control(epochs = 50, optimiser = "adam")
#' @export
cwmix_control <- function(epochs = NULL, batch_size = NULL, learning_rate = 5e-3,
                          schedule = c("one-cycle", "constant"), weight_decay = NULL,
                          gradient_clip = 10, patience = 30, em_iterations = 500,
                          em_tolerance = 1e-6, starts = 5, networks = NULL, folds = NULL,
                          sd_floor = 1e-3, precision = c("single", "double"), exact = FALSE,
                          threads = NULL, optimiser = c("adam", "lbfgs"), verbose = interactive(),
                          ...) {
  call <- user_call()
  check_dots_empty(..., call = call)
  count_or_null <- function(x, arg, min) if (!is.null(x)) check_count(x, arg, call, min)
  if (!identical(patience, Inf)) patience <- check_count(patience, "patience", call)
  structure(
    list(
      epochs = count_or_null(epochs, "epochs", 0),
      batch_size = count_or_null(batch_size, "batch_size", 1),
      learning_rate = check_number(learning_rate, "learning_rate", call, 0, open = TRUE),
      schedule = check_choice(schedule, c("one-cycle", "constant"), "schedule", call),
      weight_decay = if (!is.null(weight_decay)) {
        check_number(weight_decay, "weight_decay", call, 0)
      },
      gradient_clip = check_positive(gradient_clip, "gradient_clip", call),
      patience = patience,
      em_iterations = check_count(em_iterations, "em_iterations", call),
      em_tolerance = check_number(em_tolerance, "em_tolerance", call, 0, open = TRUE),
      starts = check_count(starts, "starts", call),
      networks = count_or_null(networks, "networks", 1),
      folds = check_folds(folds, call),
      sd_floor = check_number(sd_floor, "sd_floor", call, 0),
      precision = check_choice(precision, c("single", "double"), "precision", call),
      exact = check_flag(exact, "exact", call),
      threads = count_or_null(threads, "threads", 1),
      optimiser = check_choice(optimiser, c("adam", "lbfgs"), "optimiser", call),
      verbose = check_flag(verbose, "verbose", call)
    ),
    class = "cwmix_control"
  )
}

# A control may have been edited by hand since it was made.
validate_control <- function(control, call, maker = cwmix_control, name = "cwmix_control") {
  if (!identical(class(control), class(maker()))) {
    stop_input("`control` must be made by ", name, "(), not ", describe(control), ".", call = call)
  }
  tryCatch(
    do.call(maker, unclass(control)),
    cwmix_input_error = function(e) stop_input("`control`: ", conditionMessage(e), call = call)
  )
}

# NULL, a number of folds, or a label a row; how many rows there are is for the fit to know.
check_folds <- function(folds, call) {
  if (is.null(folds) || length(folds) == 1) {
    return(if (!is.null(folds)) check_count(folds, "folds", call, 2))
  }
  labels <- is.atomic(folds) && !is.raw(folds) && is.null(dim(folds))
  if (!labels || anyNA(folds) || length(unique(folds)) < 2) {
    stop_input(
      "`folds` must be a whole number of at least 2, or labels, one a row, not all the same, not ",
      if (anyNA(folds)) "some that are NA" else describe(folds), ".",
      call = call
    )
  }
  folds
}

check_positive <- function(x, arg, call) {
  if (!is_number(x) || x <= 0) {
    stop_input(
      "`", arg, "` must be a number above 0 (Inf for no limit), not ", describe(x), ".",
      call = call
    )
  }
  as.double(x)
}

#' @export
format.cwmix_control <- function(x, ...) {
  check_dots_empty(..., call = user_call())
  shown <- function(v) if (length(v) > 1) plural(length(unique(v)), "label") else format(v)
  values <- vapply(x, function(v) if (is.null(v)) "chosen by the data" else shown(v), "")
  if (is.null(x$threads)) values["threads"] <- "see ?cwmix_info"
  if ("temperature" %in% names(x) && is.null(x$temperature)) {
    values["temperature"] <- "2, from a wide start 10"
  }
  paste0("  ", format(names(x)), "  ", values)
}

#' @export
print.cwmix_control <- function(x, ...) {
  check_dots_empty(..., call = user_call())
  cat("Settings of a fit", format(x), sep = "\n")
  invisible(x)
}
