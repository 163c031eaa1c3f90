"""Checkpoints: whole or not there, and believed only after a check of hash, version, numbers and self-test."""

from __future__ import annotations

import io
import json
import math
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from robot_rig.datatypes import Float32s, Frame, Goal
from robot_rig.errors import UserError
from robot_rig.learning import checkpoint
from robot_rig.learning.checkpoint import Manifest, read_checkpoint, verify_golden, write_checkpoint
from robot_rig.learning.tensor_files import look_through
from robot_rig.learning.vae import Vae
from sim.strangers.tensors import pack
from tests.learning.blob_world import blob_pictures

torch.set_num_threads(1)
PICTURES = blob_pictures(3)


class Dot:
    """A policy that can be told apart: brightness of the frame and of the goal."""

    action_dim = 2

    def __init__(self, gain: float = 1.0) -> None:
        self._gain = gain

    def begin(self, goal: Goal) -> None:
        self._goal = goal.image.mean() / 255

    def act(self, frame: Frame, under_way: Float32s | None = None) -> Float32s:
        return np.array([frame.rgb.mean() / 255, self._goal], np.float32) * np.float32(self._gain)


def manifest() -> Manifest:
    policy = Dot()
    policy.begin(Goal(PICTURES[1], "g", 0.0, "", "captured"))
    return Manifest(
        encoder_id="00ff" * 4, config_hash="ab" * 8, latent_dim=4, action_dim=2, train_steps=1200,
        golden_image=PICTURES[0], golden_goal=PICTURES[1], golden_action=policy.act(Frame(0, 0.0, PICTURES[0])),
    )  # fmt: skip


def groups() -> dict[str, dict[str, torch.Tensor]]:
    vae = Vae(net="rlkit", latent_dim=4, beta=1.0, learning_rate=1e-3, seed=0)
    vae.train_batch(PICTURES)
    return {"vae": vae.state_dict(), "counters": {"steps": torch.tensor(7), "noise": torch.Generator().get_state()}}


@pytest.fixture
def written(tmp_path: Path) -> Path:
    write_checkpoint(tmp_path / "step-7", groups(), manifest())
    return tmp_path / "step-7"


def test_what_is_written_is_read(written: Path) -> None:
    held, found = read_checkpoint(written)
    for name, tensors in groups().items():
        assert held[name].keys() == tensors.keys()
        for key, value in tensors.items():
            assert held[name][key].dtype == value.dtype
            assert torch.equal(held[name][key], value)
    expected = manifest()
    for field in ("version", "encoder_id", "config_hash", "image_size", "latent_dim", "action_dim", "train_steps"):
        assert getattr(found, field) == getattr(expected, field)
    assert np.array_equal(found.golden_image, PICTURES[0])
    assert np.array_equal(found.golden_goal, PICTURES[1])
    assert np.array_equal(found.golden_action, expected.golden_action)
    assert {path.name for path in written.iterdir()} == {"manifest.json", *found.sha256}


def test_training_goes_on_from_a_checkpoint_bit_for_bit(written: Path) -> None:
    straight = Vae(net="rlkit", latent_dim=4, beta=1.0, learning_rate=1e-3, seed=0)
    straight.train_batch(PICTURES)
    resumed = Vae(net="rlkit", latent_dim=4, beta=1.0, learning_rate=1e-3, seed=1)
    resumed.load_state_dict(read_checkpoint(written)[0]["vae"])
    assert resumed.train_batch(PICTURES) == straight.train_batch(PICTURES)


def test_one_group_is_read_without_the_others(written: Path) -> None:
    (written / "vae.safetensors").write_bytes(b"damaged")
    assert read_checkpoint(written, ["counters"])[0].keys() == {"counters"}
    with pytest.raises(UserError, match="Valid: vae, counters"):
        read_checkpoint(written, ["critic"])


def killed_at(step: int, work: Callable[[], object]) -> bool:
    """Run `work` in a child that dies at its `step`-th flush or rename; whether it died."""
    child = os.fork()
    if child == 0:
        left = [step]

        def dying(real: Callable[..., object]) -> Callable[..., object]:
            def call(*args: object, **kwargs: object) -> object:
                left[0] -= 1
                if left[0] == 0:
                    os._exit(9)
                return real(*args, **kwargs)

            return call

        os.fsync, os.rename = dying(os.fsync), dying(os.rename)  # type: ignore[assignment]
        work()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


def test_a_writer_killed_at_any_moment_leaves_all_or_nothing(tmp_path: Path) -> None:
    content, target = groups(), tmp_path / "step-7"
    seen_nothing = seen_all = 0
    for step in range(1, 20):
        died = killed_at(step, lambda: write_checkpoint(target, content, manifest()))
        if target.exists():
            assert read_checkpoint(target)[0].keys() == content.keys()
            seen_all += 1
            if not died:
                break
            assert step > 5
            for path in target.iterdir():
                path.unlink()
            target.rmdir()
        else:
            assert died
            with pytest.raises(UserError, match="not a checkpoint"):
                read_checkpoint(target)
            seen_nothing += 1
    else:
        raise AssertionError("the writer never finished")
    assert seen_nothing >= 5
    assert seen_all >= 2
    assert [path.name for path in tmp_path.iterdir()] == ["step-7"]


def test_a_disk_that_refuses_is_reported_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint.os, "fsync", full)
    with pytest.raises(UserError, match="No space left"):
        write_checkpoint(tmp_path / "run" / "step-7", groups(), manifest())
    assert list((tmp_path / "run").iterdir()) == []


