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
