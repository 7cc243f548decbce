"""PyTorch's device and precision in the comparisons of this folder.

`tf32` and `bf16` mean what PyTorch's users get: TF32 allowed in products and convolutions, and bfloat16 through autocast
in training or as the type of an operation's operands. With `fp32` TF32 is off.
"""

import os

import torch


class NotAvailable(Exception):
    """A precision that the device does not have."""


def add_options(parser):
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu", help="cuda: CUDA or ROCm")
    parser.add_argument("--precision", choices=["fp32", "tf32", "bf16"], default="fp32")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))


def prepare(arguments):
    """Settings of the whole process."""
    if arguments.precision == "tf32" and arguments.device == "cpu":
        raise NotAvailable("PyTorch has no TF32 on the CPU")
    torch.set_num_threads(arguments.threads)
    torch.backends.cuda.matmul.allow_tf32 = arguments.precision == "tf32"
    torch.backends.cudnn.allow_tf32 = arguments.precision == "tf32"
    torch.backends.cudnn.benchmark = True


def operand_type(arguments):
    return torch.bfloat16 if arguments.precision == "bf16" else torch.float32


def synchronize(arguments):
    if arguments.device == "cuda":
        torch.cuda.synchronize()
