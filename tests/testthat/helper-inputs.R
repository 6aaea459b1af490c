# The table of inputs: every call either gives the answer of a reference or exactly one condition
# of class "cwmix_input_error" that names the argument. Cases are written
#   fails("argument", call)   and   works(call, reference)
# and are evaluated with input_objects() in reach.

fails <- function(argument, code) {
  list(argument = argument, code = substitute(code))
}

works <- function(code, reference = NULL, tolerance = 1e-8) {
  list(code = substitute(code), reference = substitute(reference), tolerance = tolerance)
}

make_input_objects <- function() {
  with_fixed_seed(1, {
    o <- new.env(parent = environment(make_input_objects))
    o$bad <- not_numbers()
    o$meant <- classed_numbers()
    o$v <- as.vector(simulate(cwmix_model(c(-2, 2), sd = c(1, 1), classifier = c(0.4, 0.6)), 60))
    o$p <- rexp(60)
    o$m <- matrix(rnorm(120), 60) + rep(c(0, 5), each = 30)
    o$df <- data.frame(a = o$m[, 1], b = o$m[, 2])
    o$quick <- cwmix_control(epochs = 1, starts = 1)
    o$fit <- function(x, K = 2, ...) {
      without_degenerate(with_fixed_seed(1, gaussian_mixture(x, K = K, ...)))
    }
    o$net <- function(x, K = 2, hidden = 3, ..., control = o$quick) {
      with_fixed_seed(1, cwmix(x, K = K, hidden = hidden, ..., control = control))
    }
    o$stack <- fit_stack
    o$ld <- line_target()$log_density
    o$gr <- line_target()$gradient
    o$quick_vi <- quick_vi_control(steps = 1, draws = 100, searches = 2)
    o$vi <- function(log_density = o$ld, d = 1, K = 2, gradient = o$gr, ..., hidden = 3,
                     control = o$quick_vi) {
      with_fixed_seed(
        1, cwmix_vi(log_density, d, K, gradient, ..., hidden = hidden, control = control)
      )
    }
    o$density <- function(fit, x) predict(fit, x, log = TRUE)
    o$g <- o$fit(o$df)
    o$gv <- o$fit(o$v)
    o$gm <- o$fit(o$m)
    o$n <- o$net(o$df)
    # fits whose calls name data that can be found from where cases are evaluated
    o$direct <- eval(quote(cwmix(df, K = 2, hidden = 3, control = quick)), o)
    o$direct_mixture <- eval(quote(gaussian_mixture(df, K = 2)), o)
    o$direct_vi <- eval(quote(cwmix_vi(ld, 1, 2, gr, hidden = 3, control = quick_vi)), o)
    o$stacked <- eval(quote(cwmix(df, hidden = NULL, control = cwmix_control(folds = 2))), o)
    o$flow <- eval(quote(flow_realnvp(df, layers = 2, hidden = 3, control = quick)), o)
    o$behind <- o$net(o$df, flow = cwmix_flow("spline", layers = 2, hidden = 3, bins = 3))
    o$bounded <- o$fit(o$p, support = c(0, Inf))
    o$formula <- with_fixed_seed(1, gaussian_mixture(~ exp(a) + b, o$df, K = 2))
    o$model <- cwmix_model(c(-1, 1), sd = c(1, 2), classifier = c(0.3, 0.7))
    o$classifier <- cwmix_classifier(list(matrix(c(2, -2))), list(c(0, 0)))
    o$model_of <- function(f) cwmix_model(c(-1, 1), sd = c(1, 2), classifier = f)
    o$fn_model <- o$model_of(function(z) cbind(plogis(z), plogis(-z)))
    o$average <- cwmix_average(list(o$model, o$model_of(o$classifier)))
    o$families <- cwmix_model(
      components = list(gamma = list(shape = 2), norm = list()), classifier = o$classifier
    )
    o$picture <- image_density(diag(3))
    o$comparison <- compare(list(g = o$g, n = o$n), o$df)
    o$selection <- cwmix_select(
      o$v,
      K = 1:2, hidden = NULL, covariance = "full", folds = rep(1:2, 30), control = o$quick
    )
    o
  })
}

# Made once: cases change nothing in it.
input_objects <- local({
  made <- NULL
  function() {
    if (is.null(made)) made <<- make_input_objects()
    made
  }
})

