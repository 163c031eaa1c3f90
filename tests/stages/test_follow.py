"""Learning from a log that grows: each episode pays once, in order, however the log grew and whoever was killed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from robot_rig.config import Config
from robot_rig.data.log import EpisodeWriter, read_episode
from robot_rig.data.replay import FUTURE, ROLLOUT, Replay
from robot_rig.data.store import EpisodeStore
from robot_rig.datatypes import Action, Bytes, Episode, Executed, Frame, Outcome, Source, Step, Transitions
from robot_rig.errors import UserError
from robot_rig.learning.checkpoint import read_checkpoint
from robot_rig.learning.policy import LatentPolicy
from robot_rig.loops.live_recorder import LiveRecorder
from robot_rig.runs import RunFolder
from robot_rig.stages.follow import Counts, Following, Reports
from robot_rig.stages.reporting import load_health
from robot_rig.stages.shipping import checkpoints, decode_goals, load_checkpoint
from robot_rig.trainer import Trainer
from tests.learning.blob_world import play
from tests.loops.test_person_episodes import Desk
from tests.tiny_run import content, tiny_config

CONFIG = tiny_config("practice.updates_per_step=1", "practice.tune_every_steps=40", "practice.snapshot_every_steps=30")
SMALL = CONFIG.model_copy(update={"replay_pictures": 130})
"""Room for fewer pictures than a file may ask for, so that seven episodes are too many."""

STAGES = ("collect", "collect", "heldout", "collect", "practice", "practice", "practice")
EPISODES = play(episodes=len(STAGES), steps=50, seed=3, name="blob")
Curve = list[tuple[str, int, tuple[tuple[str, float], ...]]]


def write(
    log: EpisodeStore, stage: str, episode: Episode, steps: int, human: range = range(0), goal: Bytes | None = None
) -> EpisodeWriter:
    """The first `steps` steps of `episode` as the next file, not yet closed; a person commanded those in `human`."""
    writer = EpisodeWriter(log.next_path(stage), 2, goal, {"stage": stage})
    for i in range(steps):
        frame = Frame(i, float(i), episode.frames[i])
        source = Source.HUMAN if i in human else Source.RANDOM
        action = Action(i, float(i), episode.action[i], source, i, float(i))
        writer.append(Step(frame, action, Executed(episode.executed_action[i], 0.0, Outcome.PASSED, (), np.zeros(7))))
    return writer


def put(log: EpisodeStore, number: int) -> None:
    """Episode `number` of the story, practice of half the length."""
    steps = 25 if STAGES[number] == "practice" else 50
    writer = write(log, STAGES[number], EPISODES[number], steps)
    writer.finish(Frame(steps, float(steps), EPISODES[number].frames[steps]))


def whole_log(folder: Path) -> EpisodeStore:
    log = EpisodeStore(folder)
    for number in range(len(STAGES)):
        put(log, number)
    return log


class Teller:
    """Keeps the curve, and breaks off after some updates as a kill would."""

    def __init__(self, left: int = 10**6) -> None:
        self.left = left
        self.seen: Curve = []
        self.said: list[str] = []
        self.reports = Reports(self.curve, self.said.append)

    def curve(self, stage: str, update: int, values: Mapping[str, float]) -> None:
        self.seen.append((stage, update, tuple(sorted(values.items()))))
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


def learn(out: Path, log: EpisodeStore, teller: Teller, config: Config = CONFIG) -> Following:
    with RunFolder.claim(out, CONFIG) as run:
        following = Following(run, config, log, teller.reports)
        while following.advance():
            pass
        return following


def state(of: Following) -> dict[str, bytes]:
    return {name: value.numpy().tobytes() for name, value in of.trainer.state_dict().items()}


def shipped(out: Path) -> dict[str, object]:
    """All that was shipped, but for what names the run itself."""
    found = dict[str, object]()
    for folder in (out / "checkpoints").iterdir():
        groups, manifest = read_checkpoint(folder)
        assert manifest.run_id == RunFolder.open(out).id
        found[folder.name] = manifest.sha256, manifest.train_steps, manifest.encoder_id, set(groups)
    return found


@pytest.fixture(autouse=True)
def contented(monkeypatch: pytest.MonkeyPatch) -> None:
    content(monkeypatch)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Following, Curve]:
    """All of the log learnt in one go: its folder, the learner and its curve."""
    out = tmp_path_factory.mktemp("follow")
    teller = Teller()
    with pytest.MonkeyPatch.context() as patch:
        content(patch)
        return out / "learnt", learn(out / "learnt", whole_log(out / "log"), teller), teller.seen


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> tuple[Following, Teller]:
    """The same with a replay that has no room for all of it."""
    out, teller = tmp_path_factory.mktemp("full"), Teller()
    with pytest.MonkeyPatch.context() as patch:
        content(patch)
        return learn(out / "learnt", whole_log(out / "log"), teller, SMALL), teller


def test_every_episode_pays_for_its_learning(undisturbed: tuple[Path, Following, Curve]) -> None:
    out, following, curve = undisturbed
    # Practice begins when the held-out play is there: the third episode of play pays TD3 already.
    assert following.counts == Counts(play=100, practice=125, tunings=3, shipped=125)
    assert following.trainer.vae_updates == 30 + 3 * 3
    assert following.trainer.updates == 20 + 125
    assert [len([row for row in curve if row[0] == stage]) for stage in ("vae", "td3")] == [39, 145]
    run = RunFolder.open(out)
    # Never before the thirtieth step, and at whole episodes only.
    assert list(checkpoints(run)) == [0, 50, 75, 100, 125]
    assert load_health(run).passed


def test_a_checkpoint_brings_goals_of_its_own_encoder(undisturbed: tuple[Path, Following, Curve]) -> None:
    folder = checkpoints(RunFolder.open(undisturbed[0]))[50]
    shipment = load_checkpoint(folder)
    policy, goals = shipment.policy, decode_goals(shipment)
    assert goals.shape == (256, 84, 84, 3)
    assert goals.std(axis=0).max() > 0, "they differ"
    other = Trainer(tiny_config("vae.latent_dim=3"), Replay(10, 2, None)).vae
    foreign = LatentPolicy(other, policy.space, policy.actor, policy.motion)
    with pytest.raises(UserError, match="no latents of its encoder"):
        decode_goals(shipment._replace(policy=foreign))


@pytest.mark.parametrize("kills", [(5,), (35, 1), (45, 60)])
def test_whoever_is_killed_learns_the_same_bit_for_bit(
    tmp_path: Path, undisturbed: tuple[Path, Following, Curve], kills: tuple[int, ...]
) -> None:
    out, straight, curve = undisturbed
    log = EpisodeStore(out.parent / "log")
    tellers = [Teller(left) for left in kills]
    for teller in tellers:
        with pytest.raises(KeyboardInterrupt):
            learn(tmp_path, log, teller)
    last = Teller()
    again = learn(tmp_path, log, last)
    assert state(again) == state(straight)
    assert shipped(tmp_path) == shipped(out)
    # What was learnt twice came out the same both times.
    for teller in (*tellers, last):
        assert set(teller.seen) <= set(curve)
    assert {row[:2] for teller in (*tellers, last) for row in teller.seen} == {row[:2] for row in curve}


def test_a_log_that_grows_teaches_the_same(tmp_path: Path, undisturbed: tuple[Path, Following, Curve]) -> None:
    log = EpisodeStore(tmp_path / "log")
    with RunFolder.claim(tmp_path / "learnt", CONFIG) as run:
        following = Following(run, CONFIG, log, Teller().reports)
        assert not following.advance()
        for number in range(len(STAGES)):
            put(log, number)
            assert following.advance()
            assert not following.advance()
    assert state(following) == state(undisturbed[1])


def test_an_episode_under_way_is_waited_for_and_an_empty_one_passed_over(tmp_path: Path) -> None:
    log = EpisodeStore(tmp_path / "log")
    write(log, "collect", EPISODES[0], 0).abort("nothing came")
    running = write(log, "collect", EPISODES[0], 20)
    with RunFolder.claim(tmp_path / "learnt", CONFIG) as run:
        following = Following(run, CONFIG, log, Teller().reports)
        assert not following.advance()
        running.abort("cut short")
        assert following.advance()
        # The last step of a file that was cut short has no picture of what it led to.
        assert following.counts.play == 19
        assert not following.advance()


def test_an_unfit_vae_waits_for_more_play_and_nothing_is_shipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("robot_rig.learning.health.INVERSE_LIMIT", 99.0)
    log, teller = whole_log(tmp_path / "log"), Teller()
    following = learn(tmp_path / "learnt", log, teller)
    assert not following.trainer.practising
    # Everything but held-out play is play then: 225 steps at 30 updates a hundred.
    assert following.counts == Counts(play=225)
    assert following.trainer.vae_updates == 67
    assert not checkpoints(RunFolder.open(tmp_path / "learnt"))
    assert any("NOT fit" in sentence for sentence in teller.said)


def test_an_episode_that_was_learnt_from_and_is_gone_is_named(
    tmp_path: Path, undisturbed: tuple[Path, Following, Curve]
) -> None:
    log = whole_log(tmp_path / "log")
    with pytest.raises(KeyboardInterrupt):
        learn(tmp_path / "learnt", log, Teller(35))
    log.paths()[0].unlink()
    with pytest.raises(UserError, match="collect-000000"):
        learn(tmp_path / "learnt", log, Teller())


def test_what_goes_on_with_another_runs_log_is_refused_whatever_its_episodes_are_called(tmp_path: Path) -> None:
    log = EpisodeStore(tmp_path / "log")
    put(log, 0)
    with RunFolder.claim(tmp_path / "learnt", CONFIG) as run:
        assert Following(run, CONFIG, log, Teller().reports, log_id="one").advance()
        for same in ("one", ""):
            assert not Following(run, CONFIG, log, Teller().reports, log_id=same).advance()
        with pytest.raises(UserError, match="from the log of run one, and this is the log of another"):
            Following(run, CONFIG, log, Teller().reports, log_id="another")


def test_a_full_replay_lets_the_oldest_go_and_whoever_is_killed_learns_the_same(
    tmp_path: Path, full: tuple[Following, Teller]
) -> None:
    straight, told = full
    log, tellers = whole_log(tmp_path / "log"), [Teller(12), Teller(70), Teller(9), Teller()]
    for teller in tellers[:-1]:
        with pytest.raises(KeyboardInterrupt):
            learn(tmp_path / "learnt", log, teller, SMALL)
    again = learn(tmp_path / "learnt", log, tellers[-1], SMALL)
    # 51 pictures an episode of play and 26 one of practice: the last four have room in 130, and all seven paid.
    assert again._replay.episodes == ("collect-000003", "practice-000004", "practice-000005", "practice-000006")
    assert again.counts == straight.counts == Counts(play=100, practice=125, tunings=3, shipped=125)
    assert state(again) == state(straight)
    rows = again._replay.frame_rows
    assert again._replay.latents[rows].tobytes() == straight._replay.latents[rows].tobytes()
    assert set().union(*(teller.seen for teller in tellers)) == set(told.seen)
    assert len(told.seen) == 39 + 145


def test_what_a_full_replay_holds_is_said(tmp_path: Path, full: tuple[Following, Teller]) -> None:
    said = full[1].said
    assert [one for one in said if one.startswith("full")] == [
        "full: 130 pictures are held at most, and the oldest episodes leave; 100 of 150 logged steps are held"
    ]
    assert said[-1].startswith("checkpoint practice-000125 ")
    assert said[-1].endswith("; 125 of 275 logged steps are held")
    log, teller = whole_log(tmp_path / "log"), Teller()
    learn(tmp_path / "learnt", log, Teller(), SMALL)
    learn(tmp_path / "learnt", log, teller, SMALL)
    assert teller.said == ["goes on behind 7 episodes; 125 of 275 logged steps are held"]


@pytest.mark.parametrize("kind", ["rig", "gcbc"])
def test_what_a_person_does_meanwhile_is_marked_and_learnt_from(tmp_path: Path, kind: str) -> None:
    config, after = tiny_config(f"agent.kind={kind}", "practice.updates_per_step=1"), []
    for turn in (1.0, -1.0):
        place = tmp_path / f"{turn:g}"
        log = EpisodeStore(place / "log")
        for number in range(4):
            put(log, number)
        done = EPISODES[4].executed_action.copy()
        done[8:14] *= turn
        writer = write(log, "practice", replace(EPISODES[4], executed_action=done), 25, human=range(8, 14))
        writer.finish(Frame(25, 25.0, EPISODES[4].frames[25]))
        with RunFolder.claim(place / "out", config) as run:
            following = Following(run, config, log, Teller().reports)
            while following.advance():
                pass
            assert following.trainer._replay.human_steps == 6
            after.append(following.trainer.averaged_policy().tensors()["actor"])
    assert any(not torch.equal(after[0][name], after[1][name]) for name in after[0])


@pytest.mark.parametrize("kind", ["rig", "gcbc"])
def test_a_persons_motion_during_practice_goes_from_the_device_into_the_learners_batches(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, drawn = EpisodeStore(tmp_path / "log"), list[Transitions]()
    for number in range(5):
        put(log, number)
    desk = Desk()
    desk.recorder = LiveRecorder(lambda _, meta: EpisodeWriter(log.next_path(meta["stage"]), 2, None, meta))
    desk.live(0.5)
    desk.push(2.0)
    desk.let_go()
    desk.live(0.5)
    put(log, 5)
    (theirs,) = log.read_new((), "teleop")
    assert theirs.human.all()
    draw = Replay.transitions

    def drawing(*arguments: Any) -> Transitions:
        drawn.append(draw(*arguments))
        return drawn[-1]

    monkeypatch.setattr(Replay, "transitions", drawing)
    config = tiny_config(f"agent.kind={kind}", "practice.updates_per_step=1")
    with RunFolder.claim(tmp_path / "out", config) as run:
        following = Following(run, config, log, Teller().reports)
        while following.advance():
            pass
    replay, lag = following.trainer._replay, following.trainer._lag
    assert replay.human_steps == len(theirs) >= 15
    before = replay.episodes[: replay.episodes.index(theirs.id)]
    first = sum(len(read_episode(log.folder / f"{id}.mcap").frames) for id in before)
    mine = [np.isin(one.frame, range(first + lag, first + len(theirs))) for one in drawn]
    assert any(some.any() for some in mine)
    # Who imitates learns from nobody else from then on; who has a reward, from everybody.
    assert mine[-1].all() == (kind == "gcbc")
    for one, some in zip(drawn, mine, strict=True):
        assert (one.action[some] == theirs.executed_action[one.frame[some] - first - lag]).all()


def test_an_interrupted_episode_keeps_its_goal_and_the_persons_motion_does_not_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person takes the arm while it is on its way to a goal: two episodes, of which only the first has that goal."""
    log, drawn = EpisodeStore(tmp_path / "log"), list[Transitions]()
    for number in range(4):
        put(log, number)
    asked_for = (EPISODES[4].frames[40], EPISODES[5].frames[0])
    write(log, "practice", EPISODES[4], 20, goal=asked_for[0]).abort("a person has the arm")
    theirs = write(log, "teleop", EPISODES[6], 15, human=range(15))
    theirs.finish(Frame(15, 15.0, EPISODES[6].frames[15]))
    write(log, "practice", EPISODES[5], 20, goal=asked_for[1]).finish(Frame(20, 20.0, EPISODES[5].frames[20]))
    goals = {path.stem: goal for path, goal in zip(log.paths("practice"), asked_for, strict=True)}
    draw = Replay.transitions

    def drawing(*arguments: Any) -> Transitions:
        drawn.append(draw(*arguments))
        return drawn[-1]

    monkeypatch.setattr(Replay, "transitions", drawing)
    config = tiny_config("practice.updates_per_step=2")
    with RunFolder.claim(tmp_path / "out", config) as run:
        following = Following(run, config, log, Teller().reports)
        while following.advance():
            pass
    replay, lag = following.trainer._replay, following.trainer._lag
    spans, at = {}, 0
    for id in replay.episodes:
        episode = read_episode(log.folder / f"{id}.mcap")
        spans[id] = (at, at + len(episode))
        at += len(episode.frames) + (episode.goal is not None)
    (person,) = (id for id in spans if id.startswith("teleop"))
    asked = dict.fromkeys(spans, 0)
    for one in drawn:
        for id, (first, last) in spans.items():
            mine = (one.frame >= first + lag) & (one.frame < last)
            asked[id] += int((mine & (one.kind == ROLLOUT)).sum())
            own = mine & (one.kind == ROLLOUT)
            if id in goals:
                assert (replay.pictures(one.goal[own]) == goals[id]).all()
            # What came later is sought in the same hands: neither does the policy's way lead on into the person's.
            later = one.goal[mine & (one.kind == FUTURE)]
            assert ((later > first) & (later <= last)).all()
    assert asked[person] == 0, "the person was on no way to a goal"
    assert all(asked[id] > 0 for id in goals)
