"""How the peers in Python are timed: their least and median seconds over batches of the data."""
import resource
import statistics
import time


def batches(data, batch):
    import torch  # not before the number of threads is set

    while True:
        order = torch.randperm(len(data))
        for begin in range(0, max(1, len(data) - batch + 1), batch):
            yield data[order[begin:begin + batch]]


def timed(work, data, batch, seconds):
    """Seconds of the fastest call and of the median one, over batches of the data: for a while, and
    on (four times as long at most) as long as the second half of the calls has a new least by more
    than 1 percent."""
    times, rows = [], batches(data, batch)
    for _ in range(2):
        work(next(rows))
    while True:
        chosen = next(rows)
        begin = time.perf_counter()
        work(chosen)
        times.append(time.perf_counter() - begin)
        half, spent = len(times) // 2, sum(times)
        if half < 2 or spent < seconds:
            continue
        if min(times[half:]) > 0.99 * min(times[:half]) or spent > 4 * seconds:
            return min(times), statistics.median(times[half:])


def report(**values):
    values["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(*(f"{name}={value:.6g}" for name, value in values.items()))
