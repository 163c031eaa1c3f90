"""Which words `rig` knows, and what is said to one that it does not know. Called by `robot_rig.cli.main`."""

from __future__ import annotations

import contextlib
import functools
import io
import itertools
import re
from collections.abc import Callable, Mapping, Sequence

import tyro
from rich.console import Console

from robot_rig import __version__
from robot_rig.cli import (
    bench_commands,
    calibrate_commands,
    commands,
    data_commands,
    exam_commands,
    goal_commands,
    gripper_commands,
    live_commands,
    robot_commands,
)
from robot_rig.errors import UserError

GROUPS: Mapping[str, Mapping[str, Callable[..., int]]] = {
    "data": {
        "ls": data_commands.data_ls,
        "check": data_commands.data_check,
        "view": data_commands.data_view,
        "lag": data_commands.data_lag,
        "merge": data_commands.data_merge,
        "split": data_commands.data_split,
        "export": data_commands.data_export,
        "import": data_commands.data_import,
    },
    "keys": {
        "init": commands.keys_init,
        "show": commands.keys_show,
        "trust": commands.keys_trust,
        "sign": commands.keys_sign,
    },
    "goals": {
        "capture": goal_commands.goals_capture,
        "import": goal_commands.goals_import,
        "list": goal_commands.goals_list,
        "show": goal_commands.goals_show,
        "sets": goal_commands.goals_sets,
        "imagine": goal_commands.goals_imagine,
        "delete": goal_commands.goals_delete,
        "send": goal_commands.goals_send,
    },
    "bench": {
        "sim": bench_commands.bench_sim,
        "tick": bench_commands.bench_tick,
        "seeds": bench_commands.bench_seeds,
        "demos": bench_commands.bench_demos,
        "novelty": bench_commands.bench_novelty,
        "refresh": bench_commands.bench_refresh,
        "precision": bench_commands.bench_precision,
        "push": bench_commands.bench_push,
    },
    "calibrate": {
        "board": calibrate_commands.board,
        "capture": calibrate_commands.capture,
        "poses": calibrate_commands.poses,
        "wiggle": calibrate_commands.wiggle,
        "intrinsics": calibrate_commands.intrinsics,
        "handeye": calibrate_commands.handeye,
        "crop": calibrate_commands.crop,
        "latency": calibrate_commands.latency,
        "workspace": calibrate_commands.workspace,
        "check": calibrate_commands.check,
        "settings": calibrate_commands.settings,
    },
    "gripper": {
        "calibrate": gripper_commands.gripper_calibrate,
        "open": gripper_commands.gripper_open,
        "close": gripper_commands.gripper_close,
        "status": gripper_commands.gripper_status,
    },
}

STAGES: Mapping[str, Callable[..., int]] = {
    "demo": commands.demo,
    "collect": commands.collect,
    "train": commands.train,
    "practice": commands.practice,
    "eval": exam_commands.evaluate,
    "compare": exam_commands.compare,
    "report": commands.report,
    "reach": commands.reach,
    "rollback": commands.rollback,
    "config": commands.config,
}

ORDERS: Mapping[str, Callable[..., int]] = {
    "doctor": robot_commands.doctor,
    "enable": robot_commands.enable,
    "hold": robot_commands.hold,
    "home": robot_commands.home,
    "reset": robot_commands.reset,
    "stop": robot_commands.stop,
    "teleop": robot_commands.teleop,
    "box": robot_commands.box,
    "latency": live_commands.latency,
    "demo-live": live_commands.demo_live,
    "faults": live_commands.faults,
    "soak": live_commands.soak,
}
"""Words for the arm in the ROS graph, real or simulated; the stages above run in one process."""

