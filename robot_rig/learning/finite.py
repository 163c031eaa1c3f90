"""A number that is none must not travel: who meets it first says where. Called by every engine of the policy's tick.

The guard refuses such an action in any case; but by then nobody can tell any more what it came from.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from robot_rig.datatypes import Float32s
from robot_rig.errors import PolicyFailedError


def is_finite(values: Float32s) -> bool:
    """Whether all of `values`, a handful and none of them huge, are numbers."""
    return math.isfinite(sum(values.ravel().tolist()))


def require_goal(features: Float32s) -> None:
    """Raise PolicyFailedError unless the goal's `features` are numbers."""
    if not is_finite(features):
        raise PolicyFailedError("the goal's latent holds something that is not a number")


def require_action(action: Float32s, encode: Callable[[], Float32s]) -> None:
    """Raise PolicyFailedError unless `action` is numbers; `encode` gives the features of the picture it answers."""
    if not is_finite(action):
        what = "action" if is_finite(encode()) else "picture's latent"
        raise PolicyFailedError(f"the {what} holds something that is not a number")
