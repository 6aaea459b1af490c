# One column: cwmix(x) at its defaults against mclust's densityMclust(x), the kernel estimate
# ks::kde(x) (evaluated exactly) and logspline::logspline(x), all at theirs. Prints tables in
# Markdown.
#   Rscript bench/one-column.R [benchden] [ours] [real] [n=200,500,1000] [seeds=1,2,3]
#     ["only=name;name"]
#
# benchden, ours: draws from the 28 densities of package benchden, and from some others. An estimate
# g of the density f has the squared Hellinger distance 1 - E sqrt(g(X) / f(X)), X from f, here a
# mean over the 2,000 quantiles of f at (i - 1/2) / 2000: no noise of draws, none of g's mass is
# forgiven where f is zero, and quantiles never stand in a gap of f. Where f is unbounded and a
# quantile is at its pole, the summand is 0. Distances below 1e-4, about the error of such means,
# are 1e-4. An estimate that fails, is not finite or has a distance below -1e-4 (spikes at
# quantiles) has none: a peer without is left out of the best of peers, which cwmix's distance is
# divided by.
#
# real: mean held-out log density over five folds, the same for all, as in bench/heldout.R: of
# values as recorded, and of those moved in their cells of the grid they were recorded to.
suppressMessages({
  library(cwmix)
  library(mclust)
})
source(file.path("bench", "helpers.R"))
options(warn = 1)

asked <- read_arguments(c("benchden", "ours", "real"))
parts <- asked$parts
option <- asked$option
sizes <- as.integer(option("n", c(200, 500, 1000)))
seeds <- as.integer(option("seeds", 1:3))
only <- option("only", NULL, ";")
chosen <- function(list) if (is.null(only)) list else list[names(list) %in% only]

# From a vector of draws to a function, the log density.
models <- list(
  "cwmix" = function(x, support = NULL) {
    fit <- cwmix(x, support = support, control = cwmix_control(verbose = FALSE))
    function(at) dcwmix(at, fit, log = TRUE)
  },
  "mclust" = function(x) {
    fit <- densityMclust(x, plot = FALSE, verbose = FALSE)
    function(at) predict(fit, at, what = "dens", logarithm = TRUE)
  },
  # Not binned: where tails are long, what ks reads off its grid of 401 points is no density.
  "kernel" = function(x) {
    function(at) log(pmax(ks::kde(x, eval.points = at, binned = FALSE)$estimate, 0))
  },
  "logspline" = function(x) {
    fit <- logspline::logspline(x)
    function(at) log(logspline::dlogspline(at, fit))
  }
)
peers <- setdiff(names(models), "cwmix")
# Log densities at `at` and the seconds of fit and evaluation; NA where either fails.
estimate <- function(model, x, at, what, ...) {
  set.seed(1)
  values <- rep(NA_real_, length(at))
  time <- seconds(function() {
    # logspline prints what it does about infinite densities.
    utils::capture.output(tryCatch(
      values <<- suppressWarnings(as.vector(models[[model]](x, ...)(at))),
      error = function(e) message(what, ", ", model, ": ", conditionMessage(e))
    ))
  })
  list(values = values, seconds = time)
}

# Densities with known truth: d and q, and r where draws are not those of q.
midpoints <- (1:2000 - 0.5) / 2000
numbers <- 1:28
of_benchden <- lapply(numbers, function(k) {
  list(
    d = function(x) benchden::dberdev(x, dnum = k),
    q = function(p) benchden::qberdev(p, dnum = k),
    r = function(n) benchden::rberdev(n, dnum = k)
  )
})
names(of_benchden) <- paste(
  numbers, vapply(numbers, function(k) benchden::berdev(k)$name, "")
)

