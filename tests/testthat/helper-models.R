# Models, points and data to test with, all from fixed seeds.

# Evaluates code with the generator at a seed and puts the generator back.
with_fixed_seed <- function(seed, code) {
  old <- get0(".Random.seed", globalenv(), inherits = FALSE)
  on.exit(
    if (is.null(old)) {
      rm(".Random.seed", envir = globalenv())
    } else {
      assign(".Random.seed", old, globalenv())
    }
  )
  set.seed(seed)
  code
}

# hidden = NULL: constant weights; integer(0): softmax-linear.
make_parameters <- function(d, K, hidden = NULL, covariance = "diagonal",
                            activation = "tanh", seed = 1) {
  with_fixed_seed(seed, {
    p <- list(mean = matrix(rnorm(K * d, sd = 1.5), K, d))
    if (covariance == "diagonal") {
      p$log_sd <- matrix(rnorm(K * d, -0.2, 0.4), K, d)
    } else {
      p$log_cholesky <- array(0, c(d, d, K))
      for (k in seq_len(K)) {
        l <- matrix(rnorm(d * d, sd = 0.4), d, d)
        l[upper.tri(l)] <- 0
        diag(l) <- rnorm(d, -0.2, 0.4)
        p$log_cholesky[, , k] <- l
      }
    }
    if (is.null(hidden)) {
      p$weights <- list()
      p$biases <- list(reference_log_softmax(rnorm(K)))
    } else {
      widths <- c(d, hidden, K)
      p$weights <- vector("list", length(widths) - 1L)
      p$biases <- p$weights
      for (l in seq_along(p$weights)) {
        size <- widths[l + 1L] * widths[l]
        p$weights[[l]] <- matrix(
          rnorm(size, sd = 1.5 / sqrt(widths[l])), widths[l + 1L], widths[l]
        )
        p$biases[[l]] <- rnorm(widths[l + 1L], sd = 0.5)
      }
    }
    p$activation <- activation
    p
  })
}

as_classifier <- function(p) {
  if (length(p$weights) == 0L) {
    return(exp(reference_log_softmax(p$biases[[1L]])))
  }
  cwmix_classifier(p$weights, p$biases, activation = p$activation)
}

# The package's model of these parameters; `...` goes to cwmix_model().
as_model <- function(p, ..., classifier = as_classifier(p)) {
  if (!is.null(p$log_sd)) {
    return(cwmix_model(p$mean, sd = exp(p$log_sd), classifier = classifier, ...))
  }
  covariance <- p$log_cholesky
  for (k in seq_len(nrow(p$mean))) {
    covariance[, , k] <- tcrossprod(reference_factor(p, k))
  }
  cwmix_model(p$mean, covariance = covariance, classifier = classifier, ...)
}

make_model <- function(d, K, hidden = NULL, covariance = "diagonal",
                       activation = "tanh", seed = 1) {
  as_model(make_parameters(d, K, hidden, covariance, activation, seed))
}

make_points <- function(n, d, seed = 1) {
  with_fixed_seed(1000 + seed, matrix(rnorm(n * d, sd = 2), n, d))
}

# Data on grids, each value moved within its cell, so that no two in a column are alike and nothing
# is known of how they were recorded.
untied <- function(x) {
  if (is.list(x)) {
    x[] <- lapply(x, untied)
    return(x)
  }
  step <- min(diff(sort(unique(x))))
  golden <- (sqrt(5) - 1) / 2
  x + 0.8 * step * ((seq_along(x) * golden) %% 1 - 0.5)
}

# Points on which networks gain.
ring <- function(n, seed = 1) {
  with_fixed_seed(seed, {
    angle <- runif(n, 0, 2 * pi)
    radius <- runif(n, 2, 3)
    cbind(x = radius * cos(angle), y = radius * sin(angle))
  })
}

# Every combination of dimension, components, network, map and activation; the
# number of rows (never a multiple of a vector's width) goes round a Latin square.
# Each comes with its name, parameters `p` and points `x`.
scenarios <- function(d = c(1, 2, 5), K = c(1, 2, 7),
                      hidden = list(NULL, integer(0), 5, c(19, 8, 3)),
                      covariance = c("diagonal", "full"),
                      activation = c("tanh", "relu", "silu"), n = c(1, 7, 37)) {
  grid <- expand.grid(
    d = seq_along(d), K = seq_along(K), hidden = seq_along(hidden),
    covariance = covariance, activation = activation, stringsAsFactors = FALSE
  )
  # the activation only matters where there is a hidden layer
  deep <- lengths(hidden)[grid$hidden] > 0
  grid <- grid[deep | grid$activation == activation[1L], ]
  lapply(seq_len(nrow(grid)), function(i) {
    g <- grid[i, ]
    widths <- hidden[[g$hidden]]
    rows <- n[(g$d + g$K + g$hidden) %% length(n) + 1L]
    list(
      name = sprintf(
        "d = %d, K = %d, hidden = %s, %s, %s, n = %d", d[g$d], K[g$K],
        if (is.null(widths)) "NULL" else paste0("(", toString(widths), ")"),
        g$covariance, g$activation, rows
      ),
      p = make_parameters(d[g$d], K[g$K], widths, g$covariance, g$activation, i),
      x = make_points(rows, d[g$d], i)
    )
  })
}

