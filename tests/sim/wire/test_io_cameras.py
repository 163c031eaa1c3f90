"""What exposure, gain, flip and mirror do to a picture of the robot's own cameras."""

from __future__ import annotations

import numpy as np
import pytest

from robot_rig.datatypes import Bytes
from sim.wire.io_cameras import exposed, hand_camera, head_camera, light_of
from sim.wire.io_device import Command, Device

ROOM = np.random.default_rng(0).integers(0, 120, (6, 8, 3)).astype(np.uint8)


def seen(camera: Device, **settings: object) -> Bytes:
    camera.apply(Command((1, 0), settings))
    assert camera.state().responses == [""]
    return exposed(camera.name, ROOM, camera.state().values)


def test_as_they_come_the_head_shows_the_room_and_the_hand_its_light() -> None:
    assert np.array_equal(seen(head_camera(), set_flip=False), ROOM)
    grey = seen(hand_camera(), set_flip=False)
    assert grey.shape == ROOM.shape[:2]
    assert grey == pytest.approx(ROOM @ [0.299, 0.587, 0.114], abs=1.0)


@pytest.mark.parametrize("make", [hand_camera, head_camera])
def test_light_grows_with_exposure_and_gain_and_ends_at_white(make: type[Device]) -> None:
    name = make().name
    lights = []
    for exposure in (5, 20, 50, 100):
        for gain in (0, 20, 60):
            camera = make()
            seen(camera, set_exposure=exposure, set_gain=gain)
            lights.append(light_of(name, camera.state().values))
    table = np.array(lights).reshape(4, 3)
    assert (np.diff(table, axis=0) > 0).all()
    assert (np.diff(table, axis=1) > 0).all()
    bright, dark = seen(make(), set_exposure=100, set_gain=79), seen(make(), set_exposure=1, set_gain=0)
    assert dark.max() < bright.mean()
    assert bright.max() == 255


def test_the_pictures_can_be_turned_over() -> None:
    upright = seen(head_camera(), set_flip=False)
    assert np.array_equal(seen(head_camera(), set_flip=True), upright[::-1])
    assert np.array_equal(seen(head_camera(), set_mirror=True), upright[:, ::-1])


def test_brightness_lifts_the_hands_picture_by_its_share_of_white() -> None:
    usual = seen(hand_camera(), set_brightness=10).astype(float)
    assert seen(hand_camera(), set_brightness=30) == pytest.approx(usual + 51.0, abs=1.0)
    assert seen(hand_camera(), set_brightness=0) == pytest.approx(np.maximum(usual - 25.5, 0.0), abs=1.0)
