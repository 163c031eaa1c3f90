"""The definitions as data: what each release has, lacks and calls by which md5. Needs no ROS."""

from __future__ import annotations

import pytest

from robot_rig.errors import UserError
from robot_rig.ros.intera_table import Kind, definition, definitions, fitting_releases, md5, releases

# Written down once more by hand, from the vendor's repositories: the table is compared with them, not with itself.
PUBLISHED = [
    ("5.5.2", "JointCommand", "c8c85922d297da6209a089a906207e5d"),
    ("5.5.2", "SolvePositionIK", "bfaf95727b5cb485d8a6213686b8ea37"),
    ("5.5.2", "SEAJointState", "a473404cd707e34325ad3da7b206381f"),
    ("5.5.2", "MotionCommandAction", "b4e2247aeb284db6a4a3b8946729492d"),
    ("5.5.2", "FollowJointTrajectoryAction", "bc4f9b743838566551c0390c65f1a248"),
    ("5.5.2", "StringArray", "cce5a364f3a3be12c9722c6dcad2fa94"),
    ("5.3.0", "SolvePositionIK", "7ae4607244c30c6c631f3693cd280e45"),
    ("5.3.0", "SolvePositionIKRequest", "b09dd99695bb18639bfea7c92d0a89ca"),
    ("5.3.0", "SEAJointState", "5df7bfe6612daccc934b34dad7800762"),
    ("5.3.0", "RobotAssemblyState", "df79ce5f75a6b23626e9fcdf1cc4d298"),
    ("5.2.0", "AssemblyState", "1dd1da5d897074cd1eece6cc0449a2eb"),
    ("5.2.0", "AssemblyStates", "e60903da48d12ed6e5c516419befbe62"),
    ("5.1.0", "IOStatus", "9bf5b1607227eec6d965f9c3a59c0650"),
    ("5.1.0", "IODeviceStatus", "718c67c597ae650d738fb6d34d8bb893"),
    ("5.1.0", "IOComponentCommandSrvResponse", "5a3a30b06fc8a786551726a890a2e0e5"),
    ("5.1.0", "JointCommand", "c8c85922d297da6209a089a906207e5d"),
]


@pytest.mark.parametrize(("release", "name", "published"), PUBLISHED)
def test_md5_sums_are_the_published_ones(release: str, name: str, published: str) -> None:
    assert md5(release, name) == published
    assert md5(release, f"{definition(release, name).package}/{name}") == published


def test_every_release_has_all_its_types() -> None:
    assert releases() == ("5.5.2", "5.3.0", "5.2.0", "5.1.0")
    newest = definitions("5.5.2").values()
    own = [
        one for one in newest if one.kind is Kind.MESSAGE and not one.name.endswith(tuple(f"Action{p}" for p in PARTS))
    ]
    assert len(own) == 57
    assert sum(one.kind is Kind.SERVICE for one in newest) == 3
    assert [len(definitions(release)) for release in releases()] == [78, 78, 79, 56]


PARTS = ("", "Goal", "Result", "Feedback")


@pytest.mark.parametrize(
    ("release", "name", "belongs_to"),
    [
        ("5.5.2", "AssemblyState", "5.2.0, 5.1.0"),
        ("5.2.0", "RobotAssemblyState", "5.5.2, 5.3.0"),
        ("5.1.0", "CameraControl", "5.5.2, 5.3.0, 5.2.0"),
        ("5.1.0", "InteractionControlCommand", "5.5.2, 5.3.0, 5.2.0"),
        ("5.1.0", "intera_motion_msgs/Waypoint", "5.5.2, 5.3.0, 5.2.0"),
    ],
)
def test_a_type_that_a_release_lacks_is_refused_with_those_that_have_it(
    release: str, name: str, belongs_to: str
) -> None:
    with pytest.raises(UserError, match=f"{release} has no {name}, which belongs to {belongs_to}"):
        md5(release, name)


@pytest.mark.parametrize("name", ["Nothing", "wrong_msgs/JointCommand", "", "JointCommand "])
def test_a_type_that_no_release_has_is_refused(name: str) -> None:
    with pytest.raises(UserError):
        md5("5.5.2", name)


def test_an_unknown_release_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"5\.4\.0.*5\.5\.2, 5\.3\.0, 5\.2\.0, 5\.1\.0"):
        definitions("5.4.0")


def test_a_release_is_told_by_what_it_changed() -> None:
    def seen(release: str, *names: str) -> dict[str, str]:
        return {definition(release, name).full_name: md5(release, name) for name in names}

    assert fitting_releases(seen("5.5.2", "JointCommand")) == releases()
    assert fitting_releases(seen("5.5.2", "RobotAssemblyState")) == ("5.5.2", "5.3.0")
    assert fitting_releases(seen("5.5.2", "RobotAssemblyState", "SEAJointState")) == ("5.5.2",)
    assert fitting_releases(seen("5.3.0", "RobotAssemblyState", "SEAJointState")) == ("5.3.0",)
    assert fitting_releases(seen("5.2.0", "AssemblyState", "IODeviceStatus")) == ("5.2.0",)
    assert fitting_releases(seen("5.1.0", "IODeviceStatus")) == ("5.1.0",)
    with pytest.raises(UserError, match="no known release"):
        fitting_releases({"intera_core_msgs/JointCommand": "0" * 32})
    with pytest.raises(UserError, match="no known release"):
        fitting_releases(seen("5.1.0", "IODeviceStatus") | seen("5.5.2", "RobotAssemblyState"))


def test_each_release_tells_itself_from_all_others() -> None:
    for release in releases():
        everything = {one.full_name: one.md5 for one in definitions(release).values()}
        assert fitting_releases(everything) == (release,)


def test_a_comment_after_a_string_constant_is_its_value() -> None:
    assert (
        "string MOTION_GENERATE=generate  # Generate path, but do not run\n"
        in definition("5.5.2", "MotionCommandGoal").text
    )
