"""What comes out of the faulty cable of the camera is wrong in the one way that the row is about."""

from __future__ import annotations

from types import SimpleNamespace

from sim.faults.camera_faults import FaultyCamera
from sim.faults.rows_refused import SIZES


def test_the_pictures_of_row_5_are_of_another_size_and_nothing_else_is_wrong_with_them() -> None:
    grey = bytes(range(27))
    stamp = SimpleNamespace(to_sec=lambda: 1.0)
    message = SimpleNamespace(header=SimpleNamespace(stamp=stamp), data=grey, width=3, height=3, step=9)
    for fault in SIZES:
        camera = FaultyCamera(0)
        camera.set(fault)
        (late,) = camera.take(message)
        picture = late.message
        assert (picture.width, picture.height) == (fault["width"], fault["height"])
        assert picture.data[:27] == grey
        assert len(picture.data) == (27 if fault.get("lie") else 3 * picture.width * picture.height)
        assert min(picture.data.count(value) for value in grey) > 0
