"""Pictures <-> sensor_msgs/Image, byte for byte, without cv_bridge. Called by `convert` and the ROS camera."""

from __future__ import annotations

import numpy as np
from sensor_msgs.msg import Image

from robot_rig.datatypes import Bytes
from robot_rig.ros.stamps import Refused

CHANNELS = {"rgb8": 3, "bgr8": 3, "mono8": 1}
MAX_SIDE = 8192


def image(rgb: Bytes) -> Image:
    """An rgb8 message of `rgb` uint8 (H, W, 3); the header is the caller's to fill."""
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3:
        raise ValueError(f"a picture must be uint8 (H, W, 3), got {rgb.dtype} {rgb.shape}")
    height, width, _ = rgb.shape
    return Image(height=height, width=width, encoding="rgb8", is_bigendian=0, step=3 * width, data=rgb.tobytes())


def pixels(message: Image) -> Bytes | Refused:
    """The picture in `message` as read-only uint8 (H, W, 3) in RGB order; rows may be padded (`step`).

    One byte a channel has no byte order, so `is_bigendian` may be either. Refused: other encodings, an empty picture,
    sizes that do not fit the data.
    """
    channels = CHANNELS.get(message.encoding)
    if channels is None:
        return Refused(f"a picture in {message.encoding[:32]!r}, not in one of {', '.join(CHANNELS)}")
    height, width, step = message.height, message.width, message.step
    if not (0 < height <= MAX_SIDE and 0 < width <= MAX_SIDE):
        return Refused(f"a picture of {width}x{height} pixels")
    if step < width * channels or len(message.data) != step * height:
        return Refused(
            f"a picture of {width}x{height} pixels, {channels} bytes each, in {len(message.data)} bytes, {step} a row"
        )
    rows = np.frombuffer(message.data, np.uint8).reshape(height, step)[:, : width * channels]
    picture = rows.reshape(height, width, channels)
    if message.encoding == "bgr8":
        picture = picture[:, :, ::-1]
    return np.broadcast_to(picture, (height, width, 3))
