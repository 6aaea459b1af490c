#' Expectations and their gradients
#'
#' Estimates E f(X), X from a density of this package, with its standard error and, where asked for,
#' its gradient in every parameter of the density.
#'
#' At base points z_i from N(0, I) every component has a node x_ik = mu_k + L_k z_i, or, with a flow
#' F, x_ik = F^-1(mu_k + L_k z_i), and a weight w_k(z_i). The estimators are
#' - `"rao-blackwell"`: the mean over i of sum over k of w_k(z_i) f(x_ik), formula (19). The
#'   component is summed out, so the estimate varies less than a mean over draws, and it is a
#'   differentiable function of all parameters: the gradient needs that of f. f is evaluated at
#'   `n` times K nodes.
#' - `"crude"`: the mean of f over n draws. It has no gradient, as the component is discrete.
#' - `"score-function"` (REINFORCE): the same estimate; the gradient is the mean of
#'   (f(x_i) - b_i) times the gradient of log p(x_i), the baseline b_i being the mean of f over the
#'   other draws, with lattices those of the other replicates. It does
#'   not need the gradient of f, and is unbiased, but varies more.
#' - `"gumbel-softmax"`: the mean of f at relaxed draws, the sum over k of y_k x_ik with
#'   y = softmax((log w(z_i) + g_i) / `temperature`), g_i standard Gumbel. Its gradient is that of
#'   one path; both are biased, less so at a low temperature, where the gradient varies more.
#'
#' @param object A `cwmix_density`: a fit of [cwmix()], [gaussian_mixture()] or
#'   [flow_realnvp()], a [cwmix_model()] or a [cwmix_average()].
#' @param f A function that takes an n x d matrix of points, in the columns and units of the data,
#'   and returns their n values, or an n x m matrix of those of m functions, named by its columns.
#'   `TRUE` and `FALSE` count as 1 and 0.
#' @param n A whole number of base points, at least 2.
#' @param z `NULL`, or a numeric matrix of base points (n x d), taken as independent draws from
#'   N(0, I). `n` and `points` then play no role. What else an estimator draws comes from R's
#'   generator.
#' @param estimator A string, see above.
#' @param gradient `NULL` for no gradient; the gradient of `f`, a function of an n x d matrix that
#'   returns the n x d matrix of partial derivatives, or an n x d x m array for m functions, taken
#'   on trust; or `TRUE` for central differences of `f`, with a message.
#'   `estimator = "score-function"` needs neither: `TRUE` asks for its gradient, and a function is
#'   not called.
#' @param points A string: base points from randomly shifted lattices (`"lattice"`, up to 249
#'   columns), a quasi-Monte Carlo method with which the error for smooth functions falls much
#'   faster than 1 / sqrt(n); or independent ones from R's generator (`"random"`).
#' @param replicates A whole number of at least 2 independent shifts of the lattice, among which the
#'   `n` points are divided and from which the standard error is computed. Lattices are best where
#'   `n / replicates` is a power of 2.
#' @param temperature A positive number, for `"gumbel-softmax"` only.
#' @param ... Must be empty.
#' @return A numeric vector of class `"cwmix_expectation"`, the m estimates, with the attributes
#'   - `"se"`, their standard errors (of random points as of independent rows; of lattices between
#'     replicates, with `replicates - 1` degrees of freedom: for functions with jumps, whose counts
#'     may agree by chance, and for those that grow in the tails, which few shifts reach, 16 or more
#'     make better error bars), `NA` of an infinite estimate. For
#'     `"gumbel-softmax"` they leave out the bias;
#'   - `"gradient"`, if asked for: a list with the names and shapes of
#'     [coef()][coef.cwmix_density], the derivatives of the estimate (not merely of its limit, but
#'     for `"score-function"`) with respect to the unconstrained parameters; with a matrix of
#'     functions a list of m such lists;
#'   - `"estimator"`, and `"evaluations"`, how many points `f` was evaluated at for the estimate.
#'
#'   Arithmetic drops the attributes. `tidy()` gives a data frame with columns `term`, `estimate`
#'   and `std.error`.
#' @section Errors: A condition of class `"cwmix_input_error"`: among others where `f` or `gradient`
#'   fail or return something of another shape or missing values, and where a gradient is asked of
#'   an estimator or a classifier (an R function) that has none.
#' @references Argouarc'h, Desbouvries, Barat, Kawasaki and Dautremer (2025), Classifier Weighted
#'   Mixture models, arXiv:2501.02989, equation (19). Williams (1992), Simple statistical
#'   gradient-following algorithms for connectionist reinforcement learning, Machine Learning 8,
#'   229-256. Maddison, Mnih and Teh (2017), The concrete distribution, ICLR; Jang, Gu and Poole
#'   (2017), Categorical reparameterization with Gumbel-softmax, ICLR. L'Ecuyer (2018), Randomized
#'   quasi-Monte Carlo, in Monte Carlo and Quasi-Monte Carlo Methods, Springer, 29-52.
#' @seealso [mean()][mean.cwmix_density], [vcov()][mean.cwmix_density], [entropy()],
#'   [kl_divergence()], [probability()] and [quantile()][quantile.cwmix_density], which build on it.
#' @examples
#' w <- cwmix_classifier(list(matrix(c(2, -2))), list(c(0, 0)))
#' model <- cwmix_model(c(-1, 1), sd = c(1, 2), classifier = w)
#' set.seed(1)
#' expectation(model, function(x) cbind(mean = x[, 1], square = x[, 1]^2))
#' e <- expectation(model, function(x) x^2, gradient = function(x) 2 * x, points = "lattice")
#' attr(e, "gradient")$mean
#' @export
expectation <- function(object, f, n = 1024, z = NULL,
                        estimator = c(
                          "rao-blackwell", "crude", "score-function", "gumbel-softmax"
                        ),
                        gradient = NULL, points = c("lattice", "random"), replicates = 4,
                        temperature = 0.5, ...) {
  call <- user_call()
  check_dots_empty(..., call = call)
  check_given(c("object", "f"), call)
  check_class(object, "cwmix_density", "a density of this package", "object", call)
  estimator <- check_choice(
    estimator, c("rao-blackwell", "crude", "score-function", "gumbel-softmax"), "estimator", call
  )
  if (!is.function(f)) {
    stop_input("`f` must be a function of an n x d matrix, not ", describe(f), ".", call = call)
  }
  temperature <- check_number(temperature, "temperature", call, min = 0, open = TRUE)
  gradient <- check_gradient(gradient, object, estimator, call)
  base <- read_base(z, n, points, replicates, object, call)
  estimate <- estimators[[estimator]](object, base, f, gradient, temperature, call)
  finish_expectation(estimate, base, estimator)
}

