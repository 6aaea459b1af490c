# Sums, differences and normal quantiles on the log scale.

row_max <- function(x) do.call(pmax, lapply(seq_len(ncol(x)), function(k) x[, k]))

# log(rowSums(exp(x))).
log_row_sums <- function(x) {
  top <- row_max(x)
  sum <- top + log(rowSums(exp(x - top)))
  sum[which(top == -Inf)] <- -Inf
  # A density may have a pole.
  sum[which(top == Inf)] <- Inf
  sum
}

log_column_sums <- function(x) {
  top <- x[1, ]
  for (i in seq_len(nrow(x))[-1]) top <- pmax(top, x[i, ])
  top[top == -Inf] <- 0
  top + log(colSums(exp(x - rep(top, each = nrow(x)))))
}

# log(exp(x) + exp(y)).
log_add <- function(x, y) {
  top <- pmax(x, y)
  sum <- top + log1p(exp(-abs(x - y)))
  sum[top == -Inf] <- -Inf
  sum
}

# log(1 - exp(x)) for x <= 0, exact at both ends.
log_complement <- function(x) {
  ifelse(x > -log(2), log(-expm1(x)), log1p(-exp(x)))
}

# Logarithms of the cumulated sums of each column, in log2(n) passes over sums of 1, 2, 4, ... rows.
log_cumulate <- function(x) {
  n <- nrow(x)
  stride <- 1
  while (stride < n) {
    later <- seq(stride + 1, n)
    x[later, ] <- log_add(x[later, , drop = FALSE], x[later - stride, , drop = FALSE])
    stride <- 2 * stride
  }
  x
}

# qnorm(log_p, log.p = TRUE), which before R 4.3 has five digits in the far tail.
normal_quantile <- function(log_p) {
  z <- stats::qnorm(log_p, log.p = TRUE)
  far <- which(log_p < -600 & log_p > -Inf)
  for (step in 1:2) {
    log_f <- stats::pnorm(z[far], log.p = TRUE)
    newton <- (log_f - log_p[far]) * exp(log_f - stats::dnorm(z[far], log = TRUE))
    z[far] <- z[far] - newton
  }
  z
}
