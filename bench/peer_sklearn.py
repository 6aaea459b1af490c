# Seconds that an iteration of scikit-learn's EM takes, for the data and first means that
# bench/em.R has written as doubles: the difference of two fits, the least of some repeats of each,
# in turns.
#   peer_sklearn.py <directory> <rows> <columns> <components> <iterations> <repeats> <diag|full>
import sys
import time
import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

warnings.simplefilter("ignore", ConvergenceWarning)
directory = sys.argv[1]
n, d, K, iterations, repeats = map(int, sys.argv[2:7])
covariance = sys.argv[7]
x = np.fromfile(directory + "/x").reshape((d, n)).T.copy()
means = np.fromfile(directory + "/means").reshape((d, K)).T.copy()


def seconds(iterations):
    mixture = GaussianMixture(
        K, covariance_type=covariance, tol=0, max_iter=iterations, means_init=means,
        init_params="random_from_data", random_state=1,
    )
    begin = time.perf_counter()
    mixture.fit(x)
    return time.perf_counter() - begin


turns = [(seconds(1), seconds(iterations + 1)) for _ in range(repeats)]
short, long = map(min, zip(*turns))
print((long - short) / iterations)
