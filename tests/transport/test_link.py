"""A link that is cut, frozen, slow or lossy costs time and nothing else; a person hears of it once."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from robot_rig.data.store import EpisodeStore
from robot_rig.errors import UserError
from robot_rig.transport import carrier as carrying
from robot_rig.transport import ssh as calling
from robot_rig.transport.carrier import Carrier
from robot_rig.transport.pull import END_BYTES, MAGIC, Pull
from robot_rig.transport.ssh import Ssh
from sim.faults.bad_line import Relay
from tests.children import die_with_parent
from tests.data.episodes import write_log
from tests.house import ROOT
from tests.ros_graph import eventually
from tests.transport.ssh_server import SshServer

EPISODES, EPISODE_BYTES = 18, 40_000
ALL_BYTES = EPISODES * EPISODE_BYTES

RATE = float(ALL_BYTES)
"""Of a slow link, bytes/s: a transfer takes a second, in which it can be broken."""

LIMIT_S = 60.0


@pytest.fixture
def log(played: Path) -> Path:
    """The robot's log: noise, which no transfer can shorten, between the beginning of an episode and its end.

    Each has its own, or one could be shown for another; some have no end, as a killed writer leaves them.
    """
    end = write_log(played.parent / "whole.mcap", 1).read_bytes()[-END_BYTES:]
    for number in range(EPISODES):
        noise = np.random.default_rng(number).bytes(EPISODE_BYTES)
        content = MAGIC + noise + (b"" if number % 3 == 1 else end)
        (played / "episodes" / f"collect-{number:06d}.mcap").write_bytes(content)
    return played / "episodes"


class Watch(threading.Thread):
    """What the learner may see at any moment: always the log's first episodes, and each of them whole."""

    def __init__(self, log: Path, mirror: Path) -> None:
        super().__init__(daemon=True)
        self._log, self._mirror, self._over = log, mirror, threading.Event()
        self.wrong, self.seen = list[str](), 0

    def run(self) -> None:
        while not self._over.wait(0.01):
            order = [path.name for path in EpisodeStore(self._log).paths()]
            here = [path.name for path in EpisodeStore(self._mirror).paths()]
            if here != order[: len(here)]:
                self.wrong.append(f"{here} are not the first of the log")
            for name in here[self.seen :]:
                if (self._mirror / name).read_bytes() != (self._log / name).read_bytes():
                    self.wrong.append(f"{name} is not what the robot has")
            self.seen = len(here)

    def end(self) -> None:
        self._over.set()
        self.join()


class Trip:
    """A carrier that fetches a log, a watch over it, and what it says."""

    def __init__(self, ssh: Ssh, server: SshServer, log: Path, mirror: Path) -> None:
        self.told: list[str] = []
        self.mirror = mirror / "episodes"
        self.carrier = Carrier(ssh, [Pull(ssh, server.address(log.parent), mirror, self.told.append)], self.told.append)
        self.watch = Watch(log, self.mirror)
        self.watch.start()

    def here(self) -> int:
        return len(EpisodeStore(self.mirror).paths())

    def all_here(self) -> bool:
        return self.here() == EPISODES

    def end(self) -> None:
        self.carrier.close()
        self.watch.end()
        assert self.watch.wrong == []


@pytest.fixture
def trip(server: SshServer, log: Path, tmp_path: Path) -> Iterator[Callable[[Relay | None], Trip]]:
    """A function that begins a trip, through a relay."""
    with contextlib.ExitStack() as stack:

        def begin(relay: Relay | None) -> Trip:
            made = Trip(server.ssh(relay.port if relay else None), server, log, tmp_path / "mirror")
            stack.callback(made.end)
            if relay is not None:
                stack.callback(relay.cut)
            made.carrier.meet(float("inf"))
            made.carrier.start()
            return made

        yield begin


