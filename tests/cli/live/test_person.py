"""A person answers on a terminal, as over ssh: by the first key that means something, and not by what came before."""

from __future__ import annotations

import os
import pty
import re
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from robot_rig.cli.live.person import VERDICTS, Answer, Person
from robot_rig.datatypes import Mode
from robot_rig.errors import UserError
from robot_rig.nodes.raw_terminal import RawTerminal


class Desk:
    """A terminal with a person before it, who types once a question stands there; `orders` are what was given."""

    def __init__(self) -> None:
        self.keyboard, self._terminal = pty.openpty()
        self.orders: list[str] = []
        self.refuses = 0
        self.shown = b""
        self.before = termios.tcgetattr(self._terminal)
        self._raw = RawTerminal(self._terminal)
        self.person = Person(self._raw, self._order)

    def _order(self, word: str) -> str:
        self.orders.append(word)
        if self.refuses:
            self.refuses -= 1
            raise UserError("the robot is not ready")
        return f"{word}: as you wish"

    @contextmanager
    def typing(self, *keys: bytes) -> Iterator[None]:
        """Type `keys`, one after each time that a question has been asked."""
        asked = threading.Event()

        def type_them() -> None:
            for key in keys:
                seen = len(self.shown)
                while b"q end" not in self.shown[seen:]:
                    if asked.wait(0.01):
                        return
                    self.read()
                os.write(self.keyboard, key)

        hand = threading.Thread(target=type_them)
        hand.start()
        try:
            yield
        finally:
            asked.set()
            hand.join()

    def read(self) -> None:
        """Look at the screen."""
        os.set_blocking(self.keyboard, False)
        with suppress(BlockingIOError):
            self.shown += os.read(self.keyboard, 65536)

    def close(self) -> None:
        self._raw.close()
        assert termios.tcgetattr(self._terminal) == self.before
        os.close(self.keyboard)
        os.close(self._terminal)


@pytest.fixture
def desk() -> Iterator[Desk]:
    made = Desk()
    yield made
    made.close()


@pytest.mark.parametrize(("key", "answer"), VERDICTS.items())
def test_a_key_is_a_verdict_and_it_is_shown(desk: Desk, key: bytes, answer: Answer) -> None:
    with desk.typing(key):
        assert desk.person.verdict("goal-007") is answer
    desk.read()
    assert re.search(rb"goal-007: did the arm reach it\? +" + answer.value.encode(), desk.shown)


def test_what_was_typed_before_the_question_is_no_answer(desk: Desk) -> None:
    os.write(desk.keyboard, b"nnnyyy")
    time.sleep(0.05)
    with desk.typing(b" "):
        assert desk.person.verdict("goal") is Answer.AGAIN


@pytest.mark.parametrize("noise", [b"\x1b[A", b"\x1bOC", b"x", b"\r", b"\x1b[15~", b"Y", b"\xff"])
def test_keys_that_say_nothing_are_passed_over(desk: Desk, noise: bytes) -> None:
    with desk.typing(noise + b"n"):
        assert desk.person.verdict("goal") is Answer.MISSED


@pytest.mark.parametrize("key", [b"q", b"\x04"])
def test_q_ends_as_ctrl_c_does(desk: Desk, key: bytes) -> None:
    with desk.typing(key), pytest.raises(KeyboardInterrupt):
        desk.person.verdict("goal")


def test_an_arm_moves_only_after_a_key_and_a_fault_is_reset_first(desk: Desk) -> None:
    with desk.typing(b"yn e"):
        desk.person.lead(Mode.HOLD)
    assert desk.orders == ["enable"]
    with desk.typing(b"e"):
        desk.person.lead(Mode.FAULT)
    assert desk.orders == ["enable", "reset", "enable"]
    desk.read()
    assert b"e reset, then enable" in desk.shown


def test_an_enabled_arm_waits_for_its_key_and_is_given_no_order(desk: Desk) -> None:
    with desk.typing(b"yneg"):
        desk.person.allow("goal-003")
    assert desk.orders == []


def test_what_the_arm_process_refuses_is_shown_and_asked_again(desk: Desk) -> None:
    desk.refuses = 1
    with desk.typing(b"e", b"e"):
        desk.person.lead(Mode.HOLD)
    desk.read()
    assert desk.orders == ["enable", "enable"]
    assert b"the robot is not ready" in desk.shown.lower()


def test_nobody_is_asked_where_there_is_no_terminal() -> None:
    reader, writer = os.pipe()
    try:
        with pytest.raises(UserError, match="ssh -t"):
            RawTerminal(reader)
    finally:
        os.close(reader)
        os.close(writer)
