"""Files from strangers, and what comes of reading them: rows 16-19, 26, 46-51, 57, 58 and 62 of the fault table.

`attack` forges one hostile (or, now and then, honest) file by its seed and has it read in a process of its own, which
is watched. Called by `rig faults` and tests/faults. Nothing here is needed to run a robot.
"""

from sim.strangers.attack import ROWS, Finding, attack, attacks

__all__ = ["ROWS", "Finding", "attack", "attacks"]
