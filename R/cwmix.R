#' Fit a classifier weighted mixture
#'
#' Estimates the density p(x) = sum over k of w_k(z_k) N(x; mu_k, Sigma_k), with
#' z_k = L_k^-1 (x - mu_k) and weights w(z) = softmax(f(z)) given by a network f. With constant
#' weights it is a Gaussian mixture.
#'
#' **Without `K`** the fit is chosen by the data. Gaussian mixtures of one to 160 components with
#' several structures of covariances, and networks that start from the best of them, are fitted to
#' the folds of a cross-validation; the densities of all these fits are averaged with weights that
#' score well on the rows that each had not seen. The result is a [cwmix_stack], an average as of
#' [cwmix_average()], with many components, and all of them constant in weight where networks add
#' nothing. `vignette("defaults")` has the recipe, what it gains and what it does with data of many
#' kinds.
#'
#' Ties, repeated rows and, without `K`, rows far from all others are looked for first:
#' [cwmix_stack] says how.
#'
#' **With `K`** (or `start`, `validation`, a flow or maps) one model is fitted: EM for a Gaussian
#' mixture first.
#' The network's last layer then starts at zero with the log mixture weights as biases, so that
#' gradient ascent on the mean log density starts from exactly that mixture. A share of the rows is
#' set aside (before EM) to score every epoch; the best epoch, epoch 0 included, is returned. What
#' is scored and returned is an average of the last parameters along the way.
#'
#' **With a flow** the density above is that of u = F(x), where F is an invertible map
#' given by networks, and the density of x is that of u times |det dF/dx|. The standardised points
#' are then z_k = A_k(F(x)): F, shared by all components, is followed by the affine map
#' A_k(u) = L_k^-1 (u - mu_k) of each (equation 12). F standardises the columns and is otherwise the
#' identity at first, so that training still starts from EM's mixture; it is trained together with
#' the rest.
#'
#' **With `map = "columns"`** the density above is that of u, whose columns are increasing functions
#' of those of x, one each, and the density of x is that of u times their slopes, again equation
#' (12). u_j = Phi^-1(F_j(t_j)), where t_j = asinh((x_j - median) / MAD) and F_j is the distribution
#' function of a smooth estimate of the density of t_j: its log is a cubic spline whose third
#' differences have a price, chosen by Akaike's criterion (Eilers and Marx 1996). So each column
#' alone is about N(0, 1), and heavy tails and skewness are the maps'; what is joint is the
#' mixture's. With `K = 1` and `hidden = NULL` one column has that estimate itself. The maps come
#' from the training rows, before EM, and stay as they are. A flow comes after them. Columns of
#' positive values need their `support`, without which some mass lies below zero.
#'
#' Columns are standardised inside. Without a flow and maps, the parameters reported are those of
#' the data (of their logs or logits in bounded columns); with them, means and covariances are those
#' of u.
#'
#' @param x The data: a numeric vector, a numeric matrix or a data frame of numeric columns, without
#'   missing values; or a one-sided formula such as `~ a + log(b)`, a sum of columns. Columns of a
#'   class, such as dates, factors or units, are refused: make them numbers first. A formula is read
#'   as by [lm()]: `.` stands for all columns of `data`, `-` removes some, of any type, as in
#'   `~ . - id`; a matrix, as from `poly(a, 2)` or `cbind(a, b)`, stands for its columns, named as
#'   by [model.matrix()]; `poly()`, `scale()` and the like keep the constants of the training data
#'   wherever the fit is used. An intercept means nothing; interactions and offsets are refused.
#' @param data A data frame that holds all variables of the formula `x`; its functions must be found
#'   from the global environment.
#' @param K A whole number of components, or `NULL`: chosen by the data. With `start`, `NULL` stands
#'   for its number; with `validation`, a flow or maps, for one in 25 rows, at most 10.
#' @param ... Must be empty.
#' @param hidden An integer vector, the widths of the network's hidden layers; `integer(0)` for a
#'   softmax-linear classifier; `NULL` for constant weights: a Gaussian mixture, fitted by EM alone
#'   unless there is a flow to train with it. `"auto"` stands for `c(64, 64)`, without `K` on
#'   at most 2,000 rows for `c(32, 32)`.
#' @param covariance A string: the components' covariances, `"diagonal"` or `"full"` (without `K`
#'   also spherical, shrunk and tied ones, and in six columns and more some between diagonal and
#'   full, which count as full). `"auto"` stands for diagonal ones, without `K` for both.
#' @param activation A string, `"tanh"`, `"relu"` or `"silu"`.
#' @param flow A string: no flow before the components (`"none"`), or one for all of them,
#'   `"realnvp"` or `"spline"`; or a [cwmix_flow()] with the flow's settings, or with those of one
#'   flow a component.
#' @param map A string: no maps of single columns before the components (`"none"`), or one for each,
#'   estimated from the training rows, at least 10 (`"columns"`). Without `K` such maps are among
#'   the candidates, and `"columns"` asks for one model, as a flow does.
#' @param support The columns' bounds: `NULL` for none; a pair such as `c(0, Inf)` for every column;
#'   or a list with one pair (or `NULL`) a column, by position or by name. The density is exactly
#'   zero outside. Values may stand on a bound; they count as being just inside: see
#'   [cwmix_stack]. Inside, what is modelled is log(x - lower), -log(upper - x) or, between
#'   two bounds, the logit of (x - lower) / (upper - lower).
#' @param resolution What values stand for: `"auto"` finds it by ties; a numeric vector gives the
#'   width of the cell around each value, 0 for values that stand for themselves: one number for all
#'   columns, one a column, or some by name. See [cwmix_stack].
#' @param weights A numeric vector of observation weights of at least 0, one a row, or `NULL`. Rows
#'   of weight 0 count as absent. With a formula it is looked for in `data` first.
#' @param validation A number from 0 to below 1, the share of rows set aside (rounded down; of
#'   units, where ties make these fewer); `NULL` for a tenth, at most 5,000. With no such row there
#'   is no early stopping, and the last epoch is returned. A number asks for one model, `NULL`
#'   without `K`, `start`, a flow and maps for folds.
#' @param start `NULL` to start from EM; a density to start from, with the same columns in the same
#'   order and the same support; or a K x d matrix of means for EM. A density of normal components
#'   must have the same K and covariances (and network, if it has one: EM is then skipped), one
#'   behind a flow is taken where `flow` is the same and the data are those of its fit, one behind
#'   maps where these are the same, as of the same training rows and seed. Of any other density, a
#'   mixture is fitted to its draws.
#' @param control A [cwmix_control()].
#' @param keep_data A flag: keep the data in the fit, for `update()` and `plot()` where the data
#'   cannot be found by the call.
#' @return Without `K` a [cwmix_stack]. Otherwise an object of class `"cwmix"`, a density, which is
#'   a plain list with the fields
#'   - `mean` (K x d), `sd` (K x d) or `cholesky` (d x d x K, lower triangular factors of the
#'     covariances) and `classifier`; with a flow instead `flow`, as in [flow_realnvp()], and
#'     `base`, the density of u that has these; with `map = "columns"` `maps`, a list with one a
#'     column, and `base`, which has the rest;
#'   - `frame`, how the data came: `names` of the columns, `type`, `terms` of a formula, `support`;
#'   - `proportions`, the components' mean posteriors over the rows, decreasing; `at_floor`, how
#'     many components have a standard deviation at `sd_floor`, as ties and duplicated rows give;
#'   - `recorded`, what ties said of the columns, as in a [cwmix_stack];
#'   - `log_likelihood` of all rows; `df`, the number of free parameters, of a trained network an
#'     upper bound of its degrees of freedom, without a network that does nothing (one of one
#'     component, or with the best epoch 0), and with the effective ones of maps; `nobs`, the rows
#'     of positive weight, and `weight_sum`, the sum of their weights or else their number, by which
#'     a log-likelihood "a row" is divided;
#'   - `trace`, a data frame with the mean log density of training and validation units and the
#'     learning rate, a row an epoch: epoch 0 is the EM fit, evaluated; later training scores are
#'     means over the epoch's steps, each taken before its step, validation scores those of the
#'     averaged parameters (see [cwmix_control()]);
#'   - `best_epoch`, and `stopped`, why training ended: `"epochs"` (all run), `"patience"`,
#'     `"interrupt"`, `"diverged"` (a score that is not finite, or more than 100 nats a row below
#'     epoch 0) or, for L-BFGS, `"converged"` and `"line search"`;
#'   - `starts`, the mean log-likelihood per row that each start of EM reached, and `converged`,
#'     whether EM did (`NA` where it was skipped);
#'   - `hidden`, the widths that `"auto"` stands for or those given; `control` and `call` as given;
#'     `held_rows`, the validation rows, counted among those of positive weight; `fingerprint`, sums
#'     that tell whether data are those of the fit; `data`, what `keep_data` kept;
#'   - `optimiser`, what [update()] needs to go on.
#' @section Errors and warnings: A condition of class `"cwmix_input_error"` names the argument, what
#'   is needed and what was given: anything not numeric or of a class that gives its numbers
#'   another meaning, a formula that leaves no column, missing or infinite values, constant or
#'   exactly collinear columns, no more rows than columns (without `K` they may be fewer), fewer
#'   rows than components (without `K` fewer than 10), points outside the support. One of class
#'   `"cwmix_numerical_error"` when EM loses a component's spread, which a positive `sd_floor`
#'   prevents, or without `K` when every mixture gives a tenth of the held-out rows a density of 0.
#'   Without `K` a warning of class `"cwmix_far_rows"` names rows so far from all others that one
#'   broad component stands for them, one of class `"cwmix_few_rows"` says where few rows would
#'   decide the held-out score, were they not counted as a bound, and one of class
#'   `"cwmix_degenerate"` where many components are as narrow as they may be.
#'   An interrupt returns the best so far with a warning of class `"cwmix_interrupted"`, an error of
#'   that class without `K` before the first candidate; a diverging run ends with one of class
#'   `"cwmix_numerical_warning"`; one of class `"cwmix_not_converged"` says that L-BFGS or, with
#'   constant weights and no flow, EM did not converge. With constant weights and no flow one of
#'   class `"cwmix_degenerate"` names the components that are at `sd_floor` in some direction, as
#'   where rows are tied, or rest on fewer than d + 1 rows: such a likelihood says little.
#' @references Argouarc'h, Desbouvries, Barat, Kawasaki and Dautremer (2025), Classifier Weighted
#'   Mixture models, arXiv:2501.02989, equations (12) and (16).
#'
#'   Eilers and Marx (1996), Flexible smoothing with B-splines and penalties, Statistical Science
#'   11, 89-121.
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
#'
#' # Behind a map of each column; of one column an estimate by itself
#' cwmix(log(rivers), K = 1, hidden = NULL, map = "columns")
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
                          flow = c("none", "realnvp", "spline"), map = c("none", "columns"),
                          support = NULL, resolution = "auto", weights = NULL, validation = NULL,
                          start = NULL, control = cwmix_control(), keep_data = FALSE) {
  call <- user_call()
  matched <- match.call()
  check_dots_empty(..., call = call)
  settings <- read_settings(mget(cwmix_settings), call)
  fit_cwmix(data_source(x, weights, keep_data, call), settings, matched, call)
}

