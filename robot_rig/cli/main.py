"""The `rig` command: how an error or Ctrl-C reaches a person. Entry point of the package.

A UserError becomes one line and exit code 2, Ctrl-C a hint how to go on and exit code 130. Anything else is a bug of
ours and keeps its traceback. What takes long to import is imported inside, so that Ctrl-C is answered there too.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from robot_rig.errors import UserError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `rig` with `arguments` (the process's own by default); returns the exit code."""
    try:
        from robot_rig.cli.dispatch import dispatch

        return dispatch(sys.argv[1:] if arguments is None else arguments)
    except UserError as error:
        print(f"rig: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(
            "\nrig: stopped; nothing that was logged is lost. To go on: the same command (rig demo: with --resume).",
            file=sys.stderr,
        )
        return 130


if __name__ == "__main__":
    sys.exit(main())
