"""The library's own ROS nodes: policy, recorder, collection, goal, teleop. Wiring only; what they do lies in `loops`, pure."""
