# Which engine runs, with how many threads.

#' The engine in use
#'
#' The C engine is compiled for several instruction sets and picks the best that this machine
#' has when the package is loaded. The environment variable `CWMIX_INSTANCE` (`"plain"`,
#' `"base"`, `"avx2"`, `"avx512"`), read at load, forces one.
#'
#' The number of threads is the option `cwmix.threads` where it is set, otherwise the number of
#' processors; never more than `OMP_THREAD_LIMIT` and `OMP_NUM_THREADS` where these are set, nor
#' than 2 within `R CMD check`. Results do not depend on it.
#'
#' @return A list of class `"cwmix_info"`: `version`, `instance`, `instances` (those this machine
#'   can run, best last), `threads`, `processors`, `compiler`.
#' @examples
#' cwmix_info()
#' @export
cwmix_info <- function() {
  info <- engine_info()
  structure(
    list(
      version = as.character(utils::packageVersion("cwmix")),
      instance = info$instance, instances = info$instances, threads = thread_count(),
      processors = info$processors, compiler = info$compiler
    ),
    class = "cwmix_info"
  )
}

#' @export
print.cwmix_info <- function(x, ...) {
  check_dots_empty(..., call = user_call())
  cat(
    sprintf("cwmix %s", x$version),
    sprintf("  engine   %s (of %s)", x$instance, paste(x$instances, collapse = ", ")),
    sprintf("  threads  %d of %d processors", x$threads, x$processors),
    sprintf("  compiler %s", x$compiler),
    sep = "\n"
  )
  invisible(x)
}

# Multiplications in one call of the engine: a fraction of a second, so that interrupts are heard.
work_per_call <- 5e8

# Evaluates `code` with an instance forced: for tests.
with_engine <- function(code, instance) {
  before <- engine_info()$instance
  on.exit(engine_use(before))
  if (!engine_use(instance)) {
    stop_input("`instance` must be one that this machine can run, not \"", instance, "\".",
      call = sys.call()
    )
  }
  force(code)
}

.onLoad <- function(libname, pkgname) {
  instance <- Sys.getenv("CWMIX_INSTANCE")
  if (nzchar(instance) && !engine_use(instance)) {
    stop_input("The environment variable `CWMIX_INSTANCE` must be one of ",
      paste0("\"", engine_info()$instances, "\"", collapse = ", "), ", not \"", instance, "\".",
      call = NULL
    )
  }
}