# Gaussian mixtures to start from, points and observation weights.
em_scenarios <- function(d = c(1, 2, 5), K = c(1, 2, 7), n = 101) {
  lapply(
    scenarios(d, K, hidden = list(NULL), activation = "tanh", n = n),
    function(s) c(s, list(weights = with_fixed_seed(1, runif(n, 0.5, 2))))
  )
}

# Every kind of pooling that covariances of these parameters may have, by its name.
poolings <- function(p) {
  kinds <- list(free = pool(), shrunk = pool(7.5), tied = pool(Inf))
  if (!is.null(p$log_sd)) {
    kinds <- c(kinds, list(
      spherical = pool(0, TRUE), "shrunk spherical" = pool(7.5, TRUE),
      "tied spherical" = pool(Inf, TRUE)
    ))
  }
  kinds
}

# What em_steps() takes as parameters.
em_parameters <- function(p) p[setdiff(names(reference_coef(p)), "weights")]

# What coef() should say of these parameters.
reference_coef <- function(p) p[setdiff(names(p), c("activation", "log_likelihood", "shape"))]

# The blocks of a gradient: c("mean"), ..., c("weights", "1"), ..., c("biases", "1"), and of a flow
# c("flow", "weights", "1", "1"), ..., of flow k c("flow", "weights", k, "1", "1"), ...
gradient_blocks <- function(p) {
  within <- function(block) {
    if (!is.list(get_block(p, block))) {
      return(list(block))
    }
    names <- names(get_block(p, block)) %||% seq_along(get_block(p, block))
    unlist(lapply(names, function(name) within(c(block, name))), recursive = FALSE)
  }
  within_flow <- if (!is.null(p$flow)) within("flow")
  if (isTRUE(p$shape$fixed)) {
    return(within_flow)
  }
  scale <- intersect(c("mean", "log_sd", "log_cholesky"), names(p))
  c(as.list(scale), within("weights"), within("biases"), within_flow)
}

# Names and, as text, numbers, one level each.
block_entry <- function(at) if (grepl("^[0-9]+$", at)) as.integer(at) else at

get_block <- function(p, block) {
  for (at in block) p <- p[[block_entry(at)]]
  p
}

set_block <- function(p, block, value) {
  at <- block_entry(block[1L])
  p[[at]] <- if (length(block) == 1L) value else set_block(p[[at]], block[-1L], value)
  p
}

# A direction of length one in the block's free parameters.
random_direction <- function(p, block, seed = 1) {
  direction <- get_block(p, block)
  direction[] <- with_fixed_seed(2000 + seed, rnorm(length(direction)))
  if (identical(block, "log_cholesky")) {
    d <- ncol(p$mean)
    direction[rep(upper.tri(diag(d)), times = nrow(p$mean))] <- 0
  }
  direction / sqrt(sum(direction^2))
}

# Three clusters of unequal size, far apart unless the spread is wide.
make_clusters <- function(d, spread = 0.5, n = c(151, 83, 47)) {
  centres <- rep(c(-6, 0, 7), n)
  with_fixed_seed(3, matrix(rnorm(sum(n) * d, sd = spread), ncol = d)) + centres
}

# A ring, which few ellipses cover badly.
make_ring <- function(n, seed = 1) {
  with_fixed_seed(seed, {
    angle <- runif(n, 0, 2 * pi)
    cbind(cos(angle), sin(angle)) * rnorm(n, 3, 0.25)
  })
}

vector_model <- function() cwmix_model(c(-1, 1), sd = c(1, 2), classifier = c(0.3, 0.7))

# Weights that switch with the point, so that components and z depend on each other.
switching_model <- function(...) {
  cwmix_model(
    c(-1.5, 1, 4),
    sd = c(0.7, 1, 0.5),
    classifier = cwmix_classifier(
      list(matrix(c(2, -1)), matrix(c(1.5, -1, 0.5, -0.5, 1, 0.2), 3)),
      list(c(0.3, -0.5), c(0.1, 0.2, -0.2))
    ), ...
  )
}

