# Expects every entry to agree: |object - expected| / max(|expected|, floor) is at
# most tolerance, infinities are the same and nothing is missing. expect_equal()
# averages over entries, which hides one bad entry among many. floor = 1 suits
# logarithms, whose absolute error is the relative error of what they are logs of.
# Lists are compared block by block; names of rows and columns are not compared.
expect_close <- function(object, expected, tolerance, floor = 0, info = NULL) {
  problem <- describe_difference(object, expected, tolerance, floor)
  testthat::expect(is.null(problem), problem, info = info)
  invisible(object)
}

# Expects gradients to agree, each entry relative to the largest of its block: an
# entry is a sum over rows whose terms cancel, so its own size is no measure.
expect_close_gradient <- function(object, expected, tolerance, info = NULL) {
  expect_close(object, expected, tolerance, floor = "block", info = info)
}

# What is wrong with object, in words, or NULL.
describe_difference <- function(object, expected, tolerance, floor, block = NULL) {
  if (is.list(expected)) {
    return(describe_list_difference(object, expected, tolerance, floor, block))
  }
  where <- if (is.null(block)) "" else paste0("Block ", block, ": ")
  shape <- function(x) toString(if (is.null(dim(x))) length(x) else dim(x))
  if (shape(object) != shape(expected)) {
    return(sprintf("%sshape is (%s), not (%s).", where, shape(object), shape(expected)))
  }
  object <- as.numeric(object)
  expected <- as.numeric(expected)
  if (anyNA(object)) {
    return(sprintf("%s%d of %d missing.", where, sum(is.na(object)), length(object)))
  }
  if (identical(floor, "block")) {
    floor <- max(abs(expected), 1)
  }
  error <- abs(object - expected) / pmax(abs(expected), floor)
  error[is.nan(error)] <- Inf # of two infinities
  error[object == expected] <- 0
  if (length(error) == 0L || max(error) <= tolerance) {
    return(NULL)
  }
  worst <- which.max(error)
  sprintf(
    "%sentry %d of %d is %.17g, not %.17g: relative difference %.2g exceeds %.2g.",
    where, worst, length(error), object[worst], expected[worst], error[worst], tolerance
  )
}

describe_list_difference <- function(object, expected, tolerance, floor, block) {
  if (!identical(sort(names(object)), sort(names(expected)))) {
    return(sprintf(
      "Names are (%s), not (%s).", toString(names(object)), toString(names(expected))
    ))
  }
  if (length(object) != length(expected)) {
    return(sprintf(
      "Block %s: length is %d, not %d.", toString(block), length(object), length(expected)
    ))
  }
  entries <- if (is.null(names(expected))) seq_along(expected) else names(expected)
  for (entry in entries) {
    problem <- describe_difference(
      object[[entry]], expected[[entry]], tolerance, floor,
      paste(c(block, entry), collapse = " ")
    )
    if (!is.null(problem)) {
      return(problem)
    }
  }
  NULL
}

# AIC and BIC of a fit follow from its likelihood, or are NA with one warning each.
expect_criteria <- function(object, info = NULL) {
  df <- attr(logLik(object), "df")
  for (criterion in list(list(AIC, 2), list(BIC, log(nobs(object))))) {
    seen <- catch_conditions(criterion[[1]](object))
    expect_equal(seen$value, -2 * object$log_likelihood + criterion[[2]] * df, info = info)
    warned <- vapply(seen$conditions, inherits, NA, "cwmix_no_df")
    expect_identical(warned, if (is.na(df)) TRUE else logical(), info = info)
  }
}

# The share of a fit between two numbers is that of the rows x, within some of its standard errors.
expect_share <- function(fit, x, lower, upper, errors = 2) {
  share <- mean(x > lower & x <= upper)
  fitted <- diff(pcwmix(c(lower, upper), fit))
  expect_lte(abs(fitted - share), errors * sqrt(share * (1 - share) / length(x)))
}

# Where a sequence falls, how far at most; 0 if it never does.
largest_fall <- function(x) max(0, -diff(x))

expect_same_numbers <- function(object, expected) {
  fields <- c(
    "mean", "sd", "cholesky", "classifier", "flow", "base", "members", "shares", "proportions",
    "log_likelihood", "trace", "best_epoch", "held_rows", "starts"
  )
  for (field in fields) expect_identical(object[[field]], expected[[field]], info = field)
}

# Results do not depend on the number of threads, to the bit: expects code to evaluate alike with
# one, two and three. The jobs are large enough for a second thread to be woken.
expect_same_bits <- function(code) {
  code <- substitute(code)
  frame <- parent.frame()
  at <- function(threads) {
    old <- options(cwmix.threads = threads)
    on.exit(options(old))
    eval(code, frame)
  }
  expected <- at(1)
  for (threads in 2:3) expect_identical(at(threads), expected)
}

# Where threads are limited from outside, three cannot be had: then these tests show less.
without_limits <- function(code) {
  limits <- c("OMP_THREAD_LIMIT", "OMP_NUM_THREADS", "_R_CHECK_LIMIT_CORES_")
  old <- Sys.getenv(limits, NA)
  Sys.unsetenv(limits)
  on.exit({
    set <- old[!is.na(old)]
    if (length(set) > 0) do.call(Sys.setenv, as.list(set))
  })
  code
}

# Every entry point with a garbage collection at every allocation: what is not protected is lost.
# Arguments are made before; they are larger than the 128 bytes below which R's small vectors hide
# such mistakes.
expect_survives_gc <- function(entry, ...) {
  arguments <- list(entry, ...)
  expected <- do.call(.Call, arguments)
  gctorture(TRUE)
  on.exit(gctorture(FALSE))
  value <- do.call(.Call, arguments)
  gctorture(FALSE)
  expect_identical(value, expected)
}

# Pearson's test of draws against the model on 20 cells of equal share of the draws' range.
chi_square <- function(model, x, lower = -Inf, upper = Inf) {
  cuts <- unname(quantile(x, seq(0.05, 0.95, by = 0.05)))
  p <- diff(c(0, reference_distribution(model, cuts, lower), 1))
  observed <- table(cut(x, c(lower, cuts, upper)))
  chisq.test(observed, p = p)$p.value
}
