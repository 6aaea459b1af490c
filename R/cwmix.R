#' Fit a classifier weighted mixture
#'
#' Estimates the density p(x) = sum over k of w_k(z_k) N(x; mu_k, Sigma_k), with
#' z_k = L_k^-1 (x - mu_k) and weights w(z) = softmax(f(z)) given by a network f. With constant
#' weights it is a Gaussian mixture.
#'
#' **Without `K`** the fit is chosen by the data. Gaussian mixtures of one to 160 components with
#' several structures of covariances, and networks that start from the best of them, are fitted to
#' the folds of a cross-validation; the densities of all these fits are averaged with weights that
#' score well on the rows that each had not seen. The result is one classifier weighted mixture
#' again, an average as of [cwmix_average()], with many components, and all of them constant in
#' weight where networks add nothing. `vignette("defaults")` has the recipe and what it gains.
#'
#' **With `K`** (or `start`, `validation` or a flow) one model is fitted: EM for a Gaussian mixture
#' first.
#' The network's last layer then starts at zero with the log mixture weights as biases, so that
#' gradient ascent on the mean log density starts from exactly that mixture. A share of the rows is
#' set aside (before EM) to score every epoch; the best epoch, epoch 0 included, is returned. What
#' is scored and returned is an average of the last parameters along the way.
#'
#' **With a flow** as `map` the density above is that of u = F(x), where F is an invertible map
#' given by networks, and the density of x is that of u times |det dF/dx|. The standardised points
#' are then z_k = A_k(F(x)): F, shared by all components, is followed by the affine map
#' A_k(u) = L_k^-1 (u - mu_k) of each (equation 12). F standardises the columns and is otherwise the
#' identity at first, so that training still starts from EM's mixture; it is trained together with
#' the rest.
#'
#' Columns are standardised inside. Without a flow, the parameters reported are those of the data
#' (of their logs or logits in bounded columns); with one, means and covariances are those of u.
#'
#' @param x The data: a numeric vector, a numeric matrix or a data frame of numeric columns, without
#'   missing values; or a one-sided formula such as `~ a + log(b)`, a sum of columns.
#' @param data A data frame that holds all variables of the formula `x`; its functions must be found
#'   from the global environment.
#' @param K A whole number of components, or `NULL`: chosen by the data. With `start`, `NULL` stands
#'   for its number; with `validation` or a flow, for one in 25 rows, at most 10.
#' @param ... Must be empty.
#' @param hidden An integer vector, the widths of the network's hidden layers; `integer(0)` for a
#'   softmax-linear classifier; `NULL` for constant weights: a Gaussian mixture, fitted by EM alone
#'   unless there is a flow to train with it. `"auto"` stands for `c(64, 64)`, without `K` on
#'   at most 2,000 rows for `c(32, 32)`.
#' @param covariance A string: the components' covariances, `"diagonal"` or `"full"` (without `K`
#'   also spherical, shrunk and tied ones). `"auto"` stands for diagonal ones, without `K` for both.
#' @param activation A string, `"tanh"`, `"relu"` or `"silu"`.
#' @param map A string: the components' maps, `"affine"`, or with a flow before them: `"realnvp"`
#'   or `"spline"`; or a [cwmix_map()] with the flow's settings.
#' @param support The columns' bounds: `NULL` for none; a pair such as `c(0, Inf)` for every column;
#'   or a list with one pair (or `NULL`) a column, by position or by name. The density is exactly
#'   zero outside. Inside, what is modelled is log(x - lower), -log(upper - x) or, between two
#'   bounds, the logit of (x - lower) / (upper - lower).
#' @param weights A numeric vector of observation weights of at least 0, one a row, or `NULL`. Rows
#'   of weight 0 count as absent. With a formula it is looked for in `data` first.
#' @param validation A number from 0 to below 1, the share of rows set aside (rounded down); `NULL`
#'   for a tenth of the rows, at most 5,000. With no such row there is no early stopping, and the
#'   last epoch is returned. A number asks for one model, `NULL` without `K`, `start` and a flow for
#'   folds.
#' @param start `NULL` to start from EM; a density without a flow to start from, with the same K,
#'   covariances and support (and network, if it has one: EM is then skipped), columns in the same
#'   order; or a K x d matrix of means for EM.
#' @param control A [cwmix_control()].
#' @param keep_data A flag: keep the data in the fit, for `update()` and `plot()` where the data
#'   cannot be found by the call.
#' @return An object of class `c("cwmix", "cwmix_density")`, a plain list with the fields
#'   - `mean` (K x d), `sd` (K x d) or `cholesky` (d x d x K, lower triangular factors of the
#'     covariances), `classifier`, `support`; with a flow these are of u, and `flow` is as in
#'     [flow_realnvp()];
#'   - `proportions`, the components' mean posteriors over the rows, decreasing (without `K`
#'     member by member, see [cwmix_average()]); `at_floor`, how
#'     many components have a standard deviation at `sd_floor`, as ties and duplicated rows give;
#'   - `log_likelihood` of all rows, `df`, `nobs`;
#'   - `trace`, a data frame with the mean log density of training and validation rows and the
#'     learning rate, a row an epoch: epoch 0 is the EM fit, evaluated; later training scores are
#'     means over the epoch's steps, each taken before its step, validation scores those of the
#'     averaged parameters (see [cwmix_control()]);
#'   - `best_epoch`, and `stopped`, why training ended: `"epochs"` (all run), `"patience"`,
#'     `"interrupt"`, `"diverged"` (a score that is not finite, or more than 100 nats a row below
#'     epoch 0) or, for L-BFGS, `"converged"` and `"line search"`;
#'   - `starts`, the mean log-likelihood per row that each start of EM reached, and `converged`,
#'     whether EM did (`NA` where it was skipped);
#'   - `hidden`, the widths that `"auto"` stands for or those given; `control` and `call` as given;
#'     `held_rows`, the validation rows, counted among
#'     those of positive weight; `columns`, how the data came; `fingerprint`, sums that tell whether
#'     data are those of the fit; `data`, what `keep_data` kept;
#'   - `optimiser`, what [update()] needs to go on.
#'
#'   Without `K` there is no `trace`, `best_epoch`, `stopped`, `starts`, `converged`, `held_rows` or
#'   `optimiser` but
#'   - `candidates`, a data frame with a row a candidate, the best first: `covariance` (`"full"`,
#'     `"diagonal"` or `"spherical"`, where pooled followed by `", shrunk"` or `", tied"`), `K`,
#'     `hidden` (`"constant"` for `NULL`, `"linear"` for `integer(0)`), `epochs` (`NA` without a
#'     network), its mean held-out log density `score` with standard error `se`, and its `share` in
#'     the average. Candidates that break down, or give a held-out row a density of 0, are not
#'     among them, nor are networks that do not gain;
#'   - `folds`, their number (1 for one split), and `held_out`, the mean held-out log density of
#'     the average with its standard error, somewhat optimistic as the same rows chose the shares;
#'   - `shares`, those of all fits that are averaged, one a fold of each candidate with a share.
#'
#'   `df` then counts the parameters of every member, which were not fitted together: AIC and BIC
#'   say little. `at_floor` counts components at the larger of `sd_floor` and half the smallest
#'   distance between different values of a column, below which no component is narrower.
#' @section Errors and warnings: A condition of class `"cwmix_input_error"` names the argument, what
#'   is needed and what was given: anything not numeric, missing or infinite values, constant or
#'   exactly collinear columns, fewer rows than components (without `K` fewer than 10), points
#'   outside the support. One of class `"cwmix_numerical_error"`
#'   when EM loses a component's spread, which a positive `sd_floor` prevents, or without `K` when
#'   every mixture gives some held-out row a density of 0. An interrupt returns the best so
#'   far with a warning of class `"cwmix_interrupted"`, an error of that class without `K` before
#'   the first candidate; a diverging run ends with one of class `"cwmix_numerical_warning"`; one of
#'   class `"cwmix_not_converged"` says that L-BFGS or, with constant weights and no flow, EM did
#'   not converge.
#' @references Argouarc'h, Desbouvries, Barat, Kawasaki and Dautremer (2025), Classifier Weighted
#'   Mixture models, arXiv:2501.02989, equations (12) and (16).
#'
#'   Smyth and Wolpert (1999), Linearly combining density estimators via stacking, Machine Learning
#'   36, 59-83. Yao, Vehtari, Simpson and Gelman (2018), Using stacking to average Bayesian
#'   predictive distributions, Bayesian Analysis 13, 917-1007.
#' @seealso [cwmix_select()] and [compare()] for choices in the open, [cwmix_control()],
#'   [flow_realnvp()] and [flow_spline()] for flows without a mixture.
#' @examples
#' set.seed(1)
#' fit <- cwmix(faithful$eruptions)
#' fit
#' plot(fit)
#' head(fit$candidates)
#'
#' # One model
#' set.seed(1)
#' fit <- cwmix(faithful, K = 3, hidden = c(8, 8), control = cwmix_control(epochs = 20))
#' fit
#' predict(fit, faithful[1:3, ])
#' @export
cwmix <- function(x, ...) {
  check_data_given(missing(x), ..., call = user_call())
  UseMethod("cwmix")
}

