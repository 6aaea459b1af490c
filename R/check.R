# Checks of arguments. Every failure is one condition of class "cwmix_input_error" whose
# message names the argument, what is needed and what was given.

stop_cwmix <- function(message, class, call) {
  stop(structure(
    class = c(class, "cwmix_error", "error", "condition"),
    list(message = message, call = call)
  ))
}

warn_cwmix <- function(message, class, call) {
  warning(structure(
    class = c(class, "cwmix_warning", "warning", "condition"),
    list(message = message, call = call)
  ))
}

inform_cwmix <- function(message, class, call) {
  message(structure(
    class = c(class, "cwmix_message", "message", "condition"),
    list(message = paste0(message, "\n"), call = call)
  ))
}

stop_input <- function(..., call) {
  stop_cwmix(paste0(...), "cwmix_input_error", call)
}

# The call as the user wrote it: the caller's, a method's under the name of its generic. The caller
# is looked for by its frame: as an argument this may be evaluated late, deeper down.
user_call <- function() {
  frame <- parent.frame()
  call <- sys.call(Position(function(f) identical(f, frame), sys.frames(), right = TRUE))
  # UseMethod() leaves its name in the method's frame.
  generic <- get0(".Generic", frame, inherits = FALSE)
  if (is.name(call[[1]]) && !is.null(generic)) call[[1]] <- as.name(generic)
  # do.call() leaves whole data sets in a call.
  is_data <- function(x) !missing(x) && !is.language(x) && utils::object.size(x) > 1000
  for (i in seq_along(call)[-1]) {
    if (is_data(call[[i]])) call[[i]] <- quote(...)
  }
  call
}

# Evaluates code whose errors, warnings and messages are to be the verb's: those of this package
# that the numerics below raised without a call get this one. So only verbs and checks know of
# calls.
at_call <- function(call, code) {
  unplaced <- function(condition) is.null(conditionCall(condition))
  placed <- function(condition) {
    condition["call"] <- list(call)
    condition
  }
  withCallingHandlers(
    tryCatch(code, cwmix_error = function(e) stop(if (unplaced(e)) placed(e) else e)),
    cwmix_warning = function(w) {
      if (unplaced(w) && !is.null(call)) {
        warning(placed(w))
        invokeRestart("muffleWarning")
      }
    }
  )
}

describe <- function(x) {
  if (is.null(x)) {
    return("NULL")
  }
  if (is.data.frame(x)) {
    return(sprintf("a data frame of %s and %s", plural(nrow(x), "row"), plural(ncol(x), "column")))
  }
  if (is.function(x)) {
    return("a function")
  }
  if (inherits(x, "cwmix_classifier")) {
    return("a cwmix_classifier()")
  }
  if (inherits(x, "AsIs")) {
    oldClass(x) <- setdiff(oldClass(x), "AsIs")
    return(describe(x))
  }
  if (is.object(x)) {
    return(sprintf("an object of class \"%s\"", class(x)[1]))
  }
  if (!is.atomic(x)) {
    kind <- typeof(x)
    if (is.list(x)) {
      return(sprintf("a list of length %d", length(x)))
    }
    return(paste(article(kind), kind))
  }
  kind <- if (is.numeric(x)) "numeric" else typeof(x)
  if (!is.null(dim(x))) {
    return(sprintf(
      "%s %s array of dimension %s", article(kind), kind, paste(dim(x), collapse = " x ")
    ))
  }
  if (length(x) != 1) {
    return(sprintf("%s %s vector of length %d", article(kind), kind, length(x)))
  }
  if (is.character(x) && !is.na(x)) sprintf("\"%s\"", x) else format(x, digits = 15)
}

is_number <- function(x) {
  is.numeric(x) && !is.object(x) && is.null(dim(x)) && length(x) == 1 && !is.nan(x) && !is.na(x)
}

check_count <- function(x, arg, call, min = 1) {
  if (!is_number(x) || !is.finite(x) || x != round(x) || x < min || x > .Machine$integer.max) {
    too_large <- is_number(x) && x > .Machine$integer.max
    most <- if (too_large) paste(" and at most", .Machine$integer.max)
    stop_input(
      "`", arg, "` must be a whole number of at least ", min, most, ", not ", describe(x), ".",
      call = call
    )
  }
  as.integer(x)
}

check_number <- function(x, arg, call, min, open = FALSE) {
  if (!is_number(x) || !is.finite(x) || x < min || (open && x == min)) {
    stop_input(
      "`", arg, "` must be a finite number ", if (open) "above " else "of at least ", min,
      ", not ", describe(x), ".",
      call = call
    )
  }
  as.double(x)
}

