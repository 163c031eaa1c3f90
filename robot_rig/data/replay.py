"""Every picture of a run once, and the batches that learning draws from them (R9, R14, R16). Called by the trainer.

Pictures are the truth (uint8, memory-mapped); latents are a cache that belongs to one encoder and is refused when it
is stale. What a batch hands out are rows of the picture table. Sampling is a few numpy calls, never Python per row.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from robot_rig.datatypes import IMAGE_SHAPE, Bytes, Episode, Float32s, Floats, Ints, Transitions
from robot_rig.errors import UserError

ROLLOUT, IMAGINED, FUTURE = 0, 1, 2
"""`Transitions.kind`."""

ENCODE_BLOCK = 256
"""Pictures encoded at once. Fixed and aligned to row 0: the last bits of a convolution depend on the batch."""

PICTURE_FILE = "pictures.u8"
PICTURE_BYTES = int(np.prod(IMAGE_SHAPE))
MIX_TOLERANCE = 1e-6


class _Span(NamedTuple):
    """Where an episode lies: first and last frame row, goal row (-1: none), first transition."""

    first: int
    last: int
    goal: int
    transition: int


def _rows_of(episode: Episode) -> int:
    return len(episode.frames) + (episode.goal is not None)


class Replay:
    """A picture table of `capacity_pictures` rows and what belongs to them.

    An episode of T steps takes T + 1 rows for its frames, in order, and one more for its goal picture if it has one.
    With `folder`, pictures lie in a scratch file there that is made anew each time; without, in memory. To resume, add
    the same episodes in the same order: every row, batch and latent is then the same.

    Raises UserError when the scratch file cannot be made.
    """

    def __init__(self, capacity_pictures: int, action_dim: int, folder: Path | None) -> None:
        self._pictures, self._handle = _picture_table(capacity_pictures, folder)
        if self._handle is not None:
            weakref.finalize(self, os.close, self._handle)
        self._action = np.empty((capacity_pictures, action_dim), np.float32)
        self._human = np.empty(capacity_pictures, np.bool_)
        self._frame_rows = np.empty(capacity_pictures, np.int32)
        self._latents: Float32s | None = None
        self._encoder_id: str | None = None
        self._encoded = 0
        self._spans = np.empty((0, len(_Span._fields)), np.int64)
        self._ids: list[str] = []
        self._rows = 0
        self._frames = 0

    def __len__(self) -> int:
        """The number of transitions."""
        return self._frames - len(self._ids)

    @property
    def rows(self) -> int:
        """N: pictures held."""
        return self._rows

    @property
    def episodes(self) -> tuple[str, ...]:
        """Ids in the order they were added: all that is needed to build the same replay again."""
        return tuple(self._ids)

    @property
    def frame_rows(self) -> Ints:
        """The rows that the camera saw, int64; the others are goal pictures."""
        return self._frame_rows[: self._frames].astype(np.int64)

    @property
    def human_steps(self) -> int:
        """How many of the transitions a person commanded."""
        return int(self._human[: len(self)].sum())

    @property
    def bytes_per_transition(self) -> float:
        """What is held beside the pictures, in bytes a transition, counted from the arrays."""
        beside: list[NDArray[Any]] = [self._action[: len(self)], self._human[: len(self)], self._spans]
        beside.append(self._frame_rows[: self._frames])
        if self._latents is not None:
            beside.append(self._latents[: self._rows])
        return sum(array.nbytes for array in beside) / max(1, len(self))

    def has_room(self, episode: Episode) -> bool:
        """Whether the table has rows enough for `episode`."""
        return self._rows + _rows_of(episode) <= len(self._pictures)

    def add(self, episode: Episode) -> range:
        """Take in an episode; returns its rows. Its actions are the executed ones, for these made the next frame.

        Raises UserError when the replay or its disk is full, or an action is not a number; ValueError for an id that
        is in already or another action size.
        """
        steps, wanted = len(episode), _rows_of(episode)
        self._check(episode, wanted)
        self._reserve(wanted)
        first, transition = self._rows, len(self)
        last = first + steps
        self._pictures[first : last + 1] = episode.frames
        if episode.goal is not None:
            self._pictures[last + 1] = episode.goal
        self._action[transition : transition + steps] = episode.executed_action
        self._human[transition : transition + steps] = episode.human
        self._frame_rows[self._frames : self._frames + steps + 1] = np.arange(first, last + 1)
        span = _Span(first, last, -1 if episode.goal is None else last + 1, transition)
        self._spans = np.vstack([self._spans, span])
        self._ids.append(episode.id)
        self._frames += steps + 1
        self._rows += wanted
        return range(first, first + wanted)

    def pictures(self, rows: Ints) -> Bytes:
        """The pictures of `rows`, uint8 (*rows.shape, 84, 84, 3), as a copy."""
        if np.size(rows) and (np.min(rows) < 0 or np.max(rows) >= self._rows):
            raise IndexError(f"rows must lie in 0 .. {self._rows - 1}")
        return self._pictures[rows]

    # -- latents ----------------------------------------------------------------------------------------------------

    def refresh(self, encoder_id: str, encode: Callable[[Bytes], Float32s]) -> None:
        """Bring the latents up to date with the encoder called `encoder_id`.

        `encode` maps uint8 (n, 84, 84, 3) to float32 (n, Z), n <= 256. Rows that this encoder has encoded are kept but
        for the last incomplete block of 256, so that the latents depend on the encoder and the rows alone, never on
        when this was called; another id encodes all anew. Raises ValueError when a latent is not finite, or Z changes
        under one id.
        """
        if encoder_id != self._encoder_id:
            self._encoder_id, self._latents, self._encoded = encoder_id, None, 0
        while self._encoded < self._rows:
            start = self._encoded - self._encoded % ENCODE_BLOCK
            end = min(start + ENCODE_BLOCK, self._rows)
            latents = np.asarray(encode(np.array(self._pictures[start:end])))
            if latents.ndim != 2 or len(latents) != end - start or not np.isfinite(latents).all():
                raise ValueError(f"encoder {encoder_id} gave no finite ({end - start}, Z) latents")
            if self._latents is None:
                self._latents = np.empty((len(self._pictures), latents.shape[1]), np.float32)
            if latents.shape[1] != self._latents.shape[1]:
                raise ValueError(
                    f"encoder {encoder_id} changed from {self._latents.shape[1]} to {latents.shape[1]} numbers"
                )
            self._latents[start:end] = latents
            self._encoded = end

    @property
    def latents(self) -> Float32s:
        """The latents float32 (N, Z) of all rows: a view, not to be written to. RuntimeError when they are stale."""
        if self._latents is None or self._encoded < self._rows:
            raise RuntimeError(f"{self._rows - self._encoded} latents are stale: call refresh first")
        return self._latents[: self._rows]

    # -- samplers ---------------------------------------------------------------------------------------------------

    def transitions(
        self,
        rng: np.random.Generator,
        batch: int,
        mix: tuple[float, float, float],
        lag: int = 0,
        whose: Literal["everybody", "people"] = "everybody",
    ) -> Transitions:
        """`batch` transitions with relabelled goals in the fractions `mix` = (rollout, imagined, future) (R9).

        What an action does shows `lag` steps late in the pictures: it is paired with the frames that show it, and the
        first `lag` frames of an episode begin no transition. Transitions are uniform, over all or over those that
        people commanded. Kinds come sorted, each in a count of batch * mix rounded up or down by one common draw
        (systematic sampling): right on average and never off by one. A rollout goal is the episode's own, or an
        imagined one when it has none; an imagined goal is row -1; a future goal is uniform over the rest of the same
        episode, the transition's own next frame included.
        """
        if abs(sum(mix) - 1.0) > MIX_TOLERANCE or min(mix) < 0.0:
            raise ValueError(f"mix must be three fractions that add up to 1, is {mix}")
        ends = np.cumsum(np.maximum(self._spans[:, 1] - self._spans[:, 0] - lag, 0))
        if len(ends) == 0 or ends[-1] == 0:
            raise UserError("the replay holds no transition", next_step="collect some episodes first")
        drawn = rng.integers(ends[-1], size=batch) if whose == "everybody" else self._by_people(rng, batch, ends)
        episode = np.searchsorted(ends, drawn, side="right")
        spans = self._spans[episode]
        step = drawn - np.concatenate([[0], ends])[episode]
        frame = spans[:, 0] + lag + step
        start = rng.random()
        rollout, future = (min(batch, int(batch * edge + start)) for edge in (mix[0], mix[0] + mix[1]))
        goal = np.full(batch, -1, np.int64)
        goal[:rollout] = spans[:rollout, 2]
        left = spans[future:, 1] - frame[future:]
        goal[future:] = frame[future:] + 1 + (rng.random(batch - future) * left).astype(np.int64)
        kind = np.full(batch, IMAGINED, np.int64)
        kind[:rollout][goal[:rollout] >= 0] = ROLLOUT
        kind[future:] = FUTURE
        return Transitions(
            frame=frame, next_frame=frame + 1, goal=goal, kind=kind, action=self._action[spans[:, 3] + step]
        )

    def _by_people(self, rng: np.random.Generator, batch: int, ends: Ints) -> Ints:
        """Numbers of `batch` transitions that people commanded; `ends` counts the transitions up to each episode."""
        counts = np.diff(ends, prepend=0)
        actions = np.arange(ends[-1]) + np.repeat(self._spans[:, 3] - (ends - counts), counts)
        theirs = np.flatnonzero(self._human[actions])
        if len(theirs) == 0:
            raise UserError("the replay holds no step of a person", next_step="bring some in with `rig train --demos`")
        drawn: Ints = theirs[rng.integers(len(theirs), size=batch)]
        return drawn

    def frames(self, rng: np.random.Generator, batch: int, weights: Floats | None = None) -> Ints:
        """Rows (B,) of camera frames with replacement: uniform, or in proportion to `weights`, one per `frame_rows`."""
        if self._frames == 0:
            raise UserError("the replay holds no frame", next_step="collect some episodes first")
        if weights is None:
            return np.asarray(self._frame_rows[rng.integers(self._frames, size=batch)], np.int64)
        total = np.cumsum(weights, dtype=np.float64)
        if len(total) != self._frames or np.min(weights) < 0.0 or not 0.0 < total[-1] < np.inf:
            raise ValueError(f"weights must be {self._frames} numbers >= 0, not all 0")
        drawn = np.searchsorted(total, rng.random(batch) * total[-1], side="right")
        return np.asarray(self._frame_rows[drawn], np.int64)

    def pairs(self, apart: int) -> tuple[Ints, Ints]:
        """(before, after), int64 (M,) each: places in `frame_rows` of all frames `apart` steps apart in an episode."""
        counts = self._spans[:, 1] - self._spans[:, 0] + 1
        firsts = np.cumsum(counts) - counts
        before = [np.arange(first, first + count - apart) for first, count in zip(firsts, counts, strict=True)]
        found: Ints = np.concatenate([np.empty(0, np.int64), *before])
        return found, found + apart

    def _check(self, episode: Episode, wanted: int) -> None:
        if episode.id in self._ids:
            raise ValueError(f"episode {episode.id} is in the replay already")
        if episode.action.shape[1] != self._action.shape[1]:
            raise ValueError(f"episode {episode.id} has actions of size {episode.action.shape[1]}")
        if not self.has_room(episode):
            raise UserError(
                f"the replay is full: {self._rows} of {len(self._pictures)} pictures, and {episode.id} has {wanted}",
                next_step="give it more capacity",
            )
        if not np.isfinite(episode.executed_action).all():
            raise UserError(f"episode {episode.id} has an executed action that is not a number", next_step="remove it")

    def _reserve(self, wanted: int) -> None:
        """Claim the disk before writing through the map, where a full disk would be a SIGBUS."""
        if self._handle is None:
            return
        try:
            os.posix_fallocate(self._handle, self._rows * PICTURE_BYTES, wanted * PICTURE_BYTES)
        except OSError as error:
            raise UserError(
                f"no room for the replay's pictures: {error.strerror}", next_step="free some disk"
            ) from error


def _picture_table(capacity: int, folder: Path | None) -> tuple[Bytes, int | None]:
    """The table uint8 (capacity, 84, 84, 3) and the handle of the file behind it."""
    shape = (capacity, *IMAGE_SHAPE)
    if folder is None:
        return np.empty(shape, np.uint8), None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / PICTURE_FILE).open("w+b") as file:
            table = np.memmap(file, np.uint8, mode="w+", shape=shape)
            return table, os.dup(file.fileno())
    except OSError as error:
        raise UserError(f"cannot map pictures in {folder}: {error.strerror}", next_step="use another disk") from error