# Quantiles by a distribution function.
inverse <- function(p, lower, upper) {
  function(u) {
    vapply(u, function(v) {
      stats::uniroot(function(x) p(x) - v, c(lower, upper), tol = 1e-12)$root
    }, 0)
  }
}
# A mixture of normals.
normals <- function(shares, mean, sd) {
  over <- function(f) {
    function(x) colSums(shares * outer(seq_along(shares), x, function(k, x) f(x, mean[k], sd[k])))
  }
  list(
    d = over(stats::dnorm), q = inverse(over(stats::pnorm), min(mean - 9 * sd), max(mean + 9 * sd))
  )
}
# Uniform on (0, 1) plus normal noise.
rounded <- local({
  s <- 0.05
  below <- function(z) z * pnorm(z) + dnorm(z)
  list(
    d = function(x) pnorm(x / s) - pnorm((x - 1) / s),
    q = inverse(function(x) s * (below(x / s) - below((x - 1) / s)), -1, 2)
  )
})
gap <- list(
  d = function(x) 0.6 * dbeta(x, 2, 2) + 0.4 * dbeta(2 * x - 4, 2, 2) * 2,
  q = function(p) {
    left <- p < 0.6
    out <- p
    out[left] <- qbeta(p[left] / 0.6, 2, 2)
    out[!left] <- 2 + qbeta((p[!left] - 0.6) / 0.4, 2, 2) / 2
    out
  }
)
ours <- list(
  "lognormal(0, 2)" = list(d = function(x) dlnorm(x, 0, 2), q = function(p) qlnorm(p, 0, 2)),
  "Pareto, shape 3" = list(
    d = function(x) ifelse(x < 1, 0, 3 * x^-4), q = function(p) (1 - p)^(-1 / 3)
  ),
  "Cauchy" = list(d = dcauchy, q = qcauchy),
  "t(3)" = list(d = function(x) dt(x, 3), q = function(p) qt(p, 3)),
  "uniform with rounded edges" = rounded,
  "beta(0.5, 0.5)" = list(d = function(x) dbeta(x, 0.5, 0.5), q = function(p) qbeta(p, 0.5, 0.5)),
  "beta(2, 5)" = list(d = function(x) dbeta(x, 2, 5), q = function(p) qbeta(p, 2, 5)),
  "Weibull, shape 0.7" = list(d = function(x) dweibull(x, 0.7), q = function(p) qweibull(p, 0.7)),
  "Weibull, shape 1.5" = list(d = function(x) dweibull(x, 1.5), q = function(p) qweibull(p, 1.5)),
  "gamma, shape 3" = list(d = function(x) dgamma(x, 3), q = function(p) qgamma(p, 3)),
  "two betas, a gap" = gap,
  "a wide normal and a narrow" = normals(c(0.7, 0.3), c(0, 1), c(1, 0.05)),
  "two normals" = normals(c(0.5, 0.5), c(-1.5, 1.5), c(1, 1)),
  "skewed, four normals" = normals(c(0.4, 0.3, 0.2, 0.1), c(0, 0.5, 1.3, 2.5), c(0.3, 0.4, 0.6, 1))
)

hellinger <- function(log_density, log_truth) {
  # NA stays; the truth is infinite where it is not a positive number.
  ratios <- ifelse(is.finite(log_truth), exp((log_density - log_truth) / 2), 0 * log_density)
  ratios[log_density %in% -Inf] <- 0
  value <- 1 - mean(ratios)
  if (is.finite(value) && value >= -1e-4) max(value, 1e-4) else NA
}
# Distances and seconds of all models for a draw.
distances <- function(truth, name, n, seed) {
  set.seed(seed)
  x <- if (is.null(truth$r)) truth$q(runif(n)) else truth$r(n)
  at <- truth$q(midpoints)
  log_truth <- log(truth$d(at))
  what <- sprintf("%s, n = %d, seed %d", name, n, seed)
  runs <- lapply(names(models), estimate, x, at, what)
  value <- vapply(runs, function(run) hellinger(run$values, log_truth), 0)
  names(value) <- names(models)
  times <- vapply(runs, `[[`, 0, "seconds")
  names(times) <- paste0("seconds.", names(models))
  ratio <- value[["cwmix"]] / min(value[peers], na.rm = TRUE)
  data.frame(name, n, seed, as.list(value), as.list(times), ratio)
}
three <- function(x) ifelse(is.na(x), "", formatC(x, digits = 3, format = "g", flag = "#"))
mean_known <- function(x) mean(x, na.rm = TRUE)
# The tables of some densities: one a size, and what they come to.
against_truth <- function(densities, title) {
  summary <- lapply(sizes, function(n) {
    cat(sprintf("\n%s, n = %d: squared Hellinger distances, means over seeds.\n\n", title, n))
    do.call(header, as.list(c("density", names(models), "cwmix to the best peer", "seconds a fit")))
    results <- lapply(names(densities), function(name) {
      runs <- do.call(rbind, lapply(seeds, function(seed) {
        distances(densities[[name]], name, n, seed)
      }))
      means <- colMeans(runs[names(models)], na.rm = TRUE)
      row(
        name, paste(three(means), collapse = " | "), sprintf("%.2f", mean(runs$ratio)),
        sprintf("%.1f", mean(runs$seconds.cwmix))
      )
      runs
    })
    do.call(rbind, results)
  })
  cat("\n")
  do.call(header, as.list(c(
    title, "geometric mean of ratios to the best peer", "worst mean ratio of a density",
    "at most 1", paste("seconds a fit,", names(models)), "fits without a distance"
  )))
  for (results in summary) {
    ratios <- tapply(results$ratio, results$name, mean)
    times <- colMeans(results[paste0("seconds.", names(models))])
    none <- colSums(is.na(results[names(models)]))
    none <- none[none > 0]
    row(
      sprintf("n = %d", results$n[1]), sprintf("%.3f", exp(mean_known(log(results$ratio)))),
      sprintf("%.2f, %s", max(ratios, na.rm = TRUE), names(which.max(ratios))),
      sprintf("%d of %d", sum(ratios <= 1, na.rm = TRUE), length(ratios)),
      paste(sprintf("%.2f", times), collapse = " | "),
      if (length(none) == 0) "0" else paste(names(none), none, collapse = ", ")
    )
  }
}
if ("benchden" %in% parts) against_truth(chosen(of_benchden), "benchden")
if ("ours" %in% parts) against_truth(chosen(ours), "others")

