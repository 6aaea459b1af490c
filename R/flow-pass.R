# Points through a fitted flow F and back. F is a list: its shape (flow-shape.R), `weights` and `biases`
# of its networks, and the `center` and `scale` of the working scale that it starts from, so that
# u = F((y - center) / scale).

# u at points on the working scale, and the log of the Jacobian's determinant: list(u, log_det).
flow_forward <- function(flow, y, how = list()) {
  x <- standardise(y, flow$center, flow$scale)
  at <- engine_flow_pass(flow_model(flow), x, FALSE, how)
  list(u = at$x, log_det = at$log_det - sum(log(flow$scale)))
}

# Back to the working scale, block by block.
flow_inverse <- function(flow, u) {
  y <- matrix(0, nrow(u), ncol(u))
  for (rows in row_blocks(nrow(u), ncol(u))) {
    x <- engine_flow_pass(flow_model(flow), u[rows, , drop = FALSE], TRUE)$x
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

# The engine passes flows as parts of models; the components play no role here.
flow_model <- function(flow) engine_model(flow_parameters(flow), flow = flow)

flow_parameters <- function(flow) {
  d <- length(flow$center)
  mixture <- mixture_parameters(matrix(0, 1, d), rep(1, d), FALSE, 0)
  c(mixture, list(flow = flow[c("weights", "biases")]))
}
