"""Addresses right and wrong, and masters that answer where they should and where they should not."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from robot_rig.cli.doctor import network
from robot_rig.cli.doctor.findings import Level
from robot_rig.cli.doctor.network import (
    Interface,
    check_exposure,
    check_master,
    check_own_address,
    interfaces,
    master_place,
    own_address_towards,
)

LAB = [Interface("lo", "127.0.0.1"), Interface("eth0", "192.168.7.2"), Interface("wlan0", "10.0.0.9")]


@pytest.mark.parametrize(
    ("environment", "towards", "level", "says"),
    [
        ({"ROS_IP": "192.168.7.2"}, "192.168.7.2", Level.GREEN, "eth0"),
        ({"ROS_IP": "127.0.0.1"}, "127.0.0.1", Level.GREEN, "lo"),
        ({"ROS_IP": "127.0.0.2"}, "127.0.0.1", Level.GREEN, "lo"),
        ({"ROS_IP": "10.0.0.9"}, "192.168.7.2", Level.RED, "wlan0"),
        ({"ROS_IP": "127.0.0.1"}, "192.168.7.2", Level.RED, "192.168.7.2"),
        ({"ROS_IP": "192.168.7.77"}, "192.168.7.2", Level.RED, "not an address of this machine"),
        ({"ROS_HOSTNAME": "no such.host"}, "192.168.7.2", Level.RED, "no address"),
        ({"ROS_IP": "192.168.7.2", "ROS_HOSTNAME": "pc"}, "192.168.7.2", Level.YELLOW, "wins over"),
        ({}, "192.168.7.2", Level.RED, "cannot call back"),
        ({}, "127.0.0.1", Level.YELLOW, "every network"),
    ],
)
def test_what_this_machine_is_called_back_at(
    environment: dict[str, str], towards: str, level: Level, says: str
) -> None:
    (finding,) = check_own_address(environment, LAB, towards)
    assert finding.level is level, finding
    assert says in finding.what


def test_a_wrong_address_comes_with_the_right_one() -> None:
    (finding,) = check_own_address({"ROS_IP": "10.0.0.9"}, LAB, "192.168.7.2")
    assert "export ROS_IP=192.168.7.2" in finding.fix


@pytest.mark.parametrize("uri", ["nonsense", "ftp://x:1", "http://x", "http://:11311", "http://x:port"])
def test_a_uri_that_is_none_is_red(uri: str) -> None:
    (finding,) = check_master({"ROS_MASTER_URI": uri}, LAB)
    assert finding.level is Level.RED
    assert uri in finding.what or "port" in finding.what.lower()


def test_the_default_master_is_this_machine() -> None:
    assert master_place({}) == ("localhost", 11311)
    assert master_place({"ROS_MASTER_URI": "http://robot.local:11311/"}) == ("robot.local", 11311)


@contextmanager
def answering(address: str) -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind((address, 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_master_that_was_named_and_is_silent_is_red() -> None:
    with answering("127.0.0.1") as port:
        pass
    environment = {"ROS_MASTER_URI": f"http://127.0.0.1:{port}", "ROS_IP": "127.0.0.1"}
    finding, own = check_master(environment, interfaces())
    assert (finding.name, finding.level, own.level) == ("master", Level.RED, Level.GREEN)


def test_a_master_on_the_loopback_is_well_and_not_exposed() -> None:
    with answering("127.0.0.1") as port:
        environment = {"ROS_MASTER_URI": f"http://127.0.0.1:{port}", "ROS_IP": "127.0.0.1"}
        assert [finding.level for finding in check_master(environment, interfaces())] == [Level.GREEN] * 2
        (finding,) = check_exposure(environment, interfaces())
        assert finding.level is Level.GREEN


def test_a_master_on_every_network_is_exposed() -> None:
    others = [one for one in interfaces() if not one.address.startswith("127.")]
    own = others or [Interface("made-up", "127.0.0.9")]
    with answering("0.0.0.0") as port:
        environment = {"ROS_MASTER_URI": f"http://127.0.0.1:{port}"}
        if not others:
            pytest.skip("this machine has no network")
        (finding,) = check_exposure(environment, own)
        assert finding.level is Level.RED
        assert own[0].address in finding.what


@pytest.mark.parametrize(
    ("ways", "answers", "level", "says"),
    [
        ({"192.168.7.50": "192.168.7.2"}, {"192.168.7.50"}, Level.GREEN, "alone on eth0"),
        ({"192.168.7.50": "192.168.7.2"}, set(), Level.RED, "no interface"),
        ({"192.168.7.50": "192.168.7.2", "10.0.0.50": "10.0.0.9"}, {"192.168.7.50", "10.0.0.50"}, Level.RED, "wlan0"),
        ({"10.0.0.50": "10.0.0.9"}, {"10.0.0.50"}, Level.RED, "Internet"),
    ],
)
def test_a_robot_is_to_hang_on_a_network_of_its_own(
    monkeypatch: pytest.MonkeyPatch, ways: dict[str, str], answers: set[str], level: Level, says: str
) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 11311)) for address in ways]
    monkeypatch.setattr(network.socket, "getaddrinfo", lambda *_: found)
    monkeypatch.setattr(network, "own_address_towards", lambda address: {**ways, network.PUBLIC: "10.0.0.9"}[address])
    monkeypatch.setattr(network, "_answers", lambda address, _: address in answers)
    (finding,) = check_exposure({"ROS_MASTER_URI": "http://robot.local:11311"}, LAB)
    assert finding.level is level, finding
    assert says in finding.what


def test_the_way_to_the_loopback_is_the_loopback() -> None:
    assert own_address_towards("127.0.0.1") == "127.0.0.1"
