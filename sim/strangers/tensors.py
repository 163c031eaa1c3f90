"""Checkpoints from strangers: flipped, torn, with weights that are none, of another size or encoder (rows 16 - 19)."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import struct
from pathlib import Path
from typing import Any

import numpy as np

from sim.strangers.forgery import Forgery, Originals, cut, flipped

MANIFEST, DIGEST = "manifest.json", "manifest_sha256"
HUGE = 3_000_000


def copy(original: Path, folder: Path) -> Path:
    """A checkpoint of our own to spoil."""
    target = folder / "checkpoint"
    shutil.copytree(original, target)
    return target


def any_file(rng: np.random.Generator, folder: Path) -> Path:
    """One of the files of a folder."""
    return sorted(folder.iterdir())[rng.integers(len(list(folder.iterdir())))]


def sign(folder: Path, **changes: object) -> None:
    """Make the manifest right again, as one who knows the format would: hashes of what lies there, and `changes`."""
    path = folder / MANIFEST
    index: dict[str, Any] = {**json.loads(path.read_text()), **changes}
    index.pop(DIGEST, None)
    index["sha256"] = {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir() if file != path
    }
    digest = hashlib.sha256(json.dumps(index, sort_keys=True).encode()).hexdigest()
    path.write_text(json.dumps({**index, DIGEST: digest}, indent=1))


def unpack(path: Path) -> tuple[dict[str, Any], bytearray]:
    """Header and body of a safetensors file."""
    content = path.read_bytes()
    (length,) = struct.unpack_from("<Q", content)
    return json.loads(content[8 : 8 + length]), bytearray(content[8 + length :])


def pack(header: dict[str, Any], body: bytes | bytearray) -> bytes:
    """A safetensors file of any header and body, however they contradict one another."""
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def flipped_bit(rng: np.random.Generator, folder: Path, originals: Originals) -> Forgery:
    """Row 16."""
    target = copy(originals.checkpoint, folder)
    path = any_file(rng, target)
    before = path.read_bytes()
    after = flipped(rng, before)
    # White space of the manifest is no part of what it says.
    same = path.name == MANIFEST and _says(after) == _says(before)
    path.write_bytes(after)
    return Forgery(f"flipped bit in {path.name}", "checkpoint", str(target), "accepted" if same else "refused")


def _says(text: bytes) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return None


def torn(rng: np.random.Generator, folder: Path, originals: Originals) -> Forgery:
    """Row 17: cut short, missing, empty, a link or a fifo in its place, or one file too many."""
    target = copy(originals.checkpoint, folder)
    path, kind = any_file(rng, target), int(rng.integers(6))
    if kind == 0:
        path.write_bytes(cut(rng, path.read_bytes()))
    elif kind == 5:
        (target / f"extra-{rng.integers(9)}.safetensors").write_bytes(b"")
    else:
        path.unlink()
        if kind == 2:
            path.symlink_to("/dev/zero")
        elif kind == 3:
            os.mkfifo(path)
        elif kind == 4:
            path.mkdir()
    name = ("cut short", "missing", "link", "fifo", "folder", "extra")[kind]
    return Forgery(f"{name}: {path.name}", "checkpoint", str(target))


def no_numbers(rng: np.random.Generator, folder: Path, originals: Originals) -> Forgery:
    """Row 18: a weight that is NaN or infinite anywhere, or a finite one that explodes, under a hash that is right."""
    target = copy(originals.checkpoint, folder)
    value = (np.nan, np.inf, -np.inf, 1e30)[rng.integers(4)]
    path = target / "actor.safetensors" if value == 1e30 else any_file(rng, target)
    if path.suffix != ".safetensors":
        path = target / "encoder.safetensors"
    header, body = unpack(path)
    floats = sorted(name for name, said in header.items() if said.get("dtype") == "F32")
    name = floats[-2] if value == 1e30 else floats[rng.integers(len(floats))]
    begin, end = header[name]["data_offsets"]
    at = begin + 4 * int(rng.integers((end - begin) // 4))
    body[at : at + 4] = np.float32(value).tobytes()
    path.write_bytes(pack(header, body))
    sign(target)
    return Forgery(f"{value} in {name}", "checkpoint", str(target))


def misfit(rng: np.random.Generator, folder: Path, originals: Originals) -> Forgery:
    """Row 19: parts of two checkpoints, sizes that do not fit, declared sizes that would fill the memory."""
    target = copy(originals.checkpoint, folder)
    kind = int(rng.integers(8))
    if kind == 0:
        group = ("encoder", "space", "actor", "motion")[rng.integers(4)]
        shutil.copyfile(originals.wide_checkpoint / f"{group}.safetensors", target / f"{group}.safetensors")
        sign(target)
        return Forgery(f"{group} of another latent size", "checkpoint", str(target))
    if kind == 1:
        shutil.copyfile(originals.other_checkpoint / "encoder.safetensors", target / "encoder.safetensors")
        sign(target)
        manifests = [json.loads((one / MANIFEST).read_text()) for one in (target, originals.other_checkpoint)]
        both = tuple(manifest["encoder_id"] for manifest in manifests)
        return Forgery("policy of another encoder", "checkpoint", str(target), names=both)
    if kind == 2:
        name, value = (
            ("latent_dim", 10**9), ("latent_dim", 16), ("action_dim", 3), ("image_size", 48), ("version", "other-1"),
            ("encoder_id", "0" * 16), ("latent_dim", -1), ("action_dim", 10**18), ("train_steps", "many"),
        )[rng.integers(9)]  # fmt: skip
        sign(target, **{name: value})
        return Forgery(f"{name} is {value}", "checkpoint", str(target))
    if kind == 3:
        return _foreign_manifest(rng, target)
    return _foreign_header(rng, target)


def _foreign_manifest(rng: np.random.Generator, target: Path) -> Forgery:
    path = target / MANIFEST
    kinds = {
        "list": b"[]",
        "deep": b"[" * 100_000,
        "wide": b'{"version": [' + b"1," * 10_000_000 + b"1]}",
        "wide and short": b'{"a": ' + b"[[],[]," * 30_000,
        "nan": b'{"version": NaN}',
        "twice": b'{"version": 1, "version": 2}',
        "no text": b"\xff\xfe\x00",
        "a number as long as a book": b'{"version": ' + b"9" * 100_000 + b"}",
    }
    name = str(rng.choice(sorted(kinds)))
    path.write_bytes(kinds[name])
    return Forgery(f"manifest: {name}", "checkpoint", str(target))


def _foreign_header(rng: np.random.Generator, target: Path) -> Forgery:
    """A file under the right hash whose header promises what no file of a policy has."""
    path = target / f"{('encoder', 'space', 'actor', 'motion', 'golden')[rng.integers(5)]}.safetensors"
    header, body = unpack(path)
    first = sorted(header)[0]
    entry = header[first]
    wide = {"dtype": "F32", "shape": [HUGE], "data_offsets": [0, 4 * HUGE]}
    kinds: dict[str, Any] = {
        "a hundred thousand tensors": lambda: (
            {f"t{n}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for n in range(100_000)},
            b"",
        ),
        "terabytes": lambda: ({**header, first: {**entry, "shape": [1 << 40]}}, body),
        "negative": lambda: ({**header, first: {**entry, "data_offsets": [-8, 8]}}, body),
        "overlap": lambda: ({**header, "again": entry}, body),
        "float8": lambda: ({**header, first: {**entry, "dtype": "F8_E4M3"}}, body),
        "names": lambda: ({**header, "a\nb" * 30: entry}, body),
        "half a body": lambda: (header, body[: len(body) // 2]),
        "one wide bias": lambda: _with_tensor(header, body, "net.mean.bias", wide),
        "one wide layer": lambda: _with_tensor(header, body, "layers.0.weight", wide),
        "nothing of thousands of axes": lambda: ({**header, "none": _empty([0] + [1] * 20_000)}, body),
        "nothing by terabytes": lambda: ({**header, "none": _empty([0, 1 << 24, 1 << 24, 1 << 24])}, body),
        "nothing": lambda: ({}, b""),
    }
    name = str(rng.choice(sorted(kinds)))
    path.write_bytes(pack(*kinds[name]()))
    sign(target)
    return Forgery(f"{path.stem}: {name}", "checkpoint", str(target))


def _empty(shape: list[int]) -> dict[str, Any]:
    return {"dtype": "F32", "shape": shape, "data_offsets": [0, 0]}


def _with_tensor(
    header: dict[str, Any], body: bytearray, name: str, said: dict[str, Any]
) -> tuple[dict[str, Any], bytes]:
    """The file with one tensor more, or one in place of another, whose bytes are all there."""
    kept = {key: value for key, value in header.items() if key != name}
    parts, at = [], 0
    moved: dict[str, Any] = {}
    for key, value in sorted(kept.items(), key=lambda item: item[1]["data_offsets"]):
        begin, end = value["data_offsets"]
        moved[key] = {**value, "data_offsets": [at, at + end - begin]}
        parts.append(bytes(body[begin:end]))
        at += end - begin
    size = said["data_offsets"][1]
    moved[name] = {**said, "data_offsets": [at, at + size]}
    return moved, b"".join([*parts, bytes(size)])