@pytest.fixture(autouse=True)
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds, where people would wait for minutes."""
    monkeypatch.setattr(carrying, "LOOK_S", 0.3)
    monkeypatch.setattr(carrying, "FIRST_RETRY_S", 0.2)
    monkeypatch.setattr(carrying, "LAST_RETRY_S", 0.5)


def cut_in_the_middle(trip: Trip, relay: Relay, break_link: Callable[[], None], away_s: float) -> None:
    """Break the link for `away_s` when most has come; it must be told, and nothing may come meanwhile."""
    assert eventually(lambda: relay.carried > 0.6 * ALL_BYTES, LIMIT_S)
    break_link()
    assert 0 <= trip.here() < EPISODES
    time.sleep(away_s)
    here = trip.here()
    assert here < EPISODES
    relay.mend()
    assert eventually(trip.all_here, LIMIT_S)


def assert_told_once(told: list[str]) -> None:
    lost = [sentence for sentence in told if "is lost (" in sentence]
    (back,) = [sentence for sentence in told if "is back after" in sentence]
    assert len(lost) == 1
    assert told.index(lost[0]) < told.index(back)
    assert re.search(r"is back after \d+ s, [1-9]\d* episodes? behind", back)


def test_a_cut_in_mid_transfer_loses_nothing(trip: Callable[[Relay | None], Trip], server: SshServer) -> None:
    relay = Relay(server.port, rate=RATE)
    going = trip(relay)
    cut_in_the_middle(going, relay, relay.cut, 1.0)
    assert eventually(lambda: any("is back after" in sentence for sentence in going.told), LIMIT_S)
    assert_told_once(going.told)
    assert relay.carried < 1.3 * ALL_BYTES, "what had come was sent again"


@pytest.mark.proof
def test_a_cable_that_is_out_is_noticed_though_nobody_says_so(
    trip: Callable[[Relay | None], Trip], server: SshServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calling, "SILENCE_S", 1)
    monkeypatch.setattr(calling, "CONNECT_S", 1)
    relay = Relay(server.port, rate=RATE)
    going = trip(relay)
    assert eventually(lambda: relay.carried > ALL_BYTES / 3, LIMIT_S)
    relay.freeze()
    assert eventually(lambda: any("is lost" in sentence for sentence in going.told), LIMIT_S)
    relay.mend()
    assert eventually(going.all_here, LIMIT_S)


@pytest.mark.proof
def test_an_sshd_that_is_killed_and_started_again_loses_nothing(
    log: Path, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    server = SshServer(tmp_path_factory.mktemp("own"))
    server.start()
    relay = Relay(server.port, rate=RATE)
    going = Trip(server.ssh(relay.port), server, log, tmp_path / "mirror")
    try:
        going.carrier.meet(float("inf"))
        going.carrier.start()
        assert eventually(lambda: relay.carried > ALL_BYTES / 3, LIMIT_S)
        server.kill()
        assert eventually(lambda: any("is lost" in sentence for sentence in going.told), LIMIT_S)
        assert not going.all_here()
        server.start()
        assert eventually(going.all_here, LIMIT_S)
    finally:
        going.end()
        relay.cut()
        server.kill()


@pytest.mark.proof
def test_a_slow_and_lossy_link_costs_nothing_but_time(trip: Callable[[Relay | None], Trip], server: SshServer) -> None:
    relay = Relay(server.port, delay_s=0.01, rate=RATE, drop_after=ALL_BYTES // 5)
    going = trip(relay)
    assert eventually(going.all_here, LIMIT_S)
    assert relay.dropped >= 3


@pytest.mark.proof
def test_a_minute_without_a_link_loses_nothing(
    trip: Callable[[Relay | None], Trip], server: SshServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("LOOK_S", 5.0), ("FIRST_RETRY_S", 1.0), ("LAST_RETRY_S", 30.0)):
        monkeypatch.setattr(carrying, name, value)
    relay = Relay(server.port, rate=RATE)
    going = trip(relay)
    began = time.monotonic()
    cut_in_the_middle(going, relay, relay.cut, 60.0)
    # Row 29 of the design's list: all is there a minute after the link is.
    assert time.monotonic() - began < 60.0 + 60.0 + 10.0
    assert eventually(lambda: any("is back after" in sentence for sentence in going.told), LIMIT_S)
    assert_told_once(going.told)


def test_who_cannot_wait_is_told_that_nobody_answers(server: SshServer, log: Path, tmp_path: Path) -> None:
    relay = Relay(server.port)
    relay.cut()
    ssh = server.ssh(relay.port)
    told: list[str] = []
    carrier = Carrier(ssh, [Pull(ssh, server.address(log.parent), tmp_path / "mirror", told.append)], told.append)
    with pytest.raises(UserError, match=r"cannot be reached: .*Connection refused"):
        carrier.meet(0.0)
    assert told == []
    carrier.meet(1.0)
    assert len(told) == 1
    assert "is lost (" in told[0]


def test_an_end_does_not_wait_for_the_transfer(trip: Callable[[Relay | None], Trip], server: SshServer) -> None:
    relay = Relay(server.port, rate=RATE / 5)
    going = trip(relay)
    assert eventually(lambda: relay.carried > ALL_BYTES / 20, LIMIT_S)
    began = time.monotonic()
    going.carrier.close()
    assert time.monotonic() - began < 3.0
    assert not any("is lost" in sentence for sentence in going.told)


FETCH = """
import sys
from pathlib import Path
from robot_rig.transport.address import Address, Machine
from robot_rig.transport.pull import Pull
from robot_rig.transport.ssh import Ssh
port, config, source, mirror = sys.argv[1:]
machine = Machine("127.0.0.1", port=int(port))
pull = Pull(Ssh(machine, ["-F", config]), Address(machine, source), Path(mirror), print)
pull.look()
pull.carry()
"""


def ended(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


@pytest.mark.proof
def test_a_learner_that_is_killed_leaves_no_transfer_behind(server: SshServer, log: Path, tmp_path: Path) -> None:
    relay = Relay(server.port, rate=RATE / 5)
    words = [str(relay.port), server.options[1], str(log.parent), str(tmp_path / "mirror")]
    child = subprocess.Popen([sys.executable, "-c", FETCH, *words], cwd=ROOT, preexec_fn=die_with_parent)
    assert eventually(lambda: relay.carried > ALL_BYTES / 20, LIMIT_S)
    transfer = psutil.Process(child.pid).children(recursive=True)
    assert {"rsync", "ssh"} <= {one.name() for one in transfer}
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    # What has ended and was not yet asked after by the process that it fell to runs no more.
    assert eventually(lambda: all(ended(one) for one in transfer), 5.0)
    relay.rate = 0.0
    again = Pull(server.ssh(relay.port), server.address(log.parent), tmp_path / "mirror", lambda sentence: None)
    again.look()
    while again.carry():
        pass
    relay.cut()
    assert len(EpisodeStore(tmp_path / "mirror" / "episodes").paths()) == EPISODES
