# Averages: p(y) = sum_m share_m p_m(y). Fields `members`, densities of any other kinds in the same
# columns within the same bounds, and `shares`, positive numbers that sum to one. Its components are
# those of the members, one member after the other; a point z of a component is that of the member.

new_sum <- function(members, shares, frame, class = NULL, ...) {
  new_density(list(members = members, shares = shares, ...), frame, c(class, "cwmix_sum"))
}

# The sum of densities: those that are sums count as their members, and normal mixtures with
# constant weights become one, the last. `averaged` are the shares of all that went in.
sum_of <- function(densities, shares, class = NULL, averaged = NULL, ...) {
  frame <- common_frame(lapply(densities, `[[`, "frame"))
  parts <- Map(summands, densities, shares)
  shares <- unlist(lapply(parts, `[[`, "shares"))
  merged <- merge_constant(do.call(c, lapply(parts, `[[`, "parts")), shares)
  members <- lapply(merged$members, function(member) replace(member, "frame", list(frame)))
  new_sum(members, merged$shares, frame, class, averaged = averaged %||% shares, ...)
}

merge_constant <- function(members, shares) {
  mixtures <- lapply(members, as_mixture)
  constant <- lengths(mixtures) > 0
  if (!any(constant)) {
    return(list(members = members, shares = shares))
  }
  share <- sum(shares[constant])
  merged <- merge_mixtures(mixtures[constant], shares[constant] / share)
  list(members = c(members[!constant], list(merged)), shares = c(shares[!constant], share))
}

# The average of what some components belong to, all of a member or some of a normal mixture with
# constant weights; `chosen` is a flag a component.
part_of_sum <- function(object, chosen) {
  parts <- Map(function(member, share, own) {
    which <- which(chosen[own])
    if (length(which) == length(own) || length(which) == 0) {
      return(list(density = member, share = share * (length(which) > 0)))
    }
    share <- share * sum(exp(constant_log_weights(member)[which]))
    list(density = pick_components(member, which), share = share)
  }, object$members, object$shares, member_components(object))
  shares <- vapply(parts, `[[`, 0, "share")
  members <- lapply(parts[shares > 0], `[[`, "density")
  shares <- shares[shares > 0] / sum(shares)
  new_sum(members, shares, object$frame, averaged = shares)
}

#' @export
summands.cwmix_sum <- function(object, share) {
  list(parts = object$members, shares = share * object$shares)
}

#' @export
size.cwmix_sum <- function(object) {
  list(d = dimension(object$members[[1]]), K = sum(member_sizes(object)))
}

member_sizes <- function(object) vapply(object$members, function(member) size(member)$K, 0L)

# The numbers of each member's components.
member_components <- function(object) {
  sizes <- member_sizes(object)
  Map(function(size, end) seq.int(end - size + 1L, end), sizes, cumsum(sizes))
}

#' @export
evaluate.cwmix_sum <- function(object, points, quantity, how = list()) {
  if (quantity == "density") {
    return(log_row_sums(log_joint(object, points, how)))
  }
  parts <- lapply(object$members, evaluate, points, quantity, how)
  if (quantity == "weights") {
    parts <- Map(`+`, parts, log(object$shares))
  } else if (quantity == "posterior") {
    log_posterior <- log_member_posterior(log_joint(object, points, how))
    parts <- lapply(seq_along(parts), function(m) {
      # A member without density at a point says nothing about its components there.
      part <- replace(parts[[m]], is.na(parts[[m]]), 0) + log_posterior[, m]
      replace(part, log_posterior[, m] == -Inf, -Inf)
    })
  }
  do.call(cbind, parts)
}

# log(share_m p_m(y)), n x M. Members behind the same maps, as those of a fold, share the image.
log_joint <- function(object, points, how = list()) {
  members <- object$members
  joint <- matrix(0, nrow(points$y), length(members))
  maps <- lapply(members, view_maps)
  first <- first_identical(maps)
  for (view in unique(first)) {
    seen <- if (!is.null(maps[[view]])) image_points(maps[[view]], points)
    for (m in which(first == view)) {
      log_density <- if (is.null(seen)) {
        evaluate(members[[m]], points, "density", how)
      } else {
        evaluate_image(members[[m]], seen, "density", how)
      }
      joint[, m] <- log_density + log(object$shares[m])
    }
  }
  joint
}

# One column a member, and what the widest of them needs.
#' @export
point_width.cwmix_sum <- function(object) {
  length(object$members) + max(vapply(object$members, point_width, 0))
}

# log(share_m p_m / p); NA where p is 0 or infinite.
log_member_posterior <- function(joint) {
  top <- row_max(joint)
  joint[!is.finite(top), ] <- NA
  joint <- joint - top
  joint - log_row_sums(joint)
}

# Where u is within the interval from `before` of length `width` that holds it: again uniform, so
# that it can choose the component. Rounding may leave the interval, and a uniform is not 0.
place_within <- function(u, before, width) pmin(pmax((u - before) / width, 2^-53), 1)

