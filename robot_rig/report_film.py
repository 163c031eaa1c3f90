"""Films and pictures for people: rollouts side by side as MP4 or GIF, picture grids as PNG. Called by report and CLI.

Pictures are uint8 RGB. Films are arrays (N, H, W, 3) at the policy's rate; the last frame is held for a second, so
that an eye can see where the arm ended.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import matplotlib.image
import numpy as np

from robot_rig.datatypes import IMAGE_SIZE, Bytes, Floats
from robot_rig.disk import write_atomically
from robot_rig.errors import UserError
from robot_rig.evaluation import Evaluation, Rollout

GAP_PX = 4
GAP_COLOUR = (255, 255, 255)
BAR_PX = 8
BAR_COLOURS = ((214, 216, 220), (0, 114, 178))
"""Of the distance bar under a film: what has been made good, and what is still to go."""

DISC_PX, DISC_EDGE = 2.5, (0, 0, 0)
"""Across, in pixels of the policy's picture, and the colour of its edge."""

CODECS = ("libx264", "libvpx-vp9")
"""What browsers play, the widest understood first."""

GIF_LIMIT = 3_000_000
"""Bytes; a README's film must not make people wait."""

GIF_ATTEMPTS = ((2, 1, 256), (2, 2, 128), (1, 2, 128), (1, 3, 64))
"""(enlargement, every n-th frame, colours), the finest first."""


@dataclass(frozen=True, slots=True)
class Film:
    """One case as people look at it: the goal, what the VAE makes of it, and the rollout.

    goal and decoded_goal uint8 (84, 84, 3), the latter None when nothing decoded it; frames uint8 (T+1, 84, 84, 3);
    distance_m (T+1,) m.
    """

    goal: Bytes
    decoded_goal: Bytes | None
    frames: Bytes
    distance_m: Floats

    @classmethod
    def of(cls, rollout: Rollout, decoded_goal: Bytes | None) -> Film:
        """The film of one rollout of an evaluation."""
        return cls(rollout.goal, decoded_goal, rollout.frames, rollout.distance_m)


def chosen_cases(evaluation: Evaluation) -> dict[str, int]:
    """Which goals to show, as caption -> index: two best, two in the middle, four worst; the bad ones are not hidden.

    With fewer than eight goals, all of them.
    """
    return chosen_of(evaluation.final_m)


def chosen_of(finals: Floats) -> dict[str, int]:
    """The same by final distances (N,) of any one ruler."""
    order = [int(i) for i in np.argsort(finals, kind="stable")]
    n, middle = len(order), (len(order) - 1) // 2
    ranks = sorted({*range(min(2, n)), middle, min(middle + 1, n - 1), *range(max(0, n - 4), n)} if n > 8 else range(n))
    return {_rank_name(rank, n): order[rank] for rank in ranks}


def thirds(evaluation: Evaluation) -> list[int]:
    """Four goals that stand for all: the best, those at a third and two thirds, and the worst; fewer when there are."""
    order = np.argsort(evaluation.final_m, kind="stable")
    picked = np.linspace(0, len(order) - 1, min(4, len(order))).round().astype(int)
    return [int(index) for index in order[picked]]


def _rank_name(rank: int, n: int) -> str:
    if rank == (n - 1) // 2:
        return "median"
    if rank == 0:
        return "best"
    if rank == n - 1:
        return "worst"
    return f"rank {rank + 1} of {n}"


def enlarge(pictures: Bytes, factor: int) -> Bytes:
    """(N, H, W, 3) -> (N, factor·H, factor·W, 3), smooth (Lanczos)."""
    if factor == 1:
        return pictures
    height, width = pictures.shape[1:3]
    return np.stack(
        [
            av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            .reformat(width * factor, height * factor, interpolation="LANCZOS")
            .to_ndarray()
            for picture in pictures
        ]
    )


