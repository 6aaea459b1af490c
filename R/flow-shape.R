# The shapes of flows: what cwmix_flow() describes, what the engine takes for one, where one starts.

#' Flows before the components of a mixture
#'
#' Describes normalising flows for [cwmix()]. The components' maps are T_k(x) = A_k(F(x)), one flow
#' F shared by all, or T_k(x) = A_k(F_k(x)), one flow a component, followed by the affine map A_k of
#' each (equation 12 with flows). A flow is a chain of coupling layers. Each leaves every second
#' column as it is, and those columns, by a network, set the parameters of an increasing function of
#' each of the others; the next layer exchanges their roles. So both F and its inverse are cheap,
#' and the Jacobian determinant of a layer is the product of these functions' slopes. A single
#' column is transformed by every layer, which has free parameters in place of a network's outputs.
#'
#' @param kind A string. `"realnvp"`: the increasing function is x exp(s) + t, where s is bounded
#'   smoothly by 2 in absolute value. In one column F is then no more than
#'   an affine map. `"spline"`: a monotone rational-quadratic spline on
#'   \[-`tail_bound`, `tail_bound`\] and the identity outside.
#' @param layers A whole number of coupling layers, at most 1,000; a single one leaves some of
#'   several columns as they are.
#' @param hidden An integer vector, the widths of the hidden layers of each network; `integer(0)`
#'   for linear ones.
#' @param bins A whole number from 2 to 500, the pieces of each spline.
#' @param tail_bound A number from 0.001 to 1,000, where the splines end, in standard deviations of
#'   the columns for the first layer.
#' @param activation A string, `"tanh"`, `"relu"` or `"silu"`: that of the networks.
#' @param shared A flag: one flow for all components, or, with `FALSE`, one for each, all of this
#'   shape. K flows cost K times as much as one.
#' @param ... Must be empty.
#' @return An object of class `"cwmix_flow"`, a plain list.
#' @section Errors: A condition of class `"cwmix_input_error"`, also for `bins` and `tail_bound`
#'   with `kind = "realnvp"`.
#' @references Argouarc'h, Desbouvries, Barat, Kawasaki and Dautremer (2025), Classifier Weighted
#'   Mixture models, arXiv:2501.02989, equation (12). Dinh, Sohl-Dickstein and Bengio (2017),
#'   Density estimation using Real NVP, ICLR. Durkan, Bekasov, Murray and Papamakarios (2019),
#'   Neural spline flows, NeurIPS 32.
#' @seealso [flow_realnvp()] and [flow_spline()] for flows without a mixture.
#' @examples
#' flow <- cwmix_flow("spline", layers = 2, hidden = 8, bins = 4)
#' flow
#' set.seed(1)
#' fit <- cwmix(faithful, K = 2, hidden = 8, flow = flow, control = cwmix_control(epochs = 20))
#' fit
#' @export
cwmix_flow <- function(kind = c("realnvp", "spline"), layers = 4, hidden = c(32, 32), bins = 8,
                       tail_bound = 4, activation = c("tanh", "relu", "silu"), shared = TRUE, ...) {
  call <- user_call()
  check_dots_empty(..., call = call)
  kind <- check_choice(kind, flow_kinds, "kind", call)
  of_splines <- c("bins", "tail_bound")[c(!missing(bins), !missing(tail_bound))]
  if (kind == "realnvp" && length(of_splines) > 0) {
    stop_input("`", of_splines[1], "` must be left out with kind = \"realnvp\": no splines.",
      call = call
    )
  }
  new_flow_shape(kind, layers, hidden, bins, tail_bound, activation, shared, call)
}

flow_kinds <- c("realnvp", "spline")

# `bins` and `tail_bound` play no role but for splines.
new_flow_shape <- function(kind, layers, hidden, bins, tail_bound, activation, shared, call) {
  spline <- kind == "spline"
  layers <- check_count(layers, "layers", call)
  if (layers > 1000) {
    stop_input("`layers` must be at most 1,000, not ", base::format(layers, big.mark = ","), ".",
      call = call
    )
  }
  hidden <- check_widths(hidden, call)
  structure(
    list(
      kind = kind, layers = layers, hidden = hidden,
      bins = if (spline) check_bins(bins, call),
      tail_bound = if (spline) check_tail_bound(tail_bound, call),
      activation = check_choice(activation, activations, "activation", call),
      shared = check_flag(shared, "shared", call)
    ),
    class = "cwmix_flow"
  )
}

