"""The guard process moves nothing unasked, lets nothing out after a stop, and fails into a stopped arm."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from drivers.action_choice import MACHINES, PEOPLE, ActionChoice
from drivers.commander_watch import CommanderWatch
from drivers.fake import FakeArm
from drivers.guard_process import GuardProcess
from drivers.posture_visits import PostureVisits
from drivers.senders import Senders
from drivers.tick_report import TickReport
from robot_rig.clock import Clock, ManualClock, WallClock
from robot_rig.config import Config
from robot_rig.datatypes import Action, ArmState, Mode, SafeCommand, Source
from robot_rig.errors import UserError
from robot_rig.kinematics import Kinematics
from robot_rig.loops.arm_loop import STREAM_AFTER_HOLD_S, ArmLoop
from tests.ros_graph import eventually

CONFIG = Config()
HOME = np.array(CONFIG.control.home_posture_rad)
PERIOD = 1.0 / CONFIG.control.arm_rate_hz


class WatchedArm(FakeArm):
    """Writes down what it is told; `trouble` is called at each report."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock, HOME)
        self.told: list[SafeCommand | str] = []
        self.trouble: Callable[[], None] = lambda: None
        self.obeys_disable = True
        self.meanwhile: Callable[[], None] = lambda: None
        """Happens while the robot takes its time to switch on or to reset."""

    def enable(self) -> None:
        self.meanwhile()
        super().enable()

    def reset(self) -> None:
        self.meanwhile()
        super().reset()

    def state(self) -> ArmState:
        self.trouble()
        return super().state()

    def send(self, command: SafeCommand) -> None:
        self.told.append(command)
        super().send(command)

    def stop(self) -> None:
        self.told.append("stop")
        super().stop()

    def disable(self) -> None:
        if not self.obeys_disable and "stop" not in self.told:
            raise UserError("the robot does not switch off")
        super().disable()

    @property
    def speeds(self) -> list[float]:
        return [float(np.abs(one.command.velocity).max()) for one in self.told if isinstance(one, SafeCommand)]


class Wires:
    """TCP links as a test has them: those in `dead` are gone, and node names lead to those in `named`."""

    def __init__(self) -> None:
        self.dead: list[object] = []
        self.named: dict[str, object] = {"policy": object()}

    def is_open(self, connection: object) -> bool:
        return not any(connection is dead for dead in self.dead)

    def of(self, program: str) -> object | None:
        connection = self.named.get(program)
        return connection if connection is not None and self.is_open(connection) else None


class Bench:
    """A guard process over a fake arm, ticked by hand on a manual clock."""

    def __init__(self, clock: Clock, period: float = PERIOD) -> None:
        self.clock = clock
        self.arm = WatchedArm(clock)
        self.choice = ActionChoice(CONFIG.guard.action_age_limit_s)
        self.reports: list[TickReport] = []
        self.links = Wires()
        self.visits = PostureVisits(self.links)
        self.commanders = CommanderWatch("rig_arm", [], "/robot/limb/right/joint_command", lambda: 0.0)
        self.process = GuardProcess(
            arm=self.arm,
            loop=ArmLoop(CONFIG.control, CONFIG.guard, Kinematics(CONFIG.control.tool_offset_m)),
            choice=self.choice,
            commanders=self.commanders,
            senders=Senders(self.links),
            visits=self.visits,
            clock=clock,
            home_poses=[HOME],
            period_s=period,
            take=self.reports.append,
        )
        self.process.see_commanders([])
        self.seq = 0

    def ask(self, x: float, source: Source = Source.POLICY) -> None:
        self.seq += 1
        now = self.clock.now()
        value = np.array([x, 0.0], np.float32)
        assert self.choice.offer(Action(self.seq, now, value, source, self.seq, now), MACHINES | PEOPLE)

    def pass_time(self, seconds: float, x: float | None = None) -> None:
        """Tick for `seconds`, asking for `x` ten times a second."""
        assert isinstance(self.clock, ManualClock)
        for i in range(round(seconds / PERIOD)):
            if x is not None and i % 10 == 0:
                self.ask(x)
            self.process.tick(self.clock.now())
            self.clock.advance(PERIOD)


