#' Average densities
#'
#' The mixture p(x) = sum over m of share_m p_m(x) of several densities of the same columns, such as
#' fits with different seeds, splits or sizes. It is less variable than its members, and its
#' log density at any point is at least the average of theirs.
#'
#' The members may be of any kinds, and the average has all methods that they have. Its components
#' are those of the members, member by member in the order of `fits`; Gaussian mixtures among them
#' become one, which comes last, with components by decreasing weight. Averages among the members
#' count as their members. Of classifier weighted mixtures it is one again, with the classifier w(z)
#' = (share_1 w_1(z), ..., share_M w_M(z)), which sums to one.
#'
#' @param fits A list of densities of this package: fits of [cwmix()], [gaussian_mixture()],
#'   [flow_realnvp()] or [flow_spline()], [cwmix_model()]s, averages. They must have the same
#'   columns, in the same order, and the same support; fits by one formula with `scale()` and the
#'   like the same constants. Draws come as those of the first that was fitted by a formula,
#'   otherwise of the first with names of columns.
#' @param shares A numeric vector of positive numbers that sum to 1, one a density, or `NULL` for
#'   equal ones.
#' @param ... Must be empty.
#' @return An object of class `c("cwmix_average", "cwmix_sum", "cwmix_density")`, a plain list
#'   with the fields
#'   - `members`, a list of densities, and `shares`, one a member: all with constant weights, such
#'     as Gaussian mixtures, are one, the last;
#'   - `averaged`, the shares of all densities that went in, in their order; of an average those of
#'     its members;
#'   - `frame`, how draws come: `names` of the columns, `type`, `terms` and `support`.
#' @section Errors: A condition of class `"cwmix_input_error"` names the argument, what is needed
#'   and what was given.
#' @references Smyth and Wolpert (1999), Linearly combining density estimators via stacking, Machine
#'   Learning 36, 59-83. Ormoneit and Tresp (1998), Averaging, maximum penalized likelihood and
#'   Bayesian estimation for improving Gaussian mixture probability density estimates, IEEE
#'   Transactions on Neural Networks 9, 639-650.
#' @examples
#' set.seed(1)
#' fits <- lapply(1:3, function(i) {
#'   cwmix(faithful, K = 2, hidden = 8, control = cwmix_control(epochs = 5))
#' })
#' average <- cwmix_average(fits)
#' average
#'
#' # Of different kinds
#' cwmix_average(c(fits, list(gaussian_mixture(faithful, K = 2))), shares = c(0.2, 0.2, 0.2, 0.4))
#' simulate(average, 3, seed = 1)
#' @export
cwmix_average <- function(fits, shares = NULL, ...) {
  call <- user_call()
  check_dots_empty(..., call = call)
  check_given("fits", call)
  check_members(fits, call)
  sum_of(unname(fits), check_shares(shares, length(fits), call), "cwmix_average")
}

check_members <- function(fits, call) {
  if (!is.list(fits) || is.object(fits) || length(fits) == 0) {
    stop_input("`fits` must be a list of densities of this package, not ", describe(fits), ".",
      call = call
    )
  }
  named <- NULL
  first <- NULL
  terms <- NULL
  for (m in seq_along(fits)) {
    if (!inherits(fits[[m]], "cwmix_density")) {
      stop_input("`fits` must hold densities of this package, but element ", m, " is ",
        describe(fits[[m]]), ".",
        call = call
      )
    }
    validate_density(fits[[m]], sprintf("fits[[%d]]", m), call)
    frame <- fits[[m]]$frame
    first <- first %||% frame
    if (nrow(frame$support) != nrow(first$support)) {
      stop_unlike(nrow(frame$support), nrow(first$support), m, "number of columns", call)
    }
    if (!identical(as.vector(frame$support), as.vector(first$support))) {
      support <- function(at) c(describe_range(at$support, column_labels(at)), "none")[1]
      stop_unlike(support(frame), support(first), m, "support", call)
    }
    named <- named %||% frame$names
    if (!is.null(frame$names) && !identical(frame$names, named)) {
      quoted <- function(names) paste0("`", names, "`", collapse = ", ")
      stop_unlike(quoted(frame$names), quoted(named), m, "columns in the same order", call)
    }
    terms <- terms %||% frame$terms
    check_constants(frame$terms, terms, m, call)
  }
}

# scale(x) of one formula, fitted to different data, is not one column.
check_constants <- function(terms, known, m, call) {
  ours <- as.list(attr(terms, "predvars"))
  theirs <- as.list(attr(known, "predvars"))
  if (identical(attr(terms, "variables"), attr(known, "variables")) &&
    length(ours) == length(theirs)) {
    unlike <- which(!mapply(identical, ours, theirs))
    if (length(unlike) > 0) {
      written <- function(terms) written_formula(terms[[unlike[1]]])
      stop_unlike(written(ours), written(theirs), m, "constants in their formulas", call)
    }
  }
}

stop_unlike <- function(value, wanted, m, what, call) {
  # Bounds are shown to six digits, and those of three columns.
  hidden <- if (identical(value, wanted)) ", which differ in what is not shown"
  stop_input("`fits` must have the same ", what, ", but element ", m, " has ", value,
    " where those before have ", wanted, hidden, ".",
    call = call
  )
}

check_shares <- function(shares, count, call) {
  if (is.null(shares)) {
    return(rep(1 / count, count))
  }
  ok <- is_plain_numeric(shares) && is.null(dim(shares)) && length(shares) == count &&
    all(is.finite(shares) & shares > 0) && abs(sum(shares) - 1) < 1e-8
  if (!ok) {
    given <- is_plain_numeric(shares) && is.null(dim(shares)) && length(shares) <= 6
    stop_input("`shares` must be ", plural(count, "positive number"), ", one a density, that sum ",
      "to 1, not ", if (given) deparse(unname(shares)) else describe(shares), ".",
      call = call
    )
  }
  as.double(shares) / sum(shares)
}

#' @export
unfitted_name.cwmix_average <- function(object) "an average of densities"