check_bins <- function(bins, call) {
  bins <- check_count(bins, "bins", call, min = 2)
  # Each has at least a thousandth of the whole range.
  if (bins > 500) stop_input("`bins` must be at most 500, not ", bins, ".", call = call)
  bins
}

# Beyond these single precision would lose the bins or the points.
check_tail_bound <- function(tail_bound, call) {
  if (!is_number(tail_bound) || tail_bound < 1e-3 || tail_bound > 1e3) {
    stop_input("`tail_bound` must be a number from 0.001 to 1,000, not ", describe(tail_bound), ".",
      call = call
    )
  }
  as.double(tail_bound)
}

check_widths <- function(hidden, call) {
  if (is.null(hidden)) {
    stop_input("`hidden` must be whole numbers from 1 to 100,000, not NULL.", call = call)
  }
  check_hidden(hidden, call, last = "integer(0)")
}

# What `flow` of cwmix() stands for: NULL for no flow, or a cwmix_flow().
read_flow <- function(flow, call) {
  if (inherits(flow, "cwmix_flow")) {
    return(check_flow_shape(flow, call))
  }
  if (!is.character(flow)) {
    needed <- "\"none\", \"realnvp\", \"spline\" or a cwmix_flow()"
    check_class(flow, "cwmix_flow", needed, "flow", call)
  }
  flow <- check_choice(flow, c("none", flow_kinds), "flow", call)
  if (flow != "none") cwmix_flow(flow)
}

# One may have been edited by hand since it was made.
check_flow_shape <- function(flow, call) {
  if (!is.list(flow) || !setequal(names(flow), setdiff(names(formals(cwmix_flow)), "..."))) {
    stop_input("`flow` must be made by cwmix_flow(), not have the elements ",
      paste(names(flow), collapse = ", "), ".",
      call = call
    )
  }
  tryCatch(
    do.call(cwmix_flow, Filter(Negate(is.null), unclass(flow))),
    error = function(e) stop_input("`flow`: ", conditionMessage(e), call = call)
  )
}

#' @export
format.cwmix_flow <- function(x, ...) {
  check_dots_empty(..., call = user_call())
  paste0("Flow of a mixture: ", if (!x$shared) "for each component ", describe_flow(x))
}

#' @export
print.cwmix_flow <- function(x, ...) {
  cat(format(x, ...), sep = "\n")
  invisible(x)
}

# "spline flow, 4 layers of networks 32-32, tanh; 8 bins on [-4, 4]"; in one column there are no
# networks.
describe_flow <- function(flow, d = 2) {
  networks <- if (d == 1) {
    ""
  } else if (length(flow$hidden) == 0) {
    " of linear networks"
  } else {
    sprintf(" of networks %s, %s", paste(flow$hidden, collapse = "-"), flow$activation)
  }
  bins <- if (flow$kind == "spline") {
    sprintf("; %d bins on [%g, %g]", flow$bins, -flow$tail_bound, flow$tail_bound)
  }
  paste0(flow_name(flow), ", ", plural(flow$layers, "layer"), networks, bins)
}

flow_name <- function(flow) if (flow$kind == "realnvp") "Real-NVP" else "spline flow"

# The widths of the networks of even layers, counted from 0 as in the engine, and of odd ones: two
# columns. Columns with the layer's parity set the parameters of the others.
flow_widths <- function(flow, d) {
  each <- if (flow$kind == "realnvp") 2L else 3L * flow$bins - 1L
  if (d == 1) {
    return(matrix(c(0L, each), 2, 2))
  }
  inputs <- c((d + 1L) %/% 2L, d %/% 2L)
  unname(rbind(inputs, matrix(flow$hidden, length(flow$hidden), 2), each * (d - inputs)))
}

# How many weights and biases the networks of a flow, or of one a component, have, in the engine's
# form.
flow_counts <- function(engine_flow) {
  if (is.null(engine_flow)) {
    return(c(weights = 0, biases = 0))
  }
  widths <- engine_flow$widths[, rep_len(1:2, engine_flow$layers), drop = FALSE] + 0
  after <- widths[-1, , drop = FALSE]
  each <- c(weights = sum(after * widths[-nrow(widths), , drop = FALSE]), biases = sum(after))
  engine_flow$count * each
}

