# A picture as a density: the experiment of Argouarc'h et al. (2025, Table I and Figure 4), whose
# results vignette("picture") shows. From 200,000 draws from a picture, taken as a density that is
# constant on each pixel, a classifier weighted mixture, two normalising flows, a Gaussian mixture
# and a kernel estimate are fitted. Each is scored on its own draws and on the whole picture.
#   Rscript inst/experiments/picture.R PICTURE FOLDER [SEEDS [MODELS]]
# PICTURE is a PNG or JPEG file; SEEDS and MODELS are separated by commas, by default 1,2,3 and all
# of `models` below. Every fit is a file in FOLDER, and those that are there are not run again. The
# end is FOLDER/picture.csv, a row a score; FOLDER/picture-epochs.csv, the CWM's by epoch; and
# pictures of the fits of the first seed, which need the png package. A seed takes some 25 minutes
# of one core.
suppressMessages(library(cwmix))

# Each model is fitted on the scale on which it scores more: logits of the square's coordinates, or
# those of 0.01 + 0.98 x, the paper's, which are those of an interval a little wider than the
# square. Densities are scored as they are, so that mass beside the square is lost.
square <- c(0, 1)
wider <- c(-1, 99) / 98
n_draws <- 200000
steps <- function(...) cwmix_control(..., patience = Inf, verbose = FALSE)
settings <- list(
  cwmix = list(K = 49, hidden = c(128, 128, 128), support = square, control = steps(
    epochs = 32, batch_size = 500, learning_rate = 2e-3, starts = 3, em_iterations = 200
  )),
  spline = list(
    layers = 8, hidden = c(64, 64, 64), bins = 8, support = wider, validation = 0,
    control = steps(epochs = 240, batch_size = 500, learning_rate = 3e-3)
  ),
  realnvp = list(
    layers = 10, hidden = c(64, 64, 64), activation = "silu", support = square, validation = 0,
    control = steps(epochs = 240, batch_size = 250, learning_rate = 2e-3)
  ),
  mixture = list(
    K = 49, covariance = "full", support = wider, control = steps(starts = 3, em_iterations = 1000)
  )
)

# A function of the draws for each model: a list of what is to be scored, by name, each with `fit`
# and `density`, which takes points and returns log densities.
models <- list(
  # The last epoch and, by 5,000 draws set aside, the best one of the same run.
  cwmix = function(x) {
    fit <- fit_to(x, cwmix, settings$cwmix)
    list("CWM" = scored(last_epoch(fit, x)), "CWM, early stopping" = scored(fit))
  },
  spline = function(x) list("Spline flow" = scored(fit_to(x, flow_spline, settings$spline))),
  realnvp = function(x) list("Real-NVP" = scored(fit_to(x, flow_realnvp, settings$realnvp))),
  mixture = function(x) {
    list("Gaussian mixture" = scored(fit_to(x, gaussian_mixture, settings$mixture)))
  },
  kernel = function(x) {
    held <- seq_len(nrow(x) %/% 10)
    fewer <- kernel_estimate(x[-held, ])
    chosen <- best_bandwidth(function(h) mean(fewer(h)(x[held, ])))
    estimate <- kernel_estimate(x)
    oracle <- best_bandwidth(function(h) expected_log_density(picture, estimate(h), per_pixel = 4))
    with_bandwidth <- function(h) list(fit = kernel_fit(x, h), density = estimate(h))
    list(
      "Kernel estimate" = with_bandwidth(chosen),
      "Kernel estimate, best bandwidth" = with_bandwidth(oracle)
    )
  }
)

fit_to <- function(x, fitting, settings) do.call(fitting, c(list(x), settings))

scored <- function(fit) {
  list(fit = fit, density = function(u) predict(fit, u, log = TRUE, precision = "single"))
}

# A fit is its best epoch, and keeps what update() needs to go on from the last one: its averaged
# parameters on the standardised scale, in the order of EM's components.
last_epoch <- function(fit, x) {
  internal <- asNamespace("cwmix")
  state <- fit$optimiser$state
  units <- internal$standard_units(internal$to_working(x, fit$frame$support)$y, NULL)
  last <- internal$fitted_density(
    internal$unflatten(state$average, fit$optimiser$template), fit$classifier$activation,
    list(sample = c(units, fit["frame"])), "cwmix"
  )
  last$best_epoch <- state$epoch
  last
}

