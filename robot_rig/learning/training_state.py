"""Optimisers, generators and counters as named tensors and back, so that a checkpoint never needs pickle.

Called by `vae`, `td3` and `goals` for their `state_dict()`. A run restored from these goes on bit for bit on a CPU.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor
from torch.optim import Adam

from robot_rig.errors import UserError, plain

SHOWN_CHARS = 160


def seeded(seed: int) -> Generator:
    """A generator of its own on the CPU."""
    return Generator().manual_seed(seed)


def adam_tensors(adam: Adam) -> dict[str, Tensor]:
    """The moments of every parameter as <index>.<name>; empty before the first step."""
    state = adam.state_dict()["state"]
    return {f"{index}.{name}": value.clone() for index, values in state.items() for name, value in values.items()}


def load_adam(adam: Adam, tensors: Mapping[str, Tensor]) -> None:
    """Continue from `adam_tensors` of an optimiser over the same parameters, in whatever memory layout they come."""
    parameters = [parameter for group in adam.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, _, name = key.partition(".")
        # The fused step walks through memory: moments that a file has laid out anew would meet other weights.
        kept = value.clone() if name == "step" else torch.empty_like(parameters[int(index)]).copy_(value)
        state.setdefault(int(index), {})[name] = kept
    adam.load_state_dict({"state": state, "param_groups": adam.state_dict()["param_groups"]})


def prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """`tensors` with `prefix`. before every name, copied."""
    return {f"{prefix}.{name}": value.detach().clone() for name, value in tensors.items()}


def under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors that `prefixed` put under `prefix`, by their own names."""
    start = len(prefix) + 1
    return {name[start:]: value for name, value in tensors.items() if name.startswith(prefix + ".")}


def to_arrays(tensors: Mapping[str, Tensor]) -> dict[str, NDArray[Any]]:
    """`tensors` as arrays, for a file that knows no torch."""
    return {name: value.numpy() for name, value in tensors.items()}


def from_arrays(arrays: Mapping[str, NDArray[Any]]) -> dict[str, Tensor]:
    """What `to_arrays` took apart, copied."""
    return {name: torch.from_numpy(np.array(value)) for name, value in arrays.items()}


def require_fit(build: Callable[[], torch.nn.Module], tensors: Mapping[str, Tensor], what: str) -> None:
    """Raise UserError unless `tensors` have the names and sizes of the net that `build` makes.

    No memory is taken for that net, whose size a stranger's tensors may have decided.
    """
    with torch.device("meta"):
        wanted = {name: tuple(value.shape) for name, value in build().state_dict().items()}
    got = {name: tuple(value.shape) for name, value in tensors.items()}
    wrong = sorted(name for name in wanted.keys() | got.keys() if wanted.get(name) != got.get(name))
    if wrong:
        name = wrong[0]
        raise UserError(
            f"the saved {what} does not fit together: {plain(name)} has the form {got.get(name)} and not "
            f"{wanted.get(name)}",
            next_step="choose another checkpoint",
        )


def load_module(module: torch.nn.Module, tensors: Mapping[str, Tensor], what: str) -> None:
    """Fill `module`. Raises UserError when `tensors` belong to a net of another make or size."""
    try:
        module.load_state_dict(dict(tensors))
    except RuntimeError as error:
        said = plain(str(error).splitlines()[-1].strip(), SHOWN_CHARS)
        raise UserError(
            f"the saved {what} does not fit this configuration: {said}",
            next_step="use the configuration saved beside it, or start a new run",
        ) from error
