"""What results of a calibration say: schemas, and the settings that follow from each. For `calibration.results`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from calibration.board import Board
from calibration.lens import Lens
from calibration.rigid import rigid, rotation_vector
from robot_rig.config import CameraConfig
from robot_rig.datatypes import Floats

FORMAT = 1
"""Of every record below."""

SERIAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
LOOK_AHEAD_M = 0.8
"""Where on its axis the simulated camera is told to look."""

Pixels = Annotated[float, Field(ge=-1e5, le=1e5)]
Focal = Annotated[float, Field(gt=0, le=1e5)]
Metres = Annotated[float, Field(ge=-10, le=10)]
Radians = Annotated[float, Field(ge=-10, le=10)]
Spread = Annotated[float, Field(ge=0, le=1e5)]
Count = Annotated[int, Field(ge=0, le=100_000)]
Seconds = Annotated[float, Field(ge=-1, le=1)]
Side = Annotated[int, Field(ge=84, le=4096)]
Three = tuple[Metres, Metres, Metres]
Turn = tuple[Radians, Radians, Radians]


class Record(BaseModel):
    """What every result says: when, with which camera, in which resolution. `taken`: UTC, ISO 8601."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    kind_name: ClassVar[str] = ""

    format: Literal[1] = 1
    taken: str = Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00$")
    serial: str = Field(pattern=f"^{SERIAL.pattern}$")
    width_px: Side
    height_px: Side

    @property
    def size(self) -> tuple[int, int]:
        """(W, H) px."""
        return self.width_px, self.height_px

    def settings(self) -> dict[str, object]:
        """The keys of `robot_rig.config` that this result decides."""
        return {}


class LensRecord(Record):
    """The lens, in OpenCV's pixels (the centre of the upper left one is 0, 0); distortion k1 k2 p1 p2 k3."""

    kind: Literal["intrinsics"] = "intrinsics"
    kind_name: ClassVar[str] = "intrinsics"

    focal_px: tuple[Focal, Focal]
    center_px: tuple[Pixels, Pixels]
    distortion: tuple[Pixels, Pixels, Pixels, Pixels, Pixels]
    deviation_px: tuple[Spread, Spread, Spread, Spread]
    rms_px: Spread
    coverage: Annotated[float, Field(ge=0, le=1)]
    views: Count
    dropped: dict[str, str]
    board: tuple[Count, Count, Metres, Metres]

    def lens(self) -> Lens:
        """The lens itself."""
        return Lens(self.size, *self.focal_px, *self.center_px, self.distortion)

    def settings(self) -> dict[str, object]:
        """Resolution, focal length and principal point."""
        return dict(self.lens().settings())


class Motion(BaseModel):
    """A rigid motion: where the origin of the second frame is in the first, m, and its rotation vector, rad."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    place_m: Three
    turn_rad: Turn

    @classmethod
    def of(cls, motion: Floats) -> Motion:
        """Of a (4, 4) matrix."""
        place, turn = motion[:3, 3].tolist(), rotation_vector(motion[:3, :3]).tolist()
        return cls(place_m=(place[0], place[1], place[2]), turn_rad=(turn[0], turn[1], turn[2]))

    def matrix(self) -> Floats:
        """(4, 4)."""
        return rigid(np.array(self.turn_rad), np.array(self.place_m))


class SolverResidual(BaseModel):
    """What one solver leaves over: root mean square over the views, mm and degrees."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    mm: Spread
    degrees: Spread


class HandEyeRecord(Record):
    """Where the camera (x right, y down, z forwards) is in the robot's base, and the board in its hand."""

    kind: Literal["handeye"] = "handeye"
    kind_name: ClassVar[str] = "handeye"

    base_from_camera: Motion
    hand_from_board: Motion
    solvers: dict[str, SolverResidual]
    corner_rms_px: Spread
    views: Count
    dropped: dict[str, str]

    def settings(self) -> dict[str, object]:
        """Where the simulated camera is to stand to see what this one sees, as far as it can: it stays upright."""
        camera = self.base_from_camera.matrix()
        place, target = camera[:3, 3], camera[:3, 3] + LOOK_AHEAD_M * camera[:3, 2]
        return {
            "sim.camera_position_m": [round(float(value), 4) for value in place],
            "sim.camera_target_m": [round(float(value), 4) for value in target],
        }


class EyeRecord(Record):
    """The window that the policy looks through, and a picture of where the camera stood; no start without it."""

    kind: Literal["eye"] = "eye"
    kind_name: ClassVar[str] = "eye"

    crop_px: Side
    crop_left_px: Count
    crop_top_px: Count
    reference: str = Field(pattern=r"^eye-\d{8}T\d{6}Z\.png$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")

    def settings(self) -> dict[str, object]:
        """The window."""
        return {f"camera.{key}": getattr(self, key) for key in ("crop_px", "crop_left_px", "crop_top_px")}

    def differs(self, camera: CameraConfig) -> list[str]:
        """The keys of the window in which `camera` is another one."""
        return [key for key, value in self.settings().items() if getattr(camera, key.partition(".")[2]) != value]


class LatencyRecord(Record):
    """How old pictures are when they arrive, and how far the joints trail the path that they are sent on, s."""

    kind: Literal["latency"] = "latency"
    kind_name: ClassVar[str] = "latency"

    camera_s: Seconds
    camera_low_s: Seconds
    camera_high_s: Seconds
    stamp_error_s: Seconds
    arm_s: Seconds
    camera_match: Annotated[float, Field(ge=0, le=1)]
    arm_match: Annotated[float, Field(ge=0, le=1)]
    pictures: Count

    def settings(self) -> dict[str, object]:
        """Age of the simulated camera's pictures and lag of its servo, within what the simulator can do."""
        # Here, because it brings scipy, which the camera's process has no other use for.
        from calibration.servo_lag import simulated_lag

        return {
            "flaws.image_age_low_s": round(min(max(self.camera_low_s, 0.0), 0.3), 3),
            "flaws.image_age_high_s": round(min(max(self.camera_high_s, 0.0), 0.3), 3),
            "flaws.servo_lag_s": round(simulated_lag(self.arm_s), 3),
        }


KINDS: Mapping[str, type[Record]] = {
    record.kind_name: record for record in (EyeRecord, LensRecord, HandEyeRecord, LatencyRecord)
}


def board_numbers(board: Board) -> tuple[int, int, float, float]:
    """A board as a record carries it."""
    return board.columns, board.rows, board.square_m, board.marker_m