# What is not data, whatever the argument is called.
not_numbers <- function() {
  list(
    null = NULL, text = "a", texts = letters, factor = factor(1:3), date = as.Date("2020-01-01"),
    time = as.POSIXct("2020-01-01", tz = "UTC"), span = as.difftime(1:3, units = "secs"),
    complex = 1:3 + 0i, list = list(1, 2), `function` = mean, environment = globalenv(),
    symbol = quote(a), language = quote(a + b), raw = raw(3), array = array(1, c(2, 2, 2)),
    logical = c(TRUE, FALSE), na_logical = NA, formula_text = "~ a", model = lm(dist ~ speed, cars),
    ordered = ordered(1:3), text_matrix = matrix("a", 2, 2), logical_matrix = matrix(TRUE, 2, 2)
  )
}

# Sixty values of types that stand for something else than their numbers.
classed_numbers <- function() {
  x <- as.double(1:60)
  list(
    units = structure(x, units = "m", class = "units"),
    haven = structure(x, labels = c(no = 1), class = c("haven_labelled", "vctrs_vctr", "double")),
    labelled = structure(x, label = "age", class = "labelled"),
    difftime = as.difftime(x, units = "mins"), Date = as.Date("2020-01-01") + x,
    POSIXct = as.POSIXct("2020-01-01", tz = "UTC") + x,
    integer64 = structure(x, class = "integer64"), factor = factor(x), ordered = ordered(x),
    logical = x > 5, character = as.character(x)
  )
}

# Values that are not a count of at least one.
not_counts <- function() {
  list(
    zero = 0, negative = -1, fraction = 1.5, na = NA, na_real = NA_real_, nan = NaN, infinite = Inf,
    text = "3", two = c(1, 2), list = list(2), flag = TRUE, factor = factor(2), complex = 2 + 0i,
    matrix = matrix(2), `function` = mean, empty = integer(), large = 1e10
  )
}

# Values that are not a finite positive number.
not_positive <- function() {
  list(
    zero = 0, negative = -1, na = NA, nan = NaN, infinite = Inf, text = "a", two = c(1, 2),
    null = NULL, flag = TRUE, list = list(1), date = as.Date("2020-01-01")
  )
}

# Evaluates a case: list(value, conditions).
observe <- function(case, objects) {
  catch_conditions(eval(case$code, new.env(parent = objects)))
}

# What is wrong with how a case that should fail does so, or NULL.
find_fault <- function(case, seen) {
  if (length(seen$conditions) == 0) {
    return("nothing was signalled")
  }
  condition <- seen$conditions[[1]]
  said <- sprintf("%s: %s", class(condition)[1], conditionMessage(condition))
  if (length(seen$conditions) > 1) {
    return(sprintf("%d conditions were signalled, first %s", length(seen$conditions), said))
  }
  if (!inherits(condition, "cwmix_input_error")) {
    return(said)
  }
  named <- case$argument == "..." ||
    grepl(paste0("`", case$argument, "`"), conditionMessage(condition), fixed = TRUE)
  if (!named) {
    return(sprintf("`%s` is not named in %s", case$argument, said))
  }
  if (!grepl("^[^\n]+\\.$", conditionMessage(condition))) {
    return(sprintf("not one line, a sentence: %s", said))
  }
  # the call is what the user wrote: a function of the package, not one inside it
  call <- conditionCall(condition)
  inside <- c("stop_input", "check_dots_empty", "structure", "tryCatch", "FUN")
  if (case$argument != "cwmix.threads" && (is.null(call) || deparse(call[[1]])[1] %in% inside)) {
    return(sprintf("the call of the condition is %s", deparse(call)[1]))
  }
  NULL
}

# Unusual but good inputs work in silence, bad ones are one error each.
expect_inputs <- function(cases) {
  testthat::expect_identical(names(cases)[duplicated(names(cases))], character())
  for (name in names(cases)) {
    case <- cases[[name]]
    seen <- observe(case, input_objects())
    if (!is.null(case$argument)) {
      fault <- find_fault(case, seen)
      testthat::expect(is.null(fault), paste0(name, ": ", fault))
      next
    }
    said <- vapply(seen$conditions, conditionMessage, "")
    testthat::expect(length(said) == 0, paste0(name, ": ", toString(said)))
    if (length(said) > 0) next
    testthat::expect_equal(
      seen$value, eval(case$reference, new.env(parent = input_objects())),
      tolerance = case$tolerance, label = name, ignore_attr = c("dimnames", "names")
    )
  }
}

# What the errors say, below their names: one of each kind, as the systematic part of a table
# repeats itself.
input_messages <- function(cases) {
  cases <- Filter(function(case) !is.null(case$argument), cases)
  cases <- cases[!grepl(": (?!null|texts|two|fraction|text$)", names(cases), perl = TRUE)]
  messages <- vapply(cases, function(case) {
    seen <- observe(case, input_objects())$conditions
    paste(vapply(seen, conditionMessage, ""), collapse = " / ")
  }, "")
  paste0(names(messages), "\n  ", messages)
}
