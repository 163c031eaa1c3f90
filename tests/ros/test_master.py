"""What the master is asked, from where a tick can read it; and that a hung, killed or strange master is only that."""

from __future__ import annotations

import dataclasses
import os
import signal
import socket
import threading
import time
import xmlrpc.client
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import rospy
from std_msgs.msg import Bool, String

from robot_rig.errors import UserError
from robot_rig.ros.intera_messages import load
from robot_rig.ros.intera_release import observed_md5, publisher_header, robot_release
from robot_rig.ros.master import (
    Master,
    MasterSilent,
    MasterState,
    MasterWatch,
    answer_within,
    master_uri,
    runs_here,
)
from robot_rig.ros.node import await_master
from tests import ros_graph
from tests.ros_graph import eventually


@pytest.fixture
def own_master(tmp_path: Path) -> Iterator[ros_graph.Master]:
    """A master to be mistreated."""
    master = ros_graph.start_master(tmp_path)
    yield master
    master.process.kill()
    master.process.wait()


@pytest.fixture
def watches() -> Iterator[list[MasterWatch]]:
    started: list[MasterWatch] = []
    yield started
    for watch in started:
        watch.close()


# --- asked once -------------------------------------------------------------------------------------------------------


def test_publishers_and_types_of_a_topic(ros_node: str, ros_master: ros_graph.Master) -> None:
    publisher = rospy.Publisher("/test/published", Bool, queue_size=1)
    master = Master(ros_master.uri, timeout=30)
    state = master.state()
    assert state.pid == ros_master.process.pid
    assert state.publishers_of("/test/published") == (ros_node,)
    assert state.publishers_of("/test/nobody_here") == ()
    assert master.topic_types()["/test/published"] == "std_msgs/Bool"
    publisher.unregister()
    assert master.state().publishers_of("/test/published") == ()


def test_a_publisher_says_its_types_md5(ros_node: str, ros_master: ros_graph.Master) -> None:
    publisher = rospy.Publisher("/test/header", Bool, queue_size=1, latch=True)
    header = publisher_header(Master(ros_master.uri, timeout=30), ros_node, "/test/header")
    assert (header["md5sum"], header["type"]) == (Bool._md5sum, "std_msgs/Bool")
    publisher.unregister()
    with pytest.raises(MasterSilent):
        publisher_header(Master(ros_master.uri, timeout=30), "/nobody", "/test/header")


def test_the_masters_uri_is_the_environments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROS_MASTER_URI", "http://sawyer.local:11311/")
    assert master_uri() == "http://sawyer.local:11311"
    for wrong in ("sawyer.local", "ftp://sawyer.local:11311"):
        monkeypatch.setenv("ROS_MASTER_URI", wrong)
        with pytest.raises(UserError, match="ROS_MASTER_URI"):
            master_uri()


# --- what is no master ------------------------------------------------------------------------------------------------


