# How much the gradient of an expectation varies by estimator: Rao-Blackwell (RB) with random points
# and with lattices, the score function (REINFORCE, each draw's baseline the mean of the others) and
# Gumbel-softmax at three temperatures, at equal numbers of evaluations of f and at equal time; the
# bias of Gumbel-softmax; the variance of the estimates themselves. f is the log density of a
# target, as in variational inference, and a square; the density is a classifier weighted mixture
# fitted to draws from the target, or a wide one as at the start of a variational fit. Prints tables
# in Markdown.
#   Rscript bench/gradients.R
suppressMessages(library(cwmix))
source(file.path("bench", "helpers.R"))
options(cwmix.threads = 1)
K <- 12
hidden <- c(32, 32)
evaluations <- 256 * K

# Normal log densities and their derivative in x.
log_normal <- function(x, mean, sd) -0.5 * ((x - mean) / sd)^2 - log(sd) - 0.5 * log(2 * pi)

# Targets: log_density() and its gradient at the rows of x, and draws().
ring <- function(d) {
  angle <- 2 * pi * seq_len(8) / 8
  centre <- 4 * cbind(cos(angle), sin(angle))
  sd <- 0.35
  # Log densities of the eight modes, n x 8.
  modes <- function(x) {
    apply(centre, 1, function(m) log_normal(x[, 1], m[1], sd) + log_normal(x[, 2], m[2], sd))
  }
  total <- function(logs) {
    top <- do.call(pmax, as.data.frame(logs))
    top + log(rowSums(exp(logs - top)))
  }
  list(
    log_density = function(x) {
      total(modes(x)) - log(8) + rowSums(log_normal(x[, -(1:2), drop = FALSE], 0, 1))
    },
    gradient = function(x) {
      logs <- modes(x)
      x[, 1:2] <- (exp(logs - total(logs)) %*% centre - x[, 1:2]) / sd^2
      x[, -(1:2)] <- -x[, -(1:2)]
      x
    },
    draws = function(n) {
      x <- matrix(rnorm(n * d), n, d)
      x[, 1:2] <- centre[sample.int(8, n, TRUE), ] + sd * x[, 1:2]
      x
    }
  )
}

banana <- function(d) {
  list(
    log_density = function(x) {
      log_normal(x[, 1], 0, 2) + log_normal(x[, 2], x[, 1]^2 / 4, 0.5) +
        rowSums(log_normal(x[, -(1:2), drop = FALSE], 0, 1))
    },
    gradient = function(x) {
      off <- (x[, 2] - x[, 1]^2 / 4) / 0.5^2
      cbind(off * x[, 1] / 2 - x[, 1] / 4, -off, -x[, -(1:2)])
    },
    draws = function(n) {
      x <- matrix(rnorm(n * d), n, d)
      x[, 1] <- 2 * x[, 1]
      x[, 2] <- x[, 1]^2 / 4 + 0.5 * x[, 2]
      x
    }
  )
}

# The other columns have standard deviation exp(v / 4), v the first.
funnel <- function(d) {
  list(
    log_density = function(x) {
      log_normal(x[, 1], 0, 1.5) + rowSums(log_normal(x[, -1, drop = FALSE], 0, exp(x[, 1] / 4)))
    },
    gradient = function(x) {
      slope <- -x[, -1, drop = FALSE] * exp(-x[, 1] / 2)
      cbind(-x[, 1] / 1.5^2 - rowSums(slope * x[, -1] + 1) / 4, slope)
    },
    draws = function(n) {
      x <- matrix(rnorm(n * d), n, d)
      x[, 1] <- 1.5 * x[, 1]
      x[, -1] <- x[, -1] * exp(x[, 1] / 4)
      x
    }
  )
}

fitted_model <- function(target) {
  set.seed(1)
  cwmix(target$draws(20000), K = K, hidden = hidden, control = cwmix_control(
    epochs = 20, verbose = FALSE
  ))
}

wide_model <- function(d) {
  set.seed(1)
  widths <- c(d, hidden, K)
  layers <- lapply(seq_len(length(widths) - 1), function(l) {
    matrix(rnorm(widths[l] * widths[l + 1], sd = 1 / sqrt(widths[l])), widths[l + 1])
  })
  cwmix_model(
    mean = matrix(rnorm(K * d, sd = 3), K), sd = matrix(1, K, d),
    classifier = cwmix_classifier(layers, lapply(widths[-1], double))
  )
}

