#' Plot a density
#'
#' Base graphics, in the form that the number of columns allows. Points are those of `newdata`
#' or the training data.
#'
#' - `"density"`: one column, the density over the histogram; two, the smallest regions that hold
#'   10 to 95 percent of the mass (Hyndman 1996), with the points; more, the points of every pair
#'   of columns and as many draws from the model, with the histograms of both.
#' - `"components"`: one column, every pi_k(x) p_k(x) and their sum, p_k being
#'   N(x; mu_k, Sigma_k), otherwise (with a flow, or of other families) what
#'   [predict()][predict.cwmix_density] calls a component; two, the ellipses that hold 90 percent of
#'   each N(mu_k, Sigma_k), their means, and the points in the colour of their most probable
#'   component; more, the points (draws, without any) of every pair of columns, coloured alike.
#'   With a flow F components are normal in u = F(x), and ellipses and means are shown where F^-1
#'   takes them, here and below.
#' - `"weights"`: the functional weights pi_k(x) in one or two columns; in two, those of the nine
#'   largest components at most, with the ellipses.
#' - `"classifier"`: w(z) for z from -4 to 4, alike, with the standard normal density (at no scale)
#'   or the circle that holds 90 percent of it; of a model with `components`, alpha(u) for u from
#'   0 to 1.
#' - `"training"`: the mean log density of the training and the validation rows after each epoch;
#'   for [gaussian_mixture()] that after each iteration of EM; for [cwmix_vi()] the evidence lower
#'   bound at every evaluation.
#' - `"candidates"`: for a [cwmix()] fit without `K` the held-out scores of its candidates against
#'   K, areas by their shares, and that of all of them stacked.
#' - `"residuals"`: latent residuals (see [residuals()][residuals.cwmix_density]), N(0, I) under
#'   the model: normal Q-Q plots with pointwise 95 percent bands of a sample that size; for two
#'   columns also their scatter, for more a chi-square Q-Q plot of their squared length.
#'
#' @param x A `cwmix_density`: a fit of [cwmix()], [gaussian_mixture()] or [flow_realnvp()], a
#'   [cwmix_model()] or a [cwmix_average()].
#' @param newdata The points to show, as for [predict()][predict.cwmix_density]; incomplete rows
#'   and rows outside the support are left out. `NULL` for the training data, where they are
#'   kept or can be found by the call of the fit; otherwise no points are shown. Scatter plots
#'   show at most 5,000 evenly spaced rows, and pairs at most eight columns.
#' @param what A string, see above.
#' @param ... Titles, labels, limits and the like (`main`, `xlab`, `ylab`, `xlim`, `ylim`; with two
#'   columns `pch`, `cex` and `col` of the points, `pch = NA` for none), by name: arguments of
#'   [graphics::plot.default()], or of [graphics::pairs()] for more than two
#'   columns. With two panels of residuals they are those of the first.
#' @return Invisibly what was drawn.
#'   - Curves: a list `x`, `y`, where `y` is a vector or a matrix with K columns; also `sum` with
#'     the components.
#'   - Surfaces: a list `x`, `y`, `z` as for [graphics::image()], where `z` is a matrix or an array
#'     with K slices; also `levels` with the regions.
#'   - Ellipses: a list `x`, `y` of the means and `ellipses`, a matrix of points each.
#'   - Pairs: a list `points`, `draws` of matrices.
#'   - `"training"`: the trace. `"candidates"`: their table. `"residuals"`: the matrix of residuals.
#'
#'   Graphical parameters and the state of the random number generator are left as they were.
#' @section Errors: A condition of class `"cwmix_input_error"` for weights and classifiers of more
#'   than two columns, the training of a specified model, candidates of one model, and residuals
#'   without points.
#' @references Hyndman (1996), Computing and graphing highest density regions, The American
#'   Statistician 50, 120-126.
#' @examples
#' fit <- gaussian_mixture(faithful, K = 2, covariance = "full")
#' plot(fit)
#' plot(fit, what = "components", xlab = "Eruption (min)", ylab = "Waiting (min)")
#'
#' # A model without data, one column
#' w <- function(z) cbind(plogis(3 * z), plogis(-3 * z))
#' model <- cwmix_model(c(-1, 1), sd = c(1, 2), classifier = w)
#' plot(model, what = "components")
#' @export
plot.cwmix_density <- function(x, newdata = NULL,
                               what = c(
                                 "density", "components", "weights", "classifier", "training",
                                 "candidates", "residuals"
                               ), ...) {
  call <- user_call()
  choices <- c(
    "density", "components", "weights", "classifier", "training", "candidates", "residuals"
  )
  what <- check_choice(what, choices, "what", call)
  dots <- read_dots(list(...), call)
  validate_density(x, "x", call)
  if (what == "training") {
    return(invisible(plot_training(x, dots, call)))
  }
  if (what == "candidates") {
    return(invisible(plot_candidates(x, dots, call)))
  }
  d <- dimension(x)
  if (d > 2 && what %in% c("weights", "classifier")) {
    stop_input("`what` must be \"density\", \"components\", \"training\" or \"residuals\" for ", d,
      " columns, not \"", what, "\": that can be drawn over one or two only.",
      call = call
    )
  }
  points <- points_to_plot(x, newdata, parent.frame(), call)
  if (what == "residuals") {
    return(invisible(plot_residuals(x, points, dots, call)))
  }
  draws <- reference_draws(x)
  draw <- if (what == "classifier") {
    if (d == 1) plot_classifier else plot_classifier_surfaces
  } else if (d == 1) {
    plot_curves
  } else if (d > 2) {
    plot_pairs
  } else {
    switch(what, density = plot_regions, components = plot_ellipses, weights = plot_weight_surfaces)
  }
  invisible(draw(x, what, points, draws, dots))
}

