#!/usr/bin/env python3
"""Writes the fixtures of Tests/Fixtures with PyTorch on the CPU.

    pip install torch numpy safetensors
    python3 tools/reference/make_fixtures.py [--data-dir FOLDER] [--out FOLDER]

FOLDER holds the four Fashion-MNIST files (Debian: package dataset-fashion-mnist). Every seed is fixed, one
thread is used and PyTorch is asked for deterministic algorithms; the versions that wrote a file are in its
metadata. Another PyTorch version or processor may change the last bits of every number, so the committed files
are what the tests compare with. Tests/Fixtures/README.md lists the tensors.
"""

import argparse
import copy
import json
import platform
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch.nn import functional as F

from attacks import fgsm, pgd_l2, pgd_linf
from idx import load_split
from models import MODELS
from operation_fixtures import operations
from format_fixtures import write_format_fixtures

VERSIONS = {"torch": torch.__version__, "numpy": np.__version__, "python": platform.python_version()}
LINF = {"epsilon": 0.1, "step": 0.025, "steps": 7}
L2 = {"epsilon": 1.0, "step": 0.25, "steps": 7}


def save(path, tensors, **settings):
    """Writes contiguous tensors; the metadata `about` holds the versions and settings as JSON.

    One key only: the writer orders several keys differently on each run.
    """
    about = {"about": json.dumps(VERSIONS | settings, sort_keys=True)}
    save_file({name: value.detach().contiguous() for name, value in tensors.items()}, path, metadata=about)
    print(f"{path.name}: {len(tensors)} tensors, {path.stat().st_size:,} bytes")


def trained(name, images, labels):
    """A model after one short epoch of Adam, so that its gradients are of the size met in practice."""
    torch.manual_seed(0)
    model = MODELS[name]()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for batch in torch.randperm(len(images)).split(64):
        optimizer.zero_grad()
        F.cross_entropy(model(images[batch]), labels[batch]).backward()
        optimizer.step()
    return model.eval()


def case(model, images, labels):
    """Logits, mean loss, its gradients, and the images after each attack."""
    images = images.clone().requires_grad_(True)
    logits = model(images)
    loss = F.cross_entropy(logits, labels)
    model.zero_grad()
    loss.backward()
    tensors = {"images": images, "labels": labels, "logits": logits, "loss": loss, "gradient.images": images.grad}
    tensors |= {f"gradient.{name}": value.grad for name, value in model.named_parameters()}
    x = images.detach()
    return tensors | {
        "fgsm": fgsm(model, x, labels, LINF["epsilon"]),
        "pgd_linf": pgd_linf(model, x, labels, **LINF),
        "pgd_l2": pgd_l2(model, x, labels, **L2),
    }


def agreement(model, tensors):
    """The share of pixels that PGD in double precision leaves within 1e-5 of single precision (Linf, L2)."""
    model = copy.deepcopy(model).double()
    images, labels = tensors["images"].detach().double(), tensors["labels"]
    pairs = ((pgd_linf(model, images, labels, **LINF), tensors["pgd_linf"]),
             (pgd_l2(model, images, labels, **L2), tensors["pgd_l2"]))
    return [((a - b).abs() < 1e-5).double().mean().item() for a, b in pairs]


def stable_case(model, count, images, labels):
    """The first group of `count` test images whose attacks do not hang on rounding, and its index.

    Where a gradient is almost zero its sign is decided by the order of additions, and the next steps amplify
    that: such images would compare rounding, not the attack.
    """
    for start in range(0, len(images) - count, count):
        tensors = case(model, images[start:start + count], labels[start:start + count])
        if min(agreement(model, tensors)) == 1:
            return start, tensors
    raise SystemExit("no group of images is stable")


def model_fixtures(out, name, count, train, test):
    model = trained(name, *train)
    with torch.no_grad():
        accuracy = (model(test[0]).argmax(1) == test[1]).double().mean().item()
    start, tensors = stable_case(model, count, *test)
    print(f"{name}: test images {start} to {start + count - 1}, accuracy {accuracy:.1%}")
    file = name.replace("-", "_")
    save(out / f"{file}.safetensors", model.state_dict(), model=name, test_accuracy=accuracy)
    save(out / f"{file}_case.safetensors", tensors, model=name, linf=LINF, l2=L2, fgsm=LINF["epsilon"], start=start)
    np.save(out / f"{file}_images.npy", tensors["images"].detach().numpy())
    np.save(out / f"{file}_labels.npy", tensors["labels"].numpy())


