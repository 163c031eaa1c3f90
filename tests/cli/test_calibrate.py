"""`rig calibrate` as a person types it: from a printed board to settings, on pictures that the twin has drawn."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from rosbags.rosbag1 import Writer

from calibration.board import Board
from calibration.latency import wiggle
from calibration.lens import Lens
from calibration.poses import Room, RoughView, plan_poses
from calibration.records import HandEyeRecord, LatencyRecord, LensRecord
from calibration.results import Results
from calibration.rigid import angle_between, distance_between
from calibration.views import keep_description, keep_view
from drivers.arm_description import PUBLISHED
from robot_rig.cli.main import main
from robot_rig.clock import ManualClock
from robot_rig.config import Config, FlawsConfig
from robot_rig.config_files import load_config
from robot_rig.data.episode import store
from robot_rig.datatypes import JOINT_NAMES, Bytes
from robot_rig.kinematics import Kinematics
from robot_rig.vision import save_picture
from sim.sim_camera import SimCamera
from sim.world import World
from tests.calibration.results_made import LATER, hand_eye_record, kept_eye, lens_record
from tests.calibration.twin import Twin, held_board, wandering_boards
from tests.drivers.test_arm_description import urdf_of

Capture = pytest.CaptureFixture[str]
CONFIG, BOARD, SERIAL = Config(), Board(), "819112072345"
ARM = Kinematics(CONFIG.control.tool_offset_m)


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders `lens` and `hand` with views, and home.png."""
    folder = tmp_path_factory.mktemp("drawn")
    twin = Twin(CONFIG, BOARD)
    for pose in wandering_boards(BOARD, CONFIG, 16, seed=1):
        twin.place_board(pose)
        keep_view(folder / "lens", twin.draw(), None)
    keep_view(folder / "lens", np.full((480, 640, 3), 90, np.uint8), None)
    twin.close()
    hand_from_board = held_board(BOARD)
    twin = Twin(CONFIG, BOARD, hand_from_board)
    rough = RoughView(Lens.configured(CONFIG.camera), twin.base_from_camera, hand_from_board, BOARD)
    for position in plan_poses(Room(CONFIG, 0.10, ARM), 12, lambda joints: rough.sees(ARM, joints), seed=0):
        twin.pose_arm(position)
        keep_view(folder / "hand", twin.draw(), position)
    twin.pose_arm(np.array(CONFIG.control.home_posture_rad))
    save_picture(folder / "home.png", twin.draw())
    np.save(folder / "truth.npy", twin.base_from_camera)
    twin.close()
    return folder


def rig(*words: object) -> int:
    return main(["calibrate", *map(str, words)])


