"""The guard: the one gate between a wish for motion and the arm. Pure; called by `loops.arm_loop` only."""
