#!/usr/bin/env python3
"""Interleaves PyTorch and Temper on the same cores and prints both medians and their ratio.

    compare.py --temper PATH [--what small-cnn|resnet18|operations|all] [--rounds 3] [--seconds 10] [--threads N]
               [--filter TEXT] [--json]

Called by tools/bench-vs-pytorch. Each round runs PyTorch, then Temper (A B A B ...), one program at a time with a
pause between them, because the threads of both spin for a while after their last step. PyTorch gets what suits it
best: the faster memory layout, and an allocator told to keep freed memory instead of returning it.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

STEPS = [
    ("small-cnn PGD-7", ["--model", "small-cnn", "--batch-size", "128", "--method", "pgd", "--steps", "7"]),
    ("small-cnn standard", ["--model", "small-cnn", "--batch-size", "128", "--method", "standard"]),
    ("resnet18 PGD-10", ["--model", "resnet18", "--batch-size", "64", "--method", "pgd", "--steps", "10"]),
    ("resnet18 standard", ["--model", "resnet18", "--batch-size", "64", "--method", "standard"]),
]
KEEP_FREED_MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": str(4 << 30), "MALLOC_TRIM_THRESHOLD_": str(8 << 30),
    "MALLOC_TOP_PAD_": str(256 << 20)}


def measured(command, environment=None):
    """The JSON object that a program prints; its messages go to our standard error."""
    time.sleep(1)
    result = subprocess.run(command, stdout=subprocess.PIPE, env=os.environ | (environment or {}))
    if result.returncode != 0:
        sys.exit(f"failed with status {result.returncode}: {' '.join(map(str, command))}")
    return json.loads(result.stdout)


def row(name, unit, what, pytorch, temper, ratios):
    """Both medians over the rounds, the ratio of the medians, and the lowest and highest ratio of a round.

    What was not measured on one side, an empty list, is None.

    >>> row("x", "GFLOP/s", "torch.mm", [2, 4, 6], [1, 3, 6], [0.5, 0.75, 1])["ratio"]
    0.75
    >>> row("x", "GFLOP/s", "", [], [1, 3], [])["temper"]
    2.0
    """
    medians = {side: statistics.median(values) if values else None
               for side, values in (("pytorch", pytorch), ("temper", temper))}
    return {"name": name, "unit": unit, "what": what, **medians,
            "ratio": medians["temper"] / medians["pytorch"] if pytorch and temper else None,
            "lowest_ratio": min(ratios, default=None), "highest_ratio": max(ratios, default=None)}


def training(name, settings, arguments):
    bench = Path(__file__).with_name("bench_training.py")
    seconds = ["--seconds", str(arguments.seconds)]
    torch_command = [sys.executable, bench, *settings, *seconds, "--threads", str(arguments.threads)]
    temper_command = [arguments.temper, "bench", "training", "--device", "cpu", *settings, *seconds, "--threads",
                      str(arguments.threads), "--json"]
    pytorch, temper, layout = [], [], "auto"
    for number in range(arguments.rounds):
        print(f"{name}, round {number + 1} of {arguments.rounds}", file=sys.stderr)
        result = measured([*torch_command, "--layout", layout], KEEP_FREED_MEMORY)
        layout = result["layout"]
        pytorch.append(result["images_per_second"])
        temper.append(measured(temper_command)["images_per_second"])
    return row(name, "images/s", layout, pytorch, temper, [b / a for a, b in zip(pytorch, temper)])


def operations(arguments):
    seconds = ["--seconds", str(min(1.0, arguments.seconds))]
    options = [*seconds, "--threads", str(arguments.threads)]
    options += ["--filter", arguments.filter] if arguments.filter else []
    bench = Path(__file__).with_name("bench_operations.py")
    pytorch, temper = {}, {}
    for number in range(arguments.rounds):
        print(f"operations, round {number + 1} of {arguments.rounds}", file=sys.stderr)
        for entry in measured([sys.executable, bench, *options], KEEP_FREED_MEMORY)["operations"]:
            peer = entry["what"] if entry["name"].startswith("matmul") else "PyTorch"
            pytorch.setdefault((entry["name"], peer), []).append(entry["gflops"])
        command = [arguments.temper, "bench", "operations", "--device", "cpu", *options, "--json"]
        for entry in measured(command)["operations"]:
            temper.setdefault(entry["name"], []).append(entry.get("gflops"))
    for (name, peer), values in pytorch.items():
        own = temper[name]
        yield row(name, "GFLOP/s", peer, values, own, [b / a for a, b in zip(values, own)])


def benchmarks(arguments):
    """The rows, each as soon as it is measured."""
    for name, settings in STEPS:
        if arguments.what in (name.split()[0], "all") and (arguments.filter or "") in name:
            yield training(name, settings, arguments)
    if arguments.what in ("operations", "all"):
        yield from operations(arguments)


HEAD = f"{'':<50}{'peer':>15}{'its':>10}{'Temper':>10}{'':>9}{'ratio (lowest to highest)':>28}"


def line(r):
    """A row below HEAD; a dash stands for what was not measured.

    >>> line(row("x", "GB/s", "", [], [1234], [])).split()
    ['x', '-', '1,234.0', 'GB/s', '-']
    """
    pytorch, temper = ("-" if r[side] is None else f"{r[side]:,.1f}" for side in ("pytorch", "temper"))
    spread = "-" if r["ratio"] is None else f"{r['ratio']:.2f} ({r['lowest_ratio']:.2f} to {r['highest_ratio']:.2f})"
    return f"{r['name']:<50}{r['what']:>15}{pytorch:>10}{temper:>10} {r['unit']:<8}{spread:>28}"


def main():
    parser = argparse.ArgumentParser(description="Compares speed with PyTorch on the CPU.")
    parser.add_argument("--temper", required=True)
    parser.add_argument("--what", choices=["small-cnn", "resnet18", "operations", "all"], default="small-cnn")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--filter", help="only steps and operations whose name contains this")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if arguments.json:
        print(json.dumps({"threads": arguments.threads, "results": list(benchmarks(arguments))}, indent=2))
        return
    print(HEAD, flush=True)
    for result in benchmarks(arguments):
        print(line(result), flush=True)


if __name__ == "__main__":
    main()
