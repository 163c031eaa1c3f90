"""The process that reads strangers' files, and is watched while it does. Started by `sim.strangers.attack`.

Reads requests from stdin and answers on stdout, a JSON line each: what came of it, how long it took without the time
that the process had to wait for a core, by how much its resident memory rose at most, and what it did that no reader
may do: load a pickle, start a process, connect, write a file, or open one outside the folder it was sent to.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from robot_rig.config import Config
from robot_rig.config_files import load_config
from robot_rig.data import episode as schema
from robot_rig.data.bag import open_bag
from robot_rig.data.bag_import import own_episode
from robot_rig.data.log import as_episode, read_episode
from robot_rig.data.salvage import salvage
from robot_rig.datatypes import Bytes, Frame
from robot_rig.errors import UserError
from robot_rig.evaluation_files import load_evaluation
from robot_rig.goal_library import GoalLibrary
from robot_rig.goal_sets import GoalSets
from robot_rig.learning.runtime import use_one_core
from robot_rig.runs import RunFolder
from robot_rig.stages.collect import MAX_CONTINUATION_BYTES
from robot_rig.stages.shipping import load_checkpoint
from robot_rig.vision import load_goal_picture, load_photo

MEMORY_HEADROOM = 2 << 30
"""What a reader may claim at most: a weakness shall not take the machine down."""

FORBIDDEN_EVENTS = {
    "pickle.find_class", "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "subprocess.Popen",
    "socket.connect", "socket.bind", "os.mkdir", "os.remove", "os.rename", "os.symlink", "ctypes.dlopen",
}  # fmt: skip


def _bag(path: str) -> None:
    with open_bag(Path(path)) as bag:
        own = own_episode(bag)
        for _ in own.parts if own is not None else ():
            pass
        for _ in bag.messages([name for name, topic in bag.topics.items() if topic.is_readable]):
            pass


def _goal(place_and_name: str) -> None:
    place, _, name = place_and_name.partition("\n")
    GoalLibrary(Path(place), Config()).load(name)


def _set(place_and_name: str) -> None:
    place, _, name = place_and_name.partition("\n")
    GoalSets(GoalLibrary(Path(place), Config())).load(name)


def _goal_path(path: str) -> None:
    GoalLibrary(Path(path).parent, Config()).import_picture(Path(path), 0.0)


def _damaged_log(path_and_original: str) -> None:
    """Read a spoilt log, and hold what comes out against the original. Raises ValueError for a step that is wrong."""
    path, original = map(Path, path_and_original.split("\n"))
    whole, found = salvage(original), salvage(path)
    if len(found.steps) > len(whole.steps):
        raise ValueError("steps came out of nowhere")
    for number, pair in enumerate(zip(found.steps, whole.steps, strict=False)):
        one, other = ([part.data for part in schema.step_messages(step, number, whole.offset_ns)] for step in pair)
        if one != other:
            raise ValueError(f"step {number} is wrong, and nobody says so")
    for mine, its in ((_rgb(found.closing), _rgb(whole.closing)), (found.goal, whole.goal)):
        if mine is not None and (its is None or not np.array_equal(mine, its)):
            raise ValueError("its goal or its closing frame is wrong, and nobody says so")
    if not found.damage and (len(found.frames) != len(whole.frames) or path.read_bytes() != original.read_bytes()):
        raise ValueError("it is called whole, and is not")
    as_episode(path, found)


def _rgb(frame: Frame | None) -> Bytes | None:
    return None if frame is None else frame.rgb


READERS: dict[str, Callable[[str], object]] = {
    "picture": load_goal_picture,
    "photo": load_photo,
    "goal": _goal,
    "goal path": _goal_path,
    "set": _set,
    "checkpoint": lambda path: load_checkpoint(Path(path)),
    "settings": lambda path: load_config([path], []),
    "evaluation": lambda path: load_evaluation(Path(path)),
    "episode": read_episode,
    "damaged log": _damaged_log,
    "bag": _bag,
    "run": lambda path: RunFolder.open(path).load_arrays("plant", "start anew", MAX_CONTINUATION_BYTES),
}


class _Watch:
    """Notes what is forbidden while `folder` is set."""

    def __init__(self) -> None:
        self.folder: str | None = None
        self.seen: list[str] = []
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.folder is None:
            return
        if event in FORBIDDEN_EVENTS:
            self.seen.append(f"{event} {arguments[:2]!r}"[:120])
        elif event == "open" and isinstance(arguments[0], str | bytes | os.PathLike):
            path = os.path.abspath(os.fsdecode(arguments[0]).replace("\0", "?"))
            own = path.startswith((self.folder, "/dev/", sys.prefix, sys.base_prefix, os.path.dirname(os.__file__)))
            wrote = bool((arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
            if wrote or not own:
                self.seen.append(f"open {path} {arguments[1]}"[:160])


def _memory(name: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"the kernel does not say {name}")


def _waited_s() -> float:
    return int(Path("/proc/self/schedstat").read_text().split()[1]) / 1e9


def _read(watch: _Watch, reader: str, target: str, folder: str) -> dict[str, Any]:
    os.chdir(folder)
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    # Sets the peak back to what is resident now.
    Path("/proc/self/clear_refs").write_text("5")
    before = _memory("VmRSS")
    watch.seen.clear()
    waited, started = _waited_s(), time.perf_counter()
    watch.folder = folder
    try:
        READERS[reader](target)
        outcome, message = "accepted", ""
    except UserError as error:
        outcome, message = "refused", str(error)
        # Without a next step, a refusal is only half a sentence.
        message += "" if error.next_step or error.choices else " [no next step]"
    except BaseException as error:  # noqa: BLE001  whatever it is, it is the finding
        outcome, message = "escaped", f"{type(error).__name__}: {error}"[:500]
    watch.folder = None
    took = time.perf_counter() - started - (_waited_s() - waited)
    grown = _memory("VmHWM") - before
    return {"outcome": outcome, "message": message, "seconds": took, "rss_growth_mib": grown, "did": list(watch.seen)}


def main() -> None:
    """Warm up on honest files, then answer until stdin ends."""
    use_one_core()
    watch, answers = _Watch(), sys.__stdout__
    assert answers is not None
    limited = False
    for line in sys.stdin:
        request = json.loads(line)
        if not request.pop("warm_up", False) and not limited:
            limited = True
            claimed = int(_memory("VmSize") * 2**20) + MEMORY_HEADROOM
            resource.setrlimit(resource.RLIMIT_AS, (claimed, claimed))
        answer = json.dumps(_read(watch, **request))
        answers.write(answer + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
