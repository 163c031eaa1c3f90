"""The Sawyer as a MuJoCo model, from the published tables: `add_sawyer` puts one into a scene. Called by `sim.scenes`.

Kinematics are those of `robot_rig.kinematics`; masses, inertias and effort limits are the URDF's
(RethinkRobotics/sawyer_robot d1ef3d0), the gripper RethinkRobotics/intera_common f01ca20. Frame of everything: `base`,
which is the world. Shapes are our own primitives; a folder of the vendor's meshes may replace their looks.
"""

from __future__ import annotations

from pathlib import Path

import mujoco
import numpy as np

from robot_rig.config import ToolConfig
from robot_rig.datatypes import JOINT_NAMES, JOINTS, Floats
from robot_rig.errors import UserError
from robot_rig.kinematics import (
    HAND_ORIGIN,
    JOINT_ORIGINS,
    LOWER_LIMITS,
    RATED_EFFORTS,
    RATED_SPEEDS,
    UPPER_LIMITS,
    rotation_from_rpy,
)

ARMATURE = np.array([0.1, 0.1, 0.1, 0.1, 0.05, 0.05, 0.05])
JOINT_DAMPING = 2.0
SPEED_GAIN = np.array([120.0, 120.0, 60.0, 60.0, 20.0, 20.0, 20.0])
"""N·m·s/rad of the velocity servo."""

STIFFNESS_RATE = 10.0
"""1/s: how fast the servo works off the angle by which it lags its commanded path; stiffness = this x SPEED_GAIN."""

Inertial = tuple[float, tuple[float, float, float], tuple[float, float, float, float, float, float]]

INERTIALS: tuple[Inertial, ...] = (
    (5.3213, (0.024366, 0.010969, 0.14363), (0.053314, 0.057902, 0.023659, 0.0047093, 0.011734, 0.0080179)),
    (4.505, (-0.0030849, -0.026811, 0.092521), (0.022398, 0.014613, 0.017295, -0.00023986, -0.00029362, -0.0060875)),
    (1.745, (-0.00016044, -0.014967, 0.13582), (0.025506, 0.0253, 0.0034179, 4.4101e-06, 1.4955e-05, -0.0033204)),
    (2.5097, (-0.0048135, -0.0281, -0.084154), (0.01016, 0.0065685, 0.0069078, -9.7452e-06, 0.00026624, 0.0030316)),
    (1.1136, (-0.0018844, 0.0069001, 0.1341), (0.013557, 0.013555, 0.0013658, 1.8109e-05, 0.00013523, 0.0010561)),
    (1.5625, (0.0061133, -0.023697, 0.076416), (0.0047328, 0.0029676, 0.0031762, 0.00011526, 4.6269e-05, -0.0011557)),
    (
        0.3292,
        (-8.0726e-06, 0.0085838, -0.0049566),
        (0.00031105, 0.00021549, 0.00035976, 1.4771e-06, -3.7074e-07, -8.4533e-06),
    ),
)
"""(mass kg, centre of mass m, ixx iyy izz ixy ixz iyz kg·m²) of right_l0 .. right_l6, in the link's frame."""

HEAD: Inertial = (
    1.5795,
    (0.0053207, -2.6549e-05, 0.1021),
    (0.011833, 0.0082709, 0.0049661, -4.4669e-06, 4.9425e-05, 4.2124e-07),
)
HEAD_HEIGHT = 0.2965
GRIPPER_MASS = 0.47
GRIPPER: Inertial = (GRIPPER_MASS, (0.0028, -0.0004, 0.0293), (5.4e-4, 5.4e-4, 2.9e-4, 0.0, 0.0, 0.0))
"""The vendor gives the mass and centre; the inertia is a cylinder's of the gripper's size (the vendor's is a dummy)."""

BARE_HAND_KG = 1e-6
"""Of a hand without a tool: compensation is a share of a mass, and of nothing there is no share."""

Rgba = tuple[float, float, float, float]
SHELL: Rgba = (0.27, 0.28, 0.30, 1.0)
JOINT_RING: Rgba = (0.40, 0.13, 0.12, 1.0)
WRIST: Rgba = (0.72, 0.73, 0.76, 1.0)
HAND: Rgba = (0.98, 0.55, 0.10, 1.0)
FINGER: Rgba = (1.0, 0.90, 0.35, 1.0)

