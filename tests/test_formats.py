"""Old files stay readable, value for value; other versions are refused by name; docs/formats.md agrees with the code.

The files of tests/fixtures/formats/v1 were made once, by `tests.format_fixtures`, and stand for those that people have.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mcap.reader import make_reader

from robot_rig.config import Config
from robot_rig.data import episode as schema
from robot_rig.data.log import read_episode
from robot_rig.data.outline import outline
from robot_rig.data.salvage import meta_checksum, salvage
from robot_rig.data.set_copy import assemble, read_origin
from robot_rig.data.sets import ORIGIN_FORMAT, LeftOut, Origin, Placement
from robot_rig.datatypes import Episode, Step
from robot_rig.errors import UserError
from robot_rig.evaluation_files import FORMAT as EVALUATION_FORMAT
from robot_rig.evaluation_files import load_evaluation
from robot_rig.evaluation_folder import FORMAT as EXAM_FORMAT
from robot_rig.goal_library import FORMAT as GOAL_FORMAT
from robot_rig.goal_library import KEYS, GoalLibrary
from robot_rig.goal_sets import FORMAT as SET_FORMAT
from robot_rig.goal_sets import KEYS as SET_KEYS
from robot_rig.goal_sets import GoalSets
from robot_rig.keys import Pin
from robot_rig.learning.checkpoint import MANIFEST, RUN_ID, SIGNATURE, VERSION, Manifest, read_checkpoint
from robot_rig.learning.health import HealthReport
from robot_rig.learning.metric import LatentSpace
from robot_rig.learning.motion import MotionNet
from robot_rig.learning.policy import LatentPolicy
from robot_rig.learning.td3 import Actor
from robot_rig.learning.vae import Elbo, Vae
from robot_rig.run_mark import FORMAT as RUN_FORMAT
from robot_rig.runs import RunFolder
from robot_rig.stages.curves import read_curves
from robot_rig.stages.episode import PUT_BACK
from robot_rig.stages.shipping import GOALS, TRAINING
from tests import format_fixtures as made
from tests.house import ROOT

V1 = ROOT / "tests/fixtures/formats/v1"
PAGE = (ROOT / "docs/formats.md").read_text()
MOST_BYTES = 300_000


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A copy of all the files, to be changed."""
    shutil.copytree(V1, tmp_path / "v1")
    return tmp_path / "v1"


# --- the files of before ----------------------------------------------------------------------------------------------


def test_the_files_are_still_the_first_ones() -> None:
    """Files made anew would only show that today's code reads what today's code writes."""
    digest = hashlib.sha256()
    for path in sorted(path for path in V1.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(V1)} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    assert digest.hexdigest() == "75bdafa2ba729d8eff715335f53d72250559c7e42e562f0c22d4ef530c62a6f9"
    assert sum(path.stat().st_size for path in V1.rglob("*") if path.is_file()) < MOST_BYTES


def assert_same_step(read: Step, number: int) -> None:
    written = made.step(number)
    np.testing.assert_array_equal(read.frame.rgb, written.frame.rgb)
    assert (read.frame.seq, read.frame.stamp) == (written.frame.seq, written.frame.stamp)
    for name in ("seq", "stamp", "source", "frame_seq", "frame_stamp"):
        assert getattr(read.action, name) == getattr(written.action, name)
    for name in ("residual", "outcome", "reasons"):
        assert getattr(read.executed, name) == getattr(written.executed, name)
    assert read.action.value.tobytes() == written.action.value.tobytes()
    assert read.executed.value.tobytes() == written.executed.value.tobytes()
    assert read.executed.position.tobytes() == written.executed.position.tobytes()


