# The columns of a one-sided formula: those of its model.matrix() without the intercept.

read_formula <- function(formula, data, call) {
  if (length(formula) == 3) {
    stop_input(
      "`x` must be a one-sided formula such as ~ a + b, not ", written_formula(formula), ".",
      call = call
    )
  }
  if (!is.data.frame(data)) {
    stop_input("`data` must be a data frame, not ", describe(data), ".", call = call)
  }
  terms <- read_terms(formula, data, call)
  variables <- variables_of(terms)
  absent <- setdiff(variables, names(data))
  if (length(absent) > 0) {
    stop_input("`x` must be a formula of columns of `data`; there is no ",
      paste0("`", absent, "`", collapse = ", "), ".",
      call = call
    )
  }
  frame <- evaluate_terms(terms, data, "data", call, function(why) {
    stop_input(
      "`x` must be a formula of columns of `data` and of functions found from the global ",
      "environment, but ", written_formula(terms), " fails: ", why,
      call = call
    )
  })
  points <- read_training(spread_matrices(frame), call, arg = "data")
  points$terms <- structure(
    attr(frame, "terms"),
    numbers = variables[vapply(data[variables], is_plain_numeric, NA)]
  )
  points
}

# The terms that remain of a sum of columns, of which "-" removes some and "." stands for all.
read_terms <- function(formula, data, call) {
  # Of the terms of a fit no more than the formula.
  attributes(formula) <- list(class = "formula", .Environment = environment(formula))
  terms <- tryCatch(stats::terms(formula, data = data), error = function(e) {
    stop_input("`x` must be a formula of columns of `data`: ", as_sentence(conditionMessage(e)),
      call = call
    )
  })
  if (any(attr(terms, "order") > 1) || !is.null(attr(terms, "offset"))) {
    stop_input(
      "`x` must be a sum of columns, such as ~ a + log(b), without interactions or offsets, not ",
      written_formula(formula), ".",
      call = call
    )
  }
  factors <- attr(terms, "factors")
  if (length(factors) == 0) {
    stop_input("`x` must be a formula that leaves at least one column, not ",
      written_formula(formula), ".",
      call = call
    )
  }
  remaining <- as.list(attr(terms, "variables"))[-1][apply(factors > 0, 2, which)]
  sum <- Reduce(function(a, b) base::call("+", a, b), remaining)
  # A fit does not keep the user's frame.
  stats::terms(stats::as.formula(base::call("~", sum), globalenv()))
}

# The columns of a formula, from a data frame alone and functions found from the global environment,
# with the constants of the fit.
model_frame <- function(terms, data, arg, call) {
  missing <- setdiff(variables_of(terms), names(data))
  if (length(missing) > 0) {
    stop_input("`", arg, "` must have the variables of ", written_formula(terms), "; there is no ",
      paste0("`", missing, "`", collapse = ", "), ".",
      call = call
    )
  }
  # poly() would take the codes of a factor for numbers.
  numbers <- intersect(attr(terms, "numbers"), names(data))
  check_numeric_columns(data[numbers], arg, call, needed = TRUE, matrices = TRUE)
  frame <- evaluate_terms(terms, data, arg, call, function(why) {
    stop_input("`", arg, "` must give the columns of ", written_formula(terms), ": ", why,
      call = call
    )
  })
  spread_matrices(frame)
}

# A model frame; `refuse` takes the reason why there is none.
evaluate_terms <- function(terms, data, arg, call, refuse) {
  frame <- tryCatch(
    suppressWarnings(stats::model.frame(terms, data, na.action = stats::na.pass)),
    error = identity
  )
  failed <- inherits(frame, "error")
  if (failed || !all(vapply(frame, is_plain_numeric, NA))) {
    # The columns of the data tell more than what became of them. Terms of a fit have constants.
    needed <- !is.null(attr(terms, "predvars"))
    check_numeric_columns(data[unsuitable_variables(terms, data)], arg, call, needed, TRUE)
  }
  if (failed) refuse(as_sentence(conditionMessage(frame)))
  if (nrow(frame) != nrow(data)) {
    refuse(
      paste0("it gives ", plural(nrow(frame), "row"), " for the ", nrow(data), " of `", arg, "`.")
    )
  }
  for (name in names(frame)) {
    if (!is_plain_numeric(frame[[name]])) {
      refuse(paste0(name, " is ", describe(frame[[name]]), ".", use_instead(frame[[name]], name)))
    }
  }
  frame
}

# The variables of the first term that gives no numbers.
unsuitable_variables <- function(terms, data) {
  for (term in as.list(attr(terms, "predvars") %||% attr(terms, "variables"))[-1]) {
    value <- tryCatch(suppressWarnings(eval(term, data, globalenv())), error = function(e) NULL)
    if (!is_plain_numeric(value)) {
      return(intersect(names_in(term), names(data)))
    }
  }
  character()
}

# Matrices in a model frame as columns with the names that model.matrix() gives them.
spread_matrices <- function(frame) {
  is_matrix <- vapply(frame, function(x) length(dim(x)) == 2 && is_plain_numeric(x), NA)
  if (!any(is_matrix)) {
    return(frame)
  }
  columns <- lapply(names(frame), function(name) {
    x <- frame[[name]]
    if (!is_matrix[[name]]) {
      return(stats::setNames(list(x), name))
    }
    suffix <- if (ncol(x) > 1) colnames(x) %||% seq_len(ncol(x))
    stats::setNames(lapply(seq_len(ncol(x)), function(j) as.double(x[, j])), paste0(name, suffix))
  })
  structure(
    unlist(columns, recursive = FALSE),
    class = "data.frame", row.names = attr(frame, "row.names")
  )
}

variables_of <- function(terms) {
  unique(unlist(lapply(as.list(attr(terms, "variables"))[-1], names_in)))
}

# As all.vars(), but splines::ns names no variable.
names_in <- function(expression) {
  if (!is.call(expression)) {
    return(all.vars(expression))
  }
  if (deparse(expression[[1]])[1] %in% c("::", ":::")) {
    return(character())
  }
  unlist(lapply(as.list(expression)[-1], names_in))
}

# In one line, and of a long one its beginning.
written_formula <- function(formula) {
  text <- gsub("[[:space:]]+", " ", paste(deparse(formula, 500), collapse = " "))
  if (nchar(text) > 100) paste0(substr(text, 1, 97), "...") else text
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
