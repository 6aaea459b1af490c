test_that("bits are mirrored at the point", {
  mirrored <- function(i) sum(as.integer(intToBits(i)) * 2^-(1:32))
  expect_identical(mirrored_bits(100), vapply(0:99, mirrored, 0))
  expect_identical(sort(mirrored_bits(64)), 0:63 / 64)
  expect_identical(mirrored_bits(1), 0)
})

test_that("the generating vector is one of distinct odd numbers below 2^19, as it was published", {
  expect_length(lattice_vector, most_lattice_columns + 1)
  expect_identical(anyDuplicated(lattice_vector), 0L)
  expect_identical(unique(lattice_vector %% 2), 1)
  expect_identical(range(lattice_vector), c(1, 519471))
  expect_identical(lattice_vector[1:4], c(1, 182667, 469891, 498753))
})

test_that("each column of a lattice is evenly spaced: two points in each cell of two spacings", {
  for (n in c(2, 8, 64, 1024)) {
    u <- with_fixed_seed(1, shifted_lattice(n, 10))
    # the tent map lays two halves on each other, each with a point in every 2 / n
    counts <- apply(u, 2, function(column) tabulate(ceiling(column * n / 2), n / 2))
    expect_identical(range(counts), c(2L, 2L), info = n)
    # folding moves a spaced mean by less than the square of the spacing
    expect_close(colMeans(u), rep(0.5, 10), 1 / n^2, floor = 1, info = n)
  }
})

test_that("points of several columns are spread better than random ones", {
  # the L2 discrepancy from zero, in its closed form (Warnock 1972)
  discrepancy <- function(u) {
    d <- ncol(u)
    each <- Reduce(`*`, lapply(seq_len(d), function(j) 1 - outer(u[, j], u[, j], pmax)))
    sqrt(mean(each) - 2^(1 - d) * mean(apply(1 - u^2, 1, prod)) + 3^-d)
  }
  for (d in c(2, 5)) {
    with_fixed_seed(1, {
      lattice <- replicate(10, discrepancy(shifted_lattice(256, d)))
      random <- replicate(10, discrepancy(matrix(runif(256 * d), 256)))
    })
    expect_lt(max(lattice), min(random))
  }
})

test_that("every point of a lattice is uniform over its shifts", {
  u <- with_fixed_seed(1, replicate(400, shifted_lattice(4, 2)))
  for (i in 1:4) {
    for (j in 1:2) expect_gt(ks.test(u[i, j, ], "punif")$p.value, 1e-4)
  }
})

test_that("replicates share the points as evenly as they can and are shifted on their own", {
  base <- with_fixed_seed(1, base_points(26, 3, "lattice", 8))
  expect_identical(dim(base$z), c(26L, 3L))
  expect_length(base$u, 26)
  expect_identical(tabulate(base$replicate), rep(4:3, c(2, 6)))
  first <- base$z[!duplicated(base$replicate), 1]
  expect_identical(anyDuplicated(first), 0L)
  expect_gt(min(base$u), 0)
  expect_lt(max(base$u), 1)
})

test_that("random points are those of simulate()", {
  base <- with_fixed_seed(1, base_points(20L, 3L, "random", 8))
  expect_null(base$replicate)
  model <- moving_model(3)
  z <- attr(with_fixed_seed(1, simulate(model, 20, component = TRUE)), "z")
  expect_identical(base$z, unname(z))
})

test_that("points in up to 249 columns are there, beyond only random ones", {
  expect_identical(dim(with_fixed_seed(1, base_points(4, 249, "lattice", 2))$z), c(4L, 249L))
  wide <- cwmix_model(matrix(0, 1, 250), sd = matrix(1, 1, 250), classifier = 1)
  expect_error(
    expectation(wide, rowSums, n = 16), "beyond 249 columns",
    class = "cwmix_input_error"
  )
  value <- seeded_expectation(1, wide, function(x) rowSums(x^2), n = 64, points = "random")
  expect_close(as.numeric(value), 250, 0.05)
})

test_that("the number of points is from 2 to 2^20 for each replicate", {
  model <- vector_model()
  expect_error(expectation(model, cos, n = 7), "2\\^20 times", class = "cwmix_input_error")
  expect_error(
    mean(moving_model(1), n = 2^21 + 1, replicates = 2), "2\\^20 times",
    class = "cwmix_input_error"
  )
  expect_length(expectation(model, cos, n = 16), 1)
  expect_length(expectation(model, cos, n = 2, points = "random"), 1)
})
