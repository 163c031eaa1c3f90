"""The one eye: from a camera's picture to the policy's, and goal pictures to and from disk. The library's OpenCV user.

Called by the camera node, the calibration, the command line and, over a `Camera`, every loop that looks. Pictures are
uint8 RGB everywhere; BGR exists inside this file only. A goal picture may come from a stranger, so its header is read
here, by `picture_files`, before any decoder sees it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from robot_rig.compiled import BYTES_READ_2, BYTES_WRITE_2, NATURAL, compiled
from robot_rig.config import CameraConfig
from robot_rig.datatypes import IMAGE_SHAPE, IMAGE_SIZE, Bytes, Frame, RawFrame
from robot_rig.disk import write_atomically
from robot_rig.errors import UserError
from robot_rig.picture_files import MAX_SIDE_PX, checked, read_checked, read_photo

# OpenCV reads its limit once, when it is imported.
os.environ["OPENCV_IO_MAX_IMAGE_PIXELS"] = str(MAX_SIDE_PX * MAX_SIDE_PX)

import cv2

RAW_ENCODINGS = ("rgb8", "bgr8")
WINDOW_RGB = (255, 220, 0)
FIFTH = 5
"""The default window is exactly five times the policy's picture."""


def check_raw(raw: RawFrame, camera: CameraConfig) -> None:
    """Raise UserError unless `raw` has the size that `camera` promises."""
    height, width = raw.rgb.shape[:2]
    if (width, height) != (camera.width_px, camera.height_px):
        raise UserError(
            f"the camera gave {width}x{height} px, expected {camera.width_px}x{camera.height_px}",
            next_step="set the camera's resolution, or camera.width_px and camera.height_px and calibrate again",
        )


def preprocess(raw: RawFrame, camera: CameraConfig) -> Frame:
    """What the policy sees of `raw`: the configured square window, shrunk to 84x84 by area. Stamp and number stay.

    Raises UserError when the picture has not the configured size.
    """
    check_raw(raw, camera)
    left, top, side = camera.crop_left_px, camera.crop_top_px, camera.crop_px
    if side == FIFTH * IMAGE_SIZE:
        rows = np.ascontiguousarray(raw.rgb).reshape(camera.height_px, -1)
        picture = np.empty((IMAGE_SIZE, 3 * IMAGE_SIZE), np.uint8)
        _shrink_to_fifth(rows, top, 3 * left, picture)
        return Frame(raw.seq, raw.stamp, picture.reshape(IMAGE_SHAPE))
    window = raw.rgb[top : top + side, left : left + side]
    return Frame(raw.seq, raw.stamp, _uint8(cv2.resize(window, (IMAGE_SIZE, IMAGE_SIZE), interpolation=cv2.INTER_AREA)))


