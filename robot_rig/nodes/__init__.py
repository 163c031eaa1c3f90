"""The library's own ROS nodes: policy, recorder, collection, goal, teleop. Wiring only; the doing lies in `loops`, pure."""
