"""The rooms that the simulated Sawyer stands in, as compiled MuJoCo models. Called by `sim.world`.

Frame: `base`; the table's top is the plane z = table_height_m. The background is dark on purpose: under a Bernoulli
decoder a bright, empty background costs most of the loss and teaches nothing.
"""

from __future__ import annotations

import mujoco
import numpy as np

from robot_rig.config import CameraConfig, Config, SimConfig
from robot_rig.datatypes import IMAGE_SIZE, Floats
from sim.model import COLLISION_GROUP, OBJECT_BIT, ROBOT_BIT, Rgba, add_sawyer

TIMESTEP_S = 0.002
CAMERA, EYE = "colour", "eye"
"""Names of the 640x480 camera and of the same camera seen through the policy's window."""

PUCK_START_M = (0.60, 0.0)
PUCK_RADIUS_M, PUCK_HALF_HEIGHT_M, PUCK_MASS_KG, PUCK_FRICTION = 0.04, 0.015, 0.1, 0.6

FLOOR_HEIGHT_M = -0.913
TABLE_CENTRE_M, TABLE_HALF_M = (0.80, 0.0), (0.45, 0.65, 0.02)
TABLE: Rgba = (0.13, 0.16, 0.20, 1.0)
FLOOR: Rgba = (0.08, 0.08, 0.09, 1.0)
PUCK: Rgba = (0.15, 0.75, 0.95, 1.0)
PIXEL_M = 6e-6
"""Size of a pixel on the sensor; it cancels out of the picture."""


def _table_top(spec: mujoco.MjSpec, height_m: float) -> None:
    half = TABLE_HALF_M
    spec.worldbody.add_geom(
        name="table",
        type=mujoco.mjtGeom.mjGEOM_BOX,
        size=half,
        pos=[*TABLE_CENTRE_M, height_m - half[2]],
        rgba=TABLE,
        friction=[PUCK_FRICTION, 0.005, 0.0001],
        contype=0,
        conaffinity=ROBOT_BIT | OBJECT_BIT,
    )
    spec.worldbody.add_geom(
        name="floor",
        type=mujoco.mjtGeom.mjGEOM_BOX,
        size=[2.5, 2.5, 0.01],
        pos=[0.5, 0.0, FLOOR_HEIGHT_M - 0.01],
        rgba=FLOOR,
        contype=0,
        conaffinity=0,
    )


def _light(spec: mujoco.MjSpec) -> None:
    spec.visual.headlight.ambient = [0.35, 0.35, 0.35]
    spec.visual.headlight.diffuse = [0.45, 0.45, 0.45]
    spec.visual.headlight.specular = [0.0, 0.0, 0.0]
    spec.worldbody.add_light(
        type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL,
        pos=[0.6, 0.4, 2.0],
        dir=[-0.1, -0.25, -1.0],
        diffuse=[0.35, 0.35, 0.35],
        specular=[0.0, 0.0, 0.0],
        castshadow=False,
    )


def looking_at(position: Floats, target: Floats) -> Floats:
    """(4,) wxyz of a camera at `position` (3,) m that looks at `target` (3,) m, upright. OpenGL axes: -z forward."""
    backward = (position - target) / np.linalg.norm(position - target)
    up = np.array([0.0, 0.0, 1.0]) if abs(backward[2]) < 0.999 else np.array([1.0, 0.0, 0.0])
    right = np.cross(up, backward)
    right /= np.linalg.norm(right)
    result = np.zeros(4)
    mujoco.mju_mat2Quat(result, np.column_stack([right, np.cross(backward, right), backward]).ravel())
    return result


def _add_camera(
    spec: mujoco.MjSpec,
    name: str,
    pose: SimConfig,
    size: tuple[int, int],
    focal: float,
    centre: tuple[float, float],
) -> None:
    """A pinhole of `size` (width, height), `focal` and `centre` (from the left and upper edge), all in px."""
    position, target = np.array(pose.camera_position_m), np.array(pose.camera_target_m)
    spec.worldbody.add_camera(
        name=name,
        pos=position,
        quat=looking_at(position, target),
        resolution=list(size),
        sensor_size=[side * PIXEL_M for side in size],
        focal_pixel=[focal, focal],
        principal_pixel=[size[0] / 2 - centre[0], size[1] / 2 - centre[1]],
    )


