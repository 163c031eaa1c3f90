"""The arm's own description is read to the digit, and anything that is not this arm is refused by name."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from drivers.arm_description import PUBLISHED, ArmTable, read_arm_table
from robot_rig.errors import UserError
from robot_rig.kinematics import NEUTRAL, Kinematics


def urdf_of(table: ArmTable) -> str:
    """A small URDF of the arm, with what a real one also has around it: a mount, a head and a gripper."""

    def joint(name: str, kind: str, parent: str, child: str, origin: object, extra: str = "") -> str:
        xyz, rpy = (" ".join(repr(float(x)) for x in part) for part in origin)  # type: ignore[attr-defined]
        return (
            f'<joint name="{name}" type="{kind}"><parent link="{parent}"/><child link="{child}"/>'
            f'<origin xyz="{xyz}" rpy="{rpy}"/>{extra}</joint>'
        )

    zero = ((0, 0, 0), (0, 0, 0))
    axis = '<axis xyz="0 0 1"/>'
    parents = ["right_arm_base_link", *(f"right_l{i}" for i in range(6))]
    lines = [joint("right_arm_mount", "fixed", "base", "right_arm_base_link", zero)]
    for i, (parent, origin) in enumerate(zip(parents, table.origins, strict=True)):
        lines.append(joint(f"right_j{i}", "revolute", parent, f"right_l{i}", origin, axis))
    lines.append(joint("right_hand", "fixed", "right_l6", "right_hand", table.hand))
    lines.append(joint("head_pan", "revolute", "right_l0", "head", ((0, 0, 0.3), (0, 0, 0)), axis))
    lines.append(joint("right_gripper_base", "fixed", "right_hand", "right_gripper_base", zero))
    return f'<?xml version="1.0"?><robot name="sawyer">{"".join(reversed(lines))}</robot>'


def test_a_description_comes_back_to_the_digit() -> None:
    moved = tuple(
        ((x + 1e-4 * i, y - 2e-4, z), (r, p + 1e-4, w)) for i, ((x, y, z), (r, p, w)) in enumerate(PUBLISHED.origins)
    )
    table = ArmTable(moved, ((0.0, 1e-4, 0.0245), (0.0, 0.0, 1.57)))
    assert read_arm_table(urdf_of(table)) == table


def test_the_published_table_gives_the_built_in_kinematics() -> None:
    table = read_arm_table(urdf_of(PUBLISHED))
    here = Kinematics(0.1, table.origins, table.hand).pose(NEUTRAL)
    assert np.array_equal(here.tool, Kinematics(0.1).pose(NEUTRAL).tool)


MOUNT = (
    '<joint name="right_arm_mount" type="fixed"><parent link="base"/><child link="right_arm_base_link"/><origin xyz="'
)

SPOILT: list[tuple[Callable[[str], str], str]] = [
    (lambda text: "no xml at all", "not XML"),
    (lambda text: text[: len(text) // 2], "not XML"),
    (lambda text: "<robot/>", "nothing holds right_hand"),
    (lambda text: text.replace("right_j3", "left_j3"), "left_j3"),
    (lambda text: text.replace('name="right_j5" type="revolute"', 'name="right_j5" type="fixed"'), "turn right_j0"),
    (lambda text: text.replace('<axis xyz="0 0 1"/>', '<axis xyz="0 1 0"/>'), "z axis"),
    (lambda text: text.replace('<axis xyz="0 0 1"/>', ""), "z axis"),
    (lambda text: text.replace("0.081", "nan"), "three numbers"),
    (lambda text: text.replace("0.081", "8,1"), "three numbers"),
    (lambda text: text.replace(MOUNT + "0.0", MOUNT + "0.1"), "right_arm_mount shifts the arm"),
    (lambda text: text.replace('<parent link="right_l5"/>', ""), "no parent"),
    (lambda text: text.replace("<robot name", '<!DOCTYPE x [<!ENTITY a "b">]><robot name'), "entities"),
    (lambda text: text + " " * 3_000_000, "too long"),
]


@pytest.mark.parametrize(("spoil", "said"), SPOILT)
def test_what_is_not_this_arm_is_refused(spoil: Callable[[str], str], said: str) -> None:
    text = urdf_of(PUBLISHED)
    assert spoil(text) != text
    with pytest.raises(UserError, match=said):
        read_arm_table(spoil(text))


def test_a_chain_that_runs_in_a_circle_ends() -> None:
    circle = urdf_of(PUBLISHED).replace('<parent link="base"/>', '<parent link="right_l3"/>')
    with pytest.raises(UserError, match="nothing holds"):
        read_arm_table(circle)