# Base points as asked for or as given.
read_base <- function(z, n, points, replicates, object, call) {
  d <- ncol(object$mean)
  if (!is.null(z)) {
    ok <- is_plain_numeric(z) && length(dim(z)) <= 2 && NCOL(z) == d && NROW(z) >= 2 &&
      all(is.finite(z))
    if (!ok) {
      stop_input("`z` must be a matrix of finite numbers, n x ", d, " with n at least 2, not ",
        if (is_plain_numeric(z) && !all(is.finite(z))) {
          "one with missing or infinite values"
        } else {
          describe(z)
        }, ".",
        call = call
      )
    }
    return(list(z = as_matrix(z, NROW(z), d)))
  }
  do.call(base_points, check_base(n, points, replicates, object, call))
}

# Arguments of base_points().
check_base <- function(n, points, replicates, object, call) {
  n <- check_count(n, "n", call, min = 2)
  d <- ncol(object$mean)
  points <- check_choice(points, c("lattice", "random"), "points", call)
  replicates <- check_count(replicates, "replicates", call, min = 2)
  check_base_points(n, d, points, replicates, call)
  list(n = n, d = d, points = points, replicates = replicates)
}

check_gradient <- function(gradient, object, estimator, call) {
  if (is.null(gradient)) {
    return(NULL)
  }
  if (!is.function(gradient) && !identical(gradient, TRUE)) {
    stop_input("`gradient` must be NULL, TRUE or a function of an n x d matrix, not ",
      describe(gradient), ".",
      call = call
    )
  }
  if (estimator == "crude") {
    stop_input("`gradient` must be NULL with estimator = \"crude\", which has none, not ",
      describe(gradient), ".",
      call = call
    )
  }
  check_has_parameters(object, call)
  gradient
}

