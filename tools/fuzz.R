# Densities that someone has edited: every verb answers them well or refuses them with a condition
# of the package. Seeded edits of every kind in tests/testthat/helper-kinds.R are given to every
# verb, in forks, so that a crash names its edit.
# Usage: Rscript tools/fuzz.R [--edits=N of each kind] [--seed=N] [--seconds=N] [--kind=REGEX]
#   [--edit=N, that one alone, with everything that is found] [--verbose]
# One line a finding, and a last line of counts; fails where there are findings.

suppressMessages(library(cwmix))
helpers <- new.env(parent = asNamespace("cwmix"))
for (file in list.files("tests/testthat", "^helper-.*[.]R$", full.names = TRUE)) {
  sys.source(file, helpers)
}
with_fixed_seed <- helpers$with_fixed_seed

read_options <- function(arguments) {
  options <- list(edits = 100, seed = 1, seconds = Inf, kind = "", edit = NA, verbose = FALSE)
  for (argument in arguments) {
    parts <- regmatches(argument, regexec("^--([a-z]+)(=(.*))?$", argument))[[1]]
    if (length(parts) == 0 || !parts[2] %in% names(options)) {
      stop("there is no option ", argument, call. = FALSE)
    }
    options[[parts[2]]] <- switch(parts[2],
      kind = parts[4],
      verbose = TRUE,
      as.numeric(parts[4])
    )
  }
  options
}

pick <- function(x) x[[sample.int(length(x), 1)]]

# What stands in place of anything.
strangers <- list(
  "NULL" = NULL, "NA" = NA, "NaN" = NaN, "Inf" = Inf, "-1" = -1, "0" = 0, "0.5" = 0.5,
  "1e300" = 1e300, "1e-320" = 1e-320, "2^31" = 2^31, "an integer" = 3L, "no number" = double(),
  "a string" = "a", "a list" = list(1, "a"), "an empty list" = list(), "TRUE" = TRUE,
  "a function" = function(...) stop("an edited function was called"),
  "a factor" = factor(1:2), "a symbol" = quote(a), "an environment" = globalenv(),
  "0 x (2^31 - 1)" = matrix(0, 0, .Machine$integer.max),
  "(2^31 - 1) x 0" = matrix(0, .Machine$integer.max, 0), "0 x 0" = matrix(0, 0, 0),
  "1 x 1" = matrix(1), "7 x 7" = matrix(1, 7, 7), "2 x 2 x 2" = array(1, c(2, 2, 2)),
  "a data frame" = data.frame(a = 1:2)
)

# Of arrays: one entry or the shape.
entry <- function(value) {
  function(x) {
    if (length(x) > 0) x[sample.int(length(x), 1)] <- value
    x
  }
}

array_changes <- list(
  "one entry NaN" = entry(NaN), "one entry NA" = entry(NA), "one entry Inf" = entry(Inf),
  "one entry -Inf" = entry(-Inf), "one entry -1" = entry(-1), "one entry 0" = entry(0),
  "one entry 1e300" = entry(1e300), "one entry 1e-320" = entry(1e-320),
  "all NaN" = function(x) replace(x, seq_along(x), NaN),
  "shorter" = function(x) x[-length(x)], "longer" = function(x) c(x, 1),
  "twice" = function(x) c(x, x),
  "as integer" = function(x) suppressWarnings(replace_mode(x, "integer")),
  "as text" = function(x) replace_mode(x, "character"),
  "as complex" = function(x) suppressWarnings(replace_mode(x, "complex")),
  "as list" = as.list,
  "transposed" = function(x) if (is.atomic(x) && length(dim(x)) < 3) t(x) else x,
  "without dim" = as.vector, "with a class" = function(x) structure(x, class = "strange"),
  "a row less" = function(x) if (is.matrix(x)) x[-1, , drop = FALSE] else x[-1],
  "a row more" = function(x) if (is.matrix(x)) rbind(x, 1) else c(1, x),
  "a column more" = function(x) if (is.matrix(x)) cbind(x, 1) else cbind(x, x),
  "negative" = function(x) if (is.numeric(x) && !is.object(x)) -x else x
)

