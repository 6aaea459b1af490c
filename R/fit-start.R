# Where EM starts by itself: at far points (k-means++), at groups of a tree.

# Centres by k-means++ (Arthur and Vassilvitskii 2007): each far from those before. All start
# with one isotropic standard deviation, the root mean square distance to the nearest centre.
em_start <- function(x, K, full, weights, floor) {
  n <- nrow(x)
  d <- ncol(x)
  blocks <- row_blocks(n, d)
  mass <- weights %||% rep(1, n)
  nearest <- rep(Inf, n)
  chosen <- integer(K)
  for (k in seq_len(K)) {
    chosen[k] <- pick_rows(mass, 1)
    for (rows in blocks) {
      distance <- 0
      for (j in seq_len(d)) distance <- distance + (x[rows, j] - x[chosen[k], j])^2
      nearest[rows] <- pmin(nearest[rows], distance)
    }
    mass <- nearest * (weights %||% 1)
    total <- sum(mass)
    if (total == 0) mass <- weights %||% rep(1, n)
  }
  sd <- pmax(sqrt(total / sum(weights %||% n) / d), floor, 1e-8)
  mixture_parameters(x[chosen, , drop = FALSE], sd, full, rep(-log(K), K))
}

# As em_start(), with distances in units of the covariance of the rows, full, so that columns that
# depend on each other count once: a start that does not hang on the axes, but may miss groups that
# the covariance comes from.
whitened_start <- function(x, K, weights, floor) {
  root <- covariance_root(x, weights)
  if (is.null(root)) {
    return(em_start(x, K, TRUE, weights, floor))
  }
  whitened <- t(forwardsolve(root, t(x)))
  parameters <- em_start(whitened, K, TRUE, weights, 0 * floor)
  factor <- exp(parameters$log_cholesky[1, 1, 1]) * root
  diag(factor) <- pmax(diag(factor), floor)
  parameters$mean <- tcrossprod(parameters$mean, root)
  parameters$log_cholesky <- log_diagonal(array(factor, dim(parameters$log_cholesky)))
  parameters
}

# The Cholesky factor of the rows' covariance, NULL where that is singular or nearly so.
covariance_root <- function(x, weights) {
  w <- (weights %||% rep(1, nrow(x))) / sum(weights %||% nrow(x))
  centred <- x - rep(colSums(x * w), each = nrow(x))
  covariance <- crossprod(centred * sqrt(w))
  root <- tryCatch(t(chol(covariance)), error = function(e) NULL)
  if (!is.null(root) && min(diag(root)^2 / diag(covariance)) > 1e-10) root
}

# Means and shares of groups of rows, with one covariance, diagonal, for all.
tree_start <- function(x, group, full, floor) {
  group <- match(group, sort(unique(group)))
  size <- tabulate(group)
  mean <- rowsum(x, group) / size
  within <- x - mean[group, , drop = FALSE]
  mixture_parameters(mean, pmax(sqrt(colMeans(within^2)), floor, 1e-3), full, log(size / sum(size)))
}

# A group of rows a component, of any scale: K of them, fewer where rows are tied. The largest is
# split again and again at the widest gap in the middle of its column of most spread.
split_start <- function(x, K, full, floor) grouped_start(x, split_groups(x, K), full, floor)

# The same of `count` groups of the rows of no atom, after one for each group of atoms.
atom_start <- function(x, atoms, count, full, floor) {
  rest <- which(atoms == 0)
  group <- match(atoms, sort(unique(atoms[atoms > 0])))
  if (length(rest) > 0) {
    group[rest] <- max(group, 0, na.rm = TRUE) + split_groups(x[rest, , drop = FALSE], count)
  }
  grouped_start(x, group, full, floor)
}

split_groups <- function(x, K) groups_of(more_splits(list(), x, K), K)

# Splits of rows in turn: list(group, parent, done), the group of each row after the last one, the
# one that each group was split from, and whether there is none left. More of them, until there are
# K groups.
more_splits <- function(splits, x, K) {
  if (length(splits) == 0) splits <- list(group = rep(1L, nrow(x)), parent = 0L, done = FALSE)
  while (length(splits$parent) < K && !splits$done) {
    cut <- NULL
    for (k in order(tabulate(splits$group), decreasing = TRUE)) {
      rows <- which(splits$group == k)
      cut <- widest_gap(x[rows, , drop = FALSE])
      if (!is.null(cut)) break
    }
    if (is.null(cut)) {
      splits$done <- TRUE
    } else {
      splits$parent <- c(splits$parent, k)
      splits$group[rows[x[rows, cut$column] > cut$at]] <- length(splits$parent)
    }
  }
  splits
}

# The groups as they were when there were K.
groups_of <- function(splits, K) {
  label <- seq_along(splits$parent)
  for (k in rev(label[label > K])) label[label == k] <- splits$parent[k]
  label[splits$group]
}

# Means, shares and own diagonal covariances of groups of rows.
grouped_start <- function(x, group, full, floor) {
  K <- max(group)
  size <- tabulate(group, K)
  mean <- rowsum(x, group) / size
  sd <- sqrt(rowsum((x - mean[group, , drop = FALSE])^2, group) / size)
  parameters <- mixture_parameters(mean, rep(1, ncol(x)), full, log(size / sum(size)))
  log_sd <- log(pmax(sd, rep(pmax(floor, 1e-10), each = K)))
  if (full) {
    for (j in seq_len(ncol(x))) parameters$log_cholesky[j, j, ] <- log_sd[, j]
  } else {
    parameters$log_sd[] <- log_sd
  }
  parameters
}

# Where some rows fall into two, list(column, at), the last value of the lower part; NULL where they
# are tied.
widest_gap <- function(x) {
  n <- nrow(x)
  column <- 1
  if (ncol(x) > 1) {
    spread <- apply(x, 2, quartile_range, 1)
    if (max(spread) == 0) spread <- apply(x, 2, function(values) diff(range(values)))
    column <- which.max(spread)
  }
  sorted <- sort(x[, column])
  middle <- if (n > 1) seq(max(1, n %/% 4), min(n - 1, ceiling(3 * n / 4)))
  gaps <- diff(sorted)
  if (!any(gaps[middle] > 0)) middle <- seq_along(gaps)
  if (!any(gaps > 0)) {
    return(NULL)
  }
  list(column = column, at = sorted[middle[which.max(gaps[middle])]])
}

# A hierarchical clustering (Ward 1963) of rows in units of their principal components: starts of EM
# for every K (Fraley 1998).
cluster_tree <- function(x) {
  axes <- eigen(crossprod(x - rep(colMeans(x), each = nrow(x))), symmetric = TRUE)
  # All may be 0: of ties, or where one far row sets the unit.
  scale <- sqrt(pmax(axes$values, 1e-10 * max(axes$values[1], .Machine$double.xmin)))
  y <- x %*% (axes$vectors / rep(scale, each = ncol(x)))
  stats::hclust(stats::dist(y), "ward.D2")
}