def served(answer: bytes) -> tuple[str, socket.socket]:
    """A server that answers everybody with `answer` and hangs up; with nothing, it never answers."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            if answer:
                connection.recv(65536)
                connection.sendall(answer)
                connection.close()

    threading.Thread(target=serve, daemon=True).start()
    return f"http://127.0.0.1:{listener.getsockname()[1]}", listener


def http(body: str) -> bytes:
    return f"HTTP/1.0 200 OK\r\nContent-Type: text/xml\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


XML = "<?xml version='1.0'?><methodResponse><params><param><value>{}</value></param></params></methodResponse>"


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.0 404 Not Found\r\n\r\n",
        http("this is no XML"),
        http(XML.format("<int>1</int>")),
        http(XML.format("<array><data><value><int>1</int></value></data></array>")),
        http(XML.format("<array><data></data></array>")),
    ],
)
def test_a_stranger_on_the_masters_port_is_silence(answer: bytes) -> None:
    uri, listener = served(answer)
    with pytest.raises(MasterSilent, match=uri):
        Master(uri, timeout=0.2).state()
    listener.close()


def test_nobody_there_is_silence() -> None:
    uri = f"http://127.0.0.1:{ros_graph.free_port()}"
    with pytest.raises(MasterSilent, match=uri):
        Master(uri).pid()
    with pytest.raises(UserError, match=f"ROS_MASTER_URI is {uri}.*roscore"):
        await_master(uri)


def test_an_answer_that_never_comes_is_not_waited_for() -> None:
    never = threading.Event()
    with pytest.raises(MasterSilent, match="no answer within"):
        answer_within(0.05, never.wait)
    never.set()
    assert answer_within(5.0, lambda: 7) == 7


# --- watched ----------------------------------------------------------------------------------------------------------


def test_a_new_publisher_is_seen_and_a_gone_one_too(
    ros_node: str, ros_master: ros_graph.Master, watches: list[MasterWatch]
) -> None:
    watch = MasterWatch(ros_master.uri)
    watches.append(watch)

    def publishers() -> Any:
        return watch.latest.publishers_of("/test/watched") if watch.latest else None

    assert eventually(lambda: publishers() == ())
    publisher = rospy.Publisher("/test/watched", String, queue_size=1)
    assert eventually(lambda: publishers() == (ros_node,))
    publisher.unregister()
    assert eventually(lambda: publishers() == ())
    assert (watch.trouble, watch.changed) == ("", False)


def test_another_master_on_the_same_port_is_noticed_once(
    own_master: ros_graph.Master, tmp_path: Path, watches: list[MasterWatch]
) -> None:
    changes: list[MasterState] = []
    watch = MasterWatch(own_master.uri, on_change=changes.append)
    watches.append(watch)
    assert eventually(lambda: watch.latest)
    own_master.process.kill()
    own_master.process.wait()
    assert eventually(lambda: "does not answer" in watch.trouble)
    assert watch.latest is not None
    assert not watch.changed
    successor = ros_graph.start_master(tmp_path, int(own_master.uri.rpartition(":")[2]))
    try:
        assert eventually(lambda: watch.changed)
        stamp = watch.latest.stamp
        assert eventually(lambda: watch.latest and watch.latest.stamp > stamp)
        assert [state.pid for state in changes] == [successor.process.pid]
    finally:
        successor.stop()


def test_a_master_that_was_replaced_before_the_first_look_is_noticed(
    own_master: ros_graph.Master, watches: list[MasterWatch]
) -> None:
    """A node that asks before it joins the graph holds the answer against all that come later."""
    now = Master(own_master.uri).state()
    same, other = (MasterWatch(own_master.uri, first=one) for one in (now, dataclasses.replace(now, pid=now.pid + 1)))
    watches += [same, other]
    assert eventually(lambda: other.changed)
    assert eventually(lambda: same.latest)
    assert not same.changed


def test_a_hung_master_is_trouble_and_reading_does_not_wait(
    own_master: ros_graph.Master, watches: list[MasterWatch]
) -> None:
    watch = MasterWatch(own_master.uri)
    watches.append(watch)
    assert eventually(lambda: watch.latest)
    os.kill(own_master.process.pid, signal.SIGSTOP)
    try:
        assert eventually(lambda: watch.trouble)
        assert watch.latest is not None
        age = time.monotonic() - watch.latest.stamp
        assert age > 0.0
    finally:
        os.kill(own_master.process.pid, signal.SIGCONT)
    assert eventually(lambda: not watch.trouble)
    assert not watch.changed


def test_a_run_id_that_comes_later_is_no_other_master() -> None:
    def state(pid: int, run_id: str) -> MasterState:
        return MasterState(0.0, pid, run_id, {})

    assert state(1, "").same_master(state(1, "a"))
    assert state(1, "a").same_master(state(1, "a"))
    assert not state(1, "a").same_master(state(1, "b"))
    assert not state(1, "a").same_master(state(2, "a"))
    assert not state(1, "").same_master(state(2, ""))


def proper(value: str) -> str:
    """A master's answer with success, and `value`."""
    return XML.format(f"<array><data><value><int>1</int></value><value></value><value>{value}</value></data></array>")


NONSENSE = [
    "<int>7</int>",
    "<array><data></data></array>",
    "<string>abc</string>",
    "<array><data>" + "<value><array><data><value><int>1</int></value></data></array></value>" * 3 + "</data></array>",
    "<struct></struct>",
]


@pytest.mark.parametrize("value", NONSENSE)
def test_an_answer_of_another_shape_is_silence(value: str) -> None:
    uri, listener = served(http(proper(value)))
    master = Master(uri, timeout=5.0)
    with pytest.raises(MasterSilent, match=uri):
        master.state()
    listener.close()


def test_a_pid_that_is_no_number_is_silence() -> None:
    uri, listener = served(http(proper("<string>abc</string>")))
    for ask in (Master(uri, timeout=5.0).pid, Master(uri, timeout=5.0).topic_types):
        with pytest.raises(MasterSilent, match=uri):
            ask()
    listener.close()


