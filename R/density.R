# What a density is: the protocol that every kind keeps and every verb builds on.
#
# A density is a plain list of class c(<how it was made>, <its kind>, "cwmix_density") with a field
# `frame` (frame.R) and the fields of its kind, built by new_density(). A kind is a file density-*.R
# with methods of the generics below. A verb (predict(), simulate(), ...) asks these and never what
# kind it has; a kind that wraps others (density-flowed.R, density-sum.R) asks its parts the same.
#
# What a method may assume: the object is valid (validate_density()); points are finite and on the
# working scale, where no column is bounded, and there may be none of them. What it must keep: rows
# stay in order; the number of threads changes nothing; random numbers come from its arguments
# alone, but for draw(), which asks R's generator; no condition carries a call, which at_call()
# adds in the verbs. Methods are exported, so that they are found from within lapply() and Map().
#
# Shapes: n rows, d columns, K components counted from 1. `points` is list(y), y an n x d matrix, of
# points_at(). `how` is as in engine-calls.R. Everything is on the log scale where its name says so.
#
# Every kind has these:
#   size(object): list(d, K).
#   draw_at(object, base): list(y, component), the draws that base points stand for. `base` is
#     list(z, u), n x d normals and n uniforms: the same base, the same draws. For draw(),
#     expectation().
#   kind_fields(object): the names of the kind's fields, which a bare density keeps.
#   describe_kind(object): what it is, for the first line of print() and for errors.
#   validate(object): demand()s the kind's invariants, for validate_density().
# And either evaluate() alone, or what its default is made of: joint_classifier() and
#   log_components(object, y): log p_k(y), n x K.
#   latent(object, y, k): z_k of the rows of y, n x d; N(0, I) where y comes from component k.
#   place(object, z, component): the inverse of latent() with a component a row: n x d.
#
#   evaluate(object, points, quantity, how): on the log scale, without the Jacobian of the bounds.
#     "density": log p(y), n numbers. "component": log p_k(y), "weights": log pi_k(y), "posterior":
#     log v_k(y), NA where p is 0 or infinite; n x K matrices. p is the sum of weights times
#     components. For predict() and all that needs a density. Default: from the three above.
#   point_width(object): how many numbers a point takes on the way to its density, for those who go
#     by blocks of rows. Default: the larger of d and K.
#   view_maps(object): the maps of columns it stands behind, whose image points sums ask for once.
#     Default: NULL, none.
#   draw(object, n, origin): n x d draws within the bounds, with `origin` attributes "component" and
#     "z". For simulate(). Default: block by block by draw_at().
#   residual(object, points, u): z_k, n x d, k chosen from the posterior by the uniforms u; NA where
#     there is no density. For residuals(). Default: by evaluate() and latent().
#   joint_classifier(object): w(z) of all components (classifier-kinds.R). For plots and nodes().
#     Default: `object$classifier`.
#   nodes(object, z): list(log_w, y), the weights of base points, n x K, and their nodes, n K x d,
#     all of the first component first. For expectation(). Default: by joint_classifier() and
#     place().
#   gradient(object, points, weights, how): that of sum_i weights_i log p(y_i), a list shaped like
#     parameters(). For log_likelihood(). Default: refuses, as no_gradient() says.
#   pull_nodes(object, z, dlog_w, dy): derivatives in what nodes() gives, as those in the
#     parameters, shaped like them. For expectation(). Default: refuses.
#   no_gradient(object): why these two refuse, the end of a sentence on the object; NULL where they
#     do not. Asked before they are called.
#   log_tail(object): of one column, function(y, lower): log P(Y <= y) or log P(Y > y) at a vector.
#     For pcwmix(). Default: by latent() and the classifier's quadrature.
#   invert(object): function(log_p, lower), the y that have these tail probabilities. For qcwmix().
#     Default: a search by log_tail(), nodes() and evaluate().
#   is_heavy(object): whether y may be of any order of magnitude, for that search. Default: FALSE.
#   value_range(object): d x 2, the quantiles of 0 and 1. Default: the frame's bounds.
#   closed_moments(object): list(mean, vcov), or NULL where there is no formula, the default.
#   length_scale(object): d lengths over which the density may change. For central differences.
#   parameters(object): the unconstrained parameters, a list. For coef(). Default: none.
#   count_parameters(object): how many are free, NA where that is not known or, as of averages,
#     says nothing. Default: NA.
#   plain_mixture(object): the normal mixture with constant weights that it equals, where its
#     networks do nothing; NULL where there is none, the default. For degrees of freedom of fits.
#   engine_parts(object): list(parameters, activation, fixed) of components that the engine can put
#     behind a flow. Default: NULL, it cannot.
#   start_at(object, center, scale, shape): the engine's parameters on the standardised scale, for
#     fits that start there, behind a flow of this shape or none. Default: NULL, there are none.
#   summands(object, share): list(parts, shares), what stands in a sum for a density that has this
#     share. Default: itself, bare.
#   fold_densities(object): list(fold, densities), the fold of each row of its data, 0 where none
#     holds it out, and what judges the rows of folds 0, 1, ... For rows = "held-out". Default:
#     NULL.
#   as_mixture(object): itself where it is a normal mixture with constant weights, which sums make
#     one. Default: NULL.
#   describe_parts(object): further lines of print(). Default: none.
#   describe_member(object): a word for it in an average. Default: describe_kind().
#   label_trouble(object): why its components are no clusters, the end of a sentence; NULL, the
#     default, where nothing speaks against it. For predict(type = "class").
#   component_table(object): a data frame with a row a component. For tidy(), summary().
#   component_title(object), component_covariances(object): what summary() writes above that table,
#     and the d x d x K covariances or NULL.
#   covariance_name(object): "diagonal", "full", or "mixed" of several. For glance(). Default: NA.
#   fit_needs(object), fit_rules(object): the fields that a fit of this class has, and what they
#     must be (fit-rules.R). For validate_density().

