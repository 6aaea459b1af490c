# Seconds that an iteration of scikit-learn's EM takes, for the data and first means that
# bench/em.R has written as doubles; diagonal, then full covariances.
#   em_sklearn.py <directory> <rows> <columns> <components> <iterations>
import sys
import time
import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

warnings.simplefilter("ignore", ConvergenceWarning)
directory = sys.argv[1]
n, d, K, iterations = map(int, sys.argv[2:])
x = np.fromfile(directory + "/x").reshape((d, n)).T.copy()
means = np.fromfile(directory + "/means").reshape((d, K)).T.copy()


def seconds(covariance, iterations):
    """The fastest of three fits from the same means."""
    times = []
    for _ in range(3):
        mixture = GaussianMixture(
            K, covariance_type=covariance, tol=0, max_iter=iterations, means_init=means,
            init_params="random_from_data", random_state=1,
        )
        begin = time.perf_counter()
        mixture.fit(x)
        times.append(time.perf_counter() - begin)
    return min(times)


for covariance in ("diag", "full"):
    step = (seconds(covariance, iterations + 1) - seconds(covariance, 1)) / iterations
    print(step)
