"""The `rig` command: how an error or Ctrl-C reaches a person. Entry point of the package.

A UserError becomes one line and exit code 2, and so does a file that the system keeps from us; Ctrl-C a hint how to go
on and exit code 130. Anything else is a bug of ours and keeps its traceback. What takes long to import is imported
inside, so that Ctrl-C is answered there too.
"""

from __future__ import annotations

import errno
import io
import sys
from collections.abc import Sequence
from pathlib import Path

from robot_rig.errors import UserError
from robot_rig.stranger_files import shown

A_PERSONS = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG, errno.ENOSPC, errno.EDQUOT})
"""What the system says of a file that only a person can mend: rights, a name that no disk takes, room."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `rig` with `arguments` (the process's own by default); returns the exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A file's name may hold what no terminal can show, and printing it must not end the work.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        from robot_rig.cli.dispatch import dispatch

        return dispatch(sys.argv[1:] if arguments is None else arguments)
    except UserError as error:
        print(f"rig: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        if error.errno not in A_PERSONS or not isinstance(error.filename, str | bytes):
            raise
        print(f"rig: {_kept_away(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(
            "\nrig: stopped; nothing that was logged is lost. To go on: the same command (rig demo: with --resume).",
            file=sys.stderr,
        )
        return 130


def _kept_away(error: OSError) -> UserError:
    """A sentence about a file that whoever met it could not use, and did not expect that."""
    name = shown(Path(str(error.filename)))
    return UserError(f"cannot use {name}: {error.strerror}", next_step="see to it, or name another file or folder")


if __name__ == "__main__":
    sys.exit(main())