# A Gaussian kernel on the square, reflected at its edges, over the draws' counts in cells a quarter
# of a pixel wide: a function of the bandwidth that returns a function of points, their log
# densities.
kernel_estimate <- function(x) {
  cells <- 4 * rev(dim(picture$mass))
  cell <- function(u) ceiling(u * rep(cells, each = nrow(u)))
  shares <- table_of(cell(x), cells) / nrow(x)
  kernel <- function(m, h) {
    at <- (seq_len(m) - 0.5) / m
    sums <- outer(at, at, "+")
    dnorm(outer(at, at, "-"), 0, h) + dnorm(sums, 0, h) + dnorm(2 - sums, 0, h)
  }
  function(h) {
    log_density <- log(kernel(cells[1], h) %*% shares %*% kernel(cells[2], h))
    function(u) log_density[cell(u)]
  }
}

table_of <- function(cell, cells) {
  matrix(tabulate(cell[, 1] + cells[1] * (cell[, 2] - 1), prod(cells)), cells[1])
}

best_bandwidth <- function(score) {
  optimize(score, c(0.003, 0.012), maximum = TRUE, tol = 1e-4)$maximum
}

kernel_fit <- function(x, h) structure(list(x = x, h = h), class = "kernel")

simulate_from <- function(fit, n, seed) {
  set.seed(seed)
  if (!inherits(fit, "kernel")) {
    return(as.matrix(simulate(fit, n)))
  }
  draws <- fit$x[sample.int(nrow(fit$x), n, TRUE), ] + rnorm(2 * n, sd = fit$h)
  1 - abs(1 - abs(draws))
}

# The mean log density over the whole picture and the mean density of each pixel, rows from the top
# down, at 21 points a pixel. They are a Fibonacci lattice, with 21 different values in each
# coordinate: narrow ridges along an axis fall between the rows of a square grid.
score_picture <- function(density, points = 21, generator = 13) {
  mass <- picture$mass
  score <- 0
  grid <- 0 * mass
  for (i in seq_len(points)) {
    right <- (i - 0.5) / points
    down <- (generator * i / points + 0.5 / points) %% 1
    x <- (c(col(mass)) - 1 + right) / ncol(mass)
    value <- density(cbind(x = x, y = 1 - (c(row(mass)) - 1 + down) / nrow(mass)))
    score <- score + sum((mass * value)[mass > 0]) / points
    grid <- grid + exp(value) / points
  }
  list(score = score, grid = grid)
}

# One fit and its scores, as they are kept in a file.
run <- function(model, seed) {
  x <- as.matrix(simulate(picture, n_draws, seed = seed))
  set.seed(seed)
  time <- system.time(fitted <- suppressWarnings(models[[model]](x), classes = "cwmix_warning"))
  lapply(fitted, function(one) {
    on_picture <- score_picture(one$density)
    is_kernel <- inherits(one$fit, "kernel")
    row <- data.frame(
      seed = seed, parameters = if (is_kernel) NA else length(unlist(coef(one$fit))),
      epochs = if (is.null(one$fit$best_epoch)) NA else one$fit$best_epoch,
      training = mean(one$density(x)), population = on_picture$score,
      integral = mean(on_picture$grid), bandwidth = if (is_kernel) one$fit$h else NA,
      cpu_minutes = sum(time[c("user.self", "sys.self")]) / 60, minutes = time[["elapsed"]] / 60,
      threads = cwmix_info()$threads, date = format(Sys.Date()), commit = commit
    )
    list(row = row, grid = on_picture$grid, fit = one$fit)
  })
}

file_of <- function(model, seed) file.path(folder, sprintf("%s-%s.rds", model, seed))

# Three panels, a pixel of the picture each: the density, draws, and the density less the picture's,
# in means of 4 x 4 pixels (blue where the fit has too little, orange where too much).
write_panels <- function(result, seed, file) {
  grey <- function(x) array(x, c(dim(x), 3))
  top <- max(picture$mass) * length(picture$mass)
  density <- grey(round(pmin(result$grid / top, 1) * 63) / 63)
  png::writePNG(beside(
    density, grey(stipple(simulate_from(result$fit, 20000, seed))),
    in_colour(result$grid - picture$mass * length(picture$mass))
  ), file)
}

