"""A person at the terminal, here or over ssh: was the goal reached, and may the arm move? Called by `cli.live.exam`.

Keys are read as the teleop reads them. What was typed before a question does not answer it.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from typing import TypeVar

from robot_rig.datatypes import Mode
from robot_rig.errors import UserError
from robot_rig.loops.key_strokes import KeyReader
from robot_rig.nodes.raw_terminal import RawTerminal

T = TypeVar("T")
LOOK_S = 0.2
QUITS = (b"q", b"\x03", b"\x04")


class Answer(str, enum.Enum):
    """What a person says of an attempt; one that is to be made AGAIN does not count, and that is told."""

    REACHED = "reached"
    MISSED = "not reached"
    AGAIN = "once more; this one does not count"


class Lead(str, enum.Enum):
    """What a person says of an arm before it moves: one that rests, or one that is enabled already."""

    ENABLE = "enable"
    GO = "go on"


VERDICTS: Mapping[bytes, Answer] = {b"y": Answer.REACHED, b"n": Answer.MISSED, b" ": Answer.AGAIN}
LEADS: Mapping[bytes, Lead] = {b"e": Lead.ENABLE}
GOES: Mapping[bytes, Lead] = {b"g": Lead.GO}


class Person:
    """Asks at `terminal`; `order` gives the arm process a person's order. A key that says nothing is passed over, and q
    ends the program as Ctrl-C does.
    """

    def __init__(self, terminal: RawTerminal, order: Callable[[str], str]) -> None:
        self._terminal, self._order = terminal, order

    def verdict(self, goal: str) -> Answer:
        """Was `goal` reached? Waits for as long as it takes to say."""
        return self._ask(f"{goal}: did the arm reach it?  y yes   n no   space once more   q end", VERDICTS)

    def allow(self, goal: str) -> None:
        """Wait until a person lets an arm that is enabled set off for `goal`."""
        self._ask(f"{goal}: the arm is enabled. Nobody in its reach, the red button at hand?  g go on   q end", GOES)

    def lead(self, mode: Mode) -> None:
        """Wait for a person to enable the arm, which rests in `mode`; what the arm process refuses is shown."""
        while True:
            keys = "e reset, then enable" if mode is Mode.FAULT else "e enable"
            self._ask(
                f"The arm rests ({mode.value}). Nobody in its reach, the red button at hand?  {keys}   q end", LEADS
            )
            try:
                if mode is Mode.FAULT:
                    self._terminal.say(self._order("reset"))
                self._terminal.say(self._order("enable"))
            except UserError as error:
                self._terminal.say(str(error))
            else:
                return

    def _ask(self, question: str, answers: Mapping[bytes, T]) -> T:
        while self._read(0.0):
            pass
        self._terminal.show(question)
        reader = KeyReader()
        while True:
            for key in reader.feed(self._read(LOOK_S)):
                if key in QUITS:
                    raise KeyboardInterrupt
                if key in answers:
                    answer = answers[key]
                    self._terminal.say(f"{question.partition('  ')[0]} {getattr(answer, 'value', answer)}")
                    return answer

    def _read(self, within: float) -> bytes:
        data = self._terminal.read(within)
        if data is None:
            raise UserError("the terminal is gone, and nobody can be asked", next_step="give the same command again")
        return data