def test_an_episode_of_before_is_read_value_for_value() -> None:
    log = salvage(V1 / "episode.mcap")
    assert log.damage == ""
    assert (dict(log.meta), log.action_dim, len(log.steps)) == (made.META, 2, 3)
    for number, step in enumerate(log.steps):
        assert_same_step(step, number)
    assert log.closing is not None
    assert (log.closing.seq, log.closing.stamp) == (49, 500.375)
    assert log.goal is not None
    np.testing.assert_array_equal(log.goal, made.picture(9))
    episode = read_episode(V1 / "episode.mcap")
    np.testing.assert_array_equal(episode.frames, np.stack([made.picture(number) for number in range(4)]))
    np.testing.assert_array_equal(episode.action, np.array([[0, -0.5], [0.25, -0.5], [0.5, -0.5]], np.float32))
    np.testing.assert_array_equal(episode.executed_action, episode.action / 2)
    assert episode.stamps.tolist() == [500.0, 500.125, 500.25, 500.375]
    assert not episode.truncated
    assert outline(V1 / "episode.mcap").steps == 3


def test_an_episode_of_before_that_was_killed_gives_its_whole_steps() -> None:
    log = salvage(V1 / "truncated.mcap")
    assert (len(log.steps), log.closing, dict(log.meta)) == (2, None, made.META)
    for number, step in enumerate(log.steps):
        assert_same_step(step, number)
    said = "the first 2 steps are intact, the last 327 of 3249 bytes are not: it ends there without an index"
    assert log.damage.startswith(said)
    assert (len(read_episode(V1 / "truncated.mcap")), read_episode(V1 / "truncated.mcap").truncated) == (1, True)


def test_a_checkpoint_of_before_is_read_believed_and_the_same() -> None:
    groups, manifest = read_checkpoint(V1 / "checkpoint", accepts=Pin.load(V1 / "trainer.pub").accepts)
    expected = made.tensors()
    assert groups.keys() == expected.keys()
    for name, tensors in expected.items():
        assert groups[name].keys() == tensors.keys()
        for key, value in tensors.items():
            assert groups[name][key].dtype == value.dtype
            assert torch.equal(groups[name][key], value)
    wanted = made.manifest()
    for name in ("encoder_id", "config_hash", "latent_dim", "action_dim", "train_steps", "image_size", "version"):
        assert getattr(manifest, name) == getattr(wanted, name)
    for name in ("golden_image", "golden_goal", "golden_action"):
        np.testing.assert_array_equal(getattr(manifest, name), getattr(wanted, name))
    assert set(manifest.sha256) == {"actor.safetensors", "goals.safetensors", "golden.safetensors"}


def test_a_signature_of_before_counts_for_its_maker_only(copied: Path) -> None:
    accepts = Pin.load(copied / "trainer.pub").accepts
    signature = copied / "checkpoint" / SIGNATURE
    signature.write_bytes(bytes([signature.read_bytes()[0] ^ 1]) + signature.read_bytes()[1:])
    with pytest.raises(UserError, match="was not signed by the trainer"):
        read_checkpoint(copied / "checkpoint", accepts=accepts)


def test_a_goal_of_before_is_read_under_the_same_camera() -> None:
    goal = GoalLibrary(V1 / "goals", Config()).load("red-cup_2")
    np.testing.assert_array_equal(goal.picture, made.picture(5))
    assert goal.note.taken == "2027-01-15T08:00:00.250+00:00"
    assert (goal.note.calibration, goal.note.frame) == ("8235b751026f", 55)
    assert (goal.note.camera, len(goal.note.config)) == ("/rig/camera/frame", 16)


def test_an_evaluation_of_before_is_read_value_for_value() -> None:
    read, wanted = load_evaluation(V1 / "evaluation"), made.evaluation()
    assert read.ids == ("goal-0", "goal-1")
    for got, rollout in zip(read.rollouts, wanted.rollouts, strict=True):
        for field in dataclasses.fields(rollout):
            np.testing.assert_array_equal(getattr(got, field.name), getattr(rollout, field.name))


def test_metrics_of_before_are_read() -> None:
    curves = read_curves(V1 / "metrics", ("vae", "td3"))
    assert curves["vae"] == {"reconstruction": [(10, 2.5), (20, 1.5)], "kl": [(20, 3.0)]}
    assert curves["td3"] == {"critic_loss": [(20, 0.5)], "value": [(20, -1.25)]}