replace_mode <- function(x, mode) {
  if (is.object(x)) {
    return(x)
  }
  storage.mode(x) <- mode
  x
}

# Of lists: their elements, names and classes.
list_changes <- list(
  "an element dropped" = function(x) without(x, sample.int(length(x), 1)),
  "an element NULL" = function(x) {
    x[sample.int(length(x), 1)] <- list(NULL)
    x
  },
  "an element renamed" = function(x) {
    if (!is.null(names(x))) names(x)[sample.int(length(x), 1)] <- "strange"
    x
  },
  "without names" = unname,
  "reversed" = function(x) {
    out <- rev(unclass(x))
    class(out) <- oldClass(x)
    out
  },
  "an element more" = function(x) {
    out <- c(unclass(x), list(strange = 1))
    class(out) <- oldClass(x)
    out
  },
  "twice" = function(x) {
    out <- c(unclass(x), unclass(x))
    class(out) <- oldClass(x)
    out
  },
  "without class" = unclass,
  "with a class" = function(x) structure(x, class = "strange")
)

without <- function(x, i) {
  kept <- oldClass(x)
  x <- unclass(x)[-i]
  class(x) <- kept
  x
}

# Classes that take another way through the package.
density_classes <- list(
  c("cwmix", "cwmix_density"), c("gaussian_mixture", "cwmix_density"),
  c("cwmix_vi", "cwmix_density"), c("cwmix_vi", "cwmix", "cwmix_density"),
  c("flow", "cwmix_density"), c("cwmix_average", "cwmix_density"),
  c("cwmix_model", "cwmix_density"), "cwmix_density"
)

# A way to some part of an object: positions, the density's own fields more often than others.
random_position <- function(object) {
  at <- integer()
  repeat {
    part <- if (length(at) > 0) object[[at]] else object
    down <- length(at) == 0 && stats::runif(1) < 0.95 || stats::runif(1) < 0.65
    if (!is.list(part) || length(part) == 0 || !down) {
      return(at)
    }
    odds <- rep(1, length(part))
    if (length(at) == 0) odds[names(part) %in% density_fields] <- 4
    at <- c(at, sample.int(length(part), 1, prob = odds))
  }
}

density_fields <- c(
  "mean", "sd", "cholesky", "classifier", "flow", "components", "frame", "shares", "members",
  "base"
)

describe_position <- function(object, at) {
  words <- ""
  for (i in at) {
    name <- names(object)[i]
    named <- length(name) == 1 && !is.na(name) && nzchar(name)
    words <- paste0(words, if (named) paste0("$", name) else sprintf("[[%d]]", i))
    object <- unclass(object)[[i]]
  }
  if (nzchar(words)) words else "object"
}

# The object with one of its parts put through f.
change_at <- function(object, at, f) {
  if (length(at) == 0) {
    return(f(object))
  }
  kept <- oldClass(object)
  object <- unclass(object)
  value <- change_at(object[[at[1]]], at[-1], f)
  if (is.null(value)) object[at[1]] <- list(NULL) else object[[at[1]]] <- value
  class(object) <- kept
  object
}

# An edit of the object as a whole; of one that is no list any more it changes nothing.
edit_whole <- function(object) {
  name <- pick(c(names(list_changes), "another class"))
  if (name == "another class") {
    class(object) <- pick(density_classes)
    return(list(object = object, text = paste("class", class(object)[1])))
  }
  if (is.list(object) && length(object) > 0) object <- list_changes[[name]](object)
  list(object = object, text = paste("object:", name))
}

