"""Read-only arrays of a known shape: what every record is made of. Called by `datatypes`, which passes the types on."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Float32s = NDArray[np.float32]
Bytes = NDArray[np.uint8]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


def read_only(name: str, value: Any, shape: tuple[int | None, ...], dtype: type[np.generic]) -> NDArray[Any]:
    """A read-only copy of `value` with exactly this shape (None = any length) and dtype.

    A frozen array with numbers of its own is adopted. ValueError names one that has no such shape or kind of number.
    """
    array: NDArray[Any] = value
    if type(value) is not np.ndarray or value.flags.writeable or value.base is not None or value.dtype != dtype:
        array = value.copy() if type(value) is np.ndarray and value.dtype == dtype else np.array(value, dtype=dtype)
        array.setflags(write=False)
    # Most shapes are known in full: one comparison spares the arm loop the walk over the axes.
    if array.shape != shape and (
        len(array.shape) != len(shape)
        or any(want is not None and got != want for got, want in zip(array.shape, shape, strict=True))
    ):
        raise ValueError(f"{name} must have shape {tuple(n or 'any' for n in shape)}, got {array.shape}")
    return array


def picture(name: str, value: Any, shape: tuple[int | None, ...]) -> Bytes:
    """A read-only picture of this shape. ValueError names one that is not uint8."""
    if np.asarray(value).dtype != np.uint8:
        raise ValueError(f"{name} must be uint8, got {np.asarray(value).dtype}")
    return read_only(name, value, shape, np.uint8)
