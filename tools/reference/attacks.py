"""FGSM and PGD without random start, written as Temper defines them.

The gradient is that of the summed cross-entropy, so that it does not depend on the batch size; a pixel whose
gradient is exactly zero does not move (sign(0) = 0).
"""

import torch
from torch.nn import functional as F


def input_gradient(model, images, labels):
    """The gradient of the summed cross-entropy with respect to the images, in evaluation mode."""
    images = images.detach().requires_grad_(True)
    return torch.autograd.grad(F.cross_entropy(model(images), labels, reduction="sum"), images)[0]


def per_sample(values):
    """The L2 norm of each sample, shaped to broadcast over (N, C, H, W)."""
    return values.flatten(1).norm(dim=1).view(-1, 1, 1, 1)


def fgsm(model, images, labels, epsilon):
    """One step of size epsilon along the sign of the gradient, clipped to [0, 1]."""
    return (images + epsilon * input_gradient(model, images, labels).sign()).clamp(0, 1)


def pgd_linf(model, images, labels, epsilon, step, steps):
    """`steps` sign steps, each projected to the Linf ball around the images and to [0, 1]."""
    x = images
    for _ in range(steps):
        x = x + step * input_gradient(model, x, labels).sign()
        x = torch.minimum(torch.maximum(x, images - epsilon), images + epsilon).clamp(0, 1)
    return x


def pgd_l2(model, images, labels, epsilon, step, steps):
    """`steps` steps along the normalised gradient, each projected to the L2 ball and then to [0, 1]."""
    x = images
    for _ in range(steps):
        gradient = input_gradient(model, x, labels)
        x = x + step * gradient / per_sample(gradient).clamp_min(1e-12)
        delta = x - images
        x = (images + delta * (epsilon / per_sample(delta).clamp_min(1e-12)).clamp(max=1)).clamp(0, 1)
    return x
