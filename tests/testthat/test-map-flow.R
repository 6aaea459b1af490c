# Flows in the engine: src/engine/flow.h, map-realnvp.h, map-spline.h, flow-tiles.h.

test_that("the reference of a flow keeps what any flow has to keep", {
  for (s in flow_scenarios(n = 7)) {
    forward <- reference_flow(s$x, s$p)
    back <- reference_flow(forward$x, s$p, inverse = TRUE)
    expect_close(back$x, s$x, 1e-10, floor = 1, info = s$name)
    expect_close(back$log_det, -forward$log_det, 1e-10, floor = 1, info = s$name)
    d <- ncol(s$x)
    jacobian <- vapply(seq_len(d), function(j) {
      complex_step(function(x) reference_flow(matrix(x, 1), s$p)$x[j], s$x[1, ])
    }, double(d))
    expect_close(
      forward$log_det[1], log(abs(det(matrix(jacobian, d)))), 1e-10,
      floor = 1, info = s$name
    )
  }
})

test_that("flows and their log-determinants follow the reference in every instance", {
  for (s in flow_scenarios()) {
    expected <- reference_flow(s$x, s$p)
    each_engine(function(instance, single) {
      expect_close(
        through_flow(s$p, s$x, FALSE, single, instance), expected, if (single) 1e-4 else 1e-12,
        floor = 1, info = paste(s$name, instance, single)
      )
    })
  }
})

test_that("inverses lead to points that the reference sends back", {
  # Of a flat piece the inverse is steep: what can be asked is that F of it is near.
  for (s in flow_scenarios()) {
    u <- reference_flow(s$x, s$p)$x
    each_engine(function(instance, single) {
      info <- paste(s$name, instance, single)
      tolerance <- if (single) 1e-4 else 1e-12
      out <- through_flow(s$p, u, TRUE, single, instance)
      forward <- reference_flow(out$x, s$p)
      expect_close(forward$x, u, tolerance, floor = 1, info = info)
      # in flat pieces the slope changes fast as well
      expect_close(out$log_det, -forward$log_det, 100 * tolerance, floor = 1, info = info)
      if (!single) expect_close(out$x, s$x, 1e-10, floor = 1, info = info)
    })
  }
})

test_that("of one flow a component each follows the reference, forward, back and pulled back", {
  for (s in own_flow_scenarios()) {
    dy <- with_fixed_seed(5, matrix(rnorm(length(s$x)), nrow(s$x)))
    for (k in seq_len(s$p$shape$count)) {
      one <- flow_of(s$p, k)
      expected <- reference_flow(s$x, one)
      pulled <- reference_pullback(s$x, one, dy)
      each_engine(function(instance, single) {
        info <- paste(s$name, k, instance, single)
        tolerance <- if (single) 1e-4 else 1e-12
        out <- through_flow(s$p, s$x, FALSE, single, instance, k = k)
        expect_close(out, expected, tolerance, floor = 1, info = info)
        back <- through_flow(s$p, expected$x, TRUE, single, instance, k = k)
        forward <- reference_flow(back$x, one)
        expect_close(forward$x, expected$x, tolerance, floor = 1, info = info)
        expect_close(back$log_det, -forward$log_det, 100 * tolerance, floor = 1, info = info)
        if (single) {
          return()
        }
        out <- flow_pulled_back(s$p, s$x, dy, instance, k = k)
        its <- flow_of(c(out["flow"], s$p["shape"]), k)["flow"]
        expect_close_gradient(c(out["dx"], its), pulled, 1e-10, info = info)
        # no other flow has a part in it
        expect_identical(sum(flatten(out$flow) != 0), sum(flatten(its) != 0), info = info)
      })
    }
  }
})

test_that("densities behind a flow follow the reference in every instance", {
  for (s in c(flow_scenarios(), own_flow_scenarios())) {
    expected <- reference_log_quantities(s$x, s$p)
    each_engine(function(instance, single) {
      expect_close(
        engine_log_quantities(s$p, s$x, single, instance), expected, if (single) 1e-4 else 1e-12,
        floor = 1, info = paste(s$name, instance, single)
      )
    })
  }
})

