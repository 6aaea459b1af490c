# Where a variational fit starts: a Gaussian mixture that covers the target.

# list(parameters, center, scale, evidence): the parameters of a Gaussian mixture (or a network,
# from a density) on the standardised scale; the evidence as a search estimates it, else NULL.
vi_start <- function(start, target, settings) {
  evidence <- NULL
  density <- if (inherits(start, "cwmix_density")) {
    start
  } else if (is.matrix(start)) {
    mixture_of_draws(start, NULL, settings)
  } else if (start == "wide") {
    wide_mixture(target, settings)
  } else {
    found <- search_mixture(target, settings)
    evidence <- found$evidence
    found$mixture
  }
  constant <- is_constant(joint_classifier(density))
  moments <- closed_moments(if (constant) density else of_equal_weights(density))
  center <- moments$mean
  scale <- sqrt(diag(moments$vcov))
  list(
    parameters = standardise_parameters(unnamed_parameters(density), center, scale),
    center = center, scale = scale, evidence = evidence
  )
}

# `start` as it is used: a string, a matrix of draws on the working scale, or a density of the shape
# of the fit. Any other density stands for its draws.
check_vi_start <- function(start, target, settings, call) {
  if (inherits(start, "cwmix_density")) {
    validate_density(start, "start", call)
    check_start_columns(start, target$frame, call)
    if (!is.null(start_at(start, double(target$d), rep(1, target$d), NULL))) {
      part <- summands(start, 1)$parts[[1]]
      check_start_shape(part, settings, call)
      return(unbounded(part))
    }
    start <- at_call(call, draw(start, settings$control$draws))
  }
  if (is_plain_numeric(start) || is.data.frame(start)) {
    points <- read_training(start, call, "start")
    if (ncol(points$x) != target$d || nrow(points$x) <= max(settings$K, target$d)) {
      stop_input("`start` must be draws in ", plural(target$d, "column"), ", more of them than ",
        "columns and components, not ", describe(start), ".",
        call = call
      )
    }
    support <- target$frame$support
    check_inside(points$x, support, seq_len(target$d), call, "start")
    return(to_working(points$x, support)$y)
  }
  if (!identical(start, "search") && !identical(start, "wide")) {
    stop_input("`start` must be \"search\", \"wide\", a matrix of draws or a density, not ",
      describe(start), ".",
      call = call
    )
  }
  start
}

check_start_shape <- function(start, settings, call) {
  classifier <- joint_classifier(start)
  layers <- classifier$weights
  widths <- vapply(layers[-length(layers)], nrow, 0L)
  like_ours <- identical(as.integer(settings$hidden), as.integer(widths)) &&
    !is.null(settings$hidden) && identical(classifier$activation, settings$activation)
  wanted <- describe_components(settings$K, dimension(start), settings$full)
  if (describe_kind(start) != wanted) {
    stop_input("`start` must have ", wanted, ", not ", describe_kind(start), ".", call = call)
  }
  if (!is_constant(classifier) && !like_ours) {
    stop_input(
      "`start` must have constant weights or a network with the layers `hidden` and the same ",
      "activation, not ", describe_classifier(classifier), ".",
      call = call
    )
  }
}

unnamed_parameters <- function(density) {
  parameters <- parameters(density)
  parameters$mean <- unname(parameters$mean)
  if (!is.null(parameters$log_sd)) parameters$log_sd <- unname(parameters$log_sd)
  parameters
}

# A network's mixture with equal weights: enough for a scale.
of_equal_weights <- function(density) {
  density$classifier <- constant_classifier(rep(1, size(density)$K))
  density
}

# K components drawn from N(0, spread^2), as wide as their number lets them be.
wide_mixture <- function(target, settings) {
  d <- target$d
  K <- settings$K
  spread <- settings$control$spread
  sd <- spread * K^(-1 / d) * if (K > 1) 0.7 else 1
  mean <- matrix(stats::rnorm(K * d, sd = if (K > 1) 0.7 * spread else 0), K)
  plain_normal(mixture_parameters(mean, rep(sd, d), settings$full, rep(-log(K), K)))
}

