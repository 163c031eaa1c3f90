"""What every camera must do, whatever it is made of. Inherit `CameraContract` and implement `make`."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pytest

from robot_rig.config import CameraConfig
from robot_rig.datatypes import Bytes
from robot_rig.errors import UserError
from robot_rig.interfaces import Camera


@dataclass
class CameraBench:
    """A camera, the way to let time pass, and where in its picture something red lies: `red` is (row, column)."""

    camera: Camera
    config: CameraConfig
    let_pass: Callable[[float], None]
    red: tuple[int, int]


class CameraContract:
    """The laws of `interfaces.Camera`."""

    def make(self) -> CameraBench:
        """A fresh, open camera."""
        raise NotImplementedError

    @pytest.fixture
    def bench(self) -> Iterator[CameraBench]:
        bench = self.make()
        yield bench
        bench.camera.close()

    def test_gives_pictures_of_the_configured_size(self, bench: CameraBench) -> None:
        frame = bench.camera.read()
        assert frame.rgb.dtype == np.uint8
        assert frame.rgb.shape == (bench.config.height_px, bench.config.width_px, 3)
        assert frame.rgb.std() > 1.0

    def test_numbers_and_stamps_rise(self, bench: CameraBench) -> None:
        frames = []
        for _ in range(3):
            frames.append(bench.camera.read())
            bench.let_pass(0.1)
        for earlier, later in itertools.pairwise(frames):
            assert later.seq > earlier.seq
            assert later.stamp > earlier.stamp

    def test_colours_come_in_rgb_order(self, bench: CameraBench) -> None:
        pixel: Bytes = bench.camera.read().rgb[bench.red]
        red, green, blue = (int(value) for value in pixel)
        assert red > 2 * max(green, blue, 1)

    def test_a_picture_does_not_change_after_it_was_given(self, bench: CameraBench) -> None:
        frame = bench.camera.read()
        kept = frame.rgb.copy()
        bench.let_pass(0.1)
        bench.camera.read()
        assert np.array_equal(frame.rgb, kept)
        with pytest.raises(ValueError, match="read-only"):
            frame.rgb[0, 0, 0] = 1

    def test_close_may_be_repeated_and_ends_reading(self, bench: CameraBench) -> None:
        bench.camera.close()
        bench.camera.close()
        with pytest.raises(UserError):
            bench.camera.read()
