# The search for what a stack averages: its units and folds, and the candidates so far.

# The state of the search: the task on the units of the rows, far ones set aside, `rows` being the
# sample of all; folds, candidates so far, what is to be known of an interrupt. fit_stack() adds
# `raw`, the scale of the columns as they are.
new_search <- function(task) {
  search <- new.env(parent = emptyenv())
  search$rows <- task$rows
  search$units <- task$sample
  check_units(search)
  far <- far_rows(search$units)
  search$near <- setdiff(seq_len(nrow(search$units$y)), far)
  task$sample <- if (length(far) > 0) some_units(search$units, search$near) else search$units
  # One far row can hide that columns determine each other.
  if (length(far) > 0) check_sample(task$sample, NULL, wide = TRUE)
  # Components must hold rows of their own here; the floor is for what is computed alone.
  task$floor <- 1e-3 * task$control$sd_floor * task$sample$core
  search$task <- task
  search$folds <- new_folds(task, fold_of_units(search, task$control$folds))
  held <- unlist(lapply(search$folds, `[[`, "held"))
  weights <- task$sample$weights[held] %||% rep(1, length(held))
  search$weights <- weights / sum(weights)
  search$least <- least_ends(task$sample)
  search$raced <- raced_folds(search)
  search$candidates <- list()
  search$interrupted <- FALSE
  search$progress <- no_progress
  search
}

check_units <- function(search) {
  n <- nrow(search$rows$y)
  units <- nrow(search$units$y)
  if (units < 10) {
    stop_input(
      "`K` must be given for fewer than 10 rows", if (n >= 10) " that differ", ", not NULL for ",
      if (n >= 10) units else plural(n, "row"), ".",
      call = NULL
    )
  }
}

default_folds <- function(n) {
  if (n <= 200) 10L else if (n <= 20000) 5L else 1L
}

# The folds of units by the labels that the user gives, NULL where there are none. Rows of one label
# are held out together; so are rows of one unit, and then all those of their labels. Many labels
# are dealt into folds.
fold_of_units <- function(search, folds) {
  if (length(folds) < 2) {
    return(NULL)
  }
  n <- search$rows$fingerprint[1]
  if (length(folds) != n) {
    stop_input(
      "`control`: `folds` must be a number or ", n, " labels, one a row, not ", length(folds), ".",
      call = NULL
    )
  }
  labels <- match(folds, unique(folds))[search$rows$kept]
  labels <- join_labels(labels, search$units$unit_of)[search$units$row_of[search$near]]
  labels <- match(labels, unique(labels))
  if (max(labels) > 10) {
    labels <- random_folds(max(5L, default_folds(length(labels))), max(labels))[labels]
  }
  left <- length(labels) - max(tabulate(labels))
  if (left < 10) {
    stop_input(
      "`control`: `folds` must leave at least 10 rows that differ outside each fold, not ",
      left, ".",
      call = NULL
    )
  }
  labels
}

# Whole numbers as labels, joined where rows of one unit have several.
join_labels <- function(labels, unit) {
  shared <- unit %in% unit[duplicated(unit)]
  repeat {
    least <- stats::ave(labels[shared], unit[shared], FUN = min)
    new <- seq_len(max(labels))
    lower <- tapply(least, labels[shared], min)
    new[as.integer(names(lower))] <- lower
    if (identical(new[labels], labels)) {
      return(labels)
    }
    labels <- new[labels]
  }
}

# Training and held-out rows of each fold, by labels or at random. Beyond 20,000 rows one split with
# a few thousand held-out rows says enough, and as many rows are enough for EM.
new_folds <- function(task, labels = NULL) {
  n <- nrow(task$sample$y)
  count <- if (is.null(labels)) min(task$control$folds %||% default_folds(n), n) else 2
  held <- if (count == 1) {
    list(sort(sample.int(n, held_count(NULL, n))))
  } else {
    unname(split(seq_len(n), labels %||% random_folds(count, n)))
  }
  lapply(held, function(rows) {
    sets <- split_sets(task$sample, rows)
    c(sets, list(held = rows, mixture = some_rows(sets$training, 20000)))
  })
}

# The folds that candidates are tried in: the first ones, with some sixty held-out rows.
raced_folds <- function(search) {
  rows <- cumsum(vapply(search$folds, function(fold) length(fold$held), 0L))
  seq_len(min(length(rows), sum(rows < 60) + 1))
}

# EM and training end in good order at an interrupt; a search then ends too.
interrupt_again <- function() {
  signalCondition(structure(list(message = "", call = NULL), class = c("interrupt", "condition")))
}
