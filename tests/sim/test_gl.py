"""The choice of the GL library: by a probe, once, and in words when there is none."""

from __future__ import annotations

import logging
import os
import subprocess
import sys

import pytest

from robot_rig.errors import UserError
from sim import gl


def choose(monkeypatch: pytest.MonkeyPatch, working: tuple[str, ...]) -> list[str]:
    """Let the choice be made where only `working` draw; the probes that were made."""
    probed: list[str] = []

    def draws(backend: str) -> bool:
        probed.append(backend)
        return backend in working

    monkeypatch.setattr(gl, "draws", draws)
    monkeypatch.delenv(gl.VARIABLE, raising=False)
    # monkeypatch restores only what it set itself.
    monkeypatch.setenv(gl.VARIABLE, "")
    gl.choose_backend()
    return probed


@pytest.mark.parametrize(
    ("working", "chosen", "probes"),
    [
        (("egl", "osmesa"), "egl", ["egl"]),
        (("osmesa",), "osmesa", ["egl", "osmesa"]),
        ((), "disable", ["egl", "osmesa"]),
    ],
)
def test_first_backend_that_draws_is_remembered_and_said_once(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    working: tuple[str, ...],
    chosen: str,
    probes: list[str],
) -> None:
    with caplog.at_level(logging.INFO, logger="sim.gl"):
        assert choose(monkeypatch, working) == probes
        assert os.environ[gl.VARIABLE] == chosen
        gl.choose_backend()
    assert len(caplog.records) == 1


def test_named_backend_is_not_probed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(gl.VARIABLE, "osmesa")
    monkeypatch.setattr(gl, "draws", lambda backend: pytest.fail(f"probed {backend}"))
    gl.choose_backend()
    assert os.environ[gl.VARIABLE] == "osmesa"


def test_without_any_backend_the_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(gl.VARIABLE, gl.NONE)
    with pytest.raises(UserError, match=r"libegl1 libegl-mesa0 libgl1-mesa-dri libopengl0.*libosmesa6"):
        gl.require_backend("mujoco.glfw")


def test_import_in_the_wrong_order_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(gl.VARIABLE, "egl")
    with pytest.raises(UserError, match="Import sim before mujoco"):
        gl.require_backend("mujoco.glfw")
    gl.require_backend("mujoco.egl")


def test_without_gl_physics_run_and_pictures_are_refused_in_words() -> None:
    """In a process of its own, because MuJoCo binds its GL library once."""
    code = """
from robot_rig.clock import ManualClock
from robot_rig.config import Config
from robot_rig.errors import UserError
from sim.sim_camera import SimEye
from sim.world import World
world = World(Config(), seed=0)
world.advance(0.1)
try:
    SimEye(world, ManualClock())
except UserError as error:
    assert "libegl1" in str(error), error
else:
    raise SystemExit("drew without a GL library")
"""
    environment = {**os.environ, gl.VARIABLE: gl.NONE, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, timeout=60)


def test_probe_tells_a_working_library_from_a_broken_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert gl.draws(os.environ[gl.VARIABLE])
    # Without a vendor's driver, EGL itself loads but cannot draw.
    monkeypatch.setenv("__EGL_VENDOR_LIBRARY_FILENAMES", os.devnull)
    assert not gl.draws("egl")
