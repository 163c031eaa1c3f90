"""Waits for the trainer's next checkpoint and makes a policy of it that can step in at once. Called by practice_node.

All that takes time (reading, checksums, building and warming up the engine, decoding goals) happens here, on a thread
that is not the tick's. What is not what the trainer shipped never gets further than this file.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from robot_rig.config import Config
from robot_rig.datatypes import Bytes
from robot_rig.errors import UserError
from robot_rig.keys import TRUSTED, key_folder
from robot_rig.learning.runtime import ONNX, on_one_core
from robot_rig.nodes.policy_wiring import Actor, require_axes
from robot_rig.stages.acceptance import Acceptance
from robot_rig.stages.shipping import decode_goals, load_trusted, shipped_in

MOST_LOOKED_AT = 64
"""Files of a refused checkpoint that are asked whether they have changed: more than any sound one has."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ready:
    """A policy that may act from the next episode on, and goals uint8 (N, 84, 84, 3) that it can imagine."""

    actor: Actor
    goals: Bytes


class Understudy:
    """Watches the checkpoints in `folder`, which need not be there yet; never goes back to an older one.

    What it has accepted is written into the robot's own `run`, where `rig rollback` takes back what should not act.
    """

    def __init__(self, folder: Path, config: Config, run: Path) -> None:
        self._folder, self._config, self._run = folder, config, run
        self._acts, self._updates = -1, -1
        self._refused: dict[int, tuple[object, ...]] = {}

    def look(self) -> Ready | None:
        """The newest of the new checkpoints that is sound; None when there is none, and whoever acts goes on.

        One that is refused is named in the log with the reason, and looked at again when any file of it has changed, or
        whom this robot believes, or what it has accepted. Raises UserError when the one that acts was taken back and no
        other can act.
        """
        accepted = Acceptance.of(self._run)
        gone = self._updates in accepted.taken_back
        for steps, path in reversed(shipped_in(self._folder).items()):
            if steps <= self._acts and not gone:
                break
            case = (_looks(path), _looks(key_folder() / TRUSTED), accepted)
            if self._refused.get(steps) == case:
                continue
            try:
                return self._prepare(steps, path)
            except UserError as error:
                self._refused[steps] = case
                log.error("%s is refused: %s", path, error)
            except OSError as error:
                # The disk's fault, and nothing about the checkpoint: the next look may read it.
                log.error("%s cannot be read: %s", path, error)
        if gone:
            raise UserError(
                "the policy that acts was taken back, and no other one can act", next_step="train further, start again"
            )
        return None

    def _prepare(self, steps: int, path: Path) -> Ready:
        shipment = load_trusted(path)
        latent, manifest = shipment.policy, shipment.manifest
        Acceptance.of(self._run).require(manifest)
        require_axes(path, latent, self._config)
        goals = decode_goals(shipment)
        ready = Ready(Actor(on_one_core(latent, manifest), ONNX, path.name, latent), goals)
        # That took seconds, in which a person may have taken it back.
        accepted = Acceptance.of(self._run)
        accepted.require(manifest)
        accepted.accept(self._run, manifest)
        self._acts, self._updates = steps, manifest.train_steps
        return ready


def _looks(path: Path) -> tuple[object, ...]:
    """What changes whenever `path`, or a file in it where it is a folder, does; empty where there is nothing."""
    try:
        found = [("", path.stat())]
        if path.is_dir():
            with os.scandir(path) as entries:
                found += [(entry.name, entry.stat(follow_symlinks=False)) for entry in islice(entries, MOST_LOOKED_AT)]
    except OSError:
        return ()
    return tuple(sorted((name, state.st_size, state.st_mtime_ns) for name, state in found))
