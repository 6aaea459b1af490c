# The CDF form, formula (6): p(x) = sum_k alpha_k(P_k(x)) p_k(x), with components of any continuous
# family that has R's functions d, p and q. Such a model holds `components`, a list named by
# families with the parameters of each, and a classifier on (0, 1). Everything else is as in the
# normal-base form with the maps z = Phi^-1(P_k(x)), as w_k(z) = alpha_k(Phi(z)). Families are
# looked up by name whenever they are needed, so that a model is plain data.

has_families <- function(object) !is.null(object$components)

cdf_model <- function(components, classifier, call) {
  components <- read_components(components, call)
  K <- length(components)
  if (inherits(classifier, "cwmix_classifier") && is_average(classifier)) {
    stop_input("`classifier` must be that of one model, not an ", describe_classifier(classifier),
      ".",
      call = call
    )
  }
  classifier <- read_classifier(classifier, 1L, K, call, uniform = TRUE)
  classifier$uniform <- TRUE
  # Components of other families have no means and standard deviations to do arithmetic with.
  new_density(
    mean = matrix(NA_real_, K, 1), sd = NULL, cholesky = NULL, classifier = classifier,
    support = no_support(1), columns = new_columns(NULL, "vector"), class = "cwmix_model",
    components = components
  )
}

