# What views of two columns have in common: grids over the plane, and components as ellipses.

# A grid of 151 x 151 points of the data: see new_grid().
plane_grid <- function(object, points, draws, limits) {
  xlim <- column_range(object, points, draws, 1, limits$xlim)
  ylim <- column_range(object, points, draws, 2, limits$ylim)
  support <- value_range(object)
  new_grid(xlim, ylim, grid_along(xlim, support[1, ], 151), grid_along(ylim, support[2, ], 151))
}

# list(xlim, ylim, x, y, n, points), the points with x fastest, as image() has it.
new_grid <- function(xlim, ylim, x, y) {
  n <- length(x)
  list(
    xlim = xlim, ylim = ylim, x = x, y = y, n = n, points = cbind(rep(x, n), rep(y, each = n))
  )
}

# The radius of the circle that holds this mass of a standard normal.
normal_radius <- function(mass) sqrt(stats::qchisq(mass, 2))

circle <- local({
  angle <- seq(0, 2 * pi, length.out = 181)
  cbind(cos(angle), sin(angle))
})

# The points that are at the circle of 90 percent under component k, on the data's scale; a flow
# bends them.
ellipse <- function(object, k) {
  y <- place(object, normal_radius(0.9) * circle, rep(k, nrow(circle)))
  from_working(unname(y), object$frame$support)
}

component_centres <- function(object) {
  K <- size(object)$K
  y <- place(object, matrix(0, K, dimension(object)), seq_len(K))
  from_working(unname(y), object$frame$support)
}

# A view of surfaces, one a component: data is list(x, y, z) with a slice of z a component. With
# `shown`, the numbers of the nine largest; their `share` of the draws; their `outlines`,
# list(line, centre) each; `highest`, the largest value shown.
surfaces <- function(grid, z, draws, title, labels, outline) {
  K <- dim(z)[3]
  share <- tabulate(draws$component, K) / length(draws$component)
  shown <- sort(order(-share)[seq_len(min(K, 9))])
  list(
    data = list(x = grid$x, y = grid$y, z = z), title = title, labels = labels,
    xlim = grid$xlim, ylim = grid$ylim, shown = shown, share = share[shown],
    outlines = lapply(shown, outline), highest = max(z[, , shown], na.rm = TRUE)
  )
}