# One edit: list(object, text). `others` are objects whose parts may come in.
edit <- function(object, others) {
  at <- random_position(object)
  part <- if (length(at) > 0) object[[at]] else object
  where <- describe_position(object, at)
  if (length(at) == 0) {
    return(edit_whole(object))
  }
  way <- stats::runif(1)
  if (way < 0.1) {
    donor <- sample.int(length(others), 1)
    name <- names(object)[at[1]]
    if (length(name) == 1 && name %in% names(others[[donor]])) {
      graft <- change_at(object, at[1], function(x) others[[donor]][[name]])
      return(list(object = graft, text = sprintf("$%s of \"%s\"", name, names(others)[donor])))
    }
  }
  if (way < 0.4 || is.language(part) || is.function(part) || is.environment(part)) {
    name <- pick(names(strangers))
    changed <- change_at(object, at, function(x) strangers[[name]])
    return(list(object = changed, text = paste(where, name, sep = ": ")))
  }
  changes <- if (is.list(part)) list_changes else array_changes
  name <- pick(names(changes))
  changed <- if (length(part) > 0) change_at(object, at, changes[[name]]) else object
  list(object = changed, text = paste(where, name, sep = ": "))
}

# The edits of a number: one mostly, sometimes edits of edits; none for 0, where nothing is found
# unless this script is wrong.
edit_object <- function(object, others, seed, name, number) {
  if (number == 0) {
    return(list(object = object, text = "not edited"))
  }
  key <- sum(utf8ToInt(name) * seq_len(nchar(name))) %% 20011
  with_fixed_seed((seed * 20011 + key) * 1009 + number, {
    text <- character()
    for (i in seq_len(pick(c(1, 1, 1, 2, 3)))) {
      edited <- edit(object, others)
      object <- edited$object
      text <- c(text, edited$text)
      if (!is.list(object)) break
    }
    list(object = object, text = paste(text, collapse = "; "))
  })
}

# Parameters of the density that are missing where the original's are not.
is_poisoned <- function(object, original) {
  is.list(object) && count_missing(unclass(object)[intersect(names(object), density_fields)]) >
    count_missing(unclass(original)[intersect(names(original), density_fields)])
}

# Of elements with the same name `$` finds the first.
count_missing <- function(x) {
  if (!is.list(x)) {
    return(sum(is.double(x) & is.na(x)))
  }
  hidden <- duplicated(names(x)) & nzchar(names(x))
  sum(vapply(unclass(x)[!(seq_along(x) %in% which(hidden))], count_missing, 0))
}

# What is wrong with numbers, in words, or NULL.
finite <- function(...) {
  shape <- c(...)
  function(x) {
    size <- if (is.null(dim(x))) length(x) else dim(x)
    if (!is.numeric(unlist(x))) {
      return("no numbers")
    }
    if (length(shape) > 0 && !identical(as.double(size), as.double(shape))) {
      return("numbers of another shape")
    }
    if (anyNA(unlist(x))) "missing numbers for complete points"
  }
}

within <- function(lower, upper, shape = NULL) {
  function(x) {
    finite(shape)(x) %||% if (any(x < lower | x > upper)) {
      sprintf("numbers outside of [%g, %g]", lower, upper)
    }
  }
}

`%||%` <- function(x, y) if (is.null(x)) y else x

# Of list(values, density): where a point has no density nothing but that is known.
where_dense <- function(check) {
  function(x) {
    dense <- which(as.double(x[[2]]) > 0)
    check(if (is.matrix(x[[1]])) x[[1]][dense, , drop = FALSE] else x[[1]][dense])
  }
}

sums_to_one <- function(x) {
  if (any(abs(rowSums(x) - 1) > 1e-8)) "posteriors that do not sum to one"
}

anything <- function(x) NULL

# A verb is a list(run, check, computes): a function of an edited density and a case (list(points,
# kind, x)), what is wrong with what it returns, and whether a missing parameter should stop it.
new_verb <- function(run, check = anything, computes = TRUE) {
  list(run = run, check = check, computes = computes)
}

make_verbs <- function() {
  c(point_verbs(), line_verbs(), integral_verbs(), fit_verbs(), shown_verbs(), plot_verbs())
}

