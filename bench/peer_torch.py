#!/usr/bin/python3
"""The same model and training step in PyTorch, as a peer to compare with.

    z_k = (x - m_k) / s_k,  log p(x) = log sum_k exp(log w_k(z_k) + log N(x; m_k, s_k))

with w = softmax of a tanh network, in float32, by autograd and Adam. Prints name=value pairs:
microseconds an observation for a step and for the forward pass alone (the least of the repeats,
and the median), GFLOP/s of a 2048^3 product, and the process's peak memory in MB. With --steps
it takes so many steps instead; 0 only holds the data.
"""
import argparse
import os
import time

from peer_timing import batches, report, timed

parser = argparse.ArgumentParser()
parser.add_argument("--batch", type=int, default=1000)
parser.add_argument("--dim", type=int, default=2)
parser.add_argument("--components", type=int, default=50)
parser.add_argument("--hidden", default="128,128,128")
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--seconds", type=float, default=1.5, help="for each of the timings")
parser.add_argument("--data", help="a file of float64, row by row; by default normal draws")
parser.add_argument("--rows", type=int, default=20000, help="how many to draw without --data")
parser.add_argument("--forward-only", action="store_true")
parser.add_argument("--steps", type=int)
args = parser.parse_args()
os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = str(args.threads)

import numpy  # noqa: E402
import torch  # noqa: E402

torch.set_num_threads(args.threads)
torch.manual_seed(1)
d, K, batch = args.dim, args.components, args.batch
if args.data:
    data = torch.from_numpy(numpy.fromfile(args.data).astype(numpy.float32).reshape(-1, d))
else:
    data = torch.randn(args.rows, d)

widths = [d] + [int(h) for h in args.hidden.split(",") if h] + [K]
layers = []
for n_in, n_out in zip(widths, widths[1:]):
    layers += [torch.nn.Linear(n_in, n_out), torch.nn.Tanh()]
network = torch.nn.Sequential(*layers[:-1])
mean = torch.nn.Parameter(data[torch.randint(len(data), (K,))].clone())
log_sd = torch.nn.Parameter(torch.zeros(K, d))
# with foreach=True a step of a small network takes as long, and others longer
optimiser = torch.optim.Adam([*network.parameters(), mean, log_sd], lr=1e-3)


def log_density(x):
    z = (x[:, None, :] - mean) * torch.exp(-log_sd)
    logits = network(z)
    log_weight = logits.diagonal(dim1=1, dim2=2) - torch.logsumexp(logits, 2)
    log_normal = -(z * z).sum(2) / 2 - log_sd.sum(1) - d / 2 * numpy.log(2 * numpy.pi)
    return torch.logsumexp(log_weight + log_normal, 1)


def step(x):
    optimiser.zero_grad(set_to_none=True)
    loss = -log_density(x).mean()
    loss.backward()
    optimiser.step()


def forward(x):
    with torch.no_grad():
        log_density(x)


def product_gflops(n=2048):
    a = torch.randn(n, n)
    times = []
    for _ in range(6):
        begin = time.perf_counter()
        a @ a
        times.append(time.perf_counter() - begin)
    return 2 * n**3 / min(times) / 1e9


us = 1e6 / min(batch, len(data))
if args.steps is not None:
    rows = batches(data, batch)
    begin = time.perf_counter()
    for _ in range(args.steps):
        step(next(rows))
    report(seconds=time.perf_counter() - begin)
elif args.forward_only:
    least, median = timed(forward, data, batch, args.seconds)
    report(forward=us * least, forward_median=us * median)
else:
    least, median = timed(step, data, batch, args.seconds)
    forward_least, forward_median = timed(forward, data, batch, args.seconds)
    report(step=us * least, step_median=us * median, forward=us * forward_least,
           forward_median=us * forward_median, peak_gflops=product_gflops())
