"""The library's own ROS nodes: policy, recorder, collection, goal, teleop. Wiring only; the rest is in `loops`."""
