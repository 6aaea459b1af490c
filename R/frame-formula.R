# The columns of a one-sided formula.

read_formula <- function(formula, data, call) {
  if (length(formula) == 3) {
    stop_input(
      "`x` must be a one-sided formula such as ~ a + b, not ", format(formula), ".",
      call = call
    )
  }
  if (!is.data.frame(data)) {
    stop_input("`data` must be a data frame, not ", describe(data), ".", call = call)
  }
  frame <- tryCatch(
    suppressWarnings(stats::model.frame(formula, data, na.action = stats::na.pass)),
    error = function(e) {
      stop_input(
        "`x` must be a formula of columns of `data`: ", conditionMessage(e), ".",
        call = call
      )
    }
  )
  terms <- attr(frame, "terms")
  if (any(attr(terms, "order") > 1) || !is.null(attr(terms, "offset")) ||
    nrow(frame) != nrow(data)) {
    stop_input(
      "`x` must be a sum of columns, such as ~ a + log(b), without interactions, offsets or ",
      "subsets, not ",
      paste(deparse(formula), collapse = " "), ".",
      call = call
    )
  }
  # A fit does not keep the user's frame.
  environment(terms) <- globalenv()
  frame <- tryCatch(model_frame(terms, data, "data", call), cwmix_input_error = function(e) {
    stop_input(
      "`x` must be a formula of columns of `data` and of functions found from the global ",
      "environment, not ", paste(deparse(formula), collapse = " "), ".",
      call = call
    )
  })
  points <- read_training(frame, call, arg = "data")
  points$terms <- terms
  points
}

# The columns of a formula, from a data frame alone and functions found from the global environment.
model_frame <- function(terms, data, arg, call) {
  missing <- setdiff(all.vars(terms), names(data))
  if (length(missing) > 0) {
    stop_input("`", arg, "` must have the variables of ", format(terms), "; there is no ",
      paste0("`", missing, "`", collapse = ", "), ".",
      call = call
    )
  }
  tryCatch(
    suppressWarnings(stats::model.frame(terms, data, na.action = stats::na.pass)),
    error = function(e) {
      stop_input(
        "`", arg, "` must give the columns of ", format(terms), ": ", conditionMessage(e), ".",
        call = call
      )
    }
  )
}

# An argument that may name a column of data.
eval_in_data <- function(expression, data, frame, call) {
  tryCatch(
    eval(expression, if (is.data.frame(data)) data, frame),
    error = function(e) {
      stop_input(
        "`weights` must be a column of `data` or a numeric vector: ", conditionMessage(e), ".",
        call = call
      )
    }
  )
}
