#' A picture as a probability density
#'
#' A grey-scale picture becomes a density on the unit square, constant on every pixel: known
#' exactly, easily drawn from, and hard enough to estimate to tell densities apart. Pixel
#' `(i, j)` of an m x n picture covers `(j - 1) / n <= x <= j / n` and
#' `1 - i / m <= y <= 1 - (i - 1) / m`: rows run from the top down.
#'
#' @param x A numeric matrix of finite grey values of at least 0, 0 for black; or a string, the path
#'   of a PNG or JPEG file (read by the packages png and jpeg). Colours turn into their luminance
#'   0.2989 R + 0.5870 G + 0.1140 B; transparent pixels are laid over white.
#' @param invert A flag: `FALSE` puts the mass where the picture is bright, `TRUE` where it is
#'   dark (1 less the grey value of a file, the largest value less that of a matrix).
#' @return An object of class `"image_density"`, a plain list:
#'   - `mass`, a matrix shaped like the picture, the probability of each pixel;
#'   - `invert`, as given.
#' @section Errors: A condition of class `"cwmix_input_error"` when `x` is no such matrix or file,
#'   or has no mass; of class `"cwmix_package_error"` when the package to read it is missing.
#' @references Argouarc'h, Desbouvries, Barat, Kawasaki and Dautremer (2025), Classifier Weighted
#'   Mixture models, arXiv:2501.02989, whose experiment estimates a picture's density.
#' @seealso [expected_log_density()] and [entropy()] to score estimates.
#' @examples
#' ramp <- image_density(matrix(1:6, 2))
#' ramp
#' predict(ramp, cbind(x = 0.9, y = c(0.1, 0.9)))
#' simulate(ramp, 3, seed = 1)
#' @export
image_density <- function(x, invert = FALSE) {
  call <- user_call()
  check_given("x", call)
  check_flag(invert, "invert", call)
  if (is.character(x) && is.null(dim(x))) {
    grey <- read_picture(x, call)
    white <- 1
  } else {
    grey <- check_grey(x, call)
    white <- max(grey)
  }
  mass <- if (invert) white - grey else grey
  if (max(mass) == 0) {
    stop_input("`x` must have a pixel of positive mass, not ", if (invert) "white" else "black",
      " ones only.",
      call = call
    )
  }
  # Divided by the largest first: a sum of large numbers could overflow.
  mass <- mass / max(mass)
  structure(list(mass = mass / sum(mass), invert = invert), class = "image_density")
}

check_grey <- function(x, call) {
  if (!is_plain_numeric(x) || length(dim(x)) != 2 || length(x) == 0) {
    stop_input("`x` must be a numeric matrix or the path of a PNG or JPEG file, not ",
      describe(x), ".",
      call = call
    )
  }
  bad <- which(!is.finite(x) | x < 0)
  if (length(bad) > 0) {
    stop_input("`x` must be finite and not negative, but x[", (bad[1] - 1) %% nrow(x) + 1, ", ",
      (bad[1] - 1) %/% nrow(x) + 1, "] is ", format(x[bad[1]]), ".",
      call = call
    )
  }
  matrix(as.double(x), nrow(x))
}

# The grey values of a file, 0 for black to 1 for white.
read_picture <- function(path, call) {
  refuse <- function(...) stop_input("`x` must be the path of a PNG or JPEG file", ..., call = call)
  if (length(path) != 1 || is.na(path)) {
    refuse(", not ", describe(path), ".")
  }
  if (!file.exists(path) || dir.exists(path)) {
    refuse(", but there is no file ", describe(path), ".")
  }
  start <- readBin(path, "raw", 4)
  package <- if (identical(start, as.raw(c(0x89, 0x50, 0x4e, 0x47)))) {
    "png"
  } else if (identical(start[1:2], as.raw(c(0xff, 0xd8)))) {
    "jpeg"
  } else {
    refuse(", but ", describe(path), " is neither.")
  }
  check_installed(package, call)
  pixels <- tryCatch(
    if (package == "png") png::readPNG(path) else jpeg::readJPEG(path),
    error = function(e) {
      refuse(", but ", describe(path), " cannot be read: ", conditionMessage(e), ".")
    }
  )
  luminance(pixels)
}

check_installed <- function(package, call) {
  if (!requireNamespace(package, quietly = TRUE)) {
    stop_cwmix(
      sprintf("The package %1$s is needed to read `x`: install.packages(\"%1$s\").", package),
      "cwmix_package_error", call
    )
  }
}

