"""The arm tick's arithmetic as machine code (numba). Called by `kinematics`, `control`, `safety`, `vision`, `sim`.

At seven joints a numpy call costs ten times its arithmetic, and a tick made forty of them. A function marked `compiled`
is plain Python over numbers and arrays; it is translated once, when its module is first imported after an
installation, and kept beside the module or in the user's cache. Nothing is ever translated inside a tick, because its
argument types are given. NUMBA_DISABLE_JIT=1 runs the same lines as Python: coverage and debuggers then see them.
A compiled function uses functions and numbers of its own file only, and JOINTS: its kept translation is renewed when
that file changes, and would go on with an old copy of what stands in another (tests/test_compiled.py).

Division follows IEEE rules: by zero it gives infinity or NaN and does not raise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba
from numba import types

Function = TypeVar("Function", bound=Callable[..., Any])

NUMBER, TRUTH = types.float64, types.boolean
"""A float64 and a bool, also for what is returned."""

PAIR = types.UniTuple(types.float64, 2)  # type: ignore[no-untyped-call]
"""Two float64 that are returned."""


def _array(dimensions: int, readonly: bool) -> types.Array:
    return types.Array(types.float64, dimensions, "C", readonly=readonly)


READ_1, READ_2, READ_3 = (_array(dimensions, True) for dimensions in (1, 2, 3))
"""A C-contiguous float64 array of one, two, three dimensions that is only read; it may be write-protected."""

WRITE_1, WRITE_2, WRITE_3 = (_array(dimensions, False) for dimensions in (1, 2, 3))
"""The same, written to."""


SINGLES_READ_1 = types.Array(types.float32, 1, "C", readonly=True)
"""A C-contiguous float32 array of one dimension that is only read: an action."""

BYTES_READ_2 = types.Array(types.uint8, 2, "C", readonly=True)
BYTES_WRITE_2 = types.Array(types.uint8, 2, "C")
"""A C-contiguous uint8 array of two dimensions that is only read, and one that is written to."""

NATURAL = types.int64


def compiled(*arguments: Any, returns: Any = types.void) -> Callable[[Function], Function]:
    """Translate a function of these `arguments` (the types above) that `returns` a type, none by default."""
    decorate: Callable[[Function], Function] = numba.njit(returns(*arguments), cache=True, error_model="numpy")
    return decorate
