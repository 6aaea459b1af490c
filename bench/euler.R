# The paper's picture: score against time along one fit to 200,000 draws with the default control,
# on the training rows, the validation rows and the population (a sum over the pixels). Epochs are
# timed while cwmix() runs, from its call, and scored afterwards. Prints a table in Markdown.
#   Rscript bench/euler.R HELPERS PICTURE
# HELPERS is an R file with euler_pixels(path), euler_draws(p, n) and euler_score(p, log_density).
suppressMessages(library(cwmix))
source(file.path("bench", "helpers.R"))
paths <- commandArgs(TRUE)
source(paths[1])

internal <- asNamespace("cwmix")
p <- euler_pixels(paths[2])
set.seed(1)
x <- euler_draws(p, 200000)

# What the fit was at the end of each epoch: copies of its parameters, and when.
epochs <- list()
began <- proc.time()[["elapsed"]]
elapsed <- function() proc.time()[["elapsed"]] - began
note <- function(state) {
  epochs[[length(epochs) + 1]] <<- list(
    seconds = elapsed(), epoch = state$epoch, parameters = state$average
  )
}
invisible(suppressMessages({
  trace("train", quote(assign("task", task, globalenv())), print = FALSE, where = internal)
  trace("record_epoch", quote(globalenv()$note(run$state)), print = FALSE, where = internal)
}))
fit <- cwmix(
  x, K = 50, hidden = c(128, 128, 128), support = list(c(0, 1), c(0, 1)),
  control = cwmix_control(verbose = FALSE)
)
total <- elapsed()

density_at <- function(epoch) {
  standardised <- internal$unflatten(epoch$parameters, fit$optimiser$template)
  parameters <- internal$unstandardise_parameters(standardised, task$sample$center, task$sample$scale)
  internal$normal_of(parameters, "tanh", fit$frame, "cwmix")
}
log_density <- function(object) {
  function(u) predict(object, u, log = TRUE, precision = "single")
}
scores <- function(object) {
  c(
    mean(log_density(object)(x[-fit$held_rows, ])), mean(log_density(object)(x[fit$held_rows, ])),
    euler_score(p, log_density(object))
  )
}

cat(sprintf(
  "%d parameters, %d training rows, %d validation rows; best epoch %d; %.1f minutes in all.\n\n",
  length(unlist(coef(fit))), nrow(x) - length(fit$held_rows), length(fit$held_rows),
  fit$best_epoch, total / 60
))
header("epoch", "minutes", "training", "validation", "population")
last <- length(epochs) - 1
shown <- unique(c(0, 1, 2, 5, round(last * (1:10) / 10), fit$best_epoch))
for (one in epochs[1 + sort(shown[shown <= last])]) {
  values <- sprintf("%.4f", scores(density_at(one)))
  row(one$epoch, sprintf("%.1f", one$seconds / 60), paste(values, collapse = " | "))
}
row("returned", sprintf("%.1f", total / 60), paste(sprintf("%.4f", scores(fit)), collapse = " | "))