# A list(values, gradient, evaluations): values n x m, one row a base point.
estimators <- list(
  "rao-blackwell" = function(object, base, f, gradient, temperature, call) {
    expect_nodes(object, base, f, gradient, summed_out, call)
  },
  "gumbel-softmax" = function(object, base, f, gradient, temperature, call) {
    expect_nodes(object, base, f, gradient, relaxed(temperature), call)
  },
  "crude" = function(object, base, f, gradient, temperature, call) {
    x <- data_points(object, draws_at(object, base, call))
    list(values = call_f(f, x, call), evaluations = nrow(x))
  },
  "score-function" = function(object, base, f, gradient, temperature, call) {
    expect_score(object, base, f, gradient, call)
  }
)

# The draws that base points and uniforms, those given or new ones, stand for, on the working scale.
draws_at <- function(object, base, call) {
  u <- base$u %||% stats::runif(nrow(base$z))
  component <- choose_column(exp(log_classifier(object$classifier, base$z, call)), u)
  from_components(object, unname(place(object, base$z, component)))
}

# Points on the working scale as f takes them.
data_points <- function(object, y) {
  x <- from_working(y, object$support)
  dimnames(x) <- row_names(NULL, object$columns$names)
  x
}

# The gradient of (1/n) sum_i (f(x_i) - b_i) log p(x_i), b_i the mean over the other draws.
expect_score <- function(object, base, f, gradient, call) {
  y <- draws_at(object, base, call)
  values <- call_f(f, data_points(object, y), call)
  out <- list(values = values, evaluations = nrow(y))
  if (!is.null(gradient)) {
    n <- nrow(values)
    # Other draws are those that are independent: of other replicates, where there are any.
    group <- base$replicate %||% seq_len(n)
    own <- rowsum(values, group)[group, , drop = FALSE]
    others <- (rep(colSums(values), each = n) - own) / (n - tabulate(group)[group])
    out$gradient <- lapply(seq_len(ncol(values)), function(m) {
      gradient_working(object, y, (values[, m] - others[, m]) / n)
    })
  }
  out
}

# An estimator at the nodes of all components, block by block: summed_out() or relaxed().
expect_nodes <- function(object, base, f, gradient, estimate_block, call) {
  n <- nrow(base$z)
  size <- prod(dim(object$mean))
  parts <- lapply(row_blocks(n, size), function(rows) {
    z <- base$z[rows, , drop = FALSE]
    log_w <- log_classifier(object$classifier, z, call)
    estimate_block(object, z, log_w, f, gradient, n, call)
  })
  gradients <- lapply(parts, `[[`, "gradient")
  list(
    values = do.call(rbind, lapply(parts, `[[`, "values")),
    gradient = if (!is.null(gradient)) Reduce(function(a, b) Map(add_lists, a, b), gradients),
    evaluations = sum(vapply(parts, `[[`, 0, "evaluations"))
  )
}

add_lists <- function(a, b) if (is.list(a)) Map(add_lists, a, b) else a + b

# x_ik on the working scale as a matrix, n K rows: all of the first component, then of the second.
node_matrix <- function(object, z) {
  if (has_families(object)) {
    K <- length(object$components)
    return(place_families(object, rep(z, K), rep(seq_len(K), each = nrow(z))))
  }
  nodes <- engine_nodes(object$mean, object$sd %||% object$cholesky, z)
  from_components(object, matrix(nodes, length(nodes) %/% ncol(z), ncol(z)))
}

