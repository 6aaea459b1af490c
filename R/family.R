# Continuous families of distributions in one column that have R's functions d, p and q: parameters
# as users give them, and the functions, which are looked up by name whenever they are needed, so
# that a model is plain data.

# The list of what is given for each family, a vector of parameters standing for as many components,
# as a list with one element a component.
read_components <- function(components, call) {
  families <- names(components)
  named <- length(families) > 0 && !anyNA(families) && all(nzchar(families))
  if (!is.list(components) || is.object(components) || !named) {
    stop_input("`components` must be a list of parameters named by families, such as ",
      "list(gamma = list(shape = 2), norm = list()), not ",
      if (is.list(components) && !is.object(components) && length(components) > 0) {
        "one without names"
      } else {
        describe(components)
      }, ".",
      call = call
    )
  }
  expanded <- Map(function(given, family) {
    parameters <- read_family(given, family, call)
    count <- max(1L, lengths(parameters))
    lapply(seq_len(count), function(i) lapply(parameters, function(x) x[min(i, length(x))]))
  }, unname(components), families)
  components <- unlist(unname(expanded), recursive = FALSE)
  names(components) <- rep(families, lengths(expanded))
  for (k in seq_along(components)) check_component(components[k], call)
  components
}

# Parameters as a named list of vectors, of one length or 1.
read_family <- function(given, family, call) {
  functions <- check_family(family, call)
  if (is_plain_numeric(given) && is.null(dim(given))) given <- as.list(given)
  if (!is.list(given) || is.object(given)) {
    stop_input("`components` must hold lists of parameters, but that of ", family, " is ",
      describe(given), ".",
      call = call
    )
  }
  check_parameter_names(names(given) %||% character(length(given)), functions, family, call)
  for (name in names(given)) check_parameter(given[[name]], name, family, call)
  count <- unique(lengths(given))
  if (length(setdiff(count, 1)) > 1) {
    stop_input("`components` must have as many values of one parameter of ", family,
      " as of another, or one, not ", paste(sort(count), collapse = " and "), ".",
      call = call
    )
  }
  lapply(given, as.double)
}

check_parameter_names <- function(names, functions, family, call) {
  known <- Reduce(intersect, lapply(functions, function(f) names(formals(args(f)))[-1]))
  known <- setdiff(known, c("log", "lower.tail", "log.p", "..."))
  wrong <- names[!names %in% known | duplicated(names)]
  if (length(wrong) > 0) {
    nameless <- is.na(wrong[1]) || !nzchar(wrong[1])
    stop_input("`components` must name each parameter of ", family, " once (",
      paste0("`", known, "`", collapse = ", "), "), not ",
      if (nameless) "leave one unnamed" else paste0("`", wrong[1], "`"), ".",
      call = call
    )
  }
}

check_parameter <- function(x, name, family, call) {
  number <- is_plain_numeric(x) && is.null(dim(x)) && length(x) > 0
  if (!number || anyNA(x)) {
    stop_input("`components` must have numbers as parameters, but `", name, "` of ", family,
      " is ", if (number) "missing" else describe(x), ".",
      call = call
    )
  }
}

# The functions of a family, those of stats first: list(d, p, q), NULL for what there is not.
find_family <- function(family) {
  find <- function(letter) {
    name <- paste0(letter, family)
    get0(name, asNamespace("stats"), mode = "function", inherits = FALSE) %||%
      get0(name, globalenv(), mode = "function")
  }
  sapply(c("d", "p", "q"), find, simplify = FALSE)
}

check_family <- function(family, call) {
  functions <- find_family(family)
  missing <- names(functions)[vapply(functions, is.null, NA)]
  if (length(missing) > 0) {
    stop_input("`components` must name families with functions d, p and q, such as dgamma, pgamma ",
      "and qgamma, but there is no function ", paste0("`", missing, family, "`", collapse = ", "),
      ".",
      call = call
    )
  }
  needed <- list(d = "log", p = c("lower.tail", "log.p"), q = c("lower.tail", "log.p"))
  for (letter in names(needed)) {
    lacking <- setdiff(needed[[letter]], names(formals(args(functions[[letter]]))))
    if (length(lacking) > 0) {
      stop_input("`components` must name families whose functions follow those of stats, but `",
        letter, family, "` has no argument `", lacking[1], "`.",
        call = call
      )
    }
  }
  functions
}

