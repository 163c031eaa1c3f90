"""A camera that somebody may have replugged is checked before any picture of it is passed on."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from drivers.camera_again import OPENED_ANEW, CheckedAgain
from drivers.camera_device import CameraLost
from drivers.camera_ladder import Rung
from drivers.looking import Looking
from drivers.picture_watch import PictureWatch
from robot_rig.datatypes import RawFrame
from robot_rig.errors import UserError

PICTURE = np.zeros((2, 2, 3), np.uint8)


class Stand:
    """A camera that counts pictures while it is not silent, and what was tried; `moved` when it was pushed."""

    def __init__(self) -> None:
        self.seq, self.silent, self.moved = 0, False, False
        self.counts: Counter[str] = Counter()
        self.checks: list[int] = []
        self.camera = CheckedAgain(self, lambda: self.counts, self.check)

    def read(self) -> RawFrame:
        self.seq += not self.silent
        return RawFrame(self.seq, float(self.seq), PICTURE)

    def close(self) -> None:
        self.silent = True

    def check(self) -> None:
        self.checks.append(self.read().seq)
        if self.moved:
            raise UserError("the camera has moved", next_step="put it back")


@pytest.mark.parametrize("rung", OPENED_ANEW)
def test_after_it_was_opened_anew_it_is_checked_once_before_its_first_picture(rung: Rung) -> None:
    stand = Stand()
    before = stand.camera.read().seq
    assert stand.camera.read().seq == before + 1
    stand.silent = True
    stand.counts[Rung.RESTART.value] += 1
    stand.counts[rung.value] += 1
    assert stand.camera.read().seq == before + 1
    assert stand.checks == [], "the picture of before tells nothing"
    stand.silent = False
    assert stand.camera.read().seq > before + 1
    assert len(stand.checks) == 1
    for _ in range(5):
        stand.camera.read()
    assert len(stand.checks) == 1
    stand.counts[rung.value] += 1
    stand.camera.read()
    assert len(stand.checks) == 2


@pytest.mark.parametrize("rung", OPENED_ANEW)
def test_no_picture_of_a_camera_that_was_pushed_meanwhile_is_passed_on(rung: Rung) -> None:
    stand = Stand()
    stand.camera.read()
    stand.counts[rung.value] += 3
    stand.moved = True
    for _ in range(3):
        with pytest.raises(CameraLost, match=r"has moved\. Put it back\.") as lost:
            stand.camera.read()
        assert lost.value.code == "camera_moved"


def test_a_restart_is_no_reason_to_check() -> None:
    stand = Stand()
    stand.moved = True
    stand.camera.read()
    stand.counts[Rung.RESTART.value] += 1
    stand.counts[f"recovered by {Rung.RESTART.value}"] += 1
    stand.camera.read()
    assert stand.checks == []


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (CameraLost("camera_moved", "the camera has moved", "put it back"), "camera_moved"),
        (UserError("two nodes publish the pictures"), "image_refused"),
    ],
)
def test_why_there_is_no_further_picture_is_told_as_what_it_is(error: UserError, code: str) -> None:
    told: list[str] = []
    looking = Looking(Stand(), PictureWatch(0.1), lambda *_: None, lambda said, _: told.append(said))
    looking.refuse(error)
    assert told == [code]
