"""The one eye: the window, the shrinking, channel order, and pictures on disk."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from robot_rig.config import CameraConfig
from robot_rig.datatypes import IMAGE_SHAPE, RawFrame
from robot_rig.errors import UserError
from robot_rig.vision import check_raw, load_goal_picture, preprocess, save_picture

GOLDEN = Path(__file__).parent / "fixtures" / "golden_84.png"
CONFIG = CameraConfig()


def patterned_raw() -> RawFrame:
    """640x480 of rings and stripes, by integer arithmetic, so that it is the same on every machine."""
    rows, columns = np.mgrid[0:480, 0:640]
    distance = (rows - 200) ** 2 + (columns - 350) ** 2
    rgb = np.stack([distance // 64, 3 * rows + columns, (rows // 12) * (columns // 16)], axis=2) % 256
    return RawFrame(7, 1.5, rgb.astype(np.uint8))


def test_policy_picture_is_the_golden_one() -> None:
    frame = preprocess(patterned_raw(), CONFIG)
    assert np.array_equal(frame.rgb, load_goal_picture(GOLDEN))
    assert (frame.seq, frame.stamp) == (7, 1.5)


def test_each_pixel_is_the_mean_of_its_five_by_five() -> None:
    raw = patterned_raw()
    window = raw.rgb[30:450, 110:530].astype(float)
    means = window.reshape(84, 5, 84, 5, 3).mean(axis=(1, 3))
    assert np.abs(preprocess(raw, CONFIG).rgb - means).max() <= 0.5


@pytest.mark.parametrize("side", [420, 252, 300])
def test_every_window_is_shrunk_as_opencv_does_it(side: int) -> None:
    rng = np.random.default_rng(side)
    for trial in range(40):
        top, left = int(rng.integers(0, 481 - side)), int(rng.integers(0, 641 - side))
        camera = CameraConfig(crop_px=side, crop_left_px=left, crop_top_px=top)
        noise = rng.integers(0, 256, (480, 640, 3), np.uint8)
        raw = RawFrame(trial, 0.0, noise if trial % 2 else np.where(noise > 127, 255 - trial, trial).astype(np.uint8))
        window = raw.rgb[top : top + side, left : left + side]
        expected = cv2.resize(window, (84, 84), interpolation=cv2.INTER_AREA)
        assert np.array_equal(preprocess(raw, camera).rgb, expected)


def test_a_picture_that_lies_otherwise_in_memory_looks_the_same() -> None:
    raw = patterned_raw()
    grey = np.broadcast_to(raw.rgb[..., :1], raw.rgb.shape)
    turned = np.asfortranarray(grey)
    assert np.array_equal(
        preprocess(RawFrame(0, 0.0, grey), CONFIG).rgb, preprocess(RawFrame(0, 0.0, turned), CONFIG).rgb
    )


def test_window_is_where_the_configuration_says() -> None:
    camera = CameraConfig(crop_left_px=200, crop_top_px=10)
    rgb = np.zeros((480, 640, 3), np.uint8)
    rgb[10:430, 200:620] = 255
    assert (preprocess(RawFrame(0, 0.0, rgb), camera).rgb == 255).all()


def test_red_card_is_red() -> None:
    rgb = np.zeros((480, 640, 3), np.uint8)
    rgb[..., 0] = 200
    frame = preprocess(RawFrame(0, 0.0, rgb), CONFIG)
    assert frame.rgb.reshape(-1, 3).max(axis=0).tolist() == [200, 0, 0]


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_red_card_on_disk_is_red(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"card.{suffix}"
    bgr = np.zeros(IMAGE_SHAPE, np.uint8)
    bgr[..., 2] = 200
    cv2.imwrite(str(path), bgr)
    red, green, blue = load_goal_picture(path).reshape(-1, 3).mean(axis=0)
    assert abs(red - 200) < 3
    assert max(green, blue) < 3


@pytest.mark.parametrize("size", [(480, 848), (640, 480), (479, 640)])
def test_picture_of_another_size_is_refused(size: tuple[int, int]) -> None:
    raw = RawFrame(0, 0.0, np.zeros((*size, 3), np.uint8))
    for refuse in (check_raw, preprocess):
        with pytest.raises(UserError, match=rf"{size[1]}x{size[0]} px, expected 640x480"):
            refuse(raw, CONFIG)


def test_saved_picture_comes_back(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 256, IMAGE_SHAPE, dtype=np.uint8)
    save_picture(tmp_path / "goal.png", picture)
    assert np.array_equal(load_goal_picture(tmp_path / "goal.png"), picture)
    assert [path.name for path in tmp_path.iterdir()] == ["goal.png"]


def test_a_saved_picture_is_on_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, done = tmp_path / "goal.png", []
    fsync = os.fsync

    def note(handle: int) -> None:
        done.append((os.readlink(f"/proc/self/fd/{handle}"), path.exists()))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", note)
    save_picture(path, np.zeros(IMAGE_SHAPE, np.uint8))
    (fresh, named_then), (folder, named_after) = done
    assert Path(fresh).parent == tmp_path
    assert not named_then
    assert (folder, named_after) == (str(tmp_path), True)


def test_unwritable_place_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot write"):
        save_picture(tmp_path / "none" / "goal.png", np.zeros(IMAGE_SHAPE, np.uint8))
    (tmp_path / "goal.png").mkdir()
    with pytest.raises(UserError, match="cannot write"):
        save_picture(tmp_path / "goal.png", np.zeros(IMAGE_SHAPE, np.uint8))
    assert [path.name for path in tmp_path.iterdir()] == ["goal.png"]
    with pytest.raises(ValueError, match="uint8"):
        save_picture(tmp_path / "float.png", np.zeros(IMAGE_SHAPE))  # type: ignore[arg-type]


def test_opencv_decodes_no_more_than_4096_px_a_side() -> None:
    """In a process of its own, because OpenCV reads its limit once: the second lock behind our own header check."""
    code = """
import numpy as np
from robot_rig import vision
png = vision.cv2.imencode(".png", np.zeros((4097, 4097), np.uint8))[1]
try:
    vision.cv2.imdecode(png, vision.cv2.IMREAD_COLOR)
except vision.cv2.error:
    pass
else:
    raise SystemExit("decoded")
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(part for part in sys.path if part)}
    environment.pop("OPENCV_IO_MAX_IMAGE_PIXELS", None)
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, timeout=60)
