"""Following for weeks: what is kept of episodes that were learnt from, and one that comes late."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from robot_rig.data.store import EpisodeStore
from robot_rig.runs import RunFolder
from robot_rig.stages.follow import SAVED, STORY, Following
from tests.stages.test_follow import CONFIG, SMALL, Teller, learn, put, state
from tests.test_formats import names, part
from tests.tiny_run import content

LATE = "collect-000001"
"""An episode that is not there in the beginning."""


@pytest.fixture(autouse=True)
def contented(monkeypatch: pytest.MonkeyPatch) -> None:
    content(monkeypatch)


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A learner in out/ that has learnt from four episodes in log/, to be copied; `LATE` lies beside them."""
    folder = tmp_path_factory.mktemp("begun")
    log = EpisodeStore(folder / "log")
    for number in range(5):
        put(log, number)
    (folder / "log" / f"{LATE}.mcap").rename(folder / f"{LATE}.mcap")
    with pytest.MonkeyPatch.context() as patch:
        content(patch)
        learn(folder / "out", log, Teller(), SMALL)
    assert told(folder / "out")["held"] == ["collect-000003", "heldout-000002", "practice-000004"]
    return folder


def copies(begun: Path, tmp_path: Path, count: int) -> tuple[EpisodeStore, list[Path]]:
    """The log, and so many times the learner."""
    shutil.copytree(begun / "log", tmp_path / "log")
    outs = [tmp_path / f"out-{number}" for number in range(count)]
    for out in outs:
        shutil.copytree(begun / "out", out)
    return EpisodeStore(tmp_path / "log"), outs


def told(out: Path) -> dict[str, Any]:
    """What the learner in `out` keeps of the log."""
    with RunFolder.claim(out, CONFIG) as run:
        story: dict[str, Any] = json.loads(run.load_arrays(SAVED, "")[STORY].tobytes())
    return story


def keep(out: Path, **changes: object) -> None:
    """Change what it keeps, as if it had been another life; None: that is not kept at all."""
    with RunFolder.claim(out, CONFIG) as run:
        saved = run.load_arrays(SAVED, "")
        story = {**json.loads(saved[STORY].tobytes()), **changes}
        text = json.dumps({key: value for key, value in story.items() if value is not None})
        run.save_arrays(SAVED, {**saved, STORY: np.frombuffer(text.encode(), np.uint8)})


def test_one_that_comes_late_is_learnt_from_next_and_so_again_after_a_kill(begun: Path, tmp_path: Path) -> None:
    log, (straight, killed) = copies(begun, tmp_path, 2)
    shutil.copy(begun / f"{LATE}.mcap", log.folder)
    put(log, 5)
    with pytest.raises(KeyboardInterrupt):
        # In the middle of what the second of the two pays for.
        learn(killed, log, Teller(60), SMALL)
    assert told(killed)["held"] == ["heldout-000002", "practice-000004", LATE]
    assert state(learn(straight, log, Teller(), SMALL)) == state(learn(killed, log, Teller(), SMALL))
    assert told(straight) == told(killed)
    assert told(straight)["held"] == ["practice-000004", LATE, "practice-000005"]


def test_what_a_learner_of_before_has_saved_is_gone_on_with(begun: Path, tmp_path: Path) -> None:
    """It kept the name of each episode that it had ever learnt from, and how many of them the replay holds."""
    log, (now, former) = copies(begun, tmp_path, 2)
    keep(former, known=["collect-000000", "collect-000003", "heldout-000002", "practice-000004"], held=3, had=None)
    put(log, 5)
    assert state(learn(former, log, Teller(), SMALL)) == state(learn(now, log, Teller(), SMALL))
    assert told(former) == told(now)


def test_what_is_kept_of_a_million_episodes_is_no_more_than_of_five(begun: Path, tmp_path: Path) -> None:
    log, (out,) = copies(begun, tmp_path, 1)
    story, before = told(out), (out / "state" / f"{SAVED}.npz").stat().st_size
    assert sorted(story["had"]) == [["collect-", 0, 0], ["collect-", 3, 3], ["heldout-", 2, 2], ["practice-", 4, 4]]
    assert set(story) <= names(part("2. Run folder")), "docs/formats.md"
    keep(out, had=[*story["had"][:-1], ["practice-", 4, 1_000_004]])
    log.folder.joinpath("practice-1000004.mcap").touch()
    put(log, 4)
    with RunFolder.claim(out, CONFIG) as run:
        teller = Teller()
        following = Following(run, SMALL, log, teller.reports)
        assert teller.said == ["goes on behind 1000004 episodes; 125 of 175 logged steps are held"]
        assert following.advance()
        assert following.counts.practice == 50
        assert not following.advance()
    assert abs((out / "state" / f"{SAVED}.npz").stat().st_size - before) < 300
