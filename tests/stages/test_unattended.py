"""What is played before there is a policy: enough to learn from, then for the check, then on."""

from __future__ import annotations

from robot_rig.config import CollectConfig
from robot_rig.datatypes import Source
from robot_rig.loops.episode_state import EpisodeState, Stand
from robot_rig.stages.unattended import RandomProgramme

SETTINGS = CollectConfig(steps=100, held_out_steps=40, episode_steps=20)


def ended(number: int, stage: str, steps: int) -> EpisodeState:
    stand = Stand.COMPLETE if steps == 20 else Stand.CUT_SHORT
    return EpisodeState("s", number, stand, Source.RANDOM, "", 1, steps, meta={"stage": stage})


def stages(programme: RandomProgramme, episodes: int, steps: int) -> list[str]:
    """What is played; each end is told twice."""
    played, following = [], programme.stage(None)
    for number in range(1, episodes + 1):
        stage = following
        played.append(stage)
        for _ in range(2):
            programme.count(ended(number, stage, steps))
        following = programme.stage(None)
    return played


def test_play_then_held_out_play_then_play() -> None:
    assert stages(RandomProgramme(SETTINGS, {}), 9, 20) == [*["collect"] * 5, *["heldout"] * 2, *["collect"] * 2]


def test_episodes_that_were_cut_short_count_what_they_have() -> None:
    assert stages(RandomProgramme(SETTINGS, {}), 16, 10) == [*["collect"] * 10, *["heldout"] * 4, *["collect"] * 2]


def test_it_goes_on_behind_the_log() -> None:
    assert stages(RandomProgramme(SETTINGS, {"collect": 90, "heldout": 0}), 4, 20)[:4] == [
        "collect",
        "heldout",
        "heldout",
        "collect",
    ]


def test_the_next_stage_is_known_while_an_episode_runs() -> None:
    programme = RandomProgramme(SETTINGS, {"collect": 80})
    assert programme.stage(None) == "collect"
    assert programme.stage(ended(1, "collect", 3)) == "heldout"
    assert programme.stage(ended(1, "practice", 3)) == "collect"


def test_a_learner_that_still_waits_gets_held_out_play_again() -> None:
    """The log may hold fewer steps than were counted, and then its check would never come."""
    behind = RandomProgramme(SETTINGS, {"collect": 100, "heldout": 40})
    assert stages(behind, 8, 20) == [*["collect"] * 5, *["heldout"] * 2, "collect"]
