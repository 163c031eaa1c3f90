"""Goals, sets of goals and photos from strangers: elsewhere, hostile, bombs, of another camera (rows 46-49, 51)."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np

from robot_rig.config import CameraConfig
from robot_rig.goal_library import calibration_id
from sim.strangers import settings
from sim.strangers.forgery import Forgery, Originals, Verdict, cut, flipped
from sim.strangers.pictures import jpeg, png, png_chunk, segment

SET, GOAL = "corners", "good"
"""What the honest library holds."""

NO_FILES = ("http://127.0.0.1/x.png", "a\0b", "x" * 5000, "", ".")
ELSEWHERE = (*NO_FILES, "../../etc/passwd", "..", "/etc/passwd", "a/../../x")
EXIF = b"Exif\0\0"


def exif(order: str, entries: bytes, count: int, at: int = 8) -> bytes:
    """An Exif segment of one list of `count` entries at byte `at`; `order` is "<" or ">"."""
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", at)
    return segment(0xE1, EXIF + head + struct.pack(f"{order}H", count) + entries)


def _held(rng: np.random.Generator, orientation: int) -> bytes:
    order = "<>"[rng.integers(2)]
    return exif(order, struct.pack(f"{order}HHIHH", 0x0112, 3, 1, orientation, 0), 1)


def wrong_photo(rng: np.random.Generator, folder: Path, originals: Originals) -> Forgery:
    """Row 46: a photo of a wrong form, a damaged one, one that says nonsense of how it was held, or a good one."""
    path, good = folder / "photo.jpg", originals.photo.read_bytes()
    order = "<>"[rng.integers(2)]
    side = int(rng.integers(1, 84))
    kinds: dict[str, bytes] = {
        "too small": png(side, 480, bytes(480 * (1 + 3 * side))),
        "grey": png(640, 480, bytes(480 * 641), 8, 0),
        "transparent": png(640, 480, bytes(480 * 2561), 8, 6),
        "flipped bit": flipped(rng, good),
        "cut short": cut(rng, good),
        "jpeg cut short": cut(rng, jpeg(640, 480, 3)),
        "noise": rng.bytes(int(rng.integers(1, 5000))),
        "good": good,
        "good held somehow": jpeg(640, 480, 1, extra=_held(rng, int(rng.integers(1, 9)))),
        "good held impossibly": jpeg(640, 480, 1, extra=_held(rng, int(rng.integers(9, 65_536)))),
        "good with noise for exif": jpeg(640, 480, 1, extra=segment(0xE1, EXIF + rng.bytes(int(rng.integers(300))))),
        "good with endless exif": jpeg(640, 480, 1, extra=exif(order, rng.bytes(60_000), 65_535)),
        "good with exif elsewhere": jpeg(640, 480, 1, extra=exif(order, b"", 9, int(rng.integers(2**32)))),
    }
    name = str(rng.choice(sorted(kinds)))
    path.write_bytes(kinds[name])
    return Forgery(f"photo: {name}", "photo", str(path), "accepted" if name.startswith("good") else "refused")


def misplaced_goal(rng: np.random.Generator, folder: Path, originals: Originals) -> Forgery:
    """Row 47: a path or a name that leads elsewhere, and links, devices, fifos and folders where a goal should be."""
    kind = int(rng.integers(5))
    if kind == 0:
        if rng.random() < 0.5:
            return Forgery("no file", ("goal path", "photo")[rng.integers(2)], NO_FILES[rng.integers(len(NO_FILES))])
        name = ELSEWHERE[rng.integers(len(ELSEWHERE))]
        return Forgery("name of another place", ("goal", "set")[rng.integers(2)], f"{folder}\n{name}")
    (folder / "sets").mkdir()
    picture, note, members = folder / "good.png", folder / "good.yaml", folder / "sets" / "corners.yaml"
    picture.write_bytes((originals.goals / "good.png").read_bytes())
    note.write_bytes((originals.goals / "good.yaml").read_bytes())
    members.write_bytes((originals.goals / "sets" / "corners.yaml").read_bytes())
    victim = (picture, note, members)[rng.integers(3)]
    victim.unlink()
    reader = ("set", "goal path", "photo")[rng.integers(3)] if victim == picture else "set"
    if victim == note and rng.random() < 0.5:
        reader = "goal path"
    made = _in_its_place(rng, victim, originals)
    target = str(picture) if reader in ("goal path", "photo") else f"{folder}\n{SET}"
    return Forgery(f"{reader}: {victim.name} is a {made}", reader, target)


def _in_its_place(rng: np.random.Generator, victim: Path, originals: Originals) -> str:
    kind = int(rng.integers(4))
    if kind == 0:
        honest = originals.goals / ("sets/corners.yaml" if victim.stem == SET else victim.name)
        victim.symlink_to(str(rng.choice(["/etc/passwd", "/dev/zero", "nowhere", victim.name, str(honest)])))
    elif kind == 1:
        os.mkfifo(victim)
    elif kind == 2:
        victim.mkdir()
    else:
        victim.write_bytes(bytes(9 << 20))
    return ("link", "fifo", "folder", "file of 9 MiB")[kind]


def photo_bomb(rng: np.random.Generator, folder: Path, originals: Originals) -> Forgery:
    """Row 48: photos that declare, hold or cost far more than a phone's, and the largest that is one."""
    path = folder / "photo.jpg"
    wide, high = (int(2 ** rng.uniform(12.1, 32)) for _ in range(2))
    text = png_chunk(b"tEXt", b"")
    kinds: dict[str, Callable[[], bytes]] = {
        "declared size": lambda: png(min(wide, 2**32 - 1), min(high, 2**32 - 1), bytes(1000)),
        "packed size": lambda: png(640, 480, bytes(int(2 ** rng.uniform(20, 27)))),
        "just too large": lambda: png(3840, 2161, bytes(2161 * 11_521)),
        "many chunks": lambda: png(640, 480, b"", extra=text * 690_000),
        "jpeg of a declared size": lambda: jpeg(min(wide, 65_535), min(high, 65_535), 1),
        "jpeg of many passes": lambda: jpeg(1200, 900, int(2 ** rng.uniform(4.2, 10))),
        "large jpeg in passes": lambda: jpeg(4000, 3000, 2),
        "jpeg of two frames": lambda: jpeg(640, 480, 1, extra=jpeg(60_000, 60_000, 1)[2:-2]),
        "good and as large as may be": lambda: png(3840, 2160, bytes(2160 * 11_521)),
    }
    name = str(rng.choice(sorted(kinds)))
    path.write_bytes(kinds[name]())
    return Forgery(f"photo: {name}", "photo", str(path), "accepted" if name.startswith("good") else "refused")


