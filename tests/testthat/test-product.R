test_that("products of random shapes are those of R", {
  expect_products(with_fixed_seed(2, data.frame(
    n_out = sample(40, 60, replace = TRUE), n_in = sample(40, 60, replace = TRUE),
    n = sample(40, 60, replace = TRUE)
  )))
})

test_that("every remainder of every block is right", {
  # 6 points by 2 vectors of outputs make a block, 6 inputs by as much one of the sums over points;
  # a vector has 1 to 16 entries
  expect_products(data.frame(n_out = 1:36, n_in = 5, n = 17))
  expect_products(data.frame(n_out = c(47:49, 63:66), n_in = 5, n = 17))
  expect_products(data.frame(n_out = 7, n_in = c(1:18, 31:33), n = 17))
  expect_products(data.frame(n_out = 7, n_in = 3, n = 1:40))
})

test_that("sums over many points are right at the ends of their parts", {
  # 8192 bytes of a vector a point: 128 points with AVX-512, 2048 floats without vectors
  expect_products(data.frame(
    n_out = 17, n_in = 9, n = c(127:130, 255:257, 511:513, 1023:1025, 2047:2049)
  ))
})

test_that("the smallest and some larger products are right", {
  expect_products(data.frame(
    n_out = c(1, 1, 1, 40, 40, 128), n_in = c(1, 40, 1, 1, 40, 128), n = c(1, 1, 40, 1, 40, 33)
  ))
})

test_that("sums of whole numbers are exact in every engine", {
  p <- with_fixed_seed(3, lapply(random_product(23, 17, 37), function(a) round(4 * a)))
  expected <- product_reference(p)
  for (instance in cwmix_info()$instances) {
    for (single in c(FALSE, TRUE)) {
      out <- with_engine(.Call(ffi_product, p$w, p$bias, p$x, p$dy, single), instance = instance)
      expect_identical(out, expected, info = instance)
    }
  }
})

test_that("a NaN stays in its row and column", {
  p <- with_fixed_seed(4, random_product(8, 5, 19))
  p$x[2, 7] <- NaN
  for (instance in cwmix_info()$instances) {
    out <- with_engine(.Call(ffi_product, p$w, p$bias, p$x, p$dy, FALSE), instance = instance)
    expect_identical(unique(which(is.nan(out$y), arr.ind = TRUE)[, 2]), 7L, info = instance)
    expect_identical(unique(which(is.nan(out$dw), arr.ind = TRUE)[, 2]), 2L, info = instance)
  }
})

test_that("arguments that do not fit are an error, not a crash", {
  w <- matrix(1, 2, 3)
  x <- matrix(1, 3, 4)
  dy <- matrix(1, 2, 4)
  expect_error(.Call(ffi_product, w, 1, x, dy, FALSE), "must be 2 doubles")
  expect_error(.Call(ffi_product, w, c(1, 1), x[1:2, ], dy, FALSE), "must be 12 doubles")
  expect_error(.Call(ffi_product, w, c(1, 1), x, dy[, 1:3], FALSE), "must be 8 doubles")
  expect_error(.Call(ffi_product, w, c(1, 1), x, dy, 1.5), "must be one integer")
})
