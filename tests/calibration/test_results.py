"""Results come back as they were written, are never overwritten, and a damaged or foreign file is refused by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from calibration.records import EyeRecord, HandEyeRecord, LatencyRecord, LensRecord, Record
from calibration.results import Results, check_serial, now, read_record
from calibration.rigid import rigid
from robot_rig.config import Config
from robot_rig.config_files import load_config
from robot_rig.errors import UserError
from sim.scenes import looking_at
from tests.calibration.results_made import LATER, SERIAL, TAKEN, hand_eye_record, kept_eye, latency_record, lens_record

PICTURE = np.random.default_rng(1).integers(0, 256, (480, 640, 3), np.uint8)
CAMERA_POSE = rigid(np.array([1.2, -2.0, 0.3]), np.array([1.3, 0.05, 0.7]))


@pytest.mark.parametrize(
    ("record", "kind"),
    [
        (lens_record(), LensRecord),
        (hand_eye_record(CAMERA_POSE), HandEyeRecord),
        (latency_record(), LatencyRecord),
    ],
    ids=["intrinsics", "handeye", "latency"],
)
def test_a_result_comes_back_value_for_value(record: Record, kind: type[Record], tmp_path: Path) -> None:
    results = Results(tmp_path)
    path = results.keep(record)
    assert path == tmp_path / SERIAL / f"{record.kind_name}-20260131T120000Z.yaml"
    assert read_record(path, kind) == record
    assert results.newest(SERIAL, kind) == record
    assert results.serials() == [SERIAL]


def test_an_eye_comes_back_with_its_picture(tmp_path: Path) -> None:
    eye = kept_eye(tmp_path, PICTURE)
    assert Results(tmp_path).newest(SERIAL, EyeRecord) == eye
    assert (Results(tmp_path).reference(eye) == PICTURE).all()


def test_a_motion_survives_as_rotation_vector(tmp_path: Path) -> None:
    path = Results(tmp_path).keep(hand_eye_record(CAMERA_POSE))
    assert np.allclose(read_record(path, HandEyeRecord).base_from_camera.matrix(), CAMERA_POSE, atol=1e-12)


def test_the_newest_counts_and_nothing_is_overwritten(tmp_path: Path) -> None:
    results = Results(tmp_path)
    results.keep(lens_record(taken=LATER))
    results.keep(lens_record(taken=TAKEN))
    newest = results.newest(SERIAL, LensRecord)
    assert newest is not None
    assert newest.taken == LATER
    with pytest.raises(UserError, match="exists already"):
        results.keep(lens_record(taken=LATER))
    assert results.newest("another", LensRecord) is None
    assert Results(tmp_path / "nowhere").serials() == []


def test_a_changed_reference_picture_is_refused(tmp_path: Path) -> None:
    eye = kept_eye(tmp_path, PICTURE)
    other = kept_eye(tmp_path, PICTURE[::-1].copy(), taken=LATER)
    folder = tmp_path / SERIAL
    (folder / eye.reference).write_bytes((folder / other.reference).read_bytes())
    with pytest.raises(UserError, match="is not the picture that was calibrated with"):
        Results(tmp_path).reference(eye)
    (folder / eye.reference).unlink()
    with pytest.raises(UserError, match="No such file"):
        Results(tmp_path).reference(eye)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("format: 1", "format: 2", "has format 2, and this is 1"),
        ("format: 1", 'format: "1"', "see format"),
        ("format: 1", "", "see format"),
        ('kind: "intrinsics"', "", "see kind"),
        ("focal_px: [606.25,", "focal_px: [-606.25,", "focal_px"),
        ("width_px: 640", "width_px: 1.5", "width_px"),
        ("width_px: 640", 'width_px: "640"', "width_px"),
        ("rms_px: 0.08", "rms_px: -1", "rms_px"),
        ("rms_px: 0.08", "", "rms_px"),
        ("rms_px: 0.08", "rms_px: .nan", "not a plain decimal number"),
        ('kind: "intrinsics"', 'kind: "eye"', "kind"),
        ("focal_px: [606.25, 606.5]", "focal_px: [606.25]", "focal_px"),
        ("coverage: 1.0", "coverage: 1.0\nhidden: 3", "hidden"),
        (f'serial: "{SERIAL}"', 'serial: "../../elsewhere"', "serial"),
        (f'serial: "{SERIAL}"', 'serial: "123"', "is of the camera 123"),
        (TAKEN, "yesterday", "taken"),
    ],
)
def test_a_file_that_is_wrong_is_refused_and_says_where(old: str, new: str, says: str, tmp_path: Path) -> None:
    results = Results(tmp_path)
    path = results.keep(lens_record())
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(UserError, match=says):
        results.newest(SERIAL, LensRecord)


@pytest.mark.parametrize("serial", ["", "a/b", "..", ".hidden", "x" * 65, "a b", "ü"])
def test_what_is_no_serial_number_is_refused(serial: str) -> None:
    with pytest.raises(UserError, match="no serial number"):
        check_serial(serial)


def test_now_is_as_records_want_it() -> None:
    assert lens_record(taken=now()).taken.endswith("+00:00")


def settings_of(record: Record) -> Config:
    return load_config([], [f"{key}={value}" for key, value in record.settings().items()])


def test_the_settings_that_follow_are_ones_that_the_schema_takes(tmp_path: Path) -> None:
    camera = settings_of(lens_record()).camera
    assert camera.focal_px == pytest.approx(606.37, abs=0.01)
    assert (camera.center_u_px, camera.center_v_px) == (314.8, 247.6)
    assert settings_of(kept_eye(tmp_path, PICTURE)).camera.crop_px == 420
    flaws = settings_of(latency_record()).flaws
    assert (flaws.image_age_low_s, flaws.image_age_high_s) == (0.108, 0.124)
    assert 0.04 < flaws.servo_lag_s < 0.06


def test_the_twin_put_where_the_camera_is_looks_the_same_way() -> None:
    upright = np.array(Config().sim.camera_position_m), np.array(Config().sim.camera_target_m)
    w, *v = looking_at(*upright)
    angle = 2 * np.arctan2(np.linalg.norm(v), w)
    truth = rigid(angle * np.array(v) / np.linalg.norm(v), upright[0]) @ np.diag([1.0, -1.0, -1.0, 1.0])
    config = settings_of(hand_eye_record(truth)).sim
    found = looking_at(np.array(config.camera_position_m), np.array(config.camera_target_m))
    assert np.allclose(found, [w, *v], atol=1e-3) or np.allclose(found, [-w, *(-np.array(v))], atol=1e-3)
    assert np.allclose(config.camera_position_m, upright[0], atol=1e-4)