point_verbs <- function() {
  parts <- function(type, check) {
    new_verb(function(object, case) {
      list(predict(object, case$points, type = type), predict(object, case$points))
    }, where_dense(check))
  }
  list(
    "predict" = new_verb(function(object, case) predict(object, case$points), within(0, Inf)),
    "predict log" = new_verb(function(object, case) {
      predict(object, case$points, log = TRUE, precision = "single")
    }, finite()),
    "posterior" = parts("posterior", function(x) within(0, 1)(x) %||% sums_to_one(x)),
    "class" = parts("class", within(1, Inf)),
    "weights" = parts("weights", within(0, 1)),
    "component" = parts("component", within(0, Inf)),
    "simulate" = new_verb(function(object, case) {
      unlist(simulate(object, 4, seed = 1, component = TRUE))
    }, finite()),
    "residuals" = new_verb(function(object, case) {
      list(residuals(object, case$points), predict(object, case$points))
    }, where_dense(finite())),
    "log_likelihood" = new_verb(function(object, case) {
      log_likelihood(object, case$points)
    }, finite(1)),
    "gradient" = new_verb(function(object, case) {
      unlist(attr(log_likelihood(object, case$points, gradient = TRUE), "gradient"))
    }, finite()),
    "augment" = new_verb(function(object, case) {
      augment(object, case$points)$.density
    }, within(0, Inf)),
    "compare" = new_verb(function(object, case) {
      compare(list(object, case$kind$object), case$points)$score
    }, finite(2))
  )
}

line_verbs <- function() {
  list(
    "dcwmix" = new_verb(function(object, case) dcwmix(case$points, object), within(0, Inf)),
    "pcwmix" = new_verb(function(object, case) pcwmix(c(0.2, 1), object), within(0, 1, 2)),
    "qcwmix" = new_verb(function(object, case) qcwmix(c(0.2, 0.9), object), finite(2)),
    "rcwmix" = new_verb(function(object, case) unlist(rcwmix(3, object)), finite())
  )
}

integral_verbs <- function() {
  f <- function(x) cos(rowSums(x))
  slope <- function(x) matrix(-sin(rowSums(x)), nrow(x), ncol(x))
  inside <- function(x) x[, 1] < 1
  list(
    "expectation" = new_verb(function(object, case) {
      expectation(object, f, n = 16)
    }, within(-1 - 1e-8, 1 + 1e-8, 1)),
    "expectation gradient" = new_verb(function(object, case) {
      unlist(attr(expectation(object, f, n = 16, gradient = slope), "gradient"))
    }, finite()),
    "mean" = new_verb(function(object, case) mean(object, n = 64), finite()),
    "vcov" = new_verb(function(object, case) vcov(object, n = 64), finite()),
    "quantile" = new_verb(function(object, case) quantile(object, 0.3, n = 64), finite()),
    "entropy" = new_verb(function(object, case) entropy(object, n = 64), finite(1)),
    "probability" = new_verb(function(object, case) {
      probability(object, inside, n = 64)
    }, within(0, 1 + 1e-8, 1)),
    "kl_divergence" = new_verb(function(object, case) {
      kl_divergence(case$kind$object, object, n = 64)
    }, finite(1))
  )
}

# What takes a density and gives another. `x` is the name that the calls of the kinds' fits have for
# their data.
fit_verbs <- function() {
  control <- cwmix_control(epochs = 1, starts = 1)
  list(
    "average" = new_verb(function(object, case) {
      predict(cwmix_average(list(object, case$kind$object)), case$points)
    }, within(0, Inf)),
    "start" = new_verb(function(object, case) {
      fit <- do.call(cwmix, c(list(case$x, start = object, control = control), case$kind$start))
      predict(fit, case$points)
    }, within(0, Inf)),
    "update" = new_verb(function(object, case) {
      x <- case$kind$points
      predict(update(object, epochs = 1, control = control), case$points)
    }, within(0, Inf), computes = FALSE),
    "refit" = new_verb(function(object, case) {
      x <- case$kind$points
      predict(update(object, control = control), case$points)
    }, within(0, Inf), computes = FALSE)
  )
}

