"""Row 24: the power goes while the real writers of log, run folder and checkpoint work. Needs no graph.

What each of them did is recorded, every state that the disk may be in afterwards is made, and the real readers read it:
what was promised is there, at most the step under way is lost, and nothing that is read is wrong.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from robot_rig.config import Config
from robot_rig.data.log import EpisodeWriter
from robot_rig.data.salvage import Salvaged, salvage
from robot_rig.data.store import EpisodeStore
from robot_rig.disk import write_atomically
from robot_rig.errors import UserError
from robot_rig.learning.checkpoint import read_checkpoint, write_checkpoint
from robot_rig.runs import RunFolder
from sim.faults.judges import Verdict
from sim.faults.made_steps import ACTION_DIM, NO_LIMIT, differs, made_frame, made_step
from sim.faults.power_cut import Cut, Record, cuts
from sim.strangers.originals import originals

LOG, NOTE, SHIPPED = "run/episodes/collect-000000.mcap", "progress.json", "practice-000001"
OLD, NEW = b'{"collect": {"steps": 100}}' * 200, b'{"practice": {"steps": 2000}}' * 300
SMALL_GROUPS = ("space", "actor")
"""Of a checkpoint: whole files are written and synced alike, and a state costs as much as its bytes."""

TAKEN, SAFE, FINISHED, WRITTEN = "taken", "acknowledged", "finished", "written"
LOOK_S = 0.0005
SHOWN = 3

Judge = Callable[[Cut, Path], str]
"""What is wrong with what was found after a cut, empty when nothing; may use the empty folder that it is given."""


def write_log(folder: Path, record: Record, steps: int) -> None:
    """A run that is begun, and in it an episode of `steps` steps, each acknowledged before the next one comes."""
    with RunFolder.claim(folder / "run", Config()) as run:
        path = EpisodeStore(run.episodes).next_path("collect")
        writer = EpisodeWriter(path, ACTION_DIM, None, {"stage": "collect"}, room=NO_LIMIT)
        _write_steps(writer, record, steps)


def _write_steps(writer: EpisodeWriter, record: Record, steps: int) -> None:
    pause = threading.Event()
    for number in range(steps):
        record.mark(TAKEN, number + 1)
        writer.append(made_step(number))
        while writer.acknowledged <= number:
            pause.wait(LOOK_S)
        record.mark(SAFE, writer.acknowledged)
    writer.finish(made_frame(steps))
    record.mark(FINISHED, 1)


def judge_log(cut: Cut, scratch: Path) -> str:
    """At most one step is lost and none that was acknowledged, none is wrong, and damage is told."""
    safe, taken = cut.promised.get(SAFE, 0), cut.promised.get(TAKEN, 0)
    log = _salvaged(cut, scratch / Path(LOG).name)
    found = 0 if log is None else len(log.steps)
    if found < safe:
        return f"{safe} steps were acknowledged, {found} are left"
    if taken - found > 1:
        return f"{taken - found} steps are lost"
    if log is None:
        return ""
    if wrong := [text for number, step in enumerate(log.steps) if (text := differs(step, number))]:
        return wrong[0]
    if log.closing is not None and log.closing.rgb.tobytes() != made_frame(found).rgb.tobytes():
        return "the closing frame is not what was written"
    if cut.promised.get(FINISHED) and log.damage:
        return f"a finished episode is damaged: {log.damage}"
    return "" if log.damage or log.closing is not None else "an episode without its end is called whole"


def _salvaged(cut: Cut, path: Path) -> Salvaged | None:
    """What is left of the log; None when nothing of it says that it is one."""
    if LOG not in cut.files:
        return None
    path.write_bytes(cut.files[LOG])
    try:
        return salvage(path)
    except UserError:
        return None


def write_note(folder: Path, record: Record) -> None:
    """A file of the run folder, twice."""
    write_atomically(folder / NOTE, OLD)
    record.mark(WRITTEN, 1)
    write_atomically(folder / NOTE, NEW)
    record.mark(WRITTEN, 2)


def judge_note(cut: Cut, scratch: Path) -> str:
    """All of the old or all of the new one."""
    wanted = ((None, OLD), (OLD, NEW), (NEW,))[cut.promised.get(WRITTEN, 0)]
    return "" if cut.files.get(NOTE) in wanted else f"{NOTE} is neither the old one nor the new one"


def write_shipment(folder: Path, record: Record) -> None:
    """A checkpoint."""
    groups, manifest = read_checkpoint(originals().checkpoint, SMALL_GROUPS)
    write_checkpoint(folder / SHIPPED, groups, manifest)
    record.mark(WRITTEN, 1)


def judge_shipment(cut: Cut, scratch: Path) -> str:
    """A folder of its name is whole, or there is none, and there is one once it was promised."""
    inside = {path: content for path, content in cut.files.items() if path.startswith(f"{SHIPPED}/")}
    if not inside:
        return "a checkpoint that was shipped is gone" if cut.promised.get(WRITTEN) else ""
    shutil.rmtree(scratch / SHIPPED, ignore_errors=True)
    (scratch / SHIPPED).mkdir()
    for path, content in inside.items():
        (scratch / path).write_bytes(content)
    try:
        read_checkpoint(scratch / SHIPPED)
    except UserError as error:
        return f"a torn checkpoint has its name: {error}"
    return ""


WORKS: dict[str, tuple[Callable[[Path, Record], None], Judge]] = {
    "log": (lambda folder, record: write_log(folder, record, 2), judge_log),
    "note": (write_note, judge_note),
    "checkpoint": (write_shipment, judge_shipment),
}


def cut_often(work: Callable[[Path, Record], None], judge: Judge, folder: Path, stride: int) -> Iterator[str]:
    """What is wrong after each power cut during `work`, empty when nothing; see `power_cut.cuts` for `stride`.

    Raises AssertionError when the work did something that nobody has heard of: the cuts would prove nothing.
    """
    place, scratch = folder / "disk", folder / "found"
    for one in (place, scratch):
        one.mkdir(parents=True)
    with Record(place) as record:
        work(place, record)
    last = None
    for last in cuts(record, stride):
        yield judge(last, scratch)
    real = {str(path.relative_to(place)): path.read_bytes() for path in place.rglob("*") if path.is_file()}
    assert last is not None
    assert dict(last.files) == real, "the record is not what was done"


def cut_power(random: np.random.Generator, folder: Path) -> Verdict:
    """An attempt at row 24: hundreds of cuts during each of the three, torn at other bytes each time."""
    verdict, total = Verdict(), 0
    for name, (work, judge) in WORKS.items():
        found = list(cut_often(work, judge, folder / name, int(random.integers(500, 1500))))
        total += len(found)
        verdict.add([f"{name}: {text}" for text in found if text][:SHOWN])
    verdict.figures["power cuts"] = total
    return verdict
