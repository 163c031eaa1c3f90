"""A run that takes seconds: too short to learn anything, long enough to pass through every stage."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from robot_rig.config import Config
from robot_rig.config_files import load_config
from robot_rig.learning import health
from tests.children import as_from_a_terminal

SETTINGS = (
    "collect.steps=100",
    "collect.held_out_steps=50",
    "vae.updates=30",
    "vae.batch=16",
    "agent.batch=32",
    "agent.hidden=[32, 32]",
    "practice.pretrain_updates=20",
    "practice.steps=50",
    "practice.episode_steps=25",
    "practice.tune_every_steps=25",
    "practice.tune_updates=3",
    "practice.snapshot_every_steps=25",
    "evaluation.goals=3",
    "evaluation.episode_steps=5",
)

PASSING = {"RANK_LIMIT": 1.0, "INVERSE_LIMIT": -99.0, "NOVELTY_LIMIT": 1.0}
"""A VAE of 30 updates is unfit, rightly; to see what lies behind its check, the check is told to be content."""

ROOT = Path(__file__).parents[1]

PREPARE = f"""
from robot_rig.learning import health
for name, value in {PASSING!r}.items():
    setattr(health, name, value)
"""

RUN = """
import sys
from robot_rig.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


def settings(*sets: str) -> tuple[str, ...]:
    """Those of the tiny run, with others in place of them or beside them."""
    changed = {text.partition("=")[0] for text in sets}
    return (*(text for text in SETTINGS if text.partition("=")[0] not in changed), *sets)


def tiny_config(*sets: str) -> Config:
    """The tiny configuration, with further settings."""
    return load_config([], settings(*sets))


def words(command: str, run: Path, *sets: str, resume: bool = False) -> list[str]:
    """The command line of `rig COMMAND` on the tiny run in `run`."""
    options = [word for text in settings(*sets) for word in ("--set", text)]
    return [command, "--run", str(run), *options, *(["--resume"] if resume else [])]


def start(
    arguments: Sequence[str], before: str = "", prepare: str = PREPARE, **environment: str
) -> subprocess.Popen[str]:
    """`rig` with `arguments` in a process of its own, where the lines `before` are run first.

    What never comes to a VAE needs no `prepare`, which imports torch.
    """
    return subprocess.Popen(
        [sys.executable, "-c", prepare + before + RUN, *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=as_from_a_terminal,
    )


def content(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let any VAE pass its check."""
    for name, value in PASSING.items():
        monkeypatch.setattr(health, name, value)
