"""What stands in a stranger's file reaches a person's terminal as short, plain text, or not at all."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot_rig.config_files import load_config
from robot_rig.data.bag import open_bag
from robot_rig.data.episode import Topic
from robot_rig.data.log import EpisodeWriter
from robot_rig.data.salvage import salvage
from robot_rig.errors import MOST_LISTED, MOST_QUOTED, UserError, listed, plain, quoted
from robot_rig.evaluation_files import load_evaluation
from robot_rig.picture_files import read_photo
from sim.strangers.archives import npy, npz
from sim.strangers.bag_bombs import bag_of_chunks
from sim.strangers.originals import originals
from tests.data.episodes import NO_LIMIT, make_step

HOSTILE = "\x1b[31m\x1b]0;owned\x07\u202e\x9b" + "A" * 100_000
MOST = 900
"""Characters of a whole refusal, the path of a temporary folder in it."""


@given(st.one_of(st.text(), st.integers(), st.lists(st.text()), st.none(), st.binary()))
def test_whatever_is_quoted_is_short_and_prints(value: object) -> None:
    for told in (quoted(value), plain(str(value)), *listed([str(value)] * 20)):
        assert told.isascii()
        assert told.isprintable() or not told
        assert len(told) <= MOST_QUOTED


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=MOST_QUOTED))
def test_a_plain_text_stays_what_it_is(text: str) -> None:
    assert plain(text) == text


def test_a_long_list_is_counted() -> None:
    assert listed([f"/topic_{number}" for number in range(100, 356)])[-1] == f"{256 - MOST_LISTED} more"


def _evaluation(folder: Path, arrays: bytes | None = None, **changes: object) -> object:
    shutil.copytree(originals().evaluation, folder / "evaluation")
    index = json.loads((folder / "evaluation" / "evaluation.json").read_text())
    if arrays is not None:
        (folder / "evaluation" / "evaluation.npz").write_bytes(arrays)
        changes = {"sha256": hashlib.sha256(arrays).hexdigest()}
    (folder / "evaluation" / "evaluation.json").write_text(json.dumps(index | changes))
    return load_evaluation(folder / "evaluation")


def _settings(folder: Path, text: str) -> object:
    (folder / "settings.yaml").write_text(text)
    return load_config([folder / "settings.yaml"], [])


def _bag(folder: Path) -> object:
    topics = [Topic(f"/{number}{HOSTILE[:900]}", "std_msgs/String") for number in range(200)]
    (folder / "a.bag").write_bytes(bag_of_chunks(topics, [], "none"))
    with open_bag(folder / "a.bag") as bag:
        return bag.topics


def _many_topics(folder: Path) -> object:
    topics = [Topic(f"/{number}{'n' * 200}", "std_msgs/String") for number in range(200)]
    (folder / "a.bag").write_bytes(bag_of_chunks(topics, [], "none"))
    with open_bag(folder / "a.bag") as bag:
        return next(bag.messages(["/none"]))


BYTE = npy((1,), body=b"x")
LONG = "a" * 200_000
ESCAPED = "\\e[31m\\e]0;own\\a"
FILES: dict[str, Callable[[Path], object]] = {
    "format": lambda folder: _evaluation(folder, format=HOSTILE),
    "array's name": lambda folder: _evaluation(folder, npz({f"{HOSTILE[:20_000]}.npy": BYTE})),
    "many arrays": lambda folder: _evaluation(folder, npz({f"{n}{LONG[:200]}.npy": BYTE for n in range(300)})),
    "array's bytes": lambda folder: _evaluation(folder, npz({f"{HOSTILE[:20_000]}.npy": b"x"})),
    "anchor": lambda folder: _settings(folder, f"seed: &{LONG} 1\n"),
    "tag": lambda folder: _settings(folder, f"seed: !{LONG} 1\n"),
    "undefined tag": lambda folder: _settings(folder, f"seed: !a{LONG}!b 1\n"),
    "key": lambda folder: _settings(folder, f'"{ESCAPED}": 1\n'),
    "key in a section": lambda folder: _settings(folder, f'vae: {{"{ESCAPED}": 1}}\n'),
    "key twice": lambda folder: _settings(folder, f'"{LONG}": 1\n"{LONG}": 2\n'),
    "value": lambda folder: _settings(folder, f'preset: "{ESCAPED}\\x9b\\u202e"\n'),
    "long value": lambda folder: _settings(folder, f"preset: {LONG}\n"),
    "topics": _bag,
    "many topics": _many_topics,
}  # fmt: skip


@pytest.mark.parametrize("kind", FILES)
def test_a_refusal_says_it_in_one_short_line(tmp_path: Path, kind: str) -> None:
    with pytest.raises(UserError) as refusal:
        FILES[kind](tmp_path)
    assert str(refusal.value).isprintable()
    assert "\u202e" not in str(refusal.value)
    assert len(str(refusal.value)) < MOST


@pytest.mark.parametrize("name", ["a\x00b", "\x1b]0;owned\x07.png", "two\nlines.png", "a\u202eb.png"])
def test_a_name_with_control_characters_is_told_without_them(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError) as refusal:
        read_photo(tmp_path / name)
    assert str(refusal.value).isprintable()
    assert refusal.value.problem.isprintable()


def test_a_name_in_any_script_stays_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"Größe-卓\.png"):
        read_photo(tmp_path / "Größe-卓.png")


def test_why_an_episode_ended_is_told_in_one_short_line(tmp_path: Path) -> None:
    path = tmp_path / "play-000000.mcap"
    writer = EpisodeWriter(path, 2, None, {"stage": "play"}, room=NO_LIMIT)
    writer.append(make_step(0))
    writer.abort(HOSTILE)
    told = salvage(path).damage
    assert told.startswith("aborted after 1 steps: ")
    assert told.isprintable()
    assert len(told) < 300
