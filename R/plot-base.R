# The tools of drawing: panels, keys and colours. `dots` are the arguments of plot.default() that
# users give, which come first.

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

# The panel of a view.
view_panel <- function(view, dots, ...) {
  panel(view$xlim, view$ylim, view$labels[1], view$labels[2], view$title, dots, ...)
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

# The rows and columns in which n panels have the longest short side on this device: side by side
# where that makes no difference, as margins take more of the height.
panel_grid <- function(n) {
  columns <- rev(seq_len(n))
  rows <- ceiling(n / columns)
  size <- graphics::par("din")
  best <- which.max(pmin(size[1] / columns, size[2] / rows))
  c(rows[best], columns[best])
}

# `dots` may say otherwise: pch, cex, col.
show_points <- function(x, colour = grDevices::adjustcolor(ink, 0.55), dots = list()) {
  look <- list(x = x, pch = 16, cex = if (nrow(x) > 1000) 0.35 else 0.55, col = colour)
  given <- dots[intersect(names(dots), c("pch", "cex", "col"))]
  do.call(graphics::points, utils::modifyList(look, given))
}
