"""A graph has one robot: a simulator refuses to be the second, but a dead one's name in the master's list is nobody."""

from __future__ import annotations

from pathlib import Path

import pytest

from robot_rig.errors import UserError
from robot_rig.ros.master import Master as MasterCalls
from robot_rig.ros.master import MasterState
from robot_rig.ros.node import Node
from sim.sim_node import refuse_second_robot
from tests.live_robot import process_in_graph
from tests.ros_graph import eventually, start_master

START_S = 60.0


def test_no_simulator_joins_another_machines_master(monkeypatch: pytest.MonkeyPatch) -> None:
    """A real robot that is still starting publishes nothing that would give it away."""
    monkeypatch.setenv("ROS_MASTER_URI", "http://192.0.2.7:11311")
    with pytest.raises(UserError, match="another machine's"):
        refuse_second_robot(Node("/sim_sawyer", MasterState(0.0, 1, "", {})))


@pytest.mark.proof
def test_a_killed_simulator_is_followed_by_another_and_a_living_one_is_not(tmp_path: Path) -> None:
    own_master = start_master(tmp_path)
    calls = MasterCalls(own_master.uri, timeout=10.0)

    def robots() -> tuple[str, ...]:
        return calls.state().publishers_of("/robot/state")

    with process_in_graph(own_master, "sim.sim_node") as first:
        assert eventually(robots, START_S)
        first.kill()
        first.wait()
    assert robots() == ("/sim_sawyer",)
    assert calls.is_gone("/sim_sawyer")
    with process_in_graph(own_master, "sim.sim_node", "__name:=next") as second:
        assert eventually(lambda: "/next" in robots(), START_S)
        assert not calls.is_gone("/next")
        with process_in_graph(own_master, "sim.sim_node", "__name:=third") as third:
            assert third.wait(START_S) == 2
        assert "there is a robot in this graph already: /next" in (own_master.home / "sim.sim_node.log").read_text()
        assert second.poll() is None
    own_master.stop()
