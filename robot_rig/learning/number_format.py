"""The number format that gradients are computed in: float32, or bfloat16 where that pays. Called by VAE and agents.

In bfloat16 the layers of a training step multiply numbers of 8 significant bits, by torch.autocast. Everything that
adds up over many steps stays float32 all the same: weights, the optimisers' moments, losses, the critics' targets, and
the last layers, whose numbers are latents, actions and values. What is stored, shipped and run on an arm is float32.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor

FORMATS = ("float32", "bfloat16")
"""Values of `number_format` by index; a saved learner and a checkpoint store the index."""

DEVICE = "cpu"


def computing_in(number_format: str) -> AbstractContextManager[Any]:
    """The context of a training step's forward pass in one of `FORMATS`; its backward pass follows by itself."""
    return torch.autocast(DEVICE, torch.bfloat16) if number_format == "bfloat16" else nullcontext()


def in_full() -> AbstractContextManager[Any]:
    """The context of a layer that stays float32 in every format; give it float32 numbers."""
    return torch.autocast(DEVICE, enabled=False) if torch.is_autocast_enabled(DEVICE) else nullcontext()


def format_tensor(number_format: str) -> Tensor:
    """One of `FORMATS` as it is saved: its index, int64 ()."""
    return torch.tensor(FORMATS.index(number_format))


def told_format(tensors: Mapping[str, Tensor]) -> str:
    """What `format_tensor` saved as `number_format` in `tensors`: float32 where nothing was, "" where it is none."""
    index = tensors.get("number_format", torch.tensor(0))
    sound = index.dtype == torch.int64 and index.ndim == 0 and 0 <= int(index) < len(FORMATS)
    return FORMATS[int(index)] if sound else ""
