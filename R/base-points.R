# Base points z of sums over components: from R's generator, or a randomised lattice.

# list(z, u, replicate): n standard normal points (n x d), uniforms that choose a component, and to
# which independent replicate a row belongs; NULL where every row is independent. From the generator
# they come row by row, as those of draw().
base_points <- function(n, d, points, replicates) {
  if (points == "random") {
    return(engine_base_draws(n, d))
  }
  replicate <- sort(rep_len(seq_len(replicates), n))
  u <- lapply(tabulate(replicate), shifted_lattice, d + 1)
  u <- do.call(rbind, u)
  list(z = stats::qnorm(u[, seq_len(d), drop = FALSE]), u = u[, d + 1], replicate = replicate)
}

# The first n points of a lattice sequence in the unit cube, phi_i g modulo 1, phi_i the bits of i
# mirrored at the point (a lattice, when n is a power of 2); moved by one uniform vector (Cranley
# and Patterson 1976) and folded by the tent map, which suits functions that are not periodic
# (Hickernell 2002).
shifted_lattice <- function(n, d) {
  phi <- mirrored_bits(n)
  shift <- rep(stats::runif(d), each = n)
  u <- abs(2 * ((outer(phi, lattice_vector[seq_len(d)]) + shift) %% 1) - 1)
  # A generator of 32 bits can give 0 and 1, which would be infinite normals.
  pmin(pmax(u, 2^-33), 1 - 2^-33)
}

# Of 0, ..., n - 1: 0, 1/2, 1/4, 3/4, 1/8, ...
mirrored_bits <- function(n) {
  phi <- 0
  while (length(phi) < n) phi <- c(phi, phi + 0.5 / length(phi))
  phi[seq_len(n)]
}

most_lattice_columns <- 249
most_lattice_points <- 2^20

# The generating vector of Cools, Kuo and Nuyens (2006), Constructing embedded lattice rules for
# multivariate integration, SIAM Journal on Scientific Computing 28, 2162-2188, for up to 2^20
# points in 250 dimensions (exod2_base2_m20_CKN).
lattice_vector <- c(
  1, 182667, 469891, 498753, 110745, 446247, 250185, 118627, 245333, 283199, 408519, 391023,
  246327, 126539, 399185, 461527, 300343, 69681, 516695, 436179, 106383, 238523, 413283, 70841,
  47719, 300129, 113029, 123925, 410745, 211325, 17489, 511893, 40767, 186077, 519471, 255369,
  101819, 243573, 66189, 152143, 503455, 113217, 132603, 463967, 297717, 157383, 224015, 502917,
  36237, 94049, 170665, 79397, 123963, 223451, 323871, 303633, 98567, 318855, 494245, 477137,
  177975, 64483, 26695, 88779, 94497, 239429, 381007, 110205, 339157, 73397, 407559, 181791,
  442675, 301397, 32569, 147737, 189949, 138655, 350241, 63371, 511925, 515861, 434045, 383435,
  249187, 492723, 479195, 84589, 99703, 239831, 269423, 182241, 61063, 130789, 143095, 471209,
  139019, 172565, 487045, 304803, 45669, 380427, 19547, 425593, 337729, 237863, 428453, 291699,
  238587, 110653, 196113, 465711, 141583, 224183, 266671, 169063, 317617, 68143, 291637, 263355,
  427191, 200211, 365773, 254701, 368663, 248047, 209221, 279201, 323179, 80217, 122791, 316633,
  118515, 14253, 129509, 410941, 402601, 511437, 10469, 366469, 463959, 442841, 54641, 44167,
  19703, 209585, 69037, 33317, 433373, 55879, 245295, 10905, 468881, 128617, 417919, 45067,
  442243, 359529, 51109, 290275, 168691, 212061, 217775, 405485, 313395, 256763, 152537, 326437,
  332981, 406755, 423147, 412621, 362019, 279679, 169189, 107405, 251851, 5413, 316095, 247945,
  422489, 2555, 282267, 121027, 369319, 204587, 445191, 337315, 322505, 388411, 102961, 506099,
  399801, 254381, 452545, 309001, 147013, 507865, 32283, 320511, 264647, 417965, 227069, 341461,
  466581, 386241, 494585, 201479, 151243, 481337, 68195, 75401, 58359, 448107, 459499, 9873,
  365117, 350845, 181873, 7917, 436695, 43899, 348367, 423927, 437399, 385089, 21693, 268793,
  49257, 250211, 125071, 341631, 310163, 94631, 108795, 21175, 142847, 383599, 71105, 65989,
  446433, 177457, 107311, 295679, 442763, 40729, 322721, 420175, 430359, 480757
)

check_base_points <- function(n, d, points, replicates, call) {
  if (points == "random") {
    return(invisible())
  }
  if (d > most_lattice_columns) {
    stop_input("`points` must be \"random\" beyond ", most_lattice_columns, " columns, not ",
      "\"lattice\".",
      call = call
    )
  }
  if (n < 2 * replicates || n > most_lattice_points * replicates) {
    stop_input("`n` must be from 2 to 2^20 times `replicates` (", replicates, ") with points = ",
      "\"lattice\", not ", written(n), ".",
      call = call
    )
  }
}

# Arguments of base_points() in d columns.
check_base <- function(n, points, replicates, d, call) {
  n <- check_count(n, "n", call, min = 2)
  points <- check_choice(points, c("lattice", "random"), "points", call)
  replicates <- check_count(replicates, "replicates", call, min = 2)
  check_base_points(n, d, points, replicates, call)
  list(n = n, d = d, points = points, replicates = replicates)
}