# Values, and whether they are also modelled by logs: peers' densities are then those of the logs,
# carried back, and cwmix's that with `support = c(0, Inf)`.
danish <- function() from("fitdistrplus", "danishuni")$Loss
real <- list(
  "Danish fire losses (fitdistrplus)" = list(danish(), TRUE),
  "galaxies (MASS)" = list(MASS::galaxies, FALSE),
  "rivers" = list(rivers, TRUE),
  "precip" = list(precip, FALSE),
  "faithful: eruptions" = list(faithful$eruptions, FALSE),
  "faithful: waiting" = list(faithful$waiting, FALSE),
  "airquality: Ozone" = list(stats::na.omit(airquality$Ozone), TRUE),
  "islands" = list(islands, TRUE),
  "geyser (MASS): waiting" = list(MASS::geyser$waiting, FALSE),
  "geyser (MASS): duration" = list(MASS::geyser$duration, FALSE),
  "quakes: depth" = list(quakes$depth, FALSE),
  "quakes: stations" = list(quakes$stations, TRUE),
  "Nile" = list(Nile, FALSE),
  "lynx" = list(lynx, TRUE),
  "Boston (MASS): crim" = list(MASS::Boston$crim, TRUE),
  "Boston (MASS): lstat" = list(MASS::Boston$lstat, TRUE)
)
# Held-out log densities, rows x models x kinds of scores, and cwmix's seconds.
held_out <- function(name, x, logs) {
  set.seed(20261122)
  fold <- sample(rep_len(1:5, length(x)))
  moved <- as.vector(dithered(cbind(x)))
  scores <- array(NA_real_, c(length(x), length(models), 2))
  dimnames(scores) <- list(NULL, names(models), c("recorded", "moved"))
  time <- 0
  for (i in 1:5) {
    test <- fold == i
    at <- c(x[test], moved[test])
    for (model in names(models)) {
      if (logs && model == "cwmix") {
        run <- estimate(model, x[!test], at, name, support = c(0, Inf))
      } else if (logs) {
        run <- estimate(model, log(x[!test]), log(at), name)
        run$values <- run$values - log(at)
      } else {
        run <- estimate(model, x[!test], at, name)
      }
      scores[test, model, ] <- if (model %in% c("kernel", "logspline")) {
        bounded(run$values)
      } else {
        run$values
      }
      if (model == "cwmix") time <- time + run$seconds / 5
    }
  }
  list(scores = scores, seconds = time)
}
shown <- function(x) ifelse(is.na(x), "", sprintf("%.3f", x))
difference <- function(a, b) {
  if (anyNA(a - b)) {
    return("")
  }
  sprintf("%.3f (%.3f)", mean(a - b), sd(a - b) / sqrt(length(a)))
}
real_row <- function(name, x, logs) {
  run <- held_out(name, x, logs)
  means <- apply(run$scores, 2:3, mean)
  differences <- vapply(c("recorded", "moved"), function(kind) {
    scores <- run$scores[, , kind]
    vapply(peers, function(peer) difference(scores[, "cwmix"], scores[, peer]), "")
  }, character(length(peers)))
  row(
    name, length(x), paste(shown(means[, "recorded"]), collapse = " | "),
    paste(differences, collapse = " | "), sprintf("%.1f", run$seconds)
  )
  means["cwmix", ] - t(means[peers, ])
}
if ("real" %in% parts) {
  cat("\n")
  do.call(header, as.list(c(
    "data", "rows", names(models), paste("less", peers), paste("moved, less", peers),
    "seconds a fit"
  )))
  data <- chosen(real)
  gains <- lapply(names(data), function(name) {
    x <- as.numeric(data[[name]][[1]])
    out <- list(real_row(name, x, FALSE))
    if (data[[name]][[2]]) out[[2]] <- real_row(paste0(name, ", above 0"), x, TRUE)
    out
  })
  gains <- simplify2array(unlist(gains, recursive = FALSE))
  cat("\n")
  header("values", "peer", "at least its score", "average difference", "median", "worst")
  for (kind in c("recorded", "moved")) {
    for (peer in peers) {
      gain <- gains[kind, peer, ]
      gain <- gain[!is.na(gain)]
      row(
        kind, peer, sprintf("%d of %d", sum(gain >= 0), length(gain)),
        shown(mean(gain)), shown(stats::median(gain)), shown(min(gain))
      )
    }
  }
}
