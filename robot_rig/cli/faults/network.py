"""A network of its own beside this machine's, joined by a cable, where the kernel permits it. Called by `stage`."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Sequence

from sim.faults.rows import NotPermittedError

NAME = "rig_outside"
CABLE, PLUG = "rig_out0", "rig_out1"
OUTSIDE_HOST, OUTSIDE_GUEST = "10.231.77.1", "10.231.77.2"
"""This machine's address on the cable, and the stranger's."""


class OutsideNetwork:
    """A network namespace and its cable, made when first asked for."""

    def __init__(self) -> None:
        self._up = False

    def enter(self, uri: str) -> Sequence[str]:
        """What runs a command in there, as an arm's stranger would: with `uri` as its ROS master.

        Raises NotPermittedError.
        """
        if not self._up:
            self._remove()
            for words in (
                f"ip netns add {NAME}",
                f"ip link add {CABLE} type veth peer name {PLUG} netns {NAME}",
                f"ip addr add {OUTSIDE_HOST}/30 dev {CABLE}",
                f"ip link set {CABLE} up",
                f"ip -n {NAME} addr add {OUTSIDE_GUEST}/30 dev {PLUG}",
                f"ip -n {NAME} link set {PLUG} up",
                f"ip -n {NAME} link set lo up",
            ):
                self._do(words.split())
            self._try_cable()
            self._up = True
        return ["ip", "netns", "exec", NAME, "env", f"ROS_MASTER_URI={uri}", f"ROS_IP={OUTSIDE_GUEST}"]

    def _try_cable(self) -> None:
        """See that somebody in there can reach this machine: else it would prove nothing that nothing arrives."""
        with socket.create_server((OUTSIDE_HOST, 0)) as server:
            knock = f"import socket; socket.create_connection({server.getsockname()!r}, 5.0)"
            self._do(["ip", "netns", "exec", NAME, sys.executable, "-c", knock])

    def _do(self, words: Sequence[str]) -> None:
        try:
            subprocess.run(words, check=True, capture_output=True, text=True)
        except (OSError, subprocess.CalledProcessError) as error:
            self._remove()
            said = getattr(error, "stderr", "") or error
            raise NotPermittedError(f"`{' '.join(words)}`: {said}".strip()) from error

    def _remove(self) -> None:
        for words in (f"ip link del {CABLE}", f"ip netns del {NAME}"):
            subprocess.run(words.split(), check=False, capture_output=True)

    def close(self) -> None:
        """Take it down."""
        if self._up:
            self._remove()
            self._up = False
