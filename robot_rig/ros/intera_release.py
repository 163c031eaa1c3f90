"""Which software release a robot on the network runs, told by the md5 sums of what it publishes. Called by the Sawyer
drivers and the doctor before they load message classes.
"""

from __future__ import annotations

import io
import socket
from collections.abc import Iterable, Mapping

import rosgraph.network

from robot_rig.errors import UserError
from robot_rig.ros.intera_table import definitions, fitting_releases, releases
from robot_rig.ros.master import Master, MasterSilent


def publisher_header(master: Master, node: str, topic: str) -> Mapping[str, str]:
    """What `node` says of `topic` when one subscribes: md5sum, type, message_definition, latching, callerid.

    Raises MasterSilent when it does not answer.
    """
    host, port = master.request_topic(node, topic)
    wish = {"callerid": "/robot_rig", "topic": topic, "md5sum": "*", "type": "*", "tcp_nodelay": "1"}
    try:
        with socket.create_connection((host, port), master.timeout) as connection:
            connection.sendall(rosgraph.network.encode_ros_handshake_header(wish))
            header = rosgraph.network.read_ros_handshake_header(connection, io.BytesIO(), 65536)
    except (OSError, rosgraph.network.ROSHandshakeException) as error:
        raise MasterSilent(f"{node} does not hand out {topic}: {error}") from error
    return {str(name): str(value) for name, value in header.items()}


def observed_md5(master: Master) -> Mapping[str, str]:
    """`package/Type` -> md5 sum of each Intera type that somebody publishes, asked of one living publisher each.

    Raises MasterSilent when the master or a living publisher does not answer in time: a type left out could hide the
    one difference between two releases.
    """
    known = {one.full_name for release in releases() for one in definitions(release).values()}
    types, state = master.topic_types(), master.state()
    topics = {topic: name for topic, name in types.items() if name in known and state.publishers_of(topic)}
    observed: dict[str, str] = {}
    for topic, name in sorted(topics.items()):
        if name not in observed and (md5 := _first_md5(master, topic, state.publishers_of(topic))):
            observed[name] = md5
    return observed


def robot_release(master: Master) -> str:
    """The newest release that fits all that the robot publishes; releases that differ in nothing published are as good.

    Raises UserError when nothing Intera is published or no known release fits, MasterSilent when the master is silent.
    """
    observed = observed_md5(master)
    if not observed:
        raise UserError(
            f"no robot publishes Intera messages through {master.uri}",
            next_step="switch the robot or the simulator on, wait until it is up, and check ROS_MASTER_URI",
        )
    return fitting_releases(observed)[0]


def _first_md5(master: Master, topic: str, nodes: Iterable[str]) -> str:
    for node in nodes:
        try:
            return publisher_header(master, node, topic).get("md5sum", "")
        except MasterSilent as silence:
            if not isinstance(silence.__cause__, ConnectionRefusedError):
                raise
            # The master still lists a node that was killed.
    return ""
