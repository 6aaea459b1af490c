# Flows to test with: parameters, points, and what the engine says of them.

# The numbers of nodes in the layers of a coupling's network, l from 0.
coupling_widths <- function(shape, d, l) {
  if (d == 1L) {
    return(c(0, coupling_outputs(shape)))
  }
  passed <- sum((seq_len(d) - 1) %% 2 == l %% 2)
  c(passed, shape$hidden, coupling_outputs(shape) * (d - passed))
}

# Per transformed coordinate.
coupling_outputs <- function(shape) if (shape$kind == "realnvp") 2 else 3 * shape$bins - 1

make_shape <- function(kind = "realnvp", layers = 3, hidden = c(5, 4), bins = 4, tail_bound = 3,
                     activation = "tanh", fixed = FALSE, count = 1L) {
  list(
    kind = kind, layers = as.integer(layers), hidden = hidden, bins = bins, tail_bound = tail_bound,
    activation = activation, fixed = fixed, count = as.integer(count)
  )
}

# Of the outputs of the networks about `size` is the spread.
make_flow <- function(shape, d, size = 1, seed = 1) {
  with_fixed_seed(3000 + seed, {
    weights <- biases <- vector("list", shape$layers)
    for (l in seq_len(shape$layers)) {
      widths <- coupling_widths(shape, d, l - 1)
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
make_flow_mixture <- function(shape, d, K, ..., size = 1, seed = 1) {
  p <- make_parameters(d, K, ..., seed = seed)
  p$flow <- make_flow(shape, d, size, seed)
  p$shape <- shape
  p
}

# The same with a flow a component.
make_own_flows <- function(shape, d, K, ..., size = 1, seed = 1) {
  p <- make_flow_mixture(shape, d, K, ..., size = size, seed = seed)
  flows <- lapply(seq_len(K), function(k) make_flow(shape, d, size, 100 * k + seed))
  with_flows(p, flows)
}

# Component k of `p` behind flow k of the list.
with_flows <- function(p, flows) {
  p$shape$count <- length(flows)
  p$flow <- if (length(flows) == 1) {
    flows[[1]]
  } else {
    list(weights = lapply(flows, `[[`, "weights"), biases = lapply(flows, `[[`, "biases"))
  }
  p
}

# A flow alone: a standard normal behind it, which is not trained.
make_flow_alone <- function(shape, d, ..., seed = 1) {
  zero <- matrix(0, 1, d)
  list(
    mean = zero, log_sd = zero, weights = list(), biases = list(0),
    flow = make_flow(shape, d, ..., seed = seed), activation = "tanh",
    shape = replace(shape, "fixed", TRUE)
  )
}

# What the engine takes for these parameters.
flow_model <- function(p) {
  d <- ncol(p$mean)
  model <- engine_model(reference_coef(p), p$activation)
  spline <- p$shape$kind == "spline"
  model$flow <- list(
    kind = 1L + spline, layers = as.integer(p$shape$layers),
    bins = if (spline) as.integer(p$shape$bins) else 0L,
    bound = if (spline) p$shape$tail_bound else 0,
    activation = match(p$shape$activation, activations) - 1L, fixed = p$shape$fixed,
    count = p$shape$count,
    widths = matrix(
      as.integer(c(coupling_widths(p$shape, d, 0), coupling_widths(p$shape, d, 1))),
      ncol = 2
    )
  )
  model
}

# What the engine says of the points x: list(x, log_det), of flow k.
through_flow <- function(p, x, inverse = FALSE, single = FALSE, instance = NULL, threads = 1L,
                         k = 1L) {
  in_instance(
    .Call(ffi_flow, flow_model(p), x, inverse, k - 1L, single, threads),
    instance = instance
  )
}

# As reference_log_quantities(), of the engine.
engine_log_quantities <- function(p, x, single = FALSE, instance = NULL, threads = 1L) {
  types <- c("density", "posterior", "weights", "component")
  quantity <- function(type) {
    .Call(ffi_density, flow_model(p), x, quantities[[type]], single, threads)
  }
  in_instance(
    {
      values <- lapply(stats::setNames(types, types), quantity)
      values$density <- as.vector(values$density)
      values
    },
    instance = instance
  )
}

# The engine's gradients of sum_i a_i log p(x_i): list(value, gradient, log_density, dx), the
# gradient a list; of a flow alone only that of the flow counts.
flow_gradient <- function(p, x, a = NULL, sampling = all_components, single = FALSE,
                          instance = NULL, threads = 1L) {
  out <- in_instance(
    .Call(ffi_gradient, flow_model(p), x, a, TRUE, sampling, single, threads),
    instance = instance
  )
  out$gradient <- trained_part(unflatten(out$gradient, reference_coef(p)), p)
  out
}

trained_part <- function(gradient, p) if (p$shape$fixed) gradient["flow"] else gradient

flow_pulled_back <- function(p, y, dy, instance = NULL, threads = 1L, k = 1L) {
  out <- in_instance(
    .Call(ffi_flow_pullback, flow_model(p), y, dy, k - 1L, threads),
    instance = instance
  )
  c(out["dx"], unflatten(out$gradient, reference_coef(p))["flow"])
}

# Flows of every kind, activation and some dimensions, before mixtures of every kind and alone;
# odd numbers of rows. Each comes with its name, parameters and points, some of them beyond the
# bounds of a spline.
flow_scenarios <- function(d = c(1, 2, 3, 5), n = c(1, 7, 19), size = 0.4) {
  grid <- expand.grid(
    d = d, kind = c("realnvp", "spline"), activation = c("tanh", "relu", "silu"),
    stringsAsFactors = FALSE
  )
  turn <- function(values, i) values[[(i - 1) %% length(values) + 1]]
  unlist(lapply(seq_len(nrow(grid)), function(i) {
    g <- grid[i, ]
    shape <- make_shape(
      g$kind,
      layers = turn(c(3, 2, 4, 1), i + i %/% 4),
      hidden = turn(list(c(5, 4), 9, integer(0)), i %/% 3),
      bins = turn(c(4, 2, 3, 5), i), activation = g$activation
    )
    hidden <- turn(list(NULL, 5, integer(0), c(4, 3)), i + i %/% 4)
    K <- turn(c(1, 4), i + i %/% 2)
    covariance <- turn(c("diagonal", "full"), i %/% 3)
    x <- make_points(turn(n, i), g$d, i)
    name <- sprintf(
      "%s, d = %d, %d layers, %d hidden, %s, n = %d", g$kind, g$d, shape$layers,
      length(shape$hidden), g$activation, nrow(x)
    )
    list(
      list(
        name = paste(name, K, length(hidden), covariance), x = x,
        p = make_flow_mixture(
          shape, g$d, K, hidden, covariance, g$activation,
          size = size, seed = i
        )
      ),
      list(
        name = paste(name, "alone"), x = x, p = make_flow_alone(shape, g$d, size = size, seed = i)
      )
    )
  }), recursive = FALSE)
}

# Flows of every kind before components of every kind, one each; with K = 1 it is the shared one.
own_flow_scenarios <- function(d = c(1, 2, 3, 5), n = c(1, 7, 19), size = 0.4) {
  grid <- expand.grid(d = d, kind = c("realnvp", "spline"), K = c(4, 1), stringsAsFactors = FALSE)
  turn <- function(values, i) values[[(i - 1) %% length(values) + 1]]
  lapply(seq_len(nrow(grid)), function(i) {
    g <- grid[i, ]
    activation <- turn(c("tanh", "silu", "relu"), i)
    shape <- make_shape(
      g$kind,
      layers = turn(c(2, 3, 1), i), hidden = turn(list(5, c(4, 3), integer(0)), i + i %/% 4),
      bins = turn(c(3, 2), i), activation = activation
    )
    hidden <- turn(list(c(4, 3), NULL, 5, integer(0)), i + i %/% 4)
    covariance <- turn(c("full", "diagonal"), i + i %/% 2)
    x <- make_points(turn(n, i), g$d, i)
    name <- sprintf(
      "%d of %s, d = %d, %d layers, %d hidden, n = %d", g$K, g$kind, g$d, shape$layers,
      length(shape$hidden), nrow(x)
    )
    list(
      name = paste(name, length(hidden), covariance), x = x,
      p = make_own_flows(shape, g$d, g$K, hidden, covariance, activation, size = size, seed = i)
    )
  })
}

# More rows than pass a flow at a time and than a tile has, with remainders.
large_flow_scenarios <- function() {
  one <- function(kind, d, K, classifier, alone = FALSE, ...) {
    shape <- make_shape(kind, ...)
    p <- if (alone) {
      make_flow_alone(shape, d, size = 0.5, seed = 7)
    } else {
      make_flow_mixture(shape, d, K, classifier, "full", size = 0.5, seed = 7)
    }
    list(name = paste(shape$kind, d, K, alone), p = p, x = make_points(1201, d, 7))
  }
  own <- function(s) {
    flows <- lapply(seq_len(nrow(s$p$mean)), function(k) {
      make_flow(s$p$shape, ncol(s$x), 0.5, seed = 70 + k)
    })
    list(name = paste("own", s$name), p = with_flows(s$p, flows), x = s$x)
  }
  list(
    one("realnvp", 2, 6, c(24, 16), hidden = c(33, 20)),
    one("spline", 3, 6, NULL, hidden = c(20, 17), activation = "silu"),
    one("realnvp", 19, 2, 5, hidden = 24, activation = "relu"),
    one("spline", 2, 1, NULL, TRUE, hidden = c(24, 24)),
    one("realnvp", 1, 1, NULL, TRUE), one("spline", 1, 3, 8),
    own(one("spline", 2, 4, c(24, 16), hidden = c(20, 17))),
    own(one("realnvp", 5, 3, NULL, hidden = 24, activation = "silu"))
  )
}

# Where the bins of the first layer's first transform begin and end: of one column only.
first_knots <- function(p) {
  raw <- p$flow$biases[[1]][[1]][seq_len(p$shape$bins)]
  sizes <- 1e-3 + (1 - 1e-3 * p$shape$bins) * exp(raw) / sum(exp(raw))
  -p$shape$tail_bound + 2 * p$shape$tail_bound * c(0, cumsum(sizes))
}