# EM on points of the working scale, with weights: from its own starts and, where means are given
# that leave room for it, from these and some of the points; the better of the two.
mixture_of_draws <- function(y, weights, settings, full = settings$full, means = NULL) {
  K <- settings$K
  control <- cwmix_control(
    em_iterations = 200, em_tolerance = 1e-5, starts = 2, threads = settings$control$threads,
    verbose = FALSE
  )
  fit <- function(start) {
    without_complaints(gaussian_mixture(y,
      K = K, covariance = if (full) "full" else "diagonal", weights = weights, start = start,
      control = control
    ))
  }
  tryCatch(
    {
      best <- fit(NULL)
      if (!is.null(means) && nrow(means) <= K) {
        others <- pick_rows(weights %||% rep(1, nrow(y)), K - nrow(means))
        second <- fit(rbind(means, y[others, , drop = FALSE]))
        if (second$log_likelihood > best$log_likelihood) best <- second
      }
      best
    },
    cwmix_error = function(e) {
      needed <- if (is.null(weights)) "`start` must be" else "`K` must be small enough for"
      stop_input(needed, " draws that a mixture of ", K, " components can be fitted to: ",
        as_sentence(conditionMessage(e)),
        call = NULL
      )
    }
  )
}

# A start need not be a good fit.
without_complaints <- function(code) {
  suppressWarnings(code, classes = c("cwmix_not_converged", "cwmix_degenerate"))
}

# Rounds of importance sampling, the proposal being a mixture with full covariances fitted to the
# weighted draws of the round before (population Monte Carlo: Cappe et al. 2008). The weights are
# tempered as far as needed for an effective sample of a tenth of the draws (Koblents and Miguez
# 2015), so that early rounds move slowly and separated modes are kept; a part of the proposal stays
# wide and at the modes. list(mixture, evidence), the evidence NA where weights stay tempered.
search_mixture <- function(target, settings) {
  control <- settings$control
  modes <- normals_at_modes(find_modes(target, control))
  everywhere <- list(mean = double(target$d), vcov = diag(control$spread^2, target$d))
  wide <- normal_components(list(everywhere))
  proposal <- joined(wide, modes, c(0.5, 0.5))
  least <- control$draws / 10
  best <- list(quality = -Inf)
  for (round in seq_len(search_rounds)) {
    y <- unname(draw(proposal, control$draws))
    log_p <- target_log_density(target, y)
    log_q <- evaluate(proposal, points_at(y), "density")
    log_weight <- log_p - log_q
    if (sum(log_weight > -Inf) < 2 * settings$K) {
      stop_user("`log_density` must be finite in enough of the region searched, normal with ",
        "standard deviation `spread` (", control$spread, "), but at ", sum(log_p == -Inf), " of ",
        length(log_p), " points it is -Inf. Columns with bounds need `support`."
      )
    }
    power <- tempering(log_weight, least)
    weights <- exp(power * (log_weight - max(log_weight)))
    # The power, and where that is 1 the share of draws that is effective: rounds end when it gains
    # less than two percent.
    quality <- if (power < 1) power else 1 + effective_size(weights) / length(weights)
    settled <- power == 1 && quality < best$quality + 0.02
    if (quality > best$quality) {
      best <- list(quality = quality, y = y, weights = weights, log_weight = log_weight)
    }
    if (settled && round >= 4) break
    fit <- mixture_of_draws(y, weights, settings, full = TRUE, means = modes$mean)
    proposal <- widened(fit, modes)
  }
  list(
    mixture = mixture_of_draws(best$y, best$weights, settings, means = modes$mean),
    evidence = if (best$quality >= 1) log_evidence(best$log_weight) else unknown_evidence
  )
}

# A tempered search has some four rounds to go by itself; in higher dimensions twenty are not rare.
search_rounds <- 30

