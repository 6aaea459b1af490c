# Runs code(instance, single) for every engine there is.
each_engine <- function(code) {
  for (instance in cwmix_info()$instances) {
    for (single in c(FALSE, TRUE)) code(instance, single)
  }
}

# The ranges and errors that src/engine/vmath.h states: relative, but for the logarithm near 1,
# where they are absolute. `own` is the error of R's function, which is no better reference than
# that.
vmath_claims <- function(single) {
  claim <- function(lower, upper, double, float, own, f) {
    list(
      lower = lower, upper = upper, f = f,
      error = if (single) float else double + own
    )
  }
  list(
    exp = if (single) {
      claim(-87, 88.7, 3e-16, 2e-7, 2e-16, exp)
    } else {
      claim(-707, 709.7, 3e-16, 2e-7, 2e-16, exp)
    },
    log = claim(log(2.3e-308), log(1.7e308), 3e-16, 2e-7, 2e-16, log),
    tanh = claim(-30, 30, 5e-16, 3e-7, 3e-16, tanh),
    logistic = if (single) {
      claim(-88.7, 30, 4e-16, 3e-7, 3e-16, stats::plogis)
    } else {
      claim(-709.7, 50, 4e-16, 3e-7, 3e-16, stats::plogis)
    }
  )
}

# To the nearest float.
as_float <- function(x) {
  readBin(writeBin(as.double(x), raw(), size = 4), "double", length(x), size = 4)
}

# Evaluates code with an instance forced, or with that in use.
in_instance <- function(code, instance = NULL) {
  if (is.null(instance)) code else with_engine(code, instance)
}

vmath <- function(name, x, single = FALSE, instance = NULL) {
  in_instance(.Call(ffi_math, name, x, single), instance = instance)
}

# The worst error of a function at the points x, in units of what is claimed.
vmath_error <- function(name, x, instance, single) {
  claim <- vmath_claims(single)[[name]]
  if (single) x <- as_float(x)
  expected <- claim$f(x)
  error <- abs(vmath(name, x, single, instance) - expected)
  size <- abs(expected)
  if (name == "log") size <- pmax(size, 1)
  max(ifelse(error == 0, 0, error / size)) / claim$error
}

expect_claims <- function(points) {
  each_engine(function(instance, single) {
    for (name in names(vmath_claims(single))) {
      x <- with_fixed_seed(1, points(name, vmath_claims(single)[[name]], single))
      error <- vmath_error(name, x, instance, single)
      expect(
        error <= 1,
        sprintf("%s (%s, single = %s): %.3g times the stated error.", name, instance, single, error)
      )
    }
  })
}

# y = W x + b, dx = W' dy, dw = dy x' of a dense layer, by R.
product_reference <- function(p) {
  list(y = p$w %*% p$x + p$bias, dx = crossprod(p$w, p$dy), dw = tcrossprod(p$dy, p$x))
}

# The sums of absolute terms: rounding is relative to them, not to sums that cancel.
product_size <- function(p) {
  product_reference(lapply(p, abs))
}

random_product <- function(n_out, n_in, n) {
  list(
    w = matrix(rnorm(n_out * n_in), n_out, n_in), bias = rnorm(n_out),
    x = matrix(rnorm(n_in * n), n_in, n), dy = matrix(rnorm(n_out * n), n_out, n)
  )
}

# How far the engine's sums of m terms are off, in units of m + 2 roundings of them and as many of
# R's: at most 1.
product_error <- function(p, single, instance) {
  out <- in_instance(.Call(ffi_product, p$w, p$bias, p$x, p$dy, single), instance = instance)
  expected <- product_reference(p)
  size <- product_size(p)
  terms <- c(y = ncol(p$w) + 1, dx = nrow(p$w), dw = ncol(p$x))
  # floats round the factors as well
  unit <- if (single) 2^-24 else 2^-53
  vapply(names(terms), function(name) {
    if (!identical(dim(out[[name]]), dim(expected[[name]]))) {
      return(Inf)
    }
    bound <- 2 * (terms[[name]] + 2) * unit * size[[name]]
    max(abs(out[[name]] - expected[[name]]) / bound)
  }, 0)
}

expect_products <- function(shapes) {
  products <- with_fixed_seed(1, Map(random_product, shapes$n_out, shapes$n_in, shapes$n))
  for (instance in cwmix_info()$instances) {
    for (single in c(FALSE, TRUE)) {
      error <- vapply(products, product_error, double(3), single = single, instance = instance)
      worst <- which(error == max(error), arr.ind = TRUE)[1, ]
      expect(
        all(error <= 1),
        sprintf(
          "%s (%s, single = %s) of shape %s is %.2g times the bound off.",
          rownames(error)[worst[1]], instance, single, toString(shapes[worst[2], ]), max(error)
        )
      )
    }
  }
}
