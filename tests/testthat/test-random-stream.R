# Evaluates code with R's generators of these kinds and puts the former ones back.
with_kinds <- function(kinds, code) {
  old <- RNGkind()
  state <- get0(".Random.seed", globalenv(), inherits = FALSE)
  on.exit({
    RNGkind(old[1], old[2], old[3])
    if (!is.null(state)) assign(".Random.seed", state, globalenv())
  })
  RNGkind(kinds[1], kinds[2], kinds[3])
  code
}

other_kinds <- function() {
  list(
    c("Wichmann-Hill", "Box-Muller", "Rejection"),
    c("L'Ecuyer-CMRG", "Ahrens-Dieter", "Rejection")
  )
}

draw_all_ways <- function() c(runif(3), rnorm(3), sample(1000, 3))

test_that("a stream that is kept goes on as if nothing had been drawn", {
  for (seed in list(NULL, 3)) {
    with_fixed_seed(1, {
      before <- .Random.seed
      drawn <- keep_stream(draw_all_ways(), seed)
      expect_identical(.Random.seed, before)
    })
    expected <- with_fixed_seed(if (is.null(seed)) 1 else seed, draw_all_ways())
    expect_identical(drawn, expected)
  }
})

test_that("a generator of another kind is put back, and a seed gives the same draws under it", {
  expected <- with_fixed_seed(3, draw_all_ways())
  for (kinds in other_kinds()) {
    with_kinds(kinds, {
      set.seed(1)
      before <- .Random.seed
      expect_identical(keep_stream(draw_all_ways(), 3), expected)
      expect_identical(.Random.seed, before)
      expect_identical(RNGkind(), kinds)
      going_on <- draw_all_ways()
      set.seed(1)
      expect_identical(going_on, draw_all_ways())
      # without a seed the draws are those of the user's generator
      set.seed(1)
      expect_identical(keep_stream(draw_all_ways()), going_on)
    })
  }
})

test_that("an error inside puts the generator back, in a session without a state, too", {
  with_fixed_seed(1, {
    before <- .Random.seed
    expect_error(keep_stream(stop("no ", runif(1)), 3), "^no ")
    expect_identical(.Random.seed, before)
    rm(".Random.seed", envir = globalenv())
    keep_stream(runif(5), 3)
    # what stands there then is no state by the seed
    expect_false(identical(runif(5), with_fixed_seed(3, runif(10))[6:10]))
  })
})

test_that("what is seeded within the package is the same under any generator", {
  x <- rep(0:4, 10)
  sample <- read_sample(list(x = cbind(x), type = "matrix"), NULL, NULL, NULL, "auto")
  y <- unit_sample(sample, seed = 5L)$y
  model <- make_model(1, 2)
  drawn <- reference_draws(model)
  for (kinds in other_kinds()) {
    with_kinds(kinds, {
      expect_identical(unit_sample(sample, seed = 5L)$y, y)
      expect_identical(reference_draws(model), drawn)
    })
  }
})
