# Data as people have them: what is right, what cwmix(x) says at its defaults, and beside it
# mclust's densityMclust(x), one Gaussian and the kernel estimate ks::kde(x) where they apply. Means
# over five seeds; prints a table in Markdown, with seconds of a fit of cwmix.
#   Rscript bench/messy.R [seeds=5] [names of cases]
suppressMessages({
  library(cwmix)
  library(mclust)
})
source(file.path("bench", "helpers.R"))
options(warn = 1)

# The fit that all cases make: list(fit, seconds, far), `far` whether it warned of far rows.
timed_fit <- function(x, ...) {
  far <- FALSE
  set.seed(1)
  time <- seconds(function() {
    fit <<- withCallingHandlers(
      cwmix(x, ..., control = cwmix_control(verbose = FALSE)),
      cwmix_far_rows = function(w) {
        far <<- TRUE
        invokeRestart("muffleWarning")
      }
    )
  })
  list(fit = fit, seconds = time, far = far)
}
fit <- NULL
score <- function(fit, x) mean(predict(fit, x, log = TRUE))
draws <- function(fit) as.matrix(simulate(fit, 1e5, seed = 2))

# NULL where it fails.
mclust_fit <- function(x) {
  tryCatch(
    suppressWarnings(densityMclust(x, plot = FALSE, verbose = FALSE)),
    error = function(e) NULL
  )
}
mclust_score <- function(fit, x) mean(predict(fit, x, what = "dens", logarithm = TRUE))
mclust_draws <- function(fit) {
  set.seed(2)
  sim(fit$modelName, fit$parameters, 1e5)[, -1, drop = FALSE]
}
gaussian_score <- function(x, test) score(gaussian_mixture(x, K = 1, covariance = "full"), test)

# A row of the table; what does not apply is NA.
result <- function(what, right, cwmix, run, mclust = NA, Gaussian = NA, kernel = NA) {
  data.frame(what, right, cwmix, mclust, Gaussian, kernel, seconds = run$seconds)
}
# Statistics of draws: rows of the table from a list of functions by their names.
from_draws <- function(x, right, statistics) {
  run <- timed_fit(x)
  peer <- mclust_fit(x)
  ours <- draws(run$fit)
  theirs <- if (!is.null(peer)) mclust_draws(peer)
  do.call(rbind, Map(function(what, right, f) {
    result(what, right, f(ours), run, mclust = if (is.null(theirs)) NA else f(theirs))
  }, names(statistics), right, statistics))
}
# The score of new rows, and what the fit claims.
from_new_rows <- function(x, test, right, claim = TRUE, ...) {
  run <- timed_fit(x, ...)
  peer <- mclust_fit(x)
  rbind(
    result(
      "score of new rows", right, score(run$fit, test), run,
      mclust = if (is.null(peer)) NA else mclust_score(peer, test)
    ),
    if (claim) result("score as claimed", right, run$fit$held_out[["score"]], run)
  )
}

normal_score <- -log(2 * pi * exp(1)) / 2

zeros <- function(seed) {
  set.seed(seed)
  x <- rnorm(1000)
  x[1:800] <- 0
  from_draws(x, c(0.2 * pnorm(-1), 0.8 + 0.2 * (2 * pnorm(0.01) - 1)), list(
    "P(X < -1)" = function(s) mean(s < -1), "P(-0.01 < X < 0.01)" = function(s) mean(abs(s) < 0.01)
  ))
}

counts <- function(seed) {
  set.seed(seed)
  x <- rnbinom(5000, mu = 0.17, size = 0.3)
  from_draws(x, c(mean(x), mean(x == 0)), list(
    "mean" = function(s) mean(s), "P(X < 0.5)" = function(s) mean(s < 0.5)
  ))
}

# Answers to four questions that have one thing in common.
answers <- function(seed) {
  set.seed(seed)
  latent <- matrix(rnorm(8000), 2000) + rnorm(2000)
  x <- matrix(findInterval(latent, c(-1.5, -0.3, 0.9)) + 1, 2000)
  rounded <- function(s) pmin(pmax(round(s), 1), 4)
  from_draws(x, c(0, 0, mean(rowSums(x == 1) == 4)), list(
    "largest error of a mean" = function(s) max(abs(colMeans(s) - colMeans(x))),
    "largest error of a correlation, rounded" = function(s) max(abs(cor(rounded(s)) - cor(x))),
    "P(1, 1, 1, 1)" = function(s) mean(rowSums(rounded(s) == 1) == 4)
  ))
}