beside <- function(...) {
  panels <- list(...)
  gap <- array(1, c(nrow(picture$mass), 6, 3))
  joined <- lapply(1:3, function(channel) {
    layers <- lapply(panels, function(panel) cbind(panel[, , channel], gap[, , channel]))
    all <- do.call(cbind, layers)
    all[, seq_len(ncol(all) - ncol(gap))]
  })
  array(unlist(joined), c(dim(joined[[1]]), 3))
}

# 1 in pixels with a draw.
stipple <- function(draws) {
  size <- dim(picture$mass)
  draws <- draws[rowSums(draws <= 0 | draws >= 1) == 0, ]
  row <- ceiling((1 - draws[, "y"]) * size[1])
  matrix(pmin(table_of(cbind(row, ceiling(draws[, "x"] * size[2])), size), 1), size[1])
}

in_colour <- function(difference, largest = 1) {
  blocks <- list((row(difference) - 1) %/% 4, (col(difference) - 1) %/% 4)
  means <- tapply(difference, blocks, mean)
  shade <- pmax(pmin(means / largest, 1), -1)
  ramp <- grDevices::colorRamp(c("#0072B2", "white", "#D55E00"), space = "Lab")
  colours <- ramp((round(c(shade) * 31) + 31) / 62) / 255
  full <- cbind(c(blocks[[1]]), c(blocks[[2]])) + 1
  at <- full[, 1] + nrow(means) * (full[, 2] - 1)
  array(colours[at, ], c(dim(difference), 3))
}

arguments <- commandArgs(trailingOnly = TRUE)
stopifnot(length(arguments) >= 2)
picture <- image_density(arguments[1])
folder <- arguments[2]
dir.create(folder, showWarnings = FALSE)
chosen <- function(i, default) {
  if (length(arguments) < i) default else strsplit(arguments[i], ",")[[1]]
}
seeds <- as.integer(chosen(3, 1:3))
commit <- tryCatch(
  system2("git", c("rev-parse", "--short", "HEAD"), stdout = TRUE, stderr = FALSE),
  error = function(e) NA, warning = function(w) NA
)

for (seed in seeds) {
  for (model in chosen(4, names(models))) {
    file <- file_of(model, seed)
    if (!file.exists(file)) {
      message(format(Sys.time(), "%H:%M "), model, ", seed ", seed)
      saveRDS(run(model, seed), file)
    }
  }
}

# All that is in the folder, not only what ran now.
results <- list()
for (file in Sys.glob(file.path(folder, "*-*.rds"))) {
  one <- readRDS(file)
  seed <- one[[1]]$row$seed
  results <- c(results, one)
  if (seed == seeds[1]) {
    for (name in names(one)) {
      short <- gsub("[^a-z]+", "-", tolower(name))
      write_panels(one[[name]], seed, file.path(folder, sprintf("picture-%s.png", short)))
    }
  }
}
truth <- stipple(simulate(picture, 20000, seed = seeds[1]))
png::writePNG(truth, file.path(folder, "picture-draws.png"))

write_table <- function(table, name, header) {
  numbers <- vapply(table, is.double, NA)
  table[numbers] <- lapply(table[numbers], signif, 6)
  file <- file.path(folder, name)
  writeLines(paste("#", header), file)
  suppressWarnings(
    write.table(table, file, append = TRUE, sep = ",", row.names = FALSE, qmethod = "double")
  )
}
processor <- tryCatch(
  sub(".*: ", "", grep("^model name", readLines("/proc/cpuinfo"), value = TRUE)[1]),
  error = function(e) Sys.info()[["machine"]], warning = function(w) Sys.info()[["machine"]]
)
machine <- paste0(processor, ", ", R.version.string)
best <- -entropy(picture)
rows <- do.call(rbind, lapply(results, `[[`, "row"))
write_table(
  data.frame(model = names(results), rows, best = best, row.names = NULL), "picture.csv",
  c(machine, "inst/experiments/picture.R of the sources wrote this file")
)
traces <- lapply(unname(results[names(results) == "CWM, early stopping"]), function(one) {
  data.frame(seed = one$row$seed, one$fit$trace)
})
if (length(traces) > 0) {
  write_table(do.call(rbind, traces), "picture-epochs.csv", "CWM by epoch; see picture.csv")
}
