"""Rows 21, 63 and 64: policies that are swapped, a trainer that is killed, hours of practice. Needs no graph.

What runs is a process of its own each time; what it did is read from its files and from what it printed.
"""

from __future__ import annotations

import atexit
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from robot_rig.clock import WallClock
from robot_rig.config_files import load_config
from robot_rig.data.log import EpisodeWriter
from robot_rig.data.salvage import salvage
from robot_rig.data.store import EpisodeStore
from robot_rig.datatypes import IMAGE_SHAPE, Action, Bytes, Executed, Floats, Frame, Outcome, Source, Step
from robot_rig.keys import FOLDER_VARIABLE
from robot_rig.learning.checkpoint import read_checkpoint
from robot_rig.runs import RunFolder
from robot_rig.stages.curves import read_curves
from robot_rig.stages.follow import SAVED
from sim.faults.alone_processes import finish, run, start
from sim.faults.judges import Verdict
from sim.faults.made_steps import ACTION_DIM, NO_LIMIT

LOOK_S = 0.02

# --- row 21 ----------------------------------------------------------------------------------------------------------

RAIN_S, FEWEST_POLICIES, FEWEST_EPISODES = 6.0, 5, 5


def rain_policies(random: np.random.Generator, folder: Path) -> Verdict:
    """An attempt at row 21: a policy every 0.1 s; each episode has one, and it is the one that its log names."""
    run("sim.faults.swapping", str(folder / "log"), str(RAIN_S), str(random.integers(2**31)))
    return judge_swaps(folder / "log")


def judge_swaps(folder: Path) -> Verdict:
    """Who acted in each episode, by the number that each policy acts with."""
    verdict, names = Verdict(), set()
    paths = EpisodeStore(folder).paths()
    for path in paths:
        log = salvage(path)
        acted = {f"policy-{round(1024 * float(step.action.value[0]))}" for step in log.steps}
        names |= acted
        if len(acted) > 1:
            verdict.add([f"{path.name} has actions of {', '.join(sorted(acted))}"])
        elif acted and log.meta["policy"] not in acted:
            verdict.add([f"{path.name} names {log.meta['policy']}, and {acted.pop()} acted"])
    verdict.figures |= {"policies": float(len(names)), "episodes": float(len(paths))}
    if len(names) < FEWEST_POLICIES or len(paths) < FEWEST_EPISODES:
        verdict.add([f"only {len(names)} policies acted, in {len(paths)} episodes: nothing was swapped"])
    return verdict


# --- row 63 ----------------------------------------------------------------------------------------------------------

TINY = (
    "collect.steps=100", "collect.held_out_steps=50", "vae.updates=30", "vae.batch=16", "agent.batch=32",
    "agent.hidden=[32, 32]", "practice.pretrain_updates=20", "practice.steps=50", "practice.updates_per_step=1",
    "practice.episode_steps=25", "practice.tune_every_steps=40", "practice.tune_updates=3",
    "practice.snapshot_every_steps=30",
)  # fmt: skip
PLAYED = (("collect", 50), ("collect", 50), ("heldout", 50), ("collect", 50), *[("practice", 25)] * 3)
KILLS = 2


class Learnt(NamedTuple):
    """All that a trainer leaves: its checkpoints and saved state by name, and its curves."""

    files: Mapping[str, bytes]
    curves: Mapping[str, Mapping[str, Sequence[tuple[int, float]]]]


class Straight(NamedTuple):
    """A log, what a trainer makes of it that nobody kills, and how long it learns, s."""

    data: Path
    learnt: Learnt
    seconds: float


def play(run: Path) -> None:
    """A robot's log: a square that goes where the actions say, in pictures that can be learnt from."""
    random, place = np.random.default_rng(11), np.array([42.0, 42.0])
    with RunFolder.claim(run, load_config([], TINY)) as made:
        store = EpisodeStore(made.episodes)
    for stage, steps in PLAYED:
        writer = EpisodeWriter(store.next_path(stage), ACTION_DIM, None, {"stage": stage}, room=NO_LIMIT)
        for number in range(steps):
            value = random.uniform(-1, 1, ACTION_DIM).astype(np.float32)
            frame = Frame(number, float(number), square(place))
            action = Action(number, float(number), value, Source.RANDOM, number, float(number))
            writer.append(Step(frame, action, Executed(value, 0.0, Outcome.PASSED, (), np.zeros(7))))
            place = np.clip(place + 3.0 * value, 10.0, 74.0)
        writer.finish(Frame(steps, float(steps), square(place)))


def square(place: Floats) -> Bytes:
    """uint8 (84, 84, 3): a bright square around `place` (2,) px on a ground that is not even."""
    picture: Bytes = np.broadcast_to(np.arange(84, dtype=np.uint8)[:, None, None], IMAGE_SHAPE).copy()
    row, column = place.astype(int)
    picture[row - 8 : row + 8, column - 8 : column + 8] = (230, 150, 30)
    return picture