shown_verbs <- function() {
  shown <- function(run) new_verb(function(object, case) run(object), computes = FALSE)
  list(
    "coef" = new_verb(function(object, case) coef(object)),
    "tidy" = new_verb(function(object, case) tidy(object)),
    "glance" = shown(glance),
    "logLik" = shown(function(object) c(logLik(object), AIC(object), nobs(object))),
    "format" = shown(format),
    "print" = shown(function(object) utils::capture.output(print(object))),
    "summary" = shown(function(object) utils::capture.output(print(summary(object))))
  )
}

plot_verbs <- function() {
  what <- c(
    "density", "components", "weights", "classifier", "training", "candidates", "residuals"
  )
  verbs <- lapply(what, function(what) {
    new_verb(function(object, case) plot(object, case$points, what = what), computes = FALSE)
  })
  stats::setNames(verbs, paste("plot", what))
}

# Of the processor's time for one call; all take a few hundredths of that.
most_seconds <- 6

# What becomes of a call: list(outcome, message), outcome "ran", "refused" or the kind of finding.
observe_verb <- function(verb, object, case, poisoned) {
  warned <- NULL
  began <- proc.time()[["user.self"]]
  setTimeLimit(cpu = most_seconds, transient = TRUE)
  on.exit(setTimeLimit())
  value <- tryCatch(
    withCallingHandlers(
      suppressMessages(verb$run(object, case)),
      warning = function(w) {
        if (!inherits(w, "cwmix_warning")) warned <<- w
        invokeRestart("muffleWarning")
      }
    ),
    error = identity
  )
  setTimeLimit()
  if (proc.time()[["user.self"]] - began > most_seconds / 2) {
    return(list(outcome = "slow", message = "seconds for a few points"))
  }
  if (inherits(value, "cwmix_error")) {
    return(list(outcome = "refused", message = conditionMessage(value)))
  }
  if (inherits(value, "condition")) {
    return(list(outcome = "bare error", message = describe_condition(value)))
  }
  if (verb$computes && poisoned) {
    return(list(outcome = "poisoned", message = "an answer from missing parameters"))
  }
  problem <- tryCatch(verb$check(value), error = function(e) "something of another shape")
  if (!is.null(problem)) {
    return(list(outcome = "insane", message = problem))
  }
  if (!is.null(warned)) {
    return(list(outcome = "bare warning", message = describe_condition(warned)))
  }
  list(outcome = "ran", message = "")
}

describe_condition <- function(condition) {
  call <- conditionCall(condition)
  place <- if (is.call(call)) paste0("in ", paste(deparse(call[[1]])[1]), "(): ") else ""
  substr(paste0(place, gsub("\\s+", " ", conditionMessage(condition))), 1, 150)
}

# Edits of a kind by their numbers: a data frame with a row a call. Notes every call in a file
# before it is made.
run_block <- function(name, numbers, seed, log) {
  grDevices::pdf(NULL)
  kinds <- helpers$kinds()
  kind <- kinds[[name]]
  case <- list(
    kind = kind, points = utils::head(kind$points, 4), x = simulate(kind$object, 40, seed = 1)
  )
  verbs <- make_verbs()
  rows <- list()
  for (number in numbers) {
    edited <- edit_object(kind$object, lapply(kinds, `[[`, "object"), seed, name, number)
    poisoned <- is_poisoned(edited$object, kind$object)
    # An object that is no density any more meets the generics' defaults, which are not ours.
    if (!inherits(edited$object, "cwmix_density")) next
    for (verb in names(verbs)) {
      cat(number, "\t", verb, "\t", edited$text, "\n", sep = "", file = log, append = TRUE)
      set.seed(1)
      seen <- observe_verb(verbs[[verb]], edited$object, case, poisoned)
      rows[[length(rows) + 1]] <- data.frame(
        kind = name, edit = number, verb = verb, text = edited$text, outcome = seen$outcome,
        message = seen$message
      )
      # What is slow once is slow everywhere.
      if (seen$outcome == "slow") break
    }
  }
  do.call(rbind, rows)
}

