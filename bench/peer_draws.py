#!/usr/bin/python3
"""The least seconds PyTorch (float32) takes for draws of a classifier weighted mixture.

z from N(0, I), k from the softmax of a tanh network at z, x = m_k + s_k z, in batches; k by
torch.multinomial or by the Gumbel trick (as a race of exponentials), whichever is faster,
as is the size of the batches.

  peer_draws.py ROWS DIM COMPONENTS HIDDEN REPEATS THREADS

with HIDDEN as 32,32, or 0 for constant weights.
"""
import sys
import time

import torch

rows, d, n_k = (int(a) for a in sys.argv[1:4])
hidden = [int(h) for h in sys.argv[4].split(",") if h != "0"]
repeats, threads = (int(a) for a in sys.argv[5:7])
torch.set_num_threads(threads)
torch.manual_seed(0)

widths = [d] + hidden + [n_k]
layers = []
for a, b in zip(widths, widths[1:]):
    layers += [torch.nn.Linear(a, b), torch.nn.Tanh()]
network = torch.nn.Sequential(*layers[:-1])
constant = torch.softmax(torch.randn(n_k), 0)
mean, sd = torch.randn(n_k, d), torch.exp(0.3 * torch.randn(n_k, d))


def by_multinomial(w):
    return torch.multinomial(w, 1)[:, 0]


def by_race(w):
    # argmin of Exponential(1) / w
    return torch.argmax(w / torch.empty_like(w).exponential_(), 1)


def draw(n, choose):
    z = torch.randn(n, d)
    if hidden:
        k = choose(torch.softmax(network(z), 1))
    else:
        k = torch.multinomial(constant, n, replacement=True)
    return mean[k] + sd[k] * z


def seconds(batch, choose):
    x = torch.empty(rows, d)
    start = time.perf_counter()
    for first in range(0, rows, batch):
        n = min(batch, rows - first)
        x[first : first + n] = draw(n, choose)
    return time.perf_counter() - start


with torch.no_grad():
    best = min(
        seconds(batch, choose)
        for batch in (5000, 20000, 100000)
        for choose in (by_multinomial, by_race)
        for _ in range(repeats)
    )
print(best)
