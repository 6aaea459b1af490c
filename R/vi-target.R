# What a variational fit approximates: an unnormalised log density given by R functions, on the
# scale of its columns, and what the search and the training see of it, the working scale.

# list(log_density, gradient, d, frame, step): `step` is what differences are taken in units of, one
# number a column of the working scale.
new_target <- function(log_density, gradient, frame, step) {
  list(
    log_density = log_density, gradient = gradient, d = nrow(frame$support), frame = frame,
    step = step
  )
}

# A user's function at a row or more. It is never called with one: x[, 1:2] would be no matrix.
call_target <- function(f, x, arg) {
  n <- nrow(x)
  value <- call_user(f, x[if (n == 1) c(1, 1) else seq_len(n), , drop = FALSE], arg)
  if (n > 1) {
    return(value)
  }
  if (is.matrix(value) && nrow(value) == 2) value[1, , drop = FALSE] else value[-length(value)]
}

# log p(x) + log |dx/dy| at the rows of y; -Inf where the density is zero.
target_log_density <- function(target, y) {
  x <- data_points(target$frame, y)
  value <- call_target(target$log_density, x, "log_density")
  if (!is_plain_numeric(value) || length(value) != nrow(x)) {
    stop_user("`log_density` must return ", plural(nrow(x), "number"), ", one a row of its ",
      "argument, not ", describe(value), "."
    )
  }
  bad <- which(is.na(value) | value == Inf)
  if (length(bad) > 0) {
    stop_user("`log_density` must return numbers below Inf, but at the point ",
      describe_point(x, bad[1]), " it returned ", format(value[bad[1]]), "."
    )
  }
  as.double(value) + log_inside_slope(y, target$frame$support)
}

# Its gradient in y, n x d.
target_gradient <- function(target, y) {
  if (is.null(target$gradient)) {
    f <- function(y) as.matrix(target_log_density(target, y))
    slopes <- matrix(central_differences(f, y, 1, target$step), nrow(y))
    check_slopes(slopes, data_points(target$frame, y), "log_density")
    return(slopes)
  }
  x <- data_points(target$frame, y)
  slopes <- read_slopes(call_target(target$gradient, x, "gradient"), x)
  support <- target$frame$support
  slopes * inside_slope(x, support) + log_inside_slope_gradient(y, support)
}

read_slopes <- function(slopes, x) {
  flat <- is.null(dim(slopes)) && ncol(x) == 1 && length(slopes) == nrow(x)
  if (!is_plain_numeric(slopes) || !(flat || identical(dim(slopes), dim(x)))) {
    stop_user("`gradient` must return a matrix of partial derivatives like its argument, ",
      paste(dim(x), collapse = " x "), " here, not ", describe(slopes), "."
    )
  }
  slopes <- as_matrix(slopes, nrow(x), ncol(x))
  check_slopes(slopes, x, "gradient")
  slopes
}

# The gradient that was given against central differences, at points of these log densities. They
# must agree, up to the rounding of differences, at no fewer than half of the points, so that edges
# of the density do no harm.
check_target_gradient <- function(target, y, value, call) {
  if (is.null(target$gradient)) {
    return(invisible())
  }
  given <- at_call(call, target_gradient(target, y))
  target$gradient <- NULL
  found <- at_call(call, target_gradient(target, y))
  size <- pmax(abs(found), abs(given), 1e-3 / rep(target$step, each = nrow(y)))
  rounding <- 8 * .Machine$double.eps^(2 / 3) * outer(abs(value), 1 / target$step)
  wrong <- abs(given - found) > 0.01 * size + rounding
  if (mean(rowSums(wrong) > 0) > 0.5) {
    at <- which(wrong, arr.ind = TRUE)[1, ]
    slope <- inside_slope(data_points(target$frame, y), target$frame$support)
    extra <- log_inside_slope_gradient(y, target$frame$support)
    back <- function(slopes) ((slopes - extra) / slope)[at[1], at[2]]
    stop_input("`gradient` must be that of `log_density`, but at the point ",
      describe_point(data_points(target$frame, y), at[1]), " its element ", at[2], " is ",
      format(back(given), digits = 5), ", not ", format(back(found), digits = 5), ".",
      call = call
    )
  }
}

read_target <- function(log_density, gradient, d, support, names, control, call) {
  if (!is.function(log_density)) {
    stop_input("`log_density` must be a function of an n x d matrix, not ", describe(log_density),
      ".",
      call = call
    )
  }
  if (!is.null(gradient) && !is.function(gradient)) {
    stop_input("`gradient` must be NULL or a function of an n x d matrix, not ",
      describe(gradient), ".",
      call = call
    )
  }
  if (!is.null(names)) {
    if (!is.character(names) || length(names) != d) {
      stop_input("`names` must be NULL or a string for each of the ", plural(d, "column"), ", not ",
        describe(names), ".",
        call = call
      )
    }
    check_column_names(names, "names", call)
  }
  new_target(
    log_density, gradient, new_frame(names, "matrix", read_support(support, d, names, call)),
    rep(control$spread, d)
  )
}

# Calls both functions at points of the start that is given or of the region searched.
check_target <- function(target, start, call) {
  given <- !is.character(start)
  y <- if (is.matrix(start)) {
    start[sample.int(nrow(start), 20, replace = TRUE), , drop = FALSE]
  } else if (given) {
    unname(at_call(call, draw(unbounded(start), 20L)))
  } else {
    matrix(stats::rnorm(20 * target$d, sd = target$step), 20, byrow = TRUE)
  }
  value <- at_call(call, target_log_density(target, y))
  if (all(value == -Inf)) {
    stop_input("`log_density` must be finite in the region ",
      if (given) "of `start`" else "searched, normal with standard deviation `spread` (",
      if (!given) paste0(format(target$step[1]), ")"),
      ", but at all of 20 points it is -Inf. Columns with bounds need `support`.",
      call = call
    )
  }
  finite <- is.finite(value)
  check_target_gradient(target, y[finite, , drop = FALSE], value[finite], call)
}
