"""A photo comes in upright and only through its window; what no phone takes is refused before it costs anything."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from robot_rig.datatypes import Bytes
from robot_rig.errors import UserError
from robot_rig.picture_files import MAX_PHOTO_PX, MAX_PHOTO_PX_IN_PASSES, MAX_PNG_PHOTO_PX, read_photo
from robot_rig.vision import Window, cut_out, load_goal_picture, load_photo, preview
from sim.strangers.goals import exif
from sim.strangers.pictures import jpeg, png

ORIENTATION = 0x0112


def scene(width: int = 320, height: int = 200) -> Bytes:
    """Smooth, so that JPEG keeps it, and unlike itself however it is turned or mirrored."""
    u, v = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    return np.stack([255 * u, 255 * v * u, 255 * (1 - v) ** 2], axis=-1).astype(np.uint8)


def written(path: Path, rgb: Bytes, orientation: int | None = None) -> Path:
    """A photo as a phone writes it: the picture as the sensor has it, and a word on how it was held."""
    tags = Image.Exif()
    if orientation is not None:
        tags[ORIENTATION] = orientation
    Image.fromarray(rgb).save(path, quality=95, subsampling=0, exif=tags)
    return path


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_is_upright_however_it_was_held(tmp_path: Path, orientation: int) -> None:
    """Another library, which reads the file by itself, is the judge."""
    path = written(tmp_path / "a.jpg", scene(), orientation)
    upright = np.asarray(ImageOps.exif_transpose(Image.open(path)).convert("RGB"))
    read = load_photo(path)
    assert read.shape == upright.shape
    assert np.abs(read.astype(int) - upright).max() <= 3


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("value", [0, 9, 65_535])
def test_nonsense_about_how_it_was_held_is_no_orientation(tmp_path: Path, order: str, value: int) -> None:
    entry = struct.pack(f"{order}HHIHH", ORIENTATION, 3, 1, value, 0)
    for number, said in enumerate((entry, entry[:7], struct.pack(f"{order}HHIHH", ORIENTATION, 2, 1, 6, 0))):
        path = tmp_path / f"{number}.jpg"
        path.write_bytes(jpeg(640, 480, 1, extra=exif(order, said, 1)))
        assert read_photo(path).orientation == 1
    path.write_bytes(jpeg(640, 480, 1, extra=exif(order, struct.pack(f"{order}HHIHH", ORIENTATION, 3, 1, 6, 0), 1)))
    assert read_photo(path).orientation == 6


def test_a_png_photo_keeps_every_pixel(tmp_path: Path) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (300, 210, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "a.png"), rgb[..., ::-1])
    assert np.array_equal(load_photo(tmp_path / "a.png"), rgb)


def test_a_window_is_cut_by_its_numbers_and_shrunk_by_area() -> None:
    tile = np.random.default_rng(1).integers(0, 256, (84, 84, 3), np.uint8)
    large = np.zeros((900, 1000, 3), np.uint8)
    large[30:450, 70:490] = np.repeat(np.repeat(tile, 5, axis=0), 5, axis=1)
    assert np.array_equal(cut_out(large, Window(70, 30, 420)), tile)
    assert not np.array_equal(cut_out(large, Window(71, 30, 420)), tile)
    small = np.concatenate([tile, tile], axis=1)
    assert np.array_equal(cut_out(small, Window(84, 0, 84)), tile)


@pytest.mark.parametrize(
    ("window", "said"),
    [
        (Window(0, 0, 83), "less than the 84 px"),
        (Window(-1, 0, 100), "reaches outside"),
        (Window(0, -5, 100), "reaches outside"),
        (Window(221, 0, 100), "reaches outside"),
        (Window(0, 101, 100), "reaches outside"),
    ],
)
def test_a_window_outside_the_photo_is_refused(window: Window, said: str) -> None:
    with pytest.raises(UserError, match=said):
        cut_out(scene(), window)
    assert cut_out(scene(), Window(220, 100, 100)).shape == (84, 84, 3)


def test_the_preview_shows_the_photo_the_window_and_what_is_cut_out() -> None:
    grey = np.full((1000, 1500, 3), 90, np.uint8)
    grey[200:800, 300:900] = 200
    drawn = preview(grey, Window(300, 200, 600), 250)
    assert drawn.shape == (250, 375 + 250, 3)
    assert (drawn[:, 375:] == 200).all()
    marked = (drawn[:, :375] != 90).any(axis=2) & (drawn[:, :375] != 200).any(axis=2)
    rows, columns = np.nonzero(marked)
    assert abs(rows.min() - 50) <= 2
    assert abs(rows.max() - 200) <= 2
    assert abs(columns.min() - 75) <= 2
    assert abs(columns.max() - 225) <= 2
    assert (grey[0, 0] == 90).all()


def test_what_no_phone_takes_is_refused_by_its_header(tmp_path: Path) -> None:
    assert (MAX_PHOTO_PX, MAX_PNG_PHOTO_PX) == (4096 * 3072, 3840 * 2160)
    for content, said in (
        (png(3840, 2161, b""), "more than 4096 px a side and 8 megapixels"),
        (jpeg(4096, 3073, 1), "more than 4096 px a side and 12 megapixels"),
        (png(4097, 100, b""), "more than 4096 px"),
        (png(83, 500, b""), "less than the 84 px"),
        (jpeg(4000, 3000, 1), "drawn in passes"),
        (jpeg(640, 480, 17), "more than 16 passes"),
        (jpeg(640, 480, 1, extra=jpeg(90, 90, 1)[2:-2]), "rare kind"),
        (b"GIF89a" + bytes(100), "not a picture that is understood"),
    ):
        (tmp_path / "a").write_bytes(content)
        with pytest.raises(UserError, match=said):
            load_photo(tmp_path / "a")
    assert MAX_PHOTO_PX_IN_PASSES > 2592 * 1900
    (tmp_path / "a").write_bytes(jpeg(2592, 1900, 2))
    assert load_photo(tmp_path / "a").shape == (1900, 2592, 3)


def test_links_and_fifos_are_no_photos(tmp_path: Path) -> None:
    good = written(tmp_path / "good.jpg", scene())
    (tmp_path / "link.jpg").symlink_to(good)
    with pytest.raises(UserError, match="symbolic link"):
        load_photo(tmp_path / "link.jpg")
    with pytest.raises(UserError, match="not a regular file"):
        load_photo("/dev/null")


def test_a_photo_is_no_goal_picture_and_loses_what_a_phone_says_besides(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jpg", scene(84, 84), 6)
    # As a goal it is taken pixel by pixel, as before: only an import looks at how a phone was held.
    assert np.abs(load_goal_picture(path).astype(int) - scene(84, 84)).mean() < 3
    assert np.abs(load_photo(path).astype(int) - np.rot90(scene(84, 84), -1)).mean() < 3
    assert b"Exif" in path.read_bytes()
    assert b"Exif" not in read_photo(path).content
    assert Image.open(io.BytesIO(read_photo(path).content)).size == (84, 84)
