# Held-out scores of the candidates of a fit without K against K. data: their table. By row of it,
# `shape` and `pooling` (factors) of the covariances and whether it is a `network`; `lines`, the
# rows of each kind of covariances by K, without networks; `held_out`, the score of all of them
# stacked; `corner`, "left" or "right", which of the upper ones is free.
view_candidates <- function(object) {
  table <- object$candidates
  if (is.null(table)) {
    stop_input(
      "`what` must be \"density\" or the like for ",
      if (is.null(object$nobs)) unfitted_name(object) else "a fit of one model",
      ", not \"candidates\": those are of a cwmix() fit without `K`.",
      call = NULL
    )
  }
  held_out <- object$held_out[["units"]]
  network <- table$hidden != "constant"
  mixtures <- split(which(!network), paste(table$scale, table$covariance)[!network])
  # The worst third lies far below.
  shown <- c(stats::quantile(table$score, 1 / 3), table$score[1], held_out)
  list(
    data = table, shape = factor(sub(",.*", "", table$covariance), covariance_shapes),
    pooling = pooling_of(table$covariance), network = network,
    lines = unname(lapply(mixtures, function(rows) rows[order(table$K[rows])])),
    held_out = held_out,
    # Scores rise towards the best size.
    corner = if (table$K[1]^2 >= max(table$K)) "left" else "right",
    title = "Candidates", labels = c("K", "Mean held-out log density"),
    xlim = c(0.8, 1.25) * range(table$K), ylim = grDevices::extendrange(shown)
  )
}

covariance_shapes <- c("full", "diagonal", "spherical")

poolings <- c("own", "shrunk", "tied", "damped", "factors")

# What covariances have in common, or are between.
pooling_of <- function(covariance) {
  word <- sub("^[a-z]+(, )?", "", covariance)
  word <- ifelse(grepl("factor", word), "factors", sub(" .*", "", word))
  factor(ifelse(nzchar(word), word, "own"), poolings)
}
