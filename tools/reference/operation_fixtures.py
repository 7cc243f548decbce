"""Small cases of single operations, in Temper's layouts.

Activations are NHWC, convolution weights (R, S, C, K), linear weights (in, out). `dy` is the given gradient of
the output; `d<name>` the gradient that PyTorch returns for <name>.
"""

import torch
from torch.nn import functional as F


def nhwc(x):
    return x.permute(0, 2, 3, 1)


def rsck(weight):
    return weight.permute(2, 3, 1, 0)


def activation_case(prefix, function, x, dy_generator):
    """Output and input gradient of a function of one (N, C, H, W) tensor, stored as NHWC."""
    x = x.clone().requires_grad_(True)
    y = function(x)
    dy = torch.randn(y.shape, generator=dy_generator)
    (dx,) = torch.autograd.grad(y, x, dy)
    return {f"{prefix}.{key}": nhwc(value) for key, value in {"x": x, "y": y, "dy": dy, "dx": dx}.items()}


def pooling(random, generator):
    x = random(2, 3, 7, 9)
    # Few distinct values: many windows hold their maximum twice, and the first one in row-major order wins.
    tied = torch.randint(0, 3, (2, 3, 6, 6), generator=generator).float()
    return (
        activation_case("max_pool.3x3s2p1", lambda v: F.max_pool2d(v, 3, 2, 1), x, generator)
        | activation_case("max_pool.3x3s1", lambda v: F.max_pool2d(v, 3, 1), x, generator)
        | activation_case("max_pool.2x2s2", lambda v: F.max_pool2d(v, 2, 2), x, generator)
        | activation_case("max_pool.ties3x3s2", lambda v: F.max_pool2d(v, 3, 2), tied, generator)
        | activation_case("average_pool.2x2s2", lambda v: F.avg_pool2d(v, 2, 2), x, generator)
        | activation_case("average_pool.3x3s2", lambda v: F.avg_pool2d(v, 3, 2), x, generator)
        | activation_case("average_pool.3x3s2p1", lambda v: F.avg_pool2d(v, 3, 2, 1), x, generator)
        | activation_case("average_pool.global", lambda v: F.adaptive_avg_pool2d(v, 1), x, generator))


def convolution(random, prefix, n, c, h, w, k, kernel, stride, padding):
    x, weight, bias = (t.requires_grad_(True) for t in (random(n, c, h, w), random(k, c, *kernel), random(k)))
    y = F.conv2d(x, weight, bias, stride, padding)
    dy = random(*y.shape)
    dx, dweight, dbias = torch.autograd.grad(y, (x, weight, bias), dy)
    arrays = {"x": nhwc(x), "weight": rsck(weight), "bias": bias, "y": nhwc(y), "dy": nhwc(dy),
              "dx": nhwc(dx), "dweight": rsck(dweight), "dbias": dbias}
    return {f"{prefix}.{key}": value for key, value in arrays.items()}


def batch_norm(random):
    """Momentum 0.1, epsilon 1e-5; the running variance is updated with the unbiased batch variance."""
    x = (random(4, 3, 5, 6) * 2 + 1).requires_grad_(True)
    weight, bias, mean = random(3).requires_grad_(True), random(3).requires_grad_(True), random(3)
    variance, dy = random(3).abs() + 0.5, random(4, 3, 5, 6)
    tensors = {"x": nhwc(x), "weight": weight, "bias": bias, "running_mean": mean,
               "running_variance": variance, "dy": nhwc(dy)}
    for mode in ("train", "eval"):
        running = mean.clone(), variance.clone()
        y = F.batch_norm(x, *running, weight, bias, training=mode == "train", momentum=0.1, eps=1e-5)
        dx, dweight, dbias = torch.autograd.grad(y, (x, weight, bias), dy)
        tensors |= {f"{mode}.y": nhwc(y), f"{mode}.dx": nhwc(dx), f"{mode}.dweight": dweight,
                    f"{mode}.dbias": dbias}
        if mode == "train":
            tensors |= {"train.running_mean": running[0], "train.running_variance": running[1]}
    return {f"batch_norm.{key}": value for key, value in tensors.items()}


def kl_divergence(random, temperature):
    """KL(teacher || student) of the softmax at a temperature, without a factor of its square."""
    student, teacher = ((random(5, 10) * 4).requires_grad_(True) for _ in range(2))
    log_p, log_q = (F.log_softmax(z / temperature, 1) for z in (student, teacher))
    rows = (log_q.exp() * (log_q - log_p)).sum(1)
    dstudent, dteacher = torch.autograd.grad(rows.mean(), (student, teacher))
    tensors = {"student": student, "teacher": teacher, "per_sample": rows, "batch_mean": rows.mean(),
               "dstudent": dstudent, "dteacher": dteacher}
    return {f"kl.t{temperature:g}.{key}": value for key, value in tensors.items()}


def cross_entropy(random, generator):
    """Losses per sample and the gradient of their mean: hard labels, smoothing 0.1, and soft targets."""
    logits = (random(6, 10) * 3).requires_grad_(True)
    labels = torch.randint(0, 10, (6,), generator=generator)
    soft = torch.softmax(random(6, 10), 1)
    tensors = {"logits": logits, "labels": labels, "soft_targets": soft,
               "softmax": torch.softmax(logits, 1), "log_softmax": F.log_softmax(logits, 1)}
    for name, target, smoothing in (("hard", labels, 0), ("smoothed", labels, 0.1), ("soft", soft, 0)):
        rows = F.cross_entropy(logits, target, label_smoothing=smoothing, reduction="none")
        (gradient,) = torch.autograd.grad(rows.mean(), logits)
        tensors |= {f"{name}.per_sample": rows, f"{name}.mean": rows.mean(), f"{name}.dlogits": gradient}
    return {f"cross_entropy.{key}": value for key, value in tensors.items()}


def operations():
    """Every case under its prefix."""
    generator = torch.Generator().manual_seed(1)

    def random(*shape):
        return torch.randn(shape, generator=generator)

    return (
        batch_norm(random) | pooling(random, generator)
        | convolution(random, "conv.3x3", 2, 3, 6, 7, 5, (3, 3), 1, 0)
        | convolution(random, "conv.3x3s2p1", 2, 3, 7, 8, 5, (3, 3), 2, 1)
        | convolution(random, "conv.2x5s1p2", 1, 4, 5, 6, 3, (2, 5), 1, 2)
        | kl_divergence(random, 1) | kl_divergence(random, 4) | cross_entropy(random, generator))
