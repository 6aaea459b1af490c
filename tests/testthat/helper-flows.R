# Flows to test with: parameters, points, and what the engine says of them.

# The numbers of nodes in the layers of a coupling's network, l from 0.
coupling_widths <- function(map, d, l) {
  if (d == 1L) {
    return(c(0, coupling_outputs(map)))
  }
  passed <- sum((seq_len(d) - 1) %% 2 == l %% 2)
  c(passed, map$hidden, coupling_outputs(map) * (d - passed))
}

# Per transformed coordinate.
coupling_outputs <- function(map) if (map$map == "realnvp") 2 else 3 * map$bins - 1

make_map <- function(map = "realnvp", layers = 3, hidden = c(5, 4), bins = 4, tail_bound = 3,
                     activation = "tanh", fixed = FALSE) {
  list(
    map = map, layers = layers, hidden = hidden, bins = bins, tail_bound = tail_bound,
    activation = activation, fixed = fixed
  )
}

# Of the outputs of the networks about `size` is the spread.
make_flow <- function(map, d, size = 1, seed = 1) {
  with_fixed_seed(3000 + seed, {
    weights <- biases <- vector("list", map$layers)
    for (l in seq_len(map$layers)) {
      widths <- coupling_widths(map, d, l - 1)
      last <- length(widths) - 1L
      weights[[l]] <- biases[[l]] <- vector("list", last)
      for (i in seq_len(last)) {
        spread <- if (i == last) size else 1.5
        entries <- rnorm(widths[i] * widths[i + 1], sd = spread / sqrt(max(widths[i], 1)))
        weights[[l]][[i]] <- matrix(entries, widths[i + 1], widths[i])
        biases[[l]][[i]] <- rnorm(widths[i + 1], sd = if (i == last) size / 2 else 0.5)
      }
    }
    list(weights = weights, biases = biases)
  })
}

# A mixture behind a flow: the arguments of make_parameters() but the first two in a list.
make_flow_mixture <- function(map, d, K, ..., size = 1, seed = 1) {
  p <- make_parameters(d, K, ..., seed = seed)
  p$flow <- make_flow(map, d, size, seed)
  p$map <- map
  p
}

# A flow alone: a standard normal behind it, which is not trained.
make_flow_alone <- function(map, d, ..., seed = 1) {
  zero <- matrix(0, 1, d)
  list(
    mean = zero, log_sd = zero, weights = list(), biases = list(0),
    flow = make_flow(map, d, ..., seed = seed), activation = "tanh",
    map = replace(map, "fixed", TRUE)
  )
}

# What the engine takes for these parameters.
flow_model <- function(p) {
  d <- ncol(p$mean)
  model <- engine_model(reference_coef(p), p$activation)
  spline <- p$map$map == "spline"
  model$flow <- list(
    kind = 1L + spline, layers = as.integer(p$map$layers),
    bins = if (spline) as.integer(p$map$bins) else 0L,
    bound = if (spline) p$map$tail_bound else 0,
    activation = match(p$map$activation, activations) - 1L, fixed = p$map$fixed,
    widths = matrix(
      as.integer(c(coupling_widths(p$map, d, 0), coupling_widths(p$map, d, 1))),
      ncol = 2
    )
  )
  model
}
