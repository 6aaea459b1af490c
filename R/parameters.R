# Parameters as lists shaped like coef() and as the flat vector of the engine and the optimisers.

flatten <- function(parameters) unlist(parameters, use.names = FALSE)

# The inverse of flatten() for a list of the shape of `template`.
unflatten <- function(values, template) {
  end <- 0L
  fill <- function(x) {
    if (is.list(x)) {
      return(lapply(x, fill))
    }
    take <- end + seq_along(x)
    end <<- end + length(x)
    x[] <- values[take]
    x
  }
  fill(template)
}
