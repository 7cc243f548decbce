#!/usr/bin/env python3
"""Times matrix products and convolutions with PyTorch (on the CPU also OpenBLAS) and prints one JSON object.

    bench_operations.py [--device cpu|cuda] [--precision fp32|tf32|bf16] [--products N ...] [--threads N]
                        [--seconds 0.5] [--filter TEXT ...]

The operations and their names are those of `temper bench operations`. Convolutions run in both memory layouts and the
faster one counts, for each direction by itself. Keys of an operation: milliseconds (median), gflops, what (layout or
library). OpenBLAS is the one that numpy carries. On a GPU operations are queued and each sample is one wait, after about
5 ms of them, as in Temper.
"""

import argparse
import json
import os
import statistics
import time

for variable in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
    os.environ.pop(variable, None)

import torch  # noqa: E402 (OpenBLAS reads the environment when it is loaded)
from torch.nn import functional as F  # noqa: E402

import torch_device  # noqa: E402

# N, C, H, K, R, stride, padding
CONVOLUTIONS = [
    (128, 64, 32, 64, 3, 1, 1), (128, 128, 16, 128, 3, 1, 1), (128, 256, 8, 256, 3, 1, 1), (128, 512, 4, 512, 3, 1, 1),
    (128, 3, 32, 64, 3, 1, 1), (128, 1, 28, 32, 3, 1, 0), (128, 32, 26, 32, 3, 1, 0), (128, 32, 12, 64, 3, 1, 0),
    (128, 64, 10, 64, 3, 1, 0), (128, 64, 32, 128, 3, 2, 1), (128, 64, 32, 128, 1, 2, 0), (128, 256, 8, 512, 1, 1, 0),
]
LAYOUTS = {"nchw": torch.contiguous_format, "channels_last": torch.channels_last}


def median_seconds(work, arguments):
    """The median time of `work` after two warm-ups, over the seconds asked for and at least three samples."""
    def sample(repetitions):
        start = time.perf_counter()
        for _ in range(repetitions):
            work()
        torch_device.synchronize(arguments)
        return (time.perf_counter() - start) / repetitions

    for _ in range(2):
        single = sample(1)
    repetitions = 1 if arguments.device == "cpu" else max(1, int(0.005 / single))
    samples, end = [], time.perf_counter() + arguments.seconds
    while len(samples) < 3 or time.perf_counter() < end:
        samples.append(sample(repetitions))
    return statistics.median(samples)


def is_wanted(arguments, name):
    return not arguments.filter or any(text in name for text in arguments.filter)


def products(arguments):
    """Name, operations, and the variants of each product."""
    for n in arguments.products:
        if not is_wanted(arguments, f"matmul {n}"):
            continue
        a, b = (tensor(arguments, n, n) for _ in range(2))
        variants = {"torch.mm": lambda a=a, b=b: torch.mm(a, b)}
        if arguments.device == "cpu" and arguments.precision == "fp32":
            import numpy as np
            x, y, z = a.numpy(), b.numpy(), np.empty((n, n), np.float32)
            variants["OpenBLAS"] = lambda x=x, y=y, z=z: np.matmul(x, y, out=z)
        yield f"matmul {n}", 2 * n ** 3, variants


def tensor(arguments, *shape):
    return torch.rand(shape, device=arguments.device, dtype=torch_device.operand_type(arguments))


def convolutions(arguments):
    for n, c, h, k, r, stride, padding in CONVOLUTIONS:
        runs = {"forward": {}, "input gradient": {}, "weight gradient": {}}
        names = {direction: f"conv {direction} {n}x{c}x{h} {r}x{r}x{k} stride {stride}" for direction in runs}
        if not any(is_wanted(arguments, name) for name in names.values()):
            continue
        for layout, memory in LAYOUTS.items():
            x = tensor(arguments, n, c, h, h).contiguous(memory_format=memory)
            w = tensor(arguments, k, c, r, r).contiguous(memory_format=memory)
            dy = torch.rand_like(F.conv2d(x, w, stride=stride, padding=padding)).contiguous(memory_format=memory)

            def backward(mask, x=x, w=w, dy=dy, stride=stride, padding=padding):
                return torch.ops.aten.convolution_backward(
                    dy, x, w, None, [stride] * 2, [padding] * 2, [1, 1], False, [0, 0], 1, mask)

            runs["forward"][layout] = lambda x=x, w=w, stride=stride, padding=padding: F.conv2d(
                x, w, stride=stride, padding=padding)
            runs["input gradient"][layout] = lambda backward=backward: backward([True, False, False])
            runs["weight gradient"][layout] = lambda backward=backward: backward([False, True, False])
        out = (h + 2 * padding - r) // stride + 1
        for direction, variants in runs.items():
            if is_wanted(arguments, names[direction]):
                yield names[direction], 2 * n * out * out * k * r * r * c, variants


def parser():
    parser = argparse.ArgumentParser(description="Times PyTorch's operations.")
    torch_device.add_options(parser)
    parser.add_argument("--products", type=int, nargs="+", default=[512, 1024, 2048])
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--filter", action="append", default=[], help="may be repeated")
    return parser


@torch.no_grad()
def measure(arguments):
    """The JSON object of a run."""
    torch_device.prepare(arguments)
    results = []
    for benchmarks in (products, convolutions):
        for name, operations, variants in benchmarks(arguments):
            times = {what: median_seconds(work, arguments) for what, work in variants.items()}
            for what, seconds in times.items():
                if name.startswith("matmul") or seconds == min(times.values()):
                    results.append({"name": name, "what": what, "milliseconds": seconds * 1e3,
                                    "gflops": operations / seconds / 1e9})
    return {"torch": torch.__version__, "threads": arguments.threads, "operations": results}


if __name__ == "__main__":
    print(json.dumps(measure(parser().parse_args())))
