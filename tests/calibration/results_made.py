"""Results of a calibration as tests want them."""

from __future__ import annotations

from pathlib import Path

from calibration.records import EyeRecord, HandEyeRecord, LatencyRecord, LensRecord, Motion, SolverResidual
from calibration.results import Results
from robot_rig.config import CameraConfig
from robot_rig.datatypes import Bytes, Floats

TAKEN, LATER, SERIAL = "2026-01-31T12:00:00+00:00", "2026-02-01T08:30:15+00:00", "819112072345"
CAMERA = CameraConfig()


def lens_record(serial: str = SERIAL, taken: str = TAKEN, width: int = 640) -> LensRecord:
    return LensRecord(
        taken=taken,
        serial=serial,
        width_px=width,
        height_px=480,
        focal_px=(606.25, 606.5),
        center_px=(314.3, 247.1),
        distortion=(1e-7, -0.02, 0.0, 0.0, 0.0),
        deviation_px=(0.4, 0.4, 0.6, 0.5),
        rms_px=0.08,
        coverage=1.0,
        views=18,
        dropped={"view-03.png": 'residual "2.1" px: too much', "#7": "the board was not found\n- really"},
        board=(7, 5, 0.034, 0.022),
    )


def hand_eye_record(base_from_camera: Floats, serial: str = SERIAL) -> HandEyeRecord:
    return HandEyeRecord(
        taken=TAKEN,
        serial=serial,
        width_px=640,
        height_px=480,
        base_from_camera=Motion.of(base_from_camera),
        hand_from_board=Motion(place_m=(0.0, 0.06, 0.1), turn_rad=(0.0, 0.0, 0.0)),
        solvers={"Tsai": SolverResidual(mm=0.4, degrees=0.05)},
        corner_rms_px=0.06,
        views=14,
        dropped={},
    )


def latency_record() -> LatencyRecord:
    return LatencyRecord(
        taken=TAKEN,
        serial=SERIAL,
        width_px=640,
        height_px=480,
        camera_s=0.117,
        camera_low_s=0.108,
        camera_high_s=0.124,
        stamp_error_s=0.002,
        arm_s=0.046,
        camera_match=0.99,
        arm_match=0.98,
        pictures=300,
    )


def kept_eye(folder: Path, rgb: Bytes, serial: str = SERIAL, taken: str = TAKEN) -> EyeRecord:
    """An eye with the default window and `rgb` as its reference, written to `folder`."""
    results = Results(folder)
    name, digest = results.keep_reference(serial, taken, rgb)
    record = EyeRecord(
        taken=taken,
        serial=serial,
        width_px=rgb.shape[1],
        height_px=rgb.shape[0],
        crop_px=CAMERA.crop_px,
        crop_left_px=CAMERA.crop_left_px,
        crop_top_px=CAMERA.crop_top_px,
        reference=name,
        sha256=digest,
    )
    results.keep(record)
    return record
