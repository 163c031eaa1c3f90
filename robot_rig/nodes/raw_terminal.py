"""A terminal that hands over every key at once, and is put back whatever happens. Called by the teleop node.

Works over ssh, needs no X. What SIGKILL leaves behind, the command `reset` mends.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import select
import termios
import tty

from robot_rig.errors import UserError

READ_BYTES = 256
CONTROL_CHARACTERS = 6
"""Where termios keeps them in its list."""


class RawTerminal:
    """The terminal behind file descriptor `fd`, without echo and line editing until `close`.

    Ctrl-C still interrupts; Ctrl-Z is an ordinary key, because a suspended program would leave the terminal like this.
    Raises UserError when `fd` is no terminal.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        try:
            self._before = termios.tcgetattr(fd)
        except termios.error as error:
            raise UserError(
                "there is no terminal to read keys from", next_step="run it by hand in one; over ssh with `ssh -t`"
            ) from error
        self._closed = False
        atexit.register(self.close)
        tty.setcbreak(fd, termios.TCSADRAIN)
        changed = termios.tcgetattr(fd)
        changed[CONTROL_CHARACTERS][termios.VSUSP] = b"\x00"
        termios.tcsetattr(fd, termios.TCSADRAIN, changed)

    def read(self, timeout: float) -> bytes | None:
        """The bytes that have come, b"" when none came within `timeout` s, None when the terminal is gone."""
        try:
            if not select.select([self._fd], [], [], timeout)[0]:
                return b""
            return os.read(self._fd, READ_BYTES) or None
        except OSError:
            return None

    def show(self, line: str) -> None:
        """Put `line` in place of the line that the cursor is in."""
        self._write(f"\r\x1b[K{line}")

    def say(self, text: str) -> None:
        """Put `text` above it, for good."""
        self._write(f"\r\x1b[K{text}\n")

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError):
            os.write(self._fd, text.encode())

    def close(self) -> None:
        """Put the terminal back as it was; may be called twice."""
        if self._closed:
            return
        self._closed = True
        atexit.unregister(self.close)
        self._write("\n")
        with contextlib.suppress(termios.error):
            termios.tcsetattr(self._fd, termios.TCSAFLUSH, self._before)
