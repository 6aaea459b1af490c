# How training went, by what the trace of a fit counts: data is the trace. With `step`, `scores` (a
# column a line, named), `unit` in words and `best`, the step whose parameters the fit has, or NULL.
view_training <- function(object) {
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
      call = NULL
    )
  }
  known <- c("log_likelihood", "training", "validation", "elbo")
  scores <- as.matrix(trace[intersect(known, names(trace))])
  scores <- scores[, colSums(is.finite(scores)) > 0, drop = FALSE]
  words <- training_words[[names(trace)[1]]]
  best <- if (!is.null(words$best)) object[[words$best]]
  list(
    data = trace, step = trace[[1]], scores = scores, best = best,
    title = words$title, unit = words$unit, labels = c(words$unit, words$score),
    xlim = range(trace[[1]]), ylim = grDevices::extendrange(scores[is.finite(scores)])
  )
}

# By the first column of a trace: what it is called, and the field of the fit with the best one.
training_words <- list(
  iteration = list(title = "EM", unit = "Iteration", score = "Mean log density"),
  epoch = list(
    title = "Training", unit = "Epoch", score = "Mean log density", best = "best_epoch"
  ),
  step = list(
    title = "Training", unit = "Step", score = "Evidence lower bound", best = "best_step"
  )
)
