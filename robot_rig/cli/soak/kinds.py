"""The kinds of faults that a soak causes while the arm practises, and who leads out of each. Called by `rig soak`.

How a fault is caused is the business of `sim.faults`, as in `rig faults`, which also judges how fast the arm stops.
What a soak asks is whether practice goes on afterwards.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from sim.faults import rows_camera, rows_processes, rows_robot
from sim.faults.rows import Scene

SHORT_S, LONG_S = (0.6, 3.0), (6.0, 7.0)
"""Without a picture for the first, and the guard waits it out; the second is beyond its 5 s."""

HANG_S = (0.5, 2.0)
"""Shorter than the guard's 5 s with all that an episode needs to begin anew."""


class Rescue(str, enum.Enum):
    """Who leads out of a fault: nobody, a person who resets and enables the arm, or one who starts the launch again."""

    ALONE = "alone"
    OPERATOR = "operator"
    RESTART = "restart"


NEEDS_S: Mapping[Rescue, float] = {Rescue.ALONE: 25.0, Rescue.OPERATOR: 25.0, Rescue.RESTART: 90.0}
"""What a fault takes until practice has gone on: that long no other one is planned."""


@dataclass(frozen=True)
class Kind:
    """A kind of fault: its name, who leads out of it, how it is caused on a stage whose arm moves, and the `codes` one
    of which guard or camera must tell, or it has not happened (none for a killed process: the launch ends with it).
    `backlog`: what hung logs the rest of its episode when it goes on; only another episode shows that all else does.
    """

    name: str
    rescue: Rescue
    inject: Callable[[Scene], None]
    codes: tuple[str, ...]
    backlog: bool = False


def kill(scene: Scene, name: str) -> None:
    """SIGKILL to the process `name`, which the launch file requires."""
    scene.wait(scene.random.uniform(0.1, 1.0))
    scene.mark("kill")
    scene.kill(name)


def _unplugged(spell_s: tuple[float, float]) -> Callable[[Scene], None]:
    return partial(rows_camera.unplug_between, least_s=spell_s[0], most_s=spell_s[1])


def _hanging(name: str) -> Callable[[Scene], None]:
    return partial(rows_processes.hang, name=name, least_s=HANG_S[0], most_s=HANG_S[1])


Cause = tuple[Callable[[Scene], None], tuple[str, ...]]
SILENT = ("image_stale", "action_stale")
_ALONE: Mapping[str, Cause] = {
    "camera unplugged for a moment": (_unplugged(SHORT_S), SILENT),
    "picture frozen": (partial(rows_camera.spoil, kind="freeze"), ("image_frozen",)),
    "lens covered": (partial(rows_camera.spoil, kind="gain", gain=0.0), ("image_dark",)),
    "over-exposed": (partial(rows_camera.spoil, kind="gain", gain=3.0, offset=120.0), ("image_bright",)),
    "wrong resolution": (
        partial(rows_camera.spoil_one_of, faults=rows_camera.WRONG_SIZES),
        ("image_refused", *SILENT),
    ),
    "stale stamps": (partial(rows_camera.spoil_one_of, faults=rows_camera.STALE), SILENT),
    "camera's clock set": (partial(rows_camera.spoil_one_of, faults=rows_camera.STEPS), SILENT),
    "policy hangs": (_hanging("policy"), SILENT),
    "recorder hangs": (_hanging("recorder"), SILENT),
    "robot's state stale": (rows_robot.mute_state, ("state_stale",)),
}
_OPERATOR: Mapping[str, Cause] = {
    "camera unplugged for long": (_unplugged(LONG_S), SILENT),
    "red button": (rows_robot.press_button, ("arm_stopped",)),
    "robot disabled or in error": (rows_robot.trouble_robot, ("arm_stopped", "arm_error", "arm_disabled")),
    "collision": (rows_robot.collide, ("collision",)),
    "guard kept from the processor": (rows_processes.starve_guard, ("overrun",)),
}
_RESTART: Mapping[str, Cause] = {
    f"{name} killed": (partial(kill, name=name), ()) for name in ("policy", "recorder", "guard", "trainer")
}
KINDS: Mapping[str, Kind] = {
    name: Kind(name, rescue, inject, codes, backlog=name == "recorder hangs")
    for rescue, table in ((Rescue.ALONE, _ALONE), (Rescue.OPERATOR, _OPERATOR), (Rescue.RESTART, _RESTART))
    for name, (inject, codes) in table.items()
}
