#!/usr/bin/python3
"""A normalising flow and its training step in PyTorch, as a peer to compare with: coupling layers
with alternating masks, the transformation of each affine (Real-NVP) or a rational quadratic spline
with linear tails (Durkan et al. 2019), in float32, by autograd and Adam. Prints name=value pairs:
the number of parameters, microseconds a row for a step and for the forward pass alone (the least of
the repeats, and the median), and the process's peak memory in MB.
"""
import argparse
import math
import os

from peer_timing import report, timed

parser = argparse.ArgumentParser()
parser.add_argument("--map", choices=["realnvp", "spline"], default="realnvp")
parser.add_argument("--layers", type=int, default=10)
parser.add_argument("--hidden", default="64,64,64")
parser.add_argument("--activation", choices=["tanh", "relu", "silu"], default="tanh")
parser.add_argument("--bins", type=int, default=8)
parser.add_argument("--bound", type=float, default=3)
parser.add_argument("--dim", type=int, default=2)
parser.add_argument("--batch", type=int, default=1000)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--seconds", type=float, default=1.5, help="for each of the timings")
parser.add_argument("--data", help="a file of float64, row by row; by default normal draws")
parser.add_argument("--foreach", action="store_true", help="Adam over all tensors at once")
args = parser.parse_args()
os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = str(args.threads)

import numpy  # noqa: E402
import torch  # noqa: E402
from torch.nn.functional import pad, softmax, softplus  # noqa: E402

torch.set_num_threads(args.threads)
torch.manual_seed(1)
d, K, B = args.dim, args.bins, args.bound
LEAST = 1e-3
SHIFT = math.log(math.expm1(1 - LEAST))
if args.data:
    data = torch.from_numpy(numpy.fromfile(args.data).astype(numpy.float32).reshape(-1, d))
else:
    data = torch.randn(20000, d)


def network(n_in, n_out):
    activation = {"tanh": torch.nn.Tanh, "relu": torch.nn.ReLU, "silu": torch.nn.SiLU}
    widths = [n_in] + [int(h) for h in args.hidden.split(",") if h]
    layers = []
    for a, b in zip(widths, widths[1:]):
        layers += [torch.nn.Linear(a, b), activation[args.activation]()]
    last = torch.nn.Linear(widths[-1], n_out)
    torch.nn.init.normal_(last.weight, std=0.01)
    torch.nn.init.zeros_(last.bias)
    return torch.nn.Sequential(*layers, last)


def affine(x, raw):
    log_scale, shift = raw.unbind(2)
    log_scale = 2 * torch.tanh(log_scale / 2)
    return x * torch.exp(log_scale) + shift, log_scale.sum(1)


def knots(raw):
    sizes = 2 * B * (LEAST + (1 - K * LEAST) * softmax(raw, 2))
    return sizes, pad(torch.cumsum(sizes, 2)[..., :-1], (1, 0)) - B


def spline(x, raw):
    widths, left = knots(raw[..., :K])
    heights, low = knots(raw[..., K:2 * K])
    slopes = pad(LEAST + softplus(raw[..., 2 * K:] + SHIFT), (1, 1), value=1.0)
    at = x.clamp(-B, B)
    bins = (at[..., None] >= left[..., 1:]).sum(-1, keepdim=True)

    def pick(values, offset=0):
        return values.gather(2, bins + offset)[..., 0]

    width, height, begin, end = pick(widths), pick(heights), pick(slopes), pick(slopes, 1)
    mean = height / width
    xi = (at - pick(left)) / width
    product = xi * (1 - xi)
    below = mean + (begin + end - 2 * mean) * product
    y = pick(low) + height * (mean * xi * xi + begin * product) / below
    slope = end * xi * xi + 2 * mean * product + begin * (1 - xi) * (1 - xi)
    log_slope = 2 * torch.log(mean / below) + torch.log(slope)
    inside = x.abs() <= B
    return torch.where(inside, y, x), torch.where(inside, log_slope, 0.0).sum(1)


transform = {"realnvp": affine, "spline": spline}[args.map]
outputs = {"realnvp": 2, "spline": 3 * K - 1}[args.map]
halves = [(d + 1) // 2, d // 2]
networks = torch.nn.ModuleList([
    network(halves[l % 2], outputs * halves[1 - l % 2]) for l in range(args.layers)
])
optimiser = torch.optim.Adam(networks.parameters(), lr=1e-4, foreach=args.foreach)


def log_density(x):
    half = [x[:, 0::2], x[:, 1::2]]
    log_det = 0
    for l, net in enumerate(networks):
        passed, moved = l % 2, 1 - l % 2
        raw = net(half[passed]).view(len(x), halves[moved], outputs)
        half[moved], more = transform(half[moved], raw)
        log_det = log_det + more
    squares = (half[0] * half[0]).sum(1) + (half[1] * half[1]).sum(1)
    return log_det - squares / 2 - d / 2 * math.log(2 * math.pi)


def step(x):
    optimiser.zero_grad(set_to_none=True)
    loss = -log_density(x).mean()
    loss.backward()
    optimiser.step()


def forward(x):
    with torch.no_grad():
        log_density(x)


us = 1e6 / min(args.batch, len(data))
least, median = timed(step, data, args.batch, args.seconds)
forward_least, forward_median = timed(forward, data, args.batch, args.seconds)
report(parameters=sum(p.numel() for p in networks.parameters()), step=us * least,
       step_median=us * median, forward=us * forward_least, forward_median=us * forward_median)
