"""The slow look at the master outlives every error: each is told, refuses enable, and goes again."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass

import numpy as np
import pytest

from drivers.action_choice import ActionChoice
from drivers.commander_watch import SIGHT_S, CommanderWatch
from drivers.fake import FakeArm
from drivers.guard_process import GuardProcess
from drivers.look_around import LookAround
from drivers.posture_visits import PostureVisits
from drivers.senders import Senders
from robot_rig.clock import ManualClock
from robot_rig.config import Config
from robot_rig.datatypes import Mode
from robot_rig.errors import UserError
from robot_rig.kinematics import Kinematics
from robot_rig.loops.arm_loop import ArmLoop
from robot_rig.ros.connect import Links
from tests.ros_graph import eventually

CONFIG = Config()
TOPIC = "/robot/limb/right/joint_command"


@dataclass
class Answer:
    stamp: float
    publishers: object

    def publishers_of(self, topic: str) -> tuple[str, ...]:
        assert topic == TOPIC
        if isinstance(self.publishers, Exception):
            raise self.publishers
        return self.publishers  # type: ignore[return-value]


class Sight:
    """A master that answers with `publishers`, freshly each time."""

    def __init__(self) -> None:
        self.publishers: object = ("/rig_arm",)
        self.trouble = ""
        self.changed = False
        self.age = 0.0

    @property
    def latest(self) -> Answer | None:
        return Answer(time.monotonic() - self.age, self.publishers)


class Bench:
    def __init__(self) -> None:
        clock = ManualClock()
        home = np.array(CONFIG.control.home_posture_rad)
        self.sight, self.failures, self.now = Sight(), list[UserError](), 0.0
        self.commanders = CommanderWatch("/rig_arm", [], TOPIC, lambda: self.now)
        self.process = GuardProcess(
            arm=FakeArm(clock, home),
            loop=ArmLoop(CONFIG.control, CONFIG.guard, Kinematics(CONFIG.control.tool_offset_m)),
            choice=ActionChoice(CONFIG.guard.action_age_limit_s),
            commanders=self.commanders,
            senders=Senders(Links()),
            visits=PostureVisits(Links()),
            clock=clock,
            home_poses=[home],
            period_s=0.01,
            take=lambda _: None,
        )
        self.around = LookAround(self.process, self.commanders, self.sight, TOPIC, self.failures.append)


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.mark.parametrize(
    "nonsense", [(1, 2), (None,), 7, RuntimeError("no such thing"), KeyError("x"), AttributeError("gone")]
)
def test_an_error_nobody_foresaw_is_told_refuses_and_goes_with_the_next_good_look(
    nonsense: object, bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    thread = threading.Thread(target=bench.around.run, daemon=True)
    thread.start()
    assert eventually(lambda: bench.around.word() == "ok")
    bench.sight.publishers = nonsense
    with caplog.at_level(logging.ERROR):
        assert eventually(lambda: "looking around failed" in bench.around.word())
        assert eventually(lambda: "looking around failed" in caplog.text)
    with pytest.raises(UserError, match=r"cannot be seen.*looking around failed"):
        bench.process.enable()
    assert thread.is_alive()
    assert bench.failures == []
    bench.sight.publishers = ("/rig_arm",)
    assert eventually(lambda: bench.around.word() == "ok")
    bench.process.enable()
    assert bench.process.mode is Mode.ACTIVE
    bench.around.close()
    thread.join(10)
    assert not thread.is_alive()


def test_an_error_while_the_arm_moves_hides_no_second_commander_after_it(bench: Bench) -> None:
    bench.around.look()
    bench.process.enable()
    bench.sight.publishers = RuntimeError("for a while")
    bench.around.look()
    assert bench.process.mode is Mode.ACTIVE
    bench.sight.publishers = ("/rig_arm", "/wobbler")
    bench.around.look()
    assert bench.process.mode is Mode.HOLD
    assert bench.around.word() == "second commander: /wobbler"


def test_when_nobody_looks_any_more_the_arm_is_not_enabled(bench: Bench) -> None:
    bench.around.look()
    bench.now = SIGHT_S
    bench.commanders.check()
    bench.now = SIGHT_S + 0.6
    assert "nobody has looked for 2 s" in bench.around.word()
    with pytest.raises(UserError, match="nobody has looked"):
        bench.process.enable()
    bench.around.look()
    bench.process.enable()


def test_an_old_answer_or_none_is_blindness(bench: Bench) -> None:
    bench.sight.age = SIGHT_S + 1.0
    bench.around.look()
    with pytest.raises(UserError, match="not answered lately"):
        bench.process.enable()
    assert bench.around.codes == ()
    bench.sight.age, bench.sight.trouble = 0.0, "it refuses"
    bench.around.look()
    assert bench.around.codes == ("master_silent",)
    with pytest.raises(UserError, match="it refuses"):
        bench.process.enable()


def test_a_new_master_ends_the_node_and_the_arm_holds(bench: Bench) -> None:
    bench.around.look()
    bench.process.enable()
    bench.sight.changed = True
    bench.around.look()
    assert bench.process.mode is Mode.HOLD
    (failure,) = bench.failures
    assert "restarted" in str(failure)