# Grey, grey and alpha, RGB, RGB and alpha: rows x columns (x channels), values from 0 to 1.
luminance <- function(pixels) {
  if (is.matrix(pixels)) {
    return(pixels)
  }
  channel <- function(i) matrix(pixels[, , i], nrow(pixels))
  channels <- dim(pixels)[3]
  grey <- if (channels < 3) {
    channel(1)
  } else {
    # The factors sum to 0.9999; white is 1 in every picture.
    (0.2989 * channel(1) + 0.5870 * channel(2) + 0.1140 * channel(3)) / 0.9999
  }
  if (channels %in% c(1, 3)) {
    return(grey)
  }
  alpha <- channel(channels)
  alpha * grey + (1 - alpha)
}

check_image <- function(object, call, arg = "object") {
  check_class(object, "image_density", "an image_density()", arg, call)
}

#' @export
format.image_density <- function(x, ...) {
  check_dots_empty(..., call = user_call())
  sprintf(
    "Density of a picture: %d x %d pixels, entropy %s nats",
    nrow(x$mass), ncol(x$mass), format(entropy(x), digits = 4)
  )
}

#' @export
print.image_density <- function(x, ...) {
  cat(format(x, ...), sep = "\n")
  invisible(x)
}

#' Evaluate, draw from and plot a picture's density
#'
#' @param object,x An [image_density()].
#' @param newdata The points on the unit square: a numeric matrix or data frame with columns `x`
#'   and `y` (by position where a matrix has no names).
#' @param log A flag: log density instead of density.
#' @param nsim A whole number of at least 0, the number of draws.
#' @param seed `NULL`, or an integer for [set.seed()]; the generator's state is then restored, as
#'   by [stats::simulate()].
#' @param ... For `plot()` arguments of [graphics::image()] such as `main`; otherwise must be empty.
#' @return `predict()`: a numeric vector, the density at each row of `newdata`, per unit of area, 0
#'   outside the unit square, `NA` where a coordinate is missing. `simulate()`: a data frame of
#'   `nsim` independent draws with columns `x` and `y` and the attribute `"seed"`. `plot()`:
#'   invisibly a list `x`, `y`, `z`, the pixels' centres and the density there, as for
#'   [graphics::image()].
#' @section Errors: A condition of class `"cwmix_input_error"`.
#' @name image_density-methods
#' @examples
#' ring <- image_density(outer(-20:20, -20:20, function(a, b) abs(sqrt(a^2 + b^2) - 15) < 4) + 0)
#' predict(ring, data.frame(x = c(0.5, 0.88, 2), y = 0.5))
#' plot(ring)
#' points(simulate(ring, 200, seed = 1), pch = 16, cex = 0.5, col = "tomato")
NULL

#' @rdname image_density-methods
#' @export
predict.image_density <- function(object, newdata, log = FALSE, ...) {
  call <- user_call()
  check_dots_empty(..., call = call)
  check_flag(log, "log", call)
  if (missing(newdata)) {
    stop_input("`newdata` must be given.", call = call)
  }
  square <- new_frame(c("x", "y"), "data.frame", no_support(2))
  points <- read_newdata(square, newdata, call)
  x <- points$x[, 1]
  y <- points$x[, 2]
  m <- nrow(object$mass)
  n <- ncol(object$mass)
  density <- as.double(ifelse(is.na(x) | is.na(y), NA, 0))
  names(density) <- points$rows
  inside <- which(x >= 0 & x <= 1 & y >= 0 & y <= 1)
  row <- pmin(floor((1 - y[inside]) * m) + 1, m)
  column <- pmin(floor(x[inside] * n) + 1, n)
  density[inside] <- object$mass[cbind(row, column)] * (m * n)
  if (log) log(density) else density
}

#' @rdname image_density-methods
#' @export
simulate.image_density <- function(object, nsim = 1, seed = NULL, ...) {
  call <- user_call()
  check_dots_empty(..., call = call)
  nsim <- check_count(nsim, "nsim", call, min = 0)
  state <- seed_state(seed, call)
  if (!is.null(seed)) on.exit(assign(".Random.seed", state$before, envir = globalenv()))
  m <- nrow(object$mass)
  n <- ncol(object$mass)
  pixel <- sample.int(m * n, nsim, replace = TRUE, prob = object$mass) - 1L
  draws <- data.frame(
    x = (pixel %/% m + stats::runif(nsim)) / n,
    y = 1 - (pixel %% m + stats::runif(nsim)) / m
  )
  attr(draws, "seed") <- state$seed
  draws
}