def marked(pictures: Bytes, places_px: Floats, factor: int) -> Bytes:
    """`pictures` (N, H, W, 3) enlarged by `factor` with a disc at each of `places_px` (N, K, 2), column and row.

    Whole numbers are the middles of pixels. The k-th place has the same colour in every picture; one outside is left
    out, and where discs meet the later lies on top.
    """
    drawn: Bytes = enlarge(pictures, factor).copy()
    rows, columns = np.mgrid[0 : drawn.shape[1], 0 : drawn.shape[2]]
    colours = matplotlib.colormaps["hsv"](np.arange(places_px.shape[1]) / places_px.shape[1], bytes=True)[:, :3]
    for picture, places in zip(drawn, (places_px + 0.5) * factor - 0.5, strict=True):
        for (column, row), colour in zip(places, colours, strict=True):
            away = np.hypot(columns - column, rows - row)
            picture[away <= (DISC_PX + 1) * factor / 2] = DISC_EDGE
            picture[away <= DISC_PX * factor / 2] = colour
    return drawn


def beside(parts: Sequence[Bytes], axis: int) -> Bytes:
    """Films (N or 1, H, W, 3) joined along `axis` (1: below each other, 2: beside each other) with a gap between."""
    length = max(len(part) for part in parts)
    joined: list[Bytes] = []
    for part in parts:
        shape = list(part.shape)
        shape[0], shape[axis] = length, GAP_PX
        joined += [np.broadcast_to(np.array(GAP_COLOUR, np.uint8), shape)] if joined else []
        joined.append(np.broadcast_to(part, (length, *part.shape[1:])))
    return np.concatenate(joined, axis=axis)


def distance_bar(distance_m: Floats, width: int) -> Bytes:
    """(T+1, 8, width, 3): a bar whose dark part is the distance left, full width being the furthest of the rollout."""
    left = np.round(distance_m / max(float(distance_m.max()), 1e-9) * width).astype(int)
    dark = np.arange(width)[None, :] < left[:, None]
    colours = np.array(BAR_COLOURS, np.uint8)[dark.astype(int)]
    return np.repeat(colours[:, None], BAR_PX, axis=1)


def three_panes(film: Film, factor: int) -> Bytes:
    """(T+1, H, W, 3): goal | decoded goal | rollout, with the distance bar below; two panes if nothing was decoded."""
    stills = [film.goal] if film.decoded_goal is None else [film.goal, film.decoded_goal]
    panes = beside([*(enlarge(still[None], factor) for still in stills), enlarge(film.frames, factor)], axis=2)
    return beside([panes, distance_bar(film.distance_m, panes.shape[2])], axis=1)


def imagined_above(goal: Bytes, frames: Bytes, factor: int) -> Bytes:
    """(T+1, H, W, 3): the imagined goal (84, 84, 3) above the rollout towards it (R19)."""
    return beside([enlarge(goal[None], factor), enlarge(frames, factor)], axis=1)


def encode_mp4(frames: Bytes, rate_hz: float) -> bytes:
    """An MP4 that browsers play: (N, H, W, 3) at `rate_hz`, the last frame held for a second; odd sides are padded."""
    codec = _codec(av.codecs_available)
    height, width = (side + side % 2 for side in frames.shape[1:3])
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream(codec, rate=round(rate_hz))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = {"crf": "24", "preset": "medium", "threads": "1"}
        # BT.709 in limited range, and said so in the file: players guess differently when it is left open.
        context = stream.codec_context
        context.colorspace = context.color_primaries = context.color_trc = 1
        context.color_range = 1
        for picture in _held(frames, rate_hz):
            padded = np.pad(picture, ((0, height - len(picture)), (0, width - picture.shape[1]), (0, 0)), "edge")
            frame = av.VideoFrame.from_ndarray(padded, format="rgb24")
            container.mux(stream.encode(frame.reformat(format="yuv420p", dst_colorspace="ITU709")))
        container.mux(stream.encode())
    return file.getvalue()


def _codec(available: Iterable[str]) -> str:
    for codec in CODECS:
        if codec in available:
            return codec
    raise UserError(
        "PyAV here has no encoder that browsers play",
        choices=CODECS,
        next_step="install PyAV from its wheel: pip install --only-binary av av",
    )


def _held(frames: Bytes, rate_hz: float) -> Bytes:
    return np.concatenate([frames, np.repeat(frames[-1:], round(rate_hz), axis=0)])


