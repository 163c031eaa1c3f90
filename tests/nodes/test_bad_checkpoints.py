"""Nothing but what the trusted trainer shipped last reaches the arm: thousands of checkpoints that are not that.

Each is made from a sound one by its seed, and shown to the same understudy that stands behind the arm.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from robot_rig.keys import TrainerKey, key_folder
from robot_rig.learning.checkpoint import MANIFEST, SIGNATURE, _digest
from robot_rig.nodes.understudy import Understudy
from robot_rig.stages.acceptance import Acceptance
from robot_rig.stages.shipping import load_checkpoint
from robot_rig.stranger_files import sha256_of
from tests.nodes.test_policy_and_recorder import CONFIG, learnt
from tests.nodes.test_practice_node import shipped

FEW, MANY = 60, 10_000
UPDATES = 500

Forge = Callable[[np.random.Generator, Path], None]


def any_file(rng: np.random.Generator, folder: Path) -> Path:
    """One of the checkpoint's files, by chance, as a copy of its own that may be changed."""
    return own(folder / str(rng.choice(sorted(path.name for path in folder.iterdir()))))


def own(path: Path) -> Path:
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content)
    return path


def flip(rng: np.random.Generator, folder: Path) -> None:
    path = any_file(rng, folder)
    content = bytearray(path.read_bytes())
    content[rng.integers(len(content))] ^= 1 << int(rng.integers(8))
    path.write_bytes(content)


def cut(rng: np.random.Generator, folder: Path) -> None:
    path = any_file(rng, folder)
    path.write_bytes(path.read_bytes()[: rng.integers(path.stat().st_size)])


def remove(rng: np.random.Generator, folder: Path) -> None:
    any_file(rng, folder).unlink()


def lengthen(rng: np.random.Generator, folder: Path) -> None:
    with any_file(rng, folder).open("ab") as file:
        file.write(rng.bytes(int(rng.integers(1, 100))))


def add(rng: np.random.Generator, folder: Path) -> None:
    name = str(rng.choice(["policy.pt", "extra.safetensors", ".hidden", "manifest.json.bak"]))
    (folder / name).write_bytes(rng.bytes(64))


def link(rng: np.random.Generator, folder: Path) -> None:
    path = any_file(rng, folder)
    target = path.rename(folder.parent / f"elsewhere-{path.name}")
    path.symlink_to(target)


def retell(folder: Path, **changes: object) -> None:
    """The manifest with `changes` and every digest right again, as somebody without the key can make it."""
    path = own(folder / MANIFEST)
    index = json.loads(path.read_text()) | changes
    index.pop("manifest_sha256")
    for name in index["sha256"]:
        with (folder / name).open("rb") as file:
            index["sha256"][name] = sha256_of(file)
    path.write_text(json.dumps({**index, "manifest_sha256": _digest(index)}, indent=1))


def spoil(rng: np.random.Generator, folder: Path) -> None:
    """A NaN, an infinity or another number in a weight, with all digests right."""
    path = own(folder / f"{rng.choice(['actor', 'encoder', 'motion', 'space'])}.safetensors")
    tensors = safetensors.torch.load(path.read_bytes())
    floats = [name for name, value in tensors.items() if value.is_floating_point() and value.numel()]
    value = tensors[str(rng.choice(floats))].view(-1)
    value[int(rng.integers(len(value)))] = float(rng.choice([np.nan, np.inf, -np.inf, 1e9, 0.123]))
    path.write_bytes(safetensors.torch.save(tensors))
    retell(folder)


def sign_again(folder: Path) -> None:
    """By the trainer that the robot believes: what is wrong must then be told by what is in it."""
    own(folder / SIGNATURE).write_bytes(TrainerKey.own(key_folder()).sign((folder / MANIFEST).read_bytes()))


def change(folder: Path, file: str, edit: Callable[[dict[str, torch.Tensor]], None]) -> None:
    path = own(folder / f"{file}.safetensors")
    tensors = safetensors.torch.load(path.read_bytes())
    edit(tensors)
    path.write_bytes(safetensors.torch.save(tensors))


def spoil_and_sign(rng: np.random.Generator, folder: Path) -> None:
    """No number in a weight, wherever it is."""

    def edit(tensors: dict[str, torch.Tensor]) -> None:
        name = str(rng.choice([name for name, value in tensors.items() if value.is_floating_point() and value.numel()]))
        value = tensors[name].view(-1)
        value[int(rng.integers(len(value)))] = float(rng.choice([np.nan, np.inf, -np.inf]))

    change(folder, str(rng.choice(["actor", "encoder", "motion", "space", "goals"])), edit)
    retell(folder)
    sign_again(folder)