# What goes to plot.default(): named, with limits that are a range; NULL for those is no limit.
read_dots <- function(dots, call) {
  if (length(dots) > 0 && (is.null(names(dots)) || any(names(dots) == ""))) {
    stop_input("Arguments in `...` must be named.", call = call)
  }
  for (arg in intersect(names(dots), c("xlim", "ylim"))) {
    limits <- dots[[arg]]
    if (is.null(limits)) {
      dots[[arg]] <- NULL
      next
    }
    ok <- is_plain_numeric(limits) && length(limits) == 2 && all(is.finite(limits)) &&
      limits[1] != limits[2]
    if (!ok) {
      stop_input(
        "`", arg, "` must be two different finite numbers, not ",
        if (is_plain_numeric(limits) && length(limits) <= 4) deparse(limits) else describe(limits),
        ".",
        call = call
      )
    }
  }
  dots
}

# Rows of newdata or of the training data that are complete, inside the support and of positive
# weight: list(x, weights), or NULL where no data can be found.
points_to_plot <- function(object, newdata, frame, call) {
  if (is.null(newdata)) {
    # The call may draw its data.
    training <- keep_stream(
      tryCatch(training_data(object, frame, call), cwmix_input_error = function(e) NULL)
    )
    x <- training$points$x
    weights <- training$weights
  } else {
    x <- read_newdata(object$frame, newdata, call)$x
    weights <- NULL
  }
  if (is.null(x)) {
    return(NULL)
  }
  kept <- rowSums(!is.finite(x)) == 0 & to_working(x, object$frame$support)$inside
  if (!is.null(weights)) kept <- kept & weights > 0
  if (!any(kept)) {
    stop_input("`newdata` must have a complete row inside the support.", call = call)
  }
  list(x = x[kept, , drop = FALSE], weights = weights[kept])
}

# A scatter of more points is a blot, and slow.
thin <- function(x, most = 5000) {
  x[unique(round(seq(1, nrow(x), length.out = min(nrow(x), most)))), , drop = FALSE]
}

# The same draws for every plot of a density. They set ranges, levels of regions and the order of
# components, for any classifier and support.
reference_draws <- function(object) {
  x <- keep_stream(draw(object, 10000L, origin = TRUE), seed = 1)
  list(x = x, component = attr(x, "component"))
}

# Evaluates code and puts the generator back: a plot leaves the user's random stream alone.
keep_stream <- function(code, seed = NULL) {
  state <- seed_state(seed, NULL)
  on.exit(assign(".Random.seed", state$before, envir = globalenv()))
  code
}

# Where to draw column j: over the points and where the model has its mass, inside the support.
column_range <- function(object, points, draws, j, given = NULL) {
  if (!is.null(given)) {
    return(given)
  }
  core <- stats::quantile(draws$x[, j], c(0.003, 0.997), names = FALSE)
  reach <- grDevices::extendrange(c(core, points$x[, j]), f = 0.06)
  support <- value_range(object)[j, ]
  pmin(pmax(reach, support[["lower"]]), support[["upper"]])
}

# Points along limits (which may be reversed, as axes may), off the bounds, where nothing but the
# density is defined.
grid_along <- function(limits, support, n) {
  limits <- range(limits)
  margin <- 1e-4 * diff(limits)
  seq(max(limits[1], support[1] + margin), min(limits[2], support[2] - margin), length.out = n)
}

