"""The bars of docs/calibration.md, 8, over many draws; `pytest --log-cli-level INFO` shows how far off each was."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from calibration.board import Board, BoardFinder, Sighting
from calibration.hand_eye import HandView, solve_hand_eye
from calibration.intrinsics import solve_intrinsics
from calibration.latency import LEAST_WIGGLE_S, camera_latency, picture_motion
from calibration.lens import Lens
from calibration.poses import Room, RoughView, plan_poses
from calibration.rigid import angle_between, distance_between
from robot_rig.config import CameraConfig, Config, FlawsConfig
from robot_rig.datatypes import JOINTS, Bytes, Floats
from robot_rig.kinematics import Kinematics
from tests.calibration.test_latency import wiggled
from tests.calibration.twin import Twin, covered, held_board, spoilt, wandering_boards

log = logging.getLogger(__name__)
pytestmark = pytest.mark.proof
DRAWS, BOARD = 8, Board()
FINDER = BoardFinder(BOARD)


@dataclass(frozen=True)
class Trouble:
    """What is wrong with pictures: noise in grey levels, blur in px, share of boards that are covered; joints, rad."""

    noise: float = 0.0
    blur_px: float = 0.0
    covered: float = 0.0
    joints_rad: float = 0.0

    def found(self, rgb: Bytes, outline: Callable[[], Floats], random: np.random.Generator) -> Sighting | None:
        if random.random() < self.covered:
            rgb = covered(rgb, outline(), random)
        return FINDER.find(spoilt(rgb, random, self.noise, self.blur_px) if self.noise else rgb)


CLEAN, NOISY, BLURRED, ALL = Trouble(), Trouble(6.0), Trouble(3.0, 1.5), Trouble(5.0, 1.0, 0.4)
MILD = Trouble(2.0, 0.5, 0.0, 0.001)


def outline(lens: Lens, camera_from_board: Floats) -> Floats:
    width, height = BOARD.size_m
    corners = np.array([[0, 0, 0], [width, 0, 0], [0, height, 0], [width, height, 0]], np.float64)
    return lens.project(corners, camera_from_board)


@pytest.mark.parametrize("trouble", [CLEAN, NOISY, BLURRED, ALL], ids=["clean", "noisy", "blurred", "all"])
def test_the_lens_is_found_in_every_draw(trouble: Trouble) -> None:
    camera = CameraConfig(focal_px=606.0, center_u_px=314.8, center_v_px=247.6, crop_left_px=90, crop_top_px=45)
    config, truth = Config(camera=camera), Lens.configured(camera)
    twin, off = Twin(config, BOARD), []
    for draw in range(DRAWS):
        random, seen = np.random.default_rng(100 + draw), {}
        for number, pose in enumerate(wandering_boards(BOARD, config, 18, draw)):
            twin.place_board(pose)
            seen[str(number)] = trouble.found(twin.draw(), lambda pose=pose: outline(truth, pose), random)
        lens = solve_intrinsics(seen, twin.size).lens
        focal = max(abs(lens.focal_u / truth.focal_u - 1), abs(lens.focal_v / truth.focal_v - 1))
        centre = max(abs(lens.center_u - truth.center_u) / 640, abs(lens.center_v - truth.center_v) / 480)
        off.append((focal, centre))
    twin.close()
    focal, centre = np.max(off, axis=0)
    log.info("lens, %s: focal length off by %.2f %%, centre by %.2f %%", trouble, 100 * focal, 100 * centre)
    assert np.max(off) <= 0.005


@pytest.mark.parametrize("trouble", [CLEAN, NOISY, ALL, MILD], ids=["clean", "noisy", "all", "joints"])
def test_the_cameras_place_is_found_in_every_draw(trouble: Trouble) -> None:
    config, hand_from_board = Config(), held_board(BOARD)
    lens, arm = Lens.configured(config.camera), Kinematics(config.control.tool_offset_m)
    twin, off = Twin(config, BOARD, hand_from_board), []
    rough = RoughView(lens, twin.base_from_camera, hand_from_board, BOARD)
    for draw in range(DRAWS):
        random, views = np.random.default_rng(200 + draw), []
        poses = plan_poses(Room(config, 0.10, arm), 15, lambda position: rough.sees(arm, position), draw)
        for number, position in enumerate(poses):
            twin.pose_arm(position + trouble.joints_rad * random.standard_normal(JOINTS))
            seen = trouble.found(twin.draw(), lambda: outline(lens, twin.camera_from_board), random)
            if seen is not None:
                views.append(HandView(str(number), arm.hand(position), seen))
        found = solve_hand_eye(views, lens).best.base_from_camera
        turned = float(np.degrees(angle_between(found, twin.base_from_camera)))
        off.append((distance_between(found, twin.base_from_camera), turned))
    twin.close()
    metres, degrees = np.max(off, axis=0)
    usual = float(np.sqrt((np.array(off)[:, 0] ** 2).mean()))
    log.info(
        "place, %s: off by %.2f mm, %.3f degrees at most; rms %.2f mm", trouble, 1e3 * metres, degrees, 1e3 * usual
    )
    # Joints that are each a milliradian off move the hand itself by two millimetres.
    assert metres <= (0.003 if trouble.joints_rad else 0.002)
    assert degrees <= 0.2


def test_the_age_of_pictures_is_found_in_every_draw() -> None:
    ((seen,), off) = (list(wiggled(Config(flaws=FlawsConfig(servo_lag_s=0.03)), LEAST_WIGGLE_S)), [])
    for draw in range(DRAWS):
        random = np.random.default_rng(300 + draw)
        pictures = [spoilt(one, random, 4.0, 0.8) for one in seen.pictures]
        age = random.uniform(0.02, 0.2)
        arrived = seen.exposed + age + random.uniform(-0.01, 0.01, len(pictures))
        tool = seen.tool + 1e-4 * random.standard_normal(seen.tool.shape)
        found = camera_latency(seen.at, tool, arrived, arrived, picture_motion(pictures))
        off.append(abs(found.camera_s - float(np.mean(arrived - seen.exposed))))
    log.info("age: off by %.1f ms at most", 1e3 * max(off))
    assert max(off) <= 0.005


def test_the_age_of_pictures_that_come_seldom() -> None:
    every_s = 0.1
    (seen,) = wiggled(Config(flaws=FlawsConfig(servo_lag_s=0.03)), 30.0, round(every_s / 0.01))
    random = np.random.default_rng(400)
    bad = [spoilt(one, random, 4.0, 0.8) for one in seen.pictures]
    for name, pictures in (("clean", seen.pictures), ("bad", bad)):
        for step in (1, 2, 3):
            off = []
            for first in range(step):
                at = seen.exposed[first::step] + 0.1
                found = camera_latency(seen.at, seen.tool, at, at, picture_motion(pictures[first::step]))
                off.append(abs(found.camera_s - 0.1))
            log.info("age, %.1f Hz, %s: off by %.1f ms at most", 1 / every_s / step, name, 1e3 * max(off))
            assert max(off) <= 0.005