#' @rdname cwmix
#' @export
cwmix.default <- function(x, K = NULL, ..., hidden = "auto",
                          covariance = c("auto", "diagonal", "full"),
                          activation = c("tanh", "relu", "silu"),
                          map = c("affine", "realnvp", "spline"), support = NULL, weights = NULL,
                          validation = NULL, start = NULL, control = cwmix_control(),
                          keep_data = FALSE) {
  call <- user_call()
  matched <- match.call()
  check_dots_empty(..., call = call)
  check_flag(keep_data, "keep_data", call)
  settings <- list(
    K = K, hidden = hidden, covariance = covariance, activation = activation, support = support,
    weights = weights, validation = validation, start = start, control = control, map = map
  )
  kept <- if (keep_data) list(x = x, weights = weights)
  settings <- check_network(settings, call)
  problem <- read_problem(read_training(x, call), settings, call)
  fit <- if (settings$stacked) fit_stacked else fit_cwmix
  fit(problem, settings, kept, matched, call)
}

#' @rdname cwmix
#' @export
cwmix.formula <- function(x, data, K = NULL, ..., hidden = "auto",
                          covariance = c("auto", "diagonal", "full"),
                          activation = c("tanh", "relu", "silu"),
                          map = c("affine", "realnvp", "spline"), support = NULL, weights = NULL,
                          validation = NULL, start = NULL, control = cwmix_control(),
                          keep_data = FALSE) {
  call <- user_call()
  matched <- match.call()
  check_dots_empty(..., call = call)
  check_given("data", call)
  weights <- eval_in_data(substitute(weights), data, parent.frame(), call)
  check_flag(keep_data, "keep_data", call)
  settings <- list(
    K = K, hidden = hidden, covariance = covariance, activation = activation, support = support,
    weights = weights, validation = validation, start = start, control = control, map = map
  )
  kept <- if (keep_data) list(data = data, weights = weights)
  settings <- check_network(settings, call)
  problem <- read_problem(read_formula(x, data, call), settings, call)
  fit <- if (settings$stacked) fit_stacked else fit_cwmix
  fit(problem, settings, kept, matched, call)
}

