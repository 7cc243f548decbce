#!/usr/bin/env python3
"""Interleaves PyTorch and Temper training steps on the same cores and prints both medians and their ratio.

    compare_training.py --temper PATH [--rounds 3] [--seconds 10] [--threads N] [--json]

Called by tools/bench-vs-pytorch. Each round runs PyTorch, then Temper (A B A B ...), one program at a time with
a pause between them, because the threads of both spin for a while after their last step. PyTorch gets what suits
it best: the faster memory layout, and an allocator told to keep freed memory instead of returning it.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

STEP = ["--model", "small-cnn", "--batch-size", "128"]
METHODS = {"pgd": ["--method", "pgd", "--steps", "7"], "standard": ["--method", "standard"]}
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


def compare(method, arguments):
    """The median of the rounds' medians for both programs, with the lowest p10 and the highest p90."""
    bench = Path(__file__).with_name("bench_training.py")
    settings = STEP + METHODS[method]
    torch_command = [sys.executable, bench, *settings, "--threads", str(arguments.threads),
                     "--seconds", str(arguments.seconds)]
    temper_command = [arguments.temper, "bench", "training", "--device", "cpu", *settings, "--json"]
    samples = {"pytorch": [], "temper": []}
    layout = "auto"
    for number in range(arguments.rounds):
        print(f"{method}, round {number + 1} of {arguments.rounds}", file=sys.stderr)
        samples["pytorch"].append(measured([*torch_command, "--layout", layout], KEEP_FREED_MEMORY))
        layout = samples["pytorch"][0]["layout"]
        samples["temper"].append(measured(temper_command))
    row = {"method": method, "layout": layout, "torch": samples["pytorch"][0]["torch"]}
    for name, rounds in samples.items():
        row[name] = {
            "images_per_second": statistics.median(r["images_per_second"] for r in rounds),
            "p10": min(r["p10"] for r in rounds), "p90": max(r["p90"] for r in rounds), "rounds": rounds}
    row["ratio"] = row["temper"]["images_per_second"] / row["pytorch"]["images_per_second"]
    return row


def table(rows, threads):
    def cell(values):
        return f"{values['images_per_second']:,.0f} ({values['p10']:,.0f} to {values['p90']:,.0f})"

    first = rows[0]
    yield f"Training step of small-cnn, batch 128, {threads} threads, PyTorch {first['torch']} ({first['layout']})"
    yield "Images per second: median over the rounds (lowest p10 to highest p90)"
    yield f"{'step':<12}{'PyTorch':>26}{'Temper':>26}{'Temper / PyTorch':>20}"
    for row in rows:
        name = "PGD-7" if row["method"] == "pgd" else row["method"]
        yield f"{name:<12}{cell(row['pytorch']):>26}{cell(row['temper']):>26}{row['ratio']:>20.2f}"


def main():
    parser = argparse.ArgumentParser(description="Compares training speed with PyTorch on the CPU.")
    parser.add_argument("--temper", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    rows = [compare(method, arguments) for method in METHODS]
    if arguments.json:
        print(json.dumps({"threads": arguments.threads, "results": rows}, indent=2))
    else:
        print("\n".join(table(rows, arguments.threads)))


if __name__ == "__main__":
    main()
