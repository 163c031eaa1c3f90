"""Pickles that run code when they are opened, under every name that a rig reads (row 57)."""

from __future__ import annotations

import io
import shutil
import zipfile
from pathlib import Path

import numpy as np

from sim.strangers.archives import npy, npz
from sim.strangers.forgery import Forgery, Originals, pickle_bomb
from sim.strangers.tensors import copy, sign


def _torch_file() -> bytes:
    """What torch saves: a zip with a pickle in it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", pickle_bomb())
        archive.writestr("archive/version", "3\n")
    return buffer.getvalue()


def pickled(rng: np.random.Generator, folder: Path, originals: Originals) -> Forgery:
    """Row 57: a bare pickle, torch's zip of one, or an array of objects, where each kind of file should be."""
    content = (
        pickle_bomb(),
        _torch_file(),
        npy((1,), "|O", pickle_bomb()),
        npz({"q.npy": npy((1,), "|O", pickle_bomb())}),
    )
    body = content[rng.integers(len(content))]
    kind = int(rng.integers(9))
    if kind < 3:
        return _in_checkpoint(kind, body, folder, originals)
    if kind == 3:
        (folder / "evaluation.npz").write_bytes(body)
        shutil.copyfile(originals.evaluation / "evaluation.json", folder / "evaluation.json")
        return Forgery("pickle as evaluation.npz", "evaluation", str(folder))
    if kind == 4:
        for part in ("run.json", "config.yaml"):
            shutil.copyfile(originals.run / part, folder / part)
        (folder / "state").mkdir()
        (folder / "state" / "plant.npz").write_bytes(body)
        return Forgery("pickle as saved state", "run", str(folder))
    reader, name = (("picture", "a.png"), ("settings", "a.yaml"), ("episode", "play-000000.mcap"), ("bag", "a.bag"))[
        kind - 5
    ]
    (folder / name).write_bytes(body)
    return Forgery(f"pickle as {name}", reader, str(folder / name))


def _in_checkpoint(kind: int, body: bytes, folder: Path, originals: Originals) -> Forgery:
    if kind == 0:
        path = folder / "policy.pt"
        path.write_bytes(body)
        return Forgery("policy.pt", "checkpoint", str(path))
    target = copy(originals.checkpoint, folder)
    if kind == 1:
        (target / "actor.safetensors").write_bytes(body)
        sign(target)
        return Forgery("pickle as actor.safetensors", "checkpoint", str(target))
    (target / "actor.pt").write_bytes(body)
    return Forgery("actor.pt beside the actor", "checkpoint", str(target))
