"""The records that cross a boundary: frozen, validated, with read-only arrays. Everybody imports these.

Units are SI and radians. Every `stamp` is monotonic seconds of the local machine (see `robot_rig.clock`); the stamp
of a picture is its time of exposure, not of its arrival. Joint order is that of `JOINT_NAMES`.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import InitVar, dataclass, field

import numpy as np

from robot_rig.arrays import Bools as Bools
from robot_rig.arrays import Bytes as Bytes
from robot_rig.arrays import Float32s as Float32s
from robot_rig.arrays import Floats as Floats
from robot_rig.arrays import Ints as Ints
from robot_rig.arrays import picture, read_only

JOINTS = 7
NO_PUSH: Floats = np.zeros(JOINTS)
NO_PUSH.setflags(write=False)
BY_NOBODY: Bools = np.zeros(0, np.bool_)
BY_NOBODY.setflags(write=False)
JOINT_NAMES = tuple(f"right_j{index}" for index in range(JOINTS))
IMAGE_SIZE = 84
IMAGE_SHAPE = (IMAGE_SIZE, IMAGE_SIZE, 3)


@dataclass(frozen=True, slots=True)
class RawFrame:
    """A colour picture as the camera gives it. `rgb` is uint8 (H, W, 3) in RGB order."""

    seq: int
    stamp: float
    rgb: Bytes

    def __post_init__(self) -> None:
        object.__setattr__(self, "rgb", picture("RawFrame.rgb", self.rgb, (None, None, 3)))


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture as the policy sees it: uint8 (84, 84, 3), RGB. Made by `robot_rig.vision` (or its proven equal)."""

    seq: int
    stamp: float
    rgb: Bytes

    def __post_init__(self) -> None:
        object.__setattr__(self, "rgb", picture("Frame.rgb", self.rgb, IMAGE_SHAPE))


@dataclass(frozen=True, slots=True)
class ArmState:
    """What the arm reports. position (7,) rad, velocity (7,) rad/s, effort (7,) N·m.

    `push` (7,) N·m is the part of the effort that the arm's own model of its weight does not explain; zero where it
    tells of none.
    """

    stamp: float
    position: Floats
    velocity: Floats
    effort: Floats
    enabled: bool
    stopped: bool
    error: bool
    collided: bool
    push: Floats = field(default_factory=lambda: NO_PUSH)

    def __post_init__(self) -> None:
        object.__setattr__(self, "position", read_only("ArmState.position", self.position, (JOINTS,), np.float64))
        object.__setattr__(self, "velocity", read_only("ArmState.velocity", self.velocity, (JOINTS,), np.float64))
        object.__setattr__(self, "effort", read_only("ArmState.effort", self.effort, (JOINTS,), np.float64))
        if self.push is not NO_PUSH:
            object.__setattr__(self, "push", read_only("ArmState.push", self.push, (JOINTS,), np.float64))


class Source(str, enum.Enum):
    """Who asks for motion. A human preempts every machine; a machine never preempts a human."""

    RANDOM = "random"
    POLICY = "policy"
    HUMAN = "human"
    HOMING = "homing"


@dataclass(frozen=True, slots=True)
class Action:
    """A normalised action, float32 (A,) meant to lie in [-1, 1], answering frame `frame_seq` exposed at `frame_stamp`.

    The value is not checked here: refusing a NaN is the gate's business, and it must see it to say so.
    """

    seq: int
    stamp: float
    value: Float32s
    source: Source
    frame_seq: int
    frame_stamp: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", read_only("Action.value", self.value, (None,), np.float32))


@dataclass(frozen=True, slots=True)
class JointCommand:
    """A wish: joint velocity (7,) rad/s. It moves nothing until the gate has admitted it."""

    stamp: float
    velocity: Floats

    def __post_init__(self) -> None:
        object.__setattr__(self, "velocity", read_only("JointCommand.velocity", self.velocity, (JOINTS,), np.float64))


class Outcome(str, enum.Enum):
    """What the gate made of a wish."""

    PASSED = "passed"
    SCALED = "scaled"
    HELD = "held"
    LATCHED = "latched"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The gate's answer and its reasons, one code each; PASSED has none."""

    outcome: Outcome
    reasons: tuple[str, ...] = ()


GATE_MINT = object()
"""The seal of `safety/gate.py`. Nobody else may name it; tests/test_floors.py searches for that."""


@dataclass(frozen=True, slots=True)
class SafeCommand:
    """A joint velocity that the gate has admitted; the only thing `Arm.send` takes.

    The seal is not stored, so that neither `dataclasses.replace` nor `copy` can put another velocity under it.
    """

    command: JointCommand
    verdict: Verdict
    mint: InitVar[object]

    def __post_init__(self, mint: object) -> None:
        if mint is not GATE_MINT:
            raise PermissionError("only robot_rig.safety.gate.Gate.admit makes a SafeCommand")


