"""`rig train --data DATA --out OUT` with a VAE check that any VAE passes: for row 63. Run by the row.

    python -m sim.faults.trainee DATA OUT

A VAE of so few updates is unfit, rightly; to see what lies behind its check, the check is told to be content.
"""

from __future__ import annotations

import sys

from rich.console import Console

from robot_rig.cli.follow import run_following
from robot_rig.learning import health

CONTENT = {"RANK_LIMIT": 1.0, "INVERSE_LIMIT": -99.0, "NOVELTY_LIMIT": 1.0}


def main() -> int:
    """Learn everything that there is; returns the exit code."""
    for name, value in CONTENT.items():
        setattr(health, name, value)
    data, out = sys.argv[1:]
    run_following(data, out, (), (), 0.0, Console())
    return 0


if __name__ == "__main__":
    sys.exit(main())