# The same in a fork; where that dies or hangs, so does the edit that it was at, and the others are
# run in another.
run_in_fork <- function(name, numbers, seed) {
  log <- tempfile()
  on.exit(unlink(log))
  file.create(log)
  answer <- tempfile(fileext = ".rds")
  job <- parallel::mcparallel({
    saveRDS(run_block(name, numbers, seed, log), answer)
    TRUE
  }, silent = TRUE)
  done <- wait_for(job, log)
  if (isTRUE(done)) {
    rows <- readRDS(answer)
    unlink(answer)
    return(rows)
  }
  if (inherits(done, "try-error")) stop(done)
  last <- utils::tail(strsplit(readLines(log), "\t"), 1)[[1]]
  died <- as.numeric(last[1])
  crash <- data.frame(
    kind = name, edit = died, verb = last[2], text = last[3], outcome = "crash",
    message = if (identical(done, "hangs")) "R did not come back" else "R died"
  )
  before <- numbers[numbers < died]
  after <- numbers[numbers > died]
  rbind(
    if (length(before) > 0) run_in_fork(name, before, seed), crash,
    if (length(after) > 0) run_in_fork(name, after, seed)
  )
}

# TRUE, NULL of a fork that died, or "hangs" where nothing was noted for two minutes.
wait_for <- function(job, log) {
  size <- -1
  repeat {
    answer <- parallel::mccollect(job, wait = FALSE, timeout = 120)
    if (!is.null(answer)) {
      return(answer[[1]])
    }
    if (file.size(log) == size) {
      tools::pskill(job$pid, tools::SIGKILL)
      parallel::mccollect(job)
      return("hangs")
    }
    size <- file.size(log)
  }
}

# One line a distinct finding: what it is, where it was met first, how often.
report <- function(rows, seed) {
  found <- rows[!rows$outcome %in% c("ran", "refused"), ]
  same <- gsub("[0-9]+", "#", found$message)
  # What is said by one function of the package is one finding, whatever verb led there.
  place <- ifelse(found$outcome %in% c("bare error", "bare warning"), "", found$verb)
  groups <- split(found, paste(found$outcome, place, same), drop = TRUE)
  groups <- groups[order(vapply(groups, function(g) g$outcome[1], ""), -vapply(groups, nrow, 0L))]
  for (group in groups) {
    first <- group[1, ]
    cat(sprintf(
      "%s: %s, %s [%s] (--seed=%g --kind='^%s$' --edit=%g; %d calls, %d verbs)\n",
      first$outcome, first$verb, first$message, first$text, seed, first$kind, first$edit,
      nrow(group), length(unique(group$verb))
    ))
  }
  length(groups)
}

main <- function() {
  options <- read_options(commandArgs(trailingOnly = TRUE))
  names <- names(helpers$kinds(options$kind))
  end <- Sys.time() + options$seconds
  numbers <- if (is.na(options$edit)) seq(0, options$edits) else options$edit
  # A few edits of every kind at a time, so that the time that there is goes round.
  blocks <- split(numbers, (seq_along(numbers) - 1) %/% 25)
  rows <- list()
  for (block in blocks) {
    for (name in names) {
      if (Sys.time() > end) break
      rows[[length(rows) + 1]] <- run_in_fork(name, block, options$seed)
    }
  }
  rows <- do.call(rbind, rows)
  if (!is.na(options$edit) || options$verbose) print(rows, right = FALSE)
  findings <- report(rows, options$seed)
  cat(sprintf(
    "%d edits, %d refused, %d ran, %d findings\n",
    nrow(unique(rows[rows$edit > 0, c("kind", "edit")])),
    sum(rows$outcome == "refused"), sum(rows$outcome == "ran"), findings
  ))
  quit(status = if (findings > 0) 1 else 0)
}

main()