class Mode(str, enum.Enum):
    """The guard's modes. DISABLED at start; out of HOLD and FAULT only a person leads."""

    DISABLED = "disabled"
    HOLD = "hold"
    HOMING = "homing"
    ACTIVE = "active"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class ArmStatus:
    """What the arm loop says after each tick.

    `executed` (7,) rad/s is the velocity that was sent; `tool_velocity` (6,) m/s and rad/s is what it does to the tool.
    """

    stamp: float
    mode: Mode
    state: ArmState
    executed: Floats
    tool_velocity: Floats
    verdict: Verdict
    source: Source | None
    action_seq: int

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "tool_velocity", read_only("ArmStatus.tool_velocity", self.tool_velocity, (6,), np.float64)
        )
        object.__setattr__(self, "executed", read_only("ArmStatus.executed", self.executed, (JOINTS,), np.float64))


@dataclass(frozen=True, slots=True)
class Executed:
    """What came of an action over one policy period.

    `value` float32 (A,), normalised like the action; `residual` m/s is motion of the tool that no action explains (see
    control.action_map); `outcome` is the guard's most severe one and `reasons` all its codes in the period; `position`
    (7,) rad at the end, for the log's diagnosis channel only.
    """

    value: Float32s
    residual: float
    outcome: Outcome
    reasons: tuple[str, ...]
    position: Floats

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", read_only("Executed.value", self.value, (None,), np.float32))
        object.__setattr__(self, "position", read_only("Executed.position", self.position, (JOINTS,), np.float64))


@dataclass(frozen=True, slots=True)
class Goal:
    """A picture to reach: uint8 (84, 84, 3). `source` is one of captured, achieved, imagined, imported, evaluation."""

    image: Bytes
    id: str
    stamp: float
    calibration_id: str
    source: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "image", picture("Goal.image", self.image, IMAGE_SHAPE))


@dataclass(frozen=True, slots=True)
class Step:
    """One control step as it is logged: the frame, the action that answers it and what the arm then did.

    The joint position inside `executed` goes to a side channel of the log that no agent can read (R17).
    """

    frame: Frame
    action: Action
    executed: Executed

    def __post_init__(self) -> None:
        if self.action.frame_seq != self.frame.seq:
            raise ValueError(f"action answers frame {self.action.frame_seq}, not frame {self.frame.seq}")
        if self.executed.value.shape != self.action.value.shape:
            raise ValueError(f"executed {self.executed.value.shape} against action {self.action.value.shape}")


@dataclass(frozen=True, slots=True)
class Episode:
    """A finished stretch of motion: T steps between T + 1 frames.

    frames uint8 (T+1, 84, 84, 3); action and executed_action float32 (T, A); stamps (T+1,) s; goal uint8 (84, 84, 3)
    or None for goalless play; meta: strings written at the start (stage, policy id, config hash, ...); human bool (T,):
    the steps that a person commanded, none of them unless it is said.
    """

    id: str
    frames: Bytes
    action: Float32s
    executed_action: Float32s
    stamps: Floats
    goal: Bytes | None
    truncated: bool
    meta: Mapping[str, str] = field(default_factory=dict)
    human: Bools = field(default_factory=lambda: BY_NOBODY)

    def __post_init__(self) -> None:
        frames = picture("Episode.frames", self.frames, (None, *IMAGE_SHAPE))
        object.__setattr__(self, "frames", frames)
        steps = len(frames) - 1
        action = read_only("Episode.action", self.action, (steps, None), np.float32)
        object.__setattr__(self, "action", action)
        executed = read_only("Episode.executed_action", self.executed_action, action.shape, np.float32)
        object.__setattr__(self, "executed_action", executed)
        object.__setattr__(self, "stamps", read_only("Episode.stamps", self.stamps, (steps + 1,), np.float64))
        if self.goal is not None:
            object.__setattr__(self, "goal", picture("Episode.goal", self.goal, IMAGE_SHAPE))
        human = np.zeros(steps, np.bool_) if self.human is BY_NOBODY else self.human
        object.__setattr__(self, "human", read_only("Episode.human", human, (steps,), np.bool_))

    def __len__(self) -> int:
        return len(self.frames) - 1


@dataclass(frozen=True, slots=True)
class Transitions:
    """A sampled batch as rows of the replay's picture table; latents are looked up by the caller. All int64 (B,).

    `frame` -> `next_frame` under `action` float32 (B, A). `goal` is the row the goal was taken from and `kind` (B,)
    says how: 0 rollout, 1 imagined (`goal` is -1: the caller draws it), 2 future.
    """

    frame: Ints
    next_frame: Ints
    goal: Ints
    kind: Ints
    action: Float32s
