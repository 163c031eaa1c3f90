"""What a camera, an eye, an arm and a policy must do. Protocols only; tests/contracts holds each one's laws."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from robot_rig.datatypes import Action, ArmState, Bytes, Executed, Float32s, Frame, Goal, RawFrame, SafeCommand

UNDER_WAY_ROWS = 6
"""Actions that a picture may not show: an age of at most 0.4 s and the arm's lag at 10 Hz, begun and ended midway."""


class Camera(Protocol):
    """A colour camera."""

    def read(self) -> RawFrame:
        """The newest picture; never blocks longer than a frame period. Raises UserError when there is none."""
        ...

    def close(self) -> None:
        """Release the device; may be called twice."""
        ...


class Eye(Protocol):
    """Where a loop gets the policy's 84x84 picture from: the simulator's. On a robot the camera's node sends it."""

    def look(self) -> Frame:
        """The newest 84x84 frame, stamped with its exposure."""
        ...


class Arm(Protocol):
    """A seven-joint arm under joint velocity. It takes admitted commands only and never moves by itself."""

    def state(self) -> ArmState:
        """The newest state report; the caller judges its age."""
        ...

    def send(self, command: SafeCommand) -> None:
        """Stream one velocity command. Raises TypeError for anything but a SafeCommand. Never blocks."""
        ...

    def stop(self) -> None:
        """Cut motion now, without waiting for an answer (< 10 ms); may be called twice; latches until `reset`."""
        ...

    def enable(self) -> None:
        """Switch the motors on; only on a person's order. Raises UserError when the arm is stopped or in error."""
        ...

    def disable(self) -> None:
        """Switch the motors off."""
        ...

    def reset(self) -> None:
        """Clear a stop or an error on a person's order; leaves the arm disabled."""
        ...

    def close(self) -> None:
        """Stop commanding and release the arm; may be called twice."""
        ...


class Policy(Protocol):
    """Pixels and a goal picture in, normalised action out. It cannot be given joints or object positions (R17)."""

    action_dim: int

    def begin(self, goal: Goal) -> None:
        """Start an episode towards `goal`; encodes the goal once."""
        ...

    def act(self, frame: Frame, under_way: Float32s | None = None) -> Float32s:
        """The action float32 (A,) in [-1, 1] for this frame.

        `under_way` float32 (UNDER_WAY_ROWS, 1 + A) is the policy's own motion since the frame was exposed, oldest
        first: rows (share of a policy period, action), zero where unused; None for a picture of now.
        """
        ...


class Plant(Protocol):
    """A whole rig seen from the learner: an eye, and an arm behind its guard. `sim.rig.SimRig` is one.

    It has no sense for joints or objects: what it gives back is pictures and normalised actions.
    """

    def now(self) -> float:
        """Monotonic seconds of the plant's clock."""
        ...

    def look(self) -> Frame:
        """The newest frame."""
        ...

    def act(self, action: Action) -> Executed:
        """Carry out `action` for one policy period through the guard and say what was really done."""
        ...

    def rest(self) -> None:
        """Let the arm come to rest where it is: between episodes nobody asks for motion."""
        ...

    def home(self) -> None:
        """Drive to the home posture through the guard and rest there. Raises UserError when it is not reached."""
        ...

    def put_back(self) -> int:
        """Before an episode: what a fixture on the table puts back is put back; the policy steps that this took.

        0 where there is no fixture. Raises UserError when the arm does not get out of its way.
        """
        ...

    def state(self) -> Mapping[str, Bytes]:
        """What must be saved of a plant at rest so that a simulated one continues bit for bit; empty for a real one."""
        ...

    def load_state(self, state: Mapping[str, Bytes]) -> None:
        """Continue from `state()`: a simulated plant puts its world back, its guard's mode included.

        A real plant must leave everything as it is: nothing but a person's order enables or resets its guard.
        """
        ...
