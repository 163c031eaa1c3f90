"""The house's side of ROS 1: message types, topics, time stamps, node life and the master's state; no robot, no camera.

Called by the ROS drivers, `sim.wire` and the nodes. Nothing below this room knows that ROS exists.
"""