new_density <- function(fields, frame, class) {
  structure(c(fields, list(frame = frame)), class = c(class, "cwmix_density"))
}

# A density with further fields, as fits have them.
add_fields <- function(object, ...) {
  structure(c(unclass(object), ...), class = class(object))
}

points_at <- function(y) list(y = y)

# The density on the working scale: the same without bounds of its columns.
unbounded <- function(object) {
  object$frame <- unbounded_frame(object$frame)
  object
}

dimension <- function(object) size(object)$d

refuse <- function(object, what) {
  stop_cwmix(
    paste0("`object` must have ", what, ", which this has not: ", describe_kind(object), "."),
    "cwmix_input_error", NULL
  )
}

size <- function(object) UseMethod("size")

evaluate <- function(object, points, quantity, how = list()) UseMethod("evaluate")

# In double precision, whatever is asked for.
#' @export
evaluate.cwmix_density <- function(object, points, quantity, how = list()) {
  y <- points$y
  K <- size(object)$K
  log_component <- if (quantity != "weights") log_components(object, y)
  if (quantity == "component") {
    return(log_component)
  }
  classifier <- joint_classifier(object)
  log_weight <- matrix(vapply(seq_len(K), function(k) {
    log_weights(classifier, latent(object, y, k))[, k]
  }, double(nrow(y))), nrow(y), K)
  if (quantity == "weights") {
    return(log_weight)
  }
  joint <- log_component + log_weight
  log_density <- log_row_sums(joint)
  if (quantity == "density") {
    return(log_density)
  }
  joint[!is.finite(log_density), ] <- NA
  joint - log_density
}

point_width <- function(object) UseMethod("point_width")

#' @export
point_width.cwmix_density <- function(object) max(unlist(size(object)))

view_maps <- function(object) UseMethod("view_maps")

#' @export
view_maps.cwmix_density <- function(object) NULL

log_components <- function(object, y) UseMethod("log_components")

latent <- function(object, y, k) UseMethod("latent")

place <- function(object, z, component) UseMethod("place")

draw_at <- function(object, base) UseMethod("draw_at")

#' @export
draw_at.cwmix_density <- function(object, base) {
  component <- choose_column(exp(log_weights(joint_classifier(object), base$z)), base$u)
  list(y = unname(place(object, base$z, component)), component = component)
}

draw <- function(object, n, origin = FALSE) UseMethod("draw")

#' @export
draw.cwmix_density <- function(object, n, origin = FALSE) {
  draw_in_blocks(object, n, origin, max(unlist(size(object))))
}

# Block by block, base points row by row: the first draws do not depend on n, nor on the blocks.
draw_in_blocks <- function(object, n, origin, width) {
  d <- dimension(object)
  x <- matrix(0, n, d)
  component <- integer(if (origin) n else 0)
  z <- matrix(0, if (origin) n else 0, d)
  for (rows in row_blocks(n, width)) {
    base <- engine_base_draws(length(rows), d)
    at <- draw_at(object, base)
    x[rows, ] <- from_working(at$y, object$frame$support)
    if (origin) {
      component[rows] <- at$component
      z[rows, ] <- base$z
    }
  }
  if (origin) structure(x, component = component, z = z) else x
}

