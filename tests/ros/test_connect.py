"""A link stands while the program at its other end lives, and no longer."""

from __future__ import annotations

import dataclasses
import signal
import subprocess
import sys
from typing import Any

import pytest

from robot_rig.ros import topics
from robot_rig.ros.connect import Links, subscribe
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