def refused(capsys: Capture, *words: object) -> str:
    capsys.readouterr()
    assert rig(*words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_a_board_is_made_once(tmp_path: Path, capsys: Capture) -> None:
    assert rig("board", "--paper", "letter", "--square-mm", "30") == 0
    assert (tmp_path / "board.pdf").read_bytes().startswith(b"%PDF")
    assert "exists already" in refused(capsys, "board")
    assert "does not fit on a4" in refused(capsys, "board", "--square-mm", "60", "--out", "b.pdf")


def test_from_pictures_to_settings(drawn: Path, tmp_path: Path, capsys: Capture) -> None:
    camera = ("--serial", SERIAL)
    assert "`rig calibrate intrinsics` first" in refused(capsys, "handeye", drawn / "hand", *camera)
    assert rig("intrinsics", drawn / "lens", *camera) == 0
    said = capsys.readouterr().out
    assert "the board was not found" in said
    assert re.search(r"focal 61[0-4]\.\d \+- \d\.\d", said)
    assert rig("handeye", drawn / "hand", *camera) == 0
    said = capsys.readouterr().out
    for solver in ("Tsai", "Park", "Horaud", "Andreff", "Daniilidis", "refined"):
        assert solver in said
    results, truth = Results(tmp_path / "calibrations"), np.load(drawn / "truth.npy")
    lens, place = results.newest(SERIAL, LensRecord), results.newest(SERIAL, HandEyeRecord)
    assert lens is not None
    assert place is not None
    assert lens.lens().focal_u == pytest.approx(CONFIG.camera.focal_px, rel=0.005)
    # With a lens that is off by up to a half percent itself.
    assert distance_between(place.base_from_camera.matrix(), truth) < 0.005
    assert np.degrees(angle_between(place.base_from_camera.matrix(), truth)) < 0.2

    assert rig("crop", drawn / "home.png", *camera, "--factor", "5") == 0
    assert "<- this one" in capsys.readouterr().out
    assert len(list((tmp_path / "calibrations" / SERIAL).glob("eye-*-window.png"))) == 1
    assert rig("check", drawn / "home.png", *camera) == 0
    assert "shifted by 0.0 px" in capsys.readouterr().out

    code = rig("workspace", drawn / "home.png", *camera)
    said = capsys.readouterr().out
    assert code == (1 if "window that shows all of it" in said or "no window" in said else 0)
    assert re.search(r"(9\d|100)% in the policy's window", said)
    assert (tmp_path / "workspace.png").is_file()
    # In the upper left corner of the picture there is nothing of the box.
    corner = [word for key in ("px=84", "left_px=0", "top_px=0") for word in ("--set", f"camera.crop_{key}")]
    assert rig("workspace", drawn / "home.png", *camera, *corner, "--out", tmp_path / "corner.png") == 1
    said = capsys.readouterr().out
    assert ", 0% in the policy's window" in said
    assert "the least window that shows all of it" in said

    assert rig("settings", *camera) == 0
    config = load_config([tmp_path / "camera.yaml"], [])
    assert config.camera.focal_px == pytest.approx(CONFIG.camera.focal_px, rel=0.005)
    assert np.allclose(config.sim.camera_position_m, CONFIG.sim.camera_position_m, atol=0.006)
    assert "exists already" in refused(capsys, "settings", *camera)


def test_results_of_another_resolution_are_not_drawn_over_a_picture(
    drawn: Path, tmp_path: Path, capsys: Capture
) -> None:
    results = Results(tmp_path / "calibrations")
    results.keep(lens_record(SERIAL, width=1280))
    results.keep(hand_eye_record(np.load(drawn / "truth.npy"), SERIAL))
    said = refused(capsys, "workspace", drawn / "home.png", "--serial", SERIAL)
    assert "intrinsics was calibrated at 1280x480" in said
    assert not (tmp_path / "workspace.png").exists()
    assert "calibrated at 1280x480" in refused(capsys, "handeye", drawn / "hand", "--serial", SERIAL)


def test_a_hand_eye_of_before_the_camera_was_moved_counts_nowhere(drawn: Path, tmp_path: Path, capsys: Capture) -> None:
    home = np.asarray(cv2.imread(str(drawn / "home.png"))[:, :, ::-1])
    folder = tmp_path / "calibrations"
    kept_eye(folder, home, SERIAL)
    results = Results(folder)
    results.keep(lens_record(SERIAL))
    results.keep(hand_eye_record(np.load(drawn / "truth.npy"), SERIAL))
    camera = ("--serial", SERIAL)
    assert rig("settings", *camera, "--out", "before.yaml") == 0
    assert "sim:" in (tmp_path / "before.yaml").read_text()
    assert rig("workspace", drawn / "home.png", *camera, "--out", "before.png") in (0, 1)
    moved = np.roll(home, 12, axis=1).copy()
    save_picture(tmp_path / "moved.png", moved)
    kept_eye(folder, moved, SERIAL, LATER)
    capsys.readouterr()
    assert rig("settings", *camera) == 0
    said = capsys.readouterr().out
    assert "out of date" in said
    assert "left out" in said
    assert "sim:" not in (tmp_path / "camera.yaml").read_text()
    assert "is out of date" in refused(capsys, "workspace", drawn / "home.png", *camera)
    assert rig("check", tmp_path / "moved.png", *camera) == 0
    assert "is out of date" in capsys.readouterr().out


def test_the_arms_own_description_counts_where_it_was_kept(drawn: Path, tmp_path: Path, capsys: Capture) -> None:
    """An arm that stands a centimetre higher on its base has its camera a centimetre higher."""
    results = Results(tmp_path / "calibrations")
    results.keep(lens_record(SERIAL))
    views, places = tmp_path / "views", []
    shutil.copytree(drawn / "hand", views)
    lifted = [((x, y, z + 0.01 * (i == 0)), rpy) for i, ((x, y, z), rpy) in enumerate(PUBLISHED.origins)]
    for which, urdf in (("none", ""), ("own", urdf_of(PUBLISHED._replace(origins=tuple(lifted))))):
        if urdf:
            keep_description(views, urdf)
        assert rig("handeye", views, "--serial", SERIAL, "--calibrations", tmp_path / "calibrations") == 0
        assert ("published table" in capsys.readouterr().out) == (not urdf), which
        place = results.newest(SERIAL, HandEyeRecord)
        assert place is not None
        places.append(place.base_from_camera.matrix())
        for path in (tmp_path / "calibrations" / SERIAL).glob("handeye-*"):
            path.unlink()
    assert np.allclose(places[1] - places[0], np.outer([0, 0, 0.01, 0], [0, 0, 0, 1]), atol=1e-4)


def test_a_camera_that_is_not_the_calibrated_one_is_one_line(drawn: Path, tmp_path: Path, capsys: Capture) -> None:
    picture = drawn / "home.png"
    assert "no camera has been calibrated" in refused(capsys, "check", picture, "--serial", SERIAL)
    assert rig("crop", picture, "--serial", SERIAL) == 0
    assert "never calibrated" in refused(capsys, "check", picture, "--serial", "1")
    assert "too little in common" in refused(capsys, "check", drawn / "lens" / "view-016.png", "--serial", SERIAL)
    assert "only 1280x720" in refused(
        capsys, "check", picture, "--serial", SERIAL, "--set", "camera.width_px=1280", "--set", "camera.height_px=720"
    )
    assert "no serial number" in refused(capsys, "crop", picture, "--serial", "../x")
    assert "shows too little" in refused(capsys, "crop", drawn / "lens" / "view-016.png", "--serial", SERIAL)
    for words in (("settings",), ("workspace", picture), ("handeye", drawn / "hand")):
        assert f"in calibrations. Valid: {SERIAL}. `rig calibrate" in refused(capsys, *words, "--serial", "1")
    (tmp_path / "file").touch()
    assert "file is not a folder" in refused(capsys, "check", picture, "--serial", SERIAL, "--calibrations", "file")
    assert "does not fit" in refused(capsys, "crop", picture, "--serial", SERIAL, "--factor", "9")


# --- latency from a bag -----------------------------------------------------------------------------------------------

AGE_S, LAG_S, TICK_S = 0.12, 0.05, 0.01
TOPICS = {"picture": "/camera/color/image_raw", "state": "/rig/arm/state", "sent": "/rig/arm/executed"}


def make(kind: str, *values: Any) -> Any:
    return store().types[kind](*values)


def header(seconds: float) -> Any:
    time_ns = 1_700_000_000 * 10**9 + round(seconds * 1e9)
    return make("std_msgs/msg/Header", 0, make("builtin_interfaces/msg/Time", *divmod(time_ns, 10**9)), "")


def joints(seconds: float, position: Any, velocity: Any) -> Any:
    return make("sensor_msgs/msg/JointState", header(seconds), list(JOINT_NAMES), position, velocity, np.zeros(0))


def picture(seconds: float, rgb: Bytes) -> Any:
    small = cv2.resize(rgb, (320, 240), interpolation=cv2.INTER_AREA)
    return make("sensor_msgs/msg/Image", header(seconds), 240, 320, "rgb8", 0, 960, small.reshape(-1))


def record(path: Path, seconds: float) -> Path:
    """A bag of the twin that wiggles, with pictures that arrive AGE_S after their exposure."""
    config = Config(flaws=FlawsConfig(servo_lag_s=LAG_S))
    world = World(config, seed=0)
    camera = SimCamera(world, ManualClock(), config)
    joint_state = "sensor_msgs/msg/JointState"
    kinds = {"picture": "sensor_msgs/msg/Image", "state": joint_state, "sent": joint_state}
    events: list[tuple[float, str, Any]] = []
    for tick in range(round(seconds / TICK_S)):
        now = world.now()
        pose = ARM.pose(world.joint_position())
        events.append((now, "state", joints(now, world.joint_position(), world.joint_velocity())))
        if tick % 5 == 0:
            events.append((now + AGE_S, "picture", picture(now, camera.read().rgb)))
        twist = np.array([0.0, 0.1 * wiggle(tick * TICK_S), 0.0, 0.0, 0.0, 0.0])
        velocity = np.linalg.lstsq(pose.jacobian, twist, rcond=None)[0]
        events.append((now, "sent", joints(now, np.zeros(0), velocity)))
        world.set_joint_velocity_target(velocity, 0.2)
        world.advance(TICK_S)
    camera.close()
    with Writer(path) as writer:
        opened = {name: writer.add_connection(TOPICS[name], kind, typestore=store()) for name, kind in kinds.items()}
        for arrival, name, message in sorted(events, key=lambda event: event[0]):
            data = bytes(store().serialize_ros1(message, kinds[name]))
            writer.write(opened[name], 1_700_000_000 * 10**9 + round(arrival * 1e9), data)
    return path


def test_latency_of_camera_and_arm_come_out_of_a_bag(tmp_path: Path, capsys: Capture) -> None:
    bag = record(tmp_path / "wiggle.bag", 6.0)
    assert rig("latency", bag, "--serial", SERIAL) == 0
    assert "pictures are 1" in capsys.readouterr().out
    found = Results(tmp_path / "calibrations").newest(SERIAL, LatencyRecord)
    assert found is not None
    assert found.size == (320, 240), "of the pictures in the bag, whatever the settings say"
    assert found.camera_s == pytest.approx(AGE_S, abs=0.005)
    assert found.stamp_error_s == pytest.approx(0.0, abs=0.005)
    assert rig("settings", "--serial", SERIAL) == 0
    flaws = load_config([tmp_path / "camera.yaml"], []).flaws
    assert flaws.servo_lag_s == pytest.approx(LAG_S, abs=0.006)
    assert flaws.image_age_low_s == pytest.approx(AGE_S, abs=0.005)


def test_a_bag_that_lacks_something_is_one_line(tmp_path: Path, capsys: Capture) -> None:
    bag = record(tmp_path / "short.bag", 3.0)
    camera = ("--serial", SERIAL)
    assert "no pictures on /other. Valid: /camera/color/image_raw" in refused(
        capsys, "latency", bag, *camera, "--picture", "/other"
    )
    assert "the bag is 3.0 s long" in refused(capsys, "latency", bag, *camera)
    with Writer(tmp_path / "other.bag") as writer:
        said = writer.add_connection("/note", "std_msgs/msg/String", typestore=store())
        text = store().serialize_ros1(make("std_msgs/msg/String", "a"), "std_msgs/msg/String")
        writer.write(said, 1, bytes(text))
    assert "the bag has no /rig/arm/state" in refused(capsys, "latency", tmp_path / "other.bag", *camera)
