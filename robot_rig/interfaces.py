"""What a camera, an eye, an arm and a policy must do. Protocols only; tests/contracts holds each one's laws."""

from __future__ import annotations

from typing import Protocol

from robot_rig.datatypes import ArmState, Float32s, Frame, Goal, RawFrame, SafeCommand


class Camera(Protocol):
    """A colour camera."""

    def read(self) -> RawFrame:
        """The newest picture; never blocks longer than a frame period. Raises UserError when there is none."""
        ...

    def close(self) -> None:
        """Release the device; may be called twice."""
        ...


class Eye(Protocol):
    """Where a loop gets the policy's 84x84 picture from: `vision.CameraEye` over a Camera, or the simulator's own."""

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

    def act(self, frame: Frame) -> Float32s:
        """The action float32 (A,) in [-1, 1] for this frame."""
        ...