def hostile_words(rng: np.random.Generator, folder: Path, originals: Originals) -> Forgery:
    """Row 49: the note of a goal, or a set, that is malformed, ambiguous, endless, or says something else."""
    (folder / "sets").mkdir()
    (folder / "good.png").write_bytes((originals.goals / "good.png").read_bytes())
    note, members = folder / "good.yaml", folder / "sets" / "corners.yaml"
    note.write_bytes((originals.goals / "good.yaml").read_bytes())
    members.write_bytes((originals.goals / "sets" / "corners.yaml").read_bytes())
    victim = (note, members)[rng.integers(2)]
    good = victim.read_text()
    name, text = settings.hostile(rng)
    kinds = {
        f"{name}, alone": text,
        f"{name}, behind it": good + (text or "x: 1\n"),
        "of another format": good.replace("format: 1", f"format: {int(rng.integers(2, 10**6))}"),
        "a number for a text": good.replace(': "', ": 7 # ", 1),
        "a text for a number": good.replace("format: 1", "format: '1'"),
        "a digest of something else": good.replace('"\n', '0"\n')
        if victim == members else good.replace('sha256: "', 'sha256: "0'),
        "a goal elsewhere": good.replace('"good"', '"../good"') if victim == members else good + "extra: 1\n",
    }  # fmt: skip
    kind = str(rng.choice(sorted(kinds)))
    victim.write_bytes(kinds[kind].encode(errors="surrogateescape"))
    reader, target = ("goal", GOAL) if victim == note and rng.random() < 0.5 else ("set", SET)
    return Forgery(f"{victim.name}: {kind}", reader, f"{folder}\n{target}")


def other_camera(rng: np.random.Generator, folder: Path, originals: Originals) -> Forgery:
    """Row 51: a goal, alone, in a set or by its path, taken under camera settings that are not those of now."""
    camera = CameraConfig()
    changes = {
        "focal_px": camera.focal_px * float(rng.uniform(0.5, 2.0)),
        "crop_left_px": int(rng.choice([0, 109, 111, 200])),
        "crop_px": int(rng.choice([84, 336, 419, 421])),
        "center_u_px": camera.center_u_px + float(rng.choice([-5.0, 1e-3, 7.0])),
    }
    name = str(rng.choice([*sorted(changes), "nothing"]))
    changed = camera if name == "nothing" else camera.model_copy(update={name: changes[name]})
    (folder / "sets").mkdir()
    (folder / "good.png").write_bytes((originals.goals / "good.png").read_bytes())
    (folder / "sets" / "corners.yaml").write_bytes((originals.goals / "sets" / "corners.yaml").read_bytes())
    text = (originals.goals / "good.yaml").read_text()
    (folder / "good.yaml").write_text(text.replace(calibration_id(camera), calibration_id(changed)))
    reader = ("goal", "set", "goal path")[rng.integers(3)]
    target = {"goal": f"{folder}\n{GOAL}", "set": f"{folder}\n{SET}", "goal path": str(folder / "good.png")}[reader]
    verdict: Verdict = "accepted" if calibration_id(changed) == calibration_id(camera) else "refused"
    return Forgery(f"{reader} under another camera.{name}", reader, target, verdict)
