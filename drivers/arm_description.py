"""The kinematic table of one particular arm, read from its URDF. Called by the Sawyer drivers at start.

Every Sawyer carries a factory-calibrated description; the published table in `robot_rig.kinematics` is only nearly
right for it. Just what the arm's seven joints need is read, with the standard library.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from xml.etree import ElementTree

import numpy as np

from robot_rig.datatypes import JOINT_NAMES
from robot_rig.errors import UserError
from robot_rig.kinematics import HAND_ORIGIN, JOINT_ORIGINS

BASE, HAND = "base", "right_hand"
MAX_CHARACTERS = 2_000_000
IDENTITY_TOLERANCE = 1e-9

Origin = tuple[tuple[float, float, float], tuple[float, float, float]]


class ArmTable(NamedTuple):
    """(xyz m, rpy rad) of right_j0 .. right_j6 in their parent links, and of right_hand in right_l6."""

    origins: tuple[Origin, ...]
    hand: Origin


PUBLISHED = ArmTable(JOINT_ORIGINS, HAND_ORIGIN)


def read_arm_table(urdf: str) -> ArmTable:
    """The table of the arm that the text `urdf` describes.

    Raises UserError when the text is no URDF or its arm is not base, right_j0 .. right_j6 about z, right_hand.
    """
    joints = _joints_by_child(_parse(urdf))
    chain: list[ElementTree.Element] = []
    link = HAND
    while link != BASE:
        joint = joints.pop(link, None)
        if joint is None:
            raise _refusal(f"no chain of joints leads from {BASE} to {HAND}: nothing holds {link}")
        chain.append(joint)
        link = _attribute(joint, "parent", "link")
    moving = [joint for joint in reversed(chain) if joint.get("type") != "fixed"]
    names = tuple(joint.get("name") for joint in moving)
    if names != JOINT_NAMES:
        raise _refusal(f"between {BASE} and {HAND} turn {', '.join(str(name) for name in names) or 'no joints'}")
    for joint in moving:
        if not np.allclose(_numbers(joint, "axis", "xyz", "1 0 0"), (0, 0, 1), atol=IDENTITY_TOLERANCE):
            raise _refusal(f"{joint.get('name')} does not turn about its z axis")
    hand, mounts = chain[0], [joint for joint in chain[1:] if joint.get("type") == "fixed"]
    if hand.get("type") != "fixed":
        raise _refusal(f"{HAND} is not fixed to the last link")
    for mount in mounts:
        if np.abs(_origin(mount)).max() > IDENTITY_TOLERANCE:
            raise _refusal(f"the fixed joint {mount.get('name')} shifts the arm")
    return ArmTable(tuple(_origin(joint) for joint in moving), _origin(hand))


def _parse(urdf: str) -> ElementTree.Element:
    # An entity can blow a small text up to gigabytes; a description of an arm needs none.
    if len(urdf) > MAX_CHARACTERS or "<!DOCTYPE" in urdf or "<!ENTITY" in urdf:
        raise _refusal("the text is too long or defines entities")
    try:
        return ElementTree.fromstring(urdf)
    except ElementTree.ParseError as error:
        raise _refusal(f"the text is not XML ({error})") from error


def _joints_by_child(robot: ElementTree.Element) -> dict[str, ElementTree.Element]:
    return {_attribute(joint, "child", "link"): joint for joint in robot.findall("joint")}


def _attribute(joint: ElementTree.Element, tag: str, name: str) -> str:
    found = joint.find(tag)
    value = None if found is None else found.get(name)
    if value is None:
        raise _refusal(f"joint {joint.get('name')} has no {tag}")
    return value


def _numbers(joint: ElementTree.Element, tag: str, name: str, default: str) -> Sequence[float]:
    found = joint.find(tag)
    attributes: Mapping[str, str] = {} if found is None else found.attrib
    text = attributes.get(name, default)
    try:
        values = [float(word) for word in text.split()]
    except ValueError:
        values = []
    if len(values) != 3 or not np.isfinite(values).all():
        raise _refusal(f"joint {joint.get('name')}: {tag} {name} {text!r} is not three numbers")
    return values


def _origin(joint: ElementTree.Element) -> Origin:
    x, y, z = _numbers(joint, "origin", "xyz", "0 0 0")
    roll, pitch, yaw = _numbers(joint, "origin", "rpy", "0 0 0")
    return (x, y, z), (roll, pitch, yaw)


def _refusal(problem: str) -> UserError:
    return UserError(
        f"/robot_description does not describe a Sawyer: {problem}",
        next_step="see whether another program has set it; the robot sets its own when it starts",
    )
