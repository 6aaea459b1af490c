test_that("a picture's density integrates to one and is each pixel's share of the mass", {
  grey <- rbind(c(1, 2, 3), c(0, 5, 1))
  picture <- image_density(grey)
  expect_equal(sum(picture$mass), 1, tolerance = 1e-15)
  # rows run from the top down: y = 3/4 is the first row
  centres <- cbind(x = c(1, 3, 5, 1, 3, 5) / 6, y = rep(c(3, 1) / 4, each = 3))
  expect_equal(predict(picture, centres), 6 * c(t(grey)) / 12, tolerance = 1e-14)
  expect_equal(predict(picture, centres, log = TRUE), log(6 * c(t(grey)) / 12), tolerance = 1e-14)
  side <- (1:600 - 0.5) / 600
  grid <- expand.grid(x = side, y = side)
  expect_equal(mean(predict(picture, grid)), 1, tolerance = 1e-12)
})

test_that("a picture's density is zero off the square, defined on its edges, NA where data are", {
  picture <- image_density(matrix(1, 3, 2))
  corners <- expand.grid(x = 0:1, y = 0:1)
  expect_equal(unname(predict(picture, corners)), rep(1, 4), tolerance = 1e-14)
  beyond <- rbind(c(-1e-9, 0.5), c(0.5, 1.1), c(Inf, 0.5), c(NA, 0.5), c(0.5, NaN))
  expect_identical(predict(picture, beyond), c(0, 0, 0, NA, NA))
  expect_identical(predict(picture, beyond, log = TRUE), c(-Inf, -Inf, -Inf, NA, NA))
})

test_that("columns of points are matched by name and rows keep theirs", {
  picture <- image_density(rbind(c(1, 2), c(3, 4)))
  swapped <- data.frame(y = c(0.9, 0.1), other = 0, x = c(0.9, 0.1), row.names = c("a", "b"))
  expect_equal(predict(picture, swapped), c(a = 4 * 2 / 10, b = 4 * 3 / 10), tolerance = 1e-14)
})

test_that("draws follow the picture and keep R's conventions for seeds", {
  grey <- rbind(c(1, 0, 3, 2), c(4, 5, 0, 1), c(2, 2, 7, 3))
  picture <- image_density(grey)
  set.seed(1)
  before <- .Random.seed
  draws <- simulate(picture, 20000, seed = 7)
  expect_identical(.Random.seed, before)
  expect_identical(simulate(picture, 20000, seed = 7), draws)
  none <- simulate(picture, 0, seed = 7)
  expect_identical(attr(none, "seed"), attr(draws, "seed"))
  expect_identical(none, structure(draws[0, ], seed = attr(draws, "seed")))
  expect_named(draws, c("x", "y"))
  # a grid twice as fine as the picture: uniform within the pixels too
  cell <- table(
    factor(floor((1 - draws$y) * 6), 0:5), factor(floor(draws$x * 8), 0:7)
  )
  expected <- grey[rep(1:3, each = 2), rep(1:4, each = 2)] / (4 * sum(grey))
  expect_identical(sum(cell[expected == 0]), 0L)
  used <- expected > 0
  test <- chisq.test(cell[used], p = expected[used])
  expect_gt(test$p.value, 0.001)
  # without a seed the user's generator moves on, and the attribute brings the draws back
  set.seed(3)
  first <- simulate(picture, 3)
  second <- simulate(picture, 3)
  assign(".Random.seed", attr(second, "seed"), globalenv())
  expect_identical(simulate(picture, 3), second)
  expect_false(identical(first$x, second$x))
})

test_that("the entropy is exact", {
  expect_equal(entropy(image_density(matrix(5, 7, 3))), 0, tolerance = 1e-14)
  expect_equal(entropy(image_density(diag(4))), -log(4), tolerance = 1e-14)
  picture <- image_density(matrix(c(1, 2, 3, 10), 2))
  log_density <- predict(picture, simulate(picture, 1e5, seed = 1), log = TRUE)
  error <- sd(log_density) / sqrt(1e5)
  expect_lt(abs(-entropy(picture) - mean(log_density)), 4 * error)
})