test_that("gradients in parameters and points follow the reference in every instance", {
  for (s in c(flow_scenarios()[c(TRUE, TRUE, TRUE, FALSE)], own_flow_scenarios())) {
    # negative weights are good too
    a <- with_fixed_seed(4, rnorm(nrow(s$x)))
    density <- reference_log_density(s$x, s$p)
    dx <- reference_point_gradient(s$x, s$p, a)
    gradient <- trained_part(reference_gradient(s$x, s$p, a), s$p)
    each_engine(function(instance, single) {
      info <- paste(s$name, instance, single)
      tolerance <- if (single) 1e-4 else 1e-11
      out <- flow_gradient(s$p, s$x, a, single = single, instance = instance)
      expect_close(out$log_density, density, tolerance, floor = 1, info = info)
      expect_close(out$value, sum(a * density), tolerance, floor = max(abs(density)), info = info)
      expect_close_gradient(out$dx, dx, tolerance, info = info)
      expect_close_gradient(out$gradient, gradient, tolerance, info = info)
    })
  }
})

test_that("derivatives of the inverse follow the reference in every instance", {
  # what is behind the flow has no part in them
  for (s in flow_scenarios(n = 7)[c(TRUE, FALSE)]) {
    dy <- with_fixed_seed(5, matrix(rnorm(length(s$x)), nrow(s$x)))
    expected <- reference_pullback(s$x, s$p, dy)
    for (instance in cwmix_info()$instances) {
      out <- flow_pulled_back(s$p, s$x, dy, instance)
      expect_close_gradient(out, expected, 1e-10, info = paste(s$name, instance))
    }
  }
})

# log p(x) and F^-1(x) along a line of parameters or points, by the engine.
along <- function(f, at, direction) {
  finite_difference(function(t) f(at + t * direction), 0)
}

test_that("finite differences of the engine's values confirm its gradients", {
  for (s in c(flow_scenarios(n = 3)[c(TRUE, FALSE)], own_flow_scenarios(n = 3))) {
    p <- s$p
    flat <- flatten(reference_coef(p))
    density <- function(values, x = s$x) {
      q <- c(unflatten(values, reference_coef(p)), p[c("activation", "shape")])
      sum(engine_log_quantities(q, x)$density)
    }
    out <- flow_gradient(p, s$x)
    for (seed in 1:3) {
      direction <- with_fixed_seed(seed, rnorm(length(flat))) / sqrt(length(flat))
      # above the diagonal of factors nothing counts
      expect_close(
        sum(flatten(out$gradient) * direction), along(density, flat, direction), 1e-7,
        floor = sqrt(sum(flatten(out$gradient)^2)), info = s$name
      )
      direction <- with_fixed_seed(seed, matrix(rnorm(length(s$x)), nrow(s$x)))
      expect_close(
        sum(out$dx * direction), along(function(x) density(flat, x), s$x, direction), 1e-7,
        floor = sqrt(sum(out$dx^2)), info = s$name
      )
    }
  }
})

test_that("finite differences confirm the way back through the inverse", {
  for (s in c(flow_scenarios(n = 3, size = 0.2), own_flow_scenarios(n = 3, size = 0.2))) {
    last <- s$p$shape$count
    u <- through_flow(s$p, s$x, k = last)$x
    dy <- with_fixed_seed(1, matrix(rnorm(length(u)), nrow(u)))
    back <- flow_pulled_back(s$p, s$x, dy, k = last)
    value <- function(theta, u) {
      sum(dy * through_flow(replace_flow(s$p, theta), u, TRUE, k = last)$x)
    }
    flat <- flatten(s$p$flow)
    direction <- with_fixed_seed(2, rnorm(length(flat))) / sqrt(length(flat))
    expect_close(
      sum(flatten(back$flow) * direction), along(function(theta) value(theta, u), flat, direction),
      1e-7,
      floor = sqrt(sum(flatten(back$flow)^2)), info = s$name
    )
    direction <- with_fixed_seed(3, matrix(rnorm(length(u)), nrow(u)))
    expect_close(
      sum(back$dx * direction), along(function(u) value(flat, u), u, direction), 1e-7,
      floor = sqrt(sum(back$dx^2)), info = s$name
    )
  }
})

