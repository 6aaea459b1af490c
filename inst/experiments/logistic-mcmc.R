# The posterior of a logistic regression by a long run of Hamiltonian Monte Carlo, what
# vignette("variational") compares variational fits with. The data are infert (package datasets):
# whether a woman is a case of secondary infertility, given her age, parity, and numbers of induced
# and spontaneous abortions, each standardised; all coefficients have the prior N(0, 2.5^2).
# Writes the posterior's means, standard deviations and quantiles with their Monte Carlo errors, and
# the log evidence by importance sampling from a multivariate t. Needs the posterior package; takes
# about two minutes.
#   Rscript inst/experiments/logistic-mcmc.R inst/extdata/logistic-mcmc.csv
file <- commandArgs(trailingOnly = TRUE)
seed <- 1
set.seed(seed)

covariates <- as.matrix(infert[c("age", "parity", "induced", "spontaneous")])
design <- cbind(intercept = 1, scale(covariates))
case <- infert$case
prior_sd <- 2.5

# Of each row of theta.
log_density <- function(theta) {
  eta <- tcrossprod(theta, design)
  rowSums(dnorm(theta, 0, prior_sd, log = TRUE)) +
    rowSums(plogis((2 * case - 1)[col(eta)] * eta, log.p = TRUE))
}
gradient <- function(theta) {
  eta <- tcrossprod(theta, design)
  (case[col(eta)] - plogis(eta)) %*% design - theta / prior_sd^2
}

# Coordinates in which the posterior is about N(0, I): theta = mode + root u.
d <- ncol(design)
row <- function(theta) matrix(theta, 1)
laplace <- optim(
  double(d), function(theta) -log_density(row(theta)), function(theta) -gradient(row(theta)),
  method = "BFGS", control = list(reltol = 1e-14), hessian = TRUE
)
root <- t(chol(solve(laplace$hessian)))
from_unit <- function(u) tcrossprod(u, root) + rep(laplace$par, each = nrow(u))

# One transition of all chains, a row each: leapfrog steps of sizes that vary, so that no trajectory
# returns to where it began; accepted by Metropolis. Returns the points, with the share accepted as
# an attribute.
transition <- function(u, steps = 6) {
  size <- runif(nrow(u), 0.15, 0.35)
  slope <- function(u) gradient(from_unit(u)) %*% root
  energy <- function(u, p) rowSums(p^2) / 2 - log_density(from_unit(u))
  p <- matrix(rnorm(length(u)), nrow(u))
  before <- energy(u, p)
  new <- u
  p <- p + size / 2 * slope(new)
  for (step in seq_len(steps)) {
    new <- new + size * p
    p <- p + (if (step < steps) size else size / 2) * slope(new)
  }
  accepted <- log(runif(nrow(u))) < before - energy(new, p)
  u[accepted, ] <- new[accepted, ]
  structure(u, accepted = mean(accepted))
}

chains <- 20
warmup <- 500
iterations <- 50000
u <- matrix(2 * rnorm(chains * d), chains)
draws <- array(0, c(iterations, chains, d), list(NULL, NULL, colnames(design)))
accepted <- 0
for (i in seq_len(warmup + iterations)) {
  u <- transition(u)
  if (i > warmup) {
    draws[i - warmup, , ] <- from_unit(u)
    accepted <- accepted + attr(u, "accepted") / iterations
  }
}

# Importance sampling from a multivariate t with 5 degrees of freedom at the mode.
importance <- function(n, df = 5) {
  t <- matrix(rnorm(n * d), n) / sqrt(rchisq(n, df) / df)
  log_q <- lgamma((df + d) / 2) - lgamma(df / 2) - d / 2 * log(df * pi) -
    sum(log(diag(root))) - (df + d) / 2 * log1p(rowSums(t^2) / df)
  log_density(from_unit(t)) - log_q
}
log_weights <- unlist(lapply(1:40, function(i) importance(10000)))
weights <- exp(log_weights - max(log_weights))
evidence <- c(
  value = max(log_weights) + log(mean(weights)),
  mcse = sd(weights) / mean(weights) / sqrt(length(weights))
)

# One row a parameter and quantity.
table_of <- function(quantity, value, mcse, ess) {
  data.frame(parameter = colnames(design), quantity, value, mcse, ess)
}
each <- function(f, ...) apply(draws, 3, f, ...)
quantile_table <- function(p) {
  table_of(
    paste0("q", 100 * p), each(quantile, p),
    each(posterior::mcse_quantile, p), each(posterior::ess_quantile, p)
  )
}
out <- rbind(
  table_of("mean", each(mean), each(posterior::mcse_mean), each(posterior::ess_mean)),
  table_of("sd", each(sd), each(posterior::mcse_sd), each(posterior::ess_sd)),
  do.call(rbind, lapply(c(0.05, 0.25, 0.5, 0.75, 0.95), quantile_table)),
  data.frame(
    parameter = "", quantity = "log_evidence", value = evidence[["value"]],
    mcse = evidence[["mcse"]], ess = sum(weights)^2 / sum(weights^2)
  )
)
out$value <- signif(out$value, 7)
out$mcse <- signif(out$mcse, 2)
out$ess <- round(out$ess)
header <- sprintf(
  "# %s, seed %d, %s: %d chains of %d iterations after %d, acceptance %.3f, greatest R-hat %.5f",
  Sys.Date(), seed, R.version.string, chains, iterations, warmup, accepted,
  max(each(posterior::rhat))
)
writeLines(c(header, "# inst/experiments/logistic-mcmc.R of the sources wrote this file"), file)
suppressWarnings(write.table(out, file, append = TRUE, sep = ",", row.names = FALSE, quote = FALSE))
