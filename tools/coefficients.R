# The coefficients of the polynomials in src/engine/vmath.h, and how far off they are.
#   Rscript tools/coefficients.R

# The Chebyshev series of e^(a t), |t| <= 1, cut off at degree n and expanded in powers of x = h t.
exponential <- function(a, h, n) {
  series <- besselI(a, 0:n) * c(1, rep(2, n))
  chebyshev <- diag(n + 1)
  for (k in 2:n) {
    chebyshev[k + 1, ] <- 2 * c(0, chebyshev[k, seq_len(n)]) - chebyshev[k - 1, ]
  }
  list(coefficients = drop(series %*% chebyshev) / h^(0:n), error = 2 * besselI(a, n + 1))
}

# tanh x = x p(x^2) / q(x^2) of the least relative error on (0, c]: weighted least squares of
# x p - tanh(x) q, reweighted until errors are level (Lawson).
hyperbolic_tangent <- function(c, n) {
  angle <- seq(0, pi / 2, length.out = 4001)[-1]
  x <- sort(c * c(1 - cos(angle), sin(angle)))
  f <- tanh(x)
  p_powers <- outer((x / c)^2, 0:n, "^")
  q_powers <- outer((x / c)^2, 1:n, "^")
  q <- weight <- rep(1, length(x))
  best <- list(error = Inf)
  for (iteration in 1:400) {
    scale <- sqrt(weight) / (f * q)
    design <- cbind(p_powers * x, -q_powers * f) * scale
    size <- sqrt(colSums(design^2))
    fitted <- qr.solve(qr(t(t(design) / size), LAPACK = TRUE), f * scale) / size
    b <- c(1, fitted[-seq_len(n + 1)])
    q <- drop(cbind(1, q_powers) %*% b)
    error <- abs(x * drop(p_powers %*% fitted[seq_len(n + 1)]) / q / f - 1)
    if (all(q > 0) && max(error) < best$error) {
      best <- list(
        p = fitted[seq_len(n + 1)] / c^(2 * (0:n)), q = b / c^(2 * (0:n)), error = max(error)
      )
    }
    weight <- weight * (error + 1e-3 * max(error))
    weight <- weight / mean(weight)
  }
  best
}

report <- function(what, error, ..., format = "%a") {
  cat(what, sprintf(", off by %.1e\n", error), sep = "")
  for (coefficients in list(...)) cat(" ", sprintf(format, coefficients), "\n")
}
half <- log(2) / 2
for (n in c(11, 6)) {
  e <- exponential(half, half, n)
  report(paste("e^r, |r| <= log(2) / 2, degree", n), e$error, e$coefficients,
    format = if (n == 6) "%.9g" else "%a"
  )
}
e <- exponential(half, 1 / 2, 10)
report("2^r, |r| <= 1/2, degree 10", e$error, e$coefficients)
# Up to a common factor, here 1.29937643, and a unit in the last place of each: of thousands of such
# changes at random the code has the one with the least error of the whole function in floats, with
# and without fused multiplication and addition.
e <- hyperbolic_tangent(7.96, 4)
report("tanh, |x| <= 7.96", e$error, 1.29937643 * e$p, 1.29937643 * e$q, format = "%.9g")