test_that("in many chunks and tiles all is as for one row at a time", {
  for (s in large_flow_scenarios()) {
    rows <- c(1, 2, 47, 192, 193, 255:258, 600, 1200, 1201)
    some <- s$x[rows, , drop = FALSE]
    last <- s$p$shape$count
    expected <- reference_flow(some, flow_of(s$p, last))
    whole <- flow_gradient(s$p, s$x)
    quantities <- reference_log_quantities(some, s$p)
    dx <- reference_point_gradient(some, s$p)
    halves <- lapply(list(1:500, 501:1201), function(i) {
      flow_gradient(s$p, s$x[i, , drop = FALSE])$gradient
    })
    summed <- unflatten(flatten(halves[[1]]) + flatten(halves[[2]]), halves[[1]])
    for (instance in cwmix_info()$instances) {
      info <- paste(s$name, instance)
      out <- through_flow(s$p, s$x, instance = instance, k = last)
      expect_close(out$x[rows, , drop = FALSE], expected$x, 1e-11, floor = 1, info = info)
      expect_close(out$log_det[rows], expected$log_det, 1e-11, floor = 1, info = info)
      back <- through_flow(s$p, out$x, TRUE, instance = instance, k = last)
      expect_close(back$x, s$x, 1e-9, floor = 1, info = info)
      all <- engine_log_quantities(s$p, s$x, instance = instance)
      expect_close(all$density[rows], quantities$density, 1e-11, floor = 1, info = info)
      for (name in c("posterior", "weights", "component")) {
        expect_close(
          all[[name]][rows, , drop = FALSE], quantities[[name]], 1e-10,
          floor = 1, info = info
        )
      }
      gradient <- flow_gradient(s$p, s$x, instance = instance)
      expect_close(gradient$dx[rows, , drop = FALSE], dx, 1e-10, floor = max(abs(dx)), info = info)
      expect_close(gradient$log_density, all$density, 1e-12, floor = 1, info = info)
      expect_close_gradient(gradient$gradient, summed, 1e-11, info = info)
    }
  }
})

test_that("asking for more changes nothing else, and rows do not depend on those around them", {
  for (s in large_flow_scenarios()) {
    out <- .Call(ffi_gradient, flow_model(s$p), s$x, NULL, TRUE, all_components, FALSE, 1L)
    plain <- .Call(ffi_gradient, flow_model(s$p), s$x, NULL, FALSE, all_components, FALSE, 1L)
    expect_identical(plain, out[c("value", "gradient")])
    whole <- through_flow(s$p, s$x)
    density <- engine_log_quantities(s$p, s$x)$density
    for (rows in list(1, 300, 900:917)) {
      some <- s$x[rows, , drop = FALSE]
      part <- through_flow(s$p, some)
      expect_identical(part$x, whole$x[rows, , drop = FALSE], info = s$name)
      expect_identical(part$log_det, whole$log_det[rows], info = s$name)
      expect_identical(engine_log_quantities(s$p, some)$density, density[rows], info = s$name)
    }
  }
})

test_that("any number of threads gives the same bits, in every instance and precision", {
  for (s in large_flow_scenarios()[c(1, 2, 4, 7, 8)]) {
    x <- make_points(2501, ncol(s$x), 8)
    dy <- make_points(2501, ncol(s$x), 9)
    last <- s$p$shape$count
    u <- through_flow(s$p, x, k = last)$x
    each_engine(function(instance, single) {
      # the plain loops take long and share nothing out in a way of their own
      if (instance == "plain" && single) {
        return()
      }
      of <- function(threads) {
        list(
          through_flow(s$p, x, FALSE, single, instance, threads, last),
          through_flow(s$p, u, TRUE, single, instance, threads, last),
          engine_log_quantities(s$p, x, single, instance, threads),
          flow_gradient(s$p, x, NULL, draw_of(0.1, 0.2, 0.3), single, instance, threads),
          flow_pulled_back(s$p, x, dy, instance, threads, last)
        )
      }
      expected <- of(1L)
      for (threads in 2:3) expect_identical(of(threads), expected, info = s$name)
    })
  }
})

test_that("no rows and one row are rows", {
  for (kind in c("realnvp", "spline")) {
    for (p in list(
      make_flow_alone(make_shape(kind), 2), make_flow_mixture(make_shape(kind), 2, 3, 4),
      make_own_flows(make_shape(kind), 2, 3, 4)
    )) {
      none <- matrix(0, 0, 2)
      expect_identical(through_flow(p, none), list(x = none, log_det = double()))
      expect_identical(through_flow(p, none, TRUE), list(x = none, log_det = double()))
      expect_identical(engine_log_quantities(p, none)$density, double())
      out <- flow_gradient(p, none)
      expect_identical(out$value, 0)
      expect_identical(sum(abs(flatten(out$gradient))), 0)
      back <- flow_pulled_back(p, none, none)
      expect_identical(back$dx, none)
      expect_identical(sum(abs(flatten(back$flow))), 0)
    }
  }
})