def _add_cameras(spec: mujoco.MjSpec, pose: SimConfig, camera: CameraConfig) -> None:
    """The colour camera, and the picture that `vision.preprocess` makes of it as a camera of its own.

    The window of crop_px becomes 84 px, so focal length and principal point shrink by 84 / crop_px.
    """
    centre = (camera.center_u_px, camera.center_v_px)
    _add_camera(spec, CAMERA, pose, (camera.width_px, camera.height_px), camera.focal_px, centre)
    shrink = IMAGE_SIZE / camera.crop_px
    in_window = ((centre[0] - camera.crop_left_px) * shrink, (centre[1] - camera.crop_top_px) * shrink)
    _add_camera(spec, EYE, pose, (IMAGE_SIZE, IMAGE_SIZE), camera.focal_px * shrink, in_window)


def _add_puck(spec: mujoco.MjSpec, table_height_m: float, fingers: str) -> None:
    """The puck, and a plane in the table's top that carries it.

    MuJoCo 4.0.0 looks for several contacts of a cylinder and a box, and takes the box's nearest face for their normal:
    a finger that met the puck beside that face pushed it askew, sank in and was lifted onto it. With one contact the
    normal is right; but a puck does not stand on one, so it stands on the plane, whose contacts are of another kind.
    Nor can it be gripped by one: where the `fingers` are free, faces that lie flat on each other keep theirs.
    """
    if fingers == "closed":
        spec.option.disableflags |= int(mujoco.mjtDisableBit.mjDSBL_MULTICCD)
    spec.geom("table").conaffinity = ROBOT_BIT
    spec.worldbody.add_geom(
        name="table_plane",
        type=mujoco.mjtGeom.mjGEOM_PLANE,
        size=[1.0, 1.0, 0.1],
        pos=[0.0, 0.0, table_height_m],
        group=COLLISION_GROUP,
        friction=[PUCK_FRICTION, 0.005, 0.0001],
        contype=0,
        conaffinity=OBJECT_BIT,
    )
    puck = spec.worldbody.add_body(name="puck", pos=[*PUCK_START_M, table_height_m + PUCK_HALF_HEIGHT_M])
    puck.add_freejoint(name="puck")
    puck.add_geom(
        name="puck",
        type=mujoco.mjtGeom.mjGEOM_CYLINDER,
        size=[PUCK_RADIUS_M, PUCK_HALF_HEIGHT_M, 0],
        mass=PUCK_MASS_KG,
        rgba=PUCK,
        friction=[PUCK_FRICTION, 0.005, 0.0001],
        contype=OBJECT_BIT,
        conaffinity=ROBOT_BIT,
    )


def describe(config: Config) -> mujoco.MjSpec:
    """The scene `config.sim.scene`, for more to be put into it behind the rest. Raises UserError as `build`."""
    spec = mujoco.MjSpec()
    # Left at its default, a joint range of 3 rad would be read as 3 degrees.
    spec.compiler.degree = False
    spec.option.timestep = TIMESTEP_S
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    quality = spec.visual.quality
    quality.numslices, quality.numstacks, quality.numquads = 12, 6, 1
    quality.offsamples = config.sim.multisamples
    add_sawyer(spec, config.tool, config.control.tool_offset_m, config.sim.payload_error_kg, config.sim.mesh_dir)
    _table_top(spec, config.guard.table_height_m)
    _light(spec)
    _add_cameras(spec, config.sim, config.camera)
    if config.sim.scene == "push":
        _add_puck(spec, config.guard.table_height_m, config.tool.fingers)
    return spec


def build(config: Config) -> mujoco.MjModel:
    """The model of `config.sim.scene`, the arm's joints first in every array. Raises UserError on a bad mesh_dir."""
    return describe(config).compile()
