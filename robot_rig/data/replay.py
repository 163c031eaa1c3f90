"""Each picture of a run's newest episodes once, and the batches that learning draws from them (R9, R14, R16).

Called by the trainer. Pictures are the truth (uint8, memory-mapped); latents are a cache that belongs to one encoder
and is refused when it is stale. What a batch hands out are rows of the picture table. Sampling is a few numpy calls,
never Python per row.

Pictures are counted in the order in which they came, for ever; picture n lies in row n modulo the size of the table.
So a full table begins anew at its start, and an episode may lie over its end.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from robot_rig.data.picture_table import PictureTable
from robot_rig.datatypes import Bytes, Episode, Float32s, Ints, Transitions
from robot_rig.errors import UserError

ROLLOUT, IMAGINED, FUTURE = 0, 1, 2
"""`Transitions.kind`."""

ENCODE_BLOCK = 256
"""Pictures encoded at once. Fixed and aligned to row 0: the last bits of a convolution depend on the batch."""

MIX_TOLERANCE = 1e-6


class Past(NamedTuple):
    """What a replay held once and holds no more: how many pictures, and how many steps they made."""

    pictures: int = 0
    steps: int = 0


class _Span(NamedTuple):
    """An episode's pictures by number: first and last frame, and goal (-1: none)."""

    first: int
    last: int
    goal: int


def _rows_of(episode: Episode) -> int:
    return len(episode.frames) + (episode.goal is not None)