test_that("with the outputs of its networks at zero a flow is the identity", {
  for (kind in c("realnvp", "spline")) {
    for (d in c(1, 2, 5)) {
      x <- rbind(make_points(9, d), 0, 3, -3, 1e3, -1e6)
      p <- make_flow_mixture(make_shape(kind, layers = 8, bins = 8), d, 3, 4, size = 0)
      for (instance in cwmix_info()$instances) {
        # a bin of a spline rounds by some units of its bounds
        tolerance <- if (kind == "realnvp") 0 else 1e-14
        out <- through_flow(p, x, instance = instance)
        expect_close(out$x, x, tolerance, floor = 1)
        expect_close(out$log_det, double(14), tolerance, floor = 1)
        expect_close(
          engine_log_quantities(p, x, instance = instance),
          reference_log_quantities(x, reference_base(p)), 1e-11,
          floor = 1
        )
      }
    }
  }
})

test_that("before an identity the components drawn in a step are those without it", {
  for (make in list(make_flow_mixture, make_own_flows)) {
    p <- make(make_shape("realnvp"), 2, 9, c(6, 5), size = 0, seed = 3)
    base <- c(reference_base(p), p["activation"])
    x <- make_points(1201, 2)
    a <- with_fixed_seed(1, runif(1201))
    sampling <- draw_of(0.4, 0.3, 0.7)
    each_engine(function(instance, single) {
      info <- paste(instance, p$shape$count)
      expected <- with_engine(instance = instance, .Call(
        ffi_gradient, engine_model(reference_coef(base), "tanh"), x, a, TRUE, sampling, single, 1L
      ))
      behind <- flow_gradient(p, x, a, sampling, single, instance)
      blocks <- c("mean", "log_sd", "weights", "biases")
      tolerance <- if (single) 1e-4 else 1e-11
      expect_close_gradient(
        behind$gradient[blocks], unflatten(expected$gradient, reference_coef(base)), tolerance,
        info = info
      )
      # of the columns the flow has networks of, these are at zero
      expect_close_gradient(behind$dx, expected$dx, tolerance, info = info)
    })
  }
})

test_that("the mean over many draws of components is the exact gradient of their flows", {
  for (kind in c("realnvp", "spline")) {
    p <- make_own_flows(make_shape(kind), 2, 5, 4, size = 0.4)
    x <- make_points(401, 2)
    for (single in c(FALSE, TRUE)) {
      gradient <- function(sampling) {
        out <- flow_gradient(p, x, NULL, sampling, single)
        c(flatten(out$gradient), out$dx)
      }
      exact <- gradient(all_components)
      drawn <- with_fixed_seed(1, replicate(100, gradient(draw_of(0.5, runif(2)))))
      # as in expect_unbiased(): of 5 normal numbers one is beyond 4 once in 3000 times
      along <- with_fixed_seed(2, matrix(rnorm(5 * length(exact)), 5)) %*% (drawn - exact)
      z <- rowMeans(along) / (apply(along, 1, sd) / sqrt(100))
      expect_close(z, double(5), 4, floor = 1, info = paste(kind, single))
    }
  }
})

test_that("flows of equal parameters are the flow that is shared", {
  for (s in c(flow_scenarios(), large_flow_scenarios())) {
    K <- nrow(s$p$mean)
    if (s$p$shape$fixed || has_own_flows(s$p)) next
    own <- with_flows(s$p, rep(list(s$p$flow), K))
    a <- with_fixed_seed(4, rnorm(nrow(s$x)))
    each_engine(function(instance, single) {
      info <- paste(s$name, instance, single)
      tolerance <- if (single) 1e-4 else 1e-11
      expect_close(
        engine_log_quantities(own, s$x, single, instance),
        engine_log_quantities(s$p, s$x, single, instance), tolerance,
        floor = 1, info = info
      )
      shared <- flow_gradient(s$p, s$x, a, single = single, instance = instance)
      out <- flow_gradient(own, s$x, a, single = single, instance = instance)
      if (K > 1) {
        summed <- function(flows) {
          unflatten(Reduce(`+`, lapply(flows, flatten)), flows[[1]])
        }
        out$gradient$flow <- lapply(out$gradient$flow, summed)
      }
      # a sum of terms that cancel
      size <- max(abs(shared$log_density))
      expect_close(out$value, shared$value, tolerance, floor = size * nrow(s$x), info = info)
      expect_close(out$log_density, shared$log_density, tolerance, floor = 1, info = info)
      expect_close_gradient(out[c("gradient", "dx")], shared[c("gradient", "dx")], tolerance, info)
    })
  }
})

