"""The library's own ROS nodes: the policy and the recorder. Wiring only; what they do lies in `loops`, pure."""