# --- another version --------------------------------------------------------------------------------------------------


def replaced(path: Path, old: bytes, new: bytes) -> None:
    content = path.read_bytes()
    assert content.count(old) == 1, path
    path.write_bytes(content.replace(old, new))


def raise_episode(folder: Path) -> Callable[[], object]:
    """The version in the metadata, and the checksum that goes with it; every length stays."""
    path = folder / "episode.mcap"
    with path.open("rb") as file:
        record = next(iter(make_reader(file).iter_metadata())).metadata
    before = record.pop("crc32")
    after = meta_checksum({**record, "format": str(schema.FORMAT_VERSION + 1)})
    key = b"\x06\0\0\0format\x01\0\0\0"
    replaced(path, key + b"%d" % schema.FORMAT_VERSION, key + b"%d" % (schema.FORMAT_VERSION + 1))
    replaced(path, before.encode(), after.encode())
    return lambda: read_episode(path)


def raise_number(path: Path, version: int, sign: str) -> None:
    replaced(path, f"{sign}: {version}".encode(), f"{sign}: {version + 1}".encode())


def raise_checkpoint(folder: Path) -> Callable[[], object]:
    name, number = VERSION.rsplit("-", 1)
    replaced(folder / "checkpoint" / MANIFEST, VERSION.encode(), f"{name}-{int(number) + 1}".encode())
    return lambda: read_checkpoint(folder / "checkpoint")


def raise_goal(folder: Path) -> Callable[[], object]:
    raise_number(folder / "goals" / "red-cup_2.yaml", GOAL_FORMAT, "format")
    return lambda: GoalLibrary(folder / "goals", Config()).load("red-cup_2")


def raise_set(folder: Path) -> Callable[[], object]:
    sets = GoalSets(GoalLibrary(folder / "goals", Config()))
    sets.make("cups", ["red-cup_2"])
    raise_number(sets.folder / "cups.yaml", SET_FORMAT, "format")
    return lambda: sets.load("cups")


def raise_evaluation(folder: Path) -> Callable[[], object]:
    raise_number(folder / "evaluation" / "evaluation.json", EVALUATION_FORMAT, '"format"')
    return lambda: load_evaluation(folder / "evaluation")


def raise_run(folder: Path) -> Callable[[], object]:
    RunFolder.claim(folder / "run", Config()).close()
    raise_number(folder / "run" / "run.json", RUN_FORMAT, '"format"')
    return lambda: RunFolder.open(folder / "run")


def raise_origin(folder: Path) -> Callable[[], object]:
    a_merged_run(folder)
    raise_number(folder / "merged" / "origin.json", ORIGIN_FORMAT, '"format"')
    return lambda: read_origin(folder / "merged")


def a_merged_run(folder: Path) -> dict[str, Any]:
    placed = (Placement(folder / "episode.mcap", "practice-000000.mcap"),)
    origin = Origin({"word": "merge"}, (folder,), placed, (LeftOut(folder / "x.mcap", "it is none"),))
    return assemble(folder / "merged", Config(), origin)


@pytest.mark.parametrize(
    ("raised", "sentence"),
    [
        (raise_episode, f"has episode format '{schema.FORMAT_VERSION + 1}'. Valid: {schema.FORMAT_VERSION}"),
        (raise_run, f"has format {RUN_FORMAT + 1}, made by robot-rig"),
        (raise_checkpoint, f"is of version 'robot-rig-checkpoint-2'. Valid: {VERSION}"),
        (raise_goal, f"has format {GOAL_FORMAT + 1}, and this is {GOAL_FORMAT}"),
        (raise_set, f"has format {SET_FORMAT + 1}, and this is {SET_FORMAT}. Make the set again"),
        (raise_evaluation, f"has an evaluation of format {EVALUATION_FORMAT + 1}, not {EVALUATION_FORMAT}"),
        (raise_origin, f"has format {ORIGIN_FORMAT + 1}, and this is {ORIGIN_FORMAT}"),
    ],
)
def test_a_version_raised_by_one_is_refused_by_name(
    copied: Path, raised: Callable[[Path], Callable[[], object]], sentence: str
) -> None:
    read = raised(copied)
    with pytest.raises(UserError, match=re.escape(sentence)):
        read()
    assert sentence.split(", made")[0] in " ".join(PAGE.split())


