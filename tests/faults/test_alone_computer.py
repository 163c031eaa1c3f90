"""Row 45: the judge passes what the table asks for and tells what it forbids; and the real watch is run, in haste."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sim.faults import alone_computer
from sim.faults.alone_computer import fail_computer, judge_computer
from sim.faults.told import Told

NAMES = ("well", "warm", "hot", "cooling", "cool", "low", "empty", "charging", "charged")
AT = {name: 10.0 * number for number, name in enumerate(NAMES)}
HOT, LOW = "95 C, and from 90 C on nothing new begins", "at 5 %, and from 10 % on nothing new begins"


def event(t: float, what: str, **more: object) -> Told:
    return Told(t, what, more)


def episode(began: float, stand: str = "complete") -> list[Told]:
    """An episode of half a second."""
    return [
        event(began, "episode", number=1, stand="running"),
        event(began + 0.5, "episode", number=1, stand=stand),
    ]


def well_done() -> list[Told]:
    """A second after each change of the computer all has happened that is to happen."""
    events = [event(t, "moment", name=name) for name, t in AT.items()]
    events += [event(t + look, "looked") for t in AT.values() for look in (0.5, 2.5)]
    events += [
        event(AT["warm"] + 1.0, "logged", text="this computer is at 81 C: see to its fan and its load"),
        event(AT["low"] + 1.0, "logged", text="this computer's battery is at 15 %: plug it in"),
        event(AT["hot"] + 1.0, "silence", text=f"this computer is at {HOT}, so no episode begins"),
        event(AT["empty"] + 1.0, "silence", text=f"this computer's battery is {LOW}, so no episode begins"),
    ]
    for name in ("hot", "empty"):
        events += episode(AT[name] - 0.1)
    for name in ("well", "cool", "charged"):
        events += episode(AT[name] + 1.0)
    return events


def complaints(*more: Told, without: str = "") -> list[str]:
    """What is complained of when `more` happens too, and nothing that has `without` in it."""
    events = [one for one in well_done() if not without or without not in str(one)]
    return judge_computer(sorted([*events, *more], key=lambda one: one.t)).complaints


def test_what_is_asked_for_passes() -> None:
    assert complaints() == []


@pytest.mark.parametrize("name", ["hot", "cooling", "empty", "charging"])
def test_an_episode_that_begins_in_spite_of_it_is_told(name: str) -> None:
    assert "began on a computer" in complaints(*episode(AT[name] + 5.0))[0]


@pytest.mark.parametrize("words", ["see to its fan", "plug it in"])
def test_a_warning_that_does_not_come_is_told(words: str) -> None:
    assert "logged 0 times" in complaints(without=words)[0]


@pytest.mark.parametrize("words", [HOT, LOW])
def test_silence_about_it_is_told(words: str) -> None:
    assert "nobody said" in complaints(without=words)[0]


def test_a_warning_that_comes_again_and_one_that_comes_late_are_told() -> None:
    again = event(AT["hot"] + 1.0, "logged", text="this computer is at 95 C: see to its fan and its load")
    assert "2 times" in complaints(again)[0]
    assert "1 times" in complaints(again, without="81 C: see to its fan")[0]


def test_an_episode_that_is_not_finished_is_told() -> None:
    assert complaints(*episode(AT["hot"] - 0.2, "cut short")) == ["episode 1 was cut short"]


def test_what_never_begins_again_is_told() -> None:
    events = [one for one in well_done() if not (one.what == "episode" and AT["cool"] <= one.t < AT["low"])]
    assert judge_computer(events).complaints == ["nothing began again when it was cool"]
    events = [one for one in well_done() if one.what != "episode"]
    assert judge_computer(events).complaints == ["no episode ran and ended when the computer was hot"]


def test_a_computer_that_fails_begins_nothing_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alone_computer, "LOOK_S", 0.1)
    verdict = fail_computer(np.random.default_rng(1), tmp_path)
    assert verdict.complaints == []
    assert verdict.figures["episodes"] >= 3
