# lintr over the package and tools/, and the storeys of R/. Fails on any finding.
# Usage: Rscript tools/lint.R

lints <- c(lintr::lint_package(), lintr::lint_dir("tools", exclusions = list()))

# lintr does not know the methods of the package's own generics; NAMESPACE does.
registered <- parseNamespaceFile(basename(getwd()), dirname(getwd()))$S3methods
methods <- paste(registered[, 1], registered[, 2], sep = ".")
is_method <- vapply(lints, function(lint) {
  name <- regmatches(lint$line, regexpr("^[A-Za-z_.]+", lint$line))
  lint$linter == "object_name_linter" && length(name) == 1 && name %in% methods
}, NA)
lints <- lints[!is_method]
for (lint in lints) {
  cat(sprintf("%s:%d: %s\n", lint$filename, lint$line_number, lint$message))
}
quit(status = length(lints) > 0)
