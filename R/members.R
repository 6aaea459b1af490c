# What an average is made of: quantities of sum_m share_m p_m(x) from those of its members p_m,
# whose components stand one member after the other.

is_average <- function(classifier) !is.null(classifier$members)

average_classifier <- function(members, shares) {
  sizes <- vapply(members, `[[`, 0L, "K")
  d <- unlist(lapply(members, `[[`, "d"))[1]
  structure(
    list(members = members, shares = shares, d = d, K = sum(sizes)),
    class = "cwmix_classifier"
  )
}

# The rows of a K-row matrix that belong to each member.
member_rows <- function(classifier) {
  sizes <- vapply(classifier$members, `[[`, 0L, "K")
  Map(function(size, end) seq.int(end - size + 1L, end), sizes, cumsum(sizes))
}

member_densities <- function(object) {
  Map(function(classifier, rows) {
    new_density(
      object$mean[rows, , drop = FALSE], object$sd[rows, , drop = FALSE],
      object$cholesky[, , rows, drop = FALSE], classifier, object$support, object$columns,
      "cwmix_model"
    )
  }, object$classifier$members, member_rows(object$classifier))
}

# As log_quantity_working().
log_quantity_average <- function(object, y, quantity, ...) {
  log_share <- log(object$classifier$shares)
  members <- member_densities(object)
  if (quantity == "density") {
    return(log_row_sums(log_joint(object, members, y, ...)))
  }
  parts <- lapply(members, log_quantity_working, y, quantity, ...)
  if (quantity == "weights") {
    parts <- Map(`+`, parts, log_share)
  } else if (quantity == "posterior") {
    log_posterior <- log_member_posterior(log_joint(object, members, y, ...))
    parts <- lapply(seq_along(parts), function(m) {
      # A member without density at a point says nothing about its components there.
      part <- replace(parts[[m]], is.na(parts[[m]]), 0) + log_posterior[, m]
      replace(part, log_posterior[, m] == -Inf, -Inf)
    })
  }
  do.call(cbind, parts)
}

# log(share_m p_m(y)), n x M.
log_joint <- function(object, members, y, ...) {
  joint <- vapply(members, log_quantity_working, double(nrow(y)), y, "density", ...)
  matrix(joint, nrow(y), length(members)) +
    rep(log(object$classifier$shares), each = nrow(y))
}

# log(share_m p_m / p); NaN where p is 0.
log_member_posterior <- function(joint) {
  joint <- joint - row_max(joint)
  joint - log_row_sums(joint)
}

# The member whose interval of cumulated probabilities holds u, and where u is within: again
# uniform, so that it can choose the component. list(member, u).
choose_member <- function(probabilities, u) {
  member <- choose_column(probabilities, u)
  chosen <- cbind(seq_along(u), member)
  before <- double(length(u))
  for (m in seq_len(ncol(probabilities))) {
    before <- before + (m < member) * probabilities[, m]
  }
  within <- (u - before) / probabilities[chosen]
  # Rounding may leave the interval, and a uniform is not 0.
  list(member = member, u = pmin(pmax(within, 2^-53), 1))
}

# As draw(): block by block, base draws row by row, so that the first rows do not depend on n.
draw_average <- function(object, n, component, call) {
  d <- ncol(object$mean)
  x <- matrix(0, n, d)
  chosen <- integer(if (component) n else 0)
  z <- matrix(0, if (component) n else 0, d)
  for (rows in row_blocks(n, max(dim(object$mean)))) {
    base <- engine_base_draws(length(rows), d)
    k <- choose_components(object$classifier, base$z, base$u, call)
    x[rows, ] <- from_working(unname(place(object, base$z, k)), object$support)
    if (component) {
      chosen[rows] <- k
      z[rows, ] <- base$z
    }
  }
  if (component) structure(x, component = chosen, z = z) else x
}

# A component with probability w(z): a member, and with its weights alone one of its components.
choose_components <- function(classifier, z, u, call) {
  shares <- matrix(classifier$shares, nrow(z), length(classifier$shares), byrow = TRUE)
  choice <- choose_member(shares, u)
  rows_of <- member_rows(classifier)
  k <- integer(nrow(z))
  for (m in unique(choice$member)) {
    rows <- which(choice$member == m)
    w <- exp(log_classifier(classifier$members[[m]], z[rows, , drop = FALSE], call))
    k[rows] <- rows_of[[m]][choose_column(w, choice$u[rows])]
  }
  k
}

# As residuals_working().
residuals_average <- function(object, y, u, call) {
  members <- member_densities(object)
  posterior <- exp(log_member_posterior(log_joint(object, members, y, call)))
  z <- matrix(NA_real_, nrow(y), ncol(y))
  possible <- which(!is.na(posterior[, 1]))
  choice <- choose_member(posterior[possible, , drop = FALSE], u[possible])
  for (m in unique(choice$member)) {
    some <- choice$member == m
    rows <- possible[some]
    z[rows, ] <- residuals_working(members[[m]], y[rows, , drop = FALSE], choice$u[some], call)
  }
  z
}

# As gradient_working(): each member's gradient, a row weighted by the member's posterior there.
gradient_average <- function(object, y, weights) {
  joint <- log_joint(object, member_densities(object), y)
  posterior <- exp(log_member_posterior(joint))
  m <- 0
  gradient_of_members(object, function(member, rows) {
    m <<- m + 1
    weight <- posterior[, m] * (weights %||% 1)
    heard <- which(weight != 0)
    gradient_working(member, y[heard, , drop = FALSE], weight[heard])
  })
}

# The members' gradients as one: `gradient` is a function of a member and its components' numbers.
gradient_of_members <- function(object, gradient) {
  gradients <- Map(gradient, member_densities(object), member_rows(object$classifier))
  part <- function(name) lapply(gradients, `[[`, name)
  scale <- if (is.null(object$cholesky)) {
    list(log_sd = do.call(rbind, part("log_sd")))
  } else {
    list(log_cholesky = array(unlist(part("log_cholesky")), dim(object$cholesky)))
  }
  c(
    list(mean = do.call(rbind, part("mean"))), scale,
    list(weights = part("weights"), biases = part("biases"))
  )
}

# "average of 5 networks 32-32, tanh".
describe_members <- function(members) {
  kinds <- vapply(members, describe_classifier, "")
  kinds <- factor(kinds, unique(kinds))
  if (nlevels(kinds) > 3) {
    return(sprintf("average of %d classifiers", length(members)))
  }
  count <- tabulate(kinds)
  several <- sub("^network", "networks", sub("^an R function", "R functions", levels(kinds)))
  words <- ifelse(count == 1, levels(kinds), paste(count, several))
  paste("average of", paste(words, collapse = "; "))
}