# Whether a component, a list of length one, is a continuous distribution in double precision:
# P(Q(u)) = u, which no discrete one satisfies.
check_component <- function(component, call) {
  u <- c(0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99)
    seen <- tryCatch(
    suppressWarnings({
      x <- call_family(component, "q", u, lower.tail = TRUE, log.p = FALSE)
      cbind(
        x, call_family(component, "d", x, log = TRUE),
        exp(call_family(component, "p", x, lower.tail = TRUE, log.p = TRUE)),
        1 - exp(call_family(component, "p", x, lower.tail = FALSE, log.p = TRUE))
      )
    }),
    error = function(e) {
      stop_input("`components` must have parameters that define ", describe_component(component),
        ", but ", as_sentence(conditionMessage(e)),
        call = call
      )
    }
  )
  if (!is.numeric(seen) || nrow(seen) != length(u) || anyNA(seen)) {
    stop_input("`components` must have parameters that define distributions, but ",
      describe_component(component), " gives ",
      if (is.numeric(seen) && nrow(seen) == length(u)) "NaN" else "other than numbers", ".",
      call = call
    )
  }
  off <- abs(seen[, 3:4] - u)
  off <- pmax(off[, 1], off[, 2])
  if (max(off) > 1e-6) {
    lost <- which(is_lost(x = seen[, 1], log_density = seen[, 2], p = seen[, 3], u, off))
    if (length(lost) > 0) {
      stop_input("`components` must be of families whose quantiles double precision can tell ",
        "apart, not those of ", describe_component(component), ": that of ", u[lost[1]], " is ",
        base::format(seen[lost[1], 1], digits = 4), ".",
        call = call
      )
    }
    at <- which.max(off)
    stop_input("`components` must be continuous distributions, but ",
      describe_component(component), " has probability ", base::format(seen[at, 3], digits = 4),
      " at or below its quantile of ", u[at], ".",
      call = call
    )
  }
}

# Whether it is double precision that keeps quantiles x of probabilities u from having them, by
# overflow, by underflow (a discrete distribution has at least u at or below x), or by the spacing
# of numbers at x.
is_lost <- function(x, log_density, p, u, off) {
  spacing <- pmax(abs(x) * .Machine$double.eps, 2^-1074)
  is.infinite(x) | (x == 0 & p < u - 1e-6) | (off > 1e-6 & exp(log_density + log(spacing)) >= off)
}

# A function of the family of a component, a list of length one, at x.
call_family <- function(component, letter, x, ...) {
  family <- names(component)
  f <- find_family(family)[[letter]]
  if (is.null(f)) {
    stop_input("`object` must have families whose functions can be found, but there is no `",
      letter, family, "`.",
      call = NULL
    )
  }
  withCallingHandlers(
    tryCatch(do.call(f, c(list(x), component[[1]], list(...))), error = function(e) {
      stop_user(letter, family, "() fails: ", as_sentence(conditionMessage(e)))
    }),
    warning = function(w) {
      message <- paste0(letter, family, "() warns: ", as_sentence(conditionMessage(w)))
      warn_cwmix(message, "cwmix_user_warning", NULL)
      invokeRestart("muffleWarning")
    }
  )
}

# "gamma(shape = 2, rate = 1)".
describe_component <- function(component) {
  parameters <- component[[1]]
  values <- vapply(parameters, function(x) base::format(x, digits = 6), "")
  sprintf("%s(%s)", names(component), paste(names(parameters), "=", values, collapse = ", "))
}

# "2 gamma, lnorm".
describe_families <- function(components) {
  families <- factor(names(components), unique(names(components)))
  count <- tabulate(families)
  paste(ifelse(count == 1, "", paste0(count, " ")), levels(families), sep = "", collapse = ", ")
}
