# Points through a fitted flow F and back. F is a list: its shape (flow-shape.R), `weights` and
# `biases` of its networks, and the `center` and `scale` of the working scale that it starts from,
# so that u = F((y - center) / scale). Of several flows of one shape, one a component, `weights` and
# `biases` are lists over these: points go through one_flow() of them.

# u at points on the working scale, and the log of the Jacobian's determinant: list(u, log_det).
flow_forward <- function(flow, y, how = list()) {
  x <- standardise(y, flow$center, flow$scale)
  at <- engine_flow_pass(flow_model(flow), x, FALSE, how = how)
  list(u = at$x, log_det = at$log_det - sum(log(flow$scale)))
}

# The points of the working scale whose images under F are u; in blocks, as the engine's memory
# grows with the rows.
flow_inverse <- function(flow, u) {
  y <- matrix(0, nrow(u), ncol(u))
  model <- flow_model(flow)
  for (rows in row_blocks(nrow(u), ncol(u))) {
    x <- engine_flow_pass(model, u[rows, , drop = FALSE], TRUE)$x
    y[rows, ] <- unstandardise(x, flow$center, flow$scale)
  }
  y
}

# A function's derivatives at points y = F^-1(u) on the working scale as derivatives in u, with y
# following, and in the flow's parameters, with u held fixed: list(u, parameters).
flow_pullback <- function(flow, y, dy) {
  model <- flow_model(flow)
  x <- standardise(y, flow$center, flow$scale)
  back <- engine_flow_pullback(model, x, dy * rep(flow$scale, each = nrow(dy)))
  list(u = back$dx, parameters = unflatten(back$gradient, flow_parameters(flow))$flow)
}

# That of component k among flows of their own.
one_flow <- function(flow, k) {
  flow$weights <- flow$weights[[k]]
  flow$biases <- flow$biases[[k]]
  flow$shared <- TRUE
  flow
}

# The engine passes flows as parts of models; the components play no role here.
flow_model <- function(flow) engine_model(flow_parameters(flow), flow = flow)

flow_parameters <- function(flow) {
  d <- length(flow$center)
  mixture <- mixture_parameters(matrix(0, 1, d), rep(1, d), FALSE, 0)
  c(mixture, list(flow = flow[c("weights", "biases")]))
}

# That a fitted flow is one of d columns, or of as many `copies`.
validate_flow <- function(flow, d, copies = NULL) {
  demand(is.list(flow), "its `flow` is none")
  validate_flow_shape(flow)
  demand(
    are_doubles(flow$center, length = d) && are_doubles(flow$scale, length = d) &&
      all(flow$scale > 0) && all(is.finite(1 / flow$scale)),
    "the `center` and `scale` of its `flow` are not ", d, " numbers each"
  )
  widths <- flow_widths(flow, d)
  count <- copies %||% flow$layers
  demand(
    is.list(flow$weights) && is.list(flow$biases) && length(flow$weights) == count &&
      length(flow$biases) == count,
    "its `flow` has not as many networks as layers"
  )
  for (k in seq_len(copies %||% 1)) {
    own <- flow[c("weights", "biases")]
    if (!is.null(copies)) {
      own <- lapply(own, `[[`, k)
      demand(
        all(vapply(own, is.list, NA)) && all(lengths(own) == flow$layers),
        "flow ", k, " of its `flow` has not as many networks as layers"
      )
    }
    for (l in seq_len(flow$layers)) {
      network <- list(weights = own$weights[[l]], biases = own$biases[[l]])
      width <- widths[, 2 - l %% 2]
      demand(
        identical(lengths(network$biases), width[-1]),
        "the network of layer ", l, " of its `flow` has not the widths that `hidden` says"
      )
      what <- paste("the network of layer", l, "of its `flow`")
      validate_network(network, width[1], width[length(width)], what, rule_out = FALSE)
    }
  }
}
