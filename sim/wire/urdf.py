"""The robot's description as URDF text, made from the one kinematics table. Called by `sim.wire.robot`.

Joints, limits and inertias only: what a client computes with. Shapes are left to the camera.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree

from robot_rig.config import Config
from robot_rig.datatypes import JOINT_NAMES, JOINTS
from robot_rig.kinematics import HAND_ORIGIN, JOINT_ORIGINS, LOWER_LIMITS, RATED_EFFORTS, RATED_SPEEDS, UPPER_LIMITS
from sim.model import (
    CAMERA_LINK,
    CAMERA_ORIGIN,
    HEAD,
    HEAD_CAMERA,
    HEAD_CAMERA_ORIGIN,
    HEAD_HEIGHT,
    INERTIALS,
    Inertial,
    tool_inertial,
)
from sim.wire.head import HEAD_PAN, LOWER_LIMIT_RAD, RATED_EFFORT_NM, RATED_SPEED_RAD_S, UPPER_LIMIT_RAD
from sim.wire.tips import CAMERA, GRIPPER_TIP, HAND

NOWHERE = (0.0, 0.0, 0.0)
Origin = tuple[tuple[float, float, float], tuple[float, float, float]]


def robot_description(config: Config) -> str:
    """URDF of the arm, head and tool that `config` describes."""
    robot = ElementTree.Element("robot", name="sawyer")
    _link(robot, "base")
    for name in ("torso", "pedestal", "right_arm_base_link"):
        _fixed(robot, f"{name}_fixed", "base", name, (NOWHERE, NOWHERE))
    parent = "right_arm_base_link"
    for index in range(JOINTS):
        child = f"right_l{index}"
        _link(robot, child, INERTIALS[index])
        limits = (LOWER_LIMITS[index], UPPER_LIMITS[index], RATED_EFFORTS[index], RATED_SPEEDS[index])
        _revolute(robot, JOINT_NAMES[index], parent, child, JOINT_ORIGINS[index], limits)
        parent = child
    _link(robot, "head", HEAD)
    head_limits = (LOWER_LIMIT_RAD, UPPER_LIMIT_RAD, RATED_EFFORT_NM, RATED_SPEED_RAD_S)
    _revolute(robot, HEAD_PAN, "right_l0", "head", ((0.0, 0.0, HEAD_HEIGHT), NOWHERE), head_limits)
    _fixed(robot, HEAD_CAMERA, "head", HEAD_CAMERA, HEAD_CAMERA_ORIGIN)
    _fixed(robot, CAMERA, f"right_l{CAMERA_LINK}", CAMERA, CAMERA_ORIGIN)
    _fixed(robot, HAND, parent, HAND, HAND_ORIGIN)
    if config.tool.kind != "none":
        _fixed(robot, "right_gripper_base", HAND, "right_gripper_base", (NOWHERE, NOWHERE))
        _inertial(robot[-2], tool_inertial(config.tool.mass_kg))
        tip = (0.0, 0.0, config.control.tool_offset_m)
        _fixed(robot, GRIPPER_TIP, "right_gripper_base", GRIPPER_TIP, (tip, NOWHERE))
    ElementTree.indent(robot)
    return ElementTree.tostring(robot, encoding="unicode")


def _numbers(values: Sequence[float]) -> str:
    return " ".join(repr(float(value)) for value in values)


def _inertial(link: ElementTree.Element, inertial: Inertial) -> None:
    mass, centre, (ixx, iyy, izz, ixy, ixz, iyz) = inertial
    element = ElementTree.SubElement(link, "inertial")
    ElementTree.SubElement(element, "origin", xyz=_numbers(centre), rpy=_numbers(NOWHERE))
    ElementTree.SubElement(element, "mass", value=_numbers([mass]))
    moments = {"ixx": ixx, "ixy": ixy, "ixz": ixz, "iyy": iyy, "iyz": iyz, "izz": izz}
    ElementTree.SubElement(element, "inertia", {name: _numbers([value]) for name, value in moments.items()})


def _link(robot: ElementTree.Element, name: str, inertial: Inertial | None = None) -> None:
    link = ElementTree.SubElement(robot, "link", name=name)
    if inertial is not None:
        _inertial(link, inertial)


def _joint(
    robot: ElementTree.Element, name: str, kind: str, parent: str, child: str, origin: Origin
) -> ElementTree.Element:
    joint = ElementTree.SubElement(robot, "joint", name=name, type=kind)
    ElementTree.SubElement(joint, "origin", xyz=_numbers(origin[0]), rpy=_numbers(origin[1]))
    ElementTree.SubElement(joint, "parent", link=parent)
    ElementTree.SubElement(joint, "child", link=child)
    return joint


def _fixed(robot: ElementTree.Element, name: str, parent: str, child: str, origin: Origin) -> None:
    _link(robot, child)
    _joint(robot, name, "fixed", parent, child, origin)


def _revolute(
    robot: ElementTree.Element,
    name: str,
    parent: str,
    child: str,
    origin: Origin,
    limits: tuple[float, float, float, float],
) -> None:
    """`limits`: lower, upper (rad), effort (N·m), velocity (rad/s). Every axis is z."""
    joint = _joint(robot, name, "revolute", parent, child, origin)
    ElementTree.SubElement(joint, "axis", xyz=_numbers((0.0, 0.0, 1.0)))
    values = zip(("lower", "upper", "effort", "velocity"), limits, strict=True)
    ElementTree.SubElement(joint, "limit", {key: _numbers([value]) for key, value in values})