Point = tuple[float, float, float]
Capsule = tuple[Point, Point, float, Rgba]

LINK_CAPSULES: tuple[tuple[Capsule, ...], ...] = (
    (((0.0, 0.0, 0.02), (0.0, 0.0, 0.237), 0.08, SHELL), ((0.0, 0.0, 0.237), (0.081, 0.0, 0.237), 0.07, SHELL)),
    (((0.0, 0.0, 0.0), (0.0, 0.0, 0.13), 0.07, JOINT_RING), ((0.0, 0.0, 0.1425), (0.0, -0.13, 0.1425), 0.065, SHELL)),
    (((0.0, 0.0, -0.05), (0.0, 0.0, 0.25), 0.06, SHELL), ((0.0, 0.0, 0.26), (0.0, -0.03, 0.26), 0.06, JOINT_RING)),
    (((0.0, 0.0, 0.0), (0.0, 0.0, -0.1265), 0.058, SHELL), ((0.0, 0.0, -0.1265), (0.0, -0.11, -0.1265), 0.05, SHELL)),
    (((0.0, 0.0, -0.02), (0.0, 0.0, 0.25), 0.045, SHELL), ((0.0, 0.0, 0.275), (0.0, 0.02, 0.275), 0.055, JOINT_RING)),
    (((0.0, 0.0, 0.0), (0.0, 0.0, 0.1053), 0.05, WRIST), ((0.0, 0.0, 0.1053), (0.0, -0.07, 0.1053), 0.045, WRIST)),
    (((0.0, 0.0, -0.035), (0.0, 0.0, 0.0), 0.045, WRIST),),
)
"""(from, to, radius, colour) of the capsules that stand for right_l0 .. right_l6."""

FIRST_COLLIDING_LINK = 2
"""The links before it cannot reach the table."""

ROBOT_BIT, OBJECT_BIT = 1, 2
"""Contact bits: the robot meets tables and objects but not itself; objects meet tables too."""

FINGER_GEOMS = ("right_finger", "right_fingertip", "left_finger", "left_fingertip")
"""Those of the hand that move apart along its y; right is where y is negative."""

COLLISION_GROUP = 3
"""MuJoCo draws groups 0-2 only."""

HAND_CAMERA, HEAD_CAMERA = "right_hand_camera", "head_camera"
CAMERA_LINK = 5
CAMERA_ORIGIN = ((0.039552, -0.033, 0.0695), (0.0, np.pi / 2, 0.0))
"""right_hand_camera in right_l5, xyz m and rpy rad; it looks along its z, as head_camera does."""

HEAD_CAMERA_ORIGIN = ((0.0228027, 0.0, 0.216572), (-2.1293, 0.0, -np.pi / 2))
"""head_camera in head: forwards and 32 degrees down."""

SENSORS = {HAND_CAMERA: (752, 480, 613.760435), HEAD_CAMERA: (1280, 800, 407.391526)}
"""Width, height and focal length of the robot's own cameras, px."""

MESHES = ("base", "head", "pedestal", *(f"l{i}" for i in range(JOINTS)))


def quaternion(rpy: tuple[float, float, float]) -> Floats:
    """(4,) wxyz of fixed-axis roll, pitch, yaw."""
    result = np.zeros(4)
    mujoco.mju_mat2Quat(result, rotation_from_rpy(rpy).ravel())
    return result


def _set_inertial(body: mujoco.MjsBody, inertial: Inertial) -> None:
    body.explicitinertial = True
    body.mass, body.ipos, body.fullinertia = inertial
    body.gravcomp = 1.0


def _add_geom(body: mujoco.MjsBody, kind: mujoco.mjtGeom, rgba: Rgba, colliding: bool, **shape: object) -> None:
    contact = {"contype": ROBOT_BIT, "conaffinity": 0} if colliding else {"contype": 0, "conaffinity": 0}
    body.add_geom(type=kind, rgba=rgba, friction=[0.6, 0.005, 0.0001], **contact, **shape)


def _add_capsules(body: mujoco.MjsBody, link: int) -> None:
    for start, end, radius, rgba in LINK_CAPSULES[link]:
        _add_geom(
            body,
            mujoco.mjtGeom.mjGEOM_CAPSULE,
            rgba,
            link >= FIRST_COLLIDING_LINK,
            fromto=[*start, *end],
            size=[radius, 0.0, 0.0],
        )


