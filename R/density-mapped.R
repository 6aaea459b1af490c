# A density seen through an increasing map of each column: p(y) = q(m(y)) prod_j m_j'(y_j), formula
# (12) with T_k = A_k after m. Fields `maps` (column-map.R), one a column, and `base`, the density q
# of u = m(y), of any kind.

new_mapped <- function(maps, base, frame, class = NULL, ...) {
  new_density(list(maps = maps, base = base, ...), frame, c(class, "cwmix_mapped"))
}

# One density of several normal mixtures behind the same maps, by shares that sum to one.
merge_bases <- function(densities, shares) {
  merged <- densities[[1]]
  merged$base <- merge_mixtures(lapply(densities, `[[`, "base"), shares)
  merged
}

#' @export
size.cwmix_mapped <- function(object) size(object$base)

#' @export
evaluate.cwmix_mapped <- function(object, points, quantity, how = list()) {
  evaluate_image(object, image_points(object$maps, points), quantity, how)
}

# Points seen through maps, for evaluate_image() of all densities behind the same: list(n, inside,
# points, log_det), `inside` those of n rows that have an image, and the rest for these alone.
image_points <- function(maps, points) {
  at <- map_forward(maps, points$y)
  inside <- which(at$log_det > -Inf)
  list(
    n = nrow(points$y), inside = inside, points = points_at(at$u[inside, , drop = FALSE]),
    log_det = at$log_det[inside]
  )
}

evaluate_image <- function(object, at, quantity, how = list()) {
  values <- evaluate(object$base, at$points, quantity, how)
  is_density <- quantity %in% c("density", "component")
  if (is_density) values <- values + at$log_det
  nowhere <- if (is_density) -Inf else NA_real_
  if (quantity == "density") {
    return(replace(rep(nowhere, at$n), at$inside, values))
  }
  all <- matrix(nowhere, at$n, ncol(values))
  all[at$inside, ] <- values
  all
}

#' @export
view_maps.cwmix_mapped <- function(object) object$maps

#' @export
point_width.cwmix_mapped <- function(object) point_width(object$base)

#' @export
latent.cwmix_mapped <- function(object, y, k) {
  latent(object$base, map_forward(object$maps, y)$u, k)
}

#' @export
place.cwmix_mapped <- function(object, z, component) {
  map_inverse(object$maps, place(object$base, z, component))
}

#' @export
draw_at.cwmix_mapped <- function(object, base) {
  at <- draw_at(object$base, base)
  list(y = map_inverse(object$maps, at$y), component = at$component)
}

#' @export
draw.cwmix_mapped <- function(object, n, origin = FALSE) {
  u <- draw(object$base, n, origin)
  x <- from_working(map_inverse(object$maps, u), object$frame$support)
  if (origin) structure(x, component = attr(u, "component"), z = attr(u, "z")) else x
}

#' @export
residual.cwmix_mapped <- function(object, points, u) {
  at <- map_forward(object$maps, points$y)
  inside <- which(at$log_det > -Inf)
  z <- matrix(NA_real_, nrow(points$y), ncol(points$y))
  z[inside, ] <- residual(object$base, points_at(at$u[inside, , drop = FALSE]), u[inside])
  z
}

#' @export
joint_classifier.cwmix_mapped <- function(object) joint_classifier(object$base)

#' @export
nodes.cwmix_mapped <- function(object, z) {
  at <- nodes(object$base, z)
  list(log_w = at$log_w, y = map_inverse(object$maps, at$y))
}

# The maps have no parameters of their own: those of the base move u alone.
#' @export
gradient.cwmix_mapped <- function(object, points, weights = NULL, how = list()) {
  gradient(object$base, points_at(map_forward(object$maps, points$y)$u), weights, how)
}

#' @export
pull_nodes.cwmix_mapped <- function(object, z, dlog_w, dy) {
  u <- nodes(object$base, z)$y
  pull_nodes(object$base, z, dlog_w, dy * map_inverse_slope(object$maps, u))
}

#' @export
no_gradient.cwmix_mapped <- function(object) no_gradient(object$base)

#' @export
log_tail.cwmix_mapped <- function(object) {
  tail <- log_tail(object$base)
  range <- map_range(object$maps[[1]])
  function(y, lower) {
    below <- y <= range[1]
    above <- y >= range[2]
    values <- ifelse(below == lower, -Inf, 0)
    inside <- !below & !above
    u <- map_forward(object$maps, matrix(y[inside]))$u[, 1]
    replace(values, inside, tail(u, lower))
  }
}

#' @export
invert.cwmix_mapped <- function(object) {
  inverse <- invert(object$base)
  function(log_p, lower) map_inverse(object$maps, matrix(inverse(log_p, lower)))[, 1]
}

#' @export
is_heavy.cwmix_mapped <- function(object) TRUE

# The bounds of the frame, and those of the maps inside them.
#' @export
value_range.cwmix_mapped <- function(object) {
  support <- object$frame$support
  ends <- map_ranges(object$maps)
  inside <- t(from_working(ends, support))
  replace(support, is.finite(t(ends)), inside[is.finite(t(ends))])
}

#' @export
length_scale.cwmix_mapped <- function(object) {
  at <- nodes(object$base, matrix(0, 1, dimension(object)))$y
  length_scale(object$base) * apply(map_inverse_slope(object$maps, at), 2, min)
}

#' @export
parameters.cwmix_mapped <- function(object) parameters(object$base)

# Networks that do nothing do not count. Those of the maps are effective ones.
#' @export
count_parameters.cwmix_mapped <- function(object) {
  base <- plain_mixture(object$base) %||% object$base
  count_parameters(base) + count_maps(object$maps)
}

# That of penalised estimates is no whole number.
#' @export
fit_rules.cwmix_mapped <- function(object) {
  utils::modifyList(NextMethod(), list(df = function(x) is_number(x) && x >= 0))
}

#' @export
start_at.cwmix_mapped <- function(object, center, scale, shape) {
  start_at(object$base, center, scale, shape)
}

#' @export
kind_fields.cwmix_mapped <- function(object) c("maps", "base")

#' @export
describe_kind.cwmix_mapped <- function(object) describe_kind(object$base)

#' @export
describe_parts.cwmix_mapped <- function(object) {
  c(
    describe_parts(object$base),
    paste("  maps       ", describe_maps(object$maps, column_labels(object$frame)))
  )
}

#' @export
describe_member.cwmix_mapped <- function(object) paste("mapped", describe_member(object$base))

#' @export
component_table.cwmix_mapped <- function(object) base_table(object)

#' @export
component_title.cwmix_mapped <- function(object) {
  "Components, at the image u of the columns under their maps:"
}

#' @export
component_covariances.cwmix_mapped <- function(object) component_covariances(object$base)

#' @export
covariance_name.cwmix_mapped <- function(object) covariance_name(object$base)

#' @export
validate.cwmix_mapped <- function(object) {
  validate_base(object$base)
  validate_maps(object$maps, dimension(object$base))
}