# The member whose interval of cumulated probabilities holds u, and where u is within: list(member,
# u), a row of probabilities for each u.
choose_member <- function(probabilities, u) {
  member <- choose_column(probabilities, u)
  before <- double(length(u))
  for (m in seq_len(ncol(probabilities))) {
    before <- before + (m < member) * probabilities[, m]
  }
  width <- probabilities[cbind(seq_along(u), member)]
  list(member = member, u = place_within(u, before, width))
}

#' @export
draw_at.cwmix_sum <- function(object, base) {
  n <- nrow(base$z)
  shares <- object$shares
  member <- choose_interval(shares, base$u)
  within <- place_within(base$u, sums_before(shares)[member], shares[member])
  components <- member_components(object)
  y <- matrix(0, n, ncol(base$z))
  component <- integer(n)
  for (m in unique(member)) {
    rows <- which(member == m)
    own <- list(z = base$z[rows, , drop = FALSE], u = within[rows])
    at <- draw_at(object$members[[m]], own)
    y[rows, ] <- at$y
    component[rows] <- components[[m]][at$component]
  }
  list(y = y, component = component)
}

#' @export
draw.cwmix_sum <- function(object, n, origin = FALSE) {
  if (length(object$members) > 1) {
    # What members need is for the rows of their share alone.
    each <- max(object$shares * member_sizes(object))
    return(draw_in_blocks(object, n, origin, max(dimension(object), each)))
  }
  member <- object$members[[1]]
  draw(replace(member, "frame", list(object$frame)), n, origin)
}

#' @export
latent.cwmix_sum <- function(object, y, k) {
  at <- member_of(object, k)
  latent(object$members[[at$member]], y, at$component)
}

#' @export
place.cwmix_sum <- function(object, z, component) {
  at <- member_of(object, component)
  y <- matrix(0, nrow(z), ncol(z))
  for (m in unique(at$member)) {
    rows <- which(at$member == m)
    y[rows, ] <- place(object$members[[m]], z[rows, , drop = FALSE], at$component[rows])
  }
  y
}

# Of components: list(member, component), the number of each within its member.
member_of <- function(object, component) {
  before <- cumsum(c(0L, member_sizes(object)))
  member <- findInterval(component - 1L, before)
  list(member = member, component = component - before[member])
}

#' @export
residual.cwmix_sum <- function(object, points, u) {
  y <- points$y
  posterior <- exp(log_member_posterior(log_joint(object, points)))
  z <- matrix(NA_real_, nrow(y), ncol(y))
  possible <- which(!is.na(posterior[, 1]))
  choice <- choose_member(posterior[possible, , drop = FALSE], u[possible])
  for (m in unique(choice$member)) {
    some <- choice$member == m
    rows <- possible[some]
    own <- points_at(y[rows, , drop = FALSE])
    z[rows, ] <- residual(object$members[[m]], own, choice$u[some])
  }
  z
}

#' @export
joint_classifier.cwmix_sum <- function(object) {
  joint_of(lapply(object$members, joint_classifier), object$shares)
}

#' @export
nodes.cwmix_sum <- function(object, z) {
  parts <- lapply(object$members, nodes, z)
  log_w <- Map(function(part, share) part$log_w + log(share), parts, object$shares)
  list(log_w = do.call(cbind, log_w), y = do.call(rbind, lapply(parts, `[[`, "y")))
}

# Each member's gradient, a row weighted by the member's posterior there.
#' @export
gradient.cwmix_sum <- function(object, points, weights = NULL, how = list()) {
  posterior <- exp(log_member_posterior(log_joint(object, points, how)))
  list(members = lapply(seq_along(object$members), function(m) {
    weight <- posterior[, m] * (weights %||% 1)
    heard <- which(weight != 0)
    own <- points_at(points$y[heard, , drop = FALSE])
    gradient(object$members[[m]], own, weight[heard], how)
  }))
}

#' @export
pull_nodes.cwmix_sum <- function(object, z, dlog_w, dy) {
  n <- nrow(z)
  list(members = Map(function(member, own) {
    rows <- rep((own - 1) * n, each = n) + seq_len(n)
    pull_nodes(member, z, dlog_w[, own, drop = FALSE], dy[rows, , drop = FALSE])
  }, object$members, member_components(object)))
}

#' @export
no_gradient.cwmix_sum <- function(object) {
  for (member in object$members) {
    reason <- no_gradient(member)
    if (!is.null(reason)) {
      return(reason)
    }
  }
}

#' @export
log_tail.cwmix_sum <- function(object) {
  tails <- lapply(object$members, log_tail)
  function(y, lower) {
    Reduce(log_add, Map(function(tail, share) log(share) + tail(y, lower), tails, object$shares))
  }
}

#' @export
is_heavy.cwmix_sum <- function(object) any(vapply(object$members, is_heavy, NA))