def test_an_existing_checkpoint_is_never_overwritten(written: Path) -> None:
    before = (written / "manifest.json").read_bytes()
    with pytest.raises(UserError, match="exists"):
        write_checkpoint(written, groups(), manifest())
    assert (written / "manifest.json").read_bytes() == before


@pytest.mark.parametrize("name", ["vae.safetensors", "counters.safetensors", "golden.safetensors"])
@pytest.mark.parametrize("where", [0.0, 0.5, 0.999])
def test_a_flipped_bit_is_refused(written: Path, name: str, where: float) -> None:
    content = bytearray((written / name).read_bytes())
    content[int(where * len(content))] ^= 1
    (written / name).write_bytes(content)
    with pytest.raises(UserError, match=f"{name}.*SHA-256"):
        read_checkpoint(written)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused_by_name(tmp_path: Path, bad: float) -> None:
    broken = groups()
    broken["vae"]["net.mean.bias"][1] = bad
    write_checkpoint(tmp_path / "step-7", broken, manifest())
    with pytest.raises(UserError, match=r"not numbers, in net\.mean\.bias"):
        read_checkpoint(tmp_path / "step-7")


def edit(folder: Path, **changes: object) -> None:
    path = folder / "manifest.json"
    index = {**json.loads(path.read_text()), **changes}
    # As one who knows the format would, who mends the manifest's own digest too.
    del index["manifest_sha256"]
    path.write_text(json.dumps(index))


@pytest.mark.parametrize("shape", [[0, 1 << 24, 1 << 24, 1 << 24], [0] + [1] * 20_000, [1] * 65])
def test_an_empty_tensor_of_a_shape_that_torch_cannot_have_is_refused(shape: list[int]) -> None:
    entry = {"dtype": "F32", "shape": shape, "data_offsets": [0, 4 * math.prod(shape)]}
    with pytest.raises(ValueError, match="more axes, or longer ones"):
        look_through(io.BytesIO(pack({"none": entry}, bytes(4 * math.prod(shape)))))


def test_a_changed_manifest_is_refused(written: Path) -> None:
    path = written / "manifest.json"
    path.write_text(path.read_text().replace('"train_steps": 1200', '"train_steps": 1201'))
    with pytest.raises(UserError, match="damaged"):
        read_checkpoint(written)
    path.write_text(path.read_text().replace("1201", "1200").replace("manifest_sha256", "manifest_shb256"))
    with pytest.raises(UserError, match="damaged"):
        read_checkpoint(written)


def test_a_foreign_version_is_refused_by_name(written: Path) -> None:
    edit(written, version="somebody-else-9")
    with pytest.raises(UserError, match=r"somebody-else-9.*robot-rig-checkpoint-1"):
        read_checkpoint(written)


@pytest.mark.parametrize(
    "changes",
    [
        {"latent_dim": "four"},
        {"image_size": 48},
        {"sha256": {}},
        {"sha256": {"../../etc.safetensors": "0", "golden.safetensors": "0"}},
        {"action_dim": 3},
    ],
)
def test_a_damaged_manifest_is_refused(written: Path, changes: dict[str, object]) -> None:
    edit(written, **changes)
    with pytest.raises(UserError):
        read_checkpoint(written)


@pytest.mark.parametrize("content", [b"", b"[1, 2]", b"{", b"\xff\xfe"])
def test_a_manifest_that_is_none_is_refused(written: Path, content: bytes) -> None:
    (written / "manifest.json").write_bytes(content)
    with pytest.raises(UserError):
        read_checkpoint(written)


BOMB = b"cos\nmkdir\n(Vunpickled\ntR."
"""A pickle that makes a folder when it is opened, written out by hand."""


def test_a_pickle_is_refused_and_never_opened(written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policy.pt").write_bytes(BOMB)
    with pytest.raises(UserError, match="pickles are not read"):
        read_checkpoint(tmp_path / "policy.pt")
    (written / "vae.pt").write_bytes(BOMB)
    with pytest.raises(UserError, match=r"foreign file, vae\.pt"):
        read_checkpoint(written)
    (written / "vae.pt").unlink()
    (written / "vae.safetensors").write_bytes(BOMB)
    with pytest.raises(UserError, match="SHA-256"):
        read_checkpoint(written)
    assert not (tmp_path / "unpickled").exists()


def test_a_missing_and_a_foreign_file_are_named(written: Path) -> None:
    save_file({"x": torch.zeros(1)}, written / "extra.safetensors")
    with pytest.raises(UserError, match="extra"):
        read_checkpoint(written)
    (written / "extra.safetensors").unlink()
    (written / "vae.safetensors").unlink()
    with pytest.raises(UserError, match="vae"):
        read_checkpoint(written)


def test_no_folder_and_no_manifest_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not a checkpoint folder"):
        read_checkpoint(tmp_path / "nowhere")
    with pytest.raises(UserError, match="has no manifest"):
        read_checkpoint(tmp_path)


@pytest.mark.parametrize("name", ["../up", "golden", "Manifest.json", ""])
def test_a_group_name_cannot_leave_its_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="group"):
        write_checkpoint(tmp_path / "step-7", {name: {}}, manifest())


def test_the_golden_picture_must_give_the_golden_action(written: Path) -> None:
    _, found = read_checkpoint(written)
    verify_golden(Dot(), found)
    with pytest.raises(UserError, match="golden"):
        verify_golden(Dot(gain=1.05), found)
