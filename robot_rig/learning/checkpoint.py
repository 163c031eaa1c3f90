"""Checkpoints: a folder of safetensors files and a manifest, written whole or not at all, read with suspicion.

Called by the trainer and the policy process. Layout of `folder`:

    <group>.safetensors   one a group of named tensors
    golden.safetensors    a picture, a goal picture and the action they must give: the self-test
    manifest.json         written last: versions, sizes, SHA-256 of every other file
    manifest.sig          who wrote it: a signature of manifest.json, where there is a key

Nothing is ever unpickled. A reader trusts no file whose hash the manifest does not give.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import os
import re
import shutil
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from robot_rig.arrays import read_only
from robot_rig.datatypes import IMAGE_SHAPE, IMAGE_SIZE, Bytes, Float32s, Frame, Goal
from robot_rig.disk import make_folder, put, sync, unwritable
from robot_rig.errors import UserError
from robot_rig.interfaces import Policy
from robot_rig.learning.tensor_files import MAX_BYTES, look_through
from robot_rig.stranger_files import INDEX_LIMIT, parse_object, read_regular

VERSION = "robot-rig-checkpoint-1"
MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
GOLDEN = "golden"
SUFFIX = ".safetensors"
GROUP_NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")
GOLDEN_TOLERANCE = 1e-3
"""How far a golden action may be off on another machine, whose convolutions round differently."""

MAX_GROUPS = 32
MAX_SIGNATURE = 1024
OWN_DIGEST = "manifest_sha256"
RUN_ID = "run_id"

ANOTHER = "choose another checkpoint, or train again"

Groups = dict[str, dict[str, Tensor]]
Sign = Callable[[bytes], bytes]
Accepts = Callable[[bytes, bytes], bool]
"""Whether a message bears the signature of somebody who is believed."""


@dataclasses.dataclass(frozen=True)
class Manifest:
    """What a checkpoint is of. `golden_action` float32 (A,) answers `golden_image` towards `golden_goal`, both uint8
    (84, 84, 3). `sha256` by file name is filled in by `write_checkpoint`. `run_id` is of the trainer's run
    folder, empty where that has none and in manifests of before.
    """

    encoder_id: str
    config_hash: str
    latent_dim: int
    action_dim: int
    train_steps: int
    golden_image: Bytes
    golden_goal: Bytes
    golden_action: Float32s
    image_size: int = IMAGE_SIZE
    version: str = VERSION
    run_id: str = ""
    sha256: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("golden_image", "golden_goal"):
            object.__setattr__(self, name, read_only(f"Manifest.{name}", getattr(self, name), IMAGE_SHAPE, np.uint8))
        action = read_only("Manifest.golden_action", self.golden_action, (self.action_dim,), np.float32)
        object.__setattr__(self, "golden_action", action)


_GOLDEN_FIELDS = ("golden_image", "golden_goal", "golden_action")
_PLAIN_FIELDS = tuple(
    (field.name, str if field.type == "str" else int)
    for field in dataclasses.fields(Manifest)
    if field.name not in (*_GOLDEN_FIELDS, "sha256")
)


def write_checkpoint(
    folder: Path, groups: Mapping[str, Mapping[str, Tensor]], manifest: Manifest, sign: Sign | None = None
) -> Manifest:
    """Write `groups` and `manifest` as the new folder `folder`, signed by `sign`; returns the manifest with its hashes.

    It is built beside its place, flushed to the disk and renamed, so a reader sees all of it or nothing. Raises
    UserError when `folder` exists or the disk refuses, ValueError for a group name that cannot be a file.
    """
    for name in groups:
        if GROUP_NAME.fullmatch(name) is None or name == GOLDEN:
            raise ValueError(f"{name!r} cannot name a group")
    if folder.exists():
        raise UserError(f"{folder} exists already", next_step="checkpoints are never overwritten: use a new name")
    golden = {name: torch.from_numpy(getattr(manifest, name).copy()) for name in _GOLDEN_FIELDS}
    partial = folder.with_name(f".{folder.name}.partial")
    try:
        make_folder(folder.parent)
        # What a killed writer of the same checkpoint left behind.
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        hashes, size = {}, 0
        for name, tensors in {**groups, GOLDEN: golden}.items():
            packed = safetensors.torch.save(
                {key: value.detach().clone(memory_format=torch.contiguous_format) for key, value in tensors.items()}
            )
            size += len(packed)
            if size > MAX_BYTES:
                too_large = f"a policy of more than {MAX_BYTES >> 20} MiB is not written"
                raise UserError(too_large, next_step="use a smaller agent.hidden")
            hashes[name + SUFFIX] = hashlib.sha256(packed).hexdigest()
            put(partial / (name + SUFFIX), packed)
        complete = dataclasses.replace(manifest, sha256=hashes)
        plain = {name: getattr(complete, name) for name, _ in _PLAIN_FIELDS}
        index = {**plain, "sha256": hashes}
        if not complete.run_id:
            del index[RUN_ID]
        text = json.dumps({**index, OWN_DIGEST: _digest(index)}, indent=1).encode()
        if sign is not None:
            put(partial / SIGNATURE, sign(text))
        put(partial / MANIFEST, text)
        sync(partial)
        os.rename(partial, folder)
        sync(folder.parent)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise UserError(
            f"cannot write the checkpoint {folder}: {error.strerror}", next_step="free some space or use another disk"
        ) from error
    return complete


def read_checkpoint(
    folder: Path, groups: Collection[str] | None = None, accepts: Accepts | None = None
) -> tuple[Groups, Manifest]:
    """The tensors of `groups` (None: all) and the manifest, whose signature `accepts` believes (None: anybody's).

    Every file read is checked against its hash, every float for being finite. Raises UserError naming the fault: not a
    checkpoint, another version, a missing, foreign or changed file, weights that are not numbers, a stranger's.
    """
    if not folder.is_dir():
        raise UserError(
            f"{folder} is not a checkpoint folder", next_step="give a folder with a manifest.json; pickles are not read"
        )
    plain, hashes = _read_index(folder, accepts)
    _refuse_foreign(folder, {MANIFEST, SIGNATURE, *hashes})
    held = [name.removesuffix(SUFFIX) for name in hashes if name != GOLDEN + SUFFIX]
    wanted = held if groups is None else list(groups)
    for name in wanted:
        if name not in held:
            raise UserError(f"the checkpoint {folder} holds no {name}", choices=held, next_step=ANOTHER)
    tensors = {name: _read_group(folder, name, hashes) for name in [*wanted, GOLDEN]}
    golden = tensors.pop(GOLDEN)
    try:
        manifest = Manifest(**plain, **_arrays(golden), sha256=hashes)
    except (KeyError, ValueError, TypeError) as error:
        raise UserError(f"the checkpoint {folder} has a damaged self-test: {error}", next_step=ANOTHER) from error
    return tensors, manifest


def verify_golden(policy: Policy, manifest: Manifest) -> None:
    """Let `policy` act on the golden picture. Raises UserError when the action is not the one that was saved."""
    policy.begin(Goal(manifest.golden_goal, "golden", 0.0, calibration_id="", source="imported"))
    action = policy.act(Frame(0, 0.0, manifest.golden_image))
    if action.shape != manifest.golden_action.shape or not np.allclose(
        action, manifest.golden_action, rtol=0.0, atol=GOLDEN_TOLERANCE
    ):
        raise UserError(
            f"the policy answers its golden picture with {np.round(action, 4).tolist()}, not"
            f" {np.round(manifest.golden_action, 4).tolist()}",
            next_step=ANOTHER,
        )


def _arrays(golden: Mapping[str, Tensor]) -> dict[str, Any]:
    if set(golden) != set(_GOLDEN_FIELDS):
        raise ValueError(f"it has {len(golden)} parts")
    return {name: golden[name].numpy() for name in _GOLDEN_FIELDS}


def _read_index(folder: Path, accepts: Accepts | None) -> tuple[dict[str, Any], dict[str, str]]:
    """The manifest's plain fields and its hashes, checked for version and form."""
    if not (folder / MANIFEST).exists():
        raise UserError(f"{folder} has no {MANIFEST}", next_step="it is not a checkpoint; " + ANOTHER)
    try:
        text = read_regular(folder / MANIFEST, "manifest", INDEX_LIMIT)
        if accepts is not None:
            _require_signature(folder, text, accepts)
        index = parse_object(text)
    except (OSError, ValueError) as error:
        raise UserError(f"the manifest of {folder} cannot be read: {error}", next_step=ANOTHER) from error
    digest = index.pop(OWN_DIGEST, None)
    version = index.get("version")
    if version != VERSION:
        raise UserError(f"{folder} is of version {str(version)[:40]!r}", choices=[VERSION], next_step=ANOTHER)
    hashes: Any = index.get("sha256")
    sound = (
        isinstance(hashes, dict)
        and GOLDEN + SUFFIX in hashes
        and len(hashes) <= MAX_GROUPS
        and all(GROUP_NAME.fullmatch(name.removesuffix(SUFFIX)) and name.endswith(SUFFIX) for name in hashes)
    )
    # Manifests of before have no digest, but none loses it by a flipped bit: the key would then be a foreign one.
    known = {"sha256", *(name for name, _ in _PLAIN_FIELDS)}
    sound = sound and digest in (None, _digest(index)) and {RUN_ID, *index} == known
    index.setdefault(RUN_ID, "")
    if not sound or not all(type(index.get(name)) is kind for name, kind in _PLAIN_FIELDS):
        raise UserError(f"the manifest of {folder} is damaged", next_step=ANOTHER)
    if index["image_size"] != IMAGE_SIZE:
        raise UserError(f"{folder} sees pictures of {index['image_size']} px, not {IMAGE_SIZE}", next_step=ANOTHER)
    return {name: index[name] for name, _ in _PLAIN_FIELDS}, hashes


def _require_signature(folder: Path, text: bytes, accepts: Accepts) -> None:
    """Raise UserError unless somebody who is believed has signed the manifest's `text`."""
    if not (folder / SIGNATURE).exists():
        raise UserError(f"{folder} is not signed", next_step="if you know where it is from, `rig keys sign` it")
    if not accepts(text, read_regular(folder / SIGNATURE, "signature", MAX_SIGNATURE)):
        raise UserError(
            f"{folder} was not signed by the trainer that this robot believes, or was changed",
            next_step="see `rig keys show` on both machines; " + ANOTHER,
        )


def sign_checkpoint(folder: Path, sign: Sign) -> None:
    """Sign the checkpoint `folder`, whoever made it; a person answers for that. Raises UserError for a faulty one."""
    text = read_regular(folder / MANIFEST, "manifest", INDEX_LIMIT)
    read_checkpoint(folder)
    if read_regular(folder / MANIFEST, "manifest", INDEX_LIMIT) != text:
        raise UserError(f"{folder} has changed while it was read", next_step="let whoever copies it finish")
    fresh = folder.with_name(f".{folder.name}.{SIGNATURE}.new")
    try:
        put(fresh, sign(text))
        os.replace(fresh, folder / SIGNATURE)
        sync(folder)
    except OSError as error:
        raise unwritable(folder / SIGNATURE, error) from error


def _digest(index: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(index, sort_keys=True).encode()).hexdigest()


def _refuse_foreign(folder: Path, known: Collection[str]) -> None:
    """Stop at the first file that does not belong here, and at more bytes than a policy has."""
    size = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name not in known:
                name = repr(entry.name[:80]).strip("'")
                raise UserError(f"{folder} holds a foreign file, {name}", next_step="remove it, or " + ANOTHER)
            size += entry.stat(follow_symlinks=False).st_size
    if size > MAX_BYTES:
        raise UserError(f"{folder} holds {size >> 20} MiB, more than any policy has", next_step=ANOTHER)


def _read_group(folder: Path, name: str, hashes: Mapping[str, str]) -> dict[str, Tensor]:
    """The tensors of a file, made only when its hash, its declared sizes and all its numbers have been looked at."""
    path = folder / (name + SUFFIX)
    # Read once: what is hashed and looked through must be the very bytes that become weights.
    content = read_regular(path, "checkpoint file", MAX_BYTES)
    if hashlib.sha256(content).hexdigest() != hashes[path.name]:
        raise UserError(f"{path} is not the file that was written: its SHA-256 differs", next_step=ANOTHER)
    try:
        look_through(io.BytesIO(content))
        return safetensors.torch.load(content)
    except (OSError, ValueError, SafetensorError) as error:
        raise UserError(f"{path} is refused: {error}", next_step=ANOTHER) from error
