test_that("functions keep the stated errors at random points of their range", {
  expect_claims(function(name, claim, single) {
    x <- runif(20000, claim$lower, claim$upper)
    if (name != "log") {
      return(x)
    }
    # normal numbers only, of every magnitude
    if (single) exp(runif(20000, -87, 88)) else exp(x)
  })
})

test_that("functions keep the stated errors where their values are of order one", {
  expect_claims(function(name, claim, single) {
    if (name == "log") runif(20000, 0.25, 4) else runif(20000, -3, 3)
  })
})

test_that("tanh and exp keep their relative errors near zero", {
  expect_claims(function(name, claim, single) {
    x <- 10^runif(5000, if (single) -37 else -300, 0)
    if (name == "log") x else c(-x, x, 1e-10, -1e-10)
  })
})

test_that("functions keep the stated errors up to the ends of their range", {
  expect_claims(function(name, claim, single) {
    ends <- if (name == "log") {
      if (single) c(1.2e-38, 3.4e38) else c(2.3e-308, 1.79e308)
    } else {
      c(claim$lower, claim$upper)
    }
    # a float next to an end may lie beyond it
    if (name == "log") ends else ends * (1 - 1e-6)
  })
})

test_that("beyond their range functions give the limits that are stated", {
  each_engine(function(instance, single) {
    f <- function(name, x) vmath(name, x, single, instance)
    expect_identical(f("exp", c(-Inf, -1e300, -1e5)), c(0, 0, 0))
    expect_identical(f("exp", c(Inf, 1e300, 1e5)), c(Inf, Inf, Inf))
    expect_identical(f("exp", c(-708, 710)), c(0, Inf))
    if (single) expect_identical(f("exp", c(-87.1, 88.8)), c(0, Inf))
    expect_identical(f("log", c(0, -0, Inf)), c(-Inf, -Inf, Inf))
    expect_identical(f("tanh", c(-Inf, Inf, -1e300, 1e300)), c(-1, 1, -1, 1))
    expect_identical(f("tanh", c(-50, 50)), c(-1, 1))
    expect_identical(f("logistic", c(-Inf, Inf, -1e300, 1e300)), c(0, 1, 0, 1))
    expect_identical(f("logistic", c(-711, 50)), c(0, 1))
    if (single) expect_identical(f("logistic", c(-89, 30)), c(0, 1))
  })
})

test_that("2^x keeps its stated error up to the end of its range", {
  x <- with_fixed_seed(4, c(runif(20000, -1021, 0), -10^runif(5000, -300, 1), 0, -0.5, -1021))
  for (instance in cwmix_info()$instances) {
    error <- abs(vmath("exp2", x, FALSE, instance) / 2^x - 1)
    # R's own is not exact, either
    expect_lte(max(error), 5e-16 + 2e-16, label = paste("the largest error of", instance))
    expect_identical(vmath("exp2", c(0, -0, -1, -1021), FALSE, instance), c(1, 1, 0.5, 2^-1021))
    expect_identical(vmath("exp2", c(-1021.5, -1e5, -1e300, -Inf), FALSE, instance), double(4))
    expect_identical(is.nan(vmath("exp2", c(NaN, -1), FALSE, instance)), c(TRUE, FALSE))
  }
})

test_that("values at zero and one are exact", {
  each_engine(function(instance, single) {
    f <- function(name, x) vmath(name, x, single, instance)
    expect_identical(f("exp", c(0, -0)), c(1, 1))
    expect_identical(f("log", 1), 0)
    expect_identical(f("tanh", c(0, -0)), c(0, 0))
    expect_identical(f("logistic", c(0, -0)), c(0.5, 0.5))
  })
})

test_that("tanh is odd and bounded by one", {
  # and at every point around the one from which on floats are one
  x <- with_fixed_seed(2, c(runif(5000, 0, 25), 7.95 + seq(-2000, 2000) * 2^-21, 1e30, Inf))
  each_engine(function(instance, single) {
    up <- vmath("tanh", x, single, instance)
    expect_identical(vmath("tanh", -x, single, instance), -up)
    expect_lte(max(up), 1)
    expect_identical(1 / vmath("tanh", c(0, -0), single, instance), c(Inf, -Inf))
  })
})

test_that("a NaN gives a NaN and leaves its neighbours alone", {
  x <- c(0.5, NaN, 0.25, 2, NaN, 1, 1, 1, NaN)
  each_engine(function(instance, single) {
    for (name in names(vmath_claims(single))) {
      value <- vmath(name, x, single, instance)
      expect_identical(is.nan(value), is.nan(x), info = paste(name, instance, single))
      expect_identical(value[!is.nan(x)], vmath(name, x[!is.nan(x)], single, instance))
    }
  })
})

test_that("NA, a NaN with a payload, gives a NaN", {
  each_engine(function(instance, single) {
    for (name in names(vmath_claims(single))) {
      value <- vmath(name, c(NA_real_, -NA_real_), single, instance)
      expect_identical(is.na(value), c(TRUE, TRUE), info = paste(name, instance, single))
    }
  })
})

test_that("the value does not depend on the place in a vector", {
  x <- with_fixed_seed(3, runif(67, 0.1, 3))
  each_engine(function(instance, single) {
    for (name in names(vmath_claims(single))) {
      one_by_one <- vapply(x, function(a) vmath(name, a, single, instance), 0)
      expect_identical(vmath(name, x, single, instance), one_by_one)
    }
  })
})

test_that("a function the engine does not have is an error", {
  expect_error(vmath("sin", 1), "no such function")
})

test_that("Adam's root is one, to a few roundings", {
  x <- with_fixed_seed(1, c(10^runif(2000, -300, 300), 1:100, 2^(-3:3)))
  for (instance in cwmix_info()$instances) {
    # 5e-16 as stated, and half a rounding of R's own
    expect_close(vmath("root", x, FALSE, instance), sqrt(x), 6.2e-16)
    expect_identical(vmath("root", 0, FALSE, instance), 0)
  }
})
