# What the engine takes for a model: see src/ffi.h. `flow` is the shape of a flow whose parameters
# are among those given, or NULL.
engine_model <- function(parameters, activation = "tanh", flow = NULL) {
  full <- is.null(parameters$log_sd)
  widths <- if (length(parameters$weights) > 0) {
    c(ncol(parameters$mean), vapply(parameters$weights, nrow, 0L))
  }
  list(
    parameters = as.double(flatten(parameters)),
    d = ncol(parameters$mean), K = nrow(parameters$mean), full = full,
    activation = match(activation, activations) - 1L, widths = as.integer(widths),
    flow = engine_flow(flow, ncol(parameters$mean), nrow(parameters$mean))
  )
}

# How many weights and biases its flow has.
flow_part <- function(model) flow_counts(model$flow)

# Multiplications for a row in a step, roughly: it goes through a flow once and then to every
# component.
row_work <- function(model) {
  flow <- sum(flow_part(model))
  model$K * (length(model$parameters) - flow + 100) + flow
}

# Where the networks' weights stand in the flat parameters, those of the classifier and those of a
# flow: see src/shape.h.
weight_positions <- function(model) {
  before <- model$K * model$d * (if (model$full) 1 + model$d else 2)
  flow <- flow_part(model)
  before_flow <- length(model$parameters) - sum(flow)
  c(
    before + seq_len(sum(model$widths[-1] * model$widths[-length(model$widths)])),
    before_flow + seq_len(flow[["weights"]])
  )
}

# Lower bounds of the flat parameters: the floor under the standard deviations.
scale_bounds <- function(model, floor) {
  bounds <- rep(-Inf, length(model$parameters))
  d <- model$d
  K <- model$K
  if (model$full) {
    at <- K * d + rep((seq_len(K) - 1) * d^2, each = d) + seq_len(d) + d * (seq_len(d) - 1)
    bounds[at] <- rep(log(floor), K)
  } else {
    bounds[K * d + seq_len(K * d)] <- rep(log(floor), each = K)
  }
  bounds
}