# An empty panel whose axes end where the data end; what the user gives comes first. The width of
# the title in inches where it shares a line with the key: where the margin has no room for both
# one above the other, the title is at the left and the key at the right.
panel <- function(xlim, ylim, xlab, ylab, main, dots, ...) {
  defaults <- list(
    x = NA, type = "n", xlim = xlim, ylim = ylim, xlab = xlab, ylab = ylab, main = main,
    xaxs = "i", yaxs = "i", bty = "l", mgp = c(2.4, 0.7, 0), tcl = -0.35, ...
  )
  drawn <- utils::modifyList(defaults, dots)
  main <- drawn$main
  if (graphics::par("mar")[3] >= 4 || is.null(main)) {
    do.call(graphics::plot.default, drawn)
    return(0)
  }
  drawn$main <- ""
  do.call(graphics::plot.default, drawn)
  style <- drawn[intersect(names(drawn), c("cex.main", "col.main", "font.main"))]
  do.call(graphics::title, c(list(main, adj = 0, line = 0.4), style))
  size <- drawn$cex.main %||% graphics::par("cex.main")
  max(graphics::strwidth(main, "inches", cex = size, font = 2)) + 0.1
}

# Okabe and Ito's colours without black and their yellow, which is faint on white.
line_colours <- function(n) {
  rep_len(unname(grDevices::palette.colors(9, "Okabe-Ito"))[c(6, 7, 4, 8, 2, 3, 9)], n)
}

line_types <- function(n) rep_len(rep(1:6, each = 7), n)

ink <- "grey20"

region_colours <- function(n) grDevices::hcl.colors(n + 3, "YlGnBu", rev = TRUE)[1 + seq_len(n)]

surface_colours <- grDevices::hcl.colors(101, "YlGnBu", rev = TRUE)

# A legend in one line above the panel, where it hides nothing and needs no other margins; smaller
# where it would not fit beside a title as wide as `taken`. Its left end.
key <- function(labels, ..., before = "", taken = 0) {
  usr <- graphics::par("usr")
  write <- function(cex, ...) {
    graphics::legend(
      usr[2], usr[4],
      legend = labels, horiz = TRUE, xjust = 1, yjust = 0, xpd = NA, bty = "n",
      cex = cex, text.col = ink, seg.len = 1.5, ...
    )$rect
  }
  per_inch <- graphics::xinch(1)
  width <- write(0.85, ..., plot = FALSE)$w / per_inch +
    graphics::strwidth(before, "inches", cex = 0.85)
  # Not all of a legend shrinks with its letters.
  cex <- 0.85 * max(0.3, min(1, 0.97 * (graphics::par("pin")[1] - taken) / width))
  at <- write(cex, ...)
  middle <- at$top - at$h / 2
  graphics::text(at$left, middle, before, adj = c(1, 0.5), xpd = NA, cex = cex, col = ink)
  at$left - graphics::strwidth(before, cex = cex) * sign(per_inch)
}

# A line a component, named in the key where there are few.
component_lines <- function(x, y, taken) {
  K <- ncol(y)
  graphics::matlines(x, y, col = line_colours(K), lty = line_types(K), lwd = 2)
  if (K > 1 && K <= 7) key(seq_len(K), col = line_colours(K), lty = 1, lwd = 2, taken = taken)
}

plot_curves <- function(object, what, points, draws, dots) {
  support <- value_range(object)
  x <- grid_along(column_range(object, points, draws, 1, dots$xlim), support[1, ], 501)
  label <- curve_label(object)
  if (what == "weights") {
    y <- predict(object, x, type = "weights")
    ylim <- weight_range(joint_classifier(object))
    taken <- panel(range(x), ylim, label, "Weight", "Functional weights", dots)
    show_rug(points)
    component_lines(x, y, taken)
    return(list(x = x, y = y))
  }
  density <- predict(object, x)
  bars <- if (!is.null(points)) weighted_histogram(points, support)
  main <- if (what == "density") "Density" else "Weighted components"
  highest <- 1.04 * max(density, bars$density)
  taken <- panel(range(x), c(0, highest), label, "Density", main, dots)
  if (!is.null(bars)) {
    left <- bars$breaks[-length(bars$breaks)]
    graphics::rect(left, 0, bars$breaks[-1], bars$density, col = "grey82", border = "white")
  }
  show_rug(points)
  if (what == "density") {
    graphics::lines(x, density, lwd = 2, col = line_colours(1))
    return(list(x = x, y = density))
  }
  y <- predict(object, x, type = "weights") * predict(object, x, type = "component")
  graphics::lines(x, density, lwd = 1.5, col = ink)
  component_lines(x, y, taken)
  list(x = x, y = y, sum = density)
}