# What can be checked before the data are read.
check_network <- function(settings, call) {
  settings$activation <- check_choice(settings$activation, activations, "activation", call)
  settings["map"] <- list(read_map(settings$map, call))
  one_model <- c("K", "start", "validation", "map")
  settings$stacked <- all(vapply(settings[one_model], is.null, NA))
  settings$covariance <- check_choice(
    settings$covariance, c("auto", "diagonal", "full"), "covariance", call
  )
  if (!identical(settings$hidden, "auto")) {
    settings["hidden"] <- list(check_hidden(settings$hidden, call, "\"auto\", "))
  } else if (!settings$stacked) {
    settings$hidden <- c(64L, 64L)
  }
  settings["validation"] <- list(check_validation(settings$validation, call))
  settings
}

# `settings` are the arguments of cwmix() after check_network(), `kept` what to keep of the data.
fit_cwmix <- function(problem, settings, kept, matched, call) {
  activation <- settings$activation
  hidden <- settings$hidden
  start <- read_start(settings$start, problem, call)
  problem <- add_map(problem, if (!is.null(settings$map)) unclass(settings$map), call)
  # A mixture with constant weights and affine maps is fitted by EM alone.
  by_em <- is.null(hidden) && is.null(problem$flow)

  held <- if (by_em) 0 else held_count(settings$validation, nrow(problem$y))
  if (nrow(problem$y) - held < problem$K) {
    stop_input(
      "`K` must be at most the number of training rows, ", nrow(problem$y) - held, ", not ",
      problem$K, ".",
      call = call
    )
  }
  held_rows <- if (held > 0) sort(sample.int(nrow(problem$y), held)) else integer()
  sets <- split_sets(problem, held_rows)
  em <- start_by_em(start, sets$training, problem, hidden, activation, call)
  parameters <- add_flow(add_network(em$parameters, hidden, activation), problem$flow)

  epochs <- problem$control$epochs %||% default_epochs(nrow(sets$training$x), problem$control)
  if (by_em || em$interrupted) epochs <- 0L
  training <- train(new_state(parameters), parameters, sets, activation, problem, epochs)
  if (by_em || em$interrupted) warn_em(em, problem$control, call)
  fields <- list(
    hidden = hidden, starts = em$log_likelihoods, converged = em$converged, held_rows = held_rows,
    data = kept
  )
  finish_cwmix(training, parameters, activation, problem, matched, fields, call)
}

