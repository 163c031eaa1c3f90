"""Which GL library draws the pictures: EGL, else OSMesa, else none. Called when `sim` is imported, before MuJoCo is.

MuJoCo binds its GL library when it is imported, and a broken one can take the process down with it. So each candidate
draws once in a process of its own; the choice stays in the environment, where worker processes find it ready.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys

from robot_rig.errors import UserError

log = logging.getLogger(__name__)

VARIABLE = "MUJOCO_GL"
BACKENDS = ("egl", "osmesa")
NONE = "disable"
PROBE = """
import mujoco
context = mujoco.GLContext(16, 16)
context.make_current()
drawing = mujoco.MjrContext(mujoco.MjModel.from_xml_string("<mujoco/>"), 150)
drawing.free()
context.free()
"""
PROBE_LIMIT_S = 60.0


def draws(backend: str) -> bool:
    """Whether a fresh process can make a drawing context with `backend`."""
    environment = {**os.environ, VARIABLE: backend}
    environment.pop("PYOPENGL_PLATFORM", None)
    try:
        probe = subprocess.run(
            [sys.executable, "-c", PROBE], env=environment, capture_output=True, timeout=PROBE_LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return False
    return probe.returncode == 0


def choose_backend() -> None:
    """Put the first backend that draws into the environment, unless the user has named one there.

    Without any, physics still runs; `require_backend` says what is missing once a picture is wanted.
    """
    # llvmpipe's own threads cost more than they bring on pictures this small.
    os.environ.setdefault("LP_NUM_THREADS", "0")
    if os.environ.get(VARIABLE):
        return
    chosen = next((backend for backend in BACKENDS if draws(backend)), NONE)
    os.environ[VARIABLE] = chosen
    log.info("drawing with %s", chosen if chosen != NONE else "nothing: no GL library works")


def cannot_draw() -> UserError:
    """What to tell a person when no picture can be drawn: the packages to install."""
    return UserError(
        "no GL library can draw the simulator's pictures",
        next_step="install one: sudo apt-get install libegl1 libegl-mesa0 libgl1-mesa-dri libopengl0 (or libosmesa6); "
        f"if {VARIABLE}={os.environ.get(VARIABLE)} was set by hand, unset it",
    )


def bind_backend() -> None:
    """Import MuJoCo, which binds the chosen library. Raises UserError for one that it does not know or cannot load."""
    try:
        import mujoco  # noqa: F401
    except (ImportError, RuntimeError, AttributeError) as error:
        raise cannot_draw() from error


def require_backend(bound: str) -> None:
    """Raise UserError unless pictures can be drawn; `bound` is the module of the GL context that MuJoCo has bound.

    The message names the packages to install or, when MuJoCo was imported too early, the order to keep.
    """
    chosen = os.environ.get(VARIABLE, "").lower().strip()
    if chosen == NONE:
        raise cannot_draw()
    if chosen in BACKENDS and not bound.endswith(chosen):
        raise UserError(
            f"mujoco is not bound to {chosen}, which {VARIABLE} names",
            next_step=f"import sim before mujoco, and if {VARIABLE} was set by hand, unset it",
        )