# sum_k w_k(z) f(x_k):  dlog w_k = w_k f(x_k),  dx_k = w_k f'(x_k).
summed_out <- function(object, z, log_w, f, gradient, n, call) {
  w <- exp(log_w)
  y <- node_matrix(object, z)
  # A node of weight 0 has no part, whatever f is there.
  used <- if (all(w > 0)) NULL else which(w > 0)
  if (!is.null(used)) y <- y[used, , drop = FALSE]
  x <- data_points(object, y)
  values <- call_f(f, x, call)
  spread <- function(values) {
    if (is.null(used)) values else replace(double(length(w)), used, values)
  }
  terms <- lapply(seq_len(ncol(values)), function(m) w * spread(values[, m]))
  out <- list(
    values = matrix(vapply(terms, rowSums, double(nrow(z))), nrow(z), dimnames = dimnames(values)),
    evaluations = nrow(x)
  )
  if (!is.null(gradient)) {
    slopes <- call_gradient(gradient, f, x, y, ncol(values), object, call)
    out$gradient <- lapply(seq_along(terms), function(m) {
      dx <- apply(slopes[, , m, drop = FALSE], 2, spread)
      gradient_nodes(object, z, terms[[m]] / n, as.double(w) * dx / n)
    })
  }
  out
}

# f(sum_k y_k x_k):  dx_k = y_k f',  dy_k = f' x_k,  dlog w_k = y_k (dy_k - sum_j y_j dy_j) / t.
relaxed <- function(temperature) {
  function(object, z, log_w, f, gradient, n, call) {
    K <- ncol(log_w)
    gumbel <- -log(-log(stats::runif(length(log_w))))
    logits <- log_w + gumbel
    logits <- (logits - row_max(logits)) / temperature
    share <- exp(logits - log_row_sums(logits))
    nodes <- array(node_matrix(object, z), c(dim(log_w), ncol(z)))
    y <- matrix(apply(nodes, 3, function(x) rowSums(share * x)), nrow(z))
    x <- data_points(object, y)
    values <- call_f(f, x, call)
    out <- list(values = values, evaluations = nrow(x))
    if (!is.null(gradient)) {
      slopes <- call_gradient(gradient, f, x, y, ncol(values), object, call)
      out$gradient <- lapply(seq_len(ncol(values)), function(m) {
        slope <- matrix(slopes[, , m], nrow(z))
        each <- slope[rep(seq_len(nrow(z)), K), , drop = FALSE]
        dy <- rowSums(each * matrix(nodes, ncol = ncol(z)))
        dy <- matrix(dy, nrow(z))
        dlog_w <- share * (dy - rowSums(share * dy)) / temperature
        gradient_nodes(object, z, dlog_w / n, as.double(share) * each / n)
      })
    }
    out
  }
}

# From derivatives in log w_k(z_i), n x K, and in the nodes on the working scale, n K x d, to a list
# shaped like coef().
gradient_nodes <- function(object, z, log_weight, node) {
  if (is_average(object$classifier)) {
    node <- array(node, c(dim(log_weight), ncol(z)))
    return(gradient_of_members(object, function(member, rows) {
      gradient_nodes(
        member, z, log_weight[, rows, drop = FALSE], matrix(node[, rows, ], ncol = ncol(z))
      )
    }))
  }
  if (!is.null(object$flow)) {
    return(gradient_nodes_flow(object, z, log_weight, node))
  }
  parameters <- coef(object)
  model <- engine_model(parameters, object$classifier$activation)
  flat <- engine_expectation_gradient(model, z, log_weight, node)
  unflatten(flat, parameters)
}

# The same behind a flow, whose inverse the nodes went through.
gradient_nodes_flow <- function(object, z, log_weight, node) {
  heard <- which(rowSums(node != 0) > 0)
  y <- node_matrix(object, z)[heard, , drop = FALSE]
  back <- flow_pullback(object, y, node[heard, , drop = FALSE])
  node[heard, ] <- back$u
  parameters <- gradient_nodes(without_flow(object), z, log_weight, node)
  free_parameters(c(parameters, list(flow = back$parameters)), object$flow)
}

