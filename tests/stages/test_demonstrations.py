"""What people have shown comes into a run once, byte for byte, is learnt from, and alone is enough to begin with."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from robot_rig.cli.main import main
from robot_rig.data.disk_room import DiskRoom
from robot_rig.data.log import EpisodeWriter, read_episode
from robot_rig.data.store import EpisodeStore
from robot_rig.datatypes import Action, Executed, Frame, Outcome, Source, Step
from robot_rig.errors import UserError
from robot_rig.runs import RunFolder
from robot_rig.stages.collect import collect
from robot_rig.stages.demonstrations import DEMONSTRATED, HELD_BACK, bring_in, demonstrations_in
from robot_rig.stages.learn import Learning
from robot_rig.stages.reporting import count_steps
from robot_rig.stages.shipping import checkpoints, load_policy
from sim.rig import SimRig
from sim.scripted_operator import demonstrate
from tests.stages.conftest import no_progress
from tests.tiny_run import content, tiny_config, words


@pytest.fixture(scope="session")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of four demonstrations by the scripted operator."""
    folder = tmp_path_factory.mktemp("shown") / "demos"
    config = tiny_config()
    rig = SimRig(config, config.seed)
    demonstrate(rig, config, EpisodeStore(folder), 4, seed=3, progress=no_progress)
    rig.close()
    return folder


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[RunFolder]:
    """A run in which nothing has happened."""
    with RunFolder.claim(tmp_path / "run", tiny_config()) as run:
        yield run


def mixed(path: Path, sources: list[Source], action_dim: int = 2) -> Path:
    """A log whose steps came from `sources`: a policy that acts, and a person who takes over."""
    writer = EpisodeWriter(path, action_dim, None, {"stage": "practice"}, room=DiskRoom(0, 0))
    picture = np.random.default_rng(0).integers(0, 256, (84, 84, 3), np.uint8)
    for n, source in enumerate(sources):
        action = Action(n, 0.1 * n, np.full(action_dim, 0.5, np.float32), source, n, 0.1 * n)
        executed = Executed(np.full(action_dim, 0.25, np.float32), 0.0, Outcome.PASSED, (), np.zeros(7))
        writer.append(Step(Frame(n, 0.1 * n, picture), action, executed))
    writer.finish(Frame(len(sources), 0.1 * len(sources), picture))
    return path


def digests(paths: list[Path]) -> list[str]:
    return sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in paths)


def test_a_log_says_which_steps_a_person_commanded(tmp_path: Path) -> None:
    sources = [Source.POLICY, Source.POLICY, Source.HUMAN, Source.HUMAN, Source.POLICY, Source.RANDOM]
    episode = read_episode(mixed(tmp_path / "a.mcap", sources))
    assert episode.human.tolist() == [False, False, True, True, False, False]
    assert not episode.human.flags.writeable


def test_the_scripted_operator_is_logged_as_human_and_arrives(shown: Path) -> None:
    for path in EpisodeStore(shown).paths():
        episode = read_episode(path)
        assert episode.human.all()
        assert episode.meta["policy"] == "scripted-operator"
        # Under the guard's slow speed of 0.10 m/s an action of 1 would be 0.17 m/s.
        assert np.linalg.norm(episode.executed_action, axis=1).max() < 0.65
        assert np.linalg.norm(episode.executed_action[-3:], axis=1).max() < 0.15


def test_demonstrations_come_in_once_and_byte_for_byte(shown: Path, empty: RunFolder) -> None:
    brought = bring_in(empty, demonstrations_in(shown), "first", no_progress)
    assert (brought.taken, brought.human_steps, brought.known, brought.left_out) == (4, 120, 0, ())
    store = EpisodeStore(empty.episodes)
    assert [len(store.paths(stage)) for stage in (DEMONSTRATED, HELD_BACK)] == [3, 1]
    assert digests(store.paths()) == digests(EpisodeStore(shown).paths())
    again = bring_in(empty, demonstrations_in(shown), "learnt", no_progress)
    assert (again.taken, again.known) == (0, 4)
    assert len(store.paths()) == 4
    assert count_steps(empty) == {
        "random play": 0,
        "held-out play": 0,
        "demonstrations": 90,
        "held-back demonstrations": 30,
        "practice": 0,
    }


def test_beside_held_out_play_none_is_held_back(
    shown: Path, collected: Path, copy_of: Callable[[Path], RunFolder]
) -> None:
    with copy_of(collected) as run:
        bring_in(run, demonstrations_in(shown), "first", no_progress)
        assert EpisodeStore(run.episodes).paths(HELD_BACK) == []
        assert Learning(run, run.config)._pictures(DEMONSTRATED) == 4 * 32


