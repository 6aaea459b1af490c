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
#'   takes them, here and below. Components of an average are those of its members, one member
#'   after the other.
#' - `"weights"`: the functional weights pi_k(x) in one or two columns; in two, those of the nine
#'   largest components at most, with the ellipses.
#' - `"classifier"`: w(z) for z from -4 to 4, alike, with the standard normal density (at no scale)
#'   or the circle that holds 90 percent of it; of a model with `components` (alone, not in an
#'   average), alpha(u) for u from 0 to 1.
#' - `"training"`: the mean log density of the training and the validation rows after each epoch;
#'   for [gaussian_mixture()] that after each iteration of EM; for [cwmix_vi()] the evidence lower
#'   bound at every evaluation.
#' - `"candidates"`: for a [cwmix()] fit without `K` the held-out scores of its candidates against
#'   K, areas by their shares, and that of all of them stacked.
#' - `"residuals"`: latent residuals (see [residuals()][residuals.cwmix_density]), N(0, I) under
#'   the model: normal Q-Q plots with pointwise 95 percent bands of a sample that size; for two
#'   columns also their scatter, for more a chi-square Q-Q plot of their squared length. The data of
#'   a [cwmix()] fit without `K` are judged by the members that have not seen them, as by
#'   [residuals()][residuals.cwmix_density]; where that holds of all rows shown the titles say
#'   "Held-out".
#'
#' @param x A `cwmix_density`: a fit of [cwmix()], [gaussian_mixture()], [flow_spline()] or the
#'   like, a [cwmix_model()] or a [cwmix_average()].
#' @param newdata The points to show, as for [predict()][predict.cwmix_density]; incomplete rows
#'   and rows outside the support, or where no component can be, are left out. `NULL` for the
#'   training data, where they are kept or can be found by the call of the fit; otherwise no points
#'   are shown. Scatter plots show at most 5,000 evenly spaced rows, pairs at most eight columns.
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
#'   - `"training"`: the trace. `"candidates"`: their table. `"residuals"`: the matrix of residuals,
#'     `NA` where the density is zero.
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
  frame <- parent.frame()
  choices <- c(
    "density", "components", "weights", "classifier", "training", "candidates", "residuals"
  )
  what <- check_choice(what, choices, "what", call)
  dots <- read_dots(list(...), call)
  validate_density(x, "x", call, fit = TRUE)
  d <- dimension(x)
  if (d > 2 && what %in% c("weights", "classifier")) {
    stop_input("`what` must be \"density\", \"components\", \"training\" or \"residuals\" for ", d,
      " columns, not \"", what, "\": that can be drawn over one or two only.",
      call = call
    )
  }
  view <- at_call(call, view_of(x, what, newdata, frame, dots[c("xlim", "ylim")]))
  draw_view(view, what, d, dots)
  invisible(view$data)
}

view_of <- function(object, what, newdata, frame, limits) {
  if (what == "training") {
    return(view_training(object))
  }
  if (what == "candidates") {
    return(view_candidates(object))
  }
  points <- points_to_plot(object, newdata, frame)
  switch(what,
    density = view_density(object, points, limits),
    components = view_components(object, points, limits),
    weights = view_weights(object, points, limits),
    classifier = view_classifier(object, limits),
    residuals = view_residuals(object, points)
  )
}

# Pictures by what is shown and the number of columns.
draw_view <- function(view, what, d, dots) {
  form <- min(d, 3)
  draw <- switch(what,
    density = list(draw_curves, draw_regions, draw_pairs)[[form]],
    components = list(draw_curves, draw_ellipses, draw_pairs)[[form]],
    weights = ,
    classifier = list(draw_curves, draw_surfaces)[[form]],
    training = draw_training,
    candidates = draw_candidates,
    residuals = draw_residuals
  )
  draw(view, dots)
}
