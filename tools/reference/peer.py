#!/usr/bin/env python3
"""Runs the PyTorch programs of this folder in one process, which loads PyTorch once.

    peer.py --device cuda|cpu

The first line printed describes PyTorch and its device, or has `absent`: why there is nothing to measure. Then each
line read, {"program": "bench_operations" or "bench_training", "arguments": [...]}, is answered by one line: the object
of that program, {"unavailable": ...} for a precision that the device lacks, or {"error": ...}.
"""

import argparse
import importlib
import json
import sys

import torch

import torch_device


def description(device):
    versions = {"CUDA": torch.version.cuda, "ROCm": torch.version.hip}
    build = next((f"{name} {version}" for name, version in versions.items() if version), "no GPU")
    about = {"torch": torch.__version__, "build": build, "cudnn": torch.backends.cudnn.version()}
    if device == "cpu":
        return {**about, "device": "cpu"}
    if not torch.cuda.is_available():
        return {**about, "absent": f"PyTorch {torch.__version__} finds no CUDA or ROCm device"}
    return {**about, "device": torch.cuda.get_device_name(), "capability": list(torch.cuda.get_device_capability())}


def answer(request):
    program = importlib.import_module(request["program"])
    try:
        return program.measure(program.parser().parse_args(request["arguments"]))
    except torch_device.NotAvailable as error:
        return {"unavailable": str(error)}
    except (Exception, SystemExit) as error:
        return {"error": f"{type(error).__name__}: {error}".splitlines()[0]}
    finally:
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def main():
    parser = argparse.ArgumentParser(description="PyTorch's side of tools/bench-gpu.")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    about = description(parser.parse_args().device)
    print(json.dumps(about), flush=True)
    if "absent" in about:
        return
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