residual <- function(object, points, u) UseMethod("residual")

#' @export
residual.cwmix_density <- function(object, points, u) {
  y <- points$y
  z <- matrix(NA_real_, nrow(y), ncol(y))
  posterior <- exp(evaluate(object, points, "posterior"))
  possible <- which(!is.na(posterior[, 1]))
  component <- choose_column(posterior[possible, , drop = FALSE], u[possible])
  for (k in unique(component)) {
    rows <- possible[component == k]
    z[rows, ] <- latent(object, y[rows, , drop = FALSE], k)
  }
  z
}

nodes <- function(object, z) UseMethod("nodes")

#' @export
nodes.cwmix_density <- function(object, z) {
  K <- size(object)$K
  each <- rep(seq_len(nrow(z)), K)
  list(
    log_w = log_weights(joint_classifier(object), z),
    y = place(object, z[each, , drop = FALSE], rep(seq_len(K), each = nrow(z)))
  )
}

joint_classifier <- function(object) UseMethod("joint_classifier")

#' @export
joint_classifier.cwmix_density <- function(object) object$classifier

gradient <- function(object, points, weights = NULL, how = list()) UseMethod("gradient")

#' @export
gradient.cwmix_density <- function(object, points, weights = NULL, how = list()) {
  refuse(object, "a gradient")
}

pull_nodes <- function(object, z, dlog_w, dy) UseMethod("pull_nodes")

#' @export
pull_nodes.cwmix_density <- function(object, z, dlog_w, dy) refuse(object, "a gradient")

no_gradient <- function(object) UseMethod("no_gradient")

#' @export
no_gradient.cwmix_density <- function(object) {
  paste("must have a gradient, which this has not:", describe_kind(object))
}

log_tail <- function(object) UseMethod("log_tail")

# F(y) = sum_k W_k(T_k(y)), W_k(t) the integral of w_k(z) phi(z) up to t.
#' @export
log_tail.cwmix_density <- function(object) {
  tail <- weight_tail(joint_classifier(object))
  K <- size(object)$K
  function(y, lower) {
    blocks <- lapply(row_blocks(length(y), K), function(rows) {
      part <- matrix(y[rows])
      z <- vapply(seq_len(K), function(k) latent(object, part, k)[, 1], double(length(rows)))
      tail(matrix(z, length(rows), K), lower)
    })
    as.double(unlist(blocks))
  }
}

invert <- function(object) UseMethod("invert")

# From a table, Newton steps for log F, with bisection where they leave the bracket.
#' @export
invert.cwmix_density <- function(object) {
  tail <- log_tail(object)
  log_tail <- function(y, lower) pmin(tail(y, lower), 0)
  log_density <- function(y) evaluate(object, points_at(matrix(y)), "density")
  halfway <- if (is_heavy(object)) halfway_by_size else function(a, b) (a + b) / 2
  function(log_p, lower) {
    table <- tail_table(object, log_tail, log_density, lower, length(log_p))
    start <- read_table(table, if (lower) log_p else -log_p)
    beyond <- which(is.na(start$low))
    bracket <- bracket_of(object, log_p[beyond], lower)
    low <- replace(start$low, beyond, bracket$low)
    high <- replace(start$high, beyond, bracket$high)
    y <- ifelse(is.na(start$y), halfway(low, high), pmin(pmax(start$y, low), high))
    active <- seq_along(y)
    for (step in 1:400) {
      at <- y[active]
      target <- log_p[active]
      log_f <- log_tail(at, lower)
      error <- if (lower) log_f - target else target - log_f
      low[active] <- ifelse(error < 0, at, low[active])
      high[active] <- ifelse(error > 0, at, high[active])
      log_slope <- log_density(at)
      newton <- at - error * exp(log_f - log_slope)
      inside <- is.finite(newton) & newton > low[active] & newton < high[active]
      following <- ifelse(inside, newton, halfway(low[active], high[active]))
      # Below this the error is rounding, and its sign says nothing about where the quantile is.
      settled <- abs(error) <= 1e-13 * pmax(1, abs(target)) | following == at
      y[active] <- ifelse(settled, at, following)
      # Newton leaves error^2 / 2 |d log f / d log F - 1|, which needs no look where the density is
      # what it was in the table.
      known <- abs(log_slope - start$log_density[active]) < 0.05
      small <- error^2 * (1 + start$bend[active]) < 1e-14
      active <- active[!(settled | inside & small & !is.na(known) & known)]
      if (length(active) == 0) break
    }
    y
  }
}

