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
from robot_rig.stages.shipping import load_checkpoint, load_goals, shipped_in

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ready:
    """A policy that may act from the next episode on, and goals uint8 (N, 84, 84, 3) that it can imagine."""

    actor: Actor
    goals: Bytes


class Understudy:
    """Watches the checkpoints in `folder`, which need not be there yet; never goes back to an older one."""

    def __init__(self, folder: Path, config: Config) -> None:
        self._folder, self._config = folder, config
        self._seen = -1

    def look(self) -> Ready | None:
        """The newest of the new checkpoints that is sound; None when there is none, and whoever acts goes on.

        One that is refused is named in the log with the reason, once.
        """
        new = {steps: path for steps, path in shipped_in(self._folder).items() if steps > self._seen}
        self._seen = max(new, default=self._seen)
        for steps in sorted(new, reverse=True):
            try:
                return self._prepare(new[steps])
            except (UserError, OSError) as error:
                log.error("a checkpoint is refused: %s", error)
        return None

    def _prepare(self, path: Path) -> Ready:
        latent, manifest = load_checkpoint(path)
        require_axes(path, latent, self._config)
        goals = load_goals(path, latent)
        return Ready(Actor(on_one_core(latent, manifest), ONNX, path.name, latent), goals)