OPTIMIZERS = {
    "sgd": (torch.optim.SGD, {"lr": 0.1, "momentum": 0.9, "weight_decay": 5e-4}),
    "nesterov": (torch.optim.SGD, {"lr": 0.1, "momentum": 0.9, "weight_decay": 5e-4, "nesterov": True}),
    "adamw": (torch.optim.AdamW, {"lr": 0.01, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.05}),
}


def optimizer_fixtures(steps=10):
    """Parameters before, gradients of each step, parameters after each step: (steps, ...) per optimiser."""
    generator = torch.Generator().manual_seed(2)
    shapes = {"layers.0.weight": (7, 5), "layers.0.bias": (7,), "layers.2.weight": (3, 7), "layers.2.bias": (3,)}
    start = {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}
    # Step sizes spread over four decades, and one step with a zero gradient, exercise AdamW's denominator.
    scale = torch.logspace(0, -4, steps)
    scale[4] = 0
    gradients = {
        name: torch.stack([torch.randn(shape, generator=generator) * s for s in scale])
        for name, shape in shapes.items()}
    tensors = {f"start.{name}": value for name, value in start.items()}
    tensors |= {f"gradient.{name}": value for name, value in gradients.items()}
    for label, (kind, settings) in OPTIMIZERS.items():
        parameters = {name: value.clone().requires_grad_(True) for name, value in start.items()}
        optimizer = kind(parameters.values(), **settings)
        after = {name: [] for name in shapes}
        for step in range(steps):
            for name, parameter in parameters.items():
                parameter.grad = gradients[name][step].clone()
            optimizer.step()
            for name, parameter in parameters.items():
                after[name].append(parameter.detach().clone())
        tensors |= {f"{label}.{name}": torch.stack(values) for name, values in after.items()}
    return tensors


def resnet_fixtures(out, width=0.125, count=8):
    """A narrow ResNet-18 after ten steps on random images: a batch in evaluation and in training mode."""
    torch.manual_seed(3)
    model = MODELS["resnet18"](width=width)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    images, labels = torch.rand(11 * 16, 3, 32, 32), torch.randint(0, 10, (11 * 16,))
    for batch in torch.arange(10 * 16).split(16):
        optimizer.zero_grad()
        F.cross_entropy(model(images[batch]), labels[batch]).backward()
        optimizer.step()
    state = {name: value.clone() for name, value in model.state_dict().items()}
    x, y = images[-count:], labels[-count:]
    tensors = {"images": x, "labels": y}
    for mode in ("eval", "train"):
        model.train(mode == "train")
        model.zero_grad()
        x = x.detach().requires_grad_(True)
        logits = model(x)
        loss = F.cross_entropy(logits, y)
        loss.backward()
        tensors |= {f"{mode}.logits": logits, f"{mode}.loss": loss, f"{mode}.gradient.images": x.grad}
        tensors |= {f"{mode}.gradient.{name}": value.grad.clone() for name, value in model.named_parameters()}
    tensors |= {f"train.{name}": value for name, value in model.named_buffers() if "running" in name}
    save(out / "resnet18.safetensors", state, model="resnet18", width_multiplier=width)
    save(out / "resnet18_case.safetensors", tensors, width_multiplier=width)


def main():
    root = Path(__file__).resolve().parents[2]
    parser = argparse.ArgumentParser(description="Writes the fixtures of Tests/Fixtures.")
    parser.add_argument("--data-dir", default="/usr/share/datasets/fashion-mnist")
    parser.add_argument("--out", type=Path, default=root / "Tests" / "Fixtures")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    arguments.out.mkdir(parents=True, exist_ok=True)

    train = [torch.from_numpy(a[:12000].copy()) for a in load_split(arguments.data_dir, "train")]
    test = [torch.from_numpy(a[:1000].copy()) for a in load_split(arguments.data_dir, "t10k")]
    model_fixtures(arguments.out, "small-cnn", 8, train, test)
    model_fixtures(arguments.out, "mlp", 4, train, test)
    resnet_fixtures(arguments.out)
    settings = {name: options for name, (_, options) in OPTIMIZERS.items()}
    save(arguments.out / "optimizers.safetensors", optimizer_fixtures(), **settings)
    save(arguments.out / "operations.safetensors", operations())
    write_format_fixtures(arguments.out)


if __name__ == "__main__":
    main()
