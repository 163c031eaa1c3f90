"""Where there is ROS, a robot over the wire for each module that asks for one."""

from tests.ros_graph import HAS_ROS

if HAS_ROS:
    from tests.sim.wire.client import client, running

    __all__ = ["client", "running"]