# Arguments of expectation() for as many evaluations of f. The first is what others are compared to.
ways <- function(evaluations, K) {
  few <- evaluations %/% K
  score <- list(n = evaluations, estimator = "score-function")
  gumbel <- list(n = evaluations, estimator = "gumbel-softmax", points = "random")
  list(
    "RB, lattice" = list(n = few, points = "lattice", replicates = 2),
    "RB, random" = list(n = few, points = "random"),
    "REINFORCE" = c(score, points = "random"),
    "REINFORCE, lattice" = c(score, points = "lattice", replicates = 2),
    "Gumbel 0.2" = c(gumbel, temperature = 0.2),
    "Gumbel 0.5" = c(gumbel, temperature = 0.5),
    "Gumbel 1" = c(gumbel, temperature = 1)
  )
}

blocks <- c("mean", "log_sd", "weights", "biases")

# A gradient as one vector a block of parameters, and the seconds it took.
one_gradient <- function(model, f, gradient, way) {
  begin <- Sys.time()
  estimate <- do.call(expectation, c(list(model, f, gradient = gradient), way))
  time <- as.numeric(Sys.time() - begin, units = "secs")
  gradient <- lapply(attr(estimate, "gradient")[blocks], function(block) as.vector(unlist(block)))
  c(gradient, value = as.double(estimate), seconds = time)
}

# The variance of a gradient over repeats, summed over the parameters of each block and over all;
# and the seconds of a call, their median.
gradient_variance <- function(model, f, gradient, way, repeats) {
  all <- replicate(repeats, one_gradient(model, f, gradient, way), simplify = FALSE)
  variance <- vapply(blocks, FUN.VALUE = 0, function(block) {
    sum(apply(vapply(all, `[[`, all[[1]][[block]], block), 1, var))
  })
  seconds <- median(vapply(all, `[[`, 0, "seconds"))
  c(variance, total = sum(variance), seconds = seconds)
}

# That of every estimator, one a row, for the same number of evaluations of f.
gradient_variances <- function(model, f, gradient, evaluations, repeats) {
  t(vapply(ways(evaluations, nrow(model$mean)), FUN.VALUE = double(6), function(way) {
    gradient_variance(model, f, gradient, way, repeats)
  }))
}

# What Gumbel-softmax tends to, less a Rao-Blackwell reference, in the estimate and the gradient:
# the squared lengths of the reference and of the bias (less what chance adds to it), and that
# chance.
gumbel_bias <- function(model, f, gradient, temperatures, n = 8192, repeats = 10) {
  flat <- function(way) {
    one <- one_gradient(model, f, gradient, way)
    c(one$value, unlist(one[blocks]))
  }
  reference <- flat(list(n = 32768, replicates = 2))
  t(vapply(temperatures, FUN.VALUE = double(5), function(temperature) {
    way <- list(n = n, estimator = "gumbel-softmax", temperature = temperature, replicates = 2)
    all <- replicate(repeats, flat(way))
    off <- rowMeans(all) - reference
    noise <- apply(all, 1, var) / repeats
    c(
      value = off[[1]], value_se = sqrt(noise[[1]]), length = sum(reference[-1]^2),
      bias = sum(off[-1]^2) - sum(noise[-1]), noise = sum(noise[-1])
    )
  }))
}

# Variances of estimates of several functions, crude over Rao-Blackwell: at equal base points, at
# equal evaluations, and at equal evaluations with lattices; and the error with random points over
# that with lattices at 4096 base points. Those of independent points are from sums over all nodes.
estimate_ratios <- function(model, f, repeats = 200) {
  z <- matrix(rnorm(50000 * ncol(model$mean)), 50000)
  w <- predict(model$classifier, z)
  first <- second <- 0
  for (k in seq_len(K)) {
    values <- f(t(model$mean[k, ] + model$sd[k, ] * t(z)))
    first <- first + w[, k] * values
    second <- second + w[, k] * values^2
  }
  crude <- colMeans(second) - colMeans(first)^2
  random <- apply(first, 2, var)
  lattice <- function(n, repeats) {
    n * apply(replicate(repeats, c(expectation(model, f, n = n, replicates = 2))), 1, var)
  }
  few <- lattice(evaluations / K, repeats)
  rbind(crude / random, crude / random / K, crude / few / K, sqrt(random / lattice(4096, 30)))
}

# Two significant digits.
number <- function(x) {
  text <- formatC(signif(x, 2), digits = 2, format = "fg", flag = "#", big.mark = ",")
  sub("\\.$", "", trimws(text))
}
cells <- function(x) paste(x, collapse = " | ")
slashed <- function(x) paste(number(x), collapse = " / ")
labelled <- function(names) do.call(header, as.list(c("target", "d", "density", names)))
title <- function(...) cat("\n", ..., "\n\n", sep = "")

