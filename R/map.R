# The shapes of flows: what cwmix_map() describes, what the engine takes for one, where one starts.

#' Invertible networks as the maps of a mixture
#'
#' Describes a normalising flow F for [cwmix()]: the components' maps are T_k(x) = A_k(F(x)), one
#' flow that is shared by all, followed by the affine map A_k of each (equation 12 with flows). The
#' flow is a chain of coupling layers. Each leaves every second column as it is, and those columns,
#' by a network, set the parameters of an increasing function of each of the others; the next layer
#' exchanges their roles. So both F and its inverse are cheap, and the Jacobian determinant of a
#' layer is the product of these functions' slopes. A single column is transformed by every layer,
#' which has free parameters in place of a network's outputs.
#'
#' @param map A string. `"realnvp"`: the increasing function is x exp(s) + t, where s is bounded
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
#' @param ... Must be empty.
#' @return An object of class `"cwmix_map"`, a plain list.
#' @section Errors: A condition of class `"cwmix_input_error"`, also for `bins` and `tail_bound`
#'   with `map = "realnvp"`.
#' @references Argouarc'h, Desbouvries, Barat, Kawasaki and Dautremer (2025), Classifier Weighted
#'   Mixture models, arXiv:2501.02989, equation (12). Dinh, Sohl-Dickstein and Bengio (2017),
#'   Density estimation using Real NVP, ICLR. Durkan, Bekasov, Murray and Papamakarios (2019),
#'   Neural spline flows, NeurIPS 32.
#' @seealso [flow_realnvp()] and [flow_spline()] for flows without a mixture.
#' @examples
#' map <- cwmix_map("spline", layers = 2, hidden = 8, bins = 4)
#' map
#' set.seed(1)
#' fit <- cwmix(faithful, K = 2, hidden = 8, map = map, control = cwmix_control(epochs = 20))
#' fit
#' @export
cwmix_map <- function(map = c("realnvp", "spline"), layers = 4, hidden = c(32, 32), bins = 8,
                      tail_bound = 4, activation = c("tanh", "relu", "silu"), ...) {
  call <- user_call()
  check_dots_empty(..., call = call)
  map <- check_choice(map, flow_maps, "map", call)
  of_splines <- c("bins", "tail_bound")[c(!missing(bins), !missing(tail_bound))]
  if (map == "realnvp" && length(of_splines) > 0) {
    stop_input("`", of_splines[1], "` must be left out with map = \"realnvp\": no splines.",
      call = call
    )
  }
  new_map(map, layers, hidden, bins, tail_bound, activation, call)
}

flow_maps <- c("realnvp", "spline")

# `bins` and `tail_bound` play no role but for splines.
new_map <- function(map, layers, hidden, bins, tail_bound, activation, call) {
  spline <- map == "spline"
  layers <- check_count(layers, "layers", call)
  if (layers > 1000) {
    stop_input("`layers` must be at most 1,000, not ", base::format(layers, big.mark = ","), ".",
      call = call
    )
  }
  hidden <- check_widths(hidden, call)
  structure(
    list(
      map = map, layers = layers, hidden = hidden,
      bins = if (spline) check_bins(bins, call),
      tail_bound = if (spline) check_tail_bound(tail_bound, call),
      activation = check_choice(activation, activations, "activation", call)
    ),
    class = "cwmix_map"
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

# What `map` of cwmix() stands for: NULL for affine maps alone, or a cwmix_map().
read_map <- function(map, call) {
  if (inherits(map, "cwmix_map")) {
    return(validate_map(map, call))
  }
  if (!is.character(map)) {
    needed <- "\"affine\", \"realnvp\", \"spline\" or a cwmix_map()"
    check_class(map, "cwmix_map", needed, "map", call)
  }
  map <- check_choice(map, c("affine", flow_maps), "map", call)
  if (map != "affine") cwmix_map(map)
}

# One may have been edited by hand since it was made.
validate_map <- function(map, call) {
  if (!setequal(names(map), setdiff(names(formals(cwmix_map)), "..."))) {
    stop_input("`map` must be made by cwmix_map(), not have the elements ",
      paste(names(map), collapse = ", "), ".",
      call = call
    )
  }
  tryCatch(
    do.call(cwmix_map, Filter(Negate(is.null), unclass(map))),
    error = function(e) stop_input("`map`: ", conditionMessage(e), call = call)
  )
}

#' @export
format.cwmix_map <- function(x, ...) {
  check_dots_empty(..., call = user_call())
  paste("Map of a mixture:", describe_map(x))
}

#' @export
print.cwmix_map <- function(x, ...) {
  cat(format(x, ...), sep = "\n")
  invisible(x)
}

# "spline flow, 4 layers of networks 32-32, tanh; 8 bins on [-4, 4]"; in one column there are no
# networks.
describe_map <- function(flow, d = 2) {
  networks <- if (d == 1) {
    ""
  } else if (length(flow$hidden) == 0) {
    " of linear networks"
  } else {
    sprintf(" of networks %s, %s", paste(flow$hidden, collapse = "-"), flow$activation)
  }
  bins <- if (flow$map == "spline") {
    sprintf("; %d bins on [%g, %g]", flow$bins, -flow$tail_bound, flow$tail_bound)
  }
  name <- if (flow$map == "realnvp") "Real-NVP" else "spline flow"
  paste0(name, ", ", plural(flow$layers, "layer"), networks, bins)
}

# The widths of the networks of even layers, counted from 0 as in the engine, and of odd ones: two
# columns. Columns with the layer's parity set the parameters of the others.
flow_widths <- function(flow, d) {
  each <- if (flow$map == "realnvp") 2L else 3L * flow$bins - 1L
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

# A flow as the engine takes it: see src/ffi.h. With a `count` so many of this shape, one a
# component, otherwise one for all of them.
engine_flow <- function(flow, d) {
  if (is.null(flow)) {
    return(NULL)
  }
  list(
    kind = match(flow$map, flow_maps), layers = flow$layers, bins = flow$bins %||% 0L,
    bound = flow$tail_bound %||% 0, activation = match(flow$activation, activations) - 1L,
    fixed = isTRUE(flow$fixed), count = flow$count %||% 1L, widths = flow_widths(flow, d)
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

# Parameters with those of a flow where there is one.
add_flow <- function(parameters, flow) {
  if (!is.null(flow)) parameters$flow <- identity_flow(flow, ncol(parameters$mean))
  parameters
}

# A problem with a flow. That of a flow alone leaves its base, the standard normal, as it is.
add_map <- function(problem, flow, call) {
  if (!is.null(flow)) check_map_size(flow, ncol(problem$y), call)
  problem$flow <- flow
  if (isTRUE(flow$fixed)) problem$floor[] <- 0
  problem
}

check_map_size <- function(flow, d, call) {
  parameters <- sum(flow_counts(engine_flow(flow, d)))
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

# The flow of a fit on the working scale: u = F((y - center) / scale).
fitted_flow <- function(parameters, problem) {
  c(problem$flow, problem[c("center", "scale")], parameters$flow)
}