test_that("an estimate's expected log density is its mean over the population", {
  picture <- image_density(matrix(c(1, 0, 2, 3, 1, 0), 2))
  # the picture itself reaches the bound, empty pixels notwithstanding
  own <- function(u) predict(picture, u, log = TRUE)
  expect_equal(expected_log_density(picture, own, 1), -entropy(picture), tolerance = 1e-14)
  uniform <- function(u) double(nrow(u))
  expect_identical(expected_log_density(picture, uniform), 0)
  # a linear function is integrated exactly: its mean is that at the mean
  linear <- function(u) 2 * u[, "x"] - 3 * u[, "y"]
  p <- picture$mass
  at_mean <- 2 * sum(p %*% (c(1, 3, 5) / 6)) - 3 * sum(c(3, 1) / 4 * p)
  expect_equal(expected_log_density(picture, linear, 3), at_mean, tolerance = 1e-14)
  expect_identical(expected_log_density(picture, function(u) rep(-Inf, nrow(u))), -Inf)
})

test_that("large pictures are scored in pieces, with the same result", {
  picture <- image_density(outer(1:90, 1:70, function(i, j) (i * j) %% 11))
  sizes <- integer()
  expected_log_density(picture, function(u) {
    sizes <<- c(sizes, nrow(u))
    u[, 1]
  }, per_pixel = 4)
  expect_identical(sum(sizes), as.integer(16 * sum(picture$mass > 0)))
  expect_lte(max(sizes), 50000)
  expect_gt(length(sizes), 1)
})

test_that("densities of the package are scored like their own log densities", {
  picture <- image_density(matrix(c(1, 2, 3, 10), 2))
  model <- cwmix_model(rbind(c(-1, 0), c(1, 0)),
    sd = matrix(1, 2, 2), classifier = c(0.4, 0.6), support = c(0, 1)
  )
  by_hand <- function(u) predict(model, u, log = TRUE)
  expect_identical(expected_log_density(picture, model), expected_log_density(picture, by_hand))
  expect_lt(expected_log_density(picture, model), -entropy(picture))
})

test_that("fits are scored by the names x and y of their columns, otherwise by position", {
  picture <- image_density(matrix(c(1, 2, 3, 10), 2))
  draws <- simulate(picture, 500, seed = 1)
  score <- function(x) {
    set.seed(1)
    expected_log_density(picture, gaussian_mixture(x, K = 2, covariance = "full"))
  }
  plain <- score(unname(as.matrix(draws)))
  expect_identical(score(draws), plain)
  expect_identical(score(stats::setNames(draws, c("u", "v"))), plain)
  swapped <- gaussian_mixture(draws[c("y", "x")], K = 1)
  straight <- gaussian_mixture(draws, K = 1)
  expect_equal(
    expected_log_density(picture, swapped), expected_log_density(picture, straight),
    tolerance = 1e-12
  )
})

test_that("pictures are read from PNG files, colours by luminance, transparency over white", {
  skip_if_not_installed("png")
  path <- tempfile(fileext = ".png")
  on.exit(unlink(path))
  rgba <- array(0, c(1, 4, 4))
  rgba[1, , ] <- rbind(c(1, 0, 0, 1), c(0, 1, 0, 1), c(0, 0, 1, 1), c(0, 0, 0, 0))
  png::writePNG(rgba, path)
  grey <- c(0.2989, 0.5870, 0.1140) / 0.9999
  expect_equal(image_density(path)$mass, rbind(c(grey, 1)) / 2, tolerance = 1e-12)
  # white has no mass when dark is mass
  expect_equal(
    image_density(path, invert = TRUE)$mass, rbind(c(1 - grey, 0)) / 2,
    tolerance = 1e-12
  )
  png::writePNG(matrix(c(0, 1, 1, 0), 2), path)
  expect_equal(image_density(path)$mass, matrix(c(0, 1, 1, 0), 2) / 2, tolerance = 1e-12)
})

test_that("pictures are read from JPEG files, whatever their names", {
  skip_if_not_installed("jpeg")
  path <- tempfile()
  on.exit(unlink(path))
  jpeg::writeJPEG(matrix(rep(c(0.25, 0.75), each = 128), 16), path, quality = 1)
  mass <- image_density(path)$mass
  expect_identical(dim(mass), c(16L, 16L))
  # eight bits and a lossy code
  expect_equal(mean(mass[, 9:16]) / mean(mass[, 1:8]), 3, tolerance = 0.02)
})

