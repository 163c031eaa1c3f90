"""The robot's log as a local folder: episodes come whole, in the order of the log, and only once they are final.

Called by `cli.carriage`, worked by `carrier`. In the mirror lie config.yaml, run.json and episodes/ as in the robot's
run, and .incoming/, where files arrive: what is in there nobody reads.
"""

from __future__ import annotations

import fcntl
import hashlib
import math
import os
import weakref
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from robot_rig.clock import WallClock
from robot_rig.data.store import NAME, number_of
from robot_rig.disk import sync, unwritable
from robot_rig.errors import UserError
from robot_rig.run_mark import MARK_FILE
from robot_rig.runs import CONFIG_FILE
from robot_rig.stranger_files import INDEX_LIMIT, read_regular
from robot_rig.transport.address import Address
from robot_rig.transport.ssh import NO_RSYNC, SECTION, DiskError, LinkError, SomeFailedError, Ssh

STAGING = ".incoming"
PARTIAL = ".partial"
"""In there: files whose transfer broke off, which the next one goes on with."""

BATCH = 16
"""Episodes a transfer; a robot's of 5 s has 1 MB."""

FOOTER = bytes([2]) + (20).to_bytes(8, "little")
"""How the last record of an MCAP file begins: what it is, and its length."""

MAGIC = b"\x89MCAP0\r\n"
"""How an MCAP file ends; it begins so as well."""

WHOLE_EVERY_S = 600.0
"""How often the whole log is asked for, by who has fetched all of it: between that only the newest of it. A log has a
million episodes some day, and their names alone would fill a slow link.
"""

NEWEST = 16
"""Episodes at the end of the log that are asked for always, though they are here: is each still the same?"""

TRIES = 3
"""How often the other machine may fail to read an episode before it is passed over."""

END_BYTES = len(FOOTER) + 20 + len(MAGIC)

_LOOK = f"""
command -v rsync >/dev/null || exit {NO_RSYNC}
cd -- PATH 2>/dev/null || exit 0
echo '{SECTION}'
sha256sum -- {CONFIG_FILE} {MARK_FILE} 2>/dev/null
cd episodes 2>/dev/null || exit 0
named='s/^[a-z][a-z0-9_]*-\\([0-9]\\{{6,\\}}\\)[.]mcap$/\\1 &/p'
found=$(find . -maxdepth 1 -name '*.mcap' -printf '%f\\n' | sed -n "$named" | awk '$1 >= SINCE' | sort -k 1,1n -k 2,2)
echo '{SECTION}'
echo "$found" | cut -d ' ' -f 2 | xargs -r stat -c '%s %n' --
last=$(echo "$found" | tail -n 1 | cut -d ' ' -f 2)
echo '{SECTION}'
[ -z "$last" ] || tail -c {END_BYTES} -- "$last" | od -An -v -tx1 | tr -d ' \\n'
exit 0
"""


