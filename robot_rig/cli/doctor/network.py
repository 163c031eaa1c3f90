"""Checks of the ROS network from this machine: addresses, master, interfaces. Called by `rig doctor`.

ROS 1 lets everybody who reaches the master move the robot, and a wrong ROS_IP makes topics silent without a word.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import psutil

from robot_rig.cli.doctor.findings import Finding, green, red, yellow

DEFAULT_URI = "http://localhost:11311"
CONNECT_S = 0.5
PUBLIC = "192.0.2.1"
"""An address that is nowhere (RFC 5737): the way to it is the way to the Internet."""


@dataclass(frozen=True, slots=True)
class Interface:
    """One address of this machine and the network interface that has it."""

    name: str
    address: str


def interfaces() -> list[Interface]:
    """The IPv4 addresses of this machine."""
    found = psutil.net_if_addrs().items()
    return [Interface(name, one.address) for name, many in found for one in many if one.family == socket.AF_INET]


def master_place(environment: Mapping[str, str]) -> tuple[str, int]:
    """Host and port of ROS_MASTER_URI. Raises ValueError when it is no such URI."""
    parts = urlsplit(environment.get("ROS_MASTER_URI") or DEFAULT_URI)
    if parts.scheme != "http" or not parts.hostname or not parts.port:
        raise ValueError(environment.get("ROS_MASTER_URI"))
    return parts.hostname, parts.port


def own_address_towards(address: str) -> str:
    """The address of this machine that speaks to `address`, empty when there is no way; sends nothing."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((address, 9))
            return str(probe.getsockname()[0])
    except OSError:
        return ""


def check_own_address(environment: Mapping[str, str], own: Sequence[Interface], towards: str) -> list[Finding]:
    """ROS_IP and ROS_HOSTNAME: what this machine's nodes are called back at.

    `towards`: the address of this machine that speaks to the master, empty when there is none.
    """
    name, ip = environment.get("ROS_HOSTNAME", ""), environment.get("ROS_IP", "")
    fix = f"export ROS_IP={towards or 'ADDRESS'}" + ("; unset ROS_HOSTNAME" if name else "")
    if name and ip:
        return [yellow("ROS_IP", f"ROS_HOSTNAME={name} wins over ROS_IP={ip}", "unset ROS_HOSTNAME")]
    claimed = ip or name
    if not claimed:
        if _loopback(towards):
            return [yellow("ROS_IP", "not set: nodes listen on every network", "export ROS_IP=127.0.0.1")]
        return [red("ROS_IP", "neither ROS_IP nor ROS_HOSTNAME is set: the robot cannot call back", fix)]
    try:
        address = socket.gethostbyname(claimed)
    except OSError:
        return [red("ROS_IP", f"{claimed} is no address that this machine can find", fix)]
    here = next((one.name for one in own if one.address == address), "lo" if _loopback(address) else "")
    if not here:
        mine = ", ".join(one.address for one in own)
        return [red("ROS_IP", f"{claimed} is not an address of this machine ({mine})", fix)]
    if towards and address != towards and not (_loopback(address) and _loopback(towards)):
        return [red("ROS_IP", f"{claimed} is on {here}, but the master is reached from {towards}", fix)]
    return [green("ROS_IP", f"{claimed} on {here}")]


def check_master(environment: Mapping[str, str], own: Sequence[Interface]) -> list[Finding]:
    """Whether the master answers, over which interface, and whether it could call this machine back."""
    try:
        host, port = master_place(environment)
    except ValueError as error:
        return [
            red("master", f"ROS_MASTER_URI={error} is no http://HOST:PORT", "export ROS_MASTER_URI=http://HOST:11311")
        ]
    uri = f"http://{host}:{port}"
    absent = red if environment.get("ROS_MASTER_URI") else yellow
    try:
        address = socket.gethostbyname(host)
    except OSError:
        return [absent("master", f"{host} has no address", "check the robot's name and cable, or use its number")]
    towards = own_address_towards(address)
    findings = check_own_address(environment, own, towards)
    if not _answers(address, port):
        fix = "start roscore or a launch file here" if _loopback(address) else "switch the robot on and check its cable"
        silent = absent("master", f"{uri} does not answer", f"{fix}, or set ROS_MASTER_URI")
        return [silent, *(findings if environment.get("ROS_MASTER_URI") else [])]
    here = next((one.name for one in own if one.address == towards), "lo" if _loopback(towards) else "?")
    return [green("master", f"{uri} answers over {here}"), *findings]


def check_exposure(environment: Mapping[str, str], own: Sequence[Interface]) -> list[Finding]:
    """Whether the master can be reached on another interface than the one that leads to the robot (--network)."""
    try:
        host, port = master_place(environment)
        addresses = {str(info[4][0]) for info in socket.getaddrinfo(host, port, socket.AF_INET, socket.SOCK_STREAM)}
    except (ValueError, OSError):
        return [red("exposure", "the master has no address", "see the line on the master")]
    local = {one.address for one in own} | {"127.0.0.1"}
    if any(_loopback(address) or address in local for address in addresses):
        return _local_exposure(port, own)
    return _remote_exposure(addresses, port, own)


def _local_exposure(port: int, own: Sequence[Interface]) -> list[Finding]:
    """A master on this machine is to answer on the loopback only, or on the robot's network, never on all."""
    open_on = [one for one in own if not _loopback(one.address) and _answers(one.address, port)]
    if not open_on:
        return [green("exposure", "the master answers on this machine only")]
    where = ", ".join(f"{one.name} ({one.address})" for one in open_on)
    fix = "start it with ROS_IP=127.0.0.1, or let a firewall pass the robot's address only"
    return [red("exposure", f"whoever reaches {where} can move the robot: the master answers there", fix)]


def _remote_exposure(addresses: set[str], port: int, own: Sequence[Interface]) -> list[Finding]:
    """The robot is to hang on an interface of its own, and its master is to be reached over that one only."""
    ways = {own_address_towards(address) for address in addresses if _answers(address, port)}
    names = sorted({one.name for one in own if one.address in ways})
    if len(names) != 1:
        heard = ", ".join(names) or "no interface"
        return [
            red("exposure", f"the master answers over {heard}", "leave the robot one network, on a cable of its own")
        ]
    internet = own_address_towards(PUBLIC)
    if internet in ways:
        return [
            red(
                "exposure",
                f"{names[0]} leads to the robot and to the Internet",
                "give the robot an interface and a cable of its own, or a firewall that passes two addresses",
            )
        ]
    return [green("exposure", f"the robot is alone on {names[0]}")]


def _answers(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), CONNECT_S):
            return True
    except OSError:
        return False


def _loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
