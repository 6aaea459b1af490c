#' Train a fit further, or refit it
#'
#' `update(fit, epochs = 50)` trains on from where the last epoch ended, with the optimiser's
#' moments and the same validation rows, on the data the call names (or those kept). Any other
#' change refits: the call is evaluated again with the arguments given.
#'
#' @param object A fit of [cwmix()], [gaussian_mixture()], [flow_realnvp()] or [flow_spline()].
#' @param ... Arguments of the fitting function to change, by name.
#' @param epochs A whole number of further epochs; a schedule starts anew. Not together with
#'   other arguments but `control`.
#' @param control A [cwmix_control()] for the further epochs; `NULL` for that of the fit.
#' @return A fit of the same class. The trace goes on; the best epoch is the best of all.
#' @section Errors: A condition of class `"cwmix_input_error"` when the data cannot be found or are
#'   not those of the fit, for a specified model or an average, and when more epochs are asked of a
#'   fit without `K`.
#' @examples
#' set.seed(1)
#' fit <- cwmix(faithful, K = 3, hidden = 8, control = cwmix_control(epochs = 5))
#' fit <- update(fit, epochs = 5)
#' max(fit$trace$epoch)
#' @export
update.cwmix <- function(object, ..., epochs = NULL, control = NULL) {
  call <- user_call()
  frame <- parent.frame()
  if (is.null(epochs)) {
    changes <- match.call(expand.dots = FALSE)$...
    if (!is.null(control)) changes$control <- substitute(control)
    return(refit(object, changes, frame, call))
  }
  check_dots_empty(..., call = call)
  epochs <- check_count(epochs, "epochs", call)
  continue(object, epochs, control %||% object$control, frame, call)
}

#' @rdname update.cwmix
#' @export
update.flow <- update.cwmix

#' @rdname update.cwmix
#' @export
update.cwmix_model <- function(object, ...) {
  check_fitted(object, user_call())
}

#' @rdname update.cwmix
#' @export
update.gaussian_mixture <- function(object, ...) {
  refit(object, match.call(expand.dots = FALSE)$..., parent.frame(), user_call())
}

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
  control <- validate_control(control, call, cwmix_vi_control)
  find <- function(name, optional = FALSE) {
    found <- tryCatch(eval(object$call[[name]], frame), error = function(e) FALSE)
    if (is.function(found) || (optional && is.null(found))) {
      return(found)
    }
    stop_input("`object` must have been fitted with a `", name, "` that can be found by its call.",
      call = call
    )
  }
  d <- ncol(object$mean)
  bounds <- unname(split(object$support, row(object$support)))
  target <- read_target(
    find("log_density"), find("gradient", optional = TRUE), d, bounds, object$columns$names,
    control, call
  )
  settings <- list(
    hidden = object$hidden, activation = object$classifier$activation, control = control
  )
  started <- c(
    list(parameters = object$optimiser$template, evidence = object$search_evidence),
    object$optimiser[c("center", "scale")]
  )
  problem <- vi_problem(started, target, settings, "search")
  problem$temperature <- 1
  finish_vi(
    train_vi(object$optimiser$state, problem, steps, object$trace, call), problem, object$call,
    call
  )
}

# Arguments that hold data: left out of calls as values, looked for again by name.
data_arguments <- c("x", "data", "weights", "start")

refit <- function(object, changes, frame, call) {
  check_named_changes(changes, call)
  again <- object$call
  held <- Filter(Negate(is.null), object$data)
  again <- again[!names(again) %in% setdiff(names(object$data), names(held))]
  for (name in names(held)) again[[name]] <- as.name(name)
  # NULL is a value too.
  for (name in names(changes)) again[name] <- list(changes[[name]])
  kept <- object$data[setdiff(names(object$data), names(changes))]
  for (name in setdiff(intersect(names(again), data_arguments), names(kept))) {
    if (is.name(again[[name]]) && !exists(as.character(again[[name]]), envir = frame)) {
      stop_input(
        "`object` must have been fitted to data that can be found by its call, but there is no `",
        as.character(again[[name]]), "`.",
        call = call
      )
    }
  }
  if (is.null(again$x)) {
    stop_input("`x` must be given: the call of this fit does not name its data.", call = call)
  }
  evaluate_again(again, kept, frame, call)
}

check_named_changes <- function(changes, call) {
  if (length(changes) > 0 && (is.null(names(changes)) || any(names(changes) == ""))) {
    stop_input("Arguments to change must be named.", call = call)
  }
}

evaluate_again <- function(again, data, frame, call) {
  tryCatch(eval(again, data, frame), simpleError = function(e) {
    stop_input("`object`'s call cannot be evaluated again: ", conditionMessage(e), ".", call = call)
  })
}

continue <- function(object, epochs, control, frame, call) {
  if (is_stacked(object)) {
    stop_input("`object` must be one network, fitted with `K` given, for more epochs, not a stack ",
      "of candidates.",
      call = call
    )
  }
  training <- training_data(object, frame, call)
  settings <- list(
    K = nrow(object$mean), covariance = if (is.null(object$sd)) "full" else "diagonal",
    support = unname(split(object$support, row(object$support))), weights = training$weights,
    control = control
  )
  problem <- add_map(
    read_problem(training$points, settings, call), flow_shape(object$flow), call
  )
  sets <- split_sets(problem, object$held_rows)
  if (is.null(object$hidden) && is.null(object$flow)) {
    stop_input(
      "`object` must have a network to train; constant weights are fitted by EM alone.",
      call = call
    )
  }
  template <- object$optimiser$template
  activation <- object$classifier$activation
  more <- train(object$optimiser$state, template, sets, activation, problem, epochs, object$trace)
  fields <- c("hidden", "starts", "converged", "held_rows", "data")
  kept <- unclass(object)[intersect(fields, names(object))]
  finish_cwmix(more, template, activation, problem, object$call, kept, call)
}

# The data of a fit, list(points, weights): kept, or found again by its call. They must be the same.
training_data <- function(object, frame, call) {
  find <- function(name, data = NULL) {
    evaluated <- function() eval(object$call[[name]], data, frame)
    object$data[[name]] %||% tryCatch(evaluated(), error = function(e) NULL)
  }
  formula <- !is.null(object$columns$terms)
  x <- find(if (formula) "data" else "x")
  if (is.null(x) || (formula && !is.data.frame(x))) {
    stop_input(
      "`object` must have been fitted to data that can be found by its call, or with ",
      "`keep_data = TRUE`.",
      call = call
    )
  }
  points <- if (formula) read_formula(object$columns$terms, x, call) else read_training(x, call)
  weights <- check_weights(find("weights", if (formula) x), nrow(points$x), call)
  if (!identical(points$columns$names, object$columns$names) ||
    !identical(fingerprint(points$x, weights), object$fingerprint)) {
    stop_input(
      "`object` must have been fitted to what its call now names, but these are other data.",
      call = call
    )
  }
  list(points = points, weights = weights)
}