def encode_gif(frames: Bytes, rate_hz: float, colours: int) -> bytes:
    """An endless GIF of (N, H, W, 3) with one palette of `colours`, the last frame held for a second."""
    file = io.BytesIO()
    with av.open(file, "w", format="gif") as container:
        rate = Fraction(rate_hz).limit_denominator(100)
        stream = container.add_stream("gif", rate=rate)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "pal8"
        for frame in _one_palette(_held(frames, rate_hz), rate, colours):
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return file.getvalue()


def _one_palette(frames: Bytes, rate: Fraction, colours: int) -> Iterable[Any]:
    """The frames as pal8 with their times, all under the one palette that fits the whole film best."""
    graph = av.filter.Graph()
    height, width = frames.shape[1:3]
    source = graph.add_buffer(width=width, height=height, format=av.VideoFormat("rgb24"), time_base=Fraction(1, 100))
    split = graph.add("split")
    palette = graph.add("palettegen", f"max_colors={colours}:stats_mode=diff")
    use = graph.add("paletteuse", "dither=bayer:bayer_scale=4:diff_mode=rectangle")
    source.link_to(split)
    split.link_to(palette, 0)
    split.link_to(use, 1, 0)
    palette.link_to(use, 0, 1)
    use.link_to(graph.add("buffersink"))
    graph.configure()
    for number, picture in enumerate(frames):
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
        frame.pts, frame.time_base = number, Fraction(1, 100)
        graph.push(frame)
    graph.push(None)
    for number in range(len(frames)):
        coloured = graph.pull()
        coloured.pts, coloured.time_base = number, 1 / rate
        yield coloured


def require_film_name(path: Path) -> None:
    """Raise UserError unless a film can be written as `path`: a .gif or .mp4 in a folder that exists."""
    if path.suffix not in (".gif", ".mp4"):
        raise UserError(f"no film can be written as {path.name}", choices=(".gif", ".mp4"), next_step="rename it")
    if not path.parent.is_dir():
        raise UserError(f"there is no folder {path.parent}", next_step="make it, or choose another")


def write_film(path: Path, films: Sequence[Film], rate_hz: float, columns: int = 2) -> None:
    """One film of several cases in `columns`, as MP4 or as GIF of at most 3 MB, by the suffix of `path`.

    Raises UserError for another suffix, no films, films of unlike length, or a GIF that cannot be made small enough.
    """
    if not films or len({len(film.frames) for film in films}) != 1:
        raise UserError("a film needs one or more rollouts of the same length", next_step="give fewer or other goals")
    require_film_name(path)
    mp4 = path.suffix == ".mp4"
    content = encode_mp4(_mosaic(films, columns, 2), rate_hz) if mp4 else _small_gif(films, rate_hz, columns)
    try:
        write_atomically(path, content)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}", next_step="free some space there") from error


def _small_gif(films: Sequence[Film], rate_hz: float, columns: int) -> bytes:
    for factor, every, colours in GIF_ATTEMPTS:
        content = encode_gif(_mosaic(films, columns, factor)[::every], rate_hz / every, colours)
        if len(content) <= GIF_LIMIT:
            return content
    raise UserError(f"{len(films)} rollouts do not fit into a GIF of 3 MB", next_step="give fewer, or write an .mp4")


def _mosaic(films: Sequence[Film], columns: int, factor: int) -> Bytes:
    cells = [three_panes(film, factor) for film in films]
    blank = np.broadcast_to(np.array(GAP_COLOUR, np.uint8), cells[0].shape)
    cells += [blank] * (-len(cells) % columns)
    rows = [beside(cells[i : i + columns], axis=2) for i in range(0, len(cells), columns)]
    return beside(rows, axis=1)


def encode_picture(picture: Bytes, form: str) -> bytes:
    """A picture (H, W, 3) as "png" or "jpeg"."""
    file = io.BytesIO()
    matplotlib.image.imsave(file, np.ascontiguousarray(picture), format=form)
    return file.getvalue()


def filmstrip(pictures: Bytes) -> Bytes:
    """Pictures (N, 84, 84, 3) in a row: (84, W, 3)."""
    row: Bytes = beside([picture[None] for picture in pictures.reshape(-1, IMAGE_SIZE, IMAGE_SIZE, 3)], axis=2)[0]
    return row


def data_uri(kind: str, content: bytes) -> str:
    """`content` as a data: address of MIME type `kind`."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
