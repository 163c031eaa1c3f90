"""Waits until other nodes are ready and then becomes the program that needs them: a launch-prefix of the launch files.

    python -m robot_rig.nodes.after sim_sawyer:/robot/state -- launch/nodes/arm_node --config reach

roslaunch starts everything at once and knows no order. NODE:NAME is there once NODE publishes, hears or serves NAME.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import rosgraph

from robot_rig.errors import UserError
from robot_rig.ros.master import MasterSilent, answer_within, master_uri

PERIOD_S = 0.1
TELL_S = 15.0
MASTER_LIMIT_S = 15.0
INTERRUPTED = 130

_pause = threading.Event().wait
log = logging.getLogger(__name__)


class Condition(NamedTuple):
    """`node` publishes, hears or serves `name`; both as the master lists them."""

    node: str
    name: str


def parse(words: Sequence[str]) -> tuple[list[Condition], list[str]]:
    """The conditions before the first `--`, and the command after it. Raises UserError when either makes no sense."""
    split = list(words).index("--") if "--" in words else len(words)
    conditions = []
    for word in words[:split]:
        node, colon, name = word.partition(":")
        if not (node and colon and name.startswith("/")):
            raise UserError(f"{word!r} is nothing to wait for", next_step="name it as in rig_arm:/rig_arm/enable")
        conditions.append(Condition(f"/{node.strip('/')}", name))
    command = list(words[split + 1 :])
    if not command:
        raise UserError("there is nothing to start", next_step="give a command behind --")
    return conditions, command


def seen(uri: str) -> set[Condition]:
    """All that nodes publish, hear and serve now, by the master at `uri`. Raises MasterSilent."""

    def ask() -> set[Condition]:
        try:
            kinds = rosgraph.Master("/rig_after", uri).getSystemState()
        except (OSError, rosgraph.MasterException) as error:
            raise MasterSilent(str(error)) from error
        return {Condition(node, name) for kind in kinds for name, nodes in kind for node in nodes}

    return answer_within(MASTER_LIMIT_S, ask)


def wait_for(
    conditions: Sequence[Condition],
    look: Callable[[], set[Condition]],
    tell: Callable[[str], object],
    now: Callable[[], float] = time.monotonic,
    pause: Callable[[float], object] = _pause,
) -> None:
    """Return once `look()` shows all `conditions`; every 15 s `tell` what is missing. Waits as long as it takes."""
    told = now()
    while missing := set(conditions) - look():
        if now() - told >= TELL_S:
            told = now()
            tell("still waiting for " + ", ".join(sorted(f"{one.name} of {one.node[1:]}" for one in missing)))
        pause(PERIOD_S)


def main(words: Sequence[str]) -> int:
    """Wait, then be the command; returns only when that came to nothing."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        conditions, command = parse(words)
        uri = master_uri()
        what = os.path.basename(command[0])
        wait_for(conditions, lambda: seen(uri), lambda text: log.info("%s: %s", what, text))
        os.execvp(command[0], command)
    except UserError as error:
        log.error("after: %s", error)
    except MasterSilent as error:
        log.error("after: the ROS master is gone: %s", error)
    except OSError as error:
        log.error("after: cannot start %s: %s", command[0], error.strerror)
    except KeyboardInterrupt:
        return INTERRUPTED
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