# Two of five ages are rounded to 5.
heaps <- function(seed) {
  set.seed(seed)
  x <- rnorm(1000, 45, 12)
  x <- ifelse(runif(1000) < 0.4, 5 * round(x / 5), round(x))
  from_draws(x, c(mean(x == 45), mean(abs(x - 47.5) < 2)), list(
    "P(44.5 < X < 45.5)" = function(s) mean(abs(s - 45) < 0.5),
    "P(45.5 < X < 49.5)" = function(s) mean(abs(s - 47.5) < 2)
  ))
}

# Values that stand on no grid, and that many rows share.
doses <- function(seed) {
  set.seed(seed)
  dose <- sample(c(0.1, 0.3, 1, 3, 10), 600, TRUE)
  x <- cbind(dose, effect = log(dose) + rnorm(600))
  from_draws(x, c(mean(dose), mean(dose < 0.65)), list(
    "mean dose" = function(s) mean(s[, 1]), "P(dose < 0.65)" = function(s) mean(s[, 1] < 0.65)
  ))
}

# Heights to a millimetre, five visits each.
visits <- function(seed) {
  set.seed(seed)
  test <- rnorm(20000, 170, 8)
  from_new_rows(rep(round(rnorm(100, 170, 8), 1), each = 5), test, mean(dnorm(test, 170, 8, TRUE)))
}

# One network with K given, on zeros and on counts.
given <- function(seed) {
  set.seed(seed)
  zeros <- c(rep(0, 800), rnorm(200))
  counts <- rnbinom(5000, mu = 0.17, size = 0.3)
  at_zeros <- timed_fit(zeros, K = 4)
  at_counts <- timed_fit(counts, K = 4)
  rbind(
    result("zeros: P(X < -1)", mean(zeros < -1), pcwmix(-1, at_zeros$fit), at_zeros),
    result("counts: P(X < 0.5)", mean(counts == 0), pcwmix(0.5, at_counts$fit), at_counts)
  )
}

# A chain that stays where it is at most of its steps.
chain <- function(seed) {
  set.seed(seed)
  at <- rnorm(2)
  x <- matrix(0, 4000, 2)
  for (i in seq_len(4000)) {
    proposal <- at + rnorm(2, sd = 2.4)
    if (log(runif(1)) < (sum(at^2) - sum(proposal^2)) / 2) at <- proposal
    x[i, ] <- at
  }
  from_new_rows(x, matrix(rnorm(40000), ncol = 2), 2 * normal_score)
}

resampled <- function(seed) {
  set.seed(seed)
  x <- rnorm(400)
  rows <- sample(400, 2000, TRUE)
  times <- tabulate(rows, 400)
  test <- rnorm(20000)
  by_weights <- timed_fit(x[times > 0], weights = times[times > 0])
  rbind(
    from_new_rows(x[rows], test, normal_score),
    result("score of new rows, by weights", normal_score, score(by_weights$fit, test), by_weights)
  )
}

# Three factors and unique variances.
factors <- function(n, d) {
  function(seed) {
    set.seed(seed)
    root <- chol(tcrossprod(matrix(rnorm(3 * d), d)) + diag(runif(d, 0.2, 1)))
    new_rows <- function(n) matrix(rnorm(n * d), n) %*% root
    x <- new_rows(n)
    test <- new_rows(5000)
    run <- timed_fit(x)
    latent <- backsolve(root, t(test), transpose = TRUE)
    right <- mean(colSums(dnorm(latent, log = TRUE))) - sum(log(diag(root)))
    factors <- factanal(x, 3)
    apart <- diag(apply(x, 2, sd))
    covariance <- apart %*% (tcrossprod(factors$loadings) + diag(factors$uniquenesses)) %*% apart
    three <- cwmix_model(
      rbind(colMeans(x)),
      covariance = array(covariance, c(d, d, 1)), classifier = 1
    )
    rbind(
      result(
        "score of new rows", right, score(run$fit, test), run,
        Gaussian = gaussian_score(x, test)
      ),
      result("score of new rows, factanal(x, 3)", right, score(three, test), run)
    )
  }
}