def promise_and_sign(rng: np.random.Generator, folder: Path) -> None:
    """All numbers are plausible, and the manifest or the self-test promises something else."""

    def weight(tensors: dict[str, torch.Tensor]) -> None:
        floats = [value.view(-1) for value in tensors.values() if value.is_floating_point() and value.numel() > 1]
        floats[int(rng.integers(len(floats)))][0] += 0.123

    def golden(tensors: dict[str, torch.Tensor]) -> None:
        tensors["golden_action"][int(rng.integers(2))] += float(rng.choice([-0.01, 0.01]))

    changes: dict[str, object] = {}
    kind = int(rng.integers(4))
    if kind == 0:
        change(folder, "encoder", weight)
    elif kind == 1:
        change(folder, "golden", golden)
    elif kind == 2:
        changes = {"latent_dim": int(rng.choice([3, 5]))}
    else:
        changes = {"train_steps": int(rng.integers(UPDATES))}
    retell(folder, **changes)
    sign_again(folder)


def rename(rng: np.random.Generator, folder: Path) -> None:
    retell(folder, train_steps=int(rng.integers(UPDATES, 10**6)), config_hash=rng.bytes(8).hex())


def unsign(rng: np.random.Generator, folder: Path) -> None:
    (folder / SIGNATURE).unlink()


def sign_as_another(rng: np.random.Generator, folder: Path) -> None:
    path = own(folder / SIGNATURE)
    path.write_bytes(TrainerKey.own(key_folder() / "stranger").sign((folder / MANIFEST).read_bytes()))


def sign_at_random(rng: np.random.Generator, folder: Path) -> None:
    own(folder / SIGNATURE).write_bytes(rng.bytes(64))


FORGERS: tuple[Forge, ...] = (
    flip, cut, remove, lengthen, add, link, spoil, rename, unsign, sign_as_another, sign_at_random,
    spoil_and_sign, promise_and_sign,
)  # fmt: skip
ROLLED_BACK = len(FORGERS)


class Bench:
    """A sound checkpoint, an older one of the same trainer, and a robot that has accepted something in between."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.sound = shipped(place / "sound", UPDATES + 100, learnt())
        self.old = shipped(place / "old", UPDATES - 100, learnt())
        self.manifest = load_checkpoint(self.sound).manifest
        self.robot = place / "robot"

    def accepts(self, kind: int | None, seed: int) -> bool:
        """Whether a policy comes of the case; `kind` None: the sound one itself."""
        shutil.rmtree(self.robot, ignore_errors=True)
        self.robot.mkdir()
        Acceptance().accept(self.robot, dataclasses.replace(self.manifest, train_steps=UPDATES))
        place = self.place / "case"
        folder = place / f"practice-{UPDATES + 100:06d}"
        source = self.old if kind == ROLLED_BACK else self.sound
        shutil.copytree(source, folder, copy_function=os.link)
        if kind is not None and kind != ROLLED_BACK:
            FORGERS[kind](np.random.default_rng([seed, kind]), folder)
        try:
            return Understudy(place, CONFIG, self.robot).look() is not None
        finally:
            shutil.rmtree(place)


def through(folder: Path, count: int) -> list[tuple[int, int]]:
    """The cases of `count` that reached the arm."""
    torch.set_num_threads(1)
    bench = Bench(folder)
    assert bench.accepts(None, 0), "a sound one is accepted, or nothing here proves anything"
    cases = [(seed % (ROLLED_BACK + 1), seed) for seed in range(count)]
    passed = [case for case in cases if bench.accepts(*case)]
    assert bench.accepts(None, 0), "and still is"
    return passed


@pytest.fixture(autouse=True)
def silence() -> Iterator[None]:
    """Thousands of refusals are not worth reading."""
    log = logging.getLogger("robot_rig.nodes.understudy")
    before = log.level
    log.setLevel(logging.CRITICAL)
    yield
    log.setLevel(before)


@pytest.mark.parametrize("forge", [spoil_and_sign, promise_and_sign])
def test_what_the_trainer_signed_is_told_apart_by_what_is_in_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, forge: Forge
) -> None:
    logging.getLogger("robot_rig.nodes.understudy").setLevel(logging.ERROR)
    bench, kind = Bench(tmp_path), FORGERS.index(forge)
    assert not any(bench.accepts(kind, seed) for seed in range(8))
    assert len(caplog.records) == 8
    assert "not signed" not in caplog.text


def test_no_checkpoint_that_was_touched_reaches_the_arm(tmp_path: Path) -> None:
    assert through(tmp_path, FEW) == []


@pytest.mark.proof
def test_none_of_ten_thousand_does(tmp_path: Path) -> None:
    assert through(tmp_path, MANY) == []
