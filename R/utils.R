# Small words that several files use.

`%||%` <- function(x, y) if (is.null(x)) y else x

article <- function(noun) if (grepl("^[aeiou]", noun)) "an" else "a"

# Whole numbers as one writes them in R.
written <- function(x) deparse(as.double(x))

plural <- function(n, noun) {
  sprintf("%s %s%s", base::format(n, big.mark = ","), noun, if (n == 1) "" else "s")
}

# A double matrix of the values of `x` without other attributes. Doubles are not copied.
as_matrix <- function(x, n, d) {
  if (is.object(x) || !is.double(x)) x <- as.double(x)
  attributes(x) <- list(dim = c(n, d))
  x
}

# Consecutive rows in blocks of about a million numbers, `width` a row: what is done block by block
# needs memory for its results only.
row_blocks <- function(n, width) {
  size <- 1024 * max(1, 1e6 %/% (1024 * width))
  lapply(seq_len(ceiling(n / size)), function(b) seq.int((b - 1) * size + 1, min(b * size, n)))
}

row_max <- function(x) do.call(pmax, lapply(seq_len(ncol(x)), function(k) x[, k]))

# log(rowSums(exp(x))).
log_row_sums <- function(x) {
  top <- row_max(x)
  sum <- top + log(rowSums(exp(x - top)))
  replace(sum, which(top == -Inf), -Inf)
}