# Where quantiles can be: list(low, high). Each W_k(t) is at most exp(-t^2 / 2) for t < 0, and so is
# its upper tail for t > 0.
bracket_of <- function(object, log_p, lower) {
  reach <- function(log_p) sqrt(2 * pmax(0, log(size(object)$K) - log_p))
  to_left <- reach(if (lower) log_p else log_complement(log_p))
  to_right <- reach(if (lower) log_complement(log_p) else log_p)
  list(
    low = pmax(-row_max(-node_table(object, -to_left)), -.Machine$double.xmax),
    high = pmin(row_max(node_table(object, to_right)), .Machine$double.xmax)
  )
}

# The nodes of points z of one column: a row a point, a column a component.
node_table <- function(object, z) {
  matrix(nodes(object, matrix(z))$y, length(z), size(object)$K)
}

# Where Newton starts from: list(y, level, log_density), increasing, `level` log F or minus the log
# of the upper tail. The points are nodes of all components, at most a quarter as many as there are
# quantiles to find, but some at least.
tail_table <- function(object, log_tail, log_density, lower, count) {
  most <- round(min(2000, max(200, count / 4)))
  inner <- round(min(400, max(33, most / size(object)$K)))
  knots <- c(
    -36, -24, -16, -12, -8, -6, seq(-4, 4, length.out = inner), 6, 8, 12, 16, 24, 36
  )
  y <- sort(node_table(object, knots))
  y <- y[is.finite(y)]
  if (length(y) > most) y <- y[round(seq(1, length(y), length.out = most))]
  level <- if (lower) log_tail(y, TRUE) else -log_tail(y, FALSE)
  level[!is.finite(level)] <- -Inf
  rising <- level > c(-Inf, cummax(level)[-length(level)])
  y <- y[rising]
  list(y = y, level = level[rising], log_density = if (length(y) > 0) log_density(y) else y)
}

# At levels: where Newton starts, y, between `low` and `high`, by cubic interpolation with the
# slopes |level| and the density give, no steeper than keeps it increasing; the log density there,
# and `bend`, how much it changes with the level. NA beyond the table, but for the end y.
read_table <- function(table, level) {
  n <- length(table$y)
  nothing <- rep(NA_real_, length(level))
  if (n < 2) {
    return(list(y = nothing, low = nothing, high = nothing, log_density = nothing, bend = nothing))
  }
  cell <- findInterval(level, table$level, all.inside = TRUE)
  within <- level >= table$level[1] & level <= table$level[n]
  between <- function(x) ifelse(within, x, NA_real_)
  low <- table$y[cell]
  high <- table$y[cell + 1]
  width <- table$level[cell + 1] - table$level[cell]
  t <- pmin(pmax((level - table$level[cell]) / width, 0), 1)
  # dy / dlevel = F / f, times the width.
  slope <- width * exp(-abs(table$level) - table$log_density)[cell]
  slope_after <- width * exp(-abs(table$level) - table$log_density)[cell + 1]
  rise <- high - low
  slope <- pmin(slope, 3 * rise)
  slope_after <- pmin(slope_after, 3 * rise)
  y <- low + rise * t^2 * (3 - 2 * t) + t * (1 - t) * ((1 - t) * slope - t * slope_after)
  change <- table$log_density[cell + 1] - table$log_density[cell]
  list(
    y = y, low = between(low), high = between(high),
    log_density = between(table$log_density[cell] + t * change), bend = between(abs(change) / width)
  )
}

# Between two numbers of any size, halving the number of digits between them: components may have
# heavy tails, or nearly all of their mass at the end of their support.
halfway_by_size <- function(a, b) {
  size <- function(x) sign(x) * pmax(log(abs(x)) + 745, 0)
  middle <- (size(a) + size(b)) / 2
  # Where both are close they may round to one.
  pmin(pmax(sign(middle) * exp(abs(middle) - 745), a), b)
}

is_heavy <- function(object) UseMethod("is_heavy")

#' @export
is_heavy.cwmix_density <- function(object) FALSE

value_range <- function(object) UseMethod("value_range")

#' @export
value_range.cwmix_density <- function(object) object$frame$support

closed_moments <- function(object) UseMethod("closed_moments")

#' @export
closed_moments.cwmix_density <- function(object) NULL

length_scale <- function(object) UseMethod("length_scale")

parameters <- function(object) UseMethod("parameters")

#' @export
parameters.cwmix_density <- function(object) list()