@cache
def straight() -> Straight:
    """Once a process."""
    folder = Path(tempfile.mkdtemp(prefix="robot-rig-straight-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    play(folder / "played")
    clock = WallClock()
    child = trainee(folder, folder / "learnt")
    while not (folder / "learnt" / "run.json").exists() and child.poll() is None:
        threading.Event().wait(LOOK_S)
    began = clock.now()
    finish(child)
    return Straight(folder / "played", learnt(folder / "learnt"), clock.now() - began)


def trainee(folder: Path, out: Path) -> subprocess.Popen[str]:
    """The trainer of the log in `folder`/played, with a key of its own there."""
    environment = {FOLDER_VARIABLE: str(folder / "keys")}
    return start("sim.faults.trainee", str(folder / "played"), str(out), **environment)


def learnt(out: Path) -> Learnt:
    """What lies in a trainer's run folder."""
    with_state = RunFolder.open(out).load_arrays(SAVED, "it is to be compared")
    files = {str(path.relative_to(out)): path.read_bytes() for path in (out / "checkpoints").rglob("*.safetensors")}
    # Each run has an id by chance, and with it manifests of its own.
    for folder in (out / "checkpoints").iterdir():
        manifest = read_checkpoint(folder)[1]
        same = manifest.sha256, manifest.train_steps, manifest.config_hash, manifest.encoder_id
        files[str(folder.relative_to(out))] = repr(same).encode()
    state = {f"state/{name}": array.tobytes() for name, array in with_state.items()}
    return Learnt({**files, **state}, read_curves(out / "metrics", ("vae", "td3")))


def kill_trainer(random: np.random.Generator, folder: Path) -> Verdict:
    """An attempt at row 63: killed twice while it learns, and all that it leaves is what it leaves undisturbed."""
    known, verdict = straight(), Verdict()
    out, clock = folder / "learnt", WallClock()
    mark, curves = out / "run.json", out / "metrics" / "metrics.jsonl"
    for number in range(KILLS):
        before = size_of(curves)
        child = trainee(known.data.parent, out)
        # The second one finds a run: it learns again when the curves grow again.
        while child.poll() is None and not (size_of(curves) > before if number else mark.exists()):
            threading.Event().wait(LOOK_S)
        clock.sleep_until(clock.now() + random.uniform(0.0, known.seconds))
        verdict.figures["kills"] = verdict.figures.get("kills", 0.0) + float(child.poll() is None)
        child.kill()
        child.communicate()
    finish(trainee(known.data.parent, out))
    verdict.add([] if verdict.figures["kills"] else ["it had ended before every kill"])
    return verdict.add(unlike(learnt(out), known.learnt))


def size_of(path: Path) -> int:
    """Its bytes; 0 where it is not there."""
    return path.stat().st_size if path.exists() else 0


def unlike(found: Learnt, wanted: Learnt) -> list[str]:
    """What differs between two trainers' work."""
    names = sorted({*found.files, *wanted.files})
    wrong = [name for name in names if found.files.get(name) != wanted.files.get(name)]
    complaints = [f"{', '.join(wrong[:3])} and {max(0, len(wrong) - 3)} more differ"] if wrong else []
    return complaints + ([] if found.curves == wanted.curves else ["the loss curves differ"])


# --- row 64 ----------------------------------------------------------------------------------------------------------

HOURS, WARM_SHARE = 1.0, 0.25
SLOPE_MIB_H = 1.0


def practise_for_hours(random: np.random.Generator, folder: Path) -> Verdict:
    """An attempt at row 64: an hour of the robot's time, in a few minutes."""
    words = (str(folder / "log"), str(HOURS), str(random.integers(2**31)))
    said = run("sim.faults.marathon", *words)
    return judge_marathon([[float(word) for word in line.split()] for line in said.splitlines()])


def judge_marathon(rows: Sequence[Sequence[float]]) -> Verdict:
    """No memory and no files are lost, and no episode. A row has hours, MiB, open files and 1 for a whole episode."""
    verdict, samples = Verdict(), np.array(rows)
    warm = samples[int(WARM_SHARE * len(samples)) :]
    slope = float(np.polyfit(warm[:, 0], warm[:, 1], 1)[0])
    verdict.figures |= {"memory MiB/h": round(slope, 3), "episodes": float(len(samples))}
    if slope >= SLOPE_MIB_H:
        verdict.add([f"memory rises by {slope:.2f} MiB an hour"])
    if len(set(warm[:, 2])) > 1:
        verdict.add([f"open files went from {warm[0, 2]:.0f} to {warm[-1, 2]:.0f}"])
    missed = int((samples[:, 3] != 1).sum())
    return verdict.add([f"{missed} episodes were not whole"] if missed else [])