# --- the page ---------------------------------------------------------------------------------------------------------


def part(title: str, level: str = "##") -> str:
    """What stands under the heading that begins with `title`."""
    found = re.findall(rf"^{level} {re.escape(title)}.*?\n(.*?)(?=^#{{2,{len(level)}}} |\Z)", PAGE, re.M | re.S)
    assert len(found) == 1, title
    text: str = found[0]
    return text


def rows(text: str) -> list[str]:
    """The names in the first column of the tables in `text`."""
    return re.findall(r"^\| ((?:`[^|]+`(?:, )?)+) \|", text, re.M)


def names(text: str) -> set[str]:
    return {name for row in rows(text) for name in re.findall(r"`([^`]+)`", row)}


def test_the_page_names_the_versions_of_the_code() -> None:
    table = PAGE.partition("## 1.")[0]
    said = re.findall(r"^\| \[([^]]+)\]\(#[^)]+\) \| `([^`]+)` \| .* \| `([\w/.]+)`, `(\w+)` \|$", table, re.M)
    versions = {name: version for name, version, _, _ in said}
    assert versions == {
        "episode log": str(schema.FORMAT_VERSION),
        "run folder": str(RUN_FORMAT),
        "checkpoint": VERSION,
        "goal picture": str(GOAL_FORMAT),
        "set of goals": str(SET_FORMAT),
        "evaluation": str(EVALUATION_FORMAT),
        "origin of a run": str(ORIGIN_FORMAT),
        "exam of a checkpoint": str(EXAM_FORMAT),
    }
    for _, version, file, constant in said:
        quoted = version if version.isdigit() else f'"{version}"'
        assert f"\n{constant} = {quoted}\n" in (ROOT / file).read_text(), file


def leaves(message: Any, prefix: str = "") -> Iterator[str]:
    """The fields of a ROS message, those of the first element where one is a list of messages; a time is one field."""
    for field in dataclasses.fields(message):
        value, name = getattr(message, field.name), prefix + field.name
        value = value[0] if isinstance(value, list) and value and dataclasses.is_dataclass(value[0]) else value
        if field.name.startswith("__") or field.name.isupper():  # the type's own name, and its constants
            continue
        if dataclasses.is_dataclass(value) and field.name != "stamp":
            yield from leaves(value, f"{name}.")
        else:
            yield name


def test_the_page_names_every_field_of_every_message() -> None:
    seen = {}
    with (V1 / "episode.mcap").open("rb") as file:
        for record, channel, message in make_reader(file).iter_messages():
            kind = record.name.replace("/", "/msg/")
            seen[channel.topic] = (record.name, set(leaves(schema.store().deserialize_ros1(message.data, kind))))
    assert seen.keys() == {topic.name for topic in schema.TOPICS}
    for topic in schema.TOPICS:
        kind, fields = seen[topic.name]
        assert kind == topic.type
        assert names(part(f"`{topic.name}`, `{topic.type}`", "###")) == fields


