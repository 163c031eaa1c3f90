"""`rig soak`: the live part: practice goes on, faults are caused, an operator leads, and everything is written down.

Called by `live_commands`. Imports ROS and the simulator, so it is itself imported only once the word is said.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from benchmarks.heartbeat import ABOVE_ALL, Heartbeat, Pulse
from drivers.sawyer import JOINT_COMMAND
from robot_rig.cli.latency import PRIORITY
from robot_rig.cli.live.ending import ended_in_order
from robot_rig.cli.live.graph import LiveGraph
from robot_rig.cli.progress import stage_bar
from robot_rig.cli.soak.account import Logged, losses
from robot_rig.cli.soak.kinds import KINDS
from robot_rig.cli.soak.launch import PracticeLaunch
from robot_rig.cli.soak.onlooker import Onlooker
from robot_rig.cli.soak.operator import Operator
from robot_rig.cli.soak.record import NAME, Paper, Record
from robot_rig.cli.soak.sampler import Sampler
from robot_rig.cli.soak.scene import SoakScene
from robot_rig.cli.soak.schedule import Planned, plan
from robot_rig.cli.soak.shift import Shift, Watches
from robot_rig.cli.soak.verdict import complaints, last_line, show
from robot_rig.cli.soak.watch import PracticeWatch
from robot_rig.clock import WallClock
from robot_rig.config_files import load_config
from robot_rig.data.outline import outline
from robot_rig.data.store import EpisodeStore
from robot_rig.disk import unwritable
from robot_rig.errors import UserError
from robot_rig.ros.orders import give_order
from robot_rig.ros.step_listener import StepListener
from robot_rig.ros.visitor import visit
from robot_rig.runs import RunFolder
from robot_rig.versions import versions
from sim.faults.relay import RELAYED

NODE = "rig_soak"
PRACTICE, LOGS, RELAY = "run", "logs", "relay"


class Bar(NamedTuple):
    """The plan, and how often each kind is in it."""

    faults: list[Planned]
    counts: Counter[str]


def planned_for(paper: Paper) -> Bar:
    """The faults of a soak with this paper."""
    faults = plan({name: kind.rescue for name, kind in KINDS.items()}, paper.each, paper.seconds, paper.seed)
    return Bar(faults, Counter(fault.kind for fault in faults))


def run_soak(paper: Paper, out: Path, console: Console) -> int:
    """Soak, or go on, and report. Exit code 1 when the soak does not pass.

    Raises UserError for settings that will not do, for a folder of another soak, and where practice does not begin.
    """
    config = load_config(paper.config, paper.set)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(out, error) from error
    record = Record.begin(out / NAME, paper)
    bar = planned_for(paper)
    said = f"{len(bar.faults)} faults of {len(bar.counts)} kinds in {paper.hours:g} h; practice in {out / PRACTICE}"
    console.print(f"soak: {out}: {said}", highlight=False, markup=False, soft_wrap=True)
    if not record.finished:
        record.sittings.append(versions()["git"])
        _sit(record, bar, out, 1.0 / config.control.policy_rate_hz, console)
        with console.status("the log is held against what the recorder said"):
            _settle(record, out / PRACTICE)
    show(record, bar.counts, console)
    console.print(f"record: {out / NAME}", highlight=False, markup=False, soft_wrap=True)
    print(last_line(record, bar.counts))
    return 1 if list(complaints(record, len(bar.faults))) else 0


def _sit(record: Record, bar: Bar, out: Path, period_s: float, console: Console) -> None:
    """Soak until the time is up; whatever ends it earlier, the record is written and the graph is taken down."""
    words = [f"device:={RELAYED}"]
    words += [
        f"{name}:={','.join(given)}"
        for name, given in (("config", record.paper.config), ("set", record.paper.set))
        if given
    ]
    watch, clock = PracticeWatch(), WallClock()
    with ended_in_order(), ExitStack() as stack:
        graph = stack.enter_context(LiveGraph(out / LOGS))
        graph.start(RELAY, ["-m", "sim.faults.relay"])
        stack.enter_context(visit(NODE))
        # Instruments first, at their own priorities; see `rig latency`.
        heart = stack.enter_context(Heartbeat(ABOVE_ALL))
        timer = stack.enter_context(Pulse(PRIORITY, period_s, 0.0))
        stack.enter_context(contextlib.closing(Onlooker(watch)))
        launch = PracticeLaunch(graph, out / LOGS, out / PRACTICE, words)
        scene = SoakScene(launch, record.paper.seed)
        console.print(f"the graph is at {graph.uri}; heartbeat: {heart.scheduling}", highlight=False, soft_wrap=True)
        with Sampler(launch, record):
            operator = Operator(launch, watch, clock, give_order)
            watches = Watches(heart, timer, period_s, lambda: StepListener(JOINT_COMMAND))
            shift = Shift(record, launch, scene, watch, operator, watches, clock)
            stack.enter_context(contextlib.closing(shift))
            try:
                with stage_bar(console, "soak", round(record.paper.seconds)) as advance:
                    shift.work(bar.faults, advance, lambda: graph.alive(RELAY))
            finally:
                try:
                    launch.end()
                finally:
                    shift.write_down()


def _settle(record: Record, run: Path) -> None:
    """Count what is on disk against what was told; the soak is finished then."""
    # Here, because torch comes with it, which nothing else of a soak needs.
    from robot_rig.stages.shipping import checkpoints

    files = []
    for path in EpisodeStore(run / "played" / "episodes").paths():
        with contextlib.suppress(UserError):
            one = outline(path)
            if one.begun is not None:
                # A last step without the picture after it is on disk too, though nobody can learn from it.
                files.append(Logged(one.begun.timestamp(), one.steps + int(one.truncated)))
    found = losses(record.told, files)
    record.logged, record.lost = found.logged, found.lost
    learnt = run / "learnt"
    if learnt.is_dir():
        record.checkpoints = len(checkpoints(RunFolder.open(learnt)))
    record.finished = True
    record.save()
