"""Row 60: secrets lie around where the rig works, and nothing that it writes or says holds one. Needs no graph.

Canaries stand in the environment, in the name of the home folder, in a settings file and in an address; the trainer's
secret key is one more. Then the real commands run, some of them into an error, and all that they wrote and said is
searched, and the home folder too.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from robot_rig.keys import FOLDER_VARIABLE, SECRET
from sim.faults.alone_processes import surroundings
from sim.faults.judges import Verdict
from sim.strangers.search import hits

LIMIT_S = 300.0
SHORT = ("collect.steps=100", "collect.held_out_steps=50", "collect.episode_steps=50", "vae.updates=2", "vae.batch=8")
VARIABLES = ("AWS_SECRET_ACCESS_KEY", "API_TOKEN", "WIREGUARD_KEY", "PGPASSWORD", "ROBOT_PASSWORD")
CONSOLE = "console"
REFUSED = 2


def commands(folder: Path, settings: Path, address: str) -> Sequence[tuple[Sequence[str], frozenset[int]]]:
    """What is run in `folder`, and how it may end."""
    run, sets = str(folder / "run"), [word for text in SHORT for word in ("--set", text)]
    fine, refused = frozenset({0, 1}), frozenset({REFUSED})
    return (
        (("keys", "init"), fine),
        (("collect", "--run", run, *sets), fine),
        # Exit code 1: a VAE of so few updates is unfit.
        (("train", "--run", run), fine),
        (("data", "check", f"{run}/episodes"), fine),
        (("data", "export", run, "--format", "rosbag", "--out", str(folder / "exported")), fine),
        (("doctor", "--json"), fine),
        (("train", "--data", address, "--out", str(folder / "learnt")), refused),
        (("config", "--config", str(settings)), refused),
        (("practice", "--run", str(folder / "nowhere")), refused),
    )


def leak(random: np.random.Generator, folder: Path) -> Verdict:
    """An attempt at row 60."""
    canaries = {name: f"canary{random.bytes(9).hex()}" for name in (*VARIABLES, "home", "settings", "address")}
    home = folder / canaries["home"]
    for made in (home, folder / "settings", folder / "work"):
        made.mkdir()
    settings = folder / "settings" / "mine.yaml"
    settings.write_text(f"password: {canaries['settings']}\n")
    around = {"HOME": str(home), FOLDER_VARIABLE: str(home / "keys")}
    environment = {**{name: canaries[name] for name in VARIABLES}, **around}
    verdict, said = Verdict(), folder / "work" / CONSOLE
    address = f"ssh://robot:{canaries['address']}@127.0.0.1:9/runs/a"
    for words, ends in commands(folder / "work", settings, address):
        done = rig(words, environment, folder / "work")
        with said.open("ab") as log:
            log.write(done.stdout + done.stderr)
        if done.returncode not in ends:
            verdict.add([f"rig {words[0]} ended with {done.returncode}: {done.stderr[-300:].decode(errors='replace')}"])
    needles = {name: text.encode() for name, text in canaries.items()}
    secret = secret_of(home / "keys")
    verdict.add(found(folder / "work", needles, secret))
    verdict.add(found_at_home(home, needles, secret))
    verdict.figures["files"] = float(sum(path.is_file() for path in (folder / "work").rglob("*")))
    return verdict


def rig(words: Sequence[str], environment: Mapping[str, str], folder: Path) -> subprocess.CompletedProcess[bytes]:
    """`rig` with these words, as a person calls it in `folder`."""
    return subprocess.run(
        [sys.executable, "-m", "robot_rig.cli.main", *words],
        cwd=folder,
        env=surroundings(**environment),
        capture_output=True,
        timeout=LIMIT_S,
        check=False,
    )


def secret_of(keys: Path) -> bytes:
    """The secret key itself, as it stands in its file."""
    lines = (keys / SECRET).read_bytes().splitlines()
    return max((line for line in lines if not line.startswith(b"-")), key=len)


def found(folder: Path, needles: Mapping[str, bytes], secret: bytes) -> list[str]:
    """Where a canary or the key got to. The console may name the home folder, which is its reader's own."""
    places = hits(folder, {**needles, "the secret key": secret})
    return [place for place in places if place != f"home in {CONSOLE}"]


def found_at_home(home: Path, needles: Mapping[str, bytes], secret: bytes) -> list[str]:
    """The same in the home folder, which files there may name, and where the key has a file of its own."""
    places = hits(home, {**{name: text for name, text in needles.items() if name != "home"}, "the secret key": secret})
    return [f"{place} at home" for place in places if place != f"the secret key in keys/{SECRET}"]
