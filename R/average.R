#' Average densities
#'
#' The mixture p(x) = sum over m of share_m p_m(x) of several densities of the same columns, such as
#' fits with different seeds, splits or sizes. It is less variable than its members, and its
#' log density at any point is at least the average of theirs.
#'
#' An average of classifier weighted mixtures is one again: its components are those of all members,
#' and its classifier w(z) = (share_1 w_1(z), ..., share_M w_M(z)), which sums to one. So it has all
#' methods. Components stand member by member, in the order of `fits`; those of members with
#' constant weights come last, together, by decreasing weight. Averages among the members count as
#' their members.
#'
#' @param fits A list of densities of this package: fits of [cwmix()] or [gaussian_mixture()],
#'   [cwmix_model()]s, averages, none of them with a flow. They must have the same columns, in the
#'   same order, and the same support. Draws come as those of the first that was fitted by a
#'   formula, otherwise of the first with names of columns.
#' @param shares A numeric vector of positive numbers that sum to 1, one a density, or `NULL` for
#'   equal ones.
#' @param ... Must be empty.
#' @return An object of class `c("cwmix_average", "cwmix_density")`, a plain list with the fields
#'   - `mean` (K x d, K the components of all members), `sd` (K x d) or, where a member has full
#'     covariances, `cholesky` (d x d x K), `classifier`, `support`;
#'   - `shares`, of the members, those of averages counted one by one;
#'   - `columns`, how draws come.
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
#' simulate(average, 3, seed = 1)
#' @export
cwmix_average <- function(fits, shares = NULL, ...) {
  call <- user_call()
  check_dots_empty(..., call = call)
  check_given("fits", call)
  check_members(fits, call)
  average_of(unname(fits), check_shares(shares, length(fits), call), "cwmix_average")
}

check_members <- function(fits, call) {
  if (!is.list(fits) || is.object(fits) || length(fits) == 0) {
    stop_input("`fits` must be a list of densities of this package, not ", describe(fits), ".",
      call = call
    )
  }
  named <- NULL
  for (m in seq_along(fits)) {
    fit <- fits[[m]]
    if (!inherits(fit, "cwmix_density")) {
      stop_input("`fits` must hold densities of this package, but element ", m, " is ",
        describe(fit), ".",
        call = call
      )
    }
    check_normal(fit, "fits", call)
    if (!is.null(fit$flow)) {
      stop_input("`fits` must hold densities without a flow, but element ", m, " has one: ",
        describe_map(fit$flow, ncol(fit$mean)), ".",
        call = call
      )
    }
    first <- fits[[1]]
    if (nrow(fit$support) != nrow(first$support)) {
      stop_unlike(nrow(fit$support), nrow(first$support), m, "number of columns", call)
    }
    if (!identical(as.vector(fit$support), as.vector(first$support))) {
      support <- function(fit) c(describe_support(fit), "none")[1]
      stop_unlike(support(fit), support(first), m, "support", call)
    }
    names <- fit$columns$names
    named <- named %||% names
    if (!is.null(names) && !identical(names, named)) {
      quoted <- function(names) paste0("`", names, "`", collapse = ", ")
      stop_unlike(quoted(names), quoted(named), m, "columns in the same order", call)
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

# The average of densities of the same columns and support, of a class and with further fields.
average_of <- function(densities, shares, class, ...) {
  columns <- common_columns(densities)
  nested <- Map(flatten_average, densities, shares)
  all_shares <- unlist(lapply(nested, `[[`, "shares"))
  members <- merge_constant(do.call(c, lapply(nested, `[[`, "densities")), all_shares)
  classifiers <- lapply(members$densities, `[[`, "classifier")
  classifier <- if (length(classifiers) == 1) {
    classifiers[[1]]
  } else {
    average_classifier(classifiers, members$shares)
  }
  maps <- stack_maps(members$densities)
  new_density(
    maps$mean, maps$sd, maps$cholesky, classifier, densities[[1]]$support, columns, class,
    shares = all_shares, ...
  )
}

# Those of a formula, or with names, rather than those of a specified model without.
common_columns <- function(densities) {
  columns <- lapply(densities, `[[`, "columns")
  known <- vapply(columns, function(x) (!is.null(x$names)) + (!is.null(x$terms)), 0)
  columns[[which.max(known)]]
}

flatten_average <- function(density, share) {
  if (!is_average(density$classifier)) {
    return(list(densities = list(density), shares = share))
  }
  list(densities = member_densities(density), shares = share * density$classifier$shares)
}

# Densities with constant weights are one such density: list(densities, shares), that one last.
merge_constant <- function(densities, shares) {
  constant <- vapply(densities, function(density) is_constant(density$classifier), NA)
  if (!any(constant)) {
    return(list(densities = densities, shares = shares))
  }
  share <- sum(shares[constant])
  merged <- merge_mixtures(densities[constant], shares[constant] / share)
  list(densities = c(densities[!constant], list(merged)), shares = c(shares[!constant], share))
}

merge_mixtures <- function(mixtures, shares) {
  log_weights <- unlist(Map(function(mixture, share) {
    origin <- matrix(0, 1, ncol(mixture$mean))
    log(share) + log_classifier(mixture$classifier, origin)[1, ]
  }, mixtures, shares))
  order <- order(-log_weights)
  maps <- stack_maps(mixtures)
  new_density(
    maps$mean[order, , drop = FALSE], maps$sd[order, , drop = FALSE],
    maps$cholesky[, , order, drop = FALSE], new_classifier(list(), list(log_weights[order])),
    mixtures[[1]]$support, mixtures[[1]]$columns, "cwmix_model"
  )
}

# Means and scales one below the other: diagonal ones as factors where others are full.
stack_maps <- function(densities) {
  mean <- unname(do.call(rbind, lapply(densities, `[[`, "mean")))
  full <- vapply(densities, function(density) is.null(density$sd), NA)
  if (!any(full)) {
    return(list(mean = mean, sd = unname(do.call(rbind, lapply(densities, `[[`, "sd")))))
  }
  d <- ncol(mean)
  factors <- lapply(densities, function(density) {
    density$cholesky %||% apply(density$sd, 1, diag, nrow = d)
  })
  list(mean = mean, cholesky = array(unlist(factors), c(d, d, nrow(mean))))
}

#' @rdname update.cwmix
#' @export
update.cwmix_average <- function(object, ...) {
  check_fitted(object, user_call())
}
