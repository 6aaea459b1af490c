test_that("blocks of rows hold every row once, in order", {
  for (n in c(0, 1, 1024, 1025, 10000)) {
    for (width in c(1, 400, 1e7)) {
      blocks <- row_blocks(n, width)
      expect_identical(as.integer(unlist(blocks)), seq_len(n))
      expect_lte(max(0, lengths(blocks)) * width, max(1e6, 1024 * width))
    }
  }
})

test_that("matrices of doubles are plain whatever they were", {
  given <- list(
    matrix(1:6, 3, dimnames = list(letters[1:3], c("a", "b"))), structure(1:6, class = "own"),
    structure(as.double(1:6), note = "x"), c(a = 1, b = 2, c = 3, d = 4, e = 5, f = 6)
  )
  for (x in given) expect_identical(as_matrix(x, 3L, 2L), matrix(as.double(1:6), 3))
})

test_that("a row that all share is chosen from as each row is", {
  u <- c(2^-53, 0.1, 0.2, 0.3, 0.3 + 1e-16, 0.5, 0.99, 1 - 2^-53)
  for (p in list(c(0.1, 0.2, 0.7), c(0, 0.3, 0, 0.7, 0), 1, rep(0.01, 100))) {
    rows <- matrix(p, length(u), length(p), byrow = TRUE)
    expect_identical(choose_interval(p, u), choose_column(rows, u))
  }
  expect_identical(choose_interval(c(0.5, 0.5), double()), integer())
})

test_that("elements of a list are the same only where every digit is", {
  x <- list(NULL, list(a = 1), list(a = 1 + 1e-16 * 2.5), list(a = 1), NULL, list(b = 1))
  expect_identical(first_identical(x), c(1L, 2L, 3L, 2L, 1L, 6L))
  expect_identical(first_identical(list()), integer())
})
