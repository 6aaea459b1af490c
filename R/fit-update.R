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
  validate_density(object, "object", call, fit = TRUE)
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
update.cwmix_flow_fit <- update.cwmix

#' @rdname update.cwmix
#' @export
update.cwmix_stack <- update.cwmix

#' @rdname update.cwmix
#' @export
update.cwmix_density <- function(object, ...) {
  call <- user_call()
  check_fitted(object, call)
}

#' @rdname update.cwmix
#' @export
update.gaussian_mixture <- function(object, ...) {
  call <- user_call()
  validate_density(object, "object", call, fit = TRUE)
  refit(object, match.call(expand.dots = FALSE)$..., parent.frame(), call)
}

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
  if (is.null(object$optimiser)) {
    stop_input("`object` must be one network, fitted with `K` given, for more epochs, not a stack ",
      "of candidates.",
      call = call
    )
  }
  source <- training_data(object, frame, call)
  template <- object$optimiser$template
  if (!identical(dim(template$mean), as.integer(unlist(size(object))[2:1]))) {
    stop_input("`object` must have the optimiser of its own fit, not another's.", call = call)
  }
  form <- object$optimiser[c("activation", "shape", "units")]
  bounds <- object$frame$support
  settings <- list(
    K = nrow(template$mean), covariance = if (is.null(template$log_sd)) "full" else "diagonal",
    support = unname(split(bounds, row(bounds))), resolution = form$units$resolution,
    seed = form$units$seed, control = control, shape = form$shape
  )
  task <- read_task(source, settings, call)
  if (is.null(object$hidden) && is.null(form$shape)) {
    stop_input(
      "`object` must have a network to train; constant weights are fitted by EM alone.",
      call = call
    )
  }
  maps <- view_maps(object)
  if (!is.null(maps)) task <- behind_same_maps(task, maps, call)
  sets <- split_sets(task$sample, check_units_of(object, task, call))
  at_call(call, {
    state <- object$optimiser$state
    more <- tryCatch(
      train(state, template, sets, form$activation, task, epochs, object$trace),
      # What the engine does not take is not what this fit left.
      simpleError = function(e) {
        stop_input("`object` must have the optimiser of its own fit, not another's.", call = call)
      }
    )
    fields <- c("hidden", "starts", "converged", "data")
    kept <- unclass(object)[intersect(fields, names(object))]
    name <- as.character(object$call[[1]])
    class <- class(object)[1]
    finish_training(
      more, template, form$activation, task, class, name, object$call, form$units$held, kept
    )
  })
}

behind_same_maps <- function(task, maps, call) {
  task <- behind_maps(task, maps)
  if (anyNA(task$sample$image) || anyNA(task$rows$image)) {
    stop_input("`object` must have the maps of its own fit, not another's.", call = call)
  }
  task
}

# The validation units of a fit, among those of its data.
check_units_of <- function(object, task, call) {
  units <- object$optimiser$units
  if (!identical(task$sample$seed, units$seed) ||
    !identical(recorded_table(task$sample), object$recorded)) {
    stop_input("`object` must have the units of its own fit, not another's.", call = call)
  }
  n <- nrow(task$sample$y)
  if (length(units$held) >= n || max(0L, units$held) > n) {
    stop_input("`object` must have validation rows among those of its data.", call = call)
  }
  units$held
}

# The data of a fit, list(points, weights): kept, or found again by its call. They must be the same.
training_data <- function(object, frame, call) {
  find <- function(name, data = NULL) {
    evaluated <- function() eval(object$call[[name]], data, frame)
    object$data[[name]] %||% tryCatch(evaluated(), error = function(e) NULL)
  }
  formula <- !is.null(object$frame$terms)
  x <- find(if (formula) "data" else "x")
  if (is.null(x) || (formula && !is.data.frame(x))) {
    stop_input(
      "`object` must have been fitted to data that can be found by its call, or with ",
      "`keep_data = TRUE`.",
      call = call
    )
  }
  points <- if (formula) read_formula(object$frame$terms, x, call) else read_training(x, call)
  weights <- check_weights(find("weights", if (formula) x), nrow(points$x), call)
  if (!identical(points$names, object$frame$names) ||
    !identical(fingerprint(points$x, weights), object$fingerprint)) {
    stop_input(
      "`object` must have been fitted to what its call now names, but these are other data.",
      call = call
    )
  }
  list(points = points, weights = weights)
}