LESSON = """\
[bold]rig[/bold] teaches an arm to reach pictures. Show it one picture of where its hand should be; it goes there.

  [bold]rig demo[/bold]                 all of the below in the simulator, with a report at the end (about 4 minutes)

  [bold]rig collect --run runs/a[/bold]   1. the arm plays at random; every step goes to runs/a/episodes
  [bold]rig train --run runs/a[/bold]     2. a beta-VAE learns what pictures mean, and is checked before use
  [bold]rig practice --run runs/a[/bold]  3. the arm imagines goals, tries them, and learns from what happened
  [bold]rig eval --run runs/a[/bold]      4. 50 pictures it has never seen, with do-nothing and random play beside it
  [bold]rig report --run runs/a[/bold]    5. one HTML file with the curve, films and the table

  [bold]rig reach --run runs/a --goal picture.png[/bold]   show it a picture and watch it go there

  [bold]rig train --run runs/a --demos DIR[/bold]   learn from what people have shown too; --config gcbc: imitate them
  [bold]rig goals imagine --run runs/a[/bold]   what the robot dreams of; also import (from a photo), show, sets

  [bold]rig eval --checkpoint FOLDER[/bold]   one checkpoint, on goals that you choose, also over ROS
  [bold]rig compare EXAM EXAM[/bold]   which of them ended closer, goal by goal, or that these goals cannot tell
  [bold]rig data lag RUN[/bold]             how far the arm trails its actions, for control.lag_s
  [bold]rig data check RUN/episodes[/bold]   is the log whole?   [bold]rig data view FILE[/bold]  contact sheet and film
  [bold]rig data ls RUN[/bold]              its episodes, with totals; also merge, split: runs put together, drawn apart
  [bold]rig data export RUN[/bold]          to LeRobot or rosbag; [bold]rig data import BAG[/bold]: from rosbag
  [bold]rig keys init[/bold]            whose checkpoints move the arm; [bold]rig rollback RUN[/bold]: the one before
  [bold]rig config[/bold]               every setting, with unit and range; change one with --set vae.beta=2
  [bold]rig bench sim[/bold]            how fast the simulator is against a bare loop
  [bold]rig bench tick[/bold]           how long the policy takes from picture to action, against eager torch

An arm in the ROS graph, simulated or [bold]real[/bold]:
  [bold]rig doctor[/bold]               what is fit for work and what is not, each with its fix
  [bold]rig enable[/bold]               let the arm move; also [bold]rig hold[/bold], home, stop, reset
  [bold]rig teleop[/bold]               move it by hand; [bold]rig box[/bold]: its workspace, from corners
  [bold]rig gripper open[/bold]         its fingers; also close, calibrate, status
  [bold]rig latency[/bold]              how long each stage takes, from exposure to joint command
  [bold]rig demo-live[/bold]            goal pictures reached in real time, in a graph of its own (simulated)
  [bold]rig faults[/bold]               break it on purpose, in a graph of its own (simulated), and see the arm stop
  [bold]rig soak[/bold]                 practise unattended for hours while faults come, in a graph of its own
  [bold]rig calibrate crop[/bold]       the camera's window; also board, intrinsics, poses, handeye, latency, ...
  [bold]rig goals capture NAME[/bold]   keep what the camera sees as a goal; also import, list, show, sets, delete, send

Ctrl-C is safe at any moment; `rig demo --resume`, or the same stage again, goes on. `rig COMMAND --help` explains each.
Only the words for an arm in the ROS graph can move a real one, and rig eval --backend ros.
This software is not safety-rated."""


def dispatch(words: Sequence[str]) -> int:
    """Do what `words` say and return the exit code; no words, or a call for help, are answered with the lesson.

    Raises UserError for words and options that there are not.
    """
    if not words or words[0] in ("-h", "--help", "help"):
        Console().print(LESSON, highlight=False)
        return 0
    head, *rest = words
    if head == "--version":
        print(f"rig {__version__}")
        return 0
    command = STAGES.get(head) or ORDERS.get(head)
    if command is not None:
        return bound(command, f"rig {head}", rest)()
    if head in GROUPS:
        group = GROUPS[head]
        if not rest or rest[0] not in group:
            wrong = f"rig {head} {rest[0]} is not a command" if rest else f"rig {head} needs one more word"
            raise UserError(wrong, choices=[f"rig {head} {word}" for word in group], next_step="try one with --help")
        return bound(group[rest[0]], f"rig {head} {rest[0]}", rest[1:])()
    raise UserError(
        f"there is no command {head!r}", choices=[*STAGES, *ORDERS, *GROUPS], next_step="run rig alone for a tour"
    )


def bound(command: Callable[..., int], name: str, arguments: Sequence[str]) -> Callable[[], int]:
    """`command` with its `arguments`, not yet run. Raises UserError for arguments that it cannot take."""

    @functools.wraps(command)
    def bind(*values: object, **named: object) -> Callable[[], int]:
        return functools.partial(command, *values, **named)

    def parse(words: Sequence[str]) -> Callable[[], int]:
        return tyro.cli(bind, prog=name, args=words)

    try:
        with contextlib.redirect_stderr(io.StringIO()):
            return parse(arguments)
    except SystemExit as left:
        if left.code == 0:
            raise
    _title, _rule, *lines = _said(lambda: parse(arguments))
    problem, *hints = [list(part) for speaks, part in itertools.groupby(lines, _speaks) if speaks]
    near = [line for hint in hints for line in hint if line.startswith("--")]
    # What stands in front; behind it, words of other commands may be quoted.
    told = [line.partition("  ")[0] for line in _said(lambda: parse(["--help"])) if line.startswith("-")]
    known = re.findall(r"--[a-z][a-z-]*", " ".join(told))
    raise UserError(" ".join(problem), choices=near or dict.fromkeys(known), next_step=f"see `{name} --help`")


def _said(parse: Callable[[], object]) -> list[str]:
    """The lines that tyro says in its box, which it draws with blanks and dashes where there is no terminal."""
    drawn = io.StringIO()
    with contextlib.redirect_stdout(drawn), contextlib.redirect_stderr(drawn), contextlib.suppress(SystemExit):
        parse()
    return [line.strip() for line in drawn.getvalue().splitlines()]


def _speaks(line: str) -> bool:
    return bool(line.strip("-"))