# The largest power up to 1 of the weights with at least the effective size asked for.
tempering <- function(log_weight, least) {
  log_weight <- log_weight - max(log_weight)
  gap <- function(power) effective_size(exp(power * log_weight)) - least
  if (gap(1) >= 0) {
    return(1)
  }
  if (gap(1e-8) <= 0) {
    return(1e-8)
  }
  stats::uniroot(gap, c(1e-8, 1), tol = 1e-6)$root
}

# A mixture and, for a tenth each, a normal with its moments and twice its spread, and the modes.
widened <- function(mixture, modes) {
  moments <- closed_moments(mixture)
  wide <- normal_components(list(list(mean = moments$mean, vcov = 4 * moments$vcov)))
  joined(joined(unbounded(mixture), wide, c(0.9, 0.1)), modes, c(0.9, 0.1))
}

# One density, or two averaged where there is another.
joined <- function(density, other, shares) {
  if (is.null(other)) density else sum_of(list(density, other), shares, "cwmix_average")
}

# A mixture with equal weights of normals, each a list(mean, vcov).
normal_components <- function(normals) {
  d <- length(normals[[1]]$mean)
  factors <- lapply(normals, function(normal) t(chol(normal$vcov)))
  new_normal(
    mean = t(matrix(vapply(normals, `[[`, double(d), "mean"), d)),
    cholesky = array(unlist(factors), c(d, d, length(normals))),
    classifier = constant_classifier(rep(1, length(normals))), frame = plain_frame(d),
    class = "cwmix_model"
  )
}

# Half as wide again as their curvature says, as tails may be; NULL without modes.
normals_at_modes <- function(modes) {
  if (length(modes) > 0) {
    normal_components(lapply(modes, function(mode) list(mean = mode$mean, vcov = 2.25 * mode$vcov)))
  }
}

# Modes from several starts, each a list(mean, vcov, precision): R's BFGS, and the inverse of minus
# the Hessian with standard deviations of at most the spread.
find_modes <- function(target, control) {
  d <- target$d
  starts <- matrix(stats::rnorm(control$searches * d, sd = control$spread), control$searches)
  value <- function(y) {
    value <- target_log_density(target, matrix(y, 1))
    # optim() needs finite values: a density of zero is as low as a number can be.
    if (value == -Inf) -1e300 else value
  }
  slope <- function(y) target_gradient(target, matrix(y, 1))[1, ]
  modes <- list()
  for (i in seq_len(nrow(starts))) {
    if (value(starts[i, ]) == -1e300) next
    run <- tryCatch(
      stats::optim(starts[i, ], value, slope,
        method = "BFGS", control = list(fnscale = -1, maxit = 200)
      ),
      # A run into a place without slope ends there.
      cwmix_slope_error = function(e) NULL
    )
    if (is.null(run) || is_known(run$par, modes)) next
    hessian <- tryCatch(
      stats::optimHess(run$par, value, slope),
      cwmix_slope_error = function(e) NULL
    )
    if (is.null(hessian) || !all(is.finite(hessian))) next
    mode <- c(list(mean = run$par), laplace(hessian, control$spread))
    # Where the density has no upper bound a run ends at a spike that no normal describes.
    if (is_definite(mode$vcov)) modes[[length(modes) + 1]] <- mode
  }
  modes
}

# list(vcov, precision).
laplace <- function(hessian, spread) {
  parts <- eigen(-(hessian + t(hessian)) / 2, symmetric = TRUE)
  precision <- pmax(parts$values, 1 / spread^2)
  of <- function(values) parts$vectors %*% (values * t(parts$vectors))
  list(vcov = of(1 / precision), precision = of(precision))
}

is_definite <- function(vcov) {
  factor <- tryCatch(chol(vcov), error = function(e) NULL)
  !is.null(factor) && all(is.finite(factor))
}

# Within half a standard deviation of a mode.
is_known <- function(y, modes) {
  any(vapply(modes, function(mode) {
    stats::mahalanobis(y, mode$mean, mode$precision, inverted = TRUE) < 0.25
  }, NA))
}