class Pull:
    """Brings the run at `address` into the folder `mirror`; `say` is told what a person should know.

    An episode is final when its file has the end of a finished one, or a later episode has begun: then it never grows
    again, even if its writer was killed. One that cannot be read there is passed over until the next command, for what
    comes after it must not wait for ever. One that appears behind those that are here is fetched once the whole log is
    asked for. Raises UserError when another process works on the mirror.
    """

    unit = "episode"

    def __init__(self, ssh: Ssh, address: Address, mirror: Path, say: Callable[[str], None]) -> None:
        self._ssh, self._address, self._mirror, self._say = ssh, address, mirror, say
        self._staging, self._episodes = mirror / STAGING, mirror / "episodes"
        self._waiting: list[str] = []
        self._last = ""
        self._told: set[str] = set()
        self._run_is_there = False
        self._clock = WallClock()
        self._since, self._whole_at = 0, -math.inf
        self._failures: Counter[str] = Counter()
        try:
            for folder in (self._staging, self._episodes):
                folder.mkdir(parents=True, exist_ok=True)
            handle = os.open(self._staging, os.O_RDONLY | os.O_DIRECTORY)
            self._release = weakref.finalize(self, os.close, handle)
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for scrap in self._staging.iterdir():
                # What an rsync that was killed had open; and what had come whole, but perhaps not onto the disk before
                # a power cut: then it is zeros under the right size and time, and rsync would take it for the same.
                if not scrap.is_dir():
                    scrap.unlink()
        except BlockingIOError as error:
            raise UserError(
                f"another process fetches {address} into {mirror}",
                next_step=f"end it, or learn from what it fetches: --data {mirror}",
            ) from error
        except OSError as error:
            raise unwritable(mirror, error) from error

    @property
    def behind(self) -> int:
        """Episodes that are final there and not here yet, by the last look."""
        return len(self._waiting)

    def look(self) -> None:
        """Ask what there is. Raises as `Ssh.run` does, and UserError when the mirror is of another run, or has an
        episode that is another one there.
        """
        asked = self._clock.now()
        is_whole = asked >= self._whole_at
        since = 0 if is_whole else self._since
        said = self._ssh.run(_LOOK.replace("SINCE", str(since)).replace("PATH", self._address.quoted()))
        marks, names, end = [*said, "", "", ""][:3]
        hashes = {line.split()[-1]: line.split()[0] for line in marks.splitlines() if line.strip()}
        self._run_is_there = {MARK_FILE, CONFIG_FILE} <= set(hashes)
        if self._run_is_there:
            self._require_same_run(hashes)
        sizes = {name: int(size) for size, name in (line.split() for line in names.splitlines() if line)}
        if not self._run_is_there:
            self._waiting = []
            return
        here = self._sizes_here(None if is_whole else sizes)
        self._waiting = self._missing(sizes, here, end)
        if is_whole:
            self._whole_at = asked + WHOLE_EVERY_S
        self._since = self._first_open(list(sizes), here)

    def carry(self) -> bool:
        """Fetch the next few episodes; False when none is waiting. Raises as `Ssh.rsync` does."""
        if self._run_is_there and not (self._mirror / MARK_FILE).exists():
            self._fetch((CONFIG_FILE, MARK_FILE), "", self._mirror)
        batch = self._waiting[:BATCH]
        if not batch:
            return False
        # What is gone by now, or was begun anew under its name, is for the next look to find.
        left = self._waiting[len(batch) :]
        try:
            self._fetch(batch, "episodes", self._episodes)
        except (LinkError, DiskError):
            left = [name for name in batch if not (self._episodes / name).exists()] + left
            raise
        finally:
            self._waiting = left
        return True

    def close(self) -> None:
        """Let others work on the mirror; may be called twice."""
        self._release()

    def _sizes_here(self, names: Collection[str] | None) -> dict[str, int]:
        """Bytes of the episodes that are here, of all or of `names`."""
        if names is None:
            return {entry.name: entry.stat().st_size for entry in os.scandir(self._episodes)}
        paths = (self._episodes / name for name in names)
        return {path.name: path.stat().st_size for path in paths if path.exists()}

    def _first_open(self, there: Sequence[str], here: Collection[str]) -> int:
        """The number from which on the log is to be asked for next: before it, what comes is here.

        `there`: its names in its order, as far as they were asked for.
        """
        if not there:
            return self._since
        still = (name for name in there if name not in here and self._failures[name] < TRIES)
        return min(number_of(Path(next(still, there[-1]))), max(0, number_of(Path(there[-1])) - NEWEST))

    def _missing(self, sizes: Mapping[str, int], here: Mapping[str, int], end: str) -> list[str]:
        """Of the log's names, in its order, what can be fetched.

        `sizes` are by name, in bytes; those that are `here` as well; `end`: the last bytes of the last one, in hex.
        """
        there = [name for name in sizes if NAME.fullmatch(name)]
        for name in there:
            if sizes[name] != here.get(name, sizes[name]):
                raise UserError(
                    f"{name} of {self._address} is not the one that was fetched into {self._mirror} before: it has "
                    f"{sizes[name]} bytes there and {here[name]} here, so its number was used again",
                    next_step=f"move {self._mirror} away, and learn into another --out",
                )
        self._last = there[-1] if there else ""
        if not _is_end(end):
            there = there[:-1]
        return [name for name in there if name not in here and self._failures[name] < TRIES]

    def _require_same_run(self, hashes: dict[str, str]) -> None:
        if not (self._mirror / MARK_FILE).exists():
            return
        for name in (CONFIG_FILE, MARK_FILE):
            here = hashlib.sha256(read_regular(self._mirror / name, "run file", INDEX_LIMIT)).hexdigest()
            if hashes[name] != here:
                raise UserError(
                    f"{self._address} is another run than the one that was fetched into {self._mirror} before",
                    next_step=f"move {self._mirror} away, or name the run that it is of",
                )

    def _fetch(self, names: Sequence[str], inside: str, target: Path) -> None:
        """Bring files `names` of the folder `inside` the run, and let them appear in `target` one after the other."""
        source = self._ssh.remote(self._address, inside)
        try:
            # Also what has arrived before: rsync passes over what is the same, and mends what a power cut left half.
            options = [f"--partial-dir={PARTIAL}", "--ignore-missing-args"]
            self._ssh.rsync(options, source, str(self._staging), names)
        except LinkError as error:
            if isinstance(error, SomeFailedError):
                self._count_failures(names, error)
            arrived = iter(names)
            while (name := next(arrived, "")) and ((self._staging / name).exists() or self._failures[name] >= TRIES):
                if self._failures[name] < TRIES:
                    self._expose(name, target)
            raise
        for name in names:
            self._expose(name, target)

    def _expose(self, name: str, target: Path) -> None:
        """Let the file `name` that has arrived appear in `target`, unless it is not what was asked for."""
        arrived = self._staging / name
        try:
            if not arrived.is_file():
                self._failures[name] += 1
                self._tell(name, "is gone, or no regular file")
            elif name != self._last or _is_end(_tail(arrived)):
                sync(arrived)
                os.rename(arrived, target / name)
                sync(target)
        except OSError as error:
            raise unwritable(target, error) from error

    def _count_failures(self, names: Sequence[str], error: SomeFailedError) -> None:
        """Hold it against those of the fetched `names` that have not come. Raises DiskError when the fault is here."""
        if not os.access(self._staging, os.W_OK):
            raise DiskError(f"cannot write {self._staging}: {error}", next_step="see to the disk of this machine")
        for name in names:
            if not (self._staging / name).exists():
                self._failures[name] += 1
                if self._failures[name] >= TRIES:
                    self._tell(name, f"could not be read there, {TRIES} times ({error})")

    def _tell(self, name: str, why: str) -> None:
        if name not in self._told:
            self._told.add(name)
            self._say(f"passed over: {name} of {self._address} {why}")


def _tail(path: Path) -> str:
    """The last bytes of the file, in hex."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - END_BYTES))
        return file.read().hex()


def _is_end(end: str) -> bool:
    """Whether the bytes `end`, in hex, are those with which a finished MCAP file ends."""
    return len(end) == 2 * END_BYTES and end.startswith(FOOTER.hex()) and end.endswith(MAGIC.hex())