# A flow, or one for each of K components, as the engine takes it: see src/ffi.h.
engine_flow <- function(flow, d, K) {
  if (is.null(flow)) {
    return(NULL)
  }
  list(
    kind = match(flow$kind, flow_kinds), layers = flow$layers, bins = flow$bins %||% 0L,
    bound = flow$tail_bound %||% 0, activation = match(flow$activation, activations) - 1L,
    fixed = isTRUE(flow$fixed), count = if (isFALSE(flow$shared)) K else 1L,
    widths = flow_widths(flow, d)
  )
}

# Networks whose last layers are zero: the flow is the identity. Lists of one element a layer.
identity_flow <- function(flow, d) {
  widths <- flow_widths(flow, d)
  last <- nrow(widths)
  networks <- lapply(seq_len(flow$layers), function(l) {
    width <- widths[, 2 - l %% 2]
    random_network(width[1], width[-c(1, last)], double(width[last]), flow$activation)
  })
  list(weights = lapply(networks, `[[`, "weights"), biases = lapply(networks, `[[`, "biases"))
}

# Whether the last layers of a fitted flow, or of one a component, are still zero.
is_identity_flow <- function(flow) {
  is_zero <- function(layers) all(layers[[length(layers)]] == 0)
  still <- function(networks) all(vapply(networks, is_zero, NA))
  all(vapply(flow[c("weights", "biases")], function(networks) {
    if (flow$shared) still(networks) else all(vapply(networks, still, NA))
  }, NA))
}

# Parameters of components with those of the flow before them, or of one before each.
add_flow <- function(parameters, shape) {
  if (is.null(shape) || "flow" %in% names(parameters)) {
    return(parameters)
  }
  d <- ncol(parameters$mean)
  parameters$flow <- if (shape$shared) {
    identity_flow(shape, d)
  } else {
    flows <- lapply(seq_len(nrow(parameters$mean)), function(k) identity_flow(shape, d))
    list(weights = lapply(flows, `[[`, "weights"), biases = lapply(flows, `[[`, "biases"))
  }
  parameters
}

# Parameters with the components in another order, and their flows, where each has its own.
reorder_components <- function(parameters, order, shape) {
  own <- !is.null(shape) && !shape$shared
  if (own) parameters$flow <- lapply(parameters$flow, `[`, order)
  order_components(parameters, order)
}

# How many parameters a flow may have, in all its copies.
check_flow_size <- function(flow, d, K, call) {
  parameters <- sum(flow_counts(engine_flow(flow, d, K)))
  if (parameters > 1e8) {
    stop_input("`layers`, `hidden` and `bins` must be so few that the flow has at most 1e8 ",
      "parameters, not ", signif(parameters, 3), ".",
      call = call
    )
  }
}

# What a fitted flow has besides its shape.
fitted_parts <- c("center", "scale", "weights", "biases")

flow_shape <- function(flow) flow[setdiff(names(flow), fitted_parts)]

# That the numbers of a shape are in the ranges that cwmix_flow() allows.
validate_flow_shape <- function(flow) {
  spline <- identical(flow$kind, "spline")
  demand(spline || identical(flow$kind, "realnvp"), "the `kind` of its `flow` is none")
  demand(
    is.integer(flow$layers) && is_whole(flow$layers, 1, 1000),
    "the `layers` of its `flow` are no number from 1 to 1,000"
  )
  hidden <- flow$hidden
  demand(
    is.integer(hidden) && !anyNA(hidden) && all(hidden >= 1 & hidden <= 1e5),
    "the `hidden` widths of its `flow` are no whole numbers from 1 to 100,000"
  )
  demand(
    if (spline) is.integer(flow$bins) && is_whole(flow$bins, 2, 500) else is.null(flow$bins),
    "the `bins` of its `flow` are no number from 2 to 500, or not for splines"
  )
  bound <- flow$tail_bound
  demand(
    if (spline) is_number(bound) && bound >= 1e-3 && bound <= 1e3 else is.null(bound),
    "the `tail_bound` of its `flow` is no number from 0.001 to 1,000, or not for splines"
  )
  demand(is_one_of(flow$activation, activations), "its `flow` has no activation")
}
