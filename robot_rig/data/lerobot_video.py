"""One picture feature of a LeRobot dataset as MP4 files, episode behind episode. Called by `data.lerobot_export`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import av

from robot_rig.datatypes import IMAGE_SIZE, Bytes
from robot_rig.errors import UserError

CODECS = {"libx264": "h264", "libsvtav1": "av1"}
"""Encoders by what files call their codec, the one that most can read first; LeRobot takes both."""

CRF, KEY_EVERY = 12, 2
"""Little is lost of 84x84 pixels; every second picture stands alone, as LeRobot writes it, for reading at random."""

MAX_FILE_BYTES = 200 << 20
MAX_FILE_S = 1000.0
"""LeRobot finds a picture by its time in 32 bits, and from 1024 s on these are coarser than its tolerance of 0.1 ms."""

FILES_A_CHUNK = 1000


class Span(NamedTuple):
    """Where an episode's pictures lie: file number `file` of folder `chunk`, from `from_s` to `to_s` s in it."""

    chunk: int
    file: int
    from_s: float
    to_s: float


class FeatureVideo:
    """The pictures of feature `key` at `fps` whole pictures a second, in files below `folder`. End it with `close`."""

    def __init__(self, folder: Path, key: str, fps: int) -> None:
        self._folder = folder / "videos" / key
        self._fps = fps
        self._encoder = _encoder(av.codecs_available)
        self._file: Any = None
        self._stream: Any = None
        self._number = -1
        self._frames = self._bytes = 0

    @property
    def info(self) -> Mapping[str, object]:
        """What LeRobot's info.json says of a video."""
        return {
            "video.height": IMAGE_SIZE,
            "video.width": IMAGE_SIZE,
            "video.codec": CODECS[self._encoder],
            "video.pix_fmt": "yuv420p",
            "video.fps": self._fps,
            "video.channels": 3,
            "has_audio": False,
            "video.g": KEY_EVERY,
            "video.crf": CRF,
            "video.video_backend": "pyav",
            "is_depth_map": False,
        }

    def add(self, pictures: Bytes) -> Span:
        """Append an episode's pictures uint8 (T, 84, 84, 3), T >= 1; a file that would become too long is ended."""
        too_long = (self._frames + len(pictures)) / self._fps > MAX_FILE_S
        if self._file is None or (self._frames and (too_long or self._bytes > MAX_FILE_BYTES)):
            self._begin()
        begun = self._frames
        for picture in pictures:
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = self._frames, Fraction(1, self._fps)
            self._mux(self._stream.encode(frame))
            self._frames += 1
        chunk, file = divmod(self._number, FILES_A_CHUNK)
        return Span(chunk, file, begun / self._fps, self._frames / self._fps)

    def close(self) -> None:
        """End the last file; may be called twice."""
        if self._file is not None:
            self._mux(self._stream.encode())
            self._file.close()
            self._file = None

    def _begin(self) -> None:
        self.close()
        self._number += 1
        self._frames = self._bytes = 0
        chunk, file = divmod(self._number, FILES_A_CHUNK)
        path = self._folder / f"chunk-{chunk:03d}" / f"file-{file:03d}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = av.open(str(path), "w", format="mp4", options={"movflags": "faststart"})
        # No B-frames: time then begins at 0 for every reader, whether or not it minds an edit list.
        options = {"crf": str(CRF), "g": str(KEY_EVERY)}
        options |= {"bf": "0", "threads": "1"} if self._encoder == "libx264" else {"preset": "8"}
        self._stream = self._file.add_stream(self._encoder, rate=self._fps, options=options)
        self._stream.width = self._stream.height = IMAGE_SIZE
        self._stream.pix_fmt = "yuv420p"

    def _mux(self, packets: Iterable[Any]) -> None:
        for packet in packets:
            self._bytes += packet.size
            self._file.mux(packet)


def _encoder(available: Iterable[str]) -> str:
    for encoder in CODECS:
        if encoder in available:
            return encoder
    raise UserError(
        "PyAV here has no encoder that LeRobot reads",
        choices=CODECS,
        next_step="install PyAV from its wheel: pip install --only-binary av av",
    )
