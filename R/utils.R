# Small words that several files use.

`%||%` <- function(x, y) if (is.null(x)) y else x

article <- function(noun) if (grepl("^[aeiou]", noun)) "an" else "a"

# Whole numbers as one writes them in R.
written <- function(x) deparse(as.double(x))

plural <- function(n, noun) {
  sprintf("%s %s%s", base::format(n, big.mark = ","), noun, if (n == 1) "" else "s")
}
