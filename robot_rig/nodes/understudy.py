"""Waits for the trainer's next checkpoint and makes a policy of it that can step in at once. Called by practice_node.

All that takes time (reading, checksums, building and warming up the engine, decoding goals) happens here, on a thread
that is not the tick's. What is not what the trainer shipped never gets further than this file.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from robot_rig.config import Config
from robot_rig.datatypes import Bytes
from robot_rig.errors import UserError
from robot_rig.learning.runtime import ONNX, on_one_core
from robot_rig.nodes.policy_wiring import Actor, require_axes
from robot_rig.stages.acceptance import Acceptance
from robot_rig.stages.shipping import load_goals, load_trusted, shipped_in

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ready:
    """A policy that may act from the next episode on, and goals uint8 (N, 84, 84, 3) that it can imagine."""

    actor: Actor
    goals: Bytes


class Understudy:
    """Watches the checkpoints in `folder`, which need not be there yet; never goes back to an older one.

    What it has accepted is written into the robot's own `run`, where `rig rollback` may change it.
    """

    def __init__(self, folder: Path, config: Config, run: Path) -> None:
        self._folder, self._config, self._run = folder, config, run
        self._accepted = Acceptance()
        self._seen = -1

    def look(self) -> Ready | None:
        """The newest of the new checkpoints that is sound; None when there is none, and whoever acts goes on.

        One that is refused is named in the log with the reason, once.
        """
        accepted = Acceptance.of(self._run)
        if accepted != self._accepted:
            # A person has gone back: what was seen counts anew.
            self._accepted, self._seen = accepted, -1
        new = {steps: path for steps, path in shipped_in(self._folder).items() if steps > self._seen}
        self._seen = max(new, default=self._seen)
        for steps in sorted(new, reverse=True):
            try:
                return self._prepare(new[steps])
            except (UserError, OSError) as error:
                log.error("a checkpoint is refused: %s", error)
        return None

    def _prepare(self, path: Path) -> Ready:
        latent, manifest = load_trusted(path)
        if refusal := self._accepted.refusal(manifest):
            raise UserError(f"{path}: {refusal}", next_step="nothing to do: the newest other one acts")
        require_axes(path, latent, self._config)
        goals = load_goals(path, latent)
        accepted = self._accepted.accept(manifest)
        if accepted != self._accepted:
            accepted.save(self._run)
            self._accepted = accepted
        return Ready(Actor(on_one_core(latent, manifest), ONNX, path.name, latent), goals)
