#!/usr/bin/env python3
"""Times training steps of a network with PyTorch and prints one JSON object.

    bench_training.py [--model small-cnn] [--batch-size 128] [--method pgd|standard] [--steps 7]
                      [--device cpu|cuda] [--precision fp32|tf32|bf16] [--threads N] [--seconds 10]
                      [--layout auto|nchw|channels_last]

The step is the one that `temper bench training` times: with `pgd`, a uniform random start and `--steps` Linf
steps (forward and backward to the images only, evaluation mode), then forward, backward and an SGD update with
momentum and weight decay. Images are synthetic. `bf16` runs the network under autocast. `auto` tries both layouts and keeps the faster one.
Keys: images_per_second (median over steps), p10, p90, samples, layout, threads, torch.
"""

import argparse
import json
import statistics
import time

import torch
from torch.nn import functional as F

import torch_device
from models import MODELS

SHAPES = {"resnet18": (3, 32, 32)}
EPSILON, STEP = 0.1, 0.025


class Bench:
    """A network, its optimiser and one synthetic batch in one memory layout."""

    def __init__(self, arguments, layout):
        torch.manual_seed(0)
        self.arguments, device = arguments, arguments.device
        self.format = torch.channels_last if layout == "channels_last" else torch.contiguous_format
        self.model = MODELS[arguments.model]().to(device, memory_format=self.format)
        shape = SHAPES.get(arguments.model, (1, 28, 28))
        self.images = torch.rand(arguments.batch_size, *shape, device=device).contiguous(memory_format=self.format)
        self.labels = torch.randint(0, 10, (arguments.batch_size,), device=device)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
        self.attack_steps = arguments.steps if arguments.method == "pgd" else 0

    def loss(self, images):
        with torch.autocast(self.arguments.device, torch.bfloat16, enabled=self.arguments.precision == "bf16"):
            return F.cross_entropy(self.model(images), self.labels)

    def attacked(self):
        if self.attack_steps == 0:
            return self.images
        self.model.eval()
        low, high = (self.images - EPSILON).clamp_(0, 1), (self.images + EPSILON).clamp_(0, 1)
        x = (self.images + torch.empty_like(self.images).uniform_(-EPSILON, EPSILON)).clamp_(0, 1)
        for _ in range(self.attack_steps):
            x.requires_grad_(True)
            (gradient,) = torch.autograd.grad(self.loss(x), x)
            x = torch.clamp(x.detach() + STEP * gradient.sign(), low, high)
        self.model.train()
        return x

    def step(self):
        images = self.attacked()
        self.optimizer.zero_grad(set_to_none=True)
        self.loss(images).backward()
        self.optimizer.step()
        torch_device.synchronize(self.arguments)

    def rates(self, seconds, warm_up=3, least=5):
        """Images per second of each step: at least `least` steps and at least `seconds`."""
        for _ in range(warm_up):
            self.step()
        rates, end = [], time.perf_counter() + seconds
        while len(rates) < least or time.perf_counter() < end:
            start = time.perf_counter()
            self.step()
            rates.append(len(self.images) / (time.perf_counter() - start))
        return sorted(rates)


def parser():
    parser = argparse.ArgumentParser(description="Times PyTorch's training steps.")
    torch_device.add_options(parser)
    parser.add_argument("--model", choices=sorted(MODELS), default="small-cnn")
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--method", choices=["pgd", "standard"], default="pgd")
    parser.add_argument("--steps", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--layout", choices=["auto", "nchw", "channels_last"], default="auto")
    return parser


def measure(arguments):
    """The JSON object of a run."""
    torch_device.prepare(arguments)
    layouts = ["nchw", "channels_last"] if arguments.layout == "auto" else [arguments.layout]
    benches = {layout: Bench(arguments, layout) for layout in layouts}
    if len(benches) > 1:
        trial = {name: statistics.median(b.rates(arguments.seconds / 4)) for name, b in benches.items()}
        layouts = [max(trial, key=trial.get)]
    rates = benches[layouts[0]].rates(arguments.seconds)
    return {
        "images_per_second": statistics.median(rates),
        "p10": rates[int(0.1 * (len(rates) - 1))], "p90": rates[int(0.9 * (len(rates) - 1))],
        "samples": len(rates), "layout": layouts[0], "threads": torch.get_num_threads(),
        "torch": torch.__version__}


if __name__ == "__main__":
    print(json.dumps(measure(parser().parse_args())))
