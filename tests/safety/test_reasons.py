"""Every code that the guard can give has its sentences, and there are no orphans."""

from __future__ import annotations

import re
from pathlib import Path

import robot_rig.loops.arm_loop as arm_loop
from robot_rig import safety
from robot_rig.safety.reasons import REASONS
from tests.house import ROOT

DRIVERS = ("looking", "commander_watch", "picture_watch", "camera_again", "camera_pipe")
SOURCES = [
    *Path(safety.__file__).parent.glob("*.py"),
    Path(arm_loop.__file__),
    *(ROOT / "drivers" / f"{name}.py" for name in DRIVERS),
]


def test_each_code_says_what_happened_what_the_arm_did_and_what_to_do() -> None:
    for code, text in REASONS.items():
        assert re.fullmatch(r"[a-z_]{2,20}", code), code
        assert len(re.findall(r"[.](?: |$)", text)) >= 3, code


def test_each_code_in_the_table_is_used_and_each_code_used_is_in_the_table() -> None:
    text = "\n".join(path.read_text() for path in SOURCES if path.name not in ("reasons.py", "modes.py", "limits.py"))
    quoted = set(re.findall(r'"([a-z_]+)"', text))
    assert set(REASONS) <= quoted
    in_tuples = set(re.findall(r'\("([a-z_]+)",', text)) | set(re.findall(r'append\("([a-z_]+)"\)', text))
    in_tuples |= {code for code in quoted if code.endswith(("_stale", "_garbled"))}
    assert in_tuples
    assert in_tuples <= set(REASONS), in_tuples - set(REASONS)


def test_a_stop_that_no_button_made_is_not_told_as_one() -> None:
    assert "another program" in REASONS["arm_stopped"]