test_that("inverting a matrix puts the mass where it is small", {
  expect_equal(
    image_density(matrix(0:3, 2), invert = TRUE)$mass, matrix(3:0, 2) / 6,
    tolerance = 1e-15
  )
})

test_that("huge and tiny grey values make the same density", {
  grey <- matrix(c(1, 2, 3, 4), 2)
  expect_equal(image_density(1e308 / 4 * grey), image_density(grey), tolerance = 1e-14)
  expect_equal(image_density(1e-300 * grey), image_density(grey), tolerance = 1e-14)
})

test_that("a picture is drawn as it is, on the unit square", {
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  grey <- rbind(c(1, 2, 3), c(0, 5, 1))
  for (invert in c(FALSE, TRUE)) {
    picture <- image_density(grey, invert)
    before <- graphics::par(no.readonly = TRUE)
    drawn <- withVisible(plot(picture, main = "A picture"))
    expect_false(drawn$visible)
    after <- graphics::par(no.readonly = TRUE)
    lasting <- setdiff(names(before), c("usr", "xaxp", "yaxp"))
    expect_identical(after[lasting], before[lasting])
    grid <- expand.grid(x = drawn$value$x, y = drawn$value$y)
    expect_equal(c(drawn$value$z), unname(predict(picture, grid)), tolerance = 1e-14)
    # a unit of y is as long as two rows, one of x as three columns
    pixels <- graphics::par("pin") / (graphics::par("usr")[c(2, 4)] - graphics::par("usr")[c(1, 3)])
    expect_equal(pixels[2] / pixels[1], 2 / 3, tolerance = 1e-6)
  }
})

test_that("a picture's density prints in a line", {
  expect_snapshot(image_density(matrix(1, 4, 6)))
  expect_snapshot(image_density(diag(4)))
})

test_that("bad pictures are refused by name", {
  text <- tempfile("text")
  broken <- tempfile("broken")
  on.exit(unlink(c(text, broken)))
  writeLines("no picture", text)
  writeBin(as.raw(c(0x89, 0x50, 0x4e, 0x47, 1, 2, 3, 4)), broken)
  hide <- function(lines) gsub("\"[^\"]*(text|broken)[^\"]*\"", "\"<\\1>\"", lines)
  expect_snapshot(error = TRUE, transform = hide, {
    image_density(NULL)
    image_density(1:4)
    image_density(array(1, c(2, 2, 3)))
    image_density(matrix("a"))
    image_density(matrix(numeric(), 0, 3))
    image_density(matrix(c(1, NA, 2, 3), 2))
    image_density(matrix(c(1, 2, -1, 3), 2))
    image_density(matrix(c(1, 2, Inf, 3), 2))
    image_density(matrix(0, 2, 2))
    image_density(matrix(3, 2, 2), invert = TRUE)
    image_density(matrix(1, 2, 2), invert = NA)
    image_density("no-such-file.png")
    image_density(c("a.png", "b.png"))
    image_density(text)
  })
  skip_if_not_installed("png")
  expect_error(image_density(broken), "cannot be read", class = "cwmix_input_error")
})

test_that("a missing package is named", {
  expect_error(
    check_installed("nosuchpackage", NULL), "nosuchpackage",
    class = "cwmix_package_error"
  )
})

test_that("bad arguments of the methods are refused by name", {
  picture <- image_density(diag(2))
  expect_snapshot(error = TRUE, {
    predict(picture)
    predict(picture, cbind(x = 1, z = 2))
    predict(picture, 1:3)
    predict(picture, cbind(0, 0), log = 1)
    predict(picture, cbind(0, 0), type = "density")
    simulate(picture, -1)
    simulate(picture, 1, seed = "a")
    plot(picture, 3)
    entropy(picture, base = 2)
    entropy(3)
    expected_log_density(diag(2), function(u) u[, 1])
    expected_log_density(picture, "a")
    expected_log_density(picture, function(u) 1)
    expected_log_density(picture, function(u) u[, 1], per_pixel = 0)
  })
})
