"""Every code that the guard can give has its sentences, and there are no orphans."""

from __future__ import annotations

import re
from pathlib import Path

import robot_rig.loops.arm_loop as arm_loop
from robot_rig import safety
from robot_rig.datatypes import Mode
from robot_rig.safety.reasons import REASONS, SAID_BY_OTHERS, WAITED_FOR, code_said, explained
from tests.house import ROOT
from tests.loops.arm_story import Story

IN_FRONT_OF_THE_CAMERA = {"image_frozen", "image_dark", "image_bright"}
"""Told by the camera's node, which knows nothing of the arm's mode."""

RESTS = (
    *("came to rest", "comes to rest", "stopped", "stands still", "does not move", "braked", "slowed", "spread"),
    *("brakes in full", "goes on as before", "on hold", "not followed", "switched off", "stay on"),
)
STEPS = (
    *(
        "Check",
        "Choose",
        "Clear",
        "Enable",
        "Find",
        "Go back",
        "Hand",
        "Home",
        "It goes on with",
        "If the policy",
        "Keep",
        "Look",
    ),
    *(
        "Mend",
        "Move",
        "Nothing to do",
        "Plug",
        "Press",
        "Put",
        "Read",
        "Release",
        "Report",
        "Reset",
        "See",
        "Set",
        "Start",
    ),
    *("Stop",),
)
DRIVERS = ("guard_process", "look_around", "looking", "commander_watch", "picture_watch", "camera_again", "camera_pipe")
SOURCES = [
    *Path(safety.__file__).parent.glob("*.py"),
    Path(arm_loop.__file__),
    *(ROOT / "drivers" / f"{name}.py" for name in DRIVERS),
]


def test_each_code_says_what_happened_what_the_arm_did_and_what_to_do() -> None:
    for code, text in REASONS.items():
        assert re.fullmatch(r"[a-z_]{2,20}", code), code
        happened, *did, step = re.split(r"(?<=[.]) (?=[A-Z])", text)
        assert did, code
        assert happened.endswith("."), code
        assert any(word in sentence for sentence in did for word in RESTS), code
        assert step.startswith(STEPS), f"{code}: {step}"


def test_each_code_names_the_orders_that_lead_out_of_the_mode_it_leads_to() -> None:
    table = (ROOT / "docs/safety.md").read_text().partition("## 5.")[2].partition("## 6.")[0]
    rows = [line.split("|")[1:3] for line in table.splitlines() if line.startswith("| `")]
    orders = {"FAULT": ("reset", "enable"), "HOLD": ("enable",), "DISABLED": ("enable",)}
    found = set()
    for codes, leads in rows:
        for mode, words in orders.items():
            if leads.split()[0].startswith(mode):
                found.add(mode)
                for code in re.findall(r"`([a-z_]+)`", codes):
                    last = REASONS[code].rpartition(". ")[2].lower()
                    assert all(word in last for word in words), f"{code} leads to {mode}: {last}"
    assert found == set(orders)
    assert all(word in REASONS["fault"] for word in orders["FAULT"])
    assert "enable" in REASONS["other_commander_seen"]


def test_who_led_is_not_guessed() -> None:
    assert "teleop" in REASONS["action_stale"]
    assert "A person stopped" not in " ".join(REASONS.values())


def test_each_code_in_the_table_is_used_and_each_code_used_is_in_the_table() -> None:
    text = "\n".join(path.read_text() for path in SOURCES if path.name not in ("reasons.py", "modes.py", "limits.py"))
    quoted = set(re.findall(r'"([a-z_]+)"', text))
    assert set(REASONS) - set(SAID_BY_OTHERS.values()) <= quoted
    in_tuples = set(re.findall(r'\("([a-z_]+)",', text)) | set(re.findall(r'append\("([a-z_]+)"\)', text))
    in_tuples |= {code for code in quoted if code.endswith(("_stale", "_garbled"))}
    assert in_tuples
    assert in_tuples <= set(REASONS), in_tuples - set(REASONS)


def test_a_stop_that_no_button_made_is_not_told_as_one() -> None:
    assert "another program" in REASONS["arm_stopped"]


def test_what_was_waited_for_in_vain_is_told_as_a_cause_without_the_advice_of_before() -> None:
    for code in sorted(WAITED_FOR):
        told = explained(["lapsed", code, "second_commander", "no such code"])
        assert list(told) == ["lapsed", code, "second_commander"]
        assert told["lapsed"] == REASONS["lapsed"]
        assert told["second_commander"] == REASONS["second_commander"], "it lies beside"
        assert told[code].startswith("Because of this: ")
        assert told[code].count(".") == 1
        assert explained([code]) == {code: REASONS[code]}
    assert {code for code, text in REASONS.items() if "within 5 s" in text} - WAITED_FOR == IN_FRONT_OF_THE_CAMERA


def test_five_seconds_without_an_action_are_not_told_as_if_they_went_on() -> None:
    story = Story()
    while story.loop.mode is Mode.ACTIVE:
        story.tick(None)
    told = explained(story.loop.why)
    assert told["no_action"] == "Because of this: No action has come yet."
    assert "enable" in told["lapsed"]


def test_what_policy_and_recorder_say_in_words_has_a_code_and_is_still_said_so() -> None:
    sources = [
        path.read_text() for room in ("loops", "nodes", "learning") for path in (ROOT / "robot_rig" / room).glob("*.py")
    ]
    for words, code in SAID_BY_OTHERS.items():
        assert any(words in source for source in sources), words
        assert code_said(f"so {words} that") == code
        assert code in REASONS
    assert code_said("no goal is asked for") == ""
