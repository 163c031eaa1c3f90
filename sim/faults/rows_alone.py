"""Rows of the table of faults that need no graph: the fault is caused to the real component, in a folder of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sim.faults.alone_canary import ship_bad_policy
from sim.faults.alone_computer import fail_computer
from sim.faults.alone_disk import cut_power
from sim.faults.alone_kills import kill_shipper
from sim.faults.alone_learning import kill_trainer, practise_for_hours, rain_policies
from sim.faults.alone_library import ATTEMPTS
from sim.faults.alone_link import partition, slow_link
from sim.faults.alone_secrets import leak
from sim.faults.judges import Verdict


@dataclass(frozen=True)
class AloneRow:
    """A row whose `attempt` causes the fault at random times in an empty folder, and judges what is left there.

    `attempt` may raise NotPermittedError, VoidError, and UserError where the component gives up: that is a complaint.
    """

    number: int
    sentence: str
    attempt: Callable[[np.random.Generator, Path], Verdict]


THROUGH_LIBRARY = (
    "camera unplugged, hung or killed",
    "picture frozen under fresh stamps, or its number",
    "lens covered",
    "over-exposed",
    "wrong resolution",
    "other encoding",
    "stale or replayed stamps",
    "camera's clock set",
    "pictures dropped and late",
)
"""Rows 101 to 109: rows 1 to 9 at the level of the RealSense library."""

ROWS = (
    AloneRow(17, "shipper killed; checkpoint cut short", kill_shipper),
    AloneRow(20, "checkpoint of random weights, well signed", ship_bad_policy),
    AloneRow(21, "a new policy every 0.1 s", rain_policies),
    AloneRow(24, "power cut while log, run folder and checkpoint are written", cut_power),
    AloneRow(29, "link to the trainer out for a minute", partition),
    AloneRow(30, "slow and lossy link to the trainer", slow_link),
    AloneRow(45, "computer hot, then its battery low", fail_computer),
    AloneRow(60, "secrets around where the rig works", leak),
    AloneRow(63, "trainer killed while it learns", kill_trainer),
    AloneRow(64, "an hour of practice", practise_for_hours),
    *(
        AloneRow(number, f"{sentence}, through the RealSense library", ATTEMPTS[number])
        for number, sentence in enumerate(THROUGH_LIBRARY, 101)
    ),
)