class Replay:
    """A picture table of `capacity_pictures` rows and what belongs to them.

    An episode of T steps takes T + 1 rows for its frames, in order, and one more for its goal picture if it has one.
    Where there is no room for another one the oldest leave, whole, with their latents, and no more of them than must.
    With `folder`, pictures lie in a scratch file there that is made anew each time; without, in memory. To resume, add
    the same episodes in the same order behind the same `past`: every row, batch and latent is then the same.

    Raises UserError when the scratch file cannot be made.
    """

    def __init__(self, capacity_pictures: int, action_dim: int, folder: Path | None, past: Past | None = None) -> None:
        self._pictures = PictureTable(capacity_pictures, folder)
        self._action = np.empty((capacity_pictures, action_dim), np.float32)
        self._human = np.zeros(capacity_pictures, np.bool_)
        self._frame_rows = np.empty(0, np.int32)
        self._latents: Float32s | None = None
        self._encoder_id: str | None = None
        self._spans = np.empty((0, len(_Span._fields)), np.int64)
        self._ids: list[str] = []
        self._past = Past() if past is None else past
        self._end = self._encoded = self._past.pictures

    def __len__(self) -> int:
        """The number of transitions."""
        return len(self._frame_rows) - len(self._ids)

    @property
    def rows(self) -> int:
        """N: pictures held."""
        return self._end - self._past.pictures

    @property
    def past(self) -> Past:
        """What has left."""
        return self._past

    @property
    def told(self) -> str:
        """How much is held, in words."""
        return f"{len(self)} of {self._past.steps + len(self)} logged steps"

    @property
    def episodes(self) -> tuple[str, ...]:
        """Ids of those held in the order they were added: with `past`, all that is needed to build it again."""
        return tuple(self._ids)

    @property
    def lengths(self) -> dict[str, int]:
        """The same with the steps of each."""
        return dict(zip(self._ids, (self._spans[:, 1] - self._spans[:, 0]).tolist(), strict=True))

    @property
    def frame_rows(self) -> Ints:
        """The rows that the camera saw, the oldest first, int64; the others are goal pictures."""
        return self._frame_rows.astype(np.int64)

    @property
    def human_steps(self) -> int:
        """How many of the transitions a person commanded."""
        return int(self._human[self._rows(self._past.pictures, self._end)].sum())

    @property
    def bytes_per_transition(self) -> float:
        """What is held beside the pictures, in bytes a transition, counted from the arrays."""
        held = self._rows(self._past.pictures, self._end)
        beside: list[NDArray[Any]] = [self._action[held], self._human[held], self._spans, self._frame_rows]
        if self._latents is not None:
            beside.append(self._latents[held])
        return sum(array.nbytes for array in beside) / max(1, len(self))

    def add(self, episode: Episode) -> Ints:
        """Take in an episode; returns its rows. Its actions are the executed ones, for these made the next frame.

        Raises UserError when it is longer than the replay or the disk is full, or an action is not a number;
        ValueError for an id that is in already or another action size.
        """
        steps, wanted = len(episode), _rows_of(episode)
        self._check(episode, wanted)
        rows = self._rows(self._end, self._end + wanted)
        self._pictures.reserve(rows)
        self._let_go(wanted)
        self._pictures[rows[: steps + 1]] = episode.frames
        if episode.goal is not None:
            self._pictures[rows[-1:]] = episode.goal[None]
        self._action[rows[:steps]] = episode.executed_action
        self._human[rows] = False
        self._human[rows[:steps]] = episode.human
        self._frame_rows = np.concatenate([self._frame_rows, rows[: steps + 1].astype(np.int32)])
        last = self._end + steps
        span = _Span(self._end, last, -1 if episode.goal is None else last + 1)
        self._spans = np.vstack([self._spans, span])
        self._ids.append(episode.id)
        self._end += wanted
        return rows

    def pictures(self, rows: Ints) -> Bytes:
        """The pictures of `rows`, uint8 (*rows.shape, 84, 84, 3), as a copy."""
        size = len(self._pictures)
        if np.size(rows):
            held = (np.asarray(rows) - self._past.pictures) % size < self.rows
            if np.min(rows) < 0 or np.max(rows) >= size or not held.all():
                raise IndexError(f"these are no rows of the {self.rows} pictures that are held")
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
        self._encoded = max(self._encoded, self._past.pictures)
        while self._encoded < self._end:
            start = self._encoded - self._encoded % ENCODE_BLOCK
            end = min(start + ENCODE_BLOCK, self._end)
            # Where the oldest has left a part of a block, its first one stands in: the batch keeps its size.
            block = np.arange(start, end).clip(min=self._past.pictures) % len(self._pictures)
            latents = np.asarray(encode(self._pictures[block]))
            if latents.ndim != 2 or len(latents) != end - start or not np.isfinite(latents).all():
                raise ValueError(f"encoder {encoder_id} gave no finite ({end - start}, Z) latents")
            if self._latents is None:
                self._latents = np.empty((len(self._pictures), latents.shape[1]), np.float32)
            if latents.shape[1] != self._latents.shape[1]:
                raise ValueError(
                    f"encoder {encoder_id} changed from {self._latents.shape[1]} to {latents.shape[1]} numbers"
                )
            gone = max(0, self._past.pictures - start)
            self._latents[block[gone:]] = latents[gone:]
            self._encoded = end

    @property
    def latents(self) -> Float32s:
        """The latents float32 (N, Z) by row: a view, not to be written to. RuntimeError when they are stale.

        N is the number of rows that have been in use; what stands in rows that are not held means nothing.
        """
        if self._latents is None or self._encoded < self._end:
            stale = self._end - max(self._encoded, self._past.pictures)
            raise RuntimeError(f"{stale} latents are stale: call refresh first")
        return self._latents[: min(self._end, len(self._pictures))]

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
        spans, size = self._spans[episode], len(self._pictures)
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
            frame=frame % size,
            next_frame=(frame + 1) % size,
            goal=np.where(goal < 0, -1, goal % size),
            kind=kind,
            action=self._action[(spans[:, 0] + step) % size],
        )

    def _by_people(self, rng: np.random.Generator, batch: int, ends: Ints) -> Ints:
        """Numbers of `batch` transitions that people commanded; `ends` counts the transitions up to each episode."""
        counts = np.diff(ends, prepend=0)
        actions = np.arange(ends[-1]) + np.repeat(self._spans[:, 0] - (ends - counts), counts)
        theirs = np.flatnonzero(self._human[actions % len(self._pictures)])
        if len(theirs) == 0:
            raise UserError("the replay holds no step of a person", next_step="bring some in with `rig train --demos`")
        drawn: Ints = theirs[rng.integers(len(theirs), size=batch)]
        return drawn

    def frames(self, rng: np.random.Generator, batch: int) -> Ints:
        """Rows (B,) of camera frames, uniform, with replacement."""
        if len(self._frame_rows) == 0:
            raise UserError("the replay holds no frame", next_step="collect some episodes first")
        return np.asarray(self._frame_rows[rng.integers(len(self._frame_rows), size=batch)], np.int64)

    def pairs(self, apart: int) -> tuple[Ints, Ints]:
        """(before, after), int64 (M,) each: places in `frame_rows` of all frames `apart` steps apart in an episode."""
        counts = self._spans[:, 1] - self._spans[:, 0] + 1
        firsts = np.cumsum(counts) - counts
        before = [np.arange(first, first + count - apart) for first, count in zip(firsts, counts, strict=True)]
        found: Ints = np.concatenate([np.empty(0, np.int64), *before])
        return found, found + apart

    # -- inside -----------------------------------------------------------------------------------------------------

    def _rows(self, first: int, end: int) -> Ints:
        """The rows of the pictures `first` to `end` - 1, in their order."""
        return np.arange(first, end) % len(self._pictures)

    def _let_go(self, wanted: int) -> None:
        """Let the oldest episodes leave until there is room for `wanted` pictures."""
        least = self._end + wanted - len(self._pictures)
        gone = int(np.count_nonzero(self._spans[:, 0] < least))
        if not gone:
            return
        left, self._spans, self._ids = self._spans[:gone], self._spans[gone:], self._ids[gone:]
        steps = int((left[:, 1] - left[:, 0]).sum())
        self._frame_rows = self._frame_rows[steps + gone :]
        first = int(self._spans[0, 0]) if self._ids else self._end
        self._past = Past(first, self._past.steps + steps)

    def _check(self, episode: Episode, wanted: int) -> None:
        if episode.id in self._ids:
            raise ValueError(f"episode {episode.id} is in the replay already")
        if episode.action.shape[1] != self._action.shape[1]:
            raise ValueError(f"episode {episode.id} has actions of size {episode.action.shape[1]}")
        if wanted > len(self._pictures):
            raise UserError(
                f"the replay holds {len(self._pictures)} pictures, and {episode.id} alone has {wanted}",
                next_step="give it more capacity",
            )
        if not np.isfinite(episode.executed_action).all():
            raise UserError(f"episode {episode.id} has an executed action that is not a number", next_step="remove it")
