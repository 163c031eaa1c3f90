"""Old checkpoints on the robot's machine: removed there by the same rule as here. Called by `cli.carriage`.

An errand of `carrier`, beside `push`. What is to go is decided here, from what the robot has accepted and what lies
there; a short script then takes each its name, flushes that, and removes what no reader sees any more.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from robot_rig.clock import WallClock
from robot_rig.errors import UserError
from robot_rig.learning.checkpoint import MANIFEST
from robot_rig.run_mark import MARK_FILE
from robot_rig.runs import RunFolder
from robot_rig.stages.acceptance import ACCEPTED, TAKEN_BACK, Acceptance
from robot_rig.stages.retention import GONE, KEPT, Retention, named, wanted_by_robot
from robot_rig.stages.shipping import NAME
from robot_rig.stranger_files import INDEX_LIMIT, parse_object, read_regular
from robot_rig.transport.address import Address
from robot_rig.transport.push import identity, parsed
from robot_rig.transport.ssh import SECTION, Ssh

EVERY_S = 300.0
"""How often it is seen to: a robot gets a checkpoint a minute."""

THERE, UNREADABLE = "+", "?"
"""Before a file that is there, and in the place of one that cannot be read."""

RECORDS = (ACCEPTED, TAKEN_BACK)

_SHOW = f"""
show() {{ echo '{SECTION}'; if [ -e "$1" ]; then echo '{THERE}'; cat -- "$1" 2>/dev/null || echo '{UNREADABLE}'; fi; }}
"""

_LOOK = f"""
cd -- PATH 2>/dev/null || exit 0
show {MARK_FILE}
count='s/.*"train_steps": *\\([0-9]*\\).*/\\1/p'
echo '{SECTION}'
cd checkpoints 2>/dev/null || exit 0
for one in practice-*; do
[ ! -d "$one" ] || [ -L "$one" ] || echo "$one $(sed -n "$count" "$one/{MANIFEST}" 2>/dev/null)"
done
echo '{SECTION}'
for one in ../evaluation/*/practice-* ../{KEPT}/practice-*; do echo "${{one##*/}}"; done
exit 0
"""

_REMOVE = f"""
set -e
cd -- PATH/checkpoints
rm -rf -- .practice-*{GONE}
for one in NAMES; do
[ ! -d "$one" ] || mv -T -- "$one" ".$one{GONE}"
done
sync -- .
rm -rf -- .practice-*{GONE}
"""


class Thin:
    """Keeps the run folder at `address` to `newest` checkpoints and what `stages.retention` keeps beside them.

    `run` is the local run that is brought there; nothing is removed there before it has begun, nor of another one.
    `robots` are folders of that machine, as `Address.path` has them, in which the robot says what it has accepted.
    `say` is told once that something was removed, and once why nothing can be.
    """

    unit = "checkpoint"
    behind = 0

    def __init__(
        self,
        ssh: Ssh,
        address: Address,
        run: Path,
        newest: int,
        robots: Sequence[str],
        say: Callable[[str], None],
    ) -> None:
        self._ssh, self._address, self._run, self._newest, self._say = ssh, address, run, newest, say
        beside = str(PurePosixPath(address.path).with_name("played"))
        self._robots = list(dict.fromkeys([beside, *(str(PurePosixPath(robot)) for robot in robots)]))
        self._clock, self._due = WallClock(), -math.inf
        self._told: set[str] = set()

    def look(self) -> None:
        """Nothing: it is looked when it is due."""

    def carry(self) -> bool:
        """Remove what is due; always False, for nothing is carried. Raises as `Ssh.run` does."""
        if self._newest and self._clock.now() >= self._due and (self._run / MARK_FILE).exists():
            self._thin_out()
            self._due = self._clock.now() + EVERY_S
        return False

    def close(self) -> None:
        """Nothing is held."""

    def _thin_out(self) -> None:
        records = "".join(f"show {shlex.quote(f'{robot}/{name}')}\n" for robot in self._robots for name in RECORDS)
        said = self._ssh.run(_SHOW + records + _LOOK.replace("PATH", self._address.quoted()))
        count = len(self._robots) * len(RECORDS)
        mark, listed, kept = [*said[count:], "", "", ""][:3]
        here = read_regular(self._run / MARK_FILE, "run file", INDEX_LIMIT)
        if identity(parsed((_content(mark) or b"").decode())) != identity(parse_object(here)):
            return
        updates = _updates(listed)
        try:
            needed = named(kept.split()) | self._wanted(said[:count], updates)
        except UserError as error:
            self._tell(f"no checkpoint is removed on {self._address.machine}: {error}")
            return
        retention = Retention(self._newest, RunFolder.open(self._run).config.practice.snapshot_every_steps)
        if gone := retention.superfluous(updates, needed):
            names = " ".join(f"practice-{steps:06d}" for steps in gone)
            self._ssh.run(_REMOVE.replace("NAMES", names).replace("PATH", self._address.quoted()))
            self._tell(f"of the older checkpoints on {self._address.machine} ever fewer stay (--keep {self._newest})")

    def _wanted(self, told: Sequence[str], updates: Mapping[int, str]) -> set[int]:
        """What the robots need of the checkpoints with these `updates`, by the records that were `told`, two of each.

        Raises UserError for a record that is damaged.
        """
        known = {steps: int(count) for steps, count in updates.items() if count.isascii() and count.isdigit()}
        wanted: set[int] = set()
        for robot in self._robots:
            files, told = dict(zip(RECORDS, map(_content, told), strict=False)), told[len(RECORDS) :]
            wanted |= wanted_by_robot(known, Acceptance.told(files, f"{self._address.machine}:{robot}"))
        return wanted

    def _tell(self, sentence: str) -> None:
        if sentence not in self._told:
            self._told.add(sentence)
            self._say(sentence)


def _content(section: str) -> bytes | None:
    """The file that a section shows, None where there is none."""
    return section.removeprefix(f"{THERE}\n").encode() if section.startswith(THERE) else None


def _updates(listed: str) -> dict[int, str]:
    """Practice steps -> count of updates as it was told, of the lines "name count"."""
    found = {}
    for line in listed.splitlines():
        name, _, count = line.partition(" ")
        if match := NAME.fullmatch(name):
            found[int(match[1])] = count
    return found