test_that("exchanging components with their flows exchanges what is theirs", {
  p <- make_own_flows(make_shape("spline"), 2, 3, 4, seed = 2)
  x <- make_points(19, 2)
  order <- c(3, 1, 2)
  q <- order_components(reference_coef(p), order)
  q$flow <- lapply(p$flow, `[`, order)
  q <- c(q, p[c("activation", "shape")])
  before <- engine_log_quantities(p, x)
  after <- engine_log_quantities(q, x)
  expect_close(after$density, before$density, 1e-13, floor = 1)
  for (name in c("posterior", "weights", "component")) {
    expect_close(after[[name]], before[[name]][, order], 1e-12, floor = 1)
  }
})

test_that("densities behind flows integrate to one", {
  step <- 0.02
  grid <- seq(-14, 14, by = step)
  for (kind in c("realnvp", "spline")) {
    for (p in list(
      make_flow_alone(make_shape(kind), 1), make_flow_mixture(make_shape(kind), 1, 3, c(5, 4)),
      make_own_flows(make_shape(kind), 1, 3, c(5, 4), size = 0.5)
    )) {
      density <- exp(engine_log_quantities(p, matrix(grid))$density)
      # the slope of a density has corners at knots, of which the sum is off by about step^2
      expect_close(sum(density) * step, 1, 1e-3, info = kind)
    }
  }
  step <- 0.04
  grid <- as.matrix(expand.grid(seq(-14, 14, by = step), seq(-14, 14, by = step)))
  for (kind in c("realnvp", "spline")) {
    for (p in list(
      make_flow_alone(make_shape(kind), 2, size = 0.3),
      make_flow_mixture(make_shape(kind), 2, 3, 4, size = 0.3),
      make_own_flows(make_shape(kind), 2, 3, 4, size = 0.3)
    )) {
      density <- exp(engine_log_quantities(p, grid)$density)
      expect_close(sum(density) * step^2, 1, 1e-2, info = kind)
    }
  }
})

# Points at the bounds of a spline and next to them, at zero and far out, before and behind.
marked_points <- function(bound) {
  near <- bound * (1 + c(-1e-15, 1e-15, -1e-7, 1e-7))
  marks <- c(bound, near, 1e3, 1e6, 1e-300, bound / 2)
  c(0, marks, -marks)
}

test_that("forward and inverse compose to the identity, at the bounds and far out", {
  for (kind in c("realnvp", "spline")) {
    for (d in c(1, 2, 3)) {
      for (seed in 1:3) {
        p <- make_flow_alone(make_shape(kind, layers = 8, bins = 8), d, size = 0.5, seed = seed)
        marks <- marked_points(3)
        x <- with_fixed_seed(seed, vapply(seq_len(d), function(j) sample(marks), marks))
        for (instance in cwmix_info()$instances) {
          info <- paste(kind, d, seed, instance)
          out <- through_flow(p, x, instance = instance)
          back <- through_flow(p, out$x, TRUE, instance = instance)
          expect_close(back$x, x, 1e-8, floor = 1, info = info)
          expect_close(back$log_det, -out$log_det, 1e-8, floor = 1, info = info)
          there <- through_flow(p, through_flow(p, x, TRUE, instance = instance)$x)
          expect_close(there$x, x, 1e-8, floor = 1, info = info)
        }
      }
    }
  }
})

# A spline of one column and one layer with raw numbers of spread 5: bins down to 6e-3 wide or high,
# slopes at knots from 1e-3 to some 20, or to `steep`.
extreme_spline <- function(seed, steep = NULL) {
  p <- make_flow_alone(make_shape("spline", layers = 1, bins = 8), 1, size = 10, seed = seed)
  slopes <- 16 + 1:7
  raw <- p$flow$biases[[1]][[1]]
  if (!is.null(steep)) raw[slopes] <- ifelse(raw[slopes] > 0, steep, raw[slopes])
  p$flow$biases[[1]][[1]] <- raw
  p
}

