"""The errors that are meant for a person; every floor raises them, only the command line prints them."""

from __future__ import annotations

from collections.abc import Collection, Iterable

MOST_QUOTED = 80
"""Characters that a sentence quotes of what stands in a file."""

MOST_LISTED = 8


def quoted(value: object) -> str:
    """`value`, which came out of somebody's file, as a sentence may say it: ASCII without control characters, short."""
    told = ascii(value[:MOST_QUOTED] if isinstance(value, str) else value)
    return told if len(told) <= MOST_QUOTED else f"{told[: MOST_QUOTED - 3]}..."


def plain(text: str, most: int = MOST_QUOTED) -> str:
    """`text` as `quoted` has it, without quotes: a name, or a sentence that may itself quote a file. At most `most`."""
    told = "".join(one if " " <= one <= "~" else ascii(one)[1:-1] for one in text[: most + 1])
    return told if len(told) <= most else f"{told[: most - 3]}..."


def listed(names: Collection[str]) -> list[str]:
    """The first of the `names`, which came out of a file, and how many more there are."""
    found = sorted(names)
    more = len(found) - MOST_LISTED
    return [*map(plain, found[:MOST_LISTED]), *([f"{more} more"] if more > 0 else [])]


def _printable(text: str) -> str:
    """`text` in whatever script, each control character in it as Python writes it."""
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)


class UserError(Exception):
    """Something a person can mend.

    The message says what is wrong, the valid choices where there are any, and the next step. The command line
    prints it as one line and exits with code 2; nothing else may catch it to go on. A name of a file may hold any
    character; what is said of it holds none that does something to a terminal.
    """

    def __init__(self, problem: str, *, choices: Iterable[object] = (), next_step: str = "") -> None:
        self.problem = _printable(problem)
        self.choices = tuple(_printable(str(choice)) for choice in choices)
        self.next_step = _printable(next_step)
        parts = [self.problem.rstrip(".")]
        if self.choices:
            parts.append(f"valid: {', '.join(self.choices)}")
        if self.next_step:
            parts.append(self.next_step.rstrip("."))
        super().__init__(". ".join(part[:1].upper() + part[1:] if i else part for i, part in enumerate(parts)) + ".")


class PolicyFailedError(UserError):
    """A policy cannot answer: something in it is not a number.

    On a robot it ends the episode, and with it the motion, and the process goes on.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(problem, next_step="go back to the checkpoint before this one")


class GuardStoppedError(UserError):
    """The guard has ended all motion, and a person must set the arm free: what was done until then stands."""