@pytest.fixture
def bench() -> Bench:
    return Bench(ManualClock())


def test_it_comes_up_disabled_and_says_nothing_to_the_robot(bench: Bench) -> None:
    bench.pass_time(2.0, x=1.0)
    assert bench.process.mode is Mode.DISABLED
    assert bench.arm.told == []
    assert len(bench.reports) == 200


def test_an_enabled_arm_follows_the_policy_and_hold_ends_it(bench: Bench) -> None:
    bench.process.enable()
    bench.pass_time(1.0, x=-1.0)
    assert bench.process.mode is Mode.ACTIVE
    assert max(bench.arm.speeds) > 0.05
    bench.process.hold()
    count = len(bench.arm.told)
    bench.pass_time(3.0, x=-1.0)
    streamed = bench.arm.speeds[count:]
    assert streamed[-1] == 0.0
    assert len(streamed) == pytest.approx(STREAM_AFTER_HOLD_S / PERIOD, abs=2)
    assert bench.reports[-1].why == ("hold",)


def test_after_a_stop_nothing_but_zero_goes_out_until_a_person_resets_and_enables(bench: Bench) -> None:
    bench.process.enable()
    bench.pass_time(0.5, x=1.0)
    bench.process.stop()
    after = bench.arm.told.index("stop")
    bench.pass_time(1.0, x=1.0)
    assert not any(bench.arm.speeds[after:])
    assert bench.process.mode is Mode.FAULT
    with pytest.raises(UserError, match="latched"):
        bench.process.enable()
    with pytest.raises(UserError):
        bench.process.home()
    bench.process.reset()
    bench.pass_time(0.5, x=1.0)
    assert bench.process.mode is Mode.DISABLED
    assert not any(bench.arm.speeds[after:])
    bench.process.enable()
    bench.pass_time(0.5, x=1.0)
    assert any(bench.arm.speeds[after:])


def test_there_is_nothing_to_reset_while_the_arm_may_move(bench: Bench) -> None:
    bench.process.enable()
    bench.pass_time(0.1, x=1.0)
    with pytest.raises(UserError, match="nothing to reset"):
        bench.process.reset()
    assert bench.arm.state().enabled


def test_home_leads_home_and_goes_on(bench: Bench) -> None:
    bench.process.enable()
    bench.pass_time(0.6, x=1.0)
    assert not bench.reports[-1].at_home
    bench.process.home()
    assert bench.process.mode is Mode.HOMING
    bench.pass_time(3.0)
    assert bench.reports[-1].at_home
    assert bench.process.mode is Mode.ACTIVE


def test_a_person_preempts_the_policy_through_rest_and_keeps_the_arm(bench: Bench) -> None:
    bench.process.enable()
    bench.pass_time(0.5, x=1.0)
    for _ in range(30):
        bench.ask(-1.0, Source.HUMAN)
        bench.pass_time(0.1, x=1.0)
    sources = [report.status.source for report in bench.reports]
    change = sources.index(Source.HUMAN)
    assert set(sources[:change]) <= {None, Source.POLICY}
    assert set(sources[change:]) == {Source.HUMAN}
    along = [float(report.status.tool_velocity[0]) for report in bench.reports]
    turned = next(i for i in range(change, len(along)) if along[i] < 0.0)
    assert 0.0 in along[change:turned]
    bench.pass_time(1.0, x=1.0)
    assert bench.reports[-1].status.source is Source.HUMAN
    assert not bench.reports[-1].status.executed.any()