collinear <- function(seed) {
  set.seed(seed)
  z <- rnorm(1000)
  x <- cbind(a = 1 + 2 * z, b = 10 + 5 * z + rnorm(1000, sd = 1e-3), c = rnorm(1000, 20, 10))
  from_draws(x, 1e-3, list("sd of b - 2.5 a" = function(s) sd(s[, 2] - 2.5 * s[, 1])))
}

apart <- function(seed) {
  set.seed(seed)
  shares <- c(0.35, 0.3, 0.35)
  mean <- c(0, 8, 999999)
  sd <- c(1, 1, 0.1)
  new_rows <- function(n) {
    k <- sample(3, n, TRUE, shares)
    rnorm(n, mean[k], sd[k])
  }
  x <- new_rows(1000)
  test <- new_rows(20000)
  density <- rowSums(vapply(1:3, function(k) shares[k] * dnorm(test, mean[k], sd[k]), test))
  from_new_rows(x, test, base::mean(log(density)), claim = FALSE)
}

typed <- function(seed) {
  set.seed(seed)
  x <- c(rnorm(499), 1e6)
  rows <- from_new_rows(x, rnorm(20000), normal_score)
  run <- timed_fit(x)
  rbind(rows, result("warns of far rows", 1, as.numeric(run$far), run))
}

nine <- function(seed) {
  set.seed(seed)
  centers <- as.matrix(expand.grid(c(-8, 0, 8), c(-8, 0, 8)))
  new_rows <- function(n) unname(centers[sample(9, n, TRUE), ]) + matrix(rnorm(2 * n), n)
  x <- new_rows(450)
  test <- new_rows(5000)
  x[1, ] <- c(1e4, 0)
  density <- rowMeans(apply(centers, 1, function(center) {
    dnorm(test[, 1], center[1]) * dnorm(test[, 2], center[2])
  }))
  from_new_rows(x, test, mean(log(density)), claim = FALSE)
}

# Losses from 1 on, generalised Pareto, eleven of them recorded as 1.
losses <- function(support) {
  function(seed) {
    set.seed(seed)
    shape <- 0.6
    scale <- 0.9
    excess <- function(n) scale * (runif(n)^(-shape) - 1) / shape
    x <- 1 + c(rep(0, 11), excess(2156))
    test <- excess(20000)
    right <- log(2156 / 2167) - log(scale) - (1 + 1 / shape) * log1p(shape * test / scale)
    run <- timed_fit(x, support = support)
    peer <- if (is.null(support)) mclust_fit(x)
    rbind(
      result(
        "score of new rows above 1", mean(right), score(run$fit, 1 + test), run,
        mclust = if (is.null(peer)) NA else mclust_score(peer, 1 + test)
      ),
      result(
        "P(X < 0.99)", 0, pcwmix(0.99, run$fit), run,
        mclust = if (is.null(peer)) NA else mean(mclust_draws(peer) < 0.99)
      )
    )
  }
}

# What is right are the rows once.
twice <- function(seed) {
  set.seed(seed)
  new_rows <- function(n) {
    a <- rnorm(n)
    cbind(a = a, b = a^2 + rnorm(n, sd = 0.5))
  }
  x <- new_rows(200)
  test <- new_rows(20000)
  from_new_rows(rbind(x, x), test, score(timed_fit(x)$fit, test))
}

tables <- list(
  "faithful" = faithful,
  "iris" = iris[, 1:4],
  "quakes" = quakes[, 1:4],
  "airquality" = stats::na.omit(airquality[, 1:4]),
  "crabs (MASS)" = MASS::crabs[, 4:8],
  "Boston (MASS): rm, lstat, medv" = MASS::Boston[, c("rm", "lstat", "medv")],
  "Pima.tr (MASS): glu, bp, skin, bmi" = MASS::Pima.tr[, c("glu", "bp", "skin", "bmi")],
  "banknote (mclust)" = from("mclust", "banknote")[, -1],
  "diabetes (mclust)" = from("mclust", "diabetes")[, -1],
  "thyroid (mclust)" = from("mclust", "thyroid")[, -1]
)

# The share of pairs of a planted and another row where the planted one has the lower density.
auc <- function(density, planted) {
  ranks <- rank(-density)
  inside <- sum(planted)
  (sum(ranks[planted]) - inside * (inside + 1) / 2) / inside / sum(!planted)
}

