"""Whoever may command the arm is known by name, or the guard does not open."""

from __future__ import annotations

import pytest

from drivers.commander_watch import CommanderWatch
from robot_rig.errors import UserError

TOPIC = "/robot/limb/right/joint_command"


def watch(*confirmed: str) -> CommanderWatch:
    return CommanderWatch("/rig_arm", confirmed, TOPIC, lambda: 0.0)


def test_alone_is_fine() -> None:
    alone = watch()
    assert alone.look([]) == ()
    assert alone.look(["/rig_arm"]) == ()
    alone.check()


def test_a_stranger_is_refused_by_name_until_it_is_gone() -> None:
    seen = watch()
    assert seen.look(["/rig_arm", "/wobbler", "/keyboard"]) == ("/keyboard", "/wobbler")
    with pytest.raises(UserError, match="/keyboard, /wobbler can also command") as refusal:
        seen.check()
    assert "--confirm-publisher /keyboard" in refusal.value.next_step
    assert TOPIC in str(refusal.value)
    seen.look(["/rig_arm"])
    seen.check()


def test_a_confirmed_one_may_stay_with_or_without_its_slash() -> None:
    for name in ("trajectory_server", "/trajectory_server"):
        seen = watch(name)
        assert seen.look(["/rig_arm", "/trajectory_server"]) == ()
        seen.check()
        assert seen.look(["/trajectory_server", "/trajectory_server2"]) == ("/trajectory_server2",)


def test_who_cannot_see_does_not_open() -> None:
    seen = watch()
    with pytest.raises(UserError, match="not been asked"):
        seen.check()
    seen.look(["/rig_arm"])
    seen.check()
    seen.lose_sight("the master does not answer")
    with pytest.raises(UserError, match="does not answer"):
        seen.check()
    seen.look(["/rig_arm"])
    seen.check()


def test_a_newcomer_is_told_once_and_again_after_it_was_gone() -> None:
    seen = watch()
    assert seen.look(["/a"]) == ("/a",)
    assert seen.look(["/a"]) == ()
    assert seen.look(["/a", "/b"]) == ("/b",)
    assert seen.look([]) == ()
    assert seen.look(["/a"]) == ("/a",)
    assert seen.strangers == ("/a",)


def test_a_second_commander_has_a_code() -> None:
    seen = watch()
    assert seen.codes == ()
    seen.look(["/rig_arm", "/a"])
    seen.disarmed()
    seen.look(["/rig_arm", "/a"])
    assert seen.codes == ("second_commander",)
    seen.look(["/rig_arm"])
    assert seen.codes == ()


def test_that_motors_were_switched_off_is_told_only_of_those_for_whom_they_were() -> None:
    seen = watch()
    seen.look(["/a"])
    assert seen.codes == ("other_commander_seen",)
    seen.disarmed()
    seen.look(["/a", "/b"])
    assert seen.codes == ("other_commander_seen",)
    seen.disarmed()
    assert seen.codes == ("second_commander",)
    seen.look([])
    seen.look(["/a"])
    assert seen.codes == ("other_commander_seen",)
