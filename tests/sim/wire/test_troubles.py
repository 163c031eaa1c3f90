"""What goes wrong with the simulated robot's surroundings goes wrong as it would on the real one's."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import rospy
from std_msgs.msg import String

from sim.faults.robot_troubles import TROUBLE
from tests.ros_graph import eventually
from tests.sim.wire.client import Client, arm

Tell = Callable[..., None]


@pytest.fixture
def tell(client: Client) -> Iterator[Tell]:
    publisher = rospy.Publisher(TROUBLE, String, queue_size=10)
    assert eventually(publisher.get_num_connections)
    yield lambda **trouble: publisher.publish(json.dumps(trouble))
    publisher.publish("{}")
    assert eventually(lambda: not quiet(client))
    publisher.unregister()


def quiet(client: Client) -> bool:
    """Whether the robot reports nothing while the room goes on for a fifth of a second."""
    before, room = client.joints.count, client.tool.count
    return eventually(lambda: client.tool.count > room + 20) and client.joints.count == before


def place(client: Client) -> Any:
    point = client.tool.next().point
    return np.array([point.x, point.y, point.z])


def test_a_pulled_cable_silences_the_robot_and_what_was_sent_arrives_when_it_is_back(
    client: Client, tell: Tell
) -> None:
    tell(unplugged=True)
    assert eventually(lambda: quiet(client))
    before = place(client)
    client.command(mode=1, names=["right_j0"], position=[0.2])
    assert quiet(client)
    assert quiet(client)
    assert place(client) == pytest.approx(before, abs=1e-3)
    tell()
    assert eventually(lambda: abs(arm(client.joints.next())[0] - 0.2) < 0.01)


def test_a_wall_stops_the_tool_and_its_motors_tell_beside_their_model(client: Client, tell: Tell) -> None:
    def push() -> float:
        message = client.torques.next()
        return float(np.abs(np.subtract(message.actual_effort, message.gravity_model_effort)).max())

    client.rests()
    assert push() < 1.0
    wall = place(client)[1] + 0.02
    tell(wall=[1, 1.0, wall])
    client.command(mode=1, names=["right_j0"], position=[0.2])
    assert eventually(lambda: push() > 20.0)
    client.rests()
    # 5,000 N/m: the shoulder's 80 N.m are 130 N at most, so 3 cm; without a wall it would be 10 cm further.
    assert wall < place(client)[1] < wall + 0.03
    tell()
    assert eventually(lambda: place(client)[1] > wall + 0.05)
