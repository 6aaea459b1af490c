# Small words that several files use.

`%||%` <- function(x, y) if (is.null(x)) y else x

article <- function(noun) if (grepl("^[aeiou]", noun)) "an" else "a"

# Whole numbers as one writes them in R.
written <- function(x) deparse(as.double(x))

plural <- function(n, noun) {
  several <- if (grepl("[^aeiou]y$", noun)) sub("y$", "ies", noun) else paste0(noun, "s")
  paste(base::format(n, big.mark = ","), if (n == 1) noun else several)
}

# As in "rows 3, 7, 12 and 4 more".
name_rows <- function(rows) {
  paste0(
    if (length(rows) == 1) "row " else "rows ", paste(utils::head(rows, 3), collapse = ", "),
    if (length(rows) > 3) paste(" and", length(rows) - 3, "more")
  )
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

# Names of rows as dimnames; none at all where there are none, as in a plain matrix.
row_names <- function(rows, columns = NULL) {
  if (!is.null(rows) || !is.null(columns)) list(rows, columns)
}

# The column whose interval of cumulated probabilities holds u, a row at a time.
choose_column <- function(probabilities, u) {
  K <- ncol(probabilities)
  chosen <- rep(1L, nrow(probabilities))
  cumulated <- double(nrow(probabilities))
  for (k in seq_len(K)) {
    chosen[cumulated < u & probabilities[, k] > 0] <- k
    cumulated <- cumulated + probabilities[, k]
  }
  chosen
}

# The same where all rows have these probabilities.
choose_interval <- function(probabilities, u) {
  possible <- which(probabilities > 0)
  before <- sums_before(probabilities[possible])
  possible[findInterval(u, before, left.open = TRUE)]
}

# What the numbers before each add up to, one after the other in double precision.
sums_before <- function(x) Reduce(`+`, x, 0, accumulate = TRUE)[seq_along(x)]

# Which elements of a list are the same: the number of the first such, for each. match() would take
# numbers for equal that agree in 15 digits.
first_identical <- function(x) {
  first <- integer(length(x))
  for (i in seq_along(x)) {
    known <- unique(first[seq_len(i - 1)])
    same <- vapply(known, function(j) identical(x[[j]], x[[i]]), NA)
    first[i] <- c(known[same], i)[1]
  }
  first
}

# A message from elsewhere as the end of ours: one line, one full stop.
as_sentence <- function(message) {
  paste0(sub("[. ]+$", "", gsub("[[:space:]]+", " ", message)), ".")
}

# The number of the largest column, the first among equals; NA where the first is.
most_probable <- function(posterior) {
  class <- max.col(replace(posterior, is.na(posterior), -Inf), ties.method = "first")
  class[is.na(posterior[, 1])] <- NA
  names(class) <- rownames(posterior)
  class
}

# Not sample.int(prob =): it sorts, and near ties would then hang on rounding.
pick_rows <- function(weight, size) {
  cumulated <- cumsum(weight)
  findInterval(stats::runif(size) * cumulated[length(weight)], cumulated) + 1L
}

fixed <- function(x, digits) {
  plain <- is.finite(x) && abs(x) >= 1e-3 && abs(x) <= 1e9
  if (plain) sprintf("%.*f", digits, x) else base::format(x, digits = 5)
}

# Labels 1, 2, ... of folds whose sizes differ by at most one.
random_folds <- function(count, n) sample(rep_len(seq_len(count), n))