bounds <- function(lower, upper) {
  matrix(c(lower, upper), 1, dimnames = list(NULL, c("lower", "upper")))
}

example_supports <- function() {
  list(
    bounds(0, Inf), bounds(-3, Inf), bounds(-Inf, 2), bounds(0, 1), bounds(-5, 7),
    bounds(1e6, 1e6 + 1)
  )
}

# A mixture whose columns have the given support.
bounded_model <- function(support, classifier = c(0.3, 0.7)) {
  cwmix_model(c(-0.7, 0.8), sd = c(0.5, 0.9), classifier = classifier, support = support)
}

small_network <- function() {
  cwmix_classifier(
    list(matrix(c(1.5, -1, 0.5)), matrix(c(1, -1, 0.5, 0.3, -2, 1), 2)),
    list(c(0.1, 0, -0.3), c(0.2, -0.4))
  )
}

large_model <- function(covariance = "diagonal") {
  make_model(3, 6, c(24, 16), covariance, seed = 31)
}

torture_models <- function() {
  shapes <- list(
    list(NULL, "diagonal"), list(NULL, "full"), list(integer(0), "diagonal"), list(c(5, 4), "full")
  )
  lapply(shapes, function(shape) {
    model <- make_model(3, 4, shape[[1]], shape[[2]])
    engine_model(coef(model), "tanh")
  })
}

torture_options <- function() adam_options(rep(-5, 3), 1e-3, 10, 20)

# Parameters of the members of an average, in the order in which it has them: constant weights last,
# by decreasing weight. `covariance` may be "mixed".
make_members <- function(d, covariance = "diagonal", seed = 1) {
  each <- if (covariance == "mixed") c("diagonal", "full", "diagonal") else rep(covariance, 3)
  constant <- make_parameters(d, 2, NULL, each[3], seed = seed + 2)
  constant$biases[[1]] <- sort(constant$biases[[1]], decreasing = TRUE)
  list(
    make_parameters(d, 3, c(5, 4), each[1], seed = seed),
    make_parameters(d, 2, 6, each[2], "silu", seed = seed + 1), constant
  )
}

member_shares <- function() c(0.2, 0.5, 0.3)

make_average <- function(d, covariance = "diagonal", ..., seed = 1) {
  models <- lapply(make_members(d, covariance, seed), as_model, ...)
  cwmix_average(models, member_shares())
}

# Models in the CDF form, and what reference_cdf_form() takes: a network, an R function, constants.
cdf_models <- function() {
  network <- cwmix_classifier(
    list(matrix(c(4, -2, 1)), matrix(c(2, -3, 1, 0.5, 1, -2), 2)), list(c(-2, 1, 0), c(0.2, -0.1))
  )
  waves <- function(u) {
    w <- cbind(1 + sin(9 * u), 1 + cos(5 * u), 0.3)
    w / rowSums(w)
  }
  list(
    network = list(
      model = cwmix_model(
        components = list(gamma = list(shape = 2, rate = 0.5), lnorm = list(meanlog = 1)),
        classifier = network
      ),
      components = list(list("gamma", shape = 2, rate = 0.5), list("lnorm", meanlog = 1)),
      alpha = function(u) predict(network, u)[1, ]
    ),
    "R function" = list(
      model = cwmix_model(
        components = list(t = c(df = 5), beta = list(shape1 = c(2, 3), shape2 = 4)),
        classifier = waves
      ),
      components = list(
        list("t", df = 5), list("beta", shape1 = 2, shape2 = 4),
        list("beta", shape1 = 3, shape2 = 4)
      ),
      alpha = function(u) waves(matrix(u))[1, ]
    ),
    constant = list(
      model = cwmix_model(
        components = list(weibull = list(shape = 1.5, scale = 2), exp = list(), norm = list()),
        classifier = c(0.2, 0.3, 0.5)
      ),
      components = list(list("weibull", shape = 1.5, scale = 2), list("exp"), list("norm")),
      alpha = function(u) c(0.2, 0.3, 0.5)
    )
  )
}

# Normal components in either form, with the same classifier.
normal_pair <- function() {
  alpha <- function(u) cbind(u^2, 1 - u^2)
  mean <- c(-1, 2)
  sd <- c(1, 0.5)
  list(
    base = cwmix_model(mean, sd = sd, classifier = function(z) alpha(pnorm(z))),
    cdf = cwmix_model(components = list(norm = list(mean = mean, sd = sd)), classifier = alpha)
  )
}