def test_it_does_not_open_while_another_can_command_the_arm(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        bench.process.see_commanders(["/rig_arm", "/wobbler"])
    # Said when it is first seen, before anybody asks for anything.
    assert [record.getMessage() for record in caplog.records] == [
        "/wobbler can also command the arm: stop or confirm it before you enable"
    ]
    assert bench.commanders.codes == ("other_commander_seen",), "nothing was switched off"
    with pytest.raises(UserError, match="/wobbler"):
        bench.process.enable()
    assert not bench.arm.state().enabled
    bench.process.see_commanders(["/rig_arm"])
    bench.process.enable()
    assert bench.process.mode is Mode.ACTIVE


@pytest.mark.parametrize("obeys", [True, False])
def test_a_second_commander_takes_the_motors_power_away(bench: Bench, obeys: bool) -> None:
    bench.process.enable()
    bench.pass_time(0.3, x=1.0)
    bench.arm.obeys_disable = obeys
    if obeys:
        bench.process.see_commanders(["/rig_arm", "/rogue"])
    else:
        with pytest.raises(UserError):
            bench.process.see_commanders(["/rig_arm", "/rogue"])
    bench.pass_time(0.1, x=1.0)
    assert not bench.arm.state().enabled
    assert bench.process.mode is (Mode.DISABLED if obeys else Mode.FAULT)
    assert bench.commanders.codes == ("second_commander" if obeys else "other_commander_seen",)
    with pytest.raises(UserError, match="rogue" if obeys else "stopped|latched|rogue"):
        bench.process.enable()


def test_a_stop_does_not_wait_for_a_tick_that_hangs(bench: Bench) -> None:
    bench.process.enable()
    inside, go_on = threading.Event(), threading.Event()

    def hang() -> None:
        inside.set()
        go_on.wait(30)

    bench.arm.trouble = hang
    ticking = threading.Thread(target=bench.process.tick, args=[bench.clock.now()])
    ticking.start()
    assert inside.wait(30)
    bench.process.stop()
    assert bench.arm.told == ["stop"]
    assert ticking.is_alive()
    bench.arm.trouble = lambda: None
    go_on.set()
    ticking.join()
    bench.pass_time(0.5, x=1.0)
    assert not any(bench.arm.speeds)


# --- on threads, at wall clock ----------------------------------------------------------------------------------------


@contextmanager
def running(bench: Bench) -> Iterator[threading.Thread]:
    ticking = threading.Thread(target=bench.process.run)
    watching = threading.Thread(target=bench.process.watch)
    ticking.start()
    watching.start()
    try:
        yield ticking
    finally:
        bench.arm.trouble = lambda: None
        bench.process.close()
        ticking.join(30)
        watching.join(30)
        assert not ticking.is_alive()
        assert not watching.is_alive()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_tick_that_fails_leaves_a_stopped_arm() -> None:
    bench = Bench(WallClock())

    def break_down() -> None:
        raise ValueError("a defect")

    with running(bench) as ticking:
        assert eventually(lambda: len(bench.reports) > 3)
        bench.process.enable()
        bench.arm.trouble = break_down
        assert eventually(lambda: not ticking.is_alive())
        assert bench.process.failed
        assert bench.arm.told[-1] == "stop"


def test_a_tick_that_hangs_leaves_a_stopped_arm() -> None:
    bench = Bench(WallClock())
    go_on = threading.Event()
    with running(bench):
        assert eventually(lambda: len(bench.reports) > 3)
        bench.process.enable()
        bench.arm.trouble = lambda: go_on.wait(30) and None
        assert eventually(lambda: bench.process.failed)
        assert "stop" in bench.arm.told
        go_on.set()
        assert eventually(lambda: bench.reports[-1].why == ("tick_failed",))


def test_a_new_action_is_answered_before_the_next_deadline_but_a_flood_is_not() -> None:
    bench = Bench(WallClock(), period=60.0)
    with running(bench):
        assert eventually(lambda: len(bench.reports) == 1)
        bench.process.new_action()
        assert eventually(lambda: len(bench.reports) == 2)
        before = len(bench.reports)
        for _ in range(10_000):
            bench.process.new_action()
        assert len(bench.reports) - before <= 1


def test_without_actions_it_ticks_on_a_grid() -> None:
    bench = Bench(WallClock())
    with running(bench):
        assert eventually(lambda: len(bench.reports) > 30)
    stamps = np.array([report.status.stamp for report in bench.reports])
    assert np.median(np.diff(stamps)) == pytest.approx(PERIOD, rel=0.2)


def test_a_program_leads_home_out_of_active_only(bench: Bench) -> None:
    with pytest.raises(UserError, match="no program may move it"):
        bench.process.return_home("policy", bench.process.moment())
    bench.process.enable()
    bench.pass_time(0.2, x=0.5)
    bench.process.hold()
    with pytest.raises(UserError, match="mode hold, and no program"):
        bench.process.return_home("policy", bench.process.moment())
    assert bench.process.mode is Mode.HOLD


def test_a_program_does_not_take_the_arm_from_a_person(bench: Bench) -> None:
    bench.process.enable()
    for _ in range(30):
        bench.ask(0.5, Source.HUMAN)
        bench.pass_time(PERIOD)
    with pytest.raises(UserError, match="a person has the arm"):
        bench.process.return_home("policy", bench.process.moment())
    assert bench.process.mode is Mode.ACTIVE


def test_a_person_ends_a_programs_way_home_and_not_their_own(bench: Bench) -> None:
    bench.process.enable()
    bench.pass_time(1.0, x=1.0)
    bench.process.return_home("policy", bench.process.moment())
    bench.pass_time(0.05)
    assert bench.process.mode is Mode.HOMING
    bench.ask(0.5, Source.HUMAN)
    bench.pass_time(PERIOD)
    assert bench.process.mode is Mode.HOLD
    bench.process.enable()
    bench.process.home()
    bench.ask(0.5, Source.HUMAN)
    bench.pass_time(PERIOD)
    assert bench.process.mode is Mode.HOMING


def test_a_second_commander_that_comes_while_the_motors_are_switched_on_is_not_accepted(bench: Bench) -> None:
    bench.arm.meanwhile = lambda: bench.process.see_commanders(["/evil"])
    with pytest.raises(UserError, match="/evil can also command"):
        bench.process.enable()
    bench.arm.meanwhile = lambda: None
    bench.pass_time(0.2, x=1.0)
    assert bench.process.mode is Mode.DISABLED
    assert not bench.arm.state().enabled


def test_a_second_commander_is_acted_on_as_often_as_it_is_seen(bench: Bench) -> None:
    bench.process.enable()
    bench.arm.obeys_disable = False
    with pytest.raises(UserError, match="does not switch off"):
        bench.process.see_commanders(["/evil"])
    assert bench.arm.told[-1] == "stop"
    assert bench.process.mode is Mode.FAULT
    bench.pass_time(PERIOD)
    assert bench.reports[-1].why == ("not_disarmed",), "no person has stopped it"


@pytest.mark.parametrize("word", ["hold", "stop"])
def test_an_order_while_the_motors_are_switched_on_is_not_lost(bench: Bench, word: str) -> None:
    bench.arm.meanwhile = getattr(bench.process, word)
    with pytest.raises(UserError):
        bench.process.enable()
    bench.pass_time(0.2, x=1.0)
    assert bench.process.mode in (Mode.DISABLED, Mode.FAULT)
    assert not any(bench.arm.speeds)


def test_a_stop_while_a_reset_is_under_way_stays(bench: Bench) -> None:
    bench.process.stop()
    bench.arm.meanwhile = bench.process.stop
    with pytest.raises(UserError, match="stopped while it was reset"):
        bench.process.reset()
    bench.arm.meanwhile = lambda: None
    assert bench.process.mode is Mode.FAULT
    assert bench.arm.state().stopped
    with pytest.raises(UserError):
        bench.process.enable()
    bench.process.reset()
    assert bench.process.mode is Mode.DISABLED