check_flag <- function(x, arg, call) {
  if (!is.logical(x) || length(x) != 1 || is.na(x)) {
    stop_input("`", arg, "` must be TRUE or FALSE, not ", describe(x), ".", call = call)
  }
  x
}

# `choices` as a whole is the default written in a signature and means its first.
check_choice <- function(x, choices, arg, call) {
  if (identical(x, choices)) {
    return(choices[1])
  }
  if (!is.character(x) || length(x) != 1 || !x %in% choices) {
    stop_input(
      "`", arg, "` must be one of ", paste0("\"", choices, "\"", collapse = ", "),
      ", not ", describe(x), ".",
      call = call
    )
  }
  x
}

# Required arguments of the calling function.
check_given <- function(args, call) {
  frame <- parent.frame()
  for (arg in args) {
    if (eval(substitute(missing(arg), list(arg = as.name(arg))), frame)) {
      stop_input("`", arg, "` must be given.", call = call)
    }
  }
}

check_data_given <- function(missing_x, ..., call) {
  if (missing_x) {
    note <- if ("formula" %in% ...names()) " (there is no argument `formula`)"
    stop_input("`x` must be given: data, or a formula", note, ".", call = call)
  }
}

check_class <- function(x, class, what, arg, call) {
  if (!inherits(x, class)) {
    stop_input("`", arg, "` must be ", what, ", not ", describe(x), ".", call = call)
  }
  x
}

# Nothing may be swallowed by `...`; names that belong to a control are pointed there.
check_dots_empty <- function(..., call, control = "cwmix_control") {
  if (...length() == 0) {
    return(invisible())
  }
  names <- ...names()
  name <- if (is.null(names) || !any(nzchar(names))) "" else names[nzchar(names)][1]
  if (!nzchar(name)) {
    given <- tryCatch(describe(..1), error = function(e) "an empty argument")
    stop_input("There is no place for ", given, " without the name of an argument.", call = call)
  }
  hint <- if (name %in% names(formals(control))) {
    sprintf(" Give it in `control = %s(%s = )`.", control, name)
  }
  stop_input("There is no argument `", name, "`.", hint, call = call)
}

# Numbers that mean what arithmetic makes of them: of the classes only those known to leave it so.
# Others may stand for units, dates, labels or codes.
is_plain_numeric <- function(x) {
  is.numeric(x) && (!is.object(x) || inherits(x, "matrix") || all(class(x) %in% plain_classes))
}

plain_classes <- c("AsIs", "numeric", "integer", "array", "ts", "zoo", "xts", "mcmc")

# Advice to end a message with: how to make numbers of `x`, which is `code` in R, or else only what
# to do `otherwise`.
use_instead <- function(x, code, otherwise = NULL) {
  advice <- numbers_of(x, code)
  if (!is.null(advice)) advice <- paste("use", advice)
  advice <- paste(c(otherwise, advice), collapse = ", or ")
  if (nzchar(advice)) paste0(" ", sub("^u", "U", advice), ".")
}

# What makes numbers of a variable, as code, or NULL.
numbers_of <- function(x, code) {
  if (inherits(x, "units")) {
    return(sprintf("units::drop_units(%s)", code))
  }
  if (NCOL(x) > 1 || (!is.object(x) && length(x) == 1)) {
    return(NULL)
  }
  if (is.factor(x)) {
    return(sprintf("as.numeric(as.character(%s)) if its levels are numbers", code))
  }
  if (is.character(x)) {
    return(sprintf("as.numeric(%s) if it holds numbers", code))
  }
  if (inherits(x, "difftime")) {
    return(sprintf("as.numeric(%s, units = \"secs\")", code))
  }
  if (inherits(x, "integer64")) {
    # Without its package the bits would be taken for those of doubles.
    return(sprintf("as.numeric(%s) with the package bit64 loaded", code))
  }
  if (is.numeric(x) || is.logical(x) || inherits(x, c("Date", "POSIXt"))) {
    sprintf("as.numeric(%s)", code)
  }
}

check_column_names <- function(names, arg, call) {
  if (anyNA(names) || any(names == "") || anyDuplicated(names) > 0) {
    stop_input("`", arg, "` must have distinct column names or none at all, not ",
      paste0("\"", names, "\"", collapse = ", "), ".",
      call = call
    )
  }
}