# What takes the parameters of normal components.
check_normal <- function(object, arg, call) {
  if (has_families(object)) {
    stop_input("`", arg, "` must have normal components, given by `mean`, not those of families (",
      describe_families(object), ").",
      call = call
    )
  }
}

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
  object <- list(components = component)
  seen <- tryCatch(
    suppressWarnings({
      x <- call_family(object, 1, "q", u, lower.tail = TRUE, log.p = FALSE)
      cbind(
        x, call_family(object, 1, "d", x, log = TRUE),
        exp(call_family(object, 1, "p", x, lower.tail = TRUE, log.p = TRUE)),
        1 - exp(call_family(object, 1, "p", x, lower.tail = FALSE, log.p = TRUE))
      )
    }),
    error = function(e) {
      stop_input("`components` must have parameters that define ", describe_component(component),
        ", but it fails: ", as_sentence(conditionMessage(e)),
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

# A function of component k's family, at x.
call_family <- function(object, k, letter, x, ...) {
  family <- names(object$components)[k]
  f <- find_family(family)[[letter]]
  if (is.null(f)) {
    stop_input("`object` must have families whose functions can be found, but there is no `",
      letter, family, "`.",
      call = NULL
    )
  }
  do.call(f, c(list(x), object$components[[k]], list(...)))
}

# "gamma(shape = 2, rate = 1)".
describe_component <- function(component) {
  parameters <- component[[1]]
  values <- vapply(parameters, function(x) base::format(x, digits = 6), "")
  sprintf("%s(%s)", names(component), paste(names(parameters), "=", values, collapse = ", "))
}

# "2 gamma, lnorm".
describe_families <- function(object) {
  families <- factor(names(object$components), unique(names(object$components)))
  count <- tabulate(families)
  paste(ifelse(count == 1, "", paste0(count, " ")), levels(families), sep = "", collapse = ", ")
}

# log P_k(x), or log(1 - P_k(x)).
log_family_tail <- function(object, x, k, lower) {
  call_family(object, k, "p", x, lower.tail = lower, log.p = TRUE)
}

# z = Phi^-1(P_k(x)), from the smaller tail, n x 1.
latent_family <- function(object, y, k) {
  x <- as.double(y)
  log_p <- log_family_tail(object, x, k, TRUE)
  z <- normal_quantile(log_p)
  upper <- which(log_p > -log(2))
  z[upper] <- -normal_quantile(log_family_tail(object, x[upper], k, FALSE))
  matrix(z)
}

# qnorm(log_p, log.p = TRUE), which before R 4.3 has five digits in the far tail.
normal_quantile <- function(log_p) {
  z <- stats::qnorm(log_p, log.p = TRUE)
  far <- which(log_p < -600 & log_p > -Inf)
  for (step in 1:2) {
    log_f <- stats::pnorm(z[far], log.p = TRUE)
    newton <- (log_f - log_p[far]) * exp(log_f - stats::dnorm(z[far], log = TRUE))
    z[far] <- z[far] - newton
  }
  z
}

# x = P_k^-1(Phi(z)), from the smaller tail, with a component a row. Logarithms only where
# probabilities underflow: families' quantiles are better without.
place_families <- function(object, z, component) {
  z <- as.double(z)
  x <- double(length(z))
  for (k in unique(component)) {
    for (lower in c(TRUE, FALSE)) {
      for (far in c(FALSE, TRUE)) {
        rows <- which(component == k & (z < 0) == lower & (abs(z) > 37) == far)
        if (length(rows) == 0) next
        p <- stats::pnorm(-abs(z[rows]), log.p = far)
        x[rows] <- call_family(object, k, "q", p, lower.tail = lower, log.p = far)
      }
    }
  }
  matrix(x)
}

# As log_quantity_working().
log_quantity_families <- function(object, y, quantity, call) {
  components <- seq_along(object$components)
  by_component <- function(f) {
    matrix(vapply(components, f, double(nrow(y))), nrow(y), length(components))
  }
  log_component <- if (quantity != "weights") {
    by_component(function(k) call_family(object, k, "d", as.double(y), log = TRUE))
  }
  if (quantity == "component") {
    return(log_component)
  }
  log_weight <- by_component(function(k) {
    log_classifier(object$classifier, latent_family(object, y, k), call)[, k]
  })
  if (quantity == "weights") {
    return(log_weight)
  }
  joint <- log_component + log_weight
  log_density <- log_row_sums(joint)
  # Some families have a pole at an end of their support.
  log_density[rowSums(joint == Inf, na.rm = TRUE) > 0] <- Inf
  if (quantity == "density") {
    return(log_density)
  }
  joint[!is.finite(log_density), ] <- NA
  joint - log_density
}

# The smallest and the largest value of any component.
family_range <- function(object) {
  ends <- vapply(seq_along(object$components), function(k) {
    call_family(object, k, "q", c(0, 1), lower.tail = TRUE, log.p = FALSE)
  }, c(0, 0))
  matrix(c(min(ends[1, ]), max(ends[2, ])), 1, dimnames = list(NULL, c("lower", "upper")))
}

# The column's bounds for plots and quantiles: those of the components, where nothing is
# transformed.
bounds_of <- function(object) {
  if (has_families(object)) family_range(object) else object$support
}

# Between two numbers of any size, halving the number of digits between them: components may have
# heavy tails, or nearly all of their mass at the end of their support.
halfway_by_size <- function(a, b) {
  size <- function(x) sign(x) * pmax(log(abs(x)) + 745, 0)
  middle <- (size(a) + size(b)) / 2
  # Where both are close they may round to one.
  pmin(pmax(sign(middle) * exp(abs(middle) - 745), a), b)
}

is_uniform <- function(classifier) isTRUE(classifier$uniform)

# A classifier on (0, 1) at standardised points: u = Phi(z), which does not round to 0 or 1.
classifier_input <- function(classifier, z) {
  if (!is_uniform(classifier)) {
    return(z)
  }
  z[] <- pmin(pmax(stats::pnorm(z), .Machine$double.xmin), 1 - .Machine$double.neg.eps)
  z
}

# A row a component: its family and its parameters, NA for those it has not.
family_table <- function(object) {
  components <- object$components
  table <- data.frame(component = seq_along(components), family = names(components))
  for (name in unique(unlist(lapply(components, names)))) {
    table[[name]] <- vapply(components, function(x) x[[name]] %||% NA_real_, 0)
  }
  table
}