def test_what_is_no_demonstration_is_left_out_by_name(shown: Path, empty: RunFolder, tmp_path: Path) -> None:
    folder = tmp_path / "mixed"
    shutil.copytree(shown, folder)
    mixed(folder / "machine.mcap", [Source.POLICY] * 3)
    mixed(folder / "wide.mcap", [Source.HUMAN] * 3, action_dim=3)
    (folder / "noise.mcap").write_bytes(b"noise")
    (folder / "a link.mcap").symlink_to(shown / "demo-000000.mcap")
    mixed(folder / "taken over.mcap", [Source.POLICY, Source.HUMAN, Source.HUMAN])
    brought = bring_in(empty, demonstrations_in(folder), "first", no_progress)
    assert brought.taken == 5
    assert brought.human_steps == 122
    assert [why.split(".mcap")[0].rpartition("/")[2] for why in brought.left_out] == [
        "a link",
        "machine",
        "noise",
        "wide",
    ]
    told = brought.told()
    assert told[0] == "5 demonstrations taken in, 122 steps of people"
    assert "1 of them were recorded under other settings" in told[-1]


@pytest.mark.parametrize("make", [lambda folder: None, lambda folder: mixed(folder / "a.mcap", [Source.POLICY] * 2)])
def test_a_folder_without_one_is_refused(empty: RunFolder, tmp_path: Path, make: Callable[[Path], object]) -> None:
    folder = tmp_path / "nothing"
    folder.mkdir()
    make(folder)
    with pytest.raises(UserError, match=r"no episode in|is a demonstration"):
        bring_in(empty, demonstrations_in(folder), "first", no_progress)


def test_a_run_that_has_learnt_takes_no_new_one(
    shown: Path, trained: Path, copy_of: Callable[[Path], RunFolder]
) -> None:
    with copy_of(trained) as run, pytest.raises(UserError, match="begun to learn without"):
        bring_in(run, demonstrations_in(shown), "learnt", no_progress)


def test_play_and_demonstrations_are_learnt_from_together(
    shown: Path, collected: Path, copy_of: Callable[[Path], RunFolder]
) -> None:
    with copy_of(collected) as run:
        bring_in(run, demonstrations_in(shown), "first", no_progress)
        learning = Learning(run, run.config)
        assert learning.trainer._replay.human_steps == 120
        learning.train_vae(no_progress)
        learning.begin_practice(no_progress)
        assert len(learning.trainer._replay) == 150 + 120
        again = Learning(run, run.config)
        assert again.trainer._replay.episodes == learning.trainer._replay.episodes


def test_random_play_may_come_after_the_demonstrations(shown: Path, tmp_path: Path, rig: SimRig) -> None:
    with RunFolder.claim(tmp_path / "later", tiny_config()) as run:
        bring_in(run, demonstrations_in(shown), "first", no_progress)
        collect(run, run.config, rig, no_progress)
        assert count_steps(run)["random play"] == 100


def test_a_run_of_demonstrations_alone_goes_all_the_way_and_reaches(
    shown: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """train --demos, practice (which imitates and ends), eval, report, reach: the words that a person says."""
    content(monkeypatch)
    run = tmp_path / "run"
    imitate = ("agent.kind=gcbc", "practice.steps=0")
    first = words("train", run, *imitate)
    assert main([*first, "--demos", str(shown)]) == 0
    assert "4 demonstrations taken in, 120 steps of people" in capsys.readouterr().out
    for word in ("practice", "eval", "report"):
        assert main([word, "--run", str(run)]) == 0, capsys.readouterr().err
    folder = RunFolder.open(run)
    assert list(checkpoints(folder)) == [0]
    policy = load_policy(checkpoints(folder)[0])
    assert policy.action_dim == 2
    goal = sorted(folder.evaluation.glob("*/pictures/*.png"))[0]
    film = tmp_path / "reach.gif"
    assert main(["reach", "--run", str(run), "--goal", str(goal), "--film", str(film)]) == 0
    assert film.read_bytes().startswith(b"GIF8")
    text = (run / "report.html").read_text()
    assert "Imitation loss" in text


def test_demonstrations_for_a_learner_apart_are_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, out, demos = (str(tmp_path / name) for name in ("data", "out", "demos"))
    assert main(["train", "--data", data, "--out", out, "--demos", demos]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert main(["train", "--run", out, "--demos", demos]) == 2
    assert "no episode in" in capsys.readouterr().err
