"""The live demo from its word to its page, in a process of its own as a user runs it; and that nothing of it stays."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pytest

from robot_rig.cli.latency import within
from robot_rig.cli.live.attempt import Attempt, padded, stretched
from robot_rig.cli.live.demo import newest_run
from robot_rig.cli.live.graph import LiveGraph
from robot_rig.datatypes import Floats, Frame, Mode, Outcome, Verdict
from robot_rig.errors import UserError
from robot_rig.evaluation_attempts import OUTCOMES, Question
from robot_rig.evaluation_files import load_evaluation
from robot_rig.loops.step_trace import Step
from robot_rig.ros.arm_report import ArmReport, report_message
from robot_rig.ros.stamps import HostStamps
from tests.cli.conftest import Demo
from tests.tiny_run import start

# Timing is not under test here: no attempt is void, however busy the machine.
PATIENT = """
import benchmarks.attempts, robot_rig.cli.live.stack
benchmarks.attempts.GAP_LIMIT_S = robot_rig.cli.live.stack.SILENT_S = float("inf")
"""

pytestmark = pytest.mark.usefixtures("ros_master")  # where ROS is missing, none of this can be collected


@pytest.mark.proof
def test_a_goal_is_reached_for_over_ros_and_the_graph_is_gone_afterwards(demo: Demo, tmp_path: Path) -> None:
    out = tmp_path / "live"
    process = start(["demo-live", "--run", str(demo.folder), "--goals", "1", "--out", str(out)], PATIENT)
    said, errors = process.communicate(timeout=300)
    logs = "\n".join(path.read_text()[-500:] for path in sorted((out / "logs").glob("*.log")))
    assert process.returncode == 0, f"{said}\n{errors}\n{logs}"
    timing, last = said.rstrip("\n").splitlines()[-2:]
    assert re.fullmatch(r"latency frame_to_command_p99_ms=\d+\.\d\d .* voids=0 attempts=1", timing)
    match = re.fullmatch(r"live goals=1 median_cm=(\d+\.\d\d) donothing_cm=(\d+\.\d\d) .*", last)
    assert match, last
    rollout = load_evaluation(out / "evaluation").rollouts[0]
    assert f"{100 * rollout.final_m:.2f}" == match[1]
    assert f"{100 * rollout.distance_m[0]:.2f}" == match[2]
    page = (out / "report.html").read_text()
    assert "goal-000" in page
    assert "exposure -&gt; frame" in page
    assert (out / "film.gif").read_bytes().startswith(b"GIF8")
    uri = re.search(r"http://127\.0\.0\.1:\d+", said)
    assert uri
    assert not [p for p in psutil.process_iter(["environ"]) if uri[0] in (p.info["environ"] or {}).values()]


def test_a_graph_that_fails_takes_its_processes_along(tmp_path: Path) -> None:
    with LiveGraph(tmp_path) as graph:
        graph.start("child", ["-c", "print('no robot here'); raise SystemExit(3)"])
        with pytest.raises(UserError, match="child has ended: no robot here"):
            graph.wait("the impossible", lambda: False)
        pids = [process.pid for process in graph._processes.values()]
        assert psutil.pid_exists(pids[0])
    assert not any(psutil.pid_exists(pid) for pid in pids)


def test_without_a_demo_there_is_a_next_step(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="make demo"):
        newest_run(tmp_path)


def test_the_demo_begun_last_is_deployed(demo: Demo, tmp_path: Path) -> None:
    (tmp_path / "demo-1").symlink_to(demo.folder)
    assert newest_run(tmp_path) == tmp_path / "demo-1"


def test_a_rollout_cut_short_is_held_where_it_ended() -> None:
    frames = [np.full((84, 84, 3), i, np.uint8) for i in range(3)]
    assert [int(frame[0, 0, 0]) for frame in stretched(frames, 5)] == [0, 1, 2, 2, 2]
    assert [int(frame[0, 0, 0]) for frame in stretched(frames, 2)] == [0, 2]
    assert padded(np.array([3.0, 2.0]), 4).tolist() == [3, 2, 2, 2]
    assert padded(np.array([3.0, 2.0, 1.0]), 3).tolist() == [3, 2, 1]
    assert padded(np.array([[3.0, 0.0], [2.0, 1.0]]), 3).tolist() == [[3, 0], [2, 1], [2, 1]]


HOLDING = ArmReport(1.0, Mode.HOLD, (), Verdict(Outcome.HELD, ("arm_stale",)), None, -1, None, -1, False, "ok")


@dataclass
class Still:
    """A ruler of a tool that does not move."""

    latest: float = 1.0

    def tool_xy(self, stamp: float) -> Floats:
        assert stamp > 0.0
        return np.array([0.6, 0.0])


@pytest.mark.usefixtures("ros_node")
def test_a_guard_that_rests_before_the_episode_is_a_missed_goal_and_no_end_of_the_demo() -> None:
    attempt = Attempt(Still(), 50, lambda mode: None)  # type: ignore[arg-type]
    try:
        attempt._frames.append(Frame(1, 1.0, np.zeros((84, 84, 3), np.uint8)))
        question = Question("goal-000", np.zeros((84, 84, 3), np.uint8), np.array([0.6, 0.1]))
        with ThreadPoolExecutor() as pool:
            answer = pool.submit(attempt.reach, question, 1.0)
            while not answer.done():  # the guard goes on saying it, as a guard does
                attempt._take_status(report_message(HOLDING, HostStamps()))
                time.sleep(0.05)
            outcome = answer.result()
    finally:
        attempt.close()
    assert not outcome.complete
    assert "came to rest" in outcome.reason
    assert outcome.rollout.final_m == pytest.approx(0.1)
    assert len(outcome.rollout.frames) == 51
    assert {OUTCOMES[one] for one in outcome.outcomes} == {Outcome.HELD}
    assert len(outcome.outcomes) == 50


def test_the_first_step_of_an_attempt_follows_none() -> None:
    steps = [Step(i, False, i, i + 0.1, i + 0.1, i + 0.1, i + 0.1, i + 0.2) for i in range(6)]
    chosen = within(steps, 2.0, 4.5)
    assert [(step.seq, step.first) for step in chosen] == [(2, True), (3, False), (4, False)]
