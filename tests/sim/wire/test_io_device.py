"""A device's word: every command is acknowledged once, whatever it says, and only what fits is taken over."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.wire.io_cameras import head_camera
from sim.wire.io_device import KEPT_COMMANDS, Device, Signal, read_command, read_devices

SIGNALS = [
    Signal("lamp", "bool", False, "input", settable=True),
    Signal("level", "int", 3, "output", settable=True, low=-1, high=79),
    Signal("place", "float", 0.0, "output", settable=True),
    Signal("measured", "float", 0.5, "output"),
    Signal("size", "object", {"height": 8, "width": 9}, "output", settable=True),
]


def device() -> Device:
    return Device("node", "thing", "Kind", SIGNALS)


def args(**signals: object) -> str:
    return json.dumps({"signals": {name: {"format": {}, "data": [value]} for name, value in signals.items()}})


def test_what_fits_is_taken_over_and_acknowledged() -> None:
    thing = device()
    thing.apply(read_command((5, 6), "set", args(lamp=True, level=7.0, place=2)))
    state = thing.state()
    assert (state.values["lamp"], state.values["level"], state.values["place"]) == (True, 7, 2.0)
    assert (state.commands, state.responses) == ([(5, 6)], [""])
    assert isinstance(state.values["level"], int)


def test_a_repeated_command_is_applied_once() -> None:
    thing, heard = device(), list[bool]()
    thing.on_set = {"lamp": heard.append}
    command = read_command((1, 0), "set", args(lamp=True))
    for _ in range(5):
        thing.apply(command)
    assert heard == [True]
    assert len(thing.state().commands) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("lamp", 1),
        ("lamp", "on"),
        ("level", True),
        ("level", 80),
        ("level", -2),
        ("place", float("nan")),
        ("place", float("inf")),
        ("place", 10**400),
        ("level", 10**400),
        ("place", [1.0]),
        ("place", None),
        ("measured", 0.7),
        ("nothing", 1),
        ("size", {"height": 1, "width": 1}),
    ],
)
def test_what_does_not_fit_changes_nothing_and_is_told(name: str, value: object) -> None:
    thing = device()
    before = thing.state().values
    thing.apply(read_command((1, 0), "set", args(**{name: value})))
    state = thing.state()
    assert state.values == before
    assert name in state.responses[0]
    assert state.commands == [(1, 0)]


def test_a_refusal_stays_with_the_signal_until_a_better_value_comes() -> None:
    thing = device()
    thing.apply(read_command((1, 0), "set", args(level=500)))
    assert "-1 to 79" in thing.state().refusals["level"]
    thing.apply(read_command((2, 0), "set", args(level=5)))
    assert not thing.state().refusals


@settings(max_examples=40)
@given(st.text() | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps), st.text(max_size=9))
def test_no_text_breaks_it(text: str, op: str) -> None:
    for name in (op, "set"):
        thing = device()
        before = thing.state().values
        thing.apply(read_command((1, 0), name, text))
        assert thing.state().values == before
        assert thing.state().responses[0]
    assert read_devices("activate", text) in (None, [])


def test_deep_and_endless_texts_are_refused() -> None:
    for text in ("[" * 90_000, " " * 1_000_000, '{"signals": {}}', '{"ports": {"x": {"data": [1]}}}'):
        assert read_command((1, 0), "set", text).refusal
    assert read_devices("activate", "[" * 90_000) is None


def test_ports_beside_signals_are_refused_as_they_are_alone() -> None:
    thing, both = device(), json.loads(args(lamp=True)) | {"ports": {"fan": {"data": [1]}}}
    thing.apply(read_command((1, 0), "set", json.dumps(both)))
    thing.apply(read_command((2, 0), "set", json.dumps({"ports": both["ports"]})))
    thing.apply(read_command((3, 0), "set", json.dumps(both | {"ports": {}})))
    state = thing.state()
    assert state.values["lamp"] is True
    assert ["ports cannot be set" in response for response in state.responses] == [True, True, False]
    assert state.responses[2] == ""


def test_the_last_hundred_commands_are_remembered_and_every_one_is_news() -> None:
    thing = device()
    for second in range(KEPT_COMMANDS + 20):
        before = thing.version
        thing.apply(read_command((second, 0), "set", args(place=second)))
        assert thing.version > before
    commands = thing.state().commands
    assert (len(commands), commands[0], commands[-1]) == (KEPT_COMMANDS, (20, 0), (KEPT_COMMANDS + 19, 0))


def test_a_state_does_not_change_and_showing_the_same_is_no_news() -> None:
    thing = device()
    before, version = thing.state(), thing.version
    thing.show("measured", 0.5)
    assert thing.version == version
    thing.show("measured", 0.6)
    assert thing.version == version + 1
    assert before.values["measured"] == 0.5


def test_automatic_exposure_and_automatic_gain_exclude_each_other() -> None:
    camera = head_camera()
    camera.apply(read_command((1, 0), "set", args(set_gain=-1)))
    assert (camera["set_gain"], camera["set_exposure"]) == (-1, 50)
    camera.apply(read_command((2, 0), "set", args(set_exposure=-1)))
    assert (camera["set_gain"], camera["set_exposure"]) == (0, -1)