def _add_stand(base: mujoco.MjsBody) -> mujoco.MjsBody:
    cylinder, box = mujoco.mjtGeom.mjGEOM_CYLINDER, mujoco.mjtGeom.mjGEOM_BOX
    _add_geom(base, cylinder, SHELL, False, size=[0.09, 0.04, 0], pos=[0, 0, 0.04])
    stand = base.add_body(name="pedestal")
    _add_geom(stand, cylinder, SHELL, False, size=[0.18, 0.31, 0], pos=[-0.02, 0, -0.31])
    _add_geom(stand, box, SHELL, False, size=[0.385, 0.35, 0.155], pos=[-0.1225, 0, -0.758])
    return stand


def _add_head(link: mujoco.MjsBody) -> mujoco.MjsBody:
    head = link.add_body(name="head", pos=[0, 0, HEAD_HEIGHT])
    _set_inertial(head, HEAD)
    _add_geom(head, mujoco.mjtGeom.mjGEOM_BOX, SHELL, False, size=[0.02, 0.14, 0.09], pos=[0.03, 0, 0.105])
    return head


def _add_camera(body: mujoco.MjsBody, name: str, origin: tuple[Point, Point]) -> None:
    """A camera whose frame is optical: x right, y down, z forwards."""
    _, height, focal = SENSORS[name]
    optical = rotation_from_rpy(origin[1])
    orientation = np.zeros(4)
    # MuJoCo's cameras look along -z, with y up.
    mujoco.mju_mat2Quat(orientation, (optical @ np.diag([1.0, -1.0, -1.0])).ravel())
    angle = 2 * float(np.degrees(np.arctan2(height / 2, focal)))
    body.add_camera(name=name, pos=origin[0], quat=orientation, fovy=angle)


def tool_inertial(mass_kg: float) -> Inertial:
    """Of a tool of `mass_kg`, kg, that is built as the electric gripper is."""
    _, centre, inertia = GRIPPER
    xx, yy, zz, xy, xz, yz = (moment * (mass_kg / GRIPPER_MASS) for moment in inertia)
    return mass_kg, centre, (xx, yy, zz, xy, xz, yz)


def _add_hand(link: mujoco.MjsBody, tool: ToolConfig, tool_offset_m: float, payload_error_kg: float) -> None:
    """The hand with the tool that it carries; a tool of one's own has the electric gripper's shape."""
    hand = link.add_body(name="right_hand", pos=HAND_ORIGIN[0], quat=quaternion(HAND_ORIGIN[1]))
    tool_kg = max(tool.mass_kg, BARE_HAND_KG)
    _set_inertial(hand, tool_inertial(tool_kg))
    hand.mass = tool_kg + max(payload_error_kg, 0.0)
    hand.gravcomp = (hand.mass - payload_error_kg) / hand.mass
    if tool.kind != "none":
        _add_gripper(hand)
    hand.add_site(name="tool", pos=[0, 0, tool_offset_m], size=[0.001] * 3, group=COLLISION_GROUP)


def _add_gripper(hand: mujoco.MjsBody) -> None:
    """The electric gripper, closed, in the hand's frame: connector plate, housing, two fingers with soft tips."""
    cylinder, box = mujoco.mjtGeom.mjGEOM_CYLINDER, mujoco.mjtGeom.mjGEOM_BOX
    _add_geom(hand, cylinder, HAND, True, size=[0.04, 0.0151, 0], pos=[0, 0, 0.0135])
    _add_geom(hand, box, HAND, True, size=[0.029, 0.05, 0.018], pos=[0.004, 0, 0.0424])
    for side, finger, tip in ((-1.0, *FINGER_GEOMS[:2]), (1.0, *FINGER_GEOMS[2:])):
        _add_geom(
            hand, box, FINGER, True, name=finger, size=[0.008, 0.00675, 0.0375], pos=[0.003, side * 0.0145, 0.0969]
        )
        _add_geom(hand, box, FINGER, True, name=tip, size=[0.008, 0.0035, 0.0185], pos=[0.003, side * 0.0113, 0.1199])


