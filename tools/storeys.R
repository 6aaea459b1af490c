# Whether the files of R/ stand in storeys, and kinds of densities in rooms of their own: which
# files use which, sets of files that all reach each other (knots), what is too long, and lines
# that ask what kind a density or a classifier is. Fails beyond the limits below.
# Usage: Rscript tools/storeys.R

limits <- c(knot = 4, pairs = 0, file = 600, `function` = 50, asking = 0)

# Where a kind may be named: its own file.
rooms <- "^(density-|classifier).*[.]R$"

# Fields that one kind has, and what has such fields as well but is no density: parameters, tasks,
# moments, what the engine takes for a model.
kind_fields <- c("flow", "components", "members", "base", "averaged", "mean", "sd", "cholesky")
no_densities <- c(
  "parameters", "template", "started", "trained", "task", "settings", "control",
  "moments", "closed", "mode", "modes", "model", "view", "axis"
)

# Classes of kinds, as inherits() is given them, and functions that tell kinds apart.
kind_classes <- c(
  "cwmix", "cwmix_normal", "cwmix_standard", "cwmix_family", "cwmix_flowed", "cwmix_multiflow",
  "cwmix_sum", "cwmix_stack", "cwmix_vi", "cwmix_average", "cwmix_model", "cwmix_flow_fit",
  "gaussian_mixture", "cwmix_network", "cwmix_constant", "cwmix_function", "cwmix_unit",
  "cwmix_joint"
)
kind_questions <- paste0(
  "^(is|has)_(average|sum|stack(ed)?|flow(ed|s)?|famil(y|ies)|normal|network|function|uniform|",
  "unit|members)$"
)

# The definitions at the top of a file: a named list of expressions.
read_definitions <- function(path) {
  assigned <- Filter(function(e) {
    is.call(e) && as.character(e[[1]])[1] %in% c("<-", "=") && is.name(e[[2]])
  }, as.list(parse(path, keep.source = FALSE)))
  stats::setNames(
    lapply(assigned, `[[`, 3), vapply(assigned, function(e) as.character(e[[2]]), "")
  )
}

# A logical matrix: whether the file of the row uses something that the file of the column defines.
# A call of a generic is a use of where the generic is, not of its methods.
find_uses <- function(definitions) {
  files <- names(definitions)
  home <- rep(files, lengths(definitions))
  names(home) <- unlist(lapply(definitions, names))
  uses <- vapply(definitions, function(values) {
    globals <- lapply(values, function(value) codetools::findGlobals(as.function(list(value))))
    files %in% home[unlist(globals)]
  }, logical(length(files)))
  uses <- t(uses)
  dimnames(uses) <- list(files, files)
  diag(uses) <- FALSE
  uses
}

# Sets of more than one file that all reach each other, the largest first.
find_knots <- function(uses) {
  reach <- uses | diag(nrow(uses)) > 0
  repeat {
    further <- reach %*% reach > 0
    if (identical(further, reach)) break
    reach <- further
  }
  together <- reach & t(reach)
  sets <- unique(apply(together, 1, which, simplify = FALSE))
  sets <- lapply(sets, function(set) rownames(uses)[set])
  sets[order(-lengths(sets))][sort(-lengths(sets)) < -1]
}

find_pairs <- function(uses) {
  both <- which(uses & t(uses) & upper.tri(uses), arr.ind = TRUE)
  paste(rownames(uses)[both[, 1]], "and", rownames(uses)[both[, 2]], recycle0 = TRUE)
}

# Places, "file:line", of functions longer than the limit.
find_long <- function(path) {
  tokens <- tokens_of(path)
  whole <- tokens[tokens$id %in% tokens$parent[tokens$token == "FUNCTION"], ]
  long <- whole[whole$line2 - whole$line1 >= limits[["function"]], ]
  sprintf("%s:%d", basename(path), long$line1)
}

tokens_of <- function(path) utils::getParseData(parse(path, keep.source = TRUE))

# Numbers of the lines that ask for a kind.
find_asking <- function(path) {
  if (grepl(rooms, basename(path))) {
    return(integer())
  }
  tokens <- tokens_of(path)
  leaves <- tokens[tokens$terminal & tokens$token != "COMMENT", ]
  n <- nrow(leaves)
  before <- function(by) c(rep("", by), leaves$text[seq_len(n - by)])
  owner <- grepl("^[A-Za-z.]", before(2)) & !before(2) %in% no_densities
  field <- before(1) == "$" & leaves$text %in% kind_fields & owner
  question <- leaves$token == "SYMBOL_FUNCTION_CALL" & grepl(kind_questions, leaves$text)
  class <- leaves$id %in% classes_inherited(tokens)
  sort(unique(leaves$line1[field | question | class]))
}

# The strings within a call of inherits() that are classes of kinds.
classes_inherited <- function(tokens) {
  strings <- tokens[tokens$token == "STR_CONST", ]
  strings <- strings[gsub("[\"']", "", strings$text) %in% kind_classes, ]
  named <- tokens$parent[tokens$token == "SYMBOL_FUNCTION_CALL" & tokens$text == "inherits"]
  calls <- tokens$parent[tokens$id %in% named]
  up <- function(id) tokens$parent[match(id, tokens$id)]
  # the string itself, or an element of a vector of them
  found <- lapply(seq_len(nrow(strings)), function(i) {
    at <- strings$parent[i]
    any(c(up(at), up(up(at))) %in% calls)
  })
  strings$id[as.logical(unlist(found))]
}

show <- function(what, lines) {
  if (length(lines) > 0) cat(paste0(what, ": ", lines, "\n"), sep = "")
}

main <- function() {
  paths <- list.files("R", "[.]R$", full.names = TRUE)
  definitions <- stats::setNames(lapply(paths, read_definitions), basename(paths))
  uses <- find_uses(definitions)
  knots <- find_knots(uses)
  pairs <- find_pairs(uses)
  lines <- vapply(paths, function(path) length(readLines(path)), 0L)
  long <- unlist(lapply(paths, find_long))
  asking <- stats::setNames(lapply(paths, find_asking), basename(paths))
  asking <- asking[lengths(asking) > 0]
  large <- basename(paths)[lines > limits[["file"]]]
  show("knot", vapply(knots, function(set) sprintf("%d files, %s", length(set), toString(set)), ""))
  show("use each other", pairs)
  show("long file", large)
  show("long function", long)
  show("asks for a kind", sprintf("%s, lines %s", names(asking), vapply(asking, toString, "")))
  found <- c(
    knot = max(lengths(knots), 1), pairs = length(pairs), file = length(large),
    `function` = length(long), asking = length(unlist(asking))
  )
  cat(sprintf(
    paste(
      "%d files, %d definitions, %d uses of another file: largest knot %d of at most %d, %d pairs",
      "of %d, %d long files, %d long functions, %d lines that ask for a kind of %d\n"
    ),
    length(paths), length(unlist(definitions, recursive = FALSE)), sum(uses), found["knot"],
    limits["knot"], found["pairs"], limits["pairs"], found["file"], found["function"],
    found["asking"], limits["asking"]
  ))
  most <- replace(limits, c("file", "function"), 0)
  quit(status = if (any(found > most[names(found)])) 1 else 0)
}

main()
