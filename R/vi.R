#' Approximate a distribution given by its density
#' @export
cwmix_vi <- function(log_density, d, K, gradient = NULL, ..., hidden = c(32, 32),
                     covariance = c("diagonal", "full"), activation = c("tanh", "relu", "silu"),
                     support = NULL, names = NULL, start = "search",
                     control = cwmix_vi_control()) {
  call <- user_call()
  matched <- match.call()
  check_dots_empty(..., call = call)
  check_given(c("log_density", "d", "K"), call)
  settings <- list(
    K = check_count(K, "K", call), hidden = check_hidden(hidden, call),
    full = check_choice(covariance, c("diagonal", "full"), "covariance", call) == "full",
    activation = check_choice(activation, activations, "activation", call),
    control = validate_vi_control(control, call)
  )
  # One component has nothing to weigh.
  if (settings$K == 1) settings["hidden"] <- list(NULL)
  d <- check_count(d, "d", call)
  target <- read_target(log_density, gradient, d, support, names, settings$control, call)
  points <- matrix(stats::rnorm(20 * d, sd = settings$control$spread), 20)
  check_target_gradient(target, points, call)
  if (is.null(gradient)) inform_differences("log_density", call)
  begun <- vi_start(start, target, settings, call)
  target$step <- begun$scale
  problem <- new_vi_problem(begun, target, settings)
  state <- new_state(problem$parameters)
  training <- train_vi(state, problem, settings$control$steps, NULL, call)
  finish_vi(training, problem, settings, matched, call)
}
cwmix_vi_control <- function(steps = 3000, points = 32L, learning_rate = 0.01, temperature = 1, every = 50L, patience = 4L, tolerance = 1e-4,
   gradient_clip = 100, path = TRUE, spread = 5, searches = 50L, draws = 4000L, evaluation = 256L, exact = FALSE, threads = NULL, verbose = interactive()) mget(names(formals()))
validate_vi_control <- function(control, call) control
read_target <- function(log_density, gradient, d, support, names, control, call) {
 new_target(log_density, gradient, read_support(support, d, names, call), new_columns(names, "matrix"), rep(control$spread, d)) }
new_vi_problem <- function(begun, target, settings) {
  p <- begun$parameters
  if (length(p$weights) == 0 && !is.null(settings$hidden)) p[c("weights","biases")] <- random_network(target$d, settings$hidden, p$biases[[1]], settings$activation)
  begun$parameters <- p
  list(target=target, center=begun$center, scale=begun$scale, control=settings$control, activation=settings$activation, template=p, parameters=p,
    evaluation = base_points(settings$control$evaluation, target$d, "lattice", 8))
}
finish_vi <- function(training, problem, settings, matched, call) {
  p <- unstandardise_parameters(unflatten(training$state$best, problem$template), problem$center, problem$scale)
  density_of(p, settings$activation, problem$target$support, problem$target$columns, c("cwmix_vi","cwmix"), trace=training$trace, stopped=training$stopped)
}