def test_names_that_are_none_are_silence() -> None:
    number = "<value><int>3</int></value>"
    nodes = f"<value><array><data>{number}</data></array></value>"
    one = f"<value><array><data><value>/topic</value>{nodes}</data></array></value>"
    published = f"<value><array><data>{one}</data></array></value>"
    nobody = "<value><array><data></data></array></value>"
    uri, listener = served(http(proper(f"<array><data>{published}{nobody}{nobody}</data></array>")))
    with pytest.raises(MasterSilent, match="list of names"):
        Master(uri, timeout=5.0).state()
    listener.close()


def test_the_watch_outlives_an_answer_and_a_listener_that_nobody_foresaw(
    own_master: ros_graph.Master, watches: list[MasterWatch], monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = MasterWatch(own_master.uri)
    watches.append(watch)
    assert eventually(lambda: watch.latest and not watch.trouble)
    with monkeypatch.context() as broken:
        broken.setattr(Master, "state", lambda _: 1 / 0)
        assert eventually(lambda: "ZeroDivisionError" in watch.trouble)
    assert eventually(lambda: not watch.trouble)
    assert watch.latest is not None
    stamp = watch.latest.stamp
    assert eventually(lambda: watch.latest and watch.latest.stamp > stamp)


# --- which robot ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("release", ["5.5.2", "5.3.0", "5.2.0", "5.1.0"])
def test_the_robots_release_is_told_by_what_it_publishes(
    release: str, ros_node: str, ros_master: ros_graph.Master
) -> None:
    types = load(release)
    state = types.RobotAssemblyState if release >= "5.3" else types.AssemblyState
    published = {
        f"/r{release[2]}/state": state,
        f"/r{release[2]}/torques": types.SEAJointState,
        f"/r{release[2]}/io/state": types.IODeviceStatus,
        f"/r{release[2]}/other": Bool,
    }
    publishers = [rospy.Publisher(topic, kind, queue_size=1) for topic, kind in published.items()]
    master = Master(ros_master.uri, timeout=30)
    assert observed_md5(master) == {kind._type: kind._md5sum for kind in published.values() if kind is not Bool}
    assert robot_release(master) == release
    for publisher in publishers:
        publisher.unregister()


def test_a_publisher_that_was_killed_does_not_hide_the_others(ros_node: str, ros_master: ros_graph.Master) -> None:
    kind = load("5.3.0").SEAJointState
    with socket.create_server(("127.0.0.1", 0)) as port:
        dead = f"http://127.0.0.1:{port.getsockname()[1]}"
    master = xmlrpc.client.ServerProxy(ros_master.uri)
    master.registerPublisher("/a_dead_node", "/test/torques", kind._type, dead)
    assert observed_md5(Master(ros_master.uri, timeout=30)) == {}
    publisher = rospy.Publisher("/test/torques", kind, queue_size=1)
    assert observed_md5(Master(ros_master.uri, timeout=30)) == {kind._type: kind._md5sum}
    publisher.unregister()
    master.unregisterPublisher("/a_dead_node", "/test/torques", dead)


def test_a_publisher_that_hangs_is_not_passed_over(ros_master: ros_graph.Master) -> None:
    kind = load("5.3.0").SEAJointState
    uri, listener = served(b"")
    master = xmlrpc.client.ServerProxy(ros_master.uri)
    master.registerPublisher("/a_hung_node", "/test/torques", kind._type, uri)
    with pytest.raises(MasterSilent, match=uri):
        observed_md5(Master(ros_master.uri, timeout=2.0))
    master.unregisterPublisher("/a_hung_node", "/test/torques", uri)
    listener.close()


def test_without_a_robot_a_person_is_told(own_master: ros_graph.Master) -> None:
    with pytest.raises(UserError, match=f"no robot publishes Intera messages through {own_master.uri}"):
        robot_release(Master(own_master.uri, timeout=30))


@pytest.mark.parametrize(
    ("host", "own"),
    [("localhost", True), ("127.0.0.1", True), ("[::1]", None), ("192.0.2.7", False), ("no host at all", False)],
)
def test_only_an_address_of_this_machine_is_its_own_master(host: str, own: bool | None) -> None:
    said = runs_here(f"http://{host}:11311")
    # A machine without IPv6 has no such address.
    addresses = Path("/proc/net/if_inet6")
    assert said == (addresses.exists() and addresses.read_text() != "" if own is None else own)
