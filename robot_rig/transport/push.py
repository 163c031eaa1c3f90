"""The trainer's checkpoints on the robot: each appears there whole or not at all, in the order they were shipped.

Called by `cli.carriage`, worked by `carrier`. Files arrive in a folder of this process's own whose name the robot's
readers ignore; when all of them are there what they are here, one rename makes it a checkpoint. What is there is never
touched, and nothing older follows.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from robot_rig.errors import UserError
from robot_rig.run_mark import MARK_FILE
from robot_rig.runs import CONFIG_FILE
from robot_rig.stages.shipping import shipped_in
from robot_rig.stranger_files import INDEX_LIMIT, parse_object, read_regular
from robot_rig.transport.address import Address
from robot_rig.transport.ssh import NO_RSYNC, SECTION, EntryRefusedError, LinkError, Ssh

NOT_OURS, NOT_WHOLE = 96, 95
OWN_ENTRIES = {CONFIG_FILE, MARK_FILE, "checkpoints"}
RUN_STAGING = re.compile(r"[.]run([.][0-9a-f]+)?[.]incoming")

STALE_MIN = 60
"""After so many minutes without a new file, what a process was bringing is taken for that of one that is dead."""

BEGIN_S = 10
"""How long the first word of another trainer to the same folder is waited for: one of the two begins the run there."""

_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
"""Names of files of a checkpoint."""

_LOOK = f"""
command -v rsync >/dev/null || exit {NO_RSYNC}
mkdir -p -- PATH 2>/dev/null
cd -- PATH && [ -w . ] || exit {NOT_OURS}
echo '{SECTION}'
ls -1A
echo '{SECTION}'
ls -1 checkpoints 2>/dev/null | sed -n 's/^practice-\\([0-9]\\{{6,\\}}\\)$/\\1/p' | sort -n | tail -n 1
echo '{SECTION}'
cat {MARK_FILE} 2>/dev/null
exit 0
"""

_BEGIN_RUN = f"""
set -e
cd -- PATH
sync -- ARRIVED/{CONFIG_FILE} ARRIVED/{MARK_FILE}
mkdir -p checkpoints
exec 9<. && flock -w {BEGIN_S} 9
if [ ! -e {MARK_FILE} ]; then
mv -f -- ARRIVED/{CONFIG_FILE} {CONFIG_FILE}
mv -f -- ARRIVED/{MARK_FILE} {MARK_FILE}
fi
rm -rf -- ARRIVED
find . -maxdepth 1 -name '.run*.incoming' -mmin +{STALE_MIN} -exec rm -rf -- {{}} +
sync -- .
"""

_APPEAR = f"""
set -e
cd -- PATH/checkpoints
(cd -- ARRIVED && sha256sum --check --status) <<'DIGESTS' || {{ rm -rf -- ARRIVED; exit {NOT_WHOLE}; }}
SUMS
DIGESTS
sync -- ARRIVED/* ARRIVED
[ -e NAME ] || mv -T -- ARRIVED NAME
rm -rf -- ARRIVED
find . -maxdepth 1 -name '.practice-*.incoming' -mmin +{STALE_MIN} -exec rm -rf -- {{}} +
sync -- .
"""


class Push:
    """Puts the checkpoints of the local run folder `run` into the run folder at `address`, made there when absent.

    `say` is told of each that is there. `run` need not have begun yet.
    """

    unit = "checkpoint"

    def __init__(self, ssh: Ssh, address: Address, run: Path, say: Callable[[str], None]) -> None:
        self._ssh, self._address, self._run, self._say = ssh, address, run, say
        self._newest_there = -1
        self._run_is_there = self._told = False
        self._token = secrets.token_hex(4)

    @property
    def behind(self) -> int:
        """Checkpoints that are here and newer than all there, by the last look."""
        return len(self._waiting())

    def look(self) -> None:
        """Ask what there is. Raises as `Ssh.run` does, and UserError for a folder of something else."""
        try:
            said = self._ssh.run(self._script(_LOOK))
        except LinkError as error:
            if error.code == NOT_OURS:
                raise EntryRefusedError(
                    f"{self._address} cannot be written to", next_step="name a folder of who logs in there"
                ) from error
            raise
        entries, newest, mark = [*said, "", "", ""][:3]
        there = set(entries.splitlines())
        self._require_own(there, mark)
        self._run_is_there = {MARK_FILE, "checkpoints"} <= there
        self._newest_there = int(newest.strip() or -1)

    def carry(self) -> bool:
        """Bring the next checkpoint; False when none is waiting. Raises as `Ssh.rsync` does."""
        if not (self._run / MARK_FILE).exists():
            return False
        if not self._run_is_there:
            names, arrived = (CONFIG_FILE, MARK_FILE), f".run.{self._token}.incoming"
            self._ssh.rsync(["--omit-dir-times"], f"{self._run}/", self._ssh.remote(self._address, arrived), names)
            self._ssh.run(self._script(_BEGIN_RUN, ARRIVED=arrived))
            # Another trainer may have been faster.
            self.look()
        waiting = self._waiting()
        if not waiting:
            self._tell_of_newer_ones()
            return False
        steps = min(waiting)
        try:
            self._send(waiting[steps])
        except (LinkError, FileNotFoundError):
            if waiting[steps].exists():
                raise
            # The trainer has removed it meanwhile (`stages.retention`): there are newer ones.
            return True
        self._newest_there = steps
        return True

    def close(self) -> None:
        """Nothing is held."""

    def _tell_of_newer_ones(self) -> None:
        newest = max(shipped_in(self._run / "checkpoints"), default=self._newest_there)
        if newest < self._newest_there and not self._told:
            self._told = True
            self._say(
                f"{self._address} holds a checkpoint of {self._newest_there} steps, newer than all in {self._run}: "
                "none is brought there before one is newer still"
            )

    def _waiting(self) -> dict[int, Path]:
        shipped = shipped_in(self._run / "checkpoints")
        return {steps: path for steps, path in shipped.items() if steps > self._newest_there}

    def _require_own(self, there: set[str], mark: str) -> None:
        if MARK_FILE not in there:
            if foreign := sorted(name for name in there - OWN_ENTRIES if not RUN_STAGING.fullmatch(name)):
                raise UserError(
                    f"{self._address} is not empty and is no run of robot-rig (it holds {', '.join(foreign[:3])})",
                    next_step="choose another folder with --out",
                )
            return
        if not (self._run / MARK_FILE).exists():
            return
        here = parse_object(read_regular(self._run / MARK_FILE, "run file", INDEX_LIMIT))
        mine, its = identity(here), identity(parsed(mark))
        if mine[:2] != its[:2]:
            raise UserError(
                f"the run in {self._address} has another configuration, or another format, than {self._run}",
                next_step="choose another folder with --out, or leave the settings as they were",
            )
        if mine != its:
            raise UserError(
                f"{self._address} holds another run than {self._run}, with the same settings: another trainer's, or "
                "one that was begun before this one",
                next_step="choose another folder with --out, or move that one away there",
            )

    def _send(self, checkpoint: Path) -> None:
        name = checkpoint.name
        arrived = f".{name}.{self._token}.incoming"
        source, target = f"{checkpoint}/", self._ssh.remote(self._address, f"checkpoints/{arrived}")
        # The folder's time is when something came last. A reader refuses a checkpoint with a file too many, such as a
        # transfer that was killed leaves.
        self._ssh.rsync(["--recursive", "--omit-dir-times", "--partial", "--delete"], source, target)
        files = sorted(path for path in checkpoint.iterdir() if _FILE.fullmatch(path.name))
        sums = "\n".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}" for path in files)
        try:
            self._ssh.run(self._script(_APPEAR, ARRIVED=arrived, NAME=name, SUMS=sums))
        except LinkError as error:
            if error.code == NOT_WHOLE:
                raise LinkError(f"{name} did not arrive there as it is here") from error
            raise
        self._say(f"checkpoint {name} is on {self._address.machine}")

    def _script(self, template: str, **words: str) -> str:
        """The `template` with `words`, and PATH, in the place of their names."""
        filled = {"PATH": self._address.quoted(), **words}
        # At once: a folder there may be called as one of them is.
        return re.sub("|".join(filled), lambda found: filled[found[0]], template)


def parsed(mark: str) -> dict[str, Any]:
    """The object in a run.json of the other machine, empty for anything else."""
    try:
        return parse_object(mark.encode())
    except ValueError:
        return {}


def identity(mark: dict[str, Any]) -> list[str]:
    """What two run.json of one run have in common; runs of before there was an `id` have none."""
    return [json.dumps(mark.get(key)) for key in ("format", "config_hash", "id")]
