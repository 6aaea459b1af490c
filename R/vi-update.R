#' Go on with a variational fit, or refit it
#'
#' `update(fit, steps = 1000)` trains on from the last parameters with the optimiser's moments;
#' `log_density` and `gradient` are found by the call. Any other change evaluates the call again
#' with the arguments given.
#'
#' @param object A fit of [cwmix_vi()].
#' @param ... Arguments of [cwmix_vi()] to change, by name.
#' @param steps A whole number of further steps, at full learning rate and without annealing. Not
#'   together with other arguments but `control`.
#' @param control A [cwmix_vi_control()] for them; `NULL` for that of the fit.
#' @return A fit of the same class. The trace goes on; the best step is the best of all.
#' @section Errors: A condition of class `"cwmix_input_error"`, for instance where `log_density`
#'   cannot be found.
#' @examples
#' log_density <- function(x) dnorm(x[, 1], 3, 2, log = TRUE)
#' gradient <- function(x) -(x - 3) / 4
#' set.seed(1)
#' quick <- cwmix_vi_control(steps = 50, draws = 500)
#' fit <- cwmix_vi(log_density, 1, 2, gradient, hidden = 8, control = quick)
#' fit <- update(fit, steps = 50)
#' max(fit$trace$step)
#' @export
update.cwmix_vi <- function(object, ..., steps = NULL, control = NULL) {
  call <- user_call()
  frame <- parent.frame()
  validate_density(object, "object", call, fit = TRUE)
  if (is.null(steps)) {
    changes <- match.call(expand.dots = FALSE)$...
    if (!is.null(control)) changes$control <- substitute(control)
    check_named_changes(changes, call)
    again <- object$call
    for (name in names(changes)) again[name] <- list(changes[[name]])
    return(evaluate_again(again, NULL, frame, call))
  }
  if (...length() > 0) {
    stop_input("`steps` must be given alone or with `control`, not with ",
      paste0("`", ...names()[1], "`"), ".",
      call = call
    )
  }
  steps <- check_count(steps, "steps", call)
  continue_vi(object, steps, control %||% object$control, frame, call)
}

continue_vi <- function(object, steps, control, frame, call) {
  control <- validate_control(control, call, cwmix_vi_control, "cwmix_vi_control")
  find <- function(name, optional = FALSE) {
    found <- tryCatch(eval(object$call[[name]], frame), error = function(e) FALSE)
    if (is.function(found) || (optional && is.null(found))) {
      return(found)
    }
    stop_input("`object` must have been fitted with a `", name, "` that can be found by its call.",
      call = call
    )
  }
  frame_of <- object$frame
  bounds <- unname(split(frame_of$support, row(frame_of$support)))
  target <- read_target(
    find("log_density"), find("gradient", optional = TRUE), dimension(object), bounds,
    frame_of$names, control, call
  )
  settings <- list(
    hidden = object$hidden, activation = object$classifier$activation, control = control
  )
  started <- c(
    list(parameters = object$optimiser$template, evidence = object$search_evidence),
    object$optimiser[c("center", "scale")]
  )
  task <- vi_task(started, target, settings, "search")
  task$temperature <- 1
  at_call(call, {
    training <- tryCatch(
      train_vi(object$optimiser$state, task, steps, object$trace),
      # What the engine does not take is not what this fit left.
      simpleError = function(e) {
        stop_input("`object` must have the optimiser of its own fit, not another's.", call = call)
      }
    )
    finish_vi(training, task, object$call)
  })
}