# More than some thousand rows tell epochs no better apart, and they are missed in training.
held_count <- function(validation, n) {
  if (is.null(validation)) min(5000, n %/% 10) else floor(validation * n)
}

check_validation <- function(validation, call) {
  if (is.null(validation)) {
    return(NULL)
  }
  if (!is_number(validation) || validation < 0 || validation >= 1) {
    stop_input(
      "`validation` must be a number from 0 to below 1, or NULL, not ",
      describe(validation), ".",
      call = call
    )
  }
  validation
}

# `others` and `last` are what else may be given.
check_hidden <- function(hidden, call, others = "", last = "NULL for constant weights") {
  if (is.null(hidden)) {
    return(NULL)
  }
  is_width <- function(h) !is.na(h) & h >= 1 & h <= 1e5 & h == round(h)
  if (!is_plain_numeric(hidden) || !all(is_width(hidden))) {
    stop_input(
      "`hidden` must be whole numbers from 1 to 100,000, ", others, "or ", last, ", not ",
      if (is_plain_numeric(hidden)) deparse(hidden) else describe(hidden), ".",
      call = call
    )
  }
  if (sum(as.double(hidden)[-1] * hidden[-length(hidden)]) > 1e8) {
    stop_input("`hidden` must give at most 1e8 weights, not ", deparse(hidden), ".", call = call)
  }
  # With the last layer they are as many as the engine takes.
  if (length(hidden) > 999) {
    stop_input("`hidden` must be at most 999 widths, not ", length(hidden), ".", call = call)
  }
  as.integer(hidden)
}

# Training and validation rows: list(x, weights with mean 1 or NULL, offset), the offset from
# standardised scores to those of the data.
split_sets <- function(problem, held_rows) {
  set <- function(rows) {
    weights <- problem$weights[rows]
    list(
      x = standardised(problem, rows), weights = if (!is.null(weights)) weights / mean(weights),
      offset = mean_offset(problem, rows)
    )
  }
  rows <- seq_len(nrow(problem$y))
  if (length(held_rows) == 0) {
    return(list(training = set(rows), validation = NULL))
  }
  list(training = set(rows[-held_rows]), validation = set(held_rows))
}

# A start with a network is taken as it is; everything else goes through EM.
start_by_em <- function(start, training, problem, hidden, activation, call) {
  if (length(start$parameters$weights) > 0) {
    widths <- vapply(start$parameters$weights, nrow, 0L)
    if (!identical(widths[-length(widths)], hidden) || start$activation != activation) {
      stop_input(
        "`start` must have constant weights or the network of `hidden` and `activation` (",
        if (is.null(hidden)) "none" else written(hidden), ", ", activation, "), not that of ",
        written(widths[-length(widths)]), ", ", start$activation, ".",
        call = call
      )
    }
    return(list(
      parameters = start$parameters, log_likelihoods = double(), converged = NA, interrupted = FALSE
    ))
  }
  em <- em_fit(training, start$parameters, problem, call)
  em$log_likelihoods <- em$log_likelihoods + training$offset
  em
}

add_network <- function(parameters, hidden, activation) {
  if (is.null(hidden) || length(parameters$weights) > 0) {
    return(parameters)
  }
  network <- random_network(ncol(parameters$mean), hidden, parameters$biases[[1]], activation)
  parameters[c("weights", "biases")] <- network
  parameters
}

# A trained fit of cwmix() or of a flow alone, with further fields.
finish_cwmix <- function(training, template, activation, problem, matched, fields, call) {
  state <- training$state
  class <- if (isTRUE(problem$flow$fixed)) "flow" else "cwmix"
  object <- finish_fit(
    unflatten(state$best, template), activation, problem, class, matched,
    trace = training$trace, best_epoch = state$best_epoch, stopped = training$stopped,
    optimiser = list(state = state, template = template)
  )
  object <- structure(c(unclass(object), fields), class = class(object))
  best <- sprintf("the best epoch so far, %d", state$best_epoch)
  warn_stopped(training$stopped, best, call)
  object
}
