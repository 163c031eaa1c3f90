"""Where a run folder lies on another machine, as a person writes it: ssh://[user@]host[:port]/DIR.

Called by `cli.carriage` (read) and by the other modules here. What comes out of it can neither become an option of ssh
or rsync nor mean anything to a shell, here or there.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, replace
from pathlib import Path

from robot_rig.errors import UserError

SCHEME = "ssh://"
FORM = "ssh://[user@]host[:port]/DIR"
AT_HOME = "/~/"
"""Begins a path that counts from the home folder of who logs in."""

MIRRORS = Path("runs", "mirror")
"""Where the local twins of remote folders lie, below the folder that `rig` is called in."""

_AUTHORITY = re.compile(
    r"(?:(?P<user>[A-Za-z0-9_][A-Za-z0-9._-]{0,63})@)?"
    r"(?:(?P<host>[A-Za-z0-9_][A-Za-z0-9._-]{0,252})|\[(?P<ip6>[0-9A-Fa-f:.]{2,45}(?:%[A-Za-z0-9._-]{1,32})?)\])"
    r"(?::(?P<port>[0-9]{1,5}))?"
)
_PATH = re.compile(r"[A-Za-z0-9._/+=@,:-]+")
_OTHER_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|ssh:/")
_LIKE_SCP = re.compile(r"(?P<machine>[\w.-]+@[\w.-]+|[\w.-]{2,}):(?P<path>.*)")


@dataclass(frozen=True)
class Machine:
    """Who is called: a host, and as whom and through which port where that is not left to ssh."""

    host: str
    user: str = ""
    port: int = 0

    def __str__(self) -> str:
        return (f"{self.user}@" if self.user else "") + self.host + (f":{self.port}" if self.port else "")

    @property
    def login(self) -> str:
        """What a person types behind `ssh` and `ssh-copy-id`."""
        name = f"{self.user}@{self.host}" if self.user else self.host
        return f"-p {self.port} {name}" if self.port else name


@dataclass(frozen=True)
class Address:
    """A folder on a machine; `path` is absolute, or begins with ./ and counts from the home folder there."""

    machine: Machine
    path: str

    @classmethod
    def read(cls, text: str) -> Address | None:
        """The address that `text` is; None when it names a local folder. Raises UserError for what is neither."""
        if text.startswith(SCHEME):
            return cls._read_url(text)
        if _OTHER_SCHEME.match(text):
            raise UserError(
                f"{text[:200]!r} is neither a local folder nor an address that is known here", choices=[FORM]
            )
        if (like := _LIKE_SCP.fullmatch(text)) and not Path(text).exists():
            path = like["path"] if like["path"].startswith("/") else f"{AT_HOME}{like['path'] or 'DIR'}"
            raise UserError(
                f"{text[:200]!r} is no local folder",
                next_step=f"for another machine write ssh://{like['machine']}{path}",
            )
        return None

    @classmethod
    def _read_url(cls, text: str) -> Address:
        authority, slash, rest = text.removeprefix(SCHEME).partition("/")
        form = f"write {FORM}, or {SCHEME}host{AT_HOME}DIR for a folder in the home folder there"
        if not authority or authority.startswith(("@", ":")):
            raise UserError(f"{text[:200]!r} names no host", next_step=form)
        if ":" in authority.rpartition("@")[0]:
            raise UserError(
                "an address holds no password", next_step="let ssh log in with a key: `ssh-keygen`, then `ssh-copy-id`"
            )
        found = _AUTHORITY.fullmatch(authority)
        if found is None or not (found["port"] is None or 0 < int(found["port"]) < 65536):
            raise UserError(f"{authority[:80]!r} in {text[:200]!r} is no [user@]host[:port]", next_step=form)
        machine = Machine(found["host"] or found["ip6"], found["user"] or "", int(found["port"] or 0))
        return cls(machine, _read_path(text, slash + rest, form))

    def __str__(self) -> str:
        machine = self.machine
        host = f"[{machine.host}]" if ":" in machine.host else machine.host
        path = AT_HOME + self.path.removeprefix("./") if self.path.startswith("./") else self.path
        return SCHEME + str(Machine(host, machine.user, machine.port)) + path

    def quoted(self) -> str:
        """The path for a shell there."""
        return shlex.quote(self.path)

    def mirror(self) -> Path:
        """The local folder, relative to the current one, that stands for this one; no two addresses share one."""
        host = f"[{self.machine.host}]" if ":" in self.machine.host else self.machine.host
        who = str(replace(self.machine, host=host)).replace(":", "+").replace("%", "=")
        inside = Path("in-home", self.path) if self.path.startswith("./") else Path("from-root", self.path[1:])
        return MIRRORS / who / inside


def _read_path(text: str, path: str, form: str) -> str:
    """The path of an address, tidy: no doubled or closing slash, no dots."""
    kept = path.removeprefix(AT_HOME.rstrip("/")) if path.startswith(AT_HOME) else path
    parts = [part for part in kept.split("/") if part not in ("", ".")]
    if not parts:
        raise UserError(f"{text[:200]!r} names no folder", next_step=form)
    if ".." in parts:
        raise UserError(f"{text[:200]!r} leads upwards (..)", next_step="write the folder itself")
    tidy = "/".join(parts)
    if not _PATH.fullmatch(tidy):
        raise UserError(
            f"the folder in {text[:200]!r} has a character that is not taken",
            next_step="a remote folder has letters of ASCII, digits and . _ / + = @ , : - in its name, and no others",
        )
    return f"./{tidy}" if path.startswith(AT_HOME) else f"/{tidy}"
