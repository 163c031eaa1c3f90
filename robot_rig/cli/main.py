"""The `rig` command: which words there are, and how an error reaches a person. Entry point of the package.

A UserError becomes one line and exit code 2, Ctrl-C a hint how to go on and exit code 130. Anything else is a bug of
ours and keeps its traceback.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence

import tyro
from rich.console import Console

from robot_rig.cli import commands
from robot_rig.errors import UserError

GROUPS: Mapping[str, Mapping[str, Callable[..., int]]] = {
    "data": {"check": commands.data_check, "view": commands.data_view},
    "bench": {"sim": commands.bench_sim, "seeds": commands.bench_seeds},
}

STAGES: Mapping[str, Callable[..., int]] = {
    "demo": commands.demo,
    "collect": commands.collect,
    "train": commands.train,
    "practice": commands.practice,
    "eval": commands.evaluate,
    "report": commands.report,
    "reach": commands.reach,
    "config": commands.config,
}

LESSON = """\
[bold]rig[/bold] teaches an arm to reach pictures. Show it one picture of where its hand should be; it goes there.

  [bold]rig demo[/bold]                 all of the below in the simulator, with a report at the end (about 4 minutes)

  [bold]rig collect --run runs/a[/bold]   1. the arm plays at random; every step goes to runs/a/episodes
  [bold]rig train --run runs/a[/bold]     2. a beta-VAE learns what pictures mean, and is checked before use
  [bold]rig practice --run runs/a[/bold]  3. the arm imagines goals, tries them, and learns from what happened
  [bold]rig eval --run runs/a[/bold]      4. 50 pictures it has never seen, with do-nothing and random play beside it
  [bold]rig report --run runs/a[/bold]    5. one HTML file with the curve, films and the table

  [bold]rig reach --run runs/a --goal picture.png[/bold]   show it a picture and watch it go there

  [bold]rig data check RUN/episodes[/bold]   is the log whole?   [bold]rig data view FILE[/bold]  contact sheet and film
  [bold]rig config[/bold]               every setting, with unit and range; change one with --set vae.beta=2
  [bold]rig bench sim[/bold]            how fast the simulator is against a bare loop

Ctrl-C is safe at any moment; `rig demo --resume`, or the same stage again, goes on. `rig COMMAND --help` explains each.
Everything here moves a simulated arm. This software is not safety-rated."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `rig` with `arguments` (the process's own by default); returns the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in ("-h", "--help", "help"):
        Console().print(LESSON, highlight=False)
        return 0
    try:
        return _dispatch(words)
    except UserError as error:
        print(f"rig: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(
            "\nrig: stopped; nothing that was logged is lost. To go on: the same command (rig demo: with --resume).",
            file=sys.stderr,
        )
        return 130


def _dispatch(words: list[str]) -> int:
    head, rest = words[0], words[1:]
    if head in STAGES:
        return tyro.cli(STAGES[head], prog=f"rig {head}", args=rest)
    if head in GROUPS:
        group = GROUPS[head]
        if not rest or rest[0] not in group:
            wrong = f"rig {head} {rest[0]} is not a command" if rest else f"rig {head} needs one more word"
            raise UserError(wrong, choices=[f"rig {head} {word}" for word in group], next_step="try one with --help")
        return tyro.cli(group[rest[0]], prog=f"rig {head} {rest[0]}", args=rest[1:])
    raise UserError(f"there is no command {head!r}", choices=[*STAGES, *GROUPS], next_step="run rig alone for a tour")


if __name__ == "__main__":
    sys.exit(main())
