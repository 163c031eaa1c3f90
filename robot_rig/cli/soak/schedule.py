"""When which fault comes in a soak. Pure; called by `cli.soak.run`.

The plan follows from length, number and seed alone, so a soak that is gone on with has the same.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from robot_rig.cli.soak.kinds import NEEDS_S, Rescue

FIRST_S = 15.0
"""Before the first fault the arm has practised undisturbed."""

RESTARTS_UNTIL = 0.3
"""Restarts are wished for in this first share of the time, so that processes live long enough afterwards for their
memory to say something."""


class Planned(NamedTuple):
    """A fault of `kind`, due `at_s` after the soak's begin."""

    at_s: float
    kind: str


def plan(kinds: Mapping[str, Rescue], each: int, length_s: float, seed: int) -> list[Planned]:
    """`each` faults of each of `kinds`, in the order of their time, the last one over by `length_s`.

    Where they do not fit, as many as do: whole rounds over all kinds first, then a part of one that has something of
    each rescue. A fault is due only when the one before it has had its time (`NEEDS_S`).
    """
    rng = np.random.default_rng(seed)
    chosen = list[str]()
    room = length_s - FIRST_S
    for kind in itertools.chain.from_iterable(_round(kinds, rng) for _ in range(each)):
        if (need := NEEDS_S[kinds[kind]]) <= room:
            chosen.append(kind)
            room -= need
    return _spread(chosen, kinds, length_s, room, rng)


def _round(kinds: Mapping[str, Rescue], rng: np.random.Generator) -> list[str]:
    """Every kind once, the rescues in turn as long as each has one left."""
    by_rescue = [[kind for kind in kinds if kinds[kind] is rescue] for rescue in Rescue]
    decks = [[deck[i] for i in rng.permutation(len(deck))] for deck in by_rescue]
    return [kind for turn in itertools.zip_longest(*decks) for kind in turn if kind is not None]


def _spread(
    chosen: Sequence[str], kinds: Mapping[str, Rescue], length_s: float, room: float, rng: np.random.Generator
) -> list[Planned]:
    """The faults at their times: restarts early, the free `room` (s) shared out between all of them by chance."""
    restarts = [kind for kind in chosen if kinds[kind] is Rescue.RESTART]
    others = [kind for kind in chosen if kinds[kind] is not Rescue.RESTART]
    wished = [(RESTARTS_UNTIL * length_s * (i + 0.5) / len(restarts), kind) for i, kind in enumerate(restarts)]
    wished += [(length_s * (i + 0.5) / len(others), kind) for i, kind in enumerate(others)]
    order = [kind for _, kind in sorted(wished)]
    pauses = room * rng.dirichlet(np.full(len(order) + 1, 4.0)) if order else np.zeros(0)
    planned, at_s = list[Planned](), FIRST_S
    for kind, pause in zip(order, pauses, strict=False):
        at_s += float(pause)
        planned.append(Planned(at_s, kind))
        at_s += NEEDS_S[kinds[kind]]
    return planned
