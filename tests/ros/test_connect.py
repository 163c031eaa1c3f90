"""A link stands while the program at its other end lives, and no longer."""

from __future__ import annotations

import ctypes
import dataclasses
import gc
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from robot_rig.ros import topics
from robot_rig.ros.connect import SENT, Links, overhear, subscribe
from robot_rig.ros.step_listener import StepListener
from tests.children import die_with_parent
from tests.ros_graph import Master, eventually

TALKER = """
import sys
import rospy
from robot_rig.ros.connect import advertise
from robot_rig.ros.topics import ESTOP
import dataclasses
rospy.init_node("talker", anonymous=True)
talk = advertise(dataclasses.replace(ESTOP, name=sys.argv[1]))
while not rospy.is_shutdown():
    talk.publish(False)
    rospy.rostime.wallsleep(0.02)
"""


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "ended"])
def test_a_link_is_open_until_its_program_ends_however_it_ends(
    end: signal.Signals, ros_master: Master, ros_node: str
) -> None:
    topic = dataclasses.replace(topics.ESTOP, name=f"/rig/test_link_{end.name.lower()}")
    heard: list[Any] = []
    subscriber = subscribe(topic, lambda message: heard.append(message._connection_header))
    links = Links()
    links.watch(subscriber)

    def talker() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-c", TALKER, topic.name], env=ros_master.environment, preexec_fn=die_with_parent
        )

    first, last = talker(), None
    try:
        assert eventually(lambda: heard)
        link = heard[-1]
        assert links.is_open(link)
        last = talker()
        assert eventually(lambda: heard[-1] is not link)
        assert links.is_open(link)
        assert not links.is_open(dict(link))
        assert links.of(link["callerid"]) is link
        assert links.of("/nobody") is None
        first.send_signal(end)
        assert eventually(lambda: not links.is_open(link))
        assert links.of(link["callerid"]) is None
        assert eventually(lambda: links.is_open(heard[-1]))
    finally:
        subscriber.unregister()
        for process in (first, last):
            if process is not None:
                process.kill()
                process.wait()


@pytest.mark.parametrize(("listen", "keeps"), [(overhear, True), (subscribe, False)])
def test_an_onlooker_hears_what_was_said_while_it_was_away(
    listen: Callable[[topics.Topic, Callable[[Any], None]], Any], keeps: bool, ros_master: Master, ros_node: str
) -> None:
    topic = dataclasses.replace(topics.ESTOP, name=f"/rig/test_away_{keeps}", queue_size=1)
    heard: list[Any] = []
    subscriber = listen(topic, heard.append)
    talker = subprocess.Popen(
        [sys.executable, "-c", TALKER, topic.name], env=ros_master.environment, preexec_fn=die_with_parent
    )
    try:
        assert eventually(lambda: heard)
        before = len(heard)
        # Holds the interpreter, as a look for garbage does: 50 messages/s come in the meantime.
        ctypes.PyDLL(None).usleep(600_000)
        held = len(heard)
        assert eventually(lambda: len(heard) >= held + 3)
        # 30 came in the meantime; before, while and behind that a handful is heard in any case.
        assert (len(heard) - before > 20) == keeps
    finally:
        subscriber.unregister()
        talker.kill()
        talker.wait()


BURST = """
import sys
import rospy
from robot_rig.ros.connect import SENT, advertise
from robot_rig.ros.topics import GOAL_DISTANCE
import dataclasses
rospy.init_node("burst", anonymous=True)
talk = advertise(dataclasses.replace(GOAL_DISTANCE, name=sys.argv[1]))
while not talk.get_num_connections():
    rospy.rostime.wallsleep(0.01)
for number in range(SENT):
    talk.publish(float(number))
rospy.spin()
"""


def test_of_messages_at_once_none_is_lost_to_who_wants_them_all(ros_master: Master, ros_node: str) -> None:
    topic = dataclasses.replace(topics.GOAL_DISTANCE, name="/rig/test_burst")
    heard: list[float] = []
    subscriber = overhear(topic, lambda message: heard.append(message.data))
    talker = subprocess.Popen(
        [sys.executable, "-c", BURST, topic.name], env=ros_master.environment, preexec_fn=die_with_parent
    )
    try:
        assert eventually(lambda: SENT - 1 in heard)
        assert heard == list(range(SENT))
    finally:
        subscriber.unregister()
        talker.kill()
        talker.wait()


def test_nobody_looks_for_garbage_while_steps_are_timed(ros_node: str) -> None:
    with closing(StepListener("/somewhere/joint_command")):
        assert not gc.isenabled()
    assert gc.isenabled()