#' @export
value_range.cwmix_sum <- function(object) {
  ranges <- lapply(object$members, value_range)
  ends <- function(i) lapply(ranges, function(range) range[, i])
  cbind(lower = do.call(pmin, ends(1)), upper = do.call(pmax, ends(2)))
}

#' @export
closed_moments.cwmix_sum <- function(object) {
  moments <- lapply(object$members, closed_moments)
  if (any(lengths(moments) == 0) || is_bounded(object$frame)) {
    return(NULL)
  }
  mean <- Reduce(`+`, Map(function(at, share) share * at$mean, moments, object$shares))
  vcov <- Reduce(`+`, Map(function(at, share) {
    share * (at$vcov + tcrossprod(at$mean - mean))
  }, moments, object$shares))
  list(mean = mean, vcov = vcov)
}

#' @export
length_scale.cwmix_sum <- function(object) do.call(pmin, lapply(object$members, length_scale))

#' @export
parameters.cwmix_sum <- function(object) list(members = lapply(object$members, parameters))

#' @export
start_at.cwmix_sum <- function(object, center, scale, shape) {
  if (length(object$members) == 1) start_at(object$members[[1]], center, scale, shape)
}

#' @export
kind_fields.cwmix_sum <- function(object) c("members", "shares", "averaged")

#' @export
describe_kind.cwmix_sum <- function(object) {
  paste0("average of ", describe_size(object, ", "))
}

# "3 densities: 7 components in 2 columns, diagonal and full covariances".
describe_size <- function(object, between) {
  covariances <- unique(vapply(object$members, covariance_name, ""))
  paste0(
    plural(length(object$averaged), "density"), between, plural(size(object)$K, "component"),
    " in ", plural(dimension(object), "column"),
    if (!anyNA(covariances)) {
      paste0(", ", paste(sort(covariances), collapse = " and "), " covariances")
    }
  )
}

#' @export
headline.cwmix_sum <- function(object) paste("Average of", describe_size(object, ": "))

#' @export
describe_parts.cwmix_sum <- function(object) {
  # Those of the members, in their order, unless several mixtures became one.
  alike <- length(object$averaged) == length(object$members)
  shares <- if (alike) object$shares else object$averaged
  shown <- paste(signif(utils::head(shares, 6), 3), collapse = ", ")
  if (length(shares) > 6) shown <- paste0(shown, ", ...")
  if (!alike && length(object$members) > 1) shown <- paste(shown, "in the order given")
  if (length(shares) > 1 && length(unique(shares)) == 1) shown <- "equal"
  kinds <- describe_members(vapply(object$members, describe_member, ""))
  c(
    paste("  members    ", sub("^average of ", "", kinds)),
    paste("  shares     ", shown)
  )
}

#' @export
label_trouble.cwmix_sum <- function(object) {
  count <- length(object$averaged)
  if (count > 1) {
    paste("they number the components of all", plural(count, "density"), "that were averaged")
  }
}

# The members' tables, one below the other; NA where a member has no such column.
#' @export
component_table.cwmix_sum <- function(object) {
  tables <- lapply(object$members, component_table)
  known <- unique(unlist(lapply(tables, names)))
  known <- setdiff(known, c("component", "proportion"))
  table <- NextMethod()
  table$member <- rep(seq_along(tables), vapply(tables, nrow, 0L))
  for (name in known) {
    table[[name]] <- unlist(lapply(tables, function(part) part[[name]] %||% rep(NA, nrow(part))))
  }
  table
}

#' @export
covariance_name.cwmix_sum <- function(object) {
  names <- unique(vapply(object$members, covariance_name, ""))
  if (length(names) == 1) names else "mixed"
}

#' @export
validate.cwmix_sum <- function(object) {
  members <- object$members
  shares <- object$shares
  demand(is.list(members) && length(members) > 0, "its `members` are no list of densities")
  demand(
    are_doubles(shares, length = length(members)) && all(shares > 0) && abs(sum(shares) - 1) < 1e-8,
    "its `shares` are not positive numbers that sum to 1, one a member"
  )
  averaged <- object$averaged
  demand(
    are_doubles(averaged, length = length(averaged)) && all(averaged > 0) &&
      length(averaged) >= length(members),
    "its `averaged` are no shares of what went in, at least one a member"
  )
  for (m in seq_along(members)) {
    member <- members[[m]]
    demand(
      inherits(member, "cwmix_density") && is.list(member) && !inherits(member, "cwmix_sum"),
      "its member ", m, " is no density, or an average"
    )
    if (!identical(member$frame, object$frame)) validate_frame(member$frame)
    tryCatch(validate(member), cwmix_invalid = function(e) {
      demand(FALSE, "in its member ", m, ", ", conditionMessage(e))
    })
    demand(
      identical(dimension(member), dimension(members[[1]])) &&
        identical(as.vector(member$frame$support), as.vector(object$frame$support)),
      "its member ", m, " has other columns or bounds"
    )
  }
}
