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
  validate_density(object, "object", call)
  estimator <- check_choice(
    estimator, c("rao-blackwell", "crude", "score-function", "gumbel-softmax"), "estimator", call
  )
  if (!is.function(f)) {
    stop_input("`f` must be a function of an n x d matrix, not ", describe(f), ".", call = call)
  }
  temperature <- check_number(temperature, "temperature", call, min = 0, open = TRUE)
  gradient <- check_gradient(gradient, object, estimator, call)
  base <- read_base(z, n, points, replicates, object, call)
  estimate <- at_call(call, estimators[[estimator]](object, base, f, gradient, temperature))
  if (anyNA(unlist(estimate$gradient))) {
    stop_input(
      "`object` must be on a scale on which gradients stay within double precision: here they ",
      "overflow.",
      call = call
    )
  }
  finish_expectation(estimate, base, estimator)
}

# Base points as asked for or as given.
read_base <- function(z, n, points, replicates, object, call) {
  d <- dimension(object)
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
  do.call(base_points, check_base(n, points, replicates, d, call))
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
  check_differentiable(object, call)
  if (!is.function(gradient) && estimator != "score-function") inform_differences("f", call)
  gradient
}

# A list(values, gradient, evaluations): values n x m, one row a base point.
estimators <- list(
  "rao-blackwell" = function(object, base, f, gradient, temperature) {
    expect_nodes(object, base, f, gradient, summed_out)
  },
  "gumbel-softmax" = function(object, base, f, gradient, temperature) {
    expect_nodes(object, base, f, gradient, relaxed(temperature))
  },
  "crude" = function(object, base, f, gradient, temperature) {
    x <- data_points(object$frame, draws_of(object, base))
    list(values = call_f(f, x), evaluations = nrow(x))
  },
  "score-function" = function(object, base, f, gradient, temperature) {
    expect_score(object, base, f, !is.null(gradient))
  }
)

# The draws that base points stand for, with uniforms as given or new ones, on the working scale.
draws_of <- function(object, base) {
  base$u <- base$u %||% stats::runif(nrow(base$z))
  draw_at(object, base)$y
}

# The gradient of (1/n) sum_i (f(x_i) - b_i) log p(x_i), b_i the mean over the other draws.
expect_score <- function(object, base, f, differentiate) {
  y <- draws_of(object, base)
  values <- call_f(f, data_points(object$frame, y))
  out <- list(values = values, evaluations = nrow(y))
  if (differentiate) {
    n <- nrow(values)
    # Other draws are those that are independent: of other replicates, where there are any.
    group <- base$replicate %||% seq_len(n)
    own <- rowsum(values, group)[group, , drop = FALSE]
    others <- (rep(colSums(values), each = n) - own) / (n - tabulate(group)[group])
    out$gradient <- lapply(seq_len(ncol(values)), function(m) {
      gradient(object, points_at(y), (values[, m] - others[, m]) / n)
    })
  }
  out
}

# An estimator at the nodes of all components, block by block: summed_out() or relaxed().
expect_nodes <- function(object, base, f, slopes, estimate_block) {
  n <- nrow(base$z)
  parts <- lapply(row_blocks(n, prod(unlist(size(object)))), function(rows) {
    z <- base$z[rows, , drop = FALSE]
    estimate_block(object, z, nodes(object, z), f, slopes, n)
  })
  gradients <- lapply(parts, `[[`, "gradient")
  list(
    values = do.call(rbind, lapply(parts, `[[`, "values")),
    gradient = if (!is.null(slopes)) Reduce(function(a, b) Map(add_lists, a, b), gradients),
    evaluations = sum(vapply(parts, `[[`, 0, "evaluations"))
  )
}

add_lists <- function(a, b) if (is.list(a)) Map(add_lists, a, b) else a + b

# sum_k w_k(z) f(x_k):  dlog w_k = w_k f(x_k),  dx_k = w_k f'(x_k).
summed_out <- function(object, z, at, f, slopes, n) {
  w <- exp(at$log_w)
  y <- at$y
  # A node of weight 0 has no part, whatever f is there.
  used <- if (all(w > 0)) NULL else which(w > 0)
  if (!is.null(used)) y <- y[used, , drop = FALSE]
  x <- data_points(object$frame, y)
  values <- call_f(f, x)
  spread <- function(values) {
    if (is.null(used)) values else replace(double(length(w)), used, values)
  }
  terms <- lapply(seq_len(ncol(values)), function(m) w * spread(values[, m]))
  out <- list(
    values = matrix(vapply(terms, rowSums, double(nrow(z))), nrow(z), dimnames = dimnames(values)),
    evaluations = nrow(x)
  )
  if (!is.null(slopes)) {
    slopes <- working_slopes(slopes, f, x, y, ncol(values), object)
    out$gradient <- lapply(seq_along(terms), function(m) {
      dx <- apply(slopes[, , m, drop = FALSE], 2, spread)
      pull_nodes(object, z, terms[[m]] / n, as.double(w) * matrix(dx, length(w)) / n)
    })
  }
  out
}

# f(sum_k y_k x_k):  dx_k = y_k f',  dy_k = f' x_k,  dlog w_k = y_k (dy_k - sum_j y_j dy_j) / t.
relaxed <- function(temperature) {
  function(object, z, at, f, slopes, n) {
    K <- ncol(at$log_w)
    gumbel <- -log(-log(stats::runif(length(at$log_w))))
    logits <- at$log_w + gumbel
    logits <- (logits - row_max(logits)) / temperature
    share <- exp(logits - log_row_sums(logits))
    every <- array(at$y, c(dim(at$log_w), ncol(z)))
    y <- matrix(apply(every, 3, function(x) rowSums(share * x)), nrow(z))
    x <- data_points(object$frame, y)
    values <- call_f(f, x)
    out <- list(values = values, evaluations = nrow(x))
    if (!is.null(slopes)) {
      slopes <- working_slopes(slopes, f, x, y, ncol(values), object)
      out$gradient <- lapply(seq_len(ncol(values)), function(m) {
        slope <- matrix(slopes[, , m], nrow(z))
        each <- slope[rep(seq_len(nrow(z)), K), , drop = FALSE]
        dy <- matrix(rowSums(each * at$y), nrow(z))
        dlog_w <- share * (dy - rowSums(share * dy)) / temperature
        pull_nodes(object, z, dlog_w / n, as.double(share) * each / n)
      })
    }
    out
  }
}

# Partial derivatives of f on the working scale, n x d x m: by a user's function, or differences.
working_slopes <- function(slopes, f, x, y, m, object) {
  if (is.function(slopes)) {
    given <- call_slopes(slopes, x, m)
    slope <- inside_slope(x, object$frame$support)
    return(array(as.double(given) * as.double(slope), c(dim(x), m)))
  }
  at <- function(y) call_f(f, data_points(object$frame, y))
  found <- central_differences(at, y, m, length_scale(object))
  check_slopes(matrix(found, nrow(x)), x, "f")
  found
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
