"""The twin with a board in it: pictures that MuJoCo draws of a ChArUco board whose place is known, clean or spoilt.

The board is made when a test asks for it: a texture on a thin plate, in the room or on the gripper.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import mujoco
import numpy as np

import sim  # noqa: F401 - before MuJoCo
from calibration.board import Board
from calibration.rigid import inverse, rigid
from robot_rig.config import Config
from robot_rig.datatypes import JOINTS, Bytes, Floats
from sim.scenes import CAMERA, describe

PLATE, MARGIN_SQUARES, PIXELS_PER_SQUARE, HALF_THICKNESS_M = "board", 0.5, 64, 0.0005
OPTICAL = np.diag([1.0, -1.0, -1.0, 1.0])
"""From a camera of OpenGL (y up, looks along -z) to one of OpenCV, and back."""


def quaternion(rotation: Floats) -> Floats:
    result = np.zeros(4)
    mujoco.mju_mat2Quat(result, np.ascontiguousarray(rotation).ravel())
    return result


@dataclass
class Twin:
    """The scene of `config` with `board`, drawn by its colour camera.

    `hand_from_board`: where the plate is fixed on the gripper; None: it hangs in the room, to be put anywhere.
    """

    config: Config
    board: Board
    hand_from_board: Floats | None = None
    model: mujoco.MjModel = field(init=False)
    data: mujoco.MjData = field(init=False)

    def __post_init__(self) -> None:
        spec = describe(self.config)
        margin = 2 * MARGIN_SQUARES * self.board.square_m
        width, height = (side + margin for side in self.board.size_m)
        drawn = self.board.picture(PIXELS_PER_SQUARE, MARGIN_SQUARES)
        pixels = np.repeat(drawn[:, :, None], 3, axis=2)
        texture = spec.add_texture(
            name=PLATE, type=mujoco.mjtTexture.mjTEXTURE_2D, width=pixels.shape[1], height=pixels.shape[0], nchannel=3
        )
        texture.data = pixels.tobytes()
        material = spec.add_material(name=PLATE, specular=0.0, shininess=0.0, reflectance=0.0)
        material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = PLATE
        parent = spec.worldbody if self.hand_from_board is None else spec.body("right_hand")
        plate = parent.add_body(name=PLATE, mocap=self.hand_from_board is None)
        # MuJoCo lays a texture over the plate's face with its rows along y and its columns along x.
        plate.add_geom(
            type=mujoco.mjtGeom.mjGEOM_BOX,
            size=[width / 2, height / 2, HALF_THICKNESS_M],
            material=PLATE,
            contype=0,
            conaffinity=0,
            mass=0.0,
        )
        if self.hand_from_board is not None:
            centre = self.hand_from_board @ self._board_from_plate
            plate.pos, plate.quat = centre[:3, 3], quaternion(centre[:3, :3])
        self.model = spec.compile()
        self.data = mujoco.MjData(self.model)
        self.model.vis.global_.offwidth, self.model.vis.global_.offheight = self.size
        self._renderer = mujoco.Renderer(self.model, self.size[1], self.size[0])
        self.pose_arm(np.array(self.config.control.home_posture_rad))

    @property
    def size(self) -> tuple[int, int]:
        return self.config.camera.width_px, self.config.camera.height_px

    @property
    def _board_from_plate(self) -> Floats:
        """The plate's frame, at its centre with z towards who looks at it, in the board's."""
        width, height = self.board.size_m
        return rigid(np.diag([1.0, -1.0, -1.0]), np.array([width / 2, height / 2, HALF_THICKNESS_M]))

    @property
    def base_from_camera(self) -> Floats:
        camera = self.model.camera(CAMERA).id
        return rigid(self.data.cam_xmat[camera].reshape(3, 3), self.data.cam_xpos[camera]) @ OPTICAL

    def pose_arm(self, position: Floats) -> None:
        self.data.qpos[:JOINTS] = position
        self._settle()

    def place_board(self, camera_from_board: Floats) -> None:
        plate = self.base_from_camera @ camera_from_board @ self._board_from_plate
        self.data.mocap_pos[0], self.data.mocap_quat[0] = plate[:3, 3], quaternion(plate[:3, :3])
        self._settle()

    def _settle(self) -> None:
        mujoco.mj_kinematics(self.model, self.data)
        mujoco.mj_comPos(self.model, self.data)
        mujoco.mj_camlight(self.model, self.data)

    @property
    def camera_from_board(self) -> Floats:
        plate = self.data.body(PLATE)
        base_from_plate = rigid(plate.xmat.reshape(3, 3), plate.xpos)
        return inverse(self.base_from_camera) @ base_from_plate @ inverse(self._board_from_plate)

    def draw(self) -> Bytes:
        self._renderer.update_scene(self.data, CAMERA)
        return np.array(self._renderer.render())

    def close(self) -> None:
        self._renderer.close()


def spoilt(rgb: Bytes, random: np.random.Generator, noise: float, blur_px: float) -> Bytes:
    """`rgb` through a blurring lens onto a noisy sensor."""
    picture = cv2.GaussianBlur(rgb, (0, 0), blur_px).astype(np.float64) if blur_px else rgb.astype(np.float64)
    return np.clip(np.rint(picture + noise * random.standard_normal(rgb.shape)), 0, 255).astype(np.uint8)


def covered(rgb: Bytes, pixels: Floats, random: np.random.Generator) -> Bytes:
    """`rgb` with a patch of one colour over about a quarter of the box around `pixels` (N, 2)."""
    low, high = pixels.min(axis=0), pixels.max(axis=0)
    start = low + random.uniform(-0.1, 0.6, 2) * (high - low)
    end = start + 0.5 * (high - low)
    result = rgb.copy()
    result[max(0, int(start[1])) : max(0, int(end[1])), max(0, int(start[0])) : max(0, int(end[0]))] = (150, 110, 90)
    return result


def wandering_boards(board: Board, config: Config, count: int, seed: int) -> list[Floats]:
    """Poses `camera_from_board` all over the picture, near and far, turned by up to 40 degrees."""
    random, width, height = np.random.default_rng(seed), *board.size_m
    camera, poses = config.camera, []
    for index in range(count):
        distance = random.uniform(0.35, 0.6)
        # A grid of places with some chance, so that every corner of the picture gets its share.
        u = (0.2 + 0.6 * (index % 4) / 3 + random.uniform(-0.05, 0.05)) * camera.width_px
        v = (0.25 + 0.5 * (index // 4 % 3) / 2 + random.uniform(-0.05, 0.05)) * camera.height_px
        place = distance * np.array(
            [(u - camera.center_u_px) / camera.focal_px, (v - camera.center_v_px) / camera.focal_px, 1.0]
        )
        turn = rigid(np.array([*np.radians(random.uniform(-40, 40, 2)), np.radians(random.uniform(-20, 20))]), place)
        poses.append(turn @ rigid(np.eye(3), np.array([-width / 2, -height / 2, 0.0])))
    return poses


def held_board(board: Board) -> Floats:
    """`hand_from_board` of a board that the gripper holds towards the twin's camera."""
    away = np.array([0.0, -0.79, 0.613]) / np.hypot(0.79, 0.613)
    right = np.array([1.0, 0.0, 0.0])
    turn = np.column_stack([right, np.cross(away, right), away])
    width, height = board.size_m
    return rigid(turn, np.array([0.0, 0.06, 0.10])) @ rigid(np.eye(3), np.array([-width / 2, -height / 2, 0.0]))
