"""Files written by numpy and by Python's safetensors, for the readers' tests."""

import numpy as np
import torch
from numpy.lib import format as npy
from safetensors.torch import save_file


def write_format_fixtures(out):
    """Small arrays 0, 1, 2, ... in each element type, order and header version that a reader may meet."""
    folder = out / "npy"
    folder.mkdir(exist_ok=True)
    grid = np.arange(6).reshape(2, 3)
    arrays = {
        "f4": grid.astype("<f4"), "f8": grid.astype("<f8"), "i4": grid.astype("<i4"), "i8": grid.astype("<i8"),
        "u1": grid.astype("u1"), "f4_big_endian": grid.astype(">f4"), "f4_fortran": np.asfortranarray(grid, "<f4"),
        "f4_vector": np.arange(3, dtype="<f4"), "f4_scalar": np.array(7, "<f4"), "f4_empty": np.zeros((0, 3), "<f4"),
        "f2": grid.astype("<f2"), "bool": grid % 2 == 1,
    }
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    for version in ((2, 0), (3, 0)):
        with open(folder / f"f4_version{version[0]}.npy", "wb") as file:
            npy.write_array(file, arrays["f4"], version=version)

    values = torch.arange(6).reshape(2, 3)
    kinds = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16,
             "I64": torch.int64, "I32": torch.int32, "U8": torch.uint8, "BOOL": torch.bool}
    tensors = {name: values.to(kind) for name, kind in kinds.items()}
    tensors |= {"scalar": torch.tensor(7.0), "empty": torch.zeros(0, 3), "näme \"quoted\"": torch.ones(1)}
    save_file(tensors, out / "dtypes.safetensors", metadata={"note": "tab\there, é and \\"})