# The values of a user's function at points, n x m.
call_f <- function(f, x, call) {
  values <- call_user(f, x, "f", call)
  if (is.logical(values)) storage.mode(values) <- "double"
  ok <- is_plain_numeric(values) && length(dim(values)) <= 2 && NROW(values) == nrow(x) &&
    NCOL(values) > 0
  if (!ok) {
    stop_input("`f` must return ", nrow(x), " numbers, one a point, or a matrix of ", nrow(x),
      " rows, not ", describe(values), ".",
      call = call
    )
  }
  values <- as.matrix(values)
  rownames(values) <- NULL
  if (anyNA(values)) {
    stop_input("`f` must return numbers without missing values, but at the point ",
      describe_point(x, which(rowSums(is.na(values)) > 0)[1]), " it returned ",
      format(values[is.na(values)][1]), ".",
      call = call
    )
  }
  values
}

call_user <- function(f, x, arg, call) {
  tryCatch(f(x), error = function(e) {
    # What this package found wrong within is said as it is.
    if (inherits(e, "cwmix_error") && identical(conditionCall(e), call)) stop(e)
    stop_input("`", arg, "` must be a function of an n x d matrix, but called with one of ",
      nrow(x), " x ", ncol(x), " it failed: ", as_sentence(conditionMessage(e)),
      call = call
    )
  })
}

describe_point <- function(x, row) {
  shown <- utils::head(x[row, ], 6)
  sprintf(
    "(%s%s)", paste(format(unname(shown), digits = 4, trim = TRUE), collapse = ", "),
    if (ncol(x) > 6) ", ..." else ""
  )
}

# Partial derivatives of f on the working scale, n x d x m.
call_gradient <- function(gradient, f, x, y, m, object, call) {
  if (!is.function(gradient)) {
    inform_differences("f", call)
    at <- function(y) call_f(f, data_points(object, y), call)
    slopes <- central_differences(at, y, m, smallest_sd(object))
    check_slopes(matrix(slopes, nrow(x)), x, "f", call)
    return(slopes)
  }
  slopes <- call_user(gradient, x, "gradient", call)
  shape <- if (m == 1 && length(dim(slopes)) < 3) dim(x) else c(dim(x), m)
  # In one dimension a vector will do.
  flat <- is.null(dim(slopes)) && ncol(x) == 1 && m == 1 && length(slopes) == nrow(x)
  fits <- flat || identical(as.integer(dim(slopes)), as.integer(shape))
  if (!is_plain_numeric(slopes) || !fits) {
    stop_input("`gradient` must return partial derivatives, an array of dimension ",
      paste(shape, collapse = " x "), " here, not ", describe(slopes), ".",
      call = call
    )
  }
  check_slopes(matrix(slopes, nrow(x)), x, "gradient", call)
  array(as.double(slopes) * as.double(inside_slope(x, object$support)), c(dim(x), m))
}

# Slopes in rows, one a point.
check_slopes <- function(slopes, x, arg, call) {
  bad <- which(rowSums(!is.finite(slopes)) > 0)
  if (length(bad) > 0) {
    needed <- if (arg == "gradient") "return" else "have differences that are"
    message <- paste0(
      "`", arg, "` must ", needed, " finite numbers, but at the point ", describe_point(x, bad[1]),
      " there is ", format(slopes[bad[1], !is.finite(slopes[bad[1], ])][1]), ".",
      if (arg == "log_density") " Columns with bounds need `support`."
    )
    stop_cwmix(message, c("cwmix_slope_error", "cwmix_input_error"), call)
  }
}

inform_differences <- function(arg, call) {
  inform_cwmix(
    paste0("The gradient of `", arg, "` is computed by central differences."),
    "cwmix_differences_message", call
  )
}

