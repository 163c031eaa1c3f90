"""What a robot plays next when nobody asks it for anything: random play until there is a policy, then practice.

Called by practice_node; the trainer's counterpart is `stages.follow`. Pure counting, no I/O.
"""

from __future__ import annotations

from collections.abc import Mapping

from robot_rig.config import CollectConfig
from robot_rig.loops.episode_state import EpisodeState
from robot_rig.stages.collect import HELD_OUT, PLAY


class RandomProgramme:
    """Which stage the next episode of random play belongs to. `steps` are those in the log already, by stage.

    First the play to learn from, then the held-out play for the VAE's check, and both again for as long as the learner
    needs: what was counted here can have got lost on its way to the log, and a check that failed wants new play.
    """

    def __init__(self, settings: CollectConfig, steps: Mapping[str, int]) -> None:
        self._settings = settings
        self._steps = {PLAY: steps.get(PLAY, 0), HELD_OUT: steps.get(HELD_OUT, 0)}
        self._ended = ("", 0)

    def count(self, episode: EpisodeState) -> None:
        """An `episode` has ended, even if it was cut short; told again it counts once."""
        stage = episode.meta.get("stage", "")
        if stage in self._steps and episode.key != self._ended:
            self._ended = episode.key
            self._steps[stage] += episode.last_action - episode.first_action + 1

    def stage(self, under_way: EpisodeState | None) -> str:
        """The stage of the episode after the one `under_way`, which is taken to come to its end."""
        steps = dict(self._steps)
        if under_way is not None and under_way.meta.get("stage", "") in steps:
            steps[under_way.meta["stage"]] += self._settings.episode_steps
        rounds = steps[PLAY] // self._settings.steps
        return HELD_OUT if steps[HELD_OUT] < rounds * self._settings.held_out_steps else PLAY
