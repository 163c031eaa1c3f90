"""The right to a node name in a graph, held as a file lock until the process ends. Called by `node`.

ROS shuts the first of two nodes of one name down without an error and lets the second take over: for the arm process
that is two commanders for a moment. The kernel gives the lock back however a process ends.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import socket
import urllib.parse
from pathlib import Path
from typing import IO

import rosgraph.network

from robot_rig.errors import UserError


def lease_folder() -> Path:
    """This user's folder of leases: the same for every session, and cleaned by nobody while a lease is held."""
    base = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    folder = base / "robot_rig" / "leases"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"cannot make {folder}, where node names are leased: {error.strerror}",
            next_step="set XDG_STATE_HOME to a folder that you can write to",
        ) from error
    return folder


def graph_name(master_uri: str) -> str:
    """`master_uri` with this machine's many names and addresses made one, so that one graph has one name."""
    parts = urllib.parse.urlsplit(master_uri)
    host = parts.hostname or ""
    try:
        address = socket.gethostbyname(host)
    except OSError:
        return f"{host}:{parts.port}"
    own = address.startswith("127.") or address in rosgraph.network.get_local_addresses()
    return f"{'this machine' if own else address}:{parts.port}"


class NodeLease:
    """The lease of `node` (its full name) in the graph of `master_uri`.

    Raises UserError naming the holder's process when another process has it.
    """

    def __init__(self, master_uri: str, node: str) -> None:
        key = hashlib.sha256(f"{graph_name(master_uri)} {node}".encode()).hexdigest()[:16]
        readable = "".join(letter if letter.isalnum() else "_" for letter in node.strip("/"))[:80]
        self._file = _locked(lease_folder() / f"{readable}-{key}", master_uri, node)

    def close(self) -> None:
        """Give the name back; may be called twice."""
        self._file.close()


def _locked(path: Path, master_uri: str, node: str) -> IO[str]:
    try:
        file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+")
    except OSError as error:
        raise UserError(f"cannot open {path}: {error.strerror}", next_step="delete it") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = file.read(20).strip()
        file.close()
        raise UserError(
            f"{node} runs already on this machine in the graph of {master_uri}"
            + (f", process {holder}" if holder else ""),
            next_step="stop that one first, or give this one another name with __name:=NAME",
        ) from error
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file