# The name of the column, or of the vector that was fitted.
curve_label <- function(object) {
  name <- object$call$x
  frame <- object$frame
  if (is.null(frame$names) && is.name(name)) as.character(name) else column_labels(frame)
}

# Equal values have no histogram: NULL.
weighted_histogram <- function(points, support) {
  x <- points$x[, 1]
  if (all(x == x[1])) {
    return(NULL)
  }
  # Freedman and Diaconis's bins are too wide for separate clusters.
  count <- min(max(grDevices::nclass.FD(x), sqrt(length(x))), 100)
  edges <- pmin(pmax(pretty(x, count), support[1, 1]), support[1, 2])
  bars <- graphics::hist(x, breaks = unique(edges), plot = FALSE)
  if (!is.null(points$weights)) {
    cell <- factor(findInterval(x, bars$breaks, left.open = TRUE, rightmost.closed = TRUE),
      levels = seq_along(bars$counts)
    )
    mass <- tapply(points$weights, cell, sum, default = 0) / sum(points$weights)
    bars$density <- as.vector(mass) / diff(bars$breaks)
  }
  bars
}

show_rug <- function(points) {
  if (!is.null(points) && nrow(points$x) <= 500) {
    faint <- grDevices::adjustcolor(ink, 0.5)
    graphics::rug(points$x[, 1], ticksize = 0.02, col = faint, quiet = TRUE)
  }
}

# Weights are at most 1, in an average at most the largest share.
weight_range <- function(classifier) c(0, 1.02 * highest_weight(classifier))

plot_classifier <- function(object, what, points, draws, dots) {
  classifier <- joint_classifier(object)
  axis <- classifier_axis(classifier)
  limits <- dots$xlim %||% axis$limits
  x <- grid_along(limits, axis$within, 501)
  w <- exp(at_inputs(classifier, matrix(x)))
  ylim <- weight_range(classifier)
  taken <- panel(limits, ylim, axis$input, axis$output, "Classifier", dots)
  if (!is.null(axis$base)) {
    # Where the base draws fall, at no scale.
    base <- ylim[2] / 2 * axis$base(x)
    graphics::polygon(c(x[1], x, x[501]), c(0, base, 0), col = "grey92", border = NA)
  }
  component_lines(x, w, taken)
  list(x = x, y = w)
}

plot_training <- function(object, dots, call) {
  trace <- object$trace
  if (is.null(trace) || nrow(trace) < 2) {
    stop_input("`x` must have been trained for the plot of its training, but ",
      if (!is.null(object$candidates)) {
        "this fit has many candidates: see what = \"candidates\"."
      } else if (is.null(trace)) {
        paste(unfitted_name(object), "has no trace.")
      } else {
        "its trace has one row only."
      },
      call = call
    )
  }
  step <- trace[[1]]
  variational <- "elbo" %in% names(trace)
  em <- "iteration" %in% names(trace)
  main <- if (em) "EM" else "Training"
  known <- c("log_likelihood", "training", "validation", "elbo")
  scores <- as.matrix(trace[intersect(known, names(trace))])
  scores <- scores[, colSums(is.finite(scores)) > 0, drop = FALSE]
  ylim <- grDevices::extendrange(scores[is.finite(scores)])
  unit <- if (variational) "Step" else if (em) "Iteration" else "Epoch"
  value <- if (variational) "Evidence lower bound" else "Mean log density"
  taken <- panel(range(step), ylim, unit, value, main, dots, xaxs = "r")
  best <- if (variational) object$best_step else object$best_epoch
  if (!is.null(best)) {
    graphics::abline(v = best, col = "grey70", lty = 2)
    graphics::axis(1, best, labels = FALSE, tcl = 0.4)
  }
  graphics::matlines(step, scores, col = line_colours(2), lty = 1, lwd = 2)
  if (!is.null(best)) {
    last <- ncol(scores)
    colours <- line_colours(last)
    at <- scores[step == best, last]
    graphics::points(best, at, pch = 21, bg = "white", col = colours[last], lwd = 2)
    labels <- c(colnames(scores), sprintf("best %s, %d", tolower(unit), best))
    key(labels, col = c(colours, "grey70"), lty = c(rep(1, last), 2), lwd = 2, taken = taken)
  }
  trace
}