begin <- Sys.time()
settings <- expand.grid(
  density = c("fitted", "wide"), d = c(2, 10), target = c("ring", "banana", "funnel"),
  stringsAsFactors = FALSE
)
temperatures <- c(0.1, 0.2, 0.5, 1, 2)
results <- lapply(seq_len(nrow(settings)), function(i) {
  one <- settings[i, ]
  target <- get(one$target)(one$d)
  model <- if (one$density == "fitted") fitted_model(target) else wide_model(one$d)
  f <- target$log_density
  of_points <- function(n, replicates) {
    way <- list(n = n, replicates = replicates)
    gradient_variance(model, f, target$gradient, way, 30)[["total"]] * n
  }
  square <- function(x) x[, 1]^2
  square_gradient <- function(x) cbind(2 * x[, 1], 0 * x[, -1])
  # The wide density is the same for all targets.
  with_square <- one$density == "fitted" || one$target == "ring"
  list(
    label = cells(one[c("target", "d", "density")]),
    log_density = gradient_variances(model, f, target$gradient, evaluations, 80),
    square = if (with_square) {
      gradient_variances(model, square, square_gradient, evaluations, 60)
    },
    bias = gumbel_bias(model, f, target$gradient, temperatures),
    lattice = outer(c(64, 256, 1024), c(2, 8), Vectorize(of_points)) / evaluations * K,
    estimates = estimate_ratios(model, function(x) {
      cbind(f(x), x[, 1]^2, cos(x[, 1]), x[, 1] > 1)
    })
  )
})
estimators <- rownames(results[[1]]$log_density)

# A measure of each estimator over that of the first.
print_ratios <- function(results, f, measure) {
  labelled(estimators[-1])
  for (one in results) {
    size <- measure(one[[f]])
    row(one$label, cells(number(size[-1] / size[1])))
  }
}
total <- function(variance) variance[, "total"]

title("Total variance over that of RB, lattice, at equal evaluations; f the log density")
print_ratios(results, "log_density", total)
title("The same, times seconds (equal time)")
print_ratios(results, "log_density", function(variance) total(variance) * variance[, "seconds"])
title("At equal evaluations; f the square of the first column")
measured <- !vapply(results, function(one) is.null(one$square), NA)
print_ratios(results[measured], "square", total)

title("By block, over RB, lattice: RB, random / REINFORCE / Gumbel 0.5; f the log density")
labelled(blocks)
for (one in results) {
  over <- one$log_density[c("RB, random", "REINFORCE", "Gumbel 0.5"), blocks]
  over <- over / rep(one$log_density["RB, lattice", blocks], each = 3)
  row(one$label, cells(apply(over, 2, slashed)))
}

title("RB: variance with random points over that with lattices, 2 / 8 shifts")
labelled(c("64 points", "256", "1024"))
for (one in results) {
  row(one$label, cells(apply(one$log_density["RB, random", "total"] / one$lattice, 1, slashed)))
}

title("Gumbel-softmax: length of the bias of the gradient over that of the gradient")
labelled(temperatures)
for (one in results) {
  bias <- as.data.frame(one$bias)
  unclear <- bias$bias < bias$noise
  square <- ifelse(unclear, pmax(bias$bias, 0) + bias$noise, bias$bias)
  row(one$label, cells(paste0(ifelse(unclear, "< ", ""), number(sqrt(square / bias$length)))))
}
title("Gumbel-softmax: bias of the estimate, in nats")
labelled(temperatures)
for (one in results) {
  bias <- one$bias[, "value"]
  noise <- 2 * one$bias[, "value_se"]
  row(one$label, cells(ifelse(abs(bias) < noise, paste("<", number(noise)), number(bias))))
}
title("Gumbel-softmax: variance plus squared bias of the gradient over the variance of RB, lattice")
shown <- c(0.2, 0.5, 1)
labelled(shown)
for (one in results) {
  bias <- pmax(0, one$bias[match(shown, temperatures), "bias"])
  variance <- total(one$log_density)
  row(one$label, cells(number((variance[paste("Gumbel", shown)] + bias) / variance[1])))
}

functions <- c("log density", "x1^2", "cos(x1)", "x1 > 1")
title("Variance of estimates, crude over RB: equal base points / evaluations / with lattices")
labelled(functions)
for (one in results) row(one$label, cells(apply(one$estimates[1:3, ], 2, slashed)))
title("Error of estimates, RB with random points over RB with lattices, 4096 base points")
labelled(functions)
for (one in results) row(one$label, cells(number(one$estimates[4, ])))

title("Milliseconds of a gradient; f the log density")
labelled(estimators)
for (one in results) row(one$label, cells(number(1e3 * one$log_density[, "seconds"])))
cat(sprintf("\n%.0f seconds in all.\n", as.numeric(Sys.time() - begin, units = "secs")))