count_parameters <- function(object) UseMethod("count_parameters")

#' @export
count_parameters.cwmix_density <- function(object) NA_integer_

plain_mixture <- function(object) UseMethod("plain_mixture")

#' @export
plain_mixture.cwmix_density <- function(object) NULL

engine_parts <- function(object) UseMethod("engine_parts")

#' @export
engine_parts.cwmix_density <- function(object) NULL

start_at <- function(object, center, scale, shape) UseMethod("start_at")

#' @export
start_at.cwmix_density <- function(object, center, scale, shape) NULL

summands <- function(object, share) UseMethod("summands")

#' @export
summands.cwmix_density <- function(object, share) {
  list(parts = list(bare_density(object)), shares = share)
}

# Without what a fit adds, such as its trace.
bare_density <- function(object) {
  structure(
    unclass(object)[c(kind_fields(object), "frame")],
    class = c("cwmix_model", utils::tail(class(object), 2))
  )
}

kind_fields <- function(object) UseMethod("kind_fields")

fold_densities <- function(object) UseMethod("fold_densities")

#' @export
fold_densities.cwmix_density <- function(object) NULL

as_mixture <- function(object) UseMethod("as_mixture")

#' @export
as_mixture.cwmix_density <- function(object) NULL

describe_kind <- function(object) UseMethod("describe_kind")

describe_parts <- function(object) UseMethod("describe_parts")

#' @export
describe_parts.cwmix_density <- function(object) character()

describe_member <- function(object) UseMethod("describe_member")

#' @export
describe_member.cwmix_density <- function(object) describe_kind(object)

label_trouble <- function(object) UseMethod("label_trouble")

#' @export
label_trouble.cwmix_density <- function(object) NULL

component_table <- function(object) UseMethod("component_table")

#' @export
component_table.cwmix_density <- function(object) {
  table <- data.frame(component = seq_len(size(object)$K))
  if (!is.null(object$proportions)) table$proportion <- object$proportions
  table
}

covariance_name <- function(object) UseMethod("covariance_name")

#' @export
covariance_name.cwmix_density <- function(object) NA_character_

component_title <- function(object) UseMethod("component_title")

#' @export
component_title.cwmix_density <- function(object) "Components:"

component_covariances <- function(object) UseMethod("component_covariances")

#' @export
component_covariances.cwmix_density <- function(object) NULL

validate <- function(object) UseMethod("validate")

#' @export
validate.cwmix_density <- function(object) {
  demand(FALSE, "it is of no kind that is known here: of class ", deparse(class(object))[1])
}

fit_needs <- function(object) UseMethod("fit_needs")

#' @export
fit_needs.cwmix_density <- function(object) character()

fit_rules <- function(object) UseMethod("fit_rules")

#' @export
fit_rules.cwmix_density <- function(object) common_fit_rules(size(object)$K, object$trace[[1]])

# The door for objects from elsewhere: after it the protocol's methods may assume what they do, and
# with `fit` the verbs that speak of how a fit came about may use its fields.
validate_density <- function(object, arg, call, fit = FALSE) {
  check_class(object, "cwmix_density", "a density of this package", arg, call)
  refuse <- function(reason) {
    stop_input(
      "`", arg, "` must be a density as this package makes them, but ", reason, ".",
      call = call
    )
  }
  tryCatch(
    {
      demand_density(object)
      if (fit) demand_fit(object)
    },
    # What cannot even be asked does not hold.
    error = function(e) {
      asked <- inherits(e, "cwmix_invalid")
      reason <- conditionMessage(e)
      refuse(if (asked) reason else paste0("it is not whole: ", sub("[.]$", "", reason)))
    }
  )
  invisible(object)
}

demand_density <- function(object) {
  demand(is.list(object), "it is ", describe(unclass(object)))
  validate_frame(object$frame)
  validate(object)
  demand(
    identical(nrow(object$frame$support), as.integer(dimension(object))),
    "its `frame` has other columns than its components"
  )
}

# That what a fit knows of itself is there and what it should be.
demand_fit <- function(object) {
  missing <- Filter(function(name) is.null(object[[name]]), fit_needs(object))
  demand(length(missing) == 0, "its field `", missing[1], "` is missing")
  demand_fields(object, fit_rules(object))
}

# What stands behind a flow.
validate_base <- function(base) {
  demand(inherits(base, "cwmix_density") && is.list(base), "its `base` is no density")
  validate_frame(base$frame)
  validate(base)
  demand(!is_bounded(base$frame), "its `base` has bounds")
}
