"""Reading the gzip-compressed IDX files of MNIST and Fashion-MNIST."""

import gzip
from pathlib import Path

import numpy as np


def read_idx(path):
    """The unsigned bytes of one IDX file as an array of the shape its header states."""
    data = gzip.decompress(Path(path).read_bytes())
    if data[:3] != b"\x00\x00\x08":
        raise ValueError(f"{path}: not an IDX file of unsigned bytes")
    rank = data[3]
    shape = tuple(np.frombuffer(data, ">u4", rank, 4).astype(int))
    return np.frombuffer(data, np.uint8, int(np.prod(shape)), 4 + 4 * rank).reshape(shape)


def load_split(folder, split):
    """Images (N, 1, 28, 28) float32 in [0, 1] and labels (N) int64; split is `train` or `t10k`."""
    folder = Path(folder)
    images = read_idx(folder / f"{split}-images-idx3-ubyte.gz").astype(np.float32) / 255
    labels = read_idx(folder / f"{split}-labels-idx1-ubyte.gz").astype(np.int64)
    return images[:, None], labels