# At its knots, next to them and between.
extreme_points <- function(p) {
  knots <- first_knots(p)
  next_to <- as.vector(outer(knots, c(-1, 1) * rep(10^-(4:15), each = 2), "+"))
  matrix(c(knots, next_to, (knots[-1] + knots[-9]) / 2, seq(-3, 3, length.out = 101)))
}

test_that("so they do at knots and in the flattest and steepest pieces of one transform", {
  for (seed in 1:20) {
    for (steep in list(NULL, 1e4)) {
      p <- extreme_spline(seed, steep)
      x <- extreme_points(p)
      expected <- reference_flow(x, p)
      for (instance in cwmix_info()$instances) {
        info <- paste(seed, steep, instance)
        out <- through_flow(p, x, instance = instance)
        expect_close(out$x, expected$x, 1e-10, floor = 1, info = info)
        expect_close(out$log_det, expected$log_det, 1e-8, floor = 1, info = info)
        back <- through_flow(p, out$x, TRUE, instance = instance)
        # where F is flat its rounding hides x
        error <- abs(back$x - x) * pmin(1, exp(out$log_det))
        expect_close(error, 0 * x, if (is.null(steep)) 1e-13 else 1e-10, floor = 1, info = info)
        expect_close(largest_fall(out$x[order(x)]), 0, 1e-14, floor = 1, info = info)
      }
    }
  }
})

test_that("however steep, single precision stays finite and within the bounds", {
  for (seed in 1:20) {
    for (steep in c(1e2, 1e4, 1e8)) {
      p <- extreme_spline(seed, steep)
      x <- extreme_points(p)
      x <- x[abs(x) < 3, , drop = FALSE]
      for (instance in cwmix_info()$instances) {
        for (inverse in c(FALSE, TRUE)) {
          out <- through_flow(p, x, inverse, TRUE, instance)
          expect_identical(sum(!is.finite(unlist(out))), 0L, info = paste(seed, steep, instance))
          expect_lte(max(abs(out$x)), 3 + 1e-6)
        }
        out <- flow_gradient(p, x, single = TRUE, instance = instance)
        expect_identical(sum(!is.finite(unlist(out))), 0L, info = paste(seed, steep, instance))
      }
    }
  }
})

test_that("points far out are finite in every precision, and so are gradients at them", {
  far <- c(1e3, -1e3, 1e6, -1e6, 1e10)
  for (kind in c("realnvp", "spline")) {
    for (activation in c("tanh", "relu", "silu")) {
      for (d in c(1, 2, 3)) {
        x <- rbind(matrix(far, 5, d), cbind(far, matrix(0.5, 5, d - 1)))
        shape <- make_shape(kind, layers = 8, bins = 8, activation = activation)
        for (p in list(
          make_flow_alone(shape, d, size = 0.5), make_flow_mixture(shape, d, 3, 4, size = 0.5),
          make_own_flows(shape, d, 3, 4, size = 0.5)
        )) {
          each_engine(function(instance, single) {
            info <- paste(kind, activation, d, instance, single)
            finite <- function(values) {
              expect_identical(sum(!is.finite(unlist(values))), 0L, info = info)
            }
            finite(through_flow(p, x, FALSE, single, instance))
            finite(through_flow(p, x, TRUE, single, instance))
            finite(engine_log_quantities(p, x, single, instance)[c("density", "weights")])
            finite(flow_gradient(p, x, single = single, instance = instance))
          })
        }
      }
    }
  }
})

test_that("a point that is not a number spoils no other", {
  x <- rbind(make_points(5, 2), c(NaN, 1), c(1, NaN))
  for (kind in c("realnvp", "spline")) {
    for (p in list(
      make_flow_alone(make_shape(kind), 2), make_flow_mixture(make_shape(kind), 2, 3, 4),
      make_own_flows(make_shape(kind), 2, 3, 4)
    )) {
      each_engine(function(instance, single) {
        density <- engine_log_quantities(p, x, single, instance)$density
        expected <- engine_log_quantities(p, x[1:5, ], single, instance)$density
        expect_identical(density[1:5], expected)
        expect_identical(is.nan(density[6:7]), c(TRUE, TRUE))
      })
    }
  }
})
