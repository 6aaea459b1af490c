# From trained or fitted parameters to a density with what it scores on the data.

# A fit: a density on the data's scale, largest component first, with lists of further fields
# (`...`). `name` is the function's in the call that is kept.
new_fit <- function(parameters, activation, task, class, name, call, ...) {
  shares <- component_shares(parameters, activation, task$rows, task)
  order <- order(shares, decreasing = TRUE)
  parameters <- reorder_components(parameters, order, task$shape)
  object <- fitted_density(parameters, activation, task, class)
  common <- list(
    proportions = shares[order], at_floor = components_at(task$floor, parameters),
    recorded = recorded_table(task$sample),
    fingerprint = task$sample$fingerprint, control = task$control, call = tidy_call(call, name)
  )
  add_fields(object, fit_scores(object, task$rows, task$control), common, ...)
}

# The density that parameters on the standardised scale stand for.
fitted_density <- function(parameters, activation, task, class) {
  maps <- task$sample$maps
  frame <- task$sample$frame
  if (is.null(maps)) {
    return(unmapped_density(parameters, activation, task, frame, class))
  }
  base <- unmapped_density(parameters, activation, task, image_frame(length(maps)))
  new_mapped(maps, base, frame, class)
}

# The same where the columns, or their images, are those of the frame. Behind a flow parameters stay
# as they are: the flow starts from the standardised columns.
unmapped_density <- function(parameters, activation, task, frame, class = NULL) {
  sample <- task$sample
  if (is.null(task$shape)) {
    parameters <- unstandardise_parameters(parameters, sample$center, sample$scale)
    return(normal_of(parameters, activation, frame, class))
  }
  d <- ncol(sample$y)
  fixed <- isTRUE(task$shape$fixed)
  base <- if (fixed) standard_normal(d) else normal_of(parameters, activation, image_frame(d))
  shape <- unclass(task$shape)[setdiff(names(task$shape), "fixed")]
  flow <- c(shape, sample[c("center", "scale")], parameters$flow)
  wrap <- if (shape$shared) new_flowed else new_multiflow
  wrap(flow, base, frame, class)
}

# What a density scores on the rows it was fitted to, a sample.
fit_scores <- function(object, sample, control) {
  how <- list(threads = control$threads)
  total <- sum_over_rows(sample, ncol(sample$y), function(rows) {
    log_density <- evaluate(object, points_at(sample$y[rows, , drop = FALSE]), "density", how)
    sum((log_density + sample$log_jacobian[rows]) * weights_at(sample, rows))
  })
  score_fields(object, sample, total)
}

score_fields <- function(object, sample, total) {
  list(
    log_likelihood = sample$unit * total, df = degrees_of_freedom(object), nobs = nrow(sample$y),
    weight_sum = sample$unit * nrow(sample$y)
  )
}

# Mean posterior of the components over the rows, by the engine on the standardised scale.
component_shares <- function(parameters, activation, sample, task) {
  if (nrow(parameters$mean) == 1) {
    return(1)
  }
  constant <- length(parameters$weights) == 0 && is.null(task$shape)
  model <- engine_model(parameters, activation, task$shape)
  how <- list(threads = task$control$threads)
  sums <- sum_over_rows(sample, max(if (!constant) model$K, model$d), function(rows) {
    x <- standardised(sample, rows)
    if (constant) {
      return(em_steps(parameters, x, sample$weights[rows], 0, threads = how$threads)$counts)
    }
    colSums(exp(engine_density(model, x, "posterior", how)) * weights_at(sample, rows))
  })
  sums / sum(sample$weights %||% nrow(sample$y))
}

# Those of a sum, on the working scale, with what it scores: networks are asked once.
sum_scores <- function(object, sample, control) {
  how <- list(threads = control$threads)
  sums <- sum_over_rows(sample, size(object)$K, function(rows) {
    points <- points_at(sample$y[rows, , drop = FALSE])
    joint <- evaluate(object, points, "component", how) + evaluate(object, points, "weights", how)
    # Where a member has no density.
    joint[is.na(joint)] <- -Inf
    log_density <- log_row_sums(joint)
    weights <- weights_at(sample, rows)
    c(
      sum((log_density + sample$log_jacobian[rows]) * weights),
      colSums(exp(joint - log_density) * weights)
    )
  })
  c(score_fields(object, sample, sums[1]), list(
    proportions = sums[-1] / sum(sample$weights %||% nrow(sample$y))
  ))
}

# Arguments that hold data: left out of calls as values, looked for again by name.
data_arguments <- c("x", "data", "weights", "start")

# The call to keep, under the generic's name: data that stand in it as values, as do.call() leaves
# them, are dropped.
tidy_call <- function(call, name) {
  call[[1]] <- as.name(name)
  for (name in intersect(names(call), data_arguments)) {
    if (!is.language(call[[name]])) call[[name]] <- NULL
  }
  call
}