# Outliers, uniform in the box around the data, among the rows that are fitted and judged.
outliers <- function(x) {
  x <- as.matrix(x)
  function(seed) {
    set.seed(seed)
    box <- apply(x, 2, range)
    count <- round(0.03 * nrow(x))
    added <- apply(box, 2, function(ends) runif(count, ends[1], ends[2]))
    both <- unname(rbind(x, added))
    planted <- rep(c(FALSE, TRUE), c(nrow(x), count))
    run <- timed_fit(both)
    peer <- mclust_fit(both)
    # In more columns it takes minutes.
    kernel <- if (ncol(x) <= 2 || length(x) < 2000) ks::kde(both, eval.points = both)$estimate
    rbind(
      result(
        "AUC, rows = \"held-out\"", NA, auc(predict(run$fit, both, rows = "held-out"), planted),
        run,
        mclust = if (is.null(peer)) NA else auc(predict(peer, both), planted),
        kernel = if (is.null(kernel)) NA else auc(kernel, planted)
      ),
      result("AUC, rows = \"new\"", NA, auc(predict(run$fit, both), planted), run)
    )
  }
}

cases <- c(
  list(
    "80 % zeros, 1000 x 1" = zeros,
    "counts, 5000 x 1" = counts,
    "answers 1 to 4, 2000 x 4" = answers,
    "heaped ages, 1000 x 1" = heaps,
    "doses, 600 x 2" = doses,
    "K = 4, with a network" = given,
    "heights of 100, five times each" = visits,
    "Metropolis chain, 4000 x 2" = chain,
    "resampled rows, 2000 of 400 x 1" = resampled,
    "three factors, 500 x 30" = factors(500, 30),
    "three factors, 1000 x 50" = factors(1000, 50),
    "three factors, 300 x 100" = factors(300, 100),
    "nearly collinear, 1000 x 3" = collinear,
    "groups far apart in scale, 1000 x 1" = apart,
    "one value at 1e6, 500 x 1" = typed,
    "nine clusters and a far row, 450 x 2" = nine,
    "losses, no support" = losses(NULL),
    "losses, support c(0, Inf)" = losses(c(0, Inf)),
    "losses, support c(0.5, Inf)" = losses(c(0.5, Inf)),
    "losses, support c(1, Inf)" = losses(c(1, Inf)),
    "every row twice, 2 times 200 x 2" = twice
  ),
  stats::setNames(lapply(tables, outliers), paste("outliers in", names(tables)))
)
arguments <- commandArgs(trailingOnly = TRUE)
is_seeds <- grepl("^seeds=", arguments)
seeds <- seq_len(if (any(is_seeds)) as.integer(sub("^seeds=", "", arguments[is_seeds][1])) else 5)
if (any(!is_seeds)) cases <- cases[match.arg(arguments[!is_seeds], names(cases), several.ok = TRUE)]

# The mean over seeds, row by row: a data frame with the case in front.
run_case <- function(name) {
  runs <- lapply(seeds, cases[[name]])
  numbers <- lapply(runs, function(run) as.matrix(run[-1]))
  data.frame(case = name, what = runs[[1]]$what, Reduce(`+`, numbers) / length(seeds))
}

shown <- function(x) ifelse(is.na(x), "", formatC(x, digits = 4, format = "g", flag = "#"))
header("case", "what", "right", "cwmix", "mclust", "Gaussian", "kernel", "seconds")
results <- do.call(rbind, lapply(names(cases), function(name) {
  rows <- run_case(name)
  for (i in seq_len(nrow(rows))) {
    row(
      name, rows$what[i], paste(shown(unlist(rows[i, 3:7])), collapse = " | "),
      sprintf("%.1f", rows$seconds[i])
    )
  }
  rows
}))
held_out <- grepl("held-out", results$what)
if (any(held_out)) {
  peers <- results[held_out, c("cwmix", "mclust", "kernel")]
  said <- c(colMeans(peers, na.rm = TRUE), new = mean(results$cwmix[which(held_out) + 1]))
  cat(sprintf(
    "\nMean AUC: %.3f held-out, %.3f new, mclust %.3f, kernel %.3f (where there are such).\n",
    said[["cwmix"]], said[["new"]], said[["mclust"]], said[["kernel"]]
  ))
}