# Of m functions at the rows of y, n x d x m; `scale` is a length of each column over which they
# may change.
central_differences <- function(f, y, m, scale) {
  slopes <- array(0, c(dim(y), m))
  step <- .Machine$double.eps^(1 / 3) * pmax(scale, 1e-4 * apply(abs(y), 2, max))
  for (j in seq_len(ncol(y))) {
    up <- down <- y
    up[, j] <- y[, j] + step[j]
    down[, j] <- y[, j] - step[j]
    slopes[, j, ] <- (f(up) - f(down)) / (up[, j] - down[, j])
  }
  slopes
}

# Of each column, on the working scale; with a flow as if it were the identity.
smallest_sd <- function(object) {
  sd <- object$sd
  if (is.null(sd)) {
    d <- ncol(object$mean)
    covariance <- covariance_of(object$cholesky)
    sd <- sqrt(apply(covariance, 3, function(sigma) diag(matrix(sigma, d))))
    sd <- t(matrix(sd, d))
  }
  apply(sd, 2, min) * (object$flow$scale %||% 1)
}

finish_expectation <- function(estimate, base, estimator) {
  values <- estimate$values
  value <- colMeans(values)
  gradient <- estimate$gradient
  if (length(gradient) == 1) {
    gradient <- gradient[[1]]
  } else if (!is.null(gradient)) {
    names(gradient) <- colnames(values)
  }
  new_expectation(
    value, column_errors(values, base$replicate), gradient, estimator, estimate$evaluations
  )
}

# Standard errors of column means: rows are independent, or the means of replicates are.
column_errors <- function(values, replicate) {
  # An infinite mean has none.
  values[, !is.finite(colSums(values))] <- NA
  if (!is.null(replicate)) values <- rowsum(values, replicate) / tabulate(replicate)
  centred <- values - rep(colMeans(values), each = nrow(values))
  sqrt(colSums(centred^2) / (nrow(values) - 1) / nrow(values))
}

new_expectation <- function(value, se, gradient = NULL, estimator = "rao-blackwell",
                            evaluations = NA_real_) {
  structure(value,
    se = se, gradient = gradient, estimator = estimator, evaluations = evaluations,
    class = "cwmix_expectation"
  )
}

# The numbers alone, with their names.
bare <- function(x) {
  if (!inherits(x, "cwmix_expectation")) {
    return(x)
  }
  kept <- attributes(x)[c("names", "dim", "dimnames")]
  attributes(x) <- kept[lengths(kept) > 0]
  x
}

#' @export
Ops.cwmix_expectation <- function(e1, e2) {
  if (missing(e2)) get(.Generic)(bare(e1)) else get(.Generic)(bare(e1), bare(e2))
}

#' @export
Math.cwmix_expectation <- function(x, ...) get(.Generic)(bare(x), ...)

#' @export
Summary.cwmix_expectation <- function(..., na.rm = FALSE) { # nolint: object_name_linter.
  do.call(.Generic, c(lapply(list(...), bare), na.rm = na.rm))
}

#' @export
`[.cwmix_expectation` <- function(x, ...) bare(x)[...]

#' @export
tidy.cwmix_expectation <- function(x, ...) {
  check_dots_empty(..., call = user_call())
  data.frame(
    term = names(x) %||% paste0("f", seq_along(x)), estimate = as.double(x),
    std.error = as.double(attr(x, "se"))
  )
}

#' @export
format.cwmix_expectation <- function(x, digits = max(3L, getOption("digits") - 3L), ...) {
  check_dots_empty(..., call = user_call())
  table <- tidy(x)
  label <- if (length(x) == 1 && is.null(names(x))) "" else paste0(format(table$term), "  ")
  paste0(
    label, format(table$estimate, digits = digits), "  (se ",
    vapply(table$std.error, function(se) format(signif(se, 2)), ""), ")"
  )
}

#' @export
print.cwmix_expectation <- function(x, ...) {
  lines <- format(x, ...)
  shown <- utils::head(lines, 10)
  cat(shown, sep = "\n")
  if (length(lines) > length(shown)) {
    cat("... and", plural(length(lines) - length(shown), "further number"), "\n")
  }
  if (!is.null(attr(x, "gradient"))) cat("with a gradient\n")
  invisible(x)
}
