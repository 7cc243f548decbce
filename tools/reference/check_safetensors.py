#!/usr/bin/env python3
"""Loads a safetensors file that Temper wrote into the PyTorch module of the same network.

    check_safetensors.py FILE [--model small-cnn|mlp] [--images X.npy] [--expect L.npy] [--tolerance 1e-4]

Uses Python's own safetensors reader and load_state_dict(strict=True). With --images (N, C, H, W float32) it
prints the logits as JSON, with --expect it compares them with an array and exits 1 beyond the tolerance.
Without --model it only reads the file and prints names, types, shapes and metadata as JSON.
"""

import argparse
import json
import sys

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from models import MODELS


def describe(path):
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}
        return {"metadata": file.metadata() or {},
                "tensors": {name: {"dtype": str(t.dtype), "shape": list(t.shape)} for name, t in tensors.items()}}


def main():
    parser = argparse.ArgumentParser(description="Checks a safetensors file against PyTorch.")
    parser.add_argument("file")
    parser.add_argument("--model", choices=sorted(MODELS))
    parser.add_argument("--images")
    parser.add_argument("--expect")
    parser.add_argument("--tolerance", type=float, default=1e-4)
    arguments = parser.parse_args()
    if arguments.expect and not arguments.images or arguments.images and not arguments.model:
        parser.error("--expect needs --images, --images needs --model")

    report = describe(arguments.file)
    if arguments.model:
        model = MODELS[arguments.model]()
        model.load_state_dict(load_file(arguments.file), strict=True)
        report = {"model": arguments.model, "metadata": report["metadata"]}
    if arguments.images:
        with torch.no_grad():
            logits = model.eval()(torch.from_numpy(np.load(arguments.images))).numpy()
        report["logits"] = logits.tolist()
    if arguments.expect:
        expected = np.load(arguments.expect)
        same_shape = expected.shape == logits.shape
        report["largest_difference"] = float(np.abs(expected - logits).max()) if same_shape else None
    print(json.dumps(report))
    if arguments.expect and not (same_shape and report["largest_difference"] <= arguments.tolerance):
        sys.exit(1)


if __name__ == "__main__":
    main()
