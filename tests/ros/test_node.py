"""A node's life: one process a name, one line for an error, and what must be done at the end is done."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import rospy
from std_msgs.msg import String

from robot_rig.errors import UserError
from robot_rig.ros.master import Master as MasterApi
from robot_rig.ros.node import full_name
from robot_rig.ros.node_lease import NodeLease, graph_name
from tests.house import ROOT
from tests.ros_graph import Master, eventually, free_port

Processes = list["subprocess.Popen[str]"]


@pytest.fixture
def processes() -> Iterator[Processes]:
    started: Processes = []
    yield started
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path


def start(processes: Processes, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.ros.ending_node", *arguments]
    pipe: Any = subprocess.PIPE
    process = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, **environment}, stdout=pipe, stderr=pipe, text=True
    )
    processes.append(process)
    return process


def alive(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("alive as "), line
    return line.split()[-1]


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def test_a_second_node_of_the_same_name_is_refused_and_the_first_is_not_disturbed(
    ros_node: str, ros_master: Master, processes: Processes, home: Path
) -> None:
    first = start(processes)
    name = alive(first)
    uri = MasterApi(ros_master.uri, timeout=30).node_uri(name)
    code, _, err = ended(start(processes))
    assert code == 2
    assert err.count("\n") == 1
    assert f"{name} runs already on this machine" in err
    assert f"process {first.pid}" in err
    assert first.poll() is None
    assert MasterApi(ros_master.uri, timeout=30).node_uri(name) == uri


def test_another_name_in_the_same_graph_is_free(ros_master: Master, processes: Processes, home: Path) -> None:
    assert alive(start(processes)) != alive(start(processes, "__name:=other"))


def test_the_name_is_free_again_after_kill_minus_nine(ros_master: Master, processes: Processes, home: Path) -> None:
    first = start(processes)
    alive(first)
    first.kill()
    first.wait()
    alive(start(processes))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_closes_what_was_opened_the_last_first_while_topics_still_work(
    number: signal.Signals, ros_node: str, processes: Processes, home: Path
) -> None:
    heard: list[String] = []
    subscriber = rospy.Subscriber("/test/last_words", String, heard.append)
    process = start(processes)
    alive(process)
    assert eventually(lambda: heard)
    process.send_signal(number)
    code, out, _ = ended(process)
    assert code == 0
    assert out == "closed last, heard by 1\nclosed first\n"
    subscriber.unregister()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_node_whose_main_thread_holds_what_a_closing_waits_for(
    number: signal.Signals, ros_master: Master, processes: Processes, home: Path
) -> None:
    process = start(processes, "--trouble", "lock")
    alive(process)
    process.send_signal(number)
    code, out, _ = ended(process)
    assert (code, out) == (0, "taken\nclosed last, heard by 0\nclosed first\n")


@pytest.mark.parametrize("trouble", ["wiring", "thread"])
def test_an_error_for_a_person_is_one_line_and_exit_code_2(
    trouble: str, ros_master: Master, processes: Processes, home: Path
) -> None:
    code, out, err = ended(start(processes, "--trouble", trouble))
    assert code == 2
    lines = [line for line in err.splitlines() if "a line of the library's log" not in line]
    assert lines == ["ending: the arm is on fire. Put it out."]
    assert out.endswith("closed first\n")


def test_a_bug_keeps_its_traceback_and_what_was_opened_is_closed(
    ros_master: Master, processes: Processes, home: Path
) -> None:
    code, out, err = ended(start(processes, "--trouble", "bug"))
    assert code == 1
    assert "ZeroDivisionError" in err
    assert out == "closed last, heard by 0\nclosed first\n"


def test_the_librarys_log_reaches_the_terminal(ros_master: Master, processes: Processes, home: Path) -> None:
    process = start(processes)
    alive(process)
    process.send_signal(signal.SIGINT)
    assert "a line of the library's log" in ended(process)[2]


def test_without_a_master_one_line_names_the_variable(processes: Processes, home: Path) -> None:
    uri = f"http://127.0.0.1:{free_port()}"
    code, _, err = ended(start(processes, ROS_MASTER_URI=uri))
    assert code == 2
    assert err.count("\n") == 1
    assert f"ROS_MASTER_URI is {uri}" in err
    assert "roscore" in err


def test_a_master_uri_that_is_none_is_one_line(processes: Processes, home: Path) -> None:
    code, _, err = ended(start(processes, ROS_MASTER_URI="sawyer"))
    assert (code, err.count("\n")) == (2, 1)
    assert "ROS_MASTER_URI" in err


def test_a_wrong_option_names_the_right_ones(processes: Processes, home: Path) -> None:
    code, _, err = ended(start(processes, "--trouble", "much"))
    assert code == 2
    assert "wiring" in err


# --- the lease by itself ----------------------------------------------------------------------------------------------


def test_a_lease_is_exclusive_until_it_is_given_back(home: Path) -> None:
    lease = NodeLease("http://127.0.0.1:4242", "/rig_arm")
    with pytest.raises(UserError, match=f"runs already.*process {os.getpid()}"):
        NodeLease("http://localhost:4242/", "/rig_arm")
    NodeLease("http://127.0.0.1:4243", "/rig_arm").close()
    NodeLease("http://127.0.0.1:4242", "/left/rig_arm").close()
    lease.close()
    lease.close()
    NodeLease("http://127.0.0.1:4242", "/rig_arm").close()


def test_this_machine_has_one_name(home: Path) -> None:
    names = {graph_name(f"http://{host}:4242") for host in ("localhost", "127.0.0.1", "127.0.1.1")}
    assert names == {"this machine:4242"}
    assert graph_name("http://192.0.2.7:4242") == "192.0.2.7:4242"
    assert graph_name("http://nowhere.invalid:4242") == "nowhere.invalid:4242"


def test_a_state_folder_that_cannot_be_made_is_a_users_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    with pytest.raises(UserError, match="XDG_STATE_HOME"):
        NodeLease("http://127.0.0.1:4242", "/rig_arm")


def test_names_are_those_that_ros_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ROS_NAMESPACE", raising=False)
    assert full_name("rig_arm", ["x"]) == "/rig_arm"
    assert full_name("rig_arm", ["x", "__name:=other", "a:=b"]) == "/other"
    assert full_name("rig_arm", ["x", "__ns:=/left"]) == "/left/rig_arm"
    monkeypatch.setenv("ROS_NAMESPACE", "right")
    assert full_name("rig_arm", ["x"]) == "/right/rig_arm"
