#' Computational settings of a variational fit
#'
#' @param steps A whole number, the most steps of Adam.
#' @param points A whole number from 2 of base points a step, a randomly shifted lattice;
#'   `log_density` is called at K times as many nodes at most, see `exact`.
#' @param learning_rate A positive number, about the largest change of a parameter in one step;
#'   means are in units of the start's standard deviations.
#' @param path A flag: `TRUE` leaves the score term out of the gradient (the path derivative of
#'   Roeder, Wu and Duvenaud 2017), `FALSE` takes the whole gradient. Both are unbiased; the former
#'   has no variance left where the fit is exact (and `exact` is `TRUE`).
#' @param temperature A number of at least 1, or `NULL`: the log density is divided by it at first,
#'   and over the first three tenths of the steps the divisor falls to 1, so that components find
#'   separated modes, and none is lost, before they settle. `NULL` stands for 2, but for 10 with
#'   `start = "wide"`.
#' @param every A whole number: the evidence lower bound is evaluated after so many steps.
#' @param evaluation A whole number from 16 of base points of these evaluations, the same each time.
#' @param patience A whole number: after so many evaluations that gain no more than `tolerance`, the
#'   learning rate falls to a quarter and training goes on from the best; instead of a fourth fall
#'   it has converged.
#' @param tolerance A number of at least 0, in nats.
#' @param gradient_clip A positive number: the gradient's norm is cut there. `Inf` for no limit.
#' @param spread A positive number, the standard deviation of the region where a start is searched,
#'   around 0, in units of the columns (of their logs or logits in bounded ones).
#' @param searches A whole number of at least 0 of starts of the optimiser.
#' @param draws A whole number from 100 of draws a round of the search, and of those from the fit
#'   for importance sampling.
#' @param exact A flag: `FALSE` draws at random, without bias, which nodes of weight below 0.005 are
#'   evaluated at all, and which improbable components take part in the gradient of the fit's log
#'   density there (see [cwmix_control()]); `TRUE` evaluates all.
#' @param threads A whole number of threads, or `NULL`; see [cwmix_info()]. Results do not depend
#'   on it.
#' @param verbose A flag: show progress.
#' @param ... Must be empty.
#' @return An object of class `c("cwmix_vi_control", "cwmix_control")`, a list of the settings.
#' @section Errors: A condition of class `"cwmix_input_error"` names the argument, what is needed
#'   and what was given.
#' @references Kingma and Ba (2015), Adam, ICLR. Roeder, Wu and Duvenaud (2017), Sticking the
#'   landing: simple, lower-variance gradient estimators for variational inference, NeurIPS.
#'   Buchholz, Wenzel and Mandt (2018), Quasi-Monte Carlo variational inference, ICML.
#' @seealso [cwmix_vi()]
#' @examples
#' cwmix_vi_control(steps = 1000, path = FALSE)
#' @export
cwmix_vi_control <- function(steps = 5000, points = 64, learning_rate = 0.01, path = TRUE,
                             temperature = NULL, every = 50, evaluation = 1024, patience = 8,
                             tolerance = 1e-4, gradient_clip = 100, spread = 5, searches = 100,
                             draws = 4000, exact = FALSE, threads = NULL,
                             verbose = interactive(), ...) {
  call <- user_call()
  check_dots_empty(..., call = call, control = "cwmix_vi_control")
  above_zero <- function(x, arg) check_number(x, arg, call, 0, open = TRUE)
  structure(
    list(
      steps = check_count(steps, "steps", call, 0),
      points = check_count(points, "points", call, 2),
      learning_rate = above_zero(learning_rate, "learning_rate"),
      path = check_flag(path, "path", call),
      temperature = if (!is.null(temperature)) check_number(temperature, "temperature", call, 1),
      every = check_count(every, "every", call),
      evaluation = check_count(evaluation, "evaluation", call, 2 * evaluation_replicates),
      patience = check_count(patience, "patience", call),
      tolerance = check_number(tolerance, "tolerance", call, 0),
      gradient_clip = check_positive(gradient_clip, "gradient_clip", call),
      spread = above_zero(spread, "spread"),
      searches = check_count(searches, "searches", call, 0),
      draws = check_count(draws, "draws", call, 100),
      exact = check_flag(exact, "exact", call),
      threads = if (!is.null(threads)) check_count(threads, "threads", call),
      verbose = check_flag(verbose, "verbose", call)
    ),
    class = c("cwmix_vi_control", "cwmix_control")
  )
}

evaluation_replicates <- 8
