"""The robot-rig library: learning to reach pictures from pictures (RIG, arXiv 1807.04742).

Knows no hardware and no simulator; the floors and their rules stand in docs/architecture.md.
"""

__version__ = "0.1.0"