#' @rdname cwmix
#' @export
cwmix.formula <- function(x, data, K = NULL, ..., hidden = "auto",
                          covariance = c("auto", "diagonal", "full"),
                          activation = c("tanh", "relu", "silu"),
                          flow = c("none", "realnvp", "spline"), map = c("none", "columns"),
                          support = NULL, resolution = "auto", weights = NULL, validation = NULL,
                          start = NULL, control = cwmix_control(), keep_data = FALSE) {
  call <- user_call()
  matched <- match.call()
  check_dots_empty(..., call = call)
  check_given("data", call)
  weights <- eval_in_data(substitute(weights), data, parent.frame(), call)
  settings <- read_settings(mget(cwmix_settings), call)
  fit_cwmix(formula_source(x, data, weights, keep_data, call), settings, matched, call)
}

# What both methods hand on besides their data.
cwmix_settings <- c(
  "K", "hidden", "covariance", "activation", "flow", "map", "support", "resolution", "validation",
  "start", "control"
)

# What can be checked before the data are read.
read_settings <- function(settings, call) {
  settings$activation <- check_choice(settings$activation, activations, "activation", call)
  settings["shape"] <- list(read_flow(settings$flow, call))
  settings$map <- check_choice(settings$map, c("none", "columns"), "map", call)
  one_model <- c("K", "start", "validation", "shape")
  settings$stacked <- all(vapply(settings[one_model], is.null, NA)) && settings$map == "none"
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

fit_cwmix <- function(source, settings, matched, call) {
  task <- read_task(source, settings, call)
  fit <- if (settings$stacked) fit_stack else fit_network
  at_call(call, fit(task, settings, source$kept, matched, call))
}

#' @export
describe_training.cwmix <- function(object) {
  c(describe_recorded(object$recorded), describe_epochs(object), describe_degenerate(object))
}

#' @export
glance_training.cwmix <- function(x) glance_epochs(x)

#' @export
fit_needs.cwmix <- function(object) c(common_fields, trained_fields)