def test_the_page_names_every_field_of_every_record(tmp_path: Path, copied: Path) -> None:
    writers = " ".join(path.read_text() for path in (ROOT / "robot_rig").rglob("*.py"))
    meta = names(part(f"`{schema.META_RECORD}`", "###"))
    imported = {"bag", "picture_topic", "action_topic"}
    assert meta == {*schema.RESERVED_META, *made.META, *imported, PUT_BACK} - {"lost"}
    assert all(f'"{key}"' in writers for key in meta)
    assert names(part(f"`{schema.ABORT_RECORD}`", "###")) == {"reason"}
    assert names(part("What a learner gets of it", "###")) == {field.name for field in dataclasses.fields(Episode)}
    with RunFolder.claim(tmp_path / "run", Config()) as run:
        run.record("wall-collect", ms=1, done=1)
        listed = {entry.name for entry in run.path.iterdir()}
        marked = set(json.loads((run.path / "run.json").read_text()))
    assert listed | marked <= names(part("2. Run folder"))
    index = json.loads((V1 / "checkpoint" / MANIFEST).read_text())
    golden = {"golden_image", "golden_goal", "golden_action"}
    fields = {field.name for field in dataclasses.fields(Manifest)}
    assert set(index) | golden | {RUN_ID} == fields | {"manifest_sha256"}
    assert set(index) | golden | {RUN_ID} <= names(part("3. Checkpoint"))
    goal, _, of_a_set = part("4. Goal picture").partition("### Set of goals")
    assert names(goal) == set(KEYS)
    assert names(of_a_set) == set(SET_KEYS)
    arrays = set(np.load(V1 / "evaluation" / "evaluation.npz", allow_pickle=False))
    assert names(part("5. Evaluation")) == {*json.loads((V1 / "evaluation" / "evaluation.json").read_text()), *arrays}
    note = a_merged_run(copied)
    origin = part("6. Origin of a run")
    assert names(origin) == set(note)
    assert all(f"`{key}`" in origin for group in ("episodes", "left_out") for key in note[group][0])
    shown = names(part("7. Metrics and verdicts"))
    assert shown >= {"stage", "step", *Elbo._fields, "critic_loss", "value", "actor_loss", "updates"}
    assert shown >= {field.name for field in dataclasses.fields(HealthReport)}


def test_the_page_names_every_group_and_tensor_of_a_policy() -> None:
    encoder = Vae(net="small", latent_dim=2, beta=1.0, learning_rate=1e-3, seed=0)
    space = LatentSpace.fit("identity", *encoder.encode(np.stack([made.picture(n) for n in range(4)])))
    groups = LatentPolicy(encoder, space, Actor(2, 2, (4,)), MotionNet(2, 2)).tensors()
    page = part("3. Checkpoint")
    assert {*groups, GOALS, TRAINING} <= names(page)
    for name, tensors in groups.items():
        (row,) = re.findall(rf"^\| `{name}` \| .*$", page, re.M)
        said = {re.escape(tensor).replace(r"\*", ".*").replace("N", r"\d+") for tensor in re.findall(r"`([^`]+)`", row)}
        assert all(any(re.fullmatch(one, tensor) for one in said) for tensor in tensors), name


def test_the_snippet_for_strangers_runs() -> None:
    (snippet,) = re.findall(r"```python\n(.*?)```", part("Without robot-rig", "###"), re.S)
    assert len([line for line in snippet.splitlines() if line]) <= 10
    assert "robot_rig" not in snippet
    command = [sys.executable, "-c", snippet, str(V1 / "episode.mcap")]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(said) == 7
    assert said[0].split() == ["0", "/rig/camera/frame", "1800000500000000000", "40"]
    assert said[3].split(maxsplit=4) == ["1", "/rig/action", "1800000500187500000", "8", "[ 0.25 -0.5 ]"]


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl here")
def test_a_stranger_can_verify_the_signature(tmp_path: Path) -> None:
    (command,) = re.findall(r"```sh\n(openssl .*?)\n```", part("3. Checkpoint"), re.S)
    for name in (MANIFEST, SIGNATURE):
        shutil.copy(V1 / "checkpoint" / name, tmp_path)
    shutil.copy(V1 / "trainer.pub", tmp_path)
    assert subprocess.run(command.split(), cwd=tmp_path, capture_output=True, check=False).returncode == 0
    replaced(tmp_path / MANIFEST, b'"train_steps": 1200', b'"train_steps": 1201')
    assert subprocess.run(command.split(), cwd=tmp_path, capture_output=True, check=False).returncode != 0