def _add_joint(spec: mujoco.MjSpec, body: mujoco.MjsBody, index: int) -> None:
    """Joint `index` and its velocity servo, which runs inside the physics.

    Torque = SPEED_GAIN (v - qdot) + stiffness (p - q) with v the commanded velocity and p its integral, the path that
    was commanded: the same as a velocity loop under a path-tracking loop. Both actuators take v.
    """
    low, high, rated = LOWER_LIMITS[index], UPPER_LIMITS[index], RATED_SPEEDS[index]
    joint = body.add_joint(
        name=JOINT_NAMES[index],
        type=mujoco.mjtJoint.mjJNT_HINGE,
        axis=[0, 0, 1],
        range=[low, high],
        limited=mujoco.mjtLimited.mjLIMITED_TRUE,
        armature=ARMATURE[index],
        damping=JOINT_DAMPING,
        actfrcrange=[-RATED_EFFORTS[index], RATED_EFFORTS[index]],
        actfrclimited=mujoco.mjtLimited.mjLIMITED_TRUE,
        actgravcomp=True,
    )
    for name in ("path", "speed"):
        actuator = spec.add_actuator(
            name=f"{name}_j{index}",
            trntype=mujoco.mjtTrn.mjTRN_JOINT,
            target=joint.name,
            ctrlrange=[-rated, rated],
            ctrllimited=mujoco.mjtLimited.mjLIMITED_TRUE,
        )
        if name == "path":
            actuator.set_to_intvelocity(kp=STIFFNESS_RATE * SPEED_GAIN[index])
            actuator.actrange, actuator.actlimited = [low, high], mujoco.mjtLimited.mjLIMITED_TRUE
        else:
            actuator.set_to_velocity(kv=SPEED_GAIN[index])


def _mesh_files(mesh_dir: str) -> dict[str, Path]:
    folder = Path(mesh_dir).expanduser()
    if not folder.is_dir():
        raise UserError(f"sim.mesh_dir {mesh_dir} is not a folder", next_step="leave it empty for primitive shapes")
    found = {path.stem.lower(): path for path in folder.iterdir() if path.suffix.lower() == ".stl"}
    missing = [name for name in MESHES if name not in found]
    if missing:
        raise UserError(
            f"sim.mesh_dir {mesh_dir} lacks {', '.join(name + '.stl' for name in missing)}",
            next_step="put the vendor's STL files there, or leave sim.mesh_dir empty for primitive shapes",
        )
    return {name: found[name] for name in MESHES}


def _dress(spec: mujoco.MjSpec, bodies: dict[str, mujoco.MjsBody], mesh_dir: str) -> None:
    """Show the vendor's meshes instead of the primitives, which stay for contacts."""
    for name, file in _mesh_files(mesh_dir).items():
        for geom in bodies[name].geoms:
            geom.group = COLLISION_GROUP
        # The published STL files are not watertight, so their volume means nothing.
        spec.add_mesh(name=name, file=str(file.resolve()), inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL)
        bodies[name].add_geom(
            type=mujoco.mjtGeom.mjGEOM_MESH, meshname=name, rgba=SHELL, contype=0, conaffinity=0, mass=0.0
        )


def add_sawyer(
    spec: mujoco.MjSpec, tool: ToolConfig, tool_offset_m: float, payload_error_kg: float, mesh_dir: str
) -> None:
    """Add the arm, its `tool`, head and pedestal to `spec`, before anything else that has joints.

    `payload_error_kg`: mass in the hand that gravity compensation ignores. `mesh_dir`: folder with base.stl, head.stl,
    pedestal.stl and l0.stl .. l6.stl, or "" for primitives. Raises UserError when meshes are missing there.
    """
    base = spec.worldbody.add_body(name="base")
    bodies = {"base": base, "pedestal": _add_stand(base)}
    parent = base
    for index, (xyz, rpy) in enumerate(JOINT_ORIGINS):
        link = parent.add_body(name=f"right_l{index}", pos=xyz, quat=quaternion(rpy))
        _set_inertial(link, INERTIALS[index])
        _add_joint(spec, link, index)
        _add_capsules(link, index)
        bodies[f"l{index}"] = parent = link
    bodies["head"] = _add_head(bodies["l0"])
    _add_camera(bodies["head"], HEAD_CAMERA, HEAD_CAMERA_ORIGIN)
    _add_camera(bodies[f"l{CAMERA_LINK}"], HAND_CAMERA, CAMERA_ORIGIN)
    _add_hand(parent, tool, tool_offset_m, payload_error_kg)
    if mesh_dir:
        _dress(spec, bodies, mesh_dir)
