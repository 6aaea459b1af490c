# R's random generator: seeds that users give, and streams that leave it where it was.

# Sets the generator as stats:::simulate.lm() does: list(before, seed), the state to restore and
# the attribute to give.
seed_state <- function(seed, call) {
  if (!exists(".Random.seed", envir = globalenv(), inherits = FALSE)) stats::runif(1)
  before <- get(".Random.seed", envir = globalenv(), inherits = FALSE)
  if (is.null(seed)) {
    return(list(before = before, seed = before))
  }
  if (!is_number(seed) || seed != round(seed) || abs(seed) > .Machine$integer.max) {
    stop_input("`seed` must be NULL or a whole number, not ", describe(seed), ".", call = call)
  }
  set.seed(seed)
  list(before = before, seed = structure(seed, kind = as.list(RNGkind())))
}

# Evaluates code, under a seed of R's default generators if one is given, and puts the generator
# back: the user's random stream is left alone.
keep_stream <- function(code, seed = NULL) {
  state <- seed_state(NULL, NULL)
  on.exit(assign(".Random.seed", state$before, envir = globalenv()))
  if (!is.null(seed)) set.seed(seed, "Mersenne-Twister", "Inversion", "Rejection")
  code
}