#' @rdname image_density-methods
#' @export
plot.image_density <- function(x, ...) {
  dots <- read_dots(list(...), user_call())
  m <- nrow(x$mass)
  n <- ncol(x$mass)
  drawn <- list(
    x = (seq_len(n) - 0.5) / n, y = (seq_len(m) - 0.5) / m,
    z = t(x$mass[rev(seq_len(m)), , drop = FALSE]) * (m * n)
  )
  shades <- grDevices::gray(seq(0, 1, length.out = 256))
  defaults <- list(
    # Edges, not centres: a single pixel has no neighbours to infer its size from.
    x = seq(0, 1, length.out = n + 1), y = seq(0, 1, length.out = m + 1), z = drawn$z,
    col = if (x$invert) rev(shades) else shades, zlim = c(0, max(drawn$z)), asp = m / n,
    useRaster = TRUE, axes = FALSE, xlab = "x", ylab = "y", main = ""
  )
  do.call(graphics::image, utils::modifyList(defaults, dots))
  if (!identical(dots$axes, FALSE)) {
    # The region is wider or higher than the square, whose axes end at 1.
    graphics::axis(1, seq(0, 1, 0.2))
    graphics::axis(2, seq(0, 1, 0.2), las = 1)
  }
  invisible(drawn)
}

#' @rdname entropy
#' @export
entropy.image_density <- function(object, ...) {
  check_dots_empty(..., call = user_call())
  p <- object$mass[object$mass > 0]
  -sum(p * log(p * length(object$mass)))
}

#' Mean log density of an estimate over a whole picture
#'
#' What an estimate would score on average on infinitely many draws from the picture: the integral
#' of its log density against the picture's density, by the midpoint rule within every pixel.
#' There is no sampling noise.
#'
#' @param object An [image_density()], the truth.
#' @param density The estimate on the unit square: a density of this package in two columns, or a
#'   function that takes an n x 2 matrix of points, with columns `x` and `y`, and returns their n
#'   log densities. Columns with other names are x and y by position.
#' @param per_pixel A whole number: each pixel is split into `per_pixel`^2 parts, each evaluated
#'   at its centre.
#' @return A number, in nats; at most `-entropy(object)`, up to the error of the midpoint rule.
#'   `-Inf` where the estimate is zero on a part of the picture.
#' @section Errors: A condition of class `"cwmix_input_error"`.
#' @seealso [entropy()]
#' @examples
#' cross <- image_density(diag(16) + diag(16)[16:1, ])
#' fit <- gaussian_mixture(simulate(cross, 2000, seed = 1), K = 4, covariance = "full")
#' c(fit = expected_log_density(cross, fit), best = -entropy(cross))
#' @export
expected_log_density <- function(object, density, per_pixel = 2) {
  call <- user_call()
  check_given(c("object", "density"), call)
  check_image(object, call)
  per_pixel <- check_count(per_pixel, "per_pixel", call)
  log_density <- if (is.function(density)) {
    density
  } else {
    needed <- "a density of this package or a function"
    check_class(density, "cwmix_density", needed, "density", call)
    validate_density(density, "density", call)
    if (dimension(density) != 2) {
      stop_input("`density` must have 2 columns, not ", dimension(density), ".", call = call)
    }
    by_name <- setequal(density$frame$names, c("x", "y"))
    function(u) unname(log_quantity(density, if (by_name) u else unname(u), "density", call))
  }
  pixels <- which(object$mass > 0)
  part <- (seq_len(per_pixel) - 0.5) / per_pixel
  total <- 0
  # Some 50,000 points at a time bound the memory, whatever the picture's size.
  for (some in split(pixels, (seq_along(pixels) - 1) %/% max(1, 5e4 %/% per_pixel^2))) {
    row <- (some - 1) %% nrow(object$mass)
    column <- (some - 1) %/% nrow(object$mass)
    u <- cbind(
      x = rep(column, each = per_pixel^2) + rep(part, each = per_pixel),
      y = nrow(object$mass) - rep(row, each = per_pixel^2) - part
    )
    u <- u / rep(c(ncol(object$mass), nrow(object$mass)), each = nrow(u))
    value <- log_density(u)
    if (!is.numeric(value) || length(value) != nrow(u) || anyNA(value)) {
      stop_input("`density` must return ", nrow(u), " log densities for ", nrow(u), " points, not ",
        if (anyNA(value)) "missing values" else describe(value), ".",
        call = call
      )
    }
    total <- total + sum(rep(object$mass[some], each = per_pixel^2) * value) / per_pixel^2
  }
  total
}
