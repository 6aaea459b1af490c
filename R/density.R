# What a density is: the protocol that every kind keeps and every verb builds on.
#
# A density is a plain list of class c(<how it was made>, <its kind>, "cwmix_density") with a field
# `frame` (frame.R) and the fields of its kind, built by new_density(). A kind is a file density-*.R
# with methods of the generics below. A verb (predict(), simulate(), ...) asks these and never what
# kind it has; a kind that wraps others (density-flowed.R, density-sum.R) asks its parts the same.
#
# What every method may assume: the object is valid (validate()), points are finite and on the working
# scale, where no column is bounded, and there may be none of them. What it must keep: rows stay in
# order, nothing depends on the number of threads, random numbers come from its arguments alone, and
# no condition carries a call: at_call() in the verbs adds it. Numbers of components count from 1.
#
# Shapes: n rows, d columns, K components. `points` is list(y), y an n x d matrix (points_at());
# `how` as in engine-calls.R.
#
# Without these three there is no density:
#   size(object)                    list(d, K)
#   evaluate(object, points, quantity, how)
#       on the log scale, without the Jacobian of the bounds: "density", log p(y), n numbers; n x K
#       matrices: "component", log p_k(y), "weights", log pi_k(y) (p is the sum of weights times
#       components), "posterior", log v_k(y), NA where p is 0 or infinite
#   draw_at(object, base)           list(y, component): the draws that base points stand for; base is
#                                   list(z, u), n x d normals and n uniforms; same base, same draws
# With these two the rest follows from defaults, for kinds that have a classifier and K maps:
#   latent(object, y, k)            z_k of the rows of y, n x d: standard normal under component k
#   place(object, z, component)     its inverse, with a component a row (n of them), n x d
#   log_components(object, y)       log p_k(y), n x K: what evaluate()'s default needs besides
#
# Who asks for the others, and what happens where a kind has no method:
#   draw(object, n, origin)         simulate(): n x d within the bounds, from R's generator, with
#                                   attributes "component" and "z" where `origin`; by draw_at()
#   residual(object, points, u)     residuals(): z_k, n x d, k chosen by the uniforms u from the
#                                   posterior, NA where no density is; by latent()
#   nodes(object, z)                expectation(): list(log_w, y), n x K weights of the base points and
#                                   their n K nodes, all of the first component first; by place()
#   joint_classifier(object)        w(z) of all components, for nodes() and plots; `object$classifier`
#   gradient(object, points, weights, how)
#                                   log_likelihood(): that of sum_i weights_i log p(y_i), a list shaped
#                                   like parameters(); refuses
#   pull_nodes(object, z, dlog_w, dy)
#                                   expectation(): derivatives in nodes()' log_w and y as those in
#                                   the parameters, shaped like them; refuses
#   no_gradient(object)             why neither is there, the end of "`object` ..."; NULL where they are
#   log_tail(object)                pcwmix(), of one column: function(y, lower) with log P(Y <= y) or
#                                   log P(Y > y) at a vector; by the classifier's quadrature
#   invert(object)                  qcwmix(): function(log_p, lower) with the y of these tail
#                                   probabilities; by log_tail(), nodes() and evaluate()
#   is_heavy(object)                invert(): whether y may have any order of magnitude; FALSE
#   value_range(object)             quantiles of 0 and 1, limits of plots: d x 2; the frame's support
#   closed_moments(object)          mean(), vcov(): list(mean, vcov), or NULL where there is no formula
#   length_scale(object)            central differences: the least standard deviations, d numbers
#   parameters(object)              coef(): the unconstrained parameters, a list; empty
#   count_parameters(object)        print(), df: how many are free, NA where they are not known
#   engine_parts(object)            flows: list(parameters, activation, fixed) of components the engine
#                                   can put behind one; refuses
#   start_at(object, center, scale, shape)
#                                   starts of fits: the engine's parameters on the standardised scale,
#                                   for components behind a flow of this shape or, where that is NULL,
#                                   none; NULL where there are none such
#   summands(object, share)         averages: list(parts, shares), what stands in a sum for it, which
#                                   has this share; the density itself, bare
#   as_mixture(object)              averages: itself where it is a normal mixture with constant weights,
#                                   which become one; NULL
#   kind_fields(object)             the names of the kind's fields, which a bare density keeps
#   describe_kind(object)           what it is, as the first line of print()
#   describe_parts(object)          further lines of print()
#   describe_member(object)         a word for it in an average
#   component_table(object)         tidy(), summary(): a data frame with a row a component
#   covariance_name(object)         glance(): "diagonal", "full" or, of several members, "mixed"; NA
#   component_title(object)         summary(): what goes above that table
#   component_covariances(object)   summary(): d x d x K, or NULL
#   validate(object)                validate_density(): the kind's invariants; nothing

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
    paste0("`object` must be a density that has ", what, ", not a ", describe_kind(object), "."),
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
  log_weight <- matrix(vapply(seq_len(K), function(k) {
    log_weights(object$classifier, latent(object, y, k))[, k]
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

log_components <- function(object, y) UseMethod("log_components")

latent <- function(object, y, k) UseMethod("latent")

place <- function(object, z, component) UseMethod("place")

draw_at <- function(object, base) UseMethod("draw_at")

#' @export
draw_at.cwmix_density <- function(object, base) {
  component <- choose_column(exp(log_weights(object$classifier, base$z)), base$u)
  list(y = unname(place(object, base$z, component)), component = component)
}

draw <- function(object, n, origin = FALSE) UseMethod("draw")

# Block by block, base points row by row: the first draws do not depend on n.
#' @export
draw.cwmix_density <- function(object, n, origin = FALSE) {
  d <- dimension(object)
  x <- matrix(0, n, d)
  component <- integer(if (origin) n else 0)
  z <- matrix(0, if (origin) n else 0, d)
  for (rows in row_blocks(n, max(unlist(size(object))))) {
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
  paste("must be a density that has a gradient, not a", describe_kind(object))
}

log_tail <- function(object) UseMethod("log_tail")

# F(y) = sum_k W_k(T_k(y)), W_k(t) the integral of w_k(z) phi(z) up to t.
#' @export
log_tail.cwmix_density <- function(object) {
  tail <- weight_tail(object$classifier)
  K <- size(object)$K
  function(y, lower) {
    blocks <- lapply(row_blocks(length(y), K), function(rows) {
      part <- matrix(y[rows])
      z <- vapply(seq_len(K), function(k) latent(object, part, k)[, 1], double(length(rows)))
      tail(matrix(z, length(rows)), lower)
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
  halfway <- if (is_heavy(object)) halfway_by_size else function(a, b) (a + b) / 2
  function(log_p, lower) {
    bracket <- bracket_of(object, log_p, lower)
    y <- first_guess(object, log_tail, bracket, halfway, log_p, lower)
    active <- seq_along(y)
    for (step in 1:400) {
      at <- y[active]
      target <- log_p[active]
      log_f <- log_tail(at, lower)
      error <- if (lower) log_f - target else target - log_f
      bracket$low[active] <- ifelse(error < 0, at, bracket$low[active])
      bracket$high[active] <- ifelse(error > 0, at, bracket$high[active])
      log_density <- evaluate(object, points_at(matrix(at)), "density")
      newton <- at - error * exp(log_f - log_density)
      low <- bracket$low[active]
      high <- bracket$high[active]
      inside <- is.finite(newton) & newton > low & newton < high
      following <- ifelse(inside, newton, halfway(low, high))
      # Below this the error is rounding, and its sign says nothing about where the quantile is.
      settled <- abs(error) <= 1e-13 * pmax(1, abs(target)) | following == at
      y[active] <- ifelse(settled, at, following)
      active <- active[!settled]
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
node_table <- function(object, z) matrix(nodes(object, matrix(z))$y, length(z))

# It is only where Newton starts from.
first_guess <- function(object, log_tail, bracket, halfway, log_p, lower) {
  knots <- c(-36, -24, -16, -12, -8, -6, seq(-4, 4, by = 0.25), 6, 8, 12, 16, 24, 36)
  grid <- sort(node_table(object, knots))
  grid <- grid[is.finite(grid)]
  if (length(grid) > 2000) grid <- grid[round(seq(1, length(grid), length.out = 2000))]
  table <- log_tail(grid, lower)
  known <- is.finite(table)
  y <- if (length(unique(table[known])) > 1) {
    stats::approx(table[known], grid[known], log_p, rule = 2, ties = base::mean)$y
  } else {
    halfway(bracket$low, bracket$high)
  }
  pmin(pmax(y, bracket$low), bracket$high)
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

engine_parts <- function(object) UseMethod("engine_parts")

#' @export
engine_parts.cwmix_density <- function(object) refuse(object, "a gradient behind a flow")

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
validate.cwmix_density <- function(object) NULL

# The door for objects from elsewhere: what verbs are given is what the protocol may assume.
validate_density <- function(object, arg, call) {
  check_class(object, "cwmix_density", "a density of this package", arg, call)
  object
}