@compiled(BYTES_READ_2, NATURAL, NATURAL, BYTES_WRITE_2)
def _shrink_to_fifth(rows: Bytes, top: int, left: int, picture: Bytes) -> None:
    """The mean of each 5x5 block, rounded, into `picture` (H, 3 W): bit for bit OpenCV's, in a sixth of its time.

    `rows` (H', 3 W') holds whole pixels; `top` counts rows, `left` bytes. 25 is odd, so no mean lies halfway.
    """
    line = np.empty(FIFTH * picture.shape[1], np.uint16)
    for v in range(picture.shape[0]):
        a, b, c, d, e = (
            rows[top + FIFTH * v, left:],
            rows[top + FIFTH * v + 1, left:],
            rows[top + FIFTH * v + 2, left:],
            rows[top + FIFTH * v + 3, left:],
            rows[top + FIFTH * v + 4, left:],
        )
        for i in range(len(line)):
            line[i] = np.uint16(a[i]) + np.uint16(b[i]) + np.uint16(c[i]) + np.uint16(d[i]) + np.uint16(e[i])
        for u in range(picture.shape[1]):
            i = u + 12 * (u // 3)
            total = np.uint32(line[i]) + line[i + 3] + line[i + 6] + line[i + 9] + line[i + 12]
            picture[v, u] = (total + np.uint32(12)) // np.uint32(25)


def _uint8(picture: object) -> Bytes:
    return np.asarray(picture, dtype=np.uint8)


def load_goal_picture(path: str | os.PathLike[str]) -> Bytes:
    """The goal picture uint8 (84, 84, 3), RGB, of the PNG or JPEG file at `path`.

    Raises UserError, and touches little memory, for anything else: see `picture_files`.
    """
    return _decoded(path, read_checked(Path(path), (IMAGE_SIZE, IMAGE_SIZE)), (IMAGE_SIZE, IMAGE_SIZE))


def decode_picture(name: str, content: bytes, size: tuple[int, int]) -> Bytes:
    """The picture uint8 (H, W, 3), RGB, of the PNG or JPEG bytes `content` of a stranger, called `name`.

    `size` is (W, H). Raises UserError, and touches little memory, for anything else: see `picture_files`.
    """
    return _decoded(name, checked(Path(name), content, size), size)


class Window(NamedTuple):
    """A square window in a picture, px: its left and upper edge, and its side."""

    left: int
    top: int
    side: int


def load_photo(path: str | os.PathLike[str]) -> Bytes:
    """The photo uint8 (H, W, 3), RGB, in the PNG or JPEG file at `path`, upright as its camera noted (Exif): a view.

    Raises UserError, and touches no more memory than the photo takes once, for anything else: see `picture_files`.
    """
    photo = read_photo(Path(path))
    bgr = _bgr(path, photo.content, photo.size)
    # Orientation 1 to 8 is: mirrored or not, then turned. All of it, and the order of colours, is only another view.
    turned = {1: bgr, 2: bgr[:, ::-1], 3: bgr[::-1, ::-1], 4: bgr[::-1]}
    if photo.orientation in turned:
        return turned[photo.orientation][..., ::-1]
    across = bgr.transpose(1, 0, 2)
    turned = {5: across, 6: across[:, ::-1], 7: across[::-1, ::-1], 8: across[::-1]}
    return turned[photo.orientation][..., ::-1]


def cut_out(photo: Bytes, window: Window) -> Bytes:
    """The `window` of `photo` uint8 (H, W, 3), shrunk by area to uint8 (84, 84, 3).

    Raises UserError for a window that is smaller than that or reaches outside the photo.
    """
    height, width = photo.shape[:2]
    if window.side < IMAGE_SIZE:
        raise UserError(
            f"a window of {window.side} px is less than the {IMAGE_SIZE} px that the policy sees",
            next_step="choose a larger one, further from the photo's edge, or take the photo from nearer",
        )
    if min(window) < 0 or window.left + window.side > width or window.top + window.side > height:
        raise UserError(
            f"the window of {window.side} px at {window.left},{window.top} reaches outside the photo, which is "
            f"{width}x{height} px",
            next_step="see where it lies with --preview FILE.png",
        )
    part = photo[window.top : window.top + window.side, window.left : window.left + window.side]
    return _uint8(cv2.resize(np.ascontiguousarray(part), (IMAGE_SIZE, IMAGE_SIZE), interpolation=cv2.INTER_AREA))


def preview(photo: Bytes, window: Window, height_px: int) -> Bytes:
    """`photo` uint8 (H, W, 3) shrunk to `height_px`, `window` drawn in it, and beside it what is cut out, as high.

    Raises UserError as `cut_out`, before anything is drawn: OpenCV takes no coordinate of more than 31 bits.
    """
    picture = cut_out(photo, window)
    scale = height_px / photo.shape[0]
    small = cv2.resize(np.ascontiguousarray(photo), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    corners = [
        (round(scale * (window.left + side)), round(scale * (window.top + side))) for side in (0, window.side - 1)
    ]
    cv2.rectangle(small, corners[0], corners[1], WINDOW_RGB, 2)
    cut = cv2.resize(picture, small.shape[:1] * 2, interpolation=cv2.INTER_NEAREST)
    return np.concatenate([_uint8(small), _uint8(cut)], axis=1)


def _decoded(name: str | os.PathLike[str], content: bytes, size: tuple[int, int]) -> Bytes:
    return _uint8(cv2.cvtColor(_bgr(name, content, size), cv2.COLOR_BGR2RGB))


def _bgr(name: str | os.PathLike[str], content: bytes, size: tuple[int, int]) -> Bytes:
    try:
        decoded = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:
        decoded = None
    if decoded is None or decoded.shape != (size[1], size[0], 3):
        raise UserError(f"the picture {name} is corrupt and cannot be decoded", next_step="save or copy it again")
    return _uint8(decoded)


def unpack_picture(name: str, encoding: str, size: tuple[int, int], row_bytes: int, data: Bytes) -> Bytes:
    """The picture uint8 (H, W, 3), RGB, in the bytes `data` of a raw one called `name`, whose rows may be padded.

    `size` is (W, H). Raises UserError for another encoding than rgb8 and bgr8, and for bytes that are not as many.
    """
    width, height = size
    if encoding not in RAW_ENCODINGS:
        raise UserError(f"{name} is encoded as {encoding[:32]!r}", choices=RAW_ENCODINGS, next_step="record it so")
    if min(size) < 1 or row_bytes < 3 * width or len(data) != row_bytes * height:
        raise UserError(
            f"{name} says {width}x{height} px, {row_bytes} bytes a row, and has {len(data)} bytes",
            next_step="record it again",
        )
    rgb = data.reshape(height, row_bytes)[:, : 3 * width].reshape(height, width, 3)
    return rgb if encoding == "rgb8" else _uint8(cv2.cvtColor(rgb, cv2.COLOR_BGR2RGB))


def png_of(rgb: Bytes) -> bytes:
    """`rgb` uint8 (H, W, 3) as the bytes of a PNG file. Raises ValueError for anything else."""
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3:
        raise ValueError(f"a picture is uint8 (H, W, 3), not {rgb.dtype} {rgb.shape}")
    return bytes(cv2.imencode(".png", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))[1])


def save_picture(path: str | os.PathLike[str], rgb: Bytes) -> None:
    """Write `rgb` uint8 (H, W, 3) as a PNG file, durably, whole or not at all. UserError when the disk refuses."""
    write_atomically(Path(path), png_of(rgb))
